//! A network learns on the chip, in fixed memory, one sample at a time.

#![no_std]
#![no_main]

use firmware::{Bits, Own, program, tell};
use tuplenet::params::{Params, Zeroed};
use tuplenet::prelude::*;

type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
type Learner = Trainer<Xor, MeanSquaredError, Sgd, (), 1>;

/// All zeros, so that it takes room in RAM alone. Rate and weights come at run time.
static LEARNER: Own<Learner> = Own::new(Learner::with_tile(Xor::ZEROED, MeanSquaredError, Sgd::new(0.0), ()));

const STEPS: u32 = 8000;

program!(learns_xor);

/// Whether all four answers are right after the training.
fn learns_xor() -> bool {
    let Some(learner) = LEARNER.take() else { return false };
    learner.optimizer.set_rate(0.5);
    learner.network.initialize(&mut seeded(0));
    for step in 0..STEPS {
        if !learn(learner, step) {
            return false;
        }
    }
    let mut right = true;
    for number in 0..4 {
        let (input, [target]) = sample(number);
        let [probability] = learner.network.predict_one(&input);
        right &= (probability > 0.5) == (target > 0.5);
    }
    tell(Bits::NONE.and_network(&learner.network).0);
    right
}

/// Two bits of a number, and whether just one of them is 1.
fn sample(number: u32) -> ([f32; 2], [f32; 1]) {
    let (x, y) = (number & 1, number >> 1 & 1);
    ([x as f32, y as f32], [(x ^ y) as f32])
}

/// One step; whether there was no error.
#[unsafe(no_mangle)]
#[inline(never)]
fn learn(learner: &mut Learner, number: u32) -> bool {
    let (input, target) = sample(number);
    learner.step(&[input], &[target]).is_ok()
}
