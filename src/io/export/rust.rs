//! Rust source: the network as a `static`.

use super::test_vectors::TestVectors;
use super::{ExportError, Exportable, Graph, wrapped};
use crate::activation::{ActivationKind, Function};
use crate::data::Inputs;
use crate::layers::EPSILON;
use crate::model::Op;
use crate::num::Real;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The network as an expression in Rust, to be written after `static NETWORK: Net =`, with the type written by you.
///
/// Every value is exact to the bit, and so is the seed of a [`Dropout`](crate::layers::Dropout). [`rust_source`] also
/// writes the type and a test.
///
/// # Errors
///
/// If a layer or an activation has no [operation](crate::model::Op), a weight is not finite, or the epsilon of a
/// layer normalization is zero.
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// type Xor = (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);
/// let network = Xor::new(&mut seeded(0));
/// # let folder = std::env::temp_dir();
/// export::save(export::rust_expression(&network)?, folder.join("xor_weights.rs"))?;
/// // And in the other program:
/// // static XOR: Xor = include!("xor_weights.rs");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn rust_expression<N: Exportable<IN, OUT>, const IN: usize, const OUT: usize>(
    network: &N,
) -> Result<String, ExportError> {
    Ok(expression(&Graph::new(network)?))
}

/// The network as a file in Rust, `network.rs` for `mod network;`: its type `Net`, the `static NETWORK`, and a test
/// that compares its outputs for the `samples`.
///
/// The test runs with `cargo test`; where there is none, on a microcontroller, call `self_test()`, which returns the
/// number of wrong outputs. The module can also be `mod network { include!("network.rs"); }`. See [`export`](super) for
/// how many `samples` it needs.
///
/// # Errors
///
/// If a layer or an activation has no [operation](crate::model::Op), a weight is not finite, or the epsilon of a
/// layer normalization is zero; if there are no `samples`, or an input or output of one is not finite.
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(&mut seeded(0));
/// let source = export::rust_source(&network, &[[0.0, 1.0], [1.0, 1.0]])?;
/// assert!(source.contains("pub static NETWORK: Net = (\n"));
/// assert!(source.contains("pub fn self_test() -> usize {\n"));
/// # Ok::<(), export::ExportError>(())
/// ```
pub fn rust_source<N, const IN: usize, const OUT: usize>(
    network: &N,
    samples: &(impl Inputs<N::Scalar, N::In> + ?Sized),
) -> Result<String, ExportError>
where
    N: Exportable<IN, OUT> + Clone + Send + Sync,
{
    let graph = Graph::new(network)?;
    let vectors = TestVectors::new(network, &graph, samples)?;
    let mut used = Used::default();
    let net = type_of(&graph, &mut used);
    let real = real::<N::Scalar>();
    let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");

    let mut text = format!(
        "// A network of tuplenet, written by tuplenet {}. Not to be changed by hand.\n\
         // It is a module: `mod network;` for a file network.rs, or\n\
         // `mod network {{ include!(\"network.rs\"); }}`.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    if !used.activations.is_empty() {
        text += &format!("{SKIP}use tuplenet::activation::{{{}}};\n", list(&used.activations));
    }
    text += &format!("{SKIP}use tuplenet::layers::{{{}}};\n", list(&used.layers));
    text += "use tuplenet::model::Network as _;\n\n";
    text += &format!("/// The type of the network: {IN} numbers in, {OUT} out.\n{SKIP}pub type Net = {net};\n\n");
    let weights = expression(&graph);
    text += &format!("/// The network.\n{ALLOW}pub static NETWORK: Net = {};\n\n", weights.trim_end());
    let count = vectors.inputs.len();
    let mut table = |words: &str, name: &str, width: usize, rows: &[&[N::Scalar]]| {
        text += &format!("/// {words}\n{ALLOW}pub static {name}: [[{real}; {width}]; {count}] = [\n");
        for row in rows {
            text += &format!("    [\n{}    ],\n", numbers("        ", row));
        }
        text += "];\n\n";
    };
    let slices = |rows| slices::<N::Scalar, IN>(rows);
    let outputs = |rows| self::slices::<N::Scalar, OUT>(rows);
    table("What the self-test asks.", "INPUTS", IN, &slices(&vectors.inputs));
    table("What the network answered where it was written.", "OUTPUTS", OUT, &outputs(&vectors.outputs));
    table("How far rounding may take each answer.", "TOLERANCES", OUT, &outputs(&vectors.tolerances));
    text += SELF_TEST;
    Ok(text)
}

