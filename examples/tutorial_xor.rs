//! XOR in slow motion: a 2-10-1 network in `f64`, plain gradient descent from given weights, every digit shown.
//!
//!     cargo run --release --example tutorial_xor
//!
//! Whatever computes the same formulas prints the same losses, up to the last digits, where the order of additions
//! shows.

use tuplenet::prelude::*;

/// `f64` instead of the usual `f32`: the last argument of every layer.
pub type Net = (Dense<2, 10, Relu, f64>, Dense<10, 1, Sigmoid, f64>);

pub const INPUTS: [[f64; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
pub const TARGETS: [[f64; 1]; 4] = [[0.0], [1.0], [1.0], [0.0]];

/// The weights in `data/xor_init.json`: `W1[i][j]` leads from input `i` to hidden value `j`, `W2[j]` from there to the
/// output. Biases begin with zero.
pub fn initial() -> Result<Net, serde_json::Error> {
    let mut weights: serde_json::Value = serde_json::from_str(include_str!("data/xor_init.json"))?;
    let w1: [[f64; 10]; 2] = serde_json::from_value(weights["W1"].take())?;
    let w2: [f64; 10] = serde_json::from_value(weights["W2"].take())?;
    // A layer has a row for each output; in the file, W1 has a row for each input.
    let hidden = Dense::from_matrix(SMatrix::from_fn(|output, input| w1[input][output]), SMatrix::zeros());
    Ok((hidden, Dense::from_rows([w2], [0.0])))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut trainer = Trainer::new(initial()?, BinaryCrossEntropy, Sgd::new(0.01), seeded(0));
    for iteration in 0..10_000 {
        // One step with all four samples; the loss is that before the step.
        let loss = trainer.step(&INPUTS, &TARGETS)?;
        if iteration % 1000 == 0 {
            println!("iteration {iteration} loss {loss}");
        }
    }
    let classes = INPUTS.map(|input| trainer.network.predict_one(&input)[0].round());
    println!("predictions {} {} {} {}", classes[0], classes[1], classes[2], classes[3]);
    Ok(())
}
