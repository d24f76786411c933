//! The products of a recurrent layer, of one sample at a time, since a step needs the state that the step before has
//! computed. The weights of all gates by one input are side by side, so that lanes run across all of them.
//!
//! The order of a sum depends on the sizes alone, not on the micro-batch: a network computes the same bits step by step
//! and over a whole sequence.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::product::dot as products;
use super::{dot, four_sums_of_16, lane_indices, lanes, load, load_part, map, store, store_part};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real, SCALAR};
use core::ops::Range;
use fearless_simd::{Select, Simd, SimdBase};

/// The weights of `GATES` gates of `H` units by `K` inputs: a matrix of `GATES * H` rows and `K` columns, column by column.
pub(crate) type GateWeights<T, const H: usize, const GATES: usize, const K: usize> = [[[T; H]; GATES]; K];

/// Sets the sums of the gates in the range `gates` to `start + weight * x`.
///
/// Each sum has two parts, the products with every second input, so that an addition need not wait for the one before.
#[inline(always)]
pub(crate) fn product<S: Simd, T: Real, const H: usize, const GATES: usize, const K: usize>(
    simd: S,
    weight: &GateWeights<T, H, GATES, K>,
    x: &[T; K],
    gates: Range<usize>,
    start: &[[T; H]; GATES],
    result: &mut [[T; H]; GATES],
) {
    if SCALAR {
        return product_of_scalars(weight, x, gates, start, result);
    }
    let width = Lanes::<S, T>::LEN;
    let (mut first, end) = (gates.start * H, gates.end * H);
    let (start, result) = (start.as_flattened(), result.as_flattened_mut());
    if end - first < width {
        return few_rows(simd, weight, x, first..end, start, result);
    }
    while first + 4 * width <= end {
        some_rows::<S, T, H, GATES, K, 4>(simd, weight, x, first, start, result);
        first += 4 * width;
    }
    if first + 2 * width <= end {
        some_rows::<S, T, H, GATES, K, 2>(simd, weight, x, first, start, result);
        first += 2 * width;
    }
    while first < end {
        // The last register begins earlier, so as to end with the last row.
        let at = if first + width <= end { first } else { end - width };
        some_rows::<S, T, H, GATES, K, 1>(simd, weight, x, at, start, result);
        first += width;
    }
}

/// [`product`] without vector registers: four rows at a time, whose sums are in registers. The rows are written out, since a
/// compiler that looks at flash unrolls no loop.
#[inline(always)]
fn product_of_scalars<T: Real, const H: usize, const GATES: usize, const K: usize>(
    weight: &GateWeights<T, H, GATES, K>,
    x: &[T; K],
    gates: Range<usize>,
    start: &[[T; H]; GATES],
    result: &mut [[T; H]; GATES],
) {
    let rows = gates.start * H..gates.end * H;
    let start = start.as_flattened().get(rows.clone()).unwrap_or_default();
    let result = result.as_flattened_mut().get_mut(rows.clone()).unwrap_or_default();
    let ((starts, start), (results, result)) = (start.as_chunks::<4>(), result.as_chunks_mut::<4>());
    let ((columns, column), (pairs, last)) = (weight.as_chunks::<2>(), x.as_chunks::<2>());
    let blocks = results.len();
    for (block, (result, start)) in results.iter_mut().zip(starts).enumerate() {
        let four = |column: &[[T; H]; GATES]| {
            column.as_flattened().get(rows.clone()).unwrap_or_default().as_chunks::<4>().0.get(block).copied()
        };
        let ([mut a, mut b, mut c, mut d], zero) = (*start, -T::ZERO);
        let (mut e, mut f, mut g, mut h) = (zero, zero, zero, zero);
        for ([first, second], [x, y]) in columns.iter().zip(pairs) {
            if let (Some([i, j, k, l]), Some([m, n, o, p])) = (four(first), four(second)) {
                (a, b, c, d) = (a + i * *x, b + j * *x, c + k * *x, d + l * *x);
                (e, f, g, h) = (e + m * *y, f + n * *y, g + o * *y, h + p * *y);
            }
        }
        if let ([column], [x]) = (column, last)
            && let Some([i, j, k, l]) = four(column)
        {
            (a, b, c, d) = (a + i * *x, b + j * *x, c + k * *x, d + l * *x);
        }
        *result = [a + e, b + f, c + g, d + h];
    }
    for (row, (result, start)) in result.iter_mut().zip(start).enumerate() {
        let one = |column: &[[T; H]; GATES]| {
            let column = column.as_flattened().get(rows.clone()).unwrap_or_default();
            column.get(4 * blocks + row).copied().unwrap_or(T::ZERO)
        };
        let (mut even, mut odd) = (*start, -T::ZERO);
        for ([first, second], [x, y]) in columns.iter().zip(pairs) {
            even += one(first) * *x;
            odd += one(second) * *y;
        }
        if let ([column], [x]) = (column, last) {
            even += one(column) * *x;
        }
        *result = even + odd;
    }
}

