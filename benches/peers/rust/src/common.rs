//! What the Rust peers share: inputs, the clock, and the lines that `run` reads.

use std::fs;
use std::time::{Duration, Instant};

pub const BATCH: usize = 32;
/// After so many steps W1 is checked.
pub const XOR_STEPS: usize = 1000;

/// How many samples W4 and W4L have, and after how many steps they are checked.
pub fn curve_size(workload: &str) -> (usize, usize) {
    if workload == "W4" { (200, 100) } else { (10_000, 20) }
}

/// The folder of inputs, and how long each workload may be timed.
pub struct Setting {
    folder: String,
    budget: Duration,
}

impl Setting {
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let path = format!("{}/{name}", self.folder);
        fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn numbers(&self, name: &str) -> Vec<f32> {
        self.bytes(name).chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    /// Weights, outputs by inputs row by row, and biases of each layer of a network with these sizes.
    pub fn layers(&self, name: &str, sizes: &[usize]) -> Vec<(Vec<f32>, Vec<f32>)> {
        let mut numbers = self.numbers(&format!("{name}.weights")).into_iter();
        let mut take = |count| numbers.by_ref().take(count).collect::<Vec<_>>();
        sizes.windows(2).map(|sizes| (take(sizes[0] * sizes[1]), take(sizes[1]))).collect()
    }

    /// The best time of one call, over as many repetitions as the budget allows; each takes at least 2 ms.
    pub fn best_time(&self, mut call: impl FnMut()) -> f64 {
        let (mut calls, mut best, start) = (1, f64::INFINITY, Instant::now());
        while start.elapsed() < self.budget || best == f64::INFINITY {
            let start = Instant::now();
            for _ in 0..calls {
                call();
            }
            let elapsed = start.elapsed().as_secs_f64();
            if elapsed < 2e-3 {
                calls *= 2;
            } else {
                best = best.min(elapsed / f64::from(calls));
            }
        }
        best
    }
}

/// What all inference workloads are compared by; see `run`.
pub fn checksum(outputs: &[f32]) -> f64 {
    let sum: f64 = outputs.iter().enumerate().map(|(place, y)| (1 + place % 7) as f64 * f64::from(y.abs())).sum();
    sum / outputs.len() as f64
}

/// `0..count` in an order that is new each time.
pub struct Shuffle(pub u64);

impl Shuffle {
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for place in (1..count).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            order.swap(place, (self.0 % (place as u64 + 1)) as usize);
        }
        order
    }
}

/// Runs the workloads that the command line names; `run` returns the seconds of one, and its loss or checksum.
pub fn peer(run: impl Fn(&Setting, &str) -> (f64, f64)) {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, folder, workloads] = &arguments[..] else {
        panic!("usage: <folder of inputs> <workload>,<workload>,...");
    };
    let seconds = std::env::var("PEERS_SECONDS").map_or(0.4, |seconds| seconds.parse().expect("a number of seconds"));
    let setting = Setting { folder: folder.clone(), budget: Duration::from_secs_f64(seconds) };
    for workload in workloads.split(',') {
        let (seconds, loss) = run(&setting, workload);
        println!("{{\"workload\": \"{workload}\", \"seconds\": {seconds:e}, \"loss\": {loss:e}}}");
    }
}
