//! The layers, one room for each.

mod dense;

pub use dense::{Dense, DenseTrace};
