//! Pooling of images, and nearest-neighbour upsampling, with their gradients.
//!
//! Images are stored as in [`convolution`](super::convolution), and lanes run across the samples of a pixel. An output
//! is the maximum, or the sum, of its inputs by row and column of the window, and a gradient is added to those of the
//! inputs in the same order.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

mod plain;
#[cfg(all(test, feature = "std"))]
mod tests;

use super::geometry::Geometry;
use super::plan::pools_in_lanes;
use super::{load, map_first, store};
use crate::num::{Lanes, Real, SCALAR, first_lane, lanes};
use fearless_simd::{Select, Simd, SimdBase};

/// Calls `visit` with the place in a channel of an output and, in the order of the window's rows and columns, of each
/// of its inputs that is not padding. The third argument is whether the input is the output's first.
#[inline(always)]
fn each_input(geometry: &Geometry, output: [usize; 2], mut visit: impl FnMut(usize, bool)) {
    let ([rows, columns], batch) = (geometry.axes(), geometry.batch);
    let mut is_first = true;
    if geometry.padding == [0; 2] {
        let (step, row_step) = (columns.dilation * batch, rows.dilation * columns.length * batch);
        let mut row = (output[0] * rows.stride * columns.length + output[1] * columns.stride) * batch;
        for _ in 0..rows.kernel {
            let mut at = row;
            for _ in 0..columns.kernel {
                visit(at, is_first);
                is_first = false;
                at += step;
            }
            row += row_step;
        }
        return;
    }
    for i in 0..rows.kernel {
        let Some(row) = rows.input(output[0], i) else { continue };
        for j in 0..columns.kernel {
            let Some(column) = columns.input(output[1], j) else { continue };
            visit((row * columns.length + column) * geometry.batch, is_first);
            is_first = false;
        }
    }
}

/// Calls `visit` with the channel of each output, its row and column, and its place.
#[inline(always)]
fn each_output(geometry: &Geometry, mut visit: impl FnMut(usize, [usize; 2], usize)) {
    let [rows, columns] = geometry.output_size;
    let mut at = 0;
    for channel in 0..geometry.channels {
        for row in 0..rows {
            for column in 0..columns {
                visit(channel, [row, column], at);
                at += geometry.batch;
            }
        }
    }
}

/// The samples of a pixel.
#[inline(always)]
fn samples<T>(image: &[T], first: usize, batch: usize) -> &[T] {
    image.get(first..).and_then(|rest| rest.get(..batch)).unwrap_or(&[])
}

#[inline(always)]
fn samples_mut<T>(image: &mut [T], first: usize, batch: usize) -> &mut [T] {
    image.get_mut(first..).and_then(|rest| rest.get_mut(..batch)).unwrap_or(&mut [])
}

/// Sets the first `len` samples of `y` to the largest input of each window; if one of them is NaN, to NaN. Every window
/// has at least one input that is not padding.
///
/// # Shapes
///
/// `x`: `[channels][rows][columns][batch]`. `y`: `[channels][output rows][output columns][batch]`.
#[inline(always)]
pub(crate) fn max_pool<S: Simd, T: Real>(simd: S, geometry: &Geometry, len: usize, x: &[T], y: &mut [T]) {
    if !pools_in_lanes(geometry) {
        return plain::max_pool(geometry, len, x, y);
    }
    apart(
        simd,
        #[inline(always)]
        || {
            let (batch, plane, lanes) = (geometry.batch, geometry.input_plane(), Lanes::<S, T>::LEN);
            each_output(
                geometry,
                #[inline(always)]
                |channel, output, to| {
                    let y = samples_mut(y, to, batch);
                    let x = x.get(channel * plane..).unwrap_or(&[]);
                    let mut first = 0;
                    while first + 4 * lanes <= batch && first < len {
                        largest::<S, T, 4>(simd, geometry, output, x, first, y);
                        first += 4 * lanes;
                    }
                    while first + lanes <= batch && first < len {
                        largest::<S, T, 1>(simd, geometry, output, x, first, y);
                        first += lanes;
                    }
                    if first >= batch || first >= len {
                        return;
                    }
                    // The samples that fill no register.
                    let y = y.get_mut(first..).unwrap_or(&mut []);
                    each_input(
                        geometry,
                        output,
                        #[inline(always)]
                        |from, is_first| {
                            map_first(
                                simd,
                                len - first,
                                [&mut *y],
                                [samples(x, from + first, batch - first)],
                                #[inline(always)]
                                |[y], [x]| [if is_first { x } else { larger::<S, T>(simd, x, y) }],
                            );
                        },
                    );
                },
            );
        },
    );
}

