//! `exp`, `ln`, `tanh` and similar functions on vector lanes, with the same bits from every instruction set.
//!
//! The platform's own functions differ between C libraries and cannot be vectorized; these are made only of
//! additions, multiplications, divisions and comparisons. Each propagates NaN. Each states its largest error in
//! units in the last place (ulp), which the tests at the end of this file measure against `f64` (for `f32`) or
//! against the platform's functions (for `f64`).

use crate::num::dispatch::dispatch;
pub use crate::num::fused::mul_add;
use crate::num::{Lanes, Real, SCALAR, first_lane, lanes};
use fearless_simd::{Level, Select, Simd, SimdBase, SimdFloat};

/// All lanes set to the value of type `T` nearest to `value`.
#[inline(always)]
pub fn splat<S: Simd, T: Real>(simd: S, value: f64) -> Lanes<S, T> {
    lanes::<S, T>(simd, T::of(value))
}

/// The larger of `x` and `low`; NaN where `x` is NaN.
#[inline(always)]
#[doc(alias("max", "fmax", "NaN"))]
pub fn maximum<S: Simd, V: SimdFloat<S>>(x: V, low: V) -> V {
    // Correct if the instruction returns its second operand when either is NaN (x86), or returns NaN (NEON).
    if cfg!(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")) {
        low.max(x)
    } else {
        x.simd_lt(low).select(low, x)
    }
}

/// The smaller of `x` and `high`; NaN where `x` is NaN.
#[inline(always)]
#[doc(alias("min", "fmin", "NaN"))]
pub fn minimum<S: Simd, V: SimdFloat<S>>(x: V, high: V) -> V {
    if cfg!(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")) {
        high.min(x)
    } else {
        x.simd_gt(high).select(high, x)
    }
}

/// `dividend / divisor`, for divisors that are neither zero nor near the ends of the range. Where a division with
/// AVX-512 takes more time than all the code around it, the product with an estimate of the reciprocal is corrected
/// instead, within 1 ulp; not with the feature `reproducible`.
#[inline(always)]
pub(crate) fn divide<S: Simd, T: Real>(dividend: Lanes<S, T>, divisor: Lanes<S, T>) -> Lanes<S, T> {
    if cfg!(feature = "reproducible") || !is_wide_f32::<S, T>() {
        return dividend / divisor;
    }
    // The estimate has 14 correct bits, and a Newton step doubles them.
    let reciprocal = divisor.approximate_recip();
    let quotient = dividend * reciprocal;
    mul_add(mul_add(-divisor, quotient, dividend), reciprocal, quotient)
}

/// `dividend / (root of square + epsilon)`, with [`divide`] and [`Real::root`], and zero where the square is
/// infinite, for which their corrections would return NaN.
#[inline(always)]
pub(crate) fn divide_by_root<S: Simd, T: Real>(
    simd: S,
    dividend: Lanes<S, T>,
    square: Lanes<S, T>,
    epsilon: Lanes<S, T>,
) -> Lanes<S, T> {
    let quotient = divide::<S, T>(dividend, T::root(simd, square) + epsilon);
    if cfg!(feature = "reproducible") || !is_wide_f32::<S, T>() {
        return quotient;
    }
    let infinite = square.simd_eq(Lanes::<S, T>::splat(simd, T::infinity()));
    infinite.select(dividend * splat::<S, T>(simd, 0.0), quotient)
}

#[inline(always)]
fn is_f32<T: Real>() -> bool {
    T::MANTISSA_BITS == f32::MANTISSA_BITS
}

/// Whether the lanes are 16 of `f32`.
#[inline(always)]
fn is_wide_f32<S: Simd, T: Real>() -> bool {
    is_f32::<T>() && Lanes::<S, T>::LEN == 16
}

/// Flushes subnormal values to zero. What shrinks by a factor at every step would otherwise become subnormal and
/// stay so, and on many CPUs an operation on a subnormal value takes as long as a hundred others.
#[inline(always)]
pub fn flush<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let small = x.abs().simd_lt(lanes::<S, T>(simd, T::min_positive_value()));
    small.select(splat::<S, T>(simd, 0.0), x)
}

