//! Large values are deserialized in place, so that a network in a box needs no stack: serde offers that
//! by `deserialize_in_place`, and its tuples and ours pass it on to the layers.

use crate::activation::Activation;
use crate::layers::{Dense, Residual};
use crate::model::{Visit, Zeroed};
use crate::num::Real;
use crate::num::serde::{self as numbers, Places, Rows};
use crate::optimizer::{Optimizer, OptimizerState, PerParameter, StateLayout};
use core::fmt;
use core::marker::PhantomData;
use nalgebra::{SMatrix, SVector};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Serialize, Serializer};

/// A struct whose fields are read in place. Formats that write their names don't keep an order; from those the
/// fields are read as values.
pub(crate) trait Fields<'de> {
    const NAME: &'static str;
    const NAMES: &'static [&'static str];

    /// Reads the fields in their order.
    fn in_order<A: SeqAccess<'de>>(&mut self, fields: Ordered<'de, A>) -> Result<(), A::Error>;

    /// Reads the fields by their names.
    fn by_name<D: Deserializer<'de>>(&mut self, fields: D) -> Result<(), D::Error>;
}

/// The fields of a struct, and how many have been read.
pub(crate) struct Ordered<'de, A> {
    fields: A,
    read: usize,
    name: &'static str,
    borrowed: PhantomData<&'de ()>,
}

impl<'de, A: SeqAccess<'de>> Ordered<'de, A> {
    pub fn next(&mut self, seed: impl DeserializeSeed<'de, Value = ()>) -> Result<(), A::Error> {
        match self.fields.next_element_seed(seed)? {
            Some(()) => self.read += 1,
            None => return Err(A::Error::invalid_length(self.read, &self.name)),
        }
        Ok(())
    }
}

struct Filling<'a, V>(&'a mut V);

impl<'de, V: Fields<'de>> Visitor<'de> for Filling<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", V::NAME)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        self.0.in_order(Ordered { fields, read: 0, name: V::NAME, borrowed: PhantomData })
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<(), A::Error> {
        self.0.by_name(MapAccessDeserializer::new(fields))
    }
}

pub(crate) fn fill<'de, V: Fields<'de>, D: Deserializer<'de>>(deserializer: D, place: &mut V) -> Result<(), D::Error> {
    deserializer.deserialize_struct(V::NAME, V::NAMES, Filling(place))
}

/// Reads a value in place.
pub(crate) struct Place<'a, V>(pub &'a mut V);

impl<'de, V: Deserialize<'de>> DeserializeSeed<'de> for Place<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        V::deserialize_in_place(deserializer, self.0)
    }
}

/// Reads a value, or none, in place.
pub(crate) struct OptionalPlace<'a, V>(pub &'a mut Option<V>);

impl<'de, V: Deserialize<'de> + Zeroed> DeserializeSeed<'de> for OptionalPlace<'_, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, V: Deserialize<'de> + Zeroed> Visitor<'de> for OptionalPlace<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("option")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        *self.0 = None;
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        V::deserialize_in_place(deserializer, self.0.get_or_insert(V::ZEROED))
    }
}

impl<'de, const IN: usize, const OUT: usize, A: Activation, T: Real> Fields<'de> for Dense<IN, OUT, A, T> {
    const NAME: &'static str = "Dense";
    const NAMES: &'static [&'static str] = &["weight", "bias"];

    fn in_order<S: SeqAccess<'de>>(&mut self, mut fields: Ordered<'de, S>) -> Result<(), S::Error> {
        fields.next(Rows::<_, OUT, IN>(self.weight.as_mut_slice()))?;
        fields.next(Places::all(self.bias.as_mut_slice()))
    }

    fn by_name<D: Deserializer<'de>>(&mut self, fields: D) -> Result<(), D::Error> {
        #[derive(Deserialize)]
        #[serde(bound = "T: Real", deny_unknown_fields)]
        struct Named<const IN: usize, const OUT: usize, T> {
            #[serde(with = "numbers::rows")]
            weight: SMatrix<T, OUT, IN>,
            #[serde(with = "numbers::column")]
            bias: SVector<T, OUT>,
        }
        let Named { weight, bias } = Named::deserialize(fields)?;
        (self.weight, self.bias) = (weight, bias);
        Ok(())
    }
}

