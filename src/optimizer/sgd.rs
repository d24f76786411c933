//! Gradient descent, plain and with momentum.

use super::{Optimizer, States, check_rate};
use crate::error::{Error, setting};
use crate::kernel::map_columns;
use crate::model::Parameter;
use crate::model::layer::descend;
use crate::num::math::{flush, mul_add};
use crate::num::{Lanes, Real, lanes};
use fearless_simd::Simd;

/// Gradient descent: `w <- w - rate * g`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct Sgd<T = f32> {
    /// The learning rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rate: T,
}

impl<T: Real> Sgd<T> {
    /// With that learning rate.
    pub const fn new(rate: T) -> Self {
        Sgd { rate }
    }

    /// With momentum; 0.9 is usual.
    pub const fn momentum(self, momentum: T) -> Momentum<T> {
        Momentum { rate: self.rate, momentum, nesterov: false }
    }

    /// With Nesterov's momentum; 0.9 is usual.
    pub const fn nesterov(self, momentum: T) -> Momentum<T> {
        Momentum { rate: self.rate, momentum, nesterov: true }
    }
}

impl<T: Real> Optimizer for Sgd<T> {
    type Scalar = T;
    type State = States<0>;
    type Shared = ();

    fn rate(&self) -> T {
        self.rate
    }

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_rate(self.rate)
    }

    #[inline(always)]
    fn plain_rate(&self) -> Option<T> {
        Some(self.rate)
    }

    #[inline(always)]
    fn update<S: Simd>(
        &self,
        simd: S,
        (): &(),
        parameter: Parameter,
        weights: &mut [T],
        gradient: &mut [T],
        []: [&mut [T]; 0],
    ) {
        descend(simd, self.rate, parameter, weights, gradient);
    }
}

/// Gradient descent with momentum, as in PyTorch: `v <- momentum * v + g`, then `w <- w - rate * v`, or with Nesterov's
/// look ahead `w <- w - rate * (g + momentum * v)`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct Momentum<T = f32> {
    /// The learning rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rate: T,
    /// What stays of the velocity from step to step.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub momentum: T,
    /// Whether the step looks ahead: Y. Nesterov, 1983.
    pub nesterov: bool,
}

impl<T: Real> Optimizer for Momentum<T> {
    type Scalar = T;
    /// The velocity.
    type State = States<1>;
    type Shared = ();

    fn rate(&self) -> T {
        self.rate
    }

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_rate(self.rate)?;
        let valid = self.momentum >= T::ZERO && self.momentum <= T::ONE;
        setting(valid, "a `momentum` between 0 and 1", self.momentum)
    }

    #[inline(always)]
    fn update<S: Simd>(
        &self,
        simd: S,
        (): &(),
        parameter: Parameter,
        weights: &mut [T],
        gradient: &mut [T],
        [velocity]: [&mut [T]; 1],
    ) {
        let zero = lanes::<S, T>(simd, T::ZERO);
        let rate = lanes::<S, T>(simd, -self.rate);
        let momentum = lanes::<S, T>(simd, self.momentum);
        map_columns(
            simd,
            parameter.rows,
            [weights, gradient, velocity],
            #[inline(always)]
            |[w, g, v]: [Lanes<S, T>; 3]| {
                let v = flush::<S, T>(simd, mul_add(v, momentum, g));
                let direction = if self.nesterov { mul_add(v, momentum, g) } else { v };
                [mul_add(direction, rate, w), zero, v]
            },
        );
    }
}
