//! Products of matrices whose left factor is stored column by column: lanes run across its rows.

use super::plan::{SMALL_SIZE, Vectors};
use super::size::{Const, Cursor, Matrix, Size, is_at_most, may_be_below, may_reach, unrolled};
use super::{
    Elementwise, MAX_LANES, Register, four_sums_of_16, lane_indices, load, load_part, map, store, store_part, sum_of_16,
};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use core::marker::PhantomData;
use fearless_simd::{Select, Simd, SimdBase};

/// The right factor of a product. What a product's loops depend on is part of its type, so that the compiler
/// decides it once and not at every call.
pub(crate) trait Right<T>: Copy {
    /// The capacity of the factor and of the result, in columns.
    type Capacity: Size;
    /// Some columns of it.
    type Part<const COLUMNS: usize>: Part<T>;
    /// Whether short columns of the left factor are loaded one by one, as they were stored just before. That is
    /// more work than to load a whole register that ends somewhere in the next column, but a load of what several
    /// stores have written waits until they have left the CPU's buffers.
    const FRESH: bool;

    /// The capacity.
    fn capacity(self) -> Self::Capacity;

    /// `COLUMNS` columns from `column` on.
    fn part<const COLUMNS: usize>(self, column: usize) -> Self::Part<COLUMNS>;
}

/// Some columns of a right factor, row by row.
pub(crate) trait Part<T> {
    /// Goes to row `k`, the row after the one before; `false` if there is none.
    fn go_to(&mut self, k: usize) -> bool;

    /// The element in the current row, `k`, and column `n`.
    fn at(&self, k: usize, n: usize) -> T;
}

/// A capacity of `capacity` columns, column by column.
#[derive(Clone, Copy)]
pub(crate) struct Columns<'a, T, D: Size, C: Size> {
    pub matrix: Matrix<'a, T, D>,
    pub capacity: C,
}

impl<'a, T: Real, D: Size, C: Size> Right<T> for Columns<'a, T, D, C> {
    type Capacity = C;
    type Part<const COLUMNS: usize> = ColumnsPart<'a, T, D, COLUMNS>;
    const FRESH: bool = is_at_most::<D>(SMALL_SIZE) && is_at_most::<C>(SMALL_SIZE);

    #[inline(always)]
    fn capacity(self) -> C {
        self.capacity
    }

    #[inline(always)]
    fn part<const COLUMNS: usize>(self, column: usize) -> ColumnsPart<'a, T, D, COLUMNS> {
        let depth = self.matrix.rows;
        let values = &self.matrix.values[column * depth.get()..][..COLUMNS * depth.get()];
        let mut columns = [&values[..0]; COLUMNS];
        if D::KNOWN.is_none() {
            for n in 0..COLUMNS {
                columns[n] = &values[n * depth.get()..][..depth.get()];
            }
        }
        ColumnsPart { values, columns, depth }
    }
}

/// Some columns of [`Columns`].
pub(crate) struct ColumnsPart<'a, T, D: Size, const COLUMNS: usize> {
    values: &'a [T],
    /// Each column, if its length is known at run time only.
    columns: [&'a [T]; COLUMNS],
    depth: D,
}

impl<T: Real, D: Size, const COLUMNS: usize> Part<T> for ColumnsPart<'_, T, D, COLUMNS> {
    #[inline(always)]
    fn go_to(&mut self, _: usize) -> bool {
        true
    }

    #[inline(always)]
    fn at(&self, k: usize, n: usize) -> T {
        if D::KNOWN.is_some() { self.values[n * self.depth.get() + k] } else { self.columns[n][k] }
    }
}

/// A capacity of `depth` rows of a matrix that is stored row by row.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a, T, D: Size, W: Size> {
    transposed: Matrix<'a, T, W>,
    depth: PhantomData<D>,
}

impl<'a, T, D: Size, W: Size> Rows<'a, T, D, W> {
    /// The rows of a matrix are the columns of its transpose, which has a capacity of `_depth` columns.
    #[inline(always)]
    pub fn new(transposed: Matrix<'a, T, W>, _depth: D) -> Self {
        Rows { transposed, depth: PhantomData }
    }
}

