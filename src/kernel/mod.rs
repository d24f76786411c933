//! The kernels: products of matrices, and maps over slices. Nothing else in the library touches vector registers,
//! except the functions of [`math`](crate::num::math) and what an activation, a loss or an optimizer does to one
//! register at a time.
//!
//! A matrix is a slice that stores it column by column. Lanes run across rows, so that every sum has the same order
//! on every CPU. A sum is split in two cases: for a single sample, to hide the latency of the additions, and for a
//! few rows, to fill the lanes. How it is split depends only on sizes.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

// The largest functions are forced inline only without `debug_assertions`: in an unoptimized build every inlined
// call has its own space on the stack, and a test's thread has two megabytes of stack.

mod column;
pub(crate) mod compiled;
pub(crate) mod convolution;
pub(crate) mod dense;
mod few_rows;
mod general;
pub(crate) mod geometry;
mod interleave;
mod moments;
mod packed;
mod pass;
mod plan;
pub(crate) mod pooling;
mod product;
pub(crate) mod recurrent;
pub(crate) mod scalar;
mod size;
mod softmax;

pub(crate) use moments::mean_and_squares;
pub use pass::Pass;
pub(crate) use plan::{SMALL_SIZE, is_called, is_in_registers};
pub(crate) use softmax::{Exponentials, softmax};

use column::{ColumnProduct, product_with_column};
use packed::packed_product;
use product::{Columns, Product, Rows};

use crate::num::dispatch::{dispatch, is_glue, level_in};
use crate::num::{Lanes, Real, SCALAR, first_lane, lanes};
use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat, SimdMask};
use scalar::each;

/// The lanes of the widest vector register: 16 of `f32`.
pub(crate) const MAX_LANES: usize = 16;

/// An elementwise function, which a product applies to its sums while they are in registers: a layer's activation.
pub(crate) trait Elementwise: 'static {
    /// Whether [`value`](Self::value) is only a few instructions.
    const SHORT: bool;

    /// The value at `x`.
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T>;

    /// The gradient by `x`, from the gradient by `y`, the value at `x`.
    fn backward<S: Simd, T: Real>(simd: S, dy: Lanes<S, T>, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T>;

    /// Whether this is the positive part, which what is compiled in this crate computes with the sums.
    const RELU: bool = false;

    /// Replaces each value `x` by the value there, with an instruction set of the CPU.
    #[inline(always)]
    fn value_of_all<T: Real>(level: Level, values: &mut [T]) {
        dispatch!(level, simd => map(
            simd,
            [values],
            [],
            #[inline(always)]
            |[x], []| [Self::value::<_, T>(simd, x)],
        ));
    }

    /// Replaces each gradient by `y` by the gradient by `x`, with an instruction set of the CPU.
    #[inline(always)]
    fn backward_of_all<T: Real>(level: Level, dy: &mut [T], x: &[T], y: &[T]) {
        dispatch!(level, simd => map(
            simd,
            [dy],
            [x, y],
            #[inline(always)]
            |[dy], [x, y]| [Self::backward::<_, T>(simd, dy, x, y)],
        ));
    }
}

/// A vector register with elements of type `T`: [`Lanes`], or [`Real::Half`].
trait Register<S: Simd, T>: SimdFloat<S, Element = T> {}

impl<S: Simd, T, V: SimdFloat<S, Element = T>> Register<S, T> for V {}

#[inline(always)]
fn load<S: Simd, T: Real, V: Register<S, T>>(simd: S, from: &[T]) -> V {
    V::from_slice(simd, &from[..V::LEN])
}

#[inline(always)]
fn store<S: Simd, T: Real, V: Register<S, T>>(lanes: V, to: &mut [T]) {
    lanes.store_slice(&mut to[..V::LEN]);
}

/// Loads the first lanes from a slice shorter than a register; the others are zero.
#[cfg_attr(not(debug_assertions), inline(always))]
fn load_part<S: Simd, T: Real, V: Register<S, T>>(simd: S, from: &[T]) -> V {
    V::from_slice(simd, &T::load_part(simd, from).as_slice()[..V::LEN])
}

/// The indices of the lanes.
#[inline(always)]
fn lane_indices<S: Simd, T: Real, V: Register<S, T>>(simd: S) -> V {
    V::from_fn(
        simd,
        #[inline(always)]
        |lane| T::from_count(lane),
    )
}

