//! The type of an exported network.

use super::super::Graph;
use super::real;
use crate::activation::{ActivationKind, Function};
use crate::model::{Op, OverTime, RecurrentCell, Windows};
use crate::num::Real;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The types that a network's type names.
#[derive(Default)]
pub(in crate::io::export) struct Used {
    pub layers: BTreeSet<&'static str>,
    pub activations: BTreeSet<&'static str>,
    /// Whether the shape of images is named.
    pub image: bool,
}

impl Used {
    pub fn function(&mut self, function: ActivationKind) -> String {
        let (name, arguments) = match function.0 {
            Function::Identity => ("Identity", String::new()),
            Function::Relu => ("Relu", String::new()),
            Function::LeakyRelu { percent: 1 } => ("LeakyRelu", String::new()),
            Function::LeakyRelu { percent } => ("LeakyRelu", format!("<{percent}>")),
            Function::Elu => ("Elu", String::new()),
            Function::Selu => ("Selu", String::new()),
            Function::Gelu => ("Gelu", String::new()),
            Function::Silu => ("Silu", String::new()),
            Function::Sigmoid => ("Sigmoid", String::new()),
            Function::HardSigmoid => ("HardSigmoid", String::new()),
            Function::Tanh => ("Tanh", String::new()),
            Function::Softplus => ("Softplus", String::new()),
            Function::Softsign => ("Softsign", String::new()),
            Function::Softmax => ("Softmax", String::new()),
        };
        self.activations.insert(name);
        format!("{name}{arguments}")
    }
}

/// The network's type.
pub(in crate::io::export) fn type_of<T: Real>(graph: &Graph<T>, used: &mut Used) -> String {
    let real = if real::<T>() == "f32" { "" } else { ", f64" };
    let mut text = String::new();
    // The second layer of a `Bidirectional` has the type of the first, which is named once.
    let mut unnamed = 0;
    for (index, part) in graph.parts.iter().enumerate() {
        match part {
            Op::Reversed if unnamed == 0 => unnamed = 1,
            Op::DirectionsBegin { .. } if unnamed > 0 => unnamed += 1,
            Op::DirectionsEnd { .. } if unnamed > 0 => unnamed -= 1,
            _ => {}
        }
        if unnamed > 0 {
            continue;
        }
        let (layer, words) = match *part {
            Op::Linear { inputs, outputs, function, .. } => {
                ("Dense", format!("Dense<{inputs}, {outputs}, {}{real}>", used.function(function)))
            }
            Op::Source { dimensions } => ("Input", format!("Input<tuplenet::model::{}{real}>", shape(dimensions))),
            Op::Apply { function, .. } => ("", used.function(function)),
            Op::InvertedDropout { percent, .. } => ("Dropout", format!("Dropout<{percent}>")),
            Op::BatchNormalization { weight, .. } => ("BatchNorm", format!("BatchNorm<{}{real}>", weight.len())),
            Op::LayerNormalization { weight, epsilon_nanos: 10_000, .. } => {
                ("LayerNorm", format!("LayerNorm<{}{real}>", weight.len()))
            }
            Op::LayerNormalization { weight, epsilon_nanos, .. } => {
                ("LayerNorm", format!("LayerNorm<{}, {}, {epsilon_nanos}>", weight.len(), super::real::<T>()))
            }
            Op::ResidualBegins { .. } => ("Residual", "Residual<".to_string()),
            Op::StepsBegin { .. } => ("Steps", "Steps<".to_string()),
            Op::DirectionsBegin { .. } => ("Bidirectional", "Bidirectional<".to_string()),
            Op::DirectionsEnd { outputs } => ("", format!(", {outputs}>")),
            Op::ChainBegins => ("", "(".to_string()),
            Op::ChainEnds => ("", ")".to_string()),
            Op::ResidualEnds | Op::StepsEnd { .. } => ("", ">".to_string()),
            Op::OverTime { kind, .. } => {
                let layer = match kind {
                    OverTime::LastStep => "Last",
                    OverTime::MeanOfSteps => "MeanOverTime",
                    OverTime::LargestOfSteps => "MaxOverTime",
                };
                (layer, layer.to_string())
            }
            Op::Recurrent { inputs, units, cell, .. } => recurrent::<T>([inputs, units], cell, used),
            Op::CausalConvolution { inputs, outputs, taps, reach, function, .. } => {
                let function = used.function(function);
                ("Conv1d", format!("Conv1d<{inputs}, {outputs}, {taps}, {reach}, {function}{real}>"))
            }
            ref image => image_layer::<T>(image, used),
        };
        if !layer.is_empty() {
            used.layers.insert(layer);
        }
        text += &words;
        text += if is_followed(&graph.parts, index) { ", " } else { "" };
    }
    text
}

/// Whether another element of the same tuple comes after the part at `index`: the second layer of a
/// [`Bidirectional`](crate::layers::Bidirectional) is not named in its type.
fn is_followed<T>(parts: &[Op<T>], index: usize) -> bool {
    let begins = matches!(
        parts[index],
        Op::ChainBegins | Op::ResidualBegins { .. } | Op::StepsBegin { .. } | Op::DirectionsBegin { .. }
    );
    let last = matches!(
        parts.get(index + 1),
        None | Some(Op::ChainEnds | Op::ResidualEnds | Op::StepsEnd { .. } | Op::Reversed | Op::DirectionsEnd { .. })
    );
    !begins && !last
}

