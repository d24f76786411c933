//! Schedules that depend only on the position.

use super::{Schedule, check_factor, check_length};
use crate::error::{Error, setting};
use crate::num::float::{half_cosine, power};

/// Constant learning rate.
///
/// # Formula
///
/// `factor(t) = 1`.
///
/// # Examples
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

/// Step decay: multiplies the learning rate by `factor` every `length` epochs or steps.
///
/// # Formula
///
/// `factor(t) = factor^floor(t / length)`. PyTorch equivalent: `torch.optim.lr_scheduler.StepLR`.
///
/// # Examples
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
    /// For how many epochs or steps a learning rate is kept, at least 1; no default. A larger one slows the decay.
    pub length: usize,
    /// The factor after each `length`: finite and not negative; no default, 0.1 to 0.5 is usual. A smaller one decays
    /// faster.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub factor: f64,
}

impl StepDecay {
    /// Multiplies the learning rate by `factor` every `length` epochs or steps.
    #[must_use]
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

/// Exponential decay: multiplies the learning rate by `factor` after every epoch or step.
///
/// # Formula
///
/// `factor(t) = factor^t`. PyTorch equivalent: `torch.optim.lr_scheduler.ExponentialLR`.
///
/// # Examples
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
    /// The factor after each epoch or step: finite and not negative; no default, slightly below 1 is usual. A smaller
    /// one decays faster.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub factor: f64,
}

impl ExponentialDecay {
    /// Multiplies the learning rate by `factor` after every epoch or step.
    #[must_use]
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

/// Cosine annealing: the learning rate falls along half a cosine wave, and then stays at the lowest value. There are no
/// restarts.
///
/// # Formula
///
/// `factor(t) = lowest + (1 - lowest) * (1 + cos(pi t / length)) / 2` until `t = length`: I. Loshchilov and F. Hutter,
/// "SGDR", 2017. PyTorch equivalent: `torch.optim.lr_scheduler.CosineAnnealingLR`, which rises again after the end.
///
/// # Examples
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
    /// For how many epochs or steps the learning rate falls, at least 1; no default. A larger one slows the decay.
    pub length: usize,
    /// The factor at the end: finite and not negative; by default 0. A larger one keeps the last learning rate higher.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub lowest: f64,
}

impl CosineAnnealing {
    /// Falls to zero in `length` epochs or steps.
    #[must_use]
    pub const fn new(length: usize) -> Self {
        CosineAnnealing { length, lowest: 0.0 }
    }
}

impl Schedule for CosineAnnealing {
    fn factor(&self, position: usize) -> f64 {
        self.lowest + (1.0 - self.lowest) * half_cosine(fraction(position as f64, self.length as f64))
    }

    fn check(&self) -> Result<(), Error> {
        check_length(self.length, "a `length` of `CosineAnnealing` of at least 1")?;
        check_factor(self.lowest, "a `lowest` factor of `CosineAnnealing` that is finite and not negative")
    }
}

/// One-cycle schedule: the learning rate rises to the optimizer's own, and then falls far below where it began, each
/// along half a cosine wave. Made for [steps](crate::optimizer::Optimizer::by_step): `length` is epochs times batches.
///
/// # Formula
///
/// From `1 / first_divisor` up to 1 in the part `rise` of the steps, and down to `1 / (first_divisor * last_divisor)`
/// in the others: L. Smith and N. Topin, "Super-convergence", 2018. PyTorch equivalent:
/// `torch.optim.lr_scheduler.OneCycleLR`, without its change of the momentum.
///
/// # Examples
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
    /// How many steps or epochs the cycle has, at least 1; no default. The learning rate stays at the lowest value
    /// after them.
    pub length: usize,
    /// The fraction of the steps in which the learning rate rises, from 0 to 1; by default 0.3. A larger one reaches
    /// the highest learning rate later.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub rise: f64,
    /// The highest learning rate divided by the first one: finite and above zero; by default 25. A larger one begins
    /// lower.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub first_divisor: f64,
    /// The first learning rate divided by the last one: finite and above zero; by default 10,000. A larger one ends
    /// lower.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub last_divisor: f64,
}

impl OneCycle {
    /// PyTorch's defaults: rises from a 25th in 30 % of the steps, and falls to a 10,000th of that.
    #[must_use]
    pub const fn new(length: usize) -> Self {
        OneCycle { length, rise: 0.3, first_divisor: 25.0, last_divisor: 1e4 }
    }
}

impl Schedule for OneCycle {
    fn factor(&self, position: usize) -> f64 {
        let first = 1.0 / self.first_divisor;
        let last = first / self.last_divisor;
        let position = position as f64;
        // Both are positions, counted from zero, and the position of the highest learning rate need not be a whole
        // number.
        let (top, end) = (self.rise * self.length as f64 - 1.0, self.length as f64 - 1.0);
        let (from, to, fraction) = if position <= top {
            (first, 1.0, fraction(position, top))
        } else {
            (1.0, last, fraction(position - top.max(0.0), end - top.max(0.0)))
        };
        to + (from - to) * half_cosine(fraction)
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

/// The fraction `done / whole`, and 1 if `whole` is not positive.
fn fraction(done: f64, whole: f64) -> f64 {
    if whole > 0.0 { done / whole } else { 1.0 }
}

/// Linear warm-up before another schedule; made by [`Schedule::after_warmup`].
///
/// # Formula
///
/// `factor(t) = start + (1 - start) * t / length` for `t < length`, then that of the other schedule at `t - length`.
/// PyTorch equivalent: `torch.optim.lr_scheduler.LinearLR` and another schedule in `SequentialLR`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("LinearLR", "SequentialLR"))]
pub struct Warmup<P> {
    /// For how many epochs or steps the learning rate rises; 0 for no warm-up. A larger one rises more slowly.
    pub length: usize,
    /// The first factor: finite and not negative; no default. A larger one begins with a higher learning rate.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub start: f64,
    /// The schedule after the warm-up; its position counts from there.
    pub then: P,
}

impl<P: Schedule> Schedule for Warmup<P> {
    fn factor(&self, position: usize) -> f64 {
        match position.checked_sub(self.length) {
            Some(position) => self.then.factor(position),
            None => self.start + (1.0 - self.start) * fraction(position as f64, self.length as f64),
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
