//! [`Scheduled`]: an optimizer that follows a schedule.

use crate::error::Error;
use crate::model::{Parameter, Params};
use crate::num::Real;
use crate::optimizer::schedule::Schedule;
use crate::optimizer::{Optimizer, StateSlices, check_learning_rate};
use fearless_simd::Simd;

/// An optimizer whose learning rate follows a schedule. Made by [`Optimizer::by_epoch`] and [`Optimizer::by_step`].
///
/// The trainer tells it of each step and epoch; where steps are taken by hand, call
/// [`after_step`](Optimizer::after_step) and [`after_epoch`](Optimizer::after_epoch).
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
    /// The rate that the factors are of.
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

    /// The optimizer, with the rate that it has now.
    pub fn optimizer(&self) -> &O {
        &self.optimizer
    }

    /// The schedule.
    pub fn schedule(&self) -> &P {
        &self.schedule
    }

    /// How many epochs, or steps, the schedule has come.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes to a position, for a training that goes on.
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
    type Scalar = O::Scalar;
    type State = O::State;
    type Shared = O::Shared;

    /// The rate now, by the schedule.
    fn learning_rate(&self) -> O::Scalar {
        self.optimizer.learning_rate()
    }

    #[inline(always)]
    fn sgd_learning_rate(&self) -> Option<O::Scalar> {
        self.optimizer.sgd_learning_rate()
    }

    /// Checks the rate that the schedule's factors are of too: the rate now may be zero times it.
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

    /// Changes the rate that the schedule's factors are of.
    fn set_learning_rate(&mut self, learning_rate: O::Scalar) {
        self.whole = learning_rate;
        self.seek(self.position);
    }

    #[inline(always)]
    fn begin_step(&self, shared: &mut O::Shared) {
        self.optimizer.begin_step(shared);
    }

    #[inline(always)]
    fn update<S: Simd>(
        &self,
        simd: S,
        shared: &O::Shared,
        parameter: Parameter,
        weights: &mut [O::Scalar],
        gradient: &mut [O::Scalar],
        state: StateSlices<'_, O>,
    ) {
        self.optimizer.update(simd, shared, parameter, weights, gradient, state);
    }

    #[inline(always)]
    fn transform<S: Simd, N: Params<Scalar = O::Scalar>>(&self, simd: S, network: &mut N, gradient: &mut N) {
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
