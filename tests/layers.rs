//! The layers beside `Dense`: they compute what PyTorch computes, in training and in evaluation (`golden/layers.py`
//! made the numbers), whole networks of them learn, and folding changes nothing.

#![cfg(feature = "std")]

mod common;

use common::{bits, numbers};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use tuplenet::Error;
use tuplenet::data::{Subset, stratified_split};
use tuplenet::inspect::gradient_check;
use tuplenet::layers::*;
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::model::{Parameter, Params as _, Visit, VisitorMut, Zeroed};
use tuplenet::prelude::*;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden/layers.json")).unwrap());

/// As many samples as PyTorch's numbers were computed with at once.
const MICRO_BATCH: usize = 8;

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

fn samples<const N: usize>(value: &Value) -> Vec<[f64; N]> {
    value.as_array().unwrap().iter().map(|sample| flat(sample).try_into().expect("as many numbers")).collect()
}

#[track_caller]
fn compare(what: &str, found: &[f64], right: &Value) {
    let right = flat(right);
    assert_eq!(found.len(), right.len(), "{what}");
    let scale = right.iter().fold(1e-3, |largest: f64, number| largest.max(number.abs())).min(1.0);
    for (index, (found, right)) in found.iter().zip(right).enumerate() {
        let error = (found - right).abs() / scale.max(right.abs());
        assert!(error <= 1e-10, "{what}, number {index}: {found}, not {right}: {error:e}");
    }
}

/// Sets parameters to PyTorch's, whose matrices stand row by row, ours column by column.
struct Load<'a>(std::slice::Iter<'a, Value>);

impl VisitorMut<f64, 0> for Load<'_> {
    fn slice(&mut self, parameter: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
        let rows = flat(self.0.next().expect("a tensor for each parameter"));
        assert_eq!(rows.len(), values.len());
        for (index, value) in rows.into_iter().enumerate() {
            values[index % parameter.columns * parameter.rows + index / parameter.columns] = value;
        }
    }
}

/// A network with the values of PyTorch's tensors.
fn load<N: Visit<f64>>(tensors: &Value) -> N {
    let mut network = N::ZEROED;
    network.visit_mut([], &mut Load(tensors.as_array().unwrap().iter()));
    network
}

type Running<const N: usize> = BatchNorm<N, f64>;

