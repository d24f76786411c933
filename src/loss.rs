//! Losses: how far outputs are from targets, and the gradient by the outputs.
//!
//! A loss averages over the samples of a batch; the regression losses and binary cross-entropy also average over
//! the outputs. The last activation is known from the network's type, so sigmoid is fused with binary cross-entropy
//! and softmax with cross-entropy. Both are computed from the logits: the loss is finite for every finite logit,
//! and its gradient is `y - t`.
//!
//! Which losses fit which last activation; other pairs do not compile:
//!
//! | the network ends with | [`BinaryCrossEntropy`] | [`CrossEntropy`], of two outputs or more | [`MeanSquaredError`], [`MeanAbsoluteError`], [`Huber`] |
//! |---|---|---|---|
//! | [`Sigmoid`] | yes, fused | no | yes |
//! | [`Softmax`], of two outputs or more | no | yes, fused | yes |
//! | [`Identity`] | yes, of logits | yes, of logits | yes |
//! | [`HardSigmoid`] | yes, of probabilities | no | yes |
//! | any other activation | no | no | yes |
//! | an activation of your own | if it is [`Probabilities`] | if it is [`Distribution`] | yes |
//! | a layer of your own with [`NoActivation`] | yes, of probabilities | yes, of probabilities | yes |
//! | [`Dropout<0>`](Dropout), which changes nothing | yes, of probabilities | yes, of probabilities | yes |
//! | another [`Dropout`], `BatchNorm`, `LayerNorm`, `Residual`, a recurrent layer | no | no | yes |
//! | `Steps<L>` | as after `L` | as after `L` | yes |
//!
//! Outputs are logits only if the network declares it, with `Identity` in its last layer: put an `Identity`
//! after a final `BatchNorm`. Softmax of one output, which is always 1, does not compile with any loss.
//!
//! ```
//! use tuplenet::layers::LayerNorm;
//! use tuplenet::prelude::*;
//!
//! // Logits of three classes.
//! type Net = (Dense<2, 3, Identity>, LayerNorm<3>, Identity);
//! let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
//! trainer.step(&[[0.5, -1.0]], &[2usize])?;
//! # Ok::<(), tuplenet::Error>(())
//! ```
//!
//! ```compile_fail,E0277
//! use tuplenet::prelude::*;
//!
//! type Net = (Dense<2, 8, Tanh>, Dense<8, 3, Relu>);
//! let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
//! trainer.step(&[[0.5, -1.0]], &[2usize])?; // `CrossEntropy` makes no sense after `Relu`
//! # Ok::<(), tuplenet::Error>(())
//! ```
//!
//! A network whose outputs are a sequence has a target for each step; its loss is the mean over the steps, those that are there if
//! the sequence is [`Padded`](crate::data::Padded).
//!
//! A loss of your own is a formula for one output and one target, for every last activation `A`:
//!
//! ```
//! use tuplenet::model::Pass;
//! use tuplenet::loss::{Loss, elementwise};
//! use tuplenet::prelude::*;
//! use tuplenet::simd::*;
//!
//! /// The fourth power of the error.
//! struct Quartic;
//!
//! impl<T: Real, A: Activation, const OUT: usize> Loss<T, [T; OUT], A, OUT> for Quartic {
//!     #[inline(always)]
//!     fn evaluate<S: Simd, const B: usize>(
//!         &self,
//!         pass: Pass<S, B>,
//!         scale: T,
//!         outputs: &mut [[T; OUT]; B],
//!         targets: &[[T; OUT]; B],
//!     ) -> T {
//!         elementwise::<S, T, A, OUT, B>(pass, scale, outputs, targets, #[inline(always)] |y, t| {
//!             let error = y - t;
//!             let square = error * error;
//!             (square * square, square * error * T::of(4.0))
//!         })
//!     }
//! }
//! ```

use crate::activation::{Activation, FusedLoss, HardSigmoid, Identity, NoActivation, Sigmoid, Softmax};
use crate::data::{ClassIndex, Samples};
use crate::error::{Error, Found, NotFinite, TargetError, setting};
use crate::kernel::{self, Exponentials, map, map_sum, softmax};
use crate::layers::Dropout;
use crate::model::{Batch, Features, LastActivation, Pass, Sequence, Shape, Trainable, Zeroed};
use crate::num::math::{self, divide, maximum, minimum, splat};
use crate::num::target::LOOPS_IN_LANES;
use crate::num::{Lanes, Real, lanes};
use fearless_simd::{Select, Simd, SimdBase, SimdFloat};
use nalgebra::SMatrix;

