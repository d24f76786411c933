use tuplenet::include_weights;
use tuplenet::prelude::*;

static NET: (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>) = include_weights!("cut.safetensors");

fn main() {
    let _bias = NET.0.bias;
}
