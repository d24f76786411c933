//! Folds for cross-validation: each sample is tested once, by a network that was trained on the others.

use super::{Permutation, Sample};
use crate::error::{Error, TargetError};
use rand::Rng;

/// Iterates over the folds of a data set, each as training and test samples. Made by [`k_folds`] and
/// [`stratified_k_folds`].
///
/// It uses no heap: the one slice of indices is rotated from fold to fold, so that the test samples are at its end.
#[derive(Debug)]
pub struct Folds<'a> {
    indices: &'a mut [usize],
    count: usize,
    next: usize,
}

/// The number of samples in the fold `number` of `count`: the first folds get the remainder.
fn size(samples: usize, count: usize, number: usize) -> usize {
    samples / count + usize::from(number < samples % count)
}

impl Folds<'_> {
    /// The number of folds.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The training and the test samples of the next fold; `None` after the last one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::data::{StandardScaler, Subset, k_folds};
    /// use tuplenet::prelude::*;
    ///
    /// let inputs: Vec<[f32; 1]> = (0..30).map(|i| [i as f32]).collect();
    /// let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [3.0 * x + 1.0]).collect();
    /// let mut indices = vec![0; inputs.len()];
    /// let mut folds = k_folds(&mut indices, 5, &mut seeded(0))?;
    /// while let Some((train, test)) = folds.next_fold() {
    ///     // Everything is fitted on the training samples, the scaling too.
    ///     let scaler = StandardScaler::fit(&Subset { data: &inputs, indices: train })?;
    ///     let scaled: Vec<[f32; 1]> = inputs.iter().map(|input| scaler.transform(input)).collect();
    ///     let part = |indices| (Subset { data: &scaled, indices }, Subset { data: &targets, indices });
    ///
    ///     let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    ///     let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    ///     let (x, y) = part(train);
    ///     trainer.fit(&x, &y, &FitOptions { epochs: 100, ..FitOptions::default() }, ())?;
    ///     let (x, y) = part(test);
    ///     assert!(trainer.evaluate(&x, &y)? < 1e-3);
    /// }
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn next_fold(&mut self) -> Option<(&[usize], &[usize])> {
        if self.next == self.count {
            return None;
        }
        let samples = self.indices.len();
        let size = size(samples, self.count, self.next);
        self.next += 1;
        // The next fold is always at the front.
        self.indices.rotate_left(size);
        Some(self.indices.split_at(samples - size))
    }
}

fn check(samples: usize, folds: usize) -> Result<(), Error> {
    if folds < 2 {
        return Err(Error::Folds { found: folds });
    }
    if samples < folds { Err(Error::TooFewSamples { expected: folds, found: samples }) } else { Ok(()) }
}

/// K-fold split in random order: fills `indices`, which has one element for each sample, and divides it into `folds`
/// folds, whose sizes differ by one at most. scikit-learn equivalent: `sklearn.model_selection.KFold` with
/// `shuffle=True`.
///
/// # Errors
///
/// If there are fewer than two folds, or fewer samples than folds.
///
/// # Examples
///
/// ```
/// use tuplenet::data::k_folds;
///
/// let mut indices = [0; 7];
/// let mut folds = k_folds(&mut indices, 3, &mut tuplenet::seeded(0))?;
/// let mut tested = Vec::new();
/// while let Some((train, test)) = folds.next_fold() {
///     assert_eq!(train.len() + test.len(), 7);
///     tested.extend_from_slice(test);
/// }
/// tested.sort();
/// assert_eq!(tested, [0, 1, 2, 3, 4, 5, 6]);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("KFold"))]
pub fn k_folds<'a, R: Rng>(indices: &'a mut [usize], folds: usize, rng: R) -> Result<Folds<'a>, Error> {
    check(indices.len(), folds)?;
    let order = Permutation::new(indices.len(), rng);
    for (position, index) in indices.iter_mut().enumerate() {
        *index = order.at(position);
    }
    Ok(Folds { indices, count: folds, next: 0 })
}

