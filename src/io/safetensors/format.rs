//! [`Safetensors`]: reads and writes a network in a safetensors file, with options.

use super::header::{self, Entry, Header};
use super::load_error::{LoadError, Name, Sizes};
use super::names::{Names, Path, Visit};
use super::norm;
use super::precision::Precision;
use crate::model::{Element, Kind, Parameter, Trainable, Visitor, VisitorMut};
use crate::num::Real;

/// How a network is stored in a safetensors file. [`DEFAULT`](Self::DEFAULT) is what PyTorch writes and reads.
///
/// # Examples
///
/// ```
/// use tuplenet::io::safetensors::{Names, Precision, Safetensors};
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<4, 16, Relu>, Dense<16, 2, Identity>);
/// let actor = Net::new(&mut seeded(0));
///
/// // As a module of a class has it: `actor.fc1.weight`; and in half the space.
/// let format = Safetensors {
///     inside: "actor",
///     names: Names::Modules(&["fc1", "fc2"]),
///     precision: Some(Precision::F16),
///     ..Safetensors::DEFAULT
/// };
/// let bytes = format.to_vec(&actor)?;
///
/// let mut copy = Net::new(&mut seeded(1));
/// format.read(&bytes, &mut copy)?;
/// assert!((actor.0.weight - copy.0.weight).abs().max() < 1e-3);
///
/// let error = Safetensors::DEFAULT.read(&bytes, &mut copy).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "tensor `0.weight`: expected [16, 4], found no tensor of that name, but `actor.fc1.weight`"
/// );
/// # Ok::<(), tuplenet::io::safetensors::LoadError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias("load_state_dict", "state_dict"))]
pub struct Safetensors<'a> {
    /// The names of the modules.
    pub names: Names<'a>,
    /// The module in which they are, `actor` for `actor.0.weight`, or nothing. Tensors outside of it may be in the file
    /// too, and are left alone.
    pub inside: &'a str,
    /// The type of the values in a file that is written; by default that of the network. A file that is read may have
    /// any.
    pub precision: Option<Precision>,
    /// Whether values may be infinite or NaN, and become infinite where they are too large for the type to which they
    /// are converted. By default they are an error, both when a file is read and when one is written.
    pub any_number: bool,
}

impl Default for Safetensors<'_> {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Safetensors<'_> {
    /// The names of a `torch.nn.Sequential`, and finite numbers.
    pub const DEFAULT: Self = Safetensors { names: Names::Sequential, inside: "", precision: None, any_number: false };

    /// Sets a network to the weights in a file, given as its bytes. Needs no heap.
    ///
    /// A [`Dropout`](crate::layers::Dropout) keeps its seed, which is in no file.
    ///
    /// # Errors
    ///
    /// If the bytes are not a safetensors file, or if it does not fit the network: a tensor is missing or unknown, has
    /// other sizes or a type that can't be converted, or has a value that is not finite. The network is then unchanged.
    pub fn read<N: Trainable>(&self, bytes: &[u8], network: &mut N) -> Result<(), LoadError> {
        let (text, data) = header::open(bytes)?;
        let header = self.check(text, Some(data.len() as u64), network)?;
        self.compare(&header, Some(data), network)?;
        let visit = Visit::new(self.names, self.inside);
        network.visit_mut([], &mut Set { header: &header, data, visit });
        Ok(())
    }

