//! Export of networks as Rust source, C99 source, and ONNX files.
//!
//! ```
//! use tuplenet::io::export;
//! use tuplenet::prelude::*;
//!
//! type Xor = (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);
//! let network = Xor::new(&mut seeded(0));
//! let samples = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
//!
//! // For a project in C: a file without a library, a heap or anything else.
//! let c = export::c_source(&network, "xor", &samples)?;
//! assert!(c.contains("void xor_predict(const float input[2], float output[1])"));
//! // For another program in Rust: a module with the type, the weights and a test.
//! let rust = export::rust_source(&network, &samples)?;
//! assert!(rust.contains("pub type Net = (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);"));
//! // For everything else.
//! let onnx: Vec<u8> = export::onnx(&network)?;
//! # assert!(onnx.len() > 17 * 4);
//! # Ok::<(), export::ExportError>(())
//! ```
//!
//! [`save`] writes it to a file. Exports are for inference, not for training: C and ONNX have no dropout. Outputs are
//! those of [`predict_one`](crate::model::Network::predict_one), but for rounding: the order of summation differs.
//!
//! Images are exported channel by channel, row by row, and sequences step by step, as samples are in this library. A
//! network of sequences that begins with [`Input`](crate::layers::Input) is exported for as many steps as that says. If
//! it can be asked step by step ([`Stream`](crate::model::Stream)), the C has a function for one step too, with the state
//! in a struct, and in Rust there is [`Network::step`] anyway; the self-test then compares both ways. In ONNX, a network
//! that does not begin with `Input` takes any number of steps.
//!
//! # The self-test
//!
//! Source code has test vectors: the `samples`, the outputs of the network for them, and a function that counts the
//! wrong outputs. A few samples from the data are enough. The tolerance of each output is measured when the file is
//! written: by how the outputs change if every weight and every input is changed by as much as rounding may amount to.
//!
//! # What can be written
//!
//! All layers and activations of the library; [`Residual`](crate::layers::Residual) and tuples to any depth. An
//! activation of your own says in [`Activation::KIND`](crate::activation::Activation::KIND) which of the library's it
//! computes, if it is one of them, and a layer of your own in [`Layer::operations`](crate::model::Layer::operations). All
//! else is an error, as are weights, samples and outputs that are not finite.
//!
//! ONNX files can't be read: models of PyTorch, Keras and scikit-learn are read with the feature `safetensors`.

mod c;
mod check;
mod onnx;
mod quantized;
mod rust;
mod sizes;
mod test_vectors;

use crate::model::{Network, Op, Out, Shape, Trainable};
use crate::num::Real;
use crate::num::math::square_root;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use c::{c_header, c_source};
pub use onnx::onnx;
pub use quantized::{quantized_rust_expression, quantized_rust_source};
pub use rust::{rust_expression, rust_source};

/// Writes what the other functions return to the file at `path`, atomically: when the disk is full or the program is
/// killed, there is the old file or the new one, and it is complete. A symbolic link stays one, permissions stay as
/// they were, and a device or a pipe is written to.
///
/// # Errors
///
/// If the file can't be written; the old one is then unchanged.
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(&mut seeded(0));
/// # let folder = std::env::temp_dir().join(format!("tuplenet-export-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// export::save(export::onnx(&network)?, folder.join("xor.onnx"))?;
/// export::save(export::c_header(&network, "xor")?, folder.join("xor.h"))?;
/// # std::fs::remove_dir_all(&folder)?;
///
/// let error = export::save("", folder.join("none").join("xor.h")).unwrap_err();
/// assert!(error.to_string().contains("xor.h`: there is no folder `"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "std")]
pub fn save(contents: impl AsRef<[u8]>, path: impl AsRef<std::path::Path>) -> std::io::Result<()> {
    let path = path.as_ref();
    crate::io::file::save(path, contents.as_ref())
        .map_err(|error| std::io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))
}

/// Networks that can be written: all whose sizes match. There is nothing to implement.
pub trait Exportable: Network + Trainable {}

// Recommended, unlike other such implementations, so that the compiler continues to the layer whose size is wrong.
impl<N: Network + Trainable> Exportable for N {}

/// Why a network could not be written in another language.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportError {
    /// A layer or its activation has no graph.
    Unknown {
        /// Its type.
        name: String,
    },
    /// A weight is infinite or NaN, or becomes so when statistics are folded into it.
    Weight {
        /// Its field path: `network.2.0.weight`.
        place: String,
        /// Its row, counted from zero.
        row: usize,
        /// Its column, counted from zero.
        column: usize,
        /// What it is.
        found: String,
    },
    /// A layer normalization adds nothing to the variance: the output for a sample of equal values would be NaN.
    Epsilon {
        /// Its field path: `network.2.0.epsilon`.
        place: String,
    },
    /// The name can't be that of a function in C.
    Name {
        /// What it was.
        found: String,
    },
    /// There was no sample for the self-test, or what belongs to the samples is not there.
    Samples(crate::error::Error),
    /// A sample has an input or an output that is infinite or NaN.
    Sample {
        /// Counted from zero.
        sample: usize,
        /// `input` or `output`.
        what: &'static str,
        /// The index of the first such value, counted from zero.
        index: usize,
        /// What it is.
        found: String,
    },
    /// The [operations](crate::model::Layer::operations) of a layer of your own do not fit together.
    Operation {
        /// The index of the operation in the graph, counted from zero.
        index: usize,
        /// What there should be.
        what: &'static str,
        /// How many.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A layer computes what the format has no operator for.
    Format {
        /// The name of the format.
        format: &'static str,
        /// What it can't express.
        what: &'static str,
    },
    /// An ONNX file would take more than 2 gigabytes, which its format can't.
    Large {
        /// How many bytes the weights take.
        found: usize,
    },
}

