//! Pooling, upsampling and reshaping in integers: they change no scale.

use super::graph::QuantizedOp;
use super::layer::{Quantize, QuantizedLayer, Range};
use super::rescale::{multiplier_and_shift, rescaled};
use super::scale::{QuantizedShape, Scale};
use crate::error::Error;
use crate::layers::{
    AveragePool, Dropout, Dropout2d, Flatten, GlobalAveragePool, Input, MaxPool, RectangularAveragePool,
    RectangularMaxPool, Unflatten, Upsample,
};
use crate::model::{Features, Image, Shape, Windows};
use core::marker::PhantomData;
use fearless_simd::Simd;

/// A layer that changes nothing in prediction, in integers: [`Dropout`], [`Input`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantizedIdentity;

impl<In: QuantizedShape> QuantizedLayer<In> for QuantizedIdentity {
    type Out = In;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Nothing);
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &In::Integers) -> In::Integers {
        *x
    }
}

/// The struct of a layer from the shape `From` to the shape `To` without parameters.
macro_rules! layer_between {
    ($(#[$about:meta])* $name:ident, [$($parameter:ident)*]) => {
        $(#[$about])*
        pub struct $name<From, To, $(const $parameter: usize),*>(PhantomData<fn() -> (From, To)>);

        impl<From, To, $(const $parameter: usize),*> $name<From, To, $($parameter),*> {
            /// Creates the layer, for a network in a `static`.
            #[must_use]
            pub const fn new() -> Self {
                $name(PhantomData)
            }
        }

        impl<From, To, $(const $parameter: usize),*> Default for $name<From, To, $($parameter),*> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<From, To, $(const $parameter: usize),*> Clone for $name<From, To, $($parameter),*> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<From, To, $(const $parameter: usize),*> Copy for $name<From, To, $($parameter),*> {}

        impl<From, To, $(const $parameter: usize),*> PartialEq for $name<From, To, $($parameter),*> {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }

        impl<From, To, $(const $parameter: usize),*> core::fmt::Debug for $name<From, To, $($parameter),*> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

layer_between! {
    /// Maximum pooling in integers: the largest integer of each window; padding is never the largest.
    QuantizedMaxPool, [KH KW SH SW PH PW]
}

layer_between! {
    /// [`Flatten`] or [`Unflatten`] in integers.
    QuantizedReshape, []
}

layer_between! {
    /// [`Upsample`] in integers.
    QuantizedUpsample, [K]
}

/// Average pooling in integers: the mean of each window, rounded to the nearest integer, halves up. Padding counts as zeros.
pub struct QuantizedAveragePool<
    From,
    To,
    const KH: usize,
    const KW: usize,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
> {
    /// The zero point, which padding is.
    zero: i8,
    multiplier: u16,
    shift: u8,
    shapes: PhantomData<fn() -> (From, To)>,
}

impl<From, To, const KH: usize, const KW: usize, const SH: usize, const SW: usize, const PH: usize, const PW: usize>
    QuantizedAveragePool<From, To, KH, KW, SH, SW, PH, PW>
{
    /// Creates the layer, for inputs with this zero point.
    #[must_use]
    pub fn new(zero: i8) -> Self {
        let (multiplier, shift) = mean_of(KH * KW);
        Self::from_parts(zero, multiplier, shift)
    }

    /// Creates the layer for a `static`: of a mean of `n` values, `multiplier / 2^(shift + 16 - headroom)` is `1 / n`, and
    /// [`factor`](Self::factor) returns both.
    #[must_use]
    pub const fn from_parts(zero: i8, multiplier: u16, shift: u8) -> Self {
        QuantizedAveragePool { zero, multiplier, shift, shapes: PhantomData }
    }

    /// The multiplier and the shift.
    #[must_use]
    pub const fn factor(&self) -> (u16, u8) {
        (self.multiplier, self.shift)
    }
}

impl<From, To, const KH: usize, const KW: usize, const SH: usize, const SW: usize, const PH: usize, const PW: usize>
    Clone for QuantizedAveragePool<From, To, KH, KW, SH, SW, PH, PW>
{
    fn clone(&self) -> Self {
        QuantizedAveragePool { shapes: PhantomData, ..*self }
    }
}

impl<From, To, const KH: usize, const KW: usize, const SH: usize, const SW: usize, const PH: usize, const PW: usize>
    PartialEq for QuantizedAveragePool<From, To, KH, KW, SH, SW, PH, PW>
{
    fn eq(&self, other: &Self) -> bool {
        (self.zero, self.factor()) == (other.zero, other.factor())
    }
}

impl<From, To, const KH: usize, const KW: usize, const SH: usize, const SW: usize, const PH: usize, const PW: usize>
    core::fmt::Debug for QuantizedAveragePool<From, To, KH, KW, SH, SW, PH, PW>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QuantizedAveragePool").field("zero", &self.zero).finish_non_exhaustive()
    }
}

/// How far a sum of integers is shifted to the left before its mean is computed.
const MEAN_HEADROOM: u32 = 4;

/// Multiplier and shift for a mean of so many values.
fn mean_of(count: usize) -> (u16, u8) {
    multiplier_and_shift(1.0 / count as f64, MEAN_HEADROOM)
}

/// Folds the pixels of every window that are in the image, from `initial` on, and stores what `finish` makes of each.
#[inline(always)]
fn windows<const H: usize, const W: usize, const OH: usize, const OW: usize>(
    [kernel, stride, padding]: [[usize; 2]; 3],
    from: &[[i8; W]; H],
    to: &mut [[i8; OW]; OH],
    initial: i32,
    fold: impl Fn(i32, i32) -> i32,
    finish: impl Fn(i32) -> i8,
) {
    for (row, to) in to.iter_mut().enumerate() {
        for (column, to) in to.iter_mut().enumerate() {
            let mut result = initial;
            for i in 0..kernel[0] {
                // Above the image, it wraps around to a row far below it.
                let Some(from) = from.get((row * stride[0] + i).wrapping_sub(padding[0])) else { continue };
                for j in 0..kernel[1] {
                    if let Some(&pixel) = from.get((column * stride[1] + j).wrapping_sub(padding[1])) {
                        result = fold(result, i32::from(pixel));
                    }
                }
            }
            *to = finish(result);
        }
    }
}

impl<
    const C: usize,
    const H: usize,
    const W: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
> QuantizedLayer<Image<C, H, W>> for QuantizedMaxPool<Image<C, H, W>, Image<C, OH, OW>, KH, KW, SH, SW, PH, PW>
{
    type Out = Image<C, OH, OW>;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::MaximumPooling {
            windows: Windows {
                from: [C, H, W],
                to: [C, OH, OW],
                kernel: [KH, KW],
                stride: [SH, SW],
                padding: [PH, PW],
                dilation: [1; 2],
            },
        });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[[[i8; W]; H]; C]) -> [[[i8; OW]; OH]; C] {
        let mut y = [[[0; OW]; OH]; C];
        for (x, y) in x.iter().zip(&mut y) {
            windows(
                [[KH, KW], [SH, SW], [PH, PW]],
                x,
                y,
                -128,
                |a, b| if a > b { a } else { b },
                |largest| largest as i8,
            );
        }
        y
    }
}

