//! Online learning on the microcontroller, in fixed memory, one sample at a time.

#![no_std]
#![no_main]

use firmware::{Bits, Own, program, tell};
use tuplenet::assert_fits;
use tuplenet::model::{Params, Zeroed};
use tuplenet::prelude::*;

type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
type Learner = Trainer<Xor, MeanSquaredError, Sgd, (), 1>;

// If the network grows beyond the budget of this microcontroller, the program does not compile.
assert_fits!(Xor, flash = 160, ram = 400);
const _: () = assert!(Learner::BYTES <= 400);

/// All zeros, so that it uses RAM alone. Learning rate and weights are set at run time.
static LEARNER: Own<Learner> = Own::new(Learner::with_micro_batch(Xor::ZEROED, MeanSquaredError, Sgd::new(0.0), ()));

program!(learns_xor);

/// Whether the network has learnt all four targets after training.
fn learns_xor() -> bool {
    let Some(learner) = LEARNER.take() else { return false };
    learner.optimizer.set_learning_rate(0.5);
    learner.network.initialize(&mut seeded(0));
    let mut worst = 0.0;
    for step in 0..8000 {
        let (x, y) = ((step & 1) as f32, (step >> 1 & 1) as f32);
        let error = learn(learner, [x, y], if x != y { 1.0 } else { 0.0 });
        worst = if step & 3 == 0 || error > worst { error } else { worst };
    }
    tell(Bits::NONE.and_network(&learner.network).0);
    // Of the last four steps.
    worst < 0.01
}

/// One step; returns the squared error before it, or a large value if there was an error.
#[unsafe(no_mangle)]
#[inline(never)]
fn learn(learner: &mut Learner, input: [f32; 2], target: f32) -> f32 {
    learner.step_one(&input, &[target]).unwrap_or(f32::MAX)
}
