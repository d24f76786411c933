//! The schedules that depend on the position alone.

use super::{Schedule, check_factor, check_length};
use crate::error::{Error, setting};
use crate::num::float::{half_cosine, power};

/// The rate stays as it is.
///
/// ```
/// use tuplenet::optimizer::schedule::{Constant, Schedule};
///
/// assert_eq!(Constant.factor(1000), 1.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _: usize) -> f64 {
        1.0
    }
}

/// The rate is multiplied by `factor` every `length` epochs or steps: PyTorch's `StepLR`.
///
/// ```
/// use tuplenet::optimizer::schedule::{Schedule, StepDecay};
///
/// let schedule = StepDecay::new(10, 0.5);
/// assert_eq!([0, 9, 10, 25].map(|epoch| schedule.factor(epoch)), [1.0, 1.0, 0.5, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("StepLR"))]
pub struct StepDecay {
    /// How long a rate is kept, at least 1.
    pub length: usize,
    /// What it is multiplied by then.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub factor: f64,
}

impl StepDecay {
    /// Multiplies the rate by `factor` every `length` epochs or steps.
    pub const fn new(length: usize, factor: f64) -> Self {
        StepDecay { length, factor }
    }
}

impl Schedule for StepDecay {
    fn factor(&self, position: usize) -> f64 {
        power(self.factor, position / self.length.max(1))
    }

    fn check(&self) -> Result<(), Error> {
        check_length(self.length, "a `length` of `StepDecay` of at least 1")?;
        check_factor(self.factor, "a `factor` of `StepDecay` that is finite and not negative")
    }
}

/// The rate is multiplied by `factor` after every epoch or step: PyTorch's `ExponentialLR`.
///
/// ```
/// use tuplenet::optimizer::schedule::{ExponentialDecay, Schedule};
///
/// assert_eq!(ExponentialDecay::new(0.5).factor(3), 0.125);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("ExponentialLR"))]
pub struct ExponentialDecay {
    /// What the rate is multiplied by.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub factor: f64,
}

impl ExponentialDecay {
    /// Multiplies the rate by `factor` after every epoch or step.
    pub const fn new(factor: f64) -> Self {
        ExponentialDecay { factor }
    }
}

impl Schedule for ExponentialDecay {
    fn factor(&self, position: usize) -> f64 {
        power(self.factor, position)
    }

    fn check(&self) -> Result<(), Error> {
        check_factor(self.factor, "a `factor` of `ExponentialDecay` that is finite and not negative")
    }
}

/// The rate falls in half a wave of the cosine: I. Loshchilov and F. Hutter, "SGDR", 2017, without restarts. PyTorch's
/// `CosineAnnealingLR`, except that it stays down after the end.
///
/// ```
/// use tuplenet::optimizer::schedule::{CosineAnnealing, Schedule};
///
/// let schedule = CosineAnnealing { length: 10, lowest: 0.2 };
/// for (epoch, right) in [(0, 1.0), (5, 0.6), (10, 0.2), (99, 0.2)] {
///     assert!((schedule.factor(epoch) - right).abs() < 1e-15);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("CosineAnnealingLR", "CosineDecay"))]
pub struct CosineAnnealing {
    /// How many epochs or steps it takes down.
    pub length: usize,
    /// The factor there.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub lowest: f64,
}

impl CosineAnnealing {
    /// Down to zero in `length` epochs or steps.
    pub const fn new(length: usize) -> Self {
        CosineAnnealing { length, lowest: 0.0 }
    }
}

impl Schedule for CosineAnnealing {
    fn factor(&self, position: usize) -> f64 {
        self.lowest + (1.0 - self.lowest) * half_cosine(share(position as f64, self.length as f64))
    }

    fn check(&self) -> Result<(), Error> {
        check_length(self.length, "a `length` of `CosineAnnealing` of at least 1")?;
        check_factor(self.lowest, "a `lowest` factor of `CosineAnnealing` that is finite and not negative")
    }
}

/// Up and then far down, each in half a wave of the cosine: L. Smith and N. Topin, "Super-convergence", 2018. PyTorch's
/// `OneCycleLR`, without the change of momentum. The optimizer's own rate is the highest. Made for [steps](
/// crate::optimizer::Optimizer::by_step): epochs times batches.
///
/// ```
/// use tuplenet::optimizer::schedule::{OneCycle, Schedule};
///
/// let schedule = OneCycle::new(100);
/// for (step, right) in [(0, 1.0 / 25.0), (29, 1.0), (99, 1.0 / 25e4)] {
///     assert!((schedule.factor(step) - right).abs() < 1e-15);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("OneCycleLR"))]
pub struct OneCycle {
    /// How many steps or epochs there are; the rate stays at the lowest after them.
    pub length: usize,
    /// The share of them that goes up.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rise: f64,
    /// How much lower than the highest the first rate is.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub first_divisor: f64,
    /// How much lower than the first the last rate is.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub last_divisor: f64,
}

impl OneCycle {
    /// PyTorch's shape: up from a 25th in 30 % of the steps, and down to a 10,000th of that.
    pub const fn new(length: usize) -> Self {
        OneCycle { length, rise: 0.3, first_divisor: 25.0, last_divisor: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn factor(&self, position: usize) -> f64 {
        let first = 1.0 / self.first_divisor;
        let last = first / self.last_divisor;
        let position = position as f64;
        // Both are positions, counted from zero, and the top need not be a whole number.
        let (top, end) = (self.rise * self.length as f64 - 1.0, self.length as f64 - 1.0);
        let (from, to, share) = if position <= top {
            (first, 1.0, share(position, top))
        } else {
            (1.0, last, share(position - top.max(0.0), end - top.max(0.0)))
        };
        to + (from - to) * half_cosine(share)
    }

    fn check(&self) -> Result<(), Error> {
        check_length(self.length, "a `length` of `OneCycle` of at least 1")?;
        setting((0.0..=1.0).contains(&self.rise), "a `rise` of `OneCycle` between 0 and 1", self.rise)?;
        let divisor = |divisor: f64| divisor > 0.0 && divisor.is_finite();
        let [first, last] = [self.first_divisor, self.last_divisor];
        setting(divisor(first), "a `first_divisor` of `OneCycle` that is finite and above zero", first)?;
        setting(divisor(last), "a `last_divisor` of `OneCycle` that is finite and above zero", last)
    }
}

/// How much of a way is done; of no way, all.
fn share(done: f64, whole: f64) -> f64 {
    if whole > 0.0 { done / whole } else { 1.0 }
}

/// A schedule after a rise of the rate; made by [`Schedule::after_warmup`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("LinearLR", "SequentialLR"))]
pub struct Warmup<P> {
    /// How many epochs or steps the rate rises.
    pub length: usize,
    /// The factor that it begins with.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub start: f64,
    /// What comes then; its position counts from there.
    pub then: P,
}

impl<P: Schedule> Schedule for Warmup<P> {
    fn factor(&self, position: usize) -> f64 {
        match position.checked_sub(self.length) {
            Some(position) => self.then.factor(position),
            None => self.start + (1.0 - self.start) * share(position as f64, self.length as f64),
        }
    }

    fn after_epoch(&mut self, loss: f64) {
        self.then.after_epoch(loss);
    }

    fn check(&self) -> Result<(), Error> {
        check_factor(self.start, "a `start` of the warm-up that is finite and not negative")?;
        self.then.check()
    }

    fn restart(&mut self) {
        self.then.restart();
    }
}