/// A loss function for networks with `OUT` outputs of type `T` whose last activation is `A`, and targets of type
/// `Target`: `[T; OUT]`, `usize` for a class index, or [`Class<OUT>`](crate::data::Class). A loss of your own that
/// is implemented for every `A` fits every network; the bounds [`Probabilities`] and [`Distribution`] exclude
/// networks whose outputs are not probabilities.
#[diagnostic::on_unimplemented(
    message = "the targets do not fit: `{Self}` does not compare outputs `[{T}; {OUT}]` with `{Target}`",
    label = "a target for outputs `[{T}; {OUT}]`",
    note = "a target is `[{T}; {OUT}]` or `SVector<{T}, {OUT}>`; for `CrossEntropy` also a class, as `usize`, `u32`, `u8` or \
            `Class<{OUT}>`; for `BinaryCrossEntropy` with one output also a `bool`"
)]
#[doc(alias("criterion", "objective"))]
pub trait Loss<T: Real, Target, A: Activation, const OUT: usize> {
    /// Evaluating it fails to compile if the loss makes no sense for so many outputs: see [`assert_loss`].
    const VALID: () = ();

    /// Returns `scale` times the sum of the losses of the samples in use, and replaces each of `outputs` by the
    /// gradient of that sum.
    ///
    /// # Shapes
    ///
    /// `outputs`: `B` samples of `[T; OUT]`, the values before the last activation `A`. `targets`: `B` targets. The
    /// first [`pass.len()`](Pass::len) samples are in use; the gradients of the others are unspecified.
    fn evaluate<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [[T; OUT]; B],
        targets: &[Target; B],
    ) -> T;

    /// Checks the settings of the loss, before training and before evaluation.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if a setting is out of its range.
    #[inline(always)]
    fn check_settings(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Checks that the loss can be computed for a target.
    ///
    /// # Errors
    ///
    /// A [`TargetError`] if not: by default never.
    #[inline(always)]
    fn check(&self, _target: &Target) -> Result<(), TargetError> {
        Ok(())
    }

    /// Checks each target.
    ///
    /// # Errors
    ///
    /// The index of the first target that [`check`](Self::check) rejects, and why.
    #[inline(always)]
    fn check_all(&self, targets: &[Target]) -> Result<(), (usize, TargetError)> {
        for (index, target) in targets.iter().enumerate() {
            self.check(target).map_err(|error| (index, error))?;
        }
        Ok(())
    }
}

/// Samples whose items the loss `L` compares with the outputs of a network, of shape `Out`, whose last activation is `A`.
/// Implemented for every kind of [`Samples`] whose items are targets of the [`Loss`].
#[diagnostic::on_unimplemented(
    message = "the targets do not fit: `{L}` does not compare outputs `{Out}` of `{T}` with `{Self}`",
    label = "targets for a network with outputs `{Out}` of `{T}`",
    note = "targets are features or sequences: a network that ends with an image needs `Flatten` after it, and its targets are \
            arrays of so many pixels"
)]
pub trait Targets<T: Real, L, A: Activation, Out: Shape>: Samples<T> {
    /// [`Loss::VALID`].
    const VALID: ();

    /// [`Loss::evaluate`].
    fn evaluate<S: Simd, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut Batch<Out, T, B>,
        targets: &[Self::Item; B],
    ) -> T;

    /// [`Loss::evaluate`], where the loss of the sample in each column is multiplied by its own `scale(column)`.
    fn evaluate_weighted<S: Simd, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: impl Fn(usize) -> T,
        outputs: &mut Batch<Out, T, B>,
        targets: &[Self::Item; B],
    ) -> T;

    /// [`Loss::check_settings`].
    ///
    /// # Errors
    ///
    /// As [`Loss::check_settings`].
    fn check_loss(loss: &L) -> Result<(), Error>;

    /// [`Loss::check_all`], for the first `steps` of sequences.
    ///
    /// # Errors
    ///
    /// As [`Loss::check_all`].
    fn check_targets(loss: &L, targets: &[Self::Item], steps: usize) -> Result<(), (usize, TargetError)>;
}

