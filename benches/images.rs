//! How the time of a convolution depends on its channels and its kernel:
//! `cargo bench -p tuplenet-benches --features sweep --bench images > benches/results/images.csv`.
//!
//! One `Conv2d` of 12 by 12 pixels, "same" padding, from C to C channels, for C from 1 to 32 and kernels of 1, 3, 5 and 7
//! pixels, by a micro-batch of 32. Two kinds of work, each through the public API, with nothing subtracted:
//!
//! * `gradient`: `Workspace::gradient` with the mean squared error: the forward pass and the gradient by the weights;
//! * `predict`: `predict_all` of 32 images.
//!
//! Every time is the shortest of many, over several rounds through all sizes. A cliff is a size whose time for a
//! multiply-accumulate (MAC) is more than 1.5 times that of the next larger size; they go to standard error.

use std::hint::black_box;
use std::time::Instant;
use tuplenet::layers::Conv2d;
use tuplenet::model::Zeroed;
use tuplenet::prelude::*;

const ROUNDS: usize = 3;
/// For how long each time is measured in a round, in seconds.
const PATIENCE: f64 = 0.02;
const SAMPLES: usize = 32;

/// The shortest times of a size, in nanoseconds for each MAC.
struct Row {
    kernel: usize,
    channels: usize,
    gradient: f64,
    predict: f64,
}

fn shortest(mut run: impl FnMut()) -> f64 {
    let (begin, mut found) = (Instant::now(), f64::INFINITY);
    while begin.elapsed().as_secs_f64() < PATIENCE {
        let start = Instant::now();
        run();
        found = found.min(start.elapsed().as_nanos() as f64);
    }
    found
}

fn layer<const C: usize, const K: usize, const P: usize>(rows: &mut Vec<Row>) {
    type Net<const C: usize, const K: usize, const P: usize> =
        Conv2d<Image<C, 12, 12>, Image<C, 12, 12>, K, Relu, 1, P>;
    let mut rng = seeded(0);
    let network = Net::<C, K, P>::new(&mut rng);
    let mut images = vec![[[[0.0f32; 12]; 12]; C]; SAMPLES];
    for value in images.as_flattened_mut().as_flattened_mut().as_flattened_mut() {
        *value = f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0;
    }
    let mut workspace = Box::new(Workspace::<Net<C, K, P>, SAMPLES>::new());
    let mut x = Box::new([[[[0.0; SAMPLES]; 12]; 12]; C]);
    for (column, image) in images.iter().enumerate() {
        <Image<C, 12, 12> as tuplenet::model::Shape>::set(&mut x, column, image);
    }
    let mut gradient = Net::<C, K, P>::ZEROED;
    let macs = (144 * K * K * C * C * SAMPLES) as f64;
    let step = shortest(|| {
        let y = *workspace.forward(&network, &x);
        workspace.backward(&network, &y, &mut gradient);
        black_box(&gradient);
    });
    let mut outputs = vec![[[[0.0; 12]; 12]; C]; SAMPLES];
    let predict = shortest(|| network.predict_all(black_box(&images), &mut outputs).expect("the sizes fit"));
    let (step, predict) = (step / (2.0 * macs), predict / macs);
    match rows.iter_mut().find(|row| (row.kernel, row.channels) == (K, C)) {
        Some(row) => (row.gradient, row.predict) = (row.gradient.min(step), row.predict.min(predict)),
        None => rows.push(Row { kernel: K, channels: C, gradient: step, predict }),
    }
}

fn main() {
    let mut rows = Vec::new();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        macro_rules! channels {
            ($($channels:literal)+) => {$(
                layer::<$channels, 1, 0>(&mut rows);
                layer::<$channels, 3, 1>(&mut rows);
                layer::<$channels, 5, 2>(&mut rows);
                layer::<$channels, 7, 3>(&mut rows);
            )+};
        }
        channels!(1 2 3 4 5 6 7 8 9 11 12 13 15 16 17 20 24 25 31 32);
    }
    rows.sort_by_key(|row| (row.kernel, row.channels));
    println!("kernel,channels,gradient_ns_per_mac,predict_ns_per_mac");
    for Row { kernel, channels, gradient, predict } in &rows {
        println!("{kernel},{channels},{gradient:.4},{predict:.4}");
    }
    for pair in rows.windows(2).filter(|pair| pair[0].kernel == pair[1].kernel) {
        for (what, ratio) in
            [("gradient", pair[0].gradient / pair[1].gradient), ("predict", pair[0].predict / pair[1].predict)]
        {
            if ratio > 1.5 {
                eprintln!("{ratio:.2}  kernel {}, {} channels, {what}", pair[0].kernel, pair[0].channels);
            }
        }
    }
}
