use tuplenet::prelude::*;

type Net = (Dense<2, 9, Tanh>, Dense<9, 8, Relu>, Dense<8, 7, Relu>, Dense<6, 3, Relu>, Dense<3, 1, Sigmoid>);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
