//! [`Checkpoint`]: a training run that resumes where it was interrupted, with the feature `checkpoint`.

mod error;
mod file;
mod resume;
mod saved;

pub use error::{CheckpointError, CheckpointProblem};
pub use resume::{Checkpointable, Measured, Resume};
pub use saved::Saved;

use crate::error::Error;
use crate::error::Text;
use crate::model::boxed::{boxed_on_large_stack, with_large_stack};
use crate::model::summary::Short;
use crate::model::{InputShape, Zeroed, is_finite};
use crate::train::FitReport;
use crate::train::callbacks::{EpochReport, SeesTrainer, TrainerCallback};
use alloc::string::ToString;
use core::any::type_name;
use core::ops::ControlFlow;
use serde::Deserialize;
use std::path::PathBuf;

/// Checkpoint: a file with all state of a training run: the network with its running statistics and seeds, the
/// optimizer with its state, learning rate and position in its schedule, the random number generator, the number of
/// epochs, and the state of the callbacks. It is a callback around the other callbacks, and writes the file after each
/// epoch, or [every](Self::every) few.
///
/// # Examples
///
/// [`resume`](Self::resume) restores all of it, and the training run continues as if it had never been interrupted, bit
/// for bit:
///
/// ```
/// use tuplenet::train::checkpoint::Checkpoint;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<1, 8, Tanh>, Dense<8, 1, Identity>);
/// let (inputs, targets) = ([[0.0], [0.5], [1.0]], [[0.0], [0.4], [1.0]]);
/// let validation = (&[[0.25], [0.75]], &[[0.25], [0.75]]);
/// let file = std::env::temp_dir().join(format!("tuplenet-{}.checkpoint", std::process::id()));
///
/// // A program that was interrupted in the hundredth epoch begins with the same lines again.
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
/// let (mut history, mut stopping) = (History::new(), EarlyStopping::new(20));
/// let mut checkpoint = Checkpoint::new(&file, (&mut history, &mut stopping)).every(10);
/// if checkpoint.resume(&mut trainer)? {
///     println!("after {} epochs", trainer.epochs);
/// }
/// let fit = FitOptions { epochs: 1000usize.saturating_sub(trainer.epochs), ..FitOptions::default() };
/// trainer.fit_validated(&inputs, &targets, validation, &fit, &mut checkpoint)?;
/// # let mut again = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
/// # assert!(Checkpoint::new(&file, (&mut history, &mut stopping)).resume(&mut again)?);
/// # assert_eq!(again.epochs, trainer.epochs);
/// # std::fs::remove_file(&file)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Resuming
///
/// Give `fit` the remaining epochs, as above. The file is also written after the last epoch of a `fit` and when a
/// callback ends it, always with the state before [`Callback::end`](crate::train::callbacks::Callback::end). So a
/// training run that was complete, by its epochs or by early stopping, runs no epoch when it is resumed: it ends in the
/// same way, and leaves the same network. If `fit` then gets more epochs than before, it continues as if it had had
/// them from the beginning. A run that a callback has stopped stays stopped for one more call of `fit`.
///
/// # What is not in it
///
/// Data, [`FitOptions`](crate::train::FitOptions), the loss, and the patience and functions of callbacks: they come
/// from the program. The learning rate of the optimizer and the settings of its schedule come from the file, and can be
/// changed after [`resume`](Self::resume). The file can move to any machine. A training run returns the same bits there
/// under the same conditions as without a checkpoint: the same sizes of batch and micro-batch, and on another CPU the
/// feature `reproducible`.
///
/// # When it is interrupted
///
/// The new file is written beside the old one, the disk is told to keep it, and only then it takes the old one's name.
/// Whatever happens to the program or to the machine, there is the old file or the new one, and it is complete. (On
/// Windows the disk is not told to keep the name.) That takes some milliseconds; use [`every`](Self::every) to do it
/// less often. If a program was killed while it wrote, `resume` removes the unfinished file.
///
/// A symbolic link stays one: the file that it points to is replaced, and the new one has the permissions of the old
/// one. A device or a pipe cannot hold a checkpoint.
///
/// If the file can't be written, for example because its folder does not exist, `fit` ends with [`Error::Checkpoint`]
/// before the first epoch, or after the epoch if the failure begins later. A network with an infinite weight or NaN is
/// not written: the file keeps the last good epoch.
///
/// # What can be in it
///
/// All types of the library, and types of your own that serde can write and read and that may be sent to another
/// thread: values too large for the caller's stack are read on a thread with a larger one. Memory is allocated for the
/// file's bytes and for the values. The file has the names of the types of network, optimizer, random number generator
/// and callbacks, as the compiler writes them but without the modules. A checkpoint of other types is refused with a
/// readable error message:
///
/// ```
/// use tuplenet::train::checkpoint::Checkpoint;
/// use tuplenet::prelude::*;
///
/// let file = std::env::temp_dir().join(format!("tuplenet-other-{}.checkpoint", std::process::id()));
/// let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
/// let trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.01), seeded(1));
/// Checkpoint::new(&file, ()).save(&trainer)?;
///
/// let network = <Dense<2, 1, Tanh>>::new(&mut seeded(0));
/// let mut other = Trainer::new(network, MeanSquaredError, Adam::new(0.01), seeded(1));
/// let error = Checkpoint::new(&file, ()).resume(&mut other).unwrap_err();
/// assert_eq!(
///     error.problem.to_string(),
///     "expected a checkpoint of the network `Dense<2, 1, Tanh>`, found one of `Dense<2, 1, Sigmoid>`"
/// );
/// # std::fs::remove_file(&file)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[doc(alias("torch.save", "ModelCheckpoint"))]
pub struct Checkpoint<W = ()> {
    /// The other callbacks: what `fit` would get without a checkpoint.
    pub callback: W,
    path: PathBuf,
    every: usize,
    /// The trainer's number of epochs when the file was last written or read.
    kept: Option<usize>,
    /// Whether a callback has stopped the training run.
    stopped: bool,
    /// Whether this process writes the file: of many ranks only one does.
    writes: bool,
}

