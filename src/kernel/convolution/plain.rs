//! The same loops, one element at a time, for a CPU without vector registers, and for sizes that fill no register.

use super::gather::Gather;
use crate::kernel::geometry::{Axis, Geometry};
use crate::kernel::scalar::sum_in_pairs;
use crate::kernel::{Elementwise, MAX_LANES, scalar};
use crate::num::Real;
use fearless_simd::Simd;

/// An output of a convolution in either direction.
#[inline(never)]
pub(in crate::kernel::convolution) fn gathered<S: Simd, T: Real, A: Elementwise>(
    simd: S,
    gather: &Gather<'_, T>,
    result: &mut [T],
) {
    let (geometry, [source_plane, plane], [rows, columns]) = (gather.geometry, gather.planes(), gather.result_size());
    let batch = geometry.batch;
    for group in 0..geometry.groups {
        for channel in 0..gather.height {
            let first = group * gather.height + channel;
            for row in 0..rows {
                for column in 0..columns {
                    let to = first * plane + (row * columns + column) * batch;
                    let taps = taps_of(gather, [row, column]);
                    for sample in 0..gather.len.min(batch) {
                        let mut sum = gather.start_of(first);
                        for c in 0..gather.depth {
                            let source = (group * gather.depth + c) * source_plane + sample;
                            let [by_source, by_result, by_group] = gather.strides;
                            let weight = c * by_source + channel * by_result + group * by_group;
                            sum = match &taps {
                                Some(taps) => add_row_by_row(gather, taps, [source, weight], sum),
                                None => add_taps(gather, [source, weight], [row, column], sum),
                            };
                        }
                        if gather.activated {
                            sum = scalar::value::<S, T, A>(simd, sum);
                        }
                        if let Some(result) = result.get_mut(to + sample) {
                            *result = sum;
                        }
                    }
                }
            }
        }
    }
}

/// So many neighbours in a row, and so many channels, are computed at once, so that each input and each weight is read
/// once for several products.
const COLUMNS: usize = 4;
const CHANNELS: usize = 4;

/// Calls a macro with the channel and the column of each sum of a block.
macro_rules! each_of_16 {
    ($name:ident) => {
        $name!(0 0); $name!(0 1); $name!(0 2); $name!(0 3);
        $name!(1 0); $name!(1 1); $name!(1 2); $name!(1 3);
        $name!(2 0); $name!(2 1); $name!(2 2); $name!(2 3);
        $name!(3 0); $name!(3 1); $name!(3 2); $name!(3 3);
    };
}

/// A convolution of one sample, in blocks of outputs.
#[inline(never)]
pub(in crate::kernel::convolution) fn in_blocks<S: Simd, T: Real, A: Elementwise>(
    simd: S,
    gather: &Gather<'_, T>,
    result: &mut [T],
) {
    let ([rows, columns], axis, height) = (gather.result_size(), gather.axes[1], gather.height);
    for group in 0..gather.geometry.groups {
        for row in 0..rows {
            let mut column = 0;
            while column < columns {
                let Some(taps) = taps_of(gather, [row, column]) else { return };
                // Neighbours for which the same taps read no padding.
                let last = column + COLUMNS - 1;
                let several = axis.stride == 1
                    && axis.dilation == 1
                    && last < columns
                    && taps.counts[1] > 0
                    && range_of(axis, last) == range_of(axis, column);
                let mut channel = 0;
                while channel < height {
                    let at = row * columns + column;
                    if height < CHANNELS {
                        let steps = if several { COLUMNS } else { 1 };
                        for step in 0..steps {
                            block::<S, T, A, 1, 1>(simd, gather, &taps, [group, channel, at, step], result);
                        }
                        channel += 1;
                        continue;
                    }
                    // The last block may begin early, so that it ends with the last channel.
                    let first = if channel + CHANNELS <= height { channel } else { height - CHANNELS };
                    if several {
                        block::<S, T, A, CHANNELS, COLUMNS>(simd, gather, &taps, [group, first, at, 0], result);
                    } else {
                        block::<S, T, A, CHANNELS, 1>(simd, gather, &taps, [group, first, at, 0], result);
                    }
                    channel += CHANNELS;
                }
                column += if several { COLUMNS } else { 1 };
            }
        }
    }
}

