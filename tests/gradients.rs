//! Every derivative agrees with central differences, in f64 to 1e-7: of activations, losses, their combinations, whole
//! chains, by the parameters and by the inputs, and of penalties.

mod affine;

use affine::Affine;
use core::fmt::Debug;
use tuplenet::activation::FromOutput;
use tuplenet::data::{Samples, Weighted};
use tuplenet::init::GlorotUniform;
use tuplenet::inspect::{GradientCheck, gradient_check};
use tuplenet::layers::{BatchNorm, Dropout, Input, LayerNorm, Residual};
use tuplenet::loss::Loss;
use tuplenet::model::{LastActivation, Parameter, Params as _, Visit, Visitor, VisitorMut, Zeroed};
use tuplenet::prelude::*;
use tuplenet::simd::*;

/// More than the check's micro-batch of 8, and not a multiple of it.
const SAMPLES: usize = 11;

/// Numbers from -1 to 1 without a pattern, never twice the same. Those that the tests use lie at no kink.
fn number(index: usize) -> f64 {
    ((index as f64 + 1.0) * 12.9898).sin()
}

fn inputs<const IN: usize>() -> [[f64; IN]; SAMPLES] {
    core::array::from_fn(|sample| core::array::from_fn(|place| 2.0 * number(sample * IN + place)))
}

/// Targets for any loss: distributions, which are also numbers, and probabilities of independent questions.
fn distributions<const OUT: usize>() -> [[f64; OUT]; SAMPLES] {
    core::array::from_fn(|sample| {
        let parts: [f64; OUT] = core::array::from_fn(|place| 1.1 + number(1000 + sample * OUT + place));
        parts.map(|part| part / (parts.iter().sum::<f64>() + 1e-3))
    })
}

fn classes(count: usize) -> [usize; SAMPLES] {
    core::array::from_fn(|sample| (sample * 7 + sample / 3) % count)
}

/// A network with weights and biases without a pattern, the weights smaller the more inputs there are.
fn network<N: Visit<f64>>() -> N {
    struct Set(usize);
    impl VisitorMut<f64, 0> for Set {
        fn slice(&mut self, parameter: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            let scale = 1.5 / (parameter.columns as f64).sqrt();
            for value in values {
                *value = scale * number(self.0);
                self.0 += 1;
            }
        }
    }
    let mut network = N::ZEROED;
    network.visit_mut([], &mut Set(400));
    network
}

fn check<N, L, Y, const IN: usize, const OUT: usize>(loss: L, targets: &Y) -> GradientCheck<f64>
where
    N: FromTo<IN, OUT, f64>,
    L: Loss<f64, Y::Item, LastActivation<N>, OUT>,
    Y: Samples<f64> + ?Sized,
{
    gradient_check(&mut network::<N>(), &loss, &inputs(), targets).unwrap()
}

#[track_caller]
fn agrees(name: impl Debug, check: GradientCheck<f64>) {
    assert!(check.error <= 1e-7, "{name:?}: {check:?}");
    // Where all derivatives are zero, none is named.
    assert!(!check.parameter.name.is_empty(), "{name:?}: {check:?}");
}

#[test]
fn activations() {
    fn hidden_and_last<A: Activation + Debug + Default>() {
        type Net<A> = (Dense<3, 5, A, f64>, Affine<5, 2, A, f64>);
        agrees(A::default(), check::<Net<A>, _, _, 3, 2>(MeanSquaredError, &distributions()));
    }
    hidden_and_last::<Identity>();
    hidden_and_last::<Relu>();
    hidden_and_last::<LeakyRelu>();
    hidden_and_last::<LeakyRelu<20>>();
    hidden_and_last::<Elu>();
    hidden_and_last::<Selu>();
    hidden_and_last::<Gelu>();
    hidden_and_last::<Silu>();
    hidden_and_last::<Sigmoid>();
    hidden_and_last::<HardSigmoid>();
    hidden_and_last::<Tanh>();
    hidden_and_last::<Softplus>();
    hidden_and_last::<Softsign>();
}

