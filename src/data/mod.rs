//! Data for training and prediction, read in place and not copied into a type of the library.
//!
//! Inputs and targets are slices, arrays or vectors of samples, or the columns of a matrix. A sample is `[T; N]`,
//! `SVector<T, N>`, or for targets a class index. Windows of a long series are [`Windows`], and sequences of unequal length
//! [`Padded`].
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! let network = <Dense<2, 3, Softmax>>::new(&mut seeded(0));
//! let mut trainer = Trainer::new(network, CrossEntropy, Sgd::new(0.1), seeded(1));
//!
//! let rows = [[0.0, 1.0], [1.0, 0.0]];
//! trainer.step(&rows, &[0usize, 2])?;
//! let matrix = SMatrix::<f32, 2, 2>::from(rows);
//! trainer.step(&matrix, &vec![0u8, 2])?;
//! let vectors = [SVector::<f32, 2>::new(0.0, 1.0)];
//! trainer.step(&vectors[..], &[[0.5, 0.0, 0.5]])?;
//! # Ok::<(), tuplenet::Error>(())
//! ```

mod channels;
#[cfg(feature = "csv")]
pub(crate) mod csv;
mod folds;
mod one_hot;
mod padded;
mod scale;
pub(crate) mod shape;
mod share;
mod shuffle;
mod split;
mod weights;
mod windows;

pub use channels::{Channels, Shaped};
#[cfg(feature = "csv")]
pub use csv::{Classified, Csv, CsvError};
#[cfg(feature = "alloc")]
pub(crate) use folds::deal;
pub use folds::{Folds, k_folds, stratified_k_folds};
pub use one_hot::one_hot;
pub use padded::{Padded, pad};
pub(crate) use scale::Line;
pub use scale::{MinMaxScaler, StandardScaler};
pub use share::{BLOCKS, Share, share};
#[cfg(feature = "cluster")]
pub(crate) use share::{Block, block};
pub use shuffle::Permutation;
#[cfg(feature = "alloc")]
pub use split::{Part, TrainTest, train_test_split};
pub use split::{Subset, split, split_in_three, stratified_split};
pub use weights::{ClassWeighted, Weighted, balanced_class_weights};
pub(crate) use windows::Apart;
pub use windows::Windows;

use crate::data::shape::Shape;
use crate::error::Error;
use crate::num::Real;
use crate::num::zeroed::Zeroed;
use nalgebra::{SMatrix, SVector};

/// A sequence of samples: inputs, or targets.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be used as data for a network of `{T}`",
    label = "expected a slice of `[{T}; N]` or `SVector<{T}, N>`, a matrix of `{T}`, or class indices"
)]
#[doc(alias("Dataset"))]
pub trait Samples<T: Real> {
    /// One sample: `[T; N]`, or a class index.
    type Item: Zeroed + Copy;

    /// Whether [`weight`](Self::weight) can differ from 1.
    const WEIGHTED: bool = false;

    /// Whether [`steps`](Self::steps) can be less than all.
    const PADDED: bool = false;

    /// Whether only some samples are in the memory of this process: a [`Share`], which is for training over ranks.
    const SHARED: bool = false;

    /// The number of samples.
    fn count(&self) -> usize;

    /// Checks that everything that belongs to the samples is there.
    ///
    /// # Errors
    ///
    /// If an index is out of range, or the number of weights is wrong.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Copies the sample at `index`, counted from zero; leaves `to` unchanged if the index is out of range.
    fn copy(&self, index: usize, to: &mut Self::Item);

    /// Copies the samples from `first` on, as many as `to` can hold.
    #[inline(always)]
    fn copy_from(&self, first: usize, to: &mut [Self::Item]) {
        for (place, to) in to.iter_mut().enumerate() {
            self.copy(first + place, to);
        }
    }

    /// All samples, if they are contiguous in memory: then nothing is copied.
    #[inline(always)]
    fn in_place(&self) -> Option<&[Self::Item]> {
        None
    }

    /// How many steps of the sample at `index`, a sequence, are there; the others are padding. By default all.
    #[inline(always)]
    fn steps(&self, _index: usize) -> usize {
        usize::MAX
    }

    /// The weight of a sample in the loss; by default 1.
    #[inline(always)]
    fn weight(&self, _index: usize) -> T {
        T::ONE
    }
}

/// The samples of a micro-batch, from the one at `begin` on, if they are contiguous in memory.
#[inline(always)]
pub(crate) fn micro_batch_in_place<T: Real, X: Samples<T> + ?Sized, const B: usize>(
    all: &X,
    wanted: bool,
    begin: usize,
) -> Option<&[X::Item; B]> {
    if wanted { all.in_place()?.get(begin..)?.first_chunk() } else { None }
}

