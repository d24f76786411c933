//! Recurrent layers: [`Rnn`], [`Gru`] and [`Lstm`]. What they have in common: the parameters, by the names that PyTorch has
//! for them, and the loops over steps and samples. What differs is a step forward and a step backward: [`Cell`].

mod gru;
mod lstm;
mod rnn;

pub use gru::{After, Before, Gru, Reset};
pub use lstm::Lstm;
pub use rnn::{RecurrentActivation, Rnn};

use crate::model::{Pass, Sequence, Shape, Zeroed};
use crate::num::math::{self, splat};
use crate::num::target::LOOPS_IN_LANES;
use crate::num::{Lanes, Real};
use fearless_simd::Simd;
use nalgebra::SMatrix;

/// The value of a gate, from the sum of the products with the inputs and that with the state.
#[inline(always)]
fn gate<S: Simd, T: Real>(simd: S, input: Lanes<S, T>, sum: Lanes<S, T>) -> Lanes<S, T> {
    math::gate::<S, T>(simd, input + sum)
}

/// The derivative of a gate of the value `y`.
#[inline(always)]
fn gate_derivative<S: Simd, T: Real>(simd: S, y: Lanes<S, T>) -> Lanes<S, T> {
    y * (splat::<S, T>(simd, 1.0) - y)
}

/// Sets a value.
#[inline(always)]
fn set<T>(to: &mut T, value: T) {
    *to = value;
}

/// Adds to a value.
#[inline(always)]
fn plus<T: Real>(to: &mut T, value: T) {
    *to += value;
}

/// What a recurrent layer stores for its backward pass: `VALUES` vectors for each step and sample, its gates.
/// And the states `ST` of the samples, before the first step and after the last one, for windows of a longer sequence.
#[derive(Clone)]
pub struct RecurrentCache<T, ST, const STEPS: usize, const VALUES: usize, const H: usize, const B: usize> {
    values: [[[[T; H]; VALUES]; B]; STEPS],
    before: [ST; B],
    after: [ST; B],
}

impl<T, ST, const STEPS: usize, const VALUES: usize, const H: usize, const B: usize> core::fmt::Debug
    for RecurrentCache<T, ST, STEPS, VALUES, H, B>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RecurrentCache").finish_non_exhaustive()
    }
}

impl<T: Real, ST: Zeroed, const STEPS: usize, const VALUES: usize, const H: usize, const B: usize> Zeroed
    for RecurrentCache<T, ST, STEPS, VALUES, H, B>
{
    const ZEROED: Self =
        RecurrentCache { values: [[[[T::ZERO; H]; VALUES]; B]; STEPS], before: Zeroed::ZEROED, after: Zeroed::ZEROED };
}

/// A step of a recurrent layer with `H` units, whose cache has `VALUES` vectors.
trait Cell<T: Real, const IN: usize, const H: usize, const VALUES: usize>: Sized {
    /// What is carried from step to step: in the forward pass the state, in the backward pass the gradient by it.
    type State: Zeroed + Copy;

    /// The output of the step that has left this state.
    fn output(state: &Self::State) -> &[T; H];

    /// A step forward: from the input `x` and the state to the output `y`, the next state, and what the backward pass needs.
    fn step_forward<S: Simd>(
        &self,
        simd: S,
        x: &[T; IN],
        state: &mut Self::State,
        cache: &mut [[T; H]; VALUES],
        y: &mut [T; H],
    );

    /// [`step_forward`](Self::step_forward) with the same bits and without a cache.
    #[inline(always)]
    fn step_infer<S: Simd>(&self, simd: S, x: &[T; IN], state: &mut Self::State, y: &mut [T; H]) {
        self.step_forward(simd, x, state, &mut [[T::ZERO; H]; VALUES], y);
    }

    /// A step backward: `values` are the input, the output of the step before and that of this one, `gradients` those by this
    /// output and by the state after the step, which becomes that by the state before it. `TOGETHER` is whether
    /// [`add_gradient`](Self::add_gradient) is called for all samples together, with the cache that this leaves.
    fn step_back<S: Simd, const TOGETHER: bool>(
        &self,
        simd: S,
        values: (&[T; IN], &[T; H], &[T; H]),
        cache: &mut [[T; H]; VALUES],
        gradients: (&[T; H], &mut Self::State),
        gradient: &mut Self,
        dx: Option<&mut [T; IN]>,
    );

