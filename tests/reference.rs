//! `Dense`, forward and backward, against plain triple loops in `f64`, for ragged sizes, every tile and every number of
//! columns in use.
//!
//! A sum of `n` terms in a format with the unit `epsilon` is off by at most about `n * epsilon * sum of |terms|`, in
//! whatever order it is taken (N. Higham, "Accuracy and stability of numerical algorithms", 2002, section 4.2). The
//! terms here are products, which add one rounding each.

use fearless_simd::{Level, Simd, dispatch};
use num_traits::{ToPrimitive, float::FloatCore};
use tuplenet::layer::Tile;
use tuplenet::params::Zeroed;
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
    for used in 1..=B {
        let layer: Layer<IN, OUT, T> = Dense::from_matrix(random(&mut rng), random(&mut rng));
        // What the columns not in use hold is left from earlier batches, and no slope arrives there.
        let x: SMatrix<T, IN, B> = random(&mut rng);
        let mut slope: SMatrix<T, OUT, B> = random(&mut rng);
        slope.columns_mut(used, B - used).fill(T::ZERO);
        let start: Layer<IN, OUT, T> = Dense::from_matrix(random(&mut rng), random(&mut rng));
        let tile = Tile::<S, B>::new(simd, used);
        let case = |what: &str| format!("{what} of Dense<{IN}, {OUT}>, {used} of {B} columns");

        let mut trace = <Layer<IN, OUT, T> as tuplenet::layer::Layer<Features<IN>>>::Trace::<B>::ZEROED;
        layer.forward(tile, &x, &mut trace);
        let y = Layer::<IN, OUT, T>::output(&trace);
        let mut inferred = SMatrix::ZEROED;
        layer.infer(tile, &x, &mut inferred);
        for sample in 0..used {
            for o in 0..OUT {
                let products = (0..IN).map(|i| number(layer.weight[(o, i)]) * number(x[(i, sample)]));
                compare(y[(o, sample)], products.chain([number(layer.bias[o])]), &case("output"));
                assert_eq!(y[(o, sample)], inferred[(o, sample)], "{}", case("inferred output"));
            }
        }

        let mut gradient = start.clone();
        let mut input_slope = SMatrix::ZEROED;
        let slopes = slope;
        layer.backward(tile, &x, &trace, &mut slope, &mut gradient, Some(&mut input_slope));
        for o in 0..OUT {
            for i in 0..IN {
                let products = (0..used).map(|sample| number(slopes[(o, sample)]) * number(x[(i, sample)]));
                let terms = products.chain([number(start.weight[(o, i)])]);
                compare(gradient.weight[(o, i)], terms, &case("slope by weight"));
            }
            let terms = (0..used).map(|sample| number(slopes[(o, sample)])).chain([number(start.bias[o])]);
            compare(gradient.bias[o], terms, &case("slope by bias"));
        }
        for sample in 0..used {
            for i in 0..IN {
                let terms = (0..OUT).map(|o| number(layer.weight[(o, i)]) * number(slopes[(o, sample)]));
                // One more, for the rounding of the product where the sum has a single term.
                compare(input_slope[(i, sample)], terms.chain([0.0]), &case("slope by input"));
            }
        }

        // Without the slope by the inputs, the same gradient.
        let (mut slope, mut again) = (slopes, start);
        layer.backward(tile, &x, &trace, &mut slope, &mut again, None);
        assert!(again == gradient, "{}", case("gradient without slope by input"));
    }
}

// One test for each type: `IN x OUT / B`, one tile for each pair so that it compiles in reasonable time. Each size and
// each tile occurs several times, with what the kernels treat apart: below, at and above a register's width, and ragged.
macro_rules! sizes {
    ($type:ident: $($in:literal x $out:literal / $tile:literal),+ $(,)?) => {
        #[test]
        fn $type() {
            let level = Level::try_detect().unwrap_or(Level::baseline());
            $(dispatch!(level, simd => check::<_, $type, $in, $out, $tile>(simd));)+
        }
    };
}

sizes! { f32:
    1 x 1 / 1, 2 x 1 / 32, 1 x 2 / 5, 3 x 2 / 8, 2 x 3 / 40, 4 x 4 / 3, 5 x 7 / 16, 7 x 5 / 2, 8 x 8 / 32, 2 x 10 / 1,
    10 x 1 / 5, 13 x 7 / 40, 7 x 13 / 3, 15 x 16 / 8, 16 x 15 / 2, 17 x 3 / 16, 3 x 17 / 32, 24 x 10 / 5, 10 x 24 / 40,
    16 x 16 / 1, 31 x 4 / 3, 4 x 31 / 8, 33 x 15 / 2, 15 x 33 / 16, 32 x 32 / 32, 64 x 32 / 5, 32 x 10 / 32,
    130 x 5 / 1, 5 x 130 / 3, 100 x 1 / 8, 1 x 100 / 2, 64 x 33 / 1, 17 x 24 / 40, 13 x 64 / 16,
}
sizes! { f64:
    1 x 1 / 2, 2 x 8 / 5, 8 x 1 / 32, 3 x 5 / 1, 5 x 4 / 40, 4 x 32 / 3, 7 x 15 / 8, 13 x 10 / 16, 10 x 17 / 2,
    16 x 2 / 1, 17 x 13 / 32, 24 x 7 / 5, 31 x 33 / 3, 33 x 3 / 40, 64 x 16 / 8, 100 x 24 / 1, 1 x 130 / 16,
}
