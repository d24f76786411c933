//! Which kind of iris? Inference from flash, with batch normalization as it was trained.

#![no_std]
#![no_main]

use firmware::{largest, program, tell};
use tuplenet::layers::BatchNorm;
use tuplenet::prelude::*;

type Iris = (Dense<4, 16, Identity>, BatchNorm<16>, Relu, Dense<16, 3, Softmax>);

static NETWORK: Iris = include!("../networks/batch_norm.rs");
static SAMPLES: [([f32; 4], usize); 2] = include!("../networks/iris_samples.rs");

program!(all_right);

/// Whether the kinds of two flowers are predicted correctly.
fn all_right() -> bool {
    SAMPLES.iter().all(|(flower, kind)| {
        let probabilities = predict(flower);
        tell(probabilities[0].to_bits());
        largest(&probabilities) == *kind
    })
}

/// The probability of each kind.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(flower: &[f32; 4]) -> [f32; 3] {
    NETWORK.predict_one(flower)
}