/// `coefficients[0] + coefficients[1] x + ...`, by Horner's rule.
#[inline(always)]
fn polynomial<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, coefficients: &[T]) -> Lanes<S, T> {
    let [others @ .., last] = coefficients else { return splat::<S, T>(simd, 0.0) };
    let mut sum = lanes::<S, T>(simd, *last);
    for &c in others.iter().rev() {
        sum = mul_add(sum, x, lanes::<S, T>(simd, c));
    }
    sum
}

/// Splits `x` into `n ln 2 + r`, with `n` an integer and `|r|` at most half of ln 2. Returns `(n, r)`.
#[inline(always)]
fn reduce<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> (Lanes<S, T>, Lanes<S, T>) {
    let rounder = lanes::<S, T>(simd, T::ROUNDER);
    let n = mul_add(x, splat::<S, T>(simd, core::f64::consts::LOG2_E), rounder) - rounder;
    let r = mul_add(n, lanes::<S, T>(simd, -T::LN_2_HIGH), x);
    (n, mul_add(n, lanes::<S, T>(simd, -T::LN_2_LOW), r))
}

/// [`reduce`] with `(n, exp(r) - 1)`.
#[inline(always)]
fn split_exp<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> (Lanes<S, T>, Lanes<S, T>) {
    let (n, r) = reduce::<S, T>(simd, x);
    // Even and odd powers separately, so that fewer operations wait for each other.
    let square = r * r;
    let (mut even, mut odd) = (splat::<S, T>(simd, 0.0), splat::<S, T>(simd, 0.0));
    if let [others @ .., [a, b]] = T::SERIES.exp {
        (even, odd) = (lanes::<S, T>(simd, *a), lanes::<S, T>(simd, *b));
        for &[a, b] in others.iter().rev() {
            even = mul_add(even, square, lanes::<S, T>(simd, a));
            odd = mul_add(odd, square, lanes::<S, T>(simd, b));
        }
    }
    (n, mul_add(square, mul_add(odd, r, even), r))
}

/// 2 to the power of an integer between -126 and 127 (`f32`) or -1022 and 1023 (`f64`).
#[inline(always)]
fn power_of_two<S: Simd, T: Real>(simd: S, n: Lanes<S, T>) -> Lanes<S, T> {
    let biased = n + lanes::<S, T>(simd, T::ROUNDER + T::EXPONENT_BIAS);
    Lanes::<S, T>::from_bits(biased.to_bits() << T::MANTISSA_BITS)
}

/// `exp(x)` for any `x`: infinity above the largest finite value, down to subnormal values and zero. Within 2 ulp.
#[inline(always)]
pub fn exp<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let limit = lanes::<S, T>(simd, T::LN_MIN + T::LN_MIN);
    let x = minimum(maximum(x, limit), -limit);
    let (n, e) = split_exp::<S, T>(simd, x);
    // Two factors, since `n` may be outside of what one exponent holds.
    let rounder = lanes::<S, T>(simd, T::ROUNDER);
    let half = mul_add(n, splat::<S, T>(simd, 0.5), rounder) - rounder;
    (e + splat::<S, T>(simd, 1.0)) * power_of_two::<S, T>(simd, half) * power_of_two::<S, T>(simd, n - half)
}

/// `exp(x)` for `x` up to zero; zero where that is too small for a normal value. Within 2 ulp.
#[inline(always)]
pub fn exp_negative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let lowest = lanes::<S, T>(simd, T::LN_MIN);
    let (n, e) = split_exp::<S, T>(simd, maximum(x, lowest));
    let scale = power_of_two::<S, T>(simd, n);
    x.simd_lt(lowest).select(splat::<S, T>(simd, 0.0), mul_add(e, scale, scale))
}

/// Like [`exp_negative`], but never less than the smallest normal value: for a summand of a larger one.
#[inline(always)]
pub(crate) fn exp_negative_above_zero<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let (n, e) = split_exp::<S, T>(simd, maximum(x, lanes::<S, T>(simd, T::LN_MIN)));
    let scale = power_of_two::<S, T>(simd, n);
    mul_add(e, scale, scale)
}

/// `exp(x) - 1` for `x` up to zero, exact for small `x` too. Within 2 ulp.
#[inline(always)]
pub fn exp_m1_negative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let x = maximum(x, lanes::<S, T>(simd, T::LN_MIN));
    let (n, e) = split_exp::<S, T>(simd, x);
    let scale = power_of_two::<S, T>(simd, n);
    mul_add(e, scale, scale - splat::<S, T>(simd, 1.0))
}

