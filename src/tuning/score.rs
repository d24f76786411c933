//! Scores for [`CrossValidation`](super::CrossValidation), computed from a network's outputs: higher is better.

use crate::data::ClassIndex;
use crate::error::{Error, TargetError, check_finite};
use crate::metrics::{self, class_of};
use crate::num::Real;

/// Accuracy: the fraction of samples whose class is that of the largest output. With one output the predicted class is
/// 1 if the output is at least one half.
///
/// # Shapes
///
/// `classes`: class indices; `outputs`: as many samples of `[T; OUT]`.
///
/// # Errors
///
/// If there are no samples, if a class is out of range, or if an output is infinite or NaN.
pub fn accuracy<T: Real, C: ClassIndex<OUT>, const OUT: usize>(
    classes: &[C],
    outputs: &[[T; OUT]],
) -> Result<f64, Error> {
    let limit = OUT.max(2);
    let mut right = 0usize;
    for (sample, (output, class)) in outputs.iter().zip(classes).enumerate() {
        let found = class.index();
        if found >= limit {
            return Err(Error::Target { sample, problem: TargetError::Class { found, classes: limit } });
        }
        check_finite(sample, output)?;
        right += usize::from(class_of(output) == found);
    }
    if outputs.is_empty() { Err(Error::NoSamples) } else { Ok(right as f64 / outputs.len() as f64) }
}

/// Coefficient of determination: [`metrics::r2`].
///
/// # Errors
///
/// As for [`metrics::r2`].
#[doc(alias("r2_score"))]
pub fn r2<T: Real, const OUT: usize>(targets: &[[T; OUT]], outputs: &[[T; OUT]]) -> Result<f64, Error> {
    metrics::r2(targets, outputs)
}

/// Negated [mean squared error](metrics::mean_squared_error), so that higher is better.
///
/// # Errors
///
/// As for [`metrics::mean_squared_error`].
pub fn neg_mean_squared_error<T: Real, const OUT: usize>(
    targets: &[[T; OUT]],
    outputs: &[[T; OUT]],
) -> Result<f64, Error> {
    Ok(-metrics::mean_squared_error(targets, outputs)?)
}

/// Negated [mean absolute error](metrics::mean_absolute_error), so that higher is better.
///
/// # Errors
///
/// As for [`metrics::mean_absolute_error`].
pub fn neg_mean_absolute_error<T: Real, const OUT: usize>(
    targets: &[[T; OUT]],
    outputs: &[[T; OUT]],
) -> Result<f64, Error> {
    Ok(-metrics::mean_absolute_error(targets, outputs)?)
}
