//! GRU and LSTM with a dense layer of one output as streams: what a user of the library writes. `benches/streams/run` compares it
//! with `streams.c`.
//!
//! Prints for each network its name, the nanoseconds of a step in a block, the sum of the last outputs, and the times of single
//! steps, the clock included: the median and the 99.99th percentile of a million.

use std::time::Instant;
use tuplenet::layers::{Gru, Lstm, Steps};
use tuplenet::prelude::*;

const STEPS: usize = 4096;
const ROUNDS: usize = 60;
const SINGLE: usize = 1_000_000;

/// Weights without a pattern, the same as in C.
struct Weights {
    place: u32,
    units: usize,
}

impl Weights {
    fn next(&mut self) -> f32 {
        self.place += 1;
        let mut hash = self.place.wrapping_mul(2_654_435_761);
        hash ^= hash >> 15;
        hash = hash.wrapping_mul(2_246_822_519);
        ((hash >> 8) as f32 / 8_388_608.0 - 1.0) / (self.units as f32).sqrt()
    }

    fn gates<const H: usize, const GATES: usize, const K: usize>(&mut self) -> [[[f32; H]; GATES]; K] {
        std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| self.next())))
    }
}

macro_rules! network {
    ($layer:ident $text:literal $units:literal $gates:literal) => {{
        type Net = ($layer<1, $units>, Steps<Dense<$units, 1, Identity>>);
        let mut weights = Weights { place: 0, units: $units };
        let weight_ih = weights.gates::<$units, $gates, 1>();
        let weight_hh = weights.gates::<$units, $gates, $units>();
        let [bias_ih] = weights.gates::<$units, $gates, 1>();
        let [bias_hh] = weights.gates::<$units, $gates, 1>();
        let out: [[f32; 1]; $units] = std::array::from_fn(|_| [weights.next()]);
        let dense = Dense::from_columns(out, [weights.next()]);
        let network: Net = ($layer::from_columns(weight_ih, weight_hh, bias_ih, bias_hh), Steps(dense));
        measure($text, |inputs, outputs, rounds, single| {
            let mut state = network.state();
            for _ in 0..rounds {
                let begin = Instant::now();
                network.run(&mut state, inputs, outputs).expect("as many outputs as inputs");
                single(begin.elapsed().as_nanos() as f64 / inputs.len() as f64);
            }
        });
    }};
}

type Run<'a> = dyn Fn(&[[f32; 1]], &mut [[f32; 1]], usize, &mut dyn FnMut(f64)) + 'a;

fn measure(name: &str, run: impl Fn(&[[f32; 1]], &mut [[f32; 1]], usize, &mut dyn FnMut(f64))) {
    let run: &Run = &run;
    let inputs: Vec<[f32; 1]> = (0..STEPS).map(|step| [(0.1 * step as f32).sin()]).collect();
    let mut outputs = vec![[0.0]; STEPS];
    let mut best = f64::INFINITY;
    run(&inputs, &mut outputs, ROUNDS, &mut |time| best = best.min(time));
    let sum: f64 = outputs.iter().enumerate().map(|(step, [y])| f64::from(*y) * (1 + step % 7) as f64).sum();
    let mut times = Vec::with_capacity(SINGLE);
    run(&[[0.3]], &mut [[0.0]], SINGLE, &mut |time| times.push(time));
    times.sort_by(f64::total_cmp);
    println!("{name} {best:.2} {sum:.6} {:.0} {:.0}", times[SINGLE / 2], times[SINGLE - SINGLE / 10_000]);
}

fn main() {
    network!(Gru "gru-8" 8 3);
    network!(Gru "gru-16" 16 3);
    network!(Gru "gru-32" 32 3);
    network!(Lstm "lstm-8" 8 4);
    network!(Lstm "lstm-16" 16 4);
    network!(Lstm "lstm-24" 24 4);
    network!(Lstm "lstm-32" 32 4);
}
