//! Products of matrices whose left factor is stored column by column: lanes run across its rows.

use super::{
    Elementwise, MAX_LANES, Register, four_sums_of_16, lane_indices, load, load_part, map, store, store_part, sum_of_16,
};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase};

/// The right factor of a product. What a product's loops depend on is part of its type, so that the compiler
/// decides it once and not at every call.
pub(crate) trait Right<T>: Copy {
    /// The capacity of the factor and of the result, in columns.
    const CAPACITY: usize;
    /// Whether short columns of the left factor are loaded one by one, as they were stored just before. That is
    /// more work than to load a whole register that ends somewhere in the next column, but a load of what several
    /// stores have written waits until they have left the CPU's buffers.
    const FRESH: bool;

    /// The part that starts with `column` and has `depth` rows and `COLUMNS` columns.
    fn part<const COLUMNS: usize>(self, column: usize, depth: usize) -> Self;

    /// The element in row `k` and column `n` of a part.
    fn at<const COLUMNS: usize>(self, k: usize, n: usize) -> T;
}

/// A capacity of `CAPACITY` columns of `DEPTH` rows, column by column.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T, const DEPTH: usize, const CAPACITY: usize>(pub &'a [T]);

impl<T: Real, const DEPTH: usize, const CAPACITY: usize> Right<T> for Columns<'_, T, DEPTH, CAPACITY> {
    const CAPACITY: usize = CAPACITY;
    const FRESH: bool = DEPTH <= SMALL_SIZE && CAPACITY <= SMALL_SIZE;

    #[inline(always)]
    fn part<const COLUMNS: usize>(self, column: usize, depth: usize) -> Self {
        Columns(&self.0[column * DEPTH..][..(COLUMNS - 1) * DEPTH + depth])
    }

    #[inline(always)]
    fn at<const COLUMNS: usize>(self, k: usize, n: usize) -> T {
        self.0[n * DEPTH + k]
    }
}

/// A capacity of `DEPTH` rows of `WIDTH` columns, row by row.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T, const DEPTH: usize, const WIDTH: usize>(pub &'a [T]);

/// Up to so many products are summed in less time than the CPU needs until it can load what it has just stored,
/// unless it is loaded in the same pieces. Beyond, the arithmetic dominates.
pub(crate) const SMALL_SIZE: usize = 8;

impl<T: Real, const DEPTH: usize, const WIDTH: usize> Right<T> for Rows<'_, T, DEPTH, WIDTH> {
    const CAPACITY: usize = WIDTH;
    const FRESH: bool = DEPTH <= SMALL_SIZE;

    #[inline(always)]
    fn part<const COLUMNS: usize>(self, column: usize, _: usize) -> Self {
        Rows(&self.0[column..])
    }

    #[inline(always)]
    fn at<const COLUMNS: usize>(self, k: usize, n: usize) -> T {
        self.0[k * WIDTH..][..COLUMNS][n]
    }
}

/// Whether so many rows end with half a register, where a whole one would be half idle: many CPUs compute twice as
/// many half registers at once.
#[inline(always)]
const fn ends_with_half<S: Simd, T: Real>(rows: usize) -> bool {
    let (lanes, half) = (Lanes::<S, T>::LEN, T::Half::<S>::LEN);
    half < lanes && !rows.is_multiple_of(lanes) && rows % lanes <= half
}

/// How many registers so many rows fill, in halves.
#[inline(always)]
pub(crate) const fn registers<S: Simd, T: Real>(rows: usize) -> usize {
    2 * rows.div_ceil(Lanes::<S, T>::LEN) - ends_with_half::<S, T>(rows) as usize
}

