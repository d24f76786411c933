//! [`Gather`]: a convolution in either direction, in lanes.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::plain;
use crate::kernel::geometry::{Axis, Geometry};
use crate::kernel::plan::{LISTED_TAPS, MAX_TAPS, MAX_TAPS_OF_AXIS, gathers_in_lanes};
use crate::kernel::{Elementwise, MAX_LANES, Register, load, load_part, store};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Simd, SimdBase};

/// A convolution in either direction: every element of the result is a sum over channels and taps of the source.
pub(super) struct Gather<'a, T> {
    pub geometry: &'a Geometry,
    pub axes: [Axis; 2],
    /// Whether the source has the size of the output.
    pub transposed: bool,
    pub len: usize,
    /// The source's channels in a group.
    pub depth: usize,
    /// The result's channels in a group.
    pub height: usize,
    pub source: &'a [T],
    pub weight: &'a [T],
    /// The distances of weights: between neighbouring channels of the source, of the result, and between groups.
    pub strides: [usize; 3],
    /// What each channel's sum starts with; zero if empty.
    pub start: &'a [T],
    pub activated: bool,
}

impl<T: Real> Gather<'_, T> {
    /// The number of elements of a channel of the source, and of the result.
    #[inline(always)]
    pub fn planes(&self) -> [usize; 2] {
        let (input, output) = (self.geometry.input_plane(), self.geometry.output_plane());
        if self.transposed { [output, input] } else { [input, output] }
    }

    #[inline(always)]
    pub fn result_size(&self) -> [usize; 2] {
        if self.transposed { self.geometry.size } else { self.geometry.output_size }
    }

    #[inline(always)]
    pub fn source_columns(&self) -> usize {
        if self.transposed { self.geometry.output_size[1] } else { self.geometry.size[1] }
    }

    /// The source's row or column that a tap connects with one of the result.
    #[inline(always)]
    pub fn source_of(&self, axis: usize, position: usize, tap: usize) -> Option<usize> {
        if self.transposed { self.axes[axis].output(position, tap) } else { self.axes[axis].input(position, tap) }
    }

    /// A row or column of the source that moves with the position as the taps do. Positions with the same taps have
    /// the same distances from it.
    #[inline(always)]
    pub fn base(&self, axis: usize, position: usize) -> usize {
        let stride = self.axes[axis].stride;
        if self.transposed {
            if stride == 1 { position } else { position.checked_div(stride).unwrap_or(0) }
        } else {
            position * stride
        }
    }

    #[inline(always)]
    pub fn start_of(&self, channel: usize) -> T {
        self.start.get(channel).copied().unwrap_or(T::ZERO)
    }
}

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
pub(super) fn gathered<S: Simd, T: Real, A: Elementwise>(simd: S, gather: &Gather<'_, T>, result: &mut [T]) {
    if !gathers_in_lanes(gather.geometry.kernel) {
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
pub(super) fn part<T>(slice: &[T], first: usize, len: usize) -> &[T] {
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
