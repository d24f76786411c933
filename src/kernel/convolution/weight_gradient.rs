//! The gradients by weights and biases, in lanes.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::gather::part;
use super::plain;
use crate::kernel::geometry::Geometry;
use crate::kernel::plan::{CACHED_BYTES, MAX_CHANNELS, MAX_PADDED_SAMPLES, MAX_ROW_TAPS, sums_weights_in_lanes};
use crate::kernel::{MAX_LANES, Register, four_sums_of_16, load, store};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real, SCALAR};
use core::ops::Range;
use fearless_simd::{Simd, SimdBase};

/// In how many sums the gradient by a weight is added up, for a micro-batch with a capacity of `batch` samples: as
/// many as 64 bytes have elements, or the largest power of two that divides the capacity.
#[inline(always)]
pub(crate) const fn parts_of<T>(batch: usize) -> usize {
    let mut parts = 64 / size_of::<T>();
    while !batch.is_multiple_of(parts) {
        parts /= 2;
    }
    parts
}

/// Adds to `gradient`, that of the weights, what `len` samples contribute. The gradients by the outputs of the other
/// samples are zero, and their inputs finite.
///
/// # Shapes
///
/// `x` and `dy` as the input and output of [`convolution`], the gradient as its weights.
#[inline(always)]
pub(crate) fn weight_gradient<S: Simd, T: Real>(
    simd: S,
    geometry: &Geometry,
    len: usize,
    [x, dy]: [&[T]; 2],
    gradient: &mut [T],
) {
    let parts = parts_of::<T>(geometry.batch);
    let in_lanes = sums_weights_in_lanes(geometry);
    if in_lanes && Lanes::<S, T>::LEN <= parts {
        weight_sums::<S, T, Lanes<S, T>>(simd, geometry, len, x, dy, gradient);
    } else if const { !SCALAR && T::Half::<S>::LEN < Lanes::<S, T>::LEN } && in_lanes && T::Half::<S>::LEN <= parts {
        weight_sums::<S, T, T::Half<S>>(simd, geometry, len, x, dy, gradient);
    } else if parts == 1 {
        plain::add_weight_products(geometry, len, x, dy, gradient);
    } else {
        plain::add_weight_sums(geometry, len, parts, x, dy, gradient);
    }
}

/// Adds the sum of each output channel's gradients to `gradient`, that of the bias. The gradients of all samples but the
/// first `len` are zero.
///
/// # Shapes
///
/// `dy`: `[outputs][pixels][batch]`. `gradient`: `[outputs]`.
#[inline(always)]
pub(crate) fn bias_gradient<S: Simd, T: Real>(
    simd: S,
    pixels: usize,
    batch: usize,
    len: usize,
    dy: &[T],
    gradient: &mut [T],
) {
    let (plane, parts) = (pixels * batch, parts_of::<T>(batch));
    if plane == 0 {
        return;
    }
    if !SCALAR && Lanes::<S, T>::LEN <= parts {
        return simd.vectorize(
            #[inline(always)]
            || bias_sums_in_lanes::<S, T, Lanes<S, T>>(simd, parts, plane, dy, gradient),
        );
    }
    if const { !SCALAR && T::Half::<S>::LEN < Lanes::<S, T>::LEN } && T::Half::<S>::LEN <= parts {
        return simd.vectorize(
            #[inline(always)]
            || bias_sums_in_lanes::<S, T, T::Half<S>>(simd, parts, plane, dy, gradient),
        );
    }
    plain::add_bias_sums(pixels, batch, len, parts, dy, gradient);
}

