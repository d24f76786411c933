//! Layers between sequences and features: [`Last`], [`MeanOverTime`], [`MaxOverTime`], and [`Steps`], a layer for each step.
//! And the streams of the layers that have no state.

use super::{ALONE, BatchNorm, Dense, Dropout, Input, LayerNorm, Residual, around};
use crate::activation::{Activation, NoActivation, Softmax};
use crate::kernel::map;
use crate::kernel::recurrent::add;
use crate::model::layer::Internal;
use crate::model::{
    Batch, Description, Features, InputShape, Layer, Model, Network, Op, OverTime, Params, Pass, Position, Sequence,
    Shape, Stateful, Stream, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use crate::num::math::maximum;
use crate::{no_parameters, stateless};
use fearless_simd::{Select, Simd, SimdBase};
use nalgebra::{SMatrix, SVector};
use rand::Rng;

/// The last step of a sequence, such as the last output of a recurrent layer. As a stream it is every step.
///
/// # Shapes
///
/// `Sequence<STEPS, N>` in, `Features<N>` out.
///
/// # Formula
///
/// `y = x_STEPS`. PyTorch equivalent: `x[:, -1]`; Keras equivalent: `return_sequences=False`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Gru, Last};
/// use tuplenet::prelude::*;
///
/// type Net = (Gru<1, 8>, Last, Dense<8, 3, Softmax>);
/// let network = Net::new(&mut seeded(0));
/// assert!((network.predict_one(&[[0.5]; 10]).iter().sum::<f32>() - 1.0).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("return_sequences"))]
pub struct Last;

/// The mean over the steps of a sequence. As a stream it is the mean of the steps so far.
///
/// # Shapes
///
/// `Sequence<STEPS, N>` in, `Features<N>` out.
///
/// # Formula
///
/// `y = (x_1 + .. + x_STEPS) / STEPS`. PyTorch equivalent: `x.mean(dim=1)`; Keras equivalent: `GlobalAveragePooling1D`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::MeanOverTime;
/// use tuplenet::prelude::*;
///
/// assert_eq!(MeanOverTime.predict_one(&[[1.0, 5.0], [3.0, 5.0]]), [2.0, 5.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("GlobalAveragePooling1D", "mean pooling"))]
pub struct MeanOverTime;

/// The largest value of each feature over the steps of a sequence. As a stream it is the largest so far.
///
/// # Shapes
///
/// `Sequence<STEPS, N>` in, `Features<N>` out.
///
/// # Formula
///
/// `y = max(x_1, .., x_STEPS)`, feature by feature, NaN if one of them is; the gradient goes to the first step with that value. PyTorch equivalent:
/// `x.amax(dim=1)`, which shares the gradient between equal values; Keras equivalent: `GlobalMaxPooling1D`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::MaxOverTime;
/// use tuplenet::prelude::*;
///
/// assert_eq!(MaxOverTime.predict_one(&[[1.0, 5.0], [3.0, 4.0]]), [3.0, 5.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("GlobalMaxPooling1D", "max pooling"))]
pub struct MaxOverTime;

/// The largest values so far; `y` is that of the steps before, if there were any.
#[inline(always)]
fn raise<S: Simd, T: Real>(simd: S, x: &[T], y: &mut [T]) {
    map(
        simd,
        [y],
        [x],
        #[inline(always)]
        // Also where `y` is NaN, which the maximum passes over.
        |[y], [x]| [y.simd_eq(y).select(maximum(x, y), y)],
    );
}

#[inline(always)]
fn divide<T: Real>(values: &mut [T], count: usize) {
    let count = T::from_count(count);
    for value in values {
        *value /= count;
    }
}

macro_rules! over_time {
    ($name:ident, $kind:expr, |$pass:ident, $x:ident, $y:ident| $infer:block, |$back:ident, $xs:ident, $ys:ident, $dy:ident, $dx:ident| $backward:block) => {
        impl Zeroed for $name {
            const ZEROED: Self = $name;
        }

        no_parameters!([] $name);

        impl<const STEPS: usize, const N: usize, T: Real> Model<Sequence<STEPS, N>, T> for $name {
            type Out = Features<N>;
            const MACS: Option<usize> = Some(0);

            #[inline(always)]
            fn infer<S: Simd, const B: usize>(
                &self,
                $pass: Pass<S, B>,
                $x: &[SMatrix<T, N, B>; STEPS],
                $y: &mut SMatrix<T, N, B>,
            ) {
                const { assert!(STEPS > 0, "expected a sequence with at least one step, found none") };
                $infer
            }
        }

        impl<const STEPS: usize, const N: usize, T: Real> Layer<Sequence<STEPS, N>, T> for $name {
            type Cache<const B: usize> = ();
            type LastActivation = NoActivation<Self>;

            #[inline(always)]
            fn backward<S: Simd, const B: usize>(
                &self,
                $back: Pass<S, B>,
                ($xs, $ys): (&[SMatrix<T, N, B>; STEPS], &SMatrix<T, N, B>),
                (): &mut (),
                $dy: &mut SMatrix<T, N, B>,
                _: &mut Self,
                dx: Option<&mut [SMatrix<T, N, B>; STEPS]>,
            ) {
                let Some($dx) = dx else { return };
                $backward
            }

            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                emit(Op::OverTime { steps: STEPS, size: N, kind: $kind });
            }
        }
    };
}

