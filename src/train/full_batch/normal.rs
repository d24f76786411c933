//! The normal equations of a least-squares step, `(J' J + D) h = g`, for `P` parameters; solved by Cholesky decomposition.

use crate::model::Zeroed;
use crate::num::Real;
use crate::num::dispatch::{dispatch, level};
use crate::num::math::square_root;
use core::marker::PhantomData;

/// How the equations of a least-squares step are written: [`Normal`], `P` by `P`, or [`Dual`](super::Dual), for fewer residuals
/// than parameters.
pub trait Form<T: Real, const P: usize> {
    /// The equations in this form.
    type Equations: Equations<T, P>;

    /// The largest number of residuals.
    const RESIDUALS: usize;
}

/// The normal equations, `P` by `P`: for any number of residuals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Normal;

impl<T: Real, const P: usize> Form<T, P> for Normal {
    type Equations = Symmetric<T, P>;
    const RESIDUALS: usize = usize::MAX;
}

/// How many times four residuals are added at once: a row of the matrix is then read and written once for all of them.
pub const FOURS: usize = 2;

/// The equations of a least-squares step, in memory that is used again.
pub trait Equations<T: Real, const P: usize>: Zeroed {
    /// Begins again, without a residual.
    fn clear(&mut self);

    /// Adds residuals, four and four, with their gradients, the rows of the Jacobian. More than [`Form::RESIDUALS`] are left out.
    fn add(&mut self, rows: &[[[T; P]; 4]; FOURS], residuals: &[[T; 4]; FOURS]);

    /// Called after the last residual.
    fn finish(&mut self) {}

    /// The largest element of the diagonal.
    fn largest(&self) -> T;

    /// Sets `step` to the solution with `damping` and `diagonal` added to the diagonal, for the gradient `gradient` by all
    /// parameters; returns `false` if the matrix is singular.
    fn solve(&mut self, damping: T, diagonal: &[T; P], gradient: &[T; P], step: &mut [T; P]) -> bool;

    /// The trace of the inverse with `damping` added to the diagonal; `None` if the matrix is singular.
    fn trace_of_inverse(&mut self, damping: T) -> Option<T>;
}

/// A symmetric matrix below its diagonal and on it, and above it the transposed factor of its Cholesky decomposition.
#[derive(Clone, Debug)]
pub struct Symmetric<T, const P: usize> {
    rows: [[T; P]; P],
    /// 1 divided by the diagonal of the factor.
    reciprocals: [T; P],
    scalar: PhantomData<T>,
}

impl<T: Real, const P: usize> Zeroed for Symmetric<T, P> {
    const ZEROED: Self = Symmetric { rows: [[T::ZERO; P]; P], reciprocals: [T::ZERO; P], scalar: PhantomData };
}

impl<T: Real, const P: usize> Symmetric<T, P> {
    /// Sets the element in a row and a column, both below `P` and the column not above the row.
    pub(super) fn set(&mut self, row: usize, column: usize, value: T) {
        if let Some(to) = self.rows.get_mut(row).and_then(|row| row.get_mut(column)) {
            *to = value;
        }
    }

    /// Decomposes the matrix with `damping` and `diagonal` added to its diagonal; `None` if it is not positive definite.
    pub(crate) fn decompose(&mut self, damping: T, diagonal: &[T; P]) -> Option<()> {
        for (j, (added, reciprocal)) in diagonal.iter().zip(&mut self.reciprocals).enumerate() {
            let (above, rest) = self.rows.split_at_mut_checked(j)?;
            let (row, below) = rest.split_first_mut()?;
            let mut pivot = *row.get(j)? + damping + *added;
            let row = row.get_mut(j + 1..)?;
            for (to, below) in row.iter_mut().zip(below) {
                *to = *below.get(j)?;
            }
            for above in above {
                let (factor, above) = above.get(j..)?.split_first()?;
                pivot -= *factor * *factor;
                for (to, above) in row.iter_mut().zip(above) {
                    *to -= *factor * *above;
                }
            }
            if !(pivot > T::ZERO && pivot.is_finite()) {
                return None;
            }
            *reciprocal = T::ONE / square_root(pivot);
            for to in row {
                *to *= *reciprocal;
            }
        }
        Some(())
    }

