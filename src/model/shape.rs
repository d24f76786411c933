//! Shapes of the data between layers: [`Features<N>`], a column of `N` features for each sample.

use crate::num::Real;
use crate::num::zeroed::Zeroed;
use nalgebra::SMatrix;

/// The shape of the data between two layers, without the scalar type and the number of samples.
pub trait Shape: 'static {
    /// `B` samples of this shape.
    type Batch<T: Real, const B: usize>: Zeroed + Clone;

    /// Sets all samples but the first `len` to zero.
    fn clear_from<T: Real, const B: usize>(batch: &mut Self::Batch<T, B>, len: usize);
}

/// `B` samples of shape `In` with the scalar type `T`.
pub type Batch<In, T, const B: usize> = <In as Shape>::Batch<T, B>;

/// `N` features for each sample; a batch is an `N` by `B` matrix, one sample a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features<const N: usize>;

impl<const N: usize> Shape for Features<N> {
    type Batch<T: Real, const B: usize> = SMatrix<T, N, B>;

    #[inline(always)]
    fn clear_from<T: Real, const B: usize>(batch: &mut SMatrix<T, N, B>, len: usize) {
        for column in batch.data.0.iter_mut().skip(len) {
            column.fill(T::ZERO);
        }
    }
}
