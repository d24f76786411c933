//! Functions of a single number, with the same bits on every CPU: for the formulas of a layer of one's own, and for what
//! schedules and metrics sometimes need. In a loop over many numbers those of [`math`], for vector lanes,
//! take a fraction of the time.

use crate::num::dispatch::dispatch;
use crate::num::{Lanes, Real, lanes, math};
use fearless_simd::{Level, Simd, SimdBase};

macro_rules! functions {
    ($($(#[$about:meta])* $name:ident;)+) => {$(
        $(#[$about])*
        #[must_use]
        pub fn $name<T: Real>(x: T) -> T {
            #[inline(always)]
            fn of<S: Simd, T: Real>(simd: S, x: T) -> T {
                let y: Lanes<S, T> = math::$name::<S, T>(simd, lanes::<S, T>(simd, x));
                y.as_slice()[0]
            }
            dispatch!(Level::baseline(), simd => of::<_, T>(simd, x))
        }
    )+};
}

functions! {
    /// The exponential function.
    exp;
    /// The natural logarithm.
    ln;
    /// The hyperbolic tangent.
    tanh;
    /// The logistic sigmoid, `1 / (1 + exp(-x))`.
    sigmoid;
    /// `ln(1 + exp(x))`.
    softplus;
}

/// The square root.
#[must_use]
pub fn square_root<T: Real>(x: T) -> T {
    math::square_root(x)
}

/// `base` to the power of an integer, by squaring.
pub(crate) fn power(base: f64, mut exponent: usize) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while exponent > 0 {
        if exponent % 2 == 1 {
            result *= square;
        }
        square *= square;
        exponent /= 2;
    }
    result
}

/// Half of a cosine's wave: `(1 + cos(pi x)) / 2`, which falls from 1 to 0 while `x` grows from 0 to 1, and stays
/// at 0.
pub(crate) fn half_cosine(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 1.0 } else { 0.0 };
    }
    // The sine between -pi/2 and pi/2, by its Taylor series; the next term is below 1e-18.
    let angle = core::f64::consts::PI * (0.5 - x);
    let square = angle * angle;
    let mut sum = 1.0;
    for k in (1..=10u32).rev() {
        sum = 1.0 - sum * square / f64::from((2 * k) * (2 * k + 1));
    }
    0.5 + 0.5 * (sum * angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;

    #[test]
    fn agree_with_the_platform() {
        for i in -1000..=2000 {
            let x = f64::from(i) / 1000.0;
            let expected = 0.5 + 0.5 * (core::f64::consts::PI * x.clamp(0.0, 1.0)).cos();
            assert!((half_cosine(x) - expected).abs() < 3e-16, "{x}: {}, not {expected}", half_cosine(x));
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-15);
        }
        for i in 1..2000 {
            let (x, base) = (f64::from(i) / 100.0, 1.0 - f64::from(i) / 1e5);
            assert!((ln(x) - x.ln()).abs() <= 1e-15 * x.ln().abs().max(1.0));
            let expected = base.powi(i);
            assert!((power(base, i as usize) / expected - 1.0).abs() < 1e-12, "{base} to the power of {i}");
        }
        assert_eq!([power(0.0, 0), power(0.5, 1), power(-3.0, 3)], [1.0, 0.5, -27.0]);
    }
}