/// Stores the first lanes to a slice no longer than a register.
#[cfg_attr(not(debug_assertions), inline(always))]
fn store_part<S: Simd, T: Real, V: Register<S, T>>(lanes: V, to: &mut [T]) {
    if SCALAR {
        for (to, &value) in to.iter_mut().zip(lanes.as_slice()) {
            *to = value;
        }
        return;
    }
    if to.len() == V::LEN {
        return store(lanes, to);
    }
    let (mut from, mut to) = (lanes.as_slice(), to);
    for length in [8, 4] {
        if to.len() >= length {
            let (first, others) = to.split_at_mut(length);
            first.copy_from_slice(&from[..length]);
            (from, to) = (&from[length..], others);
        }
    }
    // One by one: the compiler makes an integer of a copy of two, which it cannot keep in a vector register.
    for i in 0..3 {
        if i < to.len() {
            to[i] = from[i];
        }
    }
}

/// Applies `step` to several slices of the same length, one register of each at a time. `step` is called with the
/// values of `changed` and `read`, and returns the new values of `changed`. Stops at the end of the shortest slice.
/// There may be up to eight slices of each.
///
/// Each lane of the result must depend only on the same lane: on a CPU without vector registers, all lanes hold the
/// same value.
#[inline(always)]
pub fn map<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    changed: [&mut [T]; CHANGED],
    read: [&[T]; READ],
    step: impl Fn([Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> [Lanes<S, T>; CHANGED],
) {
    map_first(simd, usize::MAX, changed, read, step);
}

/// [`map`] over matrices of `rows` rows. Columns shorter than a register, if there are few, are processed one at a
/// time.
///
/// They were stored one by one just before, and a CPU cannot load as one register what it has stored in parts,
/// until the parts have left its store buffers.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn map_columns<S: Simd, T: Real, const CHANGED: usize>(
    simd: S,
    rows: usize,
    changed: [&mut [T]; CHANGED],
    step: impl Fn([Lanes<S, T>; CHANGED]) -> [Lanes<S, T>; CHANGED],
) {
    let length = shortest(&changed, &[]);
    if !plan::maps_each_column(rows, length, Lanes::<S, T>::LEN) {
        return map(
            simd,
            changed,
            [],
            #[inline(always)]
            |c, []| step(c),
        );
    }
    let mut c = [Lanes::<S, T>::splat(simd, T::ZERO); CHANGED];
    for first in (0..length).step_by(rows) {
        for i in 0..CHANGED {
            c[i] = load_part(simd, &changed[i][first..][..rows]);
        }
        let results = step(c);
        for i in 0..CHANGED {
            store_part::<S, T, _>(results[i], &mut changed[i][first..][..rows]);
        }
    }
}

/// Like [`map`], for the first `count` elements of each slice, or a few more: it stops at the next whole register.
///
/// A length that is known only at run time costs less as `count` than as the length of the slices, since the rest
/// of a slice after its last whole register is moved by a copy of that length.
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

