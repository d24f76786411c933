//! Products for the few rows that are left when the others fill registers. With one row in each lane most lanes
//! would be idle: so the sum of each row is split into parts, and 16 lanes hold the parts of several rows.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::plan::row_split;
use super::product::{Columns, Product};
use super::size::Size;
use super::{Elementwise, MAX_LANES, load, store, store_part};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// Sets the rows left over, up to `GROUP` of them, in the columns of `result` in use to a product. The right factor has a capacity of more
/// than 8 columns. `gathered` has space for `GROUP` rows of the left factor.
///
/// Every `16 / GROUP`th product goes into a part of its own, and neighbouring parts are added until one is left.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn packed_product<S: Simd, T: Real, A: Elementwise, M: Size, D: Size, C: Size, const GROUP: usize>(
    simd: S,
    product: &Product<T, M, Columns<T, D, C>>,
    gathered: &mut [T],
    result: &mut [T],
) {
    let &Product { left, right, columns, start, activated, .. } = product;
    let (rows, depth, capacity) = (left.rows.get(), right.matrix.rows.get(), right.capacity.get());
    let (first, parts) = (row_split(rows, depth).0, MAX_LANES / GROUP);
    // As many columns of the left factor as a row's sum has parts fill 16 lanes.
    let gathered = &mut gathered[..(depth - depth % parts) * GROUP];
    for (index, to) in gathered.chunks_exact_mut(MAX_LANES).enumerate() {
        gather::<S, T, GROUP>(simd, &left.values[index * parts * rows + first..], rows, parts, to);
    }
    let mut rest = [T::ZERO; MAX_LANES];
    if !depth.is_multiple_of(parts) {
        let column = depth - depth % parts;
        gather::<S, T, GROUP>(simd, &left.values[column * rows + first..], rows, depth % parts, &mut rest);
    }
    let mut starts = [T::ZERO; GROUP];
    if let Some(start) = start {
        for (to, from) in starts.iter_mut().zip(&start[first..rows]) {
            *to = *from;
        }
    }

    let factor = Factor { gathered, rest, starts, depth: right.matrix.rows };
    let mut column = 0;
    macro_rules! blocks {
        ($columns:literal) => {
            while column < columns {
                // The last block may start early, so that it ends with the last column.
                let last = capacity - $columns;
                let begin = if column < last { column } else { last };
                let right = &right.matrix.values[begin * depth..][..$columns * depth];
                let sums = block::<S, T, A, D, GROUP, $columns>(simd, &factor, right, activated);
                write::<S, T, GROUP, $columns>(&sums, (rows, first), &mut result[begin * rows..]);
                column += $columns;
            }
        };
    }
    macro_rules! blocks_for {
        ($($lanes:literal: $columns:literal)+) => {$(
            if const { Lanes::<S, T>::LEN == $lanes } {
                blocks!($columns);
            }
        )+};
    }
    blocks_for!(16: 8  8: 4  4: 2  2: 1);
}

/// The left factor's rows of a group, with the initial values of their sums.
struct Factor<'a, T, D, const GROUP: usize> {
    /// 16 lanes for as many columns as a sum has parts, and for as many again.
    gathered: &'a [T],
    /// The lanes of the columns left over.
    rest: [T; MAX_LANES],
    starts: [T; GROUP],
    depth: D,
}

/// Sets 16 lanes to the rows of a group in `count` columns of the matrix of `rows` rows that starts with `from`. First come all
/// elements of the first row in these columns, followed by zeros if there are fewer than its parts, and so on. If
/// the group has fewer than `GROUP` rows, the lanes behind the last row are unspecified.
#[inline(always)]
fn gather<S: Simd, T: Real, const GROUP: usize>(simd: S, from: &[T], rows: usize, count: usize, to: &mut [T]) {
    let (lanes, parts) = (Lanes::<S, T>::LEN, MAX_LANES / GROUP);
    let mut width = GROUP.div_ceil(lanes);
    if count < parts || from.len() < (parts - 1) * rows + width * lanes {
        // One by one near the end of the matrix.
        for k in 0..count {
            for row in 0..GROUP {
                if let Some(&value) = from.get(k * rows + row) {
                    to[row * parts + k] = value;
                }
            }
        }
        return;
    }
    let mut registers = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
    for k in 0..parts {
        for i in 0..width {
            registers[k * width + i] = load(simd, &from[k * rows + i * lanes..]);
        }
    }
    // Columns are zipped with those half of all columns away, until there is one.
    let (mut half, mut length) = (parts / 2, GROUP);
    while half > 0 {
        length *= 2;
        let (old, wider) = (registers, length.div_ceil(lanes));
        for k in 0..half {
            for i in 0..wider {
                let (a, b) = (old[k * width + i / 2], old[(k + half) * width + i / 2]);
                registers[k * wider + i] = if i % 2 == 0 { a.zip_low(b) } else { a.zip_high(b) };
            }
        }
        (half, width) = (half / 2, wider);
    }
    for i in 0..MAX_LANES / lanes {
        store::<S, T, _>(registers[i], &mut to[i * lanes..]);
    }
}

