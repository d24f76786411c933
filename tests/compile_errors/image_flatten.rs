use tuplenet::layers::Flatten;
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

const _: () = assert_shapes::<(Flatten<Image<16, 4, 4>, 255>, Dense<255, 10, Softmax>)>();

fn main() {}
