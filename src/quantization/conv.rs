//! [`QuantizedConv2d`]: convolutions of images in integers.

use super::activate::{ActivationTable, QuantizedActivation, scales, table};
use super::channels::{Channel, channels};
use super::graph::{QuantizedOp, QuantizedSums};
use super::kernel::{Rows, arranged, outputs, weight};
use super::layer::{Quantize, QuantizedLayer, Range, infer_one};
use super::rescale::{assert_fits, assert_part, headroom};
use super::scale::Scale;
use crate::error::Error;
use crate::layers::{Conv2d, GroupedConv2d, RectangularConv2d};
use crate::model::{Batch, Grid, Image, Shape, Windows};
use core::marker::PhantomData;
use fearless_simd::Simd;

/// Convolution of images in integers: [`Conv2d`], [`RectangularConv2d`] and [`GroupedConv2d`] after
/// [quantization](crate::quantization). Each output channel depends on `INPUTS` input channels.
///
/// # Shapes
///
/// `[[[i8; W]; H]; C]` in and out, of the sizes of the shapes `From` and `To`.
///
/// # Formula
///
/// That of [`QuantizedDense`](super::QuantizedDense) for each position of the kernel; padding is the inputs' zero point. LiteRT
/// equivalent: `CONV_2D` or `DEPTHWISE_CONV_2D` with weights by channel.
#[repr(align(4))]
pub struct QuantizedConv2d<
    From: Grid,
    To: Grid,
    const KH: usize,
    const KW: usize,
    const INPUTS: usize,
    A: QuantizedActivation,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
    const DH: usize,
    const DW: usize,
> {
    /// By output channel, in the order of the kernel.
    weight: To::PerChannel<[[[i8; KW]; KH]; INPUTS]>,
    bias: To::PerChannel<i32>,
    multiplier: To::PerChannel<u16>,
    shift: To::PerChannel<u8>,
    table: A::Table,
    padding: i8,
    sums: Scale,
    output: Scale,
    types: PhantomData<(From, To, A)>,
}

impl<
    const C: usize,
    const H: usize,
    const W: usize,
    const D: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const INPUTS: usize,
    A: QuantizedActivation,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
    const DH: usize,
    const DW: usize,
> QuantizedConv2d<Image<C, H, W>, Image<D, OH, OW>, KH, KW, INPUTS, A, SH, SW, PH, PW, DH, DW>
{
    /// How many products there are in a sum.
    const TERMS: usize = INPUTS * KH * KW;
    const FITS: () = {
        assert_fits("QuantizedConv2d", Self::TERMS);
        assert!(
            INPUTS > 0 && C.is_multiple_of(INPUTS) && D.is_multiple_of(C / INPUTS),
            "QuantizedConv2d: `INPUTS` must divide the input channels, and the number of groups the output channels"
        );
    };
    const HEADROOM: u32 = headroom(Self::TERMS);
    /// How many output channels a group has.
    const OUTPUTS: usize = D / (C / INPUTS);

    /// Creates the layer for a `static`: `weight` by output channel, input channel, row and column, as in PyTorch; `padding` is
    /// the inputs' zero point; the rest is as for [`QuantizedDense`](super::QuantizedDense::from_parts).
    ///
    /// # Panics
    ///
    /// Does not compile, or panics, if a sum could overflow.
    #[must_use]
    pub const fn from_parts(
        weight: [[[[i8; KW]; KH]; INPUTS]; D],
        bias: [i32; D],
        (multiplier, shift): ([u16; D], [u8; D]),
        table: A::Table,
        padding: i8,
        sums: Scale,
        output: Scale,
    ) -> Self {
        const { Self::FITS };
        let mut channel = 0;
        while channel < D {
            assert_part(bias[channel], shift[channel], Self::TERMS);
            channel += 1;
        }
        let mut to = [[[[0; KW]; KH]; INPUTS]; D];
        // The kernel computes the outputs of a group together.
        let (mut group, size) = (0, Self::OUTPUTS * Self::TERMS);
        while group < C / INPUTS {
            let from = weight.as_flattened().as_flattened().as_flattened().split_at(group * size).1.split_at(size).0;
            let to = to.as_flattened_mut().as_flattened_mut().as_flattened_mut();
            arranged(Self::OUTPUTS, Self::TERMS, from, to.split_at_mut(group * size).1.split_at_mut(size).0);
            group += 1;
        }
        QuantizedConv2d { weight: to, bias, multiplier, shift, table, padding, sums, output, types: PhantomData }
    }

    /// The weight at `term` of an output channel, in the order of input channel, row and column.
    #[must_use]
    pub fn weight(&self, channel: usize, term: usize) -> i8 {
        let (group, row) = (channel / Self::OUTPUTS, channel % Self::OUTPUTS);
        let all = self.weight.as_flattened().as_flattened().as_flattened();
        let group = all.get(group * Self::OUTPUTS * Self::TERMS..).unwrap_or(&[]);
        weight(Self::OUTPUTS, Self::TERMS, group, row, term)
    }

    /// The biases, with the product of the weights and the inputs' zero point subtracted.
    #[must_use]
    pub fn bias(&self) -> &[i32; D] {
        &self.bias
    }

    /// The multipliers and shifts of the factors.
    #[must_use]
    pub fn factors(&self) -> (&[u16; D], &[u8; D]) {
        (&self.multiplier, &self.shift)
    }

    /// The scales before and after the activation.
    #[must_use]
    pub fn scales(&self) -> [Scale; 2] {
        [self.sums, self.output]
    }

    /// The pixels under the kernel at a position, of the channels of a group.
    #[inline(always)]
    fn patch(&self, channels: &[[[i8; W]; H]], row: usize, column: usize) -> [[[i8; KW]; KH]; INPUTS] {
        let mut patch = [[[self.padding; KW]; KH]; INPUTS];
        for (pixels, patch) in channels.iter().zip(&mut patch) {
            for (i, patch) in patch.iter_mut().enumerate() {
                // Above the image, it wraps around to a row far below it.
                let Some(pixels) = pixels.get((row * SH + i * DH).wrapping_sub(PH)) else { continue };
                if PW == 0 && DW == 1 {
                    if let Some(pixels) = pixels.get(column * SW..).and_then(|pixels| pixels.first_chunk::<KW>()) {
                        *patch = *pixels;
                    }
                    continue;
                }
                for (j, to) in patch.iter_mut().enumerate() {
                    if let Some(&pixel) = pixels.get((column * SW + j * DW).wrapping_sub(PW)) {
                        *to = pixel;
                    }
                }
            }
        }
        patch
    }

    fn quantized(
        input: Scale,
        next: &mut dyn FnMut() -> Range,
        weights: impl Fn(usize, usize, usize, usize) -> f32,
        biases: &[f32; D],
    ) -> Result<Self, Error> {
        let [mut sums, mut output] = scales::<A>(next);
        let mut weight = [[[[0; KW]; KH]; INPUTS]; D];
        let mut parts = [Channel::NONE; D];
        let of = |channel, term: usize| weights(term / KW % KH, term % KW, term / KW / KH, channel);
        let bias = |channel: usize| biases.get(channel).copied().unwrap_or(0.0);
        let integers = weight.as_flattened_mut().as_flattened_mut().as_flattened_mut();
        channels(Self::TERMS, input, &mut sums, (of, bias), integers, &mut parts)?;
        if !A::Table::IS_TABLE {
            output = sums;
        }
        Ok(Self::from_parts(
            weight,
            parts.map(|part| part.bias),
            (parts.map(|part| part.multiplier), parts.map(|part| part.shift)),
            table::<A>(sums, output),
            input.zero,
            sums,
            output,
        ))
    }
}

