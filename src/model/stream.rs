//! [`Stream`]: networks that are asked step by step, with the state in the caller's hands.

use crate::data::shape::Sequence;
use crate::model::{Aligned, Batch, Features, InputShape, Shape, Zeroed};
use crate::num::Real;
use core::array::from_ref;
use fearless_simd::Simd;

/// A layer, or a chain of layers, that predicts one step of a sequence after the other. What it needs of the steps before
/// is its state, which belongs to the caller: several streams through one network each have their own.
///
/// A stream computes the same bits as the whole sequence does in one call. Users call
/// [`Network::state`](crate::model::Network::state), [`Network::step`](crate::model::Network::step) and
/// [`Network::run`](crate::model::Network::run).
///
/// # Shapes
///
/// `In` is the shape of one step, `Features<N>` for a network that takes `Sequence<STEPS, N>`.
#[diagnostic::on_unimplemented(
    message = "not a stream: `{Self}` does not accept `{In}` of `{T}`, one step after the other",
    label = "`{In}` of `{T}` arrives at `{Self}`, one step after the other",
    note = "a layer that needs the steps to come, such as `Bidirectional`, can't be asked step by step",
    note = "for a layer of your own without a state write `tuplenet::stateless!`"
)]
pub trait Stream<In: Shape, T: Real> {
    /// The shape of the output of one step.
    type Out: Shape;

    /// What the layer keeps from step to step: `()` if that is nothing. Zero is the state before the first step.
    type State: Zeroed;

    /// Computes the output `y` of the next step `x`, and changes the state.
    fn infer_step<S: Simd>(
        &self,
        simd: S,
        state: &mut Self::State,
        x: &Batch<In, T, 1>,
        y: &mut Batch<Self::Out, T, 1>,
    );
}

/// What one step of a sequence is: `Features<N>` for `Sequence<STEPS, N>`.
pub trait OneStep: Shape {
    /// The shape of one step.
    type Step: Shape;
}

impl<const STEPS: usize, const N: usize> OneStep for Sequence<STEPS, N> {
    type Step = Features<N>;
}

impl<const N: usize> OneStep for Features<N> {
    type Step = Features<N>;
}

/// The shape of one step of what the network `N` accepts.
pub type Step<N> = <<N as InputShape>::In as OneStep>::Step;

/// The state of the stream through the network `N`.
pub type StreamState<N> = <N as Stream<Step<N>, <N as InputShape>::Scalar>>::State;

/// One output of the stream through the network `N`.
pub type StreamOut<N> =
    <<N as Stream<Step<N>, <N as InputShape>::Scalar>>::Out as Shape>::Sample<<N as InputShape>::Scalar>;

/// Makes a stream of a layer that needs nothing of the steps before: it does with each step what it does with a sample. The
/// arguments are the generic parameters, the layer, the shape of a step and the scalar type.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::Gru;
/// use tuplenet::model::{Model, Pass};
/// use tuplenet::prelude::*;
/// use tuplenet::simd::Simd;
///
/// tuplenet::parameters! {
///     /// A factor for each feature.
///     #[derive(Clone, Debug, PartialEq)]
///     pub struct Scale<const N: usize; T> {
///         pub factor: [T; N] = Bias, |_rng| T::ONE,
///     }
/// }
///
/// impl<const N: usize, T: Real> Model<Features<N>, T> for Scale<N, T> {
///     type Out = Features<N>;
///
///     fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
///         for (x, y) in x.column_iter().zip(y.column_iter_mut()) {
///             x.iter().zip(y).zip(&self.factor).for_each(|((x, y), factor)| *y = *x * *factor);
///         }
///     }
/// }
///
/// tuplenet::stateless!([const N: usize, T: Real] Scale<N, T>, Features<N>, T);
///
/// let gru = Gru::<2, 3>::new(&mut seeded(0));
/// let network = (gru, Scale { factor: [1.0, 2.0, 3.0] });
/// let mut state = network.state();
/// let [a, b, c] = network.step(&mut state, &[0.1, 0.2]);
/// ```
#[macro_export]
macro_rules! stateless {
    ([$($generics:tt)*] $layer:ty, $in:ty, $scalar:ty) => {
        impl<$($generics)*> $crate::model::Stream<$in, $scalar> for $layer {
            type Out = <Self as $crate::model::Model<$in, $scalar>>::Out;
            type State = ();

            #[inline(always)]
            fn infer_step<S: $crate::model::Simd>(
                &self,
                simd: S,
                (): &mut (),
                x: &$crate::model::Batch<$in, $scalar, 1>,
                y: &mut $crate::model::Batch<Self::Out, $scalar, 1>,
            ) {
                $crate::model::Model::<$in, $scalar>::infer(self, $crate::model::Pass::<S, 1>::new(simd, 1), x, y);
            }
        }

        impl<Window, $($generics)*> $crate::model::Stateful<Window, $scalar> for $layer
        where
            Window: $crate::model::OneStep<Step = $in>,
            Self: $crate::model::Layer<Window, $scalar>,
        {
            type Carried = ();
        }
    };
}

