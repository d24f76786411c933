//! Serialization of a [`Trainer`] and of the state of early stopping.

use crate::io::serde::in_place::{Fields, OptionalPlace, Ordered, Place, fill};
use crate::model::Trainable;
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::Trainer;
use crate::train::callbacks::{Best, EarlyStoppingState};
use serde::de::SeqAccess;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a training run needs to resume. The gradient is zero between steps, and the workspace is written before it is
/// read.
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
    N: Trainable + Serialize,
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
    N: Trainable + Deserialize<'de>,
    L: Deserialize<'de>,
    O: Optimizer<Scalar = N::Scalar> + Deserialize<'de>,
    OptimizerState<O, N>: Deserialize<'de>,
    R: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::<N, L, O, R, OptimizerState<O, N>>::deserialize(deserializer)?;
        let Parts { network, loss, optimizer, rng, epochs, state } = parts;
        optimizer.check().map_err(serde::de::Error::custom)?;
        let mut trainer = Trainer::with_micro_batch(network, loss, optimizer, rng);
        (trainer.epochs, trainer.state) = (epochs, state);
        Ok(trainer)
    }
}

impl<'de, N: Deserialize<'de> + Trainable> Fields<'de> for EarlyStoppingState<N> {
    const NAME: &'static str = "EarlyStoppingState";
    const NAMES: &'static [&'static str] = &["best", "network", "stalled"];

    fn in_order<S: SeqAccess<'de>>(&mut self, mut fields: Ordered<'de, S>) -> Result<(), S::Error> {
        fields.next(Place(&mut self.best))?;
        fields.next(OptionalPlace(&mut self.network))?;
        fields.next(Place(&mut self.stalled))
    }

    fn by_name<D: Deserializer<'de>>(&mut self, fields: D) -> Result<(), D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named<N> {
            best: Option<Best>,
            network: Option<N>,
            stalled: usize,
        }
        let Named { best, network, stalled } = Named::deserialize(fields)?;
        *self = EarlyStoppingState { best, network, stalled };
        Ok(())
    }
}

impl<'de, N: Deserialize<'de> + Trainable> Deserialize<'de> for EarlyStoppingState<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut state = Self::default();
        fill(deserializer, &mut state)?;
        Ok(state)
    }

    fn deserialize_in_place<D: Deserializer<'de>>(deserializer: D, place: &mut Self) -> Result<(), D::Error> {
        fill(deserializer, place)
    }
}