over_time!(
    Last,
    OverTime::LastStep,
    |pass, x, y| {
        if let Some(last) = x.iter().take(pass.steps(STEPS)).next_back() {
            y.clone_from(last);
        }
    },
    |pass, _x, _y, dy, dx| {
        let steps = pass.steps(STEPS);
        for (step, dx) in dx.iter_mut().enumerate() {
            if step + 1 == steps {
                dx.clone_from(dy);
            } else {
                dx.as_mut_slice().fill(T::ZERO);
            }
        }
    }
);

over_time!(
    MeanOverTime,
    OverTime::MeanOfSteps,
    |pass, x, y| {
        y.as_mut_slice().fill(T::ZERO);
        let steps = pass.steps(STEPS);
        for step in x.iter().take(steps) {
            add(pass.simd(), step.as_slice(), y.as_mut_slice());
        }
        divide(y.as_mut_slice(), steps);
    },
    |pass, _x, _y, dy, dx| {
        let steps = pass.steps(STEPS);
        divide(dy.as_mut_slice(), steps);
        for step in dx.iter_mut().take(steps) {
            step.clone_from(dy);
        }
        Sequence::clear_steps_from(dx, steps);
    }
);

over_time!(
    MaxOverTime,
    OverTime::LargestOfSteps,
    |pass, x, y| {
        if let Some((first, others)) = x.split_first() {
            y.clone_from(first);
            for step in others.iter().take(pass.steps(STEPS).saturating_sub(1)) {
                raise(pass.simd(), step.as_slice(), y.as_mut_slice());
            }
        }
    },
    |pass, x, y, dy, dx| {
        let steps = pass.steps(STEPS);
        Sequence::clear_steps_from(dx, steps);
        for (x, dx) in x.iter().zip(dx).take(steps) {
            let values = x.as_slice().iter().zip(y.as_slice()).zip(dy.as_mut_slice());
            for (((x, y), dy), dx) in values.zip(dx.as_mut_slice()) {
                // What is passed to a step does not arrive at a later one.
                let mine = if x == y { *dy } else { T::ZERO };
                *dy -= mine;
                *dx = mine;
            }
        }
    }
);

impl<const N: usize, T: Real> Stream<Features<N>, T> for Last {
    type Out = Features<N>;
    type State = ();

    #[inline(always)]
    fn infer_step<S: Simd>(&self, _: S, (): &mut (), x: &SVector<T, N>, y: &mut SVector<T, N>) {
        y.clone_from(x);
    }
}

/// The state of [`MeanOverTime`] and [`MaxOverTime`] as streams: the sum or the largest values of the steps so far, and
/// their number.
#[derive(Clone, Debug, PartialEq)]
pub struct SoFar<T, const N: usize> {
    values: SVector<T, N>,
    steps: usize,
}

#[cfg(feature = "serde")]
impl<T: crate::model::StateValues, const N: usize> crate::model::StateValues for SoFar<T, N> {
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        self.values.values(each);
        self.steps.values(each);
    }
}

