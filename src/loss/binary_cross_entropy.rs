//! [`BinaryCrossEntropy`], and what may be its target.

use super::{LOWEST_DIVISOR, LOWEST_LOG, Loss, Probabilities, check_class, check_probabilities, elementwise};
use crate::activation::{Activation, FusedLoss};
use crate::data::ClassIndex;
use crate::error::TargetError;
use crate::kernel::map_sum;
use crate::model::Pass;
use crate::num::math::{self, divide, maximum, splat};
use crate::num::{Real, lanes};
use fearless_simd::{Select, Simd, SimdBase};

/// Binary cross-entropy (log loss), for binary classification with one output, or multi-label classification with
/// several.
///
/// Targets are `[T; OUT]`, each between 0 and 1; with one output they may also be `bool` or class indices 0 and 1.
/// After [`Sigmoid`](crate::activation::Sigmoid) the loss is computed from the logits, the input of the sigmoid. The outputs of a network that
/// ends with [`Identity`](crate::activation::Identity) are taken as logits. Those of [other](Probabilities) networks are taken as probabilities,
/// whose logarithms are clamped at -100, as in PyTorch.
///
/// # Formula
///
/// Mean over the outputs of `-t ln(y) - (1 - t) ln(1 - y)`; the gradient by the logits is `y - t`. PyTorch
/// equivalent: `torch.nn.BCEWithLogitsLoss`, or `torch.nn.BCELoss` for probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("BCELoss", "BCEWithLogitsLoss", "log loss"))]
pub struct BinaryCrossEntropy;

impl BinaryCrossEntropy {
    #[inline(always)]
    fn of_probabilities<S: Simd, T: Real, A: Activation, const OUT: usize, const B: usize>(
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[[T; OUT]; B],
    ) -> T {
        let simd = pass.simd();
        if !matches!(A::FUSED_LOSS, FusedLoss::Binary | FusedLoss::Either) {
            return elementwise::<S, T, A, OUT, B>(
                pass,
                scale,
                outputs,
                targets,
                #[inline(always)]
                |y, t| {
                    let lowest = splat::<S, T>(simd, LOWEST_LOG);
                    let (other_y, other_t) = (-y + splat::<S, T>(simd, 1.0), -t + splat::<S, T>(simd, 1.0));
                    let yes = t * maximum(math::ln::<S, T>(simd, y), lowest);
                    let no = other_t * maximum(math::ln::<S, T>(simd, other_y), lowest);
                    (-(yes + no), (y - t) / maximum(y * other_y, splat::<S, T>(simd, LOWEST_DIVISOR)))
                },
            );
        }
        let scale = scale * T::of(1.0 / OUT as f64);
        let (outputs, targets) = (outputs.as_flattened_mut(), targets.as_flattened());
        let sum = map_sum(
            simd,
            pass.len() * OUT,
            [outputs],
            [targets],
            #[inline(always)]
            |[z], [t]| {
                let zero = splat::<S, T>(simd, 0.0);
                let e = math::exp_negative_above_zero::<S, T>(simd, -z.abs());
                let y =
                    divide::<S, T>(z.simd_lt(zero).select(e, splat::<S, T>(simd, 1.0)), e + splat::<S, T>(simd, 1.0));
                ([(y - t) * lanes::<S, T>(simd, scale)], maximum(z, zero) - z * t + math::ln_1p::<S, T>(simd, e))
            },
        );
        scale * sum
    }
}

impl<T: Real, Y: BinaryTarget<T, OUT>, A: Probabilities, const OUT: usize> Loss<T, Y, A, OUT> for BinaryCrossEntropy {
    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[Y; B],
    ) -> T {
        Y::evaluate::<S, A, B>(pass, scale, outputs, targets)
    }

    #[inline(always)]
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        target.check()
    }
}

/// What [`BinaryCrossEntropy`] accepts as the target of `OUT` outputs: `[T; OUT]`, or, with one output, a class
/// index.
#[diagnostic::on_unimplemented(
    message = "the targets do not fit: `BinaryCrossEntropy` does not compare outputs `[{T}; {OUT}]` with `{Self}`",
    label = "a target for outputs `[{T}; {OUT}]`",
    note = "a target is `[{T}; {OUT}]` or `SVector<{T}, {OUT}>`; with one output also a `bool`, or 0 or 1 as `u8` or `usize`"
)]
pub trait BinaryTarget<T: Real, const OUT: usize>: Sized {
    /// [`Loss::evaluate`].
    fn evaluate<S: Simd, A: Activation, const B: usize>(
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[Self; B],
    ) -> T;

    /// [`Loss::check`].
    ///
    /// # Errors
    ///
    /// [`TargetError::Probability`] for a value that is not between 0 and 1, [`TargetError::Class`] for a class
    /// index above 1.
    fn check(&self) -> Result<(), TargetError>;
}

impl<T: Real, const OUT: usize> BinaryTarget<T, OUT> for [T; OUT] {
    #[inline(always)]
    fn evaluate<S: Simd, A: Activation, const B: usize>(
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[[T; OUT]; B],
    ) -> T {
        BinaryCrossEntropy::of_probabilities::<S, T, A, OUT, B>(pass, scale, outputs, targets)
    }

    #[inline(always)]
    fn check(&self) -> Result<(), TargetError> {
        check_probabilities(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Real, C: ClassIndex<2>> BinaryTarget<T, 1> for C {
    #[inline(always)]
    fn evaluate<S: Simd, A: Activation, const B: usize>(
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; 1]; B],
        targets: &[C; B],
    ) -> T {
        let mut probabilities = [[T::ZERO]; B];
        for (probability, class) in probabilities.iter_mut().zip(targets) {
            probability[0] = if class.index() == 0 { T::ZERO } else { T::ONE };
        }
        BinaryCrossEntropy::of_probabilities::<S, T, A, 1, B>(pass, scale, outputs, &probabilities)
    }

    #[inline(always)]
    fn check(&self) -> Result<(), TargetError> {
        check_class(self.index(), 2)
    }
}