/// Every loss after every activation that it makes sense for: regression after any; binary cross-entropy where each output
/// lies between 0 and 1, cross-entropy where they also add up to 1; both for logits, and for what comes out of a layer
/// without an activation.
#[test]
fn heads_and_losses() {
    type Last<const OUT: usize, A> = Affine<2, OUT, A, f64>;
    fn name<A: Default + Debug>(loss: impl Debug) -> impl Debug {
        (A::default(), loss)
    }
    macro_rules! check_all {
        ($($head:ty: $($loss:expr),+;)+) => {$($(
            agrees(name::<$head>($loss), check::<Last<3, $head>, _, _, 2, 3>($loss, &distributions()));
        )+)+};
    }
    let (square, absolute, huber) = (MeanSquaredError, MeanAbsoluteError, Huber { delta: 0.5 });
    check_all! {
        Identity: square, absolute, huber, BinaryCrossEntropy, CrossEntropy;
        Relu: absolute, huber;
        LeakyRelu: absolute, huber;
        Elu: absolute, huber;
        Selu: absolute, huber;
        Gelu: absolute, huber;
        Silu: absolute, huber;
        Sigmoid: absolute, huber, BinaryCrossEntropy;
        HardSigmoid: absolute, huber, BinaryCrossEntropy;
        Tanh: absolute, huber;
        Softplus: absolute, huber;
        Softsign: absolute, huber;
        Softmax: square, absolute, huber, CrossEntropy;
    }
    agrees("classes", check::<Last<3, Identity>, _, _, 2, 3>(CrossEntropy, &classes(3)));
    agrees("classes", check::<Last<3, Softmax>, _, _, 2, 3>(CrossEntropy, &classes(3)));
    agrees("classes", check::<Last<1, Identity>, _, _, 2, 1>(BinaryCrossEntropy, &classes(2)));
    agrees("classes", check::<Last<1, Sigmoid>, _, _, 2, 1>(BinaryCrossEntropy, &classes(2)));

    type Bare<const OUT: usize, A> = (Dense<2, OUT, A, f64>, Dropout<0>);
    for loss in [
        check::<Bare<3, Sigmoid>, _, _, 2, 3>,
        check::<Bare<3, HardSigmoid>, _, _, 2, 3>,
        check::<Bare<3, Softmax>, _, _, 2, 3>,
    ] {
        agrees("probabilities", loss(BinaryCrossEntropy, &distributions()));
    }
    for loss in [check::<Bare<3, Softmax>, _, _, 2, 3>, check::<Bare<3, Softplus>, _, _, 2, 3>] {
        agrees("probabilities of classes", loss(CrossEntropy, &distributions()));
    }
    agrees("classes", check::<Bare<3, Softmax>, _, _, 2, 3>(CrossEntropy, &classes(3)));
    agrees("classes", check::<Bare<3, Sigmoid>, _, _, 2, 3>(CrossEntropy, &classes(3)));
    agrees("class", check::<Bare<1, Sigmoid>, _, _, 2, 1>(BinaryCrossEntropy, &classes(2)));
}

#[test]
fn weighted_samples() {
    let weights: [f64; SAMPLES] = core::array::from_fn(|sample| sample as f64 * 0.3);
    let weighted = Weighted { targets: &classes(3), weights: &weights };
    type Net = (Dense<2, 4, Tanh, f64>, Dense<4, 3, Softmax, f64>);
    agrees("weighted", check::<Net, _, _, 2, 3>(CrossEntropy, &weighted));
}

type Flat = (Dense<2, 6, Tanh, f64>, Dense<6, 5, Silu, f64>, Dense<5, 1, Sigmoid, f64>);
type Nested =
    ((Dense<3, 4, Gelu, f64>, Dense<4, 7, Elu, f64>), (Dense<7, 2, Softplus, f64>, Dense<2, 3, Softmax, f64>));
