//! Networks as vectors of their parameters: products, sums and norms.

use crate::model::{Parameter, Visit, Visitor, VisitorMut};
use crate::num::Real;

/// Calls `f` with each slice of parameters of a network and the same slice of others.
pub(super) fn zip<T: Real, N: Visit<T>, const OTHERS: usize>(
    network: &mut N,
    others: [&mut N; OTHERS],
    f: impl FnMut(&mut [T], [&mut [T]; OTHERS]),
) {
    struct Zip<F>(F);
    impl<T: Real, F: FnMut(&mut [T], [&mut [T]; OTHERS]), const OTHERS: usize> VisitorMut<T, OTHERS> for Zip<F> {
        #[inline(always)]
        fn slice(&mut self, _: Parameter, values: &mut [T], others: [&mut [T]; OTHERS]) {
            (self.0)(values, others);
        }
    }
    network.visit_mut(others, &mut Zip(f));
}

/// `to = from`.
pub(super) fn copy<T: Real, N: Visit<T>>(to: &mut N, from: &mut N) {
    zip(to, [from], |to, [from]| to.copy_from_slice(from));
}

/// `to = start + step * direction`.
pub(super) fn move_along<T: Real, N: Visit<T>>(to: &mut N, start: &mut N, step: T, direction: &mut N) {
    zip(to, [start, direction], |to, [start, direction]| {
        for ((to, start), direction) in to.iter_mut().zip(start).zip(direction) {
            *to = *start + step * *direction;
        }
    });
}

/// `to = a - b`.
pub(super) fn subtract<T: Real, N: Visit<T>>(to: &mut N, a: &mut N, b: &mut N) {
    zip(to, [a, b], |to, [a, b]| {
        for ((to, a), b) in to.iter_mut().zip(a).zip(b) {
            *to = *a - *b;
        }
    });
}

/// `to += factor * of`.
pub(super) fn add<T: Real, N: Visit<T>>(to: &mut N, factor: T, of: &mut N) {
    zip(to, [of], |to, [of]| {
        for (to, of) in to.iter_mut().zip(of) {
            *to += factor * *of;
        }
    });
}

/// `to *= factor`.
pub(super) fn scale<T: Real, N: Visit<T>>(to: &mut N, factor: T) {
    zip(to, [], |to, []| {
        for to in to {
            *to *= factor;
        }
    });
}

/// The sum of the products of all parameters, in `f64`, in four parts of which each CPU adds the same values.
pub(super) fn dot<T: Real, N: Visit<T>>(a: &mut N, b: &mut N) -> f64 {
    let mut sums = [0.0; 4];
    zip(a, [b], |a, [b]| {
        let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
        for (a, b) in a.iter().zip(b) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a.exact() * b.exact();
            }
        }
        for ((sum, a), b) in sums.iter_mut().zip(a_rest).zip(b_rest) {
            *sum += a.exact() * b.exact();
        }
    });
    let [a, b, c, d] = sums;
    (a + b) + (c + d)
}

/// The largest absolute value of a parameter; NaN if one is.
pub(super) fn largest<T: Real, N: Visit<T>>(network: &N) -> T {
    struct Largest<T>(T);
    impl<T: Real> Visitor<T> for Largest<T> {
        fn slice(&mut self, _: Parameter, values: &[T]) {
            for value in values {
                // Not `max`, which ignores NaN.
                if value.abs() > self.0 || value.is_nan() {
                    self.0 = value.abs();
                }
            }
        }
    }
    let mut largest = Largest(T::ZERO);
    network.visit(&mut largest);
    largest.0
}
