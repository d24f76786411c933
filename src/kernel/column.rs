//! Products with a single column: the forward pass of one sample.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::Elementwise;
use super::plan::chains_of;
use super::product::{add_products, set_rows, whole_columns, wide_or_narrow};
use super::size::{Matrix, Size, may_be_below, may_reach};
use crate::num::{Lanes, Real};
use fearless_simd::{Bytes, Simd, SimdBase};

/// What a product with a single column computes: `start + left * right`, or the value of an activation there.
#[derive(Clone, Copy)]
pub(crate) struct ColumnProduct<'a, T, M: Size> {
    pub left: Matrix<'a, T, M>,
    /// The column, as long as the left factor is wide.
    pub right: &'a [T],
    pub start: &'a [T],
    /// Whether the activation is applied.
    pub activated: bool,
}

/// Sets `result` to the product with a single column.
///
/// With few rows the time is the latency of one addition after the other, so the sum is split: every fourth
/// product, or every second, goes into a sum of its own, depending only on the number of rows.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn product_with_column<S: Simd, T: Real, A: Elementwise, M: Size>(
    simd: S,
    product: &ColumnProduct<T, M>,
    result: &mut [T],
) {
    let rows = product.left.rows.get();
    if const { may_have_chains::<M>(4) } && chains_of(rows) == 4 {
        chains::<S, T, A, M, 4>(simd, product, result);
    } else if const { may_have_chains::<M>(2) } && chains_of(rows) == 2 {
        chains::<S, T, A, M, 2>(simd, product, result);
    } else if const { may_have_chains::<M>(1) } {
        chains::<S, T, A, M, 1>(simd, product, result);
    }
}

/// Whether the sum of a row may be split into so many.
const fn may_have_chains<M: Size>(chains: usize) -> bool {
    match M::KNOWN {
        Some(rows) => chains_of(rows) == chains,
        None => true,
    }
}

/// All rows of a product with a column, in `CHAINS` sums each: as many registers of rows at a time as leave some for weights
/// and inputs, and about as many each time, since few sums wait for each other.
#[inline(always)]
fn chains<S: Simd, T: Real, A: Elementwise, M: Size, const CHAINS: usize>(
    simd: S,
    product: &ColumnProduct<T, M>,
    result: &mut [T],
) {
    let (lanes, rows) = (Lanes::<S, T>::LEN, product.left.rows.get());
    if const { may_be_below::<M>(Lanes::<S, T>::LEN) } && rows < lanes {
        return some_rows::<S, T, A, M, true, CHAINS, 1>(simd, product, 0, result);
    }
    let mut first = 0;
    // The last register may start early, so that it ends with the last row.
    macro_rules! rows_at_a_time {
        ($($registers:literal)+) => {$(
            if const { $registers * CHAINS <= MOST_SUMS && may_reach::<M>(($registers - 1) * Lanes::<S, T>::LEN + 1) } {
                while first < rows && registers_at_a_time((rows - first).div_ceil(lanes), CHAINS) == $registers {
                    some_rows::<S, T, A, M, false, CHAINS, $registers>(simd, product, first, result);
                    first += $registers * lanes;
                }
            }
        )+};
    }
    rows_at_a_time!(12 11 10 9 8 7 6 5 4 3 2 1);
}

/// So many sums at a time leave some of 16 registers for weights and inputs.
const MOST_SUMS: usize = 12;

/// How many of so many registers of rows are summed next, in so many sums each.
#[inline(always)]
const fn registers_at_a_time(left: usize, chains: usize) -> usize {
    left.div_ceil(left.div_ceil(MOST_SUMS / chains))
}

/// Some rows of a product with a column, from `first` on. `NARROW` is whether the left factor has less rows than a
/// register.
#[cfg_attr(not(debug_assertions), inline(always))]
fn some_rows<
    S: Simd,
    T: Real,
    A: Elementwise,
    M: Size,
    const NARROW: bool,
    const CHAINS: usize,
    const REGISTERS: usize,
>(
    simd: S,
    product: &ColumnProduct<T, M>,
    first: usize,
    result: &mut [T],
) {
    let &ColumnProduct { left, right, start, activated } = product;
    let (rows, depth) = (left.rows.get(), right.len());
    // Negative zero, which changes no value that it is added to: without registers a chain starts with its first
    // product.
    let mut sums = [[Lanes::<S, T>::splat(simd, -T::ZERO); REGISTERS]; CHAINS];
    sums[0] = wide_or_narrow::<S, T, _, NARROW, REGISTERS>(simd, &start[..rows], rows, first);
    let whole = whole_columns::<S, T, Lanes<S, T>>(left.values, rows, depth);
    let mut lefts = left.cursor();
    // The registers of column `$k`, which is `$kind`: `wide` if a whole register is behind its start.
    macro_rules! left {
        (wide $k:expr) => {
            left!($k, if NARROW { Lanes::<S, T>::LEN } else { 0 })
        };
        (short $k:expr) => {
            left!($k, 0)
        };
        ($k:expr, $least:expr) => {{
            let Some(column) = lefts.next($k, $least) else { return };
            wide_or_narrow::<S, T, _, NARROW, REGISTERS>(simd, column, rows, first)
        }};
    }
    let mut k = 0;
    // Where each load of a register takes a cycle, 16 bytes are loaded at a time and spread by shuffles.
    let block = 16 / size_of::<T>();
    if const { size_of::<Lanes<S, T>>() == 64 } && depth >= 16 {
        let step = if CHAINS > block { CHAINS } else { block };
        while k + step <= whole {
            for i in 0..step {
                let left = left!(wide k + i);
                let values = T::repeat(simd, &right[k + i - i % block..][..block]);
                add_products(&left, spread::<S, T>(simd, values, i % block), &mut sums[i % CHAINS]);
            }
            k += step;
        }
    }
    while k + CHAINS <= whole {
        for chain in 0..CHAINS {
            let left = left!(wide k + chain);
            add_products(&left, Lanes::<S, T>::splat(simd, right[k + chain]), &mut sums[chain]);
        }
        k += CHAINS;
    }
    while k < depth {
        for chain in 0..CHAINS {
            if k < depth {
                let left = if k < whole { left!(wide k) } else { left!(short k) };
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
    set_rows::<S, T, _, REGISTERS>(&sums[0], &mut result[..rows], first);
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
