//! Tables of comma-separated values: [`Csv`]. Needs the feature `csv`, and with it the standard library.

extern crate std;

use crate::num::Real;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use csv::{ByteRecord, ReaderBuilder};
use std::collections::HashMap;
use std::io;

/// Options for reading comma-separated values. White space around values is ignored, also around quotation marks and
/// within them, and so are empty lines; a value in quotation marks may contain commas.
///
/// # Examples
///
/// ```
/// use tuplenet::data::Csv;
///
/// let text = "width,height\n1.5,2\n-3,4e-1\n";
/// assert_eq!(Csv::default().samples::<f32, 2>(text.as_bytes())?, [[1.5, 2.0], [-3.0, 0.4]]);
///
/// let text = "width,height\n1.5,2\n-3,high\n";
/// let error = Csv::default().samples::<f32, 2>(text.as_bytes()).unwrap_err();
/// assert_eq!(error.to_string(), "line 3, column 2 (height): expected a finite number, found `high`");
/// # Ok::<(), tuplenet::data::CsvError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias("read_csv"))]
pub struct Csv {
    /// Whether the first line has the names of the columns; by default `true`.
    pub header: bool,
    /// The separator between values; by default a comma.
    pub delimiter: u8,
}

impl Default for Csv {
    /// A header, and commas.
    fn default() -> Self {
        Csv { header: true, delimiter: b',' }
    }
}

/// A table whose last column is a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Classified<T, const IN: usize> {
    /// The inputs, one sample for each line.
    pub inputs: Vec<[T; IN]>,
    /// The class of each line, an index into `names`.
    pub classes: Vec<usize>,
    /// The names of the classes, as they are first written. They are sorted as numbers if all of them are numbers,
    /// otherwise alphabetically. Numbers with the same value are the same class, `1` and `1.0` for example.
    pub names: Vec<String>,
}

impl Csv {
    /// Reads a table of `N` columns of floating-point values, one sample a line. `source` is a file, or bytes.
    ///
    /// # Errors
    ///
    /// If the source can't be read, if a line has not `N` values or the header not `N` names, if a value is not a
    /// finite number, if there is no line, or if the first line has only numbers where a header is expected.
    pub fn samples<T: Real, const N: usize>(&self, source: impl io::Read) -> Result<Vec<[T; N]>, CsvError> {
        let mut samples = Vec::new();
        self.each(source, N, N, |line| {
            samples.push(line.values()?);
            Ok(())
        })?;
        Ok(samples)
    }

    /// Reads a table of `IN` columns of floating-point values and a last column with the class, as a number or a name.
    ///
    /// # Errors
    ///
    /// As for [`samples`](Self::samples), and if a line has no class, or one that contains a line break, as if a
    /// quotation mark were not closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::data::Csv;
    ///
    /// let text = "5.1;3.5;setosa\n7.0;3.2;versicolor\n6.3;3.3;setosa\n";
    /// let table = Csv { header: false, delimiter: b';' }.classified::<f32, 2>(text.as_bytes())?;
    /// assert_eq!(table.inputs[1], [7.0, 3.2]);
    /// assert_eq!(table.classes, [0, 1, 0]);
    /// assert_eq!(table.names, ["setosa", "versicolor"]);
    /// # Ok::<(), tuplenet::data::CsvError>(())
    /// ```
    pub fn classified<T: Real, const IN: usize>(&self, source: impl io::Read) -> Result<Classified<T, IN>, CsvError> {
        let (mut inputs, mut labels) = (Vec::new(), Vec::new());
        self.each(source, IN + 1, IN, |line| {
            inputs.push(line.values()?);
            labels.push(line.class(IN)?);
            Ok(())
        })?;
        let (classes, names) = ClassNames::of(&labels);
        let classes = labels.iter().map(|label| classes.index(label)).collect();
        Ok(Classified { inputs, classes, names })
    }

    /// Calls `visit` for every line after the header. Each line must have `columns` columns, of which the first
    /// `numbers` are numbers.
    fn each(
        &self,
        source: impl io::Read,
        columns: usize,
        numbers: usize,
        visit: impl FnMut(Line) -> Result<(), CsvError>,
    ) -> Result<(), CsvError> {
        self.each_after(source, columns, numbers, Skipped::default(), visit)
    }

