//! [`ReduceOnPlateau`]: a lower rate when the loss stalls.

use super::{Schedule, check_factor};
use crate::error::{Error, not_negative, setting};

/// Divides the rate when the training loss stalls: scikit-learn's `learning_rate="adaptive"`.
///
/// An epoch is stalled if its mean training loss is not below the best one before it by more than `tolerance`. With the
/// default [`patience`](Self::patience) of 1, the second stalled epoch in a row divides the rate by 5, and the count begins
/// anew. scikit-learn calls `patience` `n_iter_no_change` and begins with 10.
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
///
/// All that it remembers is in its fields, for a training that goes on another day.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("ReduceLROnPlateau", "plateau"))]
pub struct ReduceOnPlateau {
    /// How many stalled epochs in a row change nothing; the next one divides the rate.
    pub patience: usize,
    /// By how much the loss must fall.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub tolerance: f64,
    /// What the rate is divided by.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub divisor: f64,
    /// The factor at or below which the rate is not divided any more. (scikit-learn ends a training instead whose rate is
    /// at or below 1e-6 and stalls.)
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub lowest: f64,
    /// The factor now.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub factor: f64,
    /// The lowest loss so far.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one_or_infinity"))]
    pub best: f64,
    /// How many epochs in a row were stalled.
    pub stalled: usize,
}

impl ReduceOnPlateau {
    /// Divides by 5 at the second stalled epoch, with a tolerance of 0.0001.
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
