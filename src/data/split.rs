//! Train-test split of a data set, by index; stratified by class if wanted.

use super::{Permutation, Sample, Samples};
use crate::error::Error;
use crate::num::Real;
use rand::Rng;

/// View of some of the samples of `data`, in the order of `indices`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::{Subset, split};
///
/// let inputs = [[0.0f32], [1.0], [2.0], [3.0], [4.0]];
/// let mut indices = [0; 5];
/// let (train, test) = split(&mut indices, 0.2, &mut tuplenet::seeded(0))?;
/// let train = Subset { data: &inputs[..], indices: train };
/// assert_eq!((train.indices.len(), test.len()), (4, 1));
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Debug)]
pub struct Subset<'a, X: ?Sized> {
    /// The data set.
    pub data: &'a X,
    /// The indices of the samples.
    pub indices: &'a [usize],
}

// Not derived, which would ask for data that are `Copy`: a slice is not.
impl<X: ?Sized> Clone for Subset<'_, X> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X: ?Sized> Copy for Subset<'_, X> {}

impl<T: Real, X: Samples<T> + ?Sized> Samples<T> for Subset<'_, X> {
    type Item = X::Item;
    const WEIGHTED: bool = X::WEIGHTED;
    const PADDED: bool = X::PADDED;

    #[inline(always)]
    fn count(&self) -> usize {
        self.indices.len()
    }

    fn check(&self) -> Result<(), Error> {
        // Its indices may be those of samples that other ranks have.
        if X::SHARED {
            return Err(Error::Shares);
        }
        self.data.check()?;
        let count = self.data.count();
        match self.indices.iter().find(|&&index| index >= count) {
            Some(&found) => Err(Error::Index { found, count }),
            None => Ok(()),
        }
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut X::Item) {
        if let Some(&index) = self.indices.get(index) {
            self.data.copy(index, to);
        }
    }

    #[inline(always)]
    fn steps(&self, index: usize) -> usize {
        self.indices.get(index).map_or(0, |&index| self.data.steps(index))
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        self.indices.get(index).map_or(T::ZERO, |&index| self.data.weight(index))
    }
}

/// The number of test samples that the fraction `test` of `count` samples is: rounded up, as in scikit-learn.
fn test_count(count: usize, test: f64) -> usize {
    let exact = count as f64 * test;
    let below = exact as usize;
    below + usize::from(exact > below as f64)
}

fn check(count: usize, test: f64) -> Result<usize, Error> {
    if count == 0 {
        return Err(Error::NoSamples);
    }
    let valid = test > 0.0 && test < 1.0;
    let tested = if valid { test_count(count, test) } else { 0 };
    let fits = valid && tested < count;
    if fits { Ok(tested) } else { Err(Error::Split { count, percent: (test * 100.0) as i32 }) }
}

/// Train-test split in random order: fills `indices`, which has one element for each sample, and divides it into
/// training and test samples. The fraction `test` of the samples, rounded up, is for testing. scikit-learn equivalent:
/// `sklearn.model_selection.train_test_split`.
///
/// # Errors
///
/// If there are no samples, or if either part would be empty.
pub fn split<R: Rng>(indices: &mut [usize], test: f64, rng: R) -> Result<(&[usize], &[usize]), Error> {
    let tested = check(indices.len(), test)?;
    let order = Permutation::new(indices.len(), rng);
    for (place, index) in indices.iter_mut().enumerate() {
        *index = order.at(place);
    }
    Ok(indices.split_at(indices.len() - tested))
}

