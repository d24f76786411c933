//! Who is told of each epoch: [`Callback`], [`EarlyStopping`], and [`History`] and [`Metric`], which take notes.

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
use crate::model::{InputShape, Layer, Parameter, Params, Visitor};
use crate::num::Real;
use crate::optimizer::Optimizer;
use crate::train::{FitReport, Trainer};
use core::ops::ControlFlow;

/// What is known at the end of an epoch.
#[derive(Debug)]
#[doc(alias("logs"))]
pub struct EpochReport<'a, N: Params> {
    /// Counted from zero, over all trainings of a trainer.
    pub number: usize,
    /// The mean loss over the training samples, each measured just before its step.
    pub loss: N::Scalar,
    /// The mean loss over the validation samples after the epoch, if there are any.
    pub validation_loss: Option<N::Scalar>,
    /// The network as it is now.
    pub network: &'a N,
}

impl<N: Params> Clone for EpochReport<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: Params> Copy for EpochReport<'_, N> {}

/// Is told of each epoch and may stop the training. Functions that take a `&EpochReport<_>` are callbacks: one that
/// returns `()` looks on, one that returns a `ControlFlow<()>` may stop the training.
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
/// let outcome = trainer.fit(&[[1.0], [2.0]], &[[2.0], [4.0]], &fit, (&mut history, good_enough))?;
/// assert!(outcome.epochs < 1000);
/// assert_eq!(history.losses().len(), outcome.epochs);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// # One trainer, one training run
///
/// What a callback remembers belongs to the training run of one trainer, which may be several calls of
/// [`fit`](Trainer::fit): those of the library go on where the trainer goes on from the epoch and the weights that the last call
/// has left, or from a checkpoint, and begin anew with any other, such as the next fold of a cross-validation. A
/// callback of your own can do the same with a [`Run`].
#[doc(alias("callback", "hook"))]
pub trait Callback<N: Params> {
    /// Is told that a training begins, with the number of its first epoch, and may refuse, if a setting makes no sense.
    #[inline(always)]
    fn begin(&mut self, _epoch: usize, _network: &N) -> Result<(), Error> {
        Ok(())
    }

    /// `ControlFlow::Break(())` ends the training.
    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()>;

    /// Is told how a training ended, also if it was with an error, and may change the network that it leaves behind.
    /// Not called where a training could not begin, because data do not fit together.
    fn end(&mut self, _network: &mut N, _result: Result<FitReport<N::Scalar>, Error>) {}

    /// Is told what a training has left behind, after all callbacks have seen its [`end`](Self::end): the number of the
    /// next epoch, and the network.
    #[inline(always)]
    fn left(&mut self, _epoch: usize, _network: &N) {}
}

/// Which training run it is that a callback remembers.
///
/// ```
/// use core::ops::ControlFlow;
/// use tuplenet::model::Params;
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
/// impl<N: Params> Callback<N> for &mut Count {
///     fn begin(&mut self, epoch: usize, network: &N) -> Result<(), tuplenet::Error> {
///         if self.run.begins_anew(epoch, network) {
///             self.epochs = 0;
///         }
///         Ok(())
///     }
///     fn epoch(&mut self, _: &EpochReport<N>) -> ControlFlow<()> {
///         self.run.goes_on();
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
    /// The next epoch, and a sum of the bits of the weights; none in the middle of a training, and where a checkpoint goes on.
    left: Option<(usize, u64)>,
}

impl Run {
    /// No training yet.
    pub const fn new() -> Self {
        Run { left: None }
    }

    /// Whether a training that begins with that epoch and that network is not the one that was [`left`](Self::left).
    pub fn begins_anew<N: Params>(&mut self, epoch: usize, network: &N) -> bool {
        let now = Some((epoch, bits_of(network)));
        core::mem::replace(&mut self.left, now).is_some_and(|left| Some(left) != now)
    }

    /// An epoch is over.
    pub fn goes_on(&mut self) {
        self.left = None;
    }

    /// The training has ended, with that epoch as the next one and that network.
    pub fn left<N: Params>(&mut self, epoch: usize, network: &N) {
        self.left = Some((epoch, bits_of(network)));
    }
}

/// Which run notes belong to is no part of what was noted.
impl PartialEq for Run {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A sum of the bits of all weights that another network has only by an unlikely chance: FNV-1a, of G. Fowler, L. C. Noll and
/// K. P. Vo.
fn bits_of<N: Params>(network: &N) -> u64 {
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

/// Follows a training of the network `N` by the [`Trainer`] `T`: every [`Callback`] does, and so does what must see
/// more than the network, such as a `Checkpoint`. `V` is [`SeesNetwork`] or [`SeesTrainer`], so that the two do not
/// exclude each other; the compiler finds out which.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a callback of this training run",
    label = "expected `()`, `&mut History`, `&mut EarlyStopping`, `|epoch: &EpochReport<_>| ..`, or a pair of them",
    note = "it is the last argument, after those of `fit`: inputs, targets, `&FitOptions`, and those of `fit_validated`: inputs, targets, \
            the pair `(&validation_inputs, &validation_targets)`, `&FitOptions`"
)]
pub trait TrainerCallback<N: Params, T, V> {
    /// Whether a training without an epoch is one that is complete, and not a mistake.
    #[inline(always)]
    fn may_be_complete(&self) -> bool {
        false
    }

    /// Is asked before the first epoch; `ControlFlow::Break(())` ends the training there, and with an error none begins.
    fn begin(&mut self, trainer: &T) -> Result<ControlFlow<()>, Error>;

    /// Is told of each epoch; `ControlFlow::Break(())` ends the training, and so does an error, which is then its result.
    fn epoch(&mut self, epoch: &EpochReport<N>, trainer: &T) -> Result<ControlFlow<()>, Error>;

    /// Is told how a training ended, may change what it leaves behind, and gives its result.
    fn end(
        &mut self,
        trainer: &mut T,
        result: Result<FitReport<N::Scalar>, Error>,
    ) -> Result<FitReport<N::Scalar>, Error>;
}

/// The view of a [`TrainerCallback`] that is a [`Callback`].
#[derive(Debug)]
pub enum SeesNetwork {}

/// The view of a [`TrainerCallback`] that is none.
#[derive(Debug)]
pub enum SeesTrainer {}

impl<N, L, O, R, const B: usize, W> TrainerCallback<N, Trainer<N, L, O, R, B>, SeesNetwork> for W
where
    N: InputShape + Layer<<N as InputShape>::In>,
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

/// Looks away.
impl<N: Params> Callback<N> for () {
    #[inline(always)]
    fn epoch(&mut self, _: &EpochReport<N>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<N: Params, C: IntoControlFlow, F: FnMut(&EpochReport<N>) -> C> Callback<N> for F {
    #[inline(always)]
    fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
        self(epoch).into_control_flow()
    }
}

/// What a function that is a callback may return: `()`, after which it continues, or `ControlFlow<()>`.
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

/// Both are told; the training ends when either says so.
impl<N: Params, A: Callback<N>, B: Callback<N>> Callback<N> for (A, B) {
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
