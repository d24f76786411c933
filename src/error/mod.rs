//! [`Error`]: what only run time can know, with readable messages of the form "expected ..., found ...".
//!
//! `Debug` of every error prints the same message as `Display`, so that `unwrap` and `fn main() -> Result<(),
//! Error>` show it.

#[cfg(feature = "checkpoint")]
mod interned;
mod text;

pub(crate) use text::Short;
pub use text::Text;

use crate::num::Real;
use core::fmt;

/// `Debug` that prints the message of `Display`, for `unwrap` and for a `main` that returns an error.
macro_rules! debug_is_display {
    ($($error:ty),+) => {$(
        impl core::fmt::Debug for $error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }
    )+};
}
#[allow(unused_imports, reason = "features have the other errors")]
pub(crate) use debug_is_display;
debug_is_display!(Error, TargetError);

/// A text of the program. Not written as a reference, which serde would want to borrow.
type StaticText = &'static str;

/// The error of this library. A call that returns an error has changed nothing, unless its documentation says
/// otherwise.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// let network = <Dense<1, 3, Softmax>>::new(&mut seeded(0));
/// let mut trainer = Trainer::new(network, CrossEntropy, Sgd::new(0.1), seeded(1));
/// let error = trainer.step(&[[0.5]], &[3usize]).unwrap_err();
/// assert_eq!(error.to_string(), "target of sample 0: expected a class index below 3, found 3");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "checkpoint", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Error {
    /// There were no samples.
    NoSamples,
    /// The number of something was not the expected one.
    Lengths {
        /// What was counted.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        what: StaticText,
        /// The expected number.
        expected: usize,
        /// The number that was found.
        found: usize,
    },
    /// The batch size was zero.
    BatchSize,
    /// The number of epochs was zero.
    Epochs,
    /// A setting was out of its range: of an optimizer, a regularization, a limit, a schedule, a loss or a
    /// callback.
    Setting {
        /// What was expected, with the name of the setting.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        expected: StaticText,
        /// The value that was found.
        found: Found,
    },
    /// A batch had a single sample, or a trainer a micro-batch of one, and a layer such as
    /// [`BatchNorm`](crate::layers::BatchNorm) can only be trained on several samples together.
    LoneSample {
        /// The batch, counted from zero within the epoch.
        batch: usize,
    },
    /// An input was infinite or NaN.
    InputNotFinite {
        /// The index of the sample in the order of the data.
        sample: usize,
        /// The index of the first such value in the sample.
        column: usize,
        /// The value that was found.
        found: NotFinite,
        /// The epoch, counted from zero.
        epoch: usize,
        /// The batch, counted from zero within the epoch.
        batch: usize,
    },
    /// A value of a sample was infinite or NaN.
    SampleNotFinite {
        /// The index of the sample.
        sample: usize,
        /// The index of the first such value in the sample.
        column: usize,
    },
    /// The values of a feature were too far apart: their difference is not finite.
    RangeTooLarge {
        /// The index of the feature.
        column: usize,
    },
    /// A value that should be a probability was not between 0 and 1.
    Probability {
        /// The index of the sample.
        sample: usize,
        /// The index of the value in the sample.
        column: usize,
    },
    /// A range of learning rates did not start above zero or did not end higher.
    LearningRates,
    /// The number of folds was less than two.
    Folds {
        /// The number that was found.
        found: usize,
    },
    /// There were too few samples.
    TooFewSamples {
        /// The smallest number that is enough.
        expected: usize,
        /// The number that was found.
        found: usize,
    },
    /// A sequence had no step, or more than there is space for.
    SequenceLength {
        /// The index of the sequence.
        sample: usize,
        /// The largest number of steps.
        longest: usize,
        /// The number that was found.
        found: usize,
    },
    /// A series was shorter than one window.
    SeriesTooShort {
        /// The number of steps of a window.
        expected: usize,
        /// The number of steps that was found.
        found: usize,
    },
    /// There were too few samples of a class.
    TooFewOfClass {
        /// The class index.
        class: usize,
        /// The smallest number that is enough.
        expected: usize,
        /// The number that was found.
        found: usize,
    },
    /// A part of a data set would have fewer samples than there are classes.
    TooFewForClasses {
        /// `training` or `test`.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        part: StaticText,
        /// The smallest number of samples that is enough.
        expected: usize,
        /// The number that the part would have.
        found: usize,
    },
    /// The squares of errors, or their sum, are too large for an `f64`.
    SquaresTooLarge,
    /// The training loss of a batch was infinite or NaN: the training run has diverged, or started with inputs,
    /// targets or weights that are too large.
    LossNotFinite {
        /// The epoch, counted from zero.
        epoch: usize,
        /// The batch, counted from zero within the epoch.
        batch: usize,
    },
    /// The gradient of a batch was finite, but too large for the optimizer: its square was not finite.
    GradientTooLarge {
        /// The epoch, counted from zero.
        epoch: usize,
        /// The batch, counted from zero within the epoch.
        batch: usize,
    },
    /// Optimization steps have made a weight infinite or NaN: the training run has diverged.
    StepNotFinite {
        /// The epoch in which it was found, counted from zero.
        epoch: usize,
        /// The batch, counted from zero within the epoch.
        batch: usize,
    },
    /// The network had an infinite weight or NaN before training.
    WeightNotFinite,
    /// The loss of an evaluation was infinite or NaN, although the weights are finite.
    EvaluationNotFinite,
    /// A target was out of the range that the loss accepts.
    Target {
        /// The index of the sample.
        sample: usize,
        /// What is wrong with it.
        problem: TargetError,
    },
    /// A subset contains the index of a sample that its data set does not have.
    Index {
        /// The index.
        found: usize,
        /// The number of samples in the data set.
        count: usize,
    },
    /// An index of an output was too large.
    Output {
        /// The index.
        found: usize,
        /// The number of outputs of the network.
        count: usize,
    },
    /// A matrix was singular.
    Singular,
    /// A part of a data set would be empty.
    Split {
        /// The number of samples.
        count: usize,
        /// The share of the test samples, in percent.
        percent: i32,
    },
    /// A checkpoint could not be written; the one before it is unchanged. With the feature `checkpoint`.
    #[cfg(feature = "checkpoint")]
    Checkpoint {
        /// The path of the file; the end of it, if it is long.
        path: FilePath,
        /// The error of the operating system.
        #[serde(with = "interned::kind")]
        kind: std::io::ErrorKind,
    },
    /// There were no values to choose from.
    NoValues {
        /// The hyperparameter.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        name: StaticText,
    },
    /// A grid search was requested, but the values of a hyperparameter are a distribution.
    NotAList {
        /// The hyperparameter.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        name: StaticText,
    },
    /// The bounds of a distribution were out of their range, or the second was not above the first.
    Bounds {
        /// The hyperparameter.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        name: StaticText,
    },
    /// All samples for the calibration of a quantized network were the same.
    #[cfg(feature = "alloc")]
    ConstantSamples {
        /// How many there were.
        found: usize,
    },
    /// A layer's output was infinite or NaN, although inputs and weights are finite.
    #[cfg(feature = "alloc")]
    LayerNotFinite {
        /// The index of the sample.
        sample: usize,
    },
    /// A quantized network has lost more accuracy than allowed.
    #[cfg(feature = "alloc")]
    QuantizedAccuracy {
        /// The accuracy of the network in floats.
        float: Found,
        /// That of the network in integers.
        quantized: Found,
        /// How many percentage points may be lost.
        points: Found,
        /// The type of the layer that costs the most.
        #[cfg_attr(feature = "checkpoint", serde(with = "interned"))]
        layer: StaticText,
    },
    /// A sample weight was negative, infinite or NaN, or all weights of a batch were zero.
    Weight {
        /// The epoch, counted from zero.
        epoch: usize,
        /// The batch, counted from zero within the epoch.
        batch: usize,
    },
    /// Samples were a [`Share`](crate::data::Share) where all of them are needed, or only one of inputs and targets was.
    Shares,
    /// Ranks that should compute the same differ. With the feature `cluster`.
    #[cfg(feature = "cluster")]
    Ranks {
        /// What is not the same.
        #[serde(with = "interned")]
        what: StaticText,
        /// The first rank where it is not that of rank 0.
        rank: usize,
    },
    /// Another rank has failed. With the feature `cluster`.
    #[cfg(feature = "cluster")]
    RankFailed {
        /// The first rank that has failed.
        rank: usize,
    },
}

