//! [`Hyperparameters`]: everything that a training run needs besides network, loss and data, as values.

use crate::error::{Error, not_negative, setting};
use crate::model::Trainable;
use crate::num::Real;
use crate::optimizer::schedule::{AnySchedule, Constant, Schedule};
use crate::optimizer::{AnyRegularization, Optimizer, Regularization, Scheduled, Transformed};
use crate::train::FitOptions;
use crate::train::callbacks::{Callback, EpochReport};
use core::ops::ControlFlow;

/// Hyperparameters: how a network is trained, as values that a search varies: the optimizer with its regularization and
/// schedule, and the length of the training run.
///
/// [`new`](Self::new) uses the defaults of scikit-learn's `MLPClassifier` for everything but the optimizer: at most 200
/// epochs, batches of 200, no penalty (there `alpha` is 1e-4), a constant learning rate, and an end when the training
/// loss does not improve.
///
/// `O` is the optimizer; with [`AnyOptimizer`](crate::optimizer::AnyOptimizer) the optimizer is one of the values.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::Hyperparameters;
///
/// let hyperparameters = Hyperparameters { l2: 1e-3, ..Hyperparameters::new(Adam::new(0.01f32)) };
/// assert_eq!((hyperparameters.fit.epochs, hyperparameters.fit.batch_size), (200, 200));
/// ```
///
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("hyperparameter", "MLPClassifier"))]
pub struct Hyperparameters<O> {
    /// The optimizer that takes the steps.
    pub optimizer: O,
    /// The learning rate: finite and not negative; by default `None`, the optimizer's own. A larger one takes larger
    /// steps.
    pub learning_rate: Option<f64>,
    /// The learning rate schedule, by epoch; by default constant.
    pub schedule: AnySchedule,
    /// The factor `lambda` of [`Optimizer::l1`]: finite and not negative; by default 0. A larger one drives more
    /// weights to zero.
    pub l1: f64,
    /// The factor `lambda` of [`Optimizer::l2`]: finite and not negative; by default 0. A larger one keeps weights
    /// smaller.
    pub l2: f64,
    /// scikit-learn's factor of the L2 penalty, which is divided by the batch size and added to `l2`: finite and not
    /// negative; by default 0. A larger one keeps weights smaller.
    pub alpha: f64,
    /// Epochs, batch size and shuffling; by default 200 epochs of shuffled batches of 200.
    pub fit: FitOptions,
    /// When a training run ends before its last epoch; `None` for never. By default after more than 10 epochs in a row
    /// without an improvement of 1e-4.
    pub no_improvement: Option<NoImprovement>,
}

/// When a training run has no improvement any more: scikit-learn's `n_iter_no_change` and `tol`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("n_iter_no_change", "tol"))]
pub struct NoImprovement {
    /// How many epochs in a row may pass without a lower mean training loss; by default 10. A larger one stops later.
    pub patience: usize,
    /// By how much the loss must be lower, in units of the loss: finite and not negative; by default 1e-4. A larger one
    /// stops earlier.
    pub tolerance: f64,
}

/// The learning rate at or below which a training run with the schedule [`AnySchedule::ReduceOnPlateau`] ends if it has
/// no improvement, as in scikit-learn.
const LOWEST_LEARNING_RATE: f64 = 1e-6;

/// The optimizer of a set of hyperparameters with its regularization and schedule.
pub(crate) type Complete<O, T> = Scheduled<Transformed<O, AnyRegularization<T>>, AnySchedule>;

impl<O> Hyperparameters<O> {
    /// Hyperparameters with this optimizer and scikit-learn's defaults.
    #[must_use]
    pub const fn new(optimizer: O) -> Self {
        Hyperparameters {
            optimizer,
            learning_rate: None,
            schedule: AnySchedule::Constant(Constant),
            l1: 0.0,
            l2: 0.0,
            alpha: 0.0,
            fit: FitOptions { epochs: 200, batch_size: 200, shuffle: true },
            no_improvement: Some(NoImprovement { patience: 10, tolerance: 1e-4 }),
        }
    }
}

