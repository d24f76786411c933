//! From sums of 32 bits to integers of 8, without a product of 64 bits: what is multiplied, and why nothing overflows.
//!
//! An output is `clamp(round(sum * factor) + zero)`, where `factor` is the scale of the sum by that of the output. Here it is
//! `multiplier * 2^(headroom - 16 - shift)` with a multiplier of 16 bits, half of whose range is in use, so that it is exact
//! to 2^-17: of 256 steps, half a hundredth of one. The product of the sum and the multiplier has 48 bits. Its upper 32 are
//! the product of the sum's upper half, plus the upper half of that of the lower one, each of which has 32 bits. So that they
//! keep what follows the binary point, the sum is first shifted by as much as its size, known from the number of its terms,
//! leaves.

use crate::error::Text;

/// The largest bias, as a multiple of the product of a weight and an input by one: with 22 bits, a weight's own rounding is
/// far below what the bias leaves of the outputs' range.
pub(super) const LARGEST_BIAS: i64 = 1 << 22;

/// The largest shift of a product.
pub(super) const LARGEST_SHIFT: u8 = 30;

/// The largest sum of a bias and of `terms` products of a weight and an input less its zero point. The products with the zero
/// point are in the bias.
const fn largest_sum(terms: usize) -> i64 {
    LARGEST_BIAS + 2 * largest_products(terms)
}

/// The largest sum of `terms` products of two integers of 8 bits.
const fn largest_products(terms: usize) -> i64 {
    (terms as i64) << 14
}

/// Fails to compile if a sum of `terms` products could overflow, or what is added to it before a shift.
pub(super) const fn assert_fits(layer: &str, terms: usize) {
    let limit = i32::MAX as i64 - (1 << (LARGEST_SHIFT - 1));
    if largest_sum(terms) > limit {
        let mut text = Text::<200>::new();
        text.push(layer);
        text.push(": a sum of ");
        text.push_number(terms as u64);
        text.push(" products of 8 bits can reach ");
        text.push_number(largest_sum(terms) as u64);
        text.push(", and 32 bits hold ");
        text.push_number(limit as u64);
        text.push(" before it is rounded: at most ");
        text.push_number((limit - LARGEST_BIAS) as u64 >> 15);
        text.push(" inputs");
        panic!("{}", text.as_str());
    }
}

/// By how many bits any sum of a bias and `terms` products can be shifted to the left.
pub(super) const fn headroom(terms: usize) -> u32 {
    let mut shift = 0;
    while shift < 7 && largest_sum(terms) << (shift + 1) <= 1 << 30 {
        shift += 1;
    }
    shift
}

/// Fails if a bias, with the products with the zero point in it, is too large for the proof that no sum overflows, or a shift
/// for a product.
pub(super) const fn assert_part(bias: i32, shift: u8, terms: usize) {
    let limit = LARGEST_BIAS + largest_products(terms);
    assert!(bias as i64 <= limit && bias as i64 >= -limit, "a bias is too large for its number of inputs");
    assert!(shift >= 1 && shift <= LARGEST_SHIFT, "expected a shift between 1 and 30");
}

/// `round(sum * factor) + zero`, clipped to 8 bits, of a sum that is already shifted to the left.
#[inline(always)]
pub(super) fn rescaled(sum: i32, multiplier: u16, shift: u8, zero: i8) -> i8 {
    let high = (sum >> 16) * i32::from(multiplier);
    let low = (sum as u32 & 0xffff) * u32::from(multiplier);
    let product = high + (low >> 16) as i32;
    // Half a unit is added with one bit left, so that this does not overflow either.
    let steps = ((product >> (shift.wrapping_sub(1) & 31)) + 1) >> 1;
    (steps + i32::from(zero)).clamp(-128, 127) as i8
}

/// Multiplier and shift for a factor, which is rounded to what they can express.
pub(super) fn multiplier_and_shift(factor: f64, headroom: u32) -> (u16, u8) {
    let (mut scaled, mut shift) = (factor * f64::from(1u32 << 16) / f64::from(1u32 << headroom) * 2.0, 1u8);
    while scaled < 32768.0 && shift < LARGEST_SHIFT {
        scaled *= 2.0;
        shift += 1;
    }
    // Rounding may reach the next power of two.
    if scaled >= 65535.5 && shift > 1 {
        return (32768, shift - 1);
    }
    ((scaled + 0.5) as u16, shift)
}

/// The factor that multiplier and shift express.
pub(super) fn factor(multiplier: u16, shift: u8, headroom: u32) -> f64 {
    f64::from(multiplier) * f64::from(1u32 << headroom) / f64::from(1u32 << 16) / f64::from(1u32 << shift)
}

/// The largest factor that can be expressed.
pub(super) fn largest_factor(headroom: u32) -> f64 {
    factor(u16::MAX, 1, headroom)
}