/// Some columns of some channels of a group: the group, the first channel, the place in the channel, and how many columns
/// further the block begins.
#[inline(always)]
fn block<S: Simd, T: Real, A: Elementwise, const CHANNELS: usize, const COLUMNS: usize>(
    simd: S,
    gather: &Gather<'_, T>,
    taps: &TapsOfPosition,
    [group, channel, to, step]: [usize; 4],
    result: &mut [T],
) {
    let [source_plane, plane] = gather.planes();
    let first = group * gather.height + channel;
    let mut starts = [T::ZERO; CHANNELS];
    for (d, start) in starts.iter_mut().enumerate() {
        *start = gather.start_of(first + d);
    }
    // Written out, also where a compiler that saves space would leave a loop: so the sums are in registers.
    let mut sums = [[T::ZERO; COLUMNS]; CHANNELS];
    macro_rules! start {
        ($d:literal $c:literal) => {
            if const { $d < CHANNELS && $c < COLUMNS } {
                sums[$d][$c] = starts[$d];
            }
        };
    }
    each_of_16!(start);
    let mut source = group * gather.depth * source_plane + taps.at + step;
    let mut weight = first + taps.weight;
    let ([row_step, tap_step], [weight_row_step, weight_step]) = (taps.steps, taps.weight_steps);
    // The columns of the source from the first tap's first to the last tap's last.
    let span = taps.counts[1] + COLUMNS - 1;
    for _ in 0..gather.depth {
        let (mut source_row, mut weight_row) = (source, weight);
        for _ in 0..taps.counts[0] {
            let mut weights = gather.weight.get(weight_row..).unwrap_or(&[]);
            // What is left of the row is compared with what is needed, and nothing else.
            if const { COLUMNS > 1 } {
                let row = gather.source.get(source_row..).and_then(|rest| rest.get(..span)).unwrap_or(&[]);
                for x in row.windows(COLUMNS) {
                    let (Some(x), Some(factors)) = (x.first_chunk(), weights.first_chunk()) else { break };
                    add_products::<T, CHANNELS, COLUMNS>(x, factors, &mut sums);
                    weights = weights.get(weight_step..).unwrap_or(&[]);
                }
            } else {
                let mut row = gather.source.get(source_row..).unwrap_or(&[]);
                for _ in 0..taps.counts[1] {
                    let (Some(x), Some(factors)) = (row.first_chunk(), weights.first_chunk()) else { break };
                    add_products::<T, CHANNELS, COLUMNS>(x, factors, &mut sums);
                    row = row.get(tap_step..).unwrap_or(&[]);
                    weights = weights.get(weight_step..).unwrap_or(&[]);
                }
            }
            source_row += row_step;
            weight_row += weight_row_step;
        }
        source += source_plane;
        weight += gather.strides[0];
    }
    let mut results = [[T::ZERO; COLUMNS]; CHANNELS];
    macro_rules! finish {
        ($d:literal $c:literal) => {
            if const { $d < CHANNELS && $c < COLUMNS } {
                results[$d][$c] = sums[$d][$c];
            }
        };
    }
    each_of_16!(finish);
    for (d, results) in results.iter().enumerate() {
        let to = (first + d) * plane + to + step;
        let Some(to) = result.get_mut(to..).and_then(|rest| rest.first_chunk_mut::<COLUMNS>()) else { continue };
        for (to, &sum) in to.iter_mut().zip(results) {
            *to = if gather.activated { scalar::value::<S, T, A>(simd, sum) } else { sum };
        }
    }
}

