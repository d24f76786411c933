//! The number types of a network, `f32` and `f64`, on vector lanes; [`math`] has `exp`, `tanh` and friends.

pub(crate) mod dispatch;
pub(crate) mod float;
mod fused;
pub mod math;
pub(crate) mod random;
mod real;
#[cfg(feature = "serde")]
pub(crate) mod serde;
pub(crate) mod zeroed;

pub use real::{Lanes, Real, Terms};
pub(crate) use real::{SCALAR, lanes, number, root_of_f32, root_of_f64};
