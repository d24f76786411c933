//! How good predictions are: the confusion matrix and what follows from it.

use crate::data::{Inputs, Samples};
use crate::error::{Error, TargetError};
use crate::layer::Layer;
use crate::network::Network;
use crate::real::Real;
use crate::shape::Features;
use crate::workspace::check_data;
use core::fmt;

/// The index of the largest output: the class that a network predicts. The first, if several are the same; NaN is below
/// everything.
///
/// ```
/// assert_eq!(tuplenet::metrics::largest_index(&[0.1, 0.7, 0.2]), 1);
/// ```
pub fn largest_index<T: PartialOrd + Copy>(outputs: &[T]) -> usize {
    let mut best = 0;
    for (index, output) in outputs.iter().enumerate() {
        // A number without an order with itself is NaN.
        let is_number = |x: &T| x.partial_cmp(x).is_some();
        let better = outputs.get(best).is_some_and(|best| output > best || (!is_number(best) && is_number(output)));
        if better {
            best = index;
        }
    }
    best
}

/// How often each class was predicted for samples of each class.
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
pub struct ConfusionMatrix<const CLASSES: usize> {
    counts: [[usize; CLASSES]; CLASSES],
}

impl<const CLASSES: usize> Default for ConfusionMatrix<CLASSES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const CLASSES: usize> ConfusionMatrix<CLASSES> {
    /// Nothing predicted yet.
    pub const fn new() -> Self {
        ConfusionMatrix { counts: [[0; CLASSES]; CLASSES] }
    }

    /// Counts the predictions of a network for samples whose classes are known: the index of the largest output.
    pub fn of<N, X, Y, const IN: usize>(network: &N, inputs: &X, classes: &Y) -> Result<Self, Error>
    where
        N: Network + Layer<Features<IN>, Out = Features<CLASSES>>,
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Samples<N::Scalar, Item = usize> + ?Sized,
    {
        let mut confusion = Self::new();
        let (mut input, mut class) = ([N::Scalar::ZERO; IN], 0);
        for sample in 0..check_data(inputs, classes)? {
            inputs.copy(sample, &mut input);
            classes.copy(sample, &mut class);
            confusion.record(class, largest_index(&network.predict_one(&input)))?;
        }
        Ok(confusion)
    }

    /// Counts a sample of class `truth` for which `predicted` was predicted.
    pub fn record(&mut self, truth: usize, predicted: usize) -> Result<(), Error> {
        let sample = self.total();
        let found = truth.max(predicted);
        match self.counts.get_mut(truth).and_then(|row| row.get_mut(predicted)) {
            Some(count) => *count += 1,
            None => return Err(Error::Target { sample, problem: TargetError::Class { found, classes: CLASSES } }),
        }
        Ok(())
    }

    /// How often `predicted` was predicted for samples of class `truth`; zero for classes that don't exist.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts.get(truth).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// How many samples were counted.
    pub fn total(&self) -> usize {
        self.counts.as_flattened().iter().sum()
    }

    /// The share of right predictions; zero if there was none at all.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..CLASSES).map(|class| self.count(class, class)).sum();
        match self.total() {
            0 => 0.0,
            total => right as f64 / total as f64,
        }
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
