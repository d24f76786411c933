//! The loops: products of matrices and maps over slices. Nothing else in the library touches vector registers, except
//! the functions of [`math`](crate::math) and what an activation, a loss or an optimizer does to one register at a time.
//!
//! A matrix is a slice that holds it column by column. Lanes run across rows, so that every sum has one order on every
//! CPU; where a single sample's sum is split to hide the latency of the additions, it is split into [`CHAINS`] parts.

use crate::math::{exp_negative, mul_add};
use crate::real::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase, SimdFloat};

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

/// The lanes from `at` on. What stands in the lanes behind the first `part` is of no account, so that a copy is only
/// needed at the end of the slice.
#[inline(always)]
fn load_first<S: Simd, T: Real>(simd: S, from: &[T], at: usize, part: usize) -> Lanes<S, T> {
    if at + Lanes::<S, T>::LEN <= from.len() { load(simd, &from[at..]) } else { load_part(simd, &from[at..at + part]) }
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
    let mut registers = [zero; WIDEST / 2];
    for (register, sums) in registers.iter_mut().zip(sums.chunks_exact(Lanes::<S, T>::LEN)) {
        *register = load(simd, sums);
    }
    sum_of_16(registers)
}

/// The sum of the 16 numbers in the first registers, added in pairs: the first to the ninth, and so on.
#[inline(always)]
fn sum_of_16<S: Simd, T: Real, V: SimdFloat<S, Element = T>>(mut registers: [V; WIDEST / 2]) -> T {
    let mut half = WIDEST / V::LEN / 2;
    while half > 0 {
        for i in 0..half {
            registers[i] = registers[i] + registers[i + half];
        }
        half /= 2;
    }
    let mut sum = registers[0];
    if V::LEN > 8 {
        sum = sum + sum.rotate_elements_left::<8>();
    }
    if V::LEN > 4 {
        sum = sum + sum.rotate_elements_left::<4>();
    }
    if V::LEN > 2 {
        sum = sum + sum.rotate_elements_left::<2>();
    }
    if V::LEN > 1 {
        sum = sum + sum.rotate_elements_left::<1>();
    }
    sum.as_slice()[0]
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

/// What [`softmax`] found on its way.
#[derive(Clone, Copy)]
pub(crate) struct Exponentials<T> {
    /// The largest logit.
    pub largest: T,
    /// The sum of the exponentials of what the logits lie below the largest.
    pub sum: T,
}

/// Replaces the logits of the column that begins at `matrix[at]` and has `SIZE` numbers by `scale` times their softmax.
#[inline(always)]
pub(crate) fn softmax<S: Simd, T: Real, const SIZE: usize>(
    simd: S,
    matrix: &mut [T],
    at: usize,
    scale: T,
) -> Exponentials<T> {
    let lanes = Lanes::<S, T>::LEN;
    if SIZE > WIDEST {
        let logits = &mut matrix[at..at + SIZE];
        let mut largest = T::neg_infinity();
        for &logit in logits.iter() {
            largest = if logit > largest { logit } else { largest };
        }
        let sum = map_sum(
            simd,
            SIZE,
            [&mut *logits],
            [],
            #[inline(always)]
            |[x], []| {
                let e = exp_negative::<S, T>(simd, x - largest);
                ([e], e)
            },
        );
        let scale = scale / sum;
        map(
            simd,
            [logits],
            [],
            #[inline(always)]
            |[e], []| [e * scale],
        );
        return Exponentials { largest, sum };
    }
    // All in registers.
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let lowest = Lanes::<S, T>::splat(simd, T::neg_infinity());
    let places = Lanes::<S, T>::from_fn(
        simd,
        #[inline(always)]
        |lane| T::from_count(lane),
    );
    let mut registers = [lowest; WIDEST / 2];
    let mut highest = lowest;
    for r in 0..SIZE.div_ceil(lanes) {
        let part = SIZE - r * lanes;
        let inside = places.simd_lt(Lanes::<S, T>::splat(simd, T::from_count(part)));
        let x = load_first(simd, matrix, at + r * lanes, if part < lanes { part } else { lanes });
        registers[r] = inside.select(x, lowest);
        highest = highest.max(registers[r]);
    }
    let largest = highest.reduce_max();
    for register in &mut registers {
        let outside = register.simd_eq(lowest);
        *register = outside.select(zero, exp_negative::<S, T>(simd, *register - largest));
    }
    let sum = sum_of_16(registers);
    let factor = scale / sum;
    for r in 0..SIZE.div_ceil(lanes) {
        let first = at + r * lanes;
        let part = SIZE - r * lanes;
        store_part::<S, T>(registers[r] * factor, &mut matrix[first..first + if part < lanes { part } else { lanes }]);
    }
    Exponentials { largest, sum }
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

/// Sets `result`, which has `ROWS` rows, to `start + left * right`. `left` has `ROWS` rows too.
#[inline(always)]
pub(crate) fn product<S: Simd, T: Real, const ROWS: usize>(
    simd: S,
    extent: Extent,
    left: &[T],
    right: Right<T>,
    start: Start<T>,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut rows = Rows { left, height: ROWS, first: 0, part: lanes };
    while rows.first + 2 * lanes <= ROWS {
        blocks::<S, T, 2>(simd, extent, rows, right, start, result);
        rows.first += 2 * lanes;
    }
    if ROWS % (2 * lanes) >= lanes {
        blocks::<S, T, 1>(simd, extent, rows, right, start, result);
        rows.first += lanes;
    }
    if ROWS % lanes > 0 {
        rows.part = ROWS % lanes;
        blocks::<S, T, 1>(simd, extent, rows, right, start, result);
    }
}

/// Some rows of a product: as many as a few registers hold, or the first `part` lanes of one.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    left: &'a [T],
    /// How many rows the left factor and the result have.
    height: usize,
    /// The first of these.
    first: usize,
    part: usize,
}

impl<T: Real> Rows<'_, T> {
    /// These rows of a column of a matrix of that height.
    #[inline(always)]
    fn load<S: Simd>(&self, simd: S, matrix: &[T], column: usize, register: usize) -> Lanes<S, T> {
        let lanes = Lanes::<S, T>::LEN;
        let at = column * self.height + self.first + register * lanes;
        if self.part == lanes { load(simd, &matrix[at..]) } else { load_first(simd, matrix, at, self.part) }
    }

    /// These rows of column `k` of the left factor.
    #[inline(always)]
    fn registers<S: Simd, const REGISTERS: usize>(&self, simd: S, k: usize) -> [Lanes<S, T>; REGISTERS] {
        let mut registers = [Lanes::<S, T>::splat(simd, T::ZERO); REGISTERS];
        for (r, register) in registers.iter_mut().enumerate() {
            *register = self.load(simd, self.left, k, r);
        }
        registers
    }

    #[inline(always)]
    fn store<S: Simd>(&self, sum: Lanes<S, T>, matrix: &mut [T], column: usize, register: usize) {
        let lanes = Lanes::<S, T>::LEN;
        let at = column * self.height + self.first + register * lanes;
        if self.part == lanes {
            store::<S, T>(sum, &mut matrix[at..]);
        } else {
            store_part::<S, T>(sum, &mut matrix[at..at + self.part]);
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
            *first = rows.load(simd, start, 0, r);
        }
        sums = [first; COLUMNS];
    }
    // Each number of the right factor is read and spread at once. From an array of them the compiler makes a register
    // that it takes apart again.
    match right {
        Right::Columns(right, stride) => {
            let mut columns = [&right[..0]; COLUMNS];
            for (n, place) in columns.iter_mut().enumerate() {
                *place = &right[(column + if n < used { n } else { used - 1 }) * stride..][..depth];
            }
            for k in 0..depth {
                let left = rows.registers::<S, REGISTERS>(simd, k);
                for n in 0..COLUMNS {
                    add_products(simd, &left, columns[n][k], &mut sums[n]);
                }
            }
        }
        Right::Rows(right, stride) => {
            for k in 0..depth {
                let left = rows.registers::<S, REGISTERS>(simd, k);
                let right = &right[k * stride + column..][..used];
                for n in 0..COLUMNS {
                    add_products(simd, &left, right[if n < used { n } else { used - 1 }], &mut sums[n]);
                }
            }
        }
    }
    for (n, sums) in sums.iter().enumerate() {
        // A condition in a loop of fixed length, since a loop of another length would force the sums into memory.
        if n < used {
            for (r, &sum) in sums.iter().enumerate() {
                let sum = match start {
                    Start::Result => sum + rows.load(simd, result, column + n, r),
                    _ => sum,
                };
                rows.store::<S>(sum, result, column + n, r);
            }
        }
    }
}

/// Adds the products of some registers with a number to `sums`.
#[inline(always)]
fn add_products<S: Simd, T: Real, const REGISTERS: usize>(
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
        let part = ROWS % lanes;
        let mut sum = Lanes::<S, T>::splat(simd, T::ZERO);
        for column in 0..matrix.len() / ROWS {
            sum = sum + load_first(simd, matrix, column * ROWS + row, part);
        }
        let result = &mut result[row..ROWS];
        store_part::<S, T>(load_part::<S, T>(simd, result) + sum, result);
    }
}
