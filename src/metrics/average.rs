//! [`Average`]: precision, recall and F-beta of one class or averaged over the classes.

use super::ConfusionMatrix;

/// Average of precision, recall and F-beta over the classes, as in scikit-learn.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::{Average, ConfusionMatrix};
///
/// let confusion = ConfusionMatrix::<2>::from_classes(&[true, true, false], &[true, false, false])?;
/// assert_eq!(confusion.recall(Average::BINARY), 0.5);
/// assert_eq!(confusion.recall(Average::Macro), 0.75);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The score of this class only, against all others. Zero for a class that does not exist.
    Class(usize),
    /// Macro average: the unweighted mean over the classes. A class that has no sample and is never predicted does not
    /// count.
    Macro,
    /// Micro average: the predictions for and against all classes, counted together. All three scores then equal the
    /// accuracy.
    Micro,
    /// Weighted average: the mean over the classes, weighted by their numbers of samples.
    Weighted,
}

impl Average {
    /// The score of class 1, the "positive" one of two: scikit-learn's `binary`.
    pub const BINARY: Self = Average::Class(1);
}

/// The counts for one class.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Correct predictions of the class: true positives.
    right: usize,
    /// Predictions of the class.
    predicted: usize,
    /// Samples of the class.
    truth: usize,
}

/// The quotient, and 0 if the divisor is 0.
pub(super) fn ratio(dividend: f64, divisor: f64) -> f64 {
    if divisor == 0.0 { 0.0 } else { dividend / divisor }
}

impl Counts {
    fn precision(self) -> f64 {
        ratio(self.right as f64, self.predicted as f64)
    }

    fn recall(self) -> f64 {
        ratio(self.right as f64, self.truth as f64)
    }

    fn f_beta(self, beta: f64) -> f64 {
        // Computed from correct and wrong predictions, so that the score is exactly 1 without a wrong one, and exactly
        // 0 without a correct one. The weights add up to 1 for every beta, so that nothing is infinite.
        let (for_wrong, right) = (1.0 / (1.0 + beta * beta), self.right as f64);
        let (missed, wrong) = ((self.truth - self.right) as f64, (self.predicted - self.right) as f64);
        ratio(right, right + (1.0 - for_wrong) * missed + for_wrong * wrong)
    }
}

impl<const CLASSES: usize> ConfusionMatrix<CLASSES> {
    /// Precision: the fraction of the predictions of a class that are correct. Zero if the class was never predicted.
    ///
    /// # Formula
    ///
    /// true positives / (true positives + false positives). scikit-learn equivalent: `sklearn.metrics.precision_score`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[1u8, 0, 1, 1])?;
    /// assert_eq!(confusion.precision(Average::BINARY), 1.0 / 3.0);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("precision_score"))]
    #[must_use]
    pub fn precision(&self, average: Average) -> f64 {
        self.average(average, Counts::precision)
    }

    /// Recall: the fraction of the samples of a class that are predicted correctly. Zero if the class has no sample.
    ///
    /// # Formula
    ///
    /// true positives / (true positives + false negatives). scikit-learn equivalent: `sklearn.metrics.recall_score`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[1u8, 0, 1, 1])?;
    /// assert_eq!(confusion.recall(Average::Weighted), 0.5);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("recall_score"))]
    #[must_use]
    pub fn recall(&self, average: Average) -> f64 {
        self.average(average, Counts::recall)
    }

    /// F-beta: the weighted harmonic mean of precision and recall, in which recall counts `beta` times as much; 1 is
    /// usual. Zero for a class that has no sample and is never predicted. A `beta` of zero returns the precision, and
    /// an infinite one the recall; its sign does not matter.
    ///
    /// # Formula
    ///
    /// (1 + beta²) * precision * recall / (beta² * precision + recall). scikit-learn equivalent:
    /// `sklearn.metrics.fbeta_score`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[1u8, 0, 1, 1])?;
    /// // Precision 1/3, recall 1.
    /// assert_eq!(confusion.f_beta(1.0, Average::BINARY), 0.5);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("fbeta_score"))]
    #[must_use]
    pub fn f_beta(&self, beta: f64, average: Average) -> f64 {
        self.average(
            average,
            #[inline(always)]
            |counts| counts.f_beta(beta),
        )
    }