impl<T: Real, const N: usize> Zeroed for SoFar<T, N> {
    const ZEROED: Self = SoFar { values: Zeroed::ZEROED, steps: 0 };
}

impl<const N: usize, T: Real> Stream<Features<N>, T> for MeanOverTime {
    type Out = Features<N>;
    type State = SoFar<T, N>;

    #[inline(always)]
    fn infer_step<S: Simd>(&self, simd: S, state: &mut SoFar<T, N>, x: &SVector<T, N>, y: &mut SVector<T, N>) {
        add(simd, x.as_slice(), state.values.as_mut_slice());
        state.steps = state.steps.saturating_add(1);
        y.clone_from(&state.values);
        divide(y.as_mut_slice(), state.steps);
    }
}

impl<const N: usize, T: Real> Stream<Features<N>, T> for MaxOverTime {
    type Out = Features<N>;
    type State = SoFar<T, N>;

    #[inline(always)]
    fn infer_step<S: Simd>(&self, simd: S, state: &mut SoFar<T, N>, x: &SVector<T, N>, y: &mut SVector<T, N>) {
        if state.steps == 0 {
            state.values.clone_from(x);
        } else {
            raise(simd, x.as_slice(), state.values.as_mut_slice());
        }
        state.steps = state.steps.saturating_add(1);
        y.clone_from(&state.values);
    }
}

/// A layer, or a tuple of layers, for each step of a sequence, with the same weights. A [`Dropout`] inside it zeroes the
/// same features at all steps. A [`BatchNorm`] normalizes each step by itself, over the samples, and its running statistics
/// follow one step after the other, as if each were a batch.
///
/// # Shapes
///
/// `Sequence<STEPS, IN>` in, `Sequence<STEPS, OUT>` out, for a layer from `Features<IN>` to `Features<OUT>`.
///
/// # Formula
///
/// `y_t = L(x_t)`. Keras equivalent: `TimeDistributed`; layers of PyTorch do so without being told.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Lstm, Steps};
/// use tuplenet::prelude::*;
///
/// type Net = (Lstm<1, 8>, Steps<Dense<8, 1, Identity>>);
/// let outputs: [[f32; 1]; 20] = Net::new(&mut seeded(0)).predict_one(&[[0.5]; 20]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("TimeDistributed"))]
pub struct Steps<L>(pub L);

around!(Steps);

impl<const IN: usize, L: InputShape<In = Features<IN>>> InputShape for Steps<L> {
    type In = Sequence<1, IN>;
    type Scalar = L::Scalar;
}

impl<L> Network for Steps<L> {}

impl<const STEPS: usize, const IN: usize, const OUT: usize, T: Real, L> Model<Sequence<STEPS, IN>, T> for Steps<L>
where
    L: Model<Features<IN>, T, Out = Features<OUT>>,
{
    type Out = Sequence<STEPS, OUT>;

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        y: &mut [SMatrix<T, OUT, B>; STEPS],
    ) {
        let steps = pass.steps(STEPS);
        for (x, y) in x.iter().zip(&mut *y).take(steps) {
            self.0.infer(pass, x, y);
        }
        Sequence::clear_steps_from(y, steps);
    }
}

