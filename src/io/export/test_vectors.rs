//! [`TestVectors`]: samples, the network's outputs, and their tolerance for rounding.

use super::{ExportError, Exportable, Graph};
use crate::activation::Function;
use crate::data::Inputs;
use crate::model::layer::is_inlined;
use crate::model::{Batch, Op, Out, Parameter, Pass, RecurrentCell, Shape, VisitorMut, Zeroed};
use crate::num::Real;
use crate::num::dispatch::dispatch_or_call;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// What a self-test compares: of each sample all values, the last index the fastest.
pub(super) struct TestVectors<T> {
    pub inputs: Vec<Vec<T>>,
    pub outputs: Vec<Vec<T>>,
    /// The tolerance of each output.
    pub tolerances: Vec<Vec<T>>,
}

/// How many networks with slightly changed weights are evaluated.
const NEIGHBOURS: u64 = 8;
/// How far off their weights are, in roundings: as much as the activations before them may be. A sum is off by more: by
/// the root of half the number of its terms times what one term's rounding does to it, where the terms cancel.
const ROUNDINGS: f64 = 4.0;
/// How much further off an output may be than theirs.
const MARGIN: f64 = 4.0;
/// The least tolerance of an output, in roundings of the largest one.
const FLOOR: f64 = 32.0;

impl<T: Real> TestVectors<T> {
    pub fn new<N>(
        network: &N,
        graph: &Graph<T>,
        samples: &(impl Inputs<T, N::In> + ?Sized),
    ) -> Result<Self, ExportError>
    where
        N: Exportable<Scalar = T> + Clone + Send + Sync,
    {
        samples.check().map_err(ExportError::Samples)?;
        if samples.count() == 0 {
            return Err(ExportError::Samples(crate::error::Error::NoSamples));
        }
        let (mut samples_of, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::<Vec<T>>::new());
        for sample in 0..samples.count() {
            let mut input = Zeroed::ZEROED;
            samples.copy(sample, &mut input);
            finite(sample, "input", N::In::elements(&input))?;
            let mut batch = Zeroed::ZEROED;
            N::In::set(&mut batch, 0, &input);
            let output = predict(network, &batch);
            finite(sample, "output", &output)?;
            inputs.push(N::In::elements(&input).to_vec());
            samples_of.push(input);
            outputs.push(output);
        }

        let unit = T::epsilon().exact();
        let largest = outputs.iter().flatten().fold(0.0, |largest: f64, value| largest.max(value.exact().abs()));
        let largest = if has_coarse_sigmoid(graph) { largest.max(1.0) } else { largest };
        let floor = FLOOR * unit * largest + T::min_positive_value().exact();
        let mut farthest: Vec<Vec<f64>> = outputs.iter().map(|output| alloc::vec![0.0; output.len()]).collect();
        // Of a sequence, a step's.
        let terms = if let [_, size] = *graph.inputs { size } else { N::In::LEN };
        for seed in 0..NEIGHBOURS {
            let mut nudge = Nudge(Xoshiro256PlusPlus::seed_from_u64(seed));
            let mut neighbour = boxed(network);
            neighbour.visit_mut([], &mut nudge);
            for ((input, output), farthest) in samples_of.iter().zip(&outputs).zip(&mut farthest) {
                let mut batch = <<N::In as Shape>::Batch<T, 1> as Zeroed>::ZEROED;
                N::In::set(&mut batch, 0, input);
                nudge.all(terms, N::In::as_mut_slice(&mut batch));
                let found = predict(&*neighbour, &batch);
                for ((found, right), farthest) in found.iter().zip(output).zip(farthest) {
                    let distance = (found.exact() - right.exact()).abs();
                    *farthest = farthest.max(if distance.is_nan() { f64::INFINITY } else { distance });
                }
            }
        }
        let tolerance = |farthest: &f64| {
            // Two digits are enough to be read, and are never zero.
            let rounded = format!("{:.1e}", (MARGIN * farthest + floor).min(T::max_value().exact() / 16.0));
            T::of(rounded.parse().unwrap_or(floor))
        };
        let tolerances = farthest.iter().map(|farthest| farthest.iter().map(tolerance).collect()).collect();
        Ok(TestVectors { inputs, outputs, tolerances })
    }
}

/// What `predict_one` returns.
fn predict<N: Exportable>(network: &N, x: &Batch<N::In, N::Scalar, 1>) -> Vec<N::Scalar> {
    let mut y = Zeroed::ZEROED;
    dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(1), simd => network.infer(Pass::<_, 1>::new(simd, 1), x, &mut y));
    <Out<N> as Shape>::as_slice(&y).to_vec()
}

/// Whether there is a sigmoid that some CPUs compute up to roundings of 1 and not of its value: see
/// [`sigmoid`](crate::num::math::sigmoid).
fn has_coarse_sigmoid<T: Real>(graph: &Graph<T>) -> bool {
    let is_coarse = |part: &Op<T>| match part {
        Op::Linear { function, .. }
        | Op::Apply { function, .. }
        | Op::Convolution { function, .. }
        | Op::CausalConvolution { function, .. }
        | Op::Recurrent { cell: RecurrentCell::Elman(function), .. } => {
            matches!(function.0, Function::Sigmoid | Function::Silu)
        }
        Op::Recurrent { .. } => true,
        _ => false,
    };
    T::MANTISSA_BITS == f32::MANTISSA_BITS && graph.parts.iter().any(is_coarse)
}

/// A copy that may be too large for the stack.
fn boxed<N: Clone + Send + Sync>(network: &N) -> Box<N> {
    #[cfg(feature = "std")]
    return crate::model::boxed::boxed_on_large_stack(|| network.clone());
    #[cfg(not(feature = "std"))]
    Box::new(network.clone())
}

fn finite<T: Real>(sample: usize, what: &'static str, values: &[T]) -> Result<(), ExportError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(ExportError::Sample { sample, what, index, found: format!("{:?}", values[index]) }),
    }
}

/// Changes each value by some roundings, up or down.
struct Nudge(Xoshiro256PlusPlus);

impl Nudge {
    /// `terms` is how many values are added up in a sum with these.
    fn all<T: Real>(&mut self, terms: usize, values: &mut [T]) {
        let share = (ROUNDINGS + crate::num::math::square_root(terms as f64)) * T::epsilon().exact();
        for value in values {
            let sign = if self.0.next_u64() >> 63 == 0 { 1.0 } else { -1.0 };
            *value = T::of(value.exact() * (1.0 + sign * share));
        }
    }
}

impl<T: Real> VisitorMut<T, 0> for Nudge {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        self.all(parameter.columns, values);
    }
    fn buffer(&mut self, _: Parameter, values: &mut [T]) {
        self.all(1, values);
    }
}
