//! The traits [`Model`], which predicts, and [`Layer`], which can be trained too, and the compiler's message for sizes
//! that do not match.

use crate::activation::Activation;
use crate::kernel::{Pass, is_called, map_columns};
use crate::model::{Batch, Description, Op, Parameter, Position, Shape, Visit, VisitorMut, Zeroed};
use crate::num::dispatch::{dispatch, is_glue, level};
use crate::num::math::mul_add;
use crate::num::{Real, lanes};
use fearless_simd::Simd;

/// What predicts: a layer or a chain of layers that accepts samples of shape `In` of scalar type `T`. A network that
/// is deployed needs no more than this; [`Layer`] is what can be trained too.
///
/// # Shapes
///
/// One sample is one column. For a layer from `Features<IN>` to `Features<OUT>`, `x` is a matrix of `IN` by `B`, `y` of
/// `OUT` by `B`. Only the first [`pass.len()`](Pass::len) columns are in use.
#[diagnostic::on_unimplemented(
    message = "layers do not match: `{Self}` does not accept `{In}` of `{T}`",
    label = "`{In}` of `{T}` arrives at `{Self}`",
    note = "the `IN` of a layer must equal the `OUT` of the layer before it, and that of the first the size of the data; all \
            layers of a network have the same scalar type, the last parameter of `Dense`, which is `f32` by default",
    note = "layers are those of `tuplenet::layers`, activations, tuples of two to eight layers (nest longer ones: \
            `(A, B, (C, D, ..))`) and types of your own; the layers in a `Residual` give the shape that they take; a layer of features \
            stands after a sequence in `Steps<..>` or behind `Last`, and after an image behind `Flatten`"
)]
pub trait Model<In: Shape, T: Real> {
    /// The shape of the output.
    type Out: Shape;

    /// Multiply-accumulate operations (MACs) for the prediction of one sample, without activations; `None`, the default,
    /// if they are not known. A layer that only holds other layers has none of its own.
    const MACS: Option<usize> = None;

    /// Whether all that takes long is compiled in this crate, so that a program that uses it only compiles calls.
    #[doc(hidden)]
    const IS_COMPILED: bool = false;

    /// Computes the output `y` of `x` in prediction.
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &Batch<In, T, B>, y: &mut Batch<Self::Out, T, B>);

    /// [`infer`](Self::infer) by value, for CPUs without vector registers: small layers need not fill memory with zeros
    /// first.
    #[doc(hidden)]
    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        _: Internal,
    ) -> Batch<Self::Out, T, B> {
        let mut y = Zeroed::ZEROED;
        self.infer(pass, x, &mut y);
        y
    }
}

/// A layer, or a chain of layers, that can be trained on samples of shape `In` of scalar type `T`.
///
/// All methods work by reference, in memory that the caller owns. `x` is the input, `y` the output, `cache` what the
/// backward pass needs from the forward pass beside them, `dy` the gradient of the loss by the output, `dx` that by the
/// input.
///
/// To write a layer of your own, see the example `custom_layer`: from formulas for one sample,
/// [`formula_layer!`](crate::formula_layer) makes all of this.
///
/// # Shapes
///
/// One sample is one column. For a layer from `Features<IN>` to `Features<OUT>`, `x` and `dx` are matrices of `IN` by `B`,
/// `y` and `dy` of `OUT` by `B`. Only the first [`pass.len()`](Pass::len) columns are in use.
#[diagnostic::on_unimplemented(
    message = "layers do not match: `{Self}` does not accept `{In}` of `{T}`",
    label = "`{In}` of `{T}` arrives at `{Self}`",
    note = "the `IN` of a layer must equal the `OUT` of the layer before it, and that of the first the size of the data; all \
            layers of a network have the same scalar type, the last parameter of `Dense`, which is `f32` by default",
    note = "layers are those of `tuplenet::layers`, activations, tuples of two to eight layers (nest longer ones: \
            `(A, B, (C, D, ..))`) and types of your own; the layers in a `Residual` give the shape that they take; a layer of features \
            stands after a sequence in `Steps<..>` or behind `Last`, and after an image behind `Flatten`"
)]
#[doc(alias("nn.Module", "Module"))]
pub trait Layer<In: Shape, T: Real>: Model<In, T> + Visit<T> {
    /// What the backward pass needs from the forward pass, besides input and output: `()` if that is nothing.
    type Cache<const B: usize>: Zeroed;

