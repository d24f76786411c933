//! The last layer of a convolutional network continues to learn, while the convolutions stay in flash.
//!
//! The camera was turned: all images are now upside down.

#![no_std]
#![no_main]

use firmware::cnn::{Eye, Last, SAMPLES, image};
use firmware::{Bits, Own, largest, program, tell};
use tuplenet::model::Zeroed;
use tuplenet::prelude::*;

type Learner = Trainer<Last, CrossEntropy, Sgd, (), 1>;

/// The RAM that learning takes: the last layer, and what a step by one sample needs.
const RAM: usize = Learner::BYTES;
const _: () = assert!(RAM <= 6 << 10);

/// As trained on a PC, in flash.
static TRAINED: (Eye, Last) = include!("../networks/cnn.rs");
static LEARNER: Own<Learner> = Own::new(Learner::with_micro_batch(Last::ZEROED, CrossEntropy, Sgd::new(0.0), ()));

program!(follows);

/// Whether digits upside down are recognized in the end.
fn follows() -> bool {
    let Some(learner) = LEARNER.take() else { return false };
    learner.optimizer.set_learning_rate(0.05);
    learner.network.clone_from(&TRAINED.1);
    let before = right(&learner.network);
    for _ in 0..20 {
        for (pixels, digit) in &SAMPLES {
            if !learn(learner, &turned(pixels), *digit) {
                return false;
            }
        }
    }
    let after = right(&learner.network);
    tell(before);
    tell(after);
    tell(Bits::NONE.and_network(&learner.network).0);
    before < 35 && after >= 45
}

fn turned(pixels: &[u8; 64]) -> [[[f32; 8]; 8]; 1] {
    let mut image = image(pixels);
    for channel in &mut image {
        channel.reverse();
        for row in channel {
            row.reverse();
        }
    }
    image
}

/// How many images are recognized.
#[inline(never)]
fn right(last: &Last) -> u32 {
    let mut right = 0;
    for (pixels, digit) in &SAMPLES {
        let outputs = last.predict_one(&TRAINED.0.predict_one(&turned(pixels)));
        right += u32::from(largest(&outputs) == usize::from(*digit));
    }
    right
}

/// One step; returns whether there was no error.
#[unsafe(no_mangle)]
#[inline(never)]
fn learn(learner: &mut Learner, image: &[[[f32; 8]; 8]; 1], digit: u8) -> bool {
    learner.step_one(&TRAINED.0.predict_one(image), &digit).is_ok()
}