#[inline(always)]
fn bias_sums_in_lanes<S: Simd, T: Real, V: Register<S, T>>(
    simd: S,
    parts: usize,
    plane: usize,
    dy: &[T],
    bias_gradient: &mut [T],
) {
    let zero = V::splat(simd, T::ZERO);
    for (channels, biases) in dy.chunks(4 * plane).zip(bias_gradient.chunks_mut(4)) {
        // Four channels at once, since an addition waits for the one before.
        let mut sums = [[zero; MAX_LANES / 2]; 4];
        let mut slices = [&channels[..plane]; 4];
        for (slice, channel) in slices.iter_mut().zip(channels.chunks_exact(plane)) {
            *slice = channel;
        }
        for register in 0..parts / V::LEN {
            let mut four = [zero; 4];
            let mut at = register * V::LEN;
            while at + V::LEN <= plane {
                for i in 0..4 {
                    four[i] += load::<S, T, V>(simd, &slices[i][..plane][at..]);
                }
                at += parts;
            }
            for i in 0..4 {
                sums[i][register] = four[i];
            }
        }
        for (bias, sum) in biases.iter_mut().zip(four_sums_of_16(sums)) {
            *bias += sum;
        }
    }
}

/// Sums of products that are too many for the registers between rows.
type Sums<T> = [[[T; MAX_LANES]; MAX_ROW_TAPS]; MAX_CHANNELS];

/// Which weights' gradients are summed, and where.
struct WeightPlace {
    /// The first output channel.
    first: usize,
    /// The offset in the source of each tap, for the first output. It may be negative, which wraps.
    offsets: [usize; MAX_ROW_TAPS],
    /// The output columns for which each tap reads an input.
    columns: [[usize; 2]; MAX_ROW_TAPS],
    /// The output columns for which at least one tap reads an input, and those for which all do.
    some_and_all: [[usize; 2]; 2],
    /// Whether these differ.
    edges: bool,
    /// The output rows for which the taps' row reads an input.
    rows: Range<usize>,
    /// The samples of a pixel that are read.
    used: usize,
    parts: usize,
}

/// Whether there are registers for twenty sums.
const fn many_registers<S: Simd, V: SimdBase<S>>() -> bool {
    size_of::<V>() == 64 || cfg!(target_arch = "aarch64")
}

impl WeightPlace {
    #[inline(always)]
    fn compare_columns(&mut self, taps: usize) {
        let ([mut any, mut any_end], [mut all, mut all_end]) = (self.columns[0], self.columns[0]);
        for &[first, end] in &self.columns[..taps] {
            (any, any_end) = (any.min(first), any_end.max(end));
            (all, all_end) = (all.max(first), all_end.min(end));
        }
        if all >= all_end {
            (all, all_end) = (any_end, any_end);
        }
        self.some_and_all = [[any, any_end], [all, all_end]];
        self.edges = any < all || all_end < any_end;
    }
}

#[inline(never)]
fn weight_sums<S: Simd, T: Real, V: Register<S, T>>(
    simd: S,
    geometry: &Geometry,
    len: usize,
    x: &[T],
    dy: &[T],
    gradient: &mut [T],
) {
    simd.vectorize(
        #[inline(always)]
        || weight_sums_in_lanes::<S, T, V>(simd, geometry, len, x, dy, gradient),
    );
}