/// What belongs to what is as long as the network or the samples make it: rustfmt leaves it as it is, whatever its
/// settings.
const SKIP: &str = "#[rustfmt::skip]\n";

/// What belongs to each table too: a number that happens to be near pi is not meant to be it.
const ALLOW: &str = "#[rustfmt::skip]\n#[allow(dead_code, clippy::approx_constant)]\n";

const SELF_TEST: &str = "\
/// How many numbers of the answers to [`INPUTS`] are wrong: none.
#[rustfmt::skip]
#[allow(dead_code)]
pub fn self_test() -> usize {
    let mut wrong = 0;
    for ((input, output), tolerances) in INPUTS.iter().zip(&OUTPUTS).zip(&TOLERANCES) {
        let found = NETWORK.predict_one(input);
        for ((found, right), tolerance) in found.iter().zip(output).zip(tolerances) {
            // Not the other way round: NaN is wrong.
            if (-tolerance..=*tolerance).contains(&(found - right)) {
                continue;
            }
            wrong += 1;
        }
    }
    wrong
}

#[rustfmt::skip]
#[test]
fn the_answers_are_right() {
    assert_eq!(self_test(), 0);
}
";

fn slices<T, const N: usize>(rows: &[[T; N]]) -> Vec<&[T]> {
    rows.iter().map(<[T; N]>::as_slice).collect()
}

/// The name of the number type.
pub(super) fn real<T: Real>() -> &'static str {
    if T::MANTISSA_BITS == f32::MANTISSA_BITS { "f32" } else { "f64" }
}

fn numbers<T: Real>(indent: &str, values: &[T]) -> String {
    // The shortest digits from which the same bits follow.
    wrapped(indent, values.iter().map(|value| format!("{value:?}")))
}

/// The types that a network's type names.
#[derive(Default)]
pub(super) struct Used {
    layers: BTreeSet<&'static str>,
    activations: BTreeSet<&'static str>,
}