/// What is wrong with a target.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "checkpoint", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TargetError {
    /// A class index that is too large.
    Class {
        /// The class index.
        found: usize,
        /// The number of classes; indices are below it.
        classes: usize,
    },
    /// A value that should be a probability and is not between 0 and 1.
    Probability {
        /// The index of the first such value in the target.
        column: usize,
        /// The value that was found.
        found: Found,
    },
    /// Class probabilities that do not add up to 1.
    Sum {
        /// Their sum.
        found: Found,
    },
    /// A value that is infinite or NaN.
    NotFinite {
        /// The index of the first such value in the target.
        column: usize,
        /// The value that was found.
        found: NotFinite,
    },
}

/// A value that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "checkpoint", derive(serde::Serialize, serde::Deserialize))]
pub enum NotFinite {
    /// Not a number.
    Nan,
    /// Positive infinity.
    Infinity,
    /// Negative infinity.
    MinusInfinity,
}

impl NotFinite {
    /// Classifies a value that is not finite.
    #[must_use]
    pub fn of<T: Real>(value: T) -> Self {
        if value.is_nan() {
            NotFinite::Nan
        } else if value > T::ZERO {
            NotFinite::Infinity
        } else {
            NotFinite::MinusInfinity
        }
    }

    /// The index of the first value that is not finite, and what it is. Compiled once in a program. A
    /// microcontroller calls it for finite targets too, since a separate loop for those would use more flash.
    #[cfg_attr(not(target_os = "none"), cold)]
    #[inline(never)]
    pub(crate) fn first_of<T: Real>(values: &[T]) -> Option<(usize, Self)> {
        let (column, &found) = values.iter().enumerate().find(|(_, value)| !value.is_finite())?;
        Some((column, NotFinite::of(found)))
    }
}

