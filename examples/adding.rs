//! The adding problem (S. Hochreiter, J. Schmidhuber, 1997): two of fifty values are marked, and an LSTM learns to add them.
//!
//!     cargo run --release --example adding

use std::array::from_fn;
use tuplenet::layers::{Input, Last, Lstm};
use tuplenet::prelude::*;

const STEPS: usize = 50;

/// At each step a value and a mark; at the end the sum.
type Net = (Input<Sequence<STEPS, 2>>, Lstm<2, 16>, Last, Dense<16, 1, Identity>);

/// What is solved: a mean squared error that is this small. To predict 1 always has an error of 1 / 6.
const SOLVED: f32 = 0.005;

fn sample(rng: &mut impl Rng) -> ([[f32; 2]; STEPS], [f32; 1]) {
    let mut random = |below: usize| rng.next_u64() as usize % below;
    // One mark in each half.
    let marked = [random(STEPS / 2), STEPS / 2 + random(STEPS / 2)];
    let steps = from_fn(|step| [random(1 << 16) as f32 / 65536.0, if marked.contains(&step) { 1.0 } else { 0.0 }]);
    let sum = marked
        .iter()
        .map(|&step: &usize| {
            let [value, _]: [f32; 2] = steps[step];
            value
        })
        .sum();
    (steps, [sum])
}

fn main() -> Result<(), tuplenet::Error> {
    let mut solved = 0;
    for seed in 0..10 {
        let mut network = Net::new(&mut seeded(seed));
        // The cell keeps its values from the start: forget gates are nearly open.
        network.1.bias_ih[1].fill(2.0);
        let optimizer = Adam::new(0.01).clip_norm(1.0);
        let mut trainer = Trainer::<_, _, _, _, 1>::with_micro_batch(network, MeanSquaredError, optimizer, ());
        let mut data = seeded(1000 + seed);
        let (mut steps, mut mean) = (0, 1.0);
        while mean > SOLVED && steps < 6000 {
            let (inputs, targets): ([_; 16], [_; 16]) = {
                let samples: [_; 16] = from_fn(|_| sample(&mut data));
                (samples.map(|(input, _)| input), samples.map(|(_, target)| target))
            };
            mean += (trainer.step(&inputs, &targets)? - mean) / 50.0;
            steps += 1;
        }
        let (inputs, targets): (Vec<_>, Vec<_>) = (0..1000).map(|_| sample(&mut data)).unzip();
        let error = trainer.evaluate(&inputs, &targets)?;
        println!("seed {seed}: {steps:5} steps, mean squared error {error:.4} of 1000 others");
        solved += usize::from(error < 0.01);
    }
    println!("\nsolved {solved} of 10");
    Ok(())
}