/// Sets the first `height` rows of the first `columns` columns of `result`, which has `ROWS` rows, to `start + left
/// * right`, or to the value of the activation `A` there; if `ADDED`, adds that to them. `start` is one column for
/// all columns, and `left` has `ROWS` rows and `depth` columns. The columns of the result behind `columns` are
/// unspecified. `height` is `ROWS` or fills whole registers.
#[cfg_attr(not(debug_assertions), inline(always))]
#[allow(clippy::too_many_arguments, reason = "two factors, a start and a result, and how many of each count")]
pub(crate) fn product<S: Simd, T: Real, A: Elementwise, R: Right<T>, const ROWS: usize, const ADDED: bool>(
    simd: S,
    height: usize,
    depth: usize,
    columns: usize,
    left: &[T],
    right: R,
    start: Option<&[T]>,
    activated: bool,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let whole = if ends_with_half::<S, T>(height) { height - height % lanes } else { height };
    macro_rules! blocks {
        ($register:ty, $registers:literal, $first:expr) => {
            blocks::<S, T, A, $register, R, ROWS, $registers, ADDED>(
                simd, depth, columns, left, $first, right, start, activated, result,
            )
        };
    }
    let mut first = 0;
    // Two registers of rows at a time. The last one may start early, so that it ends with the last row.
    if const { ROWS > Lanes::<S, T>::LEN } {
        while first + lanes < whole {
            blocks!(Lanes<S, T>, 2, first);
            first += 2 * lanes;
        }
    }
    if first < whole {
        blocks!(Lanes<S, T>, 1, first);
    }
    if const { T::Half::<S>::LEN < Lanes::<S, T>::LEN } && whole < height {
        blocks!(T::Half<S>, 1, whole);
    }
}

/// All columns of some rows of a product, as many at a time as have their sums in the registers.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "all of it is the position of the blocks")]
fn blocks<
    S: Simd,
    T: Real,
    A: Elementwise,
    V: Register<S, T>,
    R: Right<T>,
    const ROWS: usize,
    const REGISTERS: usize,
    const ADDED: bool,
>(
    simd: S,
    depth: usize,
    columns: usize,
    left: &[T],
    first: usize,
    right: R,
    start: Option<&[T]>,
    activated: bool,
    result: &mut [T],
) {
    let mut column = 0;
    macro_rules! block {
        ($columns:literal) => {
            block::<S, T, A, V, R, ROWS, REGISTERS, $columns, ADDED>(
                simd, depth, left, first, right, start, activated, result, column,
            )
        };
    }
    // Conditions on sizes are in const blocks, so that the compiler does not compile blocks that do not occur.
    if const { has_many_registers::<S, T>() && REGISTERS == 1 && whole_blocks::<S, T, R>(REGISTERS) >= 16 } {
        while column + 8 < columns && column + 16 <= whole_blocks::<S, T, R>(REGISTERS) {
            block!(16);
            column += 16;
        }
    }
    if const { (has_many_registers::<S, T>() || REGISTERS == 1) && whole_blocks::<S, T, R>(REGISTERS) >= 8 } {
        while column + 4 < columns && column + 8 <= whole_blocks::<S, T, R>(REGISTERS) {
            block!(8);
            column += 8;
        }
    }
    if const { whole_blocks::<S, T, R>(REGISTERS) >= 4 } {
        while column < columns && column < whole_blocks::<S, T, R>(REGISTERS) {
            block!(4);
            column += 4;
        }
    }
    macro_rules! last_block {
        ($($columns:literal)+) => {$(
            if const { R::CAPACITY - whole_blocks::<S, T, R>(REGISTERS) == $columns } && column < columns {
                block!($columns);
            }
        )+};
    }
    last_block!(1 2 3 5 6 7);
}

/// Whether there are 32 registers, as with AVX-512 and NEON, and not 16. Each sum needs one, and the factors a few.
#[inline(always)]
const fn has_many_registers<S: Simd, T: Real>() -> bool {
    size_of::<Lanes<S, T>>() == 64 || cfg!(target_arch = "aarch64")
}

/// How many columns are in blocks of 4, 8 and 16. Columns left over join four others if there are registers enough,
/// since the sums of a few would wait for one another.
#[inline(always)]
const fn whole_blocks<S: Simd, T: Real, R: Right<T>>(registers: usize) -> usize {
    let rest = R::CAPACITY % 4;
    if rest > 0 && R::CAPACITY > 4 && (has_many_registers::<S, T>() || registers == 1) {
        R::CAPACITY - rest - 4
    } else {
        R::CAPACITY - rest
    }
}

