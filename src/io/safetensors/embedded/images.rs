//! Layers of images that the compiler reads from a file.

use super::{At, Embedded, Place, Readable, kernels, numbers};
use crate::activation::Activation;
use crate::layers::{
    AveragePool, Conv2d, ConvTranspose2d, Flatten, GlobalAveragePool, GroupedConv2d, MaxPool, RectangularAveragePool,
    RectangularConv2d, RectangularMaxPool, Unflatten, Upsample,
};
use crate::model::{Image, Parameter, Zeroed};
use crate::num::Real;

/// A convolution, whose kernels have `$outputs` by `$inputs` weights for each of the `$columns` by `$rows` taps.
macro_rules! convolution {
    (
        $name:ident, [$($sizes:ident)+], [$($window:ident)+], $outputs:ident, $inputs:ident, $columns:ident,
        $rows:ident
    ) => {
        impl<
            P: Place, const C: usize, const H: usize, const W: usize, const D: usize, const OH: usize, const OW: usize,
            $(const $sizes: usize,)+ A: Activation, $(const $window: usize,)+ T: Readable,
        > Embedded<P> for $name<Image<C, H, W>, Image<D, OH, OW>, $($sizes,)+ A, $($window,)+ T>
        {
            const VALUE: Self = $name::from_arrays(
                kernels::<T, At<P, Self, 0>, $outputs, $inputs, $columns, $rows>(),
                numbers::<T, At<P, Self, 1>, D, 1>().data.0[0],
            );
            const TENSORS: &'static [Parameter] = &[Self::WEIGHT, Self::BIAS];
        }
    };
}
convolution!(Conv2d, [K], [STRIDE PADDING DILATION], D, C, K, K);
convolution!(RectangularConv2d, [KH KW], [SH SW PH PW DH DW], D, C, KW, KH);
convolution!(GroupedConv2d, [K INPUTS], [STRIDE PADDING DILATION], D, INPUTS, K, K);
convolution!(ConvTranspose2d, [K], [STRIDE PADDING DILATION], C, D, K, K);

/// Layers of images without parameters.
macro_rules! without_tensors {
    ($([$($generics:tt)*] $layer:ty;)+) => {$(
        impl<P: Place, $($generics)*> Embedded<P> for $layer {
            const VALUE: Self = Zeroed::ZEROED;
            const TENSORS: &'static [Parameter] = &[];
        }
    )+};
}
without_tensors! {
    [
        const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const K: usize,
        const STRIDE: usize, const PADDING: usize, T: Real
    ] MaxPool<Image<C, H, W>, Image<C, OH, OW>, K, STRIDE, PADDING, T>;
    [
        const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const K: usize,
        const STRIDE: usize, const PADDING: usize, T: Real
    ] AveragePool<Image<C, H, W>, Image<C, OH, OW>, K, STRIDE, PADDING, T>;
    [
        const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const KH: usize,
        const KW: usize, const SH: usize, const SW: usize, const PH: usize, const PW: usize, T: Real
    ] RectangularMaxPool<Image<C, H, W>, Image<C, OH, OW>, KH, KW, SH, SW, PH, PW, T>;
    [
        const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const KH: usize,
        const KW: usize, const SH: usize, const SW: usize, const PH: usize, const PW: usize, T: Real
    ] RectangularAveragePool<Image<C, H, W>, Image<C, OH, OW>, KH, KW, SH, SW, PH, PW, T>;
    [
        const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const K: usize, T: Real
    ] Upsample<Image<C, H, W>, Image<C, OH, OW>, K, T>;
    [const C: usize, const H: usize, const W: usize, T: Real] GlobalAveragePool<Image<C, H, W>, T>;
    [const C: usize, const H: usize, const W: usize, const N: usize, T: Real] Flatten<Image<C, H, W>, N, T>;
    [const C: usize, const H: usize, const W: usize, const N: usize, T: Real] Unflatten<N, Image<C, H, W>, T>;
}
