use tuplenet::layers::BatchNorm;
use tuplenet::prelude::*;

type Net = (Dense<2, 3, Identity>, BatchNorm<3>);

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    trainer.step(&[[0.0, 1.0]], &[2usize]).unwrap();
}
