//! Shapes of the data between layers: [`Features<N>`], a column of `N` features for each sample, [`Image<C, H, W>`], and
//! [`Sequence<STEPS, N>`], a column of features for each step.

use crate::num::Real;
use crate::num::zeroed::Zeroed;
use nalgebra::SMatrix;

/// The shape of the data between two layers, without the scalar type and the number of samples: what one sample is to a
/// user, how a micro-batch of samples lies in memory, and how one becomes the other.
///
/// A layer that treats every element alike, such as an activation, accepts any shape: it goes over
/// [`as_slice`](Self::as_slice).
pub trait Shape: 'static {
    /// One sample, as users and files have it.
    type Sample<T: Real>: Zeroed + Copy + PartialEq + core::fmt::Debug + Send + Sync;

    /// `B` samples of this shape, as layers compute with them.
    type Batch<T: Real, const B: usize>: Zeroed + Clone + Send + Sync;

    /// How many elements one sample has.
    const LEN: usize;

    /// The sizes of one sample, the outermost first: `[N]` for features, `[C, H, W]` for an image, `[STEPS, N]` for a
    /// sequence.
    const DIMENSIONS: &'static [usize] = &[Self::LEN];

    /// The elements of one sample, in the order of files.
    fn elements<T: Real>(sample: &Self::Sample<T>) -> &[T];

    /// All elements of a batch, in the order in which they are in memory.
    fn as_slice<T: Real, const B: usize>(batch: &Self::Batch<T, B>) -> &[T];

    /// All elements of a batch, to be changed.
    fn as_mut_slice<T: Real, const B: usize>(batch: &mut Self::Batch<T, B>) -> &mut [T];

    /// How many elements of [`as_slice`](Self::as_slice), from the first on, hold the first `len` of `B` samples.
    fn prefix<const B: usize>(len: usize) -> usize;

    /// Where the element at `index` of [`as_slice`](Self::as_slice) is among those of all samples, one sample after the
    /// other.
    fn place<const B: usize>(index: usize) -> usize;

    /// Sets the sample in `column`, counted from zero; nothing happens if there is no such column.
    fn set<T: Real, const B: usize>(batch: &mut Self::Batch<T, B>, column: usize, sample: &Self::Sample<T>);

    /// The sample in `column`, counted from zero; zeros if there is no such column.
    fn get<T: Real, const B: usize>(batch: &Self::Batch<T, B>, column: usize) -> Self::Sample<T>;

    /// The batch of these samples, if both lie in memory in the same way: then nothing is copied.
    #[inline(always)]
    fn in_place<T: Real, const B: usize>(_samples: &[Self::Sample<T>; B]) -> Option<&Self::Batch<T, B>> {
        None
    }

    /// The samples of a batch, if both lie in memory in the same way.
    #[inline(always)]
    fn samples_mut<T: Real, const B: usize>(_batch: &mut Self::Batch<T, B>) -> Option<&mut [Self::Sample<T>; B]> {
        None
    }

    /// The batch that these samples are, to be written in place, if both lie in memory in the same way.
    #[inline(always)]
    fn in_place_mut<T: Real, const B: usize>(_samples: &mut [Self::Sample<T>; B]) -> Option<&mut Self::Batch<T, B>> {
        None
    }

    /// Sets all samples but the first `len` to zero.
    fn clear_from<T: Real, const B: usize>(batch: &mut Self::Batch<T, B>, len: usize);

    /// Sets all steps of sequences but the first `steps` to zero. What is no sequence has none.
    #[inline(always)]
    fn clear_steps_from<T: Real, const B: usize>(_batch: &mut Self::Batch<T, B>, _steps: usize) {}
}

/// `B` samples of shape `In` with the scalar type `T`.
pub type Batch<In, T, const B: usize> = <In as Shape>::Batch<T, B>;

/// `N` features for each sample, `[T; N]`; a batch is an `N` by `B` matrix, one sample a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features<const N: usize>;

impl<const N: usize> Shape for Features<N> {
    type Sample<T: Real> = [T; N];
    type Batch<T: Real, const B: usize> = SMatrix<T, N, B>;
    const LEN: usize = N;

    #[inline(always)]
    fn elements<T: Real>(sample: &[T; N]) -> &[T] {
        sample
    }

    #[inline(always)]
    fn as_slice<T: Real, const B: usize>(batch: &SMatrix<T, N, B>) -> &[T] {
        batch.as_slice()
    }

    #[inline(always)]
    fn as_mut_slice<T: Real, const B: usize>(batch: &mut SMatrix<T, N, B>) -> &mut [T] {
        batch.as_mut_slice()
    }

    #[inline(always)]
    fn prefix<const B: usize>(len: usize) -> usize {
        len * N
    }

    #[inline(always)]
    fn place<const B: usize>(index: usize) -> usize {
        index
    }

    #[inline(always)]
    fn set<T: Real, const B: usize>(batch: &mut SMatrix<T, N, B>, column: usize, sample: &[T; N]) {
        if let Some(column) = batch.data.0.get_mut(column) {
            *column = *sample;
        }
    }

