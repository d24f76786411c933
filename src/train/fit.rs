//! [`FitOptions`] of a training run, and its [`FitReport`].

#[cfg(feature = "alloc")]
use crate::error::Error;
#[cfg(feature = "serde")]
use crate::num::Real;

/// Options of a training run.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// let fit = FitOptions { epochs: 100, ..FitOptions::default() };
/// assert_eq!((fit.batch_size, fit.shuffle), (32, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("max_iter", "batch_size"))]
pub struct FitOptions {
    /// The number of epochs: passes over all samples; at least 1. By default 1. A larger one trains longer, and may
    /// overfit.
    pub epochs: usize,
    /// The number of samples per step of the optimizer, at least 1; by default 32. The last batch of an epoch has the
    /// samples that are left. A larger one takes fewer steps, each by a gradient with less noise.
    pub batch_size: usize,
    /// Whether each epoch has its own random order of samples; by default `true`. No effect where a batch holds all
    /// samples.
    pub shuffle: bool,
}

impl Default for FitOptions {
    /// One epoch, shuffled, in batches of 32.
    fn default() -> Self {
        FitOptions { epochs: 1, batch_size: 32, shuffle: true }
    }
}

/// Result of a training run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct FitReport<T> {
    /// The number of epochs that were run, including the one in which a callback stopped the training run.
    pub epochs: usize,
    /// The mean loss over the samples of the last epoch, each computed just before its step; NaN if there was no epoch.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one_or_nan"))]
    pub loss: T,
}

impl FitOptions {
    /// Fails if the number of epochs or the batch size is zero.
    #[cfg(feature = "alloc")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.batch_size == 0 {
            return Err(Error::BatchSize);
        }
        if self.epochs == 0 { Err(Error::Epochs) } else { Ok(()) }
    }
}
