//! The row `us` of the comparison in `benches/peers`: what a user of the library writes, built as a user builds it.
//!
//! ```text
//! peers-us <folder of inputs> <workload>,<workload>,...
//! ```

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};
use tuplenet::layer::Entrance;
use tuplenet::params::Params;
use tuplenet::prelude::*;

type Xor = (Dense<2, 10, Relu>, Dense<10, 1, Sigmoid>);
type Small = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);
type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Identity>);
type Curve = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);

/// How many samples are computed together: all four of XOR, and for W4 half of the 200, rounded up to whole registers.
const XOR_TILE: usize = 4;
const CURVE_TILE: usize = 104;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The folder of inputs, and how long each workload may be timed.
struct Setting {
    folder: String,
    budget: Duration,
}

impl Setting {
    fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let path = format!("{}/{name}", self.folder);
        fs::read(&path).map_err(|error| format!("{path}: {error}").into())
    }

    fn numbers(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = self.bytes(name)?;
        Ok(bytes
            .chunks_exact(4)
            .map(|number| f32::from_le_bytes([number[0], number[1], number[2], number[3]]))
            .collect())
    }

    fn samples<const N: usize>(&self, name: &str) -> Result<Vec<[f32; N]>> {
        let numbers = self.numbers(name)?;
        Ok(numbers.chunks_exact(N).map(|sample| std::array::from_fn(|place| sample[place])).collect())
    }

    /// The best time of one call, over as many repetitions as the budget allows; each takes at least 2 ms.
    fn best_time(&self, mut call: impl FnMut()) -> f64 {
        let (mut calls, mut best, start) = (1, f64::INFINITY, Instant::now());
        while start.elapsed() < self.budget || best == f64::INFINITY {
            let start = Instant::now();
            for _ in 0..calls {
                call();
            }
            let elapsed = start.elapsed().as_secs_f64();
            if elapsed < 2e-3 {
                calls *= 2;
            } else {
                best = best.min(elapsed / f64::from(calls));
            }
        }
        best
    }

    /// The time of one call of `predict_one`, over 64 samples in turn, and the checksum of their outputs.
    fn one_sample<N, const IN: usize, const OUT: usize>(&self, network: &N, inputs: &[[f32; IN]]) -> (f64, f64)
    where
        N: Network + Entrance<In = Features<IN>> + Params<Scalar = f32>,
        N: Layer<Features<IN>, Out = Features<OUT>>,
    {
        let inputs = &inputs[..64];
        let outputs: Vec<[f32; OUT]> = inputs.iter().map(|input| network.predict_one(input)).collect();
        let seconds = self.best_time(|| {
            for input in inputs {
                black_box(black_box(network).predict_one(black_box(input)));
            }
        });
        (seconds / inputs.len() as f64, checksum(&outputs))
    }

    fn xor_steps(&self) -> Result<(f64, f64)> {
        let mut numbers = self.numbers("xor.weights")?.into_iter();
        let network: Xor = (dense(&mut numbers)?, dense(&mut numbers)?);
        let (inputs, targets) = (self.samples::<2>("xor.inputs")?, self.samples::<1>("xor.targets")?);
        let mut trainer =
            Trainer::<_, _, _, _, XOR_TILE>::with_tile(network, BinaryCrossEntropy, Sgd::new(0.01), seeded(1));
        let fit = Fit { epochs: 1000, batch_size: 4, shuffle: false };
        trainer.fit(&inputs, &targets, &fit, ())?;
        let loss = trainer.evaluate(&inputs, &targets)?;
        let seconds = self.best_time(|| {
            trainer.fit(&inputs, &targets, &fit, ()).expect("training goes on");
        });
        Ok((seconds / fit.epochs as f64, loss.into()))
    }

    fn digits(&self) -> Result<Digits> {
        let mut numbers = self.numbers("digits.weights")?.into_iter();
        Ok((dense(&mut numbers)?, dense(&mut numbers)?))
    }

    fn digits_epoch(&self) -> Result<(f64, f64)> {
        let (inputs, classes) = (self.samples::<64>("digits.inputs")?, self.bytes("digits.classes")?);
        let mut trainer = Trainer::new(self.digits()?, CrossEntropy, Adam::new(1e-3), seeded(1));
        trainer.fit(&inputs, &classes, &Fit { epochs: 1, batch_size: 32, shuffle: false }, ())?;
        let loss = trainer.evaluate(&inputs, &classes)?;
        let seconds = self.best_time(|| {
            trainer.epoch(&inputs, &classes, 32).expect("training goes on");
        });
        Ok((seconds, loss.into()))
    }

    fn digits_batch(&self) -> Result<(f64, f64)> {
        let (network, inputs) = (self.digits()?, self.samples::<64>("digits.inputs")?);
        let (inputs, mut outputs) = (&inputs[..1024], vec![[0.0; 10]; 1024]);
        network.predict_all(inputs, &mut outputs)?;
        let sum = checksum(&outputs);
        let seconds = self.best_time(|| {
            black_box(&network).predict_all(black_box(inputs), &mut outputs).expect("the sizes fit");
            black_box(&outputs);
        });
        Ok((seconds / 1024.0, sum))
    }

    fn curve_steps(&self, count: usize, steps: usize) -> Result<(f64, f64)> {
        let mut numbers = self.numbers("curve.weights")?.into_iter();
        let network: Curve = (dense(&mut numbers)?, dense(&mut numbers)?, dense(&mut numbers)?);
        let (inputs, targets) = (self.samples::<4>("curve.inputs")?, self.samples::<4>("curve.targets")?);
        let (inputs, targets) = (&inputs[..count], &targets[..count]);
        let mut trainer =
            Trainer::<_, _, _, _, CURVE_TILE>::with_tile(network, MeanSquaredError, Adam::new(1e-3), seeded(1));
        for _ in 0..steps {
            trainer.step(inputs, targets)?;
        }
        let loss = trainer.evaluate(inputs, targets)?;
        let seconds = self.best_time(|| {
            trainer.step(inputs, targets).expect("training goes on");
        });
        Ok((seconds, loss.into()))
    }

    fn run(&self, workload: &str) -> Result<(f64, f64)> {
        match workload {
            "W1" => self.xor_steps(),
            "W2a" => {
                let mut numbers = self.numbers("small.weights")?.into_iter();
                let network: Small = (dense(&mut numbers)?, dense(&mut numbers)?, dense(&mut numbers)?);
                Ok(self.one_sample(&network, &self.samples("small.inputs")?))
            }
            "W2b" => Ok(self.one_sample(&self.digits()?, &self.samples("digits.inputs")?)),
            "W2c" => {
                let mut numbers = self.numbers("mnist.weights")?.into_iter();
                let network: Box<Mnist> = Box::new((dense(&mut numbers)?, dense(&mut numbers)?, dense(&mut numbers)?));
                Ok(self.one_sample(&*network, &self.samples("mnist.inputs")?))
            }
            "W3" => self.digits_epoch(),
            "W4" => self.curve_steps(200, 100),
            "W4L" => self.curve_steps(10_000, 20),
            "W6" => self.digits_batch(),
            _ => Err(format!("no workload `{workload}`").into()),
        }
    }
}

