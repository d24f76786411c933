//! Convolutions of images, direct and in both directions, and their gradients.
//!
//! Images of a micro-batch are stored as `[channels][rows][columns][samples]`, so that the samples of a pixel are
//! side by side; of one sample that is `[channels][rows][columns]`. A kernel is stored as
//! `[kernel rows][kernel columns][input channels of a group][output channels]`. Sizes are values and not constants, so
//! that these loops are compiled once for each scalar type, instruction set and activation, and not for each layer.
//!
//! Lanes run along what is contiguous: samples, and neighbouring pixels of a row as long as the same taps of the
//! kernel reach into the image there. Where that is too short for a register, they run across output channels.
//!
//! # Order of summation
//!
//! It depends only on sizes, so that every instruction set computes the same bits without FMA.
//!
//! * An output: the bias, then the products by input channel, kernel row, kernel column.
//! * The gradient by an input: zero, then the products by output channel, kernel row, kernel column.
//! * The gradient by a weight, or by a bias: as many sums as 64 bytes have elements, or fewer, so that they divide the
//!   capacity of the micro-batch ([`parts_of`]). The first sum has the first sample, and so on in turn, each by output
//!   row, output column, sample. They are added in pairs, the first to the ninth, and the total is added to the
//!   gradient. With one sum, every product is added to the gradient itself.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::scalar::sum_in_pairs;
use super::{Elementwise, MAX_LANES, Register, four_sums_of_16, load, load_part, scalar, store};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real, SCALAR};
use core::ops::Range;
use fearless_simd::{Simd, SimdBase};

/// The sizes of a convolution. In pairs: rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The capacity of the micro-batch.
    pub batch: usize,
    /// The input's channels.
    pub channels: usize,
    /// The output's channels.
    pub outputs: usize,
    /// The input's size.
    pub size: [usize; 2],
    /// The output's size.
    pub output_size: [usize; 2],
    /// The kernel's size.
    pub kernel: [usize; 2],
    /// The distance between neighbouring positions of the kernel.
    pub stride: [usize; 2],
    /// How many zeros the image is extended by on each side.
    pub padding: [usize; 2],
    /// The distance between neighbouring taps of the kernel.
    pub dilation: [usize; 2],
    /// Into how many groups the channels are divided. An output channel depends only on the inputs of its group.
    pub groups: usize,
}

impl Geometry {
    #[inline(always)]
    pub(super) fn axes(&self) -> [Axis; 2] {
        [self.axis::<0>(), self.axis::<1>()]
    }

    #[inline(always)]
    fn axis<const AXIS: usize>(&self) -> Axis {
        Axis {
            length: self.size[AXIS],
            outputs: self.output_size[AXIS],
            kernel: self.kernel[AXIS],
            stride: self.stride[AXIS],
            padding: self.padding[AXIS],
            dilation: self.dilation[AXIS],
        }
    }

    /// The input channels of a group, and its output channels.
    #[inline(always)]
    fn channels_of_group(&self) -> [usize; 2] {
        if self.groups == 1 {
            return [self.channels, self.outputs];
        }
        [self.channels.checked_div(self.groups).unwrap_or(0), self.outputs.checked_div(self.groups).unwrap_or(0)]
    }

    #[inline(always)]
    pub(super) fn input_plane(&self) -> usize {
        self.size[0] * self.size[1] * self.batch
    }

    #[inline(always)]
    fn output_plane(&self) -> usize {
        self.output_size[0] * self.output_size[1] * self.batch
    }
}

/// One of the two directions of a convolution or pooling.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// The number of inputs.
    pub length: usize,
    /// The number of outputs.
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Axis {
    /// The input that tap `tap` reads for an output, if it is not padding.
    #[inline(always)]
    pub(super) fn input(self, output: usize, tap: usize) -> Option<usize> {
        let input = (output * self.stride + tap * self.dilation).checked_sub(self.padding)?;
        if input < self.length { Some(input) } else { None }
    }

    /// The output for which tap `tap` reads an input, if there is one.
    #[inline(always)]
    fn output(self, input: usize, tap: usize) -> Option<usize> {
        let place = (input + self.padding).checked_sub(tap * self.dilation)?;
        let output = if self.stride == 1 {
            place
        } else if place.checked_rem(self.stride)? == 0 {
            place.checked_div(self.stride)?
        } else {
            return None;
        };
        if output < self.outputs { Some(output) } else { None }
    }

    /// The outputs for which tap `tap` reads an input and not padding.
    #[inline(always)]
    fn outputs_of(self, tap: usize) -> Range<usize> {
        let (shift, stride) = (tap * self.dilation, self.stride.max(1));
        let first = self.padding.saturating_sub(shift).div_ceil(stride);
        let end = (self.length + self.padding).saturating_sub(shift).div_ceil(stride);
        let end = if end < self.outputs { end } else { self.outputs };
        if first < end { first..end } else { self.outputs..self.outputs }
    }
}

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

/// Sets the first `len` samples of `y` to the convolution of those of `x`, or to the value of the activation `A` there.
/// What the other samples become is unspecified.
///
/// # Shapes
///
/// `x`: `[channels][rows][columns][batch]`. `weight`: `[kernel rows][kernel columns][channels / groups][outputs]`.
/// `bias`: `[outputs]`. `y`: `[outputs][output rows][output columns][batch]`.
#[inline(always)]
pub(crate) fn convolution<S: Simd, T: Real, A: Elementwise>(
    simd: S,
    geometry: &Geometry,
    len: usize,
    [x, weight, bias]: [&[T]; 3],
    activated: bool,
    y: &mut [T],
) {
    let [depth, height] = geometry.channels_of_group();
    let gather = Gather {
        geometry,
        axes: geometry.axes(),
        transposed: false,
        len,
        depth,
        height,
        source: x,
        weight,
        strides: [geometry.outputs, 1, height],
        start: bias,
        activated,
    };
    // Known to the compiler, so that the other is not in the program.
    if SCALAR && geometry.batch == 1 {
        return plain::in_blocks::<S, T, A>(simd, &gather, y);
    }
    gathered::<S, T, A>(simd, &gather, y);
}

