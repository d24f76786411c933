//! [`CheckpointError`], in words.

use alloc::string::String;
use core::fmt;
use std::io;

/// Why a checkpoint could not be written or read. Nothing was changed by what failed, unless it was the last thing of all,
/// to have the disk keep the new file's name.
#[derive(Debug)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file could not be read.
    Read(io::Error),
    /// The file could not be written.
    Write(io::Error),
    /// The file is something else.
    Magic,
    /// The format is one that this version of the library does not know.
    Version {
        /// What it knows.
        expected: u32,
        /// What there was.
        found: u32,
    },
    /// The file was cut, or something was added to it.
    Length {
        /// How many bytes it must have.
        expected: u64,
        /// How many it had.
        found: u64,
    },
    /// The file was damaged.
    Checksum,
    /// The training was of another type.
    Type {
        /// What was of another type.
        what: &'static str,
        /// The trainer's.
        expected: String,
        /// The file's.
        found: String,
    },
    /// The file has the right names, but not the values that these types have.
    Content,
    /// The network has an infinite weight or NaN.
    NotFinite,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointError::Read(error) => write!(f, "the checkpoint could not be read: {error}"),
            CheckpointError::Write(error) => write!(f, "the checkpoint could not be written: {error}"),
            CheckpointError::Magic => f.write_str("expected a checkpoint, found a file that is none"),
            CheckpointError::Version { expected, found } => {
                write!(f, "expected a checkpoint of format version {expected}, found version {found}")
            }
            CheckpointError::Length { expected, found } => write!(
                f,
                "expected a checkpoint of {expected} bytes, found {found}: it was cut, or something was added"
            ),
            CheckpointError::Checksum => {
                f.write_str("expected a whole checkpoint, found one with another checksum: it was damaged")
            }
            CheckpointError::Type { what, expected, found } => {
                write!(f, "expected a checkpoint of {what} `{expected}`, found one of `{found}`")
            }
            CheckpointError::Content => f.write_str(
                "expected the values of these types, found others: fields of a type have changed since it was written",
            ),
            CheckpointError::NotFinite => {
                f.write_str("expected a network with finite weights, found an infinite one or NaN")
            }
        }
    }
}

impl core::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            CheckpointError::Read(error) | CheckpointError::Write(error) => Some(error),
            _ => None,
        }
    }
}
