//! Softmax of columns: of one, or of as many at once as a register has lanes.

use super::compiled::{LayerSize, compiled};
use super::interleave::{rows_of, set_columns};
use super::plan::MIN_COLUMNS_IN_LANES;
use super::product::transpose;
use super::size::Matrix;
use super::{MAX_LANES, load, map, map_sum, scalar, store, store_part};
use crate::num::dispatch::{is_glue, level_in};
use crate::num::math::{divide, exp_negative};
use crate::num::{Lanes, Real, SCALAR, first_lane, lanes};
use fearless_simd::{Simd, SimdBase};

/// What [`softmax`] computes on its way, for each column.
pub(crate) struct Exponentials<T, const B: usize> {
    /// The largest logit.
    pub largest: [T; B],
    /// The sum of the exponentials of the logits less the largest.
    pub sum: [T; B],
}

/// Replaces the logits of the first `len` columns by `scale` times their softmax. The columns behind them, and
/// their exponentials, are unspecified.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn softmax<S: Simd, T: Real, const SIZE: usize, const B: usize>(
    simd: S,
    len: usize,
    matrix: &mut [[T; SIZE]; B],
    scale: T,
) -> Exponentials<T, B> {
    if const { is_glue::<S>() } {
        let (mut exponentials, mut scratch) = ([[T::ZERO; B], [T::ONE; B]], [[T::ZERO; SIZE]; MAX_LANES]);
        let size = LayerSize { inputs: 0, outputs: SIZE, capacity: B, columns: len, relu: false };
        let (matrix, exponentials_of) = (matrix.as_flattened_mut(), exponentials.as_flattened_mut());
        softmax_of_all(level_in(simd), size, [scale], matrix, exponentials_of, scratch.as_flattened_mut());
        let [largest, sum] = exponentials;
        return Exponentials { largest, sum };
    }
    let mut exponentials = Exponentials { largest: [T::ZERO; B], sum: [T::ONE; B] };
    if SCALAR || B < MIN_COLUMNS_IN_LANES {
        for column in 0..B {
            if column < len {
                let logits = &mut matrix[column];
                (exponentials.largest[column], exponentials.sum[column]) = if B < MIN_COLUMNS_IN_LANES {
                    softmax_of_one(simd, logits, scale)
                } else {
                    scalar::softmax_in_order(simd, logits, scale)
                };
            }
        }
        return exponentials;
    }
    let lanes = Lanes::<S, T>::LEN;
    let mut first = 0;
    while first < len {
        let columns = if B - first < lanes { B - first } else { lanes };
        let logits = &mut matrix[first..][..columns];
        let mut rows = rows_of::<S, T, SIZE>(simd, logits);
        let (largest, sum) = softmax_of_rows(simd, &mut rows, scale);
        set_columns::<S, T, SIZE>(simd, &rows, logits);
        if columns == lanes {
            store::<S, T, _>(largest, &mut exponentials.largest[first..]);
            store::<S, T, _>(sum, &mut exponentials.sum[first..]);
        } else {
            exponentials.largest[first..].copy_from_slice(&largest.as_slice()[..columns]);
            exponentials.sum[first..].copy_from_slice(&sum.as_slice()[..columns]);
        }
        first += lanes;
    }
    exponentials
}

compiled! {
    /// [`softmax`] of the columns of a matrix with `size.outputs` rows. `exponentials` has space for the largest logit of each column and
    /// then for each sum, and `scratch` for 16 columns.
    softmax_of_all(size: LayerSize, scale: [T; 1], matrix: &mut [T], exponentials: &mut [T], scratch: &mut [T])
        = softmax_of_columns;
}

#[inline(always)]
fn softmax_of_columns<S: Simd, T: Real>(
    simd: S,
    LayerSize { outputs: rows, capacity, columns, .. }: LayerSize,
    [scale]: [T; 1],
    matrix: &mut [T],
    exponentials: &mut [T],
    scratch: &mut [T],
) {
    let (largest_of, sum_of) = exponentials.split_at_mut(capacity);
    if capacity < MIN_COLUMNS_IN_LANES {
        for (index, logits) in matrix.chunks_exact_mut(rows).enumerate().take(columns) {
            (largest_of[index], sum_of[index]) = softmax_of_slice(simd, logits, scale);
        }
        return;
    }
    let lanes = Lanes::<S, T>::LEN;
    let scratch = &mut scratch[..rows * lanes];
    let mut first = 0;
    while first < columns {
        let count = if capacity - first < lanes { capacity - first } else { lanes };
        let logits = &mut matrix[first * rows..][..count * rows];
        // Row by row.
        if count == lanes {
            transpose(simd, Matrix { values: logits, rows }, lanes, scratch);
        } else {
            for (column, logits) in logits.chunks_exact(rows).enumerate() {
                for (row, &logit) in logits.iter().enumerate() {
                    scratch[row * lanes + column] = logit;
                }
            }
        }
        let mut largest = load::<S, T, Lanes<S, T>>(simd, scratch);
        for row in scratch.chunks_exact(lanes) {
            largest = largest.max(load::<S, T, Lanes<S, T>>(simd, row));
        }
        let mut sum = Lanes::<S, T>::splat(simd, T::ZERO);
        for row in scratch.chunks_exact_mut(lanes) {
            let exponential = exp_negative::<S, T>(simd, load::<S, T, Lanes<S, T>>(simd, row) - largest);
            sum += exponential;
            store::<S, T, _>(exponential, row);
        }
        let factor = divide::<S, T>(Lanes::<S, T>::splat(simd, scale), sum);
        for row in scratch.chunks_exact_mut(lanes) {
            store::<S, T, _>(load::<S, T, Lanes<S, T>>(simd, row) * factor, row);
        }
        if count == lanes {
            transpose(simd, Matrix { values: &*scratch, rows: lanes }, rows, logits);
        } else {
            for (column, logits) in logits.chunks_exact_mut(rows).enumerate() {
                for (row, logit) in logits.iter_mut().enumerate() {
                    *logit = scratch[row * lanes + column];
                }
            }
        }
        store_part::<S, T, _>(largest, &mut largest_of[first..][..count]);
        store_part::<S, T, _>(sum, &mut sum_of[first..][..count]);
        first += lanes;
    }
}

