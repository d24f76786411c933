use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01), seeded(1));
    let (inputs, targets) = ([[0.0, 1.0]], [[1.0]]);
    trainer.fit_validated(&inputs, &targets, &inputs, &targets, &FitOptions::default(), ()).unwrap();
    trainer.fit_validated(&inputs, &targets, &inputs, &FitOptions::default(), ()).unwrap();
    trainer.fit_validated(&inputs, &targets, &FitOptions::default(), ()).unwrap();
}
