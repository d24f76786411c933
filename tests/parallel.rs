//! Several threads: the same bits with any number of them, close to what one thread computes alone, and the same errors.

#![cfg(feature = "rayon")]

mod common;

use common::{bits, numbers};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tuplenet::Error;
use tuplenet::data::{ClassWeighted, Weighted};
use tuplenet::error::{NotFinite, TargetError};
use tuplenet::layers::{BatchNorm, Dropout, Residual};
use tuplenet::prelude::*;
use tuplenet::train::Parallel;

type Net = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 3, Softmax>);
/// Layers that leave more than gradients in a gradient, and one that must know the place of a sample in its batch.
type Odd = (
    Dense<4, 32, Identity>,
    BatchNorm<32>,
    Tanh,
    Residual<(BatchNorm<32>, Dense<32, 32, Tanh>)>,
    Dropout<10>,
    Dense<32, 3, Softmax>,
);

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

fn data(count: usize) -> (Vec<[f32; 4]>, Vec<u8>, Vec<f32>) {
    let mut rng = seeded(9);
    let mut number = || f32::from_random_bits(rng.next_u64());
    let inputs = (0..count).map(|_| std::array::from_fn(|_| number() - 0.5)).collect::<Vec<[f32; 4]>>();
    let classes = inputs.iter().map(|x| if x[0] > x[1] { 0 } else { 1 + (x[2] > 0.0) as u8 }).collect();
    let weights = (0..count).map(|i| (i % 4) as f32 / 2.0).collect();
    (inputs, classes, weights)
}

type Learner<N> = Trainer<N, CrossEntropy, Adam, rand::rngs::Xoshiro256PlusPlus, 24>;

fn net() -> Learner<Net> {
    Trainer::with_micro_batch(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.003), seeded(1))
}

fn odd() -> Learner<Odd> {
    Trainer::with_micro_batch(Odd::new(&mut seeded(0)), CrossEntropy, Adam::new(0.003), seeded(1))
}

/// Losses and parameters after steps, epochs and evaluations over batches of many sizes.
macro_rules! course {
    ($threads:expr, $trainer:expr) => {
        pool($threads).install(|| {
            let (inputs, classes, weights) = data(1503);
            let targets = &Weighted { targets: &classes, weights: &weights };
            let (mut trainer, mut parallel) = ($trainer, Parallel::new());
            let mut losses = Vec::new();
            for _ in 0..2 {
                losses.push(parallel.step(&mut trainer, &inputs, targets).unwrap());
                losses.push(parallel.epoch(&mut trainer, &inputs, &classes, 401).unwrap());
                let fit = FitOptions { epochs: 1, batch_size: 300, shuffle: true };
                let validation = (&inputs[..1000], &classes[..1000]);
                let outcome = parallel.fit_validated(
                    &mut trainer,
                    &inputs,
                    targets,
                    validation,
                    &fit,
                    |epoch: &EpochReport<_>| {
                        losses.push(epoch.validation_loss.unwrap());
                        std::ops::ControlFlow::Continue(())
                    },
                );
                losses.push(outcome.unwrap().loss);
                losses.push(parallel.fit(&mut trainer, &inputs, &classes, &fit, ()).unwrap().loss);
                losses.push(parallel.evaluate(&mut trainer, &inputs, targets).unwrap());
            }
            let mut outputs = vec![[0.0; 3]; inputs.len()];
            Parallel::predict_all(&trainer.network, &inputs, &mut outputs).unwrap();
            let mut alone = outputs.clone();
            trainer.network.predict_all(&inputs, &mut alone).unwrap();
            assert_eq!(outputs, alone);
            losses.extend(outputs.concat());
            (losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>(), trainer.network)
        })
    };
}

