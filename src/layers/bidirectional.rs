//! [`Bidirectional`]: a recurrent layer over the sequence and another one over the reversed sequence.

use crate::activation::NoActivation;
use crate::kernel::recurrent::add;
use crate::model::layer::Internal;
use crate::model::{
    Description, Element, InputShape, Layer, Model, Network, Op, Parameter, Params, Pass, Position, Sequence, Shape,
    Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// A recurrent layer of type `L` over the sequence, and another one over the reversed sequence; the outputs of both for each
/// step, one after the other. `OUT` is twice the number of units, or it does not compile.
///
/// It is no stream: the first output depends on the last input.
///
/// # Shapes
///
/// `Sequence<STEPS, IN>` in, `Sequence<STEPS, OUT>` out.
///
/// # Formula
///
/// `y_t = [L1(x_1, .., x_t), L2(x_STEPS, .., x_t)]`. PyTorch equivalent: `bidirectional=True`; Keras equivalent:
/// `Bidirectional`, for which [`Last`](super::Last) is not the same: it takes the last output of each direction.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Bidirectional, Lstm, MeanOverTime};
/// use tuplenet::prelude::*;
///
/// type Net = (Bidirectional<Lstm<2, 8>, 16>, MeanOverTime, Dense<16, 3, Softmax>);
/// let network = Net::new(&mut seeded(0));
/// assert!(network.predict_one(&[[0.5, -0.5]; 10])[0] > 0.0);
/// ```
///
/// ```compile_fail,E0277
/// # use tuplenet::layers::{Bidirectional, Lstm, MeanOverTime};
/// # use tuplenet::prelude::*;
/// # type Net = (Bidirectional<Lstm<2, 8>, 16>, MeanOverTime, Dense<16, 3, Softmax>);
/// let network = Net::new(&mut seeded(0));
/// let state = network.state(); // not a stream
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("BiLSTM"))]
pub struct Bidirectional<L, const OUT: usize> {
    /// The layer over the sequence.
    pub forward: L,
    /// The layer over the reversed sequence.
    pub reverse: L,
}

impl<L: Zeroed, const OUT: usize> Zeroed for Bidirectional<L, OUT> {
    const ZEROED: Self = Bidirectional { forward: L::ZEROED, reverse: L::ZEROED };
}

impl<L: Params, const OUT: usize> Params for Bidirectional<L, OUT> {
    const PARAMETERS: usize = 2 * L::PARAMETERS;
    const TOGETHER: usize = L::TOGETHER;

    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        self.forward.initialize(rng);
        self.reverse.initialize(rng);
    }

    #[inline(always)]
    fn update_buffers(&mut self, gradient: &mut Self) {
        self.forward.update_buffers(&mut gradient.forward);
        self.reverse.update_buffers(&mut gradient.reverse);
    }

    #[inline(always)]
    fn merge_buffers(&mut self, part: &mut Self) {
        self.forward.merge_buffers(&mut part.forward);
        self.reverse.merge_buffers(&mut part.reverse);
    }
}

/// Visits with the names that PyTorch has for the other direction.
struct Reverse<'a, V>(&'a mut V);

/// The parameter with the name that PyTorch has for the other direction.
pub(crate) const fn reverse(parameter: Parameter) -> Parameter {
    let name = match parameter.name.as_bytes() {
        b"weight_ih_l0" => "weight_ih_l0_reverse",
        b"weight_hh_l0" => "weight_hh_l0_reverse",
        b"bias_ih_l0" => "bias_ih_l0_reverse",
        b"bias_hh_l0" => "bias_hh_l0_reverse",
        _ => parameter.name,
    };
    Parameter { name, ..parameter }
}

impl<T, V: Visitor<T>> Visitor<T> for Reverse<'_, V> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        self.0.slice(reverse(parameter), values);
    }

    #[inline(always)]
    fn buffer(&mut self, parameter: Parameter, values: &[T]) {
        self.0.buffer(reverse(parameter), values);
    }

    #[inline(always)]
    fn count(&mut self, parameter: Parameter, value: u64) {
        self.0.count(reverse(parameter), value);
    }

    #[inline(always)]
    fn enter(&mut self, element: Element) {
        self.0.enter(element);
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.0.leave();
    }
}