// Without `do_not_recommend`: what does not fit is the loss, the last activation or the sample, and each has its
// own error message.
impl<T: Real, L: Loss<T, Y::Item, A, OUT>, A: Activation, Y: Samples<T> + ?Sized, const OUT: usize>
    Targets<T, L, A, Features<OUT>> for Y
{
    const VALID: () = L::VALID;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut SMatrix<T, OUT, B>,
        targets: &[Y::Item; B],
    ) -> T {
        loss.evaluate::<S, B>(pass, scale, &mut outputs.data.0, targets)
    }

    #[inline(always)]
    fn evaluate_weighted<S: Simd, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: impl Fn(usize) -> T,
        outputs: &mut SMatrix<T, OUT, B>,
        targets: &[Y::Item; B],
    ) -> T {
        let mut sum = T::ZERO;
        for (column, (output, target)) in outputs.data.0.iter_mut().zip(targets).take(pass.len()).enumerate() {
            let (output, target) = (core::array::from_mut(output), core::array::from_ref(target));
            sum += loss.evaluate::<S, 1>(Pass::new(pass.simd(), 1), scale(column), output, target);
        }
        sum
    }

    #[inline(always)]
    fn check_loss(loss: &L) -> Result<(), Error> {
        loss.check_settings()
    }

    #[inline(always)]
    fn check_targets(loss: &L, targets: &[Y::Item], _steps: usize) -> Result<(), (usize, TargetError)> {
        loss.check_all(targets)
    }
}

/// The targets at one step of the sequences of a micro-batch.
#[inline(always)]
fn targets_at<Target: Copy, const STEPS: usize, const B: usize>(
    targets: &[[Target; STEPS]; B],
    step: usize,
    none: Target,
) -> [Target; B] {
    targets.each_ref().map(
        #[inline(always)]
        |target| target.get(step).copied().unwrap_or(none),
    )
}

/// What each of the steps counts in a mean; a constant if all are there.
#[inline(always)]
fn share<T: Real, const STEPS: usize>(steps: usize) -> T {
    if steps == STEPS { T::of(1.0 / STEPS as f64) } else { T::ONE / T::from_count(steps) }
}

// A sequence of outputs has a target for each step, and its loss is the mean over the steps.
impl<T, L, Target, A, Y, const STEPS: usize, const OUT: usize> Targets<T, L, A, Sequence<STEPS, OUT>> for Y
where
    T: Real,
    L: Loss<T, Target, A, OUT>,
    Target: Zeroed + Copy,
    A: Activation,
    Y: Samples<T, Item = [Target; STEPS]> + ?Sized,
{
    const VALID: () = L::VALID;

    #[inline(always)]
    fn evaluate<S: Simd, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut [SMatrix<T, OUT, B>; STEPS],
        targets: &[[Target; STEPS]; B],
    ) -> T {
        let steps = pass.steps(STEPS);
        let scale = scale * share::<T, STEPS>(steps);
        let mut sum = T::ZERO;
        Sequence::clear_steps_from(outputs, steps);
        for (step, outputs) in outputs.iter_mut().enumerate().take(steps) {
            let targets = targets_at(targets, step, Target::ZEROED);
            sum += loss.evaluate::<S, B>(pass, scale, &mut outputs.data.0, &targets);
        }
        sum
    }

    #[inline(always)]
    fn evaluate_weighted<S: Simd, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: impl Fn(usize) -> T,
        outputs: &mut [SMatrix<T, OUT, B>; STEPS],
        targets: &[[Target; STEPS]; B],
    ) -> T {
        let steps = pass.steps(STEPS);
        let share = share::<T, STEPS>(steps);
        let mut sum = T::ZERO;
        Sequence::clear_steps_from(outputs, steps);
        for (step, outputs) in outputs.iter_mut().enumerate().take(steps) {
            for (column, (output, target)) in outputs.data.0.iter_mut().zip(targets).take(pass.len()).enumerate() {
                let target = target.get(step).copied().unwrap_or(Target::ZEROED);
                let (output, target) = (core::array::from_mut(output), core::array::from_ref(&target));
                let scale = scale(column) * share;
                sum += loss.evaluate::<S, 1>(Pass::new(pass.simd(), 1), scale, output, target);
            }
        }
        sum
    }

    #[inline(always)]
    fn check_loss(loss: &L) -> Result<(), Error> {
        loss.check_settings()
    }

    #[inline(always)]
    fn check_targets(loss: &L, targets: &[[Target; STEPS]], len: usize) -> Result<(), (usize, TargetError)> {
        for (index, steps) in targets.iter().enumerate() {
            let steps = steps.get(..len).unwrap_or(steps);
            loss.check_all(steps).map_err(|(_, error)| (index, error))?;
        }
        Ok(())
    }
}

