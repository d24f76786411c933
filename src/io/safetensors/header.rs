//! The header of a safetensors file, read in place: without a heap, and also by the compiler.
//!
//! A file is the length of the header, 8 bytes, little-endian; the header, an object in JSON; and the bytes of all
//! tensors one after the other. The header has for each tensor its type, its sizes, and where its bytes begin and end.

use super::foreign::foreign;
use super::load_error::{LoadError, Name, Sizes};
use super::precision::{Precision, precision};
use crate::error::Text;

/// More is not allowed by the reference implementation.
const LONGEST: u64 = 100_000_000;

/// What is written before the header.
pub(crate) const LENGTH_BYTES: usize = 8;

/// Of a `Result` in a `const fn`, which has no question mark: the value, or the function ends with the error.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(load_error) => return Err(load_error),
        }
    };
}
pub(crate) use attempt;

/// What the header says of a tensor.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// As it is written, between the quotation marks.
    name: &'a [u8],
    kind: Text<22>,
    pub(crate) sizes: Sizes,
    pub(crate) begin: u64,
    pub(crate) end: u64,
}

impl Entry<'_> {
    /// For messages.
    pub(crate) const fn name(&self) -> Name {
        match core::str::from_utf8(self.name) {
            Ok(name) => Name::end_of(name),
            Err(_) => Name::new(),
        }
    }

    /// Notes in `load_error`, if a tensor is missing, that there is this one, which the network does not have. The
    /// first of the right sizes is named, or the first of all.
    pub(crate) const fn suggest(&self, load_error: &mut LoadError, is_right: &mut bool) {
        let LoadError::Missing { expected, found, .. } = load_error else { return };
        let fits = self.sizes.equal(expected);
        if found.is_none() || fits && !*is_right {
            *is_right = fits;
            let mut text = Text::new();
            if let Ok(name) = core::str::from_utf8(self.name) {
                text.push(name);
            }
            *found = Some(text);
        }
    }

    /// Whether the name is `start` followed by `end`.
    pub(crate) const fn is_called(&self, start: &str, end: &str) -> bool {
        let (start, end) = (start.as_bytes(), end.as_bytes());
        let (mut from, mut at) = (0, 0);
        while from < self.name.len() {
            let wanted = if at < start.len() {
                start[at]
            } else if at - start.len() < end.len() {
                end[at - start.len()]
            } else {
                return false;
            };
            let (found, length) = character(self.name, from);
            if found != wanted as u32 {
                return false;
            }
            from += length;
            at += 1;
        }
        at == start.len() + end.len()
    }

    /// Whether the name begins with `start`.
    pub(crate) const fn begins_with(&self, start: &str) -> bool {
        let (mut from, mut at) = (0, 0);
        while at < start.len() {
            if from >= self.name.len() {
                return false;
            }
            let (found, length) = character(self.name, from);
            if found != start.as_bytes()[at] as u32 {
                return false;
            }
            from += length;
            at += 1;
        }
        true
    }

    /// The type of the values, or an error.
    pub(crate) const fn precision(&self) -> Result<Precision, LoadError> {
        match precision(&self.kind) {
            Some(precision) => Ok(precision),
            None => {
                let expected = Precision::EXPECTED;
                Err(LoadError::Precision { tensor: self.name(), expected, found: self.kind })
            }
        }
    }

    /// An error unless it is a whole number of 64 bits.
    pub(crate) const fn check_count(&self) -> Result<(), LoadError> {
        match self.kind.as_str().as_bytes() {
            b"I64" => Ok(()),
            _ => Err(LoadError::Precision { tensor: self.name(), expected: "I64", found: self.kind }),
        }
    }
}

