//! [`Real`]: the two scalar types of networks, `f32` and `f64`, and what the code for lanes needs to know of each.

use crate::num::fused::root_f32;
use crate::num::math::square_root;
use crate::num::root::{reciprocal_root_of_variance, root_of_f32};
use crate::num::series::{self, Series};
use crate::num::zeroed::Zeroed;
use fearless_simd::prelude::*;
use fearless_simd::{SimdFloatElement, f32x4, f32x8, f64x2, f64x4};
use nalgebra::Scalar;
use num_traits::float::FloatCore;

/// A vector register of the instruction set `S` with values of type `T`.
pub type Lanes<S, T> = <T as SimdFloatElement>::Native<S>;

/// A scalar type of weights and data: `f32` or `f64`. It cannot be implemented for other types, because it needs
/// vector lanes, which exist for these two.
pub trait Real: Scalar + FloatCore + SimdFloatElement + Zeroed + bytemuck::Pod + Send + Sync {
    /// 0, for constants.
    const ZERO: Self;
    /// 1, for constants.
    const ONE: Self;
    /// The series of [`math`](crate::num::math).
    const SERIES: Series<Self>;
    /// The number of bits behind the binary point.
    const MANTISSA_BITS: u32;
    /// All bits of a mantissa.
    const MANTISSA_MASK: Self::Bits;
    /// The bits of 1.
    const ONE_BITS: Self::Bits;
    /// 1.5 times 2 to the power of [`MANTISSA_BITS`](Self::MANTISSA_BITS): adding it rounds a small value to an
    /// integer, which is then in the lowest bits.
    const ROUNDER: Self;
    /// 2 to the power of [`MANTISSA_BITS`](Self::MANTISSA_BITS).
    const UNIT: Self;
    /// The bits of [`UNIT`](Self::UNIT).
    const UNIT_BITS: Self::Bits;
    /// What is added to an exponent before it is stored.
    const EXPONENT_BIAS: Self;
    /// The part of ln 2 whose product with any exponent is exact; the rest is in [`LN_2_LOW`](Self::LN_2_LOW).
    const LN_2_HIGH: Self;
    /// ln 2 minus [`LN_2_HIGH`](Self::LN_2_HIGH).
    const LN_2_LOW: Self;
    /// The logarithm of the smallest normal value, rounded up.
    const LN_MIN: Self;

    /// A register of half the size of the widest one.
    type Half<S: Simd>: SimdFloat<S, Element = Self>;

    /// The nearest value of this type.
    #[must_use]
    fn of(value: f64) -> Self;

    /// The same value as `f64`.
    #[must_use]
    fn exact(self) -> f64;

    /// The value nearest to a count.
    #[must_use]
    fn from_count(count: usize) -> Self;

    /// Uniformly distributed in `[0, 1)`, from the top bits of `bits`.
    #[must_use]
    fn from_random_bits(bits: u64) -> Self;

    /// Loads the first lanes from a slice shorter than a register; the others are zero.
    ///
    /// Loads halves, quarters and so on. A copy would consist of several stores, and a CPU cannot load a register
    /// before the stores have left its buffers.
    fn load_part<S: Simd>(simd: S, from: &[Self]) -> Lanes<S, Self>;

    /// The lanes filled with a few values repeatedly: two, four, eight, or one; fewer than there are lanes.
    fn repeat<S: Simd>(simd: S, values: &[Self]) -> Lanes<S, Self>;

    /// The square root, correctly rounded.
    #[inline(always)]
    fn exact_root<S: Simd>(simd: S, x: Lanes<S, Self>) -> Lanes<S, Self> {
        let _ = simd;
        x.sqrt()
    }

    /// The square root of zero or of a value not near the ends of the range, within 1 ulp.
    #[inline(always)]
    fn root<S: Simd>(simd: S, x: Lanes<S, Self>) -> Lanes<S, Self> {
        Self::exact_root(simd, x)
    }

    /// 1 divided by the square root of a variance to which an epsilon was added.
    #[inline(always)]
    #[must_use]
    fn reciprocal_root_of_variance(self) -> Self {
        Self::ONE / square_root(self)
    }
}

