//! [`F32`]: a layer that stays in floats inside a quantized network.

use super::graph::QuantizedOp;
use super::layer::{Quantize, QuantizedLayer, Range, infer_one};
use super::scale::{QuantizedShape, Scale};
use crate::error::Error;
use crate::kernel::Pass;
use crate::layers::{ALONE, around};
use crate::model::layer::{Internal, backward, forward, infer};
use crate::model::{
    Batch, Description, InputShape, Layer, Model, Network, Op, Params, Position, Shape, Visit, Visitor, VisitorMut,
    Zeroed,
};
use crate::num::Real;
use fearless_simd::Simd;
use rand::Rng;

/// A layer, or a tuple of layers, that stays in floats when its network is [quantized](crate::quantization): one that has no
/// form in integers, such as [`Gru`](crate::layers::Gru), or that loses too much accuracy by it. In training and prediction
/// it is the layer inside.
///
/// # Shapes
///
/// Those of the layer inside.
///
/// # Formula
///
/// `y = L(x)`.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::quantization::F32;
///
/// let (first, last) = <(Dense<2, 8, Tanh>, Dense<8, 1, Identity>)>::new(seeded(0));
/// let samples = [[0.0, 0.0], [0.3, 0.9], [1.0, 0.2], [1.0, 1.0]];
/// // The output of a regression is not rounded to 8 bits.
/// let network = (first, F32(last));
/// let quantized = network.quantize(&samples)?;
/// let ([float], [integer]) = (network.predict_one(&samples[1]), quantized.predict_one(&samples[1]));
/// assert!((float - integer).abs() < 0.02);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("mixed precision"))]
pub struct F32<L>(pub L);

around!(F32);

impl<L: InputShape> InputShape for F32<L> {
    type In = L::In;
    type Scalar = L::Scalar;
}

impl<L> Network for F32<L> {}

#[diagnostic::do_not_recommend]
impl<In: Shape, T: Real, L: Model<In, T>> Model<In, T> for F32<L> {
    type Out = L::Out;
    const IS_COMPILED: bool = true;

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &Batch<In, T, B>, y: &mut Batch<L::Out, T, B>) {
        infer(&self.0, pass, x, y);
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        _: Internal,
    ) -> Batch<L::Out, T, B> {
        self.0.infer_by_value(pass, x, Internal)
    }
}

#[diagnostic::do_not_recommend]
impl<In: Shape, T: Real, L: Layer<In, T>> Layer<In, T> for F32<L> {
    type Cache<const B: usize> = L::Cache<B>;
    type LastActivation = L::LastActivation;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        y: &mut Batch<L::Out, T, B>,
        cache: &mut L::Cache<B>,
    ) {
        forward(&self.0, pass, x, y, cache);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        xy: (&Batch<In, T, B>, &Batch<L::Out, T, B>),
        cache: &mut L::Cache<B>,
        dy: &mut Batch<L::Out, T, B>,
        gradient: &mut Self,
        dx: Option<&mut Batch<In, T, B>>,
    ) {
        backward(&self.0, pass, xy, cache, dy, &mut gradient.0, dx);
    }

    fn describe(position: Position, emit: &mut dyn FnMut(Description), _: Internal) {
        emit(Description::around::<In, T, Self>(position, "F32"));
        L::describe(position.inside(0), emit, Internal);
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        self.0.operations(emit);
    }
}

/// [`F32`] in a quantized network: a layer in floats between two scales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedF32<L> {
    layer: L,
    input: Scale,
    output: Scale,
}

impl<L> QuantizedF32<L> {
    /// Creates the layer for a `static`, with the scales of its inputs and outputs.
    #[must_use]
    pub const fn from_parts(layer: L, input: Scale, output: Scale) -> Self {
        QuantizedF32 { layer, input, output }
    }
}

impl<In: QuantizedShape, L: Model<In, f32, Out: QuantizedShape>> QuantizedLayer<In> for QuantizedF32<L> {
    type Out = L::Out;

    fn output(&self, _: Scale) -> Scale {
        self.output
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Float { name: core::any::type_name::<L>() });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, x: &In::Integers) -> <L::Out as QuantizedShape>::Integers {
        let (mut floats, mut y) = (<Batch<In, f32, 1> as Zeroed>::ZEROED, Zeroed::ZEROED);
        In::dequantize(x, self.input, &mut floats, 0);
        self.layer.infer(Pass::<S, 1>::new(simd, 1), &floats, &mut y);
        L::Out::quantize(&y, 0, self.output)
    }

    #[inline(always)]
    fn enter<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: Scale,
        x: &Batch<In, f32, B>,
        column: usize,
    ) -> <L::Out as QuantizedShape>::Integers {
        let (mut one, mut y) = (<Batch<In, f32, 1> as Zeroed>::ZEROED, Zeroed::ZEROED);
        In::set(&mut one, 0, &In::get(x, column));
        self.layer.infer(Pass::<S, 1>::new(simd, 1), &one, &mut y);
        L::Out::quantize(&y, 0, self.output)
    }

    #[inline(always)]
    fn leave<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: Scale,
        x: &In::Integers,
        y: &mut Batch<L::Out, f32, B>,
        column: usize,
    ) {
        let (mut floats, mut one) = (<Batch<In, f32, 1> as Zeroed>::ZEROED, Zeroed::ZEROED);
        In::dequantize(x, self.input, &mut floats, 0);
        self.layer.infer(Pass::<S, 1>::new(simd, 1), &floats, &mut one);
        L::Out::set(y, column, &L::Out::get(&one, 0));
    }

    #[inline(always)]
    fn predict<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: Scale,
        x: &Batch<In, f32, B>,
        y: &mut Batch<L::Out, f32, B>,
        column: usize,
    ) {
        let (mut floats, mut one) = (<Batch<In, f32, 1> as Zeroed>::ZEROED, Zeroed::ZEROED);
        In::set(&mut floats, 0, &In::get(x, column));
        self.layer.infer(Pass::<S, 1>::new(simd, 1), &floats, &mut one);
        L::Out::set(y, column, &L::Out::get(&one, 0));
    }
}

impl<In: QuantizedShape, L: Model<In, f32, Out: QuantizedShape> + Clone> Quantize<In> for F32<L> {
    type Quantized = QuantizedF32<L>;

    fn observe(&self, x: &Batch<In, f32, 1>, see: &mut dyn FnMut(&[f32])) -> Batch<L::Out, f32, 1> {
        let y = infer_one(&self.0, x, false);
        see(L::Out::as_slice(&y));
        y
    }

    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<QuantizedF32<L>, Error> {
        let Range { low, high } = next();
        Ok(QuantizedF32 { layer: self.0.clone(), input, output: Scale::of_range(low, high) })
    }
}
