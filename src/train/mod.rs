//! Training: [`Trainer`] takes steps and runs epochs and whole training runs; [`Workspace`] has the single parts of a
//! step: forward pass, loss and gradient; [`step_from`](Trainer::step_from) and [`epoch_in_order`](Trainer::epoch_in_order) go
//! through long series with the state carried; [`callbacks`] are called after each epoch; `Parallel` shares the work between
//! threads, `cluster` between processes, and `checkpoint` saves a training run to a file.

mod batch;
pub mod callbacks;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(all(test, feature = "std"))]
mod every_level;
#[cfg(feature = "rayon")]
mod parallel;
mod range_test;
#[cfg(feature = "serde")]
mod serde;
#[cfg(any(feature = "rayon", feature = "cluster"))]
mod shards;
mod stateful;
mod trainer;
mod workspace;

#[cfg(feature = "rayon")]
pub use parallel::Parallel;
pub use stateful::Carried;
pub use trainer::{FitOptions, FitReport, Trainer};
pub use workspace::Workspace;
