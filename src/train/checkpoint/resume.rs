//! [`Resume`]: callbacks that go on; and [`Checkpointable`], what a checkpoint can hold.

use crate::model::Params;
use crate::model::boxed::exchange;
use crate::train::callbacks::{Callback, EarlyStopping, EarlyStoppingState, EpochReport, History, Metric, Run};
use alloc::vec::Vec;
use core::ops::ControlFlow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a [`Checkpoint`](super::Checkpoint) can hold: what serde writes and reads, and what may be sent to another thread.
/// Every such type is.
pub trait Checkpointable: Serialize + DeserializeOwned + Send {}

impl<V: Serialize + DeserializeOwned + Send> Checkpointable for V {}

/// A callback that goes on where a [`Checkpoint`](super::Checkpoint) left it.
///
/// Functions remember nothing that could be written; what they have captured begins anew. A callback of your own says
/// what it remembers, `()` if nothing:
///
/// ```
/// use core::ops::ControlFlow;
/// use tuplenet::train::checkpoint::Resume;
/// use tuplenet::model::Params;
/// use tuplenet::prelude::*;
///
/// /// Counts the epochs in which the loss rose.
/// #[derive(Default)]
/// struct Rises {
///     last: Option<f64>,
///     count: usize,
/// }
///
/// impl<N: Params> Callback<N> for &mut Rises {
///     fn epoch(&mut self, epoch: &EpochReport<N>) -> ControlFlow<()> {
///         let loss = epoch.loss.exact();
///         self.count += usize::from(self.last.is_some_and(|last| loss > last));
///         self.last = Some(loss);
///         ControlFlow::Continue(())
///     }
/// }
///
/// impl<N: Params> Resume<N> for &mut Rises {
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
    message = "`{Self}` can't go on from a checkpoint",
    label = "expected a callback of the library, or one that implements `Resume`",
    note = "a callback that remembers nothing has `type State = ()`"
)]
pub trait Resume<N: Params>: Callback<N> {
    /// What it remembers from epoch to epoch; what it begins with is the default.
    type State: Checkpointable + Default;

    /// What it remembers now, written as [`State`](Self::State) is.
    fn state(&self) -> impl Serialize;

    /// Takes over what it had remembered, out of `state`.
    fn resume(&mut self, state: &mut Self::State);
}

impl<N: Params> Resume<N> for () {
    type State = ();

    fn state(&self) -> impl Serialize {}

    fn resume(&mut self, (): &mut ()) {}
}

impl<N: Params, F: FnMut(&EpochReport<N>) -> ControlFlow<()>> Resume<N> for F {
    type State = ();

    fn state(&self) -> impl Serialize {}

    fn resume(&mut self, (): &mut ()) {}
}

impl<N: Params, A: Resume<N>, B: Resume<N>> Resume<N> for (A, B) {
    type State = (A::State, B::State);

    fn state(&self) -> impl Serialize {
        (self.0.state(), self.1.state())
    }

    fn resume(&mut self, state: &mut Self::State) {
        self.0.resume(&mut state.0);
        self.1.resume(&mut state.1);
    }
}

impl<N: Params> Resume<N> for &mut History<N::Scalar> {
    type State = History<N::Scalar>;

    fn state(&self) -> impl Serialize {
        &**self
    }

    fn resume(&mut self, state: &mut History<N::Scalar>) {
        exchange(*self, state);
    }
}

/// What a [`Metric`] remembers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Measured(#[serde(with = "crate::num::serde::list")] Vec<f64>);

/// The values; name and function are the program's.
impl<N: Params, F: FnMut(&N) -> f64> Resume<N> for &mut Metric<F> {
    type State = Measured;

    fn state(&self) -> impl Serialize {
        self.values()
    }

    fn resume(&mut self, state: &mut Measured) {
        exchange(&mut self.values, &mut state.0);
        self.run = Run::new();
    }
}

/// The best epoch with its network, and how many epochs were no better; what is watched and how patiently is the program's.
impl<N: Params + Clone + Checkpointable, W: FnMut(&EpochReport<N>) -> f64> Resume<N> for &mut EarlyStopping<N, W> {
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
impl<N: Params> Resume<N> for &mut crate::train::callbacks::Progress {
    type State = ();

    fn state(&self) -> impl Serialize {}

    fn resume(&mut self, (): &mut ()) {}
}