    /// The header of a file that fits the network, with as many bytes of tensors as there are or as it says.
    fn check<'t, N: Trainable>(&self, text: &'t [u8], data: Option<u64>, network: &N) -> Result<Header<'t>, LoadError> {
        let header = Header::new(text, Names::base(self.inside).as_str(), data)?;
        self.compare(&header, None, network)?;
        Ok(header)
    }

    /// Compares names and sizes with those of the network, and checks the values if there are any.
    fn compare<N: Trainable>(&self, header: &Header, data: Option<&[u8]>, network: &N) -> Result<(), LoadError> {
        let visit = Visit::new(self.names, self.inside);
        let mut compare = Compare { header, data, visit, any_number: self.any_number, count: 0, result: Ok(()) };
        network.visit(&mut compare);
        let is_of_network = |entry: &Entry| {
            let visit = Visit::new(self.names, self.inside);
            let mut look = Look { entry, visit, found: false };
            network.visit(&mut look);
            look.found
        };
        if let Err(mut load_error @ LoadError::Missing { .. }) = compare.result {
            let (mut entries, mut is_right) = (header.entries(), false);
            while let Some(entry) = entries.next()? {
                if !is_right && !is_of_network(&entry) {
                    entry.suggest(&mut load_error, &mut is_right);
                }
            }
            return Err(load_error);
        }
        compare.result?;
        compare.visit.end()?;
        if compare.count < header.count {
            // One of the first, as each of the network's is there once.
            let mut entries = header.entries();
            while let Some(entry) = entries.next()? {
                if entry.begins_with(Names::base(self.inside).as_str()) && !is_of_network(&entry) {
                    return Err(LoadError::Extra { tensor: entry.name(), found: entry.sizes });
                }
            }
        }
        if self.inside.is_empty() { header.check_order() } else { Ok(()) }
    }

    /// Calls `sink` with the bytes of a file with the network's weights, piece by piece. Needs no heap.
    ///
    /// # Errors
    ///
    /// If the network has a value that is not finite, or that is too large for the type of the file, if the names do
    /// not fit the network, or if one is too long.
    pub fn write<N: Trainable>(&self, network: &N, sink: &mut impl FnMut(&[u8])) -> Result<(), LoadError> {
        let precision = self.precision.unwrap_or(if N::Scalar::MANTISSA_BITS == f32::MANTISSA_BITS {
            Precision::F32
        } else {
            Precision::F64
        });
        let visit = || Visit::new(self.names, self.inside);
        let mut survey = Survey { precision, any_number: self.any_number, visit: visit(), counts: 0, result: Ok(()) };
        network.visit(&mut survey);
        survey.result?;
        survey.visit.end()?;

        // Counts come first, so that each tensor begins at a multiple of its numbers' size.
        let values = 8 * survey.counts;
        let mut length = 0;
        let head = |sink: &mut dyn FnMut(&[u8])| {
            sink(b"{\"__metadata__\":{\"format\":\"pt\"}");
            network.visit(&mut LastActivation { precision, visit: visit(), count_at: 0, value_at: values, sink });
            sink(b"}");
        };
        head(&mut |bytes| length += bytes.len());
        let spaces = length.next_multiple_of(8) - length;
        sink(&((length + spaces) as u64).to_le_bytes());
        head(sink);
        sink(&b"       "[..spaces]);
        network.visit(&mut Body { precision, counts: true, sink });
        network.visit(&mut Body { precision, counts: false, sink });
        Ok(())
    }

    /// Returns the bytes of a file with the network's weights.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write), and if the file could not be [read](Self::read) again.
    #[cfg(feature = "alloc")]
    pub fn to_vec<N: Trainable>(&self, network: &N) -> Result<alloc::vec::Vec<u8>, LoadError> {
        let mut bytes = alloc::vec::Vec::new();
        self.write(network, &mut |piece| bytes.extend_from_slice(piece))?;
        let (text, data) = header::open(&bytes)?;
        let header = self.check(text, Some(data.len() as u64), network)?;
        self.compare(&header, Some(data), network)?;
        Ok(bytes)
    }
}

#[cfg(feature = "std")]
mod files {
    use super::*;
    use crate::io::safetensors::FileError;
    use crate::io::safetensors::header::LENGTH_BYTES;
    use alloc::vec::Vec;
    use std::io::{Read, Write};
    use std::path::Path;

    impl Safetensors<'_> {
        /// Sets a network to the weights in a file that comes from a reader, up to its end.
        ///
        /// The tensors are read only if the header fits the network, and no memory is allocated for what a header
        /// merely claims.
        ///
        /// # Errors
        ///
        /// As [`read`](Self::read), and if the reader fails. The network is then unchanged.
        pub fn read_from<N: Trainable>(&self, mut reader: impl Read, network: &mut N) -> Result<(), FileError> {
            let mut bytes = Vec::new();
            reader.by_ref().take(LENGTH_BYTES as u64).read_to_end(&mut bytes)?;
            let length = match header::header_length(&bytes) {
                Ok(length) => length,
                Err(load_error) => {
                    // The beginning of the file may show which other format it has.
                    reader.take(crate::io::safetensors::foreign::TELLING as u64).read_to_end(&mut bytes)?;
                    return Err(header::open(&bytes).err().unwrap_or(load_error).into());
                }
            };
            reader.by_ref().take(length as u64).read_to_end(&mut bytes)?;
            let data = {
                let (text, _) = header::open(&bytes)?;
                self.check(text, None, network)?.data
            };
            // One byte more than there should be, to detect that there is more.
            reader.take(data.saturating_add(1)).read_to_end(&mut bytes)?;
            Ok(self.read(&bytes, network)?)
        }

