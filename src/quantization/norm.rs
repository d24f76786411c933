//! [`QuantizedBatchNorm`]: a factor and a shift for each feature or channel, in integers.

use super::channels::{Channel, channels};
use super::graph::{QuantizedOp, QuantizedSums};
use super::layer::{Quantize, QuantizedLayer, Range};
use super::rescale::{assert_part, headroom, rescaled};
use super::scale::Scale;
use crate::error::Error;
use crate::layers::BatchNorm;
use crate::model::{Features, Image};
use crate::num::math::square_root;
use fearless_simd::Simd;

/// [`BatchNorm`] in integers: `y = factor * x + bias`. After a [`Dense`](crate::layers::Dense) layer it costs less, and no
/// accuracy, to [`fold`](BatchNorm::fold) it into that before the network is quantized.
#[derive(Clone, PartialEq)]
pub struct QuantizedBatchNorm<const N: usize> {
    weight: [i8; N],
    bias: [i32; N],
    multiplier: [u16; N],
    shift: [u8; N],
    output: Scale,
}

const HEADROOM: u32 = headroom(1);

impl<const N: usize> QuantizedBatchNorm<N> {
    /// Creates the layer for a `static`: what [`QuantizedDense`](super::QuantizedDense::from_parts) has for one input.
    ///
    /// # Panics
    ///
    /// Does not compile, or panics, if a bias or a shift is out of range.
    #[must_use]
    pub const fn from_parts(
        weight: [i8; N],
        bias: [i32; N],
        (multiplier, shift): ([u16; N], [u8; N]),
        output: Scale,
    ) -> Self {
        let mut feature = 0;
        while feature < N {
            assert_part(bias[feature], shift[feature], 1);
            feature += 1;
        }
        QuantizedBatchNorm { weight, bias, multiplier, shift, output }
    }

    /// Calls `each` with the function of each feature.
    #[inline(always)]
    fn lines(&self) -> impl Iterator<Item = impl Fn(i8) -> i8> {
        let zero = self.output.zero;
        let parts = self.weight.iter().zip(&self.bias).zip(&self.multiplier).zip(&self.shift);
        parts.map(move |(((&weight, &bias), &multiplier), &shift)| {
            #[inline(always)]
            move |x: i8| {
                let sum = bias + i32::from(weight) * i32::from(x);
                rescaled(sum << HEADROOM, multiplier, shift, zero)
            }
        })
    }

    fn operation(&self, input: Scale, pixels: usize, emit: &mut dyn FnMut(QuantizedOp)) {
        let sums = QuantizedSums {
            terms: 1,
            weight: &|feature, _| self.weight.get(feature).copied().unwrap_or(0),
            bias: &self.bias,
            multiplier: &self.multiplier,
            shift: &self.shift,
            headroom: HEADROOM,
            scales: [input, self.output, self.output],
            function: None,
            table: None,
        };
        emit(QuantizedOp::Affine { sums, pixels });
    }

    fn new(norm: &BatchNorm<N>, input: Scale, Range { low, high }: Range) -> Result<Self, Error> {
        let mut output = Scale::of_range(low, high);
        let mut lines = [[0.0; 2]; N];
        for (feature, line) in lines.iter_mut().enumerate() {
            let at = |values: &nalgebra::SVector<f32, N>| values.get(feature).copied().unwrap_or(0.0);
            let scale = at(&norm.weight) / square_root(at(&norm.running_variance) + crate::layers::EPSILON as f32);
            *line = [scale, at(&norm.bias) - at(&norm.running_mean) * scale];
        }
        let part =
            |feature: usize, which: usize| lines.get(feature).and_then(|line| line.get(which)).copied().unwrap_or(0.0);
        let (mut weight, mut parts) = ([0; N], [Channel::NONE; N]);
        let of = |feature, _: usize| part(feature, 0);
        channels(1, input, &mut output, (of, |feature| part(feature, 1)), &mut weight, &mut parts)?;
        let factors = (parts.map(|part| part.multiplier), parts.map(|part| part.shift));
        Ok(Self::from_parts(weight, parts.map(|part| part.bias), factors, output))
    }
}

impl<const N: usize> core::fmt::Debug for QuantizedBatchNorm<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QuantizedBatchNorm").field("output", &self.output).finish_non_exhaustive()
    }
}

impl<const N: usize> QuantizedLayer<Features<N>> for QuantizedBatchNorm<N> {
    type Out = Features<N>;

    fn output(&self, _: Scale) -> Scale {
        self.output
    }

    fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        self.operation(input, 1, emit);
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[i8; N]) -> [i8; N] {
        let mut y = *x;
        y.iter_mut().zip(self.lines()).for_each(|(y, line)| *y = line(*y));
        y
    }
}

impl<const N: usize, const H: usize, const W: usize> QuantizedLayer<Image<N, H, W>> for QuantizedBatchNorm<N> {
    type Out = Image<N, H, W>;

    fn output(&self, _: Scale) -> Scale {
        self.output
    }

    fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        self.operation(input, H * W, emit);
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[[[i8; W]; H]; N]) -> [[[i8; W]; H]; N] {
        let mut y = *x;
        for (y, line) in y.iter_mut().zip(self.lines()) {
            y.as_flattened_mut().iter_mut().for_each(|y| *y = line(*y));
        }
        y
    }
}

impl<const N: usize> Quantize<Features<N>> for BatchNorm<N> {
    type Quantized = QuantizedBatchNorm<N>;

    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        QuantizedBatchNorm::new(self, input, next())
    }
}

impl<const N: usize, const H: usize, const W: usize> Quantize<Image<N, H, W>> for BatchNorm<N> {
    type Quantized = QuantizedBatchNorm<N>;

    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        QuantizedBatchNorm::new(self, input, next())
    }
}