/// Fails if a value of a sample is infinite or NaN.
pub(crate) fn check_finite<T: Real>(sample: usize, values: &[T]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(column) => Err(Error::SampleNotFinite { sample, column }),
        None => Ok(()),
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotFinite::Nan => "NaN",
            NotFinite::Infinity => "infinity",
            NotFinite::MinusInfinity => "-infinity",
        })
    }
}

/// A value that was found, printed with the digits of its own type. NaN equals NaN here.
///
/// # Examples
///
/// ```
/// use tuplenet::error::Found;
///
/// assert_eq!(Found::value(0.1f32).to_string(), "0.1");
/// assert_eq!(Found::value(f64::NAN), Found::value(f64::NAN));
/// assert_eq!(Found::count(3).to_string(), "3");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "checkpoint", derive(serde::Serialize, serde::Deserialize))]
pub struct Found {
    // Bytes and not an `f64`: so a microcontroller that trains in `f32` needs no code for `f64`, and an error is no
    // larger.
    bytes: [u8; 8],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "checkpoint", derive(serde::Serialize, serde::Deserialize))]
enum Kind {
    Single,
    Double,
    Count,
}

debug_is_display!(Found);

impl Found {
    /// An `f32` or `f64` value.
    #[must_use]
    #[inline]
    pub fn value<T: Real>(value: T) -> Self {
        let value = if value.is_nan() { T::nan() } else { value };
        // Without a loop, which the compiler would not leave out where nobody reads the value.
        let bytes = match *bytemuck::bytes_of(&value) {
            [a, b, c, d] => [a, b, c, d, 0, 0, 0, 0],
            [a, b, c, d, e, f, g, h] => [a, b, c, d, e, f, g, h],
            _ => [0; 8],
        };
        Found { bytes, kind: if size_of::<T>() == size_of::<f32>() { Kind::Single } else { Kind::Double } }
    }

