//! [`Error`]: what only run time can know, in words that say what was expected and what was found.
//!
//! `Debug` of every error prints the sentence that `Display` does, so that `unwrap` and `fn main() -> Result<(), Error>` show it.

#[cfg(any(feature = "checkpoint", feature = "safetensors"))]
mod text;

#[cfg(any(feature = "checkpoint", feature = "safetensors"))]
pub use text::Text;

use crate::num::Real;
use core::fmt;

/// `Debug` that prints the sentence of `Display`: what `unwrap` shows, and a `main` that gives an error back.
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

/// Why something could not be done. Nothing was changed by what failed, unless its documentation says otherwise.
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
#[non_exhaustive]
pub enum Error {
    /// There was no sample.
    NoSamples,
    /// There were not as many of something as there must be.
    Lengths {
        /// Of what.
        what: &'static str,
        /// How many there must be.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The batch size was zero.
    BatchSize,
    /// The number of epochs was zero.
    Epochs,
    /// A setting made no sense: of an optimizer, a penalty, a limit, a schedule, a loss or a callback.
    Setting {
        /// What there must be, with the name of the setting.
        expected: &'static str,
        /// What there was.
        found: Found,
    },
    /// A batch had a single sample, or a trainer a micro-batch of one, where a layer such as
    /// [`BatchNorm`](crate::layers::BatchNorm) learns from several together.
    LoneSample {
        /// Counted from zero within the epoch.
        batch: usize,
    },
    /// An input was infinite or NaN.
    InputNotFinite {
        /// The sample, counted from zero in the order of the data.
        sample: usize,
        /// The first such number of the sample, counted from zero.
        column: usize,
        /// What it was.
        found: NotFinite,
        /// Counted from zero.
        epoch: usize,
        /// Counted from zero within the epoch.
        batch: usize,
    },
    /// A sample had an infinite number or NaN.
    SampleNotFinite {
        /// Counted from zero.
        sample: usize,
        /// The first such number of the sample, counted from zero.
        column: usize,
    },
    /// The values of a feature were too far apart: their difference is not finite.
    RangeTooLarge {
        /// Which feature, counted from zero.
        column: usize,
    },
    /// What should be a probability was not a number between 0 and 1.
    Probability {
        /// The sample, counted from zero.
        sample: usize,
        /// The place in the sample, counted from zero.
        column: usize,
    },
    /// A range of learning rates did not begin above zero and end higher.
    LearningRates,
    /// The number of folds was less than two.
    Folds {
        /// What it was.
        found: usize,
    },
    /// There were not enough samples for what was asked for.
    TooFewSamples {
        /// How many there must be at least.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// There were not enough samples of a class for what was asked for.
    TooFewOfClass {
        /// The class.
        class: usize,
        /// How many samples it must have at least.
        expected: usize,
        /// How many it had.
        found: usize,
    },
    /// A part of a data set would have fewer samples than there are classes.
    TooFewForClasses {
        /// `training` or `test`.
        part: &'static str,
        /// How many samples it must have at least.
        expected: usize,
        /// How many it would have.
        found: usize,
    },
    /// The squares of errors, or their sum, are too large for an `f64`.
    SquaresTooLarge,
    /// The loss of a batch that was trained on was infinite or NaN: the training has diverged, or began with inputs, targets or
    /// weights that are too large.
    LossNotFinite {
        /// Counted from zero.
        epoch: usize,
        /// Counted from zero within the epoch.
        batch: usize,
    },
    /// The gradient of a batch was finite, and too large for what the optimizer does with it: its square was not.
    GradientTooLarge {
        /// Counted from zero.
        epoch: usize,
        /// Counted from zero within the epoch.
        batch: usize,
    },
    /// Steps of a training run have made a weight infinite or NaN.
    StepNotFinite {
        /// Where it was found, counted from zero.
        epoch: usize,
        /// Counted from zero within the epoch.
        batch: usize,
    },
    /// The network had an infinite weight or NaN to begin with.
    WeightNotFinite,
    /// The loss of samples that were not trained on was infinite or NaN, although the weights are finite.
    EvaluationNotFinite,
    /// A target was out of the range that the loss accepts.
    Target {
        /// The sample, counted from zero.
        sample: usize,
        /// What is wrong.
        problem: TargetError,
    },
    /// A subset names a sample that its data set does not have.
    Index {
        /// Counted from zero.
        found: usize,
        /// How many samples the data set has.
        count: usize,
    },
    /// A part of a data set would be empty.
    Split {
        /// The number of samples.
        count: usize,
        /// The share of the test samples, in percent.
        percent: i32,
    },
    /// A checkpoint could not be written; the one before it is as it was. With the feature `checkpoint`.
    #[cfg(feature = "checkpoint")]
    Checkpoint {
        /// The file; the end of its path, if that is long.
        path: FilePath,
        /// What is wrong.
        kind: std::io::ErrorKind,
    },
    /// There was nothing to choose from.
    NoValues {
        /// Of what.
        name: &'static str,
    },
    /// A grid was asked for where the values of something are a distribution.
    NotAList {
        /// The values of what.
        name: &'static str,
    },
    /// A distribution did not begin where it may and end higher.
    Bounds {
        /// The values of what.
        name: &'static str,
    },
    /// A weight of a sample was negative, infinite or NaN, or all weights of a batch were zero.
    Weight {
        /// Counted from zero.
        epoch: usize,
        /// Counted from zero within the epoch.
        batch: usize,
    },
}

/// What is wrong with a target.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TargetError {
    /// A class index too large.
    Class {
        /// The class index.
        found: usize,
        /// The number of classes; indices run from zero to one less.
        classes: usize,
    },
    /// A number that should be a probability and isn't between 0 and 1.
    Probability {
        /// The first such number of the target, counted from zero.
        column: usize,
        /// What it was.
        found: Found,
    },
    /// Probabilities of classes that do not add up to 1.
    Sum {
        /// Their sum.
        found: Found,
    },
    /// A number that is infinite or NaN.
    NotFinite {
        /// The first such number of the target, counted from zero.
        column: usize,
        /// What it was.
        found: NotFinite,
    },
}

/// A value that is not finite, as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFinite {
    /// Not a number.
    Nan,
    /// Larger than all numbers.
    Infinity,
    /// Smaller than all numbers.
    MinusInfinity,
}

