//! Adagrad.

use super::{Optimizer, States, check_epsilon, check_learning_rate, largest_to_square};
use crate::error::Error;
use crate::kernel::map_columns;
use crate::model::Parameter;
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// Adagrad: adaptive per-parameter learning rates from the sum of all squared gradients.
///
/// # Formula
///
/// `s <- s + g g`, then `w <- w - learning_rate * g / (sqrt(s) + epsilon)`: J. Duchi et al., 2011,
/// <https://jmlr.org/papers/v12/duchi11a.html>. PyTorch equivalent: `torch.optim.Adagrad`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("AdaGrad"))]
pub struct Adagrad<T = f32> {
    /// The learning rate: finite and not negative; no default. A larger one takes larger steps. The steps become
    /// shorter by themselves while the sum grows.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub learning_rate: T,
    /// Keeps the divisor above zero: finite and not negative; by default 1e-10. A larger one shortens the steps of
    /// parameters with small gradients.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub epsilon: T,
}

impl<T: Real> Adagrad<T> {
    /// Adagrad with this learning rate and an epsilon of 1e-10, as in PyTorch.
    #[must_use]
    pub fn new(learning_rate: T) -> Self {
        Adagrad { learning_rate, epsilon: T::of(1e-10) }
    }
}

impl<T: Real> Optimizer for Adagrad<T> {
    type Scalar = T;
    /// The sum of the squares of all gradients so far, `s`.
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
        check_epsilon(self.epsilon)
    }

    #[inline(always)]
    fn largest_gradient(&self) -> T {
        largest_to_square()
    }

    #[inline(always)]
    fn update<S: Simd>(
        &self,
        simd: S,
        (): &(),
        parameter: Parameter,
        weights: &mut [T],
        gradient: &mut [T],
        [squares]: [&mut [T]; 1],
    ) {
        let zero = Lanes::<S, T>::splat(simd, T::ZERO);
        map_columns(
            simd,
            parameter.rows,
            [weights, gradient, squares],
            #[inline(always)]
            |[w, g, s]: [Lanes<S, T>; 3]| {
                let s = mul_add(g, g, s);
                [w - g * self.learning_rate / (T::exact_root(simd, s) + self.epsilon), zero, s]
            },
        );
    }
}