/// Stratified k-fold split: like [`k_folds`], with every class spread evenly. The number of samples of a class differs
/// by one at most between folds, and so does their size. The sizes are those of scikit-learn's `StratifiedKFold`.
/// `classes` holds the class of every sample, below `CLASSES`.
///
/// # Errors
///
/// As for [`k_folds`], and if a class is out of range or has fewer samples than there are folds, or there are not as
/// many classes as indices.
///
/// # Examples
///
/// ```
/// use tuplenet::data::stratified_k_folds;
///
/// let classes = [0u8, 0, 0, 0, 1, 1, 1, 0];
/// let mut indices = [0; 8];
/// let mut folds = stratified_k_folds::<2, _>(&classes, &mut indices, 3, &mut tuplenet::seeded(0))?;
/// while let Some((_, test)) = folds.next_fold() {
///     assert_eq!(test.iter().filter(|&&index| classes[index] == 1).count(), 1);
/// }
///
/// let too_many = stratified_k_folds::<2, _>(&classes, &mut indices, 4, &mut tuplenet::seeded(0)).unwrap_err();
/// assert_eq!(too_many.to_string(), "expected at least 4 samples of class 1, found 3");
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("StratifiedKFold"))]
pub fn stratified_k_folds<'a, const CLASSES: usize, R: Rng>(
    classes: &[impl Sample<f32, Item = usize>],
    indices: &'a mut [usize],
    folds: usize,
    mut rng: R,
) -> Result<Folds<'a>, Error> {
    let samples = indices.len();
    if classes.len() != samples {
        let what = "indices, one for each class";
        return Err(Error::Lengths { what, expected: classes.len(), found: samples });
    }
    let class_of = |sample: usize| {
        let mut class = 0;
        if let Some(sample) = classes.get(sample) {
            sample.copy(&mut class);
        }
        class
    };
    deal(class_of, &mut [0; CLASSES], &mut [None; CLASSES], indices, folds, &mut rng)
}

/// [`stratified_k_folds`] with buffers: `counts` holds a zero and `ranks` a `None` for each class.
pub(crate) fn deal<'a, R: Rng>(
    class_of: impl Fn(usize) -> usize,
    counts: &mut [usize],
    ranks: &mut [Option<usize>],
    indices: &'a mut [usize],
    folds: usize,
    rng: &mut R,
) -> Result<Folds<'a>, Error> {
    let (samples, classes) = (indices.len(), counts.len());
    check(samples, folds)?;
    for sample in 0..samples {
        let found = class_of(sample);
        let problem = TargetError::Class { found, classes };
        *counts.get_mut(found).ok_or(Error::Target { sample, problem })? += 1;
    }
    if let Some((class, &found)) = counts.iter().enumerate().find(|&(_, &count)| count < folds) {
        return Err(Error::TooFewOfClass { class, expected: folds, found });
    }

    // All samples in a sequence, sorted by class in the order in which the classes first appear, and dealt to the folds
    // in turn.
    let mut dealt = 0;
    for sample in 0..samples {
        let class = class_of(sample);
        if ranks[class].is_none() {
            ranks[class] = Some(dealt);
            dealt += counts[class];
        }
    }
    let order = Permutation::new(samples, &mut *rng);
    for position in 0..samples {
        let sample = order.at(position);
        if let Some(rank) = &mut ranks[class_of(sample)] {
            let fold = *rank % folds;
            let first = fold * (samples / folds) + fold.min(samples % folds);
            indices[first + *rank / folds] = sample;
            *rank += 1;
        }
    }
    // The samples of a fold are still sorted by class.
    let mut first = 0;
    for fold in 0..folds {
        let last = first + size(samples, folds, fold);
        shuffle(&mut indices[first..last], rng);
        first = last;
    }
    Ok(Folds { indices, count: folds, next: 0 })
}

/// Shuffles a slice: the algorithm of R. Fisher and F. Yates.
fn shuffle<R: Rng>(entries: &mut [usize], rng: &mut R) {
    for last in (1..entries.len()).rev() {
        let other = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        entries.swap(last, other as usize);
    }
}
