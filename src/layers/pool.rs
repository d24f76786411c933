//! [`MaxPool`], [`AveragePool`], [`GlobalAveragePool`] and [`Upsample`]: from images to smaller and larger ones.
//! Rectangular windows have types of their own, so that square ones are written with one number.

use super::window::{assert_positions, assert_same};
use crate::activation::NoActivation;
use crate::kernel::geometry::Geometry;
use crate::kernel::pooling::{
    Divisor, average_pool, average_pool_gradient, max_pool, max_pool_gradient, mean_of_pixels, upsample,
    upsample_gradient,
};
use crate::kernel::{map_first, pooling};
use crate::model::{Batch, Features, Image, InputShape, Layer, Model, Op, Pass, Shape, Windows, Zeroed};
use crate::num::{Real, lanes};
use crate::visits_nothing;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::SMatrix;

/// The struct of a layer from the shape `From` to the shape `To` without parameters.
macro_rules! layer_between {
    ($(#[$about:meta])* $name:ident, [$($parameter:ident $(= $default:expr)?),*]) => {
        $(#[$about])*
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
        pub struct $name<From, To, $(const $parameter: usize $(= $default)?,)* T = f32>(PhantomData<(From, To, T)>);

        impl<From, To, $(const $parameter: usize,)* T> Clone for $name<From, To, $($parameter,)* T> {
            fn clone(&self) -> Self {
                $name(PhantomData)
            }
        }

        impl<From, To, $(const $parameter: usize,)* T> PartialEq for $name<From, To, $($parameter,)* T> {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }

        impl<From, To, $(const $parameter: usize,)* T> core::fmt::Debug for $name<From, To, $($parameter,)* T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<From: Shape, To, $(const $parameter: usize,)* T: Real> InputShape
            for $name<From, To, $($parameter,)* T>
        {
            type In = From;
            type Scalar = T;
        }

        impl<From, To, $(const $parameter: usize,)* T> crate::model::Network for $name<From, To, $($parameter,)* T> {}
    };
}

layer_between! {
    /// Maximum pooling: the largest value of each window of `K` by `K` pixels, which moves by `STRIDE` pixels; by default
    /// the windows do not overlap. From the shape `From` to the shape `To`, which [`network!`](crate::network) computes.
    ///
    /// `PADDING` extends the image on each side, by at most half a window, by pixels that are never the largest. Of equal
    /// values the first one gets the gradient, row by row.
    ///
    /// # Shapes
    ///
    /// `From` in, such as `Image<6, 24, 24>`; `To` out, such as `Image<6, 12, 12>`. Pixels at the end that do not fill a
    /// window are left out.
    ///
    /// # Formula
    ///
    /// `y[c][h][w] = max of x[c][h * STRIDE + i - PADDING][w * STRIDE + j - PADDING]`. PyTorch equivalent:
    /// `torch.nn.MaxPool2d`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::MaxPool;
    /// use tuplenet::prelude::*;
    ///
    /// let pool = MaxPool::<Image<1, 2, 4>, Image<1, 1, 2>, 2>::new(&mut seeded(0));
    /// assert_eq!(pool.predict_one(&[[[1.0, 2.0, 0.0, 0.0], [4.0, 3.0, 0.0, -1.0]]]), [[[4.0, 0.0]]]);
    /// ```
    #[doc(alias("nn.MaxPool2d", "MaxPooling2D", "max pooling"))]
    MaxPool, [K, STRIDE = K, PADDING = 0]
}

layer_between! {
    /// Average pooling: the mean of each window of `K` by `K` pixels, which moves by `STRIDE` pixels; by default the
    /// windows do not overlap. From the shape `From` to the shape `To`, which [`network!`](crate::network) computes.
    ///
    /// `PADDING` extends the image on each side, by at most half a window, by zeros, which count as pixels.
    ///
    /// # Shapes
    ///
    /// As those of [`MaxPool`].
    ///
    /// # Formula
    ///
    /// `y[c][h][w] = (sum of x[c][h * STRIDE + i - PADDING][w * STRIDE + j - PADDING]) / (K * K)`. PyTorch equivalent:
    /// `torch.nn.AvgPool2d`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::AveragePool;
    /// use tuplenet::prelude::*;
    ///
    /// let pool = AveragePool::<Image<1, 2, 4>, Image<1, 1, 2>, 2>::new(&mut seeded(0));
    /// assert_eq!(pool.predict_one(&[[[1.0, 2.0, 0.0, 0.0], [4.0, 3.0, 0.0, -1.0]]]), [[[2.5, -0.25]]]);
    /// ```
    #[doc(alias("nn.AvgPool2d", "AveragePooling2D", "mean pooling"))]
    AveragePool, [K, STRIDE = K, PADDING = 0]
}

layer_between! {
    /// [`MaxPool`] whose windows have `KH` rows and `KW` columns, and move by `SH` rows and `SW` columns; by default they do not
    /// overlap. In [`network!`](crate::network) it is `MaxPool` with pairs: `MaxPool<(1, 2)>`.
    ///
    /// `PH` and `PW` extend the image, by at most half a window, by pixels that are never the largest.
    ///
    /// # Shapes
    ///
    /// `From` in, such as `Image<8, 1, 40>`; `To` out, such as `Image<8, 1, 20>`.
    ///
    /// # Formula
    ///
    /// `y[c][h][w] = max of x[c][h * SH + i - PH][w * SW + j - PW]`. PyTorch equivalent: `torch.nn.MaxPool2d((KH, KW))`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::RectangularMaxPool;
    /// use tuplenet::prelude::*;
    ///
    /// let pool = RectangularMaxPool::<Image<1, 1, 4>, Image<1, 1, 2>, 1, 2>::new(&mut seeded(0));
    /// assert_eq!(pool.predict_one(&[[[1.0, 2.0, 0.0, -1.0]]]), [[[2.0, 0.0]]]);
    /// ```
    #[doc(alias("MaxPool1d"))]
    RectangularMaxPool, [KH, KW, SH = KH, SW = KW, PH = 0, PW = 0]
}

layer_between! {
    /// [`AveragePool`] whose windows have `KH` rows and `KW` columns, and move by `SH` rows and `SW` columns; by default they
    /// do not overlap. In [`network!`](crate::network) it is `AveragePool` with pairs: `AveragePool<(1, 2)>`.
    ///
    /// `PH` and `PW` extend the image, by at most half a window, by zeros, which count as pixels.
    ///
    /// # Shapes
    ///
    /// As those of [`RectangularMaxPool`].
    ///
    /// # Formula
    ///
    /// `y[c][h][w] = (sum of x[c][h * SH + i - PH][w * SW + j - PW]) / (KH * KW)`. PyTorch equivalent:
    /// `torch.nn.AvgPool2d((KH, KW))`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::RectangularAveragePool;
    /// use tuplenet::prelude::*;
    ///
    /// let pool = RectangularAveragePool::<Image<1, 1, 4>, Image<1, 1, 2>, 1, 2>::new(&mut seeded(0));
    /// assert_eq!(pool.predict_one(&[[[1.0, 2.0, 0.0, -1.0]]]), [[[1.5, -0.5]]]);
    /// ```
    #[doc(alias("AvgPool1d"))]
    RectangularAveragePool, [KH, KW, SH = KH, SW = KW, PH = 0, PW = 0]
}

layer_between! {
    /// Upsampling: every pixel becomes `K` by `K` pixels with the same value. From the shape `From` to the shape `To`.
    ///
    /// # Shapes
    ///
    /// `From` in, such as `Image<8, 4, 4>`; `To` out, with height and width `K` times as large: `Image<8, 8, 8>`.
    ///
    /// # Formula
    ///
    /// `y[c][h][w] = x[c][h / K][w / K]`. PyTorch equivalent: `torch.nn.Upsample(scale_factor=K, mode="nearest")`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::Upsample;
    /// use tuplenet::prelude::*;
    ///
    /// let larger = Upsample::<Image<1, 1, 2>, Image<1, 2, 4>, 2>::new(&mut seeded(0));
    /// assert_eq!(larger.predict_one(&[[[1.0, 2.0]]]), [[[1.0, 1.0, 2.0, 2.0]; 2]]);
    /// ```
    #[doc(alias("nn.Upsample", "UpSampling2D", "nearest"))]
    Upsample, [K]
}

/// The geometry of a window that moves over each channel of an image.
const fn geometry(
    batch: usize,
    channels: usize,
    [from, to]: [[usize; 2]; 2],
    [kernel, stride, padding]: [[usize; 2]; 3],
) -> Geometry {
    Geometry {
        batch,
        channels,
        outputs: channels,
        size: from,
        output_size: to,
        kernel,
        stride,
        padding,
        dilation: [1; 2],
        groups: channels,
    }
}

macro_rules! pooling {
    (
        $name:ident, $text:literal, [$($parameter:ident)*], [$kernel:expr, $stride:expr, $padding:expr], $from:expr, $to:expr,
        |$simd:ident, $geometry:ident, $len:ident, $x:ident, $y:ident| $forward:expr,
        |$dy:ident, $dx:ident| $backward:expr, |$windows:ident| $op:expr
    ) => {
        impl<const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, $(const $parameter: usize,)* T>
            Zeroed for $name<Image<C, H, W>, Image<C, OH, OW>, $($parameter,)* T>
        {
            const ZEROED: Self = {
                let (kernel, padding): ([usize; 2], [usize; 2]) = ($kernel, $padding);
                assert_positions($text, $from, $to, [kernel, $stride, padding, [1; 2]]);
                assert!(
                    2 * padding[0] <= kernel[0] && 2 * padding[1] <= kernel[1],
                    "expected a padding of at most half the window"
                );
                $name(PhantomData)
            };
        }

        visits_nothing!([
            const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, $(const $parameter: usize,)*
            T: Real
        ] $name<Image<C, H, W>, Image<C, OH, OW>, $($parameter,)* T>, T);

        impl<
            const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, $(const $parameter: usize,)*
            T: Real,
        > Model<Image<C, H, W>, T> for $name<Image<C, H, W>, Image<C, OH, OW>, $($parameter,)* T>
        {
            type Out = Image<C, OH, OW>;
            const MACS: Option<usize> = Some(0);

            #[inline(always)]
            fn infer<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &Batch<Image<C, H, W>, T, B>,
                y: &mut Batch<Image<C, OH, OW>, T, B>,
            ) {
                let ($simd, $len) = (pass.simd(), pass.len());
                let $geometry = const { &geometry(B, C, [$from, $to], [$kernel, $stride, $padding]) };
                let ($x, $y) = (<Image<C, H, W>>::as_slice(x), <Image<C, OH, OW>>::as_mut_slice(y));
                $forward
            }
        }

        impl<
            const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, $(const $parameter: usize,)*
            T: Real,
        > Layer<Image<C, H, W>, T> for $name<Image<C, H, W>, Image<C, OH, OW>, $($parameter,)* T>
        {
            type Cache<const B: usize> = ();
            type LastActivation = NoActivation<Self>;

            #[inline(always)]
            fn backward<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                (x, y): (&Batch<Image<C, H, W>, T, B>, &Batch<Image<C, OH, OW>, T, B>),
                (): &mut (),
                dy: &mut Batch<Image<C, OH, OW>, T, B>,
                _: &mut Self,
                dx: Option<&mut Batch<Image<C, H, W>, T, B>>,
            ) {
                let Some(dx) = dx else { return };
                let ($simd, $len) = (pass.simd(), pass.len());
                let $geometry = const { &geometry(B, C, [$from, $to], [$kernel, $stride, $padding]) };
                let ($x, $y) = (<Image<C, H, W>>::as_slice(x), <Image<C, OH, OW>>::as_slice(y));
                let _ = ($x, $y);
                let ($dy, $dx) = (<Image<C, OH, OW>>::as_slice(dy), <Image<C, H, W>>::as_mut_slice(dx));
                $backward
            }

            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                let $windows = Windows {
                    from: [C, H, W],
                    to: [C, OH, OW],
                    kernel: $kernel,
                    stride: $stride,
                    padding: $padding,
                    dilation: [1; 2],
                };
                emit($op);
            }
        }
    };
}

