//! What one wants to know of a network before it is trusted: whether its derivatives are right, and how much memory it takes.

mod gradient_check;
pub mod memory;

pub use gradient_check::{GradientCheck, gradient_check};
