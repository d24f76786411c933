//! [`CheckpointError`], in words.

use alloc::string::String;
use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a checkpoint could not be written or read. Nothing was changed by what failed, unless it was the last thing of all,
/// to have the disk keep the new file's name.
pub struct CheckpointError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
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
    /// A setting of the optimizer makes no sense.
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
