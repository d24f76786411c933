use tuplenet::model::check;
use tuplenet::prelude::*;

type Net = (Dense<2, 0, Tanh>, Dense<0, 1, Sigmoid>);
const _: () = check::<Net>();

fn main() {}
