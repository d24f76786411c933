//! Gradient descent, plain and with momentum.

use super::{Optimizer, States, check_learning_rate};
use crate::error::{Error, setting};
use crate::kernel::map_columns;
use crate::model::Parameter;
use crate::model::layer::sgd_step;
use crate::num::math::{flush, mul_add};
use crate::num::{Lanes, Real, lanes};
use fearless_simd::Simd;

/// Stochastic gradient descent.
///
/// # Formula
///
/// `w <- w - learning_rate * g`. PyTorch equivalent: `torch.optim.SGD`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("SGD", "gradient descent"))]
pub struct Sgd<T = f32> {
    /// The learning rate: finite and not negative; no default. A larger one takes larger steps, and diverges if it is
    /// too large.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub learning_rate: T,
}

impl<T: Real> Sgd<T> {
    /// Gradient descent with this learning rate.
    #[must_use]
    pub const fn new(learning_rate: T) -> Self {
        Sgd { learning_rate }
    }

    /// Adds momentum; 0.9 is usual.
    #[must_use]
    pub const fn momentum(self, momentum: T) -> Momentum<T> {
        Momentum { learning_rate: self.learning_rate, momentum, nesterov: false }
    }

    /// Adds Nesterov's momentum; 0.9 is usual.
    #[must_use]
    pub const fn nesterov(self, momentum: T) -> Momentum<T> {
        Momentum { learning_rate: self.learning_rate, momentum, nesterov: true }
    }
}

impl<T: Real> Optimizer for Sgd<T> {
    type Scalar = T;
    type State = States<0>;
    type Shared = ();

    fn learning_rate(&self) -> T {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: T) {
        self.learning_rate = learning_rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_learning_rate(self.learning_rate)
    }

    #[inline(always)]
    fn sgd_learning_rate(&self) -> Option<T> {
        Some(self.learning_rate)
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
        sgd_step(simd, self.learning_rate, parameter, weights, gradient);
    }
}

/// Stochastic gradient descent with momentum. Made by [`Sgd::momentum`] and [`Sgd::nesterov`].
///
/// # Formula
///
/// `v <- momentum * v + g`, then `w <- w - learning_rate * v`, or with Nesterov's look-ahead `w <- w - learning_rate *
/// (g + momentum * v)`. PyTorch equivalent: `torch.optim.SGD` with `momentum` and `nesterov`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("heavy ball", "Nesterov"))]
pub struct Momentum<T = f32> {
    /// The learning rate: finite and not negative; no default. A larger one takes larger steps, and diverges if it is
    /// too large.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub learning_rate: T,
    /// The part of the velocity that is kept from step to step, from 0 to 1; no default, 0.9 is usual. A larger one
    /// averages over more steps, which also makes the steps longer.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub momentum: T,
    /// Whether the step looks ahead: Y. Nesterov, 1983. `false` by [`Sgd::momentum`], `true` by [`Sgd::nesterov`].
    pub nesterov: bool,
}

impl<T: Real> Optimizer for Momentum<T> {
    type Scalar = T;
    /// The velocity.
    type State = States<1>;
    type Shared = ();

    fn learning_rate(&self) -> T {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: T) {
        self.learning_rate = learning_rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_learning_rate(self.learning_rate)?;
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
        let learning_rate = lanes::<S, T>(simd, -self.learning_rate);
        let momentum = lanes::<S, T>(simd, self.momentum);
        map_columns(
            simd,
            parameter.rows,
            [weights, gradient, velocity],
            #[inline(always)]
            |[w, g, v]: [Lanes<S, T>; 3]| {
                let v = flush::<S, T>(simd, mul_add(v, momentum, g));
                let direction = if self.nesterov { mul_add(v, momentum, g) } else { v };
                [mul_add(direction, learning_rate, w), zero, v]
            },
        );
    }
}