/// Train-validation-test split in random order: like [`split`], with a third part to choose between networks by. `validation` and
/// `test` are fractions of all samples, each rounded up.
///
/// # Errors
///
/// If there are no samples, or if one of the three parts would be empty.
///
/// # Examples
///
/// ```
/// use tuplenet::data::split_in_three;
///
/// let mut indices = [0; 10];
/// let [train, validation, test] = split_in_three(&mut indices, 0.2, 0.2, &mut tuplenet::seeded(0))?;
/// assert_eq!([train.len(), validation.len(), test.len()], [6, 2, 2]);
/// # Ok::<(), tuplenet::Error>(())
/// ```
pub fn split_in_three<R: Rng>(
    indices: &mut [usize],
    validation: f64,
    test: f64,
    rng: R,
) -> Result<[&[usize]; 3], Error> {
    let count = indices.len();
    let (rest, test) = split(indices, test, rng)?;
    let validated = check(count, validation)?;
    match rest.len().checked_sub(validated) {
        Some(trained) if trained > 0 => {
            let (train, validation) = rest.split_at(trained);
            Ok([train, validation, test])
        }
        _ => Err(Error::Split { count, percent: (validation * 100.0) as i32 }),
    }
}

/// Inputs and targets of a part of the samples, for training or for the test.
#[cfg(feature = "alloc")]
pub type Part<X, Y> = (alloc::vec::Vec<X>, alloc::vec::Vec<Y>);

/// The part for training and that for the test.
#[cfg(feature = "alloc")]
pub type TrainTest<X, Y> = (Part<X, Y>, Part<X, Y>);

/// Train-test split in random order, as copies: `((inputs, targets), (inputs, targets))`, first for training, then for the test.
/// [`split`] makes views, which need no heap. scikit-learn equivalent: `sklearn.model_selection.train_test_split`.
///
/// # Shapes
///
/// `inputs` and `targets`: one for each sample, of any type; each part has some of them, in a random order.
///
/// # Errors
///
/// As for [`split`], and if there are not as many targets as inputs.
///
/// # Examples
///
/// ```
/// use tuplenet::data::train_test_split;
///
/// let (inputs, classes) = ([[0.1f32], [0.2], [0.3], [0.4]], [0usize, 0, 1, 1]);
/// let (train, test) = train_test_split(&inputs, &classes, 0.25, &mut tuplenet::seeded(0))?;
/// assert_eq!((train.0.len(), test.1.len()), (3, 1));
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[cfg(feature = "alloc")]
pub fn train_test_split<X: Clone, Y: Clone, R: Rng>(
    inputs: &[X],
    targets: &[Y],
    test: f64,
    rng: R,
) -> Result<TrainTest<X, Y>, Error> {
    let (expected, found) = (inputs.len(), targets.len());
    if expected != found {
        return Err(Error::Lengths { what: "targets, one for each input", expected, found });
    }
    let mut indices = alloc::vec![0; inputs.len()];
    let (train, test) = split(&mut indices, test, rng)?;
    let part = |indices: &[usize]| {
        (
            indices.iter().filter_map(|&index| inputs.get(index).cloned()).collect(),
            indices.iter().filter_map(|&index| targets.get(index).cloned()).collect(),
        )
    };
    Ok((part(train), part(test)))
}

