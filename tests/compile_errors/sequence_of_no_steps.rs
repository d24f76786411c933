use tuplenet::layers::{Gru, Input, Steps};
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

const _: () = assert_shapes::<(Input<Sequence<0, 2>>, Gru<2, 3>, Steps<Dense<3, 1, Identity>>)>();

fn main() {}
