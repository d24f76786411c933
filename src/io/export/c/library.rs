//! The functions that a network in C may need, with the constants of its floating-point type.

use super::super::wrapped;
use crate::activation::{SELU_ALPHA, SELU_SCALE};
use crate::num::{Real, math};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::f64::consts;

pub(super) fn is_float<T: Real>() -> bool {
    T::MANTISSA_BITS == f32::MANTISSA_BITS
}

pub(super) fn real<T: Real>() -> &'static str {
    if is_float::<T>() { "float" } else { "double" }
}

/// A number as a constant in C, from whose digits the same bits follow.
pub(super) fn literal<T: Real>(value: T) -> String {
    format!("{value:?}{}", if is_float::<T>() { "f" } else { "" })
}

pub(super) fn numbers<T: Real>(indent: &str, values: impl Iterator<Item = T>) -> String {
    wrapped(indent, values.map(literal))
}

/// The function that computes the hyperbolic tangent.
pub(super) fn tanh<T: Real>() -> &'static str {
    if is_float::<T>() { "tanh_float" } else { "tanh_double" }
}

/// The functions that are needed, in an order in which each comes after those it uses.
pub(super) fn library<T: Real>(name: &str, needs: &BTreeSet<&'static str>) -> String {
    let files = [include_str!("functions.c"), include_str!("images.c"), include_str!("sequences.c")];
    let chunks: Vec<(&str, &str)> =
        files.iter().flat_map(|file| file.split("//// ").skip(1)).filter_map(|chunk| chunk.split_once('\n')).collect();
    let mut needed: BTreeSet<&str> = needs.clone();
    // From the last to the first, since each uses only what comes before it.
    for (heading, _) in chunks.iter().rev() {
        let mut words = heading.split(' ');
        if words.next().is_some_and(|chunk| needed.contains(chunk)) {
            needed.extend(words.map(|word| if word == "tanh" { tanh::<T>() } else { word }));
        }
    }
    let mut text = String::new();
    for (heading, body) in chunks {
        if needed.contains(heading.split(' ').next().unwrap_or(heading)) {
            text += &filled::<T>(body).replace('$', &format!("{name}_")).replace("REAL", real::<T>());
        }
    }
    text
}

/// A text with numbers in place of their names between `@`.
fn filled<T: Real>(text: &str) -> String {
    let pieces = text.split('@').enumerate();
    pieces.map(|(index, piece)| if index % 2 == 0 { piece.to_string() } else { value_of::<T>(piece) }).collect()
}

fn value_of<T: Real>(word: &str) -> String {
    let (of, float) = (|value: f64| literal(T::of(value)), is_float::<T>());
    let (word, variable) = word.split_once(' ').unwrap_or((word, ""));
    match word {
        "BITS" => if float { "uint32_t" } else { "uint64_t" }.to_string(),
        "BIAS" => format!("{}", T::EXPONENT_BIAS.exact()),
        "MANTISSA_BITS" => T::MANTISSA_BITS.to_string(),
        "LOG2_E" => of(consts::LOG2_E),
        "LN_2_HIGH" => literal(T::LN_2_HIGH),
        "LN_2_LOW" => literal(T::LN_2_LOW),
        "LN_MIN" => format!("({})", literal(T::LN_MIN)),
        "SQRT_2" => of(consts::SQRT_2),
        "FRAC_1_SQRT_2" => of(consts::FRAC_1_SQRT_2),
        "SIXTH" => of(1.0 / 6.0),
        "SELU_SCALE" => of(SELU_SCALE),
        "SELU_BOTH" => of(SELU_SCALE * SELU_ALPHA),
        "EXP" => horner(variable, &[&[T::ONE], T::SERIES.exp.as_flattened()].concat()),
        "LN" => horner(variable, T::SERIES.ln),
        "ERFC" => numbers("        ", T::SERIES.erfc.iter().copied()),
        "ERFC_LAST" => (T::SERIES.erfc.len() - 1).to_string(),
        "TANH_END" => of(math::SHORT_TANH_OF_HALF.end),
        "TANH_DIVIDEND" => horner(variable, &math::SHORT_TANH_OF_HALF.dividend.map(T::of)),
        "TANH_DIVISOR" => horner(variable, &math::SHORT_TANH_OF_HALF.divisor.map(T::of)[..3]),
        "MAX" => literal(T::max_value()),
        "MIN_POSITIVE" => literal(T::min_positive_value()),
        // Even powers of two, which shift any number below the smallest normal one above it.
        "ROOM" => of(if float { (1u64 << 24) as f64 } else { (1u64 << 54) as f64 }),
        "ROOT_OF_ROOM" => of(if float { (1u64 << 12) as f64 } else { (1u64 << 27) as f64 }),
        // C. Lomont, "Fast inverse square root", 2003; each step doubles the digits.
        "ESTIMATE" => if float { "UINT32_C(0x5f375a86)" } else { "UINT64_C(0x5fe6eb50c7b537a9)" }.to_string(),
        "STEPS" => if float { "3" } else { "5" }.to_string(),
        // The file's own numbers are tried by the tests, which write and compile all of it.
        number => of(number.parse().unwrap_or(f64::NAN)),
    }
}

/// `coefficients[0] + coefficients[1] x + ...`.
fn horner<T: Real>(x: &str, coefficients: &[T]) -> String {
    let mut text = String::new();
    for (index, &coefficient) in coefficients.iter().rev().enumerate() {
        let coefficient = literal(coefficient);
        text = match index {
            0 => coefficient,
            1 => format!("{text} * {x} + {coefficient}"),
            _ => format!("({text}) * {x} + {coefficient}"),
        };
    }
    text
}
