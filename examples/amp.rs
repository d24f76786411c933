//! An amplifier is learned from a dry and a wet signal, and then played through in real time, block by block.
//!
//!     cargo run --release --example amp

use std::time::{Duration, Instant};
use tuplenet::data::Windows;
use tuplenet::layers::{Input, Lstm, Steps};
use tuplenet::prelude::*;

/// Samples per second, and those of a block.
const RATE: usize = 48_000;
const BLOCK: usize = 64;

/// The steps through which gradients go; the state goes through all of a part of the signal.
const WINDOW: usize = 64;
const PARTS: usize = 32;

type Amp = (Input<Sequence<WINDOW, 1>>, Lstm<1, 16>, Steps<Dense<16, 1, Identity>>);

/// Plucked strings: each note is a burst of noise in a loop with a filter (K. Karplus, A. Strong, 1983).
fn dry(samples: usize) -> Vec<[f32; 1]> {
    let mut rng = seeded(7);
    let mut random = || (rng.next_u64() >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    let mut signal = Vec::with_capacity(samples);
    while signal.len() < samples {
        let period = 110 + (random().abs() * 470.0) as usize;
        let volume = 0.2 + 0.8 * random().abs();
        let mut string: Vec<f32> = (0..period).map(|_| volume * random()).collect();
        for at in 0..RATE / 4 {
            let (here, next) = (string[at % period], string[(at + 1) % period]);
            string[at % period] = 0.498 * (here + next);
            signal.push([here]);
        }
    }
    signal.truncate(samples);
    signal
}

/// The amplifier: a high-pass, a stage that saturates more on one side, with a bias that sags while it is driven, and a low-pass.
fn wet(dry: &[[f32; 1]]) -> Vec<[f32; 1]> {
    let (mut slow, mut sag, mut low) = (0.0, 0.0, 0.0);
    dry.iter()
        .map(|&[x]| {
            slow += 0.01 * (x - slow);
            let driven = 4.0 * (x - slow) - 0.5 * sag;
            let y = (driven + 0.3).tanh() - 0.3f32.tanh();
            sag += 0.002 * (y.abs() - sag);
            low += 0.4 * (y - low);
            [low]
        })
        .collect()
}

/// The sum of squared errors, relative to that of the signal.
fn error_to_signal(outputs: &[[f32; 1]], truth: &[[f32; 1]]) -> f32 {
    let squares = |pairs: &mut dyn Iterator<Item = (f32, f32)>| pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let error = squares(&mut outputs.iter().zip(truth).map(|(&[y], &[t])| (y, t)));
    error / squares(&mut truth.iter().map(|&[t]| (t, 0.0)))
}

fn main() -> Result<(), tuplenet::Error> {
    let dry = dry(16 * RATE);
    let wet = wet(&dry);
    let (train, test) = (0..8 * RATE, 8 * RATE..16 * RATE);
    let inputs = Windows::<_, WINDOW>::new(&dry[train.clone()], WINDOW)?;
    let targets = Windows::<_, WINDOW>::new(&wet[train], WINDOW)?;

    // Truncated backpropagation through time, in 32 parts of the signal at once.
    let network = Amp::new(&mut seeded(0));
    let mut states = [network.state(); PARTS];
    let optimizer = Adam::new(5e-3).clip_norm(1.0);
    let mut trainer = Trainer::<_, _, _, _, 8>::with_micro_batch(network, MeanSquaredError, optimizer, ());
    for epoch in 0..24 {
        trainer.optimizer.set_learning_rate(5e-3 * 0.9f32.powi(epoch));
        let loss = trainer.epoch_in_order(&mut states, &inputs, &targets)?;
        if epoch % 4 == 3 {
            println!("epoch {epoch:2}  loss {loss:.6}");
        }
    }

    // Another signal, as a sound card has it: a block at a time, and no block may take longer than it lasts.
    let (dry, wet) = (&dry[test.clone()], &wet[test]);
    let network = trainer.network;
    let mut outputs = vec![[0.0]; dry.len()];
    let mut times = vec![Duration::MAX; dry.len().div_ceil(BLOCK)];
    // Of each block the best of five runs: what the system does in between is not the amplifier's.
    for _ in 0..5 {
        let mut state = network.state();
        for ((block, outputs), time) in dry.chunks(BLOCK).zip(outputs.chunks_mut(BLOCK)).zip(&mut times) {
            let begin = Instant::now();
            network.run(&mut state, block, outputs)?;
            *time = begin.elapsed().min(*time);
        }
    }
    println!("error to signal {:.4}", error_to_signal(&outputs, wet));
    let real_time = |time: Duration, samples: usize| samples as f64 / RATE as f64 / time.as_secs_f64();
    let (all, worst) = (times.iter().sum(), times.iter().copied().max().unwrap_or_default());
    println!("real time {:.0} times, worst block {:.0} times", real_time(all, dry.len()), real_time(worst, BLOCK));
    Ok(())
}