    /// The activation that computes the output, which a loss may be fused with.
    /// [`NoActivation`](crate::activation::NoActivation) if there is none. With
    /// [`Identity`](crate::activation::Identity) the layer declares that its outputs are logits.
    type LastActivation: Activation;

    /// The forward pass of training: computes the output `y` of `x`, and what the backward pass needs. State that changes
    /// between batches, such as a random number generator's, is changed in
    /// [`update_buffers`](crate::model::Params::update_buffers). By default it computes what [`Model::infer`] does, for a
    /// layer without a cache that does the same in training as in prediction. A layer that does something else in training
    /// does so only if [`pass.is_training()`](Pass::is_training): Jacobians and optimizers of full batches are those of
    /// prediction.
    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        y: &mut Batch<Self::Out, T, B>,
        _cache: &mut Self::Cache<B>,
    ) {
        self.infer(pass, x, y);
    }

    /// The backward pass: adds the gradient by the parameters to `gradient`, and sets `dx`, if it is not `None`, to the
    /// gradient by `x`. It may overwrite `dy`. `xy`, the pair of input and output, and `cache` are those of the forward pass; afterwards the content of
    /// `cache` is unspecified.
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        xy: (&Batch<In, T, B>, &Batch<Self::Out, T, B>),
        cache: &mut Self::Cache<B>,
        dy: &mut Batch<Self::Out, T, B>,
        gradient: &mut Self,
        dx: Option<&mut Batch<In, T, B>>,
    );

    /// [`backward`](Self::backward) for a single sample, the first of the micro-batch, and a step of plain gradient descent
    /// in one: where `backward` adds `g` to the gradient of a parameter `w`, this computes `w <- w - learning_rate * g`, and
    /// then calls [`update_buffers`](crate::model::Params::update_buffers). For CPUs without vector registers, where most of a step's work
    /// is to store the gradient and to load it again. By default it computes the gradient first.
    #[doc(hidden)]
    #[inline(always)]
    fn sgd_step<S: Simd, const B: usize>(
        &mut self,
        pass: Pass<S, B>,
        (x, y): (&Batch<In, T, B>, &Batch<Self::Out, T, B>),
        cache: &mut Self::Cache<B>,
        dy: &mut Batch<Self::Out, T, B>,
        LearningRate(learning_rate): LearningRate<T>,
        dx: Option<&mut Batch<In, T, B>>,
    ) {
        let mut gradient = Self::ZEROED;
        self.backward(pass, (x, y), cache, dy, &mut gradient, dx);
        self.update_buffers(&mut gradient);
        self.visit_mut([&mut gradient], &mut Descent { simd: pass.simd(), learning_rate });
    }

    /// Calls `emit` with the [summary](crate::model::Network::summary)'s description of the layer at `position`, and with those
    /// of the layers inside it.
    #[doc(hidden)]
    fn describe(position: Position, emit: &mut dyn FnMut(Description), _: Internal) {
        emit(Description::of::<In, T, Self>(position));
    }

    /// Calls `emit` with the operations that the layer computes in prediction, one after the other, for exporters: a layer
    /// of your own that computes what one [`Op`] or several of them do can be exported so. By default the operation is
    /// unknown, and a network with such a layer can't be exported.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::activation::NoActivation;
    /// use tuplenet::model::{Layer, Model, Op, Pass};
    /// use tuplenet::prelude::*;
    /// use tuplenet::simd::Simd;
    ///
    /// tuplenet::parameters! {
    ///     /// A factor and a bias for each of two features.
    ///     struct Line<const N: usize; T> {
    ///         factor: [T; N] = Bias, |_rng| T::ONE,
    ///         bias: [T; N] = Bias,
    ///     }
    /// }
    ///
    /// type Columns<const B: usize> = SMatrix<f32, 2, B>;
    ///
    /// impl Model<Features<2>, f32> for Line<2> {
    ///     type Out = Features<2>;
    ///     fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &Columns<B>, y: &mut Columns<B>) {
    ///         *y = Columns::from_fn(|row, column| x[(row, column)] * self.factor[row] + self.bias[row]);
    ///     }
    /// }
    ///
    /// impl Layer<Features<2>, f32> for Line<2> {
    ///     type Cache<const B: usize> = ();
    ///     type LastActivation = NoActivation<Self>;
    /// #   fn backward<S: Simd, const B: usize>(
    /// #       &self, _: Pass<S, B>, _: (&Columns<B>, &Columns<B>), (): &mut (), _: &mut Columns<B>, _: &mut Self,
    /// #       _: Option<&mut Columns<B>>,
    /// #   ) {}
    ///     // Besides `backward`: it computes what a batch normalization with these statistics does.
    ///     fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, f32>)) {
    ///         let (weight, bias) = (&self.factor[..], &self.bias[..]);
    ///         let (mean, variance) = (&[0.0; 2][..], &[1.0; 2][..]);
    ///         emit(Op::BatchNormalization {
    ///             weight, bias, mean, variance, num_batches_tracked: 0, epsilon: 0.0, pixels: 1,
    ///         });
    ///     }
    /// }
    ///
    /// # #[cfg(feature = "export")]
    /// assert!(tuplenet::io::export::onnx(&<(Dense<3, 2, Tanh>, Line<2>)>::new(&mut seeded(0))).is_ok());
    /// ```
    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::Unknown { name: core::any::type_name::<Self>() });
    }
}

