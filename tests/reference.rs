//! `Dense`, forward and backward, against plain triple loops in `f64`, for ragged sizes, every micro-batch and every
//! number of columns in use.
//!
//! A sum of `n` terms in a format with the unit `epsilon` is off by at most about `n * epsilon * sum of |terms|`, in
//! whatever order it is taken (N. Higham, "Accuracy and stability of numerical algorithms", 2002, section 4.2). The
//! terms here are products, which add one rounding each.

#![cfg(feature = "std")]

use fearless_simd::Simd;
use tuplenet::model::{Layer as _, Model as _, Pass, Zeroed};
use tuplenet::prelude::*;

/// Random numbers between -1 and 1.
fn random<T: Real, const R: usize, const C: usize>(rng: &mut impl Rng) -> SMatrix<T, R, C> {
    SMatrix::from_fn(|_, _| T::from_random_bits(rng.next_u64()) * T::of(2.0) - T::ONE)
}

/// Fails if `found` is not the sum of `terms` within the bound.
fn compare<T: Real>(found: T, terms: impl Iterator<Item = f64>, what: &str) {
    let (mut count, mut sum, mut magnitude) = (0.0, 0.0, 0.0);
    for term in terms {
        (count, sum, magnitude) = (count + 1.0, sum + term, magnitude + term.abs());
    }
    let (found, epsilon) = (found.to_f64().unwrap(), T::epsilon().to_f64().unwrap());
    let bound = count * epsilon * magnitude;
    assert!((found - sum).abs() <= bound, "{what}: found {found}, expected {sum}, which is more than {bound} off");
}

#[inline(always)]
fn check<S: Simd, T: Real, const IN: usize, const OUT: usize, const B: usize>(simd: S) {
    type Layer<const IN: usize, const OUT: usize, T> = Dense<IN, OUT, Identity, T>;
    let mut rng = tuplenet::seeded((IN * 1000 + OUT * 100 + B) as u64);
    let number = |value: T| value.to_f64().unwrap();
    for len in 1..=B {
        let layer: Layer<IN, OUT, T> = Dense::from_matrix(random(&mut rng), random(&mut rng));
        // What the columns not in use hold is left from earlier batches, and no gradient arrives there.
        let x: SMatrix<T, IN, B> = random(&mut rng);
        let mut output_gradient: SMatrix<T, OUT, B> = random(&mut rng);
        output_gradient.columns_mut(len, B - len).fill(T::ZERO);
        let start: Layer<IN, OUT, T> = Dense::from_matrix(random(&mut rng), random(&mut rng));
        let pass = Pass::<S, B>::new(simd, len);
        let case = |what: &str| format!("{what} of Dense<{IN}, {OUT}>, {len} of {B} columns");

        let (mut y, mut cache) = (SMatrix::<T, OUT, B>::ZEROED, Zeroed::ZEROED);
        layer.forward(pass, &x, &mut y, &mut cache);
        let mut inferred = SMatrix::ZEROED;
        layer.infer(pass, &x, &mut inferred);
        for sample in 0..len {
            for o in 0..OUT {
                let products = (0..IN).map(|i| number(layer.weight[(o, i)]) * number(x[(i, sample)]));
                compare(y[(o, sample)], products.chain([number(layer.bias[o])]), &case("output"));
                assert_eq!(y[(o, sample)], inferred[(o, sample)], "{}", case("inferred output"));
            }
        }

        // Without the gradient by the inputs, the same gradient.
        let output_gradients = output_gradient;
        let (mut gradients, mut input_gradient) = ([start.clone(), start.clone()], SMatrix::ZEROED);
        for (gradient, wanted) in gradients.iter_mut().zip([true, false]) {
            let mut output_gradient = output_gradients;
            let dx = wanted.then_some(&mut input_gradient);
            layer.backward(pass, (&x, &y), &mut cache, &mut output_gradient, gradient, dx);
        }
        let [gradient, again] = gradients;
        assert!(again == gradient, "{}", case("gradient without gradient by input"));
        for o in 0..OUT {
            for i in 0..IN {
                let products = (0..len).map(|sample| number(output_gradients[(o, sample)]) * number(x[(i, sample)]));
                let terms = products.chain([number(start.weight[(o, i)])]);
                compare(gradient.weight[(o, i)], terms, &case("gradient by weight"));
            }
            let terms = (0..len).map(|sample| number(output_gradients[(o, sample)])).chain([number(start.bias[o])]);
            compare(gradient.bias[o], terms, &case("gradient by bias"));
        }
        for sample in 0..len {
            for i in 0..IN {
                let terms = (0..OUT).map(|o| number(layer.weight[(o, i)]) * number(output_gradients[(o, sample)]));
                // One more, for the rounding of the product where the sum has a single term.
                compare(input_gradient[(i, sample)], terms.chain([0.0]), &case("gradient by input"));
            }
        }
    }
}

