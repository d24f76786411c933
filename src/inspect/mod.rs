//! Inspection of networks before use: [`gradient_check`] of their derivatives, and their [`memory`].

mod gradient_check;
pub mod memory;

pub use gradient_check::{GradientCheck, gradient_check};
