use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);

struct Robot {
    _balance: Workspace<Net, 1>,
}

fn main() {}