/// Fails unless there is at least one sample, all of them in the memory of this process, and as many targets as inputs;
/// returns the number of samples.
pub(crate) fn check_data<T: Real, X: Samples<T> + ?Sized, Y: Samples<T> + ?Sized>(
    inputs: &X,
    targets: &Y,
) -> Result<usize, Error> {
    if X::SHARED || Y::SHARED {
        return Err(Error::Shares);
    }
    check_shares(inputs, targets)
}

/// [`check_data`], where samples may be those of a share, both inputs and targets.
pub(crate) fn check_shares<T: Real, X: Samples<T> + ?Sized, Y: Samples<T> + ?Sized>(
    inputs: &X,
    targets: &Y,
) -> Result<usize, Error> {
    if X::SHARED != Y::SHARED {
        return Err(Error::Shares);
    }
    inputs.check()?;
    targets.check()?;
    let (expected, found) = (inputs.count(), targets.count());
    if expected != found {
        return Err(Error::Lengths { what: "targets, one for each input", expected, found });
    }
    if expected == 0 { Err(Error::NoSamples) } else { Ok(expected) }
}

/// Inputs of a network: samples of shape `In`, for [`Features<N>`](crate::model::Features) `[T; N]`. Every type of
/// [`Samples`] with such items implements it.
#[diagnostic::on_unimplemented(
    message = "the data does not fit: a network that takes `{In}` of `{T}` does not accept `{Self}`",
    label = "expected samples of `{In}`, each `[{T}; N]`",
    note = "data for `Features<N>` is an array, a slice or a vector of samples `[{T}; N]` or `SVector<{T}, N>`, or a matrix of `{T}` with N rows, one sample a column"
)]
pub trait Inputs<T: Real, In: Shape>: Samples<T, Item = In::Sample<T>> {}

// Not recommended by the compiler, so that it shows the message above and not that an associated type differs.
#[diagnostic::do_not_recommend]
impl<T: Real, In: Shape, X: Samples<T, Item = In::Sample<T>> + ?Sized> Inputs<T, In> for X {}

/// One sample in a slice. Implement it for a record of your own to use slices of it as data.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be used as a sample for a network of `{T}`",
    label = "expected `[{T}; N]`, `SVector<{T}, N>`, or for targets a class, as `usize`, `u32`, `u16`, `u8`, `bool` or `Class<N>`",
    note = "a number alone is a sample in brackets: `[[0.5], [1.5]]`; a whole number without a type is an `i32`: write `0usize` or \
            `0u8` for the first class, or convert them: `class as usize`"
)]
pub trait Sample<T: Real> {
    /// The type that network and loss use: `[T; N]`, or a class index.
    type Item: Zeroed + Copy;

    /// Copies the sample.
    fn copy(&self, to: &mut Self::Item);

    /// The samples in the form that network and loss use, if they have that form in memory.
    #[inline(always)]
    fn in_place(_samples: &[Self]) -> Option<&[Self::Item]>
    where
        Self: Sized,
    {
        None
    }
}

impl<T: Real, const N: usize> Sample<T> for [T; N] {
    type Item = [T; N];
    #[inline(always)]
    fn copy(&self, to: &mut [T; N]) {
        *to = *self;
    }

    #[inline(always)]
    fn in_place(samples: &[Self]) -> Option<&[[T; N]]> {
        Some(samples)
    }
}

impl<T: Real, const W: usize, const H: usize, const C: usize> Sample<T> for [[[T; W]; H]; C] {
    type Item = [[[T; W]; H]; C];

    #[inline(always)]
    fn copy(&self, to: &mut [[[T; W]; H]; C]) {
        *to = *self;
    }

    #[inline(always)]
    fn in_place(samples: &[Self]) -> Option<&[[[[T; W]; H]; C]]> {
        Some(samples)
    }
}

impl<T: Real, const N: usize> Sample<T> for SVector<T, N> {
    type Item = [T; N];
    #[inline(always)]
    fn copy(&self, to: &mut [T; N]) {
        *to = self.data.0[0];
    }
}

/// A class index below `CLASSES`, checked when it is created. Targets of this type don't compile with a network that
/// has another number of outputs; plain integers are checked by the trainer.
///
/// # Examples
///
/// ```
/// use tuplenet::data::Class;
///
/// assert!(Class::<3>::new(2).is_some());
/// assert!(Class::<3>::new(3).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias("one-hot", "OneHotEncoder"))]
pub struct Class<const CLASSES: usize>(usize);

impl<const CLASSES: usize> Class<CLASSES> {
    /// Creates a class from its index, counted from zero; `None` if it is not below `CLASSES`.
    #[must_use]
    pub const fn new(index: usize) -> Option<Self> {
        if index < CLASSES { Some(Class(index)) } else { None }
    }
}

/// A type that is a class index below `CLASSES`.
#[diagnostic::on_unimplemented(message = "`{Self}` is not a class index among {CLASSES}")]
pub trait ClassIndex<const CLASSES: usize>: Copy {
    /// The index, counted from zero.
    fn index(&self) -> usize;
}

