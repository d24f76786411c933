//! Products for the few rows that are left when the others fill registers. With one row in each lane most lanes
//! would be idle: so the sum of each row is split into parts, and 16 lanes hold the parts of several rows.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::interleave::threes_of_fours;
use super::{Elementwise, MAX_LANES, load, store, store_part};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// How many rows of a product with many columns have registers of their own, and how many form the group behind
/// them: up to 4, whose sums have 4, 8 or 16 parts. This depends only on sizes, since the order of summation
/// follows from it.
pub(crate) const fn row_split(rows: usize, depth: usize) -> (usize, usize) {
    // The rows left over when the others fill registers, or, with few rows, half a register.
    let rest = if rows < MAX_LANES { rows % (MAX_LANES / 2) } else { rows % MAX_LANES };
    let group = match rest {
        1 | 2 => rest,
        3 | 4 if rows < MAX_LANES / 2 || rows > MAX_LANES => 4,
        _ => return (rows, 0),
    };
    // The cost for 16 columns, in instructions: products, the sums of the parts, and the stores.
    let cost = MAX_LANES * (depth * group).div_ceil(MAX_LANES) + 3 * (MAX_LANES - group) + MAX_LANES;
    // Half a register for these rows would cost half of 16 for each element of a column.
    if cost < MAX_LANES / 2 * depth { (rows - rest, group) } else { (rows, 0) }
}

/// Sets the rows left over, up to `GROUP` of them, in the first `columns` columns of `result` to `start + left *
/// right`, or to the value of the activation `A` there. `left` has `ROWS` rows and `DEPTH` columns, `right` has
/// `DEPTH` rows and a capacity of `CAPACITY` columns, more than 8.
///
/// Every `16 / GROUP`th product goes into a part of its own, and neighbouring parts are added until one is left.
#[cfg_attr(not(debug_assertions), inline(always))]
#[allow(clippy::too_many_arguments, reason = "two factors, a start and a result, and how many of each count")]
pub(crate) fn packed_product<
    S: Simd,
    T: Real,
    A: Elementwise,
    const ROWS: usize,
    const DEPTH: usize,
    const CAPACITY: usize,
    const GROUP: usize,
