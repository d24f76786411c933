//! [`BatchView`]: the samples of a batch, their weights and their loss.

use crate::data::{Permutation, Samples};
use crate::error::Error;
use crate::model::{Trainable, is_finite};
use crate::num::Real;
use core::ops::Range;

/// View of one batch: the samples at the positions `range` of `order`.
#[derive(Clone)]
pub(crate) struct BatchView<'a, X: ?Sized, Y: ?Sized> {
    pub inputs: &'a X,
    pub targets: &'a Y,
    pub order: &'a Permutation,
    pub range: Range<usize>,
    /// The batch's epoch and index, for error messages.
    pub epoch: usize,
    pub batch: usize,
    /// Whether layers compute what they do in training, and not what they do in prediction.
    pub training: bool,
}

/// The first position and the total weight of the batch to which a [`BatchView`] belongs, which may be only a part of
/// it.
#[derive(Clone, Copy)]
pub(crate) struct Totals<T> {
    /// The position of the batch's first sample.
    pub start: usize,
    /// The sum of the weights of all samples of the batch.
    pub weight: T,
}

/// The mean loss of some samples, and the sum of their weights, which is zero if all weights are zero.
#[derive(Clone, Copy)]
pub(crate) struct MeanLoss<T> {
    pub loss: T,
    pub weight: T,
}

impl<T: Real> MeanLoss<T> {
    /// The loss of samples whose weights are all zero.
    pub(crate) const NOTHING: Self = MeanLoss { loss: T::ZERO, weight: T::ZERO };

    /// Returns the loss, or an error if all weights are zero.
    #[inline(always)]
    pub(crate) fn loss(self, epoch: usize) -> Result<T, Error> {
        if self.weight > T::ZERO { Ok(self.loss) } else { Err(Error::Weight { epoch, batch: 0 }) }
    }
}

/// Compensated sum of many values. It keeps what rounding has added so far, and so is as exact as a sum of twice the
/// digits that is rounded at the end, which a microcontroller does not have. W. Kahan, 1965.
#[derive(Clone, Copy)]
pub(crate) struct Sum<T> {
    sum: T,
    excess: T,
}

impl<T: Real> Sum<T> {
    pub(crate) const ZERO: Self = Sum { sum: T::ZERO, excess: T::ZERO };

    #[inline(always)]
    pub(crate) fn add(&mut self, value: T) {
        let value = value - self.excess;
        let sum = self.sum + value;
        self.excess = (sum - self.sum) - value;
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
    /// View of all samples of an order, as one batch.
    #[inline(always)]
    pub(crate) fn all(inputs: &'a X, targets: &'a Y, order: &'a Permutation, epoch: usize) -> Self {
        BatchView { inputs, targets, order, range: 0..order.count(), epoch, batch: 0, training: true }
    }

    /// The same view, of which layers compute what they do in prediction.
    #[inline(always)]
    pub(crate) fn in_evaluation(self) -> Self {
        BatchView { training: false, ..self }
    }

    /// Sums up the weights of the samples, which are a batch of their own.
    #[inline(always)]
    pub(crate) fn totals<T: Real>(&self) -> Result<Totals<T>, Error>
    where
        Y: Samples<T>,
    {
        let mut weight = T::from_count(self.range.len());
        if Y::WEIGHTED {
            let mut sum = Sum::ZERO;
            for position in self.range.clone() {
                let one = self.targets.weight(self.order.at(position));
                // Not `one < 0`, which is false for NaN.
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

/// Fails if the network learns from several samples together, and an epoch of `count` samples in batches of
/// `batch_size` has a batch of a single sample, or the micro-batch is a single sample.
#[inline(always)]
pub(crate) fn check_together<N: Trainable, const B: usize>(count: usize, batch_size: usize) -> Result<(), Error> {
    if N::TOGETHER < 2 {
        return Ok(());
    }
    if B < 2 || batch_size == 1 {
        return Err(Error::LoneSample { batch: 0 });
    }
    if count % batch_size == 1 { Err(Error::LoneSample { batch: count / batch_size }) } else { Ok(()) }
}

/// Why a loss in training was not finite: the weights, if they are not. A microcontroller has no flash for a message
/// that nobody reads, nor for a call that copies the error.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
pub(crate) fn cause<N: Trainable>(network: &N, error: Error) -> Error {
    match error {
        Error::LossNotFinite { .. } if cfg!(not(target_os = "none")) && !is_finite(network) => Error::WeightNotFinite,
        error => error,
    }
}

/// Why the loss of validation samples was not finite.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
pub(crate) fn cause_in_evaluation<N: Trainable>(network: &N, error: Error) -> Error {
    match cause(network, error) {
        Error::LossNotFinite { .. } => Error::EvaluationNotFinite,
        error => error,
    }
}
