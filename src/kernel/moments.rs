//! The mean of some values, and the sum of the squares of their distances from it.

use super::{MAX_LANES, map_sum, scalar, sum};
use crate::num::{Real, SCALAR};
use fearless_simd::Simd;

/// The sum of so few values that their number is a constant.
#[inline(always)]
fn sum_of<S: Simd, T: Real, const N: usize>(simd: S, values: &[T; N]) -> T {
    // The same sum, without a buffer for parts of it. A sum that starts with zero is not negative zero.
    if SCALAR && N <= MAX_LANES { scalar::sum_in_pairs(*values, N) + T::ZERO } else { sum(simd, values) }
}

/// The mean of `values`, and the sum of the squares of their distances from it.
#[inline(always)]
pub(crate) fn mean_and_squares<S: Simd, T: Real, const N: usize>(simd: S, values: &[T; N]) -> (T, T) {
    let mean = sum_of(simd, values) / T::from_count(N);
    if SCALAR {
        let squares = scalar::made::<T, N, 1>(
            #[inline(always)]
            |_, row| {
                let distance = scalar::at(values, row) - mean;
                distance * distance
            },
        );
        return (mean, sum_of(simd, &squares.data.0[0]));
    }
    let squares = map_sum(
        simd,
        N,
        [],
        [values],
        #[inline(always)]
        |[], [x]| {
            let distance = x - mean;
            ([], distance * distance)
        },
    );
    (mean, squares)
}