type Deep = (
    Dense<3, 17, Tanh, f64>,
    Dense<17, 5, Softplus, f64>,
    Dense<5, 9, Gelu, f64>,
    Dense<9, 1, Silu, f64>,
    Dense<1, 12, Softsign, f64>,
    Dense<12, 4, Identity, f64>,
);

#[test]
fn chains() {
    agrees("flat", check::<Flat, _, _, 2, 1>(BinaryCrossEntropy, &distributions()));
    agrees("nested", check::<Nested, _, _, 3, 3>(CrossEntropy, &classes(3)));
    agrees("deep", check::<Deep, _, _, 3, 4>(MeanSquaredError, &distributions()));
}

type Normalized = (Dense<3, 5, Tanh, f64>, BatchNorm<5, f64>, Dense<5, 2, Identity, f64>);
type LayerNormalized = (LayerNorm<3, f64>, Dense<3, 17, Tanh, f64>, LayerNorm<17, f64>, Dense<17, 2, Identity, f64>);
type Thinned = (Input<Features<3>, f64>, Dropout<30>, Dense<3, 9, Tanh, f64>, Dropout<20>, Dense<9, 2, Identity, f64>);
type Around = (
    Dense<3, 4, Tanh, f64>,
    Residual<(Dense<4, 6, Gelu, f64>, Dense<6, 4, Identity, f64>)>,
    Dense<4, 2, Identity, f64>,
);
type Apart = (Dense<3, 5, Identity, f64>, Silu, Dense<5, 2, Identity, f64>, Softmax);
type Together = (
    BatchNorm<3, f64>,
    Dense<3, 6, Identity, f64>,
    BatchNorm<6, f64>,
    Tanh,
    Residual<(LayerNorm<6, f64>, Dense<6, 6, Softplus, f64>, Dropout<25>)>,
    Dense<6, 2, Softmax, f64>,
);

/// The layers beside `Dense`, first, last and in the middle: two micro-batches, with what each layer does in training.
#[test]
fn other_layers() {
    agrees("batch", check::<Normalized, _, _, 3, 2>(MeanSquaredError, &distributions()));
    agrees("layer", check::<LayerNormalized, _, _, 3, 2>(MeanSquaredError, &distributions()));
    agrees("dropout", check::<Thinned, _, _, 3, 2>(MeanSquaredError, &distributions()));
    agrees("residual", check::<Around, _, _, 3, 2>(MeanSquaredError, &distributions()));
    agrees("activate", check::<Apart, _, _, 3, 2>(CrossEntropy, &classes(2)));
    agrees("activate", check::<Apart, _, _, 3, 2>(MeanSquaredError, &distributions()));
    agrees("all", check::<Together, _, _, 3, 2>(CrossEntropy, &classes(2)));
}

/// Central differences of fourth order, as in the check of parameters.
fn derivative_at(x: f64, mut function: impl FnMut(f64) -> f64) -> f64 {
    let step = 1e-4;
    let mut difference = |steps: f64| function(x + steps * step) - function(x - steps * step);
    (8.0 * difference(1.0) - difference(2.0)) / (12.0 * step)
}

#[test]
fn gradient_by_the_inputs() {
    fn agrees<N, const IN: usize, const OUT: usize>()
    where
        N: FromTo<IN, OUT, f64>,
    {
        const B: usize = 3;
        let (network, mut gradient) = (network::<N>(), N::ZEROED);
        let x = SMatrix::<f64, IN, B>::from_fn(|row, column| 2.0 * number(column * IN + row));
        let derivative = SMatrix::<f64, OUT, B>::from_fn(|row, column| number(300 + column * OUT + row));
        let mut workspace = Workspace::<N, B>::new();
        workspace.forward(&network, &x);
        let found = workspace.backward_to_input(&network, &derivative, &mut gradient);
        for index in 0..IN * B {
            let estimate = derivative_at(x[index], |value| {
                let mut x = x;
                x[index] = value;
                workspace.forward(&network, &x).dot(&derivative)
            });
            let error = (found[index] - estimate).abs();
            assert!(error <= 1e-7 * found.amax(), "number {index}: {}, not {estimate}", found[index]);
        }
    }
    agrees::<Flat, 2, 1>();
    agrees::<Normalized, 3, 2>();
    agrees::<LayerNormalized, 3, 2>();
    agrees::<Thinned, 3, 2>();
    agrees::<Around, 3, 2>();
    agrees::<Apart, 3, 2>();
    agrees::<Together, 3, 2>();
}

