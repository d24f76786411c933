//! Products of matrices whose left factor lies column by column: lanes run across its rows.

use super::{WIDEST, load, load_part, places, store, store_part, sum_of_16};
use crate::activation::Activation;
use crate::math::mul_add;
use crate::real::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase};

/// The right factor of a product.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a, T> {
    /// Column by column; the columns lie so many numbers apart.
    Columns(&'a [T], usize),
    /// Row by row; the rows lie so many numbers apart.
    Rows(&'a [T], usize),
}

/// What the sums of a product begin with.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a, T> {
    Zero,
    /// One column, the same for every column of the result.
    Column(&'a [T]),
    /// What stands in the result.
    Result,
}

/// The shape of a product besides the rows of the left factor and of the result.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    /// How many columns the left and rows the right factor has.
    pub depth: usize,
    /// How many columns of the right factor and of the result count.
    pub columns: usize,
    /// How many columns these two have. What the others hold after the product is of no account.
    pub room: usize,
    /// Whether short columns of the left factor are to be loaded one by one, as they were stored a moment ago. It is more
    /// work than to load a whole register that ends somewhere in the next column, but a load of what several stores have
    /// written waits until they have left the CPU's buffers.
    pub fresh: bool,
}

/// Sets `result`, which has `ROWS` rows, to `start + left * right`, or to the value of the activation `A` there. `left` has
/// `ROWS` rows too.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn product<S: Simd, T: Real, A: Activation, const ROWS: usize>(
    simd: S,
    extent: Extent,
    left: &[T],
    right: Right<T>,
    start: Start<T>,
    activated: bool,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut first = 0;
    // Two registers of rows at a time, of which the last may begin before its turn, so as to end with the last row.
    while first + lanes < ROWS {
        blocks::<S, T, A, ROWS, 2>(simd, extent, left, first, right, start, activated, result);
        first += 2 * lanes;
    }
    if first < ROWS {
        blocks::<S, T, A, ROWS, 1>(simd, extent, left, first, right, start, activated, result);
    }
}

/// All columns of some rows of a product, as many at a time as leave room for their sums in the registers.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "all of it is the place of the blocks")]
fn blocks<S: Simd, T: Real, A: Activation, const ROWS: usize, const REGISTERS: usize>(
    simd: S,
    extent: Extent,
    left: &[T],
    first: usize,
    right: Right<T>,
    start: Start<T>,
    activated: bool,
    result: &mut [T],
) {
    let Extent { columns, room, .. } = extent;
    // AVX-512 and NEON have 32 registers, the others 16. One is for each sum; a few are for the factors.
    let many = size_of::<Lanes<S, T>>() == 64 || cfg!(target_arch = "aarch64");
    let whole = room - room % 4;
    let mut column = 0;
    while column < columns && column < whole {
        let left_over = columns - column;
        if many && REGISTERS == 1 && left_over > 8 && column + 16 <= whole {
            block::<S, T, A, ROWS, REGISTERS, 16>(simd, extent, left, first, right, start, activated, result, column);
            column += 16;
        } else if (many || REGISTERS == 1) && left_over > 4 && column + 8 <= whole {
            block::<S, T, A, ROWS, REGISTERS, 8>(simd, extent, left, first, right, start, activated, result, column);
            column += 8;
        } else {
            block::<S, T, A, ROWS, REGISTERS, 4>(simd, extent, left, first, right, start, activated, result, column);
            column += 4;
        }
    }
    if column < columns {
        match room % 4 {
            1 => {
                block::<S, T, A, ROWS, REGISTERS, 1>(simd, extent, left, first, right, start, activated, result, column)
            }
            2 => {
                block::<S, T, A, ROWS, REGISTERS, 2>(simd, extent, left, first, right, start, activated, result, column)
            }
            3 => {
                block::<S, T, A, ROWS, REGISTERS, 3>(simd, extent, left, first, right, start, activated, result, column)
            }
            _ => {}
        }
    }
}