    /// An integer.
    #[must_use]
    pub fn count(count: usize) -> Self {
        Found { bytes: (count as u64).to_ne_bytes(), kind: Kind::Count }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.bytes;
        // A value far from 1 is printed with an exponent.
        let near = |size: f64| size == 0.0 || !size.is_finite() || (1e-4..1e9).contains(&size.abs());
        match self.kind {
            Kind::Single => match f32::from_ne_bytes([a, b, c, d]) {
                value if near(f64::from(value)) => write!(f, "{value}"),
                value => write!(f, "{value:e}"),
            },
            Kind::Double => match f64::from_ne_bytes(self.bytes) {
                value if near(value) => write!(f, "{value}"),
                value => write!(f, "{value:e}"),
            },
            Kind::Count => u64::from_ne_bytes(self.bytes).fmt(f),
        }
    }
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Class { found, classes } => {
                write!(f, "expected a class index below {classes}, found {found}")
            }
            TargetError::Sum { found } => write!(f, "expected probabilities that add up to 1, found a sum of {found}"),
            TargetError::Probability { column, found } => {
                write!(f, "expected values between 0 and 1, found {found} in column {column}")
            }
            TargetError::NotFinite { column, found } => {
                write!(f, "expected finite values, found {found} in column {column}")
            }
        }
    }
}

