//! [`Scale`]: what an integer stands for, and [`QuantizedShape`]: samples whose values are integers.

use crate::model::{Batch, Features, Image, Sequence, Shape};
use crate::num::Real;

/// Rounds to the nearest integer, halves away from zero; NaN becomes 0.
#[inline(always)]
pub(super) fn rounded(x: f32) -> i32 {
    (if x < 0.0 { x - 0.5 } else { x + 0.5 }) as i32
}

/// What the integers between two layers stand for: `real = scale * (integer - zero)`. (B. Jacob et al., "Quantization and
/// training of neural networks for efficient integer-arithmetic-only inference", 2018.)
///
/// Zero has an integer of its own, so that padding and ReLU are exact.
///
/// # Examples
///
/// ```
/// use tuplenet::quantization::Scale;
///
/// let scale = Scale::of_range(0.0, 2.55);
/// assert_eq!(scale.zero, -128);
/// assert_eq!(scale.quantize(1.0), -28);
/// assert!((scale.real(-28) - 1.0).abs() < 1e-6);
/// // What is outside of the range is clipped.
/// assert_eq!(scale.quantize(3.0), 127);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("zero point", "QuantStub", "quant_min"))]
pub struct Scale {
    /// The difference between neighbouring integers.
    pub scale: f32,
    /// The zero point: the integer that stands for 0.
    pub zero: i8,
}

impl Scale {
    /// Creates it from its two values, for a network in a `static`.
    #[must_use]
    pub const fn new(scale: f32, zero: i8) -> Self {
        Scale { scale, zero }
    }

    /// The scale on which all integers from -128 to 127 are in use for values from `low` to `high`, and for 0.
    #[must_use]
    pub fn of_range(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = high / 255.0 - low / 255.0;
        // Of nothing but zeros, or of values so small that they have no reciprocal.
        if scale < 1e-35 {
            return Scale { scale: 1.0 / 128.0, zero: 0 };
        }
        Scale { scale, zero: (-128 - rounded(low / scale)).clamp(-128, 127) as i8 }
    }

    /// The least and the largest value that an integer stands for.
    #[must_use]
    pub fn range(self) -> (f32, f32) {
        (self.real(i8::MIN), self.real(i8::MAX))
    }

    /// The integer nearest to a value, of two equally near ones the even one before the zero point is added; what is out of range is
    /// clipped, and NaN becomes -128.
    #[inline(always)]
    #[must_use]
    pub fn quantize(self, x: f32) -> i8 {
        self.quantize_by(1.0 / self.scale, x)
    }

    #[inline(always)]
    fn quantize_by(self, reciprocal: f32, x: f32) -> i8 {
        // Comparisons and a sum that rounds, all of which there are in lanes.
        let steps = x * reciprocal;
        let steps = if steps > -512.0 { steps } else { -512.0 };
        let steps = if steps < 512.0 { steps } else { 512.0 };
        let steps = (steps + f32::ROUNDER).to_bits() as i32 - f32::ROUNDER.to_bits() as i32;
        (steps + i32::from(self.zero)).clamp(-128, 127) as i8
    }

    /// The value that an integer stands for.
    #[inline(always)]
    #[must_use]
    pub fn real(self, integer: i8) -> f32 {
        self.scale * (i32::from(integer) - i32::from(self.zero)) as f32
    }

    #[inline(always)]
    fn quantize_all<'a>(self, from: impl Iterator<Item = &'a f32>, to: &mut [i8]) {
        let reciprocal = 1.0 / self.scale;
        for (to, &from) in to.iter_mut().zip(from) {
            *to = self.quantize_by(reciprocal, from);
        }
    }

    #[inline(always)]
    fn real_of_all<'a>(self, from: &[i8], to: impl Iterator<Item = &'a mut f32>) {
        for (&from, to) in from.iter().zip(to) {
            *to = self.real(from);
        }
    }
}

/// A shape whose samples can be integers: [`Features`], [`Image`] and [`Sequence`].
pub trait QuantizedShape: Shape {
    /// One sample in integers: `[i8; N]`, `[[[i8; W]; H]; C]`, `[[i8; N]; STEPS]`.
    type Integers: Copy + PartialEq + core::fmt::Debug + Send + Sync + 'static;

    /// A sample of zeros.
    const ZEROS: Self::Integers;

    /// The values of a sample, in the order of [`Shape::elements`].
    fn integers(sample: &Self::Integers) -> &[i8];

