use tuplenet::layers::Conv2d;
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

const _: () = assert_shapes::<Conv2d<Image<6, 12, 12>, Image<16, 9, 8>, 5, Relu>>();

fn main() {}
