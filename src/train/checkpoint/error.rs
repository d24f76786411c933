//! [`CheckpointError`] and its messages.

use alloc::string::String;
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a checkpoint could not be written or read. Nothing was changed, unless the failure was in the very last
/// operation, which makes the disk keep the new file's name.
pub struct CheckpointError {
    /// The file.
    pub path: PathBuf,
    /// What went wrong.
    pub problem: CheckpointProblem,
}

impl CheckpointError {
    pub(super) fn new(path: &Path, problem: CheckpointProblem) -> Self {
        CheckpointError { path: path.into(), problem }
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.problem)
    }
}

impl core::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.problem.source()
    }
}

/// What is wrong with a checkpoint.
#[non_exhaustive]
pub enum CheckpointProblem {
    /// The file could not be read.
    Read(io::Error),
    /// The file could not be written.
    Write(io::Error),
    /// The file is not a checkpoint.
    Magic,
    /// The file has a format version that this version of the library does not know.
    Version {
        /// The version that the library knows.
        expected: u32,
        /// The version of the file.
        found: u32,
    },
    /// The file was truncated, or something was appended to it.
    Length {
        /// The number of bytes that the header says.
        expected: u64,
        /// The number of bytes in the file.
        found: u64,
    },
    /// The file was damaged: its checksum does not match.
    Checksum,
    /// The training run has other types.
    Type {
        /// What has another type.
        what: &'static str,
        /// The trainer's type.
        expected: String,
        /// The file's type.
        found: String,
    },
    /// The type names match, but the file's values are not those of these types.
    Content,
    /// A weight of the network is infinite or NaN.
    NotFinite,
    /// A setting of the optimizer is out of its range.
    Setting(alloc::boxed::Box<crate::error::Error>),
}

crate::error::debug_is_display!(CheckpointError, CheckpointProblem);

impl fmt::Display for CheckpointProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointProblem::Read(error) => write!(f, "the checkpoint could not be read: {error}"),
            CheckpointProblem::Write(error) => write!(f, "the checkpoint could not be written: {error}"),
            CheckpointProblem::Magic => f.write_str("expected a checkpoint, found a file that is none"),
            CheckpointProblem::Version { expected, found } => {
                write!(f, "expected a checkpoint of format version {expected}, found version {found}")
            }
            CheckpointProblem::Length { expected, found } => write!(
                f,
                "expected a checkpoint of {expected} bytes, found {found}: it was cut, or something was added"
            ),
            CheckpointProblem::Checksum => {
                f.write_str("expected a whole checkpoint, found one with another checksum: it was damaged")
            }
            CheckpointProblem::Type { what, expected, found } => {
                write!(f, "expected a checkpoint of {what} `{expected}`, found one of `{found}`")
            }
            CheckpointProblem::Content => f.write_str(
                "expected the values of these types, found others: fields of a type have changed since it was written",
            ),
            CheckpointProblem::NotFinite => {
                f.write_str("expected a network with finite weights, found an infinite one or NaN")
            }
            CheckpointProblem::Setting(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CheckpointProblem {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            CheckpointProblem::Read(error) | CheckpointProblem::Write(error) => Some(error),
            CheckpointProblem::Setting(error) => Some(&**error),
            _ => None,
        }
    }
}
