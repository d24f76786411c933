//! The dual form of a least-squares step, for fewer residuals than parameters.

use super::normal::{Equations, FOURS, Form, Symmetric};
use crate::model::Zeroed;
use crate::num::Real;

/// The dual form of the equations, for at most `R` residuals, the samples times the outputs: `R` by `R` instead of `P` by `P`, with
/// the same solution. It takes no penalty on the weights alone, so no `l2`.
///
/// # Formula
///
/// `(J' J + mu I)^-1 J' r = J' (J J' + mu I)^-1 r`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dual<const R: usize>;

impl<T: Real, const P: usize, const R: usize> Form<T, P> for Dual<R> {
    type Equations = Gram<T, P, R>;
    const RESIDUALS: usize = R;
}

/// The rows of the Jacobian with their residuals, and the matrix of their products.
#[derive(Clone, Debug)]
pub struct Gram<T, const P: usize, const R: usize> {
    rows: [[T; P]; R],
    residuals: [T; R],
    count: usize,
    products: Symmetric<T, R>,
}

impl<T: Real, const P: usize, const R: usize> Zeroed for Gram<T, P, R> {
    const ZEROED: Self =
        Gram { rows: [[T::ZERO; P]; R], residuals: [T::ZERO; R], count: 0, products: Symmetric::ZEROED };
}

impl<T: Real, const P: usize, const R: usize> Equations<T, P> for Gram<T, P, R> {
    fn clear(&mut self) {
        self.count = 0;
    }

    fn add(&mut self, rows: &[[[T; P]; 4]; FOURS], residuals: &[[T; 4]; FOURS]) {
        let space = self.rows.iter_mut().zip(&mut self.residuals).skip(self.count);
        for ((to, to_residual), (row, residual)) in space.zip(rows.as_flattened().iter().zip(residuals.as_flattened()))
        {
            (*to, *to_residual) = (*row, *residual);
            self.count += 1;
        }
    }

    fn finish(&mut self) {
        for (row, residual) in self.rows.iter_mut().zip(&mut self.residuals).skip(self.count) {
            (*row, *residual) = ([T::ZERO; P], T::ZERO);
        }
        for (i, a) in self.rows.iter().enumerate() {
            for (j, b) in self.rows.iter().enumerate().take(i + 1) {
                self.products.set(i, j, a.iter().zip(b).fold(T::ZERO, |sum, (a, b)| sum + *a * *b));
            }
        }
    }

    fn largest(&self) -> T {
        self.products.largest()
    }

    fn solve(&mut self, damping: T, _: &[T; P], _: &[T; P], step: &mut [T; P]) -> bool {
        let mut factors = [T::ZERO; R];
        if !self.products.solve(damping, &[T::ZERO; R], &self.residuals, &mut factors) {
            return false;
        }
        step.fill(T::ZERO);
        for (row, factor) in self.rows.iter().zip(&factors) {
            for (step, value) in step.iter_mut().zip(row) {
                *step += *factor * *value;
            }
        }
        true
    }

    fn trace_of_inverse(&mut self, damping: T) -> Option<T> {
        // The other eigenvalues are those of the damping alone.
        let others = T::of(P as f64 - R as f64) / damping;
        Some(others + self.products.trace_of_inverse(damping)?)
    }
}
