//! What second-order methods bring: `cargo bench -p tuplenet-benches --bench solvers`.
//!
//! 1. The Jacobian by the inputs of 4-16-16-3, beside a prediction of three samples.
//! 2. L-BFGS on the data of `tests/golden/second_order.json`, from scikit-learn's weights: the time until the loss is no higher than
//!    the one that scikit-learn reports, to be compared with the times that `tests/golden/second_order.py` prints on the same machine.
//! 3. Six problems in the kind of those by which MATLAB's documentation compares its training functions (function approximation
//!    and pattern recognition, small and large): the median time of ten starts until the mean squared error is at the goal.
//!
//! Times are the best of many where the work is short, and medians over starts where it is a training run.

use serde_json::Value;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::Instant;
use tuplenet::model::{Parameter, Params, Visit, VisitorMut};
use tuplenet::optimizer::{AnyOptimizer, Regularization};
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, Lbfgs, LevenbergMarquardt};

fn best(seconds: f64, mut run: impl FnMut()) -> f64 {
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    while begin.elapsed().as_secs_f64() < seconds {
        let start = Instant::now();
        for _ in 0..100 {
            run();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e7);
    }
    best
}

fn jacobian() {
    type Net = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);
    let network = Net::new(seeded(0));
    let (x, three) = ([0.1, -0.2, 0.3, 0.4], SMatrix::<f32, 4, 3>::from_fn(|i, j| (i + j) as f32 * 0.1));
    let predict = best(1.0, || {
        black_box(black_box(&network).predict(black_box(&three)));
    });
    let jacobian = best(1.0, || {
        black_box(black_box(&network).jacobian(black_box(&x)));
    });
    println!(
        "1. 4-16-16-3: prediction of three samples {predict:.0} ns, Jacobian {jacobian:.0} ns, {:.2} times",
        jacobian / predict
    );
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

fn samples<const N: usize>(value: &Value) -> Vec<[f64; N]> {
    flat(value).as_chunks::<N>().0.to_vec()
}

/// A network with weights that stand row by row.
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
    network.visit_mut([], &mut Load(tensors.as_array().expect("a list").iter()));
    network
}

/// Prints the time until the loss with its penalty is no higher than scikit-learn's, and the epochs; `halves` is what scikit-learn
/// multiplies the mean squared error by.
macro_rules! until_as_low {
    ($name:literal, $net:ty, $loss:expr, $case:expr, $inputs:expr, $targets:expr, $halves:expr) => {
        for run in $case["runs"].as_array().expect("a list") {
            let goal = run["loss"].as_f64().expect("a number");
            let l2 = run["alpha"].as_f64().expect("a number") / $inputs.len() as f64 / $halves;
            let start = load::<$net>(&run["parameters"]);
            let solver = Lbfgs::<f64>::new().l2(l2).gradient_tolerance(0.0).loss_tolerance(0.0);
            let (mut shortest, mut epochs) = (f64::INFINITY, 0);
            for _ in 0..10 {
                let mut trainer = FullBatchTrainer::new(start.clone(), $loss, solver);
                let penalty = Regularization { l1: 0.0, l2 };
                let begin = Instant::now();
                let stop = |epoch: &EpochReport<$net>| {
                    let found = (epoch.loss + penalty.value(epoch.network)) * $halves;
                    if found <= goal { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                epochs = trainer.fit(&$inputs, &$targets, 1000, stop).expect("it trains").epochs;
                shortest = shortest.min(begin.elapsed().as_secs_f64() * 1e3);
            }
            println!(
                "2. {}: {epochs} epochs in {shortest:.2} ms to scikit-learn's loss {goal:.6} of {} iterations",
                $name, run["iterations"]
            );
        }
    };
}

fn as_scikit_learn(golden: &Value) {
    let case = &golden["diabetes"];
    let (inputs, targets) = (samples::<10>(&case["inputs"]), samples::<1>(&case["targets"]));
    type Regression = (Dense<10, 16, Tanh, f64>, Dense<16, 1, Identity, f64>);
    until_as_low!("diabetes", Regression, MeanSquaredError, case, inputs, targets, 0.5);
    let case = &golden["cancer"];
    let inputs = samples::<30>(&case["inputs"]);
    let targets: Vec<bool> = flat(&case["targets"]).into_iter().map(|class| class > 0.5).collect();
    type Classes = (Dense<30, 16, Tanh, f64>, Dense<16, 1, Sigmoid, f64>);
    until_as_low!("cancer", Classes, BinaryCrossEntropy, case, inputs, targets, 1.0);
}

const SEEDS: usize = 10;
/// After how many seconds a training run is given up.
const PATIENCE: f64 = 0.4;

/// The median time in milliseconds, and how many starts reached the goal.
fn median(times: Vec<Option<f64>>) -> (f64, usize) {
    let reached = times.iter().flatten().count();
    let mut times: Vec<f64> = times.into_iter().map(|time| time.unwrap_or(f64::INFINITY)).collect();
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], reached)
}