/// All values of a checkpoint, in their order; the trainer's gradient is zero between steps.
struct Values<N, O, R, S, M> {
    stopped: bool,
    epochs: usize,
    network: N,
    /// `None` until they are read: nothing is known about these types from which a value could be made.
    optimizer: Option<O>,
    rng: Option<R>,
    state: S,
    callbacks: M,
}

impl<W> Checkpoint<W> {
    /// Creates a checkpoint in the file at `path`, written after each epoch, around the other callbacks; `()` for none.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, callback: W) -> Self {
        Checkpoint { callback, path: path.into(), every: 1, kept: None, stopped: false, writes: true }
    }

    /// Sets how often the file is written: when the trainer's number of epochs is a multiple of `epochs`, and when a
    /// training run ends. By default 1; 0 does what 1 does. A larger one spends less time on writing, and loses more
    /// epochs after an interruption.
    #[must_use]
    pub fn every(self, epochs: usize) -> Self {
        Checkpoint { every: epochs.max(1), ..self }
    }

    /// Restores the trainer and the callbacks from the file; returns `false` if there is no file yet.
    ///
    /// # Errors
    ///
    /// If the file can't be read, is incomplete or damaged, is the checkpoint of other types, has a network with an
    /// infinite weight or NaN, or has a setting of the optimizer that is out of its range. Trainer and callbacks are
    /// then unchanged.
    pub fn resume<T>(&mut self, trainer: &mut T) -> Result<bool, CheckpointError>
    where
        T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
        W: Resume<T::Network>,
    {
        self.put_back(trainer).map_err(|problem| CheckpointError::new(&self.path, problem))
    }

    fn put_back<T>(&mut self, trainer: &mut T) -> Result<bool, CheckpointProblem>
    where
        T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
        W: Resume<T::Network>,
    {
        crate::io::file::remove_leftovers(&self.path);
        match file::read(&self.path)? {
            Some(bytes) => self.put_back_from(bytes, trainer),
            None => Ok(false),
        }
    }

    /// [`resume`](Self::resume) on all ranks: rank 0 reads the file, and from now on it alone writes it.
    #[cfg(feature = "cluster")]
    pub(super) fn resume_over<T>(
        &mut self,
        communicator: &dyn crate::train::cluster::Communicator,
        trainer: &mut T,
    ) -> Result<bool, CheckpointError>
    where
        T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
        W: Resume<T::Network>,
    {
        self.writes = communicator.rank() == 0;
        let mut result = Ok(None);
        if self.writes {
            crate::io::file::remove_leftovers(&self.path);
            result = file::read(&self.path);
        }
        // What rank 0 has found: nothing, the bytes of a file, or an error, which only the text of can be sent.
        let mut message = match &result {
            Ok(None) => alloc::vec![0],
            Ok(Some(bytes)) => [&[1], &bytes[..]].concat(),
            Err(problem) => [&[2], problem.to_string().as_bytes()].concat(),
        };
        crate::train::cluster::broadcast(communicator, 0, &mut message);
        let found = match (result, message.split_first()) {
            (Err(problem), _) => Err(problem),
            (Ok(None), Some((1, bytes))) => Ok(Some(bytes.to_vec())),
            (Ok(None), Some((2, text))) => {
                Err(CheckpointProblem::Read(std::io::Error::other(alloc::string::String::from_utf8_lossy(text))))
            }
            (Ok(found), _) => Ok(found),
        };
        let result = match found {
            Ok(Some(bytes)) => self.put_back_from(bytes, trainer),
            Ok(None) => Ok(false),
            Err(problem) => Err(problem),
        };
        result.map_err(|problem| CheckpointError::new(&self.path, problem))
    }

    fn put_back_from<T>(&mut self, bytes: alloc::vec::Vec<u8>, trainer: &mut T) -> Result<bool, CheckpointProblem>
    where
        T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
        W: Resume<T::Network>,
    {
        let written = file::values(bytes, &kinds::<T, W::State>())?;
        // The values are read beside the trainer, which stays unchanged until all of them are read.
        let mut values = boxed_on_large_stack(|| Values {
            stopped: false,
            epochs: 0,
            network: <T::Network as Zeroed>::ZEROED,
            optimizer: None,
            rng: None,
            state: Zeroed::ZEROED,
            callbacks: W::State::default(),
        });
        let values = &mut *values;
        with_large_stack(size_of_val(values), || {
            written.fill(|source| {
                values.stopped = bool::deserialize(&mut *source)?;
                values.epochs = usize::deserialize(&mut *source)?;
                T::Network::deserialize_in_place(&mut *source, &mut values.network)?;
                values.optimizer = Some(T::Optimizer::deserialize(&mut *source)?);
                values.rng = Some(T::Rng::deserialize(&mut *source)?);
                T::State::deserialize_in_place(&mut *source, &mut values.state)?;
                W::State::deserialize_in_place(&mut *source, &mut values.callbacks)
            })
        })?;
        if !is_finite(&values.network) {
            return Err(CheckpointProblem::NotFinite);
        }
        let (Some(optimizer), Some(rng)) = (values.optimizer.take(), values.rng.take()) else {
            return Err(CheckpointProblem::Content);
        };
        T::check(&optimizer).map_err(|error| CheckpointProblem::Setting(alloc::boxed::Box::new(error)))?;
        trainer.restore(values.epochs, optimizer, rng, &mut values.network, &mut values.state);
        self.callback.resume(&mut values.callbacks);
        (self.kept, self.stopped) = (Some(trainer.epochs()), values.stopped);
        Ok(true)
    }

    /// Writes the file now, for steps and epochs in a loop of your own.
    ///
    /// # Errors
    ///
    /// If the file can't be written, or if the network has an infinite weight or NaN. The old file is then unchanged.
    pub fn save<T>(&mut self, trainer: &T) -> Result<(), CheckpointError>
    where
        T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
        W: Resume<T::Network>,
    {
        let (network, epochs, (optimizer, rng, state)) = (trainer.network(), trainer.epochs(), trainer.parts());
        if !is_finite(network) {
            return Err(CheckpointError::new(&self.path, CheckpointProblem::NotFinite));
        }
        let values = (self.stopped, epochs, network, optimizer, rng, state, self.callback.state());
        file::write(&self.path, &kinds::<T, W::State>(), &values)?;
        self.kept = Some(epochs);
        Ok(())
    }
}

