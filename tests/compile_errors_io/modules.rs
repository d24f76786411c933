use tuplenet::include_weights;
use tuplenet::io::safetensors::{Names, Safetensors};
use tuplenet::prelude::*;

const FORMAT: Safetensors = Safetensors { names: Names::Modules(&["0", "2", "4"]), ..Safetensors::DEFAULT };
static NET: (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>) =
    include_weights!("../io/fixtures/torch_xor.safetensors", FORMAT);

fn main() {
    let _bias = NET.0.bias;
}