/// The next layer of the file: weights row by row, then biases.
fn dense<const IN: usize, const OUT: usize, A>(numbers: &mut impl Iterator<Item = f32>) -> Result<Dense<IN, OUT, A>> {
    let layer: Vec<f32> = numbers.take(OUT * IN + OUT).collect();
    let (weight, bias) = layer.split_at_checked(OUT * IN).ok_or("too few weights")?;
    if bias.len() != OUT {
        return Err("too few weights".into());
    }
    Ok(Dense::from_matrix(SMatrix::from_row_slice(weight), SVector::from_column_slice(bias)))
}

/// What all inference workloads are compared by; see `checksum` in `run`.
fn checksum<const OUT: usize>(outputs: &[[f32; OUT]]) -> f64 {
    let outputs = outputs.as_flattened();
    let sum: f64 = outputs.iter().enumerate().map(|(place, y)| (1 + place % 7) as f64 * f64::from(y.abs())).sum();
    sum / outputs.len() as f64
}

fn main() -> Result<()> {
    let [folder, workloads] = std::env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|found: Vec<_>| {
        format!("expected a folder of inputs and a list of workloads, found {} arguments", found.len())
    })?;
    let seconds = std::env::var("PEERS_SECONDS").map_or(Ok(0.3), |seconds| seconds.parse())?;
    let setting = Setting { folder, budget: Duration::from_secs_f64(seconds) };
    for workload in workloads.split(',') {
        let (seconds, loss) = setting.run(workload)?;
        println!("{{\"workload\": \"{workload}\", \"seconds\": {seconds:e}, \"loss\": {loss:e}}}");
    }
    Ok(())
}