#[test]
fn as_many_threads_as_there_are_the_bits_are_the_same() {
    let (losses, network) = course!(1, net());
    let (odd_losses, odd_network) = course!(1, odd());
    for threads in [2, 3, 7] {
        for _ in 0..2 {
            let (found, other) = course!(threads, net());
            assert_eq!((found == losses, bits(&other)), (true, bits(&network)), "{threads}");
            let (found, other) = course!(threads, odd());
            assert_eq!((found == odd_losses, bits(&other)), (true, bits(&odd_network)), "{threads}");
            assert!(other.1 == odd_network.1 && other.3.0.0 == odd_network.3.0.0 && other.4 == odd_network.4);
        }
    }
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance * (1.0 + expected.abs()), "{found} for {expected}");
    }
}

/// One step of gradient descent, so that no rounding is blown up.
#[test]
fn a_step_is_what_the_trainer_alone_takes_but_for_rounding() {
    // A part has 192 samples of `Net`, unless there are many.
    for count in [1, 7, 192, 193, 384, 385, 1500, 7001] {
        let (inputs, classes, weights) = data(count);
        let mut weights = weights;
        weights[0] = 1.0;
        // A whole part without weight is no error.
        if count > 1000 {
            weights[200..700].fill(0.0);
        }
        let class_weighted = ClassWeighted { targets: &classes, weights: [0.5, 2.0, 1.0] };
        let weighted = Weighted { targets: &class_weighted, weights: &weights };
        macro_rules! compare {
            ($net:ty, $targets:expr) => {{
                let network = <$net>::new(&mut seeded(0));
                let learner = || {
                    Trainer::<_, _, _, _, 24>::with_micro_batch(network.clone(), CrossEntropy, Sgd::new(1.0), seeded(1))
                };
                let (mut alone, mut shared, mut parallel) = (learner(), learner(), Parallel::new());
                // Twice, the second time with memory that was used.
                for _ in 0..2 {
                    let losses = [
                        alone.evaluate(&inputs, $targets).unwrap(),
                        parallel.evaluate(&mut shared, &inputs, $targets).unwrap(),
                        alone.step(&inputs, $targets).unwrap(),
                        parallel.step(&mut shared, &inputs, $targets).unwrap(),
                    ];
                    close(&[losses[1] as f64, losses[3] as f64], &[losses[0] as f64, losses[2] as f64], 1e-5);
                    close(&numbers(&shared.network), &numbers(&alone.network), 2e-5);
                }
                (alone.network, shared.network)
            }};
        }
        compare!(Net, &classes);
        compare!(Net, &weighted);
        compare!(Net, &class_weighted);
        if count == 1 {
            // Nothing that batch normalization learns from.
            continue;
        }
        let (alone, shared) = compare!(Odd, &weighted);
        for (alone, shared) in [(&alone.1, &shared.1), (&alone.3.0.0, &shared.3.0.0)] {
            assert_eq!(alone.num_batches_tracked, shared.num_batches_tracked);
            let [mean, variance] = [&shared.running_mean, &shared.running_variance].map(|v| v.map(f64::from));
            close(mean.as_slice(), alone.running_mean.map(f64::from).as_slice(), 1e-5);
            close(variance.as_slice(), alone.running_variance.map(f64::from).as_slice(), 1e-5);
        }
        assert_eq!(alone.4, shared.4);
    }
}

