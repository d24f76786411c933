//! Regularization around any optimizer: L1 and L2 penalties, and decoupled weight decay.

use super::Optimizer;
use crate::dispatch::{dispatch, level};
use crate::kernel::{map, map_sum};
use crate::math::mul_add;
use crate::params::{Kind, Parameter, Params, Visitor, VisitorMut};
use crate::real::{Lanes, Real};
use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat};

/// An optimizer that follows, besides the loss, the penalty `l1 * sum |w| + l2 / 2 * sum w w` over all weights. Made by
/// [`Optimizer::l1`] and [`Optimizer::l2`]. The losses that a trainer reports are without it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty<O: Optimizer> {
    /// What takes the step.
    pub optimizer: O,
    /// The strength of the sum of absolute values.
    pub l1: O::Scalar,
    /// The strength of half the sum of squares.
    pub l2: O::Scalar,
}

impl<O: Optimizer> Penalty<O> {
    /// The penalty itself.
    pub fn value<N: Params<Scalar = O::Scalar>>(&self, network: &N) -> O::Scalar {
        let mut value = Value { level: level(), l1: self.l1, l2: self.l2, sum: O::Scalar::ZERO };
        network.visit(&mut value);
        value.sum
    }
}

struct Value<T> {
    level: Level,
    l1: T,
    l2: T,
    sum: T,
}

impl<T: Real> Visitor<T> for Value<T> {
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        #[inline(always)]
        fn sum<S: Simd, T: Real>(simd: S, values: &[T], l1: T, l2: T) -> T {
            let half = l2 * T::of(0.5);
            map_sum(
                simd,
                values.len(),
                [],
                [values],
                #[inline(always)]
                |[], [w]| ([], w.abs() * l1 + w * w * half),
            )
        }
        if matches!(parameter.kind, Kind::Weight) {
            self.sum = self.sum + dispatch!(self.level, simd => sum(simd, values, self.l1, self.l2));
        }
    }
}

impl<O: Optimizer> Optimizer for Penalty<O> {
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
        network.visit_mut([&mut *gradient], &mut AddSlope { simd, l1: self.l1, l2: self.l2 });
        self.optimizer.update(simd, network, gradient, state);
    }
}

struct AddSlope<S, T> {
    simd: S,
    l1: T,
    l2: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for AddSlope<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        if !matches!(parameter.kind, Kind::Weight) {
            return;
        }
        let zero = Lanes::<S, T>::splat(self.simd, T::ZERO);
        let l1 = Lanes::<S, T>::splat(self.simd, self.l1);
        let l2 = Lanes::<S, T>::splat(self.simd, self.l2);
        map(
            self.simd,
            [gradient],
            [values],
            #[inline(always)]
            |[g]: [Lanes<S, T>; 1], [w]: [Lanes<S, T>; 1]| {
                let sign = w.simd_eq(zero).select(zero, l1.copysign(w));
                [mul_add(w, l2, g) + sign]
            },
        );
    }
}

/// An optimizer with decoupled weight decay. Made by [`Optimizer::decay`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decay<O: Optimizer> {
    /// What takes the step.
    pub optimizer: O,
    /// The strength of the decay.
    pub strength: O::Scalar,
}

impl<O: Optimizer> Optimizer for Decay<O> {
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
        let keep = O::Scalar::ONE - self.rate() * self.strength;
        network.visit_mut([], &mut Shrink { simd, keep });
        self.optimizer.update(simd, network, gradient, state);
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