impl<
    const C: usize,
    const H: usize,
    const W: usize,
    const D: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const INPUTS: usize,
    A: QuantizedActivation,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
    const DH: usize,
    const DW: usize,
> Clone for QuantizedConv2d<Image<C, H, W>, Image<D, OH, OW>, KH, KW, INPUTS, A, SH, SW, PH, PW, DH, DW>
{
    fn clone(&self) -> Self {
        QuantizedConv2d { types: PhantomData, ..*self }
    }
}

impl<
    const C: usize,
    const H: usize,
    const W: usize,
    const D: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const INPUTS: usize,
    A: QuantizedActivation,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
    const DH: usize,
    const DW: usize,
> PartialEq for QuantizedConv2d<Image<C, H, W>, Image<D, OH, OW>, KH, KW, INPUTS, A, SH, SW, PH, PW, DH, DW>
{
    fn eq(&self, other: &Self) -> bool {
        self.weight == other.weight
            && (self.bias, self.multiplier, self.shift) == (other.bias, other.multiplier, other.shift)
            && (self.table, self.padding) == (other.table, other.padding)
            && (self.sums, self.output) == (other.sums, other.output)
    }
}

impl<
    From: Grid,
    To: Grid,
    const KH: usize,
    const KW: usize,
    const INPUTS: usize,
    A: QuantizedActivation,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
    const DH: usize,
    const DW: usize,
> core::fmt::Debug for QuantizedConv2d<From, To, KH, KW, INPUTS, A, SH, SW, PH, PW, DH, DW>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QuantizedConv2d")
            .field("sums", &self.sums)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl<
    const C: usize,
    const H: usize,
    const W: usize,
    const D: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const INPUTS: usize,
    A: QuantizedActivation,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
    const DH: usize,
    const DW: usize,
