//! RMSprop.

use super::{Optimizer, check_epsilon, check_rate, largest_to_square};
use crate::error::{Error, below_one, setting};
use crate::kernel::map_columns;
use crate::model::{Parameter, Params, VisitorMut};
use crate::num::math::{flush, mul_add};
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase, SimdFloat};

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
    type State<N: Params<Scalar = T>> = N;

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
    fn update<S: Simd, N: Params<Scalar = T>>(&self, simd: S, network: &mut N, gradient: &mut N, squares: &mut N) {
        network.visit_mut([gradient, squares], &mut Step { simd, rule: *self });
    }
}

struct Step<S, T> {
    simd: S,
    rule: RmsProp<T>,
}

impl<S: Simd, T: Real> VisitorMut<T, 2> for Step<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient, squares]: [&mut [T]; 2]) {
        let zero = Lanes::<S, T>::splat(self.simd, T::ZERO);
        let RmsProp { rate, smoothing, epsilon } = self.rule;
        let stays = Lanes::<S, T>::splat(self.simd, smoothing);
        map_columns(
            self.simd,
            parameter.rows,
            [values, gradient, squares],
            #[inline(always)]
            |[w, g, s]: [Lanes<S, T>; 3]| {
                let s = flush::<S, T>(self.simd, mul_add(s, stays, g * g * (T::ONE - smoothing)));
                [w - g * rate / (s.sqrt() + epsilon), zero, s]
            },
        );
    }
}
