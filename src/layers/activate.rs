//! [`Activate`]: an activation as a layer of its own.

use super::Dense;
use crate::activation::{Activation, Identity, assert_varies};
use crate::kernel::{map_first, scalar};
use crate::model::{
    Description, Features, InputShape, Layer, Network, Op, Params, Pass, Place, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::SMatrix;

/// Activation layer: applies the activation `A` to `N` features, after a layer that has no activation, such as
/// [`BatchNorm`](super::BatchNorm). After a [`Dense`] layer it is cheaper to put the activation into that layer.
///
/// # Shapes
///
/// `N` features in, `N` features out.
///
/// # Formula
///
/// `y = A(x)`. PyTorch equivalent: the activation's module, such as `torch.nn.ReLU`.
///
/// # Examples
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
#[doc(alias("activation layer"))]
pub struct Activate<const N: usize, A, T = f32>(PhantomData<(A, T)>);

impl<const N: usize, A: Activation, T: Real> Activate<N, A, T> {
    /// Folds this layer into the `Dense` layer before it, which then computes both.
    ///
    /// # Examples
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
    const PARAMETERS: usize = 0;

    #[inline(always)]
    fn visit(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<T, OTHERS>) {}
}

impl<const N: usize, A, T> InputShape for Activate<N, A, T> {
    type In = Features<N>;
}

impl<const N: usize, A, T> Network for Activate<N, A, T> {}

impl<const N: usize, A: Activation, T: Real> Layer<Features<N>> for Activate<N, A, T> {
    type Out = Features<N>;
    type Cache<const B: usize> = SMatrix<T, N, B>;
    type LastActivation = A;

    #[inline(always)]
    fn output<const B: usize>(cache: &SMatrix<T, N, B>) -> &SMatrix<T, N, B> {
        cache
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        self.forward(pass, x, y);
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>) -> SMatrix<T, N, B> {
        if pass.stops_at_logits() {
            return *x;
        }
        let mut y = scalar::made(
            #[inline(always)]
            |column, row| scalar::value::<S, T, A>(pass.simd(), scalar::at(&x.data.0[column], row)),
        );
        A::value_of_sample(pass, &mut y.data.0);
        y
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, cache: &mut SMatrix<T, N, B>) {
        if pass.stops_at_logits() {
            return cache.clone_from(x);
        }
        let simd = pass.simd();
        map_first(
            simd,
            pass.len() * N,
            [cache.as_mut_slice()],
            [x.as_slice()],
            #[inline(always)]
            |[_], [x]| [A::value::<S, T>(simd, x)],
        );
        A::value_of_sample(pass, &mut cache.data.0);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, N, B>,
        cache: &mut SMatrix<T, N, B>,
        output_gradient: &mut SMatrix<T, N, B>,
        _: &mut Self,
        input_gradient: Option<&mut SMatrix<T, N, B>>,
    ) {
        let Some(input_gradient) = input_gradient else { return };
        if pass.stops_at_logits() {
            return input_gradient.clone_from(output_gradient);
        }
        let simd = pass.simd();
        A::backward_of_sample(pass, &cache.data.0, &mut output_gradient.data.0);
        map_first(
            simd,
            pass.len() * N,
            [input_gradient.as_mut_slice()],
            [output_gradient.as_slice(), x.as_slice(), cache.as_slice()],
            #[inline(always)]
            |[_], [output_gradient, x, y]| [A::backward::<S, T>(simd, output_gradient, x, y)],
        );
    }

    fn describe(place: Place, emit: &mut dyn FnMut(Description)) {
        emit(Description::of::<Features<N>, Self>(place, Some(0)));
    }

    fn graph<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(match A::KIND {
            Some(function) => Op::Apply { size: N, function },
            None => Op::Unknown { name: core::any::type_name::<A>() },
        });
    }
}
