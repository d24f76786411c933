//! A quantized network as Rust source.

use super::super::{ExportError, wrapped};
use crate::data::Samples;
use crate::error::Error;
use crate::quantization::{Quantized, QuantizedLayer, QuantizedOp, QuantizedShape, QuantizedSums, Scale};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// A network in integers as an expression in Rust, to be written after `static NETWORK: QuantizedNetwork<Net> =`.
///
/// # Errors
///
/// [`ExportError::Unknown`] if a layer stays in floats: [`F32`](crate::quantization::F32).
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(seeded(0));
/// let quantized = network.quantize(&[[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])?;
/// let source = export::quantized_rust_expression(&quantized)?;
/// assert!(source.starts_with("tuplenet::quantization::Quantized::from_parts("));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn quantized_rust_expression<In, L>(network: &Quantized<In, L>) -> Result<String, ExportError>
where
    In: QuantizedShape,
    L: QuantizedLayer<In>,
{
    let (mut layers, mut depth, mut error) = (String::new(), 1, None);
    network.layers().operations(network.input(), &mut |op| {
        if matches!(op, QuantizedOp::ChainEnds | QuantizedOp::ResidualEnds { .. }) {
            depth -= 1;
        }
        match expression(op, depth) {
            Ok(text) => layers += &text,
            Err(found) => {
                error.get_or_insert(found);
            }
        }
        if matches!(op, QuantizedOp::ChainBegins | QuantizedOp::ResidualBegins) {
            depth += 1;
        }
    });
    if let Some(error) = error {
        return Err(error);
    }
    Ok(format!("tuplenet::quantization::Quantized::from_parts(\n    {},\n{layers})\n", scale(network.input())))
}

/// A network in integers as a file in Rust, `network.rs` for `mod network;`: its type, the `static NETWORK`, and a test that
/// compares its integers for the `samples`. `net` is the type of the network in floats, such as
/// `(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)`.
///
/// # Errors
///
/// [`ExportError::Unknown`] if a layer stays in floats, [`ExportError::Samples`] if there are no samples.
///
/// # Examples
///
/// ```
/// use tuplenet::io::export;
/// use tuplenet::prelude::*;
///
/// let samples = [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
/// let quantized = <(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>::new(seeded(0)).quantize(&samples)?;
/// let source = export::quantized_rust_source(&quantized, "(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)", &samples)?;
/// assert!(source.contains("pub static NETWORK: QuantizedNetwork<Net> = "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn quantized_rust_source<In, L, X>(
    network: &Quantized<In, L>,
    net: &str,
    samples: &X,
) -> Result<String, ExportError>
where
    In: QuantizedShape,
    L: QuantizedLayer<In>,
    X: Samples<f32, Item = In::Sample<f32>> + ?Sized,
{
    let expression = quantized_rust_expression(network)?;
    let vectors = vectors(network, samples)?;
    let count = vectors.len();
    let array = |which: usize, sizes: &[usize]| {
        let rows: String = vectors.iter().map(|vector| nested(1, &vector[which], sizes)).collect();
        let of = sizes.iter().rev().fold("i8".to_string(), |of, size| format!("[{of}; {size}]"));
        format!("[{of}; {count}] = [\n{rows}];\n\n")
    };
    Ok(format!(
        "// A network of tuplenet in integers, written by tuplenet {}. Not to be changed by hand.\n\n\
         #[allow(unused_imports)]\nuse tuplenet::prelude::*;\nuse tuplenet::quantization::QuantizedNetwork;\n\n\
         /// The type of the network in floats.\n#[rustfmt::skip]\npub type Net = {net};\n\n\
         /// The network.\n#[rustfmt::skip]\npub static NETWORK: QuantizedNetwork<Net> = {};\n\n\
         /// What the self-test asks.\n#[rustfmt::skip]\npub static INPUTS: {}\
         /// What the network answered where it was written.\n#[rustfmt::skip]\npub static OUTPUTS: {}{SELF_TEST}",
        env!("CARGO_PKG_VERSION"),
        expression.trim_end(),
        array(0, In::DIMENSIONS),
        array(1, <L::Out as crate::model::Shape>::DIMENSIONS),
    ))
}

const SELF_TEST: &str = "\
/// How many of the outputs for [`INPUTS`] are wrong: none.
#[allow(dead_code)]
pub fn self_test() -> usize {
    INPUTS.iter().zip(&OUTPUTS).filter(|(input, output)| NETWORK.run(input) != **output).count()
}

#[test]
fn the_integers_are_right() {
    assert_eq!(self_test(), 0);
}
";

/// The samples in integers, and the outputs for them.
pub(super) fn vectors<In, L, X>(network: &Quantized<In, L>, samples: &X) -> Result<Vec<[Vec<i8>; 2]>, ExportError>
where
    In: QuantizedShape,
    L: QuantizedLayer<In>,
    X: Samples<f32, Item = In::Sample<f32>> + ?Sized,
{
    samples.check().map_err(ExportError::Samples)?;
    if samples.count() == 0 {
        return Err(ExportError::Samples(Error::NoSamples));
    }
    let (mut sample, mut vectors) = (crate::model::Zeroed::ZEROED, Vec::new());
    for index in 0..samples.count() {
        samples.copy(index, &mut sample);
        let mut x = In::ZEROS;
        for (x, &value) in In::integers_mut(&mut x).iter_mut().zip(In::elements(&sample)) {
            *x = network.input().quantize(value);
        }
        vectors.push([In::integers(&x).to_vec(), L::Out::integers(&network.run(&x)).to_vec()]);
    }
    Ok(vectors)
}

fn scale(scale: Scale) -> String {
    format!("tuplenet::quantization::Scale::new({:?}, {})", scale.scale, scale.zero)
}