/// `COLUMNS` columns of some rows of a product, summed in registers.
#[cfg_attr(not(debug_assertions), inline(always))]
#[allow(clippy::too_many_arguments, reason = "all of it is the place of the block")]
fn block<S: Simd, T: Real, A: Activation, const ROWS: usize, const REGISTERS: usize, const COLUMNS: usize>(
    simd: S,
    extent: Extent,
    left: &[T],
    first: usize,
    right: Right<T>,
    start: Start<T>,
    activated: bool,
    result: &mut [T],
    column: usize,
) {
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let mut sums = [[zero; REGISTERS]; COLUMNS];
    if let Start::Column(start) = start {
        sums = [rows::<S, T, ROWS, REGISTERS>(simd, &start[..ROWS], first); COLUMNS];
    }
    let depth = extent.depth;
    let whole = if extent.fresh && ROWS < Lanes::<S, T>::LEN { 0 } else { whole_columns::<S, T, ROWS>(left, depth) };
    // Each number of the right factor is read and spread at once. From an array of them the compiler makes a register
    // that it takes apart again.
    match right {
        Right::Columns(right, stride) => {
            let right = &right[column * stride..][..(COLUMNS - 1) * stride + depth];
            for k in 0..whole {
                let left = rows::<S, T, ROWS, REGISTERS>(simd, &left[k * ROWS..], first);
                for n in 0..COLUMNS {
                    add_products(simd, &left, right[n * stride + k], &mut sums[n]);
                }
            }
            for k in whole..depth {
                let left = rows::<S, T, ROWS, REGISTERS>(simd, &left[k * ROWS..][..ROWS], first);
                for n in 0..COLUMNS {
                    add_products(simd, &left, right[n * stride + k], &mut sums[n]);
                }
            }
        }
        Right::Rows(right, stride) => {
            for k in 0..whole {
                let left = rows::<S, T, ROWS, REGISTERS>(simd, &left[k * ROWS..], first);
                let right = &right[k * stride + column..][..COLUMNS];
                for n in 0..COLUMNS {
                    add_products(simd, &left, right[n], &mut sums[n]);
                }
            }
            for k in whole..depth {
                let left = rows::<S, T, ROWS, REGISTERS>(simd, &left[k * ROWS..][..ROWS], first);
                let right = &right[k * stride + column..][..COLUMNS];
                for n in 0..COLUMNS {
                    add_products(simd, &left, right[n], &mut sums[n]);
                }
            }
        }
    }
    let result = &mut result[column * ROWS..][..COLUMNS * ROWS];
    for n in 0..COLUMNS {
        let result = &mut result[n * ROWS..][..ROWS];
        if let Start::Result = start {
            add_rows::<S, T, REGISTERS>(simd, &sums[n], result, first);
        } else {
            if activated {
                for r in 0..REGISTERS {
                    sums[n][r] = A::value::<S, T>(simd, sums[n][r]);
                }
            }
            set_rows::<S, T, REGISTERS>(&sums[n], result, first);
        }
    }
}

/// How many of the first `depth` columns of a matrix a whole register can be loaded from, though they may be shorter.
#[inline(always)]
pub(super) fn whole_columns<S: Simd, T: Real, const ROWS: usize>(matrix: &[T], depth: usize) -> usize {
    let lanes = Lanes::<S, T>::LEN;
    if ROWS >= lanes {
        return depth;
    }
    let whole = if matrix.len() < lanes { 0 } else { (matrix.len() - lanes) / ROWS + 1 };
    if whole < depth { whole } else { depth }
}

/// Where register `register` of the rows from `first` on begins: with its turn, or so that it ends with the last row.
#[inline(always)]
pub(super) fn begin<S: Simd, T: Real>(height: usize, first: usize, register: usize) -> usize {
    let (lanes, turn) = (Lanes::<S, T>::LEN, first + register * Lanes::<S, T>::LEN);
    if turn + lanes <= height || height < lanes { turn } else { height - lanes }
}

