//! A [`Trainer`] as serde writes it.

use crate::layer::{Entrance, Layer};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::trainer::Trainer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a training goes on with. The gradient is zero between steps, and the workspace is written before it is read.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Trainer", deny_unknown_fields)]
pub(crate) struct Parts<N, L, O, R, S> {
    pub network: N,
    pub loss: L,
    pub optimizer: O,
    pub rng: R,
    pub epochs: usize,
    pub state: S,
}

impl<N, L, O, R, const B: usize> Serialize for Trainer<N, L, O, R, B>
where
    N: Entrance + Layer<<N as Entrance>::In> + Serialize,
    L: Serialize,
    O: Optimizer<Scalar = N::Scalar> + Serialize,
    OptimizerState<O, N>: Serialize,
    R: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Trainer { network, loss, optimizer, rng, epochs, state, .. } = self;
        Parts { network, loss, optimizer, rng, epochs: *epochs, state }.serialize(serializer)
    }
}

impl<'de, N, L, O, R, const B: usize> Deserialize<'de> for Trainer<N, L, O, R, B>
where
    N: Entrance + Layer<<N as Entrance>::In> + Deserialize<'de>,
    L: Deserialize<'de>,
    O: Optimizer<Scalar = N::Scalar> + Deserialize<'de>,
    OptimizerState<O, N>: Deserialize<'de>,
    R: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::<N, L, O, R, OptimizerState<O, N>>::deserialize(deserializer)?;
        let Parts { network, loss, optimizer, rng, epochs, state } = parts;
        optimizer.check().map_err(serde::de::Error::custom)?;
        let mut trainer = Trainer::with_tile(network, loss, optimizer, rng);
        (trainer.epochs, trainer.state) = (epochs, state);
        Ok(trainer)
    }
}
