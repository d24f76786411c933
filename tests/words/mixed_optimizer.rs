use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh, f64>, Dense<8, 1, Sigmoid, f64>);

fn main() {
    let _trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01f32), seeded(1));
}