    /// Adds the gradient by the parameters of a step, of all its samples: their inputs, the outputs of the step before, and what
    /// [`step_back`](Self::step_back) has left in the cache.
    fn add_gradient<S: Simd>(
        simd: S,
        x: &[[T; IN]],
        before: &[[T; H]],
        cache: &[[[T; H]; VALUES]],
        gradient: &mut Self,
    );
}

/// The whole sequence in prediction.
#[inline(always)]
fn infer<
    S: Simd,
    T: Real,
    C: Cell<T, IN, H, VALUES>,
    const STEPS: usize,
    const IN: usize,
    const H: usize,
    const VALUES: usize,
    const B: usize,
>(
    layer: &C,
    pass: Pass<S, B>,
    x: &[SMatrix<T, IN, B>; STEPS],
    y: &mut [SMatrix<T, H, B>; STEPS],
) {
    let mut states = [C::State::ZEROED; B];
    let steps = pass.steps(STEPS);
    for (x, y) in x.iter().zip(&mut *y).take(steps) {
        let samples = x.data.0.iter().zip(&mut y.data.0).zip(&mut states).take(pass.len());
        for ((x, y), state) in samples {
            layer.step_infer(pass.simd(), x, state, y);
        }
    }
    Sequence::clear_steps_from(y, steps);
}

/// The whole sequence in training.
#[inline(always)]
fn forward<
    S: Simd,
    T: Real,
    C: Cell<T, IN, H, VALUES>,
    const STEPS: usize,
    const IN: usize,
    const H: usize,
    const VALUES: usize,
    const B: usize,
>(
    layer: &C,
    pass: Pass<S, B>,
    x: &[SMatrix<T, IN, B>; STEPS],
    y: &mut [SMatrix<T, H, B>; STEPS],
    cache: &mut RecurrentCache<T, C::State, STEPS, VALUES, H, B>,
) {
    let mut states = if pass.continues() { cache.before } else { [C::State::ZEROED; B] };
    let steps = pass.steps(STEPS);
    for ((x, y), cache) in x.iter().zip(&mut *y).zip(&mut cache.values).take(steps) {
        let samples = x.data.0.iter().zip(&mut y.data.0).zip(cache).zip(&mut states).take(pass.len());
        for (((x, y), cache), state) in samples {
            layer.step_forward(pass.simd(), x, state, cache, y);
        }
    }
    if pass.continues() {
        cache.after = states;
    }
    Sequence::clear_steps_from(y, steps);
}

/// Whether the gradient by the parameters is added up for all samples of a step together, so that its sums stay in registers.
const TOGETHER: bool = LOOPS_IN_LANES;

/// Backpropagation through time.
#[inline(always)]
fn backward<
    S: Simd,
    T: Real,
    C: Cell<T, IN, H, VALUES>,
    const STEPS: usize,
    const IN: usize,
    const H: usize,
    const VALUES: usize,
    const B: usize,
