//! Callbacks: called after each epoch. [`Callback`], [`EarlyStopping`], [`History`], which records the losses, and
//! [`Metric`], which records another value.

mod early_stopping;
#[cfg(feature = "alloc")]
mod history;
#[cfg(feature = "progress")]
mod progress;

pub use early_stopping::{Best, EarlyStopping, EarlyStoppingState};
#[cfg(feature = "alloc")]
pub use history::{History, Metric};
#[cfg(feature = "progress")]
pub use progress::Progress;

use crate::error::Error;
use crate::model::{Parameter, Trainable, Visitor};
use crate::num::Real;
use crate::optimizer::Optimizer;
use crate::train::{FitReport, Trainer};
use core::ops::ControlFlow;

/// Report of one epoch, for callbacks.
#[derive(Debug)]
#[doc(alias("logs"))]
pub struct EpochReport<'a, N: Trainable> {
    /// The epoch's number, from zero, over all calls of `fit` on a trainer.
    pub number: usize,
    /// The mean loss over the training samples, each computed just before its step.
    pub loss: N::Scalar,
    /// The mean loss over the validation samples after the epoch, if there are any.
    pub validation_loss: Option<N::Scalar>,
    /// The network as it is now.
    pub network: &'a N,
}

impl<N: Trainable> Clone for EpochReport<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: Trainable> Copy for EpochReport<'_, N> {}

/// Callback: called after each epoch; it may stop the training run. Functions that take a `&EpochReport<_>` are
/// callbacks: one that returns `()` only reads, one that returns a `ControlFlow<()>` may stop the training run.
///
/// # Examples
///
/// ```
/// use core::ops::ControlFlow;
/// use tuplenet::prelude::*;
///
/// let mut trainer = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
/// let good_enough = |epoch: &EpochReport<_>| {
///     if epoch.loss < 1e-6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
/// };
/// let mut history = History::new();
/// let fit = FitOptions { epochs: 1000, ..FitOptions::default() };
/// let report = trainer.fit(&[[1.0], [2.0]], &[[2.0], [4.0]], &fit, (&mut history, good_enough))?;
/// assert!(report.epochs < 1000);
/// assert_eq!(history.losses().len(), report.epochs);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// # One trainer, one training run
///
/// The state of a callback belongs to the training run of one trainer, which may be several calls of
/// [`fit`](Trainer::fit). The callbacks of the library resume where the trainer continues with the epoch and the
/// weights that the last call left, or from a checkpoint. They begin again with any other trainer, such as that of the
/// next fold of a cross-validation. A callback of your own can do the same with a [`Run`].
#[doc(alias("callback", "hook"))]
pub trait Callback<N: Trainable> {
    /// Called before the first epoch, with the number of that epoch.
    ///
    /// # Errors
    ///
    /// If a setting of the callback is out of its range. The training run then does not begin.
    #[inline(always)]
    fn begin(&mut self, _epoch: usize, _network: &N) -> Result<(), Error> {
        Ok(())
    }

    /// Called after each epoch; `ControlFlow::Break(())` ends the training run.
    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()>;

    /// Called when a training run has ended, also with an error; it may change the network. Not called if the training
    /// run could not begin, because data do not fit together.
    fn end(&mut self, _network: &mut N, _result: Result<FitReport<N::Scalar>, Error>) {}

    /// Called after the [`end`](Self::end) of all callbacks, with the number of the next epoch and the network that the
    /// training run leaves.
    #[inline(always)]
    fn left(&mut self, _epoch: usize, _network: &N) {}
}