/// Trains in batches as PyTorch did, and compares all on the way. `norms` gives mean and variance of each batch
/// normalization.
fn trains<N, const IN: usize, const OUT: usize>(name: &str, norms: impl Fn(&N) -> Vec<[Vec<f64>; 2]>)
where
    N: FromTo<IN, OUT, f64>,
{
    for kind in ["", ", larger than a micro-batch"] {
        let name = format!("{name}{kind}");
        let case = &GOLDEN[&name];
        let mut network = N::new(&mut seeded(0));
        network.visit_mut([], &mut Load(case["parameters"].as_array().expect(&name).iter()));
        let mut trainer =
            Trainer::<_, _, _, _, MICRO_BATCH>::with_micro_batch(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
        for (number, batch) in case["batches"].as_array().unwrap().iter().enumerate() {
            let what = |what: &str| format!("{name}, batch {number}, {what}");
            let (inputs, targets) = (samples::<IN>(&batch["inputs"]), samples::<OUT>(&batch["targets"]));
            let outputs = samples::<OUT>(&batch["outputs"]);

            let (mut workspace, mut gradient) = (Workspace::<N, MICRO_BATCH>::new(), N::ZEROED);
            let loss = workspace.gradient(&trainer.network, &MeanSquaredError, &inputs, &targets, &mut gradient);
            compare(&what("loss"), &[loss.unwrap()], &batch["loss"]);
            compare(&what("gradient"), &numbers(&gradient), &numbers(&load::<N>(&batch["gradient"])).into());

            if inputs.len() == MICRO_BATCH {
                let matrix = |samples: &[[f64; IN]]| {
                    SMatrix::<f64, IN, MICRO_BATCH>::from_fn(|row, column| samples[column][row])
                };
                let found = workspace.forward(&trainer.network, &matrix(&inputs));
                compare(&what("outputs"), found.as_slice(), &batch["outputs"]);
                let output_gradient = |row: usize, column: usize| {
                    2.0 * (outputs[column][row] - targets[column][row]) / (MICRO_BATCH * OUT) as f64
                };
                let output_gradients = SMatrix::<f64, OUT, MICRO_BATCH>::from_fn(output_gradient);
                let found = workspace.backward_to_input(&trainer.network, &output_gradients, &mut gradient);
                compare(&what("gradients by the inputs"), found.as_slice(), &batch["input_gradients"]);
            }

            trainer.step(&inputs, &targets).unwrap();
            let (found, right) = (norms(&trainer.network), batch["running"].as_array().unwrap());
            assert_eq!(found.len(), right.len(), "{}", what("running statistics"));
            for (found, right) in found.iter().zip(right) {
                compare(&what("running mean"), &found[0], &right[0]);
                compare(&what("running variance"), &found[1], &right[1]);
            }
            let test: Vec<[f64; IN]> = samples(&batch["test_inputs"]);
            let mut found = vec![[0.0; OUT]; test.len()];
            trainer.network.predict_all(&test, &mut found).unwrap();
            compare(&what("evaluation"), found.as_flattened(), &batch["test_outputs"]);
            for (sample, right) in test.iter().zip(&found) {
                let alone = trainer.network.predict_one(sample);
                assert!(alone.iter().zip(right).all(|(a, b)| (a - b).abs() < 1e-12));
            }
        }
    }
}

fn running<const N: usize>(norm: &Running<N>) -> [Vec<f64>; 2] {
    [norm.running_mean.as_slice().to_vec(), norm.running_variance.as_slice().to_vec()]
}

#[test]
fn as_in_pytorch() {
    type D<const IN: usize, const OUT: usize, A = Identity> = Dense<IN, OUT, A, f64>;
    trains::<(D<3, 5, Tanh>, Running<5>, D<5, 2>), 3, 2>("batch_norm", |n| vec![running(&n.1)]);
    trains::<(Running<3>, D<3, 2>), 3, 2>("batch_norm first", |n| vec![running(&n.0)]);
    trains::<(D<3, 17>, Running<17>), 3, 17>("batch_norm last", |n| vec![running(&n.1)]);
    trains::<(D<3, 19, Tanh>, LayerNorm<19, f64>, D<19, 2>), 3, 2>("layer_norm", |_| vec![]);
    trains::<(LayerNorm<3, f64>, D<3, 5>, LayerNorm<5, f64>), 3, 5>("layer_norm first and last", |_| vec![]);
    type Alone = (D<3, 5>, Gelu, D<5, 4>, Softmax);
    trains::<Alone, 3, 4>("activate", |_| vec![]);
    type Block = Residual<(D<5, 4, Tanh>, D<4, 5>)>;
    trains::<(D<3, 5, Tanh>, Block, D<5, 2>), 3, 2>("residual", |_| vec![]);
    trains::<Residual<D<3, 3, Tanh>>, 3, 3>("residual alone", |_| vec![]);
    type Inside = Residual<(LayerNorm<6, f64>, D<6, 6>, Running<6>)>;
    type All = (D<3, 6>, Running<6>, Silu, Inside, D<6, 2>);
    trains::<All, 3, 2>("all", |n| vec![running(&n.1), running(&n.3.0.2)]);
    // Two lines for each of these, and the versions.
    assert_eq!(GOLDEN.as_object().unwrap().len(), 2 * 9 + 1);
}

/// The network's outputs in training, for eight samples of ones.
fn outputs<const PERCENT: u32>(layer: &Dropout<PERCENT>) -> Vec<f64> {
    let ones = Dense::<1, 500, Identity, f64>::from_rows([[0.0]; 500], [1.0; 500]);
    let mut workspace = Workspace::<_, 8>::new();
    workspace.forward(&(ones, layer.clone()), &SMatrix::<f64, 1, 8>::zeros()).as_slice().to_vec()
}

#[test]
fn dropout_leaves_out_the_share_that_it_should() {
    fn check<const PERCENT: u32>() {
        let share = f64::from(PERCENT) / 100.0;
        let mut layer = Dropout::<PERCENT>::new(7);
        let (mut zeros, mut both, mut batches) = (0.0, 0.0, BTreeSet::new());
        const BATCHES: usize = 25;
        for _ in 0..BATCHES {
            let found = outputs(&layer);
            assert_eq!(found, outputs(&layer), "the same until the batch ends");
            batches.insert(found.iter().map(|value| *value == 0.0).collect::<Vec<_>>());
            assert!(found.iter().all(|&value| value == 0.0 || (value - 1.0 / (1.0 - share)).abs() < 1e-15));
            zeros += found.iter().filter(|value| **value == 0.0).count() as f64;
            both += found.windows(2).filter(|pair| *pair == [0.0; 2]).count() as f64;
            layer.update_buffers(&mut Dropout::new(0));
        }
        assert_eq!(batches.len(), if PERCENT == 0 { 1 } else { BATCHES });
        let near = |found: f64, share: f64| {
            let (count, expected) = ((BATCHES * 4000) as f64, (BATCHES * 4000) as f64 * share);
            assert!((found - expected).abs() <= 5.0 * (count * share * (1.0 - share)).sqrt() + 30.0 * share);
        };
        near(zeros, share);
        // Neighbours know nothing of each other.
        near(both, share * share);
    }
    check::<0>();
    check::<10>();
    check::<50>();
    check::<99>();
}

#[test]
fn dropout_does_nothing_in_prediction_and_chooses_alike_whatever_the_tile() {
    type Net = (Dense<2, 8, Tanh>, Dropout<40>, Dense<8, 1, Identity>);
    let network = Net::new(&mut seeded(0));
    let plain = (network.0.clone(), network.2.clone());
    let inputs: Vec<[f32; 2]> = (0..20).map(|i| [i as f32 / 20.0, (i % 3) as f32]).collect();
    let targets: Vec<[f32; 1]> = inputs.iter().map(|[a, b]| [a * b]).collect();
    for input in &inputs {
        assert_eq!(network.predict_one(input), plain.predict_one(input));
    }
    let mut trainer = Trainer::new(network.clone(), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let mut other = Trainer::new(plain, MeanSquaredError, Sgd::new(0.1), seeded(1));
    assert_eq!(trainer.evaluate(&inputs, &targets), other.evaluate(&inputs, &targets));

    macro_rules! gradient {
        ($micro_batch:literal) => {{
            let mut gradient = Net::ZEROED;
            let mut workspace = Workspace::<Net, $micro_batch>::new();
            let loss = workspace.gradient(&network, &MeanSquaredError, &inputs, &targets, &mut gradient).unwrap();
            (loss, numbers(&gradient))
        }};
    }
    let (loss, whole) = gradient!(20);
    assert_ne!(Ok(loss), trainer.evaluate(&inputs, &targets));
    for (other_loss, other) in [gradient!(1), gradient!(7), gradient!(32)] {
        assert!((other_loss - loss).abs() < 1e-6);
        assert!(whole.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    // Another seed is another choice, and a step moves on.
    let seed = trainer.network.1.seed;
    trainer.step(&inputs, &targets).unwrap();
    assert_ne!(trainer.network.1.seed, seed);
    let seeds = [1, 2].map(|seed| Net::new(&mut seeded(seed)).1.seed);
    assert_ne!(seeds[0], seeds[1]);
}

#[test]
fn a_batch_that_fails_leaves_running_statistics_and_seeds_as_they_were() {
    type Net = (BatchNorm<1>, Dropout<10>, Dense<1, 1, Identity>);
    let mut trainer = Trainer::<_, _, _, _, 2>::with_micro_batch(
        Net::new(&mut seeded(0)),
        MeanSquaredError,
        Sgd::new(0.1),
        seeded(1),
    );
    let untouched = trainer.network.clone();
    // Two good micro-batches, and a bad one.
    let bad = [[1.0], [2.0], [3.0], [9.0], [f32::NAN], [0.0]];
    let error =
        Error::InputNotFinite { sample: 4, column: 0, found: tuplenet::error::NotFinite::Nan, epoch: 0, batch: 0 };
    assert_eq!(trainer.step(&bad, &[[0.0]; 6]), Err(error));
    assert_eq!(trainer.network, untouched);
    trainer.step(&[[1.0], [3.0]], &[[0.0]; 2]).unwrap();
    let norm = &trainer.network.0;
    assert_eq!(
        (norm.running_mean[0], norm.running_variance[0], norm.num_batches_tracked),
        (0.1 * 2.0, 0.9 + 0.1 * 2.0, 1)
    );
}

#[test]
fn a_lone_sample_is_normalized_by_the_running_statistics() {
    let mut norm = BatchNorm::<1, f64>::new(&mut seeded(0));
    (norm.running_mean[0], norm.running_variance[0], norm.weight[0], norm.bias[0]) = (3.0, 4.0, 2.0, 0.5);
    let (mut workspace, mut gradient) = (Workspace::<_, 1>::new(), Zeroed::ZEROED);
    let [[found]] = workspace.forward(&norm, &SMatrix::from([[5.0]])).data.0;
    let standard_deviation = (4.0f64 + 1e-5).sqrt();
    assert!((found - (2.0 * 2.0 / standard_deviation + 0.5)).abs() < 1e-12);
    let output_gradient = workspace.backward_to_input(&norm, &SMatrix::from([[1.0]]), &mut gradient);
    assert!((output_gradient[0] - 2.0 / standard_deviation).abs() < 1e-12);
    assert!((gradient.weight[0] - 2.0 / standard_deviation).abs() < 1e-12 && gradient.bias[0] == 1.0);
    let before = norm.clone();
    norm.update_buffers(&mut gradient);
    assert_eq!(norm, before);
}

/// Nine samples in micro-batches of eight: seven and two, so that none is alone. In micro-batches of two the last one
/// is.
#[test]
fn the_gradient_is_right_with_an_odd_sample_at_the_end() {
    type Net = (Dense<2, 5, Tanh, f64>, BatchNorm<5, f64>, Dense<5, 1, Identity, f64>);
    let mut network = Net::new(&mut seeded(0));
    network.1.running_mean.fill(0.3);
    network.1.running_variance.fill(0.5);
    let inputs: [[f64; 2]; 9] = std::array::from_fn(|i| [(i as f64).sin(), (i as f64 * 1.7).cos()]);
    let targets: [[f64; 1]; 9] = std::array::from_fn(|i| [i as f64 / 9.0]);
    let check = gradient_check(&mut network, &MeanSquaredError, &inputs, &targets).unwrap();
    assert!(check.error < 1e-7, "{check:?}");

    let mut trainer =
        Trainer::<_, _, _, _, 8>::with_micro_batch(network.clone(), MeanSquaredError, Sgd::new(0.1), seeded(1));
    trainer.step(&inputs, &targets).unwrap();
    assert_eq!(trainer.network.1.num_batches_tracked, 2);
    let mut trainer = Trainer::<_, _, _, _, 2>::with_micro_batch(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    trainer.step(&inputs, &targets).unwrap();
    assert_eq!(trainer.network.1.num_batches_tracked, 4);
}

type Hidden = Residual<(LayerNorm<16>, Dense<16, 16, Relu>, Dropout<10>, Dense<16, 16, Identity>)>;

#[test]
fn whole_networks_learn_xor() {
    type Net = (Dense<2, 16, Identity>, BatchNorm<16>, Tanh, Hidden, Dense<16, 1, Sigmoid>);
    let (inputs, targets) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [false, true, true, false]);
    for seed in 0..5 {
        let mut trainer = Trainer::new(Net::new(&mut seeded(seed)), BinaryCrossEntropy, Adam::new(0.01), seeded(1));
        trainer.fit(&inputs, &targets, &FitOptions { epochs: 400, ..FitOptions::default() }, ()).unwrap();
        let answers = inputs.map(|input| trainer.network.predict_one(&input)[0] > 0.5);
        assert_eq!(answers, targets, "seed {seed}");
        // The running statistics are those of the batch, which is always the same but for the weights.
        assert!(trainer.evaluate(&inputs, &targets).unwrap() < 0.1, "seed {seed}");
    }
}

#[test]
fn whole_networks_learn_iris() {
    type Net = (BatchNorm<4>, Dense<4, 16, Tanh>, Hidden, Dense<16, 3, Softmax>);
    let rows = include_str!("../examples/data/iris.csv").lines().filter(|line| !line.contains("sepal"));
    let table: Vec<Vec<f32>> =
        rows.map(|row| row.split(',').map(|text| text.trim().parse().unwrap()).collect()).collect();
    let flowers: Vec<[f32; 4]> = table.iter().map(|row| row[..4].try_into().unwrap()).collect();
    let classes: Vec<usize> = table.iter().map(|row| row[4] as usize).collect();
    assert_eq!(flowers.len(), 150);
    let mut confusion = ConfusionMatrix::<3>::new();
    for seed in 0..3 {
        let mut indices = vec![0; 150];
        let (train, test) = stratified_split::<3, _>(&classes, &mut indices, 0.2, &mut seeded(seed)).unwrap();
        let mut trainer = Trainer::new(Net::new(&mut seeded(seed)), CrossEntropy, Adam::new(0.01), seeded(seed));
        let inputs = Subset { data: &flowers, indices: train };
        let targets = Subset { data: &classes, indices: train };
        trainer.fit(&inputs, &targets, &FitOptions { epochs: 60, batch_size: 16, shuffle: true }, ()).unwrap();
        for &flower in test {
            let outputs = trainer.network.predict_one(&flowers[flower]);
            confusion.record(classes[flower], tuplenet::metrics::largest_index(&outputs)).unwrap();
        }
    }
    assert!(confusion.accuracy() >= 0.93, "{confusion}");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    type Net = (BatchNorm<4>, Dense<4, 16, Tanh>, Hidden, Dense<16, 3, Softmax>);
    let inputs: Vec<[f32; 4]> = (0..50).map(|i| [0, 1, 2, 3].map(|j| ((i * 7 + j * 3) % 11) as f32)).collect();
    let classes: Vec<usize> = (0..50).map(|i| i % 3).collect();
    let train = |seed| {
        let mut trainer = Trainer::new(Net::new(&mut seeded(seed)), CrossEntropy, Adam::new(0.01), seeded(1));
        trainer.fit(&inputs, &classes, &FitOptions { epochs: 3, batch_size: 20, shuffle: true }, ()).unwrap();
        (bits(&trainer.network), trainer.network.0, trainer.network.2.0.2)
    };
    assert_eq!(train(1), train(1));
    assert_ne!(train(1), train(2));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_folded_batch_normalization_predicts_the_same(
        seed: u64, x in prop::array::uniform3(-3.0..3.0f64),
        weight in prop::array::uniform5(-2.0..2.0f64), bias in prop::array::uniform5(-2.0..2.0f64),
        mean in prop::array::uniform5(-5.0..5.0f64), variance in prop::array::uniform5(0.01..9.0f64),
    ) {
        let dense = Dense::<3, 5, Identity, f64>::new(&mut seeded(seed));
        let norm = BatchNorm {
            weight: weight.into(),
            bias: bias.into(),
            running_mean: mean.into(),
            running_variance: variance.into(),
            num_batches_tracked: 1,
        };
        let folded = norm.fold(dense.clone()).with_activation::<Gelu>();
        let whole = (dense, norm, Gelu);
        for (found, right) in folded.predict_one(&x).iter().zip(whole.predict_one(&x)) {
            prop_assert!((found - right).abs() <= 1e-12 * right.abs().max(100.0), "{} instead of {}", found, right);
        }
    }
}
