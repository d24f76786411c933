//! Activations as layers of their own: [`activation_layer!`](crate::activation_layer), and its uses for those of the
//! library.

use crate::activation::{Activation, Softmax, assert_varies, elementwise_activations};
use crate::kernel::map_first;
use crate::model::layer::Internal;
use crate::model::{Batch, Features, Layer, Model, Op, Pass, Shape, Zeroed};
use crate::num::Real;
use fearless_simd::Simd;
use nalgebra::SMatrix;

/// Makes a layer of an activation, which is a unit struct: it can then stand in a tuple after a layer that has no activation
/// of its own, such as [`BatchNorm`](crate::layers::BatchNorm), and takes samples of any shape. After a
/// [`Dense`](crate::layers::Dense) layer it is cheaper to make it a parameter of that layer. Those of the library are layers
/// already.
///
/// # Formula
///
/// `y = A(x)`, element by element. PyTorch equivalent: the activation's module, such as `torch.nn.ReLU`.
///
/// # Examples
///
/// ```
/// use tuplenet::activation::{Activation, FromInput};
/// use tuplenet::init::HeNormal;
/// use tuplenet::layers::LayerNorm;
/// use tuplenet::prelude::*;
/// use tuplenet::simd::*;
///
/// /// The square.
/// #[derive(Clone, Debug, PartialEq)]
/// struct Square;
///
/// impl Activation for Square {
///     type DerivativeFrom = FromInput;
///     type Init = HeNormal;
///
///     fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
///         x * x
///     }
///
///     fn derivative<S: Simd, T: Real>(_: S, x: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
///         x + x
///     }
/// }
///
/// tuplenet::activation_layer!(Square);
///
/// type Net = (Dense<2, 8, Identity>, LayerNorm<8>, Square, Dense<8, 1, Identity>);
/// let network = Net::new(&mut seeded(0));
/// assert!(network.predict_one(&[0.5, -1.0])[0].is_finite());
/// ```
#[macro_export]
macro_rules! activation_layer {
    ($name:ident $(<const $parameter:ident: $kind:ty>)? $({ $($model:item)* } { $($layer:item)* })?) => {
        impl$(<const $parameter: $kind>)? $crate::model::Zeroed for $name$(<$parameter>)? {
            const ZEROED: Self = {
                assert!(
                    <Self as $crate::activation::Activation>::ELEMENTWISE,
                    "only an activation that is computed element by element is a layer of its own"
                );
                $name
            };
        }

        $crate::no_parameters!([$(const $parameter: $kind)?] $name$(<$parameter>)?);

        impl<In: $crate::model::Shape, T: $crate::num::Real $(, const $parameter: $kind)?> $crate::model::Model<In, T>
            for $name$(<$parameter>)?
        {
            type Out = In;
            const MACS: Option<usize> = Some(0);

            #[inline(always)]
            fn infer<S: $crate::model::Simd, const B: usize>(
                &self,
                pass: $crate::model::Pass<S, B>,
                x: &$crate::model::Batch<In, T, B>,
                y: &mut $crate::model::Batch<In, T, B>,
            ) {
                $crate::layers::activate::<Self, In, T, S, B>(pass, x, y);
            }

            $($($model)*)?
        }

        impl<In: $crate::model::Shape, T: $crate::num::Real $(, const $parameter: $kind)?> $crate::model::Layer<In, T>
            for $name$(<$parameter>)?
        {
            type Cache<const B: usize> = ();
            type LastActivation = Self;

            #[inline(always)]
            fn backward<S: $crate::model::Simd, const B: usize>(
                &self,
                pass: $crate::model::Pass<S, B>,
                xy: (&$crate::model::Batch<In, T, B>, &$crate::model::Batch<In, T, B>),
                (): &mut (),
                dy: &mut $crate::model::Batch<In, T, B>,
                _: &mut Self,
                dx: Option<&mut $crate::model::Batch<In, T, B>>,
            ) {
                $crate::layers::activate_backward::<Self, In, T, S, B>(pass, xy, dy, dx);
            }

            $($($layer)*)?
        }

        $crate::stateless!(
            [In: $crate::model::Shape, T: $crate::num::Real $(, const $parameter: $kind)?] $name$(<$parameter>)?, In, T
        );
    };
}

/// `Params`, `Visit` and `Network` for a layer without parameters.
#[doc(hidden)]
#[macro_export]
macro_rules! no_parameters {
    ([$($generics:tt)*] $layer:ty) => {
        impl<$($generics)*> $crate::model::Params for $layer {
            const PARAMETERS: usize = 0;
        }

        $crate::visits_nothing!(@visit [T: $crate::num::Real, $($generics)*] $layer, T);

        impl<$($generics)*> $crate::model::Network for $layer {}
    };
}