/// Like [`map`], for the first `count` elements of each slice. Returns the sum of the second values that `step`
/// returns. Elements of `changed` behind `count` are set to zero up to the next whole register.
///
/// The sum is made of 16 sums, each over every sixteenth element, which are added in pairs.
#[inline(always)]
pub fn map_sum<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    count: usize,
    mut changed: [&mut [T]; CHANGED],
    read: [&[T]; READ],
    step: impl Fn([Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> ([Lanes<S, T>; CHANGED], Lanes<S, T>),
) -> T {
    let lanes = Lanes::<S, T>::LEN;
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    if SCALAR {
        let mut wanted = count;
        each!(CHANGED, i => wanted = wanted.min(changed[i].len()));
        each!(READ, i => wanted = wanted.min(read[i].len()));
        let mut sums = [T::ZERO; MAX_LANES];
        each_scalar(
            simd,
            wanted,
            &mut changed,
            &read,
            #[inline(always)]
            |at, c, r| {
                let (results, term) = step(c, r);
                sums[at % MAX_LANES] += first_lane::<S, T>(term);
                results
            },
        );
        return scalar::sum_in_pairs(sums, wanted);
    }
    let length = shortest(&changed, &read);
    let wanted = if count < length { count } else { length };
    let mut sums = [zero; MAX_LANES / 2];
    let mut done = 0;
    while done + MAX_LANES <= wanted {
        for (i, sum) in sums.iter_mut().enumerate().take(MAX_LANES / lanes) {
            let at = done + i * lanes;
            let (mut c, mut r) = ([zero; CHANGED], [zero; READ]);
            for i in 0..CHANGED {
                c[i] = load(simd, &changed[i][at..]);
            }
            for i in 0..READ {
                r[i] = load(simd, &read[i][at..]);
            }
            let (results, term) = step(c, r);
            for i in 0..CHANGED {
                store::<S, T, _>(results[i], &mut changed[i][at..]);
            }
            *sum += term;
        }
        done += MAX_LANES;
    }
    if done < wanted {
        let mut rest = [T::ZERO; MAX_LANES];
        for slice in &mut changed {
            *slice = &mut core::mem::take(slice)[done..length];
        }
        let mut read = read;
        for slice in &mut read {
            *slice = &slice[done..length];
        }
        let left = wanted - done;
        let indices = lane_indices::<S, T, Lanes<S, T>>(simd);
        each_register(
            simd,
            left,
            &mut changed,
            &read,
            #[inline(always)]
            |at, c, r| {
                let (mut results, term) = step(c, r);
                // The lanes below the count.
                let counts = indices.simd_lt(Lanes::<S, T>::splat(simd, T::from_count(left - at)));
                store::<S, T, _>(counts.select(term, zero), &mut rest[at..]);
                for result in &mut results {
                    *result = counts.select(*result, zero);
                }
                results
            },
        );
        for (i, sum) in sums.iter_mut().enumerate().take(MAX_LANES / lanes) {
            *sum += load::<S, T, Lanes<S, T>>(simd, &rest[i * lanes..]);
        }
    }
    sum_of_16(sums)
}

/// The length of the shortest slice.
#[inline(always)]
fn shortest<T>(changed: &[&mut [T]], read: &[&[T]]) -> usize {
    let mut length = usize::MAX;
    for slice in changed {
        length = length.min(slice.len());
    }
    for slice in read {
        length = length.min(slice.len());
    }
    length
}

/// The sum of the 16 elements in the first registers, added in pairs: the first to the ninth, and so on.
#[inline(always)]
fn sum_of_16<S: Simd, T: Real, V: SimdFloat<S, Element = T>>(registers: [V; MAX_LANES / 2]) -> T {
    let mut sum = in_one_register(registers);
    if V::LEN > 8 {
        sum += sum.rotate_elements_left::<8>();
    }
    if V::LEN > 4 {
        sum += sum.rotate_elements_left::<4>();
    }
    if V::LEN > 2 {
        sum += sum.rotate_elements_left::<2>();
    }
    if V::LEN > 1 {
        sum += sum.rotate_elements_left::<1>();
    }
    sum.as_slice()[0]
}

/// [`sum_of_16`] of four at once, which takes little longer than one.
#[cfg_attr(not(debug_assertions), inline(always))]
fn four_sums_of_16<S: Simd, T: Real, V: SimdFloat<S, Element = T>>(four: [[V; MAX_LANES / 2]; 4]) -> [T; 4] {
    let [a, b, c, d] =
        [in_one_register(four[0]), in_one_register(four[1]), in_one_register(four[2]), in_one_register(four[3])];
    // Alternating lanes of each, so that the pairs are below each other.
    let (ac, bd) = (a.zip_low(c) + a.zip_high(c), b.zip_low(d) + b.zip_high(d));
    let (low, high) = (ac.zip_low(bd), ac.zip_high(bd));
    if V::LEN == 2 {
        let (ab, cd) = (low.as_slice(), high.as_slice());
        return [ab[0], ab[1], cd[0], cd[1]];
    }
    let mut sums = low + high;
    if V::LEN > 8 {
        sums += sums.rotate_elements_left::<8>();
    }
    if V::LEN > 4 {
        sums += sums.rotate_elements_left::<4>();
    }
    let sums = sums.as_slice();
    [sums[0], sums[1], sums[2], sums[3]]
}

/// 16 elements added up in pairs until they fit into one register.
#[inline(always)]
fn in_one_register<S: Simd, T: Real, V: SimdFloat<S, Element = T>>(mut registers: [V; MAX_LANES / 2]) -> V {
    let mut half = MAX_LANES / V::LEN / 2;
    while half > 0 {
        for i in 0..half {
            registers[i] += registers[i + half];
        }
        half /= 2;
    }
    registers[0]
}

/// Calls `step` for each register of the slices, with its index, until `count` elements are done.
#[cfg_attr(not(debug_assertions), inline(always))]
fn each_register<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    count: usize,
    changed: &mut [&mut [T]; CHANGED],
    read: &[&[T]; READ],
    mut step: impl FnMut(usize, [Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> [Lanes<S, T>; CHANGED],
) {
    if SCALAR {
        return each_scalar(simd, count, changed, read, step);
    }
    let lanes = Lanes::<S, T>::LEN;
    let length = shortest(changed, read);
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
            store::<S, T, _>(results[i], &mut changed[i][at..end]);
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
            store_part::<S, T, _>(results[i], &mut changed[i][whole..length]);
        }
    }
}

