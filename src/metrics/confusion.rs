//! [`ConfusionMatrix`]: the counts of predictions.

use super::{average::ratio, check, class_at, largest_index};
use crate::data::{Inputs, Samples, check_data};
use crate::error::{Error, TargetError, check_finite, setting};
use crate::model::network::infer_one;
use crate::model::{Batch, Features, InputShape, Model, Shape, Zeroed};
use crate::num::Real;
use core::fmt;

/// Confusion matrix: how often each class was predicted for the samples of each class. scikit-learn equivalent:
/// `sklearn.metrics.confusion_matrix`.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::ConfusionMatrix;
///
/// let mut confusion = ConfusionMatrix::<2>::new();
/// confusion.record(0, 0)?;
/// confusion.record(1, 0)?;
/// assert_eq!(confusion.accuracy(), 0.5);
/// assert_eq!(confusion.count(1, 0), 1);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias("confusion_matrix", "classification_report"))]
pub struct ConfusionMatrix<const CLASSES: usize> {
    counts: [[usize; CLASSES]; CLASSES],
}

/// Network outputs with one score for each of `CLASSES` classes: [`Features<CLASSES>`](Features).
#[diagnostic::on_unimplemented(
    message = "outputs do not match the classes: a confusion matrix of {CLASSES} classes is not that of a network with the outputs `{Self}`",
    label = "`{Self}` is not one output for each of {CLASSES} classes",
    note = "`ConfusionMatrix::of` takes a network with one output for each class; where a single output is the probability of class 1, \
            take `ConfusionMatrix::binary(&classes, &probabilities, 0.5)` with the outputs of `predict_all`"
)]
pub trait ClassScores<const CLASSES: usize>: Shape {
    /// Returns the scores of one sample.
    fn scores<T: Real>(outputs: &Batch<Self, T, 1>) -> &[T; CLASSES];
}

impl<const CLASSES: usize> ClassScores<CLASSES> for Features<CLASSES> {
    fn scores<T: Real>(outputs: &Batch<Self, T, 1>) -> &[T; CLASSES] {
        const {
            assert!(
                CLASSES != 1,
                "a confusion matrix of one class: where a single output is the probability of class 1, take \
                 `ConfusionMatrix::binary(&classes, &probabilities, 0.5)` with the outputs of `predict_all`"
            );
        }
        let [scores] = &outputs.data.0;
        scores
    }
}

impl<const CLASSES: usize> Default for ConfusionMatrix<CLASSES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const CLASSES: usize> ConfusionMatrix<CLASSES> {
    /// Creates an empty confusion matrix.
    #[must_use]
    pub const fn new() -> Self {
        ConfusionMatrix { counts: [[0; CLASSES]; CLASSES] }
    }

    /// Counts the predictions of a network, the index of the largest output, for samples whose classes are known. For a
    /// network with one output, the probability of class 1, see [`binary`](ConfusionMatrix::binary).
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `classes`: as many class indices.
    ///
    /// # Errors
    ///
    /// If there are no samples, or not as many classes as inputs, if a class is not below `CLASSES`, or if an output is
    /// infinite or NaN.
    pub fn of<N, X, Y>(network: &N, inputs: &X, classes: &Y) -> Result<Self, Error>
    where
        N: InputShape + Model<<N as InputShape>::In, <N as InputShape>::Scalar, Out: ClassScores<CLASSES>>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Samples<N::Scalar, Item = usize> + ?Sized,
    {
        let mut confusion = Self::new();
        let (mut input, mut class) = (Zeroed::ZEROED, 0);
        for sample in 0..check_data(inputs, classes)? {
            inputs.copy(sample, &mut input);
            classes.copy(sample, &mut class);
            let outputs = infer_one::<N::In, N::Scalar, N>(network, &input, inputs.steps(sample));
            let outputs = N::Out::scores(&outputs);
            check_finite(sample, outputs)?;
            confusion.record(class, largest_index(outputs))?;
        }
        Ok(confusion)
    }

