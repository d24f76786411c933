//! ONNX files.

mod activations;
mod graph;
mod images;
mod protobuf;
mod sequences;

use super::{ExportError, Exportable, Graph, row};
use crate::model::Op;
use crate::num::Real;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use graph::{OnnxGraph, data_type};
use protobuf::{float, whole};

/// The largest size of all weights, with a margin for everything else: a message of protobuf has less than 2 gigabytes.
pub(super) const LARGEST: usize = (1 << 31) - (1 << 24);

/// The network as an ONNX file, for ONNX Runtime and other programs. PyTorch equivalent: `torch.onnx.export`.
///
/// # Shapes
///
/// `input`: `[samples, IN]`, any number of samples, one per row; `output`: `[samples, OUT]`. Images are
/// `[samples, channels, rows, columns]`, sequences `[samples, steps, features]`, with any number of steps unless the network
/// begins with [`Input`](crate::layers::Input). The floating-point type is that of the network. The operators are those of
/// version 17 of the standard; a [`Dropout`](crate::layers::Dropout) is left out.
///
/// For `f64`, ONNX Runtime has no convolutions, pooling and recurrent layers, whose files other programs may read. It has no
/// ELU, SELU, GELU, hard sigmoid, softplus and softsign either; they are put together from what it has. Its error function is one of `f32` in any case, so that a GELU is exact to some 1e-7. The attributes of the
/// standard's operators are `f32` too, and with them the epsilon of a normalization.
///
/// # Errors
///
/// If a layer or an activation has no [operation](crate::model::Op), a weight is not finite, the epsilon of a
/// layer normalization is zero, or the weights use more than 2 gigabytes; if an [`Rnn`](crate::layers::Rnn) has an
/// activation that ONNX's does not have, SELU.
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(&mut seeded(0));
/// # let folder = std::env::temp_dir();
/// export::save(export::onnx(&network)?, folder.join("xor.onnx"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("torch.onnx.export"))]
pub fn onnx<N: Exportable>(network: &N) -> Result<Vec<u8>, ExportError> {
    let size = N::PARAMETERS.saturating_mul(size_of::<N::Scalar>());
    if size > LARGEST {
        return Err(ExportError::Large { found: size });
    }
    let graph = Graph::new(network)?;
    // A network of sequences that does not say how long they are.
    let mut onnx = OnnxGraph::new(matches!(graph.inputs, [1, _]));
    for (index, part) in graph.parts.iter().enumerate() {
        onnx.part(index, part)?;
    }
    Ok(onnx.model::<N::Scalar>(graph.inputs, graph.outputs))
}

impl OnnxGraph {
    /// The values of a vector that belongs to the operation at `index`.
    fn vector<T: Real>(&mut self, index: usize, name: &str, values: &[T]) -> String {
        self.tensor(format!("{name}_{index}"), &[values.len()], values.iter().copied())
    }

    fn part<T: Real>(&mut self, index: usize, part: &Op<T>) -> Result<(), ExportError> {
        match *part {
            Op::Linear { inputs, outputs, weight, bias, function } => {
                let rows = (0..outputs).flat_map(|index| row(weight, outputs, index));
                let weight = self.tensor(format!("weight_{index}"), &[outputs, inputs], rows);
                let bias = self.vector(index, "bias", bias);
                self.then("Gemm", &[&weight, &bias], vec![whole("transB", 1)]);
                self.activate::<T>(function);
            }
            Op::Apply { function, .. } => self.activate::<T>(function),
            Op::BatchNormalization { weight, bias, mean, variance, epsilon, .. } => {
                let names = [("scale", weight), ("bias", bias), ("mean", mean), ("variance", variance)]
                    .map(|(name, values)| self.vector(index, name, values));
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                self.then("BatchNormalization", &names, vec![float("epsilon", epsilon.exact())]);
            }
            Op::LayerNormalization { weight, bias, epsilon_nanos } => {
                let (weight, bias) = (self.vector(index, "scale", weight), self.vector(index, "bias", bias));
                let attributes = vec![
                    whole("axis", -1),
                    float("epsilon", epsilon_nanos as f64 / 1e9),
                    // Statistics in the floating-point type of the network.
                    whole("stash_type", data_type::<T>() as i64),
                ];
                self.then("LayerNormalization", &[&weight, &bias], attributes);
            }
            Op::ResidualBegins { .. } => self.kept.push(self.now.clone()),
            Op::ResidualEnds => {
                if let Some(kept) = self.kept.pop() {
                    self.then("Add", &[&kept], Vec::new());
                }
            }
            Op::Source { .. } | Op::InvertedDropout { .. } | Op::ChainBegins | Op::ChainEnds => {}
            Op::Recurrent { .. }
            | Op::CausalConvolution { .. }
            | Op::DirectionsBegin { .. }
            | Op::Reversed
            | Op::DirectionsEnd { .. }
            | Op::StepsBegin { .. }
            | Op::StepsEnd { .. }
            | Op::OverTime { .. } => return self.sequences(index, part),
            _ => self.images(index, part),
        }
        Ok(())
    }
}
