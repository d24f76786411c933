//! [`run`]: a program on all ranks that a launcher has started.

use super::{Communicator, SingleProcess};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

/// Runs a program on all ranks: with the feature `mpi` those that `mpirun` or `srun` has started, and alone as a
/// [`SingleProcess`] where there was no launcher. Returns the exit code.
///
/// If the program fails or panics on any rank, a message on the standard error names the rank, and the other ranks are ended, since
/// they would wait for it forever. This is the only function of the library that prints.
///
/// # Examples
///
/// `mpirun -n 4 program` runs this on four ranks, `program` on one, with the same result:
///
/// ```
/// use std::process::ExitCode;
/// use tuplenet::prelude::*;
/// use tuplenet::train::cluster::{Communicator, Distributed, run};
///
/// fn train(communicator: &dyn Communicator) -> Result<(), tuplenet::Error> {
///     let inputs: Vec<[f32; 1]> = (0..2000).map(|i| [i as f32 / 1000.0 - 1.0]).collect();
///     let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [x * x]).collect();
///     let network = <(Dense<1, 32, Tanh>, Dense<32, 1, Identity>)>::new(&mut seeded(0));
///     let mut trainer = Trainer::new(network, MeanSquaredError, Adam::new(0.01), seeded(1));
///     let fit = FitOptions { epochs: 100, batch_size: 2000, ..FitOptions::default() };
///     let report = Distributed::new(communicator).fit(&mut trainer, &inputs, &targets, &fit, ())?;
///     if communicator.rank() == 0 {
///         println!("loss {}", report.loss);
///     }
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     run(train)
/// }
/// ```
#[doc(alias("MPI_Init", "mpirun", "torchrun"))]
pub fn run<E: fmt::Display>(program: impl FnOnce(&dyn Communicator) -> Result<(), E>) -> ExitCode {
    let launched = match start() {
        Ok(launched) => launched,
        Err(error) => {
            std::eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let communicator: &dyn Communicator = match &launched {
        Some(launched) => launched,
        None => &SingleProcess,
    };
    let message = match catch_unwind(AssertUnwindSafe(|| program(communicator))) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => format!("a panic: {}", panic_message(&*panic)),
    };
    match launched {
        #[cfg(feature = "mpi")]
        Some(mpi) => mpi.abort(&message),
        #[cfg(not(feature = "mpi"))]
        Some(_) => {}
        None => std::eprintln!("{message}"),
    }
    ExitCode::FAILURE
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn core::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".into())
}

/// The ranks that a launcher has started, if one has.
#[cfg(feature = "mpi")]
fn start() -> Result<Option<super::Mpi>, LaunchError> {
    match super::Mpi::new() {
        Ok(mpi) => Ok(Some(mpi)),
        Err(LaunchError::NotLaunched) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(not(feature = "mpi"))]
fn start() -> Result<Option<SingleProcess>, LaunchError> {
    match launcher().flatten() {
        // Each of them would believe to be the only one.
        Some(expected) if expected > 1 => Err(LaunchError::Feature { expected }),
        _ => Ok(None),
    }
}

/// What launchers say of the number of processes: Open MPI, MPICH and Intel MPI, MVAPICH. Slurm's `srun` speaks the
/// language of the library.
const SIZES: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"];

/// What only a launcher sets, without the number of processes.
const MARKS: [&str; 2] = ["PMIX_RANK", "PMI_RANK"];

/// Whether a launcher has started this process, and as one of how many, if it says so.
pub(super) fn launcher() -> Option<Option<usize>> {
    let size = SIZES.iter().find_map(|name| std::env::var(name).ok()?.parse::<usize>().ok());
    let is_marked = || MARKS.iter().any(|name| std::env::var_os(name).is_some());
    if size.is_some() || is_marked() { Some(size) } else { None }
}

/// Why there are no ranks.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LaunchError {
    /// The program was started without a launcher.
    NotLaunched,
    /// MPI was initialized before, or has ended.
    Initialized,
    /// The program was started by the launcher of another MPI library than the one that it was built with: every process
    /// believes to be the only one.
    Launcher {
        /// The number of processes that were started.
        expected: usize,
        /// The number of ranks that MPI has.
        found: usize,
    },
    /// A launcher has started several processes of a program that was built without the feature `mpi`.
    Feature {
        /// The number of processes that were started.
        expected: usize,
    },
    /// The MPI library can't be used in a program with several threads.
    Threads,
}

crate::error::debug_is_display!(LaunchError);

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::NotLaunched => f.write_str(
                "expected a program that was started by `mpirun -n 4 program` or by `srun`, found one that was started alone",
            ),
            LaunchError::Initialized => f.write_str("expected to initialize MPI, found that it was initialized before"),
            LaunchError::Launcher { expected, found } => write!(
                f,
                "expected {expected} ranks, found {found}: the program was started by the launcher of another MPI library than \
                 the one that it was built with"
            ),
            LaunchError::Feature { expected } => write!(
                f,
                "expected one process, found {expected} that a launcher has started: build the program with the feature `mpi` of \
                 tuplenet"
            ),
            LaunchError::Threads => f.write_str("expected an MPI library for programs with threads, found one without"),
        }
    }
}

impl core::error::Error for LaunchError {}
