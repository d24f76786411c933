//! Same seed, same bits; and what may not depend on the tile or on the grouping of a tuple doesn't.

mod common;

use common::{bits, numbers};
use tuplenet::params::Params;
use tuplenet::prelude::*;

type Net<T = f32> = (Dense<3, 5, Tanh, T>, Dense<5, 4, Relu, T>, Dense<4, 3, Softmax, T>);
type Nested<T = f32> = (Dense<3, 5, Tanh, T>, (Dense<5, 4, Relu, T>, Dense<4, 3, Softmax, T>));
type LeftNested<T = f32> = ((Dense<3, 5, Tanh, T>, Dense<5, 4, Relu, T>), Dense<4, 3, Softmax, T>);

/// Seventy samples, and the number of the largest feature as class.
fn data<T: Real>() -> (Vec<[T; 3]>, Vec<usize>) {
    let mut rng = seeded(7);
    let inputs: Vec<[T; 3]> = (0..70).map(|_| [0; 3].map(|_| T::from_random_bits(rng.next_u64()))).collect();
    let classes = inputs.iter().map(|x| tuplenet::metrics::largest_index(x)).collect();
    (inputs, classes)
}

const FIT: Fit = Fit { epochs: 5, batch_size: 20, shuffle: true };

/// The network after a short training from a pinned seed, computed in tiles of `$tile`.
macro_rules! trained {
    ($net:ty, $type:ty, $tile:literal, $fit:expr) => {{
        let (inputs, classes) = data::<$type>();
        let network = <$net>::new(&mut seeded(42));
        let mut trainer = Trainer::<_, _, _, _, $tile>::with_tile(network, CrossEntropy, Adam::new(0.01), seeded(1));
        let outcome = trainer.fit(&inputs, &classes, &$fit, ()).unwrap();
        assert!(outcome.loss < 1.2, "{outcome:?}");
        trainer.network
    }};
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let new = |seed| bits(&Net::<f32>::new(&mut seeded(seed)));
    assert_eq!(new(42), new(42));
    assert_ne!(new(42), new(43));
    assert_eq!(bits(&trained!(Net, f32, 32, FIT)), bits(&trained!(Net, f32, 32, FIT)));
    assert_eq!(bits(&trained!(Net<f64>, f64, 32, FIT)), bits(&trained!(Net<f64>, f64, 32, FIT)));
}

#[test]
fn grouping_does_not_matter() {
    let flat = trained!(Net, f32, 32, FIT);
    let nested = trained!(Nested, f32, 32, FIT);
    let left = trained!(LeftNested, f32, 32, FIT);
    assert_eq!(bits(&flat), bits(&nested));
    assert_eq!(bits(&flat), bits(&left));
    let x = [0.25, -1.5, 3.0];
    assert_eq!(flat.predict_one(&x), nested.predict_one(&x));
    assert_eq!(flat.predict_one(&x), left.predict_one(&x));
}

/// Fails unless all parameters agree to `tolerance`.
fn close(a: &impl Params, b: &impl Params, tolerance: f64) {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= tolerance, "{a} and {b} differ by more than {tolerance}");
    }
}

#[test]
fn the_tile_changes_only_the_rounding() {
    // Batches larger than the tile, and smaller; 70 samples are two tiles of 32 and a part of one.
    for batch_size in [5, 70] {
        let fit = Fit { batch_size, ..FIT };
        let whole = trained!(Net<f64>, f64, 70, fit);
        close(&whole, &trained!(Net<f64>, f64, 1, fit), 1e-10);
        close(&whole, &trained!(Net<f64>, f64, 5, fit), 1e-10);
        close(&whole, &trained!(Net<f64>, f64, 32, fit), 1e-10);
        let whole = trained!(Net, f32, 70, fit);
        close(&whole, &trained!(Net, f32, 5, fit), 1e-3);
        close(&whole, &trained!(Net, f32, 32, fit), 1e-3);
    }
}

#[test]
fn a_sample_gets_the_same_answer_alone_and_in_company() {
    let (inputs, _) = data::<f64>();
    let network = Net::<f64>::new(&mut seeded(3));
    let mut outputs = vec![[0.0; 3]; inputs.len()];
    network.predict_all(&inputs, &mut outputs).unwrap();
    for (input, output) in inputs.iter().zip(&outputs) {
        for (alone, company) in network.predict_one(input).iter().zip(output) {
            assert!((alone - company).abs() < 1e-14);
        }
    }
}

type Small<T> = (Dense<2, 3, Relu, T>, Dense<3, 1, Sigmoid, T>);

/// Parameters as the bits of their numbers.
macro_rules! literals {
    ($network:expr, $type:ty) => {
        numbers(&$network).iter().map(|&number| (number as $type).to_bits()).collect::<Vec<_>>()
    };
}

#[test]
fn weights_of_a_pinned_seed() {
    let normal = tuplenet::init::HeNormal;
    assert_eq!(literals!(Small::<f32>::new(&mut seeded(42)), f32), [0u32; 0]);
    assert_eq!(literals!(Small::<f64>::new(&mut seeded(42)), f64), [0u64; 0]);
    assert_eq!(literals!(<Dense<2, 2, Relu>>::with_init(&normal, &mut seeded(42)), f32), [0u32; 0]);
    assert_eq!(literals!(<Dense<2, 2, Relu, f64>>::with_init(&normal, &mut seeded(42)), f64), [0u64; 0]);
}

/// Twenty epochs of XOR in batches of three.
macro_rules! xor {
    ($type:ty) => {{
        let inputs: [[$type; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
        let targets: [[$type; 1]; 4] = [[0.0], [1.0], [1.0], [0.0]];
        let network = Small::<$type>::new(&mut seeded(42));
        let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
        trainer.fit(&inputs, &targets, &Fit { epochs: 20, batch_size: 3, shuffle: true }, ()).unwrap();
        trainer.network
    }};
}

#[test]
fn weights_after_a_training() {
    assert_eq!(bits(&xor!(f32)), bits(&xor!(f32)));
    assert_eq!(bits(&xor!(f64)), bits(&xor!(f64)));
    // With fused multiply-add the bits depend on whether the CPU has it.
    if cfg!(feature = "reproducible") {
        assert_eq!(literals!(xor!(f32), f32), [0u32; 0]);
        assert_eq!(literals!(xor!(f64), f64), [0u64; 0]);
    }
}