/// One step after the other, as many as there are in both slices.
#[inline(always)]
pub(crate) fn run<S: Simd, In: Shape, T: Real, N: Stream<In, T>>(
    simd: S,
    network: &N,
    state: &mut N::State,
    steps: &[In::Sample<T>],
    outputs: &mut [<N::Out as Shape>::Sample<T>],
) {
    let mut x = Aligned::<Batch<In, T, 1>>::ZEROED;
    let mut y = Aligned::<Batch<N::Out, T, 1>>::ZEROED;
    for (step, output) in steps.iter().zip(outputs) {
        let x = match In::in_place(from_ref(step)) {
            Some(x) => x,
            None => {
                In::set(&mut x.0, 0, step);
                &x.0
            }
        };
        network.infer_step(simd, state, x, &mut y.0);
        *output = N::Out::get(&y.0, 0);
    }
}

// `chain!(A 0, B 1, C 2)` walks along the layers, as that in `chain.rs` does, and implements the trait for `(A, B, C)`.
macro_rules! chain {
    ($first:ident $zero:tt, $($rest:ident $index:tt),+) => {
        chain!(@walk [$first $zero $($rest $index)+] [] $first $zero [In] $($rest $index,)+);
    };
    (@walk $all:tt [$($order:tt)*] $before:ident $b:tt [$in:ty] $layer:ident $i:tt, $($more:tt)*) => {
        chain!(@walk $all
            [$($order)* ($layer $i [<$before as Stream<$in, T>>::Out] $b)]
            $layer $i [<$before as Stream<$in, T>>::Out] $($more)*);
    };
    (@walk [$first:ident $zero:tt $($all:ident $index:tt)+]
        [$(($layer:ident $i:tt [$in:ty] $b:tt))+]
        $last:ident $l:tt [$last_in:ty]) => {
        impl<In: Shape, T: Real, $first, $($all),+> Stream<In, T> for ($first, $($all),+)
        where
            $first: Stream<In, T>,
            $($layer: Stream<$in, T>),+
        {
            type Out = <$last as Stream<$last_in, T>>::Out;
            type State = ($first::State, $(<$layer as Stream<$in, T>>::State),+);

            #[inline(always)]
            fn infer_step<S: Simd>(
                &self,
                simd: S,
                state: &mut Self::State,
                x: &Batch<In, T, 1>,
                y: &mut Batch<Self::Out, T, 1>,
            ) {
                $(
                    let mut between = Aligned::<Batch<$in, T, 1>>::ZEROED;
                    self.$b.infer_step(simd, &mut state.$b, x, &mut between.0);
                    let x = &between.0;
                )+
                self.$l.infer_step(simd, &mut state.$l, x, y);
            }
        }
    };
}

chain!(A 0, B 1);
chain!(A 0, B 1, C 2);
chain!(A 0, B 1, C 2, D 3);
chain!(A 0, B 1, C 2, D 3, E 4);
chain!(A 0, B 1, C 2, D 3, E 4, F 5);
chain!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
chain!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
