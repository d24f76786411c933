//! Losses of regression.

use super::{Loss, all_finite, check_finite, elementwise};
use crate::activation::Activation;
use crate::error::{Error, TargetError, setting};
use crate::model::Pass;
use crate::num::math::{maximum, minimum, splat};
use crate::num::target::LOOPS_IN_LANES;
use crate::num::{Real, lanes};
use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

// The regression losses: a formula that returns the loss and its derivative, and a check of the settings, if there
// are any. The targets must be finite.
macro_rules! regression {
    ($name:ty, |$this:ident, $simd:ident, $y:ident, $t:ident| $formula:expr $(, $settings:item)?) => {
        impl<T: Real, A: Activation, const OUT: usize> Loss<T, [T; OUT], A, OUT> for $name {
            #[inline(always)]
            fn evaluate<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                scale: T,
                outputs: &mut [[T; OUT]; B],
                targets: &[[T; OUT]; B],
            ) -> T {
                let ($this, $simd) = (self, pass.simd());
                elementwise::<S, T, A, OUT, B>(
                    pass,
                    scale,
                    outputs,
                    targets,
                    #[inline(always)]
                    |$y, $t| $formula,
                )
            }

            #[inline(always)]
            fn check(&self, target: &[T; OUT]) -> Result<(), TargetError> {
                check_finite(target)
            }

            #[inline(always)]
            fn check_all(&self, targets: &[[T; OUT]]) -> Result<(), (usize, TargetError)> {
                // All at once, where there are vector registers.
                if LOOPS_IN_LANES && all_finite(targets.as_flattened()) {
                    return Ok(());
                }
                for (index, target) in targets.iter().enumerate() {
                    check_finite(target).map_err(|problem| (index, problem))?;
                }
                Ok(())
            }
            $($settings)?
        }
    };
}

/// Mean squared error (L2 loss), for regression.
///
/// # Formula
///
/// Mean of `(y - t)^2`, gradient `2 (y - t)`. PyTorch equivalent: `torch.nn.MSELoss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("MSELoss", "mse", "l2 loss"))]
pub struct MeanSquaredError;

regression!(MeanSquaredError, |_this, simd, y, t| {
    let error = y - t;
    (error * error, error * splat::<S, T>(simd, 2.0))
});

/// Mean absolute error (L1 loss), for regression that is robust against outliers.
///
/// # Formula
///
/// Mean of `|y - t|`, gradient `sign(y - t)`, which is zero at `y = t`. PyTorch equivalent: `torch.nn.L1Loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("L1Loss", "mae"))]
pub struct MeanAbsoluteError;

regression!(MeanAbsoluteError, |_this, simd, y, t| {
    let error = y - t;
    let sign = splat::<S, T>(simd, 1.0).copysign(error);
    let zero = splat::<S, T>(simd, 0.0);
    (error.abs(), error.simd_eq(zero).select(zero, sign))
});

/// Huber loss, for regression that is robust against outliers: quadratic for small errors, linear for large ones.
/// (P. Huber, 1964.)
///
/// # Formula
///
/// Mean of `e^2 / 2` where `|e| <= delta`, otherwise `delta (|e| - delta / 2)`, with `e = y - t`. PyTorch
/// equivalent: `torch.nn.HuberLoss`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("HuberLoss", "SmoothL1Loss"))]
pub struct Huber<T = f32> {
    /// The error beyond which the loss is linear, in the unit of the targets. Above zero, 1 by default; a larger
    /// `delta` gives outliers more weight.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub delta: T,
}

impl<T: Real> Default for Huber<T> {
    /// With a `delta` of 1.
    fn default() -> Self {
        Huber { delta: T::ONE }
    }
}

regression!(
    Huber<T>,
    |this, simd, y, t| {
        let error = y - t;
        let delta = lanes::<S, T>(simd, this.delta);
        let derivative = minimum(maximum(error, -delta), delta);
        (derivative * (error - derivative * splat::<S, T>(simd, 0.5)), derivative)
    },
    #[inline(always)]
    fn check_settings(&self) -> Result<(), Error> {
        setting(self.delta > T::ZERO, "a `delta` of `Huber` above zero", self.delta)
    }
);
