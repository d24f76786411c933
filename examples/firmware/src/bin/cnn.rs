//! Which digit? Inference from flash with a small convolutional network.

#![no_std]
#![no_main]

use firmware::cnn::{Cnn, SAMPLES, image};
use firmware::{largest, program, tell};
use tuplenet::prelude::*;

static NETWORK: Cnn = include!("../networks/cnn.rs");

program!(all_right);

/// Whether nearly all digits are recognized.
fn all_right() -> bool {
    let mut right = 0;
    for (pixels, digit) in &SAMPLES {
        let logits = predict(&image(pixels));
        tell(logits[0].to_bits());
        right += u32::from(largest(&logits) == usize::from(*digit));
    }
    right >= 45
}

/// The logits of each digit.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(image: &[[[f32; 8]; 8]; 1]) -> [f32; 10] {
    NETWORK.predict_one(image)
}