pooling!(
    MaxPool, "MaxPool", [K STRIDE PADDING], [[K; 2], [STRIDE; 2], [PADDING; 2]], [H, W], [OH, OW],
    |simd, geometry, len, x, y| max_pool(simd, geometry, len, x, y),
    |dy, dx| max_pool_gradient(simd, geometry, len, [x, y, dy], dx),
    |windows| Op::MaximumPooling { windows }
);

pooling!(
    RectangularMaxPool, "RectangularMaxPool", [KH KW SH SW PH PW], [[KH, KW], [SH, SW], [PH, PW]], [H, W], [OH, OW],
    |simd, geometry, len, x, y| max_pool(simd, geometry, len, x, y),
    |dy, dx| max_pool_gradient(simd, geometry, len, [x, y, dy], dx),
    |windows| Op::MaximumPooling { windows }
);

pooling!(
    AveragePool, "AveragePool", [K STRIDE PADDING], [[K; 2], [STRIDE; 2], [PADDING; 2]], [H, W], [OH, OW],
    |simd, geometry, len, x, y| average_pool(simd, geometry, Divisor::Window, len, x, y),
    |dy, dx| average_pool_gradient(simd, geometry, Divisor::Window, len, dy, dx),
    |windows| Op::MeanPooling { windows }
);

