//! The errors of predicted numbers.

use super::check;
use crate::data::Samples;
use crate::error::Error;
use crate::num::Real;

/// The mean of the squares of the errors, over all samples and all `OUT` outputs.
///
/// It is an error if there are no samples, or not as many predictions as targets, or if a number or a square is infinite or NaN.
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

/// The mean of the absolute values of the errors, over all samples and all `OUT` outputs.
///
/// It is an error if there are no samples, or not as many predictions as targets, or if a number or a square is infinite or NaN.
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

/// The coefficient of determination, R²: 1 minus the squared errors over the squared distances of the targets from their
/// mean. 1 is perfect; 0 is what the mean of the targets would reach, and below zero is worse than that. The mean over the
/// `OUT` outputs.
///
/// An output whose targets are all the same has no such quotient. As in scikit-learn it counts as 1 where it is predicted
/// exactly, and else as 0.
///
/// It is an error if there are fewer than two samples, or not as many predictions as targets, or if a number or a square is
/// infinite or NaN.
///
/// ```
/// use tuplenet::metrics::r2;
///
/// assert_eq!(r2(&[[1.0], [2.0], [3.0]], &[[1.5], [2.0], [2.5]])?, 0.75);
/// assert_eq!(r2(&[[2.0], [2.0]], &[[1.0], [3.0]])?, 0.0);
/// # Ok::<(), tuplenet::Error>(())
/// ```
pub fn r2<T: Real, Y, X, const OUT: usize>(targets: &Y, predictions: &X) -> Result<f64, Error>
where
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
    X: Samples<T, Item = [T; OUT]> + ?Sized,
{
    // Welford's recurrence for the distances from the mean; it gives exactly zero for targets that are all the same.
    let (mut count, mut mean) = (0.0, [0.0; OUT]);
    let (mut errors, mut distances) = ([0.0; OUT], [0.0; OUT]);
    let samples = each(targets, predictions, |target, prediction| {
        count += 1.0;
        for output in 0..OUT {
            let (p, t) = (prediction[output].exact(), target[output].exact());
            errors[output] += (t - p) * (t - p);
            let difference = t - mean[output];
            mean[output] += difference / count;
            distances[output] += difference * (t - mean[output]);
        }
    })?;
    if samples < 2 {
        return Err(Error::TooFewSamples { expected: 2, found: samples });
    }
    if errors.iter().chain(&distances).any(|sum| !sum.is_finite()) {
        return Err(Error::SquaresTooLarge);
    }
    let score = |(&errors, &distances): (&f64, &f64)| match (errors == 0.0, distances == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - errors / distances,
    };
    Ok(errors.iter().zip(&distances).map(score).sum::<f64>() / OUT as f64)
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

/// Calls `visit` with each target and its prediction; gives how many there were.
fn each<T: Real, Y, X, const OUT: usize>(
    targets: &Y,
    predictions: &X,
    mut visit: impl FnMut(&[T; OUT], &[T; OUT]),
) -> Result<usize, Error>
where
    X: Samples<T, Item = [T; OUT]> + ?Sized,
    Y: Samples<T, Item = [T; OUT]> + ?Sized,
{
    let count = check(targets, predictions)?;
    let (mut prediction, mut target) = ([T::ZERO; OUT], [T::ZERO; OUT]);
    for sample in 0..count {
        predictions.copy(sample, &mut prediction);
        targets.copy(sample, &mut target);
        let bad = |(p, t): (&T, &T)| !p.is_finite() || !t.is_finite();
        if let Some(column) = prediction.iter().zip(&target).position(bad) {
            return Err(Error::SampleNotFinite { sample, column });
        }
        visit(&target, &prediction);
    }
    Ok(count)
}
