//! Single samples through the same networks in `f32` and in integers of 8 bits:
//! `cargo bench -p tuplenet-benches --bench int8`.
//!
//! First it checks that both reach the same class for nearly all samples.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tuplenet::metrics::largest_index;
use tuplenet::prelude::*;

type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);
type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Identity>);

fn samples<const N: usize>(count: usize, rng: &mut impl Rng) -> Vec<[f32; N]> {
    let mut number = || f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0;
    (0..count).map(|_| std::array::from_fn(|_| number())).collect()
}

macro_rules! bench {
    ($criterion:ident, $name:literal, $network:ty, $inputs:literal) => {
        let network = Box::new(<$network>::new(&mut seeded(0)));
        let inputs = samples::<$inputs>(64, &mut seeded(1));
        let quantized = Box::new(network.quantize(&inputs).unwrap());
        let same =
            |x: &&[f32; $inputs]| largest_index(&network.predict_one(*x)) == largest_index(&quantized.predict_one(*x));
        let same = inputs.iter().filter(same).count();
        assert!(same >= 60, "the same class for {same} of 64 samples");
        let mut group = $criterion.benchmark_group($name);
        let mut next = 0;
        group.bench_function("f32", |bencher| {
            bencher.iter(|| {
                next = (next + 1) % inputs.len();
                black_box(&network).predict_one(black_box(&inputs[next]))
            })
        });
        group.bench_function("int8, from and to floats", |bencher| {
            bencher.iter(|| {
                next = (next + 1) % inputs.len();
                black_box(&quantized).predict_one(black_box(&inputs[next]))
            })
        });
        let integers: Vec<[i8; $inputs]> = inputs.iter().map(|x| x.map(|x| quantized.input().quantize(x))).collect();
        group.bench_function("int8, integers alone", |bencher| {
            bencher.iter(|| {
                next = (next + 1) % integers.len();
                black_box(&quantized).run(black_box(&integers[next]))
            })
        });
        group.finish();
    };
}

fn one_sample(criterion: &mut Criterion) {
    bench!(criterion, "64-32-10 softmax", Digits, 64);
    bench!(criterion, "784-128-64-10", Mnist, 784);
}

criterion_group!(benches, one_sample);
criterion_main!(benches);
