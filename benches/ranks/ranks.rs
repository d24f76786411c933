//! Ranks: what messages cost, what a step and a search take, as lines `what figure` on rank 0. Started by `run`, which compares
//! one rank with several.

use std::process::ExitCode;
use std::time::Instant;
use tuplenet::prelude::*;
use tuplenet::train::cluster::{Communicator, Distributed, run};
use tuplenet::tuning::{
    CrossValidation, CrossValidationOptions, Hyperparameters, SearchOptions, SearchSpace, accuracy, networks,
};

type Failure = Box<dyn std::error::Error>;
/// The network of W4L in `benches/peers`, with its micro-batch.
type Curve = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);
type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Softmax>);
const MICRO_BATCH: usize = 104;
const ROUNDS: usize = 7;

/// The seconds of a step with all samples.
macro_rules! step {
    ($communicator:expr, $trainer:expr, $inputs:expr, $targets:expr, $steps:expr) => {{
        let mut distributed = Distributed::new($communicator);
        // All in one batch, so that an epoch is a step.
        let fit = FitOptions { epochs: usize::max($steps, 2), batch_size: $inputs.len(), shuffle: false };
        let seconds = best($communicator, || {
            distributed.fit(&mut $trainer, $inputs, $targets, &fit, ())?;
            Ok(())
        })?;
        seconds / fit.epochs as f64
    }};
}

fn main() -> ExitCode {
    run(measure)
}

fn measure(communicator: &dyn Communicator) -> Result<(), Failure> {
    let report = |what: &str, figure: f64| {
        if communicator.rank() == 0 {
            println!("{what} {figure:e}");
        }
    };
    if communicator.size() > 1 {
        for bytes in [8, 512, 3024, 16_384, 131_072, 437_544, 1 << 20] {
            report(&format!("message-{bytes}"), message(communicator, bytes));
        }
    }
    for count in [1000, 10_000, 100_000] {
        let (inputs, targets) = curve(count);
        let network = Curve::boxed(&mut seeded(0));
        let mut trainer: Box<Trainer<Curve, _, _, _, MICRO_BATCH>> =
            Trainer::boxed_with_micro_batch(network, MeanSquaredError, Adam::new(1e-3), seeded(1));
        report(&format!("curve-{count}"), step!(communicator, trainer, &inputs, &targets, 2_000_000 / count));
    }
    for count in [256, 2048] {
        let mut rng = seeded(3);
        let inputs: Vec<[f32; 784]> =
            (0..count).map(|_| std::array::from_fn(|_| f32::from_random_bits(rng.next_u64()))).collect();
        let classes: Vec<u8> = (0..count).map(|sample| (sample % 10) as u8).collect();
        let network = Mnist::boxed(&mut seeded(0));
        let mut trainer: Box<Trainer<Mnist, _, _, _, MICRO_BATCH>> =
            Trainer::boxed_with_micro_batch(network, CrossEntropy, Adam::new(1e-3), seeded(1));
        report(&format!("mnist-{count}"), step!(communicator, trainer, &inputs, &classes, 10_000 / count));
    }
    report("search", search(communicator)?);
    Ok(())
}

/// The best time of several rounds: what disturbs them only makes them longer.
fn best(communicator: &dyn Communicator, mut round: impl FnMut() -> Result<(), Failure>) -> Result<f64, Failure> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        // All ranks begin together.
        let other = communicator.size() - 1;
        if communicator.rank() == 0 {
            (1..=other).for_each(|rank| communicator.send(rank, &[]));
        } else {
            communicator.receive(0, &mut Vec::new());
        }
        let start = Instant::now();
        round()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// The seconds of one message to another rank, half of there and back.
fn message(communicator: &dyn Communicator, bytes: usize) -> f64 {
    // A slow network takes milliseconds for the longest.
    let times = if bytes > 100_000 { 10 } else { 200 };
    let mut message = vec![1; bytes];
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..times {
            match communicator.rank() {
                0 => {
                    communicator.send(1, &message);
                    communicator.receive(1, &mut message);
                }
                1 => {
                    communicator.receive(0, &mut message);
                    communicator.send(0, &message);
                }
                _ => {}
            }
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    best / (2 * times) as f64
}

fn curve(count: usize) -> (Vec<[f32; 4]>, Vec<[f32; 4]>) {
    let mut rng = seeded(2);
    let sample = |_| {
        let x: [f32; 4] = std::array::from_fn(|_| 2.0 * f32::from_random_bits(rng.next_u64()) - 1.0);
        let [a, b, c, d] = x;
        (x, [(2.0 * a).sin() * b, c * d, (a + c).cos(), (b - d).tanh()])
    };
    (0..count).map(sample).unzip()
}

/// The seconds of a search of 60 training runs, of some 20 ms each: between two of them a rank waits for less than half a millisecond.
fn search(communicator: &dyn Communicator) -> Result<f64, Failure> {
    let (inputs, targets) = curve(1200);
    let classes: Vec<usize> = targets.iter().map(|[a, b, ..]| usize::from(a + b > 0.1)).collect();
    let networks = networks![(Dense<4, 16, Tanh>, Dense<16, 2, Softmax>)];
    let fit = FitOptions { epochs: 600, batch_size: 32, shuffle: true };
    let space =
        SearchSpace::new(Hyperparameters { fit, no_improvement: None, ..Hyperparameters::new(Adam::new(0.01f32)) })
            .learning_rate([0.003, 0.01, 0.03])
            .alpha([1e-4, 1e-3, 1e-2, 1e-1]);
    let options = CrossValidationOptions { folds: 5, ..CrossValidationOptions::default() };
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options)?;
    best(communicator, || {
        validation.grid_with(&networks, &space, SearchOptions::new().over(communicator))?;
        Ok(())
    })
}
