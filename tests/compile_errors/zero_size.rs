use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

type Net = (Dense<2, 0, Tanh>, Dense<0, 1, Sigmoid>);
const _: () = assert_shapes::<Net>();

fn main() {}