/// The character of a checked string of JSON that begins at `at`, and how many bytes it takes there. Of one that is not
/// ASCII, only the first byte, which no ASCII character is equal to.
const fn character(text: &[u8], at: usize) -> (u32, usize) {
    if text[at] != b'\\' {
        return (text[at] as u32, 1);
    }
    match text[at + 1] {
        b'b' => (8, 2),
        b'f' => (12, 2),
        b'n' => (10, 2),
        b'r' => (13, 2),
        b't' => (9, 2),
        b'u' => {
            let (mut code, mut digit) = (0, 0);
            while digit < 4 {
                code = code * 16 + hexadecimal(text[at + 2 + digit]);
                digit += 1;
            }
            // Not to be mistaken for a byte.
            (if code < 128 { code } else { u32::MAX }, 6)
        }
        other => (other as u32, 2),
    }
}

/// The value of a digit; 16 if it is none.
const fn hexadecimal(digit: u8) -> u32 {
    match digit {
        b'0'..=b'9' => (digit - b'0') as u32,
        b'a'..=b'f' => (digit - b'a') as u32 + 10,
        b'A'..=b'F' => (digit - b'A') as u32 + 10,
        _ => 16,
    }
}

/// A position in the header, from which reading continues.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    const fn expected<R>(&self, expected: &'static str) -> Result<R, LoadError> {
        Err(LoadError::Header { at: self.at, expected })
    }

    const fn skip_space(&mut self) {
        while self.at < self.text.len() && matches!(self.text[self.at], b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Whether `byte` comes next, after space; if so, it is passed.
    const fn passes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.at < self.text.len() && self.text[self.at] == byte;
        if found {
            self.at += 1;
        }
        found
    }

    const fn pass(&mut self, byte: u8, expected: &'static str) -> Result<(), LoadError> {
        if self.passes(byte) { Ok(()) } else { self.expected(expected) }
    }

    /// A string: the text between quotation marks.
    const fn string(&mut self) -> Result<&'a [u8], LoadError> {
        attempt!(self.pass(b'"', "a string"));
        let start = self.at;
        while self.at < self.text.len() {
            match self.text[self.at] {
                b'"' => {
                    let (_, rest) = self.text.split_at(start);
                    let (string, _) = rest.split_at(self.at - start);
                    self.at += 1;
                    return Ok(string);
                }
                b'\\' => {
                    self.at += 1;
                    if self.at < self.text.len() && self.text[self.at] == b'u' {
                        let mut digit = 0;
                        while digit < 4 {
                            self.at += 1;
                            if self.at >= self.text.len() || hexadecimal(self.text[self.at]) > 15 {
                                return self.expected("a hexadecimal digit");
                            }
                            digit += 1;
                        }
                    } else if self.at >= self.text.len()
                        || !matches!(self.text[self.at], b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
                    {
                        return self.expected("a character that may follow `\\`");
                    }
                    self.at += 1;
                }
                0..32 => return self.expected("no control character in a string"),
                _ => self.at += 1,
            }
        }
        self.expected("the end of a string")
    }

    /// A number from zero up.
    const fn number(&mut self) -> Result<u64, LoadError> {
        self.skip_space();
        let (start, mut value) = (self.at, 0u64);
        while self.at < self.text.len() && self.text[self.at].is_ascii_digit() {
            let digit = (self.text[self.at] - b'0') as u64;
            let larger = match value.checked_mul(10) {
                Some(value) => value.checked_add(digit),
                None => None,
            };
            let Some(larger) = larger else { return self.expected("a number below 2^64") };
            value = larger;
            self.at += 1;
            if value == 0 {
                break;
            }
        }
        if self.at == start { self.expected("a number from zero up") } else { Ok(value) }
    }

    /// What follows the name of a tensor.
    const fn entry(&mut self, name: &'a [u8]) -> Result<Entry<'a>, LoadError> {
        let (mut kind, mut sizes, mut place) = (None, None, None);
        let mut count = Some(1u64);
        attempt!(self.pass(b'{', "`{`"));
        loop {
            let at = self.at;
            let key = attempt!(self.string());
            attempt!(self.pass(b':', "`:`"));
            match key {
                b"dtype" if kind.is_none() => {
                    let mut text = Text::<22>::new();
                    if let Ok(name) = core::str::from_utf8(attempt!(self.string())) {
                        text.push(name);
                    }
                    kind = Some(text);
                }
                b"shape" if sizes.is_none() => {
                    let mut found = Sizes { rank: 0, first: [0; 4] };
                    attempt!(self.pass(b'[', "`[`"));
                    if !self.passes(b']') {
                        loop {
                            let size = attempt!(self.number());
                            count = match count {
                                Some(count) => count.checked_mul(size),
                                None => None,
                            };
                            if found.rank < 4 {
                                found.first[found.rank] = if size > u32::MAX as u64 { u32::MAX } else { size as u32 };
                            }
                            found.rank += 1;
                            if !self.passes(b',') {
                                break;
                            }
                        }
                        attempt!(self.pass(b']', "`,` or `]`"));
                    }
                    sizes = Some(found);
                }
                b"data_offsets" if place.is_none() => {
                    attempt!(self.pass(b'[', "`[`"));
                    let begin = attempt!(self.number());
                    attempt!(self.pass(b',', "`,`"));
                    let end = attempt!(self.number());
                    attempt!(self.pass(b']', "`]`"));
                    place = Some((begin, end));
                }
                _ => {
                    return Err(LoadError::Header { at, expected: "each of `dtype`, `shape` and `data_offsets` once" });
                }
            }
            if !self.passes(b',') {
                break;
            }
        }
        attempt!(self.pass(b'}', "`,` or `}`"));
        let (Some(kind), Some(sizes), Some((begin, end))) = (kind, sizes, place) else {
            return self.expected("`dtype`, `shape` and `data_offsets` before this");
        };
        let entry = Entry { name, kind, sizes, begin, end };
        // Of what the network does not have the type need not be known.
        let size = match kind.as_str().as_bytes() {
            b"I64" => 8,
            _ => match precision(&kind) {
                Some(precision) => precision.size() as u64,
                None => 0,
            },
        };
        let expected = match count {
            Some(count) => count.checked_mul(size),
            None => None,
        };
        if begin > end || (size > 0 && (expected.is_none() || expected.unwrap() != end - begin)) {
            let expected = if let Some(expected) = expected { expected } else { u64::MAX };
            return Err(LoadError::Bytes { tensor: entry.name(), expected, begin, end });
        }
        Ok(entry)
    }
}

/// The tensors of a header, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Entries<'a> {
    scanner: Scanner<'a>,
    any: bool,
}

