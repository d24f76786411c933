//! [`Error`]: what only run time can know, in words that say what was expected and what was found.

use core::fmt;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// An input was infinite or NaN.
    InputNotFinite {
        /// The sample, counted from zero in the order of the data.
        sample: usize,
        /// The first such number of the sample, counted from zero.
        column: usize,
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
    Rates,
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
    /// The loss was infinite or NaN: a target was, or the training has diverged.
    LossNotFinite {
        /// Counted from zero.
        epoch: usize,
        /// Counted from zero within the epoch.
        batch: usize,
    },
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
        path: crate::checkpoint::FilePath,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Probability,
    /// Probabilities of classes that do not add up to 1.
    Sum {
        /// Their sum, in millionths, so that a microcontroller need not know how to write a fraction.
        millionths: u64,
    },
    /// A number that is infinite or NaN.
    NotFinite,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Class { found, classes } => {
                write!(f, "expected a class index below {classes}, found {found}")
            }
            TargetError::Sum { millionths } => write!(
                f,
                "expected probabilities that add up to 1, found a sum of {}.{:06}",
                millionths / 1_000_000,
                millionths % 1_000_000
            ),
            TargetError::Probability => f.write_str("expected numbers between 0 and 1, found one outside"),
            TargetError::NotFinite => f.write_str("expected finite numbers, found an infinite one or NaN"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSamples => f.write_str("expected at least one sample, found none"),
            Error::Lengths { what, expected, found } => write!(f, "expected {expected} {what}, found {found}"),
            Error::BatchSize => f.write_str("expected a batch size of at least 1, found 0"),
            Error::InputNotFinite { sample, column, epoch, batch } => write!(
                f,
                "expected finite inputs, found an infinite one or NaN in sample {sample}, column {column} (epoch {epoch}, \
                 batch {batch})"
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
            Error::Rates => f.write_str("expected learning rates from one above zero to a higher one, found others"),
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
                 the training has diverged; try a smaller learning rate"
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
