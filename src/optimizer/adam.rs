//! Adam and AdamW.

use super::{Optimizer, States, check_epsilon, check_learning_rate, largest_to_square};
use crate::error::{Error, below_one, not_negative, setting};
use crate::kernel::map_columns;
use crate::model::{Parameter, Zeroed};
use crate::num::math::{divide_by_root, mul_add, square_root};
use crate::num::{Lanes, Real, lanes};
use fearless_simd::Simd;

/// Adam: adaptive per-parameter learning rates from running averages of the gradients and of their squares.
///
/// # Formula
///
/// `m <- beta1 * m + (1 - beta1) * g` and `v <- beta2 * v + (1 - beta2) * g g`; then, with `m` and `v` divided by `1 -
/// beta1^t` and `1 - beta2^t` at step `t`, `w <- w - learning_rate * m / (sqrt(v) + epsilon)`: D. Kingma and J. Ba,
/// 2014, <https://arxiv.org/abs/1412.6980>. PyTorch equivalent: `torch.optim.Adam`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("optim.Adam"))]
pub struct Adam<T = f32> {
    /// The learning rate: finite and not negative; no default, 0.001 is usual. About the largest change of a weight in
    /// one step. A larger one takes larger steps, and diverges if it is too large.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub learning_rate: T,
    /// The part of the gradients' average that is kept from step to step, at least 0 and below 1; by default 0.9. A
    /// larger one averages over more steps: about `1 / (1 - beta1)`.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub beta1: T,
    /// The same for the average of their squares; by default 0.999.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub beta2: T,
    /// Keeps the divisor above zero: finite and not negative; by default 1e-8. A larger one shortens the steps of
    /// parameters with small gradients.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub epsilon: T,
}

impl<T: Real> Adam<T> {
    /// Adam with this learning rate and the paper's 0.9, 0.999 and 1e-8.
    #[must_use]
    pub fn new(learning_rate: T) -> Self {
        Adam { learning_rate, beta1: T::of(0.9), beta2: T::of(0.999), epsilon: T::of(1e-8) }
    }
}

impl<T: Real> Default for Adam<T> {
    /// With the paper's learning rate, 0.001.
    fn default() -> Self {
        Self::new(T::of(1e-3))
    }
}

/// AdamW: [`Adam`] with decoupled weight decay. Biases do not decay.
///
/// # Formula
///
/// `w <- (1 - learning_rate * weight_decay) * w` for weights, then the step of [`Adam`]: I. Loshchilov and F. Hutter,
/// 2017, <https://arxiv.org/abs/1711.05101>. PyTorch equivalent: `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("weight decay"))]
pub struct AdamW<T = f32> {
    /// The step, with its learning rate.
    pub adam: Adam<T>,
    /// The weight decay `lambda`: finite and not negative; by default 0.01. A larger one pulls weights to zero more
    /// strongly.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub weight_decay: T,
}

impl<T: Real> AdamW<T> {
    /// AdamW with this learning rate, [`Adam`]'s constants and a weight decay of 0.01, as in PyTorch.
    #[must_use]
    pub fn new(learning_rate: T) -> Self {
        AdamW { adam: Adam::new(learning_rate), weight_decay: T::of(0.01) }
    }
}

impl<T: Real> Default for AdamW<T> {
    /// With [`Adam`]'s learning rate, 0.001.
    fn default() -> Self {
        Self::new(T::of(1e-3))
    }
}