impl<const STEPS: usize, const IN: usize, const OUT: usize, T: Real, L> Layer<Sequence<STEPS, IN>, T> for Steps<L>
where
    L: Layer<Features<IN>, T> + Model<Features<IN>, T, Out = Features<OUT>>,
{
    type Cache<const B: usize> = [L::Cache<B>; STEPS];
    type LastActivation = L::LastActivation;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        y: &mut [SMatrix<T, OUT, B>; STEPS],
        cache: &mut [L::Cache<B>; STEPS],
    ) {
        let steps = pass.steps(STEPS);
        for ((x, y), cache) in x.iter().zip(&mut *y).zip(cache).take(steps) {
            self.0.forward(pass, x, y, cache);
        }
        Sequence::clear_steps_from(y, steps);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, y): (&[SMatrix<T, IN, B>; STEPS], &[SMatrix<T, OUT, B>; STEPS]),
        cache: &mut [L::Cache<B>; STEPS],
        dy: &mut [SMatrix<T, OUT, B>; STEPS],
        gradient: &mut Self,
        mut dx: Option<&mut [SMatrix<T, IN, B>; STEPS]>,
    ) {
        // The gradient is zero for the first step at most.
        let mut each = Pass::new(pass.simd(), pass.len()).with_offset(pass.offset());
        if !pass.is_training() {
            each = each.in_evaluation();
        }
        if pass.stops_at_logits() {
            each = each.stop_at_logits();
        }
        let steps = pass.steps(STEPS);
        if let Some(dx) = dx.as_deref_mut() {
            Sequence::clear_steps_from(dx, steps);
        }
        for (step, ((x, y), (cache, dy))) in x.iter().zip(y).zip(cache.iter_mut().zip(dy)).enumerate().take(steps) {
            let dx = dx.as_deref_mut().and_then(
                #[inline(always)]
                |dx| dx.get_mut(step),
            );
            self.0.backward(each, (x, y), cache, dy, &mut gradient.0, dx);
            each = each.once_more();
        }
    }

    fn describe(position: Position, emit: &mut dyn FnMut(Description), _: Internal) {
        emit(Description::around::<Sequence<STEPS, IN>, T, Self>(position, "Steps"));
        // What one step costs, as many times as there are steps.
        L::describe(
            position.inside(0),
            &mut |mut inside| {
                if let Some(cost) = &mut inside.cost {
                    cost.macs = cost.macs.map(|macs| STEPS * macs);
                }
                emit(inside);
            },
            Internal,
        );
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::StepsBegin { steps: STEPS, inputs: IN });
        self.0.operations(emit);
        emit(Op::StepsEnd { outputs: OUT });
    }
}

impl<In: Shape, T: Real, L: Stream<In, T>> Stream<In, T> for Steps<L> {
    type Out = L::Out;
    type State = L::State;

    #[inline(always)]
    fn infer_step<S: Simd>(&self, simd: S, state: &mut L::State, x: &Batch<In, T, 1>, y: &mut Batch<L::Out, T, 1>) {
        self.0.infer_step(simd, state, x, y);
    }
}

impl<In: Shape, T: Real, L: Stream<In, T, Out = In>> Stream<In, T> for Residual<L> {
    type Out = In;
    type State = L::State;

    #[inline(always)]
    fn infer_step<S: Simd>(&self, simd: S, state: &mut L::State, x: &Batch<In, T, 1>, y: &mut Batch<In, T, 1>) {
        self.0.infer_step(simd, state, x, y);
        add(simd, In::as_slice(x), In::as_mut_slice(y));
    }
}

impl<const STEPS: usize, const N: usize, T: Real> Stateful<Sequence<STEPS, N>, T> for Last {
    type Carried = ();
}

impl<const STEPS: usize, const IN: usize, const OUT: usize, T: Real, L> Stateful<Sequence<STEPS, IN>, T> for Steps<L>
where
    L: Stateful<Features<IN>, T> + Model<Features<IN>, T, Out = Features<OUT>>,
{
    type Carried = L::Carried;
}

impl<In: Shape, T: Real> Stateful<In, T> for Input<In, T> {
    type Carried = ();
}

/// An `Input` passes every step.
impl<const N: usize, In: crate::model::OneStep<Step = Features<N>>, T: Real> Stream<Features<N>, T> for Input<In, T> {
    type Out = Features<N>;
    type State = ();

    #[inline(always)]
    fn infer_step<S: Simd>(&self, _: S, (): &mut (), x: &SVector<T, N>, y: &mut SVector<T, N>) {
        y.clone_from(x);
    }
}

stateless!([const IN: usize, const OUT: usize, A: Activation, T: Real] Dense<IN, OUT, A, T>, Features<IN>, T);
stateless!([const N: usize, T: Real, const EPSILON_NANOS: u64] LayerNorm<N, T, EPSILON_NANOS>, Features<N>, T);
stateless!([const N: usize, T: Real] BatchNorm<N, T>, Features<N>, T);
stateless!([In: Shape, T: Real, const PERCENT: u32] Dropout<PERCENT>, In, T);
stateless!([const N: usize, T: Real] Softmax, Features<N>, T);