/// Rows of a matrix's column, or of what begins with it; of what is shorter than a register, all of it.
#[inline(always)]
pub(super) fn rows<S: Simd, T: Real, const ROWS: usize, const REGISTERS: usize>(
    simd: S,
    column: &[T],
    first: usize,
) -> [Lanes<S, T>; REGISTERS] {
    let lanes = Lanes::<S, T>::LEN;
    let mut registers = [Lanes::<S, T>::splat(simd, T::ZERO); REGISTERS];
    if ROWS < lanes {
        registers[0] = if column.len() < lanes { load_part(simd, column) } else { load(simd, column) };
        return registers;
    }
    let column = &column[..ROWS];
    for r in 0..REGISTERS {
        registers[r] = load(simd, &column[begin::<S, T>(ROWS, first, r)..]);
    }
    registers
}

/// Writes sums to their rows of a column.
#[inline(always)]
pub(super) fn set_rows<S: Simd, T: Real, const REGISTERS: usize>(
    sums: &[Lanes<S, T>; REGISTERS],
    column: &mut [T],
    first: usize,
) {
    if column.len() < Lanes::<S, T>::LEN {
        return store_part::<S, T>(sums[0], column);
    }
    for r in 0..REGISTERS {
        let begin = begin::<S, T>(column.len(), first, r);
        store::<S, T>(sums[r], &mut column[begin..]);
    }
}

/// Adds sums to their rows of a column, each once, though two registers may share some of them.
#[inline(always)]
fn add_rows<S: Simd, T: Real, const REGISTERS: usize>(
    simd: S,
    sums: &[Lanes<S, T>; REGISTERS],
    column: &mut [T],
    first: usize,
) {
    let lanes = Lanes::<S, T>::LEN;
    if column.len() < lanes {
        let sum = load_part::<S, T>(simd, column) + sums[0];
        return store_part::<S, T>(sum, column);
    }
    let mut totals = *sums;
    for r in 0..REGISTERS {
        let begin = begin::<S, T>(column.len(), first, r);
        let old = load::<S, T>(simd, &column[begin..]);
        let shared = first + r * lanes - begin;
        let sum = totals[r] + old;
        totals[r] = if shared == 0 {
            sum
        } else {
            places::<S, T>(simd).simd_lt(Lanes::<S, T>::splat(simd, T::from_count(shared))).select(old, sum)
        };
    }
    // The last first, because it holds the old numbers of the rows that it shares with the one before.
    for r in (0..REGISTERS).rev() {
        let begin = begin::<S, T>(column.len(), first, r);
        store::<S, T>(totals[r], &mut column[begin..]);
    }
}

/// Adds the products of some registers with a number to `sums`.
#[inline(always)]
pub(super) fn add_products<S: Simd, T: Real, const REGISTERS: usize>(
    simd: S,
    left: &[Lanes<S, T>; REGISTERS],
    right: T,
    sums: &mut [Lanes<S, T>; REGISTERS],
) {
    let right = Lanes::<S, T>::splat(simd, right);
    for r in 0..REGISTERS {
        sums[r] = mul_add(left[r], right, sums[r]);
    }
}

/// Sets `result` to the transpose of `matrix`, which has `ROWS` rows and `COLUMNS` columns.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn transpose<S: Simd, T: Real, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    matrix: &[T],
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    if ROWS == 1 || COLUMNS == 1 {
        return result[..ROWS * COLUMNS].copy_from_slice(&matrix[..ROWS * COLUMNS]);
    }
    let height = if ROWS < lanes { ROWS } else { lanes };
    let width = if COLUMNS < lanes { COLUMNS } else { lanes };
    // Squares of a register's length, of which the last in each direction ends with the matrix.
    for row in (0..ROWS).step_by(lanes) {
        let row = if row + height > ROWS { ROWS - height } else { row };
        for column in (0..COLUMNS).step_by(lanes) {
            let column = if column + width > COLUMNS { COLUMNS - width } else { column };
            let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); WIDEST];
            for i in 0..width {
                square[i] = rows::<S, T, ROWS, 1>(simd, &matrix[(column + i) * ROWS..], row)[0];
            }
            transpose_square::<S, T>(&mut square);
            for i in 0..height {
                store_part::<S, T>(square[i], &mut result[(row + i) * COLUMNS + column..][..width]);
            }
        }
    }
}