impl<
    const C: usize,
    const H: usize,
    const W: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
> QuantizedLayer<Image<C, H, W>> for QuantizedAveragePool<Image<C, H, W>, Image<C, OH, OW>, KH, KW, SH, SW, PH, PW>
{
    type Out = Image<C, OH, OW>;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::MeanPooling {
            windows: Windows {
                from: [C, H, W],
                to: [C, OH, OW],
                kernel: [KH, KW],
                stride: [SH, SW],
                padding: [PH, PW],
                dilation: [1; 2],
            },
            parts: (self.zero, self.multiplier, self.shift),
        });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[[[i8; W]; H]; C]) -> [[[i8; OW]; OH]; C] {
        const { assert!(KH * KW <= LARGEST_MEAN, "QuantizedAveragePool: a window of more than 2^18 pixels") };
        let zero = i32::from(self.zero);
        let mut y = [[[0; OW]; OH]; C];
        for (x, y) in x.iter().zip(&mut y) {
            // Padding, which is zero, adds nothing.
            windows(
                [[KH, KW], [SH, SW], [PH, PW]],
                x,
                y,
                0,
                |sum, pixel| sum + pixel - zero,
                |sum| rescaled(sum << MEAN_HEADROOM, self.multiplier, self.shift, self.zero),
            );
        }
        y
    }
}

