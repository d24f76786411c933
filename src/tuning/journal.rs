//! [`Journal`]: a file of what a search has finished, one record after the other.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `tuplejnl` |
//! | 4 | the version of this format |
//! | 8 | a hash of the data, folds, seed, loss and score |
//! | 4 | the CRC-32 of the 12 bytes before |
//! | | records: 4 bytes with their length, 4 with their CRC-32, then a [`Record`] as postcard writes it |
//!
//! Integers are little-endian. Records are only appended, so that a process that is killed leaves whole records and at most
//! a part of one at the end, which is cut off when the file is opened again.

use super::validation::FoldScore;
use crate::error::Error;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

const MAGIC: [u8; 8] = *b"tuplejnl";
const VERSION: u32 = 1;
const HEADER: usize = 24;

/// The longest record, in bytes; that of an error with a long text is much shorter.
const LONGEST: u32 = 1 << 16;

/// How long the disk may take its time with what is written. A process that is killed loses nothing; a machine that loses
/// its power may lose what was finished in this time.
const SYNC: Duration = Duration::from_secs(1);

/// What is wrong with a journal.
#[non_exhaustive]
pub enum JournalProblem {
    /// The file could not be read.
    Read(io::Error),
    /// The file could not be written.
    Write(io::Error),
    /// The file is not a journal.
    Magic,
    /// The file has a format version that this version of the library does not know.
    Version {
        /// The version that the library knows.
        expected: u32,
        /// The version of the file.
        found: u32,
    },
    /// The file was damaged: a checksum does not match.
    Checksum,
    /// The file is the journal of a search with other data, folds, seed, loss or score.
    Search,
    /// Another process writes the file.
    InUse,
    /// Rank 0 could not use the file, for this reason.
    Elsewhere(alloc::string::String),
}

crate::error::debug_is_display!(JournalProblem);

impl fmt::Display for JournalProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalProblem::Read(error) => write!(f, "the journal could not be read: {error}"),
            JournalProblem::Write(error) => write!(f, "the journal could not be written: {error}"),
            JournalProblem::Magic => f.write_str("expected the journal of a search, found another file"),
            JournalProblem::Version { expected, found } => {
                write!(f, "expected a journal of format version {expected}, found version {found}")
            }
            JournalProblem::Checksum => {
                f.write_str("expected a whole journal, found one with another checksum: it was damaged")
            }
            JournalProblem::Search => f.write_str(
                "expected the journal of this search, found that of one with other data, folds, seed, loss or score",
            ),
            JournalProblem::InUse => {
                f.write_str("expected a journal that no one else writes, found one that another process has open")
            }
            JournalProblem::Elsewhere(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for JournalProblem {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            JournalProblem::Read(error) | JournalProblem::Write(error) => Some(error),
            _ => None,
        }
    }
}

/// The result of a candidate in a fold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// A hash of the candidate: its network type and its hyperparameters.
    pub candidate: u64,
    pub fold: usize,
    pub result: Result<FoldScore, Error>,
}

/// An open journal, at its end.
pub(super) struct Journal {
    file: File,
    synced: Instant,
}

impl Journal {
    /// Opens the journal of the search with this hash, or begins it; returns what is in it.
    pub(super) fn open(path: &Path, search: u64) -> Result<(Self, Vec<Record>), JournalProblem> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(JournalProblem::Write)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(JournalProblem::InUse),
            // Where files can't be locked, two writers are not found.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(JournalProblem::Read)?;
        let mut header = [&MAGIC[..], &VERSION.to_le_bytes(), &search.to_le_bytes()].concat();
        header.extend(crc32fast::hash(&header[8..]).to_le_bytes());
        // What was killed while it wrote the header has left a part of it, or zeros where it was to be.
        let written = bytes.iter().zip(&header).take_while(|(found, expected)| found == expected).count();
        if written < HEADER && is_blank(&bytes[written..]) {
            begin(&mut file, &header).map_err(JournalProblem::Write)?;
            return Ok((Journal { file, synced: Instant::now() }, Vec::new()));
        }
        check(&bytes, &header)?;
        let (records, end) = records(&bytes[HEADER..])?;
        file.set_len((HEADER + end) as u64).map_err(JournalProblem::Write)?;
        file.seek(SeekFrom::End(0)).map_err(JournalProblem::Write)?;
        Ok((Journal { file, synced: Instant::now() }, records))
    }

    /// Appends a record.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), JournalProblem> {
        let content = postcard::to_stdvec(record).map_err(|error| JournalProblem::Write(io::Error::other(error)))?;
        let length = content.len() as u32;
        // One write: a process that is killed has written all of it, or none.
        let mut bytes = [length.to_le_bytes(), crc32fast::hash(&content).to_le_bytes()].concat();
        bytes.extend(content);
        self.file.write_all(&bytes).map_err(JournalProblem::Write)?;
        if self.synced.elapsed() >= SYNC {
            self.sync()?;
        }
        Ok(())
    }

    /// Waits until the disk has all records.
    pub(super) fn sync(&mut self) -> Result<(), JournalProblem> {
        self.synced = Instant::now();
        self.file.sync_data().map_err(JournalProblem::Write)
    }
}

/// Whether a power failure has left nothing but the length of what was written.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Makes the file an empty journal.
fn begin(file: &mut File, header: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header)?;
    file.sync_all()
}

/// Fails unless a file begins with this header.
fn check(bytes: &[u8], header: &[u8]) -> Result<(), JournalProblem> {
    if bytes.get(..8) != Some(&MAGIC) {
        return Err(JournalProblem::Magic);
    }
    let (Some(found), Some(expected)) = (bytes.get(8..HEADER), header.get(8..HEADER)) else {
        return Err(JournalProblem::Checksum);
    };
    let (values, checksum) = found.split_at(12);
    if crc32fast::hash(values).to_le_bytes()[..] != *checksum {
        return Err(JournalProblem::Checksum);
    }
    let version = values.first_chunk().map_or(0, |version| u32::from_le_bytes(*version));
    if version != VERSION {
        return Err(JournalProblem::Version { expected: VERSION, found: version });
    }
    if found == expected { Ok(()) } else { Err(JournalProblem::Search) }
}

/// The whole records, and where the last of them ends. What follows it was being written when the process was killed.
fn records(bytes: &[u8]) -> Result<(Vec<Record>, usize), JournalProblem> {
    let (mut records, mut rest) = (Vec::new(), bytes);
    while let Some((length, after)) = rest.split_first_chunk::<4>()
        && let Some((checksum, after)) = after.split_first_chunk::<4>()
    {
        let length = u32::from_le_bytes(*length);
        if is_blank(rest) {
            break;
        }
        if length == 0 || length > LONGEST {
            return Err(JournalProblem::Checksum);
        }
        let Some((content, after)) = after.split_at_checked(length as usize) else { break };
        let is_whole = crc32fast::hash(content).to_le_bytes() == *checksum;
        match postcard::from_bytes(content) {
            Ok(record) if is_whole => records.push(record),
            // The end may have its length and not yet all of its content.
            _ if after.is_empty() => break,
            _ => return Err(JournalProblem::Checksum),
        }
        rest = after;
    }
    Ok((records, bytes.len() - rest.len()))
}
