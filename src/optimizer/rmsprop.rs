//! RMSprop.

use super::{Optimizer, States, check_epsilon, check_learning_rate, largest_to_square};
use crate::error::{Error, below_one, setting};
use crate::kernel::map_columns;
use crate::model::Parameter;
use crate::num::math::{flush, mul_add};
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// RMSprop: adaptive per-parameter learning rates from a running average of the squared gradients.
///
/// # Formula
///
/// `s <- alpha * s + (1 - alpha) * g g`, then `w <- w - learning_rate * g / (sqrt(s) + epsilon)`: G. Hinton,
/// <https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf>. PyTorch equivalent:
/// `torch.optim.RMSprop`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("RMSprop"))]
pub struct RmsProp<T = f32> {
    /// The learning rate: finite and not negative; no default. A larger one takes larger steps, and diverges if it is
    /// too large.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub learning_rate: T,
    /// The part of the average that is kept from step to step, at least 0 and below 1; by default 0.99. A larger one
    /// averages over more steps: about `1 / (1 - alpha)`.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub alpha: T,
    /// Keeps the divisor above zero: finite and not negative; by default 1e-8. A larger one shortens the steps of
    /// parameters with small gradients.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub epsilon: T,
}

impl<T: Real> RmsProp<T> {
    /// RMSprop with this learning rate, an `alpha` of 0.99 and an epsilon of 1e-8, as in PyTorch.
    #[must_use]
    pub fn new(learning_rate: T) -> Self {
        RmsProp { learning_rate, alpha: T::of(0.99), epsilon: T::of(1e-8) }
    }
}

impl<T: Real> Optimizer for RmsProp<T> {
    type Scalar = T;
    /// The running average of the squared gradients, `s`.
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
        setting(below_one(self.alpha), "an `alpha` of at least 0 and below 1", self.alpha)?;
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
        let alpha = Lanes::<S, T>::splat(simd, self.alpha);
        map_columns(
            simd,
            parameter.rows,
            [weights, gradient, squares],
            #[inline(always)]
            |[w, g, s]: [Lanes<S, T>; 3]| {
                let s = flush::<S, T>(simd, mul_add(s, alpha, g * g * (T::ONE - self.alpha)));
                [w - g * self.learning_rate / (T::exact_root(simd, s) + self.epsilon), zero, s]
            },
        );
    }
}