    /// The values of a sample, to be changed.
    fn integers_mut(sample: &mut Self::Integers) -> &mut [i8];

    /// The sample in `column` of a batch, in integers; zeros if there is no such column.
    fn quantize<const B: usize>(batch: &Batch<Self, f32, B>, column: usize, scale: Scale) -> Self::Integers
    where
        Self: Sized;

    /// Sets the sample in `column` of a batch to what the integers stand for; nothing happens if there is no such column.
    fn dequantize<const B: usize>(
        sample: &Self::Integers,
        scale: Scale,
        batch: &mut Batch<Self, f32, B>,
        column: usize,
    ) where
        Self: Sized;
}

/// One sample of the shape `In` in integers.
pub type Integers<In> = <In as QuantizedShape>::Integers;

impl<const N: usize> QuantizedShape for Features<N> {
    type Integers = [i8; N];
    const ZEROS: [i8; N] = [0; N];

    #[inline(always)]
    fn integers(sample: &[i8; N]) -> &[i8] {
        sample
    }

    #[inline(always)]
    fn integers_mut(sample: &mut [i8; N]) -> &mut [i8] {
        sample
    }

    #[inline(always)]
    fn quantize<const B: usize>(batch: &Batch<Self, f32, B>, column: usize, scale: Scale) -> [i8; N] {
        let mut sample = [0; N];
        if let Some(column) = batch.data.0.get(column) {
            scale.quantize_all(column.iter(), &mut sample);
        }
        sample
    }

    #[inline(always)]
    fn dequantize<const B: usize>(sample: &[i8; N], scale: Scale, batch: &mut Batch<Self, f32, B>, column: usize) {
        if let Some(column) = batch.data.0.get_mut(column) {
            scale.real_of_all(sample, column.iter_mut());
        }
    }
}

impl<const C: usize, const H: usize, const W: usize> QuantizedShape for Image<C, H, W> {
    type Integers = [[[i8; W]; H]; C];
    const ZEROS: Self::Integers = [[[0; W]; H]; C];

    #[inline(always)]
    fn integers(sample: &Self::Integers) -> &[i8] {
        sample.as_flattened().as_flattened()
    }

    #[inline(always)]
    fn integers_mut(sample: &mut Self::Integers) -> &mut [i8] {
        sample.as_flattened_mut().as_flattened_mut()
    }

    #[inline(always)]
    fn quantize<const B: usize>(batch: &Batch<Self, f32, B>, column: usize, scale: Scale) -> Self::Integers {
        let mut sample = Self::ZEROS;
        // Every pixel has all samples.
        let pixels = batch.as_flattened().as_flattened().iter();
        scale.quantize_all(pixels.filter_map(|pixel| pixel.get(column)), Self::integers_mut(&mut sample));
        sample
    }

    #[inline(always)]
    fn dequantize<const B: usize>(
        sample: &Self::Integers,
        scale: Scale,
        batch: &mut Batch<Self, f32, B>,
        column: usize,
    ) {
        let pixels = batch.as_flattened_mut().as_flattened_mut().iter_mut();
        scale.real_of_all(Self::integers(sample), pixels.filter_map(|pixel| pixel.get_mut(column)));
    }
}

impl<const STEPS: usize, const N: usize> QuantizedShape for Sequence<STEPS, N> {
    type Integers = [[i8; N]; STEPS];
    const ZEROS: Self::Integers = [[0; N]; STEPS];

    #[inline(always)]
    fn integers(sample: &Self::Integers) -> &[i8] {
        sample.as_flattened()
    }

    #[inline(always)]
    fn integers_mut(sample: &mut Self::Integers) -> &mut [i8] {
        sample.as_flattened_mut()
    }

    #[inline(always)]
    fn quantize<const B: usize>(batch: &Batch<Self, f32, B>, column: usize, scale: Scale) -> Self::Integers {
        let mut sample = Self::ZEROS;
        for (step, sample) in batch.iter().zip(&mut sample) {
            *sample = Features::<N>::quantize(step, column, scale);
        }
        sample
    }

    #[inline(always)]
    fn dequantize<const B: usize>(
        sample: &Self::Integers,
        scale: Scale,
        batch: &mut Batch<Self, f32, B>,
        column: usize,
    ) {
        for (sample, step) in sample.iter().zip(batch) {
            Features::<N>::dequantize(sample, scale, step, column);
        }
    }
}
