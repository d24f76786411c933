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
//! computes, if it is one of them. All else, such as a layer of your own, is an error, as are weights, samples and outputs
//! that are not finite.
//!
//! ONNX files can't be read: models of PyTorch, Keras and scikit-learn are read with the feature `safetensors`.

mod c;
mod onnx;
mod rust;
mod test_vectors;

use crate::model::summary::Short;
use crate::model::{Features, InputShape, Model, Network, Op, Trainable};
use crate::num::Real;
use crate::num::math::square_root;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

pub use c::{c_header, c_source};
pub use onnx::onnx;
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

/// Networks that can be written: all whose sizes match.
///
/// There is nothing to implement. `IN` is the number of inputs, `OUT` that of outputs.
pub trait Exportable<const IN: usize, const OUT: usize>:
    Network
    + Trainable
    + InputShape<In = Features<IN>>
    + Model<Features<IN>, <Self as InputShape>::Scalar, Out = Features<OUT>>
{
}

// Recommended, unlike other such implementations, so that the compiler continues to the layer whose size is wrong.
impl<N, const IN: usize, const OUT: usize> Exportable<IN, OUT> for N where
    N: Network
        + Trainable
        + InputShape<In = Features<IN>>
        + Model<Features<IN>, <N as InputShape>::Scalar, Out = Features<OUT>>
{
}

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
    inputs: usize,
    outputs: usize,
    parts: Vec<Op<'a, T>>,
}

impl<'a, T: Real> Graph<'a, T> {
    fn new<N: Exportable<IN, OUT, Scalar = T>, const IN: usize, const OUT: usize>(
        network: &'a N,
    ) -> Result<Self, ExportError> {
        let mut parts = Vec::new();
        network.graph(&mut |part| parts.push(part));
        check(&parts)?;
        Ok(Graph { inputs: IN, outputs: OUT, parts })
    }
}

/// Fails unless all operations are known and all their values finite.
fn check<T: Real>(parts: &[Op<T>]) -> Result<(), ExportError> {
    // Where the next layer stands: an index for each tuple around it, zero for each residual.
    let mut path: Vec<usize> = Vec::new();
    let mut around: Vec<bool> = Vec::new();
    for part in parts {
        let place = |name: &str| {
            let steps: String = path.iter().map(|index| format!(".{index}")).collect();
            format!("network{steps}.{name}")
        };
        let finite = |name: &str, values: &[T], rows: usize| match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(at) => Err(ExportError::Weight {
                place: place(name),
                row: at % rows,
                column: at / rows,
                found: format!("{:?}", values[at]),
            }),
        };
        match *part {
            Op::Linear { outputs, weight, bias, .. } => {
                finite("weight", weight, outputs)?;
                finite("bias", bias, outputs)?;
            }
            Op::BatchNormalization { weight, bias, mean, variance, epsilon, .. } => {
                for (name, values) in
                    [("weight", weight), ("bias", bias), ("running_mean", mean), ("running_variance", variance)]
                {
                    finite(name, values, values.len())?;
                }
                let [scale, shift] = lines(weight, bias, mean, variance, epsilon);
                finite("scale", &scale, scale.len())?;
                finite("shift", &shift, shift.len())?;
            }
            Op::LayerNormalization { epsilon_nanos: 0, .. } => {
                return Err(ExportError::Epsilon { place: place("epsilon") });
            }
            Op::LayerNormalization { weight, bias, .. } => {
                finite("weight", weight, weight.len())?;
                finite("bias", bias, bias.len())?;
            }
            Op::ChainBegins | Op::ResidualBegins { .. } => {
                path.push(0);
                around.push(matches!(part, Op::ChainBegins));
                continue;
            }
            Op::ChainEnds | Op::ResidualEnds => {
                path.pop();
                around.pop();
            }
            Op::Unknown { name } => return Err(ExportError::Unknown { name: Short(name).to_string() }),
            Op::Source { .. } | Op::Apply { .. } | Op::InvertedDropout { .. } => {}
        }
        if let (Some(index), Some(true)) = (path.last_mut(), around.last()) {
            *index += 1;
        }
    }
    Ok(())
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