impl<T, V: VisitorMut<T, OTHERS>, const OTHERS: usize> VisitorMut<T, OTHERS> for Reverse<'_, V> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], others: [&mut [T]; OTHERS]) {
        self.0.slice(reverse(parameter), values, others);
    }

    #[inline(always)]
    fn buffer(&mut self, parameter: Parameter, values: &mut [T]) {
        self.0.buffer(reverse(parameter), values);
    }

    #[inline(always)]
    fn count(&mut self, parameter: Parameter, value: &mut u64) {
        self.0.count(reverse(parameter), value);
    }

    #[inline(always)]
    fn enter(&mut self, element: Element) {
        self.0.enter(element);
    }

    #[inline(always)]
    fn leave(&mut self) {
        self.0.leave();
    }
}

impl<T: Real, L: Visit<T>, const OUT: usize> Visit<T> for Bidirectional<L, OUT> {
    #[inline(always)]
    fn visit(&self, visitor: &mut impl Visitor<T>) {
        self.forward.visit(visitor);
        self.reverse.visit(&mut Reverse(visitor));
    }

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        mut others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<T, OTHERS>,
    ) {
        let forward = others.each_mut().map(
            #[inline(always)]
            |other| &mut other.forward,
        );
        self.forward.visit_mut(forward, visitor);
        let reverse = others.map(
            #[inline(always)]
            |other| &mut other.reverse,
        );
        self.reverse.visit_mut(reverse, &mut Reverse(visitor));
    }
}

impl<L: InputShape, const OUT: usize> InputShape for Bidirectional<L, OUT> {
    type In = L::In;
    type Scalar = L::Scalar;
}

impl<L, const OUT: usize> Network for Bidirectional<L, OUT> {}

/// What [`Bidirectional`] stores for its backward pass: the reversed inputs, and the outputs and caches of both layers.
pub struct BidirectionalCache<X, Y, C, const H: usize, const OUT: usize> {
    reversed: X,
    outputs: [Y; 2],
    caches: [C; 2],
}

impl<X, Y, C, const H: usize, const OUT: usize> core::fmt::Debug for BidirectionalCache<X, Y, C, H, OUT> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BidirectionalCache").finish_non_exhaustive()
    }
}

impl<X: Zeroed, Y: Zeroed, C: Zeroed, const H: usize, const OUT: usize> Zeroed for BidirectionalCache<X, Y, C, H, OUT> {
    const ZEROED: Self = {
        assert_twice(H, OUT);
        BidirectionalCache { reversed: X::ZEROED, outputs: Zeroed::ZEROED, caches: Zeroed::ZEROED }
    };
}

const fn assert_twice(units: usize, outputs: usize) {
    assert!(
        outputs == 2 * units,
        "the second parameter of `Bidirectional`, its number of outputs, is twice the number of units of its layer"
    );
}

/// Reverses the order of the first `steps`.
#[inline(always)]
fn reverse_steps<M, const STEPS: usize>(steps: usize, x: &mut [M; STEPS]) {
    if let Some(x) = x.get_mut(..steps) {
        x.reverse();
    }
}

/// Both outputs of each step, one after the other; the second are those of the reversed sequence.
#[inline(always)]
fn join<T: Real, const STEPS: usize, const H: usize, const OUT: usize, const B: usize>(
    steps: usize,
    [forward, reverse]: [&[SMatrix<T, H, B>; STEPS]; 2],
    y: &mut [SMatrix<T, OUT, B>; STEPS],
) {
    Sequence::clear_steps_from(y, steps);
    for ((forward, reverse), y) in forward.iter().zip(reverse.iter().take(steps).rev()).zip(y) {
        for ((forward, reverse), y) in forward.data.0.iter().zip(&reverse.data.0).zip(&mut y.data.0) {
            for (y, value) in y.iter_mut().zip(forward.iter().chain(reverse)) {
                *y = *value;
            }
        }
    }
}

impl<const STEPS: usize, const IN: usize, const H: usize, const OUT: usize, T: Real, L> Model<Sequence<STEPS, IN>, T>
    for Bidirectional<L, OUT>
