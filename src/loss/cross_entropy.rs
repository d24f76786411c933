//! [`CrossEntropy`], and what may be its target.

use super::{Distribution, LOWEST_DIVISOR, LOWEST_LOG, Loss, check_class, check_probabilities, elementwise};
use crate::activation::{Activation, FusedLoss};
use crate::data::ClassIndex;
use crate::error::{Found, TargetError};
use crate::kernel::{self, Exponentials, map, map_sum, softmax};
use crate::model::Pass;
use crate::num::math::{self, maximum, splat};
use crate::num::{Real, lanes};
use fearless_simd::{Simd, SimdBase};

/// How far the sum of a distribution may be from 1: enough for probabilities that were rounded to three decimals.
const SUM_TOLERANCE: f64 = 0.01;

#[inline(always)]
fn check_distribution<T: Real, const OUT: usize>(target: &[T; OUT]) -> Result<(), TargetError> {
    check_probabilities(target)?;
    let sum = target.iter().fold(T::ZERO, |sum, &t| sum + t);
    // Plus the rounding error of the sum itself, for very many classes.
    let tolerance = T::of(SUM_TOLERANCE) + T::from_count(OUT) * T::epsilon();
    if (sum - T::ONE).abs() <= tolerance {
        return Ok(());
    }
    Err(TargetError::Sum { found: Found::value(sum) })
}

/// Cross-entropy, for multiclass classification: the negative logarithm of the probability of the right class.
///
/// Targets are class indices, or distributions `[T; OUT]` over the classes. A distribution adds up to 1: a target
/// whose sum is off by more than a hundredth is an error. After [`Softmax`](crate::activation::Softmax) the loss is computed from the logits,
/// the input of softmax. The outputs of a network that ends with [`Identity`](crate::activation::Identity) are taken as logits. Those of
/// [other](Distribution) networks are taken as probabilities, whose logarithms are clamped at -100.
///
/// # Formula
///
/// `-ln(y_c)` for the class index `c`, sum of `-t_i ln(y_i)` for a distribution `t`; the gradient by the logits is
/// `y - t`. PyTorch equivalent: `torch.nn.CrossEntropyLoss`.
///
/// # Examples
///
/// There must be at least two outputs: the loss of one would always be 0. A bound cannot say that a const parameter is not
/// 1, so that the compiler finds it only where it generates code: when it builds a program, and not yet in `cargo check`,
/// unless there is an [`assert_loss`](super::assert_loss).
///
/// ```compile_fail,E0080
/// use tuplenet::prelude::*;
///
/// let network = <Dense<2, 1, Identity>>::new(&mut seeded(0));
/// let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(0.01), seeded(1));
/// trainer.step(&[[0.5, -1.0]], &[0usize]).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("CrossEntropyLoss", "NLLLoss", "categorical_crossentropy", "sparse_categorical_crossentropy"))]
pub struct CrossEntropy;

impl CrossEntropy {
    /// The loss of one sample. Replaces `output` by the gradient.
    #[inline(always)]
    fn of_distribution<S: Simd, T: Real, A: Activation, const OUT: usize>(
        simd: S,
        scale: T,
        output: &mut [T; OUT],
        target: &[T; OUT],
    ) -> T {
        if !matches!(A::FUSED_LOSS, FusedLoss::Classes | FusedLoss::Either) {
            // `elementwise` takes the mean over the outputs; this is the sum.
            let (pass, scale) = (Pass::<S, 1>::new(simd, 1), scale * T::from_count(OUT));
            let (output, target) = (core::array::from_mut(output), core::array::from_ref(target));
            return elementwise::<S, T, A, OUT, 1>(
                pass,
                scale,
                output,
                target,
                #[inline(always)]
                |y, t| {
                    let log = maximum(math::ln::<S, T>(simd, y), splat::<S, T>(simd, LOWEST_LOG));
                    (-(t * log), -t / maximum(y, splat::<S, T>(simd, LOWEST_DIVISOR)))
                },
            );
        }
        let logits = *output;
        let Exponentials { largest: [largest], sum: [sum] } = softmax(simd, 1, core::array::from_mut(output), T::ONE);
        let whole = kernel::sum(simd, target);
        map(
            simd,
            [output],
            [target],
            #[inline(always)]
            |[y], [t]| [(y * whole - t) * lanes::<S, T>(simd, scale)],
        );
        // Distances from the largest logit, so that large logits do not cancel.
        let distance = map_sum(
            simd,
            OUT,
            [],
            [&logits, target],
            #[inline(always)]
            |[], [z, t]| ([], (-z + largest) * t),
        );
        scale * (whole * scalar_ln(simd, sum) + distance)
    }
}

