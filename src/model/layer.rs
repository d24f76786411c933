//! What a layer is: the trait, and the words the compiler says when sizes do not match.

use crate::activation::Activation;
use crate::kernel::{Tile, map_columns};
use crate::model::{Batch, Description, Parameter, Params, Part, Place, Shape, VisitorMut, Zeroed};
use crate::num::math::mul_add;
use crate::num::{Real, lanes};
use fearless_simd::Simd;

/// A layer, or a chain of them, that accepts samples of shape `In`.
///
/// Everything is computed by reference in memory that the caller owns. `x` is the input, one sample a column; `trace` is
/// what the backward pass needs from the forward pass; `slope` is the derivative of the loss by the output. For a layer
/// from `Features<IN>` to `Features<OUT>`, `x` and `input_slope` are matrices of `IN` by `B`, `y` and `slope` of `OUT` by
/// `B`; only the first [`tile.used()`](Tile::used) columns count.
///
/// To write a layer of your own, see the example `custom_layer`.
#[diagnostic::on_unimplemented(
    message = "layer sizes do not match: `{Self}` does not accept `{In}`",
    label = "`{In}` arrives at `{Self}`",
    note = "the `IN` of a layer must equal the `OUT` of the layer before it, and that of the first the size of the data",
    note = "layers are those of `tuplenet::layers`, tuples of two to eight layers (nest longer ones: \
            `(A, B, (C, D, ..))`) and types of your own; an activation stands in a layer: `Dense<2, 8, Tanh>`"
)]
pub trait Layer<In: Shape>: Params {
    /// The shape of the output.
    type Out: Shape;

    /// What the backward pass needs from the forward pass, the output included.
    type Trace<const B: usize>: Zeroed;

    /// The activation that makes the output, which a loss may take over:
    /// [`NoActivation`](crate::activation::NoActivation) where there is none. With
    /// [`Identity`](crate::activation::Identity) the layer says that its outputs are logits.
    type Head: Activation;

    /// The output that [`forward`](Self::forward) left in `trace`.
    fn output<const B: usize>(trace: &Self::Trace<B>) -> &Batch<Self::Out, Self::Scalar, B>;

    /// Computes the output `y` of `x` and keeps nothing else: the pass of prediction and evaluation. A layer that does
    /// something else in training, in [`forward`](Self::forward), must say here what it does now.
    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        y: &mut Batch<Self::Out, Self::Scalar, B>,
    ) {
        let mut trace = Self::Trace::<B>::ZEROED;
        self.forward(tile, x, &mut trace);
        y.clone_from(Self::output(&trace));
    }

    /// [`infer`](Self::infer) by value: for CPUs without vector registers, whose small layers need not fill memory with zeros
    /// first.
    #[inline(always)]
    fn answer<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &Batch<In, Self::Scalar, B>,
    ) -> Batch<Self::Out, Self::Scalar, B> {
        let mut y = Zeroed::ZEROED;
        self.infer(tile, x, &mut y);
        y
    }

    /// Computes the output of `x` into `trace`, with what the backward pass needs: the pass of training. What a layer needs
    /// to change between batches, such as a source of random numbers, it changes in
    /// [`after_batch`](Params::after_batch).
    fn forward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        trace: &mut Self::Trace<B>,
    );

    /// From the `slope` by the output, which it may overwrite: adds the slopes by the parameters to `gradient` and sets
    /// `input_slope`, if asked for, to the slope by `x`. `x` and `trace` are those of the forward pass; what `trace` holds
    /// afterwards is of no account, except the output.
    fn backward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        trace: &mut Self::Trace<B>,
        slope: &mut Batch<Self::Out, Self::Scalar, B>,
        gradient: &mut Self,
        input_slope: Option<&mut Batch<In, Self::Scalar, B>>,
    );

    /// [`backward`](Self::backward) for a single sample, the first of the tile, and a step of plain gradient descent at once:
    /// where backward adds `g` to the gradient of a parameter `w`, this is `w <- w - rate * g`, and then
    /// [`after_batch`](Params::after_batch). For CPUs without vector registers, where writing the gradient down and reading it
    /// again is most of a step's work. Unless written, it does that.
    #[inline(always)]
    fn descend<S: Simd, const B: usize>(
        &mut self,
        tile: Tile<S, B>,
        x: &Batch<In, Self::Scalar, B>,
        trace: &mut Self::Trace<B>,
        slope: &mut Batch<Self::Out, Self::Scalar, B>,
        rate: Self::Scalar,
        input_slope: Option<&mut Batch<In, Self::Scalar, B>>,
    ) {
        let mut gradient = Self::ZEROED;
        self.backward(tile, x, trace, slope, &mut gradient, input_slope);
        self.after_batch(&mut gradient);
        self.visit_mut([&mut gradient], &mut Descent { simd: tile.simd(), rate });
    }

    /// Tells `tell` what a [summary](crate::model::Network::summary) says of the layer that stands at `place`, and of the
    /// layers inside it. Unless written, that is its type, and that the number of its multiply-adds is unknown.
    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        tell(Description::of::<In, Self>(place, None));
    }

    /// Tells `tell` what the layer computes in prediction, for who writes it down in another language. Unless written, that is
    /// unknown, and a network with such a layer can't be exported.
    fn outline<'a>(&'a self, tell: &mut dyn FnMut(Part<'a, Self::Scalar>)) {
        tell(Part::Unknown { name: core::any::type_name::<Self>() });
    }
}

/// A step of plain gradient descent for a slice of parameters, after which its gradient is zero.
#[inline(always)]
pub(crate) fn descend<S: Simd, T: Real>(simd: S, rate: T, parameter: Parameter, values: &mut [T], gradient: &mut [T]) {
    let zero = lanes::<S, T>(simd, T::ZERO);
    let rate = lanes::<S, T>(simd, -rate);
    map_columns(
        simd,
        parameter.rows,
        [values, gradient],
        #[inline(always)]
        |[w, g]| [mul_add(g, rate, w), zero],
    );
}

struct Descent<S, T> {
    simd: S,
    rate: T,
}

impl<S: Simd, T: Real> VisitorMut<T, 1> for Descent<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient]: [&mut [T]; 1]) {
        descend(self.simd, self.rate, parameter, values, gradient);
    }
}

/// Names the shape that a network's first layer accepts, so that callers need not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network",
    label = "expected a layer, or a tuple of two to eight layers",
    note = "a tuple has at most eight layers; nest: `(A, B, (C, D, ..))`; a single layer stands without a tuple",
    note = "a layer of your own that is the first of a network needs an `impl Entrance`"
)]
pub trait Entrance {
    /// The shape of one sample.
    type In: Shape;
}

/// The last activation of the network `N`.
pub type LastActivation<N> = <N as Layer<<N as Entrance>::In>>::Head;

/// Fails to compile, in words, where the sizes of the network `N` do not match, or are zero.
///
/// ```
/// use tuplenet::model::check;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// const _: () = check::<Net>();
/// ```
///
/// With a wrong size it is error E0277, "layer sizes do not match":
///
/// ```compile_fail,E0277
/// use tuplenet::model::check;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<4, 1, Sigmoid>);
/// const _: () = check::<Net>();
/// ```
pub const fn check<N: Entrance + Layer<<N as Entrance>::In>>() {
    // Evaluated, it finds sizes of zero too.
    core::mem::forget(N::ZEROED);
}
