//! The table of layers.

#![cfg(feature = "std")]

mod affine;

use tuplenet::layers::*;
use tuplenet::model::Cost;
use tuplenet::prelude::*;

/// The lines of a table: how far a line is indented, and its words.
fn lines(table: String) -> Vec<(usize, Vec<String>)> {
    let words =
        |line: &str| line.split("  ").map(str::trim).filter(|word| !word.is_empty()).map(String::from).collect();
    table.lines().map(|line| (line.len() - line.trim_start().len(), words(line))).collect()
}

#[test]
fn every_layer_is_in_the_table() {
    type Block = Residual<(LayerNorm<16>, Dropout<10>, Dense<16, 16, Gelu>)>;
    type Tail = (Dense<16, 8, Tanh>, Dense<8, 3, Softmax>);
    type Net = (Dense<4, 16, Identity>, BatchNorm<16>, Relu, Block, Residual<Dense<16, 16, Elu>>, Tail);
    let bytes = |size: usize| size.to_string();
    let expected: [(usize, &[&str]); 15] = [
        (0, &["layer", "output", "parameters", "bytes", "MACs"]),
        (0, &["0", "Dense<4, 16, Identity>", "Features<16>", "80", &bytes(size_of::<Dense<4, 16, Identity>>()), "64"]),
        (0, &["1", "BatchNorm<16>", "Features<16>", "32", &bytes(size_of::<BatchNorm<16>>()), "16"]),
        (0, &["2", "Relu", "Features<16>", "0", "0", "0"]),
        (0, &["3", "Residual", "Features<16>"]),
        (3, &["0", "chain", "Features<16>"]),
        (6, &["0", "LayerNorm<16>", "Features<16>", "32", &bytes(size_of::<LayerNorm<16>>()), "32"]),
        (6, &["1", "Dropout<10>", "Features<16>", "0", "8", "0"]),
        (6, &["2", "Dense<16, 16, Gelu>", "Features<16>", "272", &bytes(size_of::<Dense<16, 16, Gelu>>()), "256"]),
        (0, &["4", "Residual", "Features<16>"]),
        (3, &["0", "Dense<16, 16, Elu>", "Features<16>", "272", &bytes(size_of::<Dense<16, 16, Elu>>()), "256"]),
        (0, &["5", "chain", "Features<3>"]),
        (3, &["0", "Dense<16, 8, Tanh>", "Features<8>", "136", &bytes(size_of::<Dense<16, 8, Tanh>>()), "128"]),
        (3, &["1", "Dense<8, 3, Softmax>", "Features<3>", "27", &bytes(size_of::<Dense<8, 3, Softmax>>()), "24"]),
        (0, &["all", "851", &bytes(size_of::<Net>()), "776"]),
    ];
    let table = Net::summary().to_string();
    // Whether the default number type is named is the compiler's choice.
    let found = lines(table.replace(", f32>", ">"));
    for (found, (indent, words)) in found.iter().zip(expected) {
        assert_eq!(
            (found.0, found.1.iter().map(String::as_str).collect::<Vec<_>>()),
            (indent, words.to_vec()),
            "\n{table}"
        );
    }
    assert_eq!(found.len(), 15, "\n{table}");
    let sizes = table.lines().filter(|line| line.ends_with(char::is_numeric)).map(|line| line.chars().count());
    assert!(
        sizes.clone().all(|size| Some(size) == sizes.clone().next()),
        "the numbers stand below each other:\n{table}"
    );

    let summary = Net::summary();
    assert_eq!((summary.parameters(), summary.bytes(), summary.macs()), (851, size_of::<Net>(), Some(776)));
    let mut parameters = 0;
    summary.each(&mut |layer| parameters += layer.cost.map_or(0, |cost| cost.parameters));
    assert_eq!(parameters, 851);
}

#[test]
fn a_single_layer_is_a_network() {
    let mut costs = Vec::new();
    Dense::<2, 3, Tanh, f64>::summary().each(&mut |layer| costs.push((layer.position.depth, layer.cost)));
    let bytes = size_of::<Dense<2, 3, Tanh, f64>>();
    assert_eq!(costs, [(0, Some(Cost { parameters: 9, bytes, macs: Some(6) }))]);
}

/// A layer of one's own need not say anything.
#[test]
fn what_a_layer_does_not_tell() {
    type Net = (affine::Affine<2, 3, Tanh, f32>, Dense<3, 1, Identity>);
    let table = Net::summary().to_string();
    assert!(table.lines().nth(1).unwrap().starts_with("0  Affine<2, 3, Tanh"), "{table}");
    assert_eq!(table.matches("unknown").count(), 2, "{table}");
    assert_eq!((Net::summary().macs(), Net::summary().parameters()), (None, 13));
}
