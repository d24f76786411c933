//! Training: [`Trainer`] takes steps, epochs and whole trainings; [`Workspace`] has the single pieces, forward, loss and
//! gradient; [`callbacks`] are told of each epoch; `Parallel` shares the work between threads, and `checkpoint` keeps
//! it in a file.

mod batch;
pub mod callbacks;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "rayon")]
mod parallel;
mod range_test;
#[cfg(feature = "serde")]
mod serde;
mod trainer;
mod workspace;

#[cfg(feature = "rayon")]
pub use parallel::Parallel;
pub use trainer::{FitOptions, FitReport, Trainer};
pub use workspace::Workspace;
