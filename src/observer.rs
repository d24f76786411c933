//! Who is told of each epoch: [`Observer`], and [`History`], which takes notes.

use crate::params::Params;
use core::ops::ControlFlow;

/// What is known at the end of an epoch.
#[derive(Debug)]
pub struct Epoch<'a, N: Params> {
    /// Counted from zero, over all trainings of a trainer.
    pub number: usize,
    /// The mean loss over the training samples, each measured just before its step.
    pub loss: N::Scalar,
    /// The mean loss over the validation samples after the epoch, if there are any.
    pub validation_loss: Option<N::Scalar>,
    /// The network as it is now.
    pub network: &'a N,
}

/// Is told of each epoch and may stop the training.
///
/// ```
/// use core::ops::ControlFlow;
/// use tuplenet::prelude::*;
///
/// let mut trainer = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
/// let good_enough = |epoch: &Epoch<_>| {
///     if epoch.loss < 1e-6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
/// };
/// let mut history = History::new();
/// let fit = Fit { epochs: 1000, ..Fit::default() };
/// let outcome = trainer.fit(&[[1.0], [2.0]], &[[2.0], [4.0]], &fit, (&mut history, good_enough))?;
/// assert!(outcome.epochs < 1000);
/// assert_eq!(history.losses().len(), outcome.epochs);
/// # Ok::<(), tuplenet::Error>(())
/// ```
pub trait Observer<N: Params> {
    /// `ControlFlow::Break(())` ends the training.
    fn epoch(&mut self, epoch: &Epoch<N>) -> ControlFlow<()>;
}

/// Looks away.
impl<N: Params> Observer<N> for () {
    #[inline(always)]
    fn epoch(&mut self, _: &Epoch<N>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<N: Params, F: FnMut(&Epoch<N>) -> ControlFlow<()>> Observer<N> for F {
    #[inline(always)]
    fn epoch(&mut self, epoch: &Epoch<N>) -> ControlFlow<()> {
        self(epoch)
    }
}

/// Both are told; the training ends when either says so.
impl<N: Params, A: Observer<N>, B: Observer<N>> Observer<N> for (A, B) {
    fn epoch(&mut self, epoch: &Epoch<N>) -> ControlFlow<()> {
        let (a, b) = (self.0.epoch(epoch), self.1.epoch(epoch));
        if a.is_break() { a } else { b }
    }
}

/// The losses of all epochs, in a vector that grows: an observer for where there is a heap.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History<T> {
    losses: alloc::vec::Vec<T>,
    validation_losses: alloc::vec::Vec<T>,
}

#[cfg(feature = "alloc")]
impl<T> History<T> {
    /// No epoch yet.
    pub const fn new() -> Self {
        History { losses: alloc::vec::Vec::new(), validation_losses: alloc::vec::Vec::new() }
    }

    /// The mean training loss of each epoch.
    pub fn losses(&self) -> &[T] {
        &self.losses
    }

    /// The mean validation loss after each epoch; empty without validation samples.
    pub fn validation_losses(&self) -> &[T] {
        &self.validation_losses
    }
}

#[cfg(feature = "alloc")]
impl<N: Params> Observer<N> for &mut History<N::Scalar> {
    fn epoch(&mut self, epoch: &Epoch<N>) -> ControlFlow<()> {
        self.losses.push(epoch.loss);
        self.validation_losses.extend(epoch.validation_loss);
        ControlFlow::Continue(())
    }
}
