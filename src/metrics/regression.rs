//! Metrics of regression.

use super::check;
use crate::data::Samples;
use crate::error::{Error, check_finite};
use crate::num::Real;

/// Mean squared error over all samples and all `OUT` outputs.
///
/// # Formula
///
/// mean of `(target - prediction)^2`. scikit-learn equivalent: `sklearn.metrics.mean_squared_error`.
///
/// # Shapes
///
/// `targets` and `predictions`: as many samples of `[T; OUT]`.
///
/// # Errors
///
/// If there are no samples, or not as many predictions as targets, or if a value or the sum is infinite or NaN.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::mean_squared_error;
///
/// assert_eq!(mean_squared_error(&[[2.0], [4.0]], &[[1.0], [2.0]])?, 2.5);
/// # Ok::<(), tuplenet::Error>(())
/// ```
pub fn mean_squared_error<T: Real, Y, X, const OUT: usize>(targets: &Y, predictions: &X) -> Result<f64, Error>
where
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
    X: Samples<T, Item = [T; OUT]> + ?Sized,
{
    mean(targets, predictions, |error| error * error)
}

/// Mean absolute error over all samples and all `OUT` outputs.
///
/// # Formula
///
/// mean of `|target - prediction|`. scikit-learn equivalent: `sklearn.metrics.mean_absolute_error`.
///
/// # Shapes
///
/// `targets` and `predictions`: as many samples of `[T; OUT]`.
///
/// # Errors
///
/// If there are no samples, or not as many predictions as targets, or if a value or the sum is infinite or NaN.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::mean_absolute_error;
///
/// assert_eq!(mean_absolute_error(&[[2.0], [4.0]], &[[1.0], [2.0]])?, 1.5);
/// # Ok::<(), tuplenet::Error>(())
/// ```
pub fn mean_absolute_error<T: Real, Y, X, const OUT: usize>(targets: &Y, predictions: &X) -> Result<f64, Error>
where
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
    X: Samples<T, Item = [T; OUT]> + ?Sized,
{
    mean(targets, predictions, f64::abs)
}

/// Coefficient of determination, R²: 1 is perfect; 0 is the score of always predicting the mean of the targets, and
/// below zero is worse than that. The mean over the `OUT` outputs.
///
/// # Formula
///
/// 1 - sum of `(target - prediction)^2` / sum of `(target - mean of targets)^2`. scikit-learn equivalent:
/// `sklearn.metrics.r2_score`.
///
/// # Shapes
///
/// `targets` and `predictions`: as many samples of `[T; OUT]`.
///
/// If all targets of an output are equal, it counts as 1 if it is predicted exactly, and otherwise as 0, as in
/// scikit-learn.
///
/// # Errors
///
/// If there are fewer than two samples, or not as many predictions as targets, or if a value or the result is infinite
/// or NaN.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::r2;
///
/// assert_eq!(r2(&[[1.0], [2.0], [3.0]], &[[1.5], [2.0], [2.5]])?, 0.75);
/// assert_eq!(r2(&[[2.0], [2.0]], &[[1.0], [3.0]])?, 0.0);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("r2_score"))]
pub fn r2<T: Real, Y, X, const OUT: usize>(targets: &Y, predictions: &X) -> Result<f64, Error>
where
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
    X: Samples<T, Item = [T; OUT]> + ?Sized,
{
    // Errors and targets in units of the largest of each output, powers of two, so that squares neither overflow nor
    // underflow.
    let mut units = [(0.0, 0.0); OUT];
    each(targets, predictions, |target, prediction| {
        for ((unit, t), p) in units.iter_mut().zip(target).zip(prediction) {
            let (t, p) = (t.exact(), p.exact());
            *unit = (f64::max(unit.0, (t - p).abs()), f64::max(unit.1, t.abs()));
        }
    })?;
    let units = units.map(|(error, target)| (power_of_two_below(error), power_of_two_below(target)));
    // Welford's recurrence for the distances from the mean; the result is exactly zero if all targets are equal.
    let (mut count, mut mean) = (0.0, [0.0; OUT]);
    let (mut errors, mut distances) = ([0.0; OUT], [0.0; OUT]);
    let samples = each(targets, predictions, |target, prediction| {
        count += 1.0;
        for (output, (error_unit, unit)) in units.iter().enumerate() {
            let error = (target[output].exact() - prediction[output].exact()) / error_unit;
            errors[output] += error * error;
            let t = target[output].exact() / unit;
            let difference = t - mean[output];
            mean[output] += difference / count;
            distances[output] += difference * (t - mean[output]);
        }
    })?;
    if samples < 2 {
        return Err(Error::TooFewSamples { expected: 2, found: samples });
    }
    let mut sum = 0.0;
    for ((errors, distances), (error_unit, unit)) in errors.into_iter().zip(distances).zip(units) {
        sum += match (errors == 0.0, distances == 0.0) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            (false, false) => 1.0 - errors / distances * (error_unit / unit) * (error_unit / unit),
        };
    }
    if sum.is_finite() { Ok(sum / OUT as f64) } else { Err(Error::SquaresTooLarge) }
}

/// The largest power of two that is not above `value`; for very small values the smallest one that has a reciprocal.
fn power_of_two_below(value: f64) -> f64 {
    f64::from_bits(value.max(f64::MIN_POSITIVE).to_bits() & f64::INFINITY.to_bits())
}

fn mean<T: Real, Y, X, const OUT: usize>(targets: &Y, predictions: &X, term: impl Fn(f64) -> f64) -> Result<f64, Error>
where
    X: Samples<T, Item = [T; OUT]> + ?Sized,
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
{
    let mut sum = 0.0;
    let samples = each(targets, predictions, |target, prediction| {
        for (p, t) in prediction.iter().zip(target) {
            sum += term(p.exact() - t.exact());
        }
    })?;
    if sum.is_finite() { Ok(sum / (samples as f64 * OUT as f64)) } else { Err(Error::SquaresTooLarge) }
}

/// Calls `visit` with each target and its prediction; returns the number of samples.
fn each<T: Real, Y, X, const OUT: usize>(
    targets: &Y,
    predictions: &X,
    mut visit: impl FnMut(&[T; OUT], &[T; OUT]),
) -> Result<usize, Error>
where
    X: Samples<T, Item = [T; OUT]> + ?Sized,
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
{
    const { assert!(OUT > 0, "predictions without an output have no error") };
    let count = check(targets, predictions)?;
    let (mut prediction, mut target) = ([T::ZERO; OUT], [T::ZERO; OUT]);
    for sample in 0..count {
        predictions.copy(sample, &mut prediction);
        targets.copy(sample, &mut target);
        check_finite(sample, &prediction)?;
        check_finite(sample, &target)?;
        visit(&target, &prediction);
    }
    Ok(count)
}