/// [`each_register`] without vector registers.
#[inline(always)]
fn each_scalar<S: Simd, T: Real, const CHANGED: usize, const READ: usize>(
    simd: S,
    count: usize,
    changed: &mut [&mut [T]; CHANGED],
    read: &[&[T]; READ],
    mut step: impl FnMut(usize, [Lanes<S, T>; CHANGED], [Lanes<S, T>; READ]) -> [Lanes<S, T>; CHANGED],
) {
    let mut count = count;
    each!(CHANGED, i => count = count.min(changed[i].len()));
    each!(READ, i => count = count.min(read[i].len()));
    let zero = lanes::<S, T>(simd, T::ZERO);
    let (mut c, mut r) = ([zero; CHANGED], [zero; READ]);
    for at in 0..count {
        each!(CHANGED, i => if let Some(&value) = changed[i].get(at) {
            c[i] = lanes(simd, value);
        });
        each!(READ, i => if let Some(&value) = read[i].get(at) {
            r[i] = lanes(simd, value);
        });
        let results = step(at, c, r);
        each!(CHANGED, i => if let Some(value) = changed[i].get_mut(at) {
            *value = first_lane::<S, T>(results[i]);
        });
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

/// Whether the first `count` values are all below 2^32, or 2^256 for `f64`, so that products of two and their
/// squares are finite. Some values behind them, up to whole registers, count too. Also `false` if the sum of many
/// is too large: the caller checks again then.
#[inline(always)]
pub(crate) fn is_moderate<S: Simd, T: Real>(simd: S, values: &[T], count: usize) -> bool {
    if const { is_glue::<S>() } {
        return moderate(level_in(simd), values, count);
    }
    is_moderate_in_lanes(simd, values, count)
}

compiled::compiled! {
    /// [`is_moderate`].
    moderate(values: &[T], count: usize) -> bool = is_moderate_in_lanes;
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn is_moderate_in_lanes<S: Simd, T: Real>(simd: S, values: &[T], count: usize) -> bool {
    if SCALAR {
        let sum = values.iter().take(count).fold(-T::ZERO, |sum, &value| sum + value * large::<T>());
        return (sum * T::ZERO) == T::ZERO;
    }
    let lanes = Lanes::<S, T>::LEN;
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let large = Lanes::<S, T>::splat(simd, large::<T>());
    // The product is infinite or NaN, and so is the sum then. Four sums, since an addition waits for the one
    // before.
    let mut sums = [zero; 4];
    let mut at = 0;
    while at < count && at + 4 * lanes <= values.len() {
        for i in 0..4 {
            sums[i] = load::<S, T, Lanes<S, T>>(simd, &values[at + i * lanes..]).mul_add(large, sums[i]);
        }
        at += 4 * lanes;
    }
    while at < count && at + lanes <= values.len() {
        sums[0] = load::<S, T, Lanes<S, T>>(simd, &values[at..]).mul_add(large, sums[0]);
        at += lanes;
    }
    let whole = values.len() - values.len() % lanes;
    if whole < count && whole < values.len() {
        sums[1] = load_part::<S, T, Lanes<S, T>>(simd, &values[whole..]).mul_add(large, sums[1]);
    }
    let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    (sum * zero).simd_eq(zero).all_true()
}

/// A factor that makes every value infinite that is not moderate.
#[inline(always)]
fn large<T: Real>() -> T {
    T::of(f64::from_bits(if size_of::<T>() == size_of::<f32>() { (1023 + 96) << 52 } else { (1023 + 768) << 52 }))
}
