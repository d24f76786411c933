//! [`OnnxGraph`]: the graph while it is put together.

use super::protobuf::Message;
use crate::num::Real;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A `NodeProto` before it is written.
struct OnnxNode {
    operator: &'static str,
    inputs: Vec<String>,
    output: String,
    attributes: Vec<Message>,
}

/// A `GraphProto` before it is written.
pub(super) struct OnnxGraph {
    nodes: Vec<OnnxNode>,
    /// The constants, as `TensorProto` in fields.
    tensors: Message,
    /// The name of what the next layer takes.
    pub now: String,
    /// The names of what the layers around this position need at their ends.
    pub kept: Vec<String>,
    /// Whether the number of steps of a sequence is known only when the network runs.
    pub any_steps: bool,
    /// How many constants without a layer's name there are.
    constants: usize,
}

/// The element type of a `TensorProto`.
pub(super) fn data_type<T: Real>() -> u64 {
    if T::MANTISSA_BITS == f32::MANTISSA_BITS { 1 } else { 11 }
}

/// The element type of integers.
const INT64: u64 = 7;

impl OnnxGraph {
    pub fn new(any_steps: bool) -> Self {
        OnnxGraph {
            nodes: Vec::new(),
            tensors: Message::default(),
            now: "input".into(),
            kept: Vec::new(),
            any_steps,
            constants: 0,
        }
    }

    /// Adds an operator; returns the name of its output.
    pub fn node(&mut self, operator: &'static str, inputs: &[&str], attributes: Vec<Message>) -> String {
        let output = format!("{}_{}", operator.to_ascii_lowercase(), self.nodes.len());
        let inputs = inputs.iter().map(|&input| input.into()).collect();
        self.nodes.push(OnnxNode { operator, inputs, output: output.clone(), attributes });
        output
    }

    /// Adds an operator that takes what there is now.
    pub fn then(&mut self, operator: &'static str, others: &[&str], attributes: Vec<Message>) {
        let now = core::mem::take(&mut self.now);
        let mut inputs = vec![now.as_str()];
        inputs.extend(others);
        self.now = self.node(operator, &inputs, attributes);
    }

    pub fn tensor<T: Real>(&mut self, name: String, sizes: &[usize], values: impl Iterator<Item = T>) -> String {
        let mut bytes = Vec::new();
        for value in values {
            if data_type::<T>() == 1 {
                bytes.extend((value.exact() as f32).to_le_bytes());
            } else {
                bytes.extend(value.exact().to_le_bytes());
            }
        }
        self.add_tensor(&name, sizes, data_type::<T>(), &bytes);
        name
    }

    /// A scalar.
    pub fn constant<T: Real>(&mut self, value: f64) -> String {
        self.constants += 1;
        self.tensor(format!("constant_{}", self.constants), &[], core::iter::once(T::of(value)))
    }

    /// Integers, such as sizes.
    pub fn integers(&mut self, sizes: &[usize], values: &[i64]) -> String {
        self.constants += 1;
        let name = format!("integers_{}", self.constants);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add_tensor(&name, sizes, INT64, &bytes);
        name
    }

    /// One integer for each axis.
    pub fn axes(&mut self, values: &[i64]) -> String {
        self.integers(&[values.len()], values)
    }

    fn add_tensor(&mut self, name: &str, sizes: &[usize], data_type: u64, bytes: &[u8]) {
        let tensor = sizes.iter().fold(Message::default(), |tensor, &size| tensor.number(1, size as u64));
        let tensor = tensor.number(2, data_type).text(8, name).bytes(9, bytes);
        self.tensors = core::mem::take(&mut self.tensors).message(5, tensor);
    }

    /// The bytes of a `ModelProto`.
    pub fn model<T: Real>(mut self, inputs: &[usize], outputs: &[usize]) -> Vec<u8> {
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
        let value = |name: &str, sizes: &[usize]| {
            let samples = Message::default().text(2, "samples");
            let mut shape = Message::default().message(1, samples);
            for (axis, &size) in sizes.iter().enumerate() {
                let is_time = self.any_steps && sizes.len() == 2 && axis == 0;
                let dimension = Message::default();
                shape = shape
                    .message(1, if is_time { dimension.text(2, "steps") } else { dimension.number(1, size as u64) });
            }
            let tensor = Message::default().number(1, data_type::<T>()).message(2, shape);
            Message::default().text(1, name).message(2, Message::default().message(1, tensor))
        };
        onnx = onnx.message(11, value("input", inputs)).message(12, value("output", outputs));
        // The version of the format, the program, the graph, and the version of the operators.
        let model = Message::default().number(1, 8).text(2, "tuplenet").text(3, env!("CARGO_PKG_VERSION"));
        model.message(7, onnx).message(8, Message::default().text(1, "").number(2, 17)).0
    }
}