crate::error::debug_is_display!(ExportError);

impl fmt::Display for ExportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExportError::Unknown { name } => write!(
                f,
                "expected layers of the library, and activations that are its own or say in `Activation::KIND` which of \
                 these they compute, found `{name}`"
            ),
            ExportError::Weight { place, row, column, found } => {
                write!(f, "`{place}`, row {row}, column {column}: expected a finite number, found {found}")
            }
            ExportError::Epsilon { place } => write!(f, "`{place}`: expected a number above zero, found 0"),
            ExportError::Name { found } => write!(
                f,
                "expected a name of at most {} letters, digits and underscores that begins with a letter, found `{}`",
                c::LONGEST_NAME,
                found.escape_debug()
            ),
            ExportError::Samples(error) => error.fmt(f),
            ExportError::Sample { sample, what, index, found } => {
                write!(f, "sample {sample}, {what} {index}: expected a finite number, found {found}")
            }
            ExportError::Operation { index, what, expected, found } => write!(
                f,
                "operation {index} of the graph: expected {expected} {what}, found {found}; see `Layer::operations` of the \
                 layer that emits it"
            ),
            ExportError::Format { format, what } => write!(f, "expected what {format} can express, found {what}"),
            ExportError::Large { found } => {
                write!(f, "expected weights of at most {} bytes for an ONNX file, found {found}", onnx::LARGEST)
            }
        }
    }
}

impl core::error::Error for ExportError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            ExportError::Samples(error) => Some(error),
            _ => None,
        }
    }
}

/// What a network is made of, all of it known and finite.
struct Graph<'a, T> {
    /// The sizes of a sample.
    inputs: &'static [usize],
    /// The sizes of its outputs.
    outputs: &'static [usize],
    parts: Vec<Op<'a, T>>,
}

impl<'a, T: Real> Graph<'a, T> {
    fn new<N: Exportable<Scalar = T>>(network: &'a N) -> Result<Self, ExportError> {
        let mut parts = Vec::new();
        network.graph(&mut |part| parts.push(part));
        check::known(&parts)?;
        let (inputs, outputs) = (N::In::DIMENSIONS, <Out<N> as Shape>::DIMENSIONS);
        sizes::check(&parts, inputs.iter().product(), outputs.iter().product())?;
        check::finite(&parts)?;
        Ok(Graph { inputs, outputs, parts })
    }

    /// The number of steps, and the inputs and outputs of one, if the network can be asked step by step.
    fn stream(&self) -> Option<[usize; 3]> {
        let [steps, inputs] = *self.inputs else { return None };
        let has_stream = |part: &Op<T>| match *part {
            Op::BatchNormalization { pixels, .. } => pixels == 1,
            Op::Linear { .. }
            | Op::Apply { .. }
            | Op::Source { .. }
            | Op::InvertedDropout { .. }
            | Op::LayerNormalization { .. }
            | Op::Recurrent { .. }
            | Op::CausalConvolution { .. }
            | Op::StepsBegin { .. }
            | Op::StepsEnd { .. }
            | Op::OverTime { .. }
            | Op::ChainBegins
            | Op::ChainEnds
            | Op::ResidualBegins { .. }
            | Op::ResidualEnds => true,
            _ => false,
        };
        let outputs = self.outputs.last().copied().unwrap_or(1);
        self.parts.iter().all(has_stream).then_some([steps, inputs, outputs])
    }
}

/// Scales and shifts of a batch normalization in prediction.
fn lines<T: Real>(weight: &[T], bias: &[T], mean: &[T], variance: &[T], epsilon: T) -> [Vec<T>; 2] {
    let line = |i| {
        let scale = weight[i] * (T::ONE / square_root(variance[i] + epsilon));
        [scale, bias[i] - mean[i] * scale]
    };
    let lines: Vec<[T; 2]> = (0..weight.len()).map(line).collect();
    [0, 1].map(|which| lines.iter().map(|line| line[which]).collect())
}

/// Values with commas between them, in lines that begin with `indent`, and a comma at the end of each.
fn wrapped(indent: &str, numbers: impl Iterator<Item = String>) -> String {
    const WIDTH: usize = 110;
    let (mut text, mut line) = (String::new(), String::new());
    for number in numbers {
        if !line.is_empty() && indent.len() + line.len() + number.len() + 2 > WIDTH {
            text += &format!("{indent}{line}\n");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += &number;
        line.push(',');
    }
    text + &format!("{indent}{line}\n")
}

/// Row `row` of a matrix that is stored column by column.
fn row<T: Copy>(weight: &[T], rows: usize, row: usize) -> impl Iterator<Item = T> {
    weight.iter().skip(row).step_by(rows).copied()
}
