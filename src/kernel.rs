//! The loops: products of matrices and maps over slices. Nothing else in the library touches vector registers, except
//! the functions of [`math`](crate::math) and what an activation, a loss or an optimizer does to one register at a time.
//!
//! A matrix is a slice that holds it column by column. Lanes run across rows, so that every sum has one order on every
//! CPU; where a single sample's sum is split to hide the latency of the additions, it is split into [`CHAINS`] parts.

use crate::math::mul_add;
use crate::real::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// Room for the widest vector register: 16 numbers of type `f32`.
pub(crate) const WIDEST: usize = 16;

#[inline(always)]
fn load<S: Simd, T: Real>(simd: S, from: &[T]) -> Lanes<S, T> {
    Lanes::<S, T>::from_slice(simd, &from[..Lanes::<S, T>::LEN])
}

#[inline(always)]
fn store<S: Simd, T: Real>(lanes: Lanes<S, T>, to: &mut [T]) {
    lanes.store_slice(&mut to[..Lanes::<S, T>::LEN]);
}

/// The lanes' first numbers from a slice shorter than a register; the others are zero.
#[inline(always)]
fn load_part<S: Simd, T: Real>(simd: S, from: &[T]) -> Lanes<S, T> {
    let mut room = [T::ZERO; WIDEST];
    room[..from.len()].copy_from_slice(from);
    load(simd, &room)
}

#[inline(always)]
fn store_part<S: Simd, T: Real>(lanes: Lanes<S, T>, to: &mut [T]) {
    to.copy_from_slice(&lanes.as_slice()[..to.len()]);
}

/// Runs `step` over several slices of the same length, a register of each at a time: it gets what stands in `changed`
/// and in `read` and returns what shall stand in `changed`. Goes as far as the shortest slice.
#[inline(always)]
pub fn map<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    changed: [&mut [T]; CHANGED],
    read: [&[T]; READ],
    step: impl Fn([Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> [Lanes<S, T>; CHANGED],
) {
    let nothing = Lanes::<S, T>::splat(simd, T::ZERO);
    map_sum(
        simd,
        changed,
        read,
        #[inline(always)]
        |c, r| (step(c, r), nothing),
    );
}

/// Like [`map`], and gives the sum of the lanes that `step` returns second: [`WIDEST`] sums, each over every
/// [`WIDEST`]th number, which are then added in pairs.
#[inline(always)]
pub fn map_sum<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    mut changed: [&mut [T]; CHANGED],
    read: [&[T]; READ],
    step: impl Fn([Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> ([Lanes<S, T>; CHANGED], Lanes<S, T>),
) -> T {
    let lanes = Lanes::<S, T>::LEN;
    let mut length = usize::MAX;
    for slice in &changed {
        length = length.min(slice.len());
    }
    for slice in &read {
        length = length.min(slice.len());
    }
    let mut sums = [Lanes::<S, T>::splat(simd, T::ZERO); WIDEST / 2];
    let mut at = 0;
    while at < length {
        for sum in &mut sums[..WIDEST / lanes] {
            let end = at + lanes;
            if end <= length {
                let c = changed.each_ref().map(
                    #[inline(always)]
                    |slice| load(simd, &slice[at..end]),
                );
                let r = read.map(
                    #[inline(always)]
                    |slice| load(simd, &slice[at..end]),
                );
                let (results, term) = step(c, r);
                for (slice, result) in changed.iter_mut().zip(results) {
                    store::<S, T>(result, &mut slice[at..end]);
                }
                *sum = *sum + term;
            } else if at < length {
                let c = changed.each_ref().map(
                    #[inline(always)]
                    |slice| load_part(simd, &slice[at..length]),
                );
                let r = read.map(
                    #[inline(always)]
                    |slice| load_part(simd, &slice[at..length]),
                );
                let (results, term) = step(c, r);
                for (slice, result) in changed.iter_mut().zip(results) {
                    store_part::<S, T>(result, &mut slice[at..length]);
                }
                *sum = *sum + load_part(simd, &term.as_slice()[..length - at]);
            }
            at = end;
        }
    }
    let mut numbers = [T::ZERO; WIDEST];
    for (numbers, &sum) in numbers.chunks_exact_mut(lanes).zip(&sums) {
        store::<S, T>(sum, numbers);
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            numbers[i] = numbers[i] + numbers[i + half];
        }
    }
    numbers[0]
}

/// The sum of `values`.
#[inline(always)]
pub fn sum<S: Simd, T: Real>(simd: S, values: &[T]) -> T {
    map_sum(
        simd,
        [],
        [values],
        #[inline(always)]
        |[], [x]| ([], x),
    )
}

/// The sum of the products of `a` and `b`.
#[inline(always)]
pub fn dot<S: Simd, T: Real>(simd: S, a: &[T], b: &[T]) -> T {
    map_sum(
        simd,
        [],
        [a, b],
        #[inline(always)]
        |[], [a, b]| ([], a * b),
    )
}

/// The largest of `values`; minus infinity if there is none.
#[inline(always)]
pub fn largest<T: Real>(values: &[T]) -> T {
    let mut largest = T::neg_infinity();
    for &value in values {
        largest = if value > largest { value } else { largest };
    }
    largest
}

/// The columns of a matrix of `size` rows.
#[inline(always)]
pub(crate) fn columns_mut<T>(matrix: &mut [T], size: usize) -> core::slice::ChunksExactMut<'_, T> {
    matrix.chunks_exact_mut(if size == 0 { 1 } else { size })
}