#[inline(always)]
fn add_products<T: Real, const CHANNELS: usize, const COLUMNS: usize>(
    x: &[T; COLUMNS],
    weights: &[T; CHANNELS],
    sums: &mut [[T; COLUMNS]; CHANNELS],
) {
    macro_rules! product {
        ($d:literal $c:literal) => {
            if const { $d < CHANNELS && $c < COLUMNS } {
                sums[$d][$c] += x[$c] * weights[$d];
            }
        };
    }
    each_of_16!(product);
}

/// The taps of a convolution that read no padding at some position: those of a rectangle.
struct TapsOfPosition {
    /// The first element that is read, in a channel of the source, and the distances of rows and columns.
    at: usize,
    steps: [usize; 2],
    /// The same in the weights.
    weight: usize,
    weight_steps: [usize; 2],
    /// How many rows and columns there are.
    counts: [usize; 2],
}

/// The taps at a position, except those of a transposed convolution.
#[inline(always)]
fn taps_of<T: Real>(gather: &Gather<'_, T>, position: [usize; 2]) -> Option<TapsOfPosition> {
    if gather.transposed {
        return None;
    }
    let ([rows, columns], batch) = (gather.axes, gather.geometry.batch);
    let ((first_row, row_count), (first_column, column_count)) =
        (range_of(rows, position[0]), range_of(columns, position[1]));
    let row = rows.input(position[0], first_row).unwrap_or(0);
    let column = columns.input(position[1], first_column).unwrap_or(0);
    let tap_size = weights_of_tap(gather);
    Some(TapsOfPosition {
        at: (row * columns.length + column) * batch,
        steps: [rows.dilation * columns.length * batch, columns.dilation * batch],
        weight: (first_row * columns.kernel + first_column) * tap_size,
        weight_steps: [columns.kernel * tap_size, tap_size],
        counts: [row_count, column_count],
    })
}

/// The first tap that reads an input for an output, and how many do.
#[inline(always)]
fn range_of(axis: Axis, output: usize) -> (usize, usize) {
    let mut first = 0;
    while first < axis.kernel && axis.input(output, first).is_none() {
        first += 1;
    }
    let mut end = first;
    while end < axis.kernel && axis.input(output, end).is_some() {
        end += 1;
    }
    (first, end - first)
}

/// Adds the products of one channel of the source.
#[inline(always)]
fn add_row_by_row<T: Real>(
    gather: &Gather<'_, T>,
    taps: &TapsOfPosition,
    [source, weight]: [usize; 2],
    mut sum: T,
) -> T {
    let (mut source, mut weight) = (source + taps.at, weight + taps.weight);
    for _ in 0..taps.counts[0] {
        let (mut at, mut weight_at) = (source, weight);
        for _ in 0..taps.counts[1] {
            if let (Some(&x), Some(&weight)) = (gather.source.get(at), gather.weight.get(weight_at)) {
                sum += x * weight;
            }
            at += taps.steps[1];
            weight_at += taps.weight_steps[1];
        }
        source += taps.steps[0];
        weight += taps.weight_steps[0];
    }
    sum
}

/// Adds the products of one channel of the source.
#[inline(always)]
fn add_taps<T: Real>(gather: &Gather<'_, T>, [source, weight]: [usize; 2], [row, column]: [usize; 2], mut sum: T) -> T {
    let geometry = gather.geometry;
    // The transposed weights of a group's channels are one after the other only in their own layout.
    let tap_size = weights_of_tap(gather);
    for i in 0..geometry.kernel[0] {
        let Some(source_row) = gather.source_of(0, row, i) else { continue };
        for j in 0..geometry.kernel[1] {
            let Some(source_column) = gather.source_of(1, column, j) else { continue };
            let at = source + (source_row * gather.source_columns() + source_column) * geometry.batch;
            let weight = weight + (i * geometry.kernel[1] + j) * tap_size;
            if let (Some(&x), Some(&weight)) = (gather.source.get(at), gather.weight.get(weight)) {
                sum += x * weight;
            }
        }
    }
    sum
}

#[inline(always)]
fn weights_of_tap<T: Real>(gather: &Gather<'_, T>) -> usize {
    let [depth, _] = gather.geometry.channels_of_group();
    depth * gather.geometry.outputs
}

