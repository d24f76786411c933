//! The two traits: [`Quantize`], layers that have a form in integers, and [`QuantizedLayer`], what that form is.

use super::graph::QuantizedOp;
use super::scale::{Integers, QuantizedShape, Scale};
use crate::error::Error;
use crate::kernel::Pass;
use crate::model::layer::is_inlined;
use crate::model::{Batch, Model, Shape, Zeroed};
use crate::num::dispatch::dispatch_or_call;
use fearless_simd::Simd;

/// A layer, or a chain of layers, in integers: what [`Quantize::Quantized`] is.
///
/// Between layers there are integers alone; floats are at both ends of a network, where these methods read and write them in
/// one `column` of a batch.
#[diagnostic::on_unimplemented(
    message = "quantized layers do not match: `{Self}` does not accept `{In}`",
    label = "`{In}` arrives at `{Self}`",
    note = "write the type of a quantized network as `QuantizedNetwork<Net>`"
)]
pub trait QuantizedLayer<In: QuantizedShape> {
    /// The shape of the output.
    type Out: QuantizedShape;

    /// Whether it computes something in floats that integers do not have, after the last integers: softmax. Such a layer is the
    /// last one of its network.
    const IS_LAST: bool = false;

    /// The scale of the outputs for inputs on the scale `input`.
    fn output(&self, input: Scale) -> Scale;

    /// Calls `emit` with the operations that the layer computes, for exporters; `input` is the scale of the inputs.
    fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp));

    /// From integers to integers.
    fn run<S: Simd>(&self, simd: S, x: &Integers<In>) -> Integers<Self::Out>;

    /// From floats to integers: the first layer of a network.
    #[inline(always)]
    fn enter<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Scale,
        x: &Batch<In, f32, B>,
        column: usize,
    ) -> Integers<Self::Out> {
        self.run(simd, &In::quantize(x, column, input))
    }

    /// From integers to floats: the last layer of a network.
    #[inline(always)]
    fn leave<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Scale,
        x: &Integers<In>,
        y: &mut Batch<Self::Out, f32, B>,
        column: usize,
    ) {
        Self::Out::dequantize(&self.run(simd, x), self.output(input), y, column);
    }

    /// From floats to floats: a whole network.
    #[inline(always)]
    fn predict<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Scale,
        x: &Batch<In, f32, B>,
        y: &mut Batch<Self::Out, f32, B>,
        column: usize,
    ) {
        self.leave(simd, input, &In::quantize(x, column, input), y, column);
    }
}

/// The least and the largest value between two layers that shall not be clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least value.
    pub low: f32,
    /// The largest value.
    pub high: f32,
}

/// A layer, or a chain of layers, that has a form in integers. The form of a tuple is the tuple of the forms, so that
/// [`Quantized`](Self::Quantized) is known from a network's type alone.
///
/// All layers of features and images but [`LayerNorm`](crate::layers::LayerNorm) and
/// [`ConvTranspose2d`](crate::layers::ConvTranspose2d) have one. What has none stays in floats inside
/// [`F32`](super::F32).
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no form in integers for `{In}`",
    label = "a layer that cannot be quantized",
    note = "wrap the layer to keep it in floats: `F32<{Self}>`; recurrent layers, `LayerNorm` and `ConvTranspose2d` have no form in integers",
    note = "networks of `f32` can be quantized; an activation of your own needs an `impl QuantizedActivation`"
)]
pub trait Quantize<In: QuantizedShape>: Model<In, f32, Out: QuantizedShape> + Sized {
    /// The layer in integers.
    type Quantized: QuantizedLayer<In, Out = <Self as Model<In, f32>>::Out>;

    /// Predicts one sample, and calls `see` with the values whose range matters: for each layer those that it computes, in
    /// order.
    #[inline(always)]
    fn observe(&self, x: &Batch<In, f32, 1>, see: &mut dyn FnMut(&[f32])) -> Batch<Self::Out, f32, 1> {
        let y = infer_one(self, x, Self::Quantized::IS_LAST);
        see(Self::Out::as_slice(&y));
        y
    }

    /// The layer in integers, for inputs on the scale `input`. `next` returns the range of the values that
    /// [`observe`](Self::observe) passes on, in the same order.
    ///
    /// # Errors
    ///
    /// [`Error::WeightNotFinite`].
    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error>;

    /// Predicts one sample, each layer as `trial` says; `quantized` is this layer in integers, for inputs on the scale
    /// `input`.
    fn compare(
        &self,
        quantized: &Self::Quantized,
        input: Scale,
        x: &Batch<In, f32, 1>,
        trial: &mut dyn Trial,
    ) -> Batch<Self::Out, f32, 1> {
        compare_layer(self, quantized, input, x, trial)
    }
}

/// How a layer is computed in [`Quantize::compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As it was trained.
    Float,
    /// In integers, from inputs and to outputs in floats.
    Integers,
    /// Both, from the same inputs; the next layer gets the floats.
    Both,
}

/// What [`Quantize::compare`] calls at each layer of a network, in order.
pub trait Trial {
    /// How the next layer is computed.
    fn next(&mut self) -> Precision;

    /// Called with the outputs of a layer that was computed in both ways, and the scale of the integers.
    fn record(&mut self, name: &'static str, scale: Scale, floats: &[f32], integers: &[i8]);
}

/// [`Quantize::compare`] of one layer.
pub(super) fn compare_layer<In: QuantizedShape, L: Quantize<In>>(
    layer: &L,
    quantized: &L::Quantized,
    input: Scale,
    x: &Batch<In, f32, 1>,
    trial: &mut dyn Trial,
) -> Batch<L::Out, f32, 1> {
    match trial.next() {
        Precision::Float => infer_one(layer, x, false),
        Precision::Integers => {
            let mut y = Zeroed::ZEROED;
            dispatch_or_call!(is_inlined::<In, f32, L>(1), simd => quantized.predict::<_, 1>(simd, input, x, &mut y, 0));
            y
        }
        Precision::Both => {
            let y = infer_one(layer, x, L::Quantized::IS_LAST);
            let integers =
                dispatch_or_call!(is_inlined::<In, f32, L>(1), simd => quantized.enter::<_, 1>(simd, input, x, 0));
            let name = core::any::type_name::<L>();
            trial.record(name, quantized.output(input), L::Out::as_slice(&y), L::Out::integers(&integers));
            y
        }
    }
}

/// The output of a layer for one sample, or its logits.
pub(super) fn infer_one<In: Shape, L: Model<In, f32>>(
    layer: &L,
    x: &Batch<In, f32, 1>,
    logits: bool,
) -> Batch<L::Out, f32, 1> {
    let mut y = Zeroed::ZEROED;
    dispatch_or_call!(is_inlined::<In, f32, L>(1), simd => {
        let pass = Pass::<_, 1>::new(simd, 1);
        layer.infer(if logits { pass.stop_at_logits() } else { pass }, x, &mut y);
    });
    y
}