/// The sums of a group's rows for `COLUMNS` columns, column by column.
#[cfg_attr(not(debug_assertions), inline(always))]
fn block<S: Simd, T: Real, A: Elementwise, D: Size, const GROUP: usize, const COLUMNS: usize>(
    simd: S,
    factor: &Factor<T, D, GROUP>,
    right: &[T],
    activated: bool,
) -> [Lanes<S, T>; MAX_LANES / 2] {
    let (lanes, parts) = (Lanes::<S, T>::LEN, MAX_LANES / GROUP);
    let (registers, depth) = (MAX_LANES / lanes, factor.depth.get());
    // For each column as many registers as 16 lanes fill.
    let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES / 2];
    let mut k = 0;
    for gathered in factor.gathered.chunks_exact(MAX_LANES) {
        for n in 0..COLUMNS {
            let values = &right[n * depth + k..][..parts];
            for i in 0..registers {
                let (left, right) = (load(simd, &gathered[i * lanes..]), repeated::<S, T>(simd, values, i));
                sums[n * registers + i] = mul_add(left, right, sums[n * registers + i]);
            }
        }
        k += parts;
    }
    if !depth.is_multiple_of(parts) {
        for n in 0..COLUMNS {
            let mut values = [T::ZERO; MAX_LANES];
            let left_over = &right[n * depth + k..][..depth % parts];
            if D::KNOWN.is_some() {
                values[..depth % parts].copy_from_slice(left_over);
            } else {
                // A copy of a length that the compiler does not know is a call.
                for (to, from) in values.iter_mut().zip(left_over) {
                    *to = *from;
                }
            }
            for i in 0..registers {
                let right = repeated::<S, T>(simd, &values[..parts], i);
                sums[n * registers + i] =
                    mul_add(load(simd, &factor.rest[i * lanes..]), right, sums[n * registers + i]);
            }
        }
    }
    // Neighbours are added, until each row of each column is one value.
    let (mut count, mut left) = (MAX_LANES / 2, parts);
    while left > 1 {
        let old = sums;
        for i in 0..count.div_ceil(2) {
            let (a, b) = (old[2 * i], old[if count == 1 { 0 } else { 2 * i + 1 }]);
            sums[i] = a.unzip_low(b) + a.unzip_high(b);
        }
        (count, left) = (count.div_ceil(2), left / 2);
    }
    for i in 0..count {
        sums[i] += repeated::<S, T>(simd, &factor.starts, i);
        if activated {
            sums[i] = A::value::<S, T>(simd, sums[i]);
        }
    }
    sums
}

/// Register `register` of those that hold `values` repeatedly.
#[inline(always)]
fn repeated<S: Simd, T: Real>(simd: S, values: &[T], register: usize) -> Lanes<S, T> {
    let lanes = Lanes::<S, T>::LEN;
    if values.len() < lanes { T::repeat(simd, values) } else { load(simd, &values[register * lanes % values.len()..]) }
}

/// Stores the sums to their rows, from `first` on, of `COLUMNS` columns of `rows` rows.
#[inline(always)]
fn write<S: Simd, T: Real, const GROUP: usize, const COLUMNS: usize>(
    sums: &[Lanes<S, T>; MAX_LANES / 2],
    (rows, first): (usize, usize),
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    if rows == GROUP {
        for i in 0..(COLUMNS * GROUP).div_ceil(lanes) {
            let end = if (i + 1) * lanes < COLUMNS * GROUP { (i + 1) * lanes } else { COLUMNS * GROUP };
            store_part::<S, T, _>(sums[i], &mut result[i * lanes..end]);
        }
        return;
    }
    let mut values = [T::ZERO; MAX_LANES * MAX_LANES / 4];
    for i in 0..(COLUMNS * GROUP).div_ceil(lanes) {
        store::<S, T, _>(sums[i], &mut values[i * lanes..]);
    }
    for n in 0..COLUMNS {
        let (from, to) = (&values[n * GROUP..][..GROUP], &mut result[n * rows + first..(n + 1) * rows]);
        // Lengths that the compiler knows: three rows are a group of four.
        if to.len() == GROUP {
            to.copy_from_slice(from);
        } else {
            to[..GROUP - 1].copy_from_slice(&from[..GROUP - 1]);
        }
    }
}