/// `COLUMNS` columns of some rows of a product, summed in registers.
#[cfg_attr(not(debug_assertions), inline(always))]
#[allow(clippy::too_many_arguments, reason = "all of it is the position of the block")]
fn block<
    S: Simd,
    T: Real,
    A: Elementwise,
    V: Register<S, T>,
    R: Right<T>,
    const ROWS: usize,
    const REGISTERS: usize,
    const COLUMNS: usize,
    const ADDED: bool,
>(
    simd: S,
    depth: usize,
    left: &[T],
    first: usize,
    right: R,
    start: Option<&[T]>,
    activated: bool,
    result: &mut [T],
    column: usize,
) {
    // Negative zero, which changes no value that it is added to: without registers a sum starts with its first
    // product.
    let mut sums = [[V::splat(simd, -T::ZERO); REGISTERS]; COLUMNS];
    if let Some(start) = start {
        sums = [rows::<S, T, V, ROWS, REGISTERS>(simd, &start[..ROWS], first); COLUMNS];
    }
    let whole = if R::FRESH && ROWS < V::LEN { 0 } else { whole_columns::<S, T, V, ROWS>(left, depth) };
    let right = right.part::<COLUMNS>(column, depth);
    // Each element of the right factor is loaded and spread at once. From an array of them the compiler makes a
    // register that it takes apart again.
    // If the compiler knows the length, loads have no check.
    let length = if ROWS < V::LEN { V::LEN } else { ROWS };
    for k in 0..whole {
        let left = rows::<S, T, V, ROWS, REGISTERS>(simd, &left[k * ROWS..][..length], first);
        for n in 0..COLUMNS {
            add_products(&left, V::splat(simd, right.at::<COLUMNS>(k, n)), &mut sums[n]);
        }
    }
    for k in whole..depth {
        let left = rows::<S, T, V, ROWS, REGISTERS>(simd, &left[k * ROWS..][..ROWS], first);
        for n in 0..COLUMNS {
            add_products(&left, V::splat(simd, right.at::<COLUMNS>(k, n)), &mut sums[n]);
        }
    }
    let result = &mut result[column * ROWS..][..COLUMNS * ROWS];
    if const { ROWS < V::LEN && !R::FRESH && !ADDED } {
        // The lanes of a register beyond the rows are overwritten by the next columns. Loops that store the
        // registers in pieces are too long for the compiler to unroll, and then it keeps the sums in memory.
        let whole = if COLUMNS * ROWS < V::LEN { 0 } else { (COLUMNS * ROWS - V::LEN) / ROWS + 1 };
        if activated {
            for n in 0..COLUMNS {
                sums[n][0] = activate::<S, T, A, V>(simd, sums[n][0]);
            }
        }
        for n in 0..whole {
            store::<S, T, V>(sums[n][0], &mut result[n * ROWS..]);
        }
        for n in whole..COLUMNS {
            store_part::<S, T, V>(sums[n][0], &mut result[n * ROWS..][..ROWS]);
        }
        return;
    }
    for n in 0..COLUMNS {
        let result = &mut result[n * ROWS..][..ROWS];
        if ADDED {
            add_rows::<S, T, V, REGISTERS>(simd, &sums[n], result, first);
        } else {
            if activated {
                for r in 0..REGISTERS {
                    sums[n][r] = activate::<S, T, A, V>(simd, sums[n][r]);
                }
            }
            set_rows::<S, T, V, REGISTERS>(&sums[n], result, first);
        }
    }
}

/// The value of the activation `A` in each lane.
#[inline(always)]
fn activate<S: Simd, T: Real, A: Elementwise, V: Register<S, T>>(simd: S, x: V) -> V {
    V::from_slice(simd, &A::value::<S, T>(simd, load_part(simd, x.as_slice())).as_slice()[..V::LEN])
}

/// How many of the first `depth` columns of a matrix have a whole register behind their start, though they may be
/// shorter.
#[inline(always)]
pub(super) fn whole_columns<S: Simd, T: Real, V: Register<S, T>, const ROWS: usize>(
    matrix: &[T],
    depth: usize,
) -> usize {
    let lanes = V::LEN;
    if ROWS >= lanes {
        return depth;
    }
    let whole = if matrix.len() < lanes { 0 } else { (matrix.len() - lanes) / ROWS + 1 };
    if whole < depth { whole } else { depth }
}