/// The factors of a product. Number `(k, n)` of the right one stands at `right[k * right_down + n * right_across]`.
#[derive(Clone, Copy)]
pub(crate) struct Factors<'a, T> {
    /// Column by column, as many rows as the result.
    pub left: &'a [T],
    pub right: &'a [T],
    pub right_down: usize,
    pub right_across: usize,
    /// The columns of the left and rows of the right factor.
    pub depth: usize,
    /// The columns of the right factor and of the result.
    pub columns: usize,
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

/// Sets `result`, which has `ROWS` rows, to `finish(start + left * right)`. `DEPTH` is the largest depth.
#[inline(always)]
pub(crate) fn product<S: Simd, T: Real, const ROWS: usize, const DEPTH: usize>(
    simd: S,
    factors: Factors<T>,
    result: &mut [T],
    start: Start<T>,
    finish: impl Fn(Lanes<S, T>) -> Lanes<S, T> + Copy,
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut row = 0;
    while row + 2 * lanes <= ROWS {
        let rows = Rows { left: &factors.left[row..], stride: ROWS, first: row, part: 0, height: ROWS };
        columns::<S, T, 2>(simd, rows, factors, result, start, finish);
        row += 2 * lanes;
    }
    if row + lanes <= ROWS {
        let rows = Rows { left: &factors.left[row..], stride: ROWS, first: row, part: 0, height: ROWS };
        columns::<S, T, 1>(simd, rows, factors, result, start, finish);
        row += lanes;
    }
    if row < ROWS {
        // The last rows, too few for a register, copied apart with zeros below.
        let part = ROWS - row;
        let mut left = [[T::ZERO; WIDEST]; DEPTH];
        for (to, from) in left.iter_mut().zip(factors.left.chunks_exact(ROWS)).take(factors.depth) {
            to[..part].copy_from_slice(&from[row..]);
        }
        let rows = Rows { left: left.as_flattened(), stride: WIDEST, first: row, part, height: ROWS };
        columns::<S, T, 1>(simd, rows, factors, result, start, finish);
    }
}

/// Some rows of a product: as many as a few registers hold, or `part` if that is not zero.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    /// The left factor from the first of these rows on, its columns `stride` apart.
    left: &'a [T],
    stride: usize,
    /// The first of these rows in the result, whose columns are `height` apart.
    first: usize,
    height: usize,
    part: usize,
}

impl<T: Real> Rows<'_, T> {
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, from: &[T], register: usize) -> Lanes<S, T> {
        if self.part == 0 {
            load(simd, &from[register * Lanes::<S, T>::LEN..])
        } else {
            load_part(simd, &from[..self.part])
        }
    }

    #[inline(always)]
    fn store<S: Simd>(&self, lanes: Lanes<S, T>, to: &mut [T], register: usize) {
        if self.part == 0 {
            store::<S, T>(lanes, &mut to[register * Lanes::<S, T>::LEN..]);
        } else {
            store_part::<S, T>(lanes, &mut to[..self.part]);
        }
    }
}

/// All columns of some rows of a product, eight, four and one at a time.
#[inline(always)]
fn columns<S: Simd, T: Real, const REGISTERS: usize>(
    simd: S,
    rows: Rows<T>,
    factors: Factors<T>,
    result: &mut [T],
    start: Start<T>,
    finish: impl Fn(Lanes<S, T>) -> Lanes<S, T> + Copy,
) {
    let mut column = 0;
    while column + 8 <= factors.columns {
        block::<S, T, REGISTERS, 8>(simd, rows, factors, column, result, start, finish);
        column += 8;
    }
    if column + 4 <= factors.columns {
        block::<S, T, REGISTERS, 4>(simd, rows, factors, column, result, start, finish);
        column += 4;
    }
    while column < factors.columns {
        block::<S, T, REGISTERS, 1>(simd, rows, factors, column, result, start, finish);
        column += 1;
    }
}

/// `COLUMNS` columns of some rows of a product, summed in registers.
#[inline(always)]
fn block<S: Simd, T: Real, const REGISTERS: usize, const COLUMNS: usize>(
    simd: S,
    rows: Rows<T>,
    factors: Factors<T>,
    column: usize,
    result: &mut [T],
    start: Start<T>,
    finish: impl Fn(Lanes<S, T>) -> Lanes<S, T> + Copy,
) {
    let lanes = Lanes::<S, T>::LEN;
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let right = &factors.right[column * factors.right_across..];
    let mut sums = [[zero; REGISTERS]; COLUMNS];
    if let Start::Column(start) = start {
        for (r, sum) in sums[0].iter_mut().enumerate() {
            *sum = rows.load(simd, &start[rows.first..], r);
        }
        sums = [sums[0]; COLUMNS];
    }
    for k in 0..factors.depth {
        let left = &rows.left[k * rows.stride..k * rows.stride + REGISTERS * lanes];
        let mut a = [zero; REGISTERS];
        for (r, a) in a.iter_mut().enumerate() {
            *a = load(simd, &left[r * lanes..]);
        }
        for (n, sums) in sums.iter_mut().enumerate() {
            let b = Lanes::<S, T>::splat(simd, right[k * factors.right_down + n * factors.right_across]);
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum = mul_add(a, b, *sum);
            }
        }
    }
    for (n, sums) in sums.iter().enumerate() {
        let result = &mut result[(column + n) * rows.height + rows.first..];
        for (r, &sum) in sums.iter().enumerate() {
            let sum = if let Start::Result = start { sum + rows.load(simd, result, r) } else { sum };
            rows.store::<S>(finish(sum), result, r);
        }
    }
}