        /// Sets a network to the weights in the file at `path`.
        ///
        /// # Errors
        ///
        /// As [`read`](Self::read), and if the file can't be read. The network is then unchanged.
        pub fn load<N: Trainable>(&self, path: impl AsRef<Path>, network: &mut N) -> Result<(), FileError> {
            let path = path.as_ref();
            let result = std::fs::File::open(path).map_err(FileError::from);
            result.and_then(|file| self.read_from(file, network)).map_err(|error| error.at(path))
        }

        /// Writes a network to a writer.
        ///
        /// # Errors
        ///
        /// As [`to_vec`](Self::to_vec), and if the writer fails.
        pub fn write_to<N: Trainable>(&self, network: &N, mut writer: impl Write) -> Result<(), FileError> {
            writer.write_all(&self.to_vec(network)?)?;
            Ok(writer.flush()?)
        }

        /// Writes a network to the file at `path`, in place of the one that is there, all of it or nothing: see
        /// [`io::safetensors`](crate::io::safetensors#what-is-replaced).
        ///
        /// # Errors
        ///
        /// As [`to_vec`](Self::to_vec), and if the file can't be written. The old file is then unchanged.
        pub fn save<N: Trainable>(&self, network: &N, path: impl AsRef<Path>) -> Result<(), FileError> {
            let path = path.as_ref();
            let result = self.to_vec(network).map_err(FileError::from);
            result.and_then(|bytes| Ok(crate::io::file::save(path, &bytes)?)).map_err(|error| error.at(path))
        }
    }
}

/// The name of a value that is not finite after its conversion from `value`, for error messages.
pub(crate) const fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value.is_infinite() {
        "infinity"
    } else {
        "a number too large"
    }
}

pub(crate) const fn load_error_at(tensor: Name, parameter: &Parameter, index: usize, value: f64) -> LoadError {
    let (row, column) = ((index / parameter.columns) as u64, (index % parameter.columns) as u64);
    LoadError::NotFinite { tensor, row, column, found: not_finite(value) }
}

/// The bytes of a tensor.
fn part<'d>(data: &'d [u8], entry: &Entry) -> &'d [u8] {
    // Checked before: both are within the data.
    data.get(entry.begin as usize..entry.end as usize).unwrap_or(&[])
}

/// The count in a tensor's bytes.
pub(crate) const fn count(bytes: &[u8]) -> Option<u64> {
    let Some((bytes, _)) = bytes.split_first_chunk::<8>() else { return None };
    let value = i64::from_le_bytes(*bytes);
    if value < 0 || value as u64 > usize::MAX as u64 { None } else { Some(value as u64) }
}

macro_rules! visits {
    () => {
        fn enter(&mut self, element: Element) {
            self.visit.enter(element);
        }
        fn leave(&mut self) {
            self.visit.leave();
        }
    };
}

/// A visit of names and sizes alone.
macro_rules! tensors {
    () => {
        visits!();
        fn slice(&mut self, parameter: Parameter, _: &[T]) {
            self.tensor(&parameter);
        }
        fn buffer(&mut self, parameter: Parameter, _: &[T]) {
            self.tensor(&parameter);
        }
        fn count(&mut self, parameter: Parameter, _: u64) {
            self.tensor(&parameter);
        }
    };
}

/// Compares each tensor of a network with a file.
struct Compare<'h, 't> {
    header: &'h Header<'t>,
    data: Option<&'h [u8]>,
    visit: Visit<'h>,
    any_number: bool,
    /// How many tensors the network has.
    count: usize,
    result: Result<(), LoadError>,
}