/// Stratified train-test split: like [`split`], with every class divided in the same proportion, as nearly as whole
/// samples allow, and with samples of every class left for training. `classes` holds the class of every sample, below
/// `CLASSES`. scikit-learn equivalent: `train_test_split` with `stratify`.
///
/// # Errors
///
/// As for [`split`], and if a class is out of range or has fewer than two samples, or a part has fewer samples than
/// there are classes, as in scikit-learn. Also if there are not as many classes as indices.
///
/// # Examples
///
/// ```
/// use tuplenet::data::stratified_split;
///
/// let classes = [0usize, 0, 0, 0, 1, 1, 1, 1];
/// let mut indices = [0; 8];
/// let (train, test) = stratified_split::<2, _>(&classes, &mut indices, 0.25, &mut tuplenet::seeded(0))?;
/// assert_eq!(train.len(), 6);
/// assert_eq!(test.iter().map(|&index| classes[index]).sum::<usize>(), 1);
/// # Ok::<(), tuplenet::Error>(())
/// ```
pub fn stratified_split<'a, const CLASSES: usize, R: Rng>(
    classes: &[impl Sample<f32, Item = usize>],
    indices: &'a mut [usize],
    test: f64,
    rng: R,
) -> Result<(&'a [usize], &'a [usize]), Error> {
    let count = indices.len();
    if classes.len() != count {
        return Err(Error::Lengths { what: "indices, one for each class", expected: classes.len(), found: count });
    }
    let tested = check(count, test)?;
    let class_of = |index: usize| {
        let mut class = 0;
        if let Some(sample) = classes.get(index) {
            sample.copy(&mut class);
        }
        class
    };
    let mut counts = [0usize; CLASSES];
    for sample in 0..count {
        let found = class_of(sample);
        let problem = crate::error::TargetError::Class { found, classes: CLASSES };
        *counts.get_mut(found).ok_or(Error::Target { sample, problem })? += 1;
    }
    if let Some((class, &found)) = counts.iter().enumerate().find(|&(_, &count)| count < 2) {
        return Err(Error::TooFewOfClass { class, expected: 2, found });
    }
    for (part, found) in [("training", count - tested), ("test", tested)] {
        if found < CLASSES {
            return Err(Error::TooFewForClasses { part, expected: CLASSES, found });
        }
    }

    // The quota of each class is its proportion rounded down; the classes with the largest remainders get one more.
    let mut quotas = counts.map(|class| class * tested / count);
    let mut remainders = counts.map(|class| class * tested % count);
    let mut missing = tested - quotas.iter().sum::<usize>();
    while missing > 0 {
        // If all but one sample of a class are for testing, the last one is for training.
        let has_more = |&class: &usize| quotas[class] + 1 < counts[class];
        let largest = (0..CLASSES).filter(has_more).max_by_key(|&class| (remainders[class], CLASSES - class));
        // Such a class exists, since there are at least as many training samples as classes.
        let Some(largest) = largest else { break };
        quotas[largest] += 1;
        remainders[largest] = 0;
        missing -= 1;
    }

    // Training samples from the front, test samples from the back, each class until its quota is full.
    let order = Permutation::new(count, rng);
    let (mut front, mut back) = (0, count);
    for position in 0..count {
        let index = order.at(position);
        let quota = &mut quotas[class_of(index)];
        if *quota > 0 {
            *quota -= 1;
            back -= 1;
            indices[back] = index;
        } else {
            indices[front] = index;
            front += 1;
        }
    }
    Ok(indices.split_at(count - tested))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ClassWeighted, StandardScaler, Weighted};
    use crate::prelude::*;

    #[test]
    fn an_index_out_of_range_is_an_error_wherever_samples_are_read() {
        let missing = Err(Error::Index { found: 2, count: 2 });
        let inputs = Subset { data: &[[0.0f32], [1.0]], indices: &[0, 2] };
        let targets = [[0.0f32], [1.0]];
        let network = Dense::<1, 1, Identity>::new(&mut crate::seeded(0));
        assert_eq!(network.predict_all(&inputs, &mut [[0.0]; 2]), missing);
        assert_eq!(StandardScaler::fit(&inputs).map(|_| ()), missing);
        let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), crate::seeded(1));
        assert_eq!(trainer.step(&inputs, &targets).map(|_| ()), missing);
    }

    #[test]
    fn wrappers_of_weighted_targets_report_a_missing_weight() {
        let missing = Error::Lengths { what: "weights, one for each target", expected: 2, found: 1 };
        let targets = Weighted { targets: &[0usize, 1], weights: &[1.0f32] };
        assert_eq!(Samples::<f32>::check(&Subset { data: &targets, indices: &[1] }), Err(missing));
        assert_eq!(Samples::<f32>::check(&ClassWeighted { targets: &targets, weights: [1.0, 2.0] }), Err(missing));
    }
}
