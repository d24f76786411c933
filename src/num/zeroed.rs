//! [`Zeroed`]: what may stand in a `static` before it is used.

use crate::num::Real;
use nalgebra::{ArrayStorage, SMatrix};

/// Has an all-zero value that a constant or a `static` can hold.
pub trait Zeroed: Sized {
    /// All numbers zero.
    const ZEROED: Self;
}

impl<T: Real, const R: usize, const C: usize> Zeroed for SMatrix<T, R, C> {
    const ZEROED: Self = {
        assert!(R > 0, "a layer needs at least one input and one output");
        SMatrix::from_array_storage(ArrayStorage([[T::ZERO; R]; C]))
    };
}

/// Begins where a vector register's worth of memory begins, on the CPUs where a load across the border takes twice as long.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(target_arch = "x86_64", repr(align(64)))]
pub struct Aligned<M>(pub M);

impl<M: Zeroed> Zeroed for Aligned<M> {
    const ZEROED: Self = Aligned(M::ZEROED);
}

impl Zeroed for () {
    const ZEROED: Self = ();
}
