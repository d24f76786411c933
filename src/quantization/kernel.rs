//! Sums of products of 8 bits, and where in memory the weights are for them.
//!
//! With vector lanes, the weights of an output follow each other: registers of them are multiplied with those of the inputs,
//! pair by pair.
//!
//! A microcontroller multiplies one weight after the other. Of four outputs that follow each other, the weights of an input are
//! in a word, so that an input is loaded once for four.
//!
//! A Cortex-M3 and larger multiplies words and halves of words as fast as bytes, and the word costs three products instead of four
//! and hardly an instruction to be taken apart: see [`add_words`]. For that the first and the third weight of a word have no
//! sign: they are stored plus 128, and that times the sum of all inputs is subtracted.

use super::rescale::rescaled;
use crate::num::SCALAR;
use fearless_simd::{Simd, SimdBase, SimdIntWiden, SimdWiden, i8x16, i8x32, i8x64, i16x16, i16x32, i32x16};

/// How many outputs have their weights in a word.
const TOGETHER: usize = 4;

/// Whether the CPU multiplies words as fast as bytes, to 64 bits too: a Cortex-M3 and larger, which unlike a Cortex-M0 has atomics.
const MULTIPLIES_WORDS: bool = cfg!(all(target_arch = "arm", target_has_atomic = "32"));

/// How many products of halves of words can be added up: 2^8, of 22 bits and a sign.
const PAIRED: usize = 256;

/// Whether the weight at `index` of a word is stored as it is; the others are stored plus 128. A Cortex-M0 loads bytes without a sign in
/// one instruction, and with one in two.
const fn has_sign(index: usize) -> bool {
    MULTIPLIES_WORDS && index % 2 == 1
}

/// The index in memory of the weight of an output and an input, and what the stored byte differs from it by.
const fn place(rows: usize, terms: usize, row: usize, term: usize) -> (usize, u8) {
    let first = row - row % TOGETHER;
    if !SCALAR || first + TOGETHER > rows {
        return (row * terms + term, 0);
    }
    (first * terms + term * TOGETHER + row % TOGETHER, if has_sign(row % TOGETHER) { 0 } else { 0x80 })
}

/// Weights in the order in which the kernel wants them, from those of one output after the other.
pub(super) const fn arranged(rows: usize, terms: usize, weights: &[i8], to: &mut [i8]) {
    let mut row = 0;
    while row < rows {
        let mut term = 0;
        while term < terms {
            let (index, flip) = place(rows, terms, row, term);
            to[index] = (weights[row * terms + term] as u8 ^ flip) as i8;
            term += 1;
        }
        row += 1;
    }
}

/// The weight of an output and an input.
pub(super) fn weight(rows: usize, terms: usize, arranged: &[i8], row: usize, term: usize) -> i8 {
    let (index, flip) = place(rows, terms, row, term);
    arranged.get(index).map_or(0, |&weight| (weight as u8 ^ flip) as i8)
}

/// The outputs of a layer with weights: a row of weights for each.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// In the order of this file.
    pub weights: &'a [i8],
    pub bias: &'a [i32],
    pub multiplier: &'a [u16],
    pub shift: &'a [u8],
    pub headroom: u32,
    pub zero: i8,
}

/// The outputs for the inputs `x`. All lengths are constants where it is called.
#[inline(always)]
pub(super) fn outputs<S: Simd>(simd: S, rows: Rows<'_>, x: &[i8], wide: &[i16], y: &mut [i8]) {
    if SCALAR {
        return outputs_by_words(rows, x, y);
    }
    let mut weights = rows.weights.chunks_exact(x.len());
    let mut row = || weights.next().unwrap_or(&[]);
    let (blocks, rest) = y.as_chunks_mut::<TOGETHER>();
    let (biases, last_biases) = rows.bias.as_chunks::<TOGETHER>();
    let (multipliers, last_multipliers) = rows.multiplier.as_chunks::<TOGETHER>();
    let (shifts, last_shifts) = rows.shift.as_chunks::<TOGETHER>();
    for (((y, biases), multipliers), shifts) in blocks.iter_mut().zip(biases).zip(multipliers).zip(shifts) {
        let sums = sums_of_rows(simd, [row(), row(), row(), row()], wide, *biases);
        for (((y, sum), &multiplier), &shift) in y.iter_mut().zip(sums).zip(multipliers).zip(shifts) {
            *y = rescaled(sum << rows.headroom, multiplier, shift, rows.zero);
        }
    }
    for (((y, &bias), &multiplier), &shift) in rest.iter_mut().zip(last_biases).zip(last_multipliers).zip(last_shifts) {
        let [sum] = sums_of_rows(simd, [row()], wide, [bias]);
        *y = rescaled(sum << rows.headroom, multiplier, shift, rows.zero);
    }
}

