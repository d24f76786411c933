//! Which kind of iris? The network of `batch_norm`, whose statistics the compiler has folded into the first layer.

#![no_std]
#![no_main]

use firmware::{largest, program, tell};
use tuplenet::layers::BatchNorm;
use tuplenet::prelude::*;

type Trained = (Dense<4, 16, Identity>, BatchNorm<16>, Relu, Dense<16, 3, Softmax>);
type Iris = (Dense<4, 16, Relu>, Dense<16, 3, Softmax>);

/// As it was trained: a constant of which nothing goes into flash.
const TRAINED: Trained = include!("../networks/batch_norm.rs");
static NETWORK: Iris = {
    let (dense, norm, _, last) = TRAINED;
    (norm.fold(dense).with_activation(), last)
};
static SAMPLES: [([f32; 4], usize); 2] = include!("../networks/iris_samples.rs");

program!(all_right);

/// Whether the kinds of two flowers are found.
fn all_right() -> bool {
    SAMPLES.iter().all(|(flower, kind)| {
        let probabilities = predict(flower);
        tell(probabilities[0].to_bits());
        largest(&probabilities) == *kind
    })
}

/// How probable each kind is.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(flower: &[f32; 4]) -> [f32; 3] {
    NETWORK.predict_one(flower)
}
