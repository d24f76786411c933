use tuplenet::prelude::*;
use tuplenet::tuning::{CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, accuracy, networks};

type Net = (Dense<2, 8, Tanh>, Dense<8, 3, Tanh>);

fn main() {
    let (inputs, classes) = ([[0.0, 1.0]; 9], [0usize, 1, 2, 0, 1, 2, 0, 1, 2]);
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &CrossValidationOptions::default()).unwrap();
    validation.scores::<Net, _>(&Hyperparameters::new(Adam::new(0.01))).unwrap();
    let networks = networks![for last in [Relu, Softmax] (Dense<2, 8, Tanh>, Dense<8, 3, last>)];
    validation.grid(&networks, &SearchSpace::new(Hyperparameters::new(Adam::new(0.01)))).unwrap();
}
