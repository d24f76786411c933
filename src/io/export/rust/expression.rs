//! The weights of an exported network.

use super::super::Graph;
use super::numbers;
use super::types::Used;
use crate::layers::EPSILON;
use crate::model::{Op, OverTime, RecurrentCell};
use crate::num::Real;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// An array of arrays with these sizes, and a comma behind it.
pub(super) fn nested<T: Real>(indent: &str, values: &[T], sizes: &[usize]) -> String {
    let inner = format!("{indent}    ");
    let inside = match sizes {
        [] | [_] => numbers(&inner, values),
        [_, sizes @ ..] => values.chunks(sizes.iter().product()).map(|part| nested(&inner, part, sizes)).collect(),
    };
    format!("{indent}[\n{inside}{indent}],\n")
}

/// The network as an expression, with a line feed at its end.
pub(super) fn expression<T: Real>(graph: &Graph<T>) -> String {
    // `field` is what is written before the next value, if it is that of a field with a name.
    let (mut text, mut depth, mut field) = (String::new(), 0, "");
    for (index, part) in graph.parts.iter().enumerate() {
        match part {
            Op::ChainEnds | Op::ResidualEnds | Op::StepsEnd { .. } | Op::DirectionsEnd { .. } => depth -= 1,
            Op::Reversed => {
                field = "reverse: ";
                continue;
            }
            _ => {}
        }
        let indent = "    ".repeat(depth);
        text += &format!("{indent}{field}{}", value(part, &indent));
        field = "";
        match part {
            Op::ChainBegins | Op::ResidualBegins { .. } | Op::StepsBegin { .. } | Op::DirectionsBegin { .. } => {
                depth += 1;
                text.push('\n');
            }
            // A comma after each element of a tuple, and none where the whole ends.
            _ => text += if index + 1 < graph.parts.len() { ",\n" } else { "\n" },
        }
        if matches!(part, Op::DirectionsBegin { .. }) {
            field = "forward: ";
        }
    }
    text
}

/// What is written of an operation, in lines that begin with `indent`.
fn value<T: Real>(part: &Op<T>, indent: &str) -> String {
    let inner = format!("{indent}    ");
    // A layer from arrays with these sizes.
    let from = |call: &str, arrays: &[(&[T], &[usize])]| {
        let arrays: String = arrays.iter().map(|(values, sizes)| nested(&inner, values, sizes)).collect();
        format!("tuplenet::layers::{call}(\n{arrays}{indent})")
    };
    match *part {
        Op::Linear { inputs, outputs, weight, bias, .. } => {
            from("Dense::from_columns", &[(weight, &[inputs, outputs]), (bias, &[outputs])])
        }
        Op::Convolution { windows, depth, transposed, weight, bias, .. } => {
            let name = super::types::convolution(windows, depth, transposed);
            let [rows, columns] = windows.kernel;
            let sizes = [rows, columns, depth, windows.to[0]];
            from(&format!("{name}::from_arrays"), &[(weight, &sizes), (bias, &[bias.len()])])
        }
        Op::Recurrent { inputs, units, cell, weight_ih, weight_hh, bias_ih, bias_hh, .. } => {
            let (name, gates) = match cell {
                RecurrentCell::Elman(_) => ("Rnn", 1),
                RecurrentCell::Gated { .. } => ("Gru", 3),
                RecurrentCell::LongShortTerm => ("Lstm", 4),
            };
            let (columns, rows) = ([inputs, gates, units], [units, gates, units]);
            let bias = [gates, units];
            let arrays: [(&[T], &[usize]); 4] =
                [(weight_ih, &columns), (weight_hh, &rows), (bias_ih, &bias), (bias_hh, &bias)];
            from(&format!("{name}::from_columns"), &arrays)
        }
        Op::CausalConvolution { inputs, outputs, taps, weight, bias, .. } => {
            from("Conv1d::from_columns", &[(weight, &[inputs, taps, outputs]), (bias, &[outputs])])
        }
        Op::Apply { function, .. } => {
            // The value has the type's name without its parameter.
            let name = Used::default().function(function);
            format!("tuplenet::activation::{}", name.split('<').next().unwrap_or(&name))
        }
        Op::InvertedDropout { seed, .. } => format!("tuplenet::layers::Dropout::new({seed})"),
        Op::BatchNormalization { weight, bias, mean, variance, num_batches_tracked, epsilon, .. } => {
            // A layer of the user's may add another number to the variance than ours.
            let difference = epsilon.exact() - T::of(EPSILON).exact();
            let moved: Vec<T>;
            let variance = if difference == 0.0 {
                variance
            } else {
                moved = variance.iter().map(|value| T::of(value.exact() + difference)).collect();
                &moved
            };
            let size: &[usize] = &[weight.len()];
            let norm = from("BatchNorm::from_arrays", &[(weight, size), (bias, size), (mean, size), (variance, size)]);
            format!("tuplenet::layers::BatchNorm {{ num_batches_tracked: {num_batches_tracked}, ..{norm} }}")
        }
        Op::LayerNormalization { weight, bias, .. } => {
            let size: &[usize] = &[weight.len()];
            from("LayerNorm::from_arrays", &[(weight, size), (bias, size)])
        }
        Op::OverTime { kind: OverTime::LastStep, .. } => "tuplenet::layers::Last".to_string(),
        Op::OverTime { kind: OverTime::MeanOfSteps, .. } => "tuplenet::layers::MeanOverTime".to_string(),
        Op::OverTime { kind: OverTime::LargestOfSteps, .. } => "tuplenet::layers::MaxOverTime".to_string(),
        Op::ChainBegins => "(".to_string(),
        Op::ResidualBegins { .. } => "tuplenet::layers::Residual(".to_string(),
        Op::StepsBegin { .. } => "tuplenet::layers::Steps(".to_string(),
        Op::DirectionsBegin { .. } => "tuplenet::layers::Bidirectional {".to_string(),
        Op::DirectionsEnd { .. } => "}".to_string(),
        Op::ChainEnds | Op::ResidualEnds | Op::StepsEnd { .. } => ")".to_string(),
        Op::Source { .. }
        | Op::MaximumPooling { .. }
        | Op::MeanPooling { .. }
        | Op::MeanOfPixels { .. }
        | Op::NearestNeighbour { .. }
        | Op::ImageToFeatures { .. }
        | Op::FeaturesToImage { .. } => "tuplenet::model::Zeroed::ZEROED".to_string(),
        // A graph has no unknown operations, and what is reversed is a field.
        Op::Reversed | Op::Unknown { .. } => String::new(),
    }
}