/// Sets some registers of samples of `y`, from `first` on, to the largest of an output's inputs. `x` is one channel.
#[inline(always)]
fn largest<S: Simd, T: Real, const REGISTERS: usize>(
    simd: S,
    geometry: &Geometry,
    output: [usize; 2],
    x: &[T],
    first: usize,
    y: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let mut found = [Lanes::<S, T>::splat(simd, T::ZERO); REGISTERS];
    each_input(
        geometry,
        output,
        #[inline(always)]
        |from, is_first| {
            let x = samples(x, from + first, REGISTERS * lanes);
            for r in 0..REGISTERS {
                let x = load::<S, T, Lanes<S, T>>(simd, x.get(r * lanes..).unwrap_or(&[]));
                found[r] = if is_first { x } else { larger::<S, T>(simd, x, found[r]) };
            }
        },
    );
    for r in 0..REGISTERS {
        store::<S, T, Lanes<S, T>>(found[r], samples_mut(y, first + r * lanes, lanes));
    }
}

/// The larger of two values, or NaN if one of them is.
#[inline(always)]
fn larger<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
    if SCALAR {
        let (x, y) = (first_lane::<S, T>(x), first_lane::<S, T>(y));
        // False for a NaN in `x`.
        return lanes::<S, T>(simd, if x <= y || y.is_nan() { y } else { x });
    }
    // The comparison is true for numbers alone.
    let smaller = x.simd_le(y);
    let is_nan = y.simd_eq(y);
    smaller.select(y, is_nan.select(x, y))
}

/// Sets `dx` to the gradient by the inputs of [`max_pool`]: each output's gradient belongs to the first of its inputs
/// that equals it.
#[inline(always)]
pub(crate) fn max_pool_gradient<S: Simd, T: Real>(
    simd: S,
    geometry: &Geometry,
    len: usize,
    [x, y, dy]: [&[T]; 3],
    dx: &mut [T],
) {
    if !pools_in_lanes(geometry) {
        return plain::max_pool_gradient(geometry, len, [x, y, dy], dx);
    }
    apart(
        simd,
        #[inline(always)]
        || {
            let (batch, plane) = (geometry.batch, geometry.input_plane());
            let width = Lanes::<S, T>::LEN;
            if does_not_overlap(geometry) && batch & (width - 1) == 0 {
                if !covers(geometry) {
                    dx.fill(T::ZERO);
                }
                each_output(
                    geometry,
                    #[inline(always)]
                    |channel, output, at| {
                        let mut first = 0;
                        while first + 2 * width <= batch {
                            let place = [channel * plane + first, at + first];
                            gradient_of_largest::<S, T, 2>(simd, geometry, output, place, [x, y, dy], dx);
                            first += 2 * width;
                        }
                        if first < batch {
                            let place = [channel * plane + first, at + first];
                            gradient_of_largest::<S, T, 1>(simd, geometry, output, place, [x, y, dy], dx);
                        }
                    },
                );
                return;
            }
            dx.fill(T::ZERO);
            // What is left of a pixel's gradients, some samples at a time.
            let mut left = [T::ZERO; SAMPLES];
            each_output(
                geometry,
                #[inline(always)]
                |channel, output, at| {
                    for first in (0..len.min(batch)).step_by(SAMPLES) {
                        let count = if len - first < SAMPLES { len - first } else { SAMPLES };
                        let whole = if batch - first < SAMPLES { batch - first } else { SAMPLES };
                        let (y, dy) = (samples(y, at + first, whole), samples(dy, at + first, whole));
                        let left = left.get_mut(..whole).unwrap_or(&mut []);
                        left.copy_from_slice(dy);
                        each_input(
                            geometry,
                            output,
                            #[inline(always)]
                            |from, _| {
                                let from = channel * plane + from + first;
                                map_first(
                                    simd,
                                    count,
                                    [samples_mut(dx, from, whole), &mut *left],
                                    [samples(x, from, whole), y],
                                    #[inline(always)]
                                    |[dx, left], [x, y]| {
                                        let zero = lanes::<S, T>(simd, T::ZERO);
                                        let is_it = x.simd_eq(y);
                                        [dx + is_it.select(left, zero), is_it.select(zero, left)]
                                    },
                                );
                            },
                        );
                    }
                },
            );
        },
    );
}

