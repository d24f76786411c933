//! [`Zeroed`]: the initial value of a `static`.

use crate::num::Real;
use nalgebra::{ArrayStorage, SMatrix};

/// A type with an all-zero value that a constant or a `static` can hold.
pub trait Zeroed: Sized {
    /// All elements zero.
    const ZEROED: Self;
}

impl<T: Real, const R: usize, const C: usize> Zeroed for SMatrix<T, R, C> {
    const ZEROED: Self = {
        assert!(R > 0, "expected a layer with at least one input and one output, found a size of zero");
        SMatrix::from_array_storage(ArrayStorage([[T::ZERO; R]; C]))
    };
}

/// Aligned to a vector register, on CPUs where a load across the boundary takes twice as long.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(target_arch = "x86_64", repr(align(64)))]
pub struct Aligned<M>(pub M);

impl<M: Zeroed> Zeroed for Aligned<M> {
    const ZEROED: Self = Aligned(M::ZEROED);
}

impl Zeroed for f32 {
    const ZEROED: Self = 0.0;
}

impl Zeroed for f64 {
    const ZEROED: Self = 0.0;
}

impl Zeroed for usize {
    const ZEROED: Self = 0;
}

impl<X: Zeroed, const N: usize> Zeroed for [X; N] {
    const ZEROED: Self = [const { X::ZEROED }; N];
}

impl Zeroed for () {
    const ZEROED: Self = ();
}
