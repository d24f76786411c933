//! Rust source: the network as a `static`.

mod expression;
mod types;

use super::test_vectors::TestVectors;
use super::{ExportError, Exportable, Graph, wrapped};
use crate::data::Inputs;
use crate::num::Real;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use expression::{expression, nested};

pub(super) use types::{Used, type_of};

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
pub fn rust_expression<N: Exportable>(network: &N) -> Result<String, ExportError> {
    Ok(expression(&Graph::new(network)?))
}

/// The network as a file in Rust, `network.rs` for `mod network;`: its type `Net`, the `static NETWORK`, and a test
/// that compares its outputs for the `samples`, of a [stream](crate::model::Stream) also step by step.
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
pub fn rust_source<N>(network: &N, samples: &(impl Inputs<N::Scalar, N::In> + ?Sized)) -> Result<String, ExportError>
where
    N: Exportable + Clone + Send + Sync,
{
    let graph = Graph::new(network)?;
    let vectors = TestVectors::new(network, &graph, samples)?;
    let mut used = Used::default();
    let net = type_of(&graph, &mut used);
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
    let image = if used.image { "{Image, Network as _}" } else { "Network as _" };
    text += &format!("use tuplenet::model::{image};\n\n");
    let [width, height] = [graph.inputs, graph.outputs].map(|sizes| {
        let sizes: Vec<String> = sizes.iter().map(|size| size.to_string()).collect();
        sizes.join(" x ")
    });
    text += &format!("/// The type of the network: {width} numbers in, {height} out.\n{SKIP}pub type Net = {net};\n\n");
    let weights = expression(&graph);
    text += &format!("/// The network.\n{ALLOW}pub static NETWORK: Net = {};\n\n", weights.trim_end());
    let count = vectors.inputs.len();
    let mut table = |words: &str, name: &str, sizes: &[usize], rows: &[Vec<N::Scalar>]| {
        let array = sizes.iter().rev().fold(real::<N::Scalar>().to_string(), |of, size| format!("[{of}; {size}]"));
        text += &format!("/// {words}\n{ALLOW}pub static {name}: [{array}; {count}] = [\n");
        for row in rows {
            text += &nested("    ", row, sizes);
        }
        text += "];\n\n";
    };
    table("What the self-test asks.", "INPUTS", graph.inputs, &vectors.inputs);
    table("What the network answered where it was written.", "OUTPUTS", graph.outputs, &vectors.outputs);
    table("How far rounding may take each output.", "TOLERANCES", graph.outputs, &vectors.tolerances);
    let steps = match (graph.stream().is_some(), graph.outputs.len()) {
        (false, _) => "",
        (true, 1) => STEPS_TO_LAST,
        (true, _) => STEPS_TO_STEPS,
    };
    let values = ".as_flattened()".repeat(graph.outputs.len() - 1) + ".iter()";
    text += &SELF_TEST.replace("VALUES", &values).replace("STEPS", steps);
    Ok(text)
}

/// What belongs to what is as long as the network or the samples make it: rustfmt leaves it as it is, whatever its
/// settings.
const SKIP: &str = "#[rustfmt::skip]\n";

/// What belongs to each table too: a number that happens to be near pi is not meant to be it.
const ALLOW: &str = "#[rustfmt::skip]\n#[allow(dead_code, clippy::approx_constant)]\n";

const SELF_TEST: &str = "\
/// How many of the outputs for [`INPUTS`] are wrong: none.
#[rustfmt::skip]
#[allow(dead_code)]
pub fn self_test() -> usize {
    let mut wrong = 0;
    for ((input, output), tolerances) in INPUTS.iter().zip(&OUTPUTS).zip(&TOLERANCES) {
        let found = NETWORK.predict_one(input);
        for ((found, right), tolerance) in foundVALUES.zip(outputVALUES).zip(tolerancesVALUES) {
            // Not the other way round: NaN is wrong.
            if (-tolerance..=*tolerance).contains(&(found - right)) {
                continue;
            }
            wrong += 1;
        }
STEPS    }
    wrong
}

#[rustfmt::skip]
#[test]
fn the_answers_are_right() {
    assert_eq!(self_test(), 0);
}
";

/// What is added to it for a stream whose output is that of the last step.
const STEPS_TO_LAST: &str = "        // The same step by step.
        let (mut state, mut last) = (NETWORK.state(), found);
        for step in input {
            last = NETWORK.step(&mut state, step);
        }
        wrong += usize::from(last != found);
";

/// What is added to it for a stream with an output for each step.
const STEPS_TO_STEPS: &str = "        // The same step by step.
        let mut state = NETWORK.state();
        for (step, found) in input.iter().zip(&found) {
            wrong += usize::from(NETWORK.step(&mut state, step) != *found);
        }
";

/// The name of the number type.
pub(super) fn real<T: Real>() -> &'static str {
    if T::MANTISSA_BITS == f32::MANTISSA_BITS { "f32" } else { "f64" }
}

fn numbers<T: Real>(indent: &str, values: &[T]) -> String {
    // The shortest digits from which the same bits follow.
    wrapped(indent, values.iter().map(|value| format!("{value:?}")))
}
