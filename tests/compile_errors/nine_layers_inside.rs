use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

type D = Dense<2, 2, Tanh>;
const _: () = assert_shapes::<(D, (D, D, D, D, D, D, D, D, D))>();

fn main() {}
