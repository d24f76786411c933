//! [`BatchView`]: the samples of a batch, their weights and their loss.

use crate::data::{Permutation, Samples};
use crate::error::Error;
use crate::model::{Params, is_finite};
use crate::num::Real;
use core::ops::Range;

/// One batch: the samples that `order` gives for the places in `range`.
#[derive(Clone)]
pub(crate) struct BatchView<'a, X: ?Sized, Y: ?Sized> {
    pub inputs: &'a X,
    pub targets: &'a Y,
    pub order: &'a Permutation,
    pub range: Range<usize>,
    /// Where the batch stands, for the messages of errors.
    pub epoch: usize,
    pub batch: usize,
}

/// Of which batch the samples of a [`BatchView`] are all, or a part.
#[derive(Clone, Copy)]
pub(crate) struct Totals<T> {
    /// The place of the batch's first sample.
    pub start: usize,
    /// The sum of the weights of all samples of the batch.
    pub weight: T,
}

/// The mean loss of some samples, and the sum of their weights, which is zero where all of them are.
#[derive(Clone, Copy)]
pub(crate) struct MeanLoss<T> {
    pub loss: T,
    pub weight: T,
}

impl<T: Real> MeanLoss<T> {
    /// Of samples that all have the weight zero.
    pub(crate) const NOTHING: Self = MeanLoss { loss: T::ZERO, weight: T::ZERO };

    /// The loss, unless all weights are zero.
    #[inline(always)]
    pub(crate) fn loss(self, epoch: usize) -> Result<T, Error> {
        if self.weight > T::ZERO { Ok(self.loss) } else { Err(Error::Weight { epoch, batch: 0 }) }
    }
}

/// A sum of many numbers, with what rounding has added to it so far: as exact as one of twice the digits that is rounded at the
/// end, and without them, which a microcontroller does not have. W. Kahan, 1965.
#[derive(Clone, Copy)]
pub(crate) struct Sum<T> {
    sum: T,
    excess: T,
}

impl<T: Real> Sum<T> {
    pub(crate) const ZERO: Self = Sum { sum: T::ZERO, excess: T::ZERO };

    #[inline(always)]
    pub(crate) fn add(&mut self, number: T) {
        let number = number - self.excess;
        let sum = self.sum + number;
        self.excess = (sum - self.sum) - number;
        self.sum = sum;
    }

    #[inline(always)]
    pub(crate) fn rounded(self) -> T {
        self.sum
    }
}

impl<T: Real> Totals<T> {
    /// Whether all samples have the weight zero, so that there is nothing to learn from.
    #[inline(always)]
    pub(crate) fn is_nothing<Y: Samples<T> + ?Sized>(&self) -> bool {
        Y::WEIGHTED && self.weight == T::ZERO
    }
}

impl<'a, X: ?Sized, Y: ?Sized> BatchView<'a, X, Y> {
    /// All samples of an order, as one batch.
    #[inline(always)]
    pub(crate) fn all(inputs: &'a X, targets: &'a Y, order: &'a Permutation, epoch: usize) -> Self {
        BatchView { inputs, targets, order, range: 0..order.count(), epoch, batch: 0 }
    }

    /// Takes the samples as a batch of their own, and sums up their weights.
    #[inline(always)]
    pub(crate) fn totals<T: Real>(&self) -> Result<Totals<T>, Error>
    where
        Y: Samples<T>,
    {
        let mut weight = T::from_count(self.range.len());
        if Y::WEIGHTED {
            let mut sum = Sum::ZERO;
            for place in self.range.clone() {
                let one = self.targets.weight(self.order.at(place));
                // Not `one < 0`, which NaN passes.
                sum.add(if one >= T::ZERO { one } else { T::nan() });
            }
            weight = sum.rounded();
            if !weight.is_finite() {
                return Err(Error::Weight { epoch: self.epoch, batch: self.batch });
            }
        }
        Ok(Totals { start: self.range.start, weight })
    }

    /// Fails if the mean loss of the batch is not finite.
    #[inline(always)]
    pub(crate) fn mean<T: Real>(&self, totals: Totals<T>, loss: T) -> Result<MeanLoss<T>, Error> {
        if loss.is_finite() {
            Ok(MeanLoss { loss, weight: totals.weight })
        } else {
            Err(Error::LossNotFinite { epoch: self.epoch, batch: self.batch })
        }
    }
}

/// Fails if an epoch of `count` samples in batches of `batch_size` has a batch of a single one, or the micro-batch is
/// one sample, and the network learns from several together.
#[inline(always)]
pub(crate) fn check_together<N: Params, const B: usize>(count: usize, batch_size: usize) -> Result<(), Error> {
    if N::TOGETHER < 2 {
        return Ok(());
    }
    if B < 2 || batch_size == 1 {
        return Err(Error::LoneSample { batch: 0 });
    }
    if count % batch_size == 1 { Err(Error::LoneSample { batch: count / batch_size }) } else { Ok(()) }
}

/// Why a loss in training was not finite: the weights, if they are not. A microcontroller has no room for a sentence that nobody
/// reads, nor for a call through which the error is copied.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
pub(crate) fn cause<N: Params>(network: &N, error: Error) -> Error {
    match error {
        Error::LossNotFinite { .. } if cfg!(not(target_os = "none")) && !is_finite(network) => Error::WeightNotFinite,
        error => error,
    }
}

/// Why the loss of samples that are not trained on was not finite.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
pub(crate) fn cause_in_evaluation<N: Params>(network: &N, error: Error) -> Error {
    match cause(network, error) {
        Error::LossNotFinite { .. } => Error::EvaluationNotFinite,
        error => error,
    }
}
