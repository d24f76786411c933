//! Trainers of full batches: L-BFGS as scikit-learn's, Levenberg-Marquardt as SciPy's, runs that stop and continue, and what
//! goes wrong (`golden/second_order.py` made the values).

#![cfg(feature = "std")]

mod common;

use common::bits;
use serde_json::Value;
use std::sync::LazyLock;
use tuplenet::Error;
use tuplenet::data::Weighted;
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::model::{Parameter, Params as _, Visit, VisitorMut, Zeroed};
use tuplenet::optimizer::Regularization;
use tuplenet::prelude::*;
use tuplenet::train::full_batch::{Dual, Status};
use tuplenet::train::{FullBatchTrainer, Lbfgs, LevenbergMarquardt};

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("golden/second_order.json")).unwrap());

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

fn samples<const N: usize>(value: &Value) -> Vec<[f64; N]> {
    value.as_array().unwrap().iter().map(|sample| flat(sample).try_into().unwrap()).collect()
}

/// A network with PyTorch's or scikit-learn's weights, row by row.
fn load<N: Visit<f64>>(tensors: &Value) -> N {
    struct Load<'a>(std::slice::Iter<'a, Value>);
    impl VisitorMut<f64, 0> for Load<'_> {
        fn slice(&mut self, parameter: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            for (index, value) in flat(self.0.next().expect("a tensor")).into_iter().enumerate() {
                values[parameter.index_of(index)] = value;
            }
        }
    }
    let mut network = N::ZEROED;
    network.visit_mut([], &mut Load(tensors.as_array().unwrap().iter()));
    network
}

// ------------------------------------------------------------------------------------------------------------- L-BFGS

/// Losses no higher than scikit-learn's from the same weights.
#[test]
fn lbfgs_as_scikit_learn() {
    let case = &GOLDEN["diabetes"];
    let (inputs, targets) = (samples::<10>(&case["inputs"]), samples::<1>(&case["targets"]));
    for run in case["runs"].as_array().unwrap() {
        type Net = (Dense<10, 16, Tanh, f64>, Dense<16, 1, Identity, f64>);
        let (network, l2) =
            (load::<Net>(&run["parameters"]), 2.0 * run["alpha"].as_f64().unwrap() / inputs.len() as f64);
        let mut trainer = FullBatchTrainer::new(network, MeanSquaredError, Lbfgs::<f64>::new().l2(l2));
        // scikit-learn stops after 200, far from the minimum, and would take longer than for these.
        let report = trainer.fit(&inputs, &targets, 300, ()).unwrap();
        let found = (report.loss + Regularization { l1: 0.0, l2 }.value(&trainer.network)) / 2.0;
        let right = run["loss"].as_f64().unwrap();
        println!("diabetes: {found}, scikit-learn {right}, {} epochs, {}", report.epochs, trainer.status);
        assert!(found <= right, "{found}, scikit-learn {right}");
    }
    let case = &GOLDEN["cancer"];
    let (inputs, targets) = (samples::<30>(&case["inputs"]), flat(&case["targets"]));
    let targets: Vec<bool> = targets.into_iter().map(|target| target > 0.5).collect();
    for run in case["runs"].as_array().unwrap() {
        type Net = (Dense<30, 16, Tanh, f64>, Dense<16, 1, Sigmoid, f64>);
        let (network, l2) = (load::<Net>(&run["parameters"]), run["alpha"].as_f64().unwrap() / inputs.len() as f64);
        let solver = Lbfgs::<f64>::new().l2(l2).gradient_tolerance(1e-6).loss_tolerance(0.0);
        let mut trainer = FullBatchTrainer::new(network, BinaryCrossEntropy, solver);
        let report = trainer.fit(&inputs, &targets, 200, ()).unwrap();
        let found = report.loss + Regularization { l1: 0.0, l2 }.value(&trainer.network);
        let right = run["loss"].as_f64().unwrap();
        println!("cancer: {found}, scikit-learn {right}, {} epochs, {}", report.epochs, trainer.status);
        assert!(found <= right, "{found}, scikit-learn {right}");
    }
}

type Small<T> = (Dense<2, 5, Tanh, T>, Dense<5, 1, Identity, T>);

fn data<T: Real>() -> ([[T; 2]; 24], [[T; 1]; 24]) {
    let number = |index: usize| ((index as f64 + 1.0) * 12.9898).sin();
    let inputs: [[f64; 2]; 24] = core::array::from_fn(|i| [number(2 * i), number(2 * i + 1)]);
    let targets = inputs.map(|[x, y]| [T::of((2.0 * x).sin() * y + 0.1 * number((1e3 * x.abs()) as usize))]);
    (inputs.map(|x| x.map(T::of)), targets)
}

