use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

fn main() {
    let network = Net::new(&mut seeded(0));
    let samples = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    network.predict(&samples);
    network.predict(&samples[..]);
    network.predict(&vec![[0.0, 1.0]]);
    network.predict_one(&samples);
}