impl<'a, T: Real, D: Size, W: Size> Right<T> for Rows<'a, T, D, W> {
    type Capacity = W;
    type Part<const COLUMNS: usize> = RowsPart<'a, T, W, COLUMNS>;
    const FRESH: bool = is_at_most::<D>(SMALL_SIZE);

    #[inline(always)]
    fn capacity(self) -> W {
        self.transposed.rows
    }

    #[inline(always)]
    fn part<const COLUMNS: usize>(self, column: usize) -> RowsPart<'a, T, W, COLUMNS> {
        RowsPart { cursor: self.transposed.cursor(), row: self.transposed.values, column }
    }
}

/// Some columns of [`Rows`].
pub(crate) struct RowsPart<'a, T, W: Size, const COLUMNS: usize> {
    cursor: Cursor<'a, T, W>,
    row: &'a [T],
    column: usize,
}

impl<T: Real, W: Size, const COLUMNS: usize> Part<T> for RowsPart<'_, T, W, COLUMNS> {
    #[inline(always)]
    fn go_to(&mut self, k: usize) -> bool {
        let Some(row) = self.cursor.next(k, 0) else { return false };
        self.row = row;
        true
    }

    #[inline(always)]
    fn at(&self, _: usize, n: usize) -> T {
        self.row[self.column..][..COLUMNS][n]
    }
}

/// What a product computes: `start + left * right`, or the value of an activation there.
#[derive(Clone, Copy)]
pub(crate) struct Product<'a, T, M: Size, R> {
    pub left: Matrix<'a, T, M>,
    pub right: R,
    /// How many columns of `left` and rows of `right` are in use.
    pub depth: usize,
    /// How many columns of `right` are in use. Those of the result behind them are unspecified.
    pub columns: usize,
    /// One column for all columns, or zero.
    pub start: Option<&'a [T]>,
    /// Whether the activation is applied.
    pub activated: bool,
}

/// Sets the first `height` rows of `result`, which has as many rows as the left factor, to a product, or adds it to them if
/// `ADDED`. `height` is the number of rows or fills whole registers.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn product<S: Simd, T: Real, A: Elementwise, M: Size, R: Right<T>, const ADDED: bool>(
    simd: S,
    height: usize,
    product: Product<T, M, R>,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let whole = height - const { Vectors::of::<S, T>() }.in_half(height);
    macro_rules! blocks {
        ($register:ty, $registers:literal, $first:expr) => {
            if const { may_be_below::<M>(<$register>::LEN) && $registers == 1 }
                && product.left.rows.get() < <$register>::LEN
            {
                blocks::<S, T, A, $register, M, R, true, 1, ADDED>(simd, &product, $first, result);
            } else if const { may_reach::<M>(<$register>::LEN) } {
                blocks::<S, T, A, $register, M, R, false, $registers, ADDED>(simd, &product, $first, result);
            }
        };
    }
    let mut first = 0;
    // Two registers of rows at a time. The last one may start early, so that it ends with the last row.
    if const { may_reach::<M>(Lanes::<S, T>::LEN + 1) } {
        while first + lanes < whole {
            blocks!(Lanes<S, T>, 2, first);
            first += 2 * lanes;
        }
    }
    if first < whole {
        blocks!(Lanes<S, T>, 1, first);
    }
    if const { Vectors::of::<S, T>().has_half() } && whole < height {
        blocks!(T::Half<S>, 1, whole);
    }
}

/// All columns of some rows of a product, as many at a time as have their sums in the registers.
#[inline(always)]
fn blocks<
    S: Simd,
    T: Real,
    A: Elementwise,
    V: Register<S, T>,
    M: Size,
    R: Right<T>,
    const NARROW: bool,
    const REGISTERS: usize,
    const ADDED: bool,
