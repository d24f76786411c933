//! Products with a single column: the forward pass of one sample.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::Elementwise;
use super::product::{add_products, rows, set_rows, whole_columns};
use crate::num::{Lanes, Real};
use fearless_simd::{Bytes, Simd, SimdBase};

/// Sets `result` to `start + left * right`, or to the value of the activation `A` there, for a single column
/// `right`. All except `right` have `ROWS` elements or rows.
///
/// With few rows the time is the latency of one addition after the other, so the sum is split: every fourth
/// product, or every second, goes into a sum of its own, depending only on the number of rows.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn product_with_column<S: Simd, T: Real, A: Elementwise, const ROWS: usize>(
    simd: S,
    left: &[T],
    right: &[T],
    start: &[T],
    activated: bool,
    result: &mut [T],
) {
    if chains_of(ROWS) == 4 {
        chains::<S, T, A, ROWS, 4, 2>(simd, left, right, start, activated, result);
    } else if chains_of(ROWS) == 2 {
        chains::<S, T, A, ROWS, 2, 4>(simd, left, right, start, activated, result);
    } else {
        chains::<S, T, A, ROWS, 1, 8>(simd, left, right, start, activated, result);
    }
}

/// The number of sums into which the sum of a row is split.
#[inline(always)]
pub(super) const fn chains_of(rows: usize) -> usize {
    match rows {
        0..=32 => 4,
        33..=64 => 2,
        _ => 1,
    }
}

/// All rows of a product with a column, in `CHAINS` sums each, with as many rows at a time as fit into `REGISTERS`
/// registers.
#[inline(always)]
fn chains<S: Simd, T: Real, A: Elementwise, const ROWS: usize, const CHAINS: usize, const REGISTERS: usize>(
    simd: S,
    left: &[T],
    right: &[T],
    start: &[T],
    activated: bool,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut first = 0;
    // The last register may start early, so that it ends with the last row.
    while first + (REGISTERS - 1) * lanes < ROWS {
        some_rows::<S, T, A, ROWS, CHAINS, REGISTERS>(simd, left, first, right, start, activated, result);
        first += REGISTERS * lanes;
    }
    while first < ROWS {
        some_rows::<S, T, A, ROWS, CHAINS, 1>(simd, left, first, right, start, activated, result);
        first += lanes;
    }
}

#[cfg_attr(not(debug_assertions), inline(always))]
#[allow(clippy::too_many_arguments, reason = "all of it is the position of the rows")]
fn some_rows<S: Simd, T: Real, A: Elementwise, const ROWS: usize, const CHAINS: usize, const REGISTERS: usize>(
    simd: S,
    left: &[T],
    first: usize,
    right: &[T],
    start: &[T],
    activated: bool,
    result: &mut [T],
) {
    let depth = right.len();
    // Negative zero, which changes no value that it is added to: without registers a chain starts with its first
    // product.
    let mut sums = [[Lanes::<S, T>::splat(simd, -T::ZERO); REGISTERS]; CHAINS];
    sums[0] = rows::<S, T, _, ROWS, REGISTERS>(simd, &start[..ROWS], first);
    let whole = whole_columns::<S, T, Lanes<S, T>, ROWS>(left, depth);
    let mut k = 0;
    // Where each load of a register takes a cycle, 16 bytes are loaded at a time and spread by shuffles.
    let block = 16 / size_of::<T>();
    if const { size_of::<Lanes<S, T>>() == 64 } && depth >= 16 {
        let step = if CHAINS > block { CHAINS } else { block };
        while k + step <= whole {
            for i in 0..step {
                let left = rows::<S, T, _, ROWS, REGISTERS>(simd, &left[(k + i) * ROWS..], first);
                let values = T::repeat(simd, &right[k + i - i % block..][..block]);
                add_products(&left, spread::<S, T>(simd, values, i % block), &mut sums[i % CHAINS]);
            }
            k += step;
        }
    }
    while k + CHAINS <= whole {
        for chain in 0..CHAINS {
            let left = rows::<S, T, _, ROWS, REGISTERS>(simd, &left[(k + chain) * ROWS..], first);
            add_products(&left, Lanes::<S, T>::splat(simd, right[k + chain]), &mut sums[chain]);
        }
        k += CHAINS;
    }
    while k < depth {
        for chain in 0..CHAINS {
            if k < depth {
                let column = if k < whole { &left[k * ROWS..] } else { &left[k * ROWS..][..ROWS] };
                let left = rows::<S, T, _, ROWS, REGISTERS>(simd, column, first);
                add_products(&left, Lanes::<S, T>::splat(simd, right[k]), &mut sums[chain]);
                k += 1;
            }
        }
    }
    let mut half = CHAINS / 2;
    while half > 0 {
        for chain in 0..half {
            for r in 0..REGISTERS {
                sums[chain][r] += sums[chain + half][r];
            }
        }
        half /= 2;
    }
    if activated {
        for r in 0..REGISTERS {
            sums[0][r] = A::value::<S, T>(simd, sums[0][r]);
        }
    }
    set_rows::<S, T, _, REGISTERS>(&sums[0], &mut result[..ROWS], first);
}

/// The element at `index` of each block of 16 bytes, in the whole block.
#[inline(always)]
fn spread<S: Simd, T: Real>(simd: S, values: Lanes<S, T>, index: usize) -> Lanes<S, T> {
    let mut bytes = [0; 64];
    for (byte, from) in bytes.iter_mut().enumerate() {
        *from = (index * size_of::<T>() + byte % size_of::<T>()) as u8;
    }
    let bytes = <Lanes<S, T> as Bytes>::Bytes::from_slice(simd, &bytes[..size_of::<Lanes<S, T>>()]);
    values.swizzle_dyn_within_blocks(bytes)
}
