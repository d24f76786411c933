//! Inference with a network that is stored in flash.

#![no_std]
#![no_main]

use firmware::{program, tell};
use tuplenet::prelude::*;

type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

static NETWORK: Xor = include!("../networks/xor.rs");

program!(all_right);

/// Whether all four predictions are right.
fn all_right() -> bool {
    let mut right = true;
    for number in 0..4 {
        let (x, y) = (number & 1, number >> 1);
        right &= predict(x, y) == (x != y);
    }
    right
}

/// Predicts whether exactly one of the two is 1.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn predict(x: u32, y: u32) -> bool {
    let [probability] = NETWORK.predict_one(&[x as f32, y as f32]);
    tell(probability.to_bits());
    probability > 0.5
}
