use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

fn main() {
    let network = Net::new(&mut seeded(0));
    let _outputs = network.predict_one(&[0.0, 1.0, 2.0]);
}
