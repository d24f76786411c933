//! Sums of products of 8 bits, and where in memory the weights are for them.
//!
//! With vector lanes, the weights of an output follow each other: registers of them are multiplied with those of the inputs,
//! pair by pair.
//!
//! A microcontroller multiplies one weight after the other, but loads four at once: of four outputs that follow each other,
//! the weights of an input are in a word. Its halves are taken as they are, two weights in one factor of 16 bits: one,
//! with a sign, times 256, plus one without. What the lower weights add to a sum is known from a second sum, of these alone,
//! and subtracted in the end. So a word costs one instruction to take apart, and not four. The lower weights are stored
//! plus 128, and that times the sum of all inputs is subtracted.

use crate::num::SCALAR;
use fearless_simd::{Simd, SimdBase, SimdIntWiden, SimdWiden, i8x16, i8x32, i16x16, i32x8};

/// How many outputs have their weights in a word.
const TOGETHER: usize = 4;

/// How many inputs can be added up in a factor of two weights: 2^8 products of 15 bits, times 2^8, are 31 bits.
const PAIRED: usize = 256;

/// The index in memory of the weight of an output and an input, and what the stored byte differs from it by.
const fn place(rows: usize, terms: usize, row: usize, term: usize) -> (usize, u8) {
    let first = row - row % TOGETHER;
    if !SCALAR || first + TOGETHER > rows {
        return (row * terms + term, 0);
    }
    (first * terms + term * TOGETHER + row % TOGETHER, if row.is_multiple_of(2) { 0x80 } else { 0 })
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

/// Adds to each sum the products of the inputs and the weights of a row. All lengths are constants where it is called.
#[inline(always)]
pub(super) fn add_products<S: Simd>(simd: S, weights: &[i8], x: &[i8], wide: &[i16], sums: &mut [i32]) {
    if SCALAR {
        add_words(weights, x, sums);
    } else {
        add_lanes(simd, weights, wide, sums);
    }
}

#[inline(always)]
fn add_lanes<S: Simd>(simd: S, weights: &[i8], x: &[i16], sums: &mut [i32]) {
    let mut rows = weights.chunks_exact(x.len());
    let mut row = || rows.next().unwrap_or(&[]);
    let (blocks, rest) = sums.as_chunks_mut::<TOGETHER>();
    for block in blocks {
        let rows = [row(), row(), row(), row()];
        add_rows(simd, rows, x, block);
    }
    for sum in rest {
        add_rows(simd, [row()], x, core::array::from_mut(sum));
    }
}

/// Several rows at once, so that the inputs are loaded once.
#[inline(always)]
fn add_rows<S: Simd, const ROWS: usize>(simd: S, rows: [&[i8]; ROWS], x: &[i16], sums: &mut [i32; ROWS]) {
    let mut lanes = [i32x8::splat(simd, 0); ROWS];
    let (registers, rest) = x.as_chunks::<32>();
    for (index, x) in registers.iter().enumerate() {
        let x = [i16x16::from_slice(simd, &x[..16]), i16x16::from_slice(simd, &x[16..])];
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            let (low, high) = i8x32::from_slice(simd, &row[32 * index..][..32]).widen();
            *lanes += low.pairwise_dot_product(x[0]);
            *lanes += high.pairwise_dot_product(x[1]);
        }
    }
    let mut done = x.len() - rest.len();
    let (half, rest) = rest.as_chunks::<16>();
    for x in half {
        let x = i16x16::from_slice(simd, x);
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            let (low, high) = i8x16::from_slice(simd, &row[done..][..16]).widen();
            *lanes += simd.combine_i16x8(low, high).pairwise_dot_product(x);
        }
        done += 16;
    }
    for ((sum, lanes), row) in sums.iter_mut().zip(lanes).zip(rows) {
        *sum += lanes.reduce_sum();
        for (&weight, &x) in row[done..].iter().zip(rest) {
            *sum += i32::from(weight) * i32::from(x);
        }
    }
}

#[inline(always)]
fn add_words(weights: &[i8], x: &[i8], sums: &mut [i32]) {
    let (blocks, rest) = sums.as_chunks_mut::<TOGETHER>();
    let (words, rows) = weights.split_at_checked(blocks.as_flattened().len() * x.len()).unwrap_or((weights, &[]));
    let offset = x.iter().map(|&x| i32::from(x)).sum::<i32>() << 7;
    for (block, words) in blocks.iter_mut().zip(words.chunks_exact(TOGETHER * x.len())) {
        block[0] -= offset;
        block[2] -= offset;
        let (words, _) = words.as_chunks::<TOGETHER>();
        if x.len() <= PAIRED {
            add_block(words, x, block);
        } else {
            for (words, x) in words.chunks(PAIRED).zip(x.chunks(PAIRED)) {
                add_block(words, x, block);
            }
        }
    }
    for (sum, row) in rest.iter_mut().zip(rows.chunks_exact(x.len())) {
        for (&weight, &x) in row.iter().zip(x) {
            *sum += i32::from(weight) * i32::from(x);
        }
    }
}

/// Four outputs, for at most [`PAIRED`] inputs.
#[inline(always)]
fn add_block(words: &[[i8; TOGETHER]], x: &[i8], sums: &mut [i32; TOGETHER]) {
    let (mut low, mut high) = ([0i32; 2], [0i32; 2]);
    for (word, &x) in words.iter().zip(x) {
        let word = u32::from_le_bytes(word.map(|weight| weight as u8));
        let even = word & 0x00ff_00ff;
        let x = i32::from(x);
        // Sums of these wrap around, and what is left of the difference does not.
        high[0] = high[0].wrapping_add(i32::from(word as i16) * x);
        high[1] = high[1].wrapping_add((word as i32 >> 16) * x);
        low[0] += i32::from(even as i16) * x;
        low[1] += (even as i32 >> 16) * x;
    }
    sums[0] += low[0];
    sums[1] += high[0].wrapping_sub(low[0]) >> 8;
    sums[2] += low[1];
    sums[3] += high[1].wrapping_sub(low[1]) >> 8;
}