/// The sums of several rows at once, so that the inputs are loaded once.
#[inline(always)]
fn sums_of_rows<S: Simd, const ROWS: usize>(
    simd: S,
    rows: [&[i8]; ROWS],
    x: &[i16],
    mut sums: [i32; ROWS],
) -> [i32; ROWS] {
    let mut lanes = [i32x16::splat(simd, 0); ROWS];
    let (registers, rest) = x.as_chunks::<64>();
    for (index, x) in registers.iter().enumerate() {
        let x = [i16x32::from_slice(simd, &x[..32]), i16x32::from_slice(simd, &x[32..])];
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            let (low, high) = i8x64::from_slice(simd, &row[64 * index..][..64]).widen();
            *lanes += low.pairwise_dot_product(x[0]);
            *lanes += high.pairwise_dot_product(x[1]);
        }
    }
    let mut done = x.len() - rest.len();
    let (half, rest) = rest.as_chunks::<32>();
    for x in half {
        let x = i16x32::from_slice(simd, x);
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            let (low, high) = i8x32::from_slice(simd, &row[done..][..32]).widen();
            *lanes += simd.combine_i16x16(low, high).pairwise_dot_product(x);
        }
        done += 32;
    }
    let mut tail = [0; ROWS];
    let (quarter, rest) = rest.as_chunks::<16>();
    for x in quarter {
        let x = i16x16::from_slice(simd, x);
        for (tail, row) in tail.iter_mut().zip(rows) {
            let (low, high) = i8x16::from_slice(simd, &row[done..][..16]).widen();
            *tail = simd.combine_i16x8(low, high).pairwise_dot_product(x).reduce_sum();
        }
        done += 16;
    }
    for (((sum, lanes), tail), row) in sums.iter_mut().zip(lanes).zip(tail).zip(rows) {
        *sum += lanes.reduce_sum() + tail;
        for (&weight, &x) in row[done..].iter().zip(rest) {
            *sum += i32::from(weight) * i32::from(x);
        }
    }
    sums
}

/// The same on a microcontroller: one function for all layers of a program, and no division by a length.
#[inline(never)]
fn outputs_by_words(rows: Rows<'_>, x: &[i8], y: &mut [i8]) {
    let mut weights = rows.weights;
    let offset = total(x) << 7;
    let ((blocks, rest), (biases, last_biases)) = (y.as_chunks_mut::<TOGETHER>(), rows.bias.as_chunks::<TOGETHER>());
    let (multipliers, last_multipliers) = rows.multiplier.as_chunks::<TOGETHER>();
    let (shifts, last_shifts) = rows.shift.as_chunks::<TOGETHER>();
    for (((y, biases), multipliers), shifts) in blocks.iter_mut().zip(biases).zip(multipliers).zip(shifts) {
        let Some((block, after)) = weights.split_at_checked(TOGETHER * x.len()) else { return };
        weights = after;
        let mut sums = *biases;
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum -= if has_sign(index) { 0 } else { offset };
        }
        let (quads, _) = block.as_chunks::<TOGETHER>();
        if !MULTIPLIES_WORDS {
            add_bytes(quads, x, &mut sums);
        } else if x.len() <= PAIRED {
            add_words(quads, x, &mut sums);
        } else {
            for (quads, x) in quads.chunks(PAIRED).zip(x.chunks(PAIRED)) {
                add_words(quads, x, &mut sums);
            }
        }
        for (((y, sum), &multiplier), &shift) in y.iter_mut().zip(sums).zip(multipliers).zip(shifts) {
            *y = rescaled(sum << (rows.headroom & 31), multiplier, shift, rows.zero);
        }
    }
    for (((y, &bias), &multiplier), &shift) in rest.iter_mut().zip(last_biases).zip(last_multipliers).zip(last_shifts) {
        let Some((row, after)) = weights.split_at_checked(x.len()) else { return };
        weights = after;
        let mut sum = bias;
        for (&weight, &x) in row.iter().zip(x) {
            sum += i32::from(weight) * i32::from(x);
        }
        *y = rescaled(sum << (rows.headroom & 31), multiplier, shift, rows.zero);
    }
}

/// The sum of all inputs.
#[inline(always)]
fn total(x: &[i8]) -> i32 {
    let (fours, rest) = x.as_chunks::<4>();
    let mut total = 0;
    for &[a, b, c, d] in fours {
        total += i32::from(a) + i32::from(b) + i32::from(c) + i32::from(d);
    }
    for &x in rest {
        total += i32::from(x);
    }
    total
}

