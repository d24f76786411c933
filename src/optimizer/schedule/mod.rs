//! Learning rate schedules: how the learning rate changes during training.
//!
//! A [`Schedule`] returns a factor for every position: [`Constant`], [`StepDecay`], [`ExponentialDecay`],
//! [`CosineAnnealing`], [`OneCycle`], any of them [`after_warmup`](Schedule::after_warmup), and [`ReduceOnPlateau`],
//! which depends on the loss. The learning rate that the optimizer was made with is multiplied by the factor. A
//! schedule advances [by epoch](crate::optimizer::Optimizer::by_epoch), so that the position is the number of epochs
//! since its beginning, or [by step](crate::optimizer::Optimizer::by_step). [`AnySchedule`] is a schedule that is
//! chosen at run time.
//!
//! ```
//! use tuplenet::prelude::*;
//! use tuplenet::optimizer::schedule::{CosineAnnealing, Schedule};
//!
//! // Five epochs of warm-up, then down to zero until epoch 50.
//! let optimizer = Sgd::new(0.1).by_epoch(CosineAnnealing::new(45).after_warmup(5, 0.2));
//! let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
//! let mut trainer = Trainer::new(network, MeanSquaredError, optimizer, seeded(1));
//! let (inputs, targets) = ([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]]);
//!
//! trainer.fit(&inputs, &targets, &FitOptions { epochs: 25, ..FitOptions::default() }, ())?;
//! let position = trainer.optimizer.position();
//! assert_eq!(position, 25);
//!
//! // A training run resumes at a position: here the second half, with a new optimizer.
//! trainer.optimizer = Sgd::new(0.1).by_epoch(CosineAnnealing::new(45).after_warmup(5, 0.2));
//! trainer.optimizer.seek(position);
//! trainer.fit(&inputs, &targets, &FitOptions { epochs: 25, ..FitOptions::default() }, ())?;
//! assert!(trainer.optimizer.learning_rate() < 1e-9);
//! # Ok::<(), tuplenet::Error>(())
//! ```
//!
//! A schedule of your own is a function of the position:
//!
//! ```
//! use tuplenet::prelude::*;
//! use tuplenet::optimizer::schedule::Schedule;
//!
//! /// A learning rate that falls with the square root of the number of steps.
//! struct InverseRoot;
//! impl Schedule for InverseRoot {
//!     fn factor(&self, position: usize) -> f64 {
//!         1.0 / (1.0 + position as f64).sqrt()
//!     }
//! }
//! let optimizer = Adam::new(0.01f64).by_step(InverseRoot);
//! assert_eq!(optimizer.learning_rate(), 0.01);
//! ```
//!
//! To find the first learning rate, see [`Trainer::range_test`](crate::train::Trainer::range_test).

mod any;
mod curves;
mod reduce_on_plateau;

pub use any::AnySchedule;
pub use curves::{Constant, CosineAnnealing, ExponentialDecay, OneCycle, StepDecay, Warmup};
pub use reduce_on_plateau::ReduceOnPlateau;

use crate::error::{Error, Found, not_negative, setting};

/// Checks a number of epochs or steps.
fn check_length(length: usize, expected: &'static str) -> Result<(), Error> {
    if length > 0 { Ok(()) } else { Err(Error::Setting { expected, found: Found::count(length) }) }
}

/// Checks a factor of the learning rate.
fn check_factor(factor: f64, expected: &'static str) -> Result<(), Error> {
    setting(not_negative(factor), expected, factor)
}

/// Learning rate schedule: a factor of the learning rate that the optimizer was made with.
#[doc(alias("lr_scheduler", "learning rate schedule", "LambdaLR"))]
pub trait Schedule {
    /// The factor at `position`: after that many epochs, or steps.
    #[must_use]
    fn factor(&self, position: usize) -> f64;

    /// Called after each epoch with the mean training loss.
    fn after_epoch(&mut self, _loss: f64) {}

    /// Checks all settings: see [`Optimizer::check`](crate::optimizer::Optimizer::check).
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] with the first setting that is out of its range, NaN or infinite.
    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Resets the state, for a training run from the beginning.
    fn restart(&mut self) {}

    /// Linear warm-up before this schedule: the factor rises from `start` to 1 in `length` epochs or steps, and only
    /// then does the schedule begin.
    ///
    /// PyTorch equivalent: `torch.optim.lr_scheduler.LinearLR` and another schedule in `SequentialLR`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::optimizer::schedule::{Schedule, StepDecay};
    ///
    /// let schedule = StepDecay::new(2, 0.5).after_warmup(4, 0.2);
    /// let factors = [0, 1, 2, 3, 4, 5, 6, 7].map(|position| schedule.factor(position));
    /// for (found, right) in factors.into_iter().zip([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 0.5, 0.5]) {
    ///     assert!((found - right).abs() < 1e-15);
    /// }
    /// ```
    #[must_use]
    fn after_warmup(self, length: usize, start: f64) -> Warmup<Self>
    where
        Self: Sized,
    {
        Warmup { length, start, then: self }
    }
}