/// The names of the types in a checkpoint.
fn kinds<T: Saved, M>() -> file::Kinds {
    [
        ("the network", Short(type_name::<T::Network>()).to_string()),
        ("the optimizer", Short(type_name::<T::Optimizer>()).to_string()),
        ("the random number generator", Short(type_name::<T::Rng>()).to_string()),
        ("callbacks with the state", Short(type_name::<M>()).to_string()),
    ]
}

impl<T, W> TrainerCallback<T::Network, T, SeesTrainer> for &mut Checkpoint<W>
where
    T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
    W: Resume<T::Network>,
{
    /// A training run that is resumed after its last epoch has none left.
    fn may_be_complete(&self) -> bool {
        self.kept.is_some()
    }

    #[inline(never)]
    fn begin(&mut self, trainer: &T) -> Result<ControlFlow<()>, Error> {
        self.callback.begin(trainer.epochs(), trainer.network())?;
        if self.stopped {
            return Ok(ControlFlow::Break(()));
        }
        if !self.writes {
            return Ok(ControlFlow::Continue(()));
        }
        // An error now is better than one after an epoch, which may take hours.
        crate::io::file::check(&self.path).map_err(|error| self.write_error(error.kind()))?;
        Ok(ControlFlow::Continue(()))
    }

    #[inline(never)]
    fn epoch(&mut self, epoch: &EpochReport<T::Network>, trainer: &T) -> Result<ControlFlow<()>, Error> {
        let flow = self.callback.epoch(epoch);
        self.stopped = flow.is_break();
        if self.stopped || trainer.epochs().is_multiple_of(self.every) {
            self.keep(trainer)?;
        }
        Ok(flow)
    }

    #[inline(never)]
    fn end(
        &mut self,
        trainer: &mut T,
        result: Result<FitReport<ScalarOf<T>>, Error>,
    ) -> Result<FitReport<ScalarOf<T>>, Error> {
        let kept = match result {
            Ok(_) if self.kept != Some(trainer.epochs()) => self.keep(trainer),
            _ => Ok(()),
        };
        let result = kept.and(result);
        self.callback.end(trainer.network_mut(), result);
        self.callback.left(trainer.epochs(), trainer.network());
        self.stopped = false;
        result
    }
}

/// The scalar type of a trainer's network.
type ScalarOf<T> = <<T as Saved>::Network as InputShape>::Scalar;

impl<W> Checkpoint<W> {
    /// Writes the file, unless a step has made a weight infinite or NaN: then the next step fails, and it will fail
    /// again after the last good epoch.
    fn keep<T>(&mut self, trainer: &T) -> Result<(), Error>
    where
        T: Saved<Network: Checkpointable, Optimizer: Checkpointable, Rng: Checkpointable, State: Checkpointable>,
        W: Resume<T::Network>,
    {
        if !self.writes {
            self.kept = Some(trainer.epochs());
            return Ok(());
        }
        match self.save(trainer).map_err(|error| error.problem) {
            Ok(()) | Err(CheckpointProblem::NotFinite) => Ok(()),
            Err(CheckpointProblem::Write(error)) => Err(self.write_error(error.kind())),
            Err(_) => Err(self.write_error(std::io::ErrorKind::Other)),
        }
    }

    fn write_error(&self, kind: std::io::ErrorKind) -> Error {
        Error::Checkpoint { path: Text::end_of(&self.path.to_string_lossy()), kind }
    }
}
