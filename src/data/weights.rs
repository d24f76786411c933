//! Sample weights and class weights.

use super::{Sample, Samples};
use crate::error::{Error, not_negative, setting};
use crate::num::Real;

/// Targets with a weight for each sample. The loss of a batch is the weighted mean: equal weights change nothing, and a
/// sample of weight 2 counts like two samples. scikit-learn equivalent: the argument `sample_weight`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::Weighted;
/// use tuplenet::prelude::*;
///
/// let (inputs, targets) = ([[0.0], [1.0]], [[1.0], [3.0]]);
/// let targets = Weighted { targets: &targets, weights: &[1.0, 2.0] };
/// let mut trainer = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
/// trainer.step(&inputs, &targets)?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias("sample_weight"))]
pub struct Weighted<'a, Y: ?Sized, T> {
    /// The targets.
    pub targets: &'a Y,
    /// The weights, one for each target: finite and not negative. A larger one makes the sample count more.
    pub weights: &'a [T],
}

// Not derived, which would ask for targets that are `Copy`: a slice is not.
impl<Y: ?Sized, T> Clone for Weighted<'_, Y, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y: ?Sized, T> Copy for Weighted<'_, Y, T> {}

impl<T: Real, Y: Samples<T> + ?Sized> Samples<T> for Weighted<'_, Y, T> {
    type Item = Y::Item;
    const WEIGHTED: bool = true;
    const SHARED: bool = Y::SHARED;

    #[inline(always)]
    fn count(&self) -> usize {
        self.targets.count()
    }

    fn check(&self) -> Result<(), Error> {
        let (expected, found) = (self.targets.count(), self.weights.len());
        if expected == found {
            self.targets.check()
        } else {
            Err(Error::Lengths { what: "weights, one for each target", expected, found })
        }
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut Y::Item) {
        self.targets.copy(index, to);
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        self.weights.get(index).copied().unwrap_or(T::ZERO) * self.targets.weight(index)
    }
}

/// Class indices as targets, with a weight for each class, for classes that are rare or matter more. The loss of a
/// batch is the weighted mean. PyTorch equivalent: the argument `weight` of `torch.nn.CrossEntropyLoss`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::{ClassWeighted, balanced_class_weights};
/// use tuplenet::prelude::*;
///
/// let (inputs, targets) = ([[0.0], [0.1], [0.2], [1.0]], [0usize, 0, 0, 1]);
/// let weights: [f32; 2] = balanced_class_weights(&targets);
/// assert_eq!(weights, [4.0 / 6.0, 2.0]);
/// let targets = ClassWeighted { targets: &targets, weights };
/// let mut trainer = Trainer::new(<Dense<1, 2, Softmax>>::new(&mut seeded(0)), CrossEntropy, Sgd::new(0.1), seeded(1));
/// trainer.step(&inputs, &targets)?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias("class_weight"))]
pub struct ClassWeighted<'a, Y: ?Sized, T, const CLASSES: usize> {
    /// The class indices.
    pub targets: &'a Y,
    /// The weights, one for each class: finite and not negative. A larger one makes the class count more.
    pub weights: [T; CLASSES],
}

impl<Y: ?Sized, T: Copy, const CLASSES: usize> Clone for ClassWeighted<'_, Y, T, CLASSES> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Y: ?Sized, T: Copy, const CLASSES: usize> Copy for ClassWeighted<'_, Y, T, CLASSES> {}

impl<T: Real, Y, const CLASSES: usize> Samples<T> for ClassWeighted<'_, Y, T, CLASSES>
where
    Y: Samples<T> + ?Sized,
    Y::Item: super::ClassIndex<CLASSES>,
{
    type Item = Y::Item;
    const WEIGHTED: bool = true;
    const SHARED: bool = Y::SHARED;

    #[inline(always)]
    fn count(&self) -> usize {
        self.targets.count()
    }

    fn check(&self) -> Result<(), Error> {
        for weight in self.weights {
            setting(not_negative(weight), "class weights that are finite and not negative", weight)?;
        }
        self.targets.check()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut Y::Item) {
        self.targets.copy(index, to);
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        let mut class = <Y::Item as crate::num::zeroed::Zeroed>::ZEROED;
        self.targets.copy(index, &mut class);
        let class = super::ClassIndex::<CLASSES>::index(&class);
        // A class out of range is reported when its target is checked.
        self.weights.get(class).copied().unwrap_or(T::ONE) * self.targets.weight(index)
    }
}

/// Balanced class weights: with them the samples of each class have the same total weight. A class without a sample
/// gets weight 0.
///
/// # Formula
///
/// samples / (classes * samples of the class). scikit-learn equivalent: `class_weight="balanced"`.
#[doc(alias("compute_class_weight"))]
#[must_use]
pub fn balanced_class_weights<T: Real, const CLASSES: usize>(targets: &[impl Sample<T, Item = usize>]) -> [T; CLASSES] {
    let mut counts = [0usize; CLASSES];
    for target in targets {
        let mut class = 0;
        target.copy(&mut class);
        if let Some(count) = counts.get_mut(class) {
            *count += 1;
        }
    }
    counts.map(|count| if count == 0 { T::ZERO } else { T::of(targets.len() as f64 / (CLASSES as f64 * count as f64)) })
}
