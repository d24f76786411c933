use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh, f32>, Dense<8, 1, Sigmoid, f64>);

fn main() {
    let _network = Net::new(&mut seeded(0));
}
