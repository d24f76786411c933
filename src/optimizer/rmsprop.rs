//! RMSprop.

use super::{Optimizer, States, check_epsilon, check_rate, largest_to_square};
use crate::error::{Error, below_one, setting};
use crate::kernel::map_columns;
use crate::model::Parameter;
use crate::num::math::{flush, mul_add};
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// `s <- smoothing * s + (1 - smoothing) * g g`, then `w <- w - rate * g / (sqrt(s) + epsilon)`: G. Hinton,
/// <https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf>.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct RmsProp<T = f32> {
    /// The learning rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rate: T,
    /// What stays of the mean square from step to step.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub smoothing: T,
    /// Keeps the divisor from zero.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub epsilon: T,
}

impl<T: Real> RmsProp<T> {
    /// With that learning rate, a smoothing of 0.99 and an epsilon of 1e-8, as in PyTorch.
    pub fn new(rate: T) -> Self {
        RmsProp { rate, smoothing: T::of(0.99), epsilon: T::of(1e-8) }
    }
}

impl<T: Real> Optimizer for RmsProp<T> {
    type Scalar = T;
    /// The mean of the squares of the gradients.
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
        setting(below_one(self.smoothing), "a `smoothing` of at least 0 and below 1", self.smoothing)?;
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
        let stays = Lanes::<S, T>::splat(simd, self.smoothing);
        map_columns(
            simd,
            parameter.rows,
            [weights, gradient, squares],
            #[inline(always)]
            |[w, g, s]: [Lanes<S, T>; 3]| {
                let s = flush::<S, T>(simd, mul_add(s, stays, g * g * (T::ONE - self.smoothing)));
                [w - g * self.rate / (T::exact_root(simd, s) + self.epsilon), zero, s]
            },
        );
    }
}
