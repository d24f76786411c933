use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>,);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