/// Four outputs, one product after the other. A function of its own, which has all registers for its loop.
#[inline(never)]
fn add_bytes(quads: &[[i8; TOGETHER]], x: &[i8], sums: &mut [i32; TOGETHER]) {
    let [mut a, mut b, mut c, mut d] = *sums;
    macro_rules! add {
        ($word:expr, $x:expr) => {
            let ([first, second, third, fourth], x) = ($word, i32::from($x));
            a += i32::from(first as u8) * x;
            b += i32::from(second as u8) * x;
            c += i32::from(third as u8) * x;
            d += i32::from(fourth as u8) * x;
        };
    }
    // Four at a time, in a program that is optimized for size too.
    let ((quads, last_words), (x, last_x)) = (quads.as_chunks::<4>(), x.as_chunks::<4>());
    for (quads, x) in quads.iter().zip(x) {
        add!(quads[0], x[0]);
        add!(quads[1], x[1]);
        add!(quads[2], x[2]);
        add!(quads[3], x[3]);
    }
    for (&word, &x) in last_words.iter().zip(last_x) {
        add!(word, x);
    }
    *sums = [a, b, c, d];
}

/// Four outputs, for at most [`PAIRED`] inputs, by three products of a word `[a, b, c, d]` and an input:
///
/// * its first and last byte, `a + 2^24 d`, in a sum of 64 bits: of `a` the sum has 24 bits;
/// * its lower half, `a + 2^8 b`;
/// * its upper half, `c + 2^8 d`.
///
/// A function of its own, which has all registers for its loop.
#[inline(never)]
fn add_words(quads: &[[i8; TOGETHER]], x: &[i8], sums: &mut [i32; TOGETHER]) {
    let mut accumulators = Accumulators { outer: 0, lower: 0, upper: 0 };
    for (&word, &x) in quads.iter().zip(x) {
        accumulators.add(word, x);
    }
    let Accumulators { outer, lower, upper } = accumulators;
    let first = ((outer as i32) << 8) >> 8;
    let fourth = ((outer - i64::from(first)) >> 24) as i32;
    sums[0] += first;
    sums[1] += (lower - first) >> 8;
    sums[2] += upper - (fourth << 8);
    sums[3] += fourth;
}

/// The sums of the three products.
struct Accumulators {
    outer: i64,
    lower: i32,
    upper: i32,
}

impl Accumulators {
    #[inline(always)]
    fn add(&mut self, word: [i8; TOGETHER], x: i8) {
        // One load, and not four.
        let (word, x) = (i32::from_le(bytemuck::must_cast(word)), i32::from(x));
        self.outer += i64::from(word & !0x00ff_ff00) * i64::from(x);
        self.lower += i32::from(word as i16) * x;
        self.upper += (word >> 16) * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both loops of microcontrollers, at the ends of the ranges and between.
    #[test]
    fn words_are_taken_apart() {
        let mut bits = 1u32;
        let mut byte = move || {
            bits ^= bits << 13;
            bits ^= bits >> 17;
            bits ^= bits << 5;
            [(bits >> 9) as i8, -127, 127, (bits >> 20) as i8][bits as usize % 4]
        };
        for case in 0..200 {
            let length = [1, 3, 4, 63, 64, 255, PAIRED][case % 7];
            let mut weights = [[0i8; TOGETHER]; PAIRED];
            let mut x = [-128i8; PAIRED];
            weights.as_flattened_mut().iter_mut().for_each(|weight| *weight = byte().max(-127));
            if case % 3 > 0 {
                x.iter_mut().for_each(|x| *x = byte());
            }
            let (weights, x) = (&weights[..length], &x[..length]);
            let mut expected = [5i32; TOGETHER];
            for (weights, &x) in weights.iter().zip(x) {
                for (sum, &weight) in expected.iter_mut().zip(weights) {
                    *sum += i32::from(weight) * i32::from(x);
                }
            }
            let offset = x.iter().map(|&x| i32::from(x)).sum::<i32>() << 7;
            for (add, signs) in [
                (add_words as fn(&[[i8; TOGETHER]], &[i8], &mut [i32; TOGETHER]), [false, true, false, true]),
                (add_bytes, [false; TOGETHER]),
            ] {
                let mut stored = [[0i8; TOGETHER]; PAIRED];
                for (to, from) in stored.iter_mut().zip(weights) {
                    *to = core::array::from_fn(|index| if signs[index] { from[index] } else { from[index] ^ i8::MIN });
                }
                let mut sums = signs.map(|has_sign| if has_sign { 5 } else { 5 - offset });
                add(&stored[..length], x, &mut sums);
                assert_eq!(sums, expected, "{length} inputs");
            }
        }
    }
}