pooling!(
    RectangularAveragePool, "RectangularAveragePool", [KH KW SH SW PH PW], [[KH, KW], [SH, SW], [PH, PW]], [H, W],
    [OH, OW], |simd, geometry, len, x, y| average_pool(simd, geometry, Divisor::Window, len, x, y),
    |dy, dx| average_pool_gradient(simd, geometry, Divisor::Window, len, dy, dx),
    |windows| Op::MeanPooling { windows }
);

// A pooling backwards.
pooling!(
    Upsample,
    "Upsample, backwards",
    [K],
    [[K; 2], [K; 2], [0; 2]],
    [OH, OW],
    [H, W],
    |simd, geometry, len, x, y| {
        let _ = (simd, len);
        upsample(geometry, x, y);
    },
    |dy, dx| upsample_gradient(simd, geometry, len, dy, dx),
    |windows| Op::NearestNeighbour { from: windows.from, factor: windows.kernel[0] }
);

/// Global average pooling: the mean of each channel, from an image to features.
///
/// # Shapes
///
/// `From` in, an `Image<C, H, W>`; `Features<C>` out.
///
/// # Formula
///
/// `y[c] = (sum of x[c][h][w]) / (H * W)`. PyTorch equivalent: `torch.nn.AdaptiveAvgPool2d(1)`, followed by
/// `torch.nn.Flatten`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::GlobalAveragePool;
/// use tuplenet::prelude::*;
///
/// let mean = GlobalAveragePool::<Image<2, 1, 2>>::new(&mut seeded(0));
/// assert_eq!(mean.predict_one(&[[[1.0, 3.0]], [[0.5, 0.5]]]), [2.0, 0.5]);
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
#[doc(alias("AdaptiveAvgPool2d", "GlobalAveragePooling2D"))]
pub struct GlobalAveragePool<From, T = f32>(PhantomData<(From, T)>);

