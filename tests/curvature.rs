//! Products of the Hessian and of the Gauss-Newton matrix, and Hessians by the inputs: as PyTorch's to 1e-12, and as differences of
//! the gradient for every activation and loss (`golden/second_order.py` made the values). And the Laplace approximation.

#![cfg(feature = "std")]

#[allow(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "common/patterns.rs"]
mod patterns;

use common::numbers;
use patterns::{network, number};
use serde_json::Value;
use std::sync::LazyLock;
use tuplenet::Error;
use tuplenet::data::Samples;
use tuplenet::inspect::Laplace;
use tuplenet::inspect::curvature::{Curvature, Curved, gauss_newton_product, hessian, hessian_product};
use tuplenet::layers::{Dropout, Residual};
use tuplenet::loss::Targets;
use tuplenet::model::{LastActivation, Parameter, Params as _, VisitorMut, Zeroed};
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};

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

struct Load<'a>(std::slice::Iter<'a, Value>);

impl VisitorMut<f64, 0> for Load<'_> {
    fn slice(&mut self, parameter: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
        for (index, value) in flat(self.0.next().expect("a tensor")).into_iter().enumerate() {
            values[parameter.index_of(index)] = value;
        }
    }
}

#[track_caller]
fn agree(what: &str, found: &[f64], right: &[f64], limit: f64) {
    assert_eq!(found.len(), right.len(), "{what}");
    for (index, (found, right)) in found.iter().zip(right).enumerate() {
        let error = (found - right).abs() / right.abs().max(1.0);
        assert!(error <= limit, "{what}, element {index}: {found}, not {right}: {error:e}");
    }
}

#[test]
fn as_pytorch() {
    type Net = (Dense<3, 6, Tanh, f64>, Dense<6, 5, Softplus, f64>, Dense<5, 1, Identity, f64>);
    let case = &GOLDEN["jacobians"]["one"];
    let load = |name: &str| {
        let mut network = Net::ZEROED;
        tuplenet::model::Visit::visit_mut(&mut network, [], &mut Load(case[name].as_array().unwrap().iter()));
        network
    };
    let (network, vector) = (load("parameters"), load("vector"));
    let x: [f64; 3] = flat(&case["input"]).try_into().unwrap();
    let by_inputs: SMatrix<f64, 3, 3> = hessian(&network, &x);
    agree("the Hessian by the inputs", by_inputs.as_slice(), &flat(&case["hessian"]), 1e-12);

    let (inputs, targets) = (samples::<3>(&case["inputs"]), samples::<1>(&case["targets"]));
    let mut product = Net::ZEROED;
    hessian_product(&network, &MeanSquaredError, &inputs, &targets, &vector, &mut product).unwrap();
    agree("the Hessian's product", &numbers(&product), &numbers(&load("hessian_product")), 1e-12);
    gauss_newton_product(&network, &MeanSquaredError, &inputs, &targets, &vector, &mut product).unwrap();
    agree("the Gauss-Newton matrix's", &numbers(&product), &numbers(&load("gauss_newton_product")), 1e-12);
}

/// Compares with differences of the gradient along the direction.
#[track_caller]
fn differences<N, L, Y, const IN: usize, const OUT: usize>(what: &str, loss: &L, targets: &Y)
where
    N: FromTo<IN, OUT, f64> + Curved<Features<IN>, f64> + Clone,
    L: Curvature<f64, Y::Item, LastActivation<N>, OUT>,
    Y: Targets<f64, L, LastActivation<N>, Features<OUT>> + Samples<f64> + ?Sized,
{
    let network = network::<N>(0.6);
    let mut direction = network.clone();
    struct Scramble(usize);
    impl VisitorMut<f64, 0> for Scramble {
        fn slice(&mut self, _: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            for value in values {
                *value = number(self.0);
                self.0 += 1;
            }
        }
    }
    direction.visit_mut([], &mut Scramble(7000));
    let inputs: [[f64; IN]; 6] = core::array::from_fn(|i| core::array::from_fn(|j| number(IN * i + j)));
    let mut product = N::ZEROED;
    hessian_product(&network, loss, &inputs, targets, &direction, &mut product).unwrap();

    let step = 1e-4;
    let gradient = |factor: f64| {
        let mut moved = network.clone();
        struct Move(f64);
        impl VisitorMut<f64, 1> for Move {
            fn slice(&mut self, _: Parameter, values: &mut [f64], [direction]: [&mut [f64]; 1]) {
                for (value, direction) in values.iter_mut().zip(direction) {
                    *value += self.0 * *direction;
                }
            }
        }
        moved.visit_mut([&mut direction.clone()], &mut Move(factor * step));
        let mut gradient = N::ZEROED;
        Workspace::<N, 4>::new().gradient(&moved, loss, &inputs, targets, &mut gradient).unwrap();
        numbers(&gradient)
    };
    let all = [gradient(1.0), gradient(-1.0), gradient(2.0), gradient(-2.0)];
    let right: Vec<f64> =
        (0..N::PARAMETERS).map(|i| (8.0 * (all[0][i] - all[1][i]) - (all[2][i] - all[3][i])) / (12.0 * step)).collect();
    agree(what, &numbers(&product), &right, 1e-8);
}