>(
    layer: &C,
    pass: Pass<S, B>,
    (x, y): (&[SMatrix<T, IN, B>; STEPS], &[SMatrix<T, H, B>; STEPS]),
    cache: &mut RecurrentCache<T, C::State, STEPS, VALUES, H, B>,
    dy: &[SMatrix<T, H, B>; STEPS],
    gradient: &mut C,
    mut dx: Option<&mut [SMatrix<T, IN, B>; STEPS]>,
) {
    let mut dstates = [C::State::ZEROED; B];
    let mut start = SMatrix::<T, H, B>::ZEROED;
    if pass.continues() {
        for (start, state) in start.data.0.iter_mut().zip(&cache.before) {
            *start = *C::output(state);
        }
    }
    let steps = pass.steps(STEPS);
    if let Some(dx) = dx.as_deref_mut() {
        Sequence::clear_steps_from(dx, steps);
    }
    let each_step = x.iter().zip(y).zip(cache.values.iter_mut().zip(dy)).enumerate().take(steps);
    for (step, ((x, y_here), (cache, dy))) in each_step.rev() {
        let before = step.checked_sub(1).and_then(
            #[inline(always)]
            |before| y.get(before),
        );
        let before = before.unwrap_or(&start);
        let outputs = before.data.0.iter().zip(&y_here.data.0);
        let samples =
            x.data.0.iter().zip(outputs).zip(cache.iter_mut()).zip(&dy.data.0).zip(&mut dstates).take(pass.len());
        for (sample, ((((x, (before, y)), cache), dy), dstate)) in samples.enumerate() {
            let dx = dx.as_deref_mut().and_then(
                #[inline(always)]
                |dx| dx.get_mut(step)?.data.0.get_mut(sample),
            );
            if const { TOGETHER && B > 1 } {
                layer.step_back::<S, true>(pass.simd(), (x, before, y), cache, (dy, dstate), gradient, dx);
            } else {
                layer.step_back::<S, false>(pass.simd(), (x, before, y), cache, (dy, dstate), gradient, dx);
            }
        }
        if const { TOGETHER && B > 1 } {
            let len = pass.len();
            C::add_gradient(pass.simd(), &x.data.0[..len], &before.data.0[..len], &cache[..len], gradient);
        }
    }
}