impl<From, T> Clone for GlobalAveragePool<From, T> {
    fn clone(&self) -> Self {
        GlobalAveragePool(PhantomData)
    }
}

impl<From, T> PartialEq for GlobalAveragePool<From, T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<From, T> core::fmt::Debug for GlobalAveragePool<From, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("GlobalAveragePool")
    }
}

impl<From: Shape, T: Real> InputShape for GlobalAveragePool<From, T> {
    type In = From;
    type Scalar = T;
}

impl<From, T> crate::model::Network for GlobalAveragePool<From, T> {}

impl<From: Shape, T> Zeroed for GlobalAveragePool<From, T> {
    const ZEROED: Self = {
        assert!(From::LEN > 0, "expected an image with at least one pixel");
        GlobalAveragePool(PhantomData)
    };
}

visits_nothing!([From: Shape, T: Real] GlobalAveragePool<From, T>, T);

impl<const C: usize, const H: usize, const W: usize, T: Real> Model<Image<C, H, W>, T>
    for GlobalAveragePool<Image<C, H, W>, T>
{
    type Out = Features<C>;
    const MACS: Option<usize> = Some(0);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<Image<C, H, W>, T, B>,
        y: &mut SMatrix<T, C, B>,
    ) {
        let mut means = [[T::ZERO; B]; C];
        let x = <Image<C, H, W>>::as_slice(x);
        mean_of_pixels(pass.simd(), H * W, B, pass.len(), x, means.as_flattened_mut());
        pooling::samples_apart(means.as_flattened(), &mut y.data.0);
    }
}

