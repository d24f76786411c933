//! Products whose sizes only run time knows, for what is compiled once. Every sum is that of the kernels whose sizes the compiler
//! knows; the blocks have few shapes, so that there is little to compile.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::plan::chains_of;
use super::product::{add_products, begin, dot, transpose_squares};
use super::size::unrolled;
use super::{MAX_LANES, lane_indices, load, store, sum_of_16};
use crate::num::math::maximum;
use crate::num::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase};

/// The last columns of a matrix, where there is no whole register behind the beginning of a column, and zeros.
pub(super) type Tail<T> = [T; 2 * MAX_LANES];

/// A matrix, column by column.
#[derive(Clone, Copy)]
pub(super) struct Left<'a, T> {
    values: &'a [T],
    rows: usize,
    /// Empty if no column is shorter than a register.
    tail: &'a [T],
}

impl<'a, T: Real> Left<'a, T> {
    /// A matrix of `columns` columns of `rows` rows. `tail` is written to if it is needed.
    #[inline(always)]
    pub fn new<S: Simd>(_: S, values: &'a [T], rows: usize, columns: usize, tail: &'a mut Tail<T>) -> Self {
        let (lanes, values) = (Lanes::<S, T>::LEN, &values[..rows * columns]);
        if rows >= lanes {
            return Left { values, rows, tail: &[] };
        }
        let whole = match (values.len() + rows).checked_sub(lanes) {
            Some(behind) => behind.checked_div(rows).unwrap_or(0),
            None => 0,
        };
        for (to, from) in tail.iter_mut().zip(values.get(whole * rows..).unwrap_or_default()) {
            *to = *from;
        }
        Left { values, rows, tail }
    }

    /// Goes along the columns, from row `first` of each on: `length` elements of each, at least a register; of columns shorter than that
    /// some are those of the next.
    #[inline(always)]
    fn windows(self, first: usize, length: usize) -> Option<Windows<'a, T>> {
        let (mut rest, mut tail) = (self.values.get(first..)?, self.tail);
        if rest.len() < length {
            rest = core::mem::take(&mut tail);
        }
        Some(Windows { window: rest.get(..length)?, rest, rows: self.rows, length, tail })
    }
}

/// Part of each column of a matrix, column by column.
struct Windows<'a, T> {
    /// That of the current column, whose length the compiler knows to be the same for all.
    window: &'a [T],
    rest: &'a [T],
    rows: usize,
    length: usize,
    tail: &'a [T],
}

impl<T> Windows<'_, T> {
    /// Goes to the next column; `false` if there is none. `narrow` is whether columns may be shorter than a register.
    #[inline(always)]
    fn next(&mut self, narrow: bool) -> bool {
        let Some(rest) = self.rest.get(self.rows..) else { return false };
        let Some(window) = rest.get(..self.length) else {
            if narrow && !self.tail.is_empty() {
                self.rest = core::mem::take(&mut self.tail);
                let Some(window) = self.rest.get(..self.length) else { return false };
                self.window = window;
                return true;
            }
            return false;
        };
        (self.window, self.rest) = (window, rest);
        true
    }
}

/// What a product computes.
#[derive(Clone, Copy)]
pub(super) struct Task<'a, T> {
    pub left: Left<'a, T>,
    /// The right factor.
    pub right: &'a [T],
    /// How many elements are between its columns, or between its rows if it is stored row by row.
    pub stride: usize,
    /// The columns of the left factor.
    pub depth: usize,
    /// The columns of the right factor in use.
    pub columns: usize,
    /// The columns that may be computed, because what they hold is unspecified.
    pub capacity: usize,
    /// What each column starts with; empty if that is zero.
    pub start: &'a [T],
    /// Whether negative sums are set to zero.
    pub relu: bool,
}