    /// [`each`](Self::each) of a part of a table, of which some lines are not in `source`.
    pub(crate) fn each_after(
        &self,
        mut source: impl io::Read,
        columns: usize,
        numbers: usize,
        skipped: Skipped,
        mut visit: impl FnMut(Line) -> Result<(), CsvError>,
    ) -> Result<(), CsvError> {
        // Read at once, since the reader's own line numbers are wrong after empty lines.
        let mut whole = Vec::new();
        source.read_to_end(&mut whole).map_err(CsvError::Read)?;
        let whole = without_space_before_quotes(&whole, self.delimiter);
        let mut reader = ReaderBuilder::new()
            .has_headers(self.header)
            .delimiter(self.delimiter)
            .flexible(true)
            .from_reader(&whole[..]);
        let names = if self.header { reader.byte_headers()?.clone() } else { ByteRecord::new() };
        let header = Line { whole: &whole, names: &names, record: &names, skipped };
        // Without a line, the file is empty.
        if !header.is_blank() && names.len() != columns {
            return Err(CsvError::Columns { line: header.number(), expected: columns, found: names.len() });
        }
        let is_number = |column| header.text(column).parse::<f64>().is_ok();
        if numbers > 0 && !header.is_blank() && (0..numbers).all(is_number) {
            return Err(CsvError::Header { line: header.number() });
        }
        let (mut record, mut lines) = (ByteRecord::new(), 0u64);
        while reader.read_byte_record(&mut record)? {
            let line = Line { whole: &whole, names: &names, record: &record, skipped };
            if line.is_blank() {
                continue;
            }
            if record.len() != columns {
                return Err(CsvError::Columns { line: line.number(), expected: columns, found: record.len() });
            }
            visit(line)?;
            lines += 1;
        }
        if lines == 0 { Err(CsvError::Empty) } else { Ok(()) }
    }
}

/// Lines of a table that were not read, for the line numbers after them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Skipped {
    /// The lines before them.
    pub after: u64,
    /// How many they are.
    pub lines: u64,
}

/// The index of each class label.
pub(crate) struct ClassNames(HashMap<Label, usize>);

impl ClassNames {
    /// The labels' indices, and the names: those of labels that are the same number are the first of them. Where all are numbers they are sorted as
    /// numbers, anything else alphabetically.
    pub(crate) fn of(labels: &[String]) -> (Self, Vec<String>) {
        // In the order in which they first appear.
        let (mut names, mut found) = (Vec::new(), HashMap::new());
        for label in labels {
            found.entry(Label::of(label)).or_insert_with(|| {
                names.push(label.clone());
                names.len() - 1
            });
        }
        let mut order: Vec<usize> = (0..names.len()).collect();
        if names.iter().all(|name| number(name).is_some()) {
            order.sort_by(|&a, &b| number(&names[a]).partial_cmp(&number(&names[b])).unwrap_or(Ordering::Equal));
        } else {
            order.sort_by(|&a, &b| names[a].cmp(&names[b]));
        }
        let mut ranks = alloc::vec![0; names.len()];
        for (rank, &class) in order.iter().enumerate() {
            ranks[class] = rank;
        }
        for class in found.values_mut() {
            *class = ranks[*class];
        }
        let names = order.into_iter().map(|class| core::mem::take(&mut names[class])).collect();
        (ClassNames(found), names)
    }

    /// The index of a label, one of those from which this was made.
    pub(crate) fn index(&self, label: &str) -> usize {
        self.0.get(&Label::of(label)).copied().unwrap_or(0)
    }
}

/// A class label, with one value for all spellings of the same number.
#[derive(PartialEq, Eq, Hash)]
enum Label {
    Number(u64),
    Word(String),
}

impl Label {
    fn of(word: &str) -> Self {
        match number(word) {
            // Zero has two signs.
            Some(value) => Label::Number((value + 0.0).to_bits()),
            None => Label::Word(word.to_string()),
        }
    }
}

/// Integers up to here are exact in `f64`; longer ones are names, for example article numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The class as a number, if it is one.
fn number(word: &str) -> Option<f64> {
    word.parse::<f64>().ok().filter(|value| value.abs() < EXACT)
}

/// The characters that are ignored around values: white space of any kind, and invisible characters that editors write.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\u{feff}' | '\u{200b}')
}

/// The number of bytes of white space at the beginning of a text, except line breaks and the delimiter.
fn space_before(bytes: &[u8], delimiter: u8) -> usize {
    let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r') || *byte == delimiter).next().unwrap_or_default();
    let text = match core::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => core::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or_default(),
    };
    text.len() - text.trim_start_matches(is_space).len()
}

/// Removes white space between the beginning of a value and a quotation mark, since the reader would take the mark for
/// a part of the value.
fn without_space_before_quotes(whole: &[u8], delimiter: u8) -> Vec<u8> {
    let mut kept = Vec::with_capacity(whole.len());
    let (mut begins, mut quoted, mut position) = (true, false, 0);
    while let Some(&byte) = whole.get(position) {
        if begins && !quoted {
            let space = space_before(&whole[position..], delimiter);
            if space > 0 && whole.get(position + space) == Some(&b'"') {
                position += space;
                continue;
            }
            quoted = byte == b'"';
            begins = false;
            if quoted {
                kept.push(byte);
                position += 1;
                continue;
            }
        }
        // Two quotation marks within a quoted value close and open it again.
        if quoted && byte == b'"' {
            quoted = false;
        } else if !quoted && byte == b'"' && kept.last() == Some(&b'"') {
            quoted = true;
        } else if !quoted && (byte == delimiter || matches!(byte, b'\n' | b'\r')) {
            begins = true;
        }
        kept.push(byte);
        position += 1;
    }
    kept
}

/// One line of a table.
pub(crate) struct Line<'a> {
    whole: &'a [u8],
    names: &'a ByteRecord,
    record: &'a ByteRecord,
    skipped: Skipped,
}