> QuantizedLayer<Image<C, H, W>>
    for QuantizedConv2d<Image<C, H, W>, Image<D, OH, OW>, KH, KW, INPUTS, A, SH, SW, PH, PW, DH, DW>
{
    type Out = Image<D, OH, OW>;

    fn output(&self, _: Scale) -> Scale {
        self.output
    }

    fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Convolution {
            windows: Windows {
                from: [C, H, W],
                to: [D, OH, OW],
                kernel: [KH, KW],
                stride: [SH, SW],
                padding: [PH, PW],
                dilation: [DH, DW],
            },
            depth: INPUTS,
            sums: QuantizedSums {
                terms: Self::TERMS,
                weight: &|channel, term| self.weight(channel, term),
                bias: &self.bias,
                multiplier: &self.multiplier,
                shift: &self.shift,
                headroom: Self::HEADROOM,
                scales: [input, self.sums, self.output],
                function: A::KIND,
                table: self.table.table(),
            },
        });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, x: &[[[i8; W]; H]; C]) -> [[[i8; OW]; OH]; D] {
        const { Self::FITS };
        let mut y = [[[0; OW]; OH]; D];
        let weights = self.weight.as_flattened().as_flattened().as_flattened();
        for row in 0..OH {
            for column in 0..OW {
                let groups = x.chunks_exact(INPUTS).zip(weights.chunks_exact(Self::OUTPUTS * Self::TERMS));
                let mut values = [0; D];
                for (group, (x, weights)) in groups.enumerate() {
                    let patch = self.patch(x, row, column);
                    let wide = patch.map(
                        #[inline(always)]
                        |rows| rows.map(|row| row.map(i16::from)),
                    );
                    let (patch, wide) = (patch.as_flattened().as_flattened(), wide.as_flattened().as_flattened());
                    let first = group * Self::OUTPUTS;
                    let rows = Rows {
                        weights,
                        bias: part(&self.bias, first, Self::OUTPUTS),
                        multiplier: part(&self.multiplier, first, Self::OUTPUTS),
                        shift: part(&self.shift, first, Self::OUTPUTS),
                        headroom: Self::HEADROOM,
                        zero: self.sums.zero,
                    };
                    outputs(simd, rows, patch, wide, values.get_mut(first..first + Self::OUTPUTS).unwrap_or(&mut []));
                }
                for (y, value) in y.iter_mut().zip(values) {
                    if let Some(y) = y.get_mut(row).and_then(|y| y.get_mut(column)) {
                        *y = self.table.value(value);
                    }
                }
            }
        }
        y
    }
}

/// So many values from the one at `first` on.
#[inline(always)]
fn part<T>(values: &[T], first: usize, count: usize) -> &[T] {
    values.get(first..first + count).unwrap_or(&[])
}

/// The output of a convolution for one sample; `see` gets the sums too, if the activation is a table.
fn observe<A: QuantizedActivation, From: Shape, To: Shape, L: crate::model::Model<From, f32, Out = To>>(
    layer: &L,
    x: &Batch<From, f32, 1>,
    see: &mut dyn FnMut(&[f32]),
) -> Batch<To, f32, 1> {
    if A::Table::IS_TABLE {
        see(To::as_slice(&infer_one(layer, x, true)));
    }
    let y = infer_one(layer, x, false);
    see(To::as_slice(&y));
    y
}

macro_rules! quantize {
    ($name:ident, [$($kernel:ident)+], [$($extra:ident)*], [$($window:ident)+], $quantized:ty) => {
        impl<
            const C: usize,
            const H: usize,
            const W: usize,
            const D: usize,
            const OH: usize,
            const OW: usize,
            $(const $kernel: usize,)+
            $(const $extra: usize,)*
            A: QuantizedActivation,
            $(const $window: usize,)+
        > Quantize<Image<C, H, W>> for $name<Image<C, H, W>, Image<D, OH, OW>, $($kernel,)+ $($extra,)* A, $($window,)+>
        {
            type Quantized = $quantized;

            fn observe(
                &self,
                x: &Batch<Image<C, H, W>, f32, 1>,
                see: &mut dyn FnMut(&[f32]),
            ) -> Batch<Image<D, OH, OW>, f32, 1> {
                observe::<A, Image<C, H, W>, Image<D, OH, OW>, _>(self, x, see)
            }

            fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
                let weight = |row: usize, column: usize, input: usize, output: usize| {
                    let of = self.weight.get(row).and_then(|row| row.get(column)?.get(input)?.get(output));
                    of.copied().unwrap_or(0.0)
                };
                <$quantized>::quantized(input, next, weight, &self.bias)
            }
        }
    };
}
quantize!(
    Conv2d, [K], [], [STRIDE PADDING DILATION],
    QuantizedConv2d<
        Image<C, H, W>, Image<D, OH, OW>, K, K, C, A, STRIDE, STRIDE, PADDING, PADDING, DILATION, DILATION,
    >
);
quantize!(
    RectangularConv2d, [KH KW], [], [SH SW PH PW DH DW],
    QuantizedConv2d<Image<C, H, W>, Image<D, OH, OW>, KH, KW, C, A, SH, SW, PH, PW, DH, DW>
);
quantize!(
    GroupedConv2d, [K], [INPUTS], [STRIDE PADDING DILATION],
    QuantizedConv2d<
        Image<C, H, W>, Image<D, OH, OW>, K, K, INPUTS, A, STRIDE, STRIDE, PADDING, PADDING, DILATION, DILATION,
    >
);
