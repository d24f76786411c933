//! Networks in integers as source code and files.

mod rust;

pub use rust::{quantized_rust_expression, quantized_rust_source};