/// The transpose of [`convolution`]: from an image with the size of its output to one with the size of its input.
/// Without an activation and a bias (an empty slice), it is the gradient by the inputs: `x` is then the gradient by the
/// outputs, and `y` the result.
///
/// `reordered` is as long as `weight`. A CPU without vector registers does not need it; it may be empty there.
///
/// # Shapes
///
/// `x`: `[outputs][output rows][output columns][batch]`. `weight`: as in [`convolution`]. `bias`: `[channels]`, or
/// empty. `y`: `[channels][rows][columns][batch]`.
#[inline(always)]
pub(crate) fn transposed_convolution<S: Simd, T: Real, A: Elementwise>(
    simd: S,
    geometry: &Geometry,
    len: usize,
    [x, weight, bias]: [&[T]; 3],
    reordered: &mut [T],
    activated: bool,
    y: &mut [T],
) {
    let [height, depth] = geometry.channels_of_group();
    // Without vector registers the weights are read where they are; otherwise a register's outputs are side by side.
    let (weight, strides) = if SCALAR {
        (weight, [1, geometry.outputs, depth])
    } else {
        reorder(geometry, weight, reordered);
        (&*reordered, [geometry.channels, 1, height])
    };
    let gather = Gather {
        geometry,
        axes: geometry.axes(),
        transposed: true,
        len,
        depth,
        height,
        source: x,
        weight,
        strides,
        start: bias,
        activated,
    };
    gathered::<S, T, A>(simd, &gather, y);
}

/// From `[tap][input channel of a group][output channel]` to `[tap][output channel of a group][input channel]`.
fn reorder<T: Real>(geometry: &Geometry, weight: &[T], reordered: &mut [T]) {
    let [depth, height] = geometry.channels_of_group();
    let (channels, outputs) = (geometry.channels, geometry.outputs);
    if depth * height == 0 {
        return;
    }
    for (from, to) in weight.chunks_exact(depth * outputs).zip(reordered.chunks_exact_mut(height * channels)) {
        for (row, to) in to.chunks_exact_mut(channels).enumerate() {
            for group in 0..geometry.groups {
                for c in 0..depth {
                    to[group * depth + c] = from[c * outputs + group * height + row];
                }
            }
        }
    }
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
    let in_lanes = !SCALAR && (geometry.padding == [0; 2] || geometry.batch <= MAX_PADDED_SAMPLES);
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

/// A convolution in either direction: every element of the result is a sum over channels and taps of the source.
struct Gather<'a, T> {
    geometry: &'a Geometry,
    axes: [Axis; 2],
    /// Whether the source has the size of the output.
    transposed: bool,
    len: usize,
    /// The source's channels in a group.
    depth: usize,
    /// The result's channels in a group.
    height: usize,
    source: &'a [T],
    weight: &'a [T],
    /// The distances of weights: between neighbouring channels of the source, of the result, and between groups.
    strides: [usize; 3],
    /// What each channel's sum starts with; zero if empty.
    start: &'a [T],
    activated: bool,
}

impl<T: Real> Gather<'_, T> {
    /// The number of elements of a channel of the source, and of the result.
    #[inline(always)]
    fn planes(&self) -> [usize; 2] {
        let (input, output) = (self.geometry.input_plane(), self.geometry.output_plane());
        if self.transposed { [output, input] } else { [input, output] }
    }

    #[inline(always)]
    fn result_size(&self) -> [usize; 2] {
        if self.transposed { self.geometry.size } else { self.geometry.output_size }
    }

    #[inline(always)]
    fn source_columns(&self) -> usize {
        if self.transposed { self.geometry.output_size[1] } else { self.geometry.size[1] }
    }

    /// The source's row or column that a tap connects with one of the result.
    #[inline(always)]
    fn source_of(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        if self.transposed { self.axes[axis].output(position, tap) } else { self.axes[axis].input(position, tap) }
    }

    /// A row or column of the source that moves with the position as the taps do. Positions with the same taps have
    /// the same distances from it.
    #[inline(always)]
    fn base(&self, axis: usize, position: usize) -> usize {
        let stride = self.axes[axis].stride;
        if self.transposed {
            if stride == 1 { position } else { position.checked_div(stride).unwrap_or(0) }
        } else {
            position * stride
        }
    }

    #[inline(always)]
    fn start_of(&self, channel: usize) -> T {
        self.start.get(channel).copied().unwrap_or(T::ZERO)
    }
}

/// Kernels with more taps, or more in a row or column, are computed without vector registers.
const MAX_TAPS: usize = 256;
const MAX_TAPS_OF_AXIS: usize = 32;

/// So many taps are listed, of several channels if need be: a loop over few taps costs more than their products.
const LISTED_TAPS: usize = 32;

/// The taps of an axis that reach into the source at some position.
struct AxisTaps {
    /// Each tap's offset in the source, relative to [`Gather::base`], and in the weights.
    list: [[usize; 2]; MAX_TAPS_OF_AXIS],
    len: usize,
    /// One bit for each tap that is listed.
    mask: u32,
}

impl AxisTaps {
    const EMPTY: Self = AxisTaps { list: [[0; 2]; MAX_TAPS_OF_AXIS], len: 0, mask: 0 };

    /// Lists the taps of axis `AXIS` at a position. Steps from tap to tap are `step` in the source, `weights` in the weights.
    #[inline(always)]
    fn list<T: Real>(&mut self, gather: &Gather<'_, T>, axis: usize, position: usize, step: usize, weights: usize) {
        let base = gather.base(axis, position);
        (self.len, self.mask) = (0, 0);
        for tap in 0..gather.axes[axis].kernel {
            if let Some(source) = gather.source_of(axis, position, tap)
                && self.len < MAX_TAPS_OF_AXIS
            {
                self.list[self.len] = [source.wrapping_sub(base).wrapping_mul(step), tap * weights];
                self.len += 1;
                self.mask |= 1 << tap;
            }
        }
    }
}