/// `y = A(x)` for the samples in use.
#[doc(hidden)]
#[inline(always)]
pub fn activate<A: Activation, In: Shape, T: Real, S: Simd, const B: usize>(
    pass: Pass<S, B>,
    x: &Batch<In, T, B>,
    y: &mut Batch<In, T, B>,
) {
    if pass.stops_at_logits() {
        return y.clone_from(x);
    }
    let simd = pass.simd();
    map_first(
        simd,
        In::prefix::<B>(pass.len()),
        [In::as_mut_slice(y)],
        [In::as_slice(x)],
        #[inline(always)]
        |[_], [x]| [A::value::<S, T>(simd, x)],
    );
}

/// [`activate`] by value.
#[inline(always)]
fn activated<A: Activation, In: Shape, T: Real, S: Simd, const B: usize>(
    pass: Pass<S, B>,
    x: &Batch<In, T, B>,
) -> Batch<In, T, B> {
    let (simd, mut y) = (pass.simd(), x.clone());
    if !pass.stops_at_logits() {
        map_first(
            simd,
            In::prefix::<B>(pass.len()),
            [In::as_mut_slice(&mut y)],
            [],
            #[inline(always)]
            |[x], []| [A::value::<S, T>(simd, x)],
        );
    }
    y
}

/// The gradient by `x` from the gradient by `y = A(x)`.
#[doc(hidden)]
#[inline(always)]
pub fn activate_backward<A: Activation, In: Shape, T: Real, S: Simd, const B: usize>(
    pass: Pass<S, B>,
    (x, y): (&Batch<In, T, B>, &Batch<In, T, B>),
    dy: &mut Batch<In, T, B>,
    dx: Option<&mut Batch<In, T, B>>,
) {
    let Some(dx) = dx else { return };
    if pass.stops_at_logits() {
        return dx.clone_from(dy);
    }
    let simd = pass.simd();
    map_first(
        simd,
        In::prefix::<B>(pass.len()),
        [In::as_mut_slice(dx)],
        [In::as_slice(dy), In::as_slice(x), In::as_slice(y)],
        #[inline(always)]
        |[_], [dy, x, y]| [A::backward::<S, T>(simd, dy, x, y)],
    );
}

// What the library's activations have beside what the macro writes: the path of microcontrollers, and their operation, for
// exporters.
macro_rules! layers {
    ($($name:ident $(<const $parameter:ident: $kind:ty>)?),+ $(,)?) => {$(
        use crate::activation::$name;
        activation_layer!($name $(<const $parameter: $kind>)? {
            #[inline(always)]
            fn infer_by_value<S: Simd, const B: usize>(
                &self,
                pass: Pass<S, B>,
                x: &Batch<In, T, B>,
                _: Internal,
            ) -> Batch<In, T, B> {
                activated::<Self, In, T, S, B>(pass, x)
            }
        } {
            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                emit(operation::<Self, In, T>());
            }
        });
    )+};
}

fn operation<'a, A: Activation, In: Shape, T>() -> Op<'a, T> {
    match A::KIND {
        Some(function) => Op::Apply { size: In::LEN, function },
        None => Op::Unknown { name: core::any::type_name::<A>() },
    }
}

elementwise_activations!(layers);

/// The cache of [`Softmax`] as a layer of its own: nothing, but with a size of one the compiler stops at its value.
#[derive(Clone, Copy, Debug)]
pub struct SoftmaxCache<const N: usize>;

impl<const N: usize> Zeroed for SoftmaxCache<N> {
    const ZEROED: Self = {
        assert_varies::<Softmax>(N);
        SoftmaxCache
    };
}

impl Zeroed for Softmax {
    const ZEROED: Self = Softmax;
}

no_parameters!([] Softmax);

// Over the features of a sample, so not for every shape.
impl<const N: usize, T: Real> Model<Features<N>, T> for Softmax {
    type Out = Features<N>;
    const MACS: Option<usize> = Some(0);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        const { assert_varies::<Softmax>(N) }
        y.clone_from(x);
        if !pass.stops_at_logits() {
            Softmax::value_of_sample(pass, &mut y.data.0);
        }
    }
}

impl<const N: usize, T: Real> Layer<Features<N>, T> for Softmax {
    type Cache<const B: usize> = SoftmaxCache<N>;
    type LastActivation = Self;

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, y): (&SMatrix<T, N, B>, &SMatrix<T, N, B>),
        _: &mut SoftmaxCache<N>,
        dy: &mut SMatrix<T, N, B>,
        _: &mut Self,
        dx: Option<&mut SMatrix<T, N, B>>,
    ) {
        if dx.is_some() && !pass.stops_at_logits() {
            Softmax::backward_of_sample(pass, &y.data.0, &mut dy.data.0);
        }
        activate_backward::<Softmax, Features<N>, T, S, B>(pass, (x, y), dy, dx);
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(operation::<Self, Features<N>, T>());
    }
}
