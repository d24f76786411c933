//! Training: [`Trainer`] takes steps and runs epochs and whole training runs; [`Workspace`] has the single parts of a
//! step: forward pass, loss and gradient; [`step_from`](Trainer::step_from) and [`epoch_in_order`](Trainer::epoch_in_order) go
//! through long series with the state carried; [`full_batch`] has trainers of small networks by second-order methods;
//! [`callbacks`] are called after each epoch; `Parallel` shares the work between threads, `cluster` between processes, and
//! `checkpoint` saves a training run to a file.

mod batch;
pub mod callbacks;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(all(test, feature = "std"))]
mod every_level;
mod executor;
mod fit;
pub mod full_batch;
mod optimizer_step;
#[cfg(feature = "rayon")]
mod parallel;
mod range_test;
mod run;
#[cfg(feature = "serde")]
mod serde;
#[cfg(any(feature = "rayon", feature = "cluster"))]
mod shards;
mod stateful;
mod trainer;
mod workspace;

pub use fit::{FitOptions, FitReport};
pub use full_batch::{FullBatchTrainer, Lbfgs, LevenbergMarquardt};
#[cfg(feature = "rayon")]
pub use parallel::Parallel;
pub use stateful::Carried;
pub use trainer::Trainer;
pub use workspace::Workspace;
