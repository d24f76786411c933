//! Regularization before the steps of any optimizer: L1 and L2 penalties, and decoupled weight decay.

use super::Prepare;
use crate::error::{Error, not_negative, setting};
use crate::kernel::{map, map_sum};
use crate::model::{Kind, Parameter, Params, Visitor, VisitorMut};
use crate::num::dispatch::{dispatch, level};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

/// Adds the slope of the penalty `l1 * sum |w| + l2 / 2 * sum w w` over all weights to the gradient. The losses that a
/// trainer reports are without it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct Penalty<T> {
    /// The strength of the sum of absolute values.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub l1: T,
    /// The strength of half the sum of squares.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub l2: T,
}

impl<T: Real> Penalty<T> {
    /// The penalty itself.
    pub fn value<N: Params<Scalar = T>>(&self, network: &N) -> T {
        #[inline(always)]
        fn value<S: Simd, T: Real, N: Params<Scalar = T>>(simd: S, penalty: Penalty<T>, network: &N) -> T {
            let mut value = Value { simd, penalty, sum: T::ZERO };
            network.visit(&mut value);
            value.sum
        }
        dispatch!(level(), simd => value(simd, *self, network))
    }

    /// Adds the slope of the penalty of a slice of weights to the same slice of the gradient.
    #[inline(always)]
    fn add_slope<S: Simd>(&self, simd: S, weights: &[T], gradient: &mut [T]) {
        let zero = Lanes::<S, T>::splat(simd, T::ZERO);
        let l1 = Lanes::<S, T>::splat(simd, self.l1);
        let l2 = Lanes::<S, T>::splat(simd, self.l2);
        map(
            simd,
            [gradient],
            [weights],
            #[inline(always)]
            |[g]: [Lanes<S, T>; 1], [w]: [Lanes<S, T>; 1]| {
                let sign = w.simd_eq(zero).select(zero, l1.copysign(w));
                [mul_add(w, l2, g) + sign]
            },
        );
    }
}

struct Value<S, T> {
    simd: S,
    penalty: Penalty<T>,
    sum: T,
}

impl<S: Simd, T: Real> Visitor<T> for Value<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        if matches!(parameter.kind, Kind::Weight) {
            let (l1, half) = (self.penalty.l1, self.penalty.l2 * T::of(0.5));
            self.sum += map_sum(
                self.simd,
                values.len(),
                [],
                [values],
                #[inline(always)]
                |[], [w]| ([], w.abs() * l1 + w * w * half),
            );
        }
    }
}

impl<T: Real> Prepare<T> for Penalty<T> {
    #[inline(always)]
    fn prepare<S: Simd, N: Params<Scalar = T>>(&self, simd: S, _: T, network: &mut N, gradient: &mut N) {
        network.visit_mut([gradient], &mut AddSlope { simd, penalty: *self });
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        setting(not_negative(self.l1), "a strength of `l1` that is finite and not negative", self.l1)?;
        setting(not_negative(self.l2), "a strength of `l2` that is finite and not negative", self.l2)
    }
}

struct AddSlope<S, T> {
    simd: S,
    penalty: Penalty<T>,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for AddSlope<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        if matches!(parameter.kind, Kind::Weight) {
            self.penalty.add_slope(self.simd, values, gradient);
        }
    }
}

/// A [`Penalty`] that is compiled once for all networks, and takes no time if it is zero: that of
/// [`Recipe`](crate::tuning::Recipe).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnyPenalty<T>(pub Penalty<T>);

impl<T: Real> Prepare<T> for AnyPenalty<T> {
    #[inline(always)]
    fn prepare<S: Simd, N: Params<Scalar = T>>(&self, simd: S, _: T, network: &mut N, gradient: &mut N) {
        if self.0 != (Penalty { l1: T::ZERO, l2: T::ZERO }) {
            network.visit_mut([gradient], &mut Each { simd, penalty: self.0 });
        }
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        self.0.check()
    }
}

struct Each<S, T> {
    simd: S,
    penalty: Penalty<T>,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for Each<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        if matches!(parameter.kind, Kind::Weight) {
            add_slope(self.simd, &self.penalty, values, gradient);
        }
    }
}

#[inline(never)]
fn add_slope<S: Simd, T: Real>(simd: S, penalty: &Penalty<T>, weights: &[T], gradient: &mut [T]) {
    simd.vectorize(
        #[inline(always)]
        || penalty.add_slope(simd, weights, gradient),
    );
}

/// Shrinks every weight by the factor `1 - rate * strength`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct Decay<T> {
    /// The strength of the decay.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub strength: T,
}

impl<T: Real> Prepare<T> for Decay<T> {
    #[inline(always)]
    fn prepare<S: Simd, N: Params<Scalar = T>>(&self, simd: S, rate: T, network: &mut N, _: &mut N) {
        network.visit_mut([], &mut Shrink { simd, keep: T::ONE - rate * self.strength });
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        setting(not_negative(self.strength), "a strength of `decay` that is finite and not negative", self.strength)
    }
}

struct Shrink<S, T> {
    simd: S,
    keep: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for Shrink<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        if matches!(parameter.kind, Kind::Weight) {
            map(
                self.simd,
                [values],
                [],
                #[inline(always)]
                |[w], []| [w * self.keep],
            );
        }
    }
}
