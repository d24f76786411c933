//! [`History`] and [`Metric`]: values of each epoch, in vectors that grow.

use super::{Callback, EpochReport, Run};
use crate::error::Error;
use crate::model::Trainable;
use alloc::vec::Vec;
use core::ops::ControlFlow;

/// History: a callback that records the losses of all epochs of a [training
/// run](Callback#one-trainer-one-training-run). It uses the heap. With another trainer it begins again; use one for
/// each to keep them all. For other values than the losses see [`Metric`].
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: crate::num::Real", deny_unknown_fields)
)]
#[doc(alias("loss_curve_"))]
pub struct History<T> {
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::list"))]
    losses: Vec<T>,
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::list"))]
    validation_losses: Vec<T>,
    #[cfg_attr(feature = "serde", serde(skip))]
    run: Run,
}

impl<T> History<T> {
    /// Creates an empty history.
    #[must_use]
    pub const fn new() -> Self {
        History { losses: Vec::new(), validation_losses: Vec::new(), run: Run::new() }
    }

    /// The mean training loss of each epoch.
    #[must_use]
    pub fn losses(&self) -> &[T] {
        &self.losses
    }

    /// The mean validation loss after each epoch; empty without validation samples.
    #[must_use]
    pub fn validation_losses(&self) -> &[T] {
        &self.validation_losses
    }
}

impl<N: Trainable> Callback<N> for &mut History<N::Scalar> {
    fn begin(&mut self, epoch: usize, network: &N) -> Result<(), Error> {
        if self.run.begins_anew(epoch, network) {
            self.losses.clear();
            self.validation_losses.clear();
        }
        Ok(())
    }

    fn left(&mut self, epoch: usize, network: &N) {
        self.run.left(epoch, network);
    }

    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        self.run.mark_epoch();
        self.losses.push(epoch.loss);
        self.validation_losses.extend(epoch.validation_loss);
        ControlFlow::Continue(())
    }
}

/// Metric: a callback that computes a value of your choice after each epoch of a [training
/// run](Callback#one-trainer-one-training-run), by a function of the network.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::ConfusionMatrix;
/// use tuplenet::prelude::*;
/// use tuplenet::train::callbacks::Metric;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<8, 2, Softmax>);
/// let (inputs, classes) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0usize, 1, 1, 0]);
///
/// let (mut history, mut accuracy) = (
///     History::new(),
///     Metric::new("accuracy", |network: &Net| {
///         ConfusionMatrix::of(network, &inputs, &classes).map_or(f64::NAN, |confusion| confusion.accuracy())
///     }),
/// );
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.05), seeded(1));
/// trainer.fit(
///     &inputs,
///     &classes,
///     &FitOptions { epochs: 200, ..FitOptions::default() },
///     (&mut history, &mut accuracy),
/// )?;
/// assert_eq!(accuracy.values().len(), history.losses().len());
/// assert_eq!(accuracy.values().last(), Some(&1.0));
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("metrics"))]
pub struct Metric<F> {
    name: &'static str,
    measure: F,
    pub(crate) values: Vec<f64>,
    pub(crate) run: Run,
}

impl<F> Metric<F> {
    /// Records the value that `measure` returns for the network, under the name `name`.
    #[must_use]
    pub fn new<N>(name: &'static str, measure: F) -> Self
    where
        F: FnMut(&N) -> f64,
    {
        Metric { name, measure, values: Vec::new(), run: Run::new() }
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The values after each epoch.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

impl<N: Trainable, F: FnMut(&N) -> f64> Callback<N> for &mut Metric<F> {
    fn begin(&mut self, epoch: usize, network: &N) -> Result<(), Error> {
        if self.run.begins_anew(epoch, network) {
            self.values.clear();
        }
        Ok(())
    }

    fn left(&mut self, epoch: usize, network: &N) {
        self.run.left(epoch, network);
    }

    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        self.run.mark_epoch();
        self.values.push((self.measure)(epoch.network));
        ControlFlow::Continue(())
    }
}
