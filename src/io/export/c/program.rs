//! [`Program`]: the statements of the function that computes a network, and what they need.

use super::super::{Graph, lines, row};
use super::library::{literal, real, tanh};
use crate::activation::{ActivationKind, Function};
use crate::model::Op;
use crate::num::Real;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Where the inputs of the next layer are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Input,
    Output,
    /// One of two buffers.
    Buffer(usize),
    /// The output of the recurrent layer with this index, which is its state too.
    State(usize),
}

/// A variable that lives longer than a step: an array of values, or an integer.
pub(super) struct Variable {
    pub name: String,
    /// `None` for an integer.
    pub size: Option<usize>,
}

impl Variable {
    /// Its declaration in C, with its name.
    pub fn declaration(&self, real: &str) -> String {
        match self.size {
            Some(size) => format!("{real} {}[{size}]", self.name),
            None => format!("size_t {}", self.name),
        }
    }
}

/// A layer around others whose loops over steps are written here.
pub(super) struct Around {
    pub steps: usize,
    /// How many values its input has.
    pub size: usize,
    /// The index of the memory for its input; that for its output is the next.
    pub kept: usize,
}

/// The function that computes a network, or a step of it.
pub(super) struct Program<'n> {
    pub name: &'n str,
    pub real: &'static str,
    /// The number of steps, and the inputs and outputs of one, if it can be asked step by step.
    pub stream: Option<[usize; 3]>,
    /// Whether it computes one step of a stream, and has its state in a struct.
    pub is_step: bool,
    pub place: Place,
    /// How many values there are now.
    pub size: usize,
    /// How many layers are still to come that write to other memory than they read from.
    pub moves: usize,
    outputs: usize,
    /// The sizes of the two buffers.
    pub buffers: [usize; 2],
    /// For each depth of layers around others, how large what they keep is at most.
    pub kept: Vec<usize>,
    /// How many of these are in use.
    pub depth: usize,
    /// The layers of sequences around this position.
    pub around: Vec<Around>,
    /// What is carried from step to step.
    pub state: Vec<Variable>,
    /// How many values the sums of a recurrent layer take at most.
    pub sums: usize,
    /// Whether there is an output after the last step alone.
    pub has_last: bool,
    /// How many loops over steps surround this place, and how many do at most.
    pub time: usize,
    pub deepest_time: usize,
    pub tables: String,
    /// The constants that say how windows move, whose type is one of the functions.
    pub windows: String,
    pub body: String,
    pub needs: BTreeSet<&'static str>,
    pub loops: bool,
}

impl<'n> Program<'n> {
    pub fn new<T: Real>(name: &'n str, graph: &Graph<T>) -> Self {
        let stream = graph.stream();
        let is_step = stream.is_some();
        let moves = |part: &&Op<T>| match part {
            Op::Linear { .. }
            | Op::Convolution { .. }
            | Op::MaximumPooling { .. }
            | Op::MeanPooling { .. }
            | Op::MeanOfPixels { .. }
            | Op::NearestNeighbour { .. }
            | Op::CausalConvolution { .. }
            | Op::DirectionsEnd { .. } => true,
            Op::Recurrent { .. } | Op::StepsEnd { .. } => !is_step,
            _ => false,
        };
        Program {
            name,
            real: real::<T>(),
            stream,
            is_step,
            place: Place::Input,
            size: stream.map_or(graph.inputs.iter().product(), |[_, inputs, _]| inputs),
            moves: graph.parts.iter().filter(moves).count(),
            outputs: stream.map_or(graph.outputs.iter().product(), |[_, _, outputs]| outputs),
            buffers: [0; 2],
            kept: Vec::new(),
            depth: 0,
            around: Vec::new(),
            state: Vec::new(),
            sums: 0,
            has_last: false,
            time: 0,
            deepest_time: 0,
            tables: String::new(),
            windows: String::new(),
            body: String::new(),
            needs: BTreeSet::new(),
            loops: false,
        }
    }

