//! The row `tuplenet` of the comparison in `benches/peers`: what a user of the library writes, built as a user builds
//! it.
//!
//! ```text
//! peers-tuplenet <folder of inputs> <workload>,<workload>,...
//! ```

#[path = "rust/src/common.rs"]
#[allow(dead_code, reason = "some of it is for the other libraries in Rust alone")]
mod common;

use common::{BATCH, Setting, XOR_STEPS, curve_size, peer};
use std::hint::black_box;
use tuplenet::prelude::*;

type Xor = (Dense<2, 10, Relu>, Dense<10, 1, Sigmoid>);
type Small = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);
type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Identity>);
type Curve = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);

tuplenet::network! {
    type LeNet = Image<1, 28, 28> =>
        Conv2d<6, 5, Relu>, MaxPool<2>, Conv2d<16, 5, Relu>, MaxPool<2>, Flatten, Dense<120, Relu>, Dense<84, Relu>,
        Dense<10, Softmax>
}

type Recurrent = (Input<Sequence<40, 1>>, Gru<1, 32>, Last, Dense<32, 10, Softmax>);

/// How many samples are computed at once: all four of XOR, and for W4 half of the 200, rounded up to whole registers.
const XOR_MICRO_BATCH: usize = 4;
const CURVE_MICRO_BATCH: usize = 104;

fn main() {
    peer(run);
}

/// The seconds of a workload, and its loss or checksum.
fn run(setting: &Setting, workload: &str) -> (f64, f64) {
    match workload {
        "W1" => xor_steps(setting),
        "W2a" => {
            let [first, second, third] = weights(setting, "small", &[4, 16, 16, 3]);
            let network: Small = (dense(first), dense(second), dense(third));
            one_sample(setting, &network, &samples(setting, "small.inputs"))
        }
        "W2b" => one_sample(setting, &digits(setting), &samples(setting, "digits.inputs")),
        "W2c" => {
            let [first, second, third] = weights(setting, "mnist", &[784, 128, 64, 10]);
            let network: Box<Mnist> = Box::new((dense(first), dense(second), dense(third)));
            one_sample(setting, &*network, &samples(setting, "mnist.inputs"))
        }
        "W3" => digits_epoch(setting),
        "W4" | "W4L" => curve_steps(setting, workload),
        "W5" => lenet_steps(setting),
        "W5p" => {
            let (network, (images, _)) = (lenet(setting), lenet_data(setting));
            let outputs: Vec<[f32; 10]> = images.iter().map(|image| network.predict_one(image)).collect();
            let seconds = setting.best_time(|| {
                for image in &images {
                    black_box(black_box(&*network).predict_one(black_box(image)));
                }
            });
            (seconds / images.len() as f64, checksum(&outputs))
        }
        "W6" => digits_batch(setting),
        "W7" => gru_steps(setting),
        "13-24-3" => two_layers::<13, 24, 3>(setting, workload),
        "30-16-1" => two_layers::<30, 16, 1>(setting, workload),
        "100-50-7" => two_layers::<100, 50, 7>(setting, workload),
        "17-64-64-4" => three_layers::<17, 64, 4, Relu>(setting, workload),
        "48-128-128-12" => three_layers::<48, 128, 12, Elu>(setting, workload),
        "1-64-64-1" => three_layers::<1, 64, 1, Relu>(setting, workload),
        "13-24-3 epoch" => epoch::<13, 24, 3>(setting, workload),
        "30-16-1 epoch" => epoch::<30, 16, 1>(setting, workload),
        "10-100-1 epoch" => epoch::<10, 100, 1>(setting, workload),
        _ => panic!("no workload `{workload}`"),
    }
}

/// Training continues, in a task that is known to.
const TRAINS: &str = "the training goes on";

fn xor_steps(setting: &Setting) -> (f64, f64) {
    let [first, second] = weights(setting, "xor", &[2, 10, 1]);
    let network: Xor = (dense(first), dense(second));
    let (inputs, targets) = (samples::<2>(setting, "xor.inputs"), samples::<1>(setting, "xor.targets"));
    let mut trainer = Trainer::<_, _, _, _, XOR_MICRO_BATCH>::with_micro_batch(
        network,
        BinaryCrossEntropy,
        Sgd::new(0.01),
        seeded(1),
    );
    let fit = FitOptions { epochs: XOR_STEPS, batch_size: 4, shuffle: false };
    trainer.fit(&inputs, &targets, &fit, ()).expect(TRAINS);
    let loss = trainer.evaluate(&inputs, &targets).expect(TRAINS);
    let seconds = setting.best_time(|| {
        trainer.fit(&inputs, &targets, &fit, ()).expect(TRAINS);
    });
    (seconds / fit.epochs as f64, loss.into())
}

fn digits(setting: &Setting) -> Digits {
    let [first, second] = weights(setting, "digits", &[64, 32, 10]);
    (dense(first), dense(second))
}

