//! The series of [`math`](crate::num::math), as constants of each scalar type.

/// The series of [`math`](crate::num::math), as many terms as a scalar type needs, as constants of that type: a
/// microcontroller would otherwise round each from `f64` at run time.
#[derive(Clone, Copy, Debug)]
pub struct Series<T: 'static> {
    /// The Taylor series of the exponential, from the second power on, in pairs.
    pub exp: &'static [[T; 2]],
    /// The series of the logarithm in odd powers, from the third on.
    pub ln: &'static [T],
    /// The Chebyshev series of the complementary error function.
    pub erfc: &'static [T],
}

// `[[scalar; 2]; pairs]` of the terms of the exponential.
macro_rules! exp_in_pairs {
    ($scalar:ty, $pairs:literal) => {{
        const PAIRS: [[$scalar; 2]; $pairs] = {
            let (mut pairs, mut k) = ([[0.0; 2]; $pairs], 0);
            while k < 2 * $pairs {
                pairs[k / 2][k % 2] = EXP_M1[k + 1] as $scalar;
                k += 1;
            }
            pairs
        };
        PAIRS
    }};
}

// The first terms of a series, rounded.
macro_rules! first_terms {
    ($scalar:ty, $count:literal, $series:ident) => {{
        const TERMS: [$scalar; $count] = {
            let (mut terms, mut k) = ([0.0; $count], 0);
            while k < $count {
                terms[k] = $series[k] as $scalar;
                k += 1;
            }
            terms
        };
        TERMS
    }};
}

/// As far as `f32` needs them.
pub(super) const OF_F32: Series<f32> =
    Series { exp: &exp_in_pairs!(f32, 3), ln: &first_terms!(f32, 5, LN), erfc: &first_terms!(f32, 12, ERFC) };

/// As far as `f64` needs them.
pub(super) const OF_F64: Series<f64> = Series { exp: &exp_in_pairs!(f64, 6), ln: &LN, erfc: &ERFC };

/// 1 / (k + 1)!, the Taylor series of `exp(x) - 1` divided by `x`.
const EXP_M1: [f64; 13] = {
    let mut series = [1.0; 13];
    let mut k = 1;
    while k < 13 {
        series[k] = series[k - 1] / (k + 1) as f64;
        k += 1;
    }
    series
};

/// 2 / (2 k + 3), the series of `ln((1 + s) / (1 - s))` in odd powers of `s`, without its first term.
const LN: [f64; 11] = {
    let mut series = [0.0; 11];
    let mut k = 0;
    while k < 11 {
        series[k] = 2.0 / (2 * k + 3) as f64;
        k += 1;
    }
    series
};

/// The Chebyshev coefficients in `2 t - 1` of `ln(erfc(z) / t) + z z` with `t = 2 / (2 + z)`, `z` from zero up; the
/// form is that of W. J. Press et al., Numerical Recipes, section 6.2.2. Computed to 50 digits at 64 nodes.
const ERFC: [f64; 28] = [
    -1.302_653_719_781_709_4,
    0.641_969_792_356_490_3,
    0.019_476_473_204_185_836,
    -0.009_561_514_786_808_632,
    -0.000_946_595_344_482_036_9,
    0.000_366_839_497_852_761_45,
    4.252_332_480_690_777e-5,
    -2.027_857_811_253_424_3e-5,
    -1.624_290_004_647_025_5e-6,
    1.303_655_835_580_523_2e-6,
    1.562_644_172_206_614_3e-8,
    -8.523_809_591_492_654e-8,
    6.529_054_439_098_851e-9,
    5.059_343_495_551_469e-9,
    -9.913_641_564_930_33e-10,
    -2.273_651_222_931_836e-10,
    9.646_791_102_015_527e-11,
    2.394_038_083_039_115e-12,
    -6.886_027_526_497_553e-12,
    8.944_879_273_090_726e-13,
    3.130_921_399_342_958e-13,
    -1.127_082_236_125_236_7e-13,
    3.810_905_255_189_232e-16,
    7.106_097_613_609_237e-15,
    -1.523_028_201_457_104_3e-15,
    -9.457_494_571_291_234e-17,
    1.210_237_189_224_279e-16,
    -2.816_663_087_747_177e-17,
];