impl<const C: usize, const H: usize, const W: usize, T: Real> Layer<Image<C, H, W>, T>
    for GlobalAveragePool<Image<C, H, W>, T>
{
    type Cache<const B: usize> = ();
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        _: (&Batch<Image<C, H, W>, T, B>, &SMatrix<T, C, B>),
        (): &mut (),
        dy: &mut SMatrix<T, C, B>,
        _: &mut Self,
        dx: Option<&mut Batch<Image<C, H, W>, T, B>>,
    ) {
        let Some(dx) = dx else { return };
        let mut gradients = [[T::ZERO; B]; C];
        pooling::samples_together(&dy.data.0, gradients.as_flattened_mut());
        let scale = T::ONE / T::from_count(H * W);
        for (gradients, dx) in gradients.iter().zip(dx) {
            for dx in dx.as_flattened_mut() {
                map_first(
                    pass.simd(),
                    pass.len(),
                    [dx.as_mut_slice()],
                    [gradients.as_slice()],
                    #[inline(always)]
                    |[_], [dy]| [dy * lanes::<S, T>(pass.simd(), scale)],
                );
            }
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::MeanOfPixels { from: [C, H, W] });
    }
}

/// Turns an image into features, channel by channel, row by row, as PyTorch does: before the first
/// [`Dense`](super::Dense) layer.
///
/// # Shapes
///
/// `From` in, an `Image<C, H, W>`; `Features<N>` out, where `N` must be `C * H * W`, which
/// [`network!`](crate::network) computes.
///
/// # Formula
///
/// `y[(c * H + h) * W + w] = x[c][h][w]`. PyTorch equivalent: `torch.nn.Flatten`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::Flatten;
/// use tuplenet::prelude::*;
///
/// let flatten = Flatten::<Image<1, 2, 2>, 4>::new(&mut seeded(0));
/// assert_eq!(flatten.predict_one(&[[[1.0, 2.0], [3.0, 4.0]]]), [1.0, 2.0, 3.0, 4.0]);
/// ```
///
/// Another number does not compile: "Flatten: the image has 256 values, not 255".
///
/// ```compile_fail,E0080
/// use tuplenet::layers::Flatten;
/// use tuplenet::model::assert_shapes;
/// use tuplenet::prelude::*;
///
/// const _: () = assert_shapes::<Flatten<Image<16, 4, 4>, 255>>();
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
#[doc(alias("nn.Flatten", "Reshape"))]
pub struct Flatten<From, const N: usize, T = f32>(PhantomData<(From, T)>);

/// Turns features into an image: the inverse of [`Flatten`], for decoders.
///
/// # Shapes
///
/// `Features<N>` in; `To` out, an `Image<C, H, W>`, where `N` must be `C * H * W`.
///
/// # Formula
///
/// `y[c][h][w] = x[(c * H + h) * W + w]`. PyTorch equivalent: `torch.nn.Unflatten`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::Unflatten;
/// use tuplenet::prelude::*;
///
/// let image = Unflatten::<4, Image<1, 2, 2>>::new(&mut seeded(0));
/// assert_eq!(image.predict_one(&[1.0, 2.0, 3.0, 4.0]), [[[1.0, 2.0], [3.0, 4.0]]]);
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
#[doc(alias("nn.Unflatten", "Reshape"))]
pub struct Unflatten<const N: usize, To, T = f32>(PhantomData<(To, T)>);

