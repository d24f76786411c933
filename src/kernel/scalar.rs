//! The loops for CPUs without vector registers: one value at a time, and sums in the order in which the other loops
//! add them. Without FMA they compute the same bits.
//!
//! They are as small as they are quick. Sizes are constants, so that no index needs a check, and a small network's
//! loops unroll where the program is optimized for speed. What does not depend on a size is compiled once in a
//! program.

use super::Elementwise;
use super::MAX_LANES;
use super::plan::chains_of;
use crate::num::math::{self, exp_negative};
use crate::num::{Real, first_lane, lanes};
use fearless_simd::Simd;
use nalgebra::{ArrayStorage, SMatrix};

// The body is executed for the first `$count` elements of a block, without a loop: where a program is optimized for
// size, the compiler unrolls no loop, and keeps no array in registers that a loop runs over.
macro_rules! each {
    ($count:expr, $i:ident => $do:expr) => {
        each!(@ [0 1 2 3 4 5 6 7] $count, $i => $do)
    };
    (@ [$($index:literal)+] $count:expr, $i:ident => $do:expr) => {
        const { assert!($count <= 8) };
        $(
            if $index < $count {
                let $i = $index;
                $do;
            }
        )+
    };
}
pub(crate) use each;

/// `start + left * right` for a single column, as [`product_with_column`](super::column::product_with_column) adds it up,
/// or the value of the activation `A` there. For layers with enough work to justify so much code: others are
/// computed [row by row](inlined_row).
#[inline(always)]
pub(crate) fn product_with_column<S: Simd, T: Real, A: Elementwise, const ROWS: usize, const DEPTH: usize>(
    simd: S,
    left: &[[T; ROWS]; DEPTH],
    right: &[T; DEPTH],
    start: &[T; ROWS],
    activated: bool,
    result: &mut [T; ROWS],
) {
    let mut first = 0;
    macro_rules! blocks {
        ($block:literal, $chains:literal) => {
            while first + $block <= ROWS {
                some_rows::<S, T, A, ROWS, $block, $chains>(simd, left, right, start, first, activated, result);
                first += $block;
            }
        };
    }
    // As many rows at a time as there are registers for their sums.
    match chains_of(ROWS) {
        4 => blocks!(4, 4),
        2 => blocks!(8, 2),
        _ => blocks!(8, 1),
    }
    for (row, result) in result.iter_mut().enumerate().skip(first) {
        *result = inlined_row::<S, T, A, ROWS, DEPTH>(simd, left, right, start, (false, activated), row);
    }
}

/// A row of a product, in the order of its chains.
#[inline(always)]
fn sum_of_row<T: Real, const ROWS: usize, const DEPTH: usize>(
    left: &[[T; ROWS]; DEPTH],
    right: &[T; DEPTH],
    start: &[T; ROWS],
    row: usize,
) -> T {
    let chains = chains_of(ROWS);
    // Written out: an array of equal values is filled by a loop.
    let nothing = -T::ZERO;
    let mut sums = [at(start, row), nothing, nothing, nothing];
    let mut k = 0;
    while k + chains <= DEPTH {
        each!(4, chain => if chain < chains {
            sums[chain] += at(&left[k + chain], row) * right[k + chain];
        });
        k += chains;
    }
    let rest = DEPTH - DEPTH % chains;
    each!(4, chain => if rest + chain < DEPTH {
        sums[chain] += at(&left[rest + chain], row) * right[rest + chain];
    });
    (sums[0] + sums[2]) + (sums[1] + sums[3])
}

