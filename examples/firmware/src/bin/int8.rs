//! Which digit? Inference from flash in integers alone, with the network of `digits` in 2,704 bytes: no floating-point value is in
//! the program.

#![no_std]
#![no_main]

use firmware::{program, tell};
use tuplenet::metrics::largest_index;
use tuplenet::prelude::*;
use tuplenet::quantization::QuantizedNetwork;

type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Identity>);

static NETWORK: QuantizedNetwork<Digits> = include!("../networks/digits_int8.rs");
/// Images of 8 by 8 pixels, each from 0 to 16, as from a camera.
static SAMPLES: [([u8; 64], usize); 2] = include!("../networks/digits_samples.rs");

program!(all_right);

/// Whether two digits are recognized.
fn all_right() -> bool {
    let mut integers = [0; 64];
    SAMPLES.iter().all(|(image, digit)| {
        // The inputs' scale is 1 / 255 and their zero point -128; a pixel of 16 is 1.
        for (integer, &pixel) in integers.iter_mut().zip(image) {
            *integer = ((255 * u32::from(pixel) + 8) / 16) as u8 as i8 ^ i8::MIN;
        }
        let logits = predict(&integers);
        for &logit in &logits {
            tell(logit as u32);
        }
        largest_index(&logits) == *digit
    })
}

/// The logits of each digit.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(image: &[i8; 64]) -> [i8; 10] {
    NETWORK.run(image)
}