/// Whether there are no vector registers. With `--cfg tuplenet_scalar` a CPU that has them does without, so that tests can run on it
/// what a microcontroller runs.
pub(crate) const SCALAR: bool = cfg!(any(
    tuplenet_scalar,
    not(any(
        target_arch = "x86",
        target_arch = "x86_64",
        target_arch = "aarch64",
        all(target_arch = "wasm32", target_feature = "simd128"),
    ))
));

/// A value in all lanes. The compiler removes what is computed in lanes that are not used.
#[inline(always)]
pub(crate) fn lanes<S: Simd, T: Real>(simd: S, value: T) -> Lanes<S, T> {
    if SCALAR {
        // Not `splat`, which is a loop where a program is optimized for size.
        Lanes::<S, T>::from_slice(simd, &[value, value, value, value][..Lanes::<S, T>::LEN])
    } else {
        Lanes::<S, T>::splat(simd, value)
    }
}

/// The value in the first lane.
#[inline(always)]
pub(crate) fn first_lane<S: Simd, T: Real>(lanes: Lanes<S, T>) -> T {
    lanes.as_slice()[0]
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const SERIES: Series<f32> = series::OF_F32;
    const MANTISSA_BITS: u32 = 23;
    const MANTISSA_MASK: u32 = (1 << 23) - 1;
    const ONE_BITS: u32 = 1.0f32.to_bits();
    const ROUNDER: Self = 12_582_912.0;
    const UNIT: Self = 8_388_608.0;
    const UNIT_BITS: u32 = Self::UNIT.to_bits();
    const EXPONENT_BIAS: Self = 127.0;
    const LN_2_HIGH: Self = 0.693_359_4;
    const LN_2_LOW: Self = -2.121_944_4e-4;
    const LN_MIN: Self = -87.33;

    type Half<S: Simd> = f32x8<S>;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn exact(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn from_count(count: usize) -> Self {
        count as f32
    }

    #[inline(always)]
    fn from_random_bits(bits: u64) -> Self {
        (bits >> 40) as u32 as f32 * (1.0 / (1u64 << 24) as f32)
    }

    #[inline(always)]
    fn exact_root<S: Simd>(simd: S, x: Lanes<S, f32>) -> Lanes<S, f32> {
        if SCALAR { lanes::<S, f32>(simd, root_of_f32(first_lane::<S, f32>(x))) } else { x.sqrt() }
    }

    #[inline(always)]
    fn reciprocal_root_of_variance(self) -> f32 {
        if SCALAR { reciprocal_root_of_variance(self) } else { 1.0 / square_root(self) }
    }

    #[inline(always)]
    fn root<S: Simd>(simd: S, x: Lanes<S, f32>) -> Lanes<S, f32> {
        if SCALAR { Self::exact_root(simd, x) } else { root_f32(simd, x) }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn load_part<S: Simd>(simd: S, from: &[f32]) -> Lanes<S, f32> {
        #[cfg_attr(not(debug_assertions), inline(always))]
        fn quarter<S: Simd>(simd: S, from: &[f32]) -> f32x4<S> {
            match *from {
                [] => f32x4::splat(simd, 0.0),
                [a] => f32x4::load_array(simd, [a, 0.0, 0.0, 0.0]),
                [a, b] => f32x4::load_array(simd, [a, b, 0.0, 0.0]),
                [a, b, c] => f32x4::load_array(simd, [a, b, c, 0.0]),
                _ => f32x4::from_slice(simd, &from[..4]),
            }
        }
        #[cfg_attr(not(debug_assertions), inline(always))]
        fn half<S: Simd>(simd: S, from: &[f32]) -> f32x8<S> {
            match from.split_at_checked(4) {
                _ if from.len() >= 8 => f32x8::from_slice(simd, &from[..8]),
                Some((low, high)) => simd.combine_f32x4(quarter(simd, low), quarter(simd, high)),
                None => simd.combine_f32x4(quarter(simd, from), quarter(simd, &[])),
            }
        }
        let whole = match from.split_at_checked(8) {
            Some((low, high)) => simd.combine_f32x8(half(simd, low), half(simd, high)),
            None => simd.combine_f32x8(half(simd, from), half(simd, &[])),
        };
        Lanes::<S, f32>::from_slice(simd, &whole.as_slice()[..Lanes::<S, f32>::LEN])
    }

    #[inline(always)]
    fn repeat<S: Simd>(simd: S, values: &[f32]) -> Lanes<S, f32> {
        let half = match *values {
            [a] => return Lanes::<S, f32>::splat(simd, a),
            [a, b, c, d, e, f, g, h] => f32x8::load_array(simd, [a, b, c, d, e, f, g, h]),
            [a, b, c, d] => f32x8::block_splat(f32x4::load_array(simd, [a, b, c, d])),
            _ => f32x8::block_splat(f32x4::load_array(simd, [values[0], values[1], values[0], values[1]])),
        };
        let whole = simd.combine_f32x8(half, half);
        Lanes::<S, f32>::from_slice(simd, &whole.as_slice()[..Lanes::<S, f32>::LEN])
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const SERIES: Series<f64> = series::OF_F64;
    const MANTISSA_BITS: u32 = 52;
    const MANTISSA_MASK: u64 = (1 << 52) - 1;
    const ONE_BITS: u64 = 1.0f64.to_bits();
    const ROUNDER: Self = 6_755_399_441_055_744.0;
    const UNIT: Self = 4_503_599_627_370_496.0;
    const UNIT_BITS: u64 = Self::UNIT.to_bits();
    const EXPONENT_BIAS: Self = 1023.0;
    const LN_2_HIGH: Self = 6.931_457_519_531_25e-1;
    const LN_2_LOW: Self = 1.428_606_820_309_417_3e-6;
    const LN_MIN: Self = -708.39;

    type Half<S: Simd> = f64x4<S>;

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn exact(self) -> f64 {
        self
    }

    #[inline(always)]
    fn from_count(count: usize) -> Self {
        count as f64
    }

    #[inline(always)]
    fn from_random_bits(bits: u64) -> Self {
        (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn load_part<S: Simd>(simd: S, from: &[f64]) -> Lanes<S, f64> {
        #[cfg_attr(not(debug_assertions), inline(always))]
        fn quarter<S: Simd>(simd: S, from: &[f64]) -> f64x2<S> {
            match *from {
                [] => f64x2::splat(simd, 0.0),
                [a] => f64x2::load_array(simd, [a, 0.0]),
                _ => f64x2::from_slice(simd, &from[..2]),
            }
        }
        #[cfg_attr(not(debug_assertions), inline(always))]
        fn half<S: Simd>(simd: S, from: &[f64]) -> f64x4<S> {
            match from.split_at_checked(2) {
                _ if from.len() >= 4 => f64x4::from_slice(simd, &from[..4]),
                Some((low, high)) => simd.combine_f64x2(quarter(simd, low), quarter(simd, high)),
                None => simd.combine_f64x2(quarter(simd, from), quarter(simd, &[])),
            }
        }
        let whole = match from.split_at_checked(4) {
            Some((low, high)) => simd.combine_f64x4(half(simd, low), half(simd, high)),
            None => simd.combine_f64x4(half(simd, from), half(simd, &[])),
        };
        Lanes::<S, f64>::from_slice(simd, &whole.as_slice()[..Lanes::<S, f64>::LEN])
    }

    #[inline(always)]
    fn repeat<S: Simd>(simd: S, values: &[f64]) -> Lanes<S, f64> {
        let half = match *values {
            [a] => return Lanes::<S, f64>::splat(simd, a),
            [a, b, c, d] => f64x4::load_array(simd, [a, b, c, d]),
            _ => f64x4::block_splat(f64x2::load_array(simd, [values[0], values[1]])),
        };
        let whole = simd.combine_f64x4(half, half);
        Lanes::<S, f64>::from_slice(simd, &whole.as_slice()[..Lanes::<S, f64>::LEN])
    }
}