/// `ln(x)` for normal `x`: the logarithm of the exponent plus that of the mantissa.
#[inline(always)]
fn ln_normal<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let bits = x.to_bits();
    let mantissa = Lanes::<S, T>::from_bits((bits & T::MANTISSA_MASK) | T::ONE_BITS);
    let exponent = Lanes::<S, T>::from_bits((bits >> T::MANTISSA_BITS) | T::UNIT_BITS)
        - lanes::<S, T>(simd, T::UNIT + T::EXPONENT_BIAS);
    let upper = mantissa.simd_gt(splat::<S, T>(simd, core::f64::consts::SQRT_2));
    let mantissa = upper.select(mantissa * splat::<S, T>(simd, 0.5), mantissa);
    let exponent = upper.select(exponent + splat::<S, T>(simd, 1.0), exponent);
    let difference = mantissa - splat::<S, T>(simd, 1.0);
    let s = divide::<S, T>(difference, mantissa + splat::<S, T>(simd, 1.0));
    let square = s * s;
    let tail = s * square * polynomial::<S, T>(simd, square, T::SERIES.ln);
    let low = mul_add(exponent, lanes::<S, T>(simd, T::LN_2_LOW), tail);
    // 2 s = difference - s difference, whose first part is exact.
    mul_add(exponent, lanes::<S, T>(simd, T::LN_2_HIGH), difference - mul_add(s, difference, -low))
}

/// `ln(x)`: minus infinity at zero, NaN below. Within 2 ulp.
#[inline(always)]
pub fn ln<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let smallest = lanes::<S, T>(simd, T::min_positive_value());
    let subnormal = x.simd_lt(smallest);
    let log = ln_normal::<S, T>(simd, subnormal.select(x * lanes::<S, T>(simd, T::UNIT), x));
    let log_of_unit = splat::<S, T>(simd, T::MANTISSA_BITS as f64 * core::f64::consts::LN_2);
    let log = subnormal.select(log - log_of_unit, log);
    let zero = splat::<S, T>(simd, 0.0);
    let log = x.simd_eq(zero).select(lanes::<S, T>(simd, T::neg_infinity()), log);
    let log = x.simd_eq(lanes::<S, T>(simd, T::infinity())).select(x, log);
    let log = x.simd_lt(zero).select(lanes::<S, T>(simd, T::nan()), log);
    x.simd_ne(x).select(x, log)
}

/// `ln(1 + x)` for `x` between 0 and 1, exact for small `x` too. Within 2 ulp.
#[inline(always)]
pub fn ln_1p<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let sum = x + splat::<S, T>(simd, 1.0);
    // The rounding error of the addition: D. Goldberg, "What every computer scientist should know", theorem 4.
    let lost = x - (sum - splat::<S, T>(simd, 1.0));
    let log = ln_normal::<S, T>(simd, sum) + lost / sum;
    x.simd_ne(x).select(x, log)
}

/// The logistic sigmoid `1 / (1 + exp(-x))`. Within 3 ulp where it is a normal value.
///
/// In `f32`, on CPUs without vector registers and everywhere with the feature `reproducible`, it is computed with
/// [`tanh`], so that a small device needs no exponential: within 4 ulp for positive `x`, within 2e-7 for negative
/// `x`.
#[inline(always)]
pub fn sigmoid<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    if is_f32::<T>() && (SCALAR || cfg!(feature = "reproducible")) {
        let half = splat::<S, T>(simd, 0.5);
        return tanh::<S, T>(simd, x * half) * half + half;
    }
    let e = exp_negative::<S, T>(simd, -x.abs());
    let one = splat::<S, T>(simd, 1.0);
    divide::<S, T>(x.simd_lt(splat::<S, T>(simd, 0.0)).select(e, one), e + splat::<S, T>(simd, 1.0))
}

/// [`sigmoid`] as a step of a recurrent layer has it: in `f32` by [`tanh`], within 4e-7 of the value, so that the next step waits for
/// fewer instructions (`benches/streams`).
#[inline(always)]
pub(crate) fn gate<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    if !is_f32::<T>() {
        return sigmoid::<S, T>(simd, x);
    }
    let half = splat::<S, T>(simd, 0.5);
    mul_add(tanh::<S, T>(simd, x * half), half, half)
}