/// A problem: prints the median time of each method, the fastest first.
macro_rules! problem {
    ($name:literal, $net:ty, $inputs:expr, $targets:expr, $goal:expr) => {{
        let (inputs, targets, goal) = (&$inputs, &$targets, $goal);
        let mut rows = Vec::new();
        let timed = |run: &mut dyn FnMut(u64, &mut dyn FnMut(f64) -> bool)| {
            median(
                (0..SEEDS as u64)
                    .map(|seed| {
                        let (begin, mut reached) = (Instant::now(), false);
                        run(seed, &mut |loss| {
                            reached = loss <= goal;
                            reached || begin.elapsed().as_secs_f64() > PATIENCE
                        });
                        reached.then(|| begin.elapsed().as_secs_f64() * 1e3)
                    })
                    .collect(),
            )
        };
        macro_rules! full_batch {
            ($method:literal, $solver:expr) => {
                rows.push((
                    $method,
                    timed(&mut |seed, stop| {
                        let network = <$net>::new(seeded(seed));
                        let mut trainer = FullBatchTrainer::new(network, MeanSquaredError, $solver);
                        let stop = |epoch: &EpochReport<$net>| {
                            if stop(epoch.loss) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                        };
                        let _ = trainer.fit(inputs, targets, 100_000, stop);
                    }),
                ));
            };
        }
        full_batch!(
            "Levenberg-Marquardt",
            LevenbergMarquardt::<{ <$net>::PARAMETERS }>::new().gradient_tolerance(0.0).step_tolerance(0.0)
        );
        full_batch!("L-BFGS", Lbfgs::<f64>::new().gradient_tolerance(0.0).loss_tolerance(0.0));
        // Full batches, as MATLAB's functions; the learning rate is the best of three for each.
        let optimizers: [(&str, fn(f64) -> AnyOptimizer<f64>); 3] = [
            ("Adam", |rate| Adam::new(rate).into()),
            ("RmsProp", |rate| RmsProp::new(rate).into()),
            ("momentum", |rate| Sgd::new(10.0 * rate).momentum(0.9).into()),
        ];
        for (method, make) in optimizers {
            let fastest = [0.003, 0.01, 0.03].into_iter().map(|rate| {
                timed(&mut |seed, stop| {
                    let mut trainer = Trainer::new(<$net>::new(seeded(seed)), MeanSquaredError, make(rate), seeded(0));
                    let fit = FitOptions { epochs: 10_000_000, batch_size: inputs.len(), shuffle: false };
                    let stop = |epoch: &EpochReport<$net>| {
                        if stop(epoch.loss) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                    };
                    let _ = trainer.fit(inputs, targets, &fit, stop);
                })
            });
            rows.push((method, fastest.min_by(|a, b| a.0.total_cmp(&b.0)).expect("three")));
        }
        rows.sort_by(|a, b| a.1.0.total_cmp(&b.1.0));
        println!("3. {}, {} parameters, {} samples, goal {goal}", $name, <$net>::PARAMETERS, inputs.len());
        for (method, (time, reached)) in rows {
            println!("     {method:20} {time:10.3} ms   {reached} of {SEEDS}");
        }
    }};
}

fn ranking(golden: &Value) {
    let number = |index: usize| ((index as f64 + 1.0) * 12.9898).sin();

    type Sine = (Dense<1, 5, Tanh, f64>, Dense<5, 1, Identity, f64>);
    let inputs: [[f64; 1]; 41] = core::array::from_fn(|i| [i as f64 / 20.0 - 1.0]);
    problem!("SIN, approximation 1-5-1", Sine, inputs, inputs.map(|[x]| [(std::f64::consts::PI * x).sin()]), 0.002);

    type Parity = (Dense<3, 10, Tanh, f64>, Dense<10, 10, Tanh, f64>, Dense<10, 1, Tanh, f64>);
    let inputs: [[f64; 3]; 8] =
        core::array::from_fn(|i| core::array::from_fn(|bit| if i >> bit & 1 == 1 { 1.0 } else { -1.0 }));
    problem!("PARITY, recognition 3-10-10-1", Parity, inputs, inputs.map(|[a, b, c]| [a * b * c]), 0.001);

    // In place of the measurements of an engine: where two joints put a robot's hand.
    type Arm = (Dense<2, 30, Tanh, f64>, Dense<30, 2, Identity, f64>);
    let inputs: Vec<[f64; 2]> = (0..1199).map(|i| [number(2 * i), number(2 * i + 1)]).collect();
    let targets: Vec<[f64; 2]> = inputs
        .iter()
        .map(|[a, b]| [(2.0 * a).cos() + (2.0 * a + 2.0 * b).cos(), (2.0 * a).sin() + (2.0 * a + 2.0 * b).sin()])
        .collect();
    problem!("ARM, approximation 2-30-2", Arm, inputs, targets, 0.0005);

    let case = &golden["cancer"];
    let inputs = samples::<30>(&case["inputs"]);
    let targets: Vec<[f64; 1]> = flat(&case["targets"]).into_iter().map(|class| [2.0 * class - 1.0]).collect();
    type Cancer = (Dense<30, 5, Tanh, f64>, Dense<5, 5, Tanh, f64>, Dense<5, 1, Tanh, f64>);
    problem!("CANCER, recognition 30-5-5-1", Cancer, inputs, targets, 0.012);
    type Wide = (Dense<30, 8, Tanh, f64>, Dense<8, 8, Tanh, f64>, Dense<8, 1, Tanh, f64>);
    problem!("CANCER, recognition 30-8-8-1", Wide, inputs, targets, 0.012);

    let case = &golden["diabetes"];
    let (inputs, targets) = (samples::<10>(&case["inputs"]), samples::<1>(&case["targets"]));
    type Diabetes = (Dense<10, 15, Tanh, f64>, Dense<15, 1, Identity, f64>);
    problem!("DIABETES, approximation 10-15-1", Diabetes, inputs, targets, 0.2);
}

fn main() {
    let text = include_str!("../tests/golden/second_order.json");
    let golden: Value = serde_json::from_str(text).expect("what the script has written");
    jacobian();
    as_scikit_learn(&golden);
    ranking(&golden);
}
