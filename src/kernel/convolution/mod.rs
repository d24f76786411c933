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

mod gather;
mod plain;
#[cfg(all(test, feature = "std"))]
mod tests;
mod weight_gradient;

pub(crate) use weight_gradient::{bias_gradient, weight_gradient};

use super::Elementwise;
use super::geometry::Geometry;
use crate::num::{Real, SCALAR};
use fearless_simd::Simd;
use gather::{Gather, gathered};

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
