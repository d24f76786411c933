//! ONNX files.

use super::{ExportError, Exportable, Graph, row};
use crate::activation::{ActivationKind, Function, SELU_ALPHA, SELU_SCALE};
use crate::model::Op;
use crate::num::Real;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::f64::consts;

/// The largest size of all weights, with a margin for everything else: a message of protobuf has less than 2 gigabytes.
pub(super) const LARGEST: usize = (1 << 31) - (1 << 24);

/// The network as an ONNX file, for ONNX Runtime and other programs. PyTorch equivalent: `torch.onnx.export`.
///
/// # Shapes
///
/// `input`: `[samples, IN]`, any number of samples, one per row; `output`: `[samples, OUT]`. The
/// floating-point type is that of the network. The operators are those of version 17 of the standard; a
/// [`Dropout`](crate::layers::Dropout) is left out.
///
/// For `f64`, ONNX Runtime has no ELU, SELU, GELU, hard sigmoid, softplus and softsign; they are put together from what
/// it has. Its error function is one of `f32` in any case, so that a GELU is exact to some 1e-7. The attributes of the
/// standard's operators are `f32` too, and with them the epsilon of a normalization.
///
/// # Errors
///
/// If a layer or an activation has no [operation](crate::model::Op), a weight is not finite, the epsilon of a
/// layer normalization is zero, or the weights use more than 2 gigabytes.
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
pub fn onnx<N: Exportable<IN, OUT>, const IN: usize, const OUT: usize>(network: &N) -> Result<Vec<u8>, ExportError> {
    let size = N::PARAMETERS.saturating_mul(size_of::<N::Scalar>());
    if size > LARGEST {
        return Err(ExportError::Large { found: size });
    }
    let graph = Graph::new(network)?;
    let mut onnx = OnnxGraph::new();
    for (index, part) in graph.parts.iter().enumerate() {
        onnx.part(index, part);
    }
    Ok(onnx.model::<N::Scalar>(graph.inputs, graph.outputs))
}

/// A message of protobuf as it is written. The few that are needed are put together by hand, because a library for them
/// would bring a generator of code along, and a compiler of protobuf to build it:
/// <https://protobuf.dev/programming-guides/encoding>. The field numbers are those of
/// <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value > 127 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn float(mut self, field: u64, value: f32) -> Self {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u64, message: Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// An `AttributeProto` with a float.
fn float(name: &str, value: f64) -> Message {
    Message::default().text(1, name).float(2, value as f32).number(20, 1)
}

/// An `AttributeProto` with an integer.
fn whole(name: &str, value: i64) -> Message {
    Message::default().text(1, name).number(3, value as u64).number(20, 2)
}

/// A `NodeProto` before it is written.
struct OnnxNode {
    operator: &'static str,
    inputs: Vec<String>,
    output: String,
    attributes: Vec<Message>,
}

/// A `GraphProto` before it is written.
struct OnnxGraph {
    nodes: Vec<OnnxNode>,
    /// The constants, as `TensorProto` in fields.
    tensors: Message,
    /// The name of what the next layer takes.
    now: String,
    /// The names of the inputs of the residuals around this position.
    kept: Vec<String>,
    /// How many constants without a layer's name there are.
    constants: usize,
}

/// The element type of a `TensorProto`.
fn data_type<T: Real>() -> u64 {
    if T::MANTISSA_BITS == f32::MANTISSA_BITS { 1 } else { 11 }
}

impl OnnxGraph {
    fn new() -> Self {
        OnnxGraph {
            nodes: Vec::new(),
            tensors: Message::default(),
            now: "input".into(),
            kept: Vec::new(),
            constants: 0,
        }
    }

    /// Adds an operator; returns the name of its output.
    fn node(&mut self, operator: &'static str, inputs: &[&str], attributes: Vec<Message>) -> String {
        let output = format!("{}_{}", operator.to_ascii_lowercase(), self.nodes.len());
        let inputs = inputs.iter().map(|&input| input.into()).collect();
        self.nodes.push(OnnxNode { operator, inputs, output: output.clone(), attributes });
        output
    }