/// The name of a shape with these sizes.
fn shape(sizes: &[usize]) -> String {
    let name = ["Features", "Sequence", "Image"][sizes.len().clamp(1, 3) - 1];
    let sizes: Vec<String> = sizes.iter().map(|size| size.to_string()).collect();
    format!("{name}<{}>", sizes.join(", "))
}

fn recurrent<T: Real>([inputs, units]: [usize; 2], cell: RecurrentCell, used: &mut Used) -> (&'static str, String) {
    let is_double = real::<T>() == "f64";
    let real = if is_double { ", f64" } else { "" };
    let (name, kind) = match cell {
        RecurrentCell::Elman(function) => ("Rnn", format!(", {}", used.function(function))),
        RecurrentCell::Gated { reset_after } if is_double || !reset_after => {
            let reset = if reset_after { "After" } else { "Before" };
            used.layers.insert(reset);
            ("Gru", format!(", {reset}"))
        }
        RecurrentCell::Gated { .. } => ("Gru", String::new()),
        RecurrentCell::LongShortTerm => ("Lstm", String::new()),
    };
    (name, format!("{name}<{inputs}, {units}{kind}{real}>"))
}

/// A layer of images.
fn image_layer<T: Real>(part: &Op<T>, used: &mut Used) -> (&'static str, String) {
    let is_double = real::<T>() == "f64";
    let real = if is_double { ", f64" } else { "" };
    // Parameters with defaults, as many as are needed.
    let parameters = |values: &[usize], defaults: &[usize]| -> String {
        let mut pairs = values.iter().zip(defaults);
        let count = if is_double {
            values.len()
        } else {
            pairs.rposition(|(value, default)| value != default).map_or(0, |last| last + 1)
        };
        values[..count].iter().map(|value| format!(", {value}")).collect()
    };
    let (layer, arguments) = match *part {
        Op::Convolution { windows, depth, transposed, function, .. } => {
            let Windows { from, to, kernel: [kernel, columns], stride, padding, dilation } = windows;
            let name = convolution(windows, depth, transposed);
            let (from, to) = if transposed { (to, from) } else { (from, to) };
            let depth = if name == "GroupedConv2d" { format!("{depth}, ") } else { String::new() };
            let (from, to, function) = (shape(&from), shape(&to), used.function(function));
            if name == "RectangularConv2d" {
                let rest = parameters([stride, padding, dilation].as_flattened(), &[1, 1, 0, 0, 1, 1]);
                (name, format!("{from}, {to}, {kernel}, {columns}, {function}{rest}"))
            } else {
                let rest = parameters(&[stride[0], padding[0], dilation[0]], &[1, 0, 1]);
                (name, format!("{from}, {to}, {kernel}, {depth}{function}{rest}"))
            }
        }
        Op::MaximumPooling { windows } | Op::MeanPooling { windows } => {
            let Windows { from, to, kernel: [kernel, columns], stride, padding, .. } = windows;
            let (from, to) = (shape(&from), shape(&to));
            let is_largest = matches!(part, Op::MaximumPooling { .. });
            if is_square(windows) {
                let rest = parameters(&[stride[0], padding[0]], &[kernel, 0]);
                (if is_largest { "MaxPool" } else { "AveragePool" }, format!("{from}, {to}, {kernel}{rest}"))
            } else {
                let rest = parameters([stride, padding].as_flattened(), &[kernel, columns, 0, 0]);
                let name = if is_largest { "RectangularMaxPool" } else { "RectangularAveragePool" };
                (name, format!("{from}, {to}, {kernel}, {columns}{rest}"))
            }
        }
        Op::MeanOfPixels { from } => ("GlobalAveragePool", shape(&from)),
        Op::NearestNeighbour { from: [channels, rows, columns], factor } => {
            let to = shape(&[channels, rows * factor, columns * factor]);
            ("Upsample", format!("{}, {to}, {factor}", shape(&[channels, rows, columns])))
        }
        Op::ImageToFeatures { from } => ("Flatten", format!("{}, {}", shape(&from), from.iter().product::<usize>())),
        Op::FeaturesToImage { to } => ("Unflatten", format!("{}, {}", to.iter().product::<usize>(), shape(&to))),
        // A graph has nothing else.
        _ => return ("", String::new()),
    };
    used.image = true;
    (layer, format!("{layer}<{arguments}{real}>"))
}

/// Whether rows and columns of a window are alike.
fn is_square(windows: Windows) -> bool {
    let Windows { kernel, stride, padding, dilation, .. } = windows;
    [kernel, stride, padding, dilation].iter().all(|[rows, columns]| rows == columns)
}

/// The layer that is this convolution.
pub(super) fn convolution(windows: Windows, depth: usize, transposed: bool) -> &'static str {
    match (transposed, depth == windows.from[0]) {
        (true, _) => "ConvTranspose2d",
        (false, true) if is_square(windows) => "Conv2d",
        (false, true) => "RectangularConv2d",
        (false, false) => "GroupedConv2d",
    }
}