/// The coefficients in `x x` of two polynomials `n / x` and `d`, where `n / d` approximates `tanh(x / 2)`. From it
/// follows `tanh(x) = 2 n d / (d d + n n)`, in which the approximation error counts less the larger `x` is.
pub(crate) struct TanhOfHalf {
    pub dividend: [f64; 3],
    pub divisor: [f64; 4],
    /// `d d + n n` where the approximation ends; beyond, `tanh` is 1 or -1.
    pub end: f64,
}

/// Within 1e-8 of the value up to 9.02, where it is 1: by least squares, reweighted until the largest error was
/// minimal.
const TANH_OF_HALF: TanhOfHalf = TanhOfHalf {
    dividend: [8763.78303, 260.867823, 1.0],
    divisor: [17527.5662, 1982.3653, 21.1348101, 0.0214905236],
    end: 2.181_238_4e11,
};

/// Within 2e-7 of the value up to 8, for CPUs without vector registers, where each coefficient counts, and for the
/// same bits elsewhere: by the exchange algorithm of Remez, then the last digits that round best. Beyond, `tanh` is
/// 1 or -1, except for 2.3e-7.
pub(crate) const SHORT_TANH_OF_HALF: TanhOfHalf = TanhOfHalf {
    dividend: [544.161499, 14.7041206, 0.0300285183],
    divisor: [1088.32312, 120.100624, 1.0, 0.0],
    end: 331_184_740.0,
};

/// With `p` the sum of these times odd powers of `r`, and `q` the sum of the others times even powers, `(q + p) /
/// (q - p)` is `exp(r)` for `r` up to half of ln 2: S. Moshier, "Cephes mathematical library", `exp.c`.
const EXP_ODD: [f64; 3] = [1.0, 3.029_944_077_074_419_6e-2, 1.261_771_930_748_105_9e-4];
const EXP_EVEN: [f64; 4] = [2.0, 2.272_655_482_081_550_3e-1, 2.524_483_403_496_841e-3, 3.001_985_051_386_644_6e-6];

/// The hyperbolic tangent: for `f32` a quotient of polynomials, within 6 ulp, or 8 on CPUs without vector registers
/// and everywhere with the feature `reproducible`; for `f64` from `exp(-2 |x|)`, within 4 ulp.
#[inline(always)]
pub fn tanh<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    if is_f32::<T>() {
        if SCALAR {
            let x = x.as_slice();
            return Lanes::<S, T>::from_fn(
                simd,
                #[inline(always)]
                |lane| tanh_of_scalar(x[lane]),
            );
        }
        let half = if cfg!(feature = "reproducible") { SHORT_TANH_OF_HALF } else { TANH_OF_HALF };
        let [a, b, c] = half.dividend;
        let [d, e, f, g] = half.divisor;
        let (square, odd) = (x * x, splat::<S, T>(simd, b));
        let fourth = square * square;
        let even = mul_add(fourth, splat::<S, T>(simd, c), splat::<S, T>(simd, a));
        let dividend = x * mul_add(square, odd, even);
        let mut odd = splat::<S, T>(simd, e);
        if g > 0.0 {
            odd = mul_add(fourth, splat::<S, T>(simd, g), odd);
        }
        let even = mul_add(fourth, splat::<S, T>(simd, f), splat::<S, T>(simd, d));
        let divisor = mul_add(square, odd, even);
        let product = dividend * divisor;
        let sum = mul_add(dividend, dividend, divisor * divisor);
        let quotient = divide::<S, T>(product + product, sum);
        let ended = sum.simd_gt(splat::<S, T>(simd, half.end));
        return ended.select(splat::<S, T>(simd, 1.0).copysign(x), quotient);
    }
    // With `exp(-2 |x|) = 2^n (q + p) / (q - p)` one division is enough for `tanh(|x|) = (1 - exp(-2 |x|)) / (1 +
    // exp(-2 |x|))`. Where `n` is zero, `q` cancels before anything is rounded.
    let (n, r) = reduce::<S, T>(simd, maximum(x.abs() * splat::<S, T>(simd, -2.0), lanes::<S, T>(simd, T::LN_MIN)));
    let square = r * r;
    let p = r * polynomial::<S, T>(simd, square, &EXP_ODD.map(T::of));
    let q = polynomial::<S, T>(simd, square, &EXP_EVEN.map(T::of));
    let (scale, one) = (power_of_two::<S, T>(simd, n), splat::<S, T>(simd, 1.0));
    let (difference, sum) = (one - scale, one + scale);
    (mul_add(q, difference, -(p * sum)) / mul_add(q, sum, -(p * difference))).copysign(x)
}