/// The mean of so many integers less their zero point fits into 32 bits with the shift to the left: 9 bits, 18 and 4.
const LARGEST_MEAN: usize = 1 << 18;

macro_rules! pool {
    ([$($parameter:ident)*] $layer:ident, $quantized:ty, |$input:ident| $new:expr) => {
        impl<
            const C: usize,
            const H: usize,
            const W: usize,
            const OH: usize,
            const OW: usize,
            $(const $parameter: usize),*
        > Quantize<Image<C, H, W>> for $layer<Image<C, H, W>, Image<C, OH, OW>, $($parameter),*>
        {
            type Quantized = $quantized;

            fn quantized(&self, $input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
                next();
                Ok($new)
            }
        }
    };
}

type Max<
    const C: usize,
    const H: usize,
    const W: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
> = QuantizedMaxPool<Image<C, H, W>, Image<C, OH, OW>, KH, KW, SH, SW, PH, PW>;

type Average<
    const C: usize,
    const H: usize,
    const W: usize,
    const OH: usize,
    const OW: usize,
    const KH: usize,
    const KW: usize,
    const SH: usize,
    const SW: usize,
    const PH: usize,
    const PW: usize,
> = QuantizedAveragePool<Image<C, H, W>, Image<C, OH, OW>, KH, KW, SH, SW, PH, PW>;

pool!([K STRIDE PADDING] MaxPool, Max<C, H, W, OH, OW, K, K, STRIDE, STRIDE, PADDING, PADDING>, |_input| QuantizedMaxPool::new());
pool!([KH KW SH SW PH PW] RectangularMaxPool, Max<C, H, W, OH, OW, KH, KW, SH, SW, PH, PW>, |_input| QuantizedMaxPool::new());
pool!(
    [K STRIDE PADDING] AveragePool, Average<C, H, W, OH, OW, K, K, STRIDE, STRIDE, PADDING, PADDING>,
    |input| QuantizedAveragePool::new(input.zero)
);
pool!(
    [KH KW SH SW PH PW] RectangularAveragePool, Average<C, H, W, OH, OW, KH, KW, SH, SW, PH, PW>,
    |input| QuantizedAveragePool::new(input.zero)
);
pool!([K] Upsample, QuantizedUpsample<Image<C, H, W>, Image<C, OH, OW>, K>, |_input| QuantizedUpsample::new());

impl<const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const K: usize>
    QuantizedLayer<Image<C, H, W>> for QuantizedUpsample<Image<C, H, W>, Image<C, OH, OW>, K>
{
    type Out = Image<C, OH, OW>;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::NearestNeighbour { from: [C, H, W], factor: K });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[[[i8; W]; H]; C]) -> [[[i8; OW]; OH]; C] {
        let mut y = [[[0; OW]; OH]; C];
        for (x, y) in x.iter().zip(&mut y) {
            for (x, rows) in x.iter().zip(y.chunks_mut(K)) {
                for row in rows {
                    for (&x, y) in x.iter().zip(row.chunks_mut(K)) {
                        y.fill(x);
                    }
                }
            }
        }
        y
    }
}

/// Global average pooling in integers: the mean of each channel, rounded to the nearest integer, halves up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantizedGlobalAveragePool {
    zero: i8,
    multiplier: u16,
    shift: u8,
}

impl QuantizedGlobalAveragePool {
    /// Creates the layer for a `static`: as [`QuantizedAveragePool::from_parts`].
    #[must_use]
    pub const fn from_parts(zero: i8, multiplier: u16, shift: u8) -> Self {
        QuantizedGlobalAveragePool { zero, multiplier, shift }
    }
}