/// Bias correction of [`Adam`]: its averages begin with zero, and are divided by `1 - beta1^t` and `1 - beta2^t` after
/// `t` steps. The two divisors are the values of this type.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = "T: Real", transparent))]
pub struct BiasCorrection<T>(#[cfg_attr(feature = "serde", serde(with = "crate::num::serde::array"))] pub [T; 2]);

impl<T: Real> Zeroed for BiasCorrection<T> {
    const ZEROED: Self = BiasCorrection([T::ZERO; 2]);
}

impl<T: Real> Optimizer for Adam<T> {
    type Scalar = T;
    /// The running averages of the gradients, `m`, and of their squares, `v`.
    type State = States<2>;
    type Shared = BiasCorrection<T>;

    fn learning_rate(&self) -> T {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: T) {
        self.learning_rate = learning_rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_learning_rate(self.learning_rate)?;
        setting(below_one(self.beta1), "a `beta1` of at least 0 and below 1", self.beta1)?;
        setting(below_one(self.beta2), "a `beta2` of at least 0 and below 1", self.beta2)?;
        check_epsilon(self.epsilon)
    }

    #[inline(always)]
    fn largest_gradient(&self) -> T {
        largest_to_square()
    }

    #[inline(always)]
    fn begin_step(&self, BiasCorrection([first, second]): &mut BiasCorrection<T>) {
        // 1 - beta^(t + 1) = beta (1 - beta^t) + (1 - beta)
        *first = self.beta1 * *first + (T::ONE - self.beta1);
        *second = self.beta2 * *second + (T::ONE - self.beta2);
    }

    #[inline(always)]
    fn update<S: Simd>(
        &self,
        simd: S,
        correction: &BiasCorrection<T>,
        parameter: Parameter,
        weights: &mut [T],
        gradient: &mut [T],
        averages: [&mut [T]; 2],
    ) {
        AdamW { adam: *self, weight_decay: T::ZERO }.update(simd, correction, parameter, weights, gradient, averages);
    }
}

impl<T: Real> Optimizer for AdamW<T> {
    type Scalar = T;
    /// The running averages of the gradients, `m`, and of their squares, `v`.
    type State = States<2>;
    type Shared = BiasCorrection<T>;

    fn learning_rate(&self) -> T {
        self.adam.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: T) {
        self.adam.learning_rate = learning_rate;
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        self.adam.check()?;
        setting(
            not_negative(self.weight_decay),
            "a `weight_decay` of `AdamW` that is finite and not negative",
            self.weight_decay,
        )
    }

    #[inline(always)]
    fn largest_gradient(&self) -> T {
        largest_to_square()
    }

    #[inline(always)]
    fn begin_step(&self, correction: &mut BiasCorrection<T>) {
        self.adam.begin_step(correction);
    }

    // Once in a microcontroller's program and not for each slice: it has little flash.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn update<S: Simd>(
        &self,
        simd: S,
        &BiasCorrection([first, second]): &BiasCorrection<T>,
        parameter: Parameter,
        weights: &mut [T],
        gradient: &mut [T],
        [mean, square]: [&mut [T]; 2],
    ) {
        let Adam { learning_rate, beta1, beta2, epsilon } = self.adam;
        let zero = lanes::<S, T>(simd, T::ZERO);
        let rest1 = lanes::<S, T>(simd, T::ONE - beta1);
        let rest2 = lanes::<S, T>(simd, T::ONE - beta2);
        // Added to both averages, it keeps those of a unit without gradients from becoming subnormal, which many CPUs
        // compute with very slowly. It is far too small to matter in any other average.
        let smallest = lanes::<S, T>(simd, T::min_positive_value() / T::epsilon());
        let beta1 = lanes::<S, T>(simd, beta1);
        let beta2 = lanes::<S, T>(simd, beta2);
        let keep = if parameter.kind.is_weight() { T::ONE - learning_rate * self.weight_decay } else { T::ONE };
        let keep = lanes::<S, T>(simd, keep);
        // The fraction is expanded by the root, so that `v` need not be corrected for each weight.
        let root = square_root(second);
        let learning_rate = lanes::<S, T>(simd, -(learning_rate * root / first));
        let epsilon = lanes::<S, T>(simd, epsilon * root);
        map_columns(
            simd,
            parameter.rows,
            [weights, gradient, mean, square],
            #[inline(always)]
            |[w, g, m, v]: [Lanes<S, T>; 4]| {
                let m = mul_add(m, beta1, mul_add(g, rest1, smallest));
                let v = mul_add(v, beta2, mul_add(g * g, rest2, smallest));
                [mul_add(w, keep, divide_by_root::<S, T>(simd, m * learning_rate, v, epsilon)), zero, m, v]
            },
        );
    }
}