/// Identifies the training run to which a callback's state belongs.
///
/// # Examples
///
/// ```
/// use core::ops::ControlFlow;
/// use tuplenet::model::Trainable;
/// use tuplenet::prelude::*;
/// use tuplenet::train::callbacks::Run;
///
/// /// Counts the epochs of a training run.
/// #[derive(Default)]
/// struct Count {
///     run: Run,
///     epochs: usize,
/// }
///
/// impl<N: Trainable> Callback<N> for &mut Count {
///     fn begin(&mut self, epoch: usize, network: &N) -> Result<(), tuplenet::Error> {
///         if self.run.begins_anew(epoch, network) {
///             self.epochs = 0;
///         }
///         Ok(())
///     }
///     fn epoch(&mut self, _: &EpochReport<N>) -> ControlFlow<()> {
///         self.run.mark_epoch();
///         self.epochs += 1;
///         ControlFlow::Continue(())
///     }
///     fn left(&mut self, epoch: usize, network: &N) {
///         self.run.left(epoch, network);
///     }
/// }
///
/// let mut count = Count::default();
/// for fold in 0..2 {
///     let mut trainer = Trainer::new(
///         <Dense<1, 1, Identity>>::new(&mut seeded(fold)),
///         MeanSquaredError,
///         Sgd::new(0.1),
///         seeded(1),
///     );
///     for _ in 0..3 {
///         trainer.fit(
///             &[[1.0], [2.0]],
///             &[[2.0], [4.0]],
///             &FitOptions { epochs: 10, ..FitOptions::default() },
///             &mut count,
///         )?;
///     }
///     assert_eq!(count.epochs, 30);
/// }
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// The next epoch, and a hash of the weights; `None` during a training run, and where a checkpoint resumes.
    left: Option<(usize, u64)>,
}

impl Run {
    /// Creates a run that has not begun.
    #[must_use]
    pub const fn new() -> Self {
        Run { left: None }
    }

    /// Whether a training run that begins with this epoch and this network is not the one that was
    /// [`left`](Self::left).
    pub fn begins_anew<N: Trainable>(&mut self, epoch: usize, network: &N) -> bool {
        let now = Some((epoch, bits_of(network)));
        core::mem::replace(&mut self.left, now).is_some_and(|left| Some(left) != now)
    }

    /// Marks the end of an epoch: the training run has begun.
    pub fn mark_epoch(&mut self) {
        self.left = None;
    }

    /// Marks the end of a call of `fit`, with the number of the next epoch and the network.
    pub fn left<N: Trainable>(&mut self, epoch: usize, network: &N) {
        self.left = Some((epoch, bits_of(network)));
    }
}

/// The run is no part of what a callback has recorded, so all runs compare as equal.
impl PartialEq for Run {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A hash of the bits of all weights, which another network is very unlikely to share: FNV-1a, of G. Fowler, L. C. Noll
/// and K. P. Vo.
fn bits_of<N: Trainable>(network: &N) -> u64 {
    struct Bits(u64);
    impl<T: Real> Visitor<T> for Bits {
        fn slice(&mut self, _: Parameter, values: &[T]) {
            for value in values {
                for byte in bytemuck::bytes_of(value) {
                    self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
        }
    }
    let mut bits = Bits(0xcbf2_9ce4_8422_2325);
    network.visit(&mut bits);
    bits.0
}

/// Callback of a training run of the network `N` by the [`Trainer`] `T`. Every [`Callback`] is one, and so is a type
/// that must see more than the network, such as a `Checkpoint`. `V` is [`SeesNetwork`] or [`SeesTrainer`], so that the
/// two implementations do not overlap; the compiler infers it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a callback of this training run",
    label = "expected `()`, `&mut History`, `&mut EarlyStopping`, `|epoch: &EpochReport<_>| ..`, or a pair of them; pairs nest: `(a, (b, c))`",
    note = "it is the last argument, after those of `fit`: inputs, targets, `&FitOptions`, and those of `fit_validated`: inputs, targets, \
            the pair `(&validation_inputs, &validation_targets)`, `&FitOptions`"
)]
pub trait TrainerCallback<N: Trainable, T, V> {
    /// Whether a training run without an epoch is one that is complete, and not a mistake.
    #[inline(always)]
    fn may_be_complete(&self) -> bool {
        false
    }

    /// Called before the first epoch; `ControlFlow::Break(())` ends the training run before it.
    ///
    /// # Errors
    ///
    /// If the callback cannot be used: the training run then does not begin.
    fn begin(&mut self, trainer: &T) -> Result<ControlFlow<()>, Error>;

