//! Adam and AdamW.

use super::{Optimizer, check_epsilon, check_rate, largest_to_square};
use crate::error::{Error, below_one, not_negative, setting};
use crate::kernel::map_columns;
use crate::model::{Kind, Parameter, Params, VisitorMut, Zeroed};
use crate::num::math::{divide_by_root, mul_add, square_root};
use crate::num::{Lanes, Real, lanes};
use fearless_simd::Simd;

/// `m <- beta1 * m + (1 - beta1) * g` and `v <- beta2 * v + (1 - beta2) * g g`; then, with `m` and `v` divided by
/// `1 - beta1^t` and `1 - beta2^t` at step `t`, `w <- w - rate * m / (sqrt(v) + epsilon)`: D. Kingma and J. Ba, 2014,
/// <https://arxiv.org/abs/1412.6980>.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct Adam<T = f32> {
    /// The learning rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rate: T,
    /// What stays of the mean of the gradients from step to step.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub beta1: T,
    /// What stays of the mean of their squares.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub beta2: T,
    /// Keeps the divisor from zero.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub epsilon: T,
}

impl<T: Real> Adam<T> {
    /// With that learning rate and the paper's 0.9, 0.999 and 1e-8.
    pub fn new(rate: T) -> Self {
        Adam { rate, beta1: T::of(0.9), beta2: T::of(0.999), epsilon: T::of(1e-8) }
    }
}

/// [`Adam`] with decoupled weight decay: before each step, weights shrink by the factor `1 - rate * decay`. Biases are
/// left alone. I. Loshchilov and F. Hutter, 2017, <https://arxiv.org/abs/1711.05101>.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct AdamW<T = f32> {
    /// The rule of the step.
    pub adam: Adam<T>,
    /// The strength of the decay.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub decay: T,
}

impl<T: Real> AdamW<T> {
    /// With that learning rate, [`Adam`]'s constants and a decay of 0.01, as in PyTorch.
    pub fn new(rate: T) -> Self {
        AdamW { adam: Adam::new(rate), decay: T::of(0.01) }
    }
}

/// What [`Adam`] remembers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "N: serde::Serialize, T: Real"))]
pub struct AdamState<N, T> {
    /// The mean of the gradients, `m`.
    pub mean: N,
    /// The mean of their squares, `v`.
    pub square: N,
    /// `1 - beta1^t` and `1 - beta2^t` after `t` steps.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::array"))]
    pub corrections: [T; 2],
}

impl<N: Zeroed, T: Real> Zeroed for AdamState<N, T> {
    const ZEROED: Self = AdamState { mean: N::ZEROED, square: N::ZEROED, corrections: [T::ZERO; 2] };
}

impl<T: Real> Optimizer for Adam<T> {
    type Scalar = T;
    type State<N: Params<Scalar = T>> = AdamState<N, T>;

    fn rate(&self) -> T {
        self.rate
    }

    fn set_rate(&mut self, rate: T) {
        self.rate = rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_rate(self.rate)?;
        setting(below_one(self.beta1), "a `beta1` of at least 0 and below 1", self.beta1)?;
        setting(below_one(self.beta2), "a `beta2` of at least 0 and below 1", self.beta2)?;
        check_epsilon(self.epsilon)
    }

    #[inline(always)]
    fn largest_gradient(&self) -> T {
        largest_to_square()
    }

    #[inline(always)]
    fn update<S: Simd, N: Params<Scalar = T>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut AdamState<N, T>,
    ) {
        AdamW { adam: *self, decay: T::ZERO }.update(simd, network, gradient, state);
    }
}

impl<T: Real> Optimizer for AdamW<T> {
    type Scalar = T;
    type State<N: Params<Scalar = T>> = AdamState<N, T>;

    fn rate(&self) -> T {
        self.adam.rate
    }

    fn set_rate(&mut self, rate: T) {
        self.adam.rate = rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        self.adam.check()?;
        setting(not_negative(self.decay), "a `decay` of `AdamW` that is finite and not negative", self.decay)
    }

    #[inline(always)]
    fn largest_gradient(&self) -> T {
        largest_to_square()
    }

    #[inline(always)]
    fn update<S: Simd, N: Params<Scalar = T>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut AdamState<N, T>,
    ) {
        let Adam { rate, beta1, beta2, epsilon } = self.adam;
        let [first, second] = &mut state.corrections;
        // 1 - beta^(t + 1) = beta (1 - beta^t) + (1 - beta)
        *first = beta1 * *first + (T::ONE - beta1);
        *second = beta2 * *second + (T::ONE - beta2);
        let root = square_root(*second);
        let mut step = Step {
            simd,
            beta1,
            beta2,
            // Both sides of the fraction times the root, which then need not be taken off each `v`.
            rate: rate * root / *first,
            epsilon: epsilon * root,
            keep: T::ONE - rate * self.decay,
        };
        network.visit_mut([gradient, &mut state.mean, &mut state.square], &mut step);
    }
}

struct Step<S, T> {
    simd: S,
    beta1: T,
    beta2: T,
    rate: T,
    epsilon: T,
    keep: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 3> for Step<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient, mean, square]: [&mut [T]; 3]) {
        let zero = lanes::<S, T>(self.simd, T::ZERO);
        let rest1 = lanes::<S, T>(self.simd, T::ONE - self.beta1);
        let rest2 = lanes::<S, T>(self.simd, T::ONE - self.beta2);
        // Added to both averages, it keeps those of a unit without slopes from becoming subnormal, which many CPUs are very
        // slow with, and it is far too small to count in any other.
        let smallest = lanes::<S, T>(self.simd, T::min_positive_value() / T::epsilon());
        let beta1 = lanes::<S, T>(self.simd, self.beta1);
        let beta2 = lanes::<S, T>(self.simd, self.beta2);
        let keep = if matches!(parameter.kind, Kind::Weight) { self.keep } else { T::ONE };
        let keep = lanes::<S, T>(self.simd, keep);
        let rate = lanes::<S, T>(self.simd, -self.rate);
        let epsilon = lanes::<S, T>(self.simd, self.epsilon);
        map_columns(
            self.simd,
            parameter.rows,
            [values, gradient, mean, square],
            #[inline(always)]
            |[w, g, m, v]: [Lanes<S, T>; 4]| {
                let m = mul_add(m, beta1, mul_add(g, rest1, smallest));
                let v = mul_add(v, beta2, mul_add(g * g, rest2, smallest));
                [mul_add(w, keep, divide_by_root::<S, T>(self.simd, m * rate, v, epsilon)), zero, m, v]
            },
        );
    }
}