/// Transposes the square that as many registers hold as one has lanes.
#[inline(always)]
pub(super) fn transpose_square<S: Simd, T: Real>(square: &mut [Lanes<S, T>; WIDEST]) {
    let lanes = Lanes::<S, T>::LEN;
    let mut turns = lanes;
    while turns > 1 {
        let old = *square;
        for i in 0..lanes / 2 {
            square[2 * i] = old[i].zip_low(old[i + lanes / 2]);
            square[2 * i + 1] = old[i].zip_high(old[i + lanes / 2]);
        }
        turns /= 2;
    }
}

/// Adds the columns of a matrix of `ROWS` rows to `result`.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn add_columns<S: Simd, T: Real, const ROWS: usize>(simd: S, matrix: &[T], result: &mut [T]) {
    let (lanes, result) = (Lanes::<S, T>::LEN, &mut result[..ROWS]);
    let mut first = 0;
    while first < ROWS {
        // Four sums, since an addition has to wait for the one before.
        let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); 4];
        let mut left = matrix;
        while left.len() >= 4 * ROWS {
            let (four, others) = left.split_at(4 * ROWS);
            for i in 0..4 {
                sums[i] += rows::<S, T, ROWS, 1>(simd, &four[i * ROWS..][..ROWS], first)[0];
            }
            left = others;
        }
        while left.len() >= ROWS {
            let (one, others) = left.split_at(ROWS);
            sums[0] += rows::<S, T, ROWS, 1>(simd, one, first)[0];
            left = others;
        }
        let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        add_rows::<S, T, 1>(simd, &[sum], result, first);
        first += lanes;
    }
}

/// Sets `result`, which has `ROWS` rows, to `start + left * right`, where `left` lies row by row and `right` column by
/// column, with `DEPTH` numbers in each. For few rows.
///
/// Each number of the result is the sum of 16 sums, as in [`map_sum`](super::map_sum).
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn dots<S: Simd, T: Real, const ROWS: usize, const DEPTH: usize>(
    simd: S,
    extent: Extent,
    left: &[[T; DEPTH]; ROWS],
    right: &[T],
    start: &[T],
    result: &mut [T],
) {
    let (start, mut column) = (&start[..ROWS], 0);
    // Four at a time, written together, because what reads them next reads more than one.
    while column < extent.columns && column + 4 <= extent.room {
        let mut four = [[T::ZERO; ROWS]; 4];
        for i in 0..4 {
            for row in 0..ROWS {
                four[i][row] = start[row] + dot(simd, &left[row], &right[(column + i) * DEPTH..]);
            }
        }
        result[column * ROWS..][..4 * ROWS].copy_from_slice(four.as_flattened());
        column += 4;
    }
    while column < extent.columns {
        for row in 0..ROWS {
            result[column * ROWS + row] = start[row] + dot(simd, &left[row], &right[column * DEPTH..]);
        }
        column += 1;
    }
}

/// The sum of the products with the first numbers of `b`.
#[inline(always)]
fn dot<S: Simd, T: Real, const DEPTH: usize>(simd: S, a: &[T; DEPTH], b: &[T]) -> T {
    let (lanes, b) = (Lanes::<S, T>::LEN, &b[..DEPTH]);
    let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); WIDEST / 2];
    for first in (0..DEPTH).step_by(WIDEST) {
        for i in 0..WIDEST / lanes {
            let begin = first + i * lanes;
            if begin + lanes <= DEPTH {
                sums[i] = mul_add(load(simd, &a[begin..]), load(simd, &b[begin..]), sums[i]);
            } else if begin < DEPTH {
                sums[i] = mul_add(load_part(simd, &a[begin..]), load_part(simd, &b[begin..]), sums[i]);
            }
        }
    }
    sum_of_16(sums)
}
