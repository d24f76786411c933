use tuplenet::include_weights;
use tuplenet::layers::BatchNorm;

static NORM: BatchNorm<2> = include_weights!("norm.safetensors");

fn main() {
    let _bias = NORM.bias;
}