#[inline(always)]
fn weight_sums_in_lanes<S: Simd, T: Real, V: Register<S, T>>(
    simd: S,
    geometry: &Geometry,
    len: usize,
    x: &[T],
    dy: &[T],
    gradient: &mut [T],
) {
    let batch = geometry.batch;
    let ([rows, columns], [depth, height]) = (geometry.axes(), geometry.channels_of_group());
    let parts = parts_of::<T>(batch);
    let used = len.div_ceil(parts) * parts;
    let used = if used < batch { used } else { batch };
    // Ten to twenty sums are in registers.
    let block = if many_registers::<S, V>() { 4 } else { 2 };
    // The taps of a kernel's row of all channels, one channel after the other.
    let row_taps = depth * columns.kernel;
    let count = row_taps.div_ceil(row_taps.div_ceil(MAX_ROW_TAPS));
    // The gradients of a few output channels are read for all taps before those of the next: they fit into a cache.
    for group in 0..geometry.groups {
        let mut first = 0;
        while first < height {
            let left = if first + block < height { block } else { height - first };
            let channels = if left == 3 { 2 } else { left };
            for i in 0..rows.kernel {
                let mut tap = 0;
                while tap < row_taps {
                    let taps = if tap + count < row_taps { count } else { row_taps - tap };
                    let mut place = WeightPlace {
                        first: group * height + first,
                        offsets: [0; MAX_ROW_TAPS],
                        columns: [[0; 2]; MAX_ROW_TAPS],
                        some_and_all: [[0; 2]; 2],
                        edges: false,
                        rows: rows.outputs_of(i),
                        used,
                        parts,
                    };
                    for t in 0..taps {
                        let (c, j) = ((tap + t) / columns.kernel, (tap + t) % columns.kernel);
                        let plane = (group * depth + c) * geometry.input_plane();
                        let row = (i * rows.dilation).wrapping_sub(rows.padding).wrapping_mul(geometry.size[1]);
                        let pixel = row.wrapping_add((j * columns.dilation).wrapping_sub(columns.padding));
                        place.offsets[t] = plane.wrapping_add(pixel.wrapping_mul(batch));
                        let range = columns.outputs_of(j);
                        place.columns[t] = [range.start, range.end];
                    }
                    place.compare_columns(taps);
                    let mut sums: Sums<T> = [[[T::ZERO; MAX_LANES]; MAX_ROW_TAPS]; MAX_CHANNELS];
                    macro_rules! sums {
                        ($($channels:literal: $($taps:literal)+),+) => {
                            match (channels, taps) {
                                $($(($channels, $taps) => {
                                    rows_of_products::<S, T, V, $channels, $taps>(
                                        simd, geometry, &place, x, dy, &mut sums,
                                    );
                                })+)+
                                _ => {}
                            }
                        };
                    }
                    if const { many_registers::<S, V>() } {
                        sums!(4: 1 2 3 4 5);
                    }
                    sums!(1: 1 2 3 4 5, 2: 1 2 3 4 5);
                    for t in 0..taps {
                        let (c, j) = ((tap + t) / columns.kernel, (tap + t) % columns.kernel);
                        let mut four = [[V::splat(simd, T::ZERO); MAX_LANES / 2]; 4];
                        for d in 0..channels {
                            for register in 0..parts / V::LEN {
                                four[d][register] = load(simd, &sums[d][t][register * V::LEN..]);
                            }
                        }
                        let totals = four_sums_of_16(four);
                        let to = ((i * columns.kernel + j) * depth + c) * geometry.outputs + place.first;
                        for (to, total) in gradient[to..][..channels].iter_mut().zip(totals) {
                            *to += total;
                        }
                    }
                    tap += taps;
                }
            }
            first += channels;
        }
    }
}

/// Adds the products of all rows to the sums.
#[inline(always)]
fn rows_of_products<S: Simd, T: Real, V: Register<S, T>, const CHANNELS: usize, const TAPS: usize>(
    simd: S,
    geometry: &Geometry,
    place: &WeightPlace,
    x: &[T],
    dy: &[T],
    sums: &mut Sums<T>,
) {
    let registers = place.parts / V::LEN;
    let row_bytes = (CHANNELS * geometry.output_size[1] + geometry.size[1]) * geometry.batch * size_of::<T>();
    let rows = if registers == 1 || row_bytes == 0 { usize::MAX } else { (CACHED_BYTES / row_bytes).max(1) };
    // Parts of about the same size.
    let count = place.rows.end - place.rows.start;
    let rows = count.div_ceil(count.div_ceil(rows).max(1));
    let mut first = place.rows.start;
    while first < place.rows.end {
        let end = if rows < place.rows.end - first { first + rows } else { place.rows.end };
        for register in 0..registers {
            let lane = register * V::LEN;
            let mut totals = [[V::splat(simd, T::ZERO); TAPS]; CHANNELS];
            if first > place.rows.start {
                for d in 0..CHANNELS {
                    for t in 0..TAPS {
                        totals[d][t] = load(simd, &sums[d][t][lane..]);
                    }
                }
            }
            some_rows_of_products::<S, T, V, CHANNELS, TAPS>(
                simd,
                geometry,
                place,
                first..end,
                lane,
                [x, dy],
                &mut totals,
            );
            for d in 0..CHANNELS {
                for t in 0..TAPS {
                    store::<S, T, V>(totals[d][t], &mut sums[d][t][lane..]);
                }
            }
        }
        first = end;
    }
}

