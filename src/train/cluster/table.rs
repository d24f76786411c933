//! Tables of comma-separated values of which each rank reads its share.

use super::{Communicator, agree, all_gather};
use crate::data::csv::{ClassNames, Line, Skipped, is_empty_line};
use crate::data::{Csv, CsvError, Samples, Share, share};
use crate::error::Error;
use crate::num::Real;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

/// The share of a rank in a table whose last column is a class.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClassifiedShare<T, const IN: usize> {
    /// The inputs of this rank, one sample for each line.
    pub inputs: Share<Vec<[T; IN]>>,
    /// The class of each of them, an index into `names`.
    pub classes: Share<Vec<usize>>,
    /// The names of all classes of the table, as [`Csv::classified`] returns them.
    pub names: Vec<String>,
}

impl Csv {
    /// [`samples`](Self::samples) of a file, of which each rank keeps its [`Share`]. First each rank counts the lines in an equal part of
    /// the file's bytes, then it reads the lines of its share and those before it in that part. Needs the features `csv` and `cluster`.
    ///
    /// Lines end with a line feed; there are none within quotation marks.
    ///
    /// # Errors
    ///
    /// As for [`samples`](Self::samples); on the other ranks [`CsvError::RankFailed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::data::Csv;
    /// use tuplenet::train::cluster::SingleProcess;
    ///
    /// let file = std::env::temp_dir().join(format!("tuplenet-{}.csv", std::process::id()));
    /// std::fs::write(&file, "width,height\n1.5,2\n-3,4e-1\n")?;
    /// let share = Csv::default().samples_over::<f32, 2>(&SingleProcess, &file)?;
    /// assert_eq!(share.samples, [[1.5, 2.0], [-3.0, 0.4]]);
    /// # std::fs::remove_file(&file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn samples_over<T: Real, const N: usize>(
        &self,
        communicator: &dyn Communicator,
        path: impl AsRef<Path>,
    ) -> Result<Share<Vec<[T; N]>>, CsvError> {
        let mut samples = Vec::new();
        let count = self.each_over(communicator, path.as_ref(), N, N, |line| {
            samples.push(line.values()?);
            Ok(())
        })?;
        shared::<T, _>(communicator, samples, count)
    }

    /// [`classified`](Self::classified) of a file, of which each rank keeps its [`Share`], as [`samples_over`](Self::samples_over)
    /// reads it.
    ///
    /// # Errors
    ///
    /// As for [`classified`](Self::classified); on the other ranks [`CsvError::RankFailed`].
    pub fn classified_over<T: Real, const IN: usize>(
        &self,
        communicator: &dyn Communicator,
        path: impl AsRef<Path>,
    ) -> Result<ClassifiedShare<T, IN>, CsvError> {
        let (mut inputs, mut labels) = (Vec::new(), Vec::new());
        let count = self.each_over(communicator, path.as_ref(), IN + 1, IN, |line| {
            inputs.push(line.values()?);
            labels.push(line.class(IN)?);
            Ok(())
        })?;
        // The names of all ranks, in the order in which they first appear in the file.
        let own = postcard::to_stdvec(&ClassNames::of(&labels).1).unwrap_or_default();
        let all: Vec<Vec<String>> = all_gather(communicator, &own)
            .iter()
            .map(|names| postcard::from_bytes(names).unwrap_or_default())
            .collect();
        let (classes, names) = ClassNames::of(&all.concat());
        let classes = labels.iter().map(|label| classes.index(label)).collect();
        Ok(ClassifiedShare {
            inputs: shared::<T, _>(communicator, inputs, count)?,
            classes: shared::<T, _>(communicator, classes, count)?,
            names,
        })
    }

    /// Calls `visit` for the lines of this rank's share; returns the number of lines of all ranks.
    fn each_over(
        &self,
        communicator: &dyn Communicator,
        path: &Path,
        columns: usize,
        numbers: usize,
        visit: impl FnMut(Line) -> Result<(), CsvError>,
    ) -> Result<usize, CsvError> {
        let counted = Table::open(path, self.header).and_then(|mut table| {
            let counts = table.count(table.part(communicator.rank(), communicator.size()))?;
            Ok((table, counts))
        });
        let message = counted.as_ref().map_or(Vec::new(), |(_, counts)| counts.map(u64::to_le_bytes).concat());
        let counts: Option<Vec<[u64; 2]>> =
            all_gather(communicator, &message).iter().map(|message| read_counts(message)).collect();
        let mut count = 0;
        let result = match (counted, counts) {
            (Err(error), _) => Err(CsvError::Read(error)),
            // Another rank could not count.
            (Ok(_), None) => Ok(()),
            (Ok((table, _)), Some(counts)) => {
                count = counts.iter().map(|[values, _]| *values as usize).sum();
                let own = share(count, communicator.rank(), communicator.size());
                if count == 0 {
                    Err(CsvError::Empty)
                } else if own.is_empty() {
                    Ok(())
                } else {
                    let read = table.read(own, &counts).map_err(CsvError::Read);
                    read.and_then(|(text, skipped)| self.each_after(&text[..], columns, numbers, skipped, visit))
                }
            }
        };
        // The error itself is only known here.
        let agreed =
            agree(communicator, result.as_ref().copied().map_err(|_| Error::NoSamples), &[("table", count as u64)]);
        result?;
        match agreed {
            Ok(()) => Ok(count),
            Err(Error::RankFailed { rank } | Error::Ranks { rank, .. }) => Err(CsvError::RankFailed { rank }),
            Err(_) => Err(CsvError::Empty),
        }
    }
}

