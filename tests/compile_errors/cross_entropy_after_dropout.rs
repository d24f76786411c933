use tuplenet::layers::Dropout;
use tuplenet::prelude::*;

type Net = (Dense<2, 3, Softmax>, Dropout<20>);

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    trainer.evaluate(&[[0.0, 1.0]], &[2usize]).unwrap();
}
