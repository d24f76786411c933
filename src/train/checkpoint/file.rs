//! The file format of checkpoints: a header, the type names, and the values as postcard writes them.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `tuplenet` |
//! | 4 | the version of this format |
//! | 4 | the CRC-32 of all that follows the header |
//! | 8 | how many bytes that is |
//! | | the names of the types, then the values |
//!
//! Integers are little-endian.

use super::{CheckpointError, CheckpointProblem};
use alloc::string::String;
use alloc::vec::Vec;
use crc32fast::Hasher;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

const MAGIC: [u8; 8] = *b"tuplenet";
const VERSION: u32 = 1;
const HEADER: usize = 24;

/// The parts of a checkpoint with the names of their types.
pub(super) type Kinds = [(&'static str, String); 4];

/// Computes length and checksum of what is written through it, and keeps the error of a failed write, which postcard
/// does not.
struct Summing<W> {
    to: W,
    hasher: Hasher,
    length: u64,
    error: Option<io::Error>,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.to.write(bytes) {
            Ok(count) => {
                self.hasher.update(&bytes[..count]);
                self.length += count as u64;
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                self.error = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Replaces the checkpoint at `path` atomically.
pub(super) fn write(path: &Path, kinds: &Kinds, values: &impl Serialize) -> Result<(), CheckpointError> {
    crate::io::file::replace(path, |file| write_into(file, kinds, values))
        .map_err(|error| CheckpointError::new(path, CheckpointProblem::Write(error)))
}

fn write_into(mut file: File, kinds: &Kinds, values: &impl Serialize) -> io::Result<File> {
    // Reserves space for the header, without which this is not a checkpoint.
    file.write_all(&[0; HEADER])?;
    let mut body = Summing { to: BufWriter::new(file), hasher: Hasher::new(), length: 0, error: None };
    let names = kinds.each_ref().map(|(_, name)| name);
    if let Err(error) = postcard::to_io(&(names, values), &mut body) {
        return Err(body.error.unwrap_or_else(|| io::Error::other(error)));
    }
    let Summing { to, hasher, length, .. } = body;
    let mut file = to.into_inner()?;
    file.seek(SeekFrom::Start(0))?;
    let mut header = Vec::with_capacity(HEADER);
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend(hasher.finalize().to_le_bytes());
    header.extend(length.to_le_bytes());
    file.write_all(&header)?;
    Ok(file)
}

/// Reads what follows the header of a checkpoint; `None` if there is no file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, CheckpointProblem> {
    match File::open(path) {
        Ok(mut file) => body(&mut file).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CheckpointProblem::Read(error)),
    }
}

/// The values of a checkpoint, after its type names, which must match.
pub(super) fn values(bytes: Vec<u8>, kinds: &Kinds) -> Result<Values, CheckpointProblem> {
    let (names, rest) = postcard::take_from_bytes::<[&str; 4]>(&bytes).map_err(|_| CheckpointProblem::Content)?;
    for ((what, expected), found) in kinds.iter().zip(names) {
        if expected != found {
            let (expected, found) = (expected.clone(), found.into());
            return Err(CheckpointProblem::Type { what, expected, found });
        }
    }
    let first = bytes.len() - rest.len();
    Ok(Values { bytes, first })
}

/// The values of a checkpoint, as postcard writes them.
pub(super) struct Values {
    bytes: Vec<u8>,
    first: usize,
}

impl Values {
    /// Calls `fill` to read the values; it must read all of them.
    pub(super) fn fill(&self, fill: impl FnOnce(&mut Source) -> postcard::Result<()>) -> Result<(), CheckpointProblem> {
        let mut source = postcard::Deserializer::from_bytes(&self.bytes[self.first..]);
        match fill(&mut source).and_then(|()| source.finalize()) {
            Ok([]) => Ok(()),
            _ => Err(CheckpointProblem::Content),
        }
    }
}

/// The deserializer of the values.
pub(super) type Source<'de> = postcard::Deserializer<'de, postcard::de_flavors::Slice<'de>>;

/// Reads what follows the header, and checks that it is complete.
fn body(file: &mut File) -> Result<Vec<u8>, CheckpointProblem> {
    let all = file.metadata().map_err(CheckpointProblem::Read)?.len();
    let mut header = Vec::new();
    file.take(HEADER as u64).read_to_end(&mut header).map_err(CheckpointProblem::Read)?;
    if !header.starts_with(&MAGIC) {
        return Err(CheckpointProblem::Magic);
    }
    let Ok(header) = <[u8; HEADER]>::try_from(header) else {
        return Err(CheckpointProblem::Length { expected: HEADER as u64, found: all });
    };
    let [_, _, version, checksum, low, high] = *header.as_chunks::<4>().0 else { return Err(CheckpointProblem::Magic) };
    let (version, checksum) = (u32::from_le_bytes(version), u32::from_le_bytes(checksum));
    if version != VERSION {
        return Err(CheckpointProblem::Version { expected: VERSION, found: version });
    }
    let length = u64::from(u32::from_le_bytes(high)) << 32 | u64::from(u32::from_le_bytes(low));
    let found = all.saturating_sub(HEADER as u64);
    if length != found {
        let (expected, found) = (length.saturating_add(HEADER as u64), all);
        return Err(CheckpointProblem::Length { expected, found });
    }

    // The checksum is known before anything is allocated.
    let mut body = Summing { to: io::sink(), hasher: Hasher::new(), length: 0, error: None };
    io::copy(&mut file.take(length), &mut body).map_err(CheckpointProblem::Read)?;
    if body.length != length || body.hasher.finalize() != checksum {
        return Err(CheckpointProblem::Checksum);
    }
    file.seek(SeekFrom::Start(HEADER as u64)).map_err(CheckpointProblem::Read)?;
    let mut bytes = Vec::new();
    let reserved = usize::try_from(length).ok().filter(|length| bytes.try_reserve_exact(*length).is_ok());
    if reserved.is_none() {
        return Err(CheckpointProblem::Read(io::ErrorKind::OutOfMemory.into()));
    }
    file.take(length).read_to_end(&mut bytes).map_err(CheckpointProblem::Read)?;
    Ok(bytes)
}
