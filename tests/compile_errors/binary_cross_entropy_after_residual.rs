use tuplenet::layers::Residual;
use tuplenet::prelude::*;

type Net = Residual<Dense<2, 2, Tanh>>;

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01), seeded(1));
    trainer.step_one(&[0.0, 1.0], &[1.0, 0.0]).unwrap();
}
