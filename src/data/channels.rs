//! [`Channels`]: which values of a sample belong together.

use crate::data::shape::{Features, Image, Sequence, Shape};
use crate::num::Real;

/// A sample that has a shape: `[T; N]`, `[[T; N]; STEPS]` or `[[[T; W]; H]; C]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no sample of `{T}` with a shape",
    label = "expected `[{T}; N]`, `[[{T}; N]; STEPS]` or `[[[{T}; W]; H]; C]`"
)]
pub trait Shaped<T: Real>: Copy {
    /// Its shape.
    type Shape: Shape<Sample<T> = Self>;
}

/// A sample whose values belong to `N` channels, which are scaled each on its own: the features of `[T; N]`, those of a
/// sequence `[[T; N]; STEPS]` over all steps, and the channels of an image `[[[T; W]; H]; N]` over all pixels.
///
/// # Examples
///
/// ```
/// use tuplenet::data::Channels;
///
/// // The largest value of each channel of an image.
/// let mut image = [[[1.0f32, 5.0], [2.0, 0.0]], [[-1.0, -2.0], [-3.0, -4.0]]];
/// let mut largest = [f32::MIN; 2];
/// image.each_value(|channel, value| largest[channel] = value.max(largest[channel]));
/// assert_eq!(largest, [5.0, -1.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not have {N} channels of `{T}`",
    label = "expected `[{T}; {N}]`, a sequence `[[{T}; {N}]; STEPS]` or an image `[[[{T}; W]; H]; {N}]`"
)]
#[doc(alias("features", "columns"))]
pub trait Channels<T: Real, const N: usize>: Shaped<T> {
    /// Calls `visit` with each value, to be changed, after its channel, in the order of memory.
    fn each_value(&mut self, visit: impl FnMut(usize, &mut T));
}

impl<T: Real, const N: usize> Shaped<T> for [T; N] {
    type Shape = Features<N>;
}

impl<T: Real, const N: usize> Channels<T, N> for [T; N] {
    #[inline(always)]
    fn each_value(&mut self, mut visit: impl FnMut(usize, &mut T)) {
        for (channel, value) in self.iter_mut().enumerate() {
            visit(channel, value);
        }
    }
}

impl<T: Real, const N: usize, const STEPS: usize> Shaped<T> for [[T; N]; STEPS] {
    type Shape = Sequence<STEPS, N>;
}

impl<T: Real, const N: usize, const STEPS: usize> Channels<T, N> for [[T; N]; STEPS] {
    #[inline(always)]
    fn each_value(&mut self, mut visit: impl FnMut(usize, &mut T)) {
        for step in self {
            step.each_value(&mut visit);
        }
    }
}

impl<T: Real, const W: usize, const H: usize, const C: usize> Shaped<T> for [[[T; W]; H]; C] {
    type Shape = Image<C, H, W>;
}

impl<T: Real, const W: usize, const H: usize, const C: usize> Channels<T, C> for [[[T; W]; H]; C] {
    #[inline(always)]
    fn each_value(&mut self, mut visit: impl FnMut(usize, &mut T)) {
        for (channel, pixels) in self.iter_mut().enumerate() {
            for value in pixels.as_flattened_mut() {
                visit(channel, value);
            }
        }
    }
}
