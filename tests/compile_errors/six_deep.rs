use tuplenet::prelude::*;

type End = (Dense<7, 6, Relu>, (Dense<6, 5, Relu>, Dense<4, 1, Sigmoid>));
type Net = (Dense<2, 9, Tanh>, (Dense<9, 8, Relu>, (Dense<8, 7, Relu>, End)));

fn main() {
    let _network = Net::new(&mut seeded(0));
}
