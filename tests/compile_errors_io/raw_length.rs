use tuplenet::include_weights;
use tuplenet::io::safetensors::{Precision, Raw};
use tuplenet::prelude::*;

static NET: (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>) =
    include_weights!("../io/fixtures/torch_xor.f32", Raw(Precision::F16));

fn main() {
    let _bias = NET.0.bias;
}
