//! Training in batches on the microcontroller, with Adam: three classes of points, a micro-batch of four samples.

#![no_std]
#![no_main]

use firmware::{Bits, Own, largest, program, tell};
use tuplenet::model::Zeroed;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Relu>, Dense<8, 3, Softmax>);
type Learner = Trainer<Net, CrossEntropy, Adam, (), 4>;

static LEARNER: Own<Learner> = Own::new(Learner::with_micro_batch(Net::ZEROED, CrossEntropy, NO_ADAM, ()));
/// All zeros, so that the trainer uses no flash.
const NO_ADAM: Adam = Adam { learning_rate: 0.0, beta1: 0.0, beta2: 0.0, epsilon: 0.0 };

static POINTS: [[f32; 2]; 6] = [[0.0, 0.1], [0.2, 0.0], [0.9, 0.1], [1.0, 0.2], [0.4, 1.0], [0.6, 0.9]];
static CLASSES: [u8; 6] = [0, 0, 1, 1, 2, 2];

program!(learns);

/// Whether all points are in the right class after training.
fn learns() -> bool {
    let Some(learner) = LEARNER.take() else { return false };
    learner.optimizer = Adam::new(0.05);
    learner.initialize(&mut seeded(0));
    for _ in 0..100 {
        if !step(learner) {
            return false;
        }
    }
    tell(Bits::NONE.and_network(&learner.network).0);
    let mut outputs = [[0.0; 3]; 6];
    learner.network.predict_all(&POINTS, &mut outputs).is_ok()
        && outputs.iter().zip(CLASSES).all(|(output, class)| largest(output) == usize::from(class))
}

/// One step by all points; returns whether there was no error.
#[unsafe(no_mangle)]
#[inline(never)]
fn step(learner: &mut Learner) -> bool {
    learner.step(&POINTS, &CLASSES).is_ok()
}