/// Sets the first `height` rows of `result`, all of them or those that fill registers, to `start + left * right`; or adds the product to them
/// if `BY_ROW`, which is whether the right factor is stored row by row.
#[inline(always)]
pub(super) fn product<S: Simd, T: Real, const BY_ROW: bool>(simd: S, height: usize, task: Task<T>, result: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let mut padded = [T::ZERO; MAX_LANES];
    let mut task = task;
    if task.left.rows < lanes && !task.start.is_empty() {
        for (to, from) in padded.iter_mut().zip(task.start).take(task.left.rows) {
            *to = *from;
        }
        task.start = &padded;
    }
    if task.left.rows < lanes {
        return strip::<S, T, BY_ROW, true, 1>(simd, &task, 0, result);
    }
    let mut first = 0;
    // Two registers of rows at a time. The last one may start early, so that it ends with the last row.
    while first + lanes < height {
        strip::<S, T, BY_ROW, false, 2>(simd, &task, first, result);
        first += 2 * lanes;
    }
    if first < height {
        strip::<S, T, BY_ROW, false, 1>(simd, &task, first, result);
    }
}

/// All columns of some rows of a product, in a function of its own: so the loops have the registers to themselves, and all products share it.
#[inline(always)]
fn strip<S: Simd, T: Real, const BY_ROW: bool, const NARROW: bool, const REGISTERS: usize>(
    simd: S,
    task: &Task<T>,
    first: usize,
    result: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || blocks::<S, T, BY_ROW, NARROW, REGISTERS>(simd, task, first, result),
    );
}

/// All columns of some rows of a product, as many at a time as have their sums in the registers. `NARROW` is whether the left factor has less
/// rows than a register.
#[inline(always)]
fn blocks<S: Simd, T: Real, const BY_ROW: bool, const NARROW: bool, const REGISTERS: usize>(
    simd: S,
    task: &Task<T>,
    first: usize,
    result: &mut [T],
) {
    let (lanes, rows, columns) = (Lanes::<S, T>::LEN, task.left.rows, task.columns);
    let capacity = if BY_ROW { columns } else { task.capacity };
    let strip = Strip::new::<S, T, REGISTERS>(simd, rows, first);
    let mut column = 0;
    macro_rules! block {
        ($columns:literal, $begin:expr) => {{
            let begin = $begin;
            let at = (begin, column - begin);
            // A register of the last columns may reach beyond the end.
            let beyond = NARROW && result.len() - begin * rows < ($columns - 1) * rows + lanes;
            let mut space = [T::ZERO; ($columns + 1) * MAX_LANES];
            let part = if beyond {
                for (to, from) in space.iter_mut().zip(&result[begin * rows..]) {
                    *to = *from;
                }
                space.as_mut_slice()
            } else {
                &mut result[begin * rows..]
            };
            block::<S, T, BY_ROW, NARROW, REGISTERS, $columns>(simd, task, strip, at, part);
            if beyond {
                for (to, from) in result[begin * rows..].iter_mut().zip(&space).take($columns * rows) {
                    *to = *from;
                }
            }
            column = begin + $columns;
        }};
    }
    if const { has_many_registers::<S, T>() || REGISTERS == 1 } {
        while column + 4 < columns && column + 8 <= capacity {
            block!(8, column);
        }
    }
    if const { !has_many_registers::<S, T>() && REGISTERS == 2 } {
        // 12 sums, two factors and one more fill 16 registers. Eight columns are two blocks of four.
        while column + 6 <= columns && column + 8 != columns {
            block!(6, column);
        }
    }
    if capacity >= 4 {
        // The last block may start early, so that it ends with the last column.
        while column < columns {
            block!(4, if column + 4 <= capacity { column } else { capacity - 4 });
        }
    }
    while column < columns {
        block!(1, column);
    }
}

/// Whether there are 32 registers, as with AVX-512, and not 16. Each sum needs one, and the factors a few.
const fn has_many_registers<S: Simd, T: Real>() -> bool {
    size_of::<Lanes<S, T>>() == 64
}

/// Some rows of a product, in one or more registers.
#[derive(Clone, Copy)]
struct Strip {
    /// The first row of the first register.
    begin: usize,
    /// How many rows are between this and the first row of the last register, which ends with the last row at the latest.
    distance: usize,
    /// How many of the last register's rows are also in the register, or in the strip, before it.
    shared: usize,
}

