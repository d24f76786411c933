//! The rows of a Jacobian: the gradients of the residuals of all samples, by all parameters in a row.

use super::normal::{Equations, FOURS};
use super::vectors::zip;
use crate::data::{Inputs, Samples};
use crate::model::jacobian::One;
use crate::model::{Parameter, Shape, Trainable, Visit, Visitor, Zeroed, fill};
use crate::num::Real;
use crate::num::math::square_root;
use core::slice;

/// Rows of a Jacobian that wait until there are enough of them.
pub(crate) struct Rows<N: Trainable, const P: usize> {
    gradient: N,
    rows: [[[N::Scalar; P]; 4]; FOURS],
    residuals: [[N::Scalar; 4]; FOURS],
    count: usize,
}

impl<N: Trainable, const P: usize> Zeroed for Rows<N, P> {
    const ZEROED: Self = Rows { gradient: N::ZEROED, rows: Zeroed::ZEROED, residuals: Zeroed::ZEROED, count: 0 };
}

/// Writes all parameters into an array, each multiplied by a factor.
struct Flatten<'a, T>(slice::IterMut<'a, T>, T);

impl<T: Real> Visitor<T> for Flatten<'_, T> {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &[T]) {
        for (value, to) in values.iter().zip(&mut self.0) {
            *to = *value * self.1;
        }
    }
}

/// All parameters of a network.
pub(crate) fn flatten<T: Real, N: Visit<T>, const P: usize>(network: &N, to: &mut [T; P]) {
    network.visit(&mut Flatten(to.iter_mut(), T::ONE));
}

/// Sets all parameters of a network to `start + factor * step`.
pub(super) fn place<T: Real, N: Visit<T>, const P: usize>(network: &mut N, start: &[T; P], factor: T, step: &[T; P]) {
    let mut from = start.iter().zip(step);
    zip(network, [], |values, []| {
        for (value, (start, step)) in values.iter_mut().zip(&mut from) {
            *value = *start + factor * *step;
        }
    });
}

/// The products of values with themselves, added up.
pub(super) fn square<T: Real>(values: &[T]) -> T {
    values.iter().fold(T::ZERO, |sum, value| sum + *value * *value)
}

/// Adds the gradient of a penalty to that of the loss, and sets the diagonal of its Hessian.
pub(super) struct AddPenalty<'a, T> {
    pub lambda: T,
    /// Whether biases are penalized too.
    pub all: bool,
    pub gradient: slice::IterMut<'a, T>,
    pub diagonal: slice::IterMut<'a, T>,
}

impl<T: Real> Visitor<T> for AddPenalty<'_, T> {
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        let lambda = if self.all || parameter.kind.is_weight() { self.lambda } else { T::ZERO };
        for ((value, gradient), diagonal) in values.iter().zip(&mut self.gradient).zip(&mut self.diagonal) {
            *gradient += lambda * *value;
            *diagonal = lambda;
        }
    }
}

/// The sum of the squares of all weights, or of all parameters.
struct Squares<T> {
    all: bool,
    sum: T,
}

impl<T: Real> Visitor<T> for Squares<T> {
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        if self.all || parameter.kind.is_weight() {
            self.sum += square(values);
        }
    }
}

/// The sum of the squares of all parameters of a network, or of its weights alone.
pub(crate) fn sum_of_squares<T: Real, N: Visit<T>>(network: &N, all: bool) -> T {
    let mut squares = Squares { all, sum: T::ZERO };
    network.visit(&mut squares);
    squares.sum
}

impl<N: Trainable, const P: usize> Rows<N, P> {
    /// Adds the residuals of all samples to the equations, so that these are those of the mean squared error: the gradient, which
    /// is set, is `J' r`.
    pub(crate) fn accumulate<X, Y>(
        &mut self,
        network: &N,
        (inputs, targets): (&X, &Y),
        equations: &mut impl Equations<N::Scalar, P>,
        gradient: &mut [N::Scalar; P],
    ) where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Samples<N::Scalar, Item = <N::Out as Shape>::Sample<N::Scalar>> + ?Sized,
    {
        equations.clear();
        gradient.fill(N::Scalar::ZERO);
        let mut total = N::Scalar::from_count(inputs.count());
        if Y::WEIGHTED {
            total = (0..inputs.count()).fold(N::Scalar::ZERO, |sum, sample| sum + targets.weight(sample));
        }
        let mut one = One::<N>::ZEROED;
        let (mut x, mut target) = (Zeroed::ZEROED, Zeroed::ZEROED);
        for sample in 0..inputs.count() {
            inputs.copy(sample, &mut x);
            targets.copy(sample, &mut target);
            one.set(&x, inputs.steps(sample));
            let target = <N::Out as Shape>::elements(&target);
            let count = one.outputs();
            let factor =
                square_root(N::Scalar::of(2.0) * targets.weight(sample) / (total * N::Scalar::from_count(count)));
            for (output, target) in target.iter().enumerate().take(count) {
                fill(&mut self.gradient, N::Scalar::ZERO);
                let y = one.output_gradient(network, output, &mut self.gradient);
                self.push((y - *target) * factor, factor, equations, gradient);
            }
        }
        while self.count > 0 {
            fill(&mut self.gradient, N::Scalar::ZERO);
            self.push(N::Scalar::ZERO, N::Scalar::ZERO, equations, gradient);
        }
        equations.finish();
    }

    fn push(
        &mut self,
        residual: N::Scalar,
        factor: N::Scalar,
        equations: &mut impl Equations<N::Scalar, P>,
        gradient: &mut [N::Scalar; P],
    ) {
        let rows = self.rows.as_flattened_mut().iter_mut();
        let places = rows.zip(self.residuals.as_flattened_mut()).skip(self.count);
        for (row, to) in places.take(1) {
            self.gradient.visit(&mut Flatten(row.iter_mut(), factor));
            *to = residual;
            for (gradient, value) in gradient.iter_mut().zip(row) {
                *gradient += residual * *value;
            }
        }
        self.count += 1;
        if self.count == 4 * FOURS {
            self.count = 0;
            equations.add(&self.rows, &self.residuals);
        }
    }
}