#[test]
fn errors_are_those_of_the_trainer_alone_and_leave_no_trace() {
    const COUNT: usize = 3000;
    let (inputs, classes, weights) = data(COUNT);
    let good = data(COUNT).2;
    /// Breaks data, weights or targets.
    type Break = fn(&mut Vec<[f32; 4]>, &mut Vec<u8>, &mut Vec<f32>);
    let class = |sample, found| Error::Target { sample, problem: TargetError::Class { found, classes: 3 } };
    let input = |sample, column, found| Error::InputNotFinite { sample, column, found, epoch: 0, batch: 0 };
    let cases: [(Break, Error); 9] = [
        (|x, _, _| x[2999][3] = f32::NAN, input(2999, 3, NotFinite::Nan)),
        (|_, y, _| y[2500] = 7, class(2500, 7)),
        (|_, y, _| (y[700], y[2500]) = (8, 7), class(700, 8)),
        (|x, y, _| (x[700][0], y[2500]) = (f32::INFINITY, 7), input(700, 0, NotFinite::Infinity)),
        (|x, y, _| (x[2500][0], y[700]) = (f32::INFINITY, 7), class(700, 7)),
        // Not finite is what only the whole loss can be said to be.
        (|x, y, _| (x[700], y[2500]) = ([f32::MAX; 4], 7), class(2500, 7)),
        (|_, _, w| w[2999] = -1.0, Error::Weight { epoch: 0, batch: 0 }),
        (|_, _, w| w.fill(0.0), Error::Weight { epoch: 0, batch: 0 }),
        (|_, y, _| y.truncate(10), Error::Lengths { what: "targets, one for each input", expected: COUNT, found: 10 }),
    ];
    let pool = pool(3);
    for (spoil, error) in cases {
        let (mut x, mut y, mut w) = (inputs.clone(), classes.clone(), weights.clone());
        spoil(&mut x, &mut y, &mut w);
        w.truncate(y.len());
        let (mut trainer, mut parallel) = (odd(), Parallel::new());
        let (before, spoilt) = (bits(&trainer.network), Weighted { targets: &y, weights: &w });
        assert_eq!(odd().step(&x, &spoilt), Err(error));
        pool.install(|| {
            let all = FitOptions { epochs: 2, batch_size: COUNT, shuffle: true };
            assert_eq!(parallel.step(&mut trainer, &x, &spoilt), Err(error));
            assert_eq!(parallel.epoch(&mut trainer, &x, &spoilt, COUNT), Err(error));
            assert_eq!(parallel.fit(&mut trainer, &x, &spoilt, &all, ()).map(|outcome| outcome.epochs), Err(error));
            assert_eq!(parallel.evaluate(&mut trainer, &x, &spoilt), Err(error));
            assert_eq!(bits(&trainer.network), before);

            // A good step afterwards is that of a `Parallel` and a trainer that saw nothing bad.
            let (mut other, mut fresh) = (odd(), Parallel::new());
            let targets = &Weighted { targets: &classes, weights: &good };
            for _ in 0..2 {
                let loss = parallel.step(&mut trainer, &inputs, targets).unwrap();
                assert_eq!(loss.to_bits(), fresh.step(&mut other, &inputs, targets).unwrap().to_bits());
            }
            assert_eq!(bits(&trainer.network), bits(&other.network));
            assert!(trainer.network.1 == other.network.1 && trainer.network.3.0.0 == other.network.3.0.0);
        });
    }
}

#[test]
fn a_loss_that_is_infinite() {
    let network = <(Dense<4, 32, Tanh>, Dense<32, 1, Identity>)>::new(&mut seeded(0));
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    let (inputs, _, _) = data(3000);
    let mut targets = vec![[1.0f32]; inputs.len()];
    targets[2900] = [1e30];
    let (before, mut parallel) = (bits(&trainer.network), Parallel::new());
    assert_eq!(parallel.evaluate(&mut trainer, &inputs, &targets), Err(Error::EvaluationNotFinite));
    let error = Err(Error::LossNotFinite { epoch: 0, batch: 0 });
    assert_eq!(parallel.step(&mut trainer, &inputs, &targets), error);
    assert_eq!(bits(&trainer.network), before);
    targets[2900] = [1.0];
    assert!(parallel.step(&mut trainer, &inputs, &targets).is_ok_and(f32::is_finite));
}

#[test]
fn outputs_without_a_place() {
    let network = Net::new(&mut seeded(0));
    let error = Error::Lengths { what: "outputs, one for each input", expected: 4, found: 3 };
    assert_eq!(Parallel::predict_all(&network, &[[0.0; 4]; 4], &mut [[0.0; 3]; 3]), Err(error));
    assert_eq!(Parallel::predict_all(&network, &[[0.0; 4]; 0], &mut [[0.0; 3]; 0]), Ok(()));
}
