//! Serialization of scalars, arrays and matrices. Each module is for a field: `serde(with = "..")`.

use crate::num::Real;
use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, Error as _, Expected, IgnoredAny, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeTuple, Serializer};
use serde::{Deserialize, Serialize};

/// A scalar. `Real` does not imply serde's traits, but its two types implement them.
struct Number<T>(T);

impl<T: Real> Serialize for Number<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() && !self.0.is_finite() {
            // JSON cannot represent it; what a library writes instead, such as `null`, cannot be read back.
            let found = if self.0.is_nan() { "NaN" } else { "an infinite one" };
            return Err(S::Error::custom(format_args!("expected a finite number to write as text, found {found}")));
        }
        if let Ok(number) = bytemuck::try_cast::<T, f32>(self.0) {
            return serializer.serialize_f32(number);
        }
        match bytemuck::try_cast::<T, f64>(self.0) {
            Ok(number) => serializer.serialize_f64(number),
            Err(_) => Err(S::Error::custom("expected f32 or f64")),
        }
    }
}

impl<'de, T: Real> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_text = deserializer.is_human_readable();
        let number = if size_of::<T>() == size_of::<f32>() {
            bytemuck::try_cast(f32::deserialize(deserializer)?)
        } else {
            bytemuck::try_cast(f64::deserialize(deserializer)?)
        };
        let number: T = number.map_err(|_| D::Error::custom("expected f32 or f64"))?;
        if is_text && !number.is_finite() {
            let bits = 8 * size_of::<T>();
            return Err(D::Error::custom(format_args!(
                "expected a number within the range of f{bits}, found a larger one"
            )));
        }
        Ok(Number(number))
    }
}

/// `count` of the `values`: every `step`th from index `first` on, such as a row of a matrix that is stored column
/// by column.
pub struct Places<V> {
    values: V,
    first: usize,
    step: usize,
    count: usize,
}

impl<'a, T> Places<&'a mut [T]> {
    /// All values.
    pub fn all(values: &'a mut [T]) -> Self {
        Places { first: 0, step: 1, count: values.len(), values }
    }
}

impl<'a, T> Places<&'a [T]> {
    /// All values, to be written.
    pub fn of(values: &'a [T]) -> Self {
        Places { first: 0, step: 1, count: values.len(), values }
    }
}

impl<T: Real> Serialize for Places<&[T]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.count)?;
        for value in self.values.iter().skip(self.first).step_by(self.step).take(self.count) {
            tuple.serialize_element(&Number(*value))?;
        }
        tuple.end()
    }
}

impl<'de, T: Real> DeserializeSeed<'de> for Places<&mut [T]> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_tuple(self.count, self)
    }
}

impl<'de, T: Real> Visitor<'de> for Places<&mut [T]> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} number{}", self.count, if self.count == 1 { "" } else { "s" })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for index in 0..self.count {
            match (elements.next_element()?, self.values.get_mut(self.first + index * self.step)) {
                (Some(Number(value)), Some(element)) => *element = value,
                _ => return Err(A::Error::invalid_length(index, &self)),
            }
        }
        end(elements, self.count, &self)
    }
}

/// Fails if there are more elements than the `count` that were read.
fn end<'de, A: SeqAccess<'de>>(mut elements: A, count: usize, expected: &dyn Expected) -> Result<(), A::Error> {
    let mut found = count;
    while elements.next_element::<IgnoredAny>()?.is_some() {
        found += 1;
    }
    if found == count { Ok(()) } else { Err(A::Error::invalid_length(found, expected)) }
}

/// A matrix of `R` rows and `C` columns that is stored column by column.
pub struct Rows<V, const R: usize, const C: usize>(pub V);

impl<T: Real, const R: usize, const C: usize> Serialize for Rows<&[T], R, C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(R)?;
        for row in 0..R {
            tuple.serialize_element(&Places { values: self.0, first: row, step: R, count: C })?;
        }
        tuple.end()
    }
}

impl<'de, T: Real, const R: usize, const C: usize> DeserializeSeed<'de> for Rows<&mut [T], R, C> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_tuple(R, self)
    }
}

impl<'de, T: Real, const R: usize, const C: usize> Visitor<'de> for Rows<&mut [T], R, C> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |count| if count == 1 { "" } else { "s" };
        write!(f, "{R} row{} of {C} number{}", s(R), s(C))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        for row in 0..R {
            let places = Places { values: &mut self.0[..], first: row, step: R, count: C };
            if elements.next_element_seed(places)?.is_none() {
                return Err(A::Error::invalid_length(row, &self));
            }
        }
        end(elements, R, &self)
    }
}

/// A scalar.
pub mod one {
    use super::*;

