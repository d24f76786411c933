//! FMA (fused multiplication and addition), and the square root that is made of it: what [`Real`](crate::num::Real) is built on.

#[cfg(target_arch = "x86_64")]
use fearless_simd::{Avx512, SimdBase, SimdInto, f32x16};
use fearless_simd::{Simd, SimdFloat, SimdFloatElement};

/// A register of `f32`.
type Lanes<S> = <f32 as SimdFloatElement>::Native<S>;

/// `factor * x + add`, rounded once where the CPU has FMA, and twice with the feature `reproducible`.
#[inline(always)]
pub fn mul_add<S: Simd, V: SimdFloat<S>>(x: V, factor: V, add: V) -> V {
    if cfg!(feature = "reproducible") { x * factor + add } else { x.mul_add(factor, add) }
}

/// The square root of zero or of a value not near the ends of the range, within 1 ulp. Where AVX-512 has 16 lanes,
/// an estimate is corrected as in [`divide`](crate::num::math::divide).
#[inline(always)]
pub(crate) fn root_f32<S: Simd>(simd: S, x: Lanes<S>) -> Lanes<S> {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx512) = simd.level().as_avx512()
        && !cfg!(feature = "reproducible")
        && Lanes::<S>::LEN == 16
    {
        // Zero has no reciprocal.
        let x = x.max(f32::MIN_POSITIVE);
        let values: f32x16<Avx512> = f32x16::from_slice(avx512, x.as_slice());
        let estimate: f32x16<Avx512> = reciprocal_root(avx512, values.into()).simd_into(avx512);
        let reciprocal = Lanes::<S>::from_slice(simd, estimate.as_slice());
        let root = x * reciprocal;
        return mul_add(mul_add(-root, root, x), reciprocal * 0.5, root);
    }
    let _ = simd;
    x.sqrt()
}

#[cfg(target_arch = "x86_64")]
fearless_simd::kernel!(
    #[inline]
    fn reciprocal_root(avx512: Avx512, x: core::arch::x86_64::__m512) -> core::arch::x86_64::__m512 {
        core::arch::x86_64::_mm512_rsqrt14_ps(x)
    }
);
