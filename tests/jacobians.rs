//! Jacobians are those of prediction: they agree with PyTorch's to 1e-12 and with central differences to 1e-8, also of networks
//! that do something else in training, and of layers that know nothing of it.

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
use tuplenet::layers::*;
use tuplenet::model::{Between, Formula, Parameter, Shape, VisitorMut};
use tuplenet::prelude::*;

static GOLDEN: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("golden/second_order.json")).unwrap());

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

/// Sets parameters and buffers to PyTorch's, whose matrices stand row by row, ours column by column.
struct Load<'a>(std::slice::Iter<'a, Value>, std::slice::Iter<'a, Value>);

impl VisitorMut<f64, 0> for Load<'_> {
    fn slice(&mut self, parameter: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
        for (index, value) in flat(self.0.next().expect("a tensor")).into_iter().enumerate() {
            values[parameter.index_of(index)] = value;
        }
    }

    fn buffer(&mut self, _: Parameter, values: &mut [f64]) {
        values.copy_from_slice(&flat(self.1.next().expect("a buffer")));
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

/// Compares with PyTorch.
fn golden<N, const IN: usize, const OUT: usize>(name: &str)
where
    N: FromTo<IN, OUT, f64>,
{
    let case = &GOLDEN["jacobians"][name];
    let list = |name: &str| case[name].as_array().unwrap().iter();
    let mut network = N::new(seeded(0));
    network.visit_mut([], &mut Load(list("parameters"), list("buffers")));
    let x: [f64; IN] = flat(&case["input"]).try_into().unwrap();
    let jacobian: SMatrix<f64, OUT, IN> = network.jacobian(&x);
    let rows: Vec<f64> = jacobian.transpose().as_slice().to_vec();
    agree(name, &rows, &flat(&case["jacobian"]), 1e-12);
    assert_eq!(jacobian, network.jacobian(&SVector::<f64, IN>::from(x)), "a vector is a sample too");

    let right: Vec<Vec<f64>> = list("by_parameters").map(flat).collect();
    for (output, row) in network.parameter_jacobian(&x).iter_mut().enumerate() {
        let mut expected = N::ZEROED;
        let tensors: Vec<Value> = right
            .iter()
            .map(|tensor| tensor[output * tensor.len() / OUT..(output + 1) * tensor.len() / OUT].to_vec().into())
            .collect();
        expected.visit_mut([], &mut Load(tensors.iter(), list("buffers")));
        agree(name, &numbers(row), &numbers(&expected), 1e-12);
        let gradient = network.output_gradient(&x, output).unwrap();
        agree(name, &gradient, jacobian.row(output).transpose().as_slice(), 1e-14);
    }
}

#[test]
fn as_pytorch() {
    golden::<(Dense<4, 16, Tanh, f64>, Dense<16, 16, Sigmoid, f64>, Dense<16, 3, Identity, f64>), 4, 3>("dense");
    golden::<(Dense<3, 7, Gelu, f64>, Dense<7, 4, Softmax, f64>), 3, 4>("softmax");
    golden::<(Dense<3, 5, Identity, f64>, BatchNorm<5, f64>, Silu, Dropout<50>, Dense<5, 2, Identity, f64>), 3, 2>(
        "batch_norm",
    );
    type Block = Residual<(LayerNorm<5, f64>, Dense<5, 5, Tanh, f64>)>;
    golden::<(Dense<3, 5, Softplus, f64>, Block, Dense<5, 2, Identity, f64>), 3, 2>("residual");
}

/// Compares every derivative by the inputs with central differences, for any shape of input.
fn differences<N, In: Shape, Out: Shape>(
    name: &str,
    network: &N,
    x: &In::Sample<f64>,
    change: impl Fn(&mut In::Sample<f64>, usize, f64),
    predict: impl Fn(&In::Sample<f64>) -> Out::Sample<f64>,
) where
    N: Between<In, Out, f64>,
{
    let step = 1e-5;
    for output in 0..Out::LEN {
        let gradient = network.output_gradient(x, output).unwrap();
        let gradient = In::elements(&gradient);
        for (index, derivative) in gradient.iter().enumerate() {
            let at = |step: f64| {
                let mut x = *x;
                change(&mut x, index, step);
                Out::elements(&predict(&x))[output]
            };
            // With the error of the first order taken out.
            let difference = |step: f64| (at(step) - at(-step)) / (2.0 * step);
            let right = (4.0 * difference(step) - difference(2.0 * step)) / 3.0;
            let error = (derivative - right).abs() / right.abs().max(1.0);
            assert!(error <= 1e-8, "{name}, output {output}, input {index}: {derivative}, not {right}");
        }
    }
}

tuplenet::parameters! {
    /// A factor for each feature: a layer that knows nothing of evaluation.
    struct Scale<const N: usize; T> {
        factor: [T; N] = Bias,
    }
}

impl<const N: usize, T: Real> Formula for Scale<N, T> {
    type Scalar = T;
    type In = Features<N>;
    type Out = Features<N>;

    fn value(&self, x: &[T; N], y: &mut [T; N]) {
        for i in 0..N {
            y[i] = self.factor[i] * x[i];
        }
    }

    fn derivatives(&self, (x, _): (&[T; N], &[T; N]), dy: &[T; N], gradient: &mut Self, dx: &mut [T; N]) {
        for i in 0..N {
            gradient.factor[i] += dy[i] * x[i];
            dx[i] = dy[i] * self.factor[i];
        }
    }
}

tuplenet::formula_layer!([const N: usize, T: Real] Scale<N, T>);

#[test]
fn as_differences() {
    macro_rules! features {
        ($net:ty, $in:literal) => {{
            let network = network::<$net>(0.7);
            let x: [f64; $in] = core::array::from_fn(number);
            differences(stringify!($net), &network, &x, |x, i, step| x[i] += step, |x| network.predict_one(x));
        }};
    }
    features!((Dense<3, 5, Elu, f64>, Scale<5, f64>, Dense<5, 2, Tanh, f64>), 3);
    features!((LayerNorm<4, f64>, Dense<4, 3, Softsign, f64>, Dropout<30>, Dense<3, 3, Softmax, f64>), 4);

    // In training these channels would be zeroed, and normalized over the batch.
    type Images = (
        Conv2d<Image<2, 5, 5>, Image<3, 4, 4>, 2, Tanh, 1, 0, 1, f64>,
        BatchNorm<3, f64>,
        Dropout2d<50>,
        Flatten<Image<3, 4, 4>, 48, f64>,
        Dense<48, 2, Identity, f64>,
    );
    let mut images = Images::new(seeded(1));
    images.1.running_mean.fill(0.25);
    images.1.running_variance.fill(2.0);
    let x: [[[f64; 5]; 5]; 2] =
        core::array::from_fn(|c| core::array::from_fn(|h| core::array::from_fn(|w| number(c * 25 + h * 5 + w))));
    let change = |x: &mut [[[f64; 5]; 5]; 2], index: usize, step| x[index / 25][index / 5 % 5][index % 5] += step;
    differences("an image", &images, &x, change, |x| images.predict_one(x));

    type Series =
        (Input<Sequence<4, 2>, f64>, Gru<2, 3, After, f64>, Steps<Dropout<40>>, Steps<Dense<3, 2, Identity, f64>>);
    let series = Series::new(seeded(2));
    let x: [[f64; 2]; 4] = core::array::from_fn(|step| core::array::from_fn(|i| number(2 * step + i)));
    differences("a sequence", &series, &x, |x, i, step| x[i / 2][i % 2] += step, |x| series.predict_one(x));
}

#[test]
fn a_product_is_a_sum_of_gradients() {
    type Net = (Dense<3, 5, Tanh, f64>, Dense<5, 4, Softmax, f64>);
    let network = network::<Net>(0.7);
    let (x, dy) = ([0.1, -0.2, 0.3], [0.5, -1.0, 2.0, 0.25]);
    let right = network.jacobian(&x).transpose() * SVector::from(dy);
    agree("product", &network.vector_jacobian_product(&x, &dy), right.as_slice(), 1e-14);
    assert_eq!(network.output_gradient(&x, 4), Err(Error::Output { found: 4, count: 4 }));
}

/// The gradients of the samples, which add up to that of all.
#[test]
fn of_each_sample() {
    type Net = (Dense<3, 5, Tanh, f64>, Dense<5, 2, Softmax, f64>);
    let mut network = network::<Net>(0.7);
    let inputs: [[f64; 3]; 7] = core::array::from_fn(|i| core::array::from_fn(|j| number(3 * i + j)));
    let classes = [0usize, 1, 1, 0, 1, 0, 0];
    let mut workspace = Workspace::<Net, 4>::new();
    let mut gradients: [Net; 7] = core::array::from_fn(|_| tuplenet::model::Zeroed::ZEROED);
    let loss = workspace.sample_gradients(&network, &CrossEntropy, &inputs, &classes, &mut gradients).unwrap();
    let mut whole = <Net as tuplenet::model::Zeroed>::ZEROED;
    let right = workspace.gradient(&network, &CrossEntropy, &inputs, &classes, &mut whole).unwrap();
    assert!((loss - right).abs() < 1e-15);
    let mut sum = [0.0; 32];
    for gradient in &gradients {
        sum.iter_mut().zip(numbers(gradient)).for_each(|(sum, value)| *sum += value / 7.0);
    }
    agree("the sum", &sum, &numbers(&whole), 1e-14);
    let few = workspace.sample_gradients(&network, &CrossEntropy, &inputs, &classes, &mut gradients[..6]);
    assert_eq!(few.unwrap_err().to_string(), "expected 7 gradients, one for each sample, found 6");
    network.0.bias[0] = f64::NAN;
    assert_eq!(
        workspace.sample_gradients(&network, &CrossEntropy, &inputs, &classes, &mut gradients),
        Err(Error::WeightNotFinite)
    );
}
