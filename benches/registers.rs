//! An optimized build computes a step of a tiny network, if its batch fills a micro-batch, in memory that ends with the
//! step. Here it is taken beside the same step in a trainer's own memory, which a micro-batch has that the batch does
//! not fill.
//!
//!     cargo test --release -p tuplenet-benches --test registers
//!
//! Without optimization a step is always taken in the trainer's memory, and there is nothing to compare.

#![cfg(not(debug_assertions))]

use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::model::{Parameter, Visit, Visitor};
use tuplenet::prelude::*;

/// All values of a network, running statistics too.
#[derive(Default)]
struct Numbers(Vec<f32>);

impl Visitor<f32> for Numbers {
    fn slice(&mut self, _: Parameter, values: &[f32]) {
        self.0.extend(values);
    }
    fn buffer(&mut self, _: Parameter, values: &[f32]) {
        self.0.extend(values);
    }
}

fn numbers(network: &impl Visit<f32>) -> Vec<f32> {
    let mut numbers = Numbers::default();
    network.visit(&mut numbers);
    numbers.0
}

const INPUTS: [[f32; 3]; 4] = [[0.1, -0.7, 0.3], [0.9, 0.2, -0.4], [-0.5, 0.6, 0.8], [0.0, -0.2, -0.9]];

/// Thirty steps by all of `INPUTS`, with micro-batches of four and of eight samples.
macro_rules! compare {
    ($net:ty, $loss:expr, $optimizer:expr, $targets:expr) => {{
        const { assert!(Workspace::<$net, 4>::BYTES + size_of::<$net>() <= 2048, "too large for registers") };
        let network = <$net>::new(&mut seeded(3));
        let mut tiny = Trainer::<_, _, _, _, 4>::with_micro_batch(network.clone(), $loss, $optimizer, seeded(1));
        let mut other = Trainer::<_, _, _, _, 8>::with_micro_batch(network.clone(), $loss, $optimizer, seeded(1));
        for step in 0..30 {
            let losses = [tiny.step(&INPUTS, &$targets).unwrap(), other.step(&INPUTS, &$targets).unwrap()];
            assert!((losses[0] - losses[1]).abs() <= 1e-5, "{step}: {losses:?}");
        }
        let (found, expected) = (numbers(&tiny.network), numbers(&other.network));
        assert_ne!(expected, numbers(&network));
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{found}, not {expected}");
        }
    }};
}

#[test]
fn columns_shorter_than_a_register() {
    type Classes = (Dense<3, 10, Relu>, Dense<10, 3, Softmax>);
    compare!(Classes, CrossEntropy, Sgd::new(0.05).nesterov(0.9).clip_norm(0.5).l2(1e-2), [0usize, 1, 2, 1]);
}

#[test]
fn what_layers_leave_in_the_gradient() {
    type Mixed = (Dense<3, 5, Identity>, BatchNorm<5>, Silu, Dropout<30>, Dense<5, 1, Sigmoid>);
    compare!(Mixed, BinaryCrossEntropy, Adam::new(0.01), [true, false, true, true]);
}

/// A training run that diverges ends with an error, and its network is as the last good step left it.
#[test]
fn a_step_that_would_ruin_the_network_is_refused() {
    type Line = (Dense<3, 4, Identity>, Dense<4, 1, Identity>);
    let network = Line::new(&mut seeded(0));
    let mut trainer = Trainer::<_, _, _, _, 4>::with_micro_batch(network, MeanSquaredError, Sgd::new(1e3), seeded(1));
    let refused = (0..100).find_map(|_| trainer.step(&INPUTS, &[[1.0], [2.0], [3.0], [4.0]]).err());
    assert!(matches!(refused, Some(tuplenet::Error::LossNotFinite { .. })), "{refused:?}");
    assert!(numbers(&trainer.network).iter().all(|number| number.is_finite()));
}
