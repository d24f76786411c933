//! [`Activate`]: an activation that stands alone.

use super::Dense;
use crate::activation::{Activation, Identity, assert_varies};
use crate::kernel::{map_first, scalar};
use crate::model::{
    Description, Entrance, Features, Layer, Network, Params, Part, Place, Tile, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::SMatrix;

/// `y = A(x)` for `N` numbers: an activation after a layer that has none, such as [`BatchNorm`](super::BatchNorm). After a
/// [`Dense`] layer it costs less in that layer.
///
/// ```
/// use tuplenet::layers::{Activate, LayerNorm};
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Identity>, LayerNorm<8>, Activate<8, Gelu>, Dense<8, 1, Identity>);
/// let network = Net::new(&mut seeded(0));
/// assert_eq!(Activate::<2, Relu>::new(&mut seeded(0)).predict_one(&[-1.0, 2.0]), [0.0, 2.0]);
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
pub struct Activate<const N: usize, A, T = f32>(PhantomData<(A, T)>);

impl<const N: usize, A: Activation, T: Real> Activate<N, A, T> {
    /// The layer before this one with both in it.
    ///
    /// ```
    /// use tuplenet::layers::Activate;
    /// use tuplenet::prelude::*;
    ///
    /// let dense = Dense::<1, 2, Identity>::from_rows([[1.0], [-1.0]], [0.0, 0.0]);
    /// assert_eq!(Activate::<2, Relu>::fold(dense).predict_one(&[3.0]), [3.0, 0.0]);
    /// ```
    pub const fn fold<const IN: usize>(before: Dense<IN, N, Identity, T>) -> Dense<IN, N, A, T> {
        Dense::from_matrix(before.weight, before.bias)
    }
}

impl<const N: usize, A, T> Clone for Activate<N, A, T> {
    fn clone(&self) -> Self {
        Activate(PhantomData)
    }
}

impl<const N: usize, A, T> PartialEq for Activate<N, A, T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<const N: usize, A, T> core::fmt::Debug for Activate<N, A, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Activate")
    }
}

impl<const N: usize, A: Activation, T> Zeroed for Activate<N, A, T> {
    const ZEROED: Self = {
        assert_varies::<A>(N);
        Activate(PhantomData)
    };
}

impl<const N: usize, A: Activation, T: Real> Params for Activate<N, A, T> {
    type Scalar = T;
    const COUNT: usize = 0;

    #[inline(always)]
    fn visit(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<T, OTHERS>) {}
}

impl<const N: usize, A, T> Entrance for Activate<N, A, T> {
    type In = Features<N>;
}

impl<const N: usize, A, T> Network for Activate<N, A, T> {}

impl<const N: usize, A: Activation, T: Real> Layer<Features<N>> for Activate<N, A, T> {
    type Out = Features<N>;
    type Trace<const B: usize> = SMatrix<T, N, B>;
    type Head = A;

    #[inline(always)]
    fn output<const B: usize>(trace: &SMatrix<T, N, B>) -> &SMatrix<T, N, B> {
        trace
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        self.forward(tile, x, y);
    }

    #[inline(always)]
    fn answer<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, N, B>) -> SMatrix<T, N, B> {
        if tile.is_to_logits() {
            return *x;
        }
        let mut y = scalar::made(
            #[inline(always)]
            |column, row| scalar::value::<S, T, A>(tile.simd(), scalar::at(&x.data.0[column], row)),
        );
        A::couple(tile, &mut y.data.0);
        y
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, N, B>, trace: &mut SMatrix<T, N, B>) {
        if tile.is_to_logits() {
            return trace.clone_from(x);
        }
        let simd = tile.simd();
        map_first(
            simd,
            tile.used() * N,
            [trace.as_mut_slice()],
            [x.as_slice()],
            #[inline(always)]
            |[_], [x]| [A::value::<S, T>(simd, x)],
        );
        A::couple(tile, &mut trace.data.0);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, N, B>,
        trace: &mut SMatrix<T, N, B>,
        slope: &mut SMatrix<T, N, B>,
        _: &mut Self,
        input_slope: Option<&mut SMatrix<T, N, B>>,
    ) {
        let Some(input_slope) = input_slope else { return };
        if tile.is_to_logits() {
            return input_slope.clone_from(slope);
        }
        let simd = tile.simd();
        A::couple_slope(tile, &trace.data.0, &mut slope.data.0);
        map_first(
            simd,
            tile.used() * N,
            [input_slope.as_mut_slice()],
            [slope.as_slice(), x.as_slice(), trace.as_slice()],
            #[inline(always)]
            |[_], [slope, x, y]| [A::backward::<S, T>(simd, slope, x, y)],
        );
    }

    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        tell(Description::of::<Features<N>, Self>(place, Some(0)));
    }

    fn outline<'a>(&'a self, tell: &mut dyn FnMut(Part<'a, T>)) {
        tell(match A::FUNCTION {
            Some(function) => Part::Apply { size: N, function },
            None => Part::Unknown { name: core::any::type_name::<A>() },
        });
    }
}