    pub fn serialize<T: Real, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        Number(*value).serialize(serializer)
    }

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Number::deserialize(deserializer).map(|Number(value)| value)
    }
}

/// A scalar, where NaN means none.
pub mod one_or_nan {
    use super::*;

    pub fn serialize<T: Real, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        (!value.is_nan()).then_some(Number(*value)).serialize(serializer)
    }

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(T::nan(), |Number(value)| value))
    }
}

/// A scalar, where infinity means none.
pub mod one_or_infinity {
    use super::*;

    pub fn serialize<T: Real, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        (*value != T::infinity()).then_some(Number(*value)).serialize(serializer)
    }

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(T::infinity(), |Number(value)| value))
    }
}

/// An array.
pub mod array {
    use super::*;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// If the format is text and a value is infinite or NaN, or if the serializer fails.
    pub fn serialize<T: Real, S: Serializer, const N: usize>(
        values: &[T; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Places { values: &values[..], first: 0, step: 1, count: N }.serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// If there are not as many values, or one is out of the range of the type, or if the deserializer fails.
    pub fn deserialize<'de, T: Real, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[T; N], D::Error> {
        let mut values = [T::ZERO; N];
        Places::all(&mut values).deserialize(deserializer)?;
        Ok(values)
    }
}

/// A column, as an array.
pub mod column {
    use super::*;
    use crate::num::zeroed::Zeroed;
    use nalgebra::SVector;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// If the format is text and a value is infinite or NaN, or if the serializer fails.
    pub fn serialize<T: Real, S: Serializer, const N: usize>(
        column: &SVector<T, N>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        array::serialize(&column.data.0[0], serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// If there are not as many values, or one is out of the range of the type, or if the deserializer fails.
    pub fn deserialize<'de, T: Real, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<SVector<T, N>, D::Error> {
        let mut column = SVector::<T, N>::ZEROED;
        column.data.0[0] = array::deserialize(deserializer)?;
        Ok(column)
    }
}

/// A matrix, as an array of its rows.
pub mod rows {
    use super::*;
    use crate::num::zeroed::Zeroed;
    use nalgebra::SMatrix;

    /// Writes it.
    ///
    /// # Errors
    ///
    /// If the format is text and a value is infinite or NaN, or if the serializer fails.
    pub fn serialize<T: Real, S: Serializer, const R: usize, const C: usize>(
        matrix: &SMatrix<T, R, C>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Rows::<_, R, C>(matrix.as_slice()).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// If there are not as many values, or one is out of the range of the type, or if the deserializer fails.
    pub fn deserialize<'de, T: Real, D: Deserializer<'de>, const R: usize, const C: usize>(
        deserializer: D,
    ) -> Result<SMatrix<T, R, C>, D::Error> {
        let mut matrix = SMatrix::<T, R, C>::ZEROED;
        Rows::<_, R, C>(matrix.as_mut_slice()).deserialize(deserializer)?;
        Ok(matrix)
    }
}

/// A list of any length.
#[cfg(feature = "alloc")]
pub mod list {
    use super::*;
    use alloc::vec::Vec;

    pub fn serialize<T: Real, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Number(*value)))
    }

    struct List<T>(Vec<T>);

    impl<'de, T: Real> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of values")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Vec<T>, A::Error> {
            // The length that the input states is not trusted before the elements are there.
            while let Some(Number(value)) = elements.next_element()? {
                self.0.push(value);
            }
            Ok(self.0)
        }
    }

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(List(Vec::new()))
    }
}

/// The weights of gates by each input, `[[[T; H]; GATES]; K]`, one after the other as they are in memory.
pub mod gates {
    use super::*;

    pub fn serialize<T: Real, S: Serializer, const H: usize, const GATES: usize, const K: usize>(
        values: &[[[T; H]; GATES]; K],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let values = values.as_flattened().as_flattened();
        Places { values, first: 0, step: 1, count: values.len() }.serialize(serializer)
    }

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>, const H: usize, const GATES: usize, const K: usize>(
        deserializer: D,
    ) -> Result<[[[T; H]; GATES]; K], D::Error> {
        let mut values = [[[T::ZERO; H]; GATES]; K];
        Places::all(values.as_flattened_mut().as_flattened_mut()).deserialize(deserializer)?;
        Ok(values)
    }
}

/// The biases of gates, `[[T; H]; GATES]`, one after the other as they are in memory.
pub mod gate_biases {
    use super::*;

    pub fn serialize<T: Real, S: Serializer, const H: usize, const GATES: usize>(
        values: &[[T; H]; GATES],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        gates::serialize(core::array::from_ref(values), serializer)
    }

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>, const H: usize, const GATES: usize>(
        deserializer: D,
    ) -> Result<[[T; H]; GATES], D::Error> {
        gates::deserialize(deserializer).map(|[values]| values)
    }
}
