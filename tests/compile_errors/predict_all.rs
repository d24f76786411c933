use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

fn main() {
    let network = Net::new(&mut seeded(0));
    let mut outputs = [[0.0]; 2];
    network.predict_all(&[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], &mut outputs).unwrap();
}
