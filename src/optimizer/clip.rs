//! Limits to the gradient, around any optimizer.

use super::Optimizer;
use crate::kernel::{map, map_sum};
use crate::math::{at_least, at_most, square_root};
use crate::params::{Parameter, Params, VisitorMut};
use crate::real::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// An optimizer that scales long gradients down. Made by [`Optimizer::clip_norm`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNorm<O: Optimizer> {
    /// What takes the step.
    pub optimizer: O,
    /// The largest length.
    pub limit: O::Scalar,
}

/// An optimizer that keeps each number of the gradient within bounds. Made by [`Optimizer::clip_value`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipValue<O: Optimizer> {
    /// What takes the step.
    pub optimizer: O,
    /// The largest absolute value.
    pub limit: O::Scalar,
}

impl<O: Optimizer> Optimizer for ClipNorm<O> {
    type Scalar = O::Scalar;
    type State<N: Params<Scalar = O::Scalar>> = O::State<N>;

    fn rate(&self) -> O::Scalar {
        self.optimizer.rate()
    }

    fn set_rate(&mut self, rate: O::Scalar) {
        self.optimizer.set_rate(rate);
    }

    #[inline(always)]
    fn update<S: Simd, N: Params<Scalar = O::Scalar>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut O::State<N>,
    ) {
        let mut squares = SumOfSquares { simd, sum: O::Scalar::ZERO };
        gradient.visit_mut([], &mut squares);
        let norm = square_root(squares.sum);
        if norm > self.limit {
            gradient.visit_mut([], &mut Scale { simd, factor: self.limit / norm });
        }
        self.optimizer.update(simd, network, gradient, state);
    }
}

struct SumOfSquares<S, T> {
    simd: S,
    sum: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for SumOfSquares<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        self.sum = self.sum
            + map_sum(
                self.simd,
                values.len(),
                [],
                [values],
                #[inline(always)]
                |[], [g]| ([], g * g),
            );
    }
}

struct Scale<S, T> {
    simd: S,
    factor: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for Scale<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        map(
            self.simd,
            [values],
            [],
            #[inline(always)]
            |[g], []| [g * self.factor],
        );
    }
}

impl<O: Optimizer> Optimizer for ClipValue<O> {
    type Scalar = O::Scalar;
    type State<N: Params<Scalar = O::Scalar>> = O::State<N>;

    fn rate(&self) -> O::Scalar {
        self.optimizer.rate()
    }

    fn set_rate(&mut self, rate: O::Scalar) {
        self.optimizer.set_rate(rate);
    }

    #[inline(always)]
    fn update<S: Simd, N: Params<Scalar = O::Scalar>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut O::State<N>,
    ) {
        gradient.visit_mut([], &mut Bound { simd, limit: self.limit });
        self.optimizer.update(simd, network, gradient, state);
    }
}

struct Bound<S, T> {
    simd: S,
    limit: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for Bound<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        let limit = Lanes::<S, T>::splat(self.simd, self.limit);
        map(
            self.simd,
            [values],
            [],
            #[inline(always)]
            |[g], []| [at_most(at_least(g, -limit), limit)],
        );
    }
}
