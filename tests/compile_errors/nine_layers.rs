use tuplenet::prelude::*;

type D = Dense<2, 2, Tanh>;
type Net = (D, D, D, D, D, D, D, D, D);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
