//! How the time of a layer depends on its sizes and on the micro-batch, and that of a network on width, depth and
//! batch: `cargo bench -p tuplenet-benches --features sweep --bench sweep > benches/results/sweep.csv`, then
//! `python3 benches/plot.py`.
//!
//! One `Dense<IN, OUT, Identity>` along three lines: IN, OUT and the micro-batch B vary, one at a time, the others are
//! 32. Two kinds of work, each through the public API, with nothing subtracted:
//!
//! * `step`: `Trainer::step` with mean squared error and gradient descent: two products, since nothing is before the layer.
//! * `predict`: `predict_all`, which has a micro-batch of its own; along the line B `predict` of a matrix of B columns.
//!
//! It takes minutes and gigabytes to compile, so that it is built only on demand, by the feature `sweep`.
//!
//! Every time is the shortest of many, over several rounds through all sizes: other programs can only make one longer. The
//! worst ratios go to standard error.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;
use tuplenet::prelude::*;

const ROUNDS: usize = 4;
/// For how long each time is measured in a round, in seconds.
const PATIENCE: f64 = 0.04;
/// About how many samples a measured run has.
const SAMPLES: usize = 1024;

/// Nanoseconds by line, kind and size.
type Times = BTreeMap<(&'static str, &'static str, usize), Entry>;

struct Entry {
    nanoseconds: f64,
    /// Of one run.
    multiply_adds: f64,
    samples: usize,
}

/// Keeps the shortest time of a run.
fn best(
    times: &mut Times,
    key: (&'static str, &'static str, usize),
    macs: usize,
    samples: usize,
    mut run: impl FnMut(),
) {
    let begin = Instant::now();
    let mut shortest = f64::INFINITY;
    while begin.elapsed().as_secs_f64() < PATIENCE {
        let start = Instant::now();
        run();
        shortest = shortest.min(start.elapsed().as_nanos() as f64);
    }
    let multiply_adds = (macs * samples) as f64;
    let entry = times.entry(key).or_insert(Entry { nanoseconds: shortest, multiply_adds, samples });
    entry.nanoseconds = entry.nanoseconds.min(shortest);
}

fn samples<const N: usize>(count: usize, rng: &mut impl Rng) -> Vec<[f32; N]> {
    let mut number = || f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0;
    (0..count).map(|_| std::array::from_fn(|_| number())).collect()
}

fn layer<const IN: usize, const OUT: usize, const B: usize>(times: &mut Times, line: &'static str, size: usize) {
    type Net<const IN: usize, const OUT: usize> = Dense<IN, OUT, Identity>;
    let mut rng = seeded(0);
    let network = Net::<IN, OUT>::new(&mut rng);
    let count = (SAMPLES / B).max(1) * B;
    let (inputs, targets) = (samples::<IN>(count, &mut rng), samples::<OUT>(count, &mut rng));

    let mut trainer =
        Trainer::<_, _, _, _, B>::with_micro_batch(network.clone(), MeanSquaredError, Sgd::new(1e-6), rng);
    best(times, (line, "step", size), 2 * IN * OUT, count, || {
        assert!(trainer.step(&inputs, &targets).is_ok());
    });

    if line == "B" {
        let matrices: Vec<_> = inputs.chunks_exact(B).map(|x| SMatrix::<f32, IN, B>::from_fn(|r, c| x[c][r])).collect();
        best(times, (line, "predict", size), IN * OUT, count, || {
            for x in &matrices {
                black_box(network.predict(black_box(x)));
            }
        });
    } else {
        let mut outputs = vec![[0.0; OUT]; count];
        best(times, (line, "predict", size), IN * OUT, count, || network.predict_all(&inputs, &mut outputs).unwrap());
    }
}

