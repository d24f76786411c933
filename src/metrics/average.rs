//! Precision, recall and F-beta, of a class or over the classes: [`Average`].

use super::ConfusionMatrix;

/// Of which classes precision, recall and F-beta are, as in scikit-learn.
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
    /// Of that class alone, against all others. Zero for a class that does not exist.
    Class(usize),
    /// The mean over the classes, each of which counts the same. A class that has no sample and is never predicted does
    /// not count.
    Macro,
    /// The predictions for and against all classes, counted together. That makes all three equal the accuracy.
    Micro,
    /// The mean over the classes, each of which counts as much as it has samples.
    Weighted,
}

impl Average {
    /// Of class 1, the "positive" one of two: scikit-learn's `binary`.
    pub const BINARY: Self = Average::Class(1);
}

/// How the predictions of a class turned out.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// Right predictions of the class.
    right: usize,
    /// Predictions of the class.
    predicted: usize,
    /// Samples of the class.
    truth: usize,
}

/// A quotient that is 0 where the divisor is.
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
        // Of right and wrong predictions, so that without a wrong one it is 1 to the last bit, and with none but those 0. The
        // weights add up to 1 for every beta, so that nothing is infinite.
        let (for_wrong, right) = (1.0 / (1.0 + beta * beta), self.right as f64);
        let (missed, wrong) = ((self.truth - self.right) as f64, (self.predicted - self.right) as f64);
        ratio(right, right + (1.0 - for_wrong) * missed + for_wrong * wrong)
    }
}

impl<const CLASSES: usize> ConfusionMatrix<CLASSES> {
    /// The share of right predictions among the predictions of a class. Zero if it was never predicted.
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[1u8, 0, 1, 1])?;
    /// assert_eq!(confusion.precision(Average::BINARY), 1.0 / 3.0);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn precision(&self, average: Average) -> f64 {
        self.average(average, Counts::precision)
    }

    /// The share of right predictions among the samples of a class. Zero if it has no sample.
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[1u8, 0, 1, 1])?;
    /// assert_eq!(confusion.recall(Average::Weighted), 0.5);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn recall(&self, average: Average) -> f64 {
        self.average(average, Counts::recall)
    }

    /// The weighted harmonic mean of precision and recall, in which recall counts `beta` times as much; 1 is usual. Zero
    /// for a class that has no sample and is never predicted. `beta` may be zero, which gives the precision, and infinite,
    /// which gives the recall; its sign does not matter.
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[1u8, 0, 1, 1])?;
    /// // Precision 1/3, recall 1.
    /// assert_eq!(confusion.f_beta(1.0, Average::BINARY), 0.5);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn f_beta(&self, beta: f64, average: Average) -> f64 {
        self.average(
            average,
            #[inline(always)]
            |counts| counts.f_beta(beta),
        )
    }

    /// The mean recall over the classes that have samples; zero if there was no sample at all.
    ///
    /// ```
    /// use tuplenet::metrics::ConfusionMatrix;
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 0, 1], &[0u8, 0, 0, 0])?;
    /// assert_eq!((confusion.accuracy(), confusion.balanced_accuracy()), (0.75, 0.5));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn balanced_accuracy(&self) -> f64 {
        self.mean(|counts| f64::from(counts.truth > 0), Counts::recall)
    }

    /// Matthews' correlation of truth and prediction, from -1 to 1, for two classes or more: J. Gorodkin, 2004. Zero if all
    /// samples are of one class, or all predictions, as in scikit-learn.
    ///
    /// ```
    /// use tuplenet::metrics::ConfusionMatrix;
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 0, 1, 1], &[0u8, 1, 0, 1])?;
    /// assert_eq!(confusion.matthews(), 0.0);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
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
        // At both ends the two are the same, and only then is their geometric mean needed to the last bit. Elsewhere two roots,
        // since the product may be too large to be exact.
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

    /// The mean of the scores of the classes, weighted.
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
