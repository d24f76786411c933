//! Times `predict_one` of single layers of every size. Started by `run`, which compares it with plain C.
//!
//! `Dense<64, N, Relu>` and `Dense<N, 64, Relu>` for N from 1 to 130. Each line of the output: which, N, nanoseconds of a
//! prediction among many that do not depend on each other, nanoseconds of one in a loop in which an input depends on the
//! last output, and the sum of all outputs of that loop.

use std::hint::black_box;
use std::time::Instant;
use tuplenet::prelude::*;

/// How many predictions are timed at once.
const RUN: usize = 256;

/// Numbers that the C program computes too.
fn number(i: usize) -> f32 {
    ((i * 37 + 11) % 101) as f32 / 101.0 - 0.5
}

fn shortest(mut run: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut shortest = f64::INFINITY;
    while begin.elapsed().as_millis() < 4 {
        let start = Instant::now();
        run();
        shortest = shortest.min(start.elapsed().as_nanos() as f64);
    }
    shortest / RUN as f64
}

fn time<const IN: usize, const OUT: usize>(which: &str, n: usize) {
    let weight = std::array::from_fn(|row| std::array::from_fn(|column| number(row * IN + column)));
    let layer = Dense::<IN, OUT, Relu>::from_rows(weight, std::array::from_fn(number));
    let layer = black_box(&layer);
    let x: [f32; IN] = std::array::from_fn(|i| number(i + 7));
    let apart = shortest(|| {
        for _ in 0..RUN {
            black_box(layer.predict_one(black_box(&x)));
        }
    });
    let mut sum = 0.0;
    let chain = shortest(|| {
        let mut x = x;
        sum = 0.0;
        for _ in 0..RUN {
            let y = layer.predict_one(&x);
            x[0] = y[0] * 1e-3;
            sum += f64::from(y[OUT - 1]);
        }
    });
    println!("{which} {n} {apart:.2} {chain:.2} {sum:.3}");
}

macro_rules! sizes {
    ($($n:literal)*) => {
        $(time::<64, $n>("OUT", $n);)*
        $(time::<$n, 64>("IN", $n);)*
    };
}

fn main() {
    sizes! {
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26
        27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52
        53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78
        79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 97 98 99 100 101 102 103 104
        105 106 107 108 109 110 111 112 113 114 115 116 117 118 119 120 121 122 123 124 125 126 127 128 129 130
    }
}
