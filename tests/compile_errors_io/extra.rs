use tuplenet::include_weights;
use tuplenet::prelude::*;

const NET: Dense<2, 4, Tanh> = include_weights!("../io/fixtures/torch_xor.safetensors");

fn main() {
    let _bias = NET.bias;
}
