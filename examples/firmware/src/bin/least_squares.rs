//! Calibration on the microcontroller: a network of 50 parameters learns the curve of a sensor from 40 measurements by
//! Levenberg-Marquardt, with a matrix of 50 by 50 in fixed memory.

#![no_std]
#![no_main]

use firmware::{Bits, Own, program, tell};
use tuplenet::assert_fits;
use tuplenet::model::{Params, Zeroed};
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};

type Sensor = (Dense<5, 7, Tanh>, Dense<7, 1, Identity>);
type Solver = LevenbergMarquardt<{ Sensor::PARAMETERS }, f32>;
type Learner = FullBatchTrainer<Sensor, MeanSquaredError, Solver, 1>;

// If the matrix grows beyond the budget of this microcontroller, the program does not compile.
assert_fits!(Sensor, flash = 200, least_squares = 14_000);
const _: () = assert!(Sensor::PARAMETERS == 50);

/// All zeros, so that it uses RAM alone.
static LEARNER: Own<Learner> = Own::new(Learner::with_micro_batch(Sensor::ZEROED, MeanSquaredError, Solver::ZEROED));

const COUNT: usize = 40;
static MEASUREMENTS: ([[f32; 5]; COUNT], [[f32; 1]; COUNT]) = measurements();

/// What was measured, from -1 to 1, and what it should be.
const fn measurements() -> ([[f32; 5]; COUNT], [[f32; 1]; COUNT]) {
    let (mut inputs, mut targets) = ([[0.0; 5]; COUNT], [[0.0]; COUNT]);
    let (mut sample, mut bits) = (0, 1u32);
    while sample < COUNT {
        let mut i = 0;
        while i < 5 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            inputs[sample][i] = (bits >> 16) as f32 / 32_768.0 - 1.0;
            i += 1;
        }
        let [a, b, c, d, e] = inputs[sample];
        targets[sample] = [0.5 * a - 0.3 * b * c + 0.2 * d * d - 0.1 * e];
        sample += 1;
    }
    (inputs, targets)
}

program!(calibrates);

/// Whether the network has learnt the curve.
fn calibrates() -> bool {
    let Some(learner) = LEARNER.take() else { return false };
    learner.solver = Solver::new();
    learner.initialize(&mut seeded(0));
    let mut loss = f32::MAX;
    for _ in 0..25 {
        loss = calibrate(learner);
    }
    tell(Bits::NONE.and_network(&learner.network).0);
    loss < 1e-4
}

/// One step that lowers the loss, by all measurements; returns the loss after it.
#[unsafe(no_mangle)]
#[inline(never)]
fn calibrate(learner: &mut Learner) -> f32 {
    let (inputs, targets) = &MEASUREMENTS;
    learner.fit(inputs, targets, 1, ()).map_or(f32::MAX, |report| report.loss)
}
