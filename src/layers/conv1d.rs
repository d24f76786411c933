//! [`Conv1d`]: a causal convolution over time.

use crate::activation::init::{Init, LecunUniform};
use crate::activation::{Identity, NoActivation};
use crate::kernel::map;
use crate::kernel::recurrent::{add, add_outer, product, transposed_product};
use crate::layers::RecurrentActivation;
use crate::model::{
    Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, Sequence, Shape, Stateful, Stream,
    Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::fmt;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::{SMatrix, SVector};
use rand::Rng;

/// Causal convolution over time with `K` taps, from `IN` to `OUT` features, and the activation `A`: each output depends on its
/// step and on steps before it, and there are as many outputs as inputs. `REACH` is how many steps back the first tap is:
/// `K - 1`, or with dilation a multiple of it. `Conv1d<8, 8, 3, 8>` has the taps 8 and 4 steps back and now, a dilation of 4.
///
/// Where the taps are before the first step, the inputs are zero. `A` is an activation whose derivative follows from its output.
///
/// # Shapes
///
/// `Sequence<STEPS, IN>` in, `Sequence<STEPS, OUT>` out, for every number of steps.
///
/// # Formula
///
/// `y_t = A(W_1 x_(t - REACH) + .. + W_K x_t + b)`. PyTorch equivalent: `torch.nn.Conv1d(IN, OUT, K, dilation=REACH // (K - 1))`
/// of `torch.nn.functional.pad(x, (REACH, 0))`; Keras equivalent: `Conv1D(padding="causal")`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Conv1d, Last};
/// use tuplenet::prelude::*;
///
/// // Three taps each, and with growing dilation a memory of 2 + 4 + 8 steps.
/// type Net = (Conv1d<1, 8, 3, 2, Tanh>, Conv1d<8, 8, 3, 4, Tanh>, Conv1d<8, 8, 3, 8, Tanh>, Last, Dense<8, 1, Identity>);
/// let network = Net::new(&mut seeded(0));
/// let mut state = network.state();
/// let steps = [[0.5], [-0.5], [0.1]];
/// let outputs = steps.map(|step| network.step(&mut state, &step));
/// assert_eq!(outputs[2], network.predict_one(&steps));
/// ```
#[cfg_attr(target_arch = "x86_64", repr(align(64)))]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("causal convolution", "TCN", "WaveNet", "Conv1D"))]
pub struct Conv1d<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A = Identity, T = f32> {
    /// The weights: for each input those of the taps, the earliest first.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::gates"))]
    pub weight: [[[T; OUT]; K]; IN],
    /// The bias.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::array"))]
    pub bias: [T; OUT],
    #[cfg_attr(feature = "serde", serde(skip))]
    activation: PhantomData<A>,
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T: Real>
    Conv1d<IN, OUT, K, REACH, A, T>
{
    /// Creates the layer from the weights by each input, tap by tap, and the bias.
    #[must_use]
    pub const fn from_columns(weight: [[[T; OUT]; K]; IN], bias: [T; OUT]) -> Self {
        const { Self::assert_sizes() };
        Conv1d { weight, bias, activation: PhantomData }
    }

    const fn assert_sizes() {
        assert!(
            IN > 0 && OUT > 0 && K > 0,
            "expected a `Conv1d` layer with at least one input, one output and one tap, found a size of zero"
        );
        assert!(
            (K == 1 && REACH == 0) || (K > 1 && REACH > 0 && REACH.is_multiple_of(K - 1)),
            "the reach of a `Conv1d`, its fourth parameter, is K - 1, or with dilation a multiple of it"
        );
    }

    pub(crate) const WEIGHT: Parameter =
        Parameter { name: "weight", kind: Kind::Taps { taps: K }, rows: OUT, columns: IN * K };
    pub(crate) const BIAS: Parameter = Parameter { name: "bias", kind: Kind::Bias, rows: OUT, columns: 1 };

    /// How many steps back tap `tap` is.
    #[inline(always)]
    const fn back(tap: usize) -> usize {
        REACH - tap * if K > 1 { REACH / (K - 1) } else { 0 }
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A: RecurrentActivation, T: Real>
    Conv1d<IN, OUT, K, REACH, A, T>
{
    /// The output, with the inputs of all taps in turn.
    #[inline(always)]
    fn output<'a, S: Simd>(&self, simd: S, taps: impl Iterator<Item = &'a [T; IN]>, y: &mut [T; OUT]) {
        let mut sum = self.bias;
        for (tap, x) in taps.enumerate().take(K) {
            let (mut start, mut result) = ([[T::ZERO; OUT]; K], [[T::ZERO; OUT]; K]);
            if let Some(start) = start.get_mut(tap) {
                *start = sum;
            }
            product(simd, &self.weight, x, tap..tap + 1, &start, &mut result);
            if let Some(result) = result.get(tap) {
                sum = *result;
            }
        }
        map(
            simd,
            [y],
            [&sum],
            #[inline(always)]
            |[_], [sum]| [A::value::<S, T>(simd, sum)],
        );
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T: Clone> Clone
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    fn clone(&self) -> Self {
        Conv1d { weight: self.weight.clone(), bias: self.bias.clone(), activation: PhantomData }
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T: PartialEq> PartialEq
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    fn eq(&self, other: &Self) -> bool {
        self.weight == other.weight && self.bias == other.bias
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T: fmt::Debug> fmt::Debug
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conv1d").field("weight", &self.weight).field("bias", &self.bias).finish()
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A: RecurrentActivation, T: Real> Zeroed
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    const ZEROED: Self = {
        Self::assert_sizes();
        assert!(A::ELEMENTWISE, "expected an elementwise activation of a `Conv1d`");
        Conv1d { weight: Zeroed::ZEROED, bias: Zeroed::ZEROED, activation: PhantomData }
    };
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A: RecurrentActivation, T: Real> Params
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    const PARAMETERS: usize = OUT * (IN * K + 1);

    /// As PyTorch does: weights and bias uniform in `[-limit, limit)`, with `limit = 1 / sqrt(IN * K)`.
    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        LecunUniform.fill(rng, 3 * IN * K, OUT, self.weight.as_flattened_mut().as_flattened_mut());
        LecunUniform.fill(rng, 3 * IN * K, OUT, &mut self.bias);
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A: RecurrentActivation, T: Real> Visit<T>
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    #[inline(always)]
    fn visit(&self, visitor: &mut impl Visitor<T>) {
        visitor.slice(Self::WEIGHT, self.weight.as_flattened().as_flattened());
        visitor.slice(Self::BIAS, &self.bias);
    }

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        mut others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<T, OTHERS>,
    ) {
        let weights = others.each_mut().map(
            #[inline(always)]
            |other| other.weight.as_flattened_mut().as_flattened_mut(),
        );
        visitor.slice(Self::WEIGHT, self.weight.as_flattened_mut().as_flattened_mut(), weights);
        let biases = others.map(
            #[inline(always)]
            |other| other.bias.as_mut_slice(),
        );
        visitor.slice(Self::BIAS, &mut self.bias, biases);
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T: Real> InputShape
    for Conv1d<IN, OUT, K, REACH, A, T>
{
    type In = Sequence<1, IN>;
    type Scalar = T;
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T> Network
    for Conv1d<IN, OUT, K, REACH, A, T>
{
}

impl<const STEPS: usize, const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T>
    Model<Sequence<STEPS, IN>, T> for Conv1d<IN, OUT, K, REACH, A, T>
where
    A: RecurrentActivation,
    T: Real,
{
    type Out = Sequence<STEPS, OUT>;
    const MACS: Option<usize> = Some(STEPS * K * IN * OUT);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        y: &mut [SMatrix<T, OUT, B>; STEPS],
    ) {
        self.over_steps(pass, x, None, y);
    }
}

/// The state of each sample before the first step, if the windows continue others.
type Before<'a, T, const IN: usize, const REACH: usize, const B: usize> = Option<&'a [Ring<T, IN, REACH>; B]>;

/// The input of a sample some steps back, if there was one: of this window, or of those before it.
#[inline(always)]
fn input<'a, T: Copy, const STEPS: usize, const IN: usize, const REACH: usize, const B: usize>(
    x: &'a [SMatrix<T, IN, B>; STEPS],
    before: Before<'a, T, IN, REACH, B>,
    (step, sample): (usize, usize),
    back: usize,
) -> Option<&'a [T; IN]> {
    match step.checked_sub(back) {
        Some(step) => x.get(step)?.data.0.get(sample),
        None => before?.get(sample)?.back(back.checked_sub(step)?),
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A: RecurrentActivation, T: Real>
    Conv1d<IN, OUT, K, REACH, A, T>
{
    #[inline(always)]
    fn over_steps<S: Simd, const STEPS: usize, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        before: Before<T, IN, REACH, B>,
        y: &mut [SMatrix<T, OUT, B>; STEPS],
    ) {
        let nothing = [T::ZERO; IN];
        let steps = pass.steps(STEPS);
        for (step, y) in y.iter_mut().enumerate().take(steps) {
            for (sample, y) in y.data.0.iter_mut().enumerate().take(pass.len()) {
                let taps = (0..K).map(
                    #[inline(always)]
                    |tap| input(x, before, (step, sample), Self::back(tap)).unwrap_or(&nothing),
                );
                self.output(pass.simd(), taps, y);
            }
        }
        Sequence::clear_steps_from(y, steps);
    }
}

/// What [`Conv1d`] stores for its backward pass: for windows of a longer sequence the inputs before the window and those before
/// the next one.
#[derive(Clone, Debug)]
pub struct Conv1dCache<T, const IN: usize, const REACH: usize, const B: usize> {
    before: [Ring<T, IN, REACH>; B],
    after: [Ring<T, IN, REACH>; B],
}

impl<T: Real, const IN: usize, const REACH: usize, const B: usize> Zeroed for Conv1dCache<T, IN, REACH, B> {
    const ZEROED: Self = Conv1dCache { before: Zeroed::ZEROED, after: Zeroed::ZEROED };
}

impl<const STEPS: usize, const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T>
    Layer<Sequence<STEPS, IN>, T> for Conv1d<IN, OUT, K, REACH, A, T>
where
    A: RecurrentActivation,
    T: Real,
{
    type Cache<const B: usize> = Conv1dCache<T, IN, REACH, B>;
    type LastActivation = NoActivation<Conv1d<0, 0, 0, 0>>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        y: &mut [SMatrix<T, OUT, B>; STEPS],
        Conv1dCache { before, after }: &mut Self::Cache<B>,
    ) {
        if !pass.continues() {
            return self.over_steps(pass, x, None, y);
        }
        self.over_steps(pass, x, Some(before), y);
        after.clone_from(before);
        for x in x.iter().take(pass.steps(STEPS)) {
            for (after, x) in after.iter_mut().zip(&x.data.0) {
                after.push(x);
            }
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, y): (&[SMatrix<T, IN, B>; STEPS], &[SMatrix<T, OUT, B>; STEPS]),
        cache: &mut Self::Cache<B>,
        dy: &mut [SMatrix<T, OUT, B>; STEPS],
        gradient: &mut Self,
        mut dx: Option<&mut [SMatrix<T, IN, B>; STEPS]>,
    ) {
        let simd = pass.simd();
        let before = if pass.continues() { Some(&cache.before) } else { None };
        for step in dx.as_deref_mut().into_iter().flatten() {
            step.as_mut_slice().fill(T::ZERO);
        }
        for (step, (y, dy)) in y.iter().zip(dy).enumerate().take(pass.steps(STEPS)) {
            for (sample, (y, d)) in y.data.0.iter().zip(&mut dy.data.0).enumerate().take(pass.len()) {
                map(
                    simd,
                    [d],
                    [y],
                    #[inline(always)]
                    |[dy], [y]| [A::backward::<S, T>(simd, dy, y, y)],
                );
                add(simd, d, &mut gradient.bias);
                for tap in 0..K {
                    let back = Self::back(tap);
                    let Some(x) = input(x, before, (step, sample), back) else { continue };
                    let mut taps = [[T::ZERO; OUT]; K];
                    if let Some(tap) = taps.get_mut(tap) {
                        *tap = *d;
                    }
                    add_outer(simd, &taps, x, tap..tap + 1, &mut gradient.weight);
                    let dx = dx.as_deref_mut().and_then(
                        #[inline(always)]
                        |dx| dx.get_mut(step.checked_sub(back)?)?.data.0.get_mut(sample),
                    );
                    if let Some(dx) = dx {
                        let plus = |to: &mut T, value| *to += value;
                        transposed_product(simd, &self.weight, &taps, tap..tap + 1, dx, plus);
                    }
                }
            }
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(match A::KIND {
            Some(function) => Op::CausalConvolution {
                steps: STEPS,
                inputs: IN,
                outputs: OUT,
                taps: K,
                reach: REACH,
                weight: self.weight.as_flattened().as_flattened(),
                bias: &self.bias,
                function,
            },
            None => Op::Unknown { name: core::any::type_name::<A>() },
        });
    }
}

impl<const STEPS: usize, const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T>
    Stateful<Sequence<STEPS, IN>, T> for Conv1d<IN, OUT, K, REACH, A, T>
where
    A: RecurrentActivation,
    T: Real,
{
    type Carried = Ring<T, IN, REACH>;

    #[inline(always)]
    fn set_state<const B: usize>(cache: &mut Conv1dCache<T, IN, REACH, B>, column: usize, state: &Self::Carried) {
        if let Some(before) = cache.before.get_mut(column) {
            before.clone_from(state);
        }
    }

    #[inline(always)]
    fn get_state<const B: usize>(cache: &Conv1dCache<T, IN, REACH, B>, column: usize, state: &mut Self::Carried) {
        if let Some(after) = cache.after.get(column) {
            state.clone_from(after);
        }
    }
}

/// The state of [`Conv1d`] as a stream: a ring of the last `REACH` inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Ring<T, const IN: usize, const REACH: usize> {
    inputs: [[T; IN]; REACH],
    /// The earliest of them.
    first: usize,
}

impl<T: Real, const IN: usize, const REACH: usize> Zeroed for Ring<T, IN, REACH> {
    const ZEROED: Self = Ring { inputs: [[T::ZERO; IN]; REACH], first: 0 };
}

#[cfg(feature = "serde")]
impl<T: crate::model::StateValues, const IN: usize, const REACH: usize> crate::model::StateValues
    for Ring<T, IN, REACH>
{
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        self.inputs.values(each);
        self.first.values(each);
    }
}

impl<T: Copy, const IN: usize, const REACH: usize> Ring<T, IN, REACH> {
    /// The input `back` steps before the next one, from 1 to `REACH`.
    #[inline(always)]
    fn back(&self, back: usize) -> Option<&[T; IN]> {
        let place = self.first + REACH.checked_sub(back)?;
        self.inputs.get(if place >= REACH { place - REACH } else { place })
    }

    /// Replaces the earliest input by the latest one.
    #[inline(always)]
    fn push(&mut self, x: &[T; IN]) {
        if let Some(earliest) = self.inputs.get_mut(self.first) {
            *earliest = *x;
        }
        self.first = if self.first + 1 < REACH { self.first + 1 } else { 0 };
    }
}

impl<const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T> Stream<Features<IN>, T>
    for Conv1d<IN, OUT, K, REACH, A, T>
where
    A: RecurrentActivation,
    T: Real,
{
    type Out = Features<OUT>;
    type State = Ring<T, IN, REACH>;

    #[inline(always)]
    fn infer_step<S: Simd>(&self, simd: S, ring: &mut Ring<T, IN, REACH>, x: &SVector<T, IN>, y: &mut SVector<T, OUT>) {
        let ([x], [y]) = (&x.data.0, &mut y.data.0);
        let taps = (0..K).map(
            #[inline(always)]
            |tap| match Self::back(tap) {
                0 => x,
                back => ring.back(back).unwrap_or(x),
            },
        );
        self.output(simd, taps, y);
        ring.push(x);
    }
}