/// Defines a recurrent layer: the struct with its parameters, and everything but the cell.
macro_rules! recurrent {
    (
        $(#[$about:meta])*
        $name:ident, $text:literal, $gates:literal gates, $values:literal values, |T, H| $state:ty,
        [$($kind:ident $(: $bound:ident)? = $default:ty)?], [$($all_of:tt)*], $cell:expr
    ) => {
        $(#[$about])*
        #[cfg_attr(target_arch = "x86_64", repr(align(64)))]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(bound = "T: Real", deny_unknown_fields)
        )]
        pub struct $name<const IN: usize, const H: usize, $($kind = $default,)? T = f32> {
            /// The weights by the inputs: for each input those of all gates, gate by gate.
            #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::gates"))]
            pub weight_ih: [[[T; H]; $gates]; IN],
            /// The recurrent weights, by the state: for each of its elements those of all gates.
            #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::gates"))]
            pub weight_hh: [[[T; H]; $gates]; H],
            /// The bias beside the weights by the inputs.
            #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::gate_biases"))]
            pub bias_ih: [[T; H]; $gates],
            /// The bias beside the recurrent weights.
            #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::gate_biases"))]
            pub bias_hh: [[T; H]; $gates],
            #[cfg_attr(feature = "serde", serde(skip))]
            kind: PhantomData<($($kind,)?)>,
        }

        impl<const IN: usize, const H: usize, $($kind,)? T: Real> $name<IN, H, $($kind,)? T> {
            /// Creates the layer from the weights by each input, those by each element of the state, and the biases.
            #[must_use]
            pub const fn from_columns(
                weight_ih: [[[T; H]; $gates]; IN],
                weight_hh: [[[T; H]; $gates]; H],
                bias_ih: [[T; H]; $gates],
                bias_hh: [[T; H]; $gates],
            ) -> Self {
                const { Self::assert_sizes() };
                $name { weight_ih, weight_hh, bias_ih, bias_hh, kind: PhantomData }
            }

            const fn assert_sizes() {
                assert!(
                    IN > 0 && H > 0,
                    concat!("expected a `", $text, "` layer with at least one input and one unit, found a size of zero")
                );
            }

            const ROWS: usize = $gates * H;
            pub(crate) const PARAMETERS: [Parameter; 4] = [
                Parameter { name: "weight_ih_l0", kind: Kind::Weight, rows: Self::ROWS, columns: IN },
                Parameter { name: "weight_hh_l0", kind: Kind::Weight, rows: Self::ROWS, columns: H },
                Parameter { name: "bias_ih_l0", kind: Kind::Bias, rows: Self::ROWS, columns: 1 },
                Parameter { name: "bias_hh_l0", kind: Kind::Bias, rows: Self::ROWS, columns: 1 },
            ];

            #[inline(always)]
            fn slices_mut(&mut self) -> [&mut [T]; 4] {
                [
                    self.weight_ih.as_flattened_mut().as_flattened_mut(),
                    self.weight_hh.as_flattened_mut().as_flattened_mut(),
                    self.bias_ih.as_flattened_mut(),
                    self.bias_hh.as_flattened_mut(),
                ]
            }
        }

        impl<const IN: usize, const H: usize, $($kind,)? T: Clone> Clone for $name<IN, H, $($kind,)? T> {
            fn clone(&self) -> Self {
                $name {
                    weight_ih: self.weight_ih.clone(),
                    weight_hh: self.weight_hh.clone(),
                    bias_ih: self.bias_ih.clone(),
                    bias_hh: self.bias_hh.clone(),
                    kind: PhantomData,
                }
            }
        }

        impl<const IN: usize, const H: usize, $($kind,)? T: PartialEq> PartialEq for $name<IN, H, $($kind,)? T> {
            fn eq(&self, other: &Self) -> bool {
                self.weight_ih == other.weight_ih
                    && self.weight_hh == other.weight_hh
                    && self.bias_ih == other.bias_ih
                    && self.bias_hh == other.bias_hh
            }
        }

        impl<const IN: usize, const H: usize, $($kind,)? T: fmt::Debug> fmt::Debug for $name<IN, H, $($kind,)? T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($text)
                    .field("weight_ih", &self.weight_ih)
                    .field("weight_hh", &self.weight_hh)
                    .field("bias_ih", &self.bias_ih)
                    .field("bias_hh", &self.bias_hh)
                    .finish()
            }
        }

        impl<const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real> Zeroed for $name<IN, H, $($kind,)? T> {
            const ZEROED: Self = {
                Self::assert_sizes();
                $($all_of)*
                $name {
                    weight_ih: Zeroed::ZEROED,
                    weight_hh: Zeroed::ZEROED,
                    bias_ih: Zeroed::ZEROED,
                    bias_hh: Zeroed::ZEROED,
                    kind: PhantomData,
                }
            };
        }

        impl<const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real> Params for $name<IN, H, $($kind,)? T> {
            const PARAMETERS: usize = $gates * H * (IN + H + 2);

            /// As PyTorch does: everything, also the biases, uniform in `[-limit, limit)`, with `limit = 1 / sqrt(H)`.
            fn initialize<G: Rng>(&mut self, rng: &mut G) {
                for values in self.slices_mut() {
                    // Uniform in `[-sqrt(3 / inputs), sqrt(3 / inputs))`.
                    LecunUniform.fill(rng, 3 * H, H, values);
                }
            }
        }

        impl<const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real> Visit<T> for $name<IN, H, $($kind,)? T> {
            #[inline(always)]
            fn visit(&self, visitor: &mut impl Visitor<T>) {
                let [weight_ih, weight_hh, bias_ih, bias_hh] = Self::PARAMETERS;
                visitor.slice(weight_ih, self.weight_ih.as_flattened().as_flattened());
                visitor.slice(weight_hh, self.weight_hh.as_flattened().as_flattened());
                visitor.slice(bias_ih, self.bias_ih.as_flattened());
                visitor.slice(bias_hh, self.bias_hh.as_flattened());
            }

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(
                &mut self,
                mut others: [&mut Self; OTHERS],
                visitor: &mut impl VisitorMut<T, OTHERS>,
            ) {
                let [weight_ih, weight_hh, bias_ih, bias_hh] = Self::PARAMETERS;
                macro_rules! slice {
                    ($parameter:ident, $field:ident $flattened:ident $again:ident) => {
                        visitor.slice(
                            $parameter,
                            self.$field.$flattened().$again(),
                            others.each_mut().map(
                                #[inline(always)]
                                |other| other.$field.$flattened().$again(),
                            ),
                        )
                    };
                }
                slice!(weight_ih, weight_ih as_flattened_mut as_flattened_mut);
                slice!(weight_hh, weight_hh as_flattened_mut as_flattened_mut);
                slice!(bias_ih, bias_ih as_flattened_mut as_mut);
                slice!(bias_hh, bias_hh as_flattened_mut as_mut);
            }
        }

        impl<const IN: usize, const H: usize, $($kind,)? T: Real> InputShape for $name<IN, H, $($kind,)? T> {
            type In = Sequence<1, IN>;
            type Scalar = T;
        }

        impl<const IN: usize, const H: usize, $($kind,)? T> Network for $name<IN, H, $($kind,)? T> {}

        impl<const STEPS: usize, const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real>
            Model<Sequence<STEPS, IN>, T> for $name<IN, H, $($kind,)? T>
        {
            type Out = Sequence<STEPS, H>;
            const MACS: Option<usize> = Some(STEPS * $gates * H * (IN + H));

            #[inline(always)]
            fn infer<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &[SMatrix<T, IN, B>; STEPS],
                y: &mut [SMatrix<T, H, B>; STEPS],
            ) {
                super::infer::<S, T, Self, STEPS, IN, H, $values, B>(self, pass, x, y);
            }
        }

        impl<const STEPS: usize, const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real>
            Layer<Sequence<STEPS, IN>, T> for $name<IN, H, $($kind,)? T>
        {
            type Cache<const B: usize> = RecurrentCache<T, $state, STEPS, $values, H, B>;
            type LastActivation = NoActivation<$name<0, 0>>;

            #[inline(always)]
            fn forward<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &[SMatrix<T, IN, B>; STEPS],
                y: &mut [SMatrix<T, H, B>; STEPS],
                cache: &mut Self::Cache<B>,
            ) {
                super::forward::<S, T, Self, STEPS, IN, H, $values, B>(self, pass, x, y, cache);
            }

            #[inline(always)]
            fn backward<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                xy: (&[SMatrix<T, IN, B>; STEPS], &[SMatrix<T, H, B>; STEPS]),
                cache: &mut Self::Cache<B>,
                dy: &mut [SMatrix<T, H, B>; STEPS],
                gradient: &mut Self,
                dx: Option<&mut [SMatrix<T, IN, B>; STEPS]>,
            ) {
                super::backward::<S, T, Self, STEPS, IN, H, $values, B>(self, pass, xy, cache, dy, gradient, dx);
            }

            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                let cell: Option<RecurrentCell> = $cell;
                emit(match cell {
                    Some(cell) => Op::Recurrent {
                        steps: STEPS,
                        inputs: IN,
                        units: H,
                        cell,
                        weight_ih: self.weight_ih.as_flattened().as_flattened(),
                        weight_hh: self.weight_hh.as_flattened().as_flattened(),
                        bias_ih: self.bias_ih.as_flattened(),
                        bias_hh: self.bias_hh.as_flattened(),
                    },
                    None => Op::Unknown { name: core::any::type_name::<Self>() },
                });
            }
        }

        impl<const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real> Stream<Features<IN>, T>
            for $name<IN, H, $($kind,)? T>
        {
            type Out = Features<H>;
            type State = $state;

            #[inline(always)]
            fn infer_step<S: Simd>(
                &self,
                simd: S,
                state: &mut Self::State,
                x: &SVector<T, IN>,
                y: &mut SVector<T, H>,
            ) {
                let ([x], [y]) = (&x.data.0, &mut y.data.0);
                self.step_infer(simd, x, state, y);
            }
        }

        impl<const STEPS: usize, const IN: usize, const H: usize, $($kind $(: $bound)?,)? T: Real>
            Stateful<Sequence<STEPS, IN>, T> for $name<IN, H, $($kind,)? T>
        {
            type Carried = $state;

            #[inline(always)]
            fn set_state<const B: usize>(
                cache: &mut RecurrentCache<T, $state, STEPS, $values, H, B>,
                column: usize,
                state: &$state,
            ) {
                if let Some(before) = cache.before.get_mut(column) {
                    *before = *state;
                }
            }

            #[inline(always)]
            fn get_state<const B: usize>(
                cache: &RecurrentCache<T, $state, STEPS, $values, H, B>,
                column: usize,
                state: &mut $state,
            ) {
                if let Some(after) = cache.after.get(column) {
                    *state = *after;
                }
            }
        }
    };
}
use recurrent;