/// The taps that reach into the source at some position, of one channel or several: where they are in the source, and
/// in the weights.
struct Taps {
    list: [[usize; 2]; MAX_TAPS],
    per_channel: usize,
    channels: usize,
    /// The masks of rows and columns for which the list was made.
    masks: Option<[u32; 2]>,
}

impl Taps {
    /// Lists the taps at a position, if they are not the same as before.
    #[inline(always)]
    fn fill<T: Real>(&mut self, gather: &Gather<'_, T>, rows: &AxisTaps, columns: &AxisTaps) {
        let masks = [rows.mask, columns.mask];
        if self.masks == Some(masks) {
            return;
        }
        self.masks = Some(masks);
        let mut count = 0;
        for &[row, weights] in &rows.list[..rows.len] {
            for &[column, weight] in &columns.list[..columns.len] {
                if count < MAX_TAPS {
                    self.list[count] = [row.wrapping_add(column), weights + weight];
                    count += 1;
                }
            }
        }
        self.per_channel = count;
        let channels = LISTED_TAPS.checked_div(count).unwrap_or(1);
        self.channels = channels.clamp(1, gather.depth.max(1));
        let (plane, weights) = (gather.planes()[0], gather.strides[0]);
        for entry in count..count * self.channels {
            let [at, weight] = self.list[entry - count];
            self.list[entry] = [at.wrapping_add(plane), weight + weights];
        }
    }
}

#[inline(never)]
fn gathered<S: Simd, T: Real, A: Elementwise>(simd: S, gather: &Gather<'_, T>, result: &mut [T]) {
    let [rows, columns] = gather.geometry.kernel;
    if SCALAR || rows > MAX_TAPS_OF_AXIS || columns > MAX_TAPS_OF_AXIS || rows * columns > MAX_TAPS {
        return plain::gathered::<S, T, A>(simd, gather, result);
    }
    simd.vectorize(
        #[inline(always)]
        || in_runs::<S, T, A>(simd, gather, result),
    );
}

/// Row by row, in runs of elements that have the same taps.
#[inline(always)]
fn in_runs<S: Simd, T: Real, A: Elementwise>(simd: S, gather: &Gather<'_, T>, result: &mut [T]) {
    let (geometry, lanes) = (gather.geometry, Lanes::<S, T>::LEN);
    let [rows, columns] = gather.result_size();
    // The samples of a pixel that are computed.
    let used = gather.len.div_ceil(lanes) * lanes;
    let used = if used < geometry.batch { used } else { geometry.batch };
    // The pixels of a row where all taps reach into the source.
    let mut inner = 0..0;
    if gather.axes[1].stride == 1 && used == geometry.batch {
        let all = |column: usize| {
            (gather.source_of(1, column, 0).is_some())
                && (gather.source_of(1, column, gather.axes[1].kernel - 1).is_some())
        };
        while inner.start < columns && !all(inner.start) {
            inner.start += 1;
        }
        inner.end = inner.start;
        while inner.end < columns && all(inner.end) {
            inner.end += 1;
        }
    }
    let mut taps = Taps { list: [[0; 2]; MAX_TAPS], per_channel: 0, channels: 1, masks: None };
    let (mut row_taps, mut column_taps) = (AxisTaps::EMPTY, AxisTaps::EMPTY);
    let weights = gather.depth * gather.strides[0];
    let source_row = gather.source_columns() * geometry.batch;
    for row in 0..rows {
        row_taps.list(gather, 0, row, source_row, geometry.kernel[1] * weights);
        let mut column = 0;
        while column < columns {
            let pixels = if column == inner.start && inner.end > column { inner.end - column } else { 1 };
            column_taps.list(gather, 1, column, geometry.batch, weights);
            taps.fill(gather, &row_taps, &column_taps);
            let run = Run {
                base: gather.base(0, row) * source_row + gather.base(1, column) * geometry.batch,
                begin: (row * columns + column) * geometry.batch,
                len: if pixels == 1 { used } else { pixels * geometry.batch },
            };
            run_of_elements::<S, T, A>(simd, gather, &taps, run, result);
            column += pixels;
        }
    }
}

/// Elements side by side in every channel of the result, and of the source for each tap.
#[derive(Clone, Copy)]
struct Run {
    /// Where the taps' offsets in a channel of the source begin.
    base: usize,
    /// The first element in a channel of the result.
    begin: usize,
    len: usize,
}

/// How many of the result's channels are computed at once, with two registers of elements each: their sums are in
/// registers.
const fn block_size<S: Simd, T: Real>() -> usize {
    if size_of::<Lanes<S, T>>() == 64 || cfg!(target_arch = "aarch64") { 8 } else { 6 }
}

