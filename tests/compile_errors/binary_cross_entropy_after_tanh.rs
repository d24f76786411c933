use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Tanh>);

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01), seeded(1));
    trainer.fit(&[[0.0, 1.0]], &[[1.0]], &FitOptions::default(), ()).unwrap();
}