impl<'de, const IN: usize, const OUT: usize, A: Activation, T: Real> Deserialize<'de> for Dense<IN, OUT, A, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut dense = Self::ZEROED;
        fill(deserializer, &mut dense)?;
        Ok(dense)
    }

    fn deserialize_in_place<D: Deserializer<'de>>(deserializer: D, place: &mut Self) -> Result<(), D::Error> {
        fill(deserializer, place)
    }
}

/// As many networks, each read in place.
impl<N: Serialize, const VALUES: usize> Serialize for PerParameter<N, VALUES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut networks = serializer.serialize_tuple(VALUES)?;
        for network in &self.0 {
            networks.serialize_element(network)?;
        }
        networks.end()
    }
}

struct EachInPlace<'a, N>(&'a mut [N]);

impl<'de, N: Deserialize<'de>> Visitor<'de> for EachInPlace<'_, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values for each parameter", self.0.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut networks: A) -> Result<(), A::Error> {
        for (read, network) in self.0.iter_mut().enumerate() {
            if networks.next_element_seed(Place(network))?.is_none() {
                return Err(A::Error::invalid_length(
                    read,
                    &"as many values as the optimizer keeps for each parameter",
                ));
            }
        }
        Ok(())
    }
}

impl<'de, N: Deserialize<'de> + Zeroed, const VALUES: usize> Deserialize<'de> for PerParameter<N, VALUES> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut networks = Self::ZEROED;
        Self::deserialize_in_place(deserializer, &mut networks)?;
        Ok(networks)
    }

    fn deserialize_in_place<D: Deserializer<'de>>(deserializer: D, place: &mut Self) -> Result<(), D::Error> {
        deserializer.deserialize_tuple(VALUES, EachInPlace(&mut place.0))
    }
}

impl<'de, O, N> Fields<'de> for OptimizerState<O, N>
where
    O: Optimizer<Shared: Deserialize<'de>>,
    N: Visit<O::Scalar>,
    <O::State as StateLayout>::ForNetwork<N>: Deserialize<'de>,
{
    const NAME: &'static str = "OptimizerState";
    const NAMES: &'static [&'static str] = &["per_parameter", "shared"];

    fn in_order<S: SeqAccess<'de>>(&mut self, mut fields: Ordered<'de, S>) -> Result<(), S::Error> {
        fields.next(Place(&mut self.per_parameter))?;
        fields.next(Place(&mut self.shared))
    }

    fn by_name<D: Deserializer<'de>>(&mut self, fields: D) -> Result<(), D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Named<P, S> {
            per_parameter: P,
            shared: S,
        }
        let Named { per_parameter, shared } = Named::deserialize(fields)?;
        *self = OptimizerState { per_parameter, shared };
        Ok(())
    }
}

impl<'de, O, N> Deserialize<'de> for OptimizerState<O, N>
where
    O: Optimizer<Shared: Deserialize<'de>>,
    N: Visit<O::Scalar>,
    <O::State as StateLayout>::ForNetwork<N>: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut state = Self::ZEROED;
        fill(deserializer, &mut state)?;
        Ok(state)
    }

    fn deserialize_in_place<D: Deserializer<'de>>(deserializer: D, place: &mut Self) -> Result<(), D::Error> {
        fill(deserializer, place)
    }
}

/// As the layer inside.
impl<L: Serialize> Serialize for Residual<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, L: Deserialize<'de>> Deserialize<'de> for Residual<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        L::deserialize(deserializer).map(Residual)
    }

    fn deserialize_in_place<D: Deserializer<'de>>(deserializer: D, place: &mut Self) -> Result<(), D::Error> {
        L::deserialize_in_place(deserializer, &mut place.0)
    }
}
