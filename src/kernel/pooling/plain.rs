//! The same, one value at a time: for a CPU without vector registers, and for few samples.

use super::{Divisor, Geometry, each_input, each_output, samples, samples_mut, scale};
use crate::num::Real;

#[inline(never)]
pub(in crate::kernel::pooling) fn max_pool<T: Real>(geometry: &Geometry, len: usize, x: &[T], y: &mut [T]) {
    let (batch, plane) = (geometry.batch, geometry.input_plane());
    if batch == 1 && len == 1 && geometry.padding == [0; 2] && geometry.stride == geometry.kernel {
        match geometry.kernel {
            [2, 2] => return side_by_side::<T, 2>(geometry, x, y),
            [3, 3] => return side_by_side::<T, 3>(geometry, x, y),
            _ => {}
        }
    }
    each_output(geometry, |channel, output, to| {
        for (sample, y) in samples_mut(y, to, batch).iter_mut().enumerate().take(len) {
            each_input(geometry, output, |from, is_first| {
                if let Some(&x) = x.get(channel * plane + from + sample)
                    && (is_first || x > *y || x.is_nan())
                {
                    *y = x;
                }
            });
        }
    });
}

/// Windows of `K` by `K` pixels of one image, side by side.
#[inline(always)]
fn side_by_side<T: Real, const K: usize>(geometry: &Geometry, x: &[T], y: &mut [T]) {
    let ([rows, columns], [output_rows, output_columns]) = (geometry.size, geometry.output_size);
    let (mut first, mut to) = (0, 0);
    for _ in 0..geometry.channels {
        let mut row = first;
        for _ in 0..output_rows {
            let y = samples_mut(y, to, output_columns);
            let mut lines = [&x[..0]; K];
            for (i, line) in lines.iter_mut().enumerate() {
                *line = samples(x, row + i * columns, K * output_columns);
            }
            for (column, y) in y.iter_mut().enumerate() {
                let mut largest = T::ZERO;
                for (i, line) in lines.iter().enumerate() {
                    let Some(window) = line.get(K * column..).and_then(|rest| rest.first_chunk::<K>()) else {
                        continue;
                    };
                    for (j, &x) in window.iter().enumerate() {
                        // No branches, which could not be predicted.
                        let is_larger = (i == 0) & (j == 0) | (x > largest) | x.is_nan();
                        largest = if is_larger { x } else { largest };
                    }
                }
                *y = largest;
            }
            row += K * columns;
            to += output_columns;
        }
        first += rows * columns;
    }
}

#[inline(never)]
pub(in crate::kernel::pooling) fn max_pool_gradient<T: Real>(
    geometry: &Geometry,
    len: usize,
    [x, y, dy]: [&[T]; 3],
    dx: &mut [T],
) {
    let (batch, plane) = (geometry.batch, geometry.input_plane());
    dx.fill(T::ZERO);
    each_output(geometry, |channel, output, at| {
        let pairs = samples(y, at, batch).iter().zip(samples(dy, at, batch));
        for (sample, (y, dy)) in pairs.enumerate().take(len) {
            let mut is_left = true;
            each_input(geometry, output, |from, _| {
                let from = channel * plane + from + sample;
                if let (Some(x), Some(dx)) = (x.get(from), dx.get_mut(from))
                    && is_left
                    && *x == *y
                {
                    *dx += *dy;
                    is_left = false;
                }
            });
        }
    });
}

#[inline(never)]
pub(in crate::kernel::pooling) fn average_pool<T: Real>(
    geometry: &Geometry,
    divisor: Divisor,
    len: usize,
    x: &[T],
    y: &mut [T],
) {
    let (batch, plane) = (geometry.batch, geometry.input_plane());
    each_output(geometry, |channel, output, to| {
        let scale = scale::<T>(geometry, divisor, output);
        for (sample, y) in samples_mut(y, to, batch).iter_mut().enumerate().take(len) {
            let mut sum = T::ZERO;
            each_input(geometry, output, |from, _| {
                sum += x.get(channel * plane + from + sample).copied().unwrap_or(T::ZERO);
            });
            *y = sum * scale;
        }
    });
}

#[inline(never)]
pub(in crate::kernel::pooling) fn average_pool_gradient<T: Real>(
    geometry: &Geometry,
    divisor: Divisor,
    len: usize,
    dy: &[T],
    dx: &mut [T],
) {
    let (batch, plane) = (geometry.batch, geometry.input_plane());
    dx.fill(T::ZERO);
    each_output(geometry, |channel, output, at| {
        let scale = scale::<T>(geometry, divisor, output);
        for (sample, dy) in samples(dy, at, batch).iter().enumerate().take(len) {
            each_input(geometry, output, |from, _| {
                if let Some(dx) = dx.get_mut(channel * plane + from + sample) {
                    *dx += *dy * scale;
                }
            });
        }
    });
}