/// Whether each input is in one window at most, and in no padding.
#[inline(always)]
fn does_not_overlap(geometry: &Geometry) -> bool {
    let Geometry { kernel, stride, padding, dilation, .. } = geometry;
    *padding == [0; 2] && *dilation == [1; 2] && stride[0] >= kernel[0] && stride[1] >= kernel[1]
}

/// Whether each input is in a window, for windows that do not overlap.
#[inline(always)]
fn covers(geometry: &Geometry) -> bool {
    let Geometry { kernel, stride, size, output_size, .. } = geometry;
    let covered = [output_size[0] * kernel[0], output_size[1] * kernel[1]];
    stride == kernel && covered == *size
}

/// Sets the gradients by the inputs of some registers of an output: its gradient belongs to the first input that equals it.
/// `place` is where the samples begin among the inputs of a channel, and among the outputs.
#[inline(always)]
fn gradient_of_largest<S: Simd, T: Real, const REGISTERS: usize>(
    simd: S,
    geometry: &Geometry,
    output: [usize; 2],
    [input, at]: [usize; 2],
    [x, y, dy]: [&[T]; 3],
    dx: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    let zero = Lanes::<S, T>::splat(simd, T::ZERO);
    let (mut largest, mut left) = ([zero; REGISTERS], [zero; REGISTERS]);
    for r in 0..REGISTERS {
        largest[r] = load(simd, samples(y, at + r * lanes, lanes));
        left[r] = load(simd, samples(dy, at + r * lanes, lanes));
    }
    each_input(
        geometry,
        output,
        #[inline(always)]
        |from, _| {
            let x = samples(x, input + from, REGISTERS * lanes);
            let dx = samples_mut(dx, input + from, REGISTERS * lanes);
            for r in 0..REGISTERS {
                let is_it = load::<S, T, Lanes<S, T>>(simd, x.get(r * lanes..).unwrap_or(&[])).simd_eq(largest[r]);
                // Added to zero, as where windows overlap.
                store::<S, T, _>(zero + is_it.select(left[r], zero), dx.get_mut(r * lanes..).unwrap_or(&mut []));
                left[r] = is_it.select(zero, left[r]);
            }
        },
    );
}

/// So many samples of a pixel are done at once where they need a buffer.
const SAMPLES: usize = 64;

/// What the sum of a window is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Divisor {
    /// The size of the window, padding included.
    Window,
    /// The number of inputs that are not padding.
    Inputs,
}

/// What an output's sum is multiplied by.
#[inline(always)]
fn scale<T: Real>(geometry: &Geometry, divisor: Divisor, output: [usize; 2]) -> T {
    let mut count = geometry.kernel[0] * geometry.kernel[1];
    if divisor == Divisor::Inputs && geometry.padding != [0; 2] {
        count = 0;
        each_input(
            geometry,
            output,
            #[inline(always)]
            |_, _| count += 1,
        );
    }
    T::ONE / T::from_count(count)
}