    #[inline(always)]
    fn get<T: Real, const B: usize>(batch: &SMatrix<T, N, B>, column: usize) -> [T; N] {
        batch.data.0.get(column).copied().unwrap_or([T::ZERO; N])
    }

    #[inline(always)]
    fn in_place<T: Real, const B: usize>(samples: &[[T; N]; B]) -> Option<&SMatrix<T, N, B>> {
        Some(bytemuck::must_cast_ref(samples))
    }

    #[inline(always)]
    fn samples_mut<T: Real, const B: usize>(batch: &mut SMatrix<T, N, B>) -> Option<&mut [[T; N]; B]> {
        Some(&mut batch.data.0)
    }

    #[inline(always)]
    fn in_place_mut<T: Real, const B: usize>(samples: &mut [[T; N]; B]) -> Option<&mut SMatrix<T, N, B>> {
        Some(bytemuck::must_cast_mut(samples))
    }

    #[inline(always)]
    fn clear_from<T: Real, const B: usize>(batch: &mut SMatrix<T, N, B>, len: usize) {
        for column in batch.data.0.iter_mut().skip(len) {
            column.fill(T::ZERO);
        }
    }
}

/// An image for each sample: `C` channels of `H` rows and `W` columns of pixels, `[[[T; W]; H]; C]`, as PyTorch has it. A
/// batch is `[[[[T; B]; W]; H]; C]`, so that the samples of a pixel are side by side, each in a lane of its own.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Conv2d, Flatten, MaxPool};
/// use tuplenet::prelude::*;
///
/// type Edges = Image<4, 6, 6>;
/// type Small = Image<4, 3, 3>;
/// type Net = (Conv2d<Image<1, 8, 8>, Edges, 3, Relu>, MaxPool<Edges, Small, 2>, Flatten<Small, 36>, Dense<36, 10, Softmax>);
///
/// let network = Net::new(&mut seeded(0));
/// let image = [[[0.5; 8]; 8]];
/// assert!((network.predict_one(&image).iter().sum::<f32>() - 1.0).abs() < 1e-6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias("tensor", "NCHW", "picture"))]
pub struct Image<const C: usize, const H: usize, const W: usize>;

impl<const C: usize, const H: usize, const W: usize> Shape for Image<C, H, W> {
    type Sample<T: Real> = [[[T; W]; H]; C];
    type Batch<T: Real, const B: usize> = [[[[T; B]; W]; H]; C];
    const LEN: usize = C * H * W;
    const DIMENSIONS: &'static [usize] = &[C, H, W];

    #[inline(always)]
    fn elements<T: Real>(sample: &[[[T; W]; H]; C]) -> &[T] {
        sample.as_flattened().as_flattened()
    }

    #[inline(always)]
    fn as_slice<T: Real, const B: usize>(batch: &[[[[T; B]; W]; H]; C]) -> &[T] {
        batch.as_flattened().as_flattened().as_flattened()
    }

    #[inline(always)]
    fn as_mut_slice<T: Real, const B: usize>(batch: &mut [[[[T; B]; W]; H]; C]) -> &mut [T] {
        batch.as_flattened_mut().as_flattened_mut().as_flattened_mut()
    }

    // Every pixel has all samples.
    #[inline(always)]
    fn prefix<const B: usize>(len: usize) -> usize {
        if len == 0 { 0 } else { C * H * W * B }
    }

    #[inline(always)]
    fn place<const B: usize>(index: usize) -> usize {
        (index % B) * (C * H * W) + index / B
    }

    #[inline(always)]
    fn set<T: Real, const B: usize>(batch: &mut [[[[T; B]; W]; H]; C], column: usize, sample: &[[[T; W]; H]; C]) {
        for (pixel, value) in batch.as_flattened_mut().as_flattened_mut().iter_mut().zip(Self::elements(sample)) {
            if let Some(to) = pixel.get_mut(column) {
                *to = *value;
            }
        }
    }

    #[inline(always)]
    fn get<T: Real, const B: usize>(batch: &[[[[T; B]; W]; H]; C], column: usize) -> [[[T; W]; H]; C] {
        let mut sample = [[[T::ZERO; W]; H]; C];
        let values = sample.as_flattened_mut().as_flattened_mut();
        for (value, pixel) in values.iter_mut().zip(batch.as_flattened().as_flattened()) {
            *value = pixel.get(column).copied().unwrap_or(T::ZERO);
        }
        sample
    }

    #[inline(always)]
    fn in_place<T: Real, const B: usize>(samples: &[[[[T; W]; H]; C]; B]) -> Option<&[[[[T; B]; W]; H]; C]> {
        if B == 1 { Some(bytemuck::must_cast_ref(samples)) } else { None }
    }

    #[inline(always)]
    fn samples_mut<T: Real, const B: usize>(batch: &mut [[[[T; B]; W]; H]; C]) -> Option<&mut [[[[T; W]; H]; C]; B]> {
        if B == 1 { Some(bytemuck::must_cast_mut(batch)) } else { None }
    }

