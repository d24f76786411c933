//! Metrics: accuracy and the other scores of a confusion matrix, the area under the ROC curve, log loss, and regression
//! errors.
//!
//! Targets come first, as in scikit-learn: `metric(targets, predictions)`. All results are `f64`, for `f32` too, and
//! equal to those of scikit-learn for the same predictions. Nothing uses the heap; what must be sorted is sorted in a
//! slice of the caller.
//!
//! ```
//! use tuplenet::metrics::{Average, ConfusionMatrix};
//!
//! let (truth, predicted) = ([0u8, 0, 1, 1, 2, 2], [0u8, 1, 1, 1, 2, 0]);
//! let confusion = ConfusionMatrix::<3>::from_classes(&truth, &predicted)?;
//! assert_eq!(confusion.accuracy(), 4.0 / 6.0);
//! assert_eq!(confusion.precision(Average::Class(1)), 2.0 / 3.0);
//! assert_eq!(confusion.recall(Average::Macro), (0.5 + 1.0 + 0.5) / 3.0);
//! # Ok::<(), tuplenet::Error>(())
//! ```

mod accuracy;
mod average;
mod confusion;
mod log_loss;
mod regression;
mod roc;

#[cfg(feature = "alloc")]
pub(crate) use accuracy::class_of;
pub use accuracy::{ClassTarget, accuracy};
pub use average::Average;
pub use confusion::{ClassScores, ConfusionMatrix};
pub use log_loss::log_loss;
pub use regression::{mean_absolute_error, mean_squared_error, r2};
pub use roc::roc_auc;

use crate::data::Samples;
use crate::error::{Error, TargetError};
use crate::num::Real;

/// Argmax: the index of the largest output, which is the class that a network predicts. The first index if several
/// outputs are equal; NaN is below every other value.
///
/// # Examples
///
/// ```
/// assert_eq!(tuplenet::metrics::largest_index(&[0.1, 0.7, 0.2]), 1);
/// ```
#[doc(alias("argmax"))]
#[must_use]
pub fn largest_index<T: PartialOrd + Copy>(outputs: &[T]) -> usize {
    let mut best = 0;
    for (index, output) in outputs.iter().enumerate() {
        // A value that has no order with itself is NaN.
        let is_number = |x: &T| x.partial_cmp(x).is_some();
        let better = outputs.get(best).is_some_and(|best| output > best || (!is_number(best) && is_number(output)));
        if better {
            best = index;
        }
    }
    best
}

/// Fails unless there is at least one prediction, and one for each target; returns the number of predictions.
fn check<T: Real, Y: Samples<T> + ?Sized, X: Samples<T> + ?Sized>(
    targets: &Y,
    predictions: &X,
) -> Result<usize, Error> {
    predictions.check()?;
    targets.check()?;
    let (expected, found) = (targets.count(), predictions.count());
    if expected != found {
        return Err(Error::Lengths { what: "predictions, one for each target", expected, found });
    }
    if expected == 0 { Err(Error::NoSamples) } else { Ok(expected) }
}

/// The class of a sample, which must be below `classes`.
fn class_at<T: Real, Y: Samples<T, Item = usize> + ?Sized>(
    targets: &Y,
    sample: usize,
    classes: usize,
) -> Result<usize, Error> {
    let mut found = 0;
    targets.copy(sample, &mut found);
    if found < classes {
        return Ok(found);
    }
    Err(Error::Target { sample, problem: TargetError::Class { found, classes } })
}
