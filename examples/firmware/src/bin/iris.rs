//! Which kind of iris? Inference from flash, with three layers that were trained on a PC.

#![no_std]
#![no_main]

use firmware::{largest, program, tell};
use tuplenet::prelude::*;

type Iris = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);

static NETWORK: Iris = include!("../networks/iris.rs");
static SAMPLES: [([f32; 4], usize); 2] = include!("../networks/iris_samples.rs");

program!(all_right);

/// Whether the kinds of two flowers are predicted correctly.
fn all_right() -> bool {
    SAMPLES.iter().all(|(flower, kind)| {
        let logits = predict(flower);
        tell(logits[0].to_bits());
        largest(&logits) == *kind
    })
}

/// The logits of each kind.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(flower: &[f32; 4]) -> [f32; 3] {
    NETWORK.predict_one(flower)
}
