//! Layers of images that the compiler reads from a file.

use super::{At, Embedded, Place, Readable, kernels, numbers};
use crate::activation::Activation;
use crate::layers::{
    AveragePool, Conv2d, ConvTranspose2d, Flatten, GlobalAveragePool, GroupedConv2d, MaxPool, Unflatten, Upsample,
};
use crate::model::{Image, Parameter, Zeroed};
use crate::num::Real;

/// A convolution, whose kernels have `$outputs` by `$inputs` weights for each tap.
macro_rules! convolution {
    ($name:ident, [$($extra:ident)*], $outputs:ident, $inputs:ident) => {
        impl<
            P: Place, const C: usize, const H: usize, const W: usize, const D: usize, const OH: usize, const OW: usize,
            const K: usize, $(const $extra: usize,)* A: Activation, const STRIDE: usize, const PADDING: usize,
            const DILATION: usize, T: Readable,
        > Embedded<P>
            for $name<Image<C, H, W>, Image<D, OH, OW>, K, $($extra,)* A, STRIDE, PADDING, DILATION, T>
        {
            const VALUE: Self = $name::from_arrays(
                kernels::<T, At<P, Self, 0>, $outputs, $inputs, K, K>(),
                numbers::<T, At<P, Self, 1>, D, 1>().data.0[0],
            );
            const TENSORS: &'static [Parameter] = &[Self::WEIGHT, Self::BIAS];
        }
    };
}
convolution!(Conv2d, [], D, C);
convolution!(GroupedConv2d, [INPUTS], D, INPUTS);
convolution!(ConvTranspose2d, [], C, D);

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
        const C: usize, const H: usize, const W: usize, const OH: usize, const OW: usize, const K: usize, T: Real
    ] Upsample<Image<C, H, W>, Image<C, OH, OW>, K, T>;
    [const C: usize, const H: usize, const W: usize, T: Real] GlobalAveragePool<Image<C, H, W>, T>;
    [const C: usize, const H: usize, const W: usize, const N: usize, T: Real] Flatten<Image<C, H, W>, N, T>;
    [const C: usize, const H: usize, const W: usize, const N: usize, T: Real] Unflatten<N, Image<C, H, W>, T>;
}
