use tuplenet::data::Class;
use tuplenet::prelude::*;

type Net = (Dense<4, 8, Tanh>, Dense<8, 3, Softmax>);

fn main() {
    let digits = [Class::<10>::new(7).unwrap()];
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    trainer.fit(&[[0.0, 1.0, 2.0, 3.0]], &digits, &FitOptions::default(), ()).unwrap();
}
