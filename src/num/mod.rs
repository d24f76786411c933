//! The scalar types of a network, `f32` and `f64`, on vector lanes; [`math`] has `exp`, `tanh` and similar
//! functions.

// The training runs of the programs on microcontrollers, and their hashes; here, so that a published package can be tested.
#[cfg(all(test, feature = "std", feature = "reproducible"))]
mod bits;
pub(crate) mod dispatch;
pub mod float;
mod fused;
pub mod math;
#[cfg(all(test, feature = "std", feature = "reproducible"))]
mod pinned;
pub(crate) mod random;
mod real;
pub(crate) mod root;
#[cfg(feature = "serde")]
pub(crate) mod serde;
mod series;
pub(crate) mod target;
pub(crate) mod zeroed;

pub use real::{Lanes, Real};
pub(crate) use real::{SCALAR, first_lane, lanes};
pub use series::Series;