impl Strip {
    #[inline(always)]
    fn new<S: Simd, T: Real, const REGISTERS: usize>(_: S, rows: usize, first: usize) -> Self {
        let (lanes, before) = (Lanes::<S, T>::LEN, (REGISTERS - 1) * Lanes::<S, T>::LEN);
        let (start, last) = (begin(lanes, rows, first, 0), begin(lanes, rows, first, REGISTERS - 1));
        let distance = last.wrapping_sub(start);
        // Always so; the compiler drops checks of loads and stores.
        let distance = if distance < before { distance } else { before };
        Strip { begin: start, distance, shared: (first + before).wrapping_sub(last) }
    }

    /// The first row of register `r`, from the first row of the strip on.
    #[inline(always)]
    fn offset<S: Simd, T: Real, const REGISTERS: usize>(self, _: S, r: usize) -> usize {
        if r == 0 {
            0
        } else if r == REGISTERS - 1 {
            self.distance
        } else {
            r * Lanes::<S, T>::LEN
        }
    }

    /// From the first row to the last.
    #[inline(always)]
    fn length<S: Simd, T: Real>(self, _: S) -> usize {
        self.distance + Lanes::<S, T>::LEN
    }
}

/// `COLUMNS` columns of some rows of a product, summed in registers, from `column` on; the first `done` of them have been computed before.
/// `result` begins with the first of them.
#[inline(always)]
fn block<S: Simd, T: Real, const BY_ROW: bool, const NARROW: bool, const REGISTERS: usize, const COLUMNS: usize>(
    simd: S,
    task: &Task<T>,
    strip: Strip,
    (column, done): (usize, usize),
    result: &mut [T],
) {
    let Task { left, right, stride, depth, start, relu, .. } = *task;
    let (rows, length) = (left.rows, strip.length::<S, T>(simd));
    // Negative zero, which changes no value that it is added to.
    let mut sums = [[Lanes::<S, T>::splat(simd, -T::ZERO); REGISTERS]; COLUMNS];
    if !BY_ROW && !start.is_empty() {
        sums = [registers::<S, T, REGISTERS>(simd, &start[strip.begin..][..length], strip); COLUMNS];
    }
    let Some(mut lefts) = left.windows(strip.begin, length) else { return };
    if BY_ROW {
        let mut rights = right.get(column..).unwrap_or_default();
        let Some(mut values) = rights.first_chunk::<COLUMNS>() else { return };
        loop {
            let left = registers::<S, T, REGISTERS>(simd, lefts.window, strip);
            unrolled!(COLUMNS, n => add_products(&left, Lanes::<S, T>::splat(simd, values[n]), &mut sums[n]));
            if !lefts.next(NARROW) {
                break;
            }
            let Some(rest) = rights.get(stride..) else { break };
            let Some(next) = rest.first_chunk::<COLUMNS>() else { break };
            (rights, values) = (rest, next);
        }
    } else {
        let mut columns = [&right[..depth]; COLUMNS];
        unrolled!(COLUMNS, n => columns[n] = &right[(column + n) * stride..][..depth]);
        let mut k = 0;
        // One comparison for all columns.
        while k < depth {
            let left = registers::<S, T, REGISTERS>(simd, lefts.window, strip);
            unrolled!(COLUMNS, n => add_products(&left, Lanes::<S, T>::splat(simd, columns[n][k]), &mut sums[n]));
            if !lefts.next(NARROW) {
                break;
            }
            k += 1;
        }
    }
    if !BY_ROW && relu {
        unrolled!(COLUMNS, n => for r in 0..REGISTERS {
            sums[n][r] = maximum(sums[n][r], Lanes::<S, T>::splat(simd, T::ZERO));
        });
    }
    // The lanes inside the matrix, or those that an earlier register has.
    let limit = T::from_count(if NARROW { rows } else { strip.shared });
    let below = lane_indices::<S, T, Lanes<S, T>>(simd).simd_lt(Lanes::<S, T>::splat(simd, limit));
    macro_rules! add {
        ($n:expr, $part:expr) => {{
            let old = registers::<S, T, REGISTERS>(simd, $part, strip);
            for r in 0..REGISTERS {
                let sum = sums[$n][r] + old[r];
                // Each row once, though two registers may share some. In the lanes of other rows is what was there.
                sums[$n][r] = if r + 1 < REGISTERS {
                    sum
                } else if NARROW {
                    below.select(sum, old[r])
                } else {
                    below.select(old[r], sum)
                };
            }
        }};
    }
    if BY_ROW && NARROW {
        // All are loaded before the first is stored: registers of short columns overlap.
        let mut rest = &*result;
        unrolled!(COLUMNS, n => {
            add!(n, &rest[..length]);
            rest = rest.get(rows..).unwrap_or_default();
        });
        let _ = rest;
    }
    let mut rest = result;
    unrolled!(COLUMNS, n => {
        if !BY_ROW || n >= done {
            let part = &mut rest[strip.begin..][..length];
            if BY_ROW && !NARROW {
                add!(n, part);
            }
            // The last first: where it shares rows with the one before, it has what was there.
            for r in (0..REGISTERS).rev() {
                store::<S, T, _>(sums[n][r], &mut part[strip.offset::<S, T, REGISTERS>(simd, r)..]);
            }
        }
        rest = rest.get_mut(rows..).unwrap_or_default();
    });
    let _ = rest;
}