/// Training and prediction of a whole network of tanh layers, by a micro-batch of 32.
fn network<N, const IN: usize, const OUT: usize>(times: &mut Times, line: &'static str, size: usize, count: usize)
where
    N: FromTo<IN, OUT> + Clone,
{
    let mut rng = seeded(0);
    let network = N::new(&mut rng);
    let (inputs, targets) = (samples::<IN>(count, &mut rng), samples::<OUT>(count, &mut rng));
    let mut trainer = Trainer::new(network.clone(), MeanSquaredError, Adam::new(1e-6), rng);
    best(times, (line, "step", size), 3 * N::PARAMETERS, count, || assert!(trainer.step(&inputs, &targets).is_ok()));
    let mut outputs = vec![[0.0; OUT]; count];
    best(times, (line, "predict", size), N::PARAMETERS, count, || network.predict_all(&inputs, &mut outputs).unwrap());
}

/// Calls `$line` for each of the sizes.
macro_rules! sizes {
    ($line:ident: $($size:literal)+) => {$( $line!($size); )+};
}

fn main() {
    let mut times = Times::new();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        macro_rules! by_in {
            ($size:literal) => {
                layer::<$size, 32, 32>(&mut times, "IN", $size)
            };
        }
        macro_rules! by_out {
            ($size:literal) => {
                layer::<32, $size, 32>(&mut times, "OUT", $size)
            };
        }
        macro_rules! by_tile {
            ($size:literal) => {
                layer::<32, 32, $size>(&mut times, "B", $size)
            };
        }
        sizes!(by_in: 1 2 3 4 5 7 8 9 10 12 13 15 16 17 20 23 24 25 31 32 33 40 47 48 49 63 64 65 80 95 96 97 100 112 127 128
            129 130 144);
        sizes!(by_out: 1 2 3 4 5 7 8 9 10 12 13 15 16 17 20 23 24 25 31 32 33 40 47 48 49 63 64 65 80 95 96 97 100 112 127 128
            129 130 144);
        sizes!(by_tile: 1 2 3 4 5 7 8 9 10 12 13 15 16 17 20 23 24 25 31 32 33 40 47 48 49 63 64);

        type Square<const N: usize> = Dense<N, N, Tanh>;
        type Width<const N: usize> = (Square<N>, Square<N>, Square<N>);
        network::<Width<4>, 4, 4>(&mut times, "width", 4, SAMPLES);
        network::<Width<8>, 8, 8>(&mut times, "width", 8, SAMPLES);
        network::<Width<16>, 16, 16>(&mut times, "width", 16, SAMPLES);
        network::<Width<32>, 32, 32>(&mut times, "width", 32, SAMPLES);
        network::<Width<64>, 64, 64>(&mut times, "width", 64, SAMPLES);
        network::<Width<128>, 128, 128>(&mut times, "width", 128, SAMPLES);

        type L = Square<32>;
        network::<L, 32, 32>(&mut times, "depth", 1, SAMPLES);
        network::<(L, L), 32, 32>(&mut times, "depth", 2, SAMPLES);
        network::<(L, L, L, L), 32, 32>(&mut times, "depth", 4, SAMPLES);
        network::<(L, L, L, L, L, L, L, L), 32, 32>(&mut times, "depth", 8, SAMPLES);

        for count in [1, 4, 16, 32, 64, 256, 1024, 4096] {
            network::<(L, L), 32, 32>(&mut times, "batch", count, count);
        }
    }

    // The ratio of a layer's size to the next larger multiple of 16, or to itself.
    let per_multiply_add = |entry: &Entry| entry.nanoseconds / entry.multiply_adds;
    println!("line,kind,size,ns_per_sample,ns_per_multiply_add,ratio");
    let mut worst = Vec::new();
    for (&(line, kind, size), entry) in &times {
        let own = per_multiply_add(entry);
        let next = times.get(&(line, kind, size.next_multiple_of(16))).filter(|_| ["IN", "OUT", "B"].contains(&line));
        let ratio = next.map(|next| own / per_multiply_add(next));
        let shown = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        println!("{line},{kind},{size},{:.2},{own:.5},{shown}", entry.nanoseconds / entry.samples as f64);
        worst.extend(ratio.map(|ratio| (ratio, line, kind, size)));
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    eprintln!("above 1.5: {} of {}", worst.iter().filter(|worst| worst.0 > 1.5).count(), worst.len());
    for (ratio, line, kind, size) in worst.iter().take(40) {
        eprintln!("{ratio:.2}  {line} = {size}, {kind}");
    }
}