    /// Replaces `x` by the solution of the decomposed equations with `x` on the right.
    pub(crate) fn substitute(&self, x: &mut [T; P]) -> Option<()> {
        self.forward(x, 0)?;
        for (i, (row, reciprocal)) in self.rows.iter().zip(&self.reciprocals).enumerate().rev() {
            let (x, behind) = x.get_mut(i..)?.split_first_mut()?;
            for (value, behind) in row.get(i + 1..)?.iter().zip(behind) {
                *x -= *value * *behind;
            }
            *x *= *reciprocal;
        }
        Some(())
    }

    /// The first half of [`substitute`](Self::substitute), for an `x` whose first elements, up to `first`, are zero.
    pub(crate) fn forward(&self, x: &mut [T; P], first: usize) -> Option<()> {
        for (k, (row, reciprocal)) in self.rows.iter().zip(&self.reciprocals).enumerate().skip(first) {
            let (x, behind) = x.get_mut(k..)?.split_first_mut()?;
            *x *= *reciprocal;
            for (value, behind) in row.get(k + 1..)?.iter().zip(behind) {
                *behind -= *x * *value;
            }
        }
        Some(())
    }

    /// The sum of the squares of all elements of the inverse of the factor: the trace of the inverse.
    pub(crate) fn trace(&self) -> Option<T> {
        let mut trace = T::ZERO;
        for column in 0..P {
            let mut x = [T::ZERO; P];
            *x.get_mut(column)? = T::ONE;
            self.forward(&mut x, column)?;
            trace += x.iter().fold(T::ZERO, |sum, x| sum + *x * *x);
        }
        Some(trace)
    }
}

/// Adds the products of rows with themselves to one row of a matrix, that with the index `i`.
#[inline(always)]
fn add_products<T: Real, const P: usize>(i: usize, row: &mut [T; P], [a, b, c, d]: &[[T; P]; 4]) {
    let (Some(fa), Some(fb), Some(fc), Some(fd)) = (a.get(i), b.get(i), c.get(i), d.get(i)) else { return };
    // Whole chunks: what they write above the diagonal is not used.
    let whole = P - P % 4;
    let ((a4, a1), (b4, b1)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let ((c4, c1), (d4, d1)) = (c.as_chunks::<4>(), d.as_chunks::<4>());
    let (row4, row1) = row.as_chunks_mut::<4>();
    for (to, (((a, b), c), d)) in row4.iter_mut().zip(a4.iter().zip(b4).zip(c4).zip(d4)).take(i / 4 + 1) {
        for (to, (((a, b), c), d)) in to.iter_mut().zip(a.iter().zip(b).zip(c).zip(d)) {
            *to += (*fa * *a + *fb * *b) + (*fc * *c + *fd * *d);
        }
    }
    if i >= whole {
        for (to, (((a, b), c), d)) in row1.iter_mut().zip(a1.iter().zip(b1).zip(c1).zip(d1)) {
            *to += (*fa * *a + *fb * *b) + (*fc * *c + *fd * *d);
        }
    }
}

impl<T: Real, const P: usize> Equations<T, P> for Symmetric<T, P> {
    fn clear(&mut self) {
        for row in &mut self.rows {
            row.fill(T::ZERO);
        }
    }

    fn add(&mut self, rows: &[[[T; P]; 4]; FOURS], _: &[[T; 4]; FOURS]) {
        dispatch!(level(), simd => {
            let _ = simd;
            for (i, to) in self.rows.iter_mut().enumerate() {
                for rows in rows {
                    add_products(i, to, rows);
                }
            }
        });
    }

    fn largest(&self) -> T {
        let diagonal = self.rows.iter().enumerate().filter_map(|(i, row)| row.get(i));
        diagonal.fold(T::ZERO, |largest, value| if *value > largest { *value } else { largest })
    }

    fn solve(&mut self, damping: T, diagonal: &[T; P], gradient: &[T; P], step: &mut [T; P]) -> bool {
        *step = *gradient;
        let solved = dispatch!(level(), simd => {
            let _ = simd;
            self.decompose(damping, diagonal).and_then(|()| self.substitute(step))
        });
        solved.is_some()
    }

    fn trace_of_inverse(&mut self, damping: T) -> Option<T> {
        self.decompose(damping, &[T::ZERO; P])?;
        self.trace()
    }
}
