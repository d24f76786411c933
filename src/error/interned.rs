//! Serialization of what an [`Error`](super::Error) has of its program: texts that live as long as it does.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::{Mutex, PoisonError};

/// The texts that were read, each once. Those of an error from a file or from another process are kept until the program
/// ends; a program has few of them.
static TEXTS: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// The longest text that is read, in bytes: far more than any of the library.
const LONGEST: usize = 1 << 12;

pub(super) fn serialize<S: Serializer>(text: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    text.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > LONGEST {
        return Err(serde::de::Error::custom("expected a short text, found a long one"));
    }
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.iter().find(|known| **known == text) {
        return Ok(known);
    }
    let text: &'static str = Box::leak(text.into_boxed_str());
    texts.push(text);
    Ok(text)
}

/// An error of the operating system, by the name of its kind; a rare one becomes [`ErrorKind::Other`](std::io::ErrorKind).
pub(super) mod kind {
    use super::{Deserialize, Deserializer, Serializer, String};
    use std::io::ErrorKind;

    const KINDS: [ErrorKind; 8] = [
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::StorageFull,
        ErrorKind::ReadOnlyFilesystem,
        ErrorKind::IsADirectory,
        ErrorKind::NotADirectory,
        ErrorKind::InvalidInput,
        ErrorKind::AlreadyExists,
    ];

    pub(in crate::error) fn serialize<S: Serializer>(kind: &ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(kind)
    }

    pub(in crate::error) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ErrorKind, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = KINDS.into_iter().find(|kind| alloc::string::ToString::to_string(kind) == name);
        Ok(known.unwrap_or(ErrorKind::Other))
    }
}
