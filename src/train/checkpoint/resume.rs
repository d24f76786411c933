//! [`Resume`]: callbacks that resume; and [`Checkpointable`], what a checkpoint can hold.

use crate::model::Trainable;
use crate::model::boxed::exchange;
use crate::train::callbacks::{Callback, EarlyStopping, EarlyStoppingState, EpochReport, History, Metric, Run};
use alloc::vec::Vec;
use core::ops::ControlFlow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a [`Checkpoint`](super::Checkpoint) can hold: types that serde writes and reads, and that may be sent to
/// another thread. Every such type implements it.
pub trait Checkpointable: Serialize + DeserializeOwned + Send {}

impl<V: Serialize + DeserializeOwned + Send> Checkpointable for V {}

/// A callback that resumes where a [`Checkpoint`](super::Checkpoint) left it.
///
/// A function has no state that could be written; what it has captured begins again. A callback of your own has its
/// state as [`State`](Self::State), `()` for none.
///
/// # Examples
///
/// ```
/// use core::ops::ControlFlow;
/// use tuplenet::train::checkpoint::Resume;
/// use tuplenet::model::Trainable;
/// use tuplenet::prelude::*;
///
/// /// Counts the epochs in which the loss rose.
/// #[derive(Default)]
/// struct Rises {
///     last: Option<f64>,
///     count: usize,
/// }
///
/// impl<N: Trainable> Callback<N> for &mut Rises {
///     fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
///         let loss = epoch.loss.exact();
///         self.count += usize::from(self.last.is_some_and(|last| loss > last));
///         self.last = Some(loss);
///         ControlFlow::Continue(())
///     }
/// }
///
/// impl<N: Trainable> Resume<N> for &mut Rises {
///     type State = (Option<f64>, usize);
///     fn state(&self) -> impl serde::Serialize {
///         (self.last, self.count)
///     }
///     fn resume(&mut self, state: &mut (Option<f64>, usize)) {
///         (self.last, self.count) = *state;
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't resume from a checkpoint",
    label = "expected a callback of the library, or one that implements `Resume`",
    note = "a callback without state has `type State = ()`"
)]
pub trait Resume<N: Trainable>: Callback<N> {
    /// The callback's state, kept from epoch to epoch; it begins with the default.
    type State: Checkpointable + Default;

    /// The current state, serialized as [`State`](Self::State) is.
    fn state(&self) -> impl Serialize;

    /// Restores the callback from `state`.
    fn resume(&mut self, state: &mut Self::State);
}

impl<N: Trainable> Resume<N> for () {
    type State = ();

    fn state(&self) -> impl Serialize {}

    fn resume(&mut self, (): &mut ()) {}
}

impl<N: Trainable, F: FnMut(&EpochReport<N>) -> ControlFlow<()>> Resume<N> for F {
    type State = ();

    fn state(&self) -> impl Serialize {}

    fn resume(&mut self, (): &mut ()) {}
}

impl<N: Trainable, A: Resume<N>, B: Resume<N>> Resume<N> for (A, B) {
    type State = (A::State, B::State);

    fn state(&self) -> impl Serialize {
        (self.0.state(), self.1.state())
    }

    fn resume(&mut self, state: &mut Self::State) {
        self.0.resume(&mut state.0);
        self.1.resume(&mut state.1);
    }
}

impl<N: Trainable> Resume<N> for &mut History<N::Scalar> {
    type State = History<N::Scalar>;

    fn state(&self) -> impl Serialize {
        &**self
    }

    fn resume(&mut self, state: &mut History<N::Scalar>) {
        exchange(*self, state);
    }
}

/// State of a [`Metric`].
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Measured(#[serde(with = "crate::num::serde::list")] Vec<f64>);

/// The state is the values; name and function come from the program.
impl<N: Trainable, F: FnMut(&N) -> f64> Resume<N> for &mut Metric<F> {
    type State = Measured;

    fn state(&self) -> impl Serialize {
        self.values()
    }

    fn resume(&mut self, state: &mut Measured) {
        exchange(&mut self.values, &mut state.0);
        self.run = Run::new();
    }
}

/// The state is the best epoch with its network, and the number of epochs without improvement; the patience and what is
/// watched come from the program.
impl<N: Trainable + Clone + Checkpointable, W: FnMut(&EpochReport<N>) -> f64> Resume<N> for &mut EarlyStopping<N, W> {
    type State = EarlyStoppingState<N>;

    fn state(&self) -> impl Serialize {
        &self.state
    }

    fn resume(&mut self, state: &mut EarlyStoppingState<N>) {
        exchange(&mut self.state, state);
        self.run = Run::new();
    }
}

#[cfg(feature = "progress")]
impl<N: Trainable> Resume<N> for &mut crate::train::callbacks::Progress {
    type State = ();

    fn state(&self) -> impl Serialize {}

    fn resume(&mut self, (): &mut ()) {}
}
