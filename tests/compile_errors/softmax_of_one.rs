use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Softmax>);
const _: () = assert_shapes::<Net>();

fn main() {}