/// The loss falls with every epoch, in `f64` and in `f32`.
#[test]
fn every_epoch_lowers_the_loss() {
    fn run<T: Real>(tolerance: f64) {
        let (inputs, targets) = data::<T>();
        let solver = Lbfgs::<T>::new().gradient_tolerance(T::of(tolerance)).loss_tolerance(T::ZERO);
        let mut trainer = FullBatchTrainer::new(Small::<T>::new(seeded(3)), Huber { delta: T::of(0.3) }, solver);
        let mut history = History::new();
        trainer.fit(&inputs, &targets, 2000, &mut history).unwrap();
        assert!(history.losses().is_sorted_by(|a, b| a >= b));
        assert!(*history.losses().last().unwrap() < history.losses()[0] * T::of(0.5));
        println!("{} epochs: {}", trainer.epochs, trainer.status);
        assert_eq!(history.losses().len(), trainer.epochs);
        let last = *history.losses().last().unwrap();
        assert_eq!(trainer.evaluate(&inputs, &targets).unwrap(), last);
    }
    run::<f64>(1e-6);
    run::<f32>(1e-3);
}

/// Stopped after every epoch and continued: the same bits as not stopped; with penalties, and with a network that does something
/// else in training.
#[test]
fn stop_and_continue() {
    type Net = (Dense<2, 5, Identity, f64>, BatchNorm<5, f64>, Tanh, Dropout<50>, Dense<5, 1, Identity, f64>);
    let (inputs, targets) = data::<f64>();
    let solver = Lbfgs::<f64, 4>::new().l2(1e-4).l1(1e-5);
    let start = FullBatchTrainer::<_, _, _, 8>::with_micro_batch(Net::new(seeded(1)), MeanSquaredError, solver).network;
    let make = || FullBatchTrainer::<_, _, _, 8>::with_micro_batch(start.clone(), MeanSquaredError, solver);
    let (mut whole, mut parts) = (make(), make());
    whole.fit(&inputs, &targets, 30, ()).unwrap();
    for _ in 0..30 {
        parts.fit(&inputs, &targets, 1, ()).unwrap();
    }
    assert_eq!(bits(&whole.network), bits(&parts.network));
    assert_eq!(whole.state(), parts.state());
    assert_eq!(whole.network.1.num_batches_tracked, 0);
    assert_eq!(whole.network.3, start.3);

    type Solver = LevenbergMarquardt<21>;
    let make = || FullBatchTrainer::new(Small::<f64>::new(seeded(1)), MeanSquaredError, Solver::new().bayesian());
    let (mut whole, mut parts) = (make(), make());
    whole.fit(&inputs, &targets, 15, ()).unwrap();
    for _ in 0..15 {
        parts.fit(&inputs, &targets, 1, ()).unwrap();
    }
    assert_eq!(bits(&whole.network), bits(&parts.network));
    assert_eq!(whole.state(), parts.state());
}

/// From a checkpoint as without an interruption.
#[cfg(feature = "checkpoint")]
#[test]
fn checkpoints() {
    use tuplenet::train::checkpoint::Checkpoint;
    let file = std::env::temp_dir().join(format!("tuplenet-full-batch-{}.checkpoint", std::process::id()));
    let _ = std::fs::remove_file(&file);
    let (inputs, targets) = data::<f64>();
    macro_rules! interrupted {
        ($solver:expr) => {{
            let make = || FullBatchTrainer::new(Small::<f64>::new(seeded(1)), MeanSquaredError, $solver);
            let mut whole = make();
            let mut all = History::new();
            whole.fit(&inputs, &targets, 20, &mut all).unwrap();
            let mut history = History::new();
            {
                let mut checkpoint = Checkpoint::new(&file, &mut history).every(7);
                make().fit(&inputs, &targets, 7, &mut checkpoint).unwrap();
            }
            let (mut again, mut history) = (make(), History::new());
            let mut checkpoint = Checkpoint::new(&file, &mut history);
            assert!(checkpoint.resume(&mut again).unwrap());
            assert_eq!(again.epochs, 7);
            again.fit(&inputs, &targets, 13, &mut checkpoint).unwrap();
            assert_eq!(bits(&whole.network), bits(&again.network));
            assert_eq!(history, all);
            std::fs::remove_file(&file).unwrap();
        }};
    }
    interrupted!(Lbfgs::<f64>::new());
    interrupted!(LevenbergMarquardt::<21>::new());
}

