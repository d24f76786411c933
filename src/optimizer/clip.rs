//! Limits to the gradient before the steps of any optimizer.

use super::Prepare;
use crate::kernel::{map, map_sum};
use crate::math::{at_least, at_most, square_root};
use crate::params::{Parameter, Params, VisitorMut};
use crate::real::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// Scales gradients that are longer than the limit, all parameters taken together, down to that length.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct ClipNorm<T> {
    /// The largest length.
    #[cfg_attr(feature = "serde", serde(with = "crate::state::numbers::one"))]
    pub limit: T,
}

impl<T: Real> Prepare<T> for ClipNorm<T> {
    #[inline(always)]
    fn prepare<S: Simd, N: Params<Scalar = T>>(&self, simd: S, _: T, _: &mut N, gradient: &mut N) {
        let mut squares = SumOfSquares { simd, sum: T::ZERO };
        gradient.visit_mut([], &mut squares);
        let norm = square_root(squares.sum);
        if norm > self.limit {
            gradient.visit_mut([], &mut Scale { simd, factor: self.limit / norm });
        }
    }
}

struct SumOfSquares<S, T> {
    simd: S,
    sum: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for SumOfSquares<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        self.sum += map_sum(
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

/// Keeps each number of the gradient between `-limit` and `limit`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct ClipValue<T> {
    /// The largest absolute value.
    #[cfg_attr(feature = "serde", serde(with = "crate::state::numbers::one"))]
    pub limit: T,
}

impl<T: Real> Prepare<T> for ClipValue<T> {
    #[inline(always)]
    fn prepare<S: Simd, N: Params<Scalar = T>>(&self, simd: S, _: T, _: &mut N, gradient: &mut N) {
        gradient.visit_mut([], &mut Bound { simd, limit: self.limit });
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
