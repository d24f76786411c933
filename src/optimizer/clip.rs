//! Gradient clipping before the steps of any optimizer.

use super::GradientTransform;
use crate::error::{Error, setting};
use crate::kernel::{map, map_sum};
use crate::model::{Parameter, Visit, VisitorMut};
use crate::num::math::{maximum, minimum, square_root};
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// Gradient clipping by norm: scales the gradient down to the limit where its norm is larger. The norm is that of all
/// parameters together.
///
/// # Formula
///
/// `g <- g * min(1, limit / |g|)`, with the Euclidean norm `|g|`: R. Pascanu et al., 2013,
/// <https://arxiv.org/abs/1211.5063>. PyTorch equivalent: `torch.nn.utils.clip_grad_norm_`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("clip_grad_norm_", "gradient clipping"))]
pub struct ClipNorm<T> {
    /// The largest norm: above zero; no default, 1 is usual. A larger one clips fewer gradients.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub limit: T,
}

impl<T: Real> GradientTransform<T> for ClipNorm<T> {
    #[inline(always)]
    fn transform<S: Simd, N: Visit<T>>(&self, simd: S, _: T, _: &mut N, gradient: &mut N) {
        let mut squares = SumOfSquares { simd, sum: T::ZERO };
        gradient.visit_mut([], &mut squares);
        let norm = square_root(squares.sum);
        // Not if the norm is infinite, since the values may be finite with squares that overflow, and not if the
        // squares underflow.
        if norm > self.limit && norm < T::infinity() && norm > T::min_positive_value() / T::epsilon() {
            gradient.visit_mut([], &mut Scale { simd, factor: self.limit / norm });
        } else if !(norm <= self.limit && norm > T::ZERO) {
            scaled(self.limit, gradient);
        }
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        setting(self.limit > T::ZERO, "a limit above zero for `clip_norm`", self.limit)
    }

    #[inline(always)]
    fn largest_gradient(&self, after: T) -> T {
        if self.limit <= after { T::max_value() } else { after }
    }
}

/// [`ClipNorm`] where squares overflow or underflow: the gradient is multiplied by a power of two first, which is
/// exact.
#[cold]
#[inline(never)]
fn scaled<T: Real, N: Visit<T>>(limit: T, gradient: &mut N) {
    /// The largest absolute value, and the sum of the squares of `scale` times the values.
    struct Measure<T> {
        scale: T,
        largest: T,
        squares: T,
    }
    impl<T: Real> VisitorMut<T, 0> for Measure<T> {
        #[inline(never)]
        fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
            for value in values {
                self.largest = self.largest.max(value.abs());
                let value = *value * self.scale;
                self.squares += value * value;
            }
        }
    }
    struct Times<T>([T; 2]);
    impl<T: Real> VisitorMut<T, 0> for Times<T> {
        #[inline(never)]
        fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
            for value in values {
                *value = *value * self.0[0] * self.0[1];
            }
        }
    }
    let is_single = size_of::<T>() == size_of::<f32>();
    let power = |exponent: u64| T::of(f64::from_bits((1023 + exponent) << 52));
    let mut measure = Measure { scale: T::ONE, largest: T::ZERO, squares: T::ZERO };
    gradient.visit_mut([], &mut measure);
    measure.scale = match (measure.largest > T::ONE, is_single) {
        (true, true) => T::ONE / power(80),
        (true, false) => T::ONE / power(600),
        (false, true) => power(100),
        (false, false) => power(800),
    };
    measure.squares = T::ZERO;
    gradient.visit_mut([], &mut measure);
    let norm = square_root(measure.squares);
    // Not if the norm is infinite or NaN: no factor can mend such a gradient.
    if norm.is_finite() && norm > limit * measure.scale {
        gradient.visit_mut([], &mut Times([measure.scale, limit / norm]));
    }
}

struct SumOfSquares<S, T> {
    simd: S,
    sum: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for SumOfSquares<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        self.sum += map_sum(
            self.simd,
            values.len(),
            [],
            [values],
            #[inline(always)]
            |[], [g]| ([], g * g),
        );
    }
}

struct Scale<S, T> {
    simd: S,
    factor: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for Scale<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        map(
            self.simd,
            [values],
            [],
            #[inline(always)]
            |[g], []| [g * self.factor],
        );
    }
}

/// Gradient clipping by value: clamps each element of the gradient.
///
/// # Formula
///
/// `g <- min(max(g, -limit), limit)`. PyTorch equivalent: `torch.nn.utils.clip_grad_value_`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("clip_grad_value_", "gradient clipping"))]
pub struct ClipValue<T> {
    /// The largest absolute value: above zero; no default, 1 is usual. A larger one clips fewer elements.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub limit: T,
}

impl<T: Real> GradientTransform<T> for ClipValue<T> {
    #[inline(always)]
    fn transform<S: Simd, N: Visit<T>>(&self, simd: S, _: T, _: &mut N, gradient: &mut N) {
        gradient.visit_mut([], &mut Bound { simd, limit: self.limit });
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        setting(self.limit > T::ZERO, "a limit above zero for `clip_value`", self.limit)
    }

    #[inline(always)]
    fn largest_gradient(&self, after: T) -> T {
        if self.limit <= after { T::max_value() } else { after }
    }
}

struct Bound<S, T> {
    simd: S,
    limit: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 0> for Bound<S, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        let limit = Lanes::<S, T>::splat(self.simd, self.limit);
        map(
            self.simd,
            [values],
            [],
            #[inline(always)]
            |[g], []| [minimum(maximum(g, -limit), limit)],
        );
    }
}
