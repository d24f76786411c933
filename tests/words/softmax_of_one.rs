use tuplenet::model::check;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Softmax>);
const _: () = check::<Net>();

fn main() {}