impl<T: Real, O: Optimizer<Scalar = T> + Clone> Hyperparameters<O> {
    /// The optimizer with regularization and schedule, for a training run with this number of samples.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::Hyperparameters;
    ///
    /// let hyperparameters =
    ///     Hyperparameters { learning_rate: Some(0.01), alpha: 1e-3, ..Hyperparameters::new(Adam::new(0.1f32)) };
    /// let inputs = [[1.0], [2.0], [3.0]];
    /// let optimizer = hyperparameters.complete(inputs.len());
    /// assert_eq!(optimizer.learning_rate(), 0.01);
    /// let mut trainer =
    ///     Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1));
    /// trainer.fit(&inputs, &inputs, &hyperparameters.fit, hyperparameters.callback())?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[must_use]
    pub fn complete(&self, samples: usize) -> Scheduled<Transformed<O, AnyRegularization<T>>, AnySchedule> {
        let mut optimizer = self.optimizer.clone();
        if let Some(learning_rate) = self.learning_rate {
            optimizer.set_learning_rate(T::of(learning_rate));
        }
        let l2 = self.l2 + self.alpha / self.fit.batch_size.min(samples).max(1) as f64;
        let regularization = Regularization { l1: T::of(self.l1), l2: T::of(l2) };
        optimizer.with_transform(AnyRegularization(regularization)).by_epoch(self.schedule)
    }

    /// Checks all hyperparameters for a training run with this number of samples. A search calls it for each of its
    /// candidates before it trains any.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] with the first setting that is out of its range, [`Error::BatchSize`] or [`Error::Epochs`] if
    /// these are zero.
    pub fn check(&self, samples: usize) -> Result<(), Error> {
        let lambda = |lambda: f64, expected| setting(not_negative(lambda), expected, lambda);
        lambda(self.l1, "a `lambda` of `l1` that is finite and not negative")?;
        lambda(self.l2, "a `lambda` of `l2` that is finite and not negative")?;
        lambda(self.alpha, "an `alpha` that is finite and not negative")?;
        if let Some(NoImprovement { tolerance, .. }) = self.no_improvement {
            lambda(tolerance, TOLERANCE)?;
        }
        self.fit.check()?;
        self.complete(samples).check()
    }

    /// Returns a callback that ends a training run with these hyperparameters if it has no improvement.
    ///
    /// With a [`ReduceOnPlateau`](crate::optimizer::schedule::ReduceOnPlateau) schedule the run continues without
    /// improvement while the learning rate is above 1e-6.
    #[must_use]
    pub fn callback(&self) -> StopWithoutImprovement {
        let learning_rate = self.learning_rate.unwrap_or(self.optimizer.learning_rate().exact());
        StopWithoutImprovement {
            no_improvement: self.no_improvement,
            schedule: self.schedule,
            learning_rate,
            best: f64::INFINITY,
            stalled: 0,
        }
    }
}

/// Callback that ends a training run without improvement. Made by [`Hyperparameters::callback`].
#[derive(Clone, Debug)]
pub struct StopWithoutImprovement {
    no_improvement: Option<NoImprovement>,
    /// Called with the losses that the optimizer's schedule is called with, so that it has the same learning rate.
    schedule: AnySchedule,
    learning_rate: f64,
    best: f64,
    stalled: usize,
}

/// The valid range of a tolerance.
const TOLERANCE: &str = "a `tolerance` that is finite and not negative";

impl<N: Trainable> Callback<N> for StopWithoutImprovement {
    fn begin(&mut self, _: usize, _: &N) -> Result<(), Error> {
        let tolerance = self.no_improvement.map_or(0.0, |no_improvement| no_improvement.tolerance);
        setting(not_negative(tolerance), TOLERANCE, tolerance)
    }

    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        let Some(NoImprovement { patience, tolerance }) = self.no_improvement else { return ControlFlow::Continue(()) };
        let loss = epoch.loss.exact();
        let may_continue = match self.schedule {
            AnySchedule::ReduceOnPlateau(schedule) => self.learning_rate * schedule.factor > LOWEST_LEARNING_RATE,
            _ => false,
        };
        self.schedule.after_epoch(loss);
        self.stalled = if loss > self.best - tolerance { self.stalled + 1 } else { 0 };
        self.best = self.best.min(loss);
        if self.stalled > patience {
            if !may_continue {
                return ControlFlow::Break(());
            }
            self.stalled = 0;
        }
        ControlFlow::Continue(())
    }
}