#[test]
fn callbacks() {
    let (inputs, targets) = data::<f64>();
    let validation = (&inputs[..6], &targets[..6]);
    let mut trainer = FullBatchTrainer::new(Small::<f64>::new(seeded(1)), MeanSquaredError, Lbfgs::<f64>::new());
    let mut stopping = EarlyStopping::new(3);
    let mut count = 0;
    let report = trainer
        .fit_validated(&inputs[6..], &targets[6..], validation, 500, (&mut stopping, |_: &EpochReport<_>| count += 1))
        .unwrap();
    assert_eq!(report.epochs, count);
    assert_eq!(trainer.evaluate(validation.0, validation.1).unwrap(), stopping.best().unwrap().loss);
    assert_eq!(trainer.status, Status::Running);
}

// ------------------------------------------------------------------------------------------------ Levenberg-Marquardt

/// Ends at SciPy's residuals from the same weights.
#[test]
fn least_squares_as_scipy() {
    let mut largest = 0.0f64;
    for case in GOLDEN["least_squares"].as_array().unwrap() {
        type Net = (Dense<2, 3, Tanh, f64>, Dense<3, 1, Identity, f64>);
        let (inputs, targets) = (samples::<2>(&case["inputs"]), samples::<1>(&case["targets"]));
        let solver = LevenbergMarquardt::<13>::new().gradient_tolerance(1e-15).step_tolerance(1e-15);
        let mut trainer = FullBatchTrainer::new(load::<Net>(&case["parameters"]), MeanSquaredError, solver);
        let report = trainer.fit(&inputs, &targets, 2000, ()).unwrap();
        println!("{} epochs, {}: {}, SciPy {}", report.epochs, trainer.status, report.loss, case["loss"]);
        for ((x, t), right) in inputs.iter().zip(&targets).zip(flat(&case["residuals"])) {
            let found = trainer.network.predict_one(x)[0] - t[0];
            largest = largest.max((found - right).abs());
        }
    }
    println!("off by at most {largest:e}");
    assert!(largest <= 1e-10);
}

/// One step from the normal equations, computed by nalgebra from the Jacobian: the same parameters. With weights, a penalty on the
/// weights alone, and several outputs.
#[test]
fn a_step_solves_the_equations() {
    type Net = (Dense<2, 4, Tanh, f64>, Dense<4, 2, Identity, f64>);
    const P: usize = Net::PARAMETERS;
    let (inputs, targets) = data::<f64>();
    let targets = targets.map(|[t]| [t, 0.5 - t * t]);
    let weights: [f64; 24] = core::array::from_fn(|i| 0.5 + i as f64 / 12.0);
    let (network, l2) = (Net::new(seeded(5)), 0.01);
    let total: f64 = weights.iter().sum();
    let (mut a, mut g) = (SMatrix::<f64, P, P>::zeros(), SVector::<f64, P>::zeros());
    for ((x, t), w) in inputs.iter().zip(&targets).zip(weights) {
        let y = network.predict_one(x);
        for (output, row) in network.parameter_jacobian(x).iter().enumerate() {
            let row = SVector::<f64, P>::from_column_slice(&common::numbers(row));
            a += row * row.transpose() * (w / total);
            g += row * ((y[output] - t[output]) * w / total);
        }
    }
    let largest = a.diagonal().max() + l2;
    // Biases are not penalized.
    for weight in (0..8).chain(12..20) {
        a[(weight, weight)] += l2;
        g[weight] += l2 * common::numbers(&network)[weight];
    }
    let solver = LevenbergMarquardt::<P>::new().l2(l2).initial_damping(0.5);
    for i in 0..P {
        a[(i, i)] += 0.5 * largest;
    }
    let right = SVector::<f64, P>::from_column_slice(&common::numbers(&network)) - a.lu().solve(&g).unwrap();
    let mut trainer = FullBatchTrainer::<_, _, _, 4>::with_micro_batch(network, MeanSquaredError, solver);
    trainer.fit(&inputs, &Weighted { targets: &targets, weights: &weights }, 1, ()).unwrap();
    for (found, right) in common::numbers(&trainer.network).into_iter().zip(right.iter()) {
        assert!((found - right).abs() < 1e-12, "{found}, not {right}");
    }
}