/// Fails to compile with a readable message if the loss `L` does not fit the network `N` with targets of type `Target`: a
/// loss that makes no sense after the last activation, targets of another size, a single output where there must be
/// several. Training with them does not compile either, but the last is found here by `cargo check` too.
///
/// # Examples
///
/// ```
/// use tuplenet::loss::assert_loss;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<8, 3, Softmax>);
/// const _: () = assert_loss::<Net, CrossEntropy, usize>();
/// const _: () = assert_loss::<Net, MeanSquaredError, [f32; 3]>();
/// ```
///
/// ```compile_fail,E0080
/// use tuplenet::loss::assert_loss;
/// use tuplenet::prelude::*;
///
/// const _: () = assert_loss::<Dense<2, 1, Identity>, CrossEntropy, usize>();
/// ```
#[doc(alias("static_assert"))]
pub const fn assert_loss<N: Trainable, L, Target>()
where
    [Target]: Targets<N::Scalar, L, LastActivation<N>, N::Out>,
{
    let () = <[Target] as Targets<N::Scalar, L, LastActivation<N>, N::Out>>::VALID;
}

/// A last activation that fits [`BinaryCrossEntropy`]: each output is a probability of its own, or a logit. For an
/// activation of your own with values between 0 and 1 write `impl Probabilities for MyActivation {}`.
#[diagnostic::on_unimplemented(
    message = "`BinaryCrossEntropy` makes no sense after `{Self}`, whose outputs are not probabilities",
    label = "the network ends with `{Self}`",
    note = "`BinaryCrossEntropy` fits `Sigmoid`, `HardSigmoid`, and `Identity`, whose outputs it takes as logits; after a layer \
            that has no activation, such as `BatchNorm`, put `Sigmoid` or `Identity`",
    note = "`Softmax` goes with `CrossEntropy`; any activation goes with `MeanSquaredError`, `MeanAbsoluteError` and `Huber`",
    note = "for an activation of your own whose outputs are probabilities, write `impl Probabilities for MyActivation {{}}`"
)]
pub trait Probabilities: Activation {}

impl Probabilities for Sigmoid {}
impl Probabilities for HardSigmoid {}
impl Probabilities for Identity {}
impl Probabilities for NoActivation {}
impl Probabilities for NoActivation<Dropout<0>> {}

/// A last activation that fits [`CrossEntropy`]: the outputs are the probabilities of the classes, which add up to
/// 1, or logits. For an activation of your own write `impl Distribution for MyActivation {}`.
#[diagnostic::on_unimplemented(
    message = "`CrossEntropy` makes no sense after `{Self}`, whose outputs are not probabilities of classes",
    label = "the network ends with `{Self}`",
    note = "`CrossEntropy` fits `Softmax`, and `Identity`, whose outputs it takes as logits; after a layer that has no \
            activation, such as `BatchNorm`, put `Softmax` or `Identity`",
    note = "`Sigmoid` goes with `BinaryCrossEntropy`; any activation goes with `MeanSquaredError`, `MeanAbsoluteError` and `Huber`",
    note = "for an activation of your own whose outputs are probabilities that add up to 1, write `impl Distribution for MyActivation {{}}`"
)]
pub trait Distribution: Activation {}

impl Distribution for Softmax {}
impl Distribution for Identity {}
impl Distribution for NoActivation {}
impl Distribution for NoActivation<Dropout<0>> {}

