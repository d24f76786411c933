use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);
const _: () = assert_shapes::<Net>();

struct Robot {
    _balance: Net,
}

fn main() {}