/// Whether a network's code is inlined into the code that uses it, for a micro-batch of `columns`, and not compiled as calls:
/// it is small, or a layer that this crate has not compiled.
pub(crate) const fn is_inlined<In: Shape, T: Real, N: Model<In, T>>(columns: usize) -> bool {
    !N::IS_COMPILED || !is_called(size_of::<N>() / size_of::<T>(), columns)
}

/// [`Model::infer`] of a layer inside another. Where the code around it is compiled once for all instruction sets, a layer
/// that this crate has not compiled has code of its own for each.
#[inline(always)]
pub(crate) fn infer<In: Shape, T: Real, L: Model<In, T>, S: Simd, const B: usize>(
    layer: &L,
    pass: Pass<S, B>,
    x: &Batch<In, T, B>,
    y: &mut Batch<L::Out, T, B>,
) {
    #[inline(never)]
    fn apart<In: Shape, T: Real, L: Model<In, T>, S: Simd, const B: usize>(
        layer: &L,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        y: &mut Batch<L::Out, T, B>,
    ) {
        dispatch!(level(), simd => layer.infer(pass.with_simd(simd), x, y));
    }
    if const { is_glue::<S>() && !L::IS_COMPILED } {
        apart::<In, T, L, S, B>(layer, pass, x, y);
    } else {
        layer.infer(pass, x, y);
    }
}

/// [`Layer::forward`], likewise.
#[inline(always)]
pub(crate) fn forward<In: Shape, T: Real, L: Layer<In, T>, S: Simd, const B: usize>(
    layer: &L,
    pass: Pass<S, B>,
    x: &Batch<In, T, B>,
    y: &mut Batch<L::Out, T, B>,
    cache: &mut L::Cache<B>,
) {
    #[inline(never)]
    fn apart<In: Shape, T: Real, L: Layer<In, T>, S: Simd, const B: usize>(
        layer: &L,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        y: &mut Batch<L::Out, T, B>,
        cache: &mut L::Cache<B>,
    ) {
        dispatch!(level(), simd => layer.forward(pass.with_simd(simd), x, y, cache));
    }
    if const { is_glue::<S>() && !L::IS_COMPILED } {
        apart::<In, T, L, S, B>(layer, pass, x, y, cache);
    } else {
        layer.forward(pass, x, y, cache);
    }
}