/// What a rank has read, as its share.
fn shared<T: Real, X>(communicator: &dyn Communicator, samples: Vec<X>, count: usize) -> Result<Share<Vec<X>>, CsvError>
where
    Vec<X>: Samples<T>,
{
    Share::new::<T>(samples, count, communicator.rank(), communicator.size())
        .map_err(|error| CsvError::Read(io::Error::other(error)))
}

/// What a rank has counted; `None` if it could not.
fn read_counts(message: &[u8]) -> Option<[u64; 2]> {
    match message.as_chunks::<8>().0 {
        [values, lines] => Some([u64::from_le_bytes(*values), u64::from_le_bytes(*lines)]),
        _ => None,
    }
}

/// An open table.
struct Table {
    file: BufReader<File>,
    /// The header with its line feed, and empty lines before it.
    header: Vec<u8>,
    header_lines: u64,
    length: u64,
}

impl Table {
    fn open(path: &Path, has_header: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut table = Table { file: BufReader::new(file), header: Vec::new(), header_lines: 0, length };
        if !has_header {
            return Ok(table);
        }
        loop {
            let before = table.header.len();
            let found = table.file.read_until(b'\n', &mut table.header)?;
            table.header_lines += u64::from(found > 0);
            // The reader ignores lines without a single character, and takes one of white space for the header.
            if found == 0 || table.header[before..].iter().any(|byte| !matches!(byte, b'\n' | b'\r')) {
                return Ok(table);
            }
        }
    }

    /// The bytes after the header that a rank counts.
    fn part(&self, rank: usize, ranks: usize) -> Range<u64> {
        let first = self.header.len() as u64;
        let at = |rank: usize| first + ((self.length - first) as u128 * rank as u128 / ranks as u128) as u64;
        at(rank)..at(rank + 1)
    }

    /// Moves to the first line that begins in a part.
    fn seek(&mut self, part: &Range<u64>) -> io::Result<u64> {
        let first = self.header.len() as u64;
        if part.start <= first {
            return self.file.seek(SeekFrom::Start(first));
        }
        // The rest of the line that has the byte before.
        let at = self.file.seek(SeekFrom::Start(part.start - 1))?;
        Ok(at + self.file.skip_until(b'\n')? as u64)
    }

    /// The number of lines with values that begin in a part, and that of all lines.
    fn count(&mut self, part: Range<u64>) -> io::Result<[u64; 2]> {
        let (mut at, mut line, mut counts) = (self.seek(&part)?, Vec::new(), [0, 0]);
        while at < part.end {
            line.clear();
            let found = self.file.read_until(b'\n', &mut line)?;
            if found == 0 {
                break;
            }
            at += found as u64;
            counts[0] += u64::from(!is_empty_line(&line));
            counts[1] += 1;
        }
        Ok(counts)
    }

    /// The header with the lines of a share, and how many lines there are between them; `counts` are those of all parts.
    fn read(mut self, own: Range<usize>, counts: &[[u64; 2]]) -> io::Result<(Vec<u8>, Skipped)> {
        let (mut before, mut lines, mut rank) = (0, 0, 0);
        for [values, all] in counts {
            if before + values > own.start as u64 {
                break;
            }
            (before, lines, rank) = (before + values, lines + all, rank + 1);
        }
        self.seek(&self.part(rank, counts.len()))?;
        let (mut text, mut line) = (core::mem::take(&mut self.header), Vec::new());
        let mut left = own.len();
        while left > 0 {
            line.clear();
            if self.file.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if before < own.start as u64 {
                (before, lines) = (before + u64::from(!is_empty_line(&line)), lines + 1);
                continue;
            }
            left -= usize::from(!is_empty_line(&line));
            text.extend(&line);
        }
        Ok((text, Skipped { after: self.header_lines, lines }))
    }
}