/// The first row of register `register` of the rows from `first` on: the next one, or the one with which the
/// register ends with the last row.
#[inline(always)]
pub(super) fn begin(lanes: usize, height: usize, first: usize, register: usize) -> usize {
    let turn = first + register * lanes;
    if turn + lanes <= height || height < lanes { turn } else { height - lanes }
}

/// Loads rows of a matrix's column, or of what starts with it; all of a slice that is shorter than a register.
#[inline(always)]
pub(super) fn rows<S: Simd, T: Real, V: Register<S, T>, const ROWS: usize, const REGISTERS: usize>(
    simd: S,
    column: &[T],
    first: usize,
) -> [V; REGISTERS] {
    let lanes = V::LEN;
    let mut registers = [V::splat(simd, T::ZERO); REGISTERS];
    if ROWS < lanes {
        registers[0] = if column.len() < lanes { load_part(simd, column) } else { load(simd, column) };
        return registers;
    }
    let column = &column[..ROWS];
    for r in 0..REGISTERS {
        registers[r] = load(simd, &column[begin(V::LEN, ROWS, first, r)..]);
    }
    registers
}

/// Stores sums to their rows of a column.
#[inline(always)]
pub(super) fn set_rows<S: Simd, T: Real, V: Register<S, T>, const REGISTERS: usize>(
    sums: &[V; REGISTERS],
    column: &mut [T],
    first: usize,
) {
    if column.len() < V::LEN {
        return store_part::<S, T, _>(sums[0], column);
    }
    for r in 0..REGISTERS {
        let begin = begin(V::LEN, column.len(), first, r);
        store::<S, T, _>(sums[r], &mut column[begin..]);
    }
}

/// Adds sums to their rows of a column, each once, though two registers may share some rows.
#[inline(always)]
fn add_rows<S: Simd, T: Real, V: Register<S, T>, const REGISTERS: usize>(
    simd: S,
    sums: &[V; REGISTERS],
    column: &mut [T],
    first: usize,
) {
    let lanes = V::LEN;
    if column.len() < lanes {
        let sum = load_part::<S, T, V>(simd, column) + sums[0];
        return store_part::<S, T, _>(sum, column);
    }
    let mut totals = *sums;
    for r in 0..REGISTERS {
        let begin = begin(V::LEN, column.len(), first, r);
        let old = load::<S, T, V>(simd, &column[begin..]);
        let shared = first + r * lanes - begin;
        let sum = totals[r] + old;
        totals[r] = if shared == 0 {
            sum
        } else {
            lane_indices::<S, T, V>(simd).simd_lt(V::splat(simd, T::from_count(shared))).select(old, sum)
        };
    }
    // The last first, because it holds the old values of the rows that it shares with the one before.
    for r in (0..REGISTERS).rev() {
        let begin = begin(V::LEN, column.len(), first, r);
        store::<S, T, _>(totals[r], &mut column[begin..]);
    }
}

/// Adds the products of some registers with one to `sums`.
#[inline(always)]
pub(super) fn add_products<S: Simd, T: Real, V: Register<S, T>, const REGISTERS: usize>(
    left: &[V; REGISTERS],
    right: V,
    sums: &mut [V; REGISTERS],
) {
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
    // Squares of a register's length. The last in each direction ends with the matrix.
    for row in (0..ROWS).step_by(lanes) {
        let row = if row + height > ROWS { ROWS - height } else { row };
        for column in (0..COLUMNS).step_by(lanes) {
            let column = if column + width > COLUMNS { COLUMNS - width } else { column };
            let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
            for i in 0..width {
                square[i] = rows::<S, T, Lanes<S, T>, ROWS, 1>(simd, &matrix[(column + i) * ROWS..], row)[0];
            }
            transpose_square::<S, T>(&mut square);
            for i in 0..height {
                let to = &mut result[(row + i) * COLUMNS + column..];
                // The lanes of a short row's register beyond its end are overwritten by the next row.
                if to.len() < lanes { store_part::<S, T, _>(square[i], &mut to[..width]) } else { store(square[i], to) }
            }
        }
    }
}

