use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

fn main() {
    let network = Net::new(&mut seeded(0));
    let _outputs = network.predict(&SMatrix::<f32, 3, 10>::zeros());
}