/// The registers of a strip.
#[inline(always)]
fn registers<S: Simd, T: Real, const REGISTERS: usize>(simd: S, part: &[T], strip: Strip) -> [Lanes<S, T>; REGISTERS] {
    let mut registers = [Lanes::<S, T>::splat(simd, T::ZERO); REGISTERS];
    for r in 0..REGISTERS {
        registers[r] = load(simd, &part[strip.offset::<S, T, REGISTERS>(simd, r)..]);
    }
    registers
}

/// Sets `result` to the product with a single column, `right`, in the sums of
/// [`product_with_column`](super::product_with_column).
#[inline(always)]
pub(super) fn product_with_column<S: Simd, T: Real>(
    simd: S,
    left: Left<T>,
    right: &[T],
    (start, relu): (&[T], bool),
    result: &mut [T],
) {
    match chains_of(left.rows) {
        4 => chains::<S, T, 4, 2>(simd, left, right, (start, relu), result),
        2 => chains::<S, T, 2, 4>(simd, left, right, (start, relu), result),
        _ => chains::<S, T, 1, 8>(simd, left, right, (start, relu), result),
    }
}

/// All rows, in `CHAINS` sums each, with as many rows at a time as fit into `REGISTERS` registers.
#[inline(always)]
fn chains<S: Simd, T: Real, const CHAINS: usize, const REGISTERS: usize>(
    simd: S,
    left: Left<T>,
    right: &[T],
    how: (&[T], bool),
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    if const { CHAINS == 4 } && left.rows < lanes {
        return some_rows::<S, T, true, CHAINS, 1>(simd, left, right, how, 0, result);
    }
    let mut first = 0;
    while first + (REGISTERS - 1) * lanes < left.rows {
        some_rows::<S, T, false, CHAINS, REGISTERS>(simd, left, right, how, first, result);
        first += REGISTERS * lanes;
    }
    while first < left.rows {
        some_rows::<S, T, false, CHAINS, 1>(simd, left, right, how, first, result);
        first += lanes;
    }
}