impl NotFinite {
    /// What a value is that is not finite.
    pub fn of<T: Real>(value: T) -> Self {
        if value.is_nan() {
            NotFinite::Nan
        } else if value > T::ZERO {
            NotFinite::Infinity
        } else {
            NotFinite::MinusInfinity
        }
    }

    /// The place of the first number that is not finite, and what it is. Once in a program; a microcontroller asks it of targets that
    /// are finite, too, since a loop of their own for those takes more room.
    #[cfg_attr(not(target_os = "none"), cold)]
    #[inline(never)]
    pub(crate) fn first_of<T: Real>(numbers: &[T]) -> Option<(usize, Self)> {
        let (column, &found) = numbers.iter().enumerate().find(|(_, number)| !number.is_finite())?;
        Some((column, NotFinite::of(found)))
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
/// ```
/// use tuplenet::error::Found;
///
/// assert_eq!(Found::value(0.1f32).to_string(), "0.1");
/// assert_eq!(Found::value(f64::NAN), Found::value(f64::NAN));
/// assert_eq!(Found::count(3).to_string(), "3");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Found {
    // Bytes and not a number: a microcontroller that learns in `f32` need not know how to make an `f64` of it, and an error is
    // no larger for it.
    bytes: [u8; 8],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Double,
    Count,
}

debug_is_display!(Found);

impl Found {
    /// An `f32` or `f64`.
    pub fn value<T: Real>(value: T) -> Self {
        let value = if value.is_nan() { T::nan() } else { value };
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(bytemuck::bytes_of(&value)) {
            *to = *from;
        }
        Found { bytes, kind: if size_of::<T>() == size_of::<f32>() { Kind::Single } else { Kind::Double } }
    }

    /// A whole number.
    pub fn count(count: usize) -> Self {
        Found { bytes: (count as u64).to_ne_bytes(), kind: Kind::Count }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.bytes;
        // What is far from 1 is written with an exponent.
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
                write!(f, "expected numbers between 0 and 1, found {found} in column {column}")
            }
            TargetError::NotFinite { column, found } => {
                write!(f, "expected finite numbers, found {found} in column {column}")
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
                write!(f, "expected finite numbers, found an infinite one or NaN in sample {sample}, column {column}")
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
            Error::Split { count, percent } => write!(
                f,
                "expected a share of test samples that leaves both parts at least one of the {count} samples, \
                 found {percent} %"
            ),
            #[cfg(feature = "checkpoint")]
            Error::Checkpoint { path, kind } => write!(f, "the checkpoint `{path}` could not be written: {kind}"),
            Error::NoValues { name } => write!(f, "expected at least one {name} to try, found none"),
            Error::NotAList { name } => {
                write!(
                    f,
                    "expected a list of values of {name} for a grid, found a distribution, from which one can only draw"
                )
            }
            Error::Bounds { name } => write!(
                f,
                "expected a distribution of values of {name} between two finite numbers, the first one smaller, and above \
                 zero for a logarithm, found others"
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

/// What is wrong with a setting, unless it is as `valid` says.
#[inline(always)]
pub(crate) fn setting<T: Real>(valid: bool, expected: &'static str, found: T) -> Result<(), Error> {
    if valid { Ok(()) } else { Err(refused(expected, found)) }
}

/// One function for all settings of a number type, so that a check is a comparison and a jump.
#[cold]
#[inline(never)]
fn refused<T: Real>(expected: &'static str, found: T) -> Error {
    Error::Setting { expected, found: Found::value(found) }
}

/// Whether a value is finite and not negative.
#[inline(always)]
pub(crate) fn not_negative<T: Real>(value: T) -> bool {
    value >= T::ZERO && value < T::infinity()
}

/// Whether a share is at least 0 and below 1.
#[inline(always)]
pub(crate) fn below_one<T: Real>(value: T) -> bool {
    value >= T::ZERO && value < T::ONE
}
