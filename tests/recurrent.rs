//! Recurrent layers of random sizes against PyTorch and Keras, over sequences of unequal length: outputs, last states, and the
//! gradients by the inputs and by all parameters. `golden/recurrent.py` says how the values are made.

#![cfg(target_arch = "x86_64")]

#[path = "common/patterns.rs"]
#[allow(dead_code, reason = "the networks here are made otherwise")]
mod patterns;

use core::array::from_fn;
use fearless_simd::{Level, Simd};
use patterns::number;
use serde_json::Value;
use tuplenet::layers::{After, Before, Bidirectional, Gru, Lstm, Rnn};
use tuplenet::model::{Batch, Model, Parameter, Pass, Stream, Visit, Visitor, VisitorMut, Zeroed};
use tuplenet::prelude::*;

const LONGEST: usize = 7;
const SAMPLES: usize = 2;

/// Sets the parameters to those of the script: PyTorch's matrices are row by row, ours column by column.
struct Set {
    first: usize,
}

impl<T: Real> VisitorMut<T, 0> for Set {
    fn slice(&mut self, Parameter { rows, columns, .. }: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        for (place, value) in values.iter_mut().enumerate() {
            *value = T::of(0.6 * number(self.first + place % rows * columns + place / rows));
        }
        self.first += 1000;
    }
}

/// The two sums of values that the script stores.
fn sums(values: &[f64]) -> [f64; 2] {
    [7, 11].map(|k| values.iter().enumerate().map(|(i, v)| v * number(k * i + k)).sum())
}

struct Gradients(Vec<[f64; 2]>);

impl<T: Real> Visitor<T> for Gradients {
    fn slice(&mut self, Parameter { rows, columns, .. }: Parameter, values: &[T]) {
        let by_row = |place: usize| values[place % columns * rows + place / columns].to_f64().unwrap();
        self.0.push(sums(&(0..values.len()).map(by_row).collect::<Vec<_>>()));
    }
}

/// The vectors of a state, layer by layer.
trait Vectors {
    fn vectors(&self) -> Vec<Vec<f64>>;
}

macro_rules! vectors {
    ($t:ty) => {
        impl<const H: usize> Vectors for [$t; H] {
            fn vectors(&self) -> Vec<Vec<f64>> {
                vec![self.iter().map(|&value| f64::from(value)).collect()]
            }
        }

        impl<const H: usize> Vectors for [[$t; H]; 2] {
            fn vectors(&self) -> Vec<Vec<f64>> {
                self.iter().flat_map(Vectors::vectors).collect()
            }
        }
    };
}
vectors!(f32);
vectors!(f64);

impl<A: Vectors, B: Vectors> Vectors for (A, B) {
    fn vectors(&self) -> Vec<Vec<f64>> {
        [self.0.vectors(), self.1.vectors()].concat()
    }
}

fn close(what: &str, found: [f64; 2], expected: &Value, tolerance: f64) {
    for (found, expected) in found.iter().zip(expected.as_array().unwrap()) {
        let expected = expected.as_f64().unwrap();
        assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found}, not {expected}");
    }
}

/// The last state of a sequence, its vectors one after the other.
type LastState<S, N, X> = fn(S, &N, &[X]) -> Vec<Vec<f64>>;