/// [`product`] for the rows of some registers, from `first` on.
#[inline(always)]
fn some_rows<S: Simd, T: Real, const H: usize, const GATES: usize, const K: usize, const REGISTERS: usize>(
    simd: S,
    weight: &GateWeights<T, H, GATES, K>,
    x: &[T; K],
    first: usize,
    start: &[T],
    result: &mut [T],
) {
    let width = Lanes::<S, T>::LEN;
    let mut sums = [[lanes::<S, T>(simd, -T::ZERO); REGISTERS]; 2];
    for r in 0..REGISTERS {
        sums[0][r] = load(simd, &start[first + r * width..]);
    }
    macro_rules! add {
        ($k:expr, $part:expr) => {{
            let (column, factor) = (weight[$k].as_flattened(), lanes::<S, T>(simd, x[$k]));
            for r in 0..REGISTERS {
                sums[$part][r] = mul_add(load(simd, &column[first + r * width..]), factor, sums[$part][r]);
            }
        }};
    }
    let mut k = 0;
    while k + 2 <= K {
        add!(k, 0);
        add!(k + 1, 1);
        k += 2;
    }
    if k < K {
        add!(k, 0);
    }
    for r in 0..REGISTERS {
        store::<S, T, _>(sums[0][r] + sums[1][r], &mut result[first + r * width..]);
    }
}

/// [`product`] for fewer rows than a register has lanes.
#[inline(always)]
fn few_rows<S: Simd, T: Real, const H: usize, const GATES: usize, const K: usize>(
    simd: S,
    weight: &GateWeights<T, H, GATES, K>,
    x: &[T; K],
    rows: Range<usize>,
    start: &[T],
    result: &mut [T],
) {
    let mut sums = [load_part(simd, &start[rows.clone()]), lanes::<S, T>(simd, -T::ZERO)];
    for k in 0..K {
        let column: Lanes<S, T> = load_part(simd, &weight[k].as_flattened()[rows.clone()]);
        sums[k % 2] = mul_add(column, lanes::<S, T>(simd, x[k]), sums[k % 2]);
    }
    store_part::<S, T, _>(sums[0] + sums[1], &mut result[rows]);
}

/// Adds the gradient by the weights, the products of `d`, the gradient by the sums of the gates in the range, and `x`.
#[inline(always)]
pub(crate) fn add_outer<S: Simd, T: Real, const H: usize, const GATES: usize, const K: usize>(
    simd: S,
    d: &[[T; H]; GATES],
    x: &[T; K],
    gates: Range<usize>,
    gradient: &mut GateWeights<T, H, GATES, K>,
) {
    let rows = gates.start * H..gates.end * H;
    let d = d.as_flattened().get(rows.clone()).unwrap_or_default();
    for (gradient, x) in gradient.iter_mut().zip(x) {
        let x = lanes::<S, T>(simd, *x);
        map(
            simd,
            [gradient.as_flattened_mut().get_mut(rows.clone()).unwrap_or_default()],
            [d],
            #[inline(always)]
            |[gradient], [d]| [mul_add(d, x, gradient)],
        );
    }
}

