//! Convolutions through serde: their weights in one sequence, in the order of memory, and their biases in another.

use super::in_place::{Fields, Ordered, fill};
use crate::activation::Activation;
use crate::layers::{Conv2d, ConvTranspose2d, GroupedConv2d, RectangularConv2d};
use crate::model::{Image, Zeroed};
use crate::num::Real;
use crate::num::serde::Places;
use core::fmt;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

const NAMES: &[&str] = &["weight", "bias"];

/// The weights and biases of a convolution, which are read by their names.
struct Named<'a, T> {
    name: &'static str,
    weight: &'a mut [T],
    bias: &'a mut [T],
}

impl<'de, T: Real> Visitor<'de> for Named<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "struct {}", self.name)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "lowercase")]
        enum Name {
            Weight,
            Bias,
        }
        let (mut weight, mut bias) = (Some(self.weight), Some(self.bias));
        while let Some(name) = fields.next_key()? {
            let (values, name) = match name {
                Name::Weight => (weight.take(), NAMES[0]),
                Name::Bias => (bias.take(), NAMES[1]),
            };
            let values = values.ok_or_else(|| M::Error::duplicate_field(name))?;
            fields.next_value_seed(Places::all(values))?;
        }
        for (left, name) in [(weight.is_some(), NAMES[0]), (bias.is_some(), NAMES[1])] {
            if left {
                return Err(M::Error::missing_field(name));
            }
        }
        Ok(())
    }
}

macro_rules! convolution {
    ($name:ident, $text:literal, [$($sizes:ident)+], [$($window:ident)+]) => {
        convolution! {
            @impls $name, $text,
            [
                const C: usize, const H: usize, const W: usize, const D: usize, const OH: usize, const OW: usize,
                $(const $sizes: usize,)+ A: Activation, $(const $window: usize,)+ T: Real
            ],
            $name<Image<C, H, W>, Image<D, OH, OW>, $($sizes,)+ A, $($window,)+ T>
        }
    };
    (@impls $name:ident, $text:literal, [$($generics:tt)*], $layer:ty) => {
        impl<$($generics)*> Serialize for $layer {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut fields = serializer.serialize_struct($text, 2)?;
                fields.serialize_field(NAMES[0], &Places::of(self.weights()))?;
                fields.serialize_field(NAMES[1], &Places::of(&self.bias))?;
                fields.end()
            }
        }

        impl<'de, $($generics)*> Fields<'de> for $layer {
            const NAME: &'static str = $text;
            const NAMES: &'static [&'static str] = NAMES;

            fn in_order<Q: SeqAccess<'de>>(&mut self, mut fields: Ordered<'de, Q>) -> Result<(), Q::Error> {
                fields.next(Places::all(self.weights_mut()))?;
                fields.next(Places::all(&mut self.bias))
            }

            fn by_name<M: Deserializer<'de>>(&mut self, fields: M) -> Result<(), M::Error> {
                let weight = self.weight.as_flattened_mut().as_flattened_mut().as_flattened_mut();
                fields.deserialize_map(Named { name: $text, weight, bias: &mut self.bias })
            }
        }

        impl<'de, $($generics)*> Deserialize<'de> for $layer {
            fn deserialize<M: Deserializer<'de>>(deserializer: M) -> Result<Self, M::Error> {
                let mut layer = Self::ZEROED;
                fill(deserializer, &mut layer)?;
                Ok(layer)
            }

            fn deserialize_in_place<M: Deserializer<'de>>(deserializer: M, place: &mut Self) -> Result<(), M::Error> {
                fill(deserializer, place)
            }
        }
    };
}

convolution!(Conv2d, "Conv2d", [K], [STRIDE PADDING DILATION]);
convolution!(RectangularConv2d, "RectangularConv2d", [KH KW], [SH SW PH PW DH DW]);
convolution!(GroupedConv2d, "GroupedConv2d", [K INPUTS], [STRIDE PADDING DILATION]);
convolution!(ConvTranspose2d, "ConvTranspose2d", [K], [STRIDE PADDING DILATION]);