impl Compare<'_, '_> {
    fn tensor<T: Real>(&mut self, parameter: &Parameter) -> Result<(), LoadError> {
        let layer = self.visit.layer()?;
        let entry = self.header.find(layer.as_str(), parameter.name, Sizes::of(parameter))?;
        self.count += 1;
        let is_count = matches!(parameter.kind, Kind::Count);
        let precision = if is_count { entry.check_count().map(|()| Precision::F64) } else { entry.precision() }?;
        let Some(data) = self.data else { return Ok(()) };
        let bytes = part(data, &entry);
        if is_count {
            return count(bytes).map(drop).ok_or(LoadError::Count { tensor: entry.name() });
        }
        if self.any_number {
            return Ok(());
        }
        for index in 0..parameter.rows * parameter.columns {
            let value = precision.read(bytes, index * precision.size());
            if !T::of(value).is_finite() {
                return Err(load_error_at(entry.name(), parameter, index, value));
            }
        }
        // The last of four, which are those of a batch normalization together.
        if parameter.kind == Kind::Buffer && parameter.name == norm::NAMES[3] {
            self.norm::<T>(&layer, data, parameter)?;
        }
        Ok(())
    }

    fn norm<T: Real>(&self, layer: &Path, data: &[u8], parameter: &Parameter) -> Result<(), LoadError> {
        let tensors = norm::NAMES.map(|name| {
            let entry = self.header.find(layer.as_str(), name, Sizes::of(parameter)).ok()?;
            Some((entry.precision().ok()?, part(data, &entry)))
        });
        // A layer of the user's may have other ones beside such a variance.
        let [Some(weight), Some(bias), Some(mean), Some(variance)] = tensors else { return Ok(()) };
        for row in 0..parameter.rows {
            let number = |(precision, bytes): (Precision, &[u8])| T::of(precision.read(bytes, row * precision.size()));
            let numbers = [weight, bias, mean, variance].map(|tensor| number(tensor).exact());
            norm::check(numbers, T::MANTISSA_BITS == f32::MANTISSA_BITS, layer, row)?;
        }
        Ok(())
    }
}

impl<T: Real> Visitor<T> for Compare<'_, '_> {
    visits!();
    fn slice(&mut self, parameter: Parameter, _: &[T]) {
        if self.result.is_ok() {
            self.result = self.tensor::<T>(&parameter);
        }
    }
    fn buffer(&mut self, parameter: Parameter, values: &[T]) {
        self.slice(parameter, values);
    }
    fn count(&mut self, parameter: Parameter, _: u64) {
        if self.result.is_ok() {
            self.result = self.tensor::<T>(&parameter);
        }
    }
}

/// Checks whether a network has a tensor.
struct Look<'h, 't> {
    entry: &'h Entry<'t>,
    visit: Visit<'h>,
    found: bool,
}

impl Look<'_, '_> {
    fn tensor(&mut self, parameter: &Parameter) {
        self.found |= self.visit.layer().is_ok_and(|layer| self.entry.is_called(layer.as_str(), parameter.name));
    }
}

impl<T: Real> Visitor<T> for Look<'_, '_> {
    tensors!();
}

/// Sets each tensor of a network to that of a file that fits.
struct Set<'h, 't> {
    header: &'h Header<'t>,
    data: &'h [u8],
    visit: Visit<'h>,
}

impl<'t> Set<'_, 't> {
    fn entry(&mut self, parameter: &Parameter) -> Option<Entry<'t>> {
        let layer = self.visit.layer().ok()?;
        self.header.find(layer.as_str(), parameter.name, Sizes::of(parameter)).ok()
    }

    fn set<T: Real>(&mut self, parameter: Parameter, values: &mut [T]) {
        let Some(entry) = self.entry(&parameter) else { return };
        let (Ok(precision), bytes) = (entry.precision(), part(self.data, &entry)) else { return };
        for index in 0..values.len() {
            values[parameter.index_of(index)] = T::of(precision.read(bytes, index * precision.size()));
        }
    }
}