#[inline(always)]
fn run_of_elements<S: Simd, T: Real, A: Elementwise>(
    simd: S,
    gather: &Gather<'_, T>,
    taps: &Taps,
    run: Run,
    result: &mut [T],
) {
    let (lanes, half) = (Lanes::<S, T>::LEN, T::Half::<S>::LEN);
    let height = gather.height;
    // Across channels where that takes fewer registers, or as many of a run that has but one for each channel: there are
    // more sums then, which wait for each other less.
    let (of_channels, of_elements) = (run.len * height.div_ceil(lanes), height * run.len.div_ceil(lanes));
    let is_short = run.len <= lanes && of_channels <= of_elements;
    if run.len < half.min(lanes) || of_channels < of_elements || is_short {
        return across_channels::<S, T, A>(simd, gather, taps, run, result);
    }
    // Blocks of about the same size.
    let size = height.div_ceil(height.div_ceil(block_size::<S, T>()));
    let size = if size == 5 || size == 7 { size + 1 } else { size };
    macro_rules! elements {
        ($register:ty, $registers:literal, $element:expr) => {
            for group in 0..gather.geometry.groups {
                let mut first = 0;
                while first < height {
                    let left = if first + size < height { size } else { height - first };
                    let place = Place { group, first: group * height + first, element: $element, run };
                    macro_rules! channels {
                        ($channels:literal) => {{
                            some_elements::<S, T, A, $register, $channels, $registers>(
                                simd, gather, taps, place, result,
                            );
                            first += $channels;
                        }};
                    }
                    match left {
                        8.. if const { block_size::<S, T>() >= 8 } => channels!(8),
                        6 | 8.. => channels!(6),
                        4 | 7 => channels!(4),
                        3 | 5 => channels!(3),
                        2 => channels!(2),
                        _ => channels!(1),
                    }
                }
            }
        };
    }
    // The last registers may start early, so that they end with the last element.
    let mut element = 0;
    if run.len >= 2 * lanes {
        while element + lanes < run.len {
            let begin = if element + 2 * lanes <= run.len { element } else { run.len - 2 * lanes };
            elements!(Lanes<S, T>, 2, begin);
            element += 2 * lanes;
        }
        if element < run.len {
            elements!(Lanes<S, T>, 1, run.len - lanes);
        }
    } else if run.len >= lanes {
        while element < run.len {
            let begin = if element + lanes <= run.len { element } else { run.len - lanes };
            elements!(Lanes<S, T>, 1, begin);
            element += lanes;
        }
    } else if const { T::Half::<S>::LEN < Lanes::<S, T>::LEN } {
        while element < run.len {
            let begin = if element + half <= run.len { element } else { run.len - half };
            elements!(T::Half<S>, 1, begin);
            element += half;
        }
    }
}

/// Which elements of a run, and of which channels, are computed.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    /// The first channel of the result.
    first: usize,
    element: usize,
    run: Run,
}

/// Some registers of elements of a run, of some channels of the result.
#[inline(always)]
fn some_elements<S: Simd, T: Real, A: Elementwise, V: Register<S, T>, const CHANNELS: usize, const REGISTERS: usize>(
    simd: S,
    gather: &Gather<'_, T>,
    taps: &Taps,
    place: Place,
    result: &mut [T],
) {
    let [source_plane, plane] = gather.planes();
    let (sources, weights, depth, by_source) = (gather.source, gather.weight, gather.depth, gather.strides[0]);
    let mut sums = [[V::splat(simd, T::ZERO); REGISTERS]; CHANNELS];
    for d in 0..CHANNELS {
        sums[d] = [V::splat(simd, gather.start_of(place.first + d)); REGISTERS];
    }
    let mut base = place.group * depth * source_plane + place.run.base + place.element;
    let (mut first, mut channel) = (place.first, 0);
    while channel < depth {
        let count = if channel + taps.channels < depth { taps.channels } else { depth - channel };
        for &[at, weight] in &taps.list[..count * taps.per_channel] {
            let source = part(sources, base.wrapping_add(at), REGISTERS * V::LEN);
            let weights = part(weights, first + weight, CHANNELS);
            let mut elements = [V::splat(simd, T::ZERO); REGISTERS];
            for r in 0..REGISTERS {
                elements[r] = load(simd, &source[r * V::LEN..]);
            }
            for d in 0..CHANNELS {
                let weight = V::splat(simd, weights[d]);
                for r in 0..REGISTERS {
                    sums[d][r] = mul_add(elements[r], weight, sums[d][r]);
                }
            }
        }
        channel += count;
        base += count * source_plane;
        first += count * by_source;
    }
    for d in 0..CHANNELS {
        let to = &mut result[(place.first + d) * plane + place.run.begin + place.element..][..REGISTERS * V::LEN];
        for r in 0..REGISTERS {
            let sum = if gather.activated { activate::<S, T, A, V>(simd, sums[d][r]) } else { sums[d][r] };
            store::<S, T, V>(sum, &mut to[r * V::LEN..]);
        }
    }
}

/// A part of a slice, found with a single comparison.
#[inline(always)]
fn part<T>(slice: &[T], first: usize, len: usize) -> &[T] {
    if len <= slice.len() && first <= slice.len() - len { &slice[first..][..len] } else { &[] }
}

/// The value of the activation `A` in each lane.
#[inline(always)]
fn activate<S: Simd, T: Real, A: Elementwise, V: Register<S, T>>(simd: S, x: V) -> V {
    V::from_slice(simd, &A::value::<S, T>(simd, load_part(simd, x.as_slice())).as_slice()[..V::LEN])
}

/// A run of elements, lanes across the result's channels.
#[inline(always)]
fn across_channels<S: Simd, T: Real, A: Elementwise>(
    simd: S,
    gather: &Gather<'_, T>,
    taps: &Taps,
    run: Run,
    result: &mut [T],
) {
    let lanes = Lanes::<S, T>::LEN;
    for group in 0..gather.geometry.groups {
        for first in (0..gather.height).step_by(lanes) {
            let count = if first + lanes < gather.height { lanes } else { gather.height - first };
            let mut element = 0;
            macro_rules! elements {
                ($elements:literal) => {
                    #[allow(clippy::int_plus_one, reason = "for one element as for several")]
                    while element + $elements <= run.len {
                        let place = Place { group, first: group * gather.height + first, element, run };
                        some_channels::<S, T, A, $elements>(simd, gather, taps, place, count, result);
                        element += $elements;
                    }
                };
            }
            elements!(8);
            elements!(4);
            elements!(2);
            elements!(1);
        }
    }
}