fn digits_epoch(setting: &Setting) -> (f64, f64) {
    let (inputs, classes) = (samples::<64>(setting, "digits.inputs"), setting.bytes("digits.classes"));
    let mut trainer = Trainer::new(digits(setting), CrossEntropy, Adam::new(1e-3), seeded(1));
    trainer.fit(&inputs, &classes, &FitOptions { epochs: 1, batch_size: BATCH, shuffle: false }, ()).expect(TRAINS);
    let loss = trainer.evaluate(&inputs, &classes).expect(TRAINS);
    let seconds = setting.best_time(|| {
        trainer.epoch(&inputs, &classes, BATCH).expect(TRAINS);
    });
    (seconds, loss.into())
}

fn digits_batch(setting: &Setting) -> (f64, f64) {
    let (network, inputs) = (digits(setting), samples::<64>(setting, "digits.inputs"));
    let (inputs, mut outputs) = (&inputs[..1024], vec![[0.0; 10]; 1024]);
    let seconds = setting.best_time(|| {
        black_box(&network).predict_all(black_box(inputs), &mut outputs).expect("the sizes fit");
        black_box(&outputs);
    });
    (seconds / 1024.0, checksum(&outputs))
}

fn curve_steps(setting: &Setting, workload: &str) -> (f64, f64) {
    let [first, second, third] = weights(setting, "curve", &[4, 32, 16, 4]);
    let network: Curve = (dense(first), dense(second), dense(third));
    let (inputs, targets) = (samples::<4>(setting, "curve.inputs"), samples::<4>(setting, "curve.targets"));
    let (count, steps) = curve_size(workload);
    let (inputs, targets) = (&inputs[..count], &targets[..count]);
    let mut trainer = Trainer::<_, _, _, _, CURVE_MICRO_BATCH>::with_micro_batch(
        network,
        MeanSquaredError,
        Adam::new(1e-3),
        seeded(1),
    );
    for _ in 0..steps {
        trainer.step(inputs, targets).expect(TRAINS);
    }
    let loss = trainer.evaluate(inputs, targets).expect(TRAINS);
    let seconds = setting.best_time(|| {
        trainer.step(inputs, targets).expect(TRAINS);
    });
    (seconds, loss.into())
}

/// From PyTorch's weights, by output, input, row and column.
fn kernels<const K: usize, const C: usize, const D: usize>(weights: &[f32]) -> [[[[f32; D]; C]; K]; K] {
    let at = |i: usize, j: usize, c: usize, d: usize| weights[((d * C + c) * K + i) * K + j];
    std::array::from_fn(|i| std::array::from_fn(|j| std::array::from_fn(|c| std::array::from_fn(|d| at(i, j, c, d)))))
}

fn lenet(setting: &Setting) -> Box<LeNet> {
    let numbers = setting.numbers("lenet.weights");
    let (first, rest) = numbers.split_at(25 * 6);
    let (first_bias, rest) = rest.split_at(6);
    let (second, rest) = rest.split_at(25 * 6 * 16);
    let (second_bias, mut rest) = rest.split_at(16);
    let mut network = LeNet::boxed(&mut seeded(0));
    (network.0.weight, network.2.weight) = (kernels(first), kernels(second));
    network.0.bias.copy_from_slice(first_bias);
    network.2.bias.copy_from_slice(second_bias);
    let mut take = |count| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken.to_vec()
    };
    network.5 = dense((take(256 * 120), take(120)));
    network.6 = dense((take(120 * 84), take(84)));
    network.7 = dense((take(84 * 10), take(10)));
    network
}

type Picture = [[[f32; 28]; 28]; 1];

fn lenet_data(setting: &Setting) -> (Vec<Picture>, Vec<u8>) {
    let rows = samples::<28>(setting, "lenet.inputs");
    (rows.as_chunks::<28>().0.iter().map(|rows| [*rows]).collect(), setting.bytes("lenet.classes"))
}

fn lenet_steps(setting: &Setting) -> (f64, f64) {
    let (network, (images, classes)) = (lenet(setting), lenet_data(setting));
    let mut trainer = Trainer::boxed(network, CrossEntropy, Adam::new(1e-3), seeded(1));
    for _ in 0..20 {
        trainer.step(&images, &classes).expect(TRAINS);
    }
    let loss = trainer.evaluate(&images, &classes).expect(TRAINS);
    let seconds = setting.best_time(|| {
        trainer.step(&images, &classes).expect(TRAINS);
    });
    (seconds, loss.into())
}

/// From a row for each output of each gate.
fn columns<const IN: usize>(weights: &[f32]) -> [[[f32; 32]; 3]; IN] {
    std::array::from_fn(|i| std::array::from_fn(|gate| std::array::from_fn(|o| weights[(32 * gate + o) * IN + i])))
}

