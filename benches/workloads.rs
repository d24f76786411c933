//! The workloads by which small networks are compared, through the public API and on one thread:
//! `cargo bench --workspace`.
//!
//! Every benchmark first computes what it measures once, and fails if the result is not finite or does not learn.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tuplenet::prelude::*;

type Xor = (Dense<2, 10, Relu>, Dense<10, 1, Sigmoid>);
type Small = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);
type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Identity>);
type Regression = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);

fn samples<const N: usize>(count: usize, rng: &mut impl Rng) -> Vec<[f32; N]> {
    let mut number = || f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0;
    (0..count).map(|_| std::array::from_fn(|_| number())).collect()
}

/// A step of XOR: all four samples, gradient descent.
fn xor_step(criterion: &mut Criterion) {
    let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let targets = [[0.0], [1.0], [1.0], [0.0]];
    let network = Xor::new(&mut seeded(0));
    let mut trainer =
        Trainer::<_, _, _, _, 4>::with_micro_batch(network, BinaryCrossEntropy, Sgd::new(0.01), seeded(1));
    let fit = FitOptions { epochs: 1000, batch_size: 4, shuffle: false };
    let before = trainer.evaluate(&inputs, &targets).unwrap();
    trainer.fit(&inputs, &targets, &fit, ()).unwrap();
    assert!(trainer.evaluate(&inputs, &targets).unwrap() < before);

    let mut group = criterion.benchmark_group("W1 xor, 1000 steps");
    group.throughput(Throughput::Elements(fit.epochs as u64));
    group.bench_function("fit", |bencher| bencher.iter(|| trainer.fit(&inputs, &targets, &fit, ()).unwrap()));
    group.finish();
}

/// One sample through networks of three sizes.
fn one_sample(criterion: &mut Criterion) {
    fn bench<N, const IN: usize, const OUT: usize>(criterion: &mut Criterion, name: &str)
    where
        N: FromTo<IN, OUT>,
    {
        let network = Box::new(N::new(&mut seeded(0)));
        let inputs = samples::<IN>(64, &mut seeded(1));
        assert!(network.predict_one(&inputs[0]).iter().all(|y| y.is_finite()));
        let mut next = 0;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                next = (next + 1) % inputs.len();
                black_box(&network).predict_one(black_box(&inputs[next]))
            })
        });
    }
    bench::<Small, 4, 3>(criterion, "W2a 4-16-16-3 tanh, one sample");
    bench::<Digits, 64, 10>(criterion, "W2b 64-32-10 softmax, one sample");
    bench::<Mnist, 784, 10>(criterion, "W2c 784-128-64-10, one sample");
}

/// An epoch over 1,797 samples in shuffled batches of 32, and predictions for 1,024.
fn digits(criterion: &mut Criterion) {
    let mut rng = seeded(0);
    let inputs = samples::<64>(1797, &mut rng);
    let classes: Vec<u8> = inputs.iter().map(|x| tuplenet::metrics::largest_index(&x[..10]) as u8).collect();
    let mut trainer = Trainer::new(Digits::new(&mut rng), CrossEntropy, Adam::new(1e-3), rng);
    let before = trainer.evaluate(&inputs, &classes).unwrap();
    trainer.epoch(&inputs, &classes, 32).unwrap();
    assert!(trainer.evaluate(&inputs, &classes).unwrap() < before);

    criterion.bench_function("W3 64-32-10 softmax, Adam, an epoch of 1797", |bencher| {
        bencher.iter(|| trainer.epoch(&inputs, &classes, 32).unwrap())
    });

    let mut outputs = vec![[0.0; 10]; 1024];
    let mut group = criterion.benchmark_group("W6 64-32-10 softmax");
    group.throughput(Throughput::Elements(outputs.len() as u64));
    group.bench_function("predictions for 1024", |bencher| {
        bencher.iter(|| black_box(&trainer.network).predict_all(&inputs[..1024], &mut outputs).unwrap())
    });
    group.finish();
}

/// A step with all samples as one batch.
fn regression(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("W4 4-32-16-4 tanh, Adam, a step");
    for count in [200, 10_000] {
        let mut rng = seeded(0);
        let inputs = samples::<4>(count, &mut rng);
        let targets: Vec<[f32; 4]> = inputs.iter().map(|x| x.map(f32::exp)).collect();
        let network = Regression::new(&mut rng);
        let mut trainer = Trainer::<_, _, _, _, 104>::with_micro_batch(network, MeanSquaredError, Adam::new(1e-3), rng);
        let before = trainer.step(&inputs, &targets).unwrap();
        assert!(trainer.step(&inputs, &targets).unwrap() < before);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::from_parameter(count), &count, |bencher, _| {
            bencher.iter(|| trainer.step(&inputs, &targets).unwrap())
        });
    }
    group.finish();
}

criterion_group!(workloads, xor_step, one_sample, digits, regression);
criterion_main!(workloads);
