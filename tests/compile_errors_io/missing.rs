use tuplenet::include_weights;
use tuplenet::prelude::*;

static NET: (Dense<2, 4, Identity>, Dense<4, 1, Sigmoid>) = include_weights!("../io/fixtures/torch_xor.safetensors");

fn main() {
    let _bias = NET.0.bias;
}