#[test]
fn every_activation_and_loss() {
    let targets: [[f64; 2]; 6] = core::array::from_fn(|i| core::array::from_fn(|j| 0.5 + 0.4 * number(50 + 2 * i + j)));
    macro_rules! hidden {
        ($($activation:ty)+) => {$(
            differences::<(Dense<3, 4, $activation, f64>, Dense<4, 2, Identity, f64>), _, _, 3, 2>(
                stringify!($activation), &MeanSquaredError, &targets,
            );
        )+};
    }
    hidden!(Identity Relu LeakyRelu Elu Selu Gelu Silu Sigmoid Tanh Softplus Softsign Softmax);
    type After<A> = (Dense<3, 4, Tanh, f64>, Dense<4, 2, A, f64>);
    differences::<After<Sigmoid>, _, _, 3, 2>("Huber", &Huber { delta: 0.2 }, &targets);
    differences::<After<Sigmoid>, _, _, 3, 2>("binary", &BinaryCrossEntropy, &targets);
    differences::<After<Identity>, _, _, 3, 2>("binary, logits", &BinaryCrossEntropy, &targets);
    let distributions = targets.map(|[a, _]| [a, 1.0 - a]);
    differences::<After<Softmax>, _, _, 3, 2>("classes", &CrossEntropy, &distributions);
    differences::<After<Identity>, _, _, 3, 2>("class indices", &CrossEntropy, &[0usize, 1, 1, 0, 1, 0]);
    differences::<After<Softmax>, _, _, 3, 2>("softmax and squares", &MeanSquaredError, &targets);

    type Deep = (
        Dense<3, 4, Tanh, f64>,
        Dropout<0>,
        Residual<(Dense<4, 4, Identity, f64>, Silu)>,
        Dense<4, 4, Identity, f64>,
        (Softplus, Dense<4, 2, Identity, f64>),
    );
    differences::<Deep, _, _, 3, 2>("deep", &MeanSquaredError, &targets);
}

// -------------------------------------------------------------------------------------------------- Laplace

/// Of a network that is linear in its parameters the approximation is exact: the posterior of linear regression.
#[test]
fn of_a_line() {
    type Line = Dense<2, 1, Identity, f64>;
    let inputs: [[f64; 2]; 30] = core::array::from_fn(|i| [number(2 * i), number(2 * i + 1)]);
    let targets = inputs.map(|[a, b]| [0.7 * a - 0.2 * b + 0.1 + 0.3 * number((a.abs() * 1e4) as usize)]);
    let l2 = 0.01;
    // The minimum with a penalty on all parameters.
    let (mut a, mut b) = (SMatrix::<f64, 3, 3>::identity() * (l2 * 30.0 / 2.0), SVector::<f64, 3>::zeros());
    for (x, t) in inputs.iter().zip(&targets) {
        let row = SVector::<f64, 3>::new(x[0], x[1], 1.0);
        a += row * row.transpose();
        b += row * t[0];
    }
    let inverse = a.try_inverse().unwrap();
    let w = inverse * b;
    let line = Line::from_rows([[w[0], w[1]]], [w[2]]);
    let laplace = Laplace::<f64, 3>::with_l2(&line, &inputs, &targets, l2).unwrap();
    let squares: f64 = inputs.iter().zip(&targets).map(|(x, t)| (line.predict_one(x)[0] - t[0]).powi(2)).sum();
    let effective = 3.0 - l2 * 15.0 * inverse.trace();
    let noise = squares / (30.0 - effective);
    assert!((laplace.noise() / noise - 1.0).abs() < 1e-12 && laplace.l2() == l2);
    assert!((laplace.effective_parameters() - effective).abs() < 1e-12);
    for x in [[0.3, -0.4], [5.0, 2.0]] {
        let prediction = laplace.predict(&line, &x);
        let row = SVector::<f64, 3>::new(x[0], x[1], 1.0);
        let right = noise * (row.transpose() * inverse * row)[0];
        assert!((prediction.variance[0] / right - 1.0).abs() < 1e-12);
        assert_eq!(prediction.mean, line.predict_one(&x));
        assert!((prediction.standard_deviation()[0] - (right + noise).sqrt()).abs() < 1e-12);
    }
}

/// The penalty that is found is that of Bayesian regularization, and what is unknown is uncertain.
#[test]
fn as_bayesian_regularization() {
    type Net = (Dense<1, 6, Tanh, f64>, Dense<6, 1, Identity, f64>);
    const P: usize = Net::PARAMETERS;
    let inputs: [[f64; 1]; 50] = core::array::from_fn(|i| [i as f64 / 25.0 - 1.0]);
    let targets: [[f64; 1]; 50] = core::array::from_fn(|i| [(2.0 * inputs[i][0]).sin() + 0.1 * number(i)]);
    let solver = LevenbergMarquardt::<P>::new().bayesian().gradient_tolerance(1e-10);
    let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), MeanSquaredError, solver);
    trainer.fit(&inputs, &targets, 500, ()).unwrap();
    let laplace = Laplace::<f64, P>::new(&trainer.network, &inputs, &targets).unwrap();
    let state = trainer.state();
    println!("{} {}, {} {}", laplace.l2(), state.l2, laplace.effective_parameters(), state.effective_parameters);
    assert!((laplace.l2() / state.l2 - 1.0).abs() < 0.01);
    let deviation = |x: f64| laplace.predict(&trainer.network, &[x]).standard_deviation()[0];
    assert!(deviation(4.0) > 2.0 * deviation(0.0));

    assert!(matches!(Laplace::<f64, P>::with_l2(&trainer.network, &inputs, &targets, 0.0), Err(Error::Setting { .. })));
    assert!(matches!(Laplace::<f64, P>::new(&trainer.network, &inputs, &targets[1..]), Err(Error::Lengths { .. })));
    assert_eq!(Laplace::<f64, P>::new(&Net::ZEROED, &inputs, &targets).unwrap_err(), Error::Singular);
}
