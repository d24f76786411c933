//! The model: shapes, parameters, the trait [`Layer`], chains of layers, and [`Network`], which has the methods
//! that users call.

#[cfg(feature = "std")]
pub(crate) mod boxed;
mod chain;
mod from_to;
mod graph;
pub(crate) mod layer;
pub(crate) mod network;
pub(crate) mod params;
mod shape;
pub(crate) mod summary;

pub use crate::kernel::Pass;
pub use crate::num::zeroed::{Aligned, Zeroed};
pub use chain::ChainCache;
pub use from_to::{FromTo, Predict};
pub use graph::Op;
pub use layer::{InputShape, LastActivation, Layer, assert_shapes};
pub use network::{Columns, Network};
pub use params::{Element, HasScalar, Kind, Parameter, Params, Visitor, VisitorMut, fill, is_finite};
pub use shape::{Batch, Features, Shape};
pub use summary::{Cost, Description, Place, Summary};
