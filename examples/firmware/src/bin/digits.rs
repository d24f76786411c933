//! Which digit? Inference from flash, with a network of 9,640 bytes.

#![no_std]
#![no_main]

use firmware::{largest, program, tell};
use tuplenet::prelude::*;

type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Identity>);

static NETWORK: Digits = include!("../networks/digits.rs");
/// Images of 8 by 8 pixels, each from 0 to 16, as from a camera.
static SAMPLES: [([u8; 64], usize); 2] = include!("../networks/digits_samples.rs");

program!(all_right);

/// Whether two digits are recognized.
fn all_right() -> bool {
    let mut scaled = [0.0; 64];
    SAMPLES.iter().all(|(image, digit)| {
        for (number, &pixel) in scaled.iter_mut().zip(image) {
            *number = f32::from(pixel) / 16.0;
        }
        let logits = predict(&scaled);
        tell(logits[0].to_bits());
        largest(&logits) == *digit
    })
}

/// The logits of each digit.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(image: &[f32; 64]) -> [f32; 10] {
    NETWORK.predict_one(image)
}
