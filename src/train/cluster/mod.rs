//! Several processes, the ranks of a cluster: data-parallel training over ranks with [`Distributed`], and what carries
//! messages between them, a [`Communicator`]. With the feature `cluster`; with the feature `mpi` it is MPI: `Mpi`.
//! Searches over ranks are in [`tuning`](crate::tuning::SearchOptions), the share of a rank in a data set is
//! [`data::share`](crate::data::share()).
//!
//! Results do not depend on the number of ranks, nor on that of threads, bit for bit: what is added up is divided and
//! ordered by the data.
//!
//! A program is written for any number of ranks. Each of them runs all of it, and those parts that are shared wait for
//! the others. The guide has a page, [`guide::cluster`](crate::guide::cluster).

mod callback;
mod communicator;
mod distributed;
mod hash;
mod launch;
#[cfg(feature = "mpi")]
mod mpi;
mod pass;
mod reduce;
#[cfg(feature = "csv")]
mod table;

pub use communicator::{Communicator, SingleProcess};
pub(crate) use communicator::{agree, all_gather, broadcast};
pub use distributed::Distributed;
pub(crate) use hash::Hash;
pub(crate) use launch::panic_message;
pub use launch::{LaunchError, run};
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
#[cfg(feature = "csv")]
pub use table::ClassifiedShare;