/// All numbers of a network in one row.
struct Numbers(Vec<f64>);

impl Visitor<f64> for Numbers {
    fn slice(&mut self, _: Parameter, values: &[f64]) {
        self.0.extend_from_slice(values);
    }
}

/// Adds to the number at an index.
struct Add(usize, f64);

impl VisitorMut<f64, 0> for Add {
    fn slice(&mut self, _: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
        if let Some(value) = values.get_mut(self.0) {
            *value += self.1;
        }
        self.0 = self.0.wrapping_sub(values.len());
    }
}

/// With a rate of 1 and no gradient, a step goes down the derivative of the penalty alone.
#[test]
fn penalties() {
    type Net = (Dense<3, 4, Tanh, f64>, Dense<4, 2, Identity, f64>);
    let numbers = |network: &Net| {
        let mut numbers = Numbers(Vec::new());
        network.visit(&mut numbers);
        numbers.0
    };
    for penalty in [Sgd::new(1.0).l1(0.3), Sgd::new(1.0).l2(0.7)] {
        let before = network::<Net>();
        let (mut after, mut gradient) = (before.clone(), Net::ZEROED);
        let mut state = Zeroed::ZEROED;
        penalty.step(&mut after, &mut gradient, &mut state);
        let derivatives: Vec<f64> =
            numbers(&before).iter().zip(numbers(&after)).map(|(before, after)| before - after).collect();
        assert!(derivatives.iter().any(|derivative| derivative.abs() > 0.1));
        for (index, derivative) in derivatives.iter().enumerate() {
            let estimate = derivative_at(0.0, |step| {
                let mut network = before.clone();
                network.visit_mut([], &mut Add(index, step));
                penalty.transform.value(&network)
            });
            assert!((derivative - estimate).abs() <= 1e-9, "number {index}: {derivative}, not {estimate}");
        }
    }
}

/// The hyperbolic tangent with a derivative that is off by a thousandth.
struct WrongTanh;

impl Activation for WrongTanh {
    type DerivativeFrom = FromOutput;
    type Init = GlorotUniform;

    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        Tanh::value::<S, T>(simd, x)
    }

    fn derivative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        Tanh::derivative::<S, T>(simd, x, y) * T::of(1.001)
    }
}

#[test]
fn the_check_finds_a_wrong_derivative() {
    type Net = (Dense<3, 5, WrongTanh, f64>, Dense<5, 2, Identity, f64>);
    let check = check::<Net, _, _, 3, 2>(MeanSquaredError, &distributions());
    assert!((0.9e-3..1.1e-3).contains(&check.error), "{check:?}");
    // The layer that has the wrong derivative, not the one after it.
    assert!(check.index < <Dense<3, 5, WrongTanh, f64>>::PARAMETERS, "{check:?}");
}

/// The rectifier with a derivative that is not a number where the output is zero.
#[derive(Debug, Default)]
struct NanRelu;

impl Activation for NanRelu {
    type DerivativeFrom = FromOutput;
    type Init = GlorotUniform;

    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        Relu::value::<S, T>(simd, x)
    }

    fn derivative<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        Relu::derivative::<S, T>(simd, y, y) / y
    }
}

/// The derivatives of the last layer, which come after, are right.
#[test]
fn the_check_finds_a_derivative_that_is_not_a_number() {
    type Net = (Dense<3, 5, NanRelu, f64>, Affine<5, 2, Identity, f64>);
    let check = check::<Net, _, _, 3, 2>(MeanSquaredError, &distributions());
    assert!(check.error.is_nan() && check.derivative.is_nan(), "{check:?}");
}
