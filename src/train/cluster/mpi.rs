//! [`Mpi`]: the processes that `mpirun` has started. All calls of MPI are here.

use super::launch::launcher;
use super::{Communicator, LaunchError};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::{Communicator as _, SimpleCommunicator};
use mpi::traits::{Destination, Equivalence, MatchedReceiveVec, Source};

/// The ranks of MPI: the processes that `mpirun` or `srun` has started, with their messages. Most programs use
/// [`run`](super::run), which makes one, and ends all ranks if one of them fails. Needs the feature `mpi`.
#[doc(alias("MPI_Init"))]
pub struct Mpi {
    world: SimpleCommunicator,
    _universe: Universe,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank()).field("ranks", &self.size()).finish()
    }
}

impl Mpi {
    /// Initializes MPI, which ends when this value is dropped.
    ///
    /// # Errors
    ///
    /// If the program was not started by a launcher, if it was by that of another MPI library, if MPI was initialized before,
    /// or if the library can't be used with threads.
    pub fn new() -> Result<Self, LaunchError> {
        let size = launcher().ok_or(LaunchError::NotLaunched)?;
        // One thread calls MPI, beside those that compute.
        let (universe, threads) =
            mpi::initialize_with_threading(Threading::Funneled).ok_or(LaunchError::Initialized)?;
        if threads < Threading::Funneled {
            return Err(LaunchError::Threads);
        }
        let mpi = Mpi { world: universe.world(), _universe: universe };
        match size {
            Some(expected) if expected != mpi.size() => Err(LaunchError::Launcher { expected, found: mpi.size() }),
            _ => Ok(mpi),
        }
    }

    /// Ends the program on all ranks, after a message with this rank's number on the standard error.
    pub fn abort(&self, message: &str) -> ! {
        std::eprintln!("rank {} of {}: {message}", self.rank(), self.size());
        // Others may have failed for the same reason, and have more to say.
        std::thread::sleep(Duration::from_millis(100));
        self.world.abort(1)
    }
}

/// A panic on one rank ends all: the end of MPI would wait for the others.
impl Drop for Mpi {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.abort("a panic");
        }
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn send(&self, to: usize, message: &[u8]) {
        self.world.process_at_rank(to as i32).send(message);
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) {
        let (found, status) = self.world.process_at_rank(from as i32).matched_probe();
        message.resize(status.count(u8::equivalent_datatype()) as usize, 0);
        found.matched_receive_into(&mut message[..]);
    }

    fn try_receive(&self) -> Option<(usize, Vec<u8>)> {
        let (message, status) = self.world.any_process().immediate_matched_probe()?;
        let from = status.source_rank() as usize;
        Some((from, (message, status).matched_receive_vec().0))
    }
}