impl<'a> Entries<'a> {
    const fn new(text: &'a [u8]) -> Self {
        Entries { scanner: Scanner { text, at: 0 }, any: false }
    }

    /// The next one; none after the last.
    pub(crate) const fn next(&mut self) -> Result<Option<Entry<'a>>, LoadError> {
        let scanner = &mut self.scanner;
        if scanner.at == 0 {
            // Before it, the format allows no space.
            if scanner.text.is_empty() || scanner.text[0] != b'{' {
                return scanner.expected("`{`");
            }
            scanner.at = 1;
        }
        loop {
            if scanner.passes(b'}') {
                scanner.skip_space();
                if scanner.at < scanner.text.len() {
                    return scanner.expected("the end");
                }
                return Ok(None);
            }
            if self.any {
                attempt!(scanner.pass(b',', "`,` or `}`"));
            }
            self.any = true;
            let name = attempt!(scanner.string());
            attempt!(scanner.pass(b':', "`:`"));
            if let b"__metadata__" = name {
                attempt!(metadata(scanner));
                continue;
            }
            return Ok(Some(attempt!(scanner.entry(name))));
        }
    }
}

/// Skips what may be in a file beside tensors: strings with names.
const fn metadata(scanner: &mut Scanner) -> Result<(), LoadError> {
    attempt!(scanner.pass(b'{', "`{`"));
    if scanner.passes(b'}') {
        return Ok(());
    }
    loop {
        attempt!(scanner.string());
        attempt!(scanner.pass(b':', "`:`"));
        attempt!(scanner.string());
        if !scanner.passes(b',') {
            break;
        }
    }
    scanner.pass(b'}', "`,` or `}`")
}