>(
    simd: S,
    columns: usize,
    left: &[T],
    right: &[T],
    start: &[T],
    activated: bool,
    result: &mut [T],
) {
    let (first, parts) = (const { row_split(ROWS, DEPTH).0 }, MAX_LANES / GROUP);
    // As many columns of the left factor as a row's sum has parts fill 16 lanes.
    let mut gathered = [[T::ZERO; GROUP]; DEPTH];
    for (index, to) in gathered.as_flattened_mut().chunks_exact_mut(MAX_LANES).enumerate() {
        gather::<S, T, ROWS, GROUP>(simd, &left[index * parts * ROWS + first..], parts, to);
    }
    let gathered = &gathered.as_flattened()[..(DEPTH - DEPTH % parts) * GROUP];
    let mut rest = [T::ZERO; MAX_LANES];
    if !DEPTH.is_multiple_of(parts) {
        let column = DEPTH - DEPTH % parts;
        gather::<S, T, ROWS, GROUP>(simd, &left[column * ROWS + first..], DEPTH % parts, &mut rest);
    }
    let mut starts = [T::ZERO; GROUP];
    starts[..ROWS - first].copy_from_slice(&start[first..ROWS]);

    let factor = Factor { gathered, rest, starts };
    let mut column = 0;
    macro_rules! blocks {
        ($columns:literal) => {
            while column < columns {
                // The last block may start early, so that it ends with the last column.
                let last = CAPACITY - $columns;
                let begin = if column < last { column } else { last };
                let right = &right[begin * DEPTH..][..$columns * DEPTH];
                let sums = block::<S, T, A, DEPTH, GROUP, $columns>(simd, &factor, right, activated);
                write::<S, T, ROWS, GROUP, $columns>(simd, &sums, first, &mut result[begin * ROWS..]);
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
struct Factor<'a, T, const GROUP: usize> {
    /// 16 lanes for as many columns as a sum has parts, and for as many again.
    gathered: &'a [T],
    /// The lanes of the columns left over.
    rest: [T; MAX_LANES],
    starts: [T; GROUP],
}

/// Sets 16 lanes to the rows of a group in `count` columns of the matrix that starts with `from`. First come all
/// elements of the first row in these columns, followed by zeros if there are fewer than its parts, and so on. If
/// the group has fewer than `GROUP` rows, the lanes behind the last row are unspecified.
#[inline(always)]
fn gather<S: Simd, T: Real, const ROWS: usize, const GROUP: usize>(simd: S, from: &[T], count: usize, to: &mut [T]) {
    let (lanes, parts) = (Lanes::<S, T>::LEN, MAX_LANES / GROUP);
    let mut width = GROUP.div_ceil(lanes);
    if count < parts || from.len() < (parts - 1) * ROWS + width * lanes {
        // One by one near the end of the matrix.
        for k in 0..count {
            for row in 0..GROUP {
                if let Some(&value) = from.get(k * ROWS + row) {
                    to[row * parts + k] = value;
                }
            }
        }
        return;
    }
    let mut registers = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
    for k in 0..parts {
        for i in 0..width {
            registers[k * width + i] = load(simd, &from[k * ROWS + i * lanes..]);
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
fn block<S: Simd, T: Real, A: Elementwise, const DEPTH: usize, const GROUP: usize, const COLUMNS: usize>(
    simd: S,
    factor: &Factor<T, GROUP>,
    right: &[T],
    activated: bool,
) -> [Lanes<S, T>; MAX_LANES / 2] {
    let (lanes, parts) = (Lanes::<S, T>::LEN, MAX_LANES / GROUP);
    let registers = MAX_LANES / lanes;
    // For each column as many registers as 16 lanes fill.
    let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES / 2];
    let mut k = 0;
    for gathered in factor.gathered.chunks_exact(MAX_LANES) {
        for n in 0..COLUMNS {
            let values = &right[n * DEPTH + k..][..parts];
            for i in 0..registers {
                let (left, right) = (load(simd, &gathered[i * lanes..]), repeated::<S, T>(simd, values, i));
                sums[n * registers + i] = mul_add(left, right, sums[n * registers + i]);
            }
        }
        k += parts;
    }
    if !DEPTH.is_multiple_of(parts) {
        for n in 0..COLUMNS {
            let mut values = [T::ZERO; MAX_LANES];
            values[..DEPTH % parts].copy_from_slice(&right[n * DEPTH + k..][..DEPTH % parts]);
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

/// Stores the sums to their rows of `COLUMNS` columns.
#[inline(always)]
fn write<S: Simd, T: Real, const ROWS: usize, const GROUP: usize, const COLUMNS: usize>(
    simd: S,
    sums: &[Lanes<S, T>; MAX_LANES / 2],
    first: usize,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    if ROWS == GROUP {
        for i in 0..(COLUMNS * GROUP).div_ceil(lanes) {
            let end = if (i + 1) * lanes < COLUMNS * GROUP { (i + 1) * lanes } else { COLUMNS * GROUP };
            store_part::<S, T, _>(sums[i], &mut result[i * lanes..end]);
        }
        return;
    }
    if ROWS == 3 {
        // The fours fill two registers.
        let [first, second] = threes_of_fours::<S, T>(simd, &[sums[0], sums[1]]);
        store::<S, T, _>(first, result);
        return store_part::<S, T, _>(second, &mut result[lanes..3 * COLUMNS]);
    }
    let mut values = [T::ZERO; MAX_LANES * MAX_LANES / 4];
    for i in 0..(COLUMNS * GROUP).div_ceil(lanes) {
        store::<S, T, _>(sums[i], &mut values[i * lanes..]);
    }
    for n in 0..COLUMNS {
        result[n * ROWS + first..(n + 1) * ROWS].copy_from_slice(&values[n * GROUP..][..ROWS - first]);
    }
}
