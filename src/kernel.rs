//! The loops: products of matrices and maps over slices. Nothing else in the library touches vector registers, except
//! the functions of [`math`](crate::math) and what an activation, a loss or an optimizer does to one register at a time.
//!
//! A matrix is a slice that holds it column by column. Lanes run across rows, so that every sum has one order on every
//! CPU; where a single sample's sum is split to hide the latency of the additions, it is split into [`CHAINS`] parts.

use crate::math::mul_add;
use crate::real::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase};

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
    map_first(simd, usize::MAX, changed, read, step);
}

/// Like [`map`], for the first `count` numbers of each slice, or a few more: it stops at the next whole register.
///
/// A length that is known only at run time costs less here than in the slices, since what is left of a slice after its
/// last whole register is moved by a copy of that many numbers.
#[inline(always)]
pub fn map_first<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    count: usize,
    mut changed: [&mut [T]; CHANGED],
    read: [&[T]; READ],
    step: impl Fn([Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> [Lanes<S, T>; CHANGED],
) {
    each_register(
        simd,
        count,
        &mut changed,
        &read,
        #[inline(always)]
        |_, c, r| step(c, r),
    );
}

/// Like [`map`], for the first `count` numbers of each slice, and gives the sum of the lanes that `step` returns second.
/// Numbers of `changed` behind those are set to zero as far as the next whole register.
///
/// It is the sum of 16 sums, each over every sixteenth number, which are added in pairs.
#[inline(always)]
pub fn map_sum<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    count: usize,
    mut changed: [&mut [T]; CHANGED],
    read: [&[T]; READ],
    step: impl Fn([Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> ([Lanes<S, T>; CHANGED], Lanes<S, T>),
) -> T {
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let places = Lanes::<S, T>::from_fn(
        simd,
        #[inline(always)]
        |lane| T::from_count(lane),
    );
    let mut sums = [T::ZERO; WIDEST];
    each_register(
        simd,
        count,
        &mut changed,
        &read,
        #[inline(always)]
        |at, c, r| {
            let (mut results, term) = step(c, r);
            // The lanes below the count; all of them except in the last register.
            let left = if count - at < WIDEST { count - at } else { WIDEST };
            let counts = places.simd_lt(Lanes::<S, T>::splat(simd, T::from_count(left)));
            let sum = &mut sums[at % WIDEST..];
            store::<S, T>(load::<S, T>(simd, sum) + counts.select(term, zero), sum);
            for result in &mut results {
                *result = counts.select(*result, zero);
            }
            results
        },
    );
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            sums[i] = sums[i] + sums[i + half];
        }
    }
    sums[0]
}

