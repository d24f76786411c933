use tuplenet::model::check;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);
const _: () = check::<Net>();

struct Robot {
    _balance: Net,
}

fn main() {}