    /// F1: the harmonic mean of precision and recall, [`f_beta`](Self::f_beta) with `beta` 1. scikit-learn equivalent:
    /// `sklearn.metrics.f1_score`.
    #[doc(alias("f1_score"))]
    #[must_use]
    pub fn f1(&self, average: Average) -> f64 {
        self.f_beta(1.0, average)
    }

    /// Balanced accuracy: the mean recall over the classes that have samples; zero if there is no sample. scikit-learn
    /// equivalent: `sklearn.metrics.balanced_accuracy_score`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::ConfusionMatrix;
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[0u8, 0, 0, 0])?;
    /// assert_eq!((confusion.accuracy(), confusion.balanced_accuracy()), (0.75, 0.5));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("balanced_accuracy_score"))]
    #[must_use]
    pub fn balanced_accuracy(&self) -> f64 {
        self.mean(|counts| f64::from(counts.truth > 0), Counts::recall)
    }

    /// Matthews correlation coefficient of classes and predictions, from -1 to 1, for two classes or more: J. Gorodkin,
    /// 2004. Zero if all samples are of one class, or all predictions, as in scikit-learn. scikit-learn equivalent:
    /// `sklearn.metrics.matthews_corrcoef`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::ConfusionMatrix;
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 1, 1], &[0u8, 1, 0, 1])?;
    /// assert_eq!(confusion.matthews(), 0.0);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("matthews_corrcoef", "MCC"))]
    #[must_use]
    pub fn matthews(&self) -> f64 {
        let total = self.total() as u128;
        let (mut right, mut both, mut truth, mut predicted) = (0, 0, 0, 0);
        for class in 0..CLASSES {
            let counts = self.counts_of(class);
            let (t, p) = (counts.truth as u128, counts.predicted as u128);
            right += counts.right as u128;
            (both, truth, predicted) = (both + t * p, truth + t * t, predicted + p * p);
        }
        let (truth, predicted) = (total * total - truth, total * total - predicted);
        let (right, both) = (right * total, both);
        let covariance = if right >= both { (right - both) as f64 } else { -((both - right) as f64) };
        // At -1 and 1 the two are equal, and only then their geometric mean must be exact to the last bit. Elsewhere
        // two square roots, since the product may be too large to be exact.
        let divisor = if truth == predicted {
            truth as f64
        } else {
            crate::num::math::square_root(truth as f64) * crate::num::math::square_root(predicted as f64)
        };
        ratio(covariance, divisor)
    }

    fn counts_of(&self, class: usize) -> Counts {
        let mut counts = Counts { right: self.count(class, class), ..Counts::default() };
        for other in 0..CLASSES {
            counts.predicted += self.count(other, class);
            counts.truth += self.count(class, other);
        }
        counts
    }

    fn average(&self, average: Average, score: impl Fn(Counts) -> f64) -> f64 {
        match average {
            Average::Class(class) => score(self.counts_of(class)),
            Average::Macro => self.mean(|counts| f64::from(counts.truth + counts.predicted > 0), score),
            Average::Weighted => self.mean(|counts| counts.truth as f64, score),
            Average::Micro => self.accuracy(),
        }
    }

    /// The weighted mean of the classes' scores.
    fn mean(&self, weight: impl Fn(Counts) -> f64, score: impl Fn(Counts) -> f64) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for class in 0..CLASSES {
            let counts = self.counts_of(class);
            sum += weight(counts) * score(counts);
            weights += weight(counts);
        }
        ratio(sum, weights)
    }
}