/// Calls `step` for each register of the slices, with the place where it begins, until `count` numbers are done.
#[inline(always)]
fn each_register<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    count: usize,
    changed: &mut [&mut [T]; CHANGED],
    read: &[&[T]; READ],
    mut step: impl FnMut(usize, [Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> [Lanes<S, T>; CHANGED],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut length = usize::MAX;
    for slice in changed.iter() {
        length = length.min(slice.len());
    }
    for slice in read {
        length = length.min(slice.len());
    }
    let whole = length - length % lanes;
    // Loops, not `array::map`: what the compiler does not inline is compiled without the vector instructions.
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let (mut c, mut r) = ([zero; CHANGED], [zero; READ]);
    let mut at = 0;
    while at < whole && at < count {
        let end = at + lanes;
        for i in 0..CHANGED {
            c[i] = load(simd, &changed[i][at..end]);
        }
        for i in 0..READ {
            r[i] = load(simd, &read[i][at..end]);
        }
        let results = step(at, c, r);
        for i in 0..CHANGED {
            store::<S, T>(results[i], &mut changed[i][at..end]);
        }
        at = end;
    }
    if whole < length && whole < count {
        for i in 0..CHANGED {
            c[i] = load_part(simd, &changed[i][whole..length]);
        }
        for i in 0..READ {
            r[i] = load_part(simd, &read[i][whole..length]);
        }
        let results = step(whole, c, r);
        for i in 0..CHANGED {
            store_part::<S, T>(results[i], &mut changed[i][whole..length]);
        }
    }
}

/// The sum of `values`.
#[inline(always)]
pub fn sum<S: Simd, T: Real>(simd: S, values: &[T]) -> T {
    map_sum(
        simd,
        values.len(),
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
        a.len(),
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

/// The shape of a product: `depth` is the number of columns of the left and of rows of the right factor, `columns` that of
/// the columns of the right factor and of the result.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub depth: usize,
    pub columns: usize,
}

/// Sets `result`, which has `ROWS` rows, to `start + left * right`. `left` has `ROWS` rows too, and at most `DEPTH`
/// columns.
#[inline(always)]
pub(crate) fn product<S: Simd, T: Real, const ROWS: usize, const DEPTH: usize>(
    simd: S,
    extent: Extent,
    left: &[T],
    right: Right<T>,
    start: Start<T>,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut row = 0;
    while row + 2 * lanes <= ROWS {
        let rows = Rows { left: &left[row..], stride: ROWS, first: row, height: ROWS, part: 0 };
        blocks::<S, T, 2>(simd, extent, rows, right, start, result);
        row += 2 * lanes;
    }
    if ROWS % (2 * lanes) >= lanes {
        let rows = Rows { left: &left[row..], stride: ROWS, first: row, height: ROWS, part: 0 };
        blocks::<S, T, 1>(simd, extent, rows, right, start, result);
        row += lanes;
    }
    if ROWS % lanes > 0 {
        // The last rows, too few for a register, copied apart with zeros below.
        let part = ROWS % lanes;
        let mut padded = [[T::ZERO; WIDEST]; DEPTH];
        for (to, from) in padded.iter_mut().zip(left.chunks_exact(ROWS)).take(extent.depth) {
            to[..part].copy_from_slice(&from[row..]);
        }
        let rows = Rows { left: padded.as_flattened(), stride: WIDEST, first: row, height: ROWS, part };
        blocks::<S, T, 1>(simd, extent, rows, right, start, result);
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

/// All columns of some rows of a product, eight at a time, and what is left in a block of eight or four of which some
/// columns are computed for nothing.
#[inline(always)]
fn blocks<S: Simd, T: Real, const REGISTERS: usize>(
    simd: S,
    extent: Extent,
    rows: Rows<T>,
    right: Right<T>,
    start: Start<T>,
    result: &mut [T],
) {
    let mut column = 0;
    while column + 4 < extent.columns {
        let used = if extent.columns - column < 8 { extent.columns - column } else { 8 };
        block::<S, T, REGISTERS, 8>(simd, extent.depth, rows, right, start, result, column, used);
        column += used;
    }
    if column < extent.columns {
        block::<S, T, REGISTERS, 4>(simd, extent.depth, rows, right, start, result, column, extent.columns - column);
    }
}

/// Up to `COLUMNS` columns of some rows of a product, summed in registers.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "all of it is the place of the block")]
fn block<S: Simd, T: Real, const REGISTERS: usize, const COLUMNS: usize>(
    simd: S,
    depth: usize,
    rows: Rows<T>,
    right: Right<T>,
    start: Start<T>,
    result: &mut [T],
    column: usize,
    used: usize,
) {
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let mut sums = [[zero; REGISTERS]; COLUMNS];
    if let Start::Column(start) = start {
        let mut first = [zero; REGISTERS];
        for (r, first) in first.iter_mut().enumerate() {
            *first = rows.load(simd, &start[rows.first..], r);
        }
        sums = [first; COLUMNS];
    }
    let mut numbers = [T::ZERO; COLUMNS];
    match right {
        Right::Columns(right, stride) => {
            let mut columns = [&right[..0]; COLUMNS];
            for (n, place) in columns.iter_mut().enumerate() {
                *place = &right[(column + if n < used { n } else { used - 1 }) * stride..][..depth];
            }
            for k in 0..depth {
                for n in 0..COLUMNS {
                    numbers[n] = columns[n][k];
                }
                multiply(simd, &rows.left[k * rows.stride..], numbers, &mut sums);
            }
        }
        Right::Rows(right, stride) => {
            for k in 0..depth {
                let right = &right[k * stride + column..][..used];
                for n in 0..COLUMNS {
                    numbers[n] = right[if n < used { n } else { used - 1 }];
                }
                multiply(simd, &rows.left[k * rows.stride..], numbers, &mut sums);
            }
        }
    }
    for (n, sums) in sums.iter().enumerate() {
        // A condition in a loop of fixed length, since a loop of another length would force the sums into memory.
        if n < used {
            let result = &mut result[(column + n) * rows.height + rows.first..];
            for (r, &sum) in sums.iter().enumerate() {
                let sum = if let Start::Result = start { sum + rows.load(simd, result, r) } else { sum };
                rows.store::<S>(sum, result, r);
            }
        }
    }
}

/// Adds the products of some registers of `left` with every number of `right` to `sums`.
#[inline(always)]
fn multiply<S: Simd, T: Real, const REGISTERS: usize, const COLUMNS: usize>(
    simd: S,
    left: &[T],
    right: [T; COLUMNS],
    sums: &mut [[Lanes<S, T>; REGISTERS]; COLUMNS],
) {
    let left = &left[..REGISTERS * Lanes::<S, T>::LEN];
    let mut a = [Lanes::<S, T>::splat(simd, T::ZERO); REGISTERS];
    for r in 0..REGISTERS {
        a[r] = load(simd, &left[r * Lanes::<S, T>::LEN..]);
    }
    for n in 0..COLUMNS {
        let b = Lanes::<S, T>::splat(simd, right[n]);
        for r in 0..REGISTERS {
            sums[n][r] = mul_add(a[r], b, sums[n][r]);
        }
    }
}

/// Adds the columns of a matrix of `ROWS` rows to `result`.
#[inline(always)]
pub(crate) fn add_columns<S: Simd, T: Real, const ROWS: usize>(simd: S, matrix: &[T], result: &mut [T]) {
    let lanes = Lanes::<S, T>::LEN;
    let mut row = 0;
    while row + lanes <= ROWS {
        let mut sum = Lanes::<S, T>::splat(simd, T::ZERO);
        for column in matrix.chunks_exact(ROWS) {
            sum = sum + load(simd, &column[row..]);
        }
        let result = &mut result[row..];
        store::<S, T>(load::<S, T>(simd, result) + sum, result);
        row += lanes;
    }
    if ROWS % lanes > 0 {
        let mut sum = Lanes::<S, T>::splat(simd, T::ZERO);
        for column in matrix.chunks_exact(ROWS) {
            sum = sum + load_part(simd, &column[row..ROWS]);
        }
        let result = &mut result[row..ROWS];
        store_part::<S, T>(load_part::<S, T>(simd, result) + sum, result);
    }
}