/// [`Loss::evaluate`] for a loss that is the mean of a formula over the outputs. `formula(y, t)` returns the loss
/// of the output `y` with the target `t`, and its derivative by `y`.
///
/// # Shapes
///
/// `outputs` and `targets`: `B` samples of `[T; OUT]`, of which the first [`pass.len()`](Pass::len) are in use.
#[inline(always)]
pub fn elementwise<S: Simd, T: Real, A: Activation, const OUT: usize, const B: usize>(
    pass: Pass<S, B>,
    scale: T,
    outputs: &mut [[T; OUT]; B],
    targets: &[[T; OUT]; B],
    formula: impl Fn(Lanes<S, T>, Lanes<S, T>) -> (Lanes<S, T>, Lanes<S, T>) + Copy,
) -> T {
    let simd = pass.simd();
    let scale = scale * T::of(1.0 / OUT as f64);
    if A::ELEMENTWISE {
        let (outputs, targets) = (outputs.as_flattened_mut(), targets.as_flattened());
        let sum = map_sum(
            simd,
            pass.len() * OUT,
            [outputs],
            [targets],
            #[inline(always)]
            |[x], [t]| {
                let y = A::value::<S, T>(simd, x);
                let (loss, derivative) = formula(y, t);
                ([A::backward::<S, T>(simd, derivative, x, y) * lanes::<S, T>(simd, scale)], loss)
            },
        );
        return scale * sum;
    }
    let mut total = T::ZERO;
    for (output, target) in outputs.iter_mut().zip(targets).take(pass.len()) {
        let x = *output;
        map(
            simd,
            [output],
            [],
            #[inline(always)]
            |[x], []| [A::value::<S, T>(simd, x)],
        );
        A::value_of_sample(Pass::<S, 1>::new(simd, 1), core::array::from_mut(output));
        let y = *output;
        total += map_sum(
            simd,
            OUT,
            [output],
            [target],
            #[inline(always)]
            |[y], [t]| {
                let (loss, derivative) = formula(y, t);
                ([derivative * lanes::<S, T>(simd, scale)], loss)
            },
        );
        A::backward_of_sample(Pass::<S, 1>::new(simd, 1), core::array::from_ref(&y), core::array::from_mut(output));
        map(
            simd,
            [output],
            [&x, &y],
            #[inline(always)]
            |[dy], [x, y]| [A::backward::<S, T>(simd, dy, x, y)],
        );
    }
    scale * total
}

/// Whether no value is infinite or NaN. With vector registers the loop does not stop early, so that it is
/// vectorized.
#[inline(always)]
fn all_finite<T: Real>(values: &[T]) -> bool {
    if !LOOPS_IN_LANES {
        return values.iter().all(|value| value.is_finite());
    }
    values.iter().fold(true, |finite, value| finite & value.is_finite())
}

/// Fails if a value is infinite or NaN.
#[inline(always)]
fn check_finite<T: Real>(target: &[T]) -> Result<(), TargetError> {
    if cfg!(not(target_os = "none")) && all_finite(target) {
        return Ok(());
    }
    match NotFinite::first_of(target) {
        Some((column, found)) => Err(TargetError::NotFinite { column, found }),
        None => Ok(()),
    }
}

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

/// Binary cross-entropy (log loss), for binary classification with one output, or multi-label classification with
/// several.
///
/// Targets are `[T; OUT]`, each between 0 and 1; with one output they may also be `bool` or class indices 0 and 1.
/// After [`Sigmoid`] the loss is computed from the logits, the input of the sigmoid. The outputs of a network that
/// ends with [`Identity`] are taken as logits. Those of [other](Probabilities) networks are taken as probabilities,
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

/// PyTorch's limits for probabilities close to zero.
const LOWEST_LOG: f64 = -100.0;
const LOWEST_DIVISOR: f64 = 1e-12;

#[inline(always)]
fn check_probabilities<T: Real>(target: &[T]) -> Result<(), TargetError> {
    // No index, which would leave a panic path.
    match target.iter().enumerate().find(|&(_, &t)| !(t >= T::ZERO && t <= T::ONE)) {
        None => Ok(()),
        Some((column, &value)) => Err(TargetError::Probability { column, found: Found::value(value) }),
    }
}

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

#[inline(always)]
fn check_class(found: usize, classes: usize) -> Result<(), TargetError> {
    if found < classes { Ok(()) } else { Err(TargetError::Class { found, classes }) }
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

/// Cross-entropy, for multiclass classification: the negative logarithm of the probability of the right class.
///
/// Targets are class indices, or distributions `[T; OUT]` over the classes. A distribution adds up to 1: a target
/// whose sum is off by more than a hundredth is an error. After [`Softmax`] the loss is computed from the logits,
/// the input of softmax. The outputs of a network that ends with [`Identity`] are taken as logits. Those of
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
/// unless there is an [`assert_loss`].
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
