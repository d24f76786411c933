//! [`LoadError`]: why a file does not fit a network, with the same message at run time and from the compiler.

use crate::error::Text;
use crate::model::Parameter;
use core::fmt;

/// A tensor's name; the end of it, if it is long.
pub type Name = Text<46>;

/// The sizes of a tensor, of which only the first few are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How many sizes there are: 1 for a vector, 2 for a matrix, 4 for kernels.
    pub rank: usize,
    /// The first of them; one that does not fit is the largest that does.
    pub first: [u32; 4],
}

impl Sizes {
    /// The sizes of a parameter, as in PyTorch.
    #[must_use]
    pub const fn of(parameter: &Parameter) -> Self {
        if matches!(parameter.kind, crate::model::Kind::Count) {
            return Sizes { rank: 0, first: [0; 4] };
        }
        if parameter.is_vector() {
            return Sizes { rank: 1, first: [parameter.rows as u32, 0, 0, 0] };
        }
        let (rows, columns) = (parameter.rows as u32, parameter.columns as u32);
        if let crate::model::Kind::Kernel { rows: height, columns: width } = parameter.kind {
            let (height, width) = (height as u32, width as u32);
            return Sizes { rank: 4, first: [rows, columns / (height * width), height, width] };
        }
        if let crate::model::Kind::Taps { taps } = parameter.kind {
            let taps = taps as u32;
            return Sizes { rank: 3, first: [rows, columns / taps, taps, 0] };
        }
        Sizes { rank: 2, first: [rows, columns, 0, 0] }
    }

    pub(crate) const fn equal(&self, other: &Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.first, other.first);
        self.rank == other.rank && a == e && b == f && c == g && d == h
    }

    const fn tell(&self, words: &mut Words) {
        words.push("[");
        let mut i = 0;
        while i < self.rank && i < 4 {
            words.push(if i > 0 { ", " } else { "" });
            words.push_number(self.first[i] as u64);
            i += 1;
        }
        words.push(if self.rank > 4 { ", ...]" } else { "]" });
    }
}