/// `BLOCK` rows of a product, from the row `first` on.
///
/// Not inlined, so that the compiler does not know the depth: it would unroll the loop over it completely, and load
/// all of `right` before, into more registers than there are.
#[inline(never)]
fn some_rows<S: Simd, T: Real, A: Elementwise, const ROWS: usize, const BLOCK: usize, const CHAINS: usize>(
    simd: S,
    left: &[[T; ROWS]],
    right: &[T],
    start: &[T; ROWS],
    first: usize,
    activated: bool,
    result: &mut [T; ROWS],
) {
    let (Some(start), Some(result)) =
        (block::<T, ROWS, BLOCK>(start, first), block_mut::<T, ROWS, BLOCK>(result, first))
    else {
        return;
    };
    let mut sums = [[T::ZERO; BLOCK]; 4];
    each!(BLOCK, i => [sums[0][i], sums[1][i], sums[2][i], sums[3][i]] = [start[i], -T::ZERO, -T::ZERO, -T::ZERO]);
    let ((left, last_left), (right, last_right)) = (left.as_chunks::<CHAINS>(), right.as_chunks::<CHAINS>());
    for (left, right) in left.iter().zip(right) {
        each!(4, chain => if chain < CHAINS {
            add_product(&mut sums[chain], &left[chain], first, right[chain]);
        });
    }
    each!(4, chain => if let (Some(left), Some(right)) = (last_left.get(chain), last_right.get(chain)) {
        add_product(&mut sums[chain], left, first, *right);
    });
    each!(BLOCK, i => {
        let sum = (sums[0][i] + sums[2][i]) + (sums[1][i] + sums[3][i]);
        result[i] = if activated { value::<S, T, A>(simd, sum) } else { sum };
    });
}

/// Adds a block of a column, times a value, to sums.
#[inline(always)]
fn add_product<T: Real, const ROWS: usize, const BLOCK: usize>(
    sums: &mut [T; BLOCK],
    column: &[T; ROWS],
    first: usize,
    factor: T,
) {
    if let Some(column) = block::<T, ROWS, BLOCK>(column, first) {
        each!(BLOCK, i => sums[i] += column[i] * factor);
    }
}

#[inline(always)]
fn block<T, const ROWS: usize, const BLOCK: usize>(column: &[T; ROWS], begin: usize) -> Option<&[T; BLOCK]> {
    column.get(begin..)?.first_chunk()
}

#[inline(always)]
fn block_mut<T, const ROWS: usize, const BLOCK: usize>(
    column: &mut [T; ROWS],
    begin: usize,
) -> Option<&mut [T; BLOCK]> {
    column.get_mut(begin..)?.first_chunk_mut()
}

/// `start + left * right` for one of several columns, as [`product`](super::product::product) adds it up.
#[inline(always)]
pub(crate) fn product_in_order<T: Real, const ROWS: usize, const DEPTH: usize>(
    left: &[[T; ROWS]; DEPTH],
    right: &[T; DEPTH],
    start: &[T; ROWS],
    result: &mut [T; ROWS],
) {
    *result = *start;
    for (left, right) in left.iter().zip(right) {
        for (result, left) in result.iter_mut().zip(left) {
            *result += *left * *right;
        }
    }
}

/// A row of `start + left * right`, for few rows, as [`dot_products`](super::product::dot_products) adds it up.
#[inline(always)]
fn dot<T: Real, const ROWS: usize, const DEPTH: usize>(
    left: &[[T; ROWS]; DEPTH],
    right: &[T; DEPTH],
    start: &[T; ROWS],
    row: usize,
) -> T {
    /// The sum of every sixteenth product.
    #[inline(always)]
    fn part<T: Real, const ROWS: usize, const DEPTH: usize>(
        left: &[[T; ROWS]; DEPTH],
        right: &[T; DEPTH],
        row: usize,
        index: usize,
    ) -> T {
        let mut sum = T::ZERO;
        let mut k = index;
        loop {
            if k < DEPTH {
                let product = at(&left[k], row) * right[k];
                sum = if k < MAX_LANES { product } else { sum + product };
            }
            k += MAX_LANES;
            if k >= DEPTH {
                return sum;
            }
        }
    }
    // The sixteen parts are added in pairs: the first to the ninth and so on, and then the first of these to the
    // fifth.
    let (mut fours, mut index) = ([T::ZERO; 4], 0);
    while index < 4 {
        let mut sum = part(left, right, row, index);
        if index + 8 < DEPTH {
            sum += part(left, right, row, index + 8);
        }
        if index + 4 < DEPTH {
            let mut other = part(left, right, row, index + 4);
            if index + 12 < DEPTH {
                other += part(left, right, row, index + 12);
            }
            sum += other;
        }
        fours[index] = sum;
        index += 1;
    }
    // A sum that starts with zero is not negative zero.
    at(start, row) + ((fours[0] + fours[2]) + (fours[1] + fours[3]) + T::ZERO)
}