/// [`softmax`] of one column.
#[inline(always)]
fn softmax_of_one<S: Simd, T: Real, const SIZE: usize>(simd: S, logits: &mut [T; SIZE], scale: T) -> (T, T) {
    if !SCALAR || SIZE > MAX_LANES {
        return softmax_of_slice(simd, logits, scale);
    }
    let largest = largest_of(logits);
    // The same sum, without a buffer for parts of it.
    for logit in logits.iter_mut() {
        let below = lanes::<S, T>(simd, *logit - largest);
        *logit = first_lane::<S, T>(exp_negative::<S, T>(simd, below));
    }
    let sum = scalar::sum_in_pairs(*logits, SIZE);
    scale_all(simd, logits, scale / sum);
    (largest, sum)
}

#[inline(always)]
fn largest_of<T: Real>(logits: &[T]) -> T {
    let mut largest = T::neg_infinity();
    for &logit in logits {
        largest = if logit > largest { logit } else { largest };
    }
    largest
}

#[inline(always)]
fn scale_all<S: Simd, T: Real>(simd: S, values: &mut [T], factor: T) {
    map(
        simd,
        [values],
        [],
        #[inline(always)]
        |[value], []| [value * lanes::<S, T>(simd, factor)],
    );
}

/// [`softmax`] of one column in lanes.
#[inline(always)]
fn softmax_of_slice<S: Simd, T: Real>(simd: S, logits: &mut [T], scale: T) -> (T, T) {
    let (largest, count) = (largest_of(logits), logits.len());
    let sum = map_sum(
        simd,
        count,
        [&mut *logits],
        [],
        #[inline(always)]
        |[x], []| {
            let e = exp_negative::<S, T>(simd, x - lanes::<S, T>(simd, largest));
            ([e], e)
        },
    );
    scale_all(simd, logits, scale / sum);
    (largest, sum)
}

/// [`softmax`] of columns in lanes; the results are in lanes too.
#[inline(always)]
fn softmax_of_rows<S: Simd, T: Real, const SIZE: usize>(
    simd: S,
    rows: &mut [Lanes<S, T>; SIZE],
    scale: T,
) -> (Lanes<S, T>, Lanes<S, T>) {
    let mut largest = rows[0];
    for row in rows.iter() {
        largest = largest.max(*row);
    }
    let mut sum = Lanes::<S, T>::splat(simd, T::ZERO);
    for row in rows.iter_mut() {
        *row = exp_negative::<S, T>(simd, *row - largest);
        sum += *row;
    }
    let factor = divide::<S, T>(Lanes::<S, T>::splat(simd, scale), sum);
    for row in rows.iter_mut() {
        *row *= factor;
    }
    (largest, sum)
}

/// Compares the loop for CPUs without vector registers with that for lanes.
#[cfg(all(test, feature = "reproducible"))]
mod tests {
    use super::*;
    use crate::num::dispatch::{dispatch, level};
    use crate::prelude::seeded;
    use rand::Rng;

    #[inline(always)]
    fn compare<S: Simd, const SIZE: usize, const B: usize>(simd: S, len: usize) {
        let mut rng = seeded((SIZE * 100 + B) as u64);
        let mut columns = [[0.0f32; SIZE]; B];
        columns.as_flattened_mut().fill_with(|| 20.0 * f32::from_random_bits(rng.next_u64()) - 10.0);
        let mut values = columns;
        let exponentials = softmax(simd, len, &mut columns, 0.25);
        for (column, values) in values.iter_mut().enumerate().take(len) {
            let (largest, sum) = scalar::softmax_in_order(simd, values, 0.25);
            assert_eq!((largest, sum), (exponentials.largest[column], exponentials.sum[column]), "{SIZE} in {B}");
            assert_eq!(*values, columns[column], "{SIZE} in {B}");
        }
    }

    #[test]
    fn columns_one_by_one_have_the_bits_of_columns_in_lanes() {
        macro_rules! sizes {
            ($($size:literal),+) => {$(
                dispatch!(level(), simd => {
                    compare::<_, $size, 8>(simd, 5);
                    compare::<_, $size, 32>(simd, 32);
                });
            )+};
        }
        sizes!(1, 2, 3, 7, 10, 16, 17, 40);
    }
}
