//! The area under the ROC curve.

use super::{check, class_at};
use crate::data::Samples;
use crate::error::{Error, check_finite};
use crate::num::Real;
use core::cmp::Ordering;

/// Area under the ROC curve: the probability that a sample of a class gets a higher score for that class than a sample
/// of another class; equal scores count half. scikit-learn equivalent: `sklearn.metrics.roc_auc_score`.
///
/// With one score for each sample (`SCORES` is 1) it is the score for class 1, and classes are 0 and 1. With several
/// there is a score for each class; the result is the mean over the classes, each against all others (scikit-learn's
/// `multi_class="ovr"`, macro average). Scores need not be probabilities, only higher for what is more likely.
///
/// # Shapes
///
/// `classes`: class indices; `scores`: as many samples of `[T; SCORES]`; `indices`: one element for each sample, a
/// buffer in which the samples are sorted.
///
/// # Errors
///
/// If there are no samples, or not as many scores, classes and indices, if a score is infinite or NaN, or if a class is
/// out of range or has no sample.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::roc_auc;
///
/// let auc = roc_auc(&[false, false, true, true], &[[0.1], [0.4], [0.35], [0.8]], &mut [0; 4])?;
/// assert_eq!(auc, 0.75);
///
/// let one_class = roc_auc(&[1u8, 1], &[[0.1], [0.4]], &mut [0; 2]).unwrap_err();
/// assert_eq!(one_class.to_string(), "expected at least 1 sample of class 0, found 0");
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("roc_auc_score"))]
pub fn roc_auc<T: Real, Y, const SCORES: usize>(
    classes: &Y,
    scores: &[[T; SCORES]],
    indices: &mut [usize],
) -> Result<f64, Error>
where
    Y: Samples<T, Item = usize> + ?Sized,
{
    let count = check(classes, scores)?;
    if indices.len() != count {
        return Err(Error::Lengths { what: "indices, one for each sample", expected: count, found: indices.len() });
    }
    for (sample, score) in scores.iter().enumerate() {
        class_at(classes, sample, if SCORES == 1 { 2 } else { SCORES })?;
        check_finite(sample, score)?;
    }
    if SCORES == 1 {
        // So that the class that is missing is named, whichever it is.
        needs_a_sample(classes, 0)?;
        return one_against_rest(scores, 0, classes, 1, indices);
    }
    let mut sum = 0.0;
    for class in 0..SCORES {
        sum += one_against_rest(scores, class, classes, class, indices)?;
    }
    Ok(sum / SCORES as f64)
}

fn needs_a_sample<T: Real>(classes: &(impl Samples<T, Item = usize> + ?Sized), class: usize) -> Result<usize, Error> {
    let of_class = |&sample: &usize| class_at(classes, sample, usize::MAX) == Ok(class);
    match (0..classes.count()).filter(of_class).count() {
        0 => Err(Error::TooFewOfClass { class, expected: 1, found: 0 }),
        count => Ok(count),
    }
}

/// The area for one class by one column of the scores.
fn one_against_rest<T: Real, const SCORES: usize>(
    scores: &[[T; SCORES]],
    column: usize,
    classes: &(impl Samples<T, Item = usize> + ?Sized),
    class: usize,
    indices: &mut [usize],
) -> Result<f64, Error> {
    let inside = needs_a_sample(classes, class)?;
    let outside = scores.len() - inside;
    if outside == 0 {
        let class = usize::from(class == 0);
        return Err(Error::TooFewOfClass { class, expected: 1, found: 0 });
    }
    for (sample, index) in indices.iter_mut().enumerate() {
        *index = sample;
    }
    let score = |sample: usize| scores[sample][column];
    indices.sort_unstable_by(|&a, &b| score(a).partial_cmp(&score(b)).unwrap_or(Ordering::Equal));

    // Each sample of the class counts 1 for every lower score of another class, and one half for every equal one.
    // Both are doubled, so that the sum is an integer.
    let (mut wins, mut below) = (0u128, 0u128);
    for equals in indices.chunk_by(|&a, &b| score(a) == score(b)) {
        let of_class = |&&sample: &&usize| class_at(classes, sample, usize::MAX) == Ok(class);
        let class_here = equals.iter().filter(of_class).count() as u128;
        let others_here = equals.len() as u128 - class_here;
        wins += class_here * (2 * below + others_here);
        below += others_here;
    }
    Ok(wins as f64 / (2.0 * inside as f64 * outside as f64))
}