>(
    simd: S,
    product: &Product<T, M, R>,
    first: usize,
    result: &mut [T],
) {
    let (columns, capacity) = (product.columns, product.right.capacity().get());
    let whole = whole_blocks::<S, T, R::Capacity>(capacity, REGISTERS);
    let mut column = 0;
    macro_rules! block {
        ($columns:literal) => {
            block::<S, T, A, V, M, R, NARROW, REGISTERS, $columns, ADDED>(simd, product, (first, column), result)
        };
    }
    // Conditions on sizes are in const blocks, so that the compiler does not compile blocks that do not occur.
    if const { has_many_registers::<S, T>() && REGISTERS == 1 && may_have_blocks::<S, T, R::Capacity>(16, REGISTERS) } {
        while column + 8 < columns && column + 16 <= whole {
            block!(16);
            column += 16;
        }
    }
    if const { (has_many_registers::<S, T>() || REGISTERS == 1) && may_have_blocks::<S, T, R::Capacity>(8, REGISTERS) }
    {
        while column + 4 < columns && column + 8 <= whole {
            block!(8);
            column += 8;
        }
    }
    if const { may_have_blocks::<S, T, R::Capacity>(4, REGISTERS) } {
        while column < columns && column < whole {
            block!(4);
            column += 4;
        }
    }
    if const { <R::Capacity as Size>::KNOWN.is_none() } {
        if column + 1 < columns {
            block!(2);
            column += 2;
        }
        if column < columns {
            block!(1);
        }
        return;
    }
    macro_rules! last_block {
        ($($columns:literal)+) => {$(
            if const { has_last_block::<S, T, R::Capacity>($columns, REGISTERS) } && column < columns {
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
/// since the sums of a few would wait for one another; not so if only run time knows how many there are.
#[inline(always)]
const fn whole_blocks<S: Simd, T: Real, C: Size>(capacity: usize, registers: usize) -> usize {
    let rest = capacity % 4;
    if C::KNOWN.is_some() && rest > 0 && capacity > 4 && (has_many_registers::<S, T>() || registers == 1) {
        capacity - rest - 4
    } else {
        capacity - rest
    }
}

/// Whether there may be blocks of so many columns.
const fn may_have_blocks<S: Simd, T: Real, C: Size>(columns: usize, registers: usize) -> bool {
    match C::KNOWN {
        Some(capacity) => whole_blocks::<S, T, C>(capacity, registers) >= columns,
        None => true,
    }
}

/// Whether the last block has so many columns.
const fn has_last_block<S: Simd, T: Real, C: Size>(columns: usize, registers: usize) -> bool {
    match C::KNOWN {
        Some(capacity) => capacity - whole_blocks::<S, T, C>(capacity, registers) == columns,
        None => false,
    }
}

/// `COLUMNS` columns of some rows of a product, from the row and column `(first, column)` on, summed in registers. `NARROW` is whether the
/// left factor has less rows than the register.
#[cfg_attr(not(debug_assertions), inline(always))]
fn block<
    S: Simd,
    T: Real,
    A: Elementwise,
    V: Register<S, T>,
    M: Size,
    R: Right<T>,
    const NARROW: bool,
    const REGISTERS: usize,
    const COLUMNS: usize,
    const ADDED: bool,
>(
    simd: S,
    product: &Product<T, M, R>,
    (first, column): (usize, usize),
    result: &mut [T],
) {
    let &Product { left, right, depth, start, activated, .. } = product;
    let rows = left.rows.get();
    let result = &mut result[column * rows..][..COLUMNS * rows];
    // Negative zero, which changes no value that it is added to: without registers a sum starts with its first
    // product.
    let mut sums = [[V::splat(simd, -T::ZERO); REGISTERS]; COLUMNS];
    if let Some(start) = start {
        sums = [wide_or_narrow::<S, T, V, NARROW, REGISTERS>(simd, &start[..rows], rows, first); COLUMNS];
    }
    let whole = if R::FRESH && NARROW {
        0
    } else if const { M::KNOWN.is_some() } {
        whole_columns::<S, T, V>(left.values, rows, depth)
    } else {
        depth
    };
    // Each element of the right factor is loaded and spread at once. From an array of them the compiler makes a
    // register that it takes apart again.
    let (mut lefts, mut rights) = (left.cursor(), right.part::<COLUMNS>(column));
    let mut done = 0;
    for k in 0..whole {
        // If the compiler knows the length, loads have no check.
        let Some(left) = lefts.next(k, if NARROW { V::LEN } else { 0 }) else { break };
        if !rights.go_to(k) {
            break;
        }
        let left = wide_or_narrow::<S, T, V, NARROW, REGISTERS>(simd, left, rows, first);
        for n in 0..COLUMNS {
            add_products(&left, V::splat(simd, rights.at(k, n)), &mut sums[n]);
        }
        done = k + 1;
    }
    if NARROW {
        let done = if const { M::KNOWN.is_some() } { whole } else { done };
        for k in done..depth {
            let (Some(left), true) = (lefts.next(k, 0), rights.go_to(k)) else { break };
            let left = wide_or_narrow::<S, T, V, true, REGISTERS>(simd, left, rows, first);
            for n in 0..COLUMNS {
                add_products(&left, V::splat(simd, rights.at(k, n)), &mut sums[n]);
            }
        }
    }
    if const { M::KNOWN.is_none() } {
        return store_columns::<S, T, A, V, NARROW, REGISTERS, COLUMNS, ADDED>(
            simd,
            sums,
            (rows, first),
            activated,
            result,
        );
    }
    if const { NARROW && !R::FRESH && !ADDED } {
        // The lanes of a register beyond the rows are overwritten by the next columns. Loops that store the
        // registers in pieces are too long for the compiler to unroll, and then it keeps the sums in memory.
        if activated {
            for n in 0..COLUMNS {
                sums[n][0] = activate::<S, T, A, V>(simd, sums[n][0]);
            }
        }
        for n in 0..COLUMNS {
            if n * rows + V::LEN <= COLUMNS * rows {
                store::<S, T, V>(sums[n][0], &mut result[n * rows..]);
            } else {
                store_part::<S, T, V>(sums[n][0], &mut result[n * rows..][..rows]);
            }
        }
        return;
    }
    for n in 0..COLUMNS {
        let result = &mut result[n * rows..][..rows];
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

/// Stores the sums of a block to their rows, from `first` on, of `COLUMNS` columns of `rows` rows, a number that only run time knows.
#[inline(always)]
fn store_columns<
    S: Simd,
    T: Real,
    A: Elementwise,
    V: Register<S, T>,
    const NARROW: bool,
    const REGISTERS: usize,
    const COLUMNS: usize,
    const ADDED: bool,
>(
    simd: S,
    mut sums: [[V; REGISTERS]; COLUMNS],
    (rows, first): (usize, usize),
    activated: bool,
    mut result: &mut [T],
) {
    if activated {
        unrolled!(COLUMNS, n => for r in 0..REGISTERS {
            sums[n][r] = activate::<S, T, A, V>(simd, sums[n][r]);
        });
    }
    unrolled!(COLUMNS, n => if NARROW {
        if !ADDED && result.len() >= V::LEN {
            // The lanes beyond the rows are overwritten by the next columns.
            store::<S, T, V>(sums[n][0], result);
        } else {
            let result = &mut result[..rows];
            let old = if ADDED { load_part::<S, T, V>(simd, result) } else { V::splat(simd, -T::ZERO) };
            store_part::<S, T, V>(old + sums[n][0], result);
        }
        result = result.get_mut(rows..).unwrap_or_default();
    } else {
        let Some((column, others)) = result.split_at_mut_checked(rows) else { return };
        if ADDED {
            add_rows::<S, T, V, REGISTERS>(simd, &sums[n], column, first);
        } else {
            for r in 0..REGISTERS {
                store::<S, T, V>(sums[n][r], &mut column[begin(V::LEN, rows, first, r)..]);
            }
        }
        result = others;
    });
    let _ = result;
}

/// The value of the activation `A` in each lane.
#[inline(always)]
fn activate<S: Simd, T: Real, A: Elementwise, V: Register<S, T>>(simd: S, x: V) -> V {
    V::from_slice(simd, &A::value::<S, T>(simd, load_part(simd, x.as_slice())).as_slice()[..V::LEN])
}

/// How many of the first `depth` columns of a matrix have a whole register behind their start, though they may be
/// shorter.
#[inline(always)]
pub(super) fn whole_columns<S: Simd, T: Real, V: Register<S, T>>(matrix: &[T], rows: usize, depth: usize) -> usize {
    let lanes = V::LEN;
    if rows >= lanes {
        return depth;
    }
    let whole = if matrix.len() < lanes { 0 } else { (matrix.len() - lanes) / rows + 1 };
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
pub(super) fn rows<S: Simd, T: Real, V: Register<S, T>, const REGISTERS: usize>(
    simd: S,
    column: &[T],
    height: usize,
    first: usize,
) -> [V; REGISTERS] {
    if height < V::LEN {
        wide_or_narrow::<S, T, V, true, REGISTERS>(simd, column, height, first)
    } else {
        wide_or_narrow::<S, T, V, false, REGISTERS>(simd, column, height, first)
    }
}

/// [`rows`] of a column that is known to be shorter than a register, if `NARROW`, or not to be.
#[inline(always)]
pub(super) fn wide_or_narrow<S: Simd, T: Real, V: Register<S, T>, const NARROW: bool, const REGISTERS: usize>(
    simd: S,
    column: &[T],
    height: usize,
    first: usize,
) -> [V; REGISTERS] {
    let mut registers = [V::splat(simd, T::ZERO); REGISTERS];
    if NARROW {
        registers[0] = if column.len() < V::LEN { load_part(simd, column) } else { load(simd, column) };
        return registers;
    }
    let column = &column[..height];
    for r in 0..REGISTERS {
        registers[r] = load(simd, &column[begin(V::LEN, height, first, r)..]);
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

/// Sets `result` to the transpose of `matrix`, which has as many rows as `result` has columns, `columns`.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn transpose<S: Simd, T: Real, M: Size, C: Size>(
    simd: S,
    matrix: Matrix<T, M>,
    columns: C,
    result: &mut [T],
) {
    let (lanes, Matrix { values, rows: height_of_all }) = (Lanes::<S, T>::LEN, matrix);
    let (all_rows, all_columns) = (height_of_all.get(), columns.get());
    if all_rows == 1 || all_columns == 1 {
        return result[..all_rows * all_columns].copy_from_slice(&values[..all_rows * all_columns]);
    }
    let height = if all_rows < lanes { all_rows } else { lanes };
    let width = if all_columns < lanes { all_columns } else { lanes };
    if const { M::KNOWN.is_none() || C::KNOWN.is_none() } && height == lanes && width == lanes {
        return transpose_squares(simd, (values, all_rows), all_columns, result);
    }
    // Squares of a register's length. The last in each direction ends with the matrix.
    for row in (0..all_rows).step_by(lanes) {
        let row = if row + height > all_rows { all_rows - height } else { row };
        for column in (0..all_columns).step_by(lanes) {
            let column = if column + width > all_columns { all_columns - width } else { column };
            let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
            for i in 0..lanes {
                if i < width {
                    square[i] =
                        rows::<S, T, Lanes<S, T>, 1>(simd, &values[(column + i) * all_rows..], all_rows, row)[0];
                }
            }
            transpose_square::<S, T>(&mut square);
            for i in 0..lanes {
                if i < height {
                    let to = &mut result[(row + i) * all_columns + column..];
                    // The lanes of a short row's register beyond its end are overwritten by the next row.
                    if to.len() < lanes {
                        store_part::<S, T, _>(square[i], &mut to[..width]);
                    } else {
                        store(square[i], to);
                    }
                }
            }
        }
    }
}

/// [`transpose`] of a matrix of `rows` rows and `columns` columns, both no less than a register has lanes.
#[inline(always)]
pub(super) fn transpose_squares<S: Simd, T: Real>(
    simd: S,
    (matrix, rows): (&[T], usize),
    columns: usize,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    for row in (0..rows).step_by(lanes) {
        let row = begin(lanes, rows, row, 0);
        for column in (0..columns).step_by(lanes) {
            let column = begin(lanes, columns, column, 0);
            let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
            let mut from = &matrix[column * rows + row..];
            unrolled!(Lanes::<S, T>::LEN, i => {
                square[i] = load(simd, from);
                from = from.get(rows..).unwrap_or_default();
            });
            let _ = from;
            transpose_square::<S, T>(&mut square);
            let mut to = &mut result[row * columns + column..];
            unrolled!(Lanes::<S, T>::LEN, i => {
                store(square[i], to);
                to = to.get_mut(columns..).unwrap_or_default();
            });
            let _ = to;
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
    let matrix = Matrix { values: matrix.as_flattened(), rows: Const::<ROWS> };
    transpose(simd, matrix, Const::<COLUMNS>, transposed.as_flattened_mut());
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

/// Adds the columns of a matrix to `result`.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn add_columns<S: Simd, T: Real, M: Size>(simd: S, matrix: Matrix<T, M>, result: &mut [T]) {
    let height = matrix.rows.get();
    let (lanes, result) = (Lanes::<S, T>::LEN, &mut result[..height]);
    let mut first = 0;
    while first < height {
        // Four sums, since an addition has to wait for the one before.
        let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); 4];
        let mut left = matrix.values;
        while left.len() >= 4 * height {
            let (four, others) = left.split_at(4 * height);
            for i in 0..4 {
                sums[i] += rows::<S, T, Lanes<S, T>, 1>(simd, &four[i * height..][..height], height, first)[0];
            }
            left = others;
        }
        while left.len() >= height {
            let (one, others) = left.split_at(height);
            sums[0] += rows::<S, T, Lanes<S, T>, 1>(simd, one, height, first)[0];
            left = others;
        }
        let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        add_rows::<S, T, _, 1>(simd, &[sum], result, first);
        first += lanes;
    }
}

/// Sets the first `columns` of the `capacity` columns of `result`, which has up to four rows, to `start + left * right`. The columns of `left`
/// are the rows of the left factor, as many as `start` has elements. For few rows.
///
/// Each element of the result is the sum of 16 sums, as in [`map_sum`](super::map_sum).
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn dot_products<S: Simd, T: Real, D: Size>(
    simd: S,
    (columns, capacity): (usize, usize),
    left: Matrix<T, D>,
    right: &[T],
    start: &[T],
    result: &mut [T],
) {
    let (rows, depth) = (start.len(), left.rows.get());
    let mut column = 0;
    // Four at a time, stored together, because the code that loads them next loads more than one.
    while column < columns && column + 4 <= capacity {
        let mut four = [T::ZERO; 16];
        for row in 0..4 {
            if row < rows {
                let mut products = [[Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES / 2]; 4];
                for i in 0..4 {
                    products[i] =
                        dot(simd, &left.values[row * depth..][..depth], &right[(column + i) * depth..][..depth]);
                }
                let sums = four_sums_of_16(products);
                for i in 0..4 {
                    four[i * rows + row] = start[row] + sums[i];
                }
            }
        }
        result[column * rows..][..4 * rows].copy_from_slice(&four[..4 * rows]);
        column += 4;
    }
    while column < columns {
        for row in 0..rows {
            let products = dot(simd, &left.values[row * depth..][..depth], &right[column * depth..][..depth]);
            result[column * rows + row] = start[row] + sum_of_16(products);
        }
        column += 1;
    }
}

/// The products of two slices of the same length, added up in 16 sums.
#[inline(always)]
pub(super) fn dot<S: Simd, T: Real>(simd: S, a: &[T], b: &[T]) -> [Lanes<S, T>; MAX_LANES / 2] {
    let (lanes, depth) = (Lanes::<S, T>::LEN, a.len());
    let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES / 2];
    for first in (0..depth).step_by(MAX_LANES) {
        for i in 0..MAX_LANES / lanes {
            let begin = first + i * lanes;
            if begin + lanes <= depth {
                sums[i] = mul_add(load(simd, &a[begin..]), load(simd, &b[begin..]), sums[i]);
            } else if begin < depth {
                sums[i] = mul_add(load_part(simd, &a[begin..]), load_part(simd, &b[begin..]), sums[i]);
            }
        }
    }
    sums
}
