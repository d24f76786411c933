use tuplenet::layers::Dropout;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dropout<0.5>, Dense<8, 1, Sigmoid>);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