/// Some rows of a product with a column, from `first` on.
#[inline(always)]
fn some_rows<S: Simd, T: Real, const NARROW: bool, const CHAINS: usize, const REGISTERS: usize>(
    simd: S,
    left: Left<T>,
    right: &[T],
    (start, relu): (&[T], bool),
    first: usize,
    result: &mut [T],
) {
    let rows = left.rows;
    let strip = Strip::new::<S, T, REGISTERS>(simd, rows, first);
    let length = strip.length::<S, T>(simd);
    let mut sums = [[Lanes::<S, T>::splat(simd, -T::ZERO); REGISTERS]; CHAINS];
    let mut padded = [T::ZERO; MAX_LANES];
    if NARROW {
        for (to, from) in padded.iter_mut().zip(start).take(rows) {
            *to = *from;
        }
    }
    let start = if NARROW { &padded[..length] } else { &start[strip.begin..][..length] };
    sums[0] = registers::<S, T, REGISTERS>(simd, start, strip);
    let Some(mut lefts) = left.windows(strip.begin, length) else { return };
    let (whole, others) = right.as_chunks::<CHAINS>();
    for values in whole {
        for chain in 0..CHAINS {
            let left = registers::<S, T, REGISTERS>(simd, lefts.window, strip);
            add_products(&left, Lanes::<S, T>::splat(simd, values[chain]), &mut sums[chain]);
            let _ = lefts.next(NARROW);
        }
    }
    for chain in 0..CHAINS {
        if let Some(&value) = others.get(chain) {
            let left = registers::<S, T, REGISTERS>(simd, lefts.window, strip);
            add_products(&left, Lanes::<S, T>::splat(simd, value), &mut sums[chain]);
            let _ = lefts.next(NARROW);
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
    if relu {
        for r in 0..REGISTERS {
            sums[0][r] = maximum(sums[0][r], Lanes::<S, T>::splat(simd, T::ZERO));
        }
    }
    if NARROW {
        for (to, from) in result.iter_mut().zip(sums[0][0].as_slice()).take(rows) {
            *to = *from;
        }
        return;
    }
    let part = &mut result[strip.begin..][..length];
    for r in 0..REGISTERS {
        store::<S, T, _>(sums[0][r], &mut part[strip.offset::<S, T, REGISTERS>(simd, r)..]);
    }
}

/// Adds the first `columns` columns of a matrix to `result`, in the sums of [`add_columns`](super::product::add_columns).
#[inline(always)]
pub(super) fn add_columns<S: Simd, T: Real>(simd: S, matrix: Left<T>, columns: usize, result: &mut [T]) {
    let (lanes, rows) = (Lanes::<S, T>::LEN, matrix.rows);
    let mut first = 0;
    while first < rows {
        let begin = begin(lanes, rows, first, 0);
        let Some(mut columns_of) = matrix.windows(begin, lanes) else { return };
        // Four sums, since an addition has to wait for the one before.
        let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); 4];
        for _ in 0..columns / 4 {
            for i in 0..4 {
                sums[i] += load::<S, T, Lanes<S, T>>(simd, columns_of.window);
                let _ = columns_of.next(true);
            }
        }
        for _ in 0..columns % 4 {
            sums[0] += load::<S, T, Lanes<S, T>>(simd, columns_of.window);
            let _ = columns_of.next(true);
        }
        let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        for (to, from) in result.iter_mut().skip(first).zip(sum.as_slice().iter().skip(first - begin)) {
            *to += *from;
        }
        first += lanes;
    }
}

/// Sets `result` to the transpose of a matrix of `rows` rows and `columns` columns.
#[inline(always)]
pub(super) fn transpose<S: Simd, T: Real>(simd: S, matrix: &[T], rows: usize, columns: usize, result: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    if rows == 1 || columns == 1 {
        return result[..rows * columns].copy_from_slice(&matrix[..rows * columns]);
    }
    if rows >= lanes && columns >= lanes {
        return transpose_squares(simd, (matrix, rows), columns, result);
    }
    for (row, result) in result.chunks_exact_mut(columns).enumerate().take(rows) {
        for (column, to) in matrix.chunks_exact(rows).zip(result) {
            *to = column[row];
        }
    }
}

/// Sets the first `columns` columns of `result` to `start + left * right`, in the sums of [`dot_products`](super::product::dot_products). The columns of
/// `left` are the rows of the left factor.
#[inline(always)]
pub(super) fn dot_products<S: Simd, T: Real>(
    simd: S,
    (left, depth): (&[T], usize),
    right: &[T],
    (start, relu): (&[T], bool),
    result: &mut [T],
) {
    let rows = start.len();
    for (right, result) in right.chunks_exact(depth).zip(result.chunks_exact_mut(rows)) {
        for ((left, to), start) in left.chunks_exact(depth).zip(result).zip(start) {
            let sum = *start + sum_of_16(dot(simd, left, right));
            // Not `max`, which ignores NaN.
            *to = if relu && sum < T::ZERO { T::ZERO } else { sum };
        }
    }
}