impl<const CLASSES: usize> ClassIndex<CLASSES> for Class<CLASSES> {
    #[inline(always)]
    fn index(&self) -> usize {
        self.0
    }
}

impl<const CLASSES: usize> ClassIndex<CLASSES> for usize {
    #[inline(always)]
    fn index(&self) -> usize {
        *self
    }
}

impl<const CLASSES: usize> Zeroed for Class<CLASSES> {
    const ZEROED: Self = Class(0);
}

impl<T: Real, const CLASSES: usize> Sample<T> for Class<CLASSES> {
    type Item = Class<CLASSES>;
    #[inline(always)]
    fn copy(&self, to: &mut Self) {
        *to = *self;
    }
}

macro_rules! class_index {
    ($($integer:ty),+) => {$(
        impl<T: Real> Sample<T> for $integer {
            type Item = usize;
            #[inline(always)]
            fn copy(&self, to: &mut usize) {
                *to = *self as usize;
            }
        }
    )+};
}
class_index!(usize, u8, u16, u32, bool);

/// A sequence of steps.
impl<T: Real, const N: usize, const STEPS: usize> Sample<T> for [[T; N]; STEPS] {
    type Item = [[T; N]; STEPS];
    #[inline(always)]
    fn copy(&self, to: &mut [[T; N]; STEPS]) {
        *to = *self;
    }

    #[inline(always)]
    fn in_place(samples: &[Self]) -> Option<&[[[T; N]; STEPS]]> {
        Some(samples)
    }
}

macro_rules! class_indices {
    ($($integer:ty),+) => {$(
        /// A class for each step of a sequence.
        impl<T: Real, const STEPS: usize> Sample<T> for [$integer; STEPS] {
            type Item = [usize; STEPS];
            #[inline(always)]
            fn copy(&self, to: &mut [usize; STEPS]) {
                for (to, &class) in to.iter_mut().zip(self) {
                    *to = class as usize;
                }
            }
        }
    )+};
}
class_indices!(usize, u8, u16, u32, bool);

impl<T: Real, E: Sample<T>> Samples<T> for [E] {
    type Item = E::Item;

    #[inline(always)]
    fn count(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut E::Item) {
        if let Some(sample) = self.get(index) {
            sample.copy(to);
        }
    }

    #[inline(always)]
    fn copy_from(&self, first: usize, to: &mut [E::Item]) {
        // One bounds check for all samples.
        if let Some(samples) = self.get(first..).and_then(
            #[inline(always)]
            |samples| samples.get(..to.len()),
        ) {
            for (sample, to) in samples.iter().zip(to) {
                sample.copy(to);
            }
        }
    }

    #[inline(always)]
    fn in_place(&self) -> Option<&[E::Item]> {
        E::in_place(self)
    }
}

impl<T: Real, E: Sample<T>, const COUNT: usize> Samples<T> for [E; COUNT] {
    type Item = E::Item;

    #[inline(always)]
    fn count(&self) -> usize {
        COUNT
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut E::Item) {
        Samples::<T>::copy(self.as_slice(), index, to);
    }

    #[inline(always)]
    fn copy_from(&self, first: usize, to: &mut [E::Item]) {
        Samples::<T>::copy_from(self.as_slice(), first, to);
    }

    #[inline(always)]
    fn in_place(&self) -> Option<&[E::Item]> {
        E::in_place(self)
    }
}

#[cfg(feature = "alloc")]
impl<T: Real, E: Sample<T>> Samples<T> for alloc::vec::Vec<E> {
    type Item = E::Item;

    #[inline(always)]
    fn count(&self) -> usize {
        self.len()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut E::Item) {
        Samples::<T>::copy(self.as_slice(), index, to);
    }

    #[inline(always)]
    fn copy_from(&self, first: usize, to: &mut [E::Item]) {
        Samples::<T>::copy_from(self.as_slice(), first, to);
    }

    #[inline(always)]
    fn in_place(&self) -> Option<&[E::Item]> {
        E::in_place(self)
    }
}

impl<T: Real, const N: usize, const COUNT: usize> Samples<T> for SMatrix<T, N, COUNT> {
    type Item = [T; N];

    #[inline(always)]
    fn count(&self) -> usize {
        COUNT
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut [T; N]) {
        if let Some(column) = self.data.0.get(index) {
            *to = *column;
        }
    }

    #[inline(always)]
    fn copy_from(&self, first: usize, to: &mut [[T; N]]) {
        for (column, to) in self.data.0.get(first..).unwrap_or_default().iter().zip(to) {
            *to = *column;
        }
    }

    #[inline(always)]
    fn in_place(&self) -> Option<&[[T; N]]> {
        Some(&self.data.0)
    }
}
