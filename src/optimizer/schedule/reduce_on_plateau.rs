//! [`ReduceOnPlateau`]: a lower learning rate when the loss does not improve.

use super::{Schedule, check_factor};
use crate::error::{Error, not_negative, setting};

/// Reduce on plateau: divides the learning rate when the training loss does not improve. scikit-learn equivalent:
/// `learning_rate="adaptive"` of `MLPClassifier`. PyTorch's counterpart is
/// `torch.optim.lr_scheduler.ReduceLROnPlateau`.
///
/// An epoch has no improvement if its mean training loss is not below the best one before it by more than `tolerance`.
/// With the default [`patience`](Self::patience) of 1, the second such epoch in a row divides the learning rate by 5,
/// and the count begins again. scikit-learn calls `patience` `n_iter_no_change`, with a default of 10. All state is in
/// the fields, so that a training run can resume later.
///
/// # Formula
///
/// `factor <- factor / divisor` after more than `patience` epochs in a row without improvement,
/// while `factor > lowest`.
///
/// # Examples
///
/// ```
/// use tuplenet::optimizer::schedule::{ReduceOnPlateau, Schedule};
///
/// let mut schedule = ReduceOnPlateau::new();
/// let mut factors = [0.0; 6];
/// for (factor, loss) in factors.iter_mut().zip([0.9, 0.5, 0.5, 0.49995, 0.3, 0.4]) {
///     schedule.after_epoch(loss);
///     *factor = schedule.factor(0);
/// }
/// assert_eq!(factors, [1.0, 1.0, 1.0, 0.2, 0.2, 0.2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("ReduceLROnPlateau", "plateau"))]
pub struct ReduceOnPlateau {
    /// How many epochs in a row without improvement change nothing; the next one divides the learning rate. By default
    /// 1; a larger one reduces the learning rate later.
    pub patience: usize,
    /// By how much the loss must fall to count as an improvement: finite and not negative, in units of the loss; by
    /// default 0.0001. A larger one reduces the learning rate earlier.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub tolerance: f64,
    /// The divisor of the learning rate: finite and above 1; by default 5. A larger one reduces it more at once.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub divisor: f64,
    /// The factor at or below which the learning rate is not divided any more: finite and not negative; by default
    /// 1e-6. A larger one stops the reduction earlier. (scikit-learn instead ends the training run if there is no
    /// improvement and the learning rate is at or below 1e-6.)
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub lowest: f64,
    /// State: the current factor.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub factor: f64,
    /// State: the lowest loss so far.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one_or_infinity"))]
    pub best: f64,
    /// State: how many epochs in a row were without improvement.
    pub stalled: usize,
}

impl ReduceOnPlateau {
    /// Divides by 5 at the second epoch in a row without improvement, with a tolerance of 0.0001.
    #[must_use]
    pub const fn new() -> Self {
        ReduceOnPlateau {
            patience: 1,
            tolerance: 1e-4,
            divisor: 5.0,
            lowest: 1e-6,
            factor: 1.0,
            best: f64::INFINITY,
            stalled: 0,
        }
    }
}

impl Default for ReduceOnPlateau {
    fn default() -> Self {
        Self::new()
    }
}

impl Schedule for ReduceOnPlateau {
    fn factor(&self, _: usize) -> f64 {
        self.factor
    }

    fn after_epoch(&mut self, loss: f64) {
        self.stalled = if loss > self.best - self.tolerance { self.stalled + 1 } else { 0 };
        self.best = self.best.min(loss);
        if self.stalled > self.patience {
            self.stalled = 0;
            if self.factor > self.lowest {
                self.factor /= self.divisor;
            }
        }
    }

    fn check(&self) -> Result<(), Error> {
        let ReduceOnPlateau { tolerance, divisor, lowest, factor, .. } = *self;
        setting(
            not_negative(tolerance),
            "a `tolerance` of `ReduceOnPlateau` that is finite and not negative",
            tolerance,
        )?;
        setting(
            divisor > 1.0 && divisor.is_finite(),
            "a `divisor` of `ReduceOnPlateau` that is finite and above 1",
            divisor,
        )?;
        check_factor(lowest, "a `lowest` factor of `ReduceOnPlateau` that is finite and not negative")?;
        check_factor(factor, "a `factor` of `ReduceOnPlateau` that is finite and not negative")
    }

    fn restart(&mut self) {
        (self.factor, self.best, self.stalled) = (1.0, f64::INFINITY, 0);
    }
}