/// A row of `start + left * right`, as [`packed`](super::packed) adds it up: in `parts` parts, of which neighbours
/// are added.
#[inline(always)]
pub(crate) fn row_in_parts<T: Real, const ROWS: usize, const DEPTH: usize>(
    left: &[[T; ROWS]; DEPTH],
    right: &[T; DEPTH],
    start: &[T; ROWS],
    row: usize,
    parts: usize,
) -> T {
    let mut sums = [T::ZERO; MAX_LANES];
    for (k, (left, right)) in left.iter().zip(right).enumerate() {
        sums[k % parts] += at(left, row) * *right;
    }
    let mut count = parts;
    while count > 1 {
        count /= 2;
        for i in 0..count {
            sums[i] = sums[2 * i] + sums[2 * i + 1];
        }
    }
    sums[0] + at(start, row)
}

/// An element of an array. In a loop whose end the compiler does not see this costs a comparison, but leaves no
/// panic path.
#[inline(always)]
pub(crate) fn at<T: Real, const N: usize>(values: &[T; N], index: usize) -> T {
    values.get(index).copied().unwrap_or(T::ZERO)
}

/// A row of [`dot_products`](super::product::dot_products) or [`product_with_column`] where it [is inlined](is_inlined), or the
/// value of the activation `A` there.
#[inline(always)]
pub(crate) fn inlined_row<S: Simd, T: Real, A: Elementwise, const ROWS: usize, const DEPTH: usize>(
    simd: S,
    left: &[[T; ROWS]; DEPTH],
    right: &[T; DEPTH],
    start: &[T; ROWS],
    (dot_products, activated): (bool, bool),
    row: usize,
) -> T {
    let sum = if dot_products { dot(left, right, start, row) } else { sum_of_row(left, right, start, row) };
    if activated { value::<S, T, A>(simd, sum) } else { sum }
}

/// [`math::mul_add`](crate::num::math::mul_add) of scalars.
#[inline(always)]
pub(crate) fn mul_add<S: Simd, T: Real>(simd: S, x: T, factor: T, add: T) -> T {
    let (x, factor, add) = (lanes::<S, T>(simd, x), lanes::<S, T>(simd, factor), lanes::<S, T>(simd, add));
    first_lane::<S, T>(math::mul_add(x, factor, add))
}

/// The value of an activation.
#[inline(always)]
pub(crate) fn value<S: Simd, T: Real, A: Elementwise>(simd: S, x: T) -> T {
    first_lane::<S, T>(A::value::<S, T>(simd, lanes::<S, T>(simd, x)))
}

/// The sum of the first `count` of up to 16 values, added in pairs, the first to the ninth, and so on.
#[inline(always)]
pub(crate) fn sum_in_pairs<T: Real, const N: usize>(mut sums: [T; N], count: usize) -> T {
    #[inline(always)]
    fn halve<T: Real, const N: usize, const HALF: usize>(sums: &mut [T; N], count: usize) {
        for i in 0..HALF {
            if i + HALF < N && i + HALF < count {
                sums[i] += sums[i + HALF];
            }
        }
    }
    halve::<T, N, 8>(&mut sums, count);
    halve::<T, N, 4>(&mut sums, count);
    halve::<T, N, 2>(&mut sums, count);
    halve::<T, N, 1>(&mut sums, count);
    sums[0]
}

/// Adds the product of the gradients, one sample a column, and the transposed inputs to `result`, or sets `result`
/// to it if it is zero.
#[inline(always)]
pub(crate) fn add_outer<T: Real, const ROWS: usize, const COLUMNS: usize, const B: usize>(
    dy: &[[T; ROWS]; B],
    inputs: &[[T; COLUMNS]; B],
    len: usize,
    zero: bool,
    result: &mut [[T; ROWS]; COLUMNS],
) {
    if let ([dy], [inputs]) = (dy.as_slice(), inputs.as_slice()) {
        for (input, result) in inputs.iter().zip(result) {
            for (dy, result) in dy.iter().zip(result) {
                let product = *dy * *input;
                *result = if zero { product } else { *result + product };
            }
        }
        return;
    }
    for (column, result) in result.iter_mut().enumerate() {
        for (row, result) in result.iter_mut().enumerate() {
            let mut sum = -T::ZERO;
            for (dy, inputs) in dy.iter().zip(inputs).take(len) {
                sum += at(dy, row) * at(inputs, column);
            }
            *result += sum;
        }
    }
}

