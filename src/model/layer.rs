//! The trait [`Layer`], and the compiler's message for sizes that do not match.

use crate::activation::Activation;
use crate::kernel::{Pass, map_columns};
use crate::model::{Batch, Description, Op, Parameter, Params, Place, Shape, VisitorMut, Zeroed};
use crate::num::math::mul_add;
use crate::num::{Real, lanes};
use fearless_simd::Simd;

/// A layer, or a chain of layers, that accepts samples of shape `In`.
///
/// All methods work by reference, in memory that the caller owns. `x` is the input, `cache` what the backward pass
/// needs from the forward pass, `output_gradient` the gradient of the loss by the output, `input_gradient` that by
/// the input.
///
/// To write a layer of your own, see the example `custom_layer`.
///
/// # Shapes
///
/// One sample is one column. For a layer from `Features<IN>` to `Features<OUT>`, `x` and `input_gradient` are
/// matrices of `IN` by `B`, `y` and `output_gradient` of `OUT` by `B`. Only the first [`pass.len()`](Pass::len)
/// columns are in use.
#[diagnostic::on_unimplemented(
    message = "layer sizes do not match: `{Self}` does not accept `{In}`",
    label = "`{In}` arrives at `{Self}`",
    note = "the `IN` of a layer must equal the `OUT` of the layer before it, and that of the first the size of the data",
    note = "layers are those of `tuplenet::layers`, tuples of two to eight layers (nest longer ones: \
            `(A, B, (C, D, ..))`) and types of your own; an activation is a parameter of a layer: `Dense<2, 8, Tanh>`"
)]
#[doc(alias("nn.Module", "Module"))]
pub trait Layer<In: Shape>: Params {
    /// The shape of the output.
    type Out: Shape;

    /// What the backward pass needs from the forward pass, including the output.
    type Cache<const B: usize>: Zeroed;

    /// The activation that computes the output, which a loss may be fused with.
    /// [`NoActivation`](crate::activation::NoActivation) if there is none. With
    /// [`Identity`](crate::activation::Identity) the layer declares that its outputs are logits.
    type LastActivation: Activation;

    /// The output that [`forward`](Self::forward) left in `cache`.
    fn output<const B: usize>(cache: &Self::Cache<B>) -> &Batch<Self::Out, Self::Scalar, B>;

    /// Inference: computes the output `y` of `x` and stores nothing else, for prediction and evaluation. A layer
    /// that computes something else in training, in [`forward`](Self::forward), computes here what it does in
    /// prediction.
    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        y: &mut Batch<Self::Out, Self::Scalar, B>,
    ) {
        let mut cache = Self::Cache::<B>::ZEROED;
        self.forward(pass, x, &mut cache);
        y.clone_from(Self::output(&cache));
    }

    /// [`infer`](Self::infer) by value, for CPUs without vector registers: small layers need not fill memory with
    /// zeros first.
    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, Self::Scalar, B>,
    ) -> Batch<Self::Out, Self::Scalar, B> {
        let mut y = Zeroed::ZEROED;
        self.infer(pass, x, &mut y);
        y
    }

    /// The forward pass of training: computes the output of `x` into `cache`, with what the backward pass needs.
    /// State that changes between batches, such as a random number generator's, is changed in
    /// [`update_buffers`](Params::update_buffers).
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        cache: &mut Self::Cache<B>,
    );

    /// The backward pass: adds the gradient by the parameters to `gradient`, and sets `input_gradient`, if it is
    /// not `None`, to the gradient by `x`. It may overwrite `output_gradient`. `x` and `cache` are those of the
    /// forward pass; afterwards the content of `cache` is unspecified, except the output.
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        cache: &mut Self::Cache<B>,
        output_gradient: &mut Batch<Self::Out, Self::Scalar, B>,
        gradient: &mut Self,
        input_gradient: Option<&mut Batch<In, Self::Scalar, B>>,
    );

    /// [`backward`](Self::backward) for a single sample, the first of the micro-batch, and a step of plain gradient
    /// descent in one: where `backward` adds `g` to the gradient of a parameter `w`, this computes `w <- w -
    /// learning_rate * g`, and then calls [`update_buffers`](Params::update_buffers). For CPUs without vector
    /// registers, where most of a step's work is to store the gradient and to load it again. By default it computes
    /// the gradient first.
    #[inline(always)]
    fn sgd_step<S: Simd, const B: usize>(
        &mut self,
        pass: Pass<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        cache: &mut Self::Cache<B>,
        output_gradient: &mut Batch<Self::Out, Self::Scalar, B>,
        learning_rate: Self::Scalar,
        input_gradient: Option<&mut Batch<In, Self::Scalar, B>>,
    ) {
        let mut gradient = Self::ZEROED;
        self.backward(pass, x, cache, output_gradient, &mut gradient, input_gradient);
        self.update_buffers(&mut gradient);
        self.visit_mut([&mut gradient], &mut Descent { simd: pass.simd(), learning_rate });
    }

    /// Calls `emit` with the [summary](crate::model::Network::summary)'s description of the layer at `place`, and
    /// with those of the layers inside it. By default: its type, and an unknown number of MACs.
    fn describe(place: Place, emit: &mut dyn FnMut(Description)) {
        emit(Description::of::<In, Self>(place, None));
    }

    /// Calls `emit` with the operations that the layer computes in prediction, for exporters. By default the
    /// operation is unknown, and a network with such a layer cannot be exported.
    fn graph<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, Self::Scalar>)) {
        emit(Op::Unknown { name: core::any::type_name::<Self>() });
    }
}

/// A step of plain gradient descent for a slice of parameters. Afterwards the gradient is zero.
#[inline(always)]
pub(crate) fn sgd_step<S: Simd, T: Real>(
    simd: S,
    learning_rate: T,
    parameter: Parameter,
    values: &mut [T],
    gradient: &mut [T],
) {
    let zero = lanes::<S, T>(simd, T::ZERO);
    let learning_rate = lanes::<S, T>(simd, -learning_rate);
    map_columns(
        simd,
        parameter.rows,
        [values, gradient],
        #[inline(always)]
        |[w, g]| [mul_add(g, learning_rate, w), zero],
    );
}

struct Descent<S, T> {
    simd: S,
    learning_rate: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for Descent<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        sgd_step(self.simd, self.learning_rate, parameter, values, gradient);
    }
}

/// The shape that a network's first layer accepts, so that callers need not name it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "expected a layer, or a tuple of two to eight layers",
    note = "a tuple has at most eight layers; nest: `(A, B, (C, D, ..))`; write a single layer without a tuple",
    note = "a layer of your own that is the first of a network needs an `impl InputShape`"
)]
#[doc(alias("input_shape"))]
pub trait InputShape {
    /// The shape of one sample.
    type In: Shape;
}

/// The last activation of the network `N`.
pub type LastActivation<N> = <N as Layer<<N as InputShape>::In>>::LastActivation;

/// Fails to compile with a readable message if the sizes of the network `N` do not match, or are zero.
///
/// # Examples
///
/// ```
/// use tuplenet::model::assert_shapes;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// const _: () = assert_shapes::<Net>();
/// ```
///
/// A wrong size is the error E0277, "layer sizes do not match":
///
/// ```compile_fail,E0277
/// use tuplenet::model::assert_shapes;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);
/// const _: () = assert_shapes::<Net>();
/// ```
#[doc(alias("static_assert"))]
pub const fn assert_shapes<N: InputShape + Layer<<N as InputShape>::In>>() {
    // Evaluating the constant finds sizes of zero too.
    core::mem::forget(N::ZEROED);
}