/// [`tanh`] without vector registers, with the same bits. Compiled once in a program, unless a loop is optimized
/// for speed.
fn tanh_of_scalar<T: Real>(x: T) -> T {
    let TanhOfHalf { dividend: [a, b, c], divisor: [d, e, ..], end } = SHORT_TANH_OF_HALF;
    let square = x * x;
    let fourth = square * square;
    let dividend = x * (square * T::of(b) + (fourth * T::of(c) + T::of(a)));
    let divisor = square * T::of(e) + (fourth + T::of(d));
    let sum = dividend * dividend + divisor * divisor;
    if sum > T::of(end) {
        return if x > T::ZERO { T::ONE } else { -T::ONE };
    }
    let product = dividend * divisor;
    (product + product) / sum
}

/// `ln(1 + exp(x))`. Within 3 ulp.
#[inline(always)]
pub fn softplus<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    maximum(x, splat::<S, T>(simd, 0.0)) + ln_1p::<S, T>(simd, exp_negative::<S, T>(simd, -x.abs()))
}

/// The cumulative distribution function of the standard normal distribution: the probability of a value up to `x`.
/// Within 4 ulp for `x` between -1 and infinity; below, the error grows with the square of `x`.
#[inline(always)]
pub fn normal_cdf<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    let z = x.abs() * splat::<S, T>(simd, core::f64::consts::FRAC_1_SQRT_2);
    let t = splat::<S, T>(simd, 2.0) / (z + splat::<S, T>(simd, 2.0));
    let twice = mul_add(t, splat::<S, T>(simd, 4.0), splat::<S, T>(simd, -2.0));
    // Clenshaw's recurrence.
    let (mut last, mut before) = (splat::<S, T>(simd, 0.0), splat::<S, T>(simd, 0.0));
    let (&first, others) = T::SERIES.erfc.split_first().unwrap_or((&T::ZERO, &[]));
    for &c in others.iter().rev() {
        (last, before) = (mul_add(twice, last, lanes::<S, T>(simd, c) - before), last);
    }
    let series = mul_add(twice, last, lanes::<S, T>(simd, first)) * splat::<S, T>(simd, 0.5) - before;
    let tail = t * exp::<S, T>(simd, mul_add(-z, z, series)) * splat::<S, T>(simd, 0.5);
    x.simd_lt(splat::<S, T>(simd, 0.0)).select(tail, -(tail - splat::<S, T>(simd, 1.0)))
}

/// The density of the standard normal distribution.
#[inline(always)]
pub fn normal_density<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
    const ONE_OVER_SQRT_TWO_PI: f64 = 0.398_942_280_401_432_7;
    exp::<S, T>(simd, x * x * splat::<S, T>(simd, -0.5)) * splat::<S, T>(simd, ONE_OVER_SQRT_TWO_PI)
}

