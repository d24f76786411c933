//! Repeats a piece of work as often as the command line says, so that `run` can count its instructions: `counts <what> <how often>`.
//!
//! Everything but the repetitions is the same for every number of them, and there is no clock and no random seed, so
//! the difference of two runs is the work alone.

use std::error::Error;
use std::hint::black_box;
use tuplenet::prelude::*;

type Xor = (Dense<2, 10, Relu>, Dense<10, 1, Sigmoid>);
type Small = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);

/// A training step of XOR: all four samples, gradient descent.
fn xor_steps(count: usize) -> Result<(), tuplenet::Error> {
    let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let targets = [[0.0], [1.0], [1.0], [0.0]];
    let network = Xor::new(&mut seeded(0));
    let mut trainer =
        Trainer::<_, _, _, _, 4>::with_micro_batch(network, BinaryCrossEntropy, Sgd::new(0.01), seeded(1));
    trainer.fit(&inputs, &targets, &FitOptions { epochs: count, batch_size: 4, shuffle: false }, ())?;
    black_box(trainer.network);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, count] = &arguments[..] else {
        return Err("usage: counts <what> <how often>".into());
    };
    let count = count.parse()?;
    match what.as_str() {
        "W1" => xor_steps(count)?,
        "W2a" => {
            let (network, input) = (Small::new(&mut seeded(0)), [0.1, -0.2, 0.3, -0.4]);
            for _ in 0..count {
                black_box(black_box(&network).predict_one(black_box(&input)));
            }
        }
        "W2b" => {
            let network = Digits::new(&mut seeded(0));
            let input: [f32; 64] = std::array::from_fn(|pixel| pixel as f32 / 64.0);
            for _ in 0..count {
                black_box(black_box(&network).predict_one(black_box(&input)));
            }
        }
        _ => return Err(format!("nothing to count is called `{what}`").into()),
    }
    Ok(())
}