    /// Adds an operator that takes what there is now.
    fn then(&mut self, operator: &'static str, others: &[&str], attributes: Vec<Message>) {
        let now = core::mem::take(&mut self.now);
        let mut inputs = vec![now.as_str()];
        inputs.extend(others);
        self.now = self.node(operator, &inputs, attributes);
    }

    fn tensor<T: Real>(&mut self, name: String, sizes: &[usize], values: impl Iterator<Item = T>) -> String {
        let mut bytes = Vec::new();
        for value in values {
            if data_type::<T>() == 1 {
                bytes.extend((value.exact() as f32).to_le_bytes());
            } else {
                bytes.extend(value.exact().to_le_bytes());
            }
        }
        let mut tensor = Message::default();
        for &size in sizes {
            tensor = tensor.number(1, size as u64);
        }
        let tensor = tensor.number(2, data_type::<T>()).text(8, &name).bytes(9, &bytes);
        self.tensors = core::mem::take(&mut self.tensors).message(5, tensor);
        name
    }

    /// A scalar.
    fn constant<T: Real>(&mut self, value: f64) -> String {
        self.constants += 1;
        self.tensor(format!("constant_{}", self.constants), &[], core::iter::once(T::of(value)))
    }

    fn part<T: Real>(&mut self, index: usize, part: &Op<T>) {
        let vector = |onnx: &mut Self, name: &str, values: &[T]| {
            onnx.tensor(format!("{name}_{index}"), &[values.len()], values.iter().copied())
        };
        match *part {
            Op::Linear { inputs, outputs, weight, bias, function } => {
                let rows = (0..outputs).flat_map(|index| row(weight, outputs, index));
                let weight = self.tensor(format!("weight_{index}"), &[outputs, inputs], rows);
                let bias = vector(self, "bias", bias);
                self.then("Gemm", &[&weight, &bias], vec![whole("transB", 1)]);
                self.activate::<T>(function);
            }
            Op::Apply { function, .. } => self.activate::<T>(function),
            Op::BatchNormalization { weight, bias, mean, variance, epsilon, .. } => {
                let names = [("scale", weight), ("bias", bias), ("mean", mean), ("variance", variance)]
                    .map(|(name, values)| vector(self, name, values));
                let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                self.then("BatchNormalization", &names, vec![float("epsilon", epsilon.exact())]);
            }
            Op::LayerNormalization { weight, bias, epsilon_nanos } => {
                let (weight, bias) = (vector(self, "scale", weight), vector(self, "bias", bias));
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
            // What is unknown is in no graph.
            Op::Source { .. } | Op::InvertedDropout { .. } | Op::ChainBegins | Op::ChainEnds | Op::Unknown { .. } => {}
        }
    }

    /// `scale * (exp(x) - 1)` below zero, `above * x` above, in `f64`.
    fn exponential<T: Real>(&mut self, above: f64, scale: f64) {
        let (zero, one) = (self.constant::<T>(0.0), self.constant::<T>(1.0));
        let (above, scale) = (self.constant::<T>(above), self.constant::<T>(scale));
        let x = self.now.clone();
        let positive = self.node("Max", &[&x, &zero], Vec::new());
        let positive = self.node("Mul", &[&positive, &above], Vec::new());
        self.then("Min", &[&zero], Vec::new());
        self.then("Exp", &[], Vec::new());
        self.then("Sub", &[&one], Vec::new());
        self.then("Mul", &[&scale], Vec::new());
        self.then("Add", &[&positive], Vec::new());
    }

    fn activate<T: Real>(&mut self, function: ActivationKind) {
        let single = data_type::<T>() == 1;
        let x = self.now.clone();
        match function.0 {
            Function::Identity => {}
            Function::Relu => self.then("Relu", &[], Vec::new()),
            Function::Sigmoid => self.then("Sigmoid", &[], Vec::new()),
            Function::Tanh => self.then("Tanh", &[], Vec::new()),
            Function::Softmax => self.then("Softmax", &[], vec![whole("axis", -1)]),
            Function::Silu => {
                self.then("Sigmoid", &[], Vec::new());
                self.then("Mul", &[&x], Vec::new());
            }
            Function::Gelu => {
                let (root, one, half) = (consts::FRAC_1_SQRT_2, self.constant::<T>(1.0), self.constant::<T>(0.5));
                let root = self.constant::<T>(root);
                self.then("Mul", &[&root], Vec::new());
                if !single {
                    self.then("Cast", &[], vec![whole("to", 1)]);
                }
                self.then("Erf", &[], Vec::new());
                if !single {
                    self.then("Cast", &[], vec![whole("to", 11)]);
                }
                self.then("Add", &[&one], Vec::new());
                self.then("Mul", &[&x], Vec::new());
                self.then("Mul", &[&half], Vec::new());
            }
            Function::LeakyRelu { percent } => {
                let factor = f64::from(percent) / 100.0;
                if single {
                    return self.then("LeakyRelu", &[], vec![float("alpha", factor)]);
                }
                let factors = self.constant::<T>(factor);
                self.then("PRelu", &[&factors], Vec::new());
            }
            Function::Elu if single => self.then("Elu", &[], Vec::new()),
            Function::Elu => self.exponential::<T>(1.0, 1.0),
            Function::Selu if single => {
                self.then("Selu", &[], vec![float("alpha", SELU_ALPHA), float("gamma", SELU_SCALE)]);
            }
            Function::Selu => self.exponential::<T>(SELU_SCALE, SELU_SCALE * SELU_ALPHA),
            Function::HardSigmoid if single => {
                self.then("HardSigmoid", &[], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]);
            }
            Function::HardSigmoid => {
                let [sixth, half, zero, one] = [1.0 / 6.0, 0.5, 0.0, 1.0].map(|value| self.constant::<T>(value));
                self.then("Mul", &[&sixth], Vec::new());
                self.then("Add", &[&half], Vec::new());
                self.then("Clip", &[&zero, &one], Vec::new());
            }
            Function::Softplus if single => self.then("Softplus", &[], Vec::new()),
            Function::Softplus => {
                let (zero, one) = (self.constant::<T>(0.0), self.constant::<T>(1.0));
                let positive = self.node("Max", &[&x, &zero], Vec::new());
                for operator in ["Abs", "Neg", "Exp"] {
                    self.then(operator, &[], Vec::new());
                }
                self.then("Add", &[&one], Vec::new());
                self.then("Log", &[], Vec::new());
                self.then("Add", &[&positive], Vec::new());
            }
            Function::Softsign if single => self.then("Softsign", &[], Vec::new()),
            Function::Softsign => {
                let one = self.constant::<T>(1.0);
                let size = self.node("Abs", &[&x], Vec::new());
                let divisor = self.node("Add", &[&size, &one], Vec::new());
                self.then("Div", &[&divisor], Vec::new());
            }
        }
    }

