use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};

type Net = (Dense<2, 3, Tanh, f64>, Dense<3, 2, Softmax, f64>);

fn main() {
    let solver = LevenbergMarquardt::<17>::new();
    let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), CrossEntropy, solver);
    trainer.fit(&[[0.0, 1.0]], &[1usize], 10, ()).unwrap();
}