/// Adds to `result` the transpose of `matrix`, which has `ROWS` rows.
#[inline(always)]
pub(crate) fn add_transposed<S: Simd, T: Real, const ROWS: usize, const COLUMNS: usize>(
    simd: S,
    matrix: &[[T; ROWS]; COLUMNS],
    result: &mut [T],
) {
    if COLUMNS <= 4 {
        for (row, values) in result.chunks_exact_mut(COLUMNS).enumerate() {
            for (value, column) in values.iter_mut().zip(matrix) {
                *value += column[row];
            }
        }
        return;
    }
    let mut transposed = [[T::ZERO; COLUMNS]; ROWS];
    transpose::<S, T, ROWS, COLUMNS>(simd, matrix.as_flattened(), transposed.as_flattened_mut());
    map(
        simd,
        [result],
        [transposed.as_flattened()],
        #[inline(always)]
        |[sum], [value]| [sum + value],
    );
}

/// Transposes the square of as many registers as one has lanes.
#[inline(always)]
pub(super) fn transpose_square<S: Simd, T: Real>(square: &mut [Lanes<S, T>; MAX_LANES]) {
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
                sums[i] += rows::<S, T, Lanes<S, T>, ROWS, 1>(simd, &four[i * ROWS..][..ROWS], first)[0];
            }
            left = others;
        }
        while left.len() >= ROWS {
            let (one, others) = left.split_at(ROWS);
            sums[0] += rows::<S, T, Lanes<S, T>, ROWS, 1>(simd, one, first)[0];
            left = others;
        }
        let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        add_rows::<S, T, _, 1>(simd, &[sum], result, first);
        first += lanes;
    }
}

/// Sets the first `columns` of the `CAPACITY` columns of `result`, which has `ROWS` rows, to `start + left * right`,
/// where `left` is stored row by row and `right` column by column, with `DEPTH` elements in each. For few rows.
///
/// Each element of the result is the sum of 16 sums, as in [`map_sum`](super::map_sum).
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn dot_products<S: Simd, T: Real, const ROWS: usize, const DEPTH: usize, const CAPACITY: usize>(
    simd: S,
    columns: usize,
    left: &[[T; DEPTH]; ROWS],
    right: &[T],
    start: &[T],
    result: &mut [T],
) {
    let (start, mut column) = (&start[..ROWS], 0);
    // Four at a time, stored together, because the code that loads them next loads more than one.
    while column < columns && column + 4 <= CAPACITY {
        let mut four = [[T::ZERO; ROWS]; 4];
        for row in 0..ROWS {
            let mut products = [[Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES / 2]; 4];
            for i in 0..4 {
                products[i] = dot(simd, &left[row], &right[(column + i) * DEPTH..]);
            }
            let sums = four_sums_of_16(products);
            for i in 0..4 {
                four[i][row] = start[row] + sums[i];
            }
        }
        result[column * ROWS..][..4 * ROWS].copy_from_slice(four.as_flattened());
        column += 4;
    }
    while column < columns {
        for row in 0..ROWS {
            let products = dot(simd, &left[row], &right[column * DEPTH..]);
            result[column * ROWS + row] = start[row] + sum_of_16(products);
        }
        column += 1;
    }
}

/// The products with the first elements of `b`, added up in 16 sums.
#[inline(always)]
fn dot<S: Simd, T: Real, const DEPTH: usize>(simd: S, a: &[T; DEPTH], b: &[T]) -> [Lanes<S, T>; MAX_LANES / 2] {
    let (lanes, b) = (Lanes::<S, T>::LEN, &b[..DEPTH]);
    let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES / 2];
    for first in (0..DEPTH).step_by(MAX_LANES) {
        for i in 0..MAX_LANES / lanes {
            let begin = first + i * lanes;
            if begin + lanes <= DEPTH {
                sums[i] = mul_add(load(simd, &a[begin..]), load(simd, &b[begin..]), sums[i]);
            } else if begin < DEPTH {
                sums[i] = mul_add(load_part(simd, &a[begin..]), load_part(simd, &b[begin..]), sums[i]);
            }
        }
    }
    sums
}
