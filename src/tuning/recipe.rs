//! [`Recipe`]: all that a training needs besides network, loss and data, as values.

use crate::error::{Error, not_negative, setting};
use crate::model::Params;
use crate::num::Real;
use crate::optimizer::schedule::{AnySchedule, Constant, Schedule};
use crate::optimizer::{AnyPenalty, Optimizer, Penalty, Prepared, Scheduled};
use crate::train::Fit;
use crate::train::callbacks::{Epoch, Observer};
use core::ops::ControlFlow;

/// How a network is trained, as values that a search varies: the optimizer with what stands around it, and how long.
///
/// [`new`](Self::new) begins with the defaults of scikit-learn's `MLPClassifier` for everything but the optimizer: at most 200
/// epochs, batches of 200, no penalty (there `alpha` is 1e-4), a constant rate, and an end when the training loss stalls.
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::Recipe;
///
/// let recipe = Recipe { l2: 1e-3, ..Recipe::new(Adam::new(0.01f32)) };
/// assert_eq!((recipe.fit.epochs, recipe.fit.batch_size), (200, 200));
/// ```
///
/// `O` is the optimizer; with [`AnyOptimizer`](crate::optimizer::AnyOptimizer) it is one of the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe<O> {
    /// What takes the steps.
    pub optimizer: O,
    /// The learning rate, if not the optimizer's own.
    pub rate: Option<f64>,
    /// How the rate changes from epoch to epoch.
    pub schedule: AnySchedule,
    /// The strength of [`Optimizer::l1`].
    pub l1: f64,
    /// The strength of [`Optimizer::l2`].
    pub l2: f64,
    /// scikit-learn's strength of the L2 penalty, which it divides by the size of the batch; added to `l2`.
    pub alpha: f64,
    /// Epochs, batch size, shuffling.
    pub fit: Fit,
    /// When a training ends before its last epoch; `None` for never.
    pub stall: Option<Stall>,
}

/// When a training gets nowhere any more: scikit-learn's `n_iter_no_change` and `tol`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stall {
    /// How many epochs in a row may pass without a lower mean training loss.
    pub patience: usize,
    /// By how much it must be lower.
    pub tolerance: f64,
}

/// The rate at or below which a training ends that stalls and has an adaptive schedule, as in scikit-learn.
const LOWEST_RATE: f64 = 1e-6;

/// The optimizer of a recipe with its surroundings.
pub(crate) type Complete<O, T> = Scheduled<Prepared<O, AnyPenalty<T>>, AnySchedule>;

impl<O> Recipe<O> {
    /// With that optimizer and scikit-learn's defaults.
    pub const fn new(optimizer: O) -> Self {
        Recipe {
            optimizer,
            rate: None,
            schedule: AnySchedule::Constant(Constant),
            l1: 0.0,
            l2: 0.0,
            alpha: 0.0,
            fit: Fit { epochs: 200, batch_size: 200, shuffle: true },
            stall: Some(Stall { patience: 10, tolerance: 1e-4 }),
        }
    }
}

impl<T: Real, O: Optimizer<Scalar = T> + Clone> Recipe<O> {
    /// The optimizer with penalty and schedule, for a training with so many samples.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::Recipe;
    ///
    /// let recipe = Recipe { rate: Some(0.01), alpha: 1e-3, ..Recipe::new(Adam::new(0.1f32)) };
    /// let inputs = [[1.0], [2.0], [3.0]];
    /// let optimizer = recipe.complete(inputs.len());
    /// assert_eq!(optimizer.rate(), 0.01);
    /// let mut trainer = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1));
    /// trainer.fit(&inputs, &inputs, &recipe.fit, recipe.observer())?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn complete(&self, samples: usize) -> Scheduled<Prepared<O, AnyPenalty<T>>, AnySchedule> {
        let mut optimizer = self.optimizer.clone();
        if let Some(rate) = self.rate {
            optimizer.set_rate(T::of(rate));
        }
        let l2 = self.l2 + self.alpha / self.fit.batch_size.min(samples).max(1) as f64;
        let penalty = Penalty { l1: T::of(self.l1), l2: T::of(l2) };
        optimizer.after(AnyPenalty(penalty)).by_epoch(self.schedule)
    }

    /// Fails, with an [`Error::Setting`] for most, unless all settings make sense for a training with so many samples. A search asks
    /// for each of its candidates before it trains any.
    pub fn check(&self, samples: usize) -> Result<(), Error> {
        let strength = |strength: f64, expected| setting(not_negative(strength), expected, strength);
        strength(self.l1, "a strength of `l1` that is finite and not negative")?;
        strength(self.l2, "a strength of `l2` that is finite and not negative")?;
        strength(self.alpha, "an `alpha` that is finite and not negative")?;
        if let Some(Stall { tolerance, .. }) = self.stall {
            strength(tolerance, TOLERANCE)?;
        }
        self.fit.check()?;
        self.complete(samples).check()
    }

    /// Ends a training of this recipe that stalls.
    ///
    /// With an [`Adaptive`](crate::optimizer::schedule::Adaptive) schedule a training that stalls goes on as long as the rate is above
    /// 1e-6.
    pub fn observer(&self) -> Stalls {
        let rate = self.rate.unwrap_or(self.optimizer.rate().exact());
        Stalls { stall: self.stall, schedule: self.schedule, rate, best: f64::INFINITY, stalled: 0 }
    }
}

/// The observer that ends a training which stalls. Made by [`Recipe::observer`].
#[derive(Clone, Debug)]
pub struct Stalls {
    stall: Option<Stall>,
    /// Sees the losses that the optimizer's schedule sees, and so knows the same rate.
    schedule: AnySchedule,
    rate: f64,
    best: f64,
    stalled: usize,
}

/// What a tolerance must be.
const TOLERANCE: &str = "a `tolerance` that is finite and not negative";

impl<N: Params> Observer<N> for Stalls {
    fn begin(&mut self, _: usize, _: &N) -> Result<(), Error> {
        let tolerance = self.stall.map_or(0.0, |stall| stall.tolerance);
        setting(not_negative(tolerance), TOLERANCE, tolerance)
    }

    fn epoch(&mut self, epoch: &Epoch<N>) -> ControlFlow<()> {
        let Some(Stall { patience, tolerance }) = self.stall else { return ControlFlow::Continue(()) };
        let loss = epoch.loss.exact();
        let may_go_on = match self.schedule {
            AnySchedule::Adaptive(schedule) => self.rate * schedule.factor > LOWEST_RATE,
            _ => false,
        };
        self.schedule.after_epoch(loss);
        self.stalled = if loss > self.best - tolerance { self.stalled + 1 } else { 0 };
        self.best = self.best.min(loss);
        if self.stalled > patience {
            if !may_go_on {
                return ControlFlow::Break(());
            }
            self.stalled = 0;
        }
        ControlFlow::Continue(())
    }
}
