use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 3, Relu>);

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    trainer.fit(&[[0.0, 1.0]], &[2usize], &FitOptions::default(), ()).unwrap();
}