macro_rules! reshape {
    (
        $name:ident, $text:literal, [$($parameters:tt)*], [$($arguments:tt)*], $layer:ty, $in:ty, $in_of_any:ty,
        $batch_in:ty, $out:ty, $batch_out:ty, |$x:ident, $y:ident| $forward:expr, |$dy:ident, $dx:ident| $backward:expr,
        $op:expr
    ) => {
        impl<$($parameters)* T> Clone for $name<$($arguments)* T> {
            fn clone(&self) -> Self {
                $name(PhantomData)
            }
        }

        impl<$($parameters)* T> PartialEq for $name<$($arguments)* T> {
            fn eq(&self, _: &Self) -> bool {
                true
            }
        }

        impl<$($parameters)* T> core::fmt::Debug for $name<$($arguments)* T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($name))
            }
        }

        impl<$($parameters)* T: Real> InputShape for $name<$($arguments)* T>
        where
            $in_of_any: Shape,
        {
            type In = $in_of_any;
            type Scalar = T;
        }

        impl<$($parameters)* T> crate::model::Network for $name<$($arguments)* T> {}

        impl<const C: usize, const H: usize, const W: usize, const N: usize, T> Zeroed for $layer {
            const ZEROED: Self = {
                assert_same($text, C * H * W, " values, not ", N);
                $name(PhantomData)
            };
        }

        visits_nothing!([const C: usize, const H: usize, const W: usize, const N: usize, T: Real] $layer, T);

        impl<const C: usize, const H: usize, const W: usize, const N: usize, T: Real> Model<$in, T> for $layer {
            type Out = $out;
            const MACS: Option<usize> = Some(0);

            #[inline(always)]
            fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, $x: &$batch_in, $y: &mut $batch_out) {
                $forward
            }
        }

        impl<const C: usize, const H: usize, const W: usize, const N: usize, T: Real> Layer<$in, T> for $layer {
            type Cache<const B: usize> = ();
            type LastActivation = NoActivation<Self>;

            #[inline(always)]
            fn backward<S: Simd, const B: usize>(
                &self,
                _: Pass<S, B>,
                _: (&$batch_in, &$batch_out),
                (): &mut (),
                $dy: &mut $batch_out,
                _: &mut Self,
                dx: Option<&mut $batch_in>,
            ) {
                if let Some($dx) = dx {
                    $backward
                }
            }

            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                emit($op);
            }
        }
    };
}

reshape!(
    Flatten, "Flatten: the image has ", [From, const N: usize,], [From, N,], Flatten<Image<C, H, W>, N, T>,
    Image<C, H, W>, From, [[[[T; B]; W]; H]; C], Features<N>, SMatrix<T, N, B>,
    |x, y| pooling::samples_apart(<Image<C, H, W>>::as_slice(x), &mut y.data.0),
    |dy, dx| pooling::samples_together(&dy.data.0, <Image<C, H, W>>::as_mut_slice(dx)),
    Op::ImageToFeatures { from: [C, H, W] }
);

reshape!(
    Unflatten, "Unflatten: the image has ", [const N: usize, To,], [N, To,], Unflatten<N, Image<C, H, W>, T>,
    Features<N>, Features<N>, SMatrix<T, N, B>, Image<C, H, W>, [[[[T; B]; W]; H]; C],
    |x, y| pooling::samples_together(&x.data.0, <Image<C, H, W>>::as_mut_slice(y)),
    |dy, dx| pooling::samples_apart(<Image<C, H, W>>::as_slice(dy), &mut dx.data.0),
    Op::FeaturesToImage { to: [C, H, W] }
);
