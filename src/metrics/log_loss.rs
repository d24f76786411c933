//! Log loss.

use super::{check, class_at};
use crate::data::Samples;
use crate::error::Error;
use crate::num::Real;
use crate::num::float::ln;

/// Log loss: cross-entropy as a metric. Each sample has the probabilities of `OUT` classes, or a single probability,
/// that of class 1 against class 0. Probabilities of 0 and 1 count as
/// [`epsilon`](num_traits::float::FloatCore::epsilon) and 1 minus that, as in scikit-learn; otherwise one mistake would
/// be infinite. Probabilities are not normalized if their sum is not 1.
///
/// # Formula
///
/// mean of `-ln(probability of the correct class)`. scikit-learn equivalent: `sklearn.metrics.log_loss`.
///
/// # Shapes
///
/// `classes`: class indices; `probabilities`: as many samples of `[T; OUT]`.
///
/// # Errors
///
/// If there are no samples, or not as many predictions as classes, if a class is out of range, or if a probability is
/// not between 0 and 1.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::log_loss;
///
/// let loss = log_loss(&[false, true], &[[0.25], [0.5]])?;
/// assert!((loss - (-(0.75f64.ln()) - 0.5f64.ln()) / 2.0).abs() < 1e-12);
/// assert_eq!(loss, log_loss(&[0u8, 1], &[[0.75, 0.25], [0.5, 0.5]])?);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("cross entropy"))]
pub fn log_loss<T: Real, Y, X, const OUT: usize>(classes: &Y, probabilities: &X) -> Result<f64, Error>
where
    Y: Samples<T, Item = usize> + ?Sized,
    X: Samples<T, Item = [T; OUT]> + ?Sized,
{
    let count = check(classes, probabilities)?;
    let (mut probability, mut sum) = ([T::ZERO; OUT], 0.0);
    for sample in 0..count {
        probabilities.copy(sample, &mut probability);
        let valid = |p: &T| *p >= T::ZERO && *p <= T::ONE;
        if let Some(column) = probability.iter().position(|p| !valid(p)) {
            return Err(Error::Probability { sample, column });
        }
        let right = if OUT == 1 {
            if class_at(classes, sample, 2)? == 1 { probability[0] } else { T::ONE - probability[0] }
        } else {
            probability[class_at(classes, sample, OUT)?]
        };
        sum -= ln(right.max(T::epsilon()).min(T::ONE - T::epsilon()).exact());
    }
    Ok(sum / count as f64)
}