fn gru_steps(setting: &Setting) -> (f64, f64) {
    let numbers = setting.numbers("gru.weights");
    let (ih, rest) = numbers.split_at(96);
    let (bias_ih, rest) = rest.split_at(96);
    let (hh, rest) = rest.split_at(96 * 32);
    let (bias_hh, rest) = rest.split_at(96);
    let biases = |values: &[f32]| std::array::from_fn(|gate| std::array::from_fn(|o| values[32 * gate + o]));
    let mut network = Recurrent::boxed(&mut seeded(0));
    network.1 = Gru::from_columns(columns(ih), columns(hh), biases(bias_ih), biases(bias_hh));
    network.3 = dense((rest[..320].to_vec(), rest[320..].to_vec()));
    let inputs = samples::<40>(setting, "gru.inputs").into_iter().map(|steps| steps.map(|x| [x])).collect::<Vec<_>>();
    let classes = setting.bytes("gru.classes");
    let mut trainer = Trainer::boxed(network, CrossEntropy, Adam::new(1e-3), seeded(1));
    for _ in 0..20 {
        trainer.step(&inputs, &classes).expect(TRAINS);
    }
    let loss = trainer.evaluate(&inputs, &classes).expect(TRAINS);
    let seconds = setting.best_time(|| {
        trainer.step(&inputs, &classes).expect(TRAINS);
    });
    (seconds, loss.into())
}

fn two_layers<const IN: usize, const H: usize, const OUT: usize>(setting: &Setting, name: &str) -> (f64, f64) {
    let [first, second] = weights(setting, name, &[IN, H, OUT]);
    let network: (Dense<IN, H, Relu>, Dense<H, OUT, Identity>) = (dense(first), dense(second));
    one_sample(setting, &network, &samples::<IN>(setting, &format!("{name}.inputs")))
}

fn three_layers<const IN: usize, const H: usize, const OUT: usize, A: Activation>(
    setting: &Setting,
    name: &str,
) -> (f64, f64) {
    let [first, second, third] = weights(setting, name, &[IN, H, H, OUT]);
    let network: (Dense<IN, H, A>, Dense<H, H, A>, Dense<H, OUT, Identity>) =
        (dense(first), dense(second), dense(third));
    one_sample(setting, &network, &samples::<IN>(setting, &format!("{name}.inputs")))
}

fn epoch<const IN: usize, const H: usize, const OUT: usize>(setting: &Setting, name: &str) -> (f64, f64) {
    let [first, second] = weights(setting, name, &[IN, H, OUT]);
    let network: (Dense<IN, H, Relu>, Dense<H, OUT, Identity>) = (dense(first), dense(second));
    let inputs = samples::<IN>(setting, &format!("{name}.inputs"));
    let targets = samples::<OUT>(setting, &format!("{name}.targets"));
    let mut trainer = Trainer::new(network, MeanSquaredError, Adam::new(1e-3), seeded(1));
    let fit = FitOptions { epochs: 1, batch_size: BATCH, shuffle: false };
    trainer.fit(&inputs, &targets, &fit, ()).expect(TRAINS);
    let loss = trainer.evaluate(&inputs, &targets).expect(TRAINS);
    let seconds = setting.best_time(|| {
        trainer.fit(&inputs, &targets, &fit, ()).expect(TRAINS);
    });
    (seconds, loss.into())
}

/// The time of one call of `predict_one`, over 64 samples in turn, and the checksum of their outputs.
fn one_sample<N, const IN: usize, const OUT: usize>(setting: &Setting, network: &N, inputs: &[[f32; IN]]) -> (f64, f64)
where
    N: FromTo<IN, OUT>,
{
    let inputs = &inputs[..64];
    let outputs: Vec<[f32; OUT]> = inputs.iter().map(|input| network.predict_one(input)).collect();
    let seconds = setting.best_time(|| {
        for input in inputs {
            black_box(black_box(network).predict_one(black_box(input)));
        }
    });
    (seconds / inputs.len() as f64, checksum(&outputs))
}

fn samples<const N: usize>(setting: &Setting, name: &str) -> Vec<[f32; N]> {
    setting.numbers(name).as_chunks().0.to_vec()
}

/// Weights and biases of each layer.
fn weights<const LAYERS: usize>(setting: &Setting, name: &str, sizes: &[usize]) -> [(Vec<f32>, Vec<f32>); LAYERS] {
    setting.layers(name, sizes).try_into().expect("one size more than layers")
}

fn dense<const IN: usize, const OUT: usize, A: Activation>(
    (weights, biases): (Vec<f32>, Vec<f32>),
) -> Dense<IN, OUT, A> {
    Dense::from_matrix(SMatrix::from_row_slice(&weights), SVector::from_column_slice(&biases))
}

fn checksum<const OUT: usize>(outputs: &[[f32; OUT]]) -> f64 {
    common::checksum(outputs.as_flattened())
}