/// A step of the dual form solves the normal equations.
#[test]
fn the_dual_form() {
    type Net = (Dense<2, 12, Tanh, f64>, Dense<12, 1, Identity, f64>);
    const P: usize = Net::PARAMETERS;
    let (inputs, targets) = data::<f64>();
    let network = Net::new(seeded(2));
    let (mut a, mut g, mut largest) = (SMatrix::<f64, P, P>::zeros(), SVector::<f64, P>::zeros(), 0.0f64);
    for (x, t) in inputs.iter().zip(&targets) {
        let [row] = network.parameter_jacobian(x);
        let row = SVector::<f64, P>::from_column_slice(&common::numbers(&row));
        a += row * row.transpose() * (2.0 / 24.0);
        g += row * ((network.predict_one(x)[0] - t[0]) * 2.0 / 24.0);
        largest = largest.max(row.norm_squared() * 2.0 / 24.0);
    }
    for i in 0..P {
        a[(i, i)] += 0.01 * largest;
    }
    let right = SVector::<f64, P>::from_column_slice(&common::numbers(&network)) - a.lu().solve(&g).unwrap();
    let solver = LevenbergMarquardt::<P, f64, Dual<24>>::with_form().initial_damping(0.01);
    let mut dual = FullBatchTrainer::new(network, MeanSquaredError, solver);
    let first = dual.fit(&inputs, &targets, 1, ()).unwrap().loss;
    for (found, right) in common::numbers(&dual.network).into_iter().zip(right.iter()) {
        assert!((found - right).abs() < 1e-11, "{found}, not {right}");
    }
    let last = dual.fit(&inputs, &targets, 100, ()).unwrap().loss;
    println!("dual: {last} after {first}");
    assert!(last < 0.01 * first);
    let few = LevenbergMarquardt::<P, f64, Dual<23>>::with_form();
    let mut few = FullBatchTrainer::new(Net::new(seeded(2)), MeanSquaredError, few);
    let error = few.fit(&inputs, &targets, 1, ()).unwrap_err();
    assert_eq!(error.to_string(), "expected 23 residuals at most, samples times outputs, found 24");
}

/// One period of a sine to a mean squared error of 0.002, from every start.
#[test]
fn a_sine_from_every_start() {
    type Net = (Dense<1, 5, Tanh, f64>, Dense<5, 1, Identity, f64>);
    let inputs: [[f64; 1]; 41] = core::array::from_fn(|i| [i as f64 / 20.0 - 1.0]);
    let targets = inputs.map(|[x]| [(core::f64::consts::PI * x).sin()]);
    let mut epochs: Vec<usize> = (0..30)
        .map(|seed| {
            let solver = LevenbergMarquardt::<{ Net::PARAMETERS }>::new().goal(0.002);
            let mut trainer = FullBatchTrainer::new(Net::new(seeded(seed)), MeanSquaredError, solver);
            let report = trainer.fit(&inputs, &targets, 200, ()).unwrap();
            assert_eq!(trainer.status, Status::Goal, "seed {seed}: {}", report.loss);
            report.epochs
        })
        .collect();
    epochs.sort_unstable();
    println!("median {} epochs, most {}", epochs[15], epochs[29]);
}

/// XOR to 1e-20 in at most 50 epochs, or again from other weights.
#[test]
fn xor_to_the_last_digit() {
    type Net = (Dense<2, 3, Tanh, f64>, Dense<3, 1, Identity, f64>);
    let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let targets = [[0.0], [1.0], [1.0], [0.0]];
    let mut restarts = 0;
    for seed in 0..20 {
        let mut rng = seeded(seed);
        loop {
            let solver = LevenbergMarquardt::<13>::new().goal(1e-20).gradient_tolerance(0.0).step_tolerance(1e-12);
            let mut trainer = FullBatchTrainer::new(Net::new(&mut rng), MeanSquaredError, solver);
            let report = trainer.fit(&inputs, &targets, 50, ()).unwrap();
            if report.loss <= 1e-20 {
                break;
            }
            println!(
                "seed {seed} begins again after {} epochs with {:e}: {}",
                report.epochs, report.loss, trainer.status
            );
            restarts += 1;
            assert!(restarts < 20);
        }
    }
    println!("{restarts} restarts");
}

