use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
