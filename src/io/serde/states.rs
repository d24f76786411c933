//! The states of streams, as one sequence of values: for `#[serde(with = "tuplenet::io::serde::states")]` at a field that is the
//! state of a stream, or an array of such states. What is read back has the same bits.
//!
//! # Examples
//!
//! A training run through windows of a long series, saved in the middle of an epoch:
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tuplenet::layers::{Gru, Input, Steps};
//! use tuplenet::model::StreamState;
//! use tuplenet::prelude::*;
//!
//! type Net = (Input<Sequence<2, 1>>, Gru<1, 40>, Steps<Dense<40, 1, Identity>>);
//!
//! #[derive(Serialize, Deserialize)]
//! struct Saved {
//!     trainer: Trainer<Net, MeanSquaredError, Sgd, ()>,
//!     #[serde(with = "tuplenet::io::serde::states")]
//!     states: [StreamState<Net>; 2],
//! }
//!
//! let network = Net::new(&mut seeded(0));
//! let states = [network.state(); 2];
//! let mut run = Saved { trainer: Trainer::new(network, MeanSquaredError, Sgd::new(0.1), ()), states };
//! run.trainer.step_from(&mut run.states, &[[[0.5], [0.1]], [[0.2], [0.3]]], &[[[0.1], [0.0]]; 2])?;
//!
//! let mut again: Saved = serde_json::from_str(&serde_json::to_string(&run)?)?;
//! assert!(again.states == run.states);
//! let next = (&[[[0.4], [0.7]], [[0.0], [0.9]]], &[[[0.3], [0.6]]; 2]);
//! let loss = run.trainer.step_from(&mut run.states, next.0, next.1)?;
//! assert_eq!(again.trainer.step_from(&mut again.states, next.0, next.1)?, loss);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::model::{StateValues, Zeroed};
use core::fmt;
use core::marker::PhantomData;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};

/// Writes states.
///
/// # Errors
///
/// Those of the format.
pub fn serialize<ST: StateValues + Clone, S: Serializer>(states: &ST, serializer: S) -> Result<S::Ok, S::Error> {
    let (mut states, mut count) = (states.clone(), 0);
    states.values(&mut |_| count += 1);
    let mut sequence = serializer.serialize_seq(Some(count))?;
    let mut result = Ok(());
    states.values(&mut |value| {
        if result.is_ok() {
            result = sequence.serialize_element(value);
        }
    });
    result?;
    sequence.end()
}

/// Reads states.
///
/// # Errors
///
/// Those of the format, and if there are not as many values as the states have.
pub fn deserialize<'de, ST: StateValues + Zeroed, D: Deserializer<'de>>(deserializer: D) -> Result<ST, D::Error> {
    struct Values<ST>(PhantomData<ST>);

    impl<'de, ST: StateValues + Zeroed> Visitor<'de> for Values<ST> {
        type Value = ST;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the values of the states of streams")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<ST, A::Error> {
            let (mut states, mut found) = (ST::ZEROED, 0);
            let mut result = Ok(());
            states.values(&mut |value| {
                if result.is_ok() {
                    result = match sequence.next_element() {
                        Ok(Some(read)) => {
                            *value = read;
                            found += 1;
                            Ok(())
                        }
                        Ok(None) => Err(A::Error::invalid_length(found, &"as many values as the states have")),
                        Err(error) => Err(error),
                    };
                }
            });
            result?;
            if sequence.next_element::<f64>()?.is_some() {
                return Err(A::Error::invalid_length(found + 1, &"as many values as the states have"));
            }
            Ok(states)
        }
    }
    deserializer.deserialize_seq(Values(PhantomData))
}