/// Why a file does not fit a network. The network is unchanged.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError {
    /// The file has another length than it must have.
    Length {
        /// Of what.
        what: &'static str,
        /// How many bytes there must be.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The file is of another format.
    Format {
        /// Which, and what to do about it.
        found: &'static str,
    },
    /// The header claims more than the format allows.
    HeaderLength {
        /// How many bytes.
        found: u64,
    },
    /// The header is not what the format says.
    Header {
        /// The byte of the header, counted from zero.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// There is no such tensor.
    Missing {
        /// The tensor.
        tensor: Name,
        /// Its sizes.
        expected: Sizes,
        /// A tensor that is there and that the network does not have, one of these sizes if possible.
        found: Option<Text<22>>,
    },
    /// There is a tensor that the network does not have.
    Extra {
        /// The tensor.
        tensor: Name,
        /// Its sizes.
        found: Sizes,
    },
    /// There are two tensors of the same name.
    Twice {
        /// The tensor.
        tensor: Name,
    },
    /// A tensor has other sizes than in the network.
    Sizes {
        /// The tensor.
        tensor: Name,
        /// Those of the network.
        expected: Sizes,
        /// Those of the file.
        found: Sizes,
    },
    /// A tensor has elements that can't be converted.
    Precision {
        /// The tensor.
        tensor: Name,
        /// What can be.
        expected: &'static str,
        /// The name of the type in the file.
        found: Text<22>,
    },
    /// A tensor has not as many bytes as its sizes need.
    Bytes {
        /// The tensor.
        tensor: Name,
        /// How many there must be.
        expected: u64,
        /// Where the file says that they begin.
        begin: u64,
        /// And where they end.
        end: u64,
    },
    /// The tensors are beyond the end of the file.
    Beyond {
        /// The tensor.
        tensor: Name,
        /// Where the file says that its bytes end.
        end: u64,
        /// How many bytes there are for all tensors.
        found: u64,
    },
    /// Bytes that belong to no tensor.
    Gap {
        /// From which byte of all tensors on.
        at: u64,
    },
    /// Bytes that belong to two tensors.
    Shared,
    /// A value is NaN or infinite, or would be after its conversion.
    NotFinite {
        /// The tensor.
        tensor: Name,
        /// The row, counted from zero.
        row: u64,
        /// The column, counted from zero.
        column: u64,
        /// What it is.
        found: &'static str,
    },
    /// A value of a batch normalization that is finite, but leads to a scale or shift that is not.
    Normalization {
        /// The tensor.
        tensor: Name,
        /// The row, counted from zero.
        row: u64,
        /// What it should be.
        expected: &'static str,
    },
    /// A count is negative, or larger than the computer can count.
    Count {
        /// The tensor.
        tensor: Name,
    },
    /// The number of names is not that of the network's modules.
    Modules {
        /// How many modules with tensors the network has.
        expected: usize,
        /// How many names were given.
        found: usize,
    },
    /// The name of a tensor would be longer than 256 bytes.
    Deep,
}

/// The capacity for the longest message.
pub(crate) type Words = Text<256>;

impl LoadError {
    /// The message, for `Display` and for the compiler.
    pub(crate) const fn words(&self) -> Words {
        let mut words = Words::new();
        match self {
            LoadError::Length { what, expected, found } => {
                words.push("expected ");
                words.push_number(*expected);
                words.push(" bytes ");
                words.push(what);
                words.push(", found ");
                words.push_number(*found);
            }
            LoadError::Format { found } => {
                words.push("expected a safetensors file, found ");
                words.push(found);
            }
            LoadError::HeaderLength { found } => {
                words.push("expected a header of at most 100000000 bytes, found a claim of ");
                words.push_number(*found);
            }
            LoadError::Header { at, expected } => {
                words.push("expected ");
                words.push(expected);
                words.push(" at byte ");
                words.push_number(*at as u64);
                words.push(" of the header, found something else");
            }
            LoadError::Missing { tensor, expected, found } => {
                about(&mut words, tensor);
                expected.tell(&mut words);
                words.push(", found no tensor of that name");
                if let Some(found) = found {
                    words.push(", but `");
                    words.push(found.as_str());
                    words.push("`");
                }
            }
            LoadError::Extra { tensor, found } => {
                about(&mut words, tensor);
                words.push("no tensor of that name, found one of sizes ");
                found.tell(&mut words);
            }
            LoadError::Twice { tensor } => {
                about(&mut words, tensor);
                words.push("one tensor of that name, found two");
            }
            LoadError::Sizes { tensor, expected, found } => {
                about(&mut words, tensor);
                expected.tell(&mut words);
                words.push(", found ");
                found.tell(&mut words);
            }
            LoadError::Precision { tensor, expected, found } => {
                about(&mut words, tensor);
                words.push("elements ");
                words.push(expected);
                words.push(", found ");
                words.push(found.as_str());
            }
            LoadError::Bytes { tensor, expected, begin, end } => {
                about(&mut words, tensor);
                words.push_number(*expected);
                words.push(" bytes, found a range from ");
                words.push_number(*begin);
                words.push(" to ");
                words.push_number(*end);
            }
            LoadError::Beyond { tensor, end, found } => {
                about(&mut words, tensor);
                words.push("bytes up to ");
                words.push_number(*end);
                words.push(" for all tensors, found ");
                words.push_number(*found);
            }
            LoadError::Gap { at } => {
                words.push("expected tensors one after the other, found none that begins at byte ");
                words.push_number(*at);
            }
            LoadError::Shared => {
                words.push("expected tensors one after the other, found bytes that belong to two");
            }
            LoadError::NotFinite { tensor, row, column, found } => {
                about(&mut words, tensor);
                words.push("finite numbers, found ");
                words.push(found);
                words.push(" in row ");
                words.push_number(*row);
                words.push(", column ");
                words.push_number(*column);
            }
            LoadError::Normalization { tensor, row, expected } => {
                about(&mut words, tensor);
                words.push(expected);
                words.push(", found another in row ");
                words.push_number(*row);
            }
            LoadError::Count { tensor } => {
                about(&mut words, tensor);
                words.push("a count, found a number below zero or too large");
            }
            LoadError::Modules { expected, found } => {
                words.push("expected the names of ");
                words.push_number(*expected as u64);
                words.push(" modules with tensors, found ");
                words.push_number(*found as u64);
            }
            LoadError::Deep => {
                words.push("expected names of at most 256 bytes, found layers nested deeper");
            }
        }
        words
    }
}

const fn about(words: &mut Words, tensor: &Name) {
    words.push("tensor `");
    words.push(tensor.as_str());
    words.push("`: expected ");
}

crate::error::debug_is_display!(LoadError);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words().as_str())
    }
}

impl core::error::Error for LoadError {}