/// Passes the products of `d`, the gradient by the sums of the gates in the range, with the weights of each input to
/// `found`, with the input's place in `to`: the gradient by the inputs.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn transposed_product<S: Simd, T: Real, const H: usize, const GATES: usize, const K: usize>(
    simd: S,
    weight: &GateWeights<T, H, GATES, K>,
    d: &[[T; H]; GATES],
    gates: Range<usize>,
    to: &mut [T; K],
    found: impl Fn(&mut T, T),
) {
    let rows = gates.start * H..gates.end * H;
    let d = d.as_flattened().get(rows.clone()).unwrap_or_default();
    let (mut weight, mut to) = (weight.as_slice(), to.as_mut_slice());
    if !SCALAR {
        let (fours, rest) = weight.as_chunks::<4>();
        let (tos, last) = to.as_chunks_mut::<4>();
        for (four, to) in fours.iter().zip(tos) {
            let products = four.each_ref().map(
                #[inline(always)]
                |column| products(simd, column.as_flattened().get(rows.clone()).unwrap_or_default(), d),
            );
            for (to, sum) in to.iter_mut().zip(four_sums_of_16(products)) {
                found(to, sum);
            }
        }
        (weight, to) = (rest, last);
    }
    for (weight, to) in weight.iter().zip(to) {
        found(to, dot(simd, weight.as_flattened().get(rows.clone()).unwrap_or_default(), d));
    }
}

/// Adds to the gradient by the weights of a gate what [`add_outer`] adds sample by sample, for all samples of a step: `d` and
/// `x` are those of a sample. The sums stay in registers.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn add_outers<'a, S: Simd, T: Real, const H: usize, const GATES: usize, const K: usize>(
    simd: S,
    samples: usize,
    d: impl Fn(usize) -> &'a [T; H],
    x: impl Fn(usize) -> &'a [T; K],
    gate: usize,
    gradient: &mut GateWeights<T, H, GATES, K>,
) {
    let width = Lanes::<S, T>::LEN;
    if const { H < Lanes::<S, T>::LEN } {
        for sample in 0..samples {
            for (gradient, x) in gradient.iter_mut().zip(x(sample)) {
                let (x, sum) = (lanes::<S, T>(simd, *x), &mut gradient[gate]);
                let total = mul_add(load_part(simd, d(sample)), x, load_part(simd, sum));
                store_part::<S, T, _>(total, sum);
            }
        }
        return;
    }
    let mut first = 0;
    while first < H {
        // The last register begins earlier, so as to end with the last row; the rows that it shares are added to once.
        let (at, shared) = if first + width <= H { (first, 0) } else { (H - width, first + width - H) };
        let mut k = 0;
        macro_rules! inputs {
            ($count:literal) => {
                while K - k >= $count {
                    let mut sums = [lanes::<S, T>(simd, T::ZERO); $count];
                    for i in 0..$count {
                        sums[i] = load(simd, &gradient[k + i][gate][at..]);
                    }
                    for sample in 0..samples {
                        let mut d: Lanes<S, T> = load(simd, &d(sample)[at..]);
                        if shared > 0 {
                            d = behind::<S, T>(simd, shared, d);
                        }
                        let x = x(sample);
                        for i in 0..$count {
                            sums[i] = mul_add(d, lanes::<S, T>(simd, x[k + i]), sums[i]);
                        }
                    }
                    for i in 0..$count {
                        store::<S, T, _>(sums[i], &mut gradient[k + i][gate][at..]);
                    }
                    k += $count;
                }
            };
        }
        inputs!(8);
        inputs!(1);
        first += width;
    }
}

/// The lanes from `first` on; zero in those before, whose product with anything finite changes no sum.
#[inline(always)]
fn behind<S: Simd, T: Real>(simd: S, first: usize, x: Lanes<S, T>) -> Lanes<S, T> {
    let here = lane_indices::<S, T, Lanes<S, T>>(simd).simd_lt(lanes::<S, T>(simd, T::from_count(first)));
    here.select(lanes::<S, T>(simd, T::ZERO), x)
}

/// Adds `d` to `sum`.
#[inline(always)]
pub(crate) fn add<S: Simd, T: Real>(simd: S, d: &[T], sum: &mut [T]) {
    map(
        simd,
        [sum],
        [d],
        #[inline(always)]
        |[sum], [d]| [sum + d],
    );
}