/// The square root of a single value, correctly rounded.
pub fn square_root<T: Real>(x: T) -> T {
    #[inline(always)]
    fn root<S: Simd, T: Real>(simd: S, x: T) -> T {
        first_lane::<S, T>(T::exact_root(simd, lanes::<S, T>(simd, x)))
    }
    dispatch!(Level::baseline(), simd => root(simd, x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::dispatch::level;
    use crate::num::root::{root_of_f32, root_of_f64};
    extern crate std;
    use std::vec::Vec;

    /// Applies `function` to every value, on the lanes that the CPU has.
    macro_rules! apply {
        ($function:ident, $values:expr) => {{
            #[inline(always)]
            fn run<S: Simd, T: Real>(simd: S, values: &mut [T]) {
                crate::kernel::map(simd, [values], [], #[inline(always)] |[x], []| [crate::num::math::$function::<S, T>(simd, x)]);
            }
            let mut values: Vec<_> = $values.to_vec();
            dispatch!(level(), simd => run(simd, &mut values));
            values
        }};
    }

    /// The distance in units in the last place of `f32`, where the right result is a normal value.
    fn ulp32(found: f32, right: f64) -> f64 {
        let nearest = right as f32;
        if nearest.is_infinite() || right.abs() < f32::MIN_POSITIVE as f64 {
            return if found == nearest || (found as f64 - right).abs() <= f32::MIN_POSITIVE as f64 {
                0.0
            } else {
                1e9
            };
        }
        let unit = (f32::from_bits(nearest.abs().to_bits() + 1) - nearest.abs()) as f64;
        (found as f64 - right).abs() / unit
    }

    fn ulp64(found: f64, right: f64) -> f64 {
        if right.is_infinite() || right.abs() < f64::MIN_POSITIVE {
            return if found == right || (found - right).abs() <= f64::MIN_POSITIVE { 0.0 } else { 1e9 };
        }
        (found - right).abs() / (f64::from_bits(right.abs().to_bits() + 1) - right.abs())
    }

    /// Every `step`th `f32` in a range of values.
    fn floats(low: f32, high: f32, step: usize) -> Vec<f32> {
        (0..=u32::MAX).step_by(step).map(f32::from_bits).filter(|x| *x >= low && *x <= high).collect()
    }

    // For each function: its name, its range, its largest error in ulp, and the platform's function, whose f64
    // version is the reference for both types.
    macro_rules! accuracy {
        ($($name:ident, $low:expr, $high:expr, $ulp:expr, $right:expr;)+) => {$(
            #[test]
            fn $name() {
                let right: fn(f64) -> f64 = $right;
                // A prime, so that all kinds of bits occur; 1 takes minutes, and was run.
                let step = std::env::var("EVERY_FLOAT").map_or(4_999, |_| 1);
                let values = floats($low, $high, step);
                let mut worst = (0.0, 0.0);
                for (x, y) in values.iter().zip(apply!($name, values)) {
                    let error = ulp32(y, right(*x as f64));
                    worst = if error > worst.0 { (error, *x as f64) } else { worst };
                }
                assert!(worst.0 <= $ulp, "f32: {} ulp at {}", worst.0, worst.1);

                let values: Vec<f64> = values.iter().step_by(7).map(|x| *x as f64 * 1.000000123).collect();
                let mut worst = (0.0, 0.0);
                for (x, y) in values.iter().zip(apply!($name, values)) {
                    let error = ulp64(y, right(*x));
                    worst = if error > worst.0 { (error, *x) } else { worst };
                }
                // The reference itself may be off by one.
                assert!(worst.0 <= $ulp + 1.0, "f64: {} ulp at {}", worst.0, worst.1);
                assert!(apply!($name, [f32::NAN])[0].is_nan() && apply!($name, [f64::NAN])[0].is_nan());
            }
        )+};
    }

    accuracy! {
        exp, -200.0, 200.0, 2.0, f64::exp;
        exp_negative, -87.0, 0.0, 2.0, f64::exp;
        exp_m1_negative, -1e30, 0.0, 2.0, f64::exp_m1;
        ln, 0.0, f32::INFINITY, 2.0, f64::ln;
        ln_1p, 0.0, 1.0, 2.0, f64::ln_1p;
        sigmoid, LOWEST_SIGMOID, f32::INFINITY, SIGMOID_ULP, |x| 1.0 / (1.0 + (-x).exp());
        tanh, f32::NEG_INFINITY, f32::INFINITY, TANH_ULP, f64::tanh;
        softplus, -80.0, 1e30, 3.0, |x| x.max(0.0) + (-x.abs()).exp().ln_1p();
    }

    // With the feature `reproducible`, and without vector registers, it is made of the hyperbolic tangent.
    const OF_TANH: bool = SCALAR || cfg!(feature = "reproducible");
    const LOWEST_SIGMOID: f32 = if OF_TANH { 0.0 } else { -80.0 };
    const TANH_ULP: f64 = if OF_TANH { 8.0 } else { 6.0 };
    const SIGMOID_ULP: f64 = if OF_TANH { 4.0 } else { 3.0 };

    #[test]
    fn sigmoid_of_negative_numbers() {
        let values = floats(f32::NEG_INFINITY, 0.0, 4_999);
        for (x, y) in values.iter().zip(apply!(sigmoid, values)) {
            let right = 1.0 / (1.0 + (-*x as f64).exp());
            assert!((y as f64 - right).abs() <= 2e-7, "{y} at {x}, not {right}");
        }
    }

    /// Against values of the error function to 20 digits, computed with mpmath.
    #[test]
    fn normal_cdf_matches_known_values() {
        let known: [(f64, f64); 6] = [
            (0.0, 0.5),
            (1.0, 0.841_344_746_068_542_9),
            (-1.0, 0.158_655_253_931_457_05),
            (-3.0, 1.349_898_031_630_094_5e-3),
            (2.5, 0.993_790_334_674_223_8),
            (-8.0, 6.220_960_574_271_784e-16),
        ];
        for (x, right) in known {
            let found = apply!(normal_cdf, [x])[0];
            assert!((found - right).abs() <= 2e-14 * right, "{x}: {found}, not {right}");
            let found = apply!(normal_cdf, [x as f32])[0];
            assert!((found as f64 - right).abs() <= 1e-5 * right, "{x}: {found}, not {right}");
        }
    }

    #[test]
    fn edges() {
        let infinity = f32::INFINITY;
        assert_eq!(apply!(exp, [-infinity, infinity, 89.0, -104.0]), [0.0, infinity, infinity, 0.0]);
        assert_eq!(apply!(ln, [0.0, 1.0, infinity]), [-infinity, 0.0, infinity]);
        assert!(apply!(ln, [-1.0f32])[0].is_nan());
        assert_eq!(apply!(tanh, [-infinity, -0.0, infinity]), [-1.0, 0.0, 1.0]);
        assert_eq!(apply!(sigmoid, [infinity, 0.0]), [1.0, 0.5]);
        assert_eq!(apply!(sigmoid, [-infinity, -100.0]), [0.0, 0.0]);
        assert_eq!(apply!(softplus, [infinity, 1e38]), [infinity, 1e38]);
    }

    #[test]
    fn roots_of_numbers_are_those_of_the_cpu() {
        let step = std::env::var("EVERY_FLOAT").map_or(4_999, |_| 1);
        for x in (0..=u32::MAX).step_by(step).map(f32::from_bits) {
            let (found, right) = (root_of_f32(x), square_root(x));
            assert!(
                found.to_bits() == right.to_bits() || (found.is_nan() && right.is_nan()),
                "{found} of {x}, not {right}"
            );
        }
        for x in [0.0, -0.0, f32::INFINITY, f32::from_bits(1), f32::MIN_POSITIVE, f32::MAX, 4.0f32.next_down()] {
            assert_eq!(root_of_f32(x).to_bits(), square_root(x).to_bits(), "{x}");
            let x = f64::from_bits(u64::from(x.to_bits()) << 32);
            assert_eq!(root_of_f64(x).to_bits(), square_root(x).to_bits(), "{x}");
        }
        for x in floats(0.0, f32::MAX, 49_999).into_iter().map(|x| f64::from(x) * 1.000000123) {
            assert_eq!(root_of_f64(x), square_root(x), "{x}");
        }
    }

    /// `maximum` and `minimum` rely on which operand an instruction prefers.
    #[test]
    fn bounds_propagate_nan() {
        #[inline(always)]
        fn bounded<S: Simd, T: Real>(simd: S, x: T) -> [T; 2] {
            let (x, one) = (lanes::<S, T>(simd, x), splat::<S, T>(simd, 1.0));
            [maximum(x, one).as_slice()[0], minimum(x, one).as_slice()[0]]
        }
        assert!(dispatch!(level(), simd => bounded(simd, f32::NAN)).iter().all(|x| x.is_nan()));
        assert!(dispatch!(level(), simd => bounded(simd, f64::NAN)).iter().all(|x| x.is_nan()));
        assert!(dispatch!(Level::baseline(), simd => bounded(simd, f32::NAN)).iter().all(|x| x.is_nan()));
        assert_eq!(dispatch!(level(), simd => bounded(simd, 3.0)), [3.0, 1.0]);
    }
}
