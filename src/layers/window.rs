//! What a window that moves over an image makes of its size, for layers and [`network!`](crate::network).

use crate::error::Text;

/// How many positions a window has along a length, between which there are `stride` pixels, with `padding` zeros on both
/// sides and a distance of `dilation` between its taps. Fails to compile if there are none.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::positions;
///
/// // 28 pixels, a window of 5, stride 1, no padding, dilation 1.
/// assert_eq!(positions(28, 5, 1, 0, 1), 24);
/// ```
///
/// # Panics
///
/// If the window does not fit, or if `window`, `stride` or `dilation` is zero.
#[must_use]
pub const fn positions(length: usize, window: usize, stride: usize, padding: usize, dilation: usize) -> usize {
    assert!(
        window > 0 && stride > 0 && dilation > 0,
        "expected a window, a stride and a dilation of at least 1, found 0"
    );
    let reach = dilation * (window - 1) + 1;
    let padded = length + 2 * padding;
    if reach > padded {
        let mut text = Message::new();
        text.push("a window of ");
        text.push_number(reach as u64);
        text.push(" does not fit into a length of ");
        text.push_number(padded as u64);
        panic!("{}", text.as_str());
    }
    (padded - reach) / stride + 1
}

/// The length of a transposed convolution's output: the least from which a window has `length` [`positions`].
#[doc(hidden)]
#[must_use]
pub const fn spread(length: usize, window: usize, stride: usize, padding: usize) -> usize {
    (length - 1) * stride + window - 2 * padding
}

/// The product of an image's sizes.
#[doc(hidden)]
#[must_use]
pub const fn volume(channels: usize, rows: usize, columns: usize) -> usize {
    channels * rows * columns
}

type Message = Text<200>;

/// Window, stride, padding and dilation, each of rows and columns.
pub(crate) type Window = [[usize; 2]; 4];

/// Fails to compile unless a window that moves over an image of the size `from` gives one of the size `to`.
pub(crate) const fn assert_positions(layer: &str, from: [usize; 2], to: [usize; 2], window: Window) {
    let mut axis = 0;
    while axis < 2 {
        let [size, stride, padding, dilation] = [window[0][axis], window[1][axis], window[2][axis], window[3][axis]];
        let expected = positions(from[axis], size, stride, padding, dilation);
        if expected != to[axis] {
            let mut text = Message::new();
            text.push(layer);
            text.push(if axis == 0 { ", height: a window of " } else { ", width: a window of " });
            text.push_number(size as u64);
            text.push(" with stride ");
            text.push_number(stride as u64);
            text.push(", padding ");
            text.push_number(padding as u64);
            text.push(" and dilation ");
            text.push_number(dilation as u64);
            text.push(" has ");
            text.push_number(expected as u64);
            text.push(" positions along ");
            text.push_number(from[axis] as u64);
            text.push(", not ");
            text.push_number(to[axis] as u64);
            panic!("{}", text.as_str());
        }
        axis += 1;
    }
}

/// Fails to compile unless two numbers are equal.
pub(crate) const fn assert_same(before: &str, expected: usize, after: &str, found: usize) {
    if expected != found {
        let mut text = Message::new();
        text.push(before);
        text.push_number(expected as u64);
        text.push(after);
        text.push_number(found as u64);
        panic!("{}", text.as_str());
    }
}