/// An array of arrays with these sizes, and a comma behind it.
fn nested<T: ToString>(depth: usize, values: &[T], sizes: &[usize]) -> String {
    let (indent, inner) = ("    ".repeat(depth), "    ".repeat(depth + 1));
    let inside = match sizes {
        [] | [_] => wrapped(&inner, values.iter().map(ToString::to_string)),
        [_, sizes @ ..] => values.chunks(sizes.iter().product()).map(|part| nested(depth + 1, part, sizes)).collect(),
    };
    format!("{indent}[\n{inside}{indent}],\n")
}

fn table(depth: usize, table: Option<&[i8; 256]>) -> String {
    let indent = "    ".repeat(depth);
    match table {
        None => format!("{indent}tuplenet::quantization::Clamp,\n"),
        Some(table) => {
            let inside = nested(depth, table, &[256]);
            let inside = inside.trim_start().trim_end().trim_end_matches(',');
            format!("{indent}tuplenet::quantization::Lookup({inside}),\n")
        }
    }
}

fn all_weights(sums: &QuantizedSums) -> Vec<i8> {
    (0..sums.bias.len()).flat_map(|channel| (0..sums.terms).map(move |term| (sums.weight)(channel, term))).collect()
}

/// What is written of an operation, with a comma where it ends.
fn expression(op: QuantizedOp, depth: usize) -> Result<String, ExportError> {
    let indent = "    ".repeat(depth);
    let call = |name: &str, inside: String| format!("{indent}tuplenet::quantization::{name}(\n{inside}{indent}),\n");
    let one = |name: &str, inside: String| format!("{indent}tuplenet::quantization::{name}({inside}),\n");
    let line = |text: String| format!("{indent}    {text},\n");
    let array = |values: &dyn Fn() -> Vec<String>| nested(depth + 1, &values(), &[1]);
    let bias = |sums: &QuantizedSums| array(&|| sums.bias.iter().map(ToString::to_string).collect());
    let multiplier = |sums: &QuantizedSums| array(&|| sums.multiplier.iter().map(ToString::to_string).collect());
    let shift = |sums: &QuantizedSums| array(&|| sums.shift.iter().map(ToString::to_string).collect());
    Ok(match op {
        QuantizedOp::Linear(sums) => {
            let weights = nested(depth + 1, &all_weights(&sums), &[sums.bias.len(), sums.terms]);
            let scales = line(scale(sums.scales[1])) + &line(scale(sums.scales[2]));
            let parts = [weights, bias(&sums), multiplier(&sums), shift(&sums), table(depth + 1, sums.table), scales];
            call("QuantizedDense::from_parts", parts.concat())
        }
        QuantizedOp::Convolution { windows, depth: inputs, sums } => {
            let [rows, columns] = windows.kernel;
            let weights = nested(depth + 1, &all_weights(&sums), &[sums.bias.len(), inputs, rows, columns]);
            let factors = format!("{indent}    (\n{}{}{indent}    ),\n", multiplier(&sums), shift(&sums));
            let scales =
                line(sums.scales[0].zero.to_string()) + &line(scale(sums.scales[1])) + &line(scale(sums.scales[2]));
            call(
                "QuantizedConv2d::from_parts",
                [weights, bias(&sums), factors, table(depth + 1, sums.table), scales].concat(),
            )
        }
        QuantizedOp::Affine { sums, .. } => {
            let factors = format!("{indent}    (\n{}{}{indent}    ),\n", multiplier(&sums), shift(&sums));
            let weights = nested(depth + 1, &all_weights(&sums), &[sums.bias.len()]);
            call(
                "QuantizedBatchNorm::from_parts",
                [weights, bias(&sums), factors, line(scale(sums.scales[2]))].concat(),
            )
        }
        QuantizedOp::Apply { table: values, output, least, .. } => {
            let output = output.map_or("None".to_string(), |output| format!("Some({})", scale(output)));
            call(
                "QuantizedActivate::from_parts",
                [table(depth + 1, values), line(output), line(least.to_string())].concat(),
            )
        }
        QuantizedOp::MaximumPooling { .. } => one("QuantizedMaxPool::new", String::new()),
        QuantizedOp::MeanPooling { parts: (zero, multiplier, shift), .. } => {
            one("QuantizedAveragePool::from_parts", format!("{zero}, {multiplier}, {shift}"))
        }
        QuantizedOp::MeanOfPixels { parts: (zero, multiplier, shift), .. } => {
            one("QuantizedGlobalAveragePool::from_parts", format!("{zero}, {multiplier}, {shift}"))
        }
        QuantizedOp::NearestNeighbour { .. } => one("QuantizedUpsample::new", String::new()),
        QuantizedOp::Reshape { .. } => one("QuantizedReshape::new", String::new()),
        QuantizedOp::Nothing => format!("{indent}tuplenet::quantization::QuantizedIdentity,\n"),
        QuantizedOp::Softmax => format!("{indent}tuplenet::quantization::QuantizedSoftmax,\n"),
        QuantizedOp::Float { name } => return Err(ExportError::Unknown { name: name.to_string() }),
        QuantizedOp::ChainBegins => format!("{indent}(\n"),
        QuantizedOp::ChainEnds => format!("{indent}),\n"),
        QuantizedOp::ResidualBegins => format!("{indent}tuplenet::quantization::QuantizedResidual::from_parts(\n"),
        QuantizedOp::ResidualEnds { zeros, factors, output } => {
            format!(
                "{indent}    tuplenet::quantization::QuantizedSum::from_parts({zeros:?}, {factors:?}, {}),\n{indent}),\n",
                scale(output)
            )
        }
    })
}