/// Compares what is computed of the sequences of one case, one after the other. Where `stream` computes the last state of a
/// sequence, it is compared too.
fn compare<S: Simd, T: Real, N, const IN: usize, const OUT: usize>(
    simd: S,
    case: &Value,
    tolerance: f64,
    stream: Option<LastState<S, N, [T; IN]>>,
) where
    N: Layer<Sequence<LONGEST, IN>, T> + Model<Sequence<LONGEST, IN>, T, Out = Sequence<LONGEST, OUT>> + Visit<T>,
{
    let what = |part: &str| {
        let number = |name: &str| case[name].as_u64().unwrap();
        let (inputs, units) = (number("inputs"), number("units"));
        format!("{} of {inputs} and {units}, seed {}: {part}", case["kind"], number("seed"))
    };
    let seed = case["seed"].as_u64().unwrap() as usize;
    let (mut network, mut gradient) = (N::ZEROED, N::ZEROED);
    network.visit_mut([], &mut Set { first: 100_000 + 10_000 * seed });
    let (mut ys, mut dxs, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for (sample, length) in case["lengths"].as_array().unwrap().iter().enumerate() {
        let length = length.as_u64().unwrap() as usize;
        let at = |step: usize| sample * LONGEST + step;
        let x: [[T; IN]; LONGEST] = from_fn(|step| from_fn(|i| T::of(number(1000 * seed + at(step) * IN + i))));
        let mut dy: [[T; OUT]; LONGEST] =
            from_fn(|step| from_fn(|i| T::of(number(50_000 + seed + at(step) * OUT + i))));
        dy[length..].fill([T::ZERO; OUT]);
        let x_batch = x.map(SMatrix::<T, IN, 1>::from);
        let mut dy_batch = dy.map(SMatrix::<T, OUT, 1>::from);
        let mut y = <Batch<Sequence<LONGEST, OUT>, T, 1>>::ZEROED;
        let (mut cache, mut dx) = (N::Cache::<1>::ZEROED, <Batch<Sequence<LONGEST, IN>, T, 1>>::ZEROED);
        let pass = Pass::<S, 1>::new(simd, 1).with_steps(length);
        network.forward(pass, &x_batch, &mut y, &mut cache);
        let mut inferred = <Batch<Sequence<LONGEST, OUT>, T, 1>>::ZEROED;
        network.infer(pass, &x_batch, &mut inferred);
        assert_eq!(inferred, y);
        network.backward(pass, (&x_batch, &y), &mut cache, &mut dy_batch, &mut gradient, Some(&mut dx));
        ys.extend(y.iter().flat_map(|step| step.iter().map(|value| value.to_f64().unwrap())));
        dxs.extend(dx.iter().flat_map(|step| step.iter().map(|value| value.to_f64().unwrap())));
        states.push(stream.map(|stream| stream(simd, &network, &x[..length])));
    }
    close(&what("y"), sums(&ys), &case["y"], tolerance);
    close(&what("dx"), sums(&dxs), &case["dx"], tolerance);
    if let [Some(first), Some(second)] = &states[..] {
        let both: Vec<f64> = first.iter().zip(second).flat_map(|(a, b)| [a.clone(), b.clone()].concat()).collect();
        close(&what("state"), sums(&both), &case["state"], tolerance);
    }
    let mut gradients = Gradients(Vec::new());
    gradient.visit(&mut gradients);
    let expected = case["gradients"].as_array().unwrap();
    assert_eq!(gradients.0.len(), expected.len());
    for (index, (found, expected)) in gradients.0.into_iter().zip(expected).enumerate() {
        close(&what(&format!("gradient of parameter {index}")), found, expected, tolerance);
    }
}

/// The last state of a stream.
fn last_state<S: Simd, T: Real, N, const IN: usize>(simd: S, network: &N, steps: &[[T; IN]]) -> Vec<Vec<f64>>
where
    N: Stream<Features<IN>, T, State: Vectors>,
{
    let mut state = N::State::ZEROED;
    for step in steps {
        let mut y = <Batch<N::Out, T, 1>>::ZEROED;
        network.infer_step(simd, &mut state, &SVector::from(*step), &mut y);
    }
    state.vectors()
}

/// All cases of a file, in `f64` and `f32`.
fn cases(text: &str, expected: usize) {
    let golden: Value = serde_json::from_str(text).unwrap();
    // One instruction set, which every x86-64 has: the tests of bits compare the others with it.
    let simd = Level::baseline().as_sse2().unwrap();
    let mut count = 0;
    for case in golden["cases"].as_array().unwrap() {
        let sizes = (case["kind"].as_str().unwrap(), case["inputs"].as_u64().unwrap(), case["units"].as_u64().unwrap());
        macro_rules! one_of {
            ($($kind:literal $in:literal $units:literal => $out:literal, $stream:expr, |$t:ident| $net:ty;)+) => {
                match sizes {
                    $(($kind, $in, $units) => {
                        {
                            type $t = f64;
                            compare::<_, f64, $net, $in, $out>(simd, case, 1e-10, $stream);
                        }
                        type $t = f32;
                        compare::<_, f32, $net, $in, $out>(simd, case, 1e-5, $stream);
                    })+
                    other => panic!("no network for {other:?}"),
                }
            };
        }
        one_of! {
            "rnn" 3 4 => 4, Some(last_state), |T| Rnn<3, 4, Tanh, T>;
            "rnn" 1 9 => 9, Some(last_state), |T| Rnn<1, 9, Tanh, T>;
            "relu" 2 5 => 5, Some(last_state), |T| Rnn<2, 5, Relu, T>;
            "relu" 4 8 => 8, Some(last_state), |T| Rnn<4, 8, Relu, T>;
            "gru" 3 5 => 5, Some(last_state), |T| Gru<3, 5, After, T>;
            "gru" 1 8 => 8, Some(last_state), |T| Gru<1, 8, After, T>;
            "before" 2 4 => 4, Some(last_state), |T| Gru<2, 4, Before, T>;
            "before" 3 9 => 9, Some(last_state), |T| Gru<3, 9, Before, T>;
            "lstm" 2 3 => 3, Some(last_state), |T| Lstm<2, 3, T>;
            "lstm" 4 8 => 8, Some(last_state), |T| Lstm<4, 8, T>;
            "bigru" 2 3 => 6, None, |T| Bidirectional<Gru<2, 3, After, T>, 6>;
            "bilstm" 3 4 => 8, None, |T| Bidirectional<Lstm<3, 4, T>, 8>;
            "gru2" 2 5 => 5, Some(last_state), |T| (Gru<2, 5, After, T>, Gru<5, 5, After, T>);
            "lstm2" 3 3 => 3, Some(last_state), |T| (Lstm<3, 3, T>, Lstm<3, 3, T>);
        }
        assert_eq!(case["lengths"].as_array().unwrap().len(), SAMPLES);
        count += 1;
    }
    assert_eq!(count, expected);
}

#[test]
fn pytorch() {
    cases(include_str!("golden/recurrent_pytorch.json"), 108);
}

#[test]
fn keras() {
    cases(include_str!("golden/recurrent_keras.json"), 126);
}