/// Whether a line of text has only what is ignored.
#[cfg(feature = "cluster")]
pub(crate) fn is_empty_line(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_ok_and(|text| text.trim_matches(is_space).is_empty())
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r')
}

/// A value as text without the white space around it; bytes that are not UTF-8 are replaced by a mark.
fn text(record: &ByteRecord, column: usize) -> String {
    String::from_utf8_lossy(record.get(column).unwrap_or_default()).trim_matches(is_space).to_string()
}

impl Line<'_> {
    /// The number of the line in which it begins.
    fn number(&self) -> u64 {
        let start = self.record.position().map_or(0, |position| position.byte()) as usize;
        // The reader's position is the end of the line before, and empty lines follow it.
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let empty = self.whole.iter().skip(start).take_while(|byte| is_end(byte)).count();
        let before = self.whole.get(..start + empty).unwrap_or_default();
        let ends = before.iter().filter(|byte| is_end(byte)).count();
        let pairs = before.windows(2).filter(|pair| *pair == b"\r\n").count();
        let number = (1 + ends - pairs) as u64;
        if number > self.skipped.after { number + self.skipped.lines } else { number }
    }

    /// Whether it has only white space, and no delimiter.
    fn is_blank(&self) -> bool {
        self.record.len() < 2 && self.text(0).is_empty()
    }

    fn text(&self, column: usize) -> String {
        text(self.record, column)
    }

    fn problem(&self, column: usize, expected: &'static str) -> CsvError {
        let found = self.text(column);
        CsvError::Value {
            line: self.number(),
            column: column + 1,
            name: text(self.names, column),
            expected,
            // A quotation mark that is not closed may contain the rest of the file.
            found: found.split_once(is_break).map_or(found.clone(), |(line, _)| format!("{line}…")),
        }
    }

    /// The class in a column.
    pub(crate) fn class(&self, column: usize) -> Result<String, CsvError> {
        let class = self.text(column);
        if class.is_empty() {
            return Err(self.problem(column, "a class"));
        }
        if class.contains(is_break) {
            return Err(self.problem(column, "a class without a line break, and quotation marks that are closed"));
        }
        Ok(class)
    }

    pub(crate) fn values<T: Real, const N: usize>(&self) -> Result<[T; N], CsvError> {
        let mut sample = [T::ZERO; N];
        for (column, number) in sample.iter_mut().enumerate() {
            match self.text(column).parse().map(T::of) {
                Ok(value) if value.is_finite() => *number = value,
                _ => return Err(self.problem(column, "a finite number")),
            }
        }
        Ok(sample)
    }
}

/// Why a table could not be read. Lines and columns count from 1, as in an editor.
#[non_exhaustive]
pub enum CsvError {
    /// The source could not be read.
    Read(io::Error),
    /// A line had too few or too many values.
    Columns {
        /// The number of the line in which it begins.
        line: u64,
        /// The expected number of values.
        expected: usize,
        /// The number of values found.
        found: usize,
    },
    /// A value is not of the expected kind.
    Value {
        /// The number of the line in which it begins.
        line: u64,
        /// The column.
        column: usize,
        /// The name of the column; empty without a header.
        name: String,
        /// The expected value.
        expected: &'static str,
        /// The value found.
        found: String,
    },
    /// The first line has only numbers where a header is expected.
    Header {
        /// The line.
        line: u64,
    },
    /// The table has no line, or none after the header.
    Empty,
    /// Another rank could not read its share. With the feature `cluster`.
    #[cfg(feature = "cluster")]
    RankFailed {
        /// The first rank that has failed.
        rank: usize,
    },
}

impl From<csv::Error> for CsvError {
    fn from(error: csv::Error) -> Self {
        let message = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(error) => CsvError::Read(error),
            // Lines of different lengths and invalid UTF-8 are found here, not by the reader.
            _ => CsvError::Read(io::Error::other(message)),
        }
    }
}

crate::error::debug_is_display!(CsvError);

impl fmt::Display for CsvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CsvError::Read(error) => error.fmt(f),
            CsvError::Columns { line, expected, found } => {
                write!(f, "line {line}: expected {expected} values, found {found}")
            }
            CsvError::Value { line, column, name, expected, found } => {
                write!(f, "line {line}, column {column}")?;
                if !name.is_empty() {
                    write!(f, " ({name})")?;
                }
                write!(f, ": expected {expected}, found `{found}`")
            }
            CsvError::Header { line } => {
                write!(
                    f,
                    "line {line}: expected the names of the columns, found numbers; a table without names is read with `header: false`"
                )
            }
            #[cfg(feature = "cluster")]
            CsvError::RankFailed { rank } => {
                write!(
                    f,
                    "expected all ranks to read their share, found that rank {rank} has failed: its own message says why"
                )
            }
            CsvError::Empty => f.write_str("expected at least one line of values, found none"),
        }
    }
}

impl core::error::Error for CsvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            CsvError::Read(error) => Some(error),
            _ => None,
        }
    }
}