#[cfg(feature = "checkpoint")]
/// The path of a checkpoint in an [`Error`]: the end of it, if it is long.
pub type FilePath = Text<96>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSamples => f.write_str("expected at least one sample, found none"),
            Error::Lengths { what, expected, found } => write!(f, "expected {expected} {what}, found {found}"),
            Error::BatchSize => f.write_str("expected a batch size of at least 1, found 0"),
            Error::Epochs => f.write_str("expected at least 1 epoch, found 0"),
            Error::Setting { expected, found } => write!(f, "expected {expected}, found {found}"),
            Error::LoneSample { batch } => write!(
                f,
                "expected at least 2 samples together to train batch normalization, found 1 in batch {batch}: choose a batch \
                 size that leaves no single sample, and a micro-batch of at least 2"
            ),
            Error::InputNotFinite { sample, column, found, epoch, batch } => write!(
                f,
                "expected finite inputs, found {found} in sample {sample}, column {column} (epoch {epoch}, batch {batch})"
            ),
            Error::SampleNotFinite { sample, column } => {
                write!(f, "expected finite values, found an infinite one or NaN in sample {sample}, column {column}")
            }
            Error::RangeTooLarge { column } => {
                write!(
                    f,
                    "expected values of a finite range in column {column}, found some that are too far apart for their type"
                )
            }
            Error::Probability { sample, column } => {
                write!(f, "expected probabilities between 0 and 1, found none in sample {sample}, column {column}")
            }
            Error::LearningRates => f.write_str("expected learning rates from one above zero to a higher one, found others"),
            Error::Folds { found } => write!(f, "expected at least 2 folds, found {found}"),
            Error::SequenceLength { sample, longest, found } => {
                write!(f, "sequence {sample}: expected between 1 and {longest} steps, found {found}")
            }
            Error::SeriesTooShort { expected, found } => {
                write!(f, "expected a series of at least the {expected} steps of a window, found {found}")
            }
            Error::TooFewSamples { expected, found } => {
                write!(f, "expected at least {expected} samples, found {found}")
            }
            Error::TooFewOfClass { class, expected, found } => {
                let s = if *expected == 1 { "" } else { "s" };
                write!(f, "expected at least {expected} sample{s} of class {class}, found {found}")
            }
            Error::TooFewForClasses { part, expected, found } => {
                write!(f, "expected at least {expected} {part} samples, one for each class, found {found}")
            }
            Error::SquaresTooLarge => {
                f.write_str("expected predictions and targets whose squares are finite, found larger ones: scale them")
            }
            Error::LossNotFinite { epoch, batch } => write!(
                f,
                "expected a finite loss, found an infinite one or NaN in epoch {epoch}, batch {batch}: \
                 the training has diverged, or the data are too large to begin with; try a smaller learning rate, or scale \
                 the data"
            ),
            Error::GradientTooLarge { epoch, batch } => write!(
                f,
                "expected a gradient whose square is finite, found a larger one in epoch {epoch}, batch {batch}: scale inputs \
                 and targets, or clip the gradient"
            ),
            Error::StepNotFinite { epoch, batch } => write!(
                f,
                "expected finite weights, found an infinite one or NaN in epoch {epoch}, batch {batch}: \
                 the training has diverged; try a smaller learning rate"
            ),
            Error::WeightNotFinite => {
                f.write_str("expected a network with finite weights, found an infinite one or NaN to begin with")
            }
            Error::EvaluationNotFinite => f.write_str(
                "expected a finite loss, found an infinite one or NaN: weights, inputs and targets are finite, and what is \
                 computed of them is too large for its type; scale the data, or look at the weights",
            ),
            Error::Target { sample, problem } => write!(f, "target of sample {sample}: {problem}"),
            Error::Index { found, count } => write!(f, "expected the index of one of {count} samples, found {found}"),
            Error::Singular => f.write_str(
                "expected data that determine the parameters with their penalty, found a singular matrix: use a larger `l2`, \
                 or a smaller network",
            ),
            Error::Output { found, count } => write!(f, "expected the index of one of {count} outputs, found {found}"),
            Error::Split { count, percent } => write!(
                f,
                "expected a share of test samples that leaves both parts at least one of the {count} samples, \
                 found {percent} %"
            ),
            #[cfg(feature = "checkpoint")]
            Error::Checkpoint { path, kind } => write!(f, "the checkpoint `{path}` could not be written: {kind}"),
            Error::Shares => f.write_str(
                "expected all samples, found a share of them, which only training over ranks can use, for both inputs and targets",
            ),
            #[cfg(feature = "cluster")]
            Error::Ranks { what, rank } => {
                write!(f, "expected the same {what} on all ranks, found another on rank {rank} than on rank 0")
            }
            #[cfg(feature = "cluster")]
            Error::RankFailed { rank } => {
                write!(f, "expected all ranks to continue, found that rank {rank} has failed: its own message says why")
            }
            Error::NoValues { name } => write!(f, "expected at least one {name} to try, found none"),
            Error::NotAList { name } => {
                write!(
                    f,
                    "expected a list of values of {name} for a grid, found a distribution, from which one can only draw"
                )
            }
            Error::Bounds { name } => write!(
                f,
                "expected a distribution of values of {name} between two finite values, the first one smaller, and above \
                 zero for a logarithm, found others"
            ),
            #[cfg(feature = "alloc")]
            Error::ConstantSamples { found } => {
                write!(f, "expected samples that differ, to find the ranges of values by, found {found} that are all the same")
            }
            #[cfg(feature = "alloc")]
            Error::LayerNotFinite { sample } => {
                write!(f, "expected finite outputs of every layer, found an infinite one or NaN for sample {sample}")
            }
            #[cfg(feature = "alloc")]
            Error::QuantizedAccuracy { float, quantized, points, layer } => write!(
                f,
                "expected an accuracy at most {points} percentage points below {float}, found {quantized}: leave `{}`, which \
                 costs the most, in floats by `F32` around it",
                Short(layer)
            ),
            Error::Weight { epoch, batch } => write!(
                f,
                "expected sample weights that are finite, not negative and not all zero, found others in epoch {epoch}, \
                 batch {batch}"
            ),
        }
    }
}

impl core::error::Error for Error {}
impl core::error::Error for TargetError {}

/// Returns [`Error::Setting`] unless a setting is `valid`.
#[inline(always)]
pub(crate) fn setting<T: Real>(valid: bool, expected: &'static str, found: T) -> Result<(), Error> {
    if valid { Ok(()) } else { Err(refused(expected, found)) }
}

/// One function for all settings of a scalar type, so that a check is a comparison and a jump. On a microcontroller, where
/// few programs read the error, the compiler leaves out what it does not see used.
#[cold]
#[cfg_attr(not(target_os = "none"), inline(never))]
#[cfg_attr(target_os = "none", inline(always))]
fn refused<T: Real>(expected: &'static str, found: T) -> Error {
    Error::Setting { expected, found: Found::value(found) }
}

/// Whether a value is finite and not negative.
#[inline(always)]
pub(crate) fn not_negative<T: Real>(value: T) -> bool {
    value >= T::ZERO && value <= T::max_value()
}

/// Whether a value is at least 0 and below 1.
#[inline(always)]
pub(crate) fn below_one<T: Real>(value: T) -> bool {
    value >= T::ZERO && value < T::ONE
}
