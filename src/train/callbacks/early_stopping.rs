//! [`EarlyStopping`]: ends a training run without improvement, and restores the best weights.

use super::{Callback, EpochReport, Run};
use crate::error::{Error, not_negative, setting};
use crate::model::{Trainable, is_finite};
use crate::num::Real;
use crate::train::FitReport;
use core::ops::ControlFlow;

/// Early stopping: ends a training run after `patience` epochs in a row without improvement, and then restores the
/// weights of the best epoch. It restores them whether the run ended by patience, with its last epoch, or with an
/// error.
///
/// The loss is the validation loss, or the training loss if there are no validation samples;
/// [`watching`](Self::watching) takes another value. An epoch is an improvement if its loss is below the best one by
/// more than [`min_delta`](Self::min_delta). The weights kept are those of the lowest loss, however small the
/// difference. The training loss is computed before each step and does not contain the effect of the last one: where
/// the weights matter, validate, even if it is with the training samples.
///
/// Several calls of `fit` on one trainer are one training run: the patience begins again with each call, and the best
/// epoch is that of all calls. With [another trainer](Callback#one-trainer-one-training-run), or with weights that were
/// changed in between, the best epoch begins again too, so that one `EarlyStopping` is enough for a loop over folds.
///
/// It uses no heap: the best network is stored in it, so that it uses as much memory as the network. The optimizer's
/// state is not restored.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<1, 8, Tanh>, Dense<8, 1, Identity>);
/// let (inputs, targets) = ([[0.0], [0.5], [1.0]], [[0.0], [0.4], [1.0]]);
/// let validation = (&[[0.25], [0.75]], &[[0.25], [0.75]]);
///
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
/// let mut stopping = EarlyStopping::new(20);
/// let fit = FitOptions { epochs: 10_000, ..FitOptions::default() };
/// let report = trainer.fit_validated(&inputs, &targets, validation, &fit, &mut stopping)?;
///
/// let best = stopping.best().expect("there was an epoch");
/// assert_eq!(report.epochs, best.epoch + 1 + 20);
/// assert_eq!(f64::from(trainer.evaluate(validation.0, validation.1)?), best.loss);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// With a `patience` of `usize::MAX` it only keeps the best weights, so that a training run that diverges loses nothing
/// but the epochs after the best one:
///
/// ```
/// use tuplenet::prelude::*;
///
/// let network = Dense::<1, 1, Identity>::from_rows([[0.0]], [0.0]);
/// let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
/// let (inputs, targets, fit) = ([[1.0], [2.0]], [[2.0], [4.0]], FitOptions { epochs: 1000, ..FitOptions::default() });
/// let mut keeping = EarlyStopping::new(usize::MAX);
/// trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &fit, &mut keeping)?;
///
/// trainer.optimizer.set_learning_rate(1e9);
/// let error = trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &fit, &mut keeping).unwrap_err();
/// assert!(error.to_string().contains("the training has diverged"));
/// assert!((trainer.network.predict_one(&[3.0])[0] - 6.0).abs() < 0.1);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("early_stopping", "patience", "restore_best_weights"))]
pub struct EarlyStopping<N: Trainable, W = fn(&EpochReport<N>) -> f64> {
    /// The number of epochs in a row without improvement that ends the training run; 0 does what 1 does; no default. A
    /// larger one stops later.
    pub patience: usize,
    /// By how much a loss must be lower to count as an improvement: finite and not negative, in units of the loss; by
    /// default 0. A larger one stops earlier.
    pub min_delta: f64,
    watched: W,
    pub(crate) state: EarlyStoppingState<N>,
    pub(crate) run: Run,
}

/// State of [`EarlyStopping`].
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EarlyStoppingState<N> {
    pub(crate) best: Option<Best>,
    pub(crate) network: Option<N>,
    pub(crate) stalled: usize,
}

impl<N> Default for EarlyStoppingState<N> {
    /// The state before the first epoch.
    fn default() -> Self {
        EarlyStoppingState { best: None, network: None, stalled: 0 }
    }
}

/// The best epoch of a training run so far.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Best {
    /// The epoch's number, from zero, over all calls of `fit` on a trainer.
    pub epoch: usize,
    /// Its loss, or the other value that was watched.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub loss: f64,
}

impl<N: Trainable> EarlyStopping<N> {
    /// Watches the validation loss, or the training loss if there is none; any lower loss is an improvement.
    #[must_use]
    pub const fn new(patience: usize) -> Self {
        let state = EarlyStoppingState { best: None, network: None, stalled: 0 };
        EarlyStopping { patience, min_delta: 0.0, watched: loss, state, run: Run::new() }
    }

