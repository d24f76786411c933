//! Inspection of networks: [`gradient_check`] of their derivatives, their [`curvature`], their [`memory`], and [`Laplace`], how
//! certain their predictions are.

pub mod curvature;
mod gradient_check;
mod laplace;
pub mod memory;

pub use gradient_check::{GradientCheck, gradient_check};
pub use laplace::{Laplace, Uncertain};