    /// Counts predicted classes, one for each sample whose class is known.
    ///
    /// # Errors
    ///
    /// If there are no samples, or not as many predictions as classes, or if a class is not below `CLASSES`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::ConfusionMatrix;
    ///
    /// let confusion = ConfusionMatrix::<2>::from_classes(&[0u8, 1, 1], &[0u8, 1, 0])?;
    /// assert_eq!(confusion.count(1, 0), 1);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn from_classes<X, Y>(truth: &X, predicted: &Y) -> Result<Self, Error>
    where
        // Classes are data for a network of any scalar type.
        X: Samples<f32, Item = usize> + ?Sized,
        Y: Samples<f32, Item = usize> + ?Sized,
    {
        let mut confusion = Self::new();
        for sample in 0..check(truth, predicted)? {
            confusion.record(class_at(truth, sample, CLASSES)?, class_at(predicted, sample, CLASSES)?)?;
        }
        Ok(confusion)
    }

    /// Counts one sample of class `truth` for which `predicted` was predicted.
    ///
    /// # Errors
    ///
    /// If a class is not below `CLASSES`.
    pub fn record(&mut self, truth: usize, predicted: usize) -> Result<(), Error> {
        let sample = self.total();
        let found = truth.max(predicted);
        match self.counts.get_mut(truth).and_then(|row| row.get_mut(predicted)) {
            Some(count) => *count += 1,
            None => return Err(Error::Target { sample, problem: TargetError::Class { found, classes: CLASSES } }),
        }
        Ok(())
    }

    /// Returns how often `predicted` was predicted for samples of class `truth`; zero for classes that don't exist.
    #[must_use]
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts.get(truth).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// The number of samples that were counted.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.as_flattened().iter().sum()
    }

    /// Accuracy: the fraction of correct predictions; zero if there is none. scikit-learn equivalent:
    /// `sklearn.metrics.accuracy_score`.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..CLASSES).map(|class| self.count(class, class)).sum();
        ratio(right as f64, self.total() as f64)
    }
}

impl ConfusionMatrix<2> {
    /// Counts the predictions of binary classification: class 1 if the probability of class 1 is at least `threshold`,
    /// usually 0.5. A larger threshold predicts class 1 less often.
    ///
    /// # Shapes
    ///
    /// `classes`: class indices 0 and 1; `probabilities`: as many samples of `[T; 1]`.
    ///
    /// # Errors
    ///
    /// If there are no samples, or not as many probabilities as classes, if a probability is infinite or NaN, if the
    /// threshold is NaN, or if a class is neither 0 nor 1.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::{Average, ConfusionMatrix};
    /// use tuplenet::prelude::*;
    ///
    /// let network = Dense::<1, 1, Sigmoid>::from_rows([[1.0]], [0.0]);
    /// let (inputs, classes) = ([[-2.0], [-1.0], [1.0], [2.0]], [false, true, false, true]);
    /// let mut probabilities = [[0.0]; 4];
    /// network.predict_all(&inputs, &mut probabilities)?;
    ///
    /// let half = ConfusionMatrix::binary(&classes, &probabilities, 0.5)?;
    /// assert_eq!((half.recall(Average::BINARY), half.precision(Average::BINARY)), (0.5, 0.5));
    /// // A lower threshold misses none of class 1.
    /// let careful = ConfusionMatrix::binary(&classes, &probabilities, 0.2)?;
    /// assert_eq!((careful.recall(Average::BINARY), careful.precision(Average::BINARY)), (1.0, 2.0 / 3.0));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn binary<T: Real, Y, X>(classes: &Y, probabilities: &X, threshold: T) -> Result<Self, Error>
    where
        Y: Samples<T, Item = usize> + ?Sized,
        X: Samples<T, Item = [T; 1]> + ?Sized,
    {
        setting(!threshold.is_nan(), "a threshold that is a number", threshold)?;
        let mut confusion = Self::new();
        let mut probability = [T::ZERO];
        for sample in 0..check(classes, probabilities)? {
            probabilities.copy(sample, &mut probability);
            check_finite(sample, &probability)?;
            confusion.record(class_at(classes, sample, 2)?, usize::from(probability[0] >= threshold))?;
        }
        Ok(confusion)
    }
}

/// A row for each true class, a column for each predicted one.
impl<const CLASSES: usize> fmt::Display for ConfusionMatrix<CLASSES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "true \\ predicted")?;
        for class in 0..CLASSES {
            write!(f, "{class:>5}")?;
        }
        for (class, row) in self.counts.iter().enumerate() {
            write!(f, "\n{class:>16}")?;
            for count in row {
                if *count == 0 { write!(f, "    .")? } else { write!(f, "{count:>5}")? }
            }
        }
        Ok(())
    }
}
