//! The state of an optimizer: values for each parameter, and values that all parameters share.

use super::Optimizer;
use crate::model::{Parameter, Params, Visit, VisitorMut, Zeroed, is_finite};
use crate::num::Real;
use crate::num::dispatch::{dispatch, is_glue, level};
use fearless_simd::Simd;

/// [`Optimizer::State`] of `VALUES` values for each parameter, at most three. 0 for plain gradient descent, 1 for
/// momentum, 2 for Adam.
#[derive(Clone, Copy, Debug)]
pub struct States<const VALUES: usize>;

/// How many values an optimizer keeps for each parameter; [`States`] implements it.
pub trait StateLayout: sealed::Sealed {
    /// The values for a whole network.
    type ForNetwork<N: Params>: Zeroed;

    /// The values for a slice of its parameters: an array of as many slices.
    type ForSlice<'a, T: Real>;

    /// Applies an optimizer's rule to each slice of a network.
    #[doc(hidden)]
    fn update<S: Simd, O: Optimizer<State = Self>, N: Visit<O::Scalar>>(
        rule: Rule<S, O>,
        network: &mut N,
        gradient: &mut N,
        states: &mut Self::ForNetwork<N>,
    );

    /// The values, as many networks as there are for each parameter.
    #[doc(hidden)]
    fn values<N: Params>(states: &Self::ForNetwork<N>) -> &[N];

    /// A copy.
    #[doc(hidden)]
    fn copy<N: Params + Clone>(states: &Self::ForNetwork<N>) -> Self::ForNetwork<N>;
}

mod sealed {
    pub trait Sealed {}
    impl<const VALUES: usize> Sealed for super::States<VALUES> {}
}

/// `VALUES` values for each parameter of the network `N`.
#[derive(Clone, Debug, PartialEq)]
pub struct PerParameter<N, const VALUES: usize>(pub [N; VALUES]);

impl<N: Zeroed, const VALUES: usize> Zeroed for PerParameter<N, VALUES> {
    const ZEROED: Self = PerParameter([const { N::ZEROED }; VALUES]);
}

/// An optimizer with the arguments of its update that are the same for all slices.
#[doc(hidden)]
pub struct Rule<'a, S, O: Optimizer> {
    simd: S,
    optimizer: &'a O,
    shared: &'a O::Shared,
}

macro_rules! states {
    ($($values:literal and the gradient $all:literal: $($state:ident)*;)+) => {$(
        impl StateLayout for States<$values> {
            type ForNetwork<N: Params> = PerParameter<N, $values>;
            type ForSlice<'a, T: Real> = [&'a mut [T]; $values];

            #[inline(always)]
            fn update<S: Simd, O: Optimizer<State = Self>, N: Visit<O::Scalar>>(
                mut rule: Rule<S, O>,
                network: &mut N,
                gradient: &mut N,
                PerParameter([$($state),*]): &mut PerParameter<N, $values>,
            ) {
                network.visit_mut([gradient, $($state),*], &mut rule);
            }

            fn values<N: Params>(PerParameter(states): &PerParameter<N, $values>) -> &[N] {
                states
            }

            fn copy<N: Params + Clone>(states: &PerParameter<N, $values>) -> PerParameter<N, $values> {
                states.clone()
            }
        }

        impl<S: Simd, O: Optimizer<State = States<$values>>> VisitorMut<O::Scalar, $all> for Rule<'_, S, O> {
            #[inline(always)]
            fn slice(
                &mut self,
                parameter: Parameter,
                weights: &mut [O::Scalar],
                [gradient, $($state),*]: [&mut [O::Scalar]; $all],
            ) {
                /// In code of its own for each instruction set, once for all slices.
                #[inline(never)]
                fn apart<O: Optimizer<State = States<$values>>>(
                    (optimizer, shared): (&O, &O::Shared),
                    parameter: Parameter,
                    weights: &mut [O::Scalar],
                    gradient: &mut [O::Scalar],
                    states: [&mut [O::Scalar]; $values],
                ) {
                    dispatch!(level(), simd => optimizer.update(simd, shared, parameter, weights, gradient, states));
                }
                if const { is_glue::<S>() } {
                    apart((self.optimizer, self.shared), parameter, weights, gradient, [$($state),*]);
                } else {
                    self.optimizer.update(self.simd, self.shared, parameter, weights, gradient, [$($state),*]);
                }
            }
        }
    )+};
}
states! {
    0 and the gradient 1: ;
    1 and the gradient 2: first;
    2 and the gradient 3: first second;
    3 and the gradient 4: first second third;
}

/// State of the optimizer `O` for the network `N`, kept from step to step. It begins with zeros.
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(bound = "<O::State as StateLayout>::ForNetwork<N>: serde::Serialize, O::Shared: serde::Serialize")
)]
pub struct OptimizerState<O: Optimizer, N: Visit<O::Scalar>> {
    /// The values for each parameter.
    pub per_parameter: <O::State as StateLayout>::ForNetwork<N>,
    /// The state that all parameters share.
    pub shared: O::Shared,
}

impl<O: Optimizer, N: Visit<O::Scalar>> Zeroed for OptimizerState<O, N> {
    const ZEROED: Self = OptimizerState { per_parameter: Zeroed::ZEROED, shared: O::Shared::ZEROED };
}

impl<O: Optimizer, N: Visit<O::Scalar>> Default for OptimizerState<O, N> {
    fn default() -> Self {
        Self::ZEROED
    }
}

impl<O: Optimizer, N: Visit<O::Scalar> + Clone> Clone for OptimizerState<O, N>
where
    O::Shared: Clone,
{
    fn clone(&self) -> Self {
        OptimizerState { per_parameter: O::State::copy(&self.per_parameter), shared: self.shared.clone() }
    }
}

impl<O: Optimizer, N: Visit<O::Scalar> + PartialEq> PartialEq for OptimizerState<O, N>
where
    O::Shared: PartialEq,
{
    fn eq(&self, other: &Self) -> bool {
        O::State::values(&self.per_parameter) == O::State::values(&other.per_parameter) && self.shared == other.shared
    }
}

/// Without the values for each parameter, which are several networks; they are printed by
/// [`per_parameter`](OptimizerState::per_parameter).
impl<O: Optimizer, N: Visit<O::Scalar>> core::fmt::Debug for OptimizerState<O, N>
where
    O::Shared: core::fmt::Debug,
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("OptimizerState").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl<O: Optimizer, N: Visit<O::Scalar>> OptimizerState<O, N> {
    /// Applies the optimizer's rule to each slice of a network.
    #[inline(always)]
    pub(super) fn update<S: Simd>(&mut self, simd: S, optimizer: &O, network: &mut N, gradient: &mut N) {
        optimizer.begin_step(&mut self.shared);
        let rule = Rule { simd, optimizer, shared: &self.shared };
        O::State::update(rule, network, gradient, &mut self.per_parameter);
    }

    /// Whether no value of a parameter is infinite or NaN.
    pub(crate) fn is_finite(&self) -> bool {
        O::State::values(&self.per_parameter).iter().all(is_finite)
    }
}