/// Adds the products of all outputs and taps to the gradient, one after the other.
#[inline(never)]
pub(in crate::kernel::convolution) fn add_weight_products<T: Real>(
    geometry: &Geometry,
    len: usize,
    x: &[T],
    dy: &[T],
    gradient: &mut [T],
) {
    each_weight(
        geometry,
        #[inline(always)]
        |to, positions| {
            let Some(to) = gradient.get_mut(to) else { return };
            for_products(geometry, len, positions, x, dy, |_, product| *to += product);
        },
    );
}

/// Adds the products of all outputs and taps to the gradient, in several sums.
#[inline(never)]
pub(in crate::kernel::convolution) fn add_weight_sums<T: Real>(
    geometry: &Geometry,
    len: usize,
    parts: usize,
    x: &[T],
    dy: &[T],
    gradient: &mut [T],
) {
    each_weight(
        geometry,
        #[inline(always)]
        |to, positions| {
            let Some(to) = gradient.get_mut(to) else { return };
            let mut sums = [T::ZERO; MAX_LANES];
            for_products(geometry, len, positions, x, dy, |sample, product| {
                if let Some(sum) = sums.get_mut(sample & (parts - 1)) {
                    *sum += product;
                }
            });
            *to += sum_in_pairs(sums, MAX_LANES);
        },
    );
}

/// Calls `add` for each weight, with its index, and with its input channel, output channel and tap.
#[inline(always)]
fn each_weight(geometry: &Geometry, mut add: impl FnMut(usize, [usize; 4])) {
    let [depth, height] = geometry.channels_of_group();
    let mut to = 0;
    for i in 0..geometry.kernel[0] {
        for j in 0..geometry.kernel[1] {
            for c in 0..depth {
                for group in 0..geometry.groups {
                    for d in 0..height {
                        add(to, [group * depth + c, group * height + d, i, j]);
                        to += 1;
                    }
                }
            }
        }
    }
}

/// Calls `add` with each sample and its product of an input and a gradient.
#[inline(always)]
fn for_products<T: Real>(
    geometry: &Geometry,
    len: usize,
    [channel, output, i, j]: [usize; 4],
    x: &[T],
    dy: &[T],
    mut add: impl FnMut(usize, T),
) {
    let ([rows, columns], batch) = (geometry.axes(), geometry.batch);
    for row in 0..rows.outputs {
        let Some(input_row) = rows.input(row, i) else { continue };
        for column in 0..columns.outputs {
            let Some(input_column) = columns.input(column, j) else { continue };
            let from = channel * geometry.input_plane() + (input_row * columns.length + input_column) * batch;
            let at = output * geometry.output_plane() + (row * columns.outputs + column) * batch;
            let (Some(x), Some(dy)) = (x.get(from..), dy.get(at..)) else { continue };
            for (sample, (x, dy)) in x.iter().zip(dy).enumerate().take(len.min(batch)) {
                add(sample, *x * *dy);
            }
        }
    }
}

/// Adds the sum of each output channel's gradients to the bias.
#[inline(never)]
pub(in crate::kernel::convolution) fn add_bias_sums<T: Real>(
    pixels: usize,
    batch: usize,
    len: usize,
    parts: usize,
    dy: &[T],
    bias_gradient: &mut [T],
) {
    let plane = pixels * batch;
    for (channel, bias) in bias_gradient.iter_mut().enumerate() {
        let mut sums = [T::ZERO; MAX_LANES];
        for pixel in 0..pixels {
            let Some(samples) = dy.get(channel * plane + pixel * batch..) else { continue };
            for (sample, value) in samples.iter().enumerate().take(len.min(batch)) {
                if parts == 1 {
                    *bias += *value;
                } else if let Some(sum) = sums.get_mut(sample & (parts - 1)) {
                    *sum += *value;
                }
            }
        }
        if parts > 1 {
            *bias += sum_in_pairs(sums, MAX_LANES);
        }
    }
}