/// A register that begins with the elements of a slice, whatever is behind them.
#[inline(always)]
fn at_least_part<S: Simd, T: Real>(simd: S, from: &[T]) -> Lanes<S, T> {
    if from.len() >= Lanes::<S, T>::LEN { load(simd, from) } else { load_part(simd, from) }
}

/// A register of channels, `count` of them in use, of some elements of a run.
#[inline(always)]
fn some_channels<S: Simd, T: Real, A: Elementwise, const ELEMENTS: usize>(
    simd: S,
    gather: &Gather<'_, T>,
    taps: &Taps,
    place: Place,
    count: usize,
    result: &mut [T],
) {
    let [source_plane, plane] = gather.planes();
    let start = if gather.start.is_empty() { &[] } else { &gather.start[place.first..] };
    let start = at_least_part::<S, T>(simd, start);
    let mut sums = [start; ELEMENTS];
    let (sources, weights, depth, by_source) = (gather.source, gather.weight, gather.depth, gather.strides[0]);
    let mut base = place.group * depth * source_plane + place.run.base + place.element;
    let (mut first, mut channel) = (place.first, 0);
    while channel < depth {
        let count = if channel + taps.channels < depth { taps.channels } else { depth - channel };
        for &[at, weight] in &taps.list[..count * taps.per_channel] {
            let source = &sources[base.wrapping_add(at)..][..ELEMENTS];
            let weights = at_least_part::<S, T>(simd, &weights[first + weight..]);
            for e in 0..ELEMENTS {
                sums[e] = mul_add(weights, Lanes::<S, T>::splat(simd, source[e]), sums[e]);
            }
        }
        channel += count;
        base += count * source_plane;
        first += count * by_source;
    }
    let mut columns = [[T::ZERO; MAX_LANES]; ELEMENTS];
    for e in 0..ELEMENTS {
        let sum = if gather.activated { A::value::<S, T>(simd, sums[e]) } else { sums[e] };
        store::<S, T, _>(sum, &mut columns[e]);
    }
    for d in 0..count {
        let to = &mut result[(place.first + d) * plane + place.run.begin + place.element..][..ELEMENTS];
        for e in 0..ELEMENTS {
            to[e] = columns[e][d];
        }
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

/// The gradient by the weights of `CHANNELS` output channels and `TAPS` taps in a row of the kernel, or of several input
/// channels, is summed at once.
const MAX_CHANNELS: usize = 4;
const MAX_ROW_TAPS: usize = 5;

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

/// Images that are padded have micro-batches of up to so many samples, or their gradients are summed without registers.
const MAX_PADDED_SAMPLES: usize = 64;

/// So many bytes of inputs and gradients stay in the first cache while they are read once for each register of sums.
const CACHED_BYTES: usize = 30 << 10;

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

/// The same, one element at a time, for a CPU without vector registers, and for sizes that fill no register.
mod plain {
    use super::*;

    /// An output of a convolution in either direction.
    #[inline(never)]
    pub(super) fn gathered<S: Simd, T: Real, A: Elementwise>(simd: S, gather: &Gather<'_, T>, result: &mut [T]) {
        let (geometry, [source_plane, plane], [rows, columns]) =
            (gather.geometry, gather.planes(), gather.result_size());
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
    pub(super) fn in_blocks<S: Simd, T: Real, A: Elementwise>(simd: S, gather: &Gather<'_, T>, result: &mut [T]) {
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
    fn add_taps<T: Real>(
        gather: &Gather<'_, T>,
        [source, weight]: [usize; 2],
        [row, column]: [usize; 2],
        mut sum: T,
    ) -> T {
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
    pub(super) fn add_weight_products<T: Real>(geometry: &Geometry, len: usize, x: &[T], dy: &[T], gradient: &mut [T]) {
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
    pub(super) fn add_weight_sums<T: Real>(
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
    pub(super) fn add_bias_sums<T: Real>(
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
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::num::dispatch::dispatch;
    use crate::num::dispatch::tests::levels;
    use rand::rngs::Xoshiro128PlusPlus;
    use rand::{Rng, SeedableRng};
    use std::vec::Vec;
    extern crate std;

    /// Negative values become zero.
    struct Ramp;

    impl Elementwise for Ramp {
        const SHORT: bool = true;

        #[inline(always)]
        fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
            x.max(Lanes::<S, T>::splat(simd, T::ZERO))
        }

        fn backward<S: Simd, T: Real>(_: S, dy: Lanes<S, T>, _: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
            dy
        }
    }

    fn below(rng: &mut impl Rng, end: usize) -> usize {
        (rng.next_u32() as usize) % end
    }

    fn values<T: Real>(rng: &mut impl Rng, count: usize) -> Vec<T> {
        (0..count).map(|_| T::of(f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0)).collect()
    }

    /// Any geometry that has at least one output.
    fn any_geometry(rng: &mut impl Rng) -> Geometry {
        let groups = 1 + below(rng, 3);
        let most = [20, 5, 5][below(rng, 3)];
        let batches = [1, 1, 2, 3, 4, 8, 16, 24, 32];
        let mut geometry = Geometry {
            batch: batches[below(rng, batches.len())],
            channels: groups * (1 + below(rng, 5)),
            outputs: groups * (1 + below(rng, most)),
            size: [0; 2],
            output_size: [0; 2],
            kernel: [0; 2],
            stride: [0; 2],
            padding: [0; 2],
            dilation: [0; 2],
            groups,
        };
        for axis in 0..2 {
            let (kernel, stride, dilation) = (1 + below(rng, 5), 1 + below(rng, 3), 1 + below(rng, 2));
            let reach = (kernel - 1) * dilation + 1;
            let padding = below(rng, 1 + reach / 2 + 1);
            let most = [19, 4, 4][below(rng, 3)];
            let outputs = 1 + below(rng, most);
            let least = (outputs - 1) * stride + reach;
            // Some pixels at the end may be left out.
            let length = (least + below(rng, stride)).saturating_sub(2 * padding).max(1);
            let outputs = if length + 2 * padding < reach { 0 } else { (length + 2 * padding - reach) / stride + 1 };
            geometry.kernel[axis] = kernel;
            geometry.stride[axis] = stride;
            geometry.dilation[axis] = dilation;
            geometry.padding[axis] = padding;
            geometry.size[axis] = length;
            geometry.output_size[axis] = outputs;
        }
        geometry
    }

    /// Calls `visit` with the indices of an output, an input and a weight for each product.
    fn products(geometry: &Geometry, len: usize, mut visit: impl FnMut(usize, usize, usize)) {
        let g = geometry;
        let (depth, height) = (g.channels / g.groups, g.outputs / g.groups);
        for d in 0..g.outputs {
            for row in 0..g.output_size[0] {
                for column in 0..g.output_size[1] {
                    for c in 0..depth {
                        for i in 0..g.kernel[0] {
                            for j in 0..g.kernel[1] {
                                let r = (row * g.stride[0] + i * g.dilation[0]) as isize - g.padding[0] as isize;
                                let k = (column * g.stride[1] + j * g.dilation[1]) as isize - g.padding[1] as isize;
                                if r < 0 || k < 0 || r >= g.size[0] as isize || k >= g.size[1] as isize {
                                    continue;
                                }
                                let channel = d / height * depth + c;
                                for sample in 0..len {
                                    visit(
                                        ((d * g.output_size[0] + row) * g.output_size[1] + column) * g.batch + sample,
                                        ((channel * g.size[0] + r as usize) * g.size[1] + k as usize) * g.batch
                                            + sample,
                                        ((i * g.kernel[1] + j) * depth + c) * g.outputs + d,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    struct Case<T> {
        geometry: Geometry,
        len: usize,
        x: Vec<T>,
        weight: Vec<T>,
        bias: Vec<T>,
        dy: Vec<T>,
    }

    fn case<T: Real>(rng: &mut impl Rng) -> Case<T> {
        let geometry = any_geometry(rng);
        let len = if below(rng, 2) == 0 { geometry.batch } else { 1 + below(rng, geometry.batch) };
        let weights = geometry.kernel[0] * geometry.kernel[1] * geometry.channels / geometry.groups * geometry.outputs;
        let mut dy = values(rng, geometry.outputs * geometry.output_plane());
        // Columns that are not in use have no gradient.
        for samples in dy.chunks_mut(geometry.batch) {
            samples[len..].fill(T::ZERO);
        }
        Case {
            geometry,
            len,
            x: values(rng, geometry.channels * geometry.input_plane()),
            weight: values(rng, weights),
            bias: values(rng, geometry.outputs),
            dy,
        }
    }

    /// What the kernels compute: outputs, gradients by inputs, weights and biases.
    fn computed<S: Simd, T: Real>(simd: S, case: &Case<T>, start: T) -> [Vec<T>; 4] {
        let Case { geometry, len, x, weight, bias, dy } = case;
        let mut y = std::vec![T::nan(); dy.len()];
        let mut dx = std::vec![T::nan(); x.len()];
        let mut reordered = std::vec![T::nan(); weight.len()];
        let (mut dw, mut db) = (std::vec![start; weight.len()], std::vec![start; bias.len()]);
        convolution::<S, T, Ramp>(simd, geometry, *len, [x, weight, bias], true, &mut y);
        transposed_convolution::<S, T, Ramp>(simd, geometry, *len, [dy, weight, &[]], &mut reordered, false, &mut dx);
        weight_gradient(simd, geometry, *len, [x, dy], &mut dw);
        let pixels = geometry.output_plane() / geometry.batch;
        bias_gradient(simd, pixels, geometry.batch, *len, dy, &mut db);
        // What is not in use is unspecified.
        for values in [&mut y, &mut dx] {
            for samples in values.chunks_mut(geometry.batch) {
                samples[*len..].fill(T::ZERO);
            }
        }
        [y, dx, dw, db]
    }

    fn expected<T: Real>(case: &Case<T>, start: T) -> [Vec<f64>; 4] {
        let Case { geometry, len, x, weight, bias, dy } = case;
        let (mut y, mut dx) = (std::vec![0.0; dy.len()], std::vec![0.0; x.len()]);
        let (mut dw, mut db) = (std::vec![start.exact(); weight.len()], std::vec![start.exact(); bias.len()]);
        for (index, y) in y.iter_mut().enumerate() {
            if index % geometry.batch < *len {
                *y = bias[index / geometry.output_plane()].exact();
                db[index / geometry.output_plane()] += dy[index].exact();
            }
        }
        products(geometry, *len, |output, input, tap| {
            y[output] += x[input].exact() * weight[tap].exact();
            dx[input] += dy[output].exact() * weight[tap].exact();
            dw[tap] += dy[output].exact() * x[input].exact();
        });
        for (index, y) in y.iter_mut().enumerate() {
            if index % geometry.batch < *len {
                *y = y.max(0.0);
            }
        }
        [y, dx, dw, db]
    }

    fn compare<T: Real>(seed: u64, tolerance: f64) {
        let case = case::<T>(&mut Xoshiro128PlusPlus::seed_from_u64(seed));
        let start = T::of(0.5);
        let expected = expected(&case, start);
        for level in levels() {
            let found = dispatch!(level, simd => computed(simd, &case, start));
            for (what, (found, expected)) in ["outputs", "dx", "dw", "db"].iter().zip(found.iter().zip(&expected)) {
                for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let difference = (found.exact() - expected).abs();
                    assert!(
                        difference <= tolerance * (1.0 + expected.abs()),
                        "{level:?}, {what}[{index}]: {found} instead of {expected}, {} of {:?}",
                        case.len,
                        case.geometry
                    );
                }
            }
        }
    }

    #[test]
    fn any_convolution_is_the_plain_sum() {
        for seed in 0..300 {
            compare::<f64>(seed, 1e-13);
            compare::<f32>(seed, 3e-5);
        }
    }

    /// A kernel of more than 256 taps, which is computed without registers.
    #[test]
    fn a_kernel_of_many_taps() {
        let mut rng = Xoshiro128PlusPlus::seed_from_u64(0);
        let mut case = case::<f64>(&mut rng);
        case.geometry = Geometry {
            batch: 8,
            channels: 2,
            outputs: 3,
            size: [20, 19],
            output_size: [5, 3],
            kernel: [17, 18],
            stride: [1; 2],
            padding: [0, 0],
            dilation: [1; 2],
            groups: 1,
        };
        case.geometry.output_size = [4, 2];
        case.len = 8;
        case.x = values(&mut rng, 2 * 20 * 19 * 8);
        case.weight = values(&mut rng, 17 * 18 * 2 * 3);
        case.bias = values(&mut rng, 3);
        case.dy = values(&mut rng, 3 * 4 * 2 * 8);
        let expected = expected(&case, 0.0);
        for level in levels() {
            let found = dispatch!(level, simd => computed(simd, &case, 0.0));
            for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{level:?}");
            }
        }
    }

    /// Derivatives of the sum of the outputs, each times its `dy`, by differences.
    #[test]
    fn gradients_are_limits_of_differences() {
        for seed in 0..60 {
            let mut case = case::<f64>(&mut Xoshiro128PlusPlus::seed_from_u64(1000 + seed));
            let level = levels()[1];
            let [_, dx, dw, db] = dispatch!(level, simd => computed(simd, &case, 0.0));
            let total = |case: &Case<f64>| -> f64 {
                let mut y = std::vec![0.0; case.dy.len()];
                dispatch!(level, simd => convolution::<_, f64, Ramp>(
                    simd, &case.geometry, case.len, [&case.x, &case.weight, &case.bias], false, &mut y,
                ));
                y.iter().zip(&case.dy).map(|(y, dy)| if *dy == 0.0 { 0.0 } else { y * dy }).sum()
            };
            macro_rules! check {
                ($field:ident, $gradient:expr) => {
                    for index in (0..case.$field.len()).step_by(1 + case.$field.len() / 7) {
                        let value = case.$field[index];
                        case.$field[index] = value + 1e-3;
                        let after = total(&case);
                        case.$field[index] = value - 1e-3;
                        let before = total(&case);
                        case.$field[index] = value;
                        // The sum is linear, so that the step may be large.
                        let difference = (after - before) / 2e-3;
                        assert!(
                            (difference - $gradient[index]).abs() < 1e-9 * (1.0 + difference.abs()),
                            "{}[{index}]: {difference}, {}, {:?}",
                            stringify!($field),
                            $gradient[index],
                            case.geometry
                        );
                    }
                };
            }
            check!(x, dx);
            check!(weight, dw);
            check!(bias, db);
        }
    }

    /// The same bits with and without registers.
    #[cfg(feature = "reproducible")]
    #[test]
    fn the_same_bits_on_every_level() {
        fn compare<T: Real>(seed: u64) {
            let case = case::<T>(&mut Xoshiro128PlusPlus::seed_from_u64(seed));
            let start = T::of(0.5);
            let Case { geometry, len, x, weight, bias, dy } = &case;
            let [mut y, mut dx] = [dy, x].map(|values| std::vec![T::ZERO; values.len()]);
            let (mut dw, mut db) = (std::vec![start; weight.len()], std::vec![start; bias.len()]);
            let [depth, height] = geometry.channels_of_group();
            let mut gather = Gather {
                geometry,
                axes: geometry.axes(),
                transposed: false,
                len: *len,
                depth,
                height,
                source: x,
                weight,
                strides: [geometry.outputs, 1, height],
                start: bias,
                activated: true,
            };
            let baseline = fearless_simd::Level::baseline();
            dispatch!(baseline, simd => plain::gathered::<_, T, Ramp>(simd, &gather, &mut y));
            if geometry.batch == 1 {
                let mut in_blocks = y.clone();
                in_blocks.fill(T::nan());
                dispatch!(baseline, simd => plain::in_blocks::<_, T, Ramp>(simd, &gather, &mut in_blocks));
                assert!(in_blocks == y, "{geometry:?}");
            }
            gather = Gather {
                transposed: true,
                depth: height,
                height: depth,
                source: dy,
                strides: [1, geometry.outputs, height],
                start: &[],
                activated: false,
                ..gather
            };
            dispatch!(baseline, simd => plain::gathered::<_, T, Ramp>(simd, &gather, &mut dx));
            let parts = parts_of::<T>(geometry.batch);
            if parts == 1 {
                plain::add_weight_products(geometry, *len, x, dy, &mut dw);
            } else {
                plain::add_weight_sums(geometry, *len, parts, x, dy, &mut dw);
            }
            plain::add_bias_sums(geometry.output_plane() / geometry.batch, geometry.batch, *len, parts, dy, &mut db);
            for level in levels() {
                let found = dispatch!(level, simd => computed(simd, &case, start));
                assert!(found == [y.clone(), dx.clone(), dw.clone(), db.clone()], "{level:?}, {len} of {geometry:?}");
            }
        }
        for seed in 0..300 {
            compare::<f32>(seed);
            compare::<f64>(seed);
        }
    }

    /// What PyTorch computes: `tests/golden/convolutions.py` says how the lines are made.
    mod pytorch {
        use super::*;
        use crate::kernel::pooling::{Divisor, average_pool, average_pool_gradient, max_pool, max_pool_gradient};

        fn values<T: Real>(seed: u32, count: usize) -> Vec<T> {
            let mut state = seed.wrapping_mul(2_654_435_761);
            let next = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                T::of(f64::from(state) / f64::from(1u32 << 31) - 1.0)
            };
            (0..count).map(next).collect()
        }

        /// From PyTorch's `[batch][channels][pixels]` to `[channels][pixels][batch]`, or back.
        fn samples_together<T: Real>(batch: usize, image: &[T]) -> Vec<T> {
            let len = image.len() / batch;
            (0..image.len()).map(|index| image[index % batch * len + index / batch]).collect()
        }

        fn samples_apart<T: Real>(batch: usize, image: &[T]) -> Vec<T> {
            let len = image.len() / batch;
            (0..image.len()).map(|index| image[index % len * batch + index / len]).collect()
        }

        /// From PyTorch's `[outputs][inputs][taps]` to `[taps][inputs][outputs]`.
        fn taps_first<T: Real>(taps: usize, outputs: usize, weight: &[T]) -> Vec<T> {
            let inputs = weight.len() / taps / outputs;
            let from =
                |index: usize| (index % outputs * inputs + index / outputs % inputs) * taps + index / outputs / inputs;
            (0..weight.len()).map(|index| weight[from(index)]).collect()
        }

        /// The inverse of [`taps_first`]: the same with taps and outputs exchanged.
        fn outputs_first<T: Real>(taps: usize, outputs: usize, weight: &[T]) -> Vec<T> {
            taps_first(outputs, taps, weight)
        }

        fn compare<T: Real>(line: usize, text: &str, tolerance: f64) {
            let mut words = text.split(' ');
            let kind = words.next().unwrap();
            let mut sizes = [0usize; 14];
            for size in &mut sizes {
                *size = words.next().unwrap().parse().unwrap();
            }
            let expected: Vec<f64> = words.map(|word| word.parse().unwrap()).collect();
            let [batch, channels, outputs, h, w, kh, kw, sh, sw, ph, pw, dh, dw, groups] = sizes;
            let (reach, seed) = ([dh * (kh - 1) + 1, dw * (kw - 1) + 1], 64 * line as u32);
            let geometry = &Geometry {
                batch,
                channels,
                outputs,
                size: [h, w],
                output_size: [(h + 2 * ph - reach[0]) / sh + 1, (w + 2 * pw - reach[1]) / sw + 1],
                kernel: [kh, kw],
                stride: [sh, sw],
                padding: [ph, pw],
                dilation: [dh, dw],
                groups,
            };
            let (input, output) = (channels * geometry.input_plane(), outputs * geometry.output_plane());
            let is_transposed = kind == "transposed";
            let (from, to) = if is_transposed { (output, input) } else { (input, output) };
            let x = samples_together(batch, &values::<T>(seed, from));
            let weight = taps_first(kh * kw, outputs, &values::<T>(seed + 1, kh * kw * channels / groups * outputs));
            let bias = values::<T>(seed + 2, if is_transposed { channels } else { outputs });
            let dy = samples_together(batch, &values::<T>(seed + 3, to));
            for level in levels() {
                let (mut y, mut dx) = (std::vec![T::nan(); to], std::vec![T::nan(); from]);
                let (mut d_weight, mut d_bias) = (std::vec![T::ZERO; weight.len()], std::vec![T::ZERO; bias.len()]);
                let mut space = weight.clone();
                let pixels = to / batch / bias.len();
                dispatch!(level, simd => match kind {
                    "convolution" => {
                        convolution::<_, T, Ramp>(simd, geometry, batch, [&x, &weight, &bias], false, &mut y);
                        let factors = [&dy[..], &weight, &[]];
                        transposed_convolution::<_, T, Ramp>(
                            simd, geometry, batch, factors, &mut space, false, &mut dx,
                        );
                        weight_gradient(simd, geometry, batch, [&x, &dy], &mut d_weight);
                        bias_gradient(simd, pixels, batch, batch, &dy, &mut d_bias);
                    }
                    "transposed" => {
                        let factors = [&x[..], &weight, &bias];
                        transposed_convolution::<_, T, Ramp>(
                            simd, geometry, batch, factors, &mut space, false, &mut y,
                        );
                        convolution::<_, T, Ramp>(simd, geometry, batch, [&dy, &weight, &[]], false, &mut dx);
                        weight_gradient(simd, geometry, batch, [&dy, &x], &mut d_weight);
                        bias_gradient(simd, pixels, batch, batch, &dy, &mut d_bias);
                    }
                    "max" => {
                        max_pool(simd, geometry, batch, &x, &mut y);
                        max_pool_gradient(simd, geometry, batch, [&x, &y, &dy], &mut dx);
                    }
                    _ => {
                        average_pool(simd, geometry, Divisor::Window, batch, &x, &mut y);
                        average_pool_gradient(simd, geometry, Divisor::Window, batch, &dy, &mut dx);
                    }
                });
                let d_weight = outputs_first(kh * kw, outputs, &d_weight);
                let found = [samples_apart(batch, &y), samples_apart(batch, &dx), d_weight, d_bias];
                for (tensor, expected) in expected.chunks(3).enumerate() {
                    let values_found = &found[tensor];
                    for (i, expected) in expected.iter().enumerate() {
                        let factors = values::<f64>(seed + 8 + (3 * tensor + i) as u32, values_found.len());
                        let sum: f64 = values_found.iter().zip(&factors).map(|(a, b)| a.exact() * b).sum();
                        let found = sum / (values_found.len() as f64).sqrt();
                        assert!(
                            (found - expected).abs() < tolerance * (1.0 + expected.abs()),
                            "{level:?}, tensor {tensor} of line {line}: {found} instead of {expected}: {text}"
                        );
                    }
                }
            }
        }

        #[test]
        fn convolutions_and_poolings() {
            let lines = include_str!("convolutions.txt").lines().enumerate();
            assert_eq!(lines.clone().count(), 300);
            for (line, text) in lines {
                compare::<f64>(line, text, 1e-10);
                compare::<f32>(line, text, 1e-5);
            }
        }
    }
}
