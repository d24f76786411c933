//! [`Formula`]: a layer of one's own, given by formulas for one sample.

use crate::model::{Params, Pass, Shape, Zeroed};
use crate::num::Real;
use fearless_simd::Simd;

/// The mathematics of a layer for one sample. [`formula_layer!`](crate::formula_layer) makes a
/// [`Layer`](crate::model::Layer) of it, which goes through a micro-batch sample by sample. A layer that computes on vector
/// lanes, or with several samples at once, is an `impl` of [`Model`](crate::model::Model) and
/// [`Layer`](crate::model::Layer) instead.
pub trait Formula: Params {
    /// The scalar type: `f32` or `f64`.
    type Scalar: Real;
    /// The shape of a sample that comes in, such as [`Features<N>`](crate::model::Features).
    type In: Shape;
    /// The shape of what goes out.
    type Out: Shape;
    /// Multiply-accumulate operations (MACs) for one sample, which the summary prints; `None`, the default, if they are not known.
    const MACS: Option<usize> = None;

    /// Computes the output `y`, which is zero before, of the sample `x`.
    fn value(&self, x: &SampleIn<Self>, y: &mut SampleOut<Self>);

    /// The chain rule for one sample: from `dy`, the gradient of the loss by the output `y`, adds the gradient by the
    /// parameters to `gradient`, and computes `dx`, which is zero before, the gradient by `x`.
    fn derivatives(
        &self,
        xy: (&SampleIn<Self>, &SampleOut<Self>),
        dy: &SampleOut<Self>,
        gradient: &mut Self,
        dx: &mut SampleIn<Self>,
    );
}

/// One input of a layer with a formula: `[T; N]` for `Features<N>`.
pub type SampleIn<L> = <<L as Formula>::In as Shape>::Sample<<L as Formula>::Scalar>;

/// One output of a layer with a formula.
pub type SampleOut<L> = <<L as Formula>::Out as Shape>::Sample<<L as Formula>::Scalar>;

/// Makes a layer of a type that has a [`Formula`]: it can stand anywhere in a network, or be one. The generic parameters of
/// the type come in brackets before it, with their bounds.
///
/// A macro, and not an implementation for all that have a formula: then the compiler would no longer name the layer whose
/// size does not fit, but the whole network.
///
/// # Examples
///
/// ```
/// use tuplenet::inspect::gradient_check;
/// use tuplenet::model::Formula;
/// use tuplenet::prelude::*;
///
/// tuplenet::parameters! {
///     /// `y = factor x`, feature by feature.
///     #[derive(Clone)]
///     struct Scale<const N: usize; T> {
///         factor: [T; N] = Bias, |_rng| T::ONE,
///     }
/// }
///
/// impl<const N: usize, T: Real> Formula for Scale<N, T> {
///     type Scalar = T;
///     type In = Features<N>;
///     type Out = Features<N>;
///
///     fn value(&self, x: &[T; N], y: &mut [T; N]) {
///         for i in 0..N {
///             y[i] = self.factor[i] * x[i];
///         }
///     }
///
///     fn derivatives(&self, (x, _): (&[T; N], &[T; N]), dy: &[T; N], gradient: &mut Self, dx: &mut [T; N]) {
///         for i in 0..N {
///             gradient.factor[i] += dy[i] * x[i];
///             dx[i] = dy[i] * self.factor[i];
///         }
///     }
/// }
///
/// tuplenet::formula_layer!([const N: usize, T: Real] Scale<N, T>);
///
/// let mut network = <(Dense<2, 8, Tanh, f64>, Scale<8, f64>, Dense<8, 1, Identity, f64>)>::new(&mut seeded(0));
/// let check = gradient_check(&mut network, &MeanSquaredError, &[[0.5, -1.0]], &[[1.0]])?;
/// assert!(check.error < 1e-7);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[macro_export]
macro_rules! formula_layer {
    ([$($generics:tt)*] $layer:ty) => {
        impl<$($generics)*> $crate::model::Network for $layer {}

        impl<$($generics)*> $crate::model::InputShape for $layer {
            type In = <$layer as $crate::model::Formula>::In;
            type Scalar = <$layer as $crate::model::Formula>::Scalar;
        }

        impl<$($generics)*>
            $crate::model::Model<<$layer as $crate::model::Formula>::In, <$layer as $crate::model::Formula>::Scalar>
            for $layer
        {
            type Out = <$layer as $crate::model::Formula>::Out;
            const MACS: Option<usize> = <$layer as $crate::model::Formula>::MACS;

            #[inline(always)]
            fn infer<S: $crate::model::Simd, const B: usize>(
                &self,
                pass: $crate::model::Pass<S, B>,
                x: &$crate::model::BatchIn<$layer, B>,
                y: &mut $crate::model::BatchOut<$layer, B>,
            ) {
                $crate::model::infer_by_formula::<$layer, S, B>(self, pass, x, y);
            }
        }

        impl<$($generics)*>
            $crate::model::Layer<<$layer as $crate::model::Formula>::In, <$layer as $crate::model::Formula>::Scalar>
            for $layer
        {
            type Cache<const B: usize> = ();
            type LastActivation = $crate::activation::NoActivation;

            #[inline(always)]
            fn backward<S: $crate::model::Simd, const B: usize>(
                &self,
                pass: $crate::model::Pass<S, B>,
                xy: (&$crate::model::BatchIn<$layer, B>, &$crate::model::BatchOut<$layer, B>),
                (): &mut (),
                dy: &mut $crate::model::BatchOut<$layer, B>,
                gradient: &mut Self,
                dx: Option<&mut $crate::model::BatchIn<$layer, B>>,
            ) {
                $crate::model::backward_by_formula::<$layer, S, B>(self, pass, xy, dy, gradient, dx);
            }
        }

        $crate::stateless!(
            [$($generics)*] $layer, <$layer as $crate::model::Formula>::In, <$layer as $crate::model::Formula>::Scalar
        );
    };
}

/// `B` inputs of a layer with a formula.
#[doc(hidden)]
pub type BatchIn<L, const B: usize> = <<L as Formula>::In as Shape>::Batch<<L as Formula>::Scalar, B>;

/// `B` outputs of a layer with a formula.
#[doc(hidden)]
pub type BatchOut<L, const B: usize> = <<L as Formula>::Out as Shape>::Batch<<L as Formula>::Scalar, B>;

#[doc(hidden)]
#[inline(always)]
pub fn infer_by_formula<L: Formula, S: Simd, const B: usize>(
    layer: &L,
    pass: Pass<S, B>,
    x: &BatchIn<L, B>,
    y: &mut BatchOut<L, B>,
) {
    for column in 0..pass.len() {
        let mut output = Zeroed::ZEROED;
        layer.value(&L::In::get(x, column), &mut output);
        L::Out::set(y, column, &output);
    }
}

#[doc(hidden)]
#[inline(always)]
pub fn backward_by_formula<L: Formula, S: Simd, const B: usize>(
    layer: &L,
    pass: Pass<S, B>,
    (x, y): (&BatchIn<L, B>, &BatchOut<L, B>),
    dy: &BatchOut<L, B>,
    gradient: &mut L,
    mut dx: Option<&mut BatchIn<L, B>>,
) {
    for column in 0..pass.len() {
        let mut input_gradient = Zeroed::ZEROED;
        let xy = (&L::In::get(x, column), &L::Out::get(y, column));
        layer.derivatives(xy, &L::Out::get(dy, column), gradient, &mut input_gradient);
        if let Some(dx) = &mut dx {
            L::In::set(dx, column, &input_gradient);
        }
    }
}