/// Sets the first `len` samples of `y` to the mean of each window, where padding counts as zero.
///
/// # Shapes
///
/// As those of [`max_pool`].
#[inline(always)]
pub(crate) fn average_pool<S: Simd, T: Real>(
    simd: S,
    geometry: &Geometry,
    divisor: Divisor,
    len: usize,
    x: &[T],
    y: &mut [T],
) {
    if !pools_in_lanes(geometry) {
        return plain::average_pool(geometry, divisor, len, x, y);
    }
    apart(
        simd,
        #[inline(always)]
        || {
            let (batch, plane) = (geometry.batch, geometry.input_plane());
            each_output(
                geometry,
                #[inline(always)]
                |channel, output, to| {
                    let y = samples_mut(y, to, batch);
                    y.fill(T::ZERO);
                    each_input(
                        geometry,
                        output,
                        #[inline(always)]
                        |from, _| {
                            map_first(
                                simd,
                                len,
                                [&mut *y],
                                [samples(x, channel * plane + from, batch)],
                                #[inline(always)]
                                |[y], [x]| [y + x],
                            );
                        },
                    );
                    let scale = scale::<T>(geometry, divisor, output);
                    map_first(
                        simd,
                        len,
                        [&mut *y],
                        [],
                        #[inline(always)]
                        |[y], []| [y * lanes::<S, T>(simd, scale)],
                    );
                },
            );
        },
    );
}

/// Sets `dx` to the gradient by the inputs of [`average_pool`].
#[inline(always)]
pub(crate) fn average_pool_gradient<S: Simd, T: Real>(
    simd: S,
    geometry: &Geometry,
    divisor: Divisor,
    len: usize,
    dy: &[T],
    dx: &mut [T],
) {
    if !pools_in_lanes(geometry) {
        return plain::average_pool_gradient(geometry, divisor, len, dy, dx);
    }
    apart(
        simd,
        #[inline(always)]
        || {
            let (batch, plane) = (geometry.batch, geometry.input_plane());
            dx.fill(T::ZERO);
            each_output(
                geometry,
                #[inline(always)]
                |channel, output, at| {
                    let scale = scale::<T>(geometry, divisor, output);
                    each_input(
                        geometry,
                        output,
                        #[inline(always)]
                        |from, _| {
                            map_first(
                                simd,
                                len,
                                [samples_mut(dx, channel * plane + from, batch)],
                                [samples(dy, at, batch)],
                                #[inline(always)]
                                |[dx], [dy]| [dx + dy * lanes::<S, T>(simd, scale)],
                            );
                        },
                    );
                },
            );
        },
    );
}

/// Sets the first `len` samples of each channel's mean over its pixels: of `y`, which is `[channels][batch]`.
///
/// There are four sums, each of every fourth pixel; the last pixels are in the first one if they are fewer than four.
#[inline(always)]
pub(crate) fn mean_of_pixels<S: Simd, T: Real>(simd: S, pixels: usize, batch: usize, len: usize, x: &[T], y: &mut [T]) {
    let scale = T::ONE / T::from_count(pixels);
    if pixels == 0 || batch == 0 {
        return;
    }
    for (x, y) in x.chunks_exact(pixels * batch).zip(y.chunks_exact_mut(batch)) {
        for first in (0..len.min(batch)).step_by(SAMPLES) {
            let whole = if batch - first < SAMPLES { batch - first } else { SAMPLES };
            let mut sums = [[T::ZERO; SAMPLES]; 4];
            let [a, b, c, d] = &mut sums;
            let (a, b) = (samples_mut(a, 0, whole), samples_mut(b, 0, whole));
            let (c, d) = (samples_mut(c, 0, whole), samples_mut(d, 0, whole));
            let mut pixel = 0;
            while pixel + 4 <= pixels {
                let at = pixel * batch + first;
                map_first(
                    simd,
                    len - first,
                    [&mut *a, &mut *b, &mut *c, &mut *d],
                    [
                        samples(x, at, whole),
                        samples(x, at + batch, whole),
                        samples(x, at + 2 * batch, whole),
                        samples(x, at + 3 * batch, whole),
                    ],
                    #[inline(always)]
                    |[a, b, c, d], [x0, x1, x2, x3]| [a + x0, b + x1, c + x2, d + x3],
                );
                pixel += 4;
            }
            while pixel < pixels {
                map_first(
                    simd,
                    len - first,
                    [&mut *a],
                    [samples(x, pixel * batch + first, whole)],
                    #[inline(always)]
                    |[a], [x]| [a + x],
                );
                pixel += 1;
            }
            map_first(
                simd,
                len - first,
                [samples_mut(y, first, whole)],
                [&*a, &*b, &*c, &*d],
                #[inline(always)]
                |[_], [a, b, c, d]| [((a + b) + (c + d)) * lanes::<S, T>(simd, scale)],
            );
        }
    }
}

