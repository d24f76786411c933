//! [`AnySchedule`]: a schedule that is chosen at run time.

use super::{Constant, CosineAnnealing, ExponentialDecay, OneCycle, ReduceOnPlateau, Schedule, StepDecay};
use crate::error::Error;
use core::fmt;

/// Learning rate schedule that is chosen at run time: by a search, or from a file of settings.
///
/// # Examples
///
/// ```
/// use tuplenet::optimizer::schedule::{AnySchedule, Constant, Schedule, StepDecay};
///
/// let schedules: [AnySchedule; 2] = [Constant.into(), StepDecay::new(10, 0.5).into()];
/// assert_eq!(schedules.map(|schedule| schedule.factor(20)), [1.0, 0.25]);
/// assert_eq!(schedules[1].to_string(), "step");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnySchedule {
    /// The learning rate stays as it is.
    Constant(Constant),
    /// Multiplied by a factor every `length` epochs.
    StepDecay(StepDecay),
    /// Multiplied by a factor after each epoch.
    ExponentialDecay(ExponentialDecay),
    /// Falls along half a cosine wave.
    CosineAnnealing(CosineAnnealing),
    /// Rises, and then falls far down.
    OneCycle(OneCycle),
    /// Divided when the loss does not improve.
    ReduceOnPlateau(ReduceOnPlateau),
}

impl Schedule for AnySchedule {
    fn factor(&self, position: usize) -> f64 {
        match self {
            AnySchedule::Constant(schedule) => schedule.factor(position),
            AnySchedule::StepDecay(schedule) => schedule.factor(position),
            AnySchedule::ExponentialDecay(schedule) => schedule.factor(position),
            AnySchedule::CosineAnnealing(schedule) => schedule.factor(position),
            AnySchedule::OneCycle(schedule) => schedule.factor(position),
            AnySchedule::ReduceOnPlateau(schedule) => schedule.factor(position),
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            AnySchedule::Constant(schedule) => schedule.check(),
            AnySchedule::StepDecay(schedule) => schedule.check(),
            AnySchedule::ExponentialDecay(schedule) => schedule.check(),
            AnySchedule::CosineAnnealing(schedule) => schedule.check(),
            AnySchedule::OneCycle(schedule) => schedule.check(),
            AnySchedule::ReduceOnPlateau(schedule) => schedule.check(),
        }
    }

    fn restart(&mut self) {
        // The others have no state.
        if let AnySchedule::ReduceOnPlateau(schedule) = self {
            schedule.restart();
        }
    }

    fn after_epoch(&mut self, loss: f64) {
        // The others do not look at the loss.
        if let AnySchedule::ReduceOnPlateau(schedule) = self {
            schedule.after_epoch(loss);
        }
    }
}

/// The schedule's name, in lower case.
impl fmt::Display for AnySchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            AnySchedule::Constant(_) => "constant",
            AnySchedule::StepDecay(_) => "step",
            AnySchedule::ExponentialDecay(_) => "exponential",
            AnySchedule::CosineAnnealing(_) => "cosine",
            AnySchedule::OneCycle(_) => "one-cycle",
            AnySchedule::ReduceOnPlateau(_) => "adaptive",
        })
    }
}

macro_rules! from {
    ($($schedule:ident),+) => {$(
        impl From<$schedule> for AnySchedule {
            fn from(schedule: $schedule) -> Self {
                AnySchedule::$schedule(schedule)
            }
        }
    )+};
}
from!(Constant, StepDecay, ExponentialDecay, CosineAnnealing, OneCycle, ReduceOnPlateau);