/// Of noise around a line, Bayesian regularization keeps few parameters, and predicts new samples better than without.
#[test]
fn bayesian_regularization() {
    type Net = (Dense<1, 12, Tanh, f64>, Dense<12, 1, Identity, f64>);
    let number = |index: usize| ((index as f64 + 1.0) * 12.9898).sin();
    let inputs: [[f64; 1]; 60] = core::array::from_fn(|i| [i as f64 / 30.0 - 1.0]);
    let truth = |x: f64| 0.5 * x + 0.3 * (2.0 * x).sin();
    let targets: [[f64; 1]; 60] = core::array::from_fn(|i| [truth(inputs[i][0]) + 0.2 * number(i)]);
    let clean: [[f64; 1]; 60] = core::array::from_fn(|i| [truth(inputs[i][0])]);
    let fit = |solver: LevenbergMarquardt<37>| {
        let mut trainer = FullBatchTrainer::new(Net::new(seeded(4)), MeanSquaredError, solver);
        trainer.fit(&inputs, &targets, 300, ()).unwrap();
        let error = trainer.evaluate(&inputs, &clean).unwrap();
        (error, *trainer.state())
    };
    let (plain, _) = fit(LevenbergMarquardt::new());
    let (bayesian, state) = fit(LevenbergMarquardt::new().bayesian());
    println!("{plain} without, {bayesian} with {} effective parameters", state.effective_parameters);
    assert!(bayesian < 0.5 * plain);
    assert!((2.0..12.0).contains(&state.effective_parameters));
}

/// What goes wrong is said, and leaves the network as it was.
#[test]
fn what_goes_wrong() {
    let (inputs, targets) = data::<f64>();
    let start = Small::<f64>::new(seeded(1));
    let lm = || FullBatchTrainer::new(start.clone(), MeanSquaredError, LevenbergMarquardt::<21>::new());

    assert_eq!(lm().fit(&inputs, &targets, 0, ()), Err(Error::Epochs));
    assert_eq!(lm().fit(&inputs[..0], &targets[..0], 1, ()), Err(Error::NoSamples));
    assert!(matches!(lm().fit(&inputs, &targets[1..], 1, ()), Err(Error::Lengths { .. })));
    let mut trainer = lm();
    trainer.solver.initial_damping = 0.0;
    assert_eq!(
        trainer.fit(&inputs, &targets, 1, ()).unwrap_err().to_string(),
        "expected an `initial_damping` above zero, found 0"
    );
    let mut bad = inputs;
    bad[3][1] = f64::NAN;
    assert!(matches!(lm().fit(&bad, &targets, 1, ()), Err(Error::InputNotFinite { sample: 3, column: 1, .. })));
    let mut trainer = FullBatchTrainer::new(start.clone(), MeanSquaredError, Lbfgs::<f64>::new().l2(-1.0));
    assert!(matches!(trainer.fit(&inputs, &targets, 1, ()), Err(Error::Setting { .. })));

    // Zero residuals from the beginning.
    let mut trainer = lm();
    let perfect = inputs.map(|x| trainer.network.predict_one(&x));
    let report = trainer.fit(&inputs, &perfect, 10, ()).unwrap();
    assert!(report.epochs == 0 && report.loss < 1e-30, "{report:?}, {}", trainer.status);
    assert!(trainer.network == start);

    // A singular matrix: no parameter but the last bias matters, and damping makes up for it.
    let mut trainer = FullBatchTrainer::new(Small::<f64>::ZEROED, MeanSquaredError, LevenbergMarquardt::<21>::new());
    trainer.fit(&inputs, &targets, 50, ()).unwrap();
    let mean = targets.iter().map(|t| t[0]).sum::<f64>() / 24.0;
    assert!((trainer.network.predict_one(&inputs[0])[0] - mean).abs() < 1e-6);

    // No derivative at all: ReLU of what is negative everywhere.
    type Dead = (Dense<2, 3, Relu, f64>, Relu, Dense<3, 1, Relu, f64>);
    let mut dead = Dead::ZEROED;
    dead.2.bias[0] = -1.0;
    let before = dead.clone();
    let mut trainer = FullBatchTrainer::new(dead, MeanSquaredError, LevenbergMarquardt::<13>::new());
    assert_eq!(trainer.fit(&inputs, &targets, 5, ()).unwrap().epochs, 0);
    assert_eq!(trainer.status, Status::SmallGradient);
    assert_eq!(trainer.status.to_string(), "the gradient is at most the gradient tolerance");
    assert!(trainer.network == before);

    // Steps that are too long at first, so that the loss overflows there.
    let mut trainer = FullBatchTrainer::new(Small::<f32>::new(seeded(1)), MeanSquaredError, Lbfgs::<f32>::new());
    let large = data::<f32>().1.map(|[t]| [t * 1e18]);
    match trainer.fit(&data::<f32>().0, &large, 20, ()) {
        Ok(report) => assert!(report.loss.is_finite()),
        Err(error) => assert!(matches!(error, Error::LossNotFinite { .. } | Error::GradientTooLarge { .. }), "{error}"),
    }
    assert!(tuplenet::model::is_finite(&trainer.network));
}