/// Sets each pixel of `y` to the pixel of `x` that is nearest, for images that are larger by whole factors: the
/// transpose of a pooling by sums whose windows are as large as their distance. `geometry` is that of the pooling, from
/// `y` to `x`.
#[inline(always)]
pub(crate) fn upsample<T: Real>(geometry: &Geometry, x: &[T], y: &mut [T]) {
    let (batch, plane) = (geometry.batch, geometry.input_plane());
    each_output(
        geometry,
        #[inline(always)]
        |channel, output, at| {
            each_input(
                geometry,
                output,
                #[inline(always)]
                |to, _| {
                    for (y, x) in samples_mut(y, channel * plane + to, batch).iter_mut().zip(samples(x, at, batch)) {
                        *y = *x;
                    }
                },
            );
        },
    );
}

/// Sets `dx` to the gradient by the inputs of [`upsample`]: the sum over the pixels that are copies of each.
#[inline(always)]
pub(crate) fn upsample_gradient<S: Simd, T: Real>(simd: S, geometry: &Geometry, len: usize, dy: &[T], dx: &mut [T]) {
    let (batch, plane) = (geometry.batch, geometry.input_plane());
    each_output(
        geometry,
        #[inline(always)]
        |channel, output, at| {
            let dx = samples_mut(dx, at, batch);
            dx.fill(T::ZERO);
            each_input(
                geometry,
                output,
                #[inline(always)]
                |from, _| {
                    map_first(
                        simd,
                        len,
                        [&mut *dx],
                        [samples(dy, channel * plane + from, batch)],
                        #[inline(always)]
                        |[dx], [dy]| [dx + dy],
                    );
                },
            );
        },
    );
}

/// From `[N][batch]`, the samples of a value side by side, to one sample after the other.
#[inline(always)]
pub(crate) fn samples_apart<T: Real, const N: usize, const B: usize>(from: &[T], to: &mut [[T; N]; B]) {
    for first in (0..N).step_by(TILE) {
        for (sample, to) in to.iter_mut().enumerate() {
            for (to, from) in to.iter_mut().skip(first).zip(from.chunks_exact(B).skip(first)).take(TILE) {
                *to = from.get(sample).copied().unwrap_or(T::ZERO);
            }
        }
    }
}

/// From one sample after the other to `[N][batch]`, the samples of a value side by side.
#[inline(always)]
pub(crate) fn samples_together<T: Real, const N: usize, const B: usize>(from: &[[T; N]; B], to: &mut [T]) {
    for first in (0..N).step_by(TILE) {
        for (sample, from) in from.iter().enumerate() {
            for (from, to) in from.iter().skip(first).zip(to.chunks_exact_mut(B).skip(first)).take(TILE) {
                if let Some(to) = to.get_mut(sample) {
                    *to = *from;
                }
            }
        }
    }
}

/// So many values of all samples are moved at once, so that they stay in the first cache.
const TILE: usize = 16;

/// In a function of its own, where there are vector registers.
#[inline(always)]
fn apart<S: Simd>(simd: S, work: impl FnOnce()) {
    if SCALAR { work() } else { simd.vectorize(work) }
}