/// [`Layer::backward`], likewise.
#[inline(always)]
pub(crate) fn backward<In: Shape, T: Real, L: Layer<In, T>, S: Simd, const B: usize>(
    layer: &L,
    pass: Pass<S, B>,
    xy: (&Batch<In, T, B>, &Batch<L::Out, T, B>),
    cache: &mut L::Cache<B>,
    dy: &mut Batch<L::Out, T, B>,
    gradient: &mut L,
    dx: Option<&mut Batch<In, T, B>>,
) {
    #[inline(never)]
    fn apart<In: Shape, T: Real, L: Layer<In, T>, S: Simd, const B: usize>(
        layer: &L,
        pass: Pass<S, B>,
        xy: (&Batch<In, T, B>, &Batch<L::Out, T, B>),
        cache: &mut L::Cache<B>,
        dy: &mut Batch<L::Out, T, B>,
        gradient: &mut L,
        dx: Option<&mut Batch<In, T, B>>,
    ) {
        dispatch!(level(), simd => layer.backward(pass.with_simd(simd), xy, cache, dy, gradient, dx));
    }
    if const { is_glue::<S>() && !L::IS_COMPILED } {
        apart::<In, T, L, S, B>(layer, pass, xy, cache, dy, gradient, dx);
    } else {
        layer.backward(pass, xy, cache, dy, gradient, dx);
    }
}

/// The last argument of methods that only this library calls and overrides: it can't be named outside.
#[derive(Clone, Copy, Debug)]
pub struct Internal;

/// [`Internal`], with the learning rate of a step.
#[derive(Clone, Copy, Debug)]
pub struct LearningRate<T>(pub(crate) T);

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

/// The shape that a network's first layer accepts, and the type of its numbers, so that callers need not name them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "expected a layer with sizes, or a tuple of two to eight layers that begins with one",
    note = "a tuple has at most eight layers; nest: `(A, B, (C, D, ..))`; write a single layer without a tuple",
    note = "a layer of your own that is the first of a network needs an `impl InputShape`"
)]
#[doc(alias("input_shape"))]
pub trait InputShape {
    /// The shape of one sample.
    type In: Shape;

    /// The type of its numbers: `f32` or `f64`.
    type Scalar: Real;
}

/// A network that can be trained: a [`Layer`] for its own inputs. There is nothing to implement.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "expected a layer with sizes, or a tuple of two to eight layers that begins with one",
    note = "a tuple has at most eight layers; nest: `(A, B, (C, D, ..))`; write a single layer without a tuple",
    note = "a layer of your own that is the first of a network needs an `impl InputShape`"
)]
pub trait Trainable: InputShape + Layer<<Self as InputShape>::In, <Self as InputShape>::Scalar> {}

impl<N: InputShape + Layer<<N as InputShape>::In, <N as InputShape>::Scalar>> Trainable for N {}

/// The last activation of the network `N`.
pub type LastActivation<N> = <N as Layer<<N as InputShape>::In, <N as InputShape>::Scalar>>::LastActivation;

/// The shape of the outputs of the network `N`.
pub type Out<N> = <N as Model<<N as InputShape>::In, <N as InputShape>::Scalar>>::Out;

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
/// A wrong size is the error E0277, "layers do not match":
///
/// ```compile_fail,E0277
/// use tuplenet::model::assert_shapes;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);
/// const _: () = assert_shapes::<Net>();
/// ```
///
/// # Panics
///
/// When the compiler evaluates it, if a size is zero or a layer's sizes do not follow from each other.
#[doc(alias("static_assert"))]
pub const fn assert_shapes<N: Trainable>() {
    // Evaluating these constants finds sizes of zero, and what a layer asserts of its own sizes and of those that arrive.
    core::mem::forget(N::ZEROED);
    core::mem::forget(<N::Cache<1> as Zeroed>::ZEROED);
    assert!(<N::In as Shape>::LEN > 0, "expected an input shape with at least one element, found a size of zero");
}