    #[inline(always)]
    fn in_place_mut<T: Real, const B: usize>(
        samples: &mut [[[[T; W]; H]; C]; B],
    ) -> Option<&mut [[[[T; B]; W]; H]; C]> {
        if B == 1 { Some(bytemuck::must_cast_mut(samples)) } else { None }
    }

    #[inline(always)]
    fn clear_from<T: Real, const B: usize>(batch: &mut [[[[T; B]; W]; H]; C], len: usize) {
        for pixel in batch.as_flattened_mut().as_flattened_mut() {
            for value in pixel.iter_mut().skip(len) {
                *value = T::ZERO;
            }
        }
    }
}

/// The shape of images, for layers whose types store something for each channel.
pub trait Grid: Shape {
    /// Channels, rows, columns.
    const SIZES: [usize; 3];

    /// An array with an element for each channel.
    type PerChannel<E: Copy + 'static>: Copy + 'static;
}

impl<const C: usize, const H: usize, const W: usize> Grid for Image<C, H, W> {
    const SIZES: [usize; 3] = [C, H, W];
    type PerChannel<E: Copy + 'static> = [E; C];
}

/// Sequences of `STEPS` steps with `N` features each, `[[T; N]; STEPS]`; a batch is an `N` by `B` matrix for each step, one
/// sequence a column.
///
/// Layers that go over time, such as [`Gru`](crate::layers::Gru), accept every number of steps: their type does not name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias("time series", "timesteps"))]
pub struct Sequence<const STEPS: usize, const N: usize>;

impl<const STEPS: usize, const N: usize> Shape for Sequence<STEPS, N> {
    type Sample<T: Real> = [[T; N]; STEPS];
    type Batch<T: Real, const B: usize> = [SMatrix<T, N, B>; STEPS];
    const LEN: usize = STEPS * N;
    const DIMENSIONS: &'static [usize] = &[STEPS, N];

    #[inline(always)]
    fn elements<T: Real>(sample: &[[T; N]; STEPS]) -> &[T] {
        sample.as_flattened()
    }

    #[inline(always)]
    fn as_slice<T: Real, const B: usize>(batch: &[SMatrix<T, N, B>; STEPS]) -> &[T] {
        bytemuck::must_cast_slice(batch)
    }

    #[inline(always)]
    fn as_mut_slice<T: Real, const B: usize>(batch: &mut [SMatrix<T, N, B>; STEPS]) -> &mut [T] {
        bytemuck::must_cast_slice_mut(batch)
    }

    // The other samples of all steps but the last are among them.
    #[inline(always)]
    fn prefix<const B: usize>(len: usize) -> usize {
        STEPS.saturating_sub(1) * B * N + len * N
    }

    #[inline(always)]
    fn place<const B: usize>(index: usize) -> usize {
        const {
            assert!(
                STEPS > 0 && N > 0 && B > 0,
                "expected a `Sequence` with a step and a feature, found a size of zero"
            )
        };
        let (step, rest) = (index / (B * N), index % (B * N));
        rest / N * (STEPS * N) + step * N + rest % N
    }

    #[inline(always)]
    fn set<T: Real, const B: usize>(batch: &mut [SMatrix<T, N, B>; STEPS], column: usize, sample: &[[T; N]; STEPS]) {
        for (batch, sample) in batch.iter_mut().zip(sample) {
            Features::<N>::set(batch, column, sample);
        }
    }

    #[inline(always)]
    fn get<T: Real, const B: usize>(batch: &[SMatrix<T, N, B>; STEPS], column: usize) -> [[T; N]; STEPS] {
        let mut sample = [[T::ZERO; N]; STEPS];
        for (batch, sample) in batch.iter().zip(&mut sample) {
            *sample = Features::<N>::get(batch, column);
        }
        sample
    }

    // A single sequence lies in memory as its batch does.
    #[inline(always)]
    fn in_place<T: Real, const B: usize>(samples: &[[[T; N]; STEPS]; B]) -> Option<&[SMatrix<T, N, B>; STEPS]> {
        if B == 1 { Some(bytemuck::must_cast_ref(samples)) } else { None }
    }

    #[inline(always)]
    fn samples_mut<T: Real, const B: usize>(
        batch: &mut [SMatrix<T, N, B>; STEPS],
    ) -> Option<&mut [[[T; N]; STEPS]; B]> {
        if B == 1 { Some(bytemuck::must_cast_mut(batch)) } else { None }
    }

    #[inline(always)]
    fn in_place_mut<T: Real, const B: usize>(
        samples: &mut [[[T; N]; STEPS]; B],
    ) -> Option<&mut [SMatrix<T, N, B>; STEPS]> {
        if B == 1 { Some(bytemuck::must_cast_mut(samples)) } else { None }
    }

    #[inline(always)]
    fn clear_from<T: Real, const B: usize>(batch: &mut [SMatrix<T, N, B>; STEPS], len: usize) {
        for step in batch {
            Features::<N>::clear_from(step, len);
        }
    }

    #[inline(always)]
    fn clear_steps_from<T: Real, const B: usize>(batch: &mut [SMatrix<T, N, B>; STEPS], steps: usize) {
        for step in batch.iter_mut().skip(steps) {
            step.as_mut_slice().fill(T::ZERO);
        }
    }
}