    /// Called after each epoch; `ControlFlow::Break(())` ends the training run.
    ///
    /// # Errors
    ///
    /// If the callback fails. The training run ends, and the error is its result.
    fn epoch(&mut self, epoch: &EpochReport<N>, trainer: &T) -> Result<ControlFlow<()>, Error>;

    /// Called when a training run has ended, with its result; it may change the trainer, and returns the result.
    ///
    /// # Errors
    ///
    /// If the training run ended with an error, or the callback fails.
    fn end(
        &mut self,
        trainer: &mut T,
        result: Result<FitReport<N::Scalar>, Error>,
    ) -> Result<FitReport<N::Scalar>, Error>;
}

/// Marks a [`TrainerCallback`] that is a [`Callback`]: it sees the network.
#[derive(Debug)]
pub enum SeesNetwork {}

/// Marks a [`TrainerCallback`] that is not a [`Callback`]: it sees the trainer.
#[derive(Debug)]
pub enum SeesTrainer {}

impl<N, L, O, R, const B: usize, W> TrainerCallback<N, Trainer<N, L, O, R, B>, SeesNetwork> for W
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
    W: Callback<N>,
{
    #[inline(always)]
    fn begin(&mut self, trainer: &Trainer<N, L, O, R, B>) -> Result<ControlFlow<()>, Error> {
        Callback::begin(self, trainer.epochs, &trainer.network)?;
        Ok(ControlFlow::Continue(()))
    }

    #[inline(always)]
    fn epoch(&mut self, epoch: &EpochReport<N>, _: &Trainer<N, L, O, R, B>) -> Result<ControlFlow<()>, Error> {
        Ok(Callback::epoch(self, epoch))
    }

    #[inline(always)]
    fn end(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        result: Result<FitReport<N::Scalar>, Error>,
    ) -> Result<FitReport<N::Scalar>, Error> {
        Callback::end(self, &mut trainer.network, result);
        Callback::left(self, trainer.epochs, &trainer.network);
        result
    }
}

/// Does nothing.
impl<N: Trainable> Callback<N> for () {
    #[inline(always)]
    fn epoch(&mut self, _: &EpochReport<N>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<N: Trainable, C: IntoControlFlow, F: FnMut(&EpochReport<N>) -> C> Callback<N> for F {
    #[inline(always)]
    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        self(epoch).into_control_flow()
    }
}

/// What a function that is a callback may return: `()`, after which the training run continues, or `ControlFlow<()>`.
#[diagnostic::on_unimplemented(
    message = "a function that is a callback can't return `{Self}`",
    label = "the function must return `()` or `ControlFlow<()>`",
    note = "`ControlFlow::Break(())` ends the training run; a semicolon after the last expression makes a function return `()`"
)]
pub trait IntoControlFlow {
    /// Whether the training run continues.
    fn into_control_flow(self) -> ControlFlow<()>;
}

impl IntoControlFlow for () {
    #[inline(always)]
    fn into_control_flow(self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl IntoControlFlow for ControlFlow<()> {
    #[inline(always)]
    fn into_control_flow(self) -> ControlFlow<()> {
        self
    }
}

/// Both are called; the training run ends when either stops it.
impl<N: Trainable, A: Callback<N>, B: Callback<N>> Callback<N> for (A, B) {
    fn begin(&mut self, epoch: usize, network: &N) -> Result<(), Error> {
        self.0.begin(epoch, network)?;
        self.1.begin(epoch, network)
    }

    fn left(&mut self, epoch: usize, network: &N) {
        self.0.left(epoch, network);
        self.1.left(epoch, network);
    }

    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        let (a, b) = (self.0.epoch(epoch), self.1.epoch(epoch));
        if a.is_break() { a } else { b }
    }

    fn end(&mut self, network: &mut N, result: Result<FitReport<N::Scalar>, Error>) {
        self.0.end(network, result);
        self.1.end(network, result);
    }
}