/// Adds the products of some output rows with what the taps read for them, of one register of each pixel's samples.
#[inline(always)]
fn some_rows_of_products<S: Simd, T: Real, V: Register<S, T>, const CHANNELS: usize, const TAPS: usize>(
    simd: S,
    geometry: &Geometry,
    place: &WeightPlace,
    rows: Range<usize>,
    lane: usize,
    [x, dy]: [&[T]; 2],
    totals: &mut [[V; TAPS]; CHANNELS],
) {
    let (batch, plane, stride) = (geometry.batch, geometry.output_plane(), geometry.stride[1]);
    let (used, parts) = (place.used, place.parts);
    let (dy_step, x_step) = (geometry.output_size[1] * batch, geometry.stride[0] * geometry.size[1] * batch);
    let [[any, any_end], [all, all_end]] = place.some_and_all;
    if any >= any_end {
        return;
    }
    let padding = [T::ZERO; MAX_PADDED_SAMPLES];
    let mut sums = *totals;
    let (mut row, mut column) = (rows.start, any);
    while row < rows.end {
        // All rows at once, or, if taps read padding in some columns, these columns and those between them.
        let (height, width) = if !place.edges {
            (rows.end - row, all_end - all)
        } else if column == all && all < all_end {
            (1, all_end - all)
        } else {
            (1, 1)
        };
        // Pixels side by side are one, unless the kernel leaves some out.
        let side_by_side = width == 1 || (stride == 1 && used == batch);
        let (pixels, samples, pixel_step) =
            if side_by_side { (1, (width - 1) * batch + used, 0) } else { (width, used, stride * batch) };
        // All slices have the same length, so that one comparison is enough for all.
        let dy_length = (height - 1) * dy_step + (pixels - 1) * batch + samples;
        let x_length = (height - 1) * x_step + (pixels - 1) * pixel_step + samples;
        let (mut gradients, mut inputs) = ([&dy[..0]; CHANNELS], [&x[..0]; TAPS]);
        let at = row * dy_step + column * batch;
        for d in 0..CHANNELS {
            gradients[d] = &dy[(place.first + d) * plane + at..][..dy_length];
        }
        let at = row * x_step + column * stride * batch;
        for t in 0..TAPS {
            let [first, end] = place.columns[t];
            inputs[t] = if column >= first && column < end {
                &x[at.wrapping_add(place.offsets[t])..][..x_length]
            } else {
                &padding[..x_length]
            };
        }
        // One loop over all pixels, whose two indices are all that changes: nested ones would move ten pointers.
        let steps = samples >> parts.trailing_zeros();
        let pixel_gaps = [batch.wrapping_sub(steps * parts), pixel_step.wrapping_sub(steps * parts)];
        let row_gaps = [dy_step.wrapping_sub(pixels * batch), x_step.wrapping_sub(pixels * pixel_step)];
        let (mut from, mut to, mut steps_left, mut pixels_left) = (lane, lane, steps, pixels);
        for _ in 0..height * pixels * steps {
            let mut registers = [V::splat(simd, T::ZERO); CHANNELS];
            for d in 0..CHANNELS {
                registers[d] = load(simd, part(gradients[d], from, V::LEN));
            }
            for t in 0..TAPS {
                let element: V = load(simd, part(inputs[t], to, V::LEN));
                for d in 0..CHANNELS {
                    sums[d][t] = mul_add(element, registers[d], sums[d][t]);
                }
            }
            from += parts;
            to += parts;
            steps_left -= 1;
            if steps_left == 0 {
                steps_left = steps;
                from = from.wrapping_add(pixel_gaps[0]);
                to = to.wrapping_add(pixel_gaps[1]);
                pixels_left -= 1;
                if pixels_left == 0 {
                    pixels_left = pixels;
                    from = from.wrapping_add(row_gaps[0]);
                    to = to.wrapping_add(row_gaps[1]);
                }
            }
        }
        column += width;
        if column >= any_end {
            (row, column) = (row + height, any);
        }
    }
    *totals = sums;
}