impl<const C: usize, const H: usize, const W: usize> QuantizedLayer<Image<C, H, W>> for QuantizedGlobalAveragePool {
    type Out = Features<C>;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::MeanOfPixels { from: [C, H, W], parts: (self.zero, self.multiplier, self.shift) });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[[[i8; W]; H]; C]) -> [i8; C] {
        const { assert!(H * W <= LARGEST_MEAN, "QuantizedGlobalAveragePool: an image of more than 2^18 pixels") };
        x.map(
            #[inline(always)]
            |x| {
                let sum: i32 = x.as_flattened().iter().map(|&x| i32::from(x) - i32::from(self.zero)).sum();
                rescaled(sum << MEAN_HEADROOM, self.multiplier, self.shift, self.zero)
            },
        )
    }
}

impl<const C: usize, const H: usize, const W: usize> Quantize<Image<C, H, W>> for GlobalAveragePool<Image<C, H, W>> {
    type Quantized = QuantizedGlobalAveragePool;

    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        next();
        let (multiplier, shift) = mean_of(H * W);
        Ok(QuantizedGlobalAveragePool { zero: input.zero, multiplier, shift })
    }
}

impl<const C: usize, const H: usize, const W: usize, const N: usize> QuantizedLayer<Image<C, H, W>>
    for QuantizedReshape<Image<C, H, W>, Features<N>>
{
    type Out = Features<N>;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Reshape { to: <Features<N> as Shape>::DIMENSIONS });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[[[i8; W]; H]; C]) -> [i8; N] {
        let mut y = [0; N];
        y.iter_mut().zip(x.as_flattened().as_flattened()).for_each(|(y, &x)| *y = x);
        y
    }
}

impl<const C: usize, const H: usize, const W: usize, const N: usize> QuantizedLayer<Features<N>>
    for QuantizedReshape<Features<N>, Image<C, H, W>>
{
    type Out = Image<C, H, W>;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Reshape { to: <Image<C, H, W> as Shape>::DIMENSIONS });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[i8; N]) -> [[[i8; W]; H]; C] {
        let mut y = [[[0; W]; H]; C];
        y.as_flattened_mut().as_flattened_mut().iter_mut().zip(x).for_each(|(y, &x)| *y = x);
        y
    }
}

impl<const C: usize, const H: usize, const W: usize, const N: usize> Quantize<Image<C, H, W>>
    for Flatten<Image<C, H, W>, N>
{
    type Quantized = QuantizedReshape<Image<C, H, W>, Features<N>>;

    fn quantized(&self, _: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        next();
        Ok(QuantizedReshape::new())
    }
}

impl<const C: usize, const H: usize, const W: usize, const N: usize> Quantize<Features<N>>
    for Unflatten<N, Image<C, H, W>>
{
    type Quantized = QuantizedReshape<Features<N>, Image<C, H, W>>;

    fn quantized(&self, _: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        next();
        Ok(QuantizedReshape::new())
    }
}

impl<In: QuantizedShape, const PERCENT: u32> Quantize<In> for Dropout<PERCENT> {
    type Quantized = QuantizedIdentity;

    fn quantized(&self, _: Scale, next: &mut dyn FnMut() -> Range) -> Result<QuantizedIdentity, Error> {
        next();
        Ok(QuantizedIdentity)
    }
}

impl<const PERCENT: u32, const C: usize, const H: usize, const W: usize> Quantize<Image<C, H, W>>
    for Dropout2d<PERCENT>
{
    type Quantized = QuantizedIdentity;

    fn quantized(&self, _: Scale, next: &mut dyn FnMut() -> Range) -> Result<QuantizedIdentity, Error> {
        next();
        Ok(QuantizedIdentity)
    }
}

impl<In: QuantizedShape> Quantize<In> for Input<In> {
    type Quantized = QuantizedIdentity;

    fn quantized(&self, _: Scale, next: &mut dyn FnMut() -> Range) -> Result<QuantizedIdentity, Error> {
        next();
        Ok(QuantizedIdentity)
    }
}
