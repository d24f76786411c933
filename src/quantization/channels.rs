//! From weights and biases in floats to integers, channel by channel.

use super::rescale::{LARGEST_BIAS, headroom, largest_factor, multiplier_and_shift};
use super::scale::Scale;
use crate::error::Error;

/// What an output channel has besides its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Channel {
    /// With the products of the weights and the inputs' zero point subtracted.
    pub bias: i32,
    pub multiplier: u16,
    pub shift: u8,
}

impl Channel {
    pub const NONE: Channel = Channel { bias: 0, multiplier: 0, shift: 1 };
}

/// Rounds the weights of all channels, `terms` of each, to integers, on a scale for each. The scale of the outputs grows if the
/// factor to it would be too large.
///
/// The product of two integers by one, the unit, is the least for which the largest weight has 8 bits, the bias fits, and the
/// factor can be expressed.
pub(super) fn channels(
    terms: usize,
    input: Scale,
    output: &mut Scale,
    (weight, bias): (impl Fn(usize, usize) -> f32, impl Fn(usize) -> f32),
    integers: &mut [i8],
    parts: &mut [Channel],
) -> Result<(), Error> {
    let headroom = headroom(terms);
    let of_input = f64::from(input.scale);
    let unit = |row: usize, output: Scale| {
        let largest = (0..terms).fold(0f32, |largest, term| largest.max(weight(row, term).abs()));
        let for_weights = f64::from(largest) / 127.0 * of_input;
        let for_bias = f64::from(bias(row).abs()) / LARGEST_BIAS as f64;
        for_weights.max(for_bias).max(f64::from(output.scale) / f64::from(1 << 22))
    };
    let mut largest_unit = 0f64;
    for row in 0..parts.len() {
        if !bias(row).is_finite() || !(0..terms).all(|term| weight(row, term).is_finite()) {
            return Err(Error::WeightNotFinite);
        }
        largest_unit = largest_unit.max(unit(row, *output));
    }
    let least_scale = (largest_unit / largest_factor(headroom)) as f32;
    if output.scale < least_scale {
        output.scale = least_scale * 1.0001;
    }
    for ((row, part), integers) in parts.iter_mut().enumerate().zip(integers.chunks_exact_mut(terms.max(1))) {
        let unit = unit(row, *output);
        let mut total = 0;
        for (term, integer) in integers.iter_mut().enumerate() {
            let steps = f64::from(weight(row, term)) * of_input / unit;
            *integer = nearest(steps).clamp(-127, 127) as i8;
            total += i64::from(*integer);
        }
        let bias = nearest(f64::from(bias(row)) / unit).clamp(-LARGEST_BIAS, LARGEST_BIAS);
        let (multiplier, shift) = multiplier_and_shift(unit / f64::from(output.scale), headroom);
        *part = Channel { bias: (bias - total * i64::from(input.zero)) as i32, multiplier, shift };
    }
    Ok(())
}

/// Rounds to the nearest integer, halves away from zero.
fn nearest(x: f64) -> i64 {
    (if x < 0.0 { x - 0.5 } else { x + 0.5 }) as i64
}