impl Used {
    fn function(&mut self, function: ActivationKind) -> String {
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
pub(super) fn type_of<T: Real>(graph: &Graph<T>, used: &mut Used) -> String {
    let real = if real::<T>() == "f32" { "" } else { ", f64" };
    let mut text = String::new();
    for (index, part) in graph.parts.iter().enumerate() {
        let (layer, words) = match *part {
            Op::Linear { inputs, outputs, function, .. } => {
                ("Dense", format!("Dense<{inputs}, {outputs}, {}{real}>", used.function(function)))
            }
            Op::Source { size } => ("Input", format!("Input<tuplenet::model::Features<{size}>{real}>")),
            Op::Apply { function, .. } => ("", used.function(function)),
            Op::InvertedDropout { percent, .. } => ("Dropout", format!("Dropout<{percent}>")),
            Op::BatchNormalization { weight, .. } => ("BatchNorm", format!("BatchNorm<{}{real}>", weight.len())),
            Op::LayerNormalization { weight, epsilon_nanos: 10_000, .. } => {
                ("LayerNorm", format!("LayerNorm<{}{real}>", weight.len()))
            }
            Op::LayerNormalization { weight, epsilon_nanos, .. } => {
                ("LayerNorm", format!("LayerNorm<{}, {}, {epsilon_nanos}>", weight.len(), self::real::<T>()))
            }
            Op::ResidualBegins { .. } => ("Residual", "Residual<".to_string()),
            Op::ChainBegins => ("", "(".to_string()),
            Op::ChainEnds => ("", ")".to_string()),
            Op::ResidualEnds => ("", ">".to_string()),
            // A graph has none.
            Op::Unknown { .. } => continue,
        };
        if !layer.is_empty() {
            used.layers.insert(layer);
        }
        text += &words;
        // Between two elements of a tuple, but not after the last and not in a residual.
        let begins = matches!(part, Op::ChainBegins | Op::ResidualBegins { .. });
        let last = matches!(graph.parts.get(index + 1), None | Some(Op::ChainEnds | Op::ResidualEnds));
        text += if begins || last { "" } else { ", " };
    }
    text
}

/// The network as an expression, with a line feed at its end.
fn expression<T: Real>(graph: &Graph<T>) -> String {
    let (mut text, mut depth) = (String::new(), 0);
    for (index, part) in graph.parts.iter().enumerate() {
        if matches!(part, Op::ChainEnds | Op::ResidualEnds) {
            depth -= 1;
        }
        let indent = "    ".repeat(depth);
        let inner = format!("{indent}    ");
        // The layer's other lines.
        let arrays = |arrays: &[&[T]]| -> String {
            let array = |values: &&[T]| format!("{inner}[\n{}{inner}],\n", numbers(&format!("{inner}    "), values));
            arrays.iter().map(array).collect()
        };
        let words = match *part {
            Op::Linear { outputs, weight, bias, .. } => {
                let column = |column: &[T]| {
                    format!("{inner}    [\n{}{inner}    ],\n", numbers(&format!("{inner}        "), column))
                };
                let columns: String = weight.chunks(outputs).map(column).collect();
                let bias = arrays(&[bias]);
                format!("tuplenet::layers::Dense::from_columns(\n{inner}[\n{columns}{inner}],\n{bias}{indent})")
            }
            Op::Source { .. } => "tuplenet::model::Zeroed::ZEROED".to_string(),
            Op::Apply { function, .. } => {
                // The value has the type's name without its parameter.
                let name = Used::default().function(function);
                format!("tuplenet::activation::{}", name.split('<').next().unwrap_or(&name))
            }
            Op::InvertedDropout { seed, .. } => format!("tuplenet::layers::Dropout::new({seed})"),
            Op::BatchNormalization { weight, bias, mean, variance, num_batches_tracked, epsilon } => {
                // A layer of the user's may add another number to the variance than ours.
                let difference = epsilon.exact() - T::of(EPSILON).exact();
                let moved: Vec<T>;
                let variance = if difference == 0.0 {
                    variance
                } else {
                    moved = variance.iter().map(|value| T::of(value.exact() + difference)).collect();
                    &moved
                };
                let arrays = arrays(&[weight, bias, mean, variance]);
                let norm = format!("tuplenet::layers::BatchNorm::from_arrays(\n{arrays}{indent})");
                format!("tuplenet::layers::BatchNorm {{ num_batches_tracked: {num_batches_tracked}, ..{norm} }}")
            }
            Op::LayerNormalization { weight, bias, .. } => {
                format!("tuplenet::layers::LayerNorm::from_arrays(\n{}{indent})", arrays(&[weight, bias]))
            }
            Op::ChainBegins => "(".to_string(),
            Op::ResidualBegins { .. } => "tuplenet::layers::Residual(".to_string(),
            Op::ChainEnds | Op::ResidualEnds => ")".to_string(),
            Op::Unknown { .. } => continue,
        };
        text += &format!("{indent}{words}");
        if matches!(part, Op::ChainBegins | Op::ResidualBegins { .. }) {
            depth += 1;
            text.push('\n');
        } else {
            // A comma after each element of a tuple, and none where the whole ends.
            text += if index + 1 < graph.parts.len() { ",\n" } else { "\n" };
        }
    }
    text
}