    /// Watches the value that `watched` returns for each epoch instead: lower is better.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::metrics::ConfusionMatrix;
    /// use tuplenet::train::callbacks::EarlyStopping;
    /// use tuplenet::prelude::*;
    ///
    /// type Net = Dense<1, 2, Softmax>;
    /// let (inputs, classes) = ([[-1.0], [1.0]], [1usize, 0]);
    /// let mut stopping = EarlyStopping::new(5).watching(|epoch: &EpochReport<Net>| {
    ///     -ConfusionMatrix::of(epoch.network, &inputs, &classes).map_or(0.0, |confusion| confusion.accuracy())
    /// });
    /// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Sgd::new(0.1), seeded(1));
    /// trainer.fit(&inputs, &classes, &FitOptions { epochs: 1000, ..FitOptions::default() }, &mut stopping)?;
    /// assert_eq!(stopping.best().map(|best| best.loss), Some(-1.0));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[must_use]
    pub fn watching<W: FnMut(&EpochReport<N>) -> f64>(self, watched: W) -> EarlyStopping<N, W> {
        let EarlyStopping { patience, min_delta, state, run, .. } = self;
        EarlyStopping { patience, min_delta, watched, state, run }
    }
}

impl<N: Trainable, W> EarlyStopping<N, W> {
    /// Sets `min_delta`: a loss must be lower by more than this to count as an improvement.
    #[must_use]
    pub fn min_delta(self, min_delta: f64) -> Self {
        EarlyStopping { min_delta, ..self }
    }

    /// The best epoch; `None` before the first epoch whose loss and network are finite.
    #[must_use]
    pub fn best(&self) -> Option<Best> {
        self.state.best
    }

    /// The network as it was after the best epoch.
    #[must_use]
    pub fn best_network(&self) -> Option<&N> {
        self.state.network.as_ref()
    }
}

fn loss<N: Trainable>(epoch: &EpochReport<N>) -> f64 {
    epoch.validation_loss.unwrap_or(epoch.loss).exact()
}

impl<N: Trainable + Clone, W: FnMut(&EpochReport<N>) -> f64> Callback<N> for &mut EarlyStopping<N, W> {
    fn begin(&mut self, epoch: usize, network: &N) -> Result<(), Error> {
        let min_delta = self.min_delta;
        setting(not_negative(min_delta), "a `min_delta` that is finite and not negative", min_delta)?;
        if self.run.begins_anew(epoch, network) {
            self.state = EarlyStoppingState::default();
        }
        Ok(())
    }

    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        self.run.mark_epoch();
        let loss = (self.watched)(epoch);
        let EarlyStoppingState { best, network, stalled } = &mut self.state;
        let before = best.map_or(f64::INFINITY, |best| best.loss);
        // The last step of an epoch may have made the weights infinite or NaN, and the training loss does not show it
        // yet.
        if loss < before && is_finite(epoch.network) {
            *stalled = if loss < before - self.min_delta { 0 } else { *stalled + 1 };
            *best = Some(Best { epoch: epoch.number, loss });
            match network {
                Some(network) => network.clone_from(epoch.network),
                None => *network = Some(epoch.network.clone()),
            }
        } else {
            *stalled += 1;
        }
        if *stalled > 0 && *stalled >= self.patience { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn end(&mut self, network: &mut N, _: Result<FitReport<N::Scalar>, Error>) {
        if let Some(best) = &self.state.network {
            network.clone_from(best);
        }
        self.state.stalled = 0;
    }

    fn left(&mut self, epoch: usize, network: &N) {
        self.run.left(epoch, network);
    }
}

/// What serde writes: everything but what is watched, which is a function.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "EarlyStopping", deny_unknown_fields)]
struct Written<S> {
    patience: usize,
    #[serde(with = "crate::num::serde::one")]
    min_delta: f64,
    state: S,
}

#[cfg(feature = "serde")]
impl<N: Trainable + serde::Serialize, W> serde::Serialize for EarlyStopping<N, W> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let EarlyStopping { patience, min_delta, state, .. } = self;
        Written { patience: *patience, min_delta: *min_delta, state }.serialize(serializer)
    }
}

/// It watches the loss.
#[cfg(feature = "serde")]
impl<'de, N: Trainable + serde::Deserialize<'de>> serde::Deserialize<'de> for EarlyStopping<N> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { patience, min_delta, state } = Written::deserialize(deserializer)?;
        Ok(EarlyStopping { patience, min_delta, watched: loss, state, run: Run::new() })
    }
}