impl<T: Real, Y: ClassTarget<T, OUT>, A: Distribution, const OUT: usize> Loss<T, Y, A, OUT> for CrossEntropy {
    const VALID: () = assert!(
        OUT > 1,
        "cross-entropy of one output is always 0: take `Sigmoid` with `BinaryCrossEntropy`, or an output for each class"
    );

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[Y; B],
    ) -> T {
        const { <Self as Loss<T, Y, A, OUT>>::VALID };
        Y::evaluate::<S, A, B>(pass, scale, outputs, targets)
    }

    #[inline(always)]
    fn check(&self, target: &Y) -> Result<(), TargetError> {
        target.check()
    }
}

/// What [`CrossEntropy`] accepts as the target of `OUT` outputs: a class index, or a distribution over the classes,
/// `[T; OUT]`.
#[diagnostic::on_unimplemented(
    message = "the targets do not fit: `CrossEntropy` does not compare outputs `[{T}; {OUT}]` with `{Self}`",
    label = "a target for outputs `[{T}; {OUT}]`",
    note = "a target is a class, as `usize`, `u32`, `u8` or `Class<{OUT}>`, or a distribution over the classes, as \
            `[{T}; {OUT}]` or `SVector<{T}, {OUT}>`"
)]
pub trait ClassTarget<T: Real, const OUT: usize>: Sized {
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
    /// [`TargetError::Class`] for a class index that is not below `OUT`; [`TargetError::Probability`] for a value
    /// that is not between 0 and 1, and [`TargetError::Sum`] for a distribution whose sum is off by more than a
    /// hundredth.
    fn check(&self) -> Result<(), TargetError>;
}

impl<T: Real, const OUT: usize> ClassTarget<T, OUT> for [T; OUT] {
    #[inline(always)]
    fn evaluate<S: Simd, A: Activation, const B: usize>(
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[[T; OUT]; B],
    ) -> T {
        let mut total = T::ZERO;
        for (output, target) in outputs.iter_mut().zip(targets).take(pass.len()) {
            total += CrossEntropy::of_distribution::<S, T, A, OUT>(pass.simd(), scale, output, target);
        }
        total
    }

    #[inline(always)]
    fn check(&self) -> Result<(), TargetError> {
        check_distribution(self)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Real, C: ClassIndex<OUT>, const OUT: usize> ClassTarget<T, OUT> for C {
    #[inline(always)]
    fn evaluate<S: Simd, A: Activation, const B: usize>(
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[C; B],
    ) -> T {
        let simd = pass.simd();
        if !matches!(A::FUSED_LOSS, FusedLoss::Classes | FusedLoss::Either) {
            let mut total = T::ZERO;
            for (output, class) in outputs.iter_mut().zip(targets).take(pass.len()) {
                let mut target = [T::ZERO; OUT];
                if let Some(right) = target.get_mut(class.index()) {
                    *right = T::ONE;
                }
                total += CrossEntropy::of_distribution::<S, T, A, OUT>(simd, scale, output, &target);
            }
            return total;
        }
        let len = pass.len();
        let mut right = [T::ZERO; B];
        for ((right, output), class) in right.iter_mut().zip(&*outputs).zip(targets).take(len) {
            *right = output.get(class.index()).copied().unwrap_or(T::ZERO);
        }
        let exponentials = softmax(simd, len, outputs, scale);
        for (output, class) in outputs.iter_mut().zip(targets).take(len) {
            if let Some(dy) = output.get_mut(class.index()) {
                *dy -= scale;
            }
        }
        scale
            * map_sum(
                simd,
                len,
                [],
                [&exponentials.sum, &exponentials.largest, &right],
                #[inline(always)]
                |[], [sum, largest, right]| ([], math::ln::<S, T>(simd, sum) + (largest - right)),
            )
    }

    #[inline(always)]
    fn check(&self) -> Result<(), TargetError> {
        check_class(self.index(), OUT)
    }
}

#[inline(always)]
fn scalar_ln<S: Simd, T: Real>(simd: S, x: T) -> T {
    math::ln::<S, T>(simd, lanes::<S, T>(simd, x)).as_slice()[0]
}
