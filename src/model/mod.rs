//! The model: shapes, parameters, the trait [`Layer`], chains of layers, and [`Network`], which has the methods
//! that users call.

#[cfg(feature = "std")]
pub(crate) mod boxed;
mod chain;
mod formula;
mod from_to;
mod graph;
pub(crate) mod jacobian;
pub(crate) mod layer;
pub(crate) mod network;
mod parameters;
pub(crate) mod params;
#[cfg(feature = "serde")]
mod state_values;
mod stateful;
mod stream;
pub(crate) mod summary;

pub use crate::data::shape::{Batch, Features, Grid, Image, Sequence, Shape};
pub use crate::kernel::Pass;
pub use crate::num::zeroed::{Aligned, Zeroed};
pub use chain::ChainCache;
#[doc(hidden)]
pub use formula::{BatchIn, BatchOut, backward_by_formula, infer_by_formula};
pub use formula::{Formula, SampleIn, SampleOut};
pub use from_to::{Between, FromTo, Predict};
pub use graph::{Op, OverTime, RecurrentCell, Windows};
pub use layer::{InputShape, LastActivation, Layer, Model, Out, Trainable, assert_shapes};
#[doc(hidden)]
pub use network::initialize;
pub use network::{Columns, InputSample, Network, OutputSample};
pub use parameters::Values;
pub use params::{Element, Kind, Parameter, Params, Visit, Visitor, VisitorMut, fill, is_finite};
#[cfg(feature = "serde")]
pub use state_values::StateValues;
pub use stateful::Stateful;
pub use stream::{OneStep, Step, Stream, StreamOut, StreamState};
pub use summary::{Cost, Description, Position, Summary};

// For what macros write in the code of users.
#[doc(hidden)]
pub use {fearless_simd::Simd, rand::Rng};
