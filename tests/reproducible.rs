//! Same seed, same bits; and what may not depend on the micro-batch or on the grouping of a tuple doesn't.

#![cfg(feature = "alloc")]

mod common;
#[cfg(feature = "reproducible")]
#[path = "../src/num/bits.rs"]
#[allow(dead_code, reason = "its training runs are another test's")]
mod firmware;
#[cfg(feature = "reproducible")]
#[path = "../src/num/pinned.rs"]
mod pinned;

use common::{bits, numbers};
use tuplenet::model::{Visit, Zeroed};
use tuplenet::prelude::*;

type Net<T> = (Dense<2, 3, Tanh, T>, Dense<3, 1, Sigmoid, T>);

/// Seventy samples: two micro-batches of 32 and a part of one.
fn data<T: Real>() -> (Vec<[T; 2]>, Vec<[T; 1]>) {
    let mut rng = seeded(7);
    let inputs: Vec<[T; 2]> = (0..70).map(|_| [0; 2].map(|_| T::from_random_bits(rng.next_u64()))).collect();
    let targets = inputs.iter().map(|x| [if x[0] > x[1] { T::ONE } else { T::ZERO }]).collect();
    (inputs, targets)
}

/// The network after five epochs from a pinned seed, computed in micro-batches of `$micro_batch`.
macro_rules! trained {
    ($type:ty, $micro_batch:literal, $batch_size:expr) => {{
        let (inputs, targets) = data::<$type>();
        let (network, adam) = (Net::<$type>::new(&mut seeded(42)), Adam::new(0.05));
        let before = bits(&network);
        let mut trainer =
            Trainer::<_, _, _, _, $micro_batch>::with_micro_batch(network, BinaryCrossEntropy, adam, seeded(1));
        for _ in 0..5 {
            trainer.epoch(&inputs, &targets, $batch_size).unwrap();
        }
        assert_ne!(bits(&trainer.network), before);
        trainer.network
    }};
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let new = |seed| bits(&Net::<f32>::new(&mut seeded(seed)));
    assert_eq!(new(42), new(42));
    assert_ne!(new(42), new(43));
    assert_eq!(bits(&trained!(f32, 32, 20)), bits(&trained!(f32, 32, 20)));
    assert_eq!(bits(&trained!(f64, 32, 20)), bits(&trained!(f64, 32, 20)));
}

/// Fails unless all parameters agree to `tolerance`.
fn close<T: Real, N: Visit<T>>(a: &N, b: &N, tolerance: f64) {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= tolerance, "{a} and {b} differ by more than {tolerance}");
    }
}

/// Batches that fill a part of a micro-batch, exactly one, and more than two.
#[test]
fn the_tile_changes_only_the_rounding() {
    for batch_size in [5, 70] {
        let reference = trained!(f64, 70, batch_size);
        close(&reference, &trained!(f64, 5, batch_size), 1e-12);
        close(&reference, &trained!(f64, 32, batch_size), 1e-12);
    }
}

#[test]
fn grouping_does_not_matter() {
    type A = Dense<2, 3, Gelu>;
    type B = Dense<3, 4, Relu>;
    type C = Dense<4, 1, Sigmoid>;
    let (inputs, targets) = data::<f32>();
    macro_rules! gradient {
        ($net:ty) => {{
            let mut gradient = <$net>::ZEROED;
            let network = <$net>::new(&mut seeded(3));
            let mut workspace = Workspace::<$net, 16>::new();
            workspace.gradient(&network, &BinaryCrossEntropy, &inputs, &targets, &mut gradient).unwrap();
            (bits(&network), bits(&gradient))
        }};
    }
    let flat = gradient!((A, B, C));
    assert_eq!(flat, gradient!((A, (B, C))));
    assert_eq!(flat, gradient!(((A, B), C)));
}

#[test]
fn a_sample_gets_the_same_answer_alone_and_in_company() {
    let (inputs, _) = data::<f64>();
    let network = Net::<f64>::new(&mut seeded(3));
    let mut outputs = vec![[0.0; 1]; inputs.len()];
    network.predict_all(&inputs, &mut outputs).unwrap();
    for (input, [company]) in inputs.iter().zip(outputs) {
        let [alone] = network.predict_one(input);
        assert!((alone - company).abs() < 1e-14, "{alone} and {company}");
    }
}

/// The bits of all parameters, in their own type.
macro_rules! literals {
    ($network:expr, $type:ty) => {
        numbers(&$network).iter().map(|&number| (number as $type).to_bits()).collect::<Vec<_>>()
    };
}

#[test]
fn weights_of_a_pinned_seed() {
    assert_eq!(literals!(Net::<f32>::new(&mut seeded(42)), f32), UNIFORM32);
    assert_eq!(literals!(Net::<f64>::new(&mut seeded(42)), f64), UNIFORM64);
}

// With fused multiply-add the bits depend on whether the CPU has it; the logarithm in normal numbers takes it too.

#[cfg(feature = "reproducible")]
#[test]
fn normal_weights_of_a_pinned_seed() {
    let normal = tuplenet::init::HeNormal;
    assert_eq!(literals!(<Dense<2, 2, Relu>>::with_init(&normal, &mut seeded(42)), f32), NORMAL32);
    assert_eq!(literals!(<Dense<2, 2, Relu, f64>>::with_init(&normal, &mut seeded(42)), f64), NORMAL64);
}

#[cfg(feature = "reproducible")]
#[test]
fn weights_after_a_training() {
    let hash = |network: Vec<u64>| {
        let words = network.iter().flat_map(|bits| [*bits as u32, (bits >> 32) as u32]);
        words.fold(firmware::Bits::NONE, firmware::Bits::and_word).0
    };
    pinned::pinned("TRAINED_F32", hash(bits(&trained!(f32, 32, 20))));
    pinned::pinned("TRAINED_F64", hash(bits(&trained!(f64, 32, 20))));
}

const UNIFORM32: [u32; 13] = [
    0x3f30_489e,
    0xbecb_3c27,
    0x3f87_b34a,
    0x3ee1_9ef9,
    0x3f24_9e04,
    0x3e45_a57b,
    0,
    0,
    0,
    0xbf6a_ee18,
    0x3e83_d690,
    0xbf37_481a,
    0,
];
const UNIFORM64: [u64; 13] = [
    0x3fe6_0913_cb76_2259,
    0xbfd9_6784_81c7_f2d3,
    0x3ff0_f669_4a0d_b2af,
    0x3fdc_33df_3cb8_9872,
    0x3fe4_93c0_7b9e_d26b,
    0x3fc8_b4af_5e01_c8fb,
    0,
    0,
    0,
    0xbfed_5dc2_a3aa_efd2,
    0x3fd0_7ad2_02f6_14d8,
    0xbfe6_e902_f388_2aa3,
    0,
];
#[cfg(feature = "reproducible")]
const NORMAL32: [u32; 6] = [0x3fab_8fcb, 0xbf76_d724, 0x3e48_ef95, 0x3e4f_c739, 0, 0];
#[cfg(feature = "reproducible")]
const NORMAL64: [u64; 6] =
    [0x3ff5_71f9_4d19_c30a, 0xbfee_dae4_f695_4ef1, 0x3fc9_1df3_6fc7_a31d, 0x3fc9_f8e8_3e10_0ac6, 0, 0];