where
    L: Model<Sequence<STEPS, IN>, T, Out = Sequence<STEPS, H>>,
{
    type Out = Sequence<STEPS, OUT>;

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        y: &mut [SMatrix<T, OUT, B>; STEPS],
    ) {
        const { assert_twice(H, OUT) };
        let steps = pass.steps(STEPS);
        let mut reversed = *x;
        reverse_steps(steps, &mut reversed);
        let mut outputs = <[[SMatrix<T, H, B>; STEPS]; 2]>::ZEROED;
        let [forward, reverse] = &mut outputs;
        self.forward.infer(pass.hidden(), x, forward);
        self.reverse.infer(pass.hidden(), &reversed, reverse);
        join(steps, outputs.each_ref(), y);
    }
}

impl<const STEPS: usize, const IN: usize, const H: usize, const OUT: usize, T: Real, L> Layer<Sequence<STEPS, IN>, T>
    for Bidirectional<L, OUT>
where
    L: Layer<Sequence<STEPS, IN>, T> + Model<Sequence<STEPS, IN>, T, Out = Sequence<STEPS, H>>,
{
    type Cache<const B: usize> =
        BidirectionalCache<[SMatrix<T, IN, B>; STEPS], [SMatrix<T, H, B>; STEPS], L::Cache<B>, H, OUT>;
    type LastActivation = NoActivation<Bidirectional<(), 0>>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &[SMatrix<T, IN, B>; STEPS],
        y: &mut [SMatrix<T, OUT, B>; STEPS],
        BidirectionalCache { reversed, outputs: [forward, reverse], caches: [cache, reverse_cache] }: &mut Self::Cache<
            B,
        >,
    ) {
        let steps = pass.steps(STEPS);
        *reversed = *x;
        reverse_steps(steps, reversed);
        self.forward.forward(pass.hidden(), x, forward, cache);
        self.reverse.forward(pass.hidden(), reversed, reverse, reverse_cache);
        join(steps, [forward, reverse], y);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, _): (&[SMatrix<T, IN, B>; STEPS], &[SMatrix<T, OUT, B>; STEPS]),
        BidirectionalCache { reversed, outputs: [forward, reverse], caches: [cache, reverse_cache] }: &mut Self::Cache<
            B,
        >,
        dy: &mut [SMatrix<T, OUT, B>; STEPS],
        gradient: &mut Self,
        dx: Option<&mut [SMatrix<T, IN, B>; STEPS]>,
    ) {
        let mut gradients = <[[SMatrix<T, H, B>; STEPS]; 2]>::ZEROED;
        let [dy_forward, dy_reverse] = &mut gradients;
        let steps = pass.steps(STEPS);
        let both = dy_forward.iter_mut().zip(dy_reverse.iter_mut().take(steps).rev());
        for ((dy_forward, dy_reverse), dy) in both.zip(&*dy) {
            let columns = dy_forward.data.0.iter_mut().zip(&mut dy_reverse.data.0).zip(&dy.data.0);
            for ((dy_forward, dy_reverse), dy) in columns {
                for (to, value) in dy_forward.iter_mut().chain(dy_reverse).zip(dy) {
                    *to = *value;
                }
            }
        }
        let pass = pass.hidden();
        let Some(dx) = dx else {
            self.forward.backward(pass, (x, forward), cache, dy_forward, &mut gradient.forward, None);
            self.reverse.backward(pass, (reversed, reverse), reverse_cache, dy_reverse, &mut gradient.reverse, None);
            return;
        };
        self.forward.backward(pass, (x, forward), cache, dy_forward, &mut gradient.forward, Some(&mut *dx));
        let mut other = <[SMatrix<T, IN, B>; STEPS]>::ZEROED;
        let xy = (&*reversed, &*reverse);
        self.reverse.backward(pass, xy, reverse_cache, dy_reverse, &mut gradient.reverse, Some(&mut other));
        for (dx, other) in dx.iter_mut().zip(other.iter().take(steps).rev()) {
            add(pass.simd(), other.as_slice(), dx.as_mut_slice());
        }
    }

    fn describe(position: Position, emit: &mut dyn FnMut(Description), _: Internal) {
        emit(Description::around::<Sequence<STEPS, IN>, T, Self>(position, "Bidirectional"));
        L::describe(position.inside(0), emit, Internal);
        L::describe(position.inside(1), emit, Internal);
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::DirectionsBegin { steps: STEPS, inputs: IN });
        self.forward.operations(emit);
        emit(Op::Reversed);
        self.reverse.operations(emit);
        emit(Op::DirectionsEnd { outputs: OUT });
    }
}
