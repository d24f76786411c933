use tuplenet::include_weights;
use tuplenet::prelude::*;

static NET: Dense<1, 4, Identity> = include_weights!("pickle.pt");

fn main() {
    let _bias = NET.bias;
}
