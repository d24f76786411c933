//! [`Scheduled`]: an optimizer with a learning rate schedule.

use crate::error::Error;
use crate::model::Visit;
use crate::num::Real;
use crate::optimizer::schedule::Schedule;
use crate::optimizer::{Optimizer, check_learning_rate};
use fearless_simd::Simd;

/// Optimizer with a learning rate schedule. Made by [`Optimizer::by_epoch`] and [`Optimizer::by_step`].
///
/// The trainer reports each step and epoch to it. In a loop of your own, call [`after_step`](Optimizer::after_step) and
/// [`after_epoch`](Optimizer::after_epoch).
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        bound(
            serialize = "O: serde::Serialize, P: serde::Serialize",
            deserialize = "O: serde::Deserialize<'de>, P: serde::Deserialize<'de>"
        ),
        deny_unknown_fields
    )
)]
#[doc(alias("LRScheduler"))]
pub struct Scheduled<O: Optimizer, P> {
    optimizer: O,
    schedule: P,
    /// The learning rate that is multiplied by the schedule's factor.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    whole: O::Scalar,
    position: usize,
    unit: Unit,
}

/// What the position counts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Unit {
    Epoch,
    Step,
}

impl<O: Optimizer, P: Schedule> Scheduled<O, P> {
    pub(crate) fn new(optimizer: O, schedule: P, unit: Unit) -> Self {
        let mut scheduled = Scheduled { whole: optimizer.learning_rate(), optimizer, schedule, position: 0, unit };
        scheduled.seek(0);
        scheduled
    }

    /// The optimizer, with its current learning rate.
    #[must_use]
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> &P {
        &self.schedule
    }

    /// The position of the schedule: how many epochs, or steps, it has advanced.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Sets the position, for a training run that resumes.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::ExponentialDecay;
    ///
    /// let mut optimizer = Sgd::new(0.8f64).by_epoch(ExponentialDecay::new(0.5));
    /// optimizer.seek(3);
    /// assert_eq!((optimizer.position(), optimizer.learning_rate()), (3, 0.1));
    /// ```
    pub fn seek(&mut self, position: usize) {
        self.position = position;
        let whole = self.whole.exact();
        self.optimizer.set_learning_rate(O::Scalar::of(whole * self.schedule.factor(position)));
    }
}

impl<O: Optimizer, P: Schedule> Optimizer for Scheduled<O, P> {
    rule_of_inner_optimizer!();

    /// The current learning rate, by the schedule.
    fn learning_rate(&self) -> O::Scalar {
        self.optimizer.learning_rate()
    }

    #[inline(always)]
    fn sgd_learning_rate(&self) -> Option<O::Scalar> {
        self.optimizer.sgd_learning_rate()
    }

    /// Also checks the learning rate that is multiplied by the schedule's factor: the current one may be zero times it.
    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        check_learning_rate(self.whole)?;
        self.schedule.check()?;
        self.optimizer.check()
    }

    #[inline(always)]
    fn largest_gradient(&self) -> O::Scalar {
        self.optimizer.largest_gradient()
    }

    fn restart(&mut self) {
        self.optimizer.restart();
        self.schedule.restart();
        self.seek(0);
    }

    /// Sets the learning rate that is multiplied by the schedule's factor.
    fn set_learning_rate(&mut self, learning_rate: O::Scalar) {
        self.whole = learning_rate;
        self.seek(self.position);
    }

    #[inline(always)]
    fn transform<S: Simd, N: Visit<O::Scalar>>(&self, simd: S, network: &mut N, gradient: &mut N) {
        self.optimizer.transform(simd, network, gradient);
    }

    fn after_step(&mut self) {
        self.optimizer.after_step();
        if self.unit == Unit::Step {
            self.seek(self.position + 1);
        }
    }

    fn after_epoch(&mut self, loss: O::Scalar) {
        self.optimizer.after_epoch(loss);
        self.schedule.after_epoch(loss.exact());
        self.seek(self.position + usize::from(self.unit == Unit::Epoch));
    }
}
