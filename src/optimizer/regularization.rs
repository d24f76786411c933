//! Regularization before the steps of any optimizer: L1 and L2 penalties, and decoupled weight decay.

use super::GradientTransform;
use crate::error::{Error, not_negative, setting};
use crate::kernel::{map, map_sum};
use crate::model::{Parameter, Visit, Visitor, VisitorMut};
use crate::num::dispatch::{dispatch, level};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

/// L1 and L2 regularization: adds the gradient of the penalty to the gradient of the loss. Biases are not penalized.
/// The losses that a trainer reports do not contain the penalty.
///
/// # Formula
///
/// The penalty is `l1 * sum |w| + l2 / 2 * sum w w` over all weights. PyTorch equivalent of `l2`: the argument
/// `weight_decay` of `torch.optim.SGD`. scikit-learn equivalent: the argument `alpha` of `MLPClassifier`, divided by
/// the number of samples in a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("penalty", "L1", "L2", "lasso", "ridge"))]
pub struct Regularization<T> {
    /// The factor `lambda` of the L1 penalty: finite and not negative; 0 for none. A larger one drives more weights to
    /// zero.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub l1: T,
    /// The factor `lambda` of the L2 penalty: finite and not negative; 0 for none. A larger one keeps weights smaller.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub l2: T,
}

impl<T: Real> Regularization<T> {
    /// The value of the penalty for a network.
    #[must_use]
    pub fn value<N: Visit<T>>(&self, network: &N) -> T {
        #[inline(always)]
        fn value<S: Simd, T: Real, N: Visit<T>>(simd: S, regularization: Regularization<T>, network: &N) -> T {
            let mut value = Value { simd, regularization, sum: T::ZERO };
            network.visit(&mut value);
            value.sum
        }
        dispatch!(level(), simd => value(simd, *self, network))
    }

    /// Adds the gradient of the penalty for a slice of weights to the same slice of the gradient.
    #[inline(always)]
    fn add_penalty_gradient<S: Simd>(&self, simd: S, weights: &[T], gradient: &mut [T]) {
        let zero = Lanes::<S, T>::splat(simd, T::ZERO);
        let l1 = Lanes::<S, T>::splat(simd, self.l1);
        let l2 = Lanes::<S, T>::splat(simd, self.l2);
        map(
            simd,
            [gradient],
            [weights],
            #[inline(always)]
            |[g]: [Lanes<S, T>; 1], [w]: [Lanes<S, T>; 1]| {
                let sign = w.simd_eq(zero).select(zero, l1.copysign(w));
                [mul_add(w, l2, g) + sign]
            },
        );
    }
}

struct Value<S, T> {
    simd: S,
    regularization: Regularization<T>,
    sum: T,
}

impl<S: Simd, T: Real> Visitor<T> for Value<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        if parameter.kind.is_weight() {
            let (l1, half) = (self.regularization.l1, self.regularization.l2 * T::of(0.5));
            self.sum += map_sum(
                self.simd,
                values.len(),
                [],
                [values],
                #[inline(always)]
                |[], [w]| ([], w.abs() * l1 + w * w * half),
            );
        }
    }
}

impl<T: Real> GradientTransform<T> for Regularization<T> {
    #[inline(always)]
    fn transform<S: Simd, N: Visit<T>>(&self, simd: S, _: T, network: &mut N, gradient: &mut N) {
        network.visit_mut([gradient], &mut AddGradient { simd, regularization: *self });
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        setting(not_negative(self.l1), "a `lambda` of `l1` that is finite and not negative", self.l1)?;
        setting(not_negative(self.l2), "a `lambda` of `l2` that is finite and not negative", self.l2)
    }
}

struct AddGradient<S, T> {
    simd: S,
    regularization: Regularization<T>,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for AddGradient<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        if parameter.kind.is_weight() {
            self.regularization.add_penalty_gradient(self.simd, values, gradient);
        }
    }
}

/// [`Regularization`] that is compiled once for all networks, and costs no time if it is zero: that of
/// [`Hyperparameters`](crate::tuning::Hyperparameters).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AnyRegularization<T>(pub Regularization<T>);

impl<T: Real> GradientTransform<T> for AnyRegularization<T> {
    #[inline(always)]
    fn transform<S: Simd, N: Visit<T>>(&self, simd: S, _: T, network: &mut N, gradient: &mut N) {
        if self.0 != (Regularization { l1: T::ZERO, l2: T::ZERO }) {
            network.visit_mut([gradient], &mut Each { simd, regularization: self.0 });
        }
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        self.0.check()
    }
}

struct Each<S, T> {
    simd: S,
    regularization: Regularization<T>,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for Each<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        if parameter.kind.is_weight() {
            add_penalty_gradient(self.simd, &self.regularization, values, gradient);
        }
    }
}

#[inline(never)]
fn add_penalty_gradient<S: Simd, T: Real>(
    simd: S,
    regularization: &Regularization<T>,
    weights: &[T],
    gradient: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || regularization.add_penalty_gradient(simd, weights, gradient),
    );
}

/// Decoupled weight decay: shrinks every weight before each step. Biases do not decay.
///
/// # Formula
///
/// `w <- (1 - learning_rate * lambda) * w`: I. Loshchilov and F. Hutter, 2017, <https://arxiv.org/abs/1711.05101>.
/// PyTorch equivalent: the argument `weight_decay` of `torch.optim.AdamW`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("weight decay", "weight_decay"))]
pub struct WeightDecay<T> {
    /// The decay `lambda`: finite and not negative; no default, 0.01 is usual. A larger one pulls weights to zero more
    /// strongly.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub lambda: T,
}

impl<T: Real> GradientTransform<T> for WeightDecay<T> {
    #[inline(always)]
    fn transform<S: Simd, N: Visit<T>>(&self, simd: S, learning_rate: T, network: &mut N, _: &mut N) {
        network.visit_mut([], &mut Shrink { simd, keep: T::ONE - learning_rate * self.lambda });
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        setting(not_negative(self.lambda), "a `lambda` of `weight_decay` that is finite and not negative", self.lambda)
    }
}

struct Shrink<S, T> {
    simd: S,
    keep: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for Shrink<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        if parameter.kind.is_weight() {
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