    /// The bytes of a `ModelProto`.
    fn model<T: Real>(mut self, inputs: usize, outputs: usize) -> Vec<u8> {
        if self.nodes.is_empty() {
            self.then("Identity", &[], Vec::new());
        }
        // What no other node takes is what comes out.
        if let Some(last) = self.nodes.last_mut() {
            last.output = "output".into();
        }
        let mut onnx = Message::default();
        for node in self.nodes {
            let mut message = Message::default();
            for input in &node.inputs {
                message = message.text(1, input);
            }
            message = message.text(2, &node.output).text(3, &node.output).text(4, node.operator);
            for attribute in node.attributes {
                message = message.message(5, attribute);
            }
            onnx = onnx.message(1, message);
        }
        onnx = onnx.text(2, "tuplenet");
        onnx.0.extend(self.tensors.0);
        let value = |name: &str, size: usize| {
            let samples = Message::default().text(2, "samples");
            let shape = Message::default().message(1, samples).message(1, Message::default().number(1, size as u64));
            let tensor = Message::default().number(1, data_type::<T>()).message(2, shape);
            Message::default().text(1, name).message(2, Message::default().message(1, tensor))
        };
        onnx = onnx.message(11, value("input", inputs)).message(12, value("output", outputs));
        // The version of the format, the program, the graph, and the version of the operators.
        let model = Message::default().number(1, 8).text(2, "tuplenet").text(3, env!("CARGO_PKG_VERSION"));
        model.message(7, onnx).message(8, Message::default().text(1, "").number(2, 17)).0
    }
}
