//! Adagrad.

use super::{Optimizer, check_epsilon, check_rate, largest_to_square};
use crate::error::Error;
use crate::kernel::map_columns;
use crate::model::{Parameter, Params, VisitorMut};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase, SimdFloat};

/// `s <- s + g g`, then `w <- w - rate * g / (sqrt(s) + epsilon)`: J. Duchi et al., 2011,
/// <https://jmlr.org/papers/v12/duchi11a.html>.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct Adagrad<T = f32> {
    /// The learning rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rate: T,
    /// Keeps the divisor from zero.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub epsilon: T,
}

impl<T: Real> Adagrad<T> {
    /// With that learning rate and an epsilon of 1e-10, as in PyTorch.
    pub fn new(rate: T) -> Self {
        Adagrad { rate, epsilon: T::of(1e-10) }
    }
}

impl<T: Real> Optimizer for Adagrad<T> {
    type Scalar = T;
    /// The sum of the squares of all gradients.
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
    rule: Adagrad<T>,
}

impl<S: Simd, T: Real> VisitorMut<T, 2> for Step<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient, squares]: [&mut [T]; 2]) {
        let zero = Lanes::<S, T>::splat(self.simd, T::ZERO);
        let Adagrad { rate, epsilon } = self.rule;
        map_columns(
            self.simd,
            parameter.rows,
            [values, gradient, squares],
            #[inline(always)]
            |[w, g, s]: [Lanes<S, T>; 3]| {
                let s = mul_add(g, g, s);
                [w - g * rate / (s.sqrt() + epsilon), zero, s]
            },
        );
    }
}