// `IN x OUT / B` for one instruction set: a single one for each size, and a single micro-batch, so that it compiles in
// reasonable time. Every list has sizes below, at and above a register's width, multiples of it and ragged ones, and
// every micro-batch.
macro_rules! sizes {
    ($name:ident, $type:ident, $level:expr; $($in:literal x $out:literal / $micro_batch:literal),+ $(,)?) => {
        #[test]
        fn $name() {
            let Some(simd) = $level else {
                eprintln!("skipped: this CPU has no such instructions");
                return;
            };
            $(simd.vectorize(
                #[inline(always)]
                || check::<_, $type, $in, $out, $micro_batch>(simd),
            );)+
        }
    };
}

/// The instructions under test, from the least to the best; elsewhere than on x86-64 always the same.
#[cfg(target_arch = "x86_64")]
mod level {
    use fearless_simd::Level;
    use fearless_simd::x86::{Avx2, Avx512, Sse2};

    pub fn least() -> Option<Sse2> {
        Level::new().as_sse2()
    }
    pub fn better() -> Option<Avx2> {
        Level::new().as_avx2().filter(|_| cfg!(not(tuplenet_scalar)))
    }
    pub fn best() -> Option<Avx512> {
        Level::new().as_avx512().filter(|_| cfg!(not(tuplenet_scalar)))
    }
}
#[cfg(target_arch = "aarch64")]
mod level {
    pub fn least() -> Option<fearless_simd::aarch64::Neon> {
        fearless_simd::Level::new().as_neon()
    }
    pub use least as better;
    pub use least as best;
}
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod level {
    pub fn least() -> Option<fearless_simd::Fallback> {
        Some(fearless_simd::Fallback::new())
    }
    pub use least as better;
    pub use least as best;
}

sizes! { single_least, f32, level::least();
    1 x 1 / 2, 2 x 3 / 5, 3 x 1 / 32, 1 x 5 / 1, 4 x 4 / 8, 8 x 7 / 3, 7 x 10 / 40, 15 x 13 / 16, 16 x 8 / 1, 24 x 2 / 5,
    31 x 33 / 2, 64 x 16 / 3, 130 x 4 / 8,
}
sizes! { single_better, f32, level::better();
    1 x 2 / 40, 2 x 1 / 1, 3 x 4 / 2, 5 x 3 / 16, 4 x 8 / 32, 8 x 5 / 5, 10 x 7 / 3, 7 x 16 / 8, 13 x 15 / 1, 16 x 17 / 5,
    24 x 24 / 2, 33 x 10 / 40, 32 x 32 / 16, 64 x 31 / 3, 100 x 1 / 8, 1 x 130 / 5,
}
sizes! { single_best, f32, level::best();
    1 x 1 / 1, 2 x 8 / 40, 3 x 2 / 3, 5 x 15 / 8, 4 x 16 / 2, 8 x 1 / 32, 10 x 4 / 5, 7 x 17 / 16, 13 x 31 / 1, 16 x 32 / 3,
    17 x 33 / 8, 24 x 3 / 2, 32 x 10 / 32, 64 x 64 / 5, 100 x 24 / 1, 130 x 5 / 2,
}
sizes! { double_least, f64, level::least(); 1 x 1 / 3, 3 x 2 / 8, 8 x 5 / 40, 17 x 4 / 2, 5 x 31 / 1, 33 x 7 / 16 }
sizes! { double_better, f64, level::better(); 2 x 1 / 5, 4 x 3 / 1, 5 x 8 / 16, 13 x 7 / 2, 10 x 17 / 32, 64 x 10 / 3 }
sizes! { double_best, f64, level::best(); 1 x 3 / 40, 7 x 8 / 2, 8 x 13 / 8, 16 x 1 / 5, 24 x 15 / 1, 15 x 32 / 3, 100 x 2 / 2 }