impl<T: Real> VisitorMut<T, 0> for Set<'_, '_> {
    visits!();
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        self.set(parameter, values);
    }
    fn buffer(&mut self, parameter: Parameter, values: &mut [T]) {
        self.set(parameter, values);
    }
    fn count(&mut self, parameter: Parameter, value: &mut u64) {
        if let Some(found) = self.entry(&parameter).and_then(|entry| count(part(self.data, &entry))) {
            *value = found;
        }
    }
}

/// Finds why a network can't be written.
struct Survey<'a> {
    precision: Precision,
    any_number: bool,
    visit: Visit<'a>,
    /// How many counts there are.
    counts: u64,
    result: Result<(), LoadError>,
}

impl Survey<'_> {
    fn tensor<T: Real>(&mut self, parameter: &Parameter, values: &[T]) -> Result<(), LoadError> {
        let mut tensor = self.visit.layer()?;
        tensor.push(parameter.name);
        for index in 0..if self.any_number { 0 } else { values.len() } {
            let value = values[parameter.index_of(index)].exact();
            let (bytes, _) = self.precision.write(value);
            if !self.precision.read(&bytes, 0).is_finite() {
                return Err(load_error_at(Name::end_of(tensor.as_str()), parameter, index, value));
            }
        }
        Ok(())
    }
}

impl<T: Real> Visitor<T> for Survey<'_> {
    visits!();
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        if self.result.is_ok() {
            self.result = self.tensor(&parameter, values);
        }
    }
    fn buffer(&mut self, parameter: Parameter, values: &[T]) {
        self.slice(parameter, values);
    }
    fn count(&mut self, parameter: Parameter, _: u64) {
        self.counts += 1;
        self.slice(parameter, &[] as &[T]);
    }
}

/// Writes what the header says of each tensor.
struct LastActivation<'a, 's> {
    precision: Precision,
    visit: Visit<'a>,
    /// Where the bytes of the next count begin.
    count_at: u64,
    /// Where the bytes of the next other tensor begin.
    value_at: u64,
    sink: &'s mut dyn FnMut(&[u8]),
}

impl LastActivation<'_, '_> {
    fn tensor(&mut self, parameter: &Parameter) {
        let Ok(layer) = self.visit.layer() else { return };
        (self.sink)(b",\"");
        // Names of a user may have anything.
        for byte in layer.as_str().bytes().chain(parameter.name.bytes()) {
            match byte {
                b'"' | b'\\' => (self.sink)(&[b'\\', byte]),
                0..32 => {
                    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                    (self.sink)(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                }
                _ => (self.sink)(&[byte]),
            }
        }
        let sizes = Sizes::of(parameter);
        let (kind, size, at) = match parameter.kind {
            Kind::Count => ("I64", 8, &mut self.count_at),
            _ => (self.precision.name(), self.precision.size() as u64, &mut self.value_at),
        };
        let begin = *at;
        *at += size * (parameter.rows * parameter.columns) as u64;
        let end = *at;
        let mut words = crate::error::Text::<160>::new();
        words.push("\":{\"dtype\":\"");
        words.push(kind);
        words.push("\",\"shape\":[");
        for (index, size) in sizes.first.iter().take(sizes.rank).enumerate() {
            words.push(if index > 0 { "," } else { "" });
            words.push_number(u64::from(*size));
        }
        words.push("],\"data_offsets\":[");
        words.push_number(begin);
        words.push(",");
        words.push_number(end);
        words.push("]}");
        (self.sink)(words.as_str().as_bytes());
    }
}

impl<T: Real> Visitor<T> for LastActivation<'_, '_> {
    tensors!();
}

/// Writes the counts, or all other values.
struct Body<'s, S> {
    precision: Precision,
    counts: bool,
    sink: &'s mut S,
}

impl<T: Real, S: FnMut(&[u8])> Visitor<T> for Body<'_, S> {
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        for index in 0..if self.counts { 0 } else { values.len() } {
            let (bytes, size) = self.precision.write(values[parameter.index_of(index)].exact());
            (self.sink)(&bytes[..size]);
        }
    }
    fn buffer(&mut self, parameter: Parameter, values: &[T]) {
        self.slice(parameter, values);
    }
    fn count(&mut self, _: Parameter, value: u64) {
        if self.counts {
            (self.sink)(&i64::try_from(value).unwrap_or(i64::MAX).to_le_bytes());
        }
    }
}
