//! Serialization with [serde] (feature `serde`): layers and networks, optimizers and their state,
//! schedules, losses, scalers, [`Trainer`](crate::train::Trainer), [`FitOptions`](crate::train::FitOptions),
//! [`History`](crate::train::callbacks::History), [`EarlyStopping`](crate::train::callbacks::EarlyStopping).
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! type Net = (Dense<2, 1, Tanh>, Dense<1, 1, Identity>);
//! let network = (Dense::from_rows([[0.5, -1.0]], [0.25]), Dense::from_rows([[2.0]], [0.0]));
//! let json = serde_json::to_string(&network)?;
//! assert_eq!(json, r#"[{"weight":[[0.5,-1.0]],"bias":[0.25]},{"weight":[[2.0]],"bias":[0.0]}]"#);
//! assert!(serde_json::from_str::<Net>(&json)? == network);
//!
//! // What does not fit the type is refused.
//! let error = serde_json::from_str::<(Dense<3, 1, Tanh>, Dense<1, 1, Identity>)>(&json).err();
//! assert!(error.is_some_and(|error| error.to_string().starts_with("invalid length 2, expected 3 numbers")));
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A network is an array of its layers. A `Dense` layer has its `weight` row by row, as on paper and in PyTorch;
//! buffers are there too, such as the running statistics of [`BatchNorm`](crate::layers::BatchNorm) and the seed of
//! [`Dropout`](crate::layers::Dropout). Activations and sizes are the type's, and not written.
//!
//! * *Values are read back to the bit.* With `serde_json` that needs its feature `float_roundtrip`; without it, a value
//!   may be off by one in the last place.
//! * *Text has no infinity and no NaN*: to write one as JSON, or to read one that is too large for its type, is an
//!   error. Binary formats such as `postcard` keep them. The loss of an [`FitReport`](crate::train::FitReport) that had
//!   no epoch is `null`, and so is the `best` of a new
//!   [`ReduceOnPlateau`](crate::optimizer::schedule::ReduceOnPlateau).
//! * *What does not fit is an error*: another width, a missing layer, a field that is missing or not known. A binary
//!   format writes neither names nor lengths and can't detect it; a `checkpoint` can.
//! * *A value is made on the stack* of the thread that reads it, and copied there a few times in an unoptimized build.
//!   `Deserialize::deserialize_in_place`, which serde does not document, reads layers and the state of optimizers in
//!   place, for instance in a box. (JSON, which names the fields of a layer, layer by layer.) After an error a part of
//!   the value is old and a part is new.
//!
//! A trainer that is read continues exactly as the one that was written. Layers, optimizers and random number
//! generators of your own need `#[derive(Serialize, Deserialize)]`, and a field of values names how they are written, [`array`](mod@array),
//! [`column`](mod@column) or [`rows`](mod@rows):
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! tuplenet::parameters! {
//!     /// A factor for each feature.
//!     #[derive(serde::Serialize, serde::Deserialize)]
//!     #[serde(bound = "T: Real")]
//!     pub struct Scale<const N: usize; T> {
//!         #[serde(with = "tuplenet::io::serde::array")]
//!         factor: [T; N] = Weight,
//!     }
//! }
//!
//! let scale: Scale<2> = serde_json::from_str(r#"{"factor":[0.5,2.0]}"#)?;
//! assert_eq!(serde_json::to_string(&scale)?, r#"{"factor":[0.5,2.0]}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! The random number generator that
//! [`seeded`](crate::seeded) returns needs rand's feature `serde`, which needs the standard library and is therefore
//! not turned on here.
//!
//! [serde]: https://serde.rs

mod images;
pub(crate) mod in_place;
pub mod states;

pub use crate::num::serde::{array, column, rows};
