use tuplenet::prelude::*;

type Net = (Dense<2, 0, Tanh>, Dense<0, 1, Sigmoid>);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
