//! The smallest problem that needs a hidden layer: the XOR of two inputs.
//!
//!     cargo run --release --example xor
//!     cargo run --release --example xor -- 7      (another seed)

#[path = "common/plot.rs"]
mod plot;

use tuplenet::prelude::*;

/// Two inputs, eight hidden values, one output: the probability that the XOR is 1. All sizes are known to the compiler;
/// if those of neighbours differ, the program does not compile.
pub type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

pub const INPUTS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
pub const TARGETS: [[f32; 1]; 4] = [[0.0], [1.0], [1.0], [0.0]];

/// The trained network, and the loss in every epoch. The same seed always gives the same network.
pub fn train(seed: u64) -> Result<(Xor, History<f32>), tuplenet::Error> {
    // One random number generator draws the weights, another one shuffles the samples in each epoch.
    let network = Xor::new(&mut seeded(seed));
    let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(seed));
    let mut history = History::new();
    trainer.fit(&INPUTS, &TARGETS, &FitOptions { epochs: 1000, ..FitOptions::default() }, &mut history)?;
    Ok((trainer.network, history))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = match std::env::args().nth(1) {
        Some(seed) => seed.parse().map_err(|_| format!("expected a seed, a whole number, found `{seed}`"))?,
        None => 0,
    };
    let (network, history) = train(seed)?;

    println!("epoch  loss");
    for (epoch, loss) in history.losses().iter().enumerate() {
        // More often in the beginning, where more happens.
        if epoch % 200 == 0 || epoch == 999 || [10, 20, 30, 40, 50, 70, 100, 150].contains(&epoch) {
            let bar = "█".repeat((loss * 60.0).round().min(60.0) as usize);
            println!("{epoch:5}  {loss:.4}  {bar}");
        }
    }

    println!("\nWhat the network predicts between and around the four corners, from 0 (light) to 1 (dark):\n");
    let range = [-0.5, 1.5];
    let mut plot = plot::Plot::new(range, range, |x, y| plot::shade(network.predict_one(&[x, y])[0]));
    for ([x, y], [target]) in INPUTS.iter().zip(TARGETS) {
        plot.mark(*x, *y, if target == 1.0 { '1' } else { '0' });
    }
    println!("{plot}");

    println!("\n x  y  target  network  predicted");
    for ([x, y], [target]) in INPUTS.iter().zip(TARGETS) {
        let [probability] = network.predict_one(&[*x, *y]);
        let predicted = if probability > 0.5 { 1 } else { 0 };
        let verdict = if predicted as f32 == target { "right" } else { "wrong" };
        println!(" {x}  {y}  {target:6}  {probability:7.4}  {predicted:9}  {verdict}");
    }
    Ok(())
}
