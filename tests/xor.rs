//! The example `xor` predicts four targets correctly, whatever the seed.

#[path = "../examples/xor.rs"]
#[allow(dead_code, reason = "the example's `main` and what it draws")]
mod xor;

use tuplenet::prelude::*;
use xor::{INPUTS, TARGETS, train};

/// The largest distance of an output from its target.
fn error(seed: u64) -> f32 {
    let (network, _) = train(seed).unwrap();
    let errors = INPUTS.iter().zip(TARGETS).map(|(input, [target])| (network.predict_one(input)[0] - target).abs());
    errors.fold(0.0, f32::max)
}

#[test]
fn four_right_answers_for_every_seed() {
    for seed in 0..10 {
        assert!(error(seed) < 0.05, "seed {seed}: off by {}", error(seed));
    }
}

/// The claim in full: `cargo test --release --test xor -- --ignored --nocapture`.
#[test]
#[ignore = "a hundred trainings take a while without optimization"]
fn four_right_answers_for_a_hundred_seeds() {
    let errors: Vec<f32> = (0..100).map(error).collect();
    println!("the largest error of seeds 0 to 99 is {}", errors.iter().copied().fold(0.0, f32::max));
    assert!(errors.iter().all(|&error| error < 0.05), "{errors:?}");
}