/// A checked header.
#[derive(Clone, Copy)]
pub(crate) struct Header<'a> {
    text: &'a [u8],
    /// How many bytes there are for all tensors.
    pub(crate) data: u64,
    /// How many tensors whose names begin as asked for.
    pub(crate) count: usize,
}

/// How long the header is, from the bytes before it.
pub(crate) const fn header_length(bytes: &[u8]) -> Result<usize, LoadError> {
    let Some((first, _)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(LoadError::Length {
            what: "at least, for the length of the header",
            expected: LENGTH_BYTES as u64,
            found: bytes.len() as u64,
        });
    };
    let length = u64::from_le_bytes(*first);
    if length > LONGEST {
        return Err(LoadError::HeaderLength { found: length });
    }
    Ok(length as usize)
}

/// Divides a file into header and tensors.
pub(crate) const fn open(bytes: &[u8]) -> Result<(&[u8], &[u8]), LoadError> {
    let length = match header_length(bytes) {
        Ok(length) => length,
        Err(load_error) => {
            if let Some(found) = foreign(bytes) {
                return Err(LoadError::Format { found });
            }
            return Err(load_error);
        }
    };
    let (_, rest) = bytes.split_at(LENGTH_BYTES);
    if rest.len() < length {
        if let Some(found) = foreign(bytes) {
            return Err(LoadError::Format { found });
        }
        return Err(LoadError::Length { what: "of header", expected: length as u64, found: rest.len() as u64 });
    }
    Ok(rest.split_at(length))
}

impl<'a> Header<'a> {
    /// Of the text that it has, in a file with `data` bytes for the tensors, if all is as it should be. `inside` is
    /// what names begin with that count.
    pub(crate) const fn new(text: &'a [u8], inside: &str, data: Option<u64>) -> Result<Self, LoadError> {
        if let Err(error) = core::str::from_utf8(text) {
            return Err(LoadError::Header { at: error.valid_up_to(), expected: "UTF-8" });
        }
        let (mut entries, mut count, mut longest) = (Entries::new(text), 0, 0);
        while let Some(entry) = attempt!(entries.next()) {
            if entry.begins_with(inside) {
                count += 1;
            }
            if entry.end > longest {
                longest = entry.end;
            }
            if let Some(found) = data
                && entry.end > found
            {
                return Err(LoadError::Beyond { tensor: entry.name(), end: entry.end, found });
            }
        }
        let data = if let Some(data) = data { data } else { longest };
        Ok(Header { text, data, count })
    }

    pub(crate) const fn entries(&self) -> Entries<'a> {
        Entries::new(self.text)
    }

    /// The tensor called `start` followed by `end`.
    pub(crate) const fn find(&self, start: &str, end: &str, expected: Sizes) -> Result<Entry<'a>, LoadError> {
        let (mut entries, mut found) = (self.entries(), None);
        while let Some(entry) = attempt!(entries.next()) {
            if entry.is_called(start, end) {
                if found.is_some() {
                    return Err(LoadError::Twice { tensor: entry.name() });
                }
                found = Some(entry);
            }
        }
        let Some(entry) = found else {
            let mut name = Text::<512>::new();
            name.push(start);
            name.push(end);
            return Err(LoadError::Missing { tensor: Name::end_of(name.as_str()), expected, found: None });
        };
        if !entry.sizes.equal(&expected) {
            return Err(LoadError::Sizes { tensor: entry.name(), expected, found: entry.sizes });
        }
        Ok(entry)
    }

    /// An error unless the tensors follow one another and fill the file. Each must have bytes.
    pub(crate) const fn check_order(&self) -> Result<(), LoadError> {
        let (mut at, mut steps) = (0, 0);
        while at < self.data {
            let (mut entries, mut next) = (self.entries(), None);
            while let Some(entry) = attempt!(entries.next()) {
                if entry.begin == at && entry.end > at {
                    next = Some(entry.end);
                }
            }
            let Some(end) = next else { return Err(LoadError::Gap { at }) };
            at = end;
            steps += 1;
        }
        if steps < self.count { Err(LoadError::Shared) } else { Ok(()) }
    }
}