    pub fn compile<T: Real>(&mut self, graph: &Graph<T>) {
        let name = self.name;
        for (index, part) in graph.parts.iter().enumerate() {
            match *part {
                Op::Linear { inputs, outputs, weight, bias, function } => {
                    let rows = (0..outputs).flat_map(|index| row(weight, outputs, index));
                    self.table("weight", index, outputs * inputs, rows);
                    self.table("bias", index, outputs, bias.iter().copied());
                    let (from, to) = self.go_to(outputs);
                    self.needs.insert("dense");
                    self.line(&format!(
                        "{name}_dense({name}_weight_{index}, {name}_bias_{index}, {inputs}, {outputs}, {from}, {to});"
                    ));
                    self.activate::<T>(function);
                }
                Op::Apply { function, .. } => self.activate::<T>(function),
                Op::BatchNormalization { weight, bias, mean, variance, epsilon, pixels, .. } => {
                    let [scale, shift] = lines(weight, bias, mean, variance, epsilon);
                    let channels = scale.len();
                    self.table("scale", index, channels, scale.into_iter());
                    self.table("shift", index, channels, shift.into_iter());
                    if pixels == 1 {
                        self.each(|x| format!("{x} = {x} * {name}_scale_{index}[i] + {name}_shift_{index}[i]"));
                    } else {
                        self.needs.insert("normalize_channels");
                        self.own();
                        let place = self.now();
                        self.line(&format!(
                            "{name}_normalize_channels({channels}, {pixels}, {name}_scale_{index}, {name}_shift_{index}, {place});"
                        ));
                    }
                }
                Op::LayerNormalization { weight, bias, epsilon_nanos } => {
                    self.table("weight", index, weight.len(), weight.iter().copied());
                    self.table("bias", index, bias.len(), bias.iter().copied());
                    self.needs.insert("normalize");
                    self.own();
                    let (epsilon, size) = (literal(T::of(epsilon_nanos as f64 / 1e9)), self.size);
                    let place = self.now();
                    self.line(&format!(
                        "{name}_normalize({name}_weight_{index}, {name}_bias_{index}, {epsilon}, {size}, {place});"
                    ));
                }
                Op::ResidualBegins { .. } => {
                    let (kept, size) = (self.keep(self.size), self.size);
                    let place = self.now();
                    self.copy(&format!("kept_{kept}"), &place, size);
                }
                Op::ResidualEnds => {
                    self.release(1);
                    let kept = self.depth;
                    self.each(|x| format!("{x} += kept_{kept}[i]"));
                }
                // An image is stored as its features are. What is unknown is in no graph.
                Op::Source { .. }
                | Op::InvertedDropout { .. }
                | Op::ImageToFeatures { .. }
                | Op::FeaturesToImage { .. }
                | Op::ChainBegins
                | Op::ChainEnds
                | Op::Unknown { .. } => {}
                Op::Convolution { .. }
                | Op::MaximumPooling { .. }
                | Op::MeanPooling { .. }
                | Op::MeanOfPixels { .. }
                | Op::NearestNeighbour { .. } => self.images(index, part),
                _ => self.sequences(index, part),
            }
        }
        if self.place != Place::Output {
            let place = self.now();
            self.copy("output", &place, self.outputs);
        }
    }

    pub fn activate<T: Real>(&mut self, function: ActivationKind) {
        if matches!(function.0, Function::Softmax) {
            self.needs.insert("softmax");
            self.own();
            let place = self.now();
            return self.line(&format!("{}_softmax({}, {place});", self.name, self.size));
        }
        if matches!(function.0, Function::Identity) {
            return;
        }
        let value = self.function::<T>(function);
        self.each(|x| format!("{x} = {}", value.replace('$', x)));
    }

    /// The value of an elementwise activation, with `$` for its argument.
    pub fn function<T: Real>(&mut self, function: ActivationKind) -> String {
        let (chunk, called) = match function.0 {
            Function::Identity | Function::Softmax => return "$".to_string(),
            Function::LeakyRelu { percent } => {
                let factor = literal(T::of(f64::from(percent) / 100.0));
                return format!("$ > {} ? $ : $ * {factor}", literal(T::ZERO));
            }
            Function::Tanh => (tanh::<T>(), "tanh"),
            Function::Relu => ("relu", "relu"),
            Function::Elu => ("elu", "elu"),
            Function::Selu => ("selu", "selu"),
            Function::Gelu => ("gelu", "gelu"),
            Function::Silu => ("silu", "silu"),
            Function::Sigmoid => ("sigmoid", "sigmoid"),
            // Without a line that would make it the sigmoid of a network called `.._hard`.
            Function::HardSigmoid => ("hardsigmoid", "hardsigmoid"),
            Function::Softplus => ("softplus", "softplus"),
            Function::Softsign => ("softsign", "softsign"),
        };
        self.needs.insert(chunk);
        format!("{}_{called}($)", self.name)
    }
}