/// Adds the columns in use to `result`, or sets it to their sum if it is zero, as
/// [`add_columns`](super::product::add_columns) does.
#[inline(always)]
pub(crate) fn add_columns<T: Real, const ROWS: usize, const B: usize>(
    columns: &[[T; ROWS]; B],
    len: usize,
    zero: bool,
    result: &mut [T; ROWS],
) {
    if let [column] = columns.as_slice() {
        for (value, result) in column.iter().zip(result) {
            *result = if zero { *value } else { *result + *value };
        }
        return;
    }
    for (row, result) in result.iter_mut().enumerate() {
        let mut sums = [T::ZERO; 4];
        let fours = len - len % 4;
        for (index, column) in columns.iter().enumerate().take(len) {
            sums[if index < fours { index % 4 } else { 0 }] += at(column, row);
        }
        *result += (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

/// Sets each column of `result` to the product of the transposed weights with a column of gradients.
#[inline(always)]
pub(crate) fn transposed_product<T: Real, const ROWS: usize, const COLUMNS: usize, const B: usize>(
    weight: &[[T; ROWS]; COLUMNS],
    dy: &[[T; ROWS]; B],
    len: usize,
    result: &mut [[T; COLUMNS]; B],
) {
    for (dy, result) in dy.iter().zip(result).take(len) {
        for (weights, result) in weight.iter().zip(result) {
            let mut sum = -T::ZERO;
            for (weight, dy) in weights.iter().zip(dy) {
                sum += *weight * *dy;
            }
            *result = sum;
        }
    }
}

/// A step of plain gradient descent for a single sample, `w <- w - learning_rate * g` for each weight and bias.
/// Returns the gradient by the inputs in `dx`, computed with the old weights as in [`transposed_product`].
#[inline(always)]
pub(crate) fn sgd_step<T: Real, const ROWS: usize, const COLUMNS: usize>(
    weight: &mut [[T; ROWS]; COLUMNS],
    bias: &mut [T; ROWS],
    inputs: &[T; COLUMNS],
    dy: &[T; ROWS],
    learning_rate: T,
    mut dx: Option<&mut [T; COLUMNS]>,
) {
    for (column, (weights, input)) in weight.iter_mut().zip(inputs).enumerate() {
        let mut sum = -T::ZERO;
        for (weight, dy) in weights.iter_mut().zip(dy) {
            sum += *weight * *dy;
            *weight -= learning_rate * (*dy * *input);
        }
        if let Some(gradient) = dx.as_deref_mut().and_then(|dx| dx.get_mut(column)) {
            *gradient = sum;
        }
    }
    for (bias, dy) in bias.iter_mut().zip(dy) {
        *bias -= learning_rate * *dy;
    }
}

/// Replaces the logits of one of many columns by `scale` times their softmax, and returns the largest logit and the
/// sum of the exponentials, added up in the order of [`softmax`](super::softmax) on lanes. Compiled once in a
/// program.
#[inline(never)]
pub(crate) fn softmax_in_order<S: Simd, T: Real>(simd: S, logits: &mut [T], scale: T) -> (T, T) {
    let mut largest = T::neg_infinity();
    for &logit in logits.iter() {
        largest = if logit > largest { logit } else { largest };
    }
    let mut sum = T::ZERO;
    for value in logits.iter_mut() {
        *value = self::first_lane::<S, T>(exp_negative::<S, T>(simd, lanes::<S, T>(simd, *value - largest)));
        sum += *value;
    }
    let factor = scale / sum;
    for value in logits {
        *value *= factor;
    }
    (largest, sum)
}

/// The matrix of the values that `step` returns for each column and row, without filling it with zeros first.
#[inline(always)]
pub(crate) fn made<T: Real, const ROWS: usize, const COLUMNS: usize>(
    step: impl Fn(usize, usize) -> T,
) -> SMatrix<T, ROWS, COLUMNS> {
    let step = &step;
    SMatrix::from_array_storage(ArrayStorage(core::array::from_fn(
        #[inline(always)]
        |column| {
            core::array::from_fn(
                #[inline(always)]
                |row| step(column, row),
            )
        },
    )))
}

/// Replaces each value `x` by `A(x)`. Compiled once in a program for each activation, not for each layer.
pub(crate) fn activate<S: Simd, T: Real, A: Elementwise>(simd: S, values: &mut [T]) {
    for x in values {
        *x = value::<S, T, A>(simd, *x);
    }
}
