//! The square root of a single value, correctly rounded, for constants and for CPUs without vector registers.

/// The square root of an `f32`, correctly rounded. Rust's `core` does not know whether a CPU without vector
/// registers has an instruction for it. Compiled once in a program, with the bits of that instruction.
#[inline(never)]
pub(crate) const fn root_of_f32(x: f32) -> f32 {
    if is_normal(x) { root_of_normal(x) } else { root_of_rest(x) }
}

/// The reciprocal of [`root_of_f32`], of a variance to which an epsilon was added: without code for zero and subnormal
/// values, for which it is NaN.
#[inline(never)]
pub(crate) fn reciprocal_root_of_variance(x: f32) -> f32 {
    if is_normal(x) {
        1.0 / root_of_normal(x)
    } else if x > 1.0 {
        0.0
    } else {
        f32::NAN
    }
}

/// Whether `x` is positive, finite and not subnormal.
#[inline(always)]
const fn is_normal(x: f32) -> bool {
    x.to_bits().wrapping_sub(f32::MIN_POSITIVE.to_bits()) < f32::INFINITY.to_bits() - f32::MIN_POSITIVE.to_bits()
}

/// [`root_of_f32`] of a value that [is normal](is_normal).
#[inline(always)]
const fn root_of_normal(x: f32) -> f32 {
    const MANTISSA_BITS: u32 = f32::MANTISSA_DIGITS - 1;
    let bits = x.to_bits();
    // Half the exponent, and a mantissa within 4 %. Then two Heron steps, the first of which errs on both sides,
    // for half the error.
    let estimate = f32::from_bits((bits >> 1) + 0x1fbb_8000);
    let better = (estimate + x / estimate) * 0.49985;
    let root = ((better + x / better) * 0.5).to_bits();
    // That is the right value, or one of its neighbours. The remainder of `x` after subtracting the square of the
    // mantissa has few digits, so that 32 bits are enough for it, although not for the square.
    let exponent = bits >> MANTISSA_BITS;
    let mantissa = root.wrapping_sub((exponent.div_ceil(2) + 62) << MANTISSA_BITS);
    let left = (bits << (24 - exponent % 2)).wrapping_sub(mantissa.wrapping_mul(mantissa)).cast_signed();
    let above = left > mantissa.cast_signed();
    let below = left <= -mantissa.cast_signed();
    f32::from_bits(root + above as u32 - below as u32)
}

/// [`root_of_f32`] of zero, subnormal and negative values, infinity and NaN.
#[cold]
#[inline(never)]
const fn root_of_rest(x: f32) -> f32 {
    if x < 0.0 {
        f32::NAN
    } else if x.is_subnormal() {
        root_of_f32(x * 16_777_216.0) * (1.0 / 4096.0)
    } else {
        x
    }
}

/// The square root of an `f64`, correctly rounded, for constants: bit by bit, as in FreeBSD's e_sqrt.c by I. L.
/// Taylor, after W. Kahan.
pub(crate) const fn root_of_f64(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() || x == f64::INFINITY {
        return x;
    }
    if x < 0.0 {
        return f64::NAN;
    }
    if x.is_subnormal() {
        return root_of_f64(x * (1u64 << 54) as f64) / (1u64 << 27) as f64;
    }
    let bits = x.to_bits();
    let biased = bits >> 52;
    // The mantissa, doubled where the exponent is odd, and doubled once more for a rounding bit.
    let mut rest = ((bits & ((1 << 52) - 1)) | (1 << 52)) << (2 - (biased & 1));
    let (mut root, mut twice, mut bit) = (0, 0, 1 << 53);
    while bit != 0 {
        if twice + bit <= rest {
            rest -= twice + bit;
            twice += 2 * bit;
            root += bit;
        }
        rest *= 2;
        bit /= 2;
    }
    // Never half way between two values: the last bit decides.
    root += root & 1;
    f64::from_bits((root >> 1) + (((biased + 1023) / 2 - 1) << 52))
}
