use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

const _: () = assert_shapes::<(Dense<2, 1, Identity>, Softmax)>();
static NET: Dense<1, 1, Softmax> = Dense::from_rows([[1.0]], [0.5]);

fn main() {
    let _count = NET.bias.len();
}
