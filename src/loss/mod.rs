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

mod binary_cross_entropy;
mod cross_entropy;
mod regression;

pub use binary_cross_entropy::{BinaryCrossEntropy, BinaryTarget};
pub use cross_entropy::{ClassTarget, CrossEntropy};
pub use regression::{Huber, MeanAbsoluteError, MeanSquaredError};

use crate::activation::{Activation, HardSigmoid, Identity, NoActivation, Sigmoid, Softmax};
use crate::data::Samples;
use crate::error::{Error, Found, NotFinite, TargetError};
use crate::kernel::{map, map_sum};
use crate::layers::Dropout;
use crate::model::{Batch, Features, LastActivation, Pass, Sequence, Shape, Trainable, Zeroed};
use crate::num::target::LOOPS_IN_LANES;
use crate::num::{Lanes, Real, lanes};
use fearless_simd::Simd;
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

#[inline(always)]
fn check_class(found: usize, classes: usize) -> Result<(), TargetError> {
    if found < classes { Ok(()) } else { Err(TargetError::Class { found, classes }) }
}
