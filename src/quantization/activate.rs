//! Activations in integers: [`QuantizedActivation`], and the layers that activations are.

use super::graph::QuantizedOp;
use super::layer::{Quantize, QuantizedLayer, Range};
use super::scale::{Integers, QuantizedShape, Scale};
use crate::activation::{Activation, Softmax, elementwise_activations};
use crate::error::Error;
use crate::kernel::Pass;
use crate::model::{Batch, Features};
use crate::num::dispatch::dispatch;
use crate::num::{Lanes, lanes};
use core::marker::PhantomData;
use fearless_simd::{Level, Simd, SimdBase};

/// What an activation needs of memory in a quantized network: [`Clamp`] or [`Lookup`].
pub trait ActivationTable: Copy + PartialEq + core::fmt::Debug + Send + Sync + 'static {
    /// Whether it is a table.
    const IS_TABLE: bool;

    /// The table of a function.
    fn new(value: impl FnMut(i8) -> i8) -> Self;

    /// The value of the function.
    fn value(&self, x: i8) -> i8;

    /// The values from that for -128 on, if it is a table.
    fn table(&self) -> Option<&[i8; 256]>;
}

/// Nothing: the range of the outputs clips what the activation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clamp;

/// A table of the values for all 256 inputs, from that for -128 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup(pub [i8; 256]);

impl ActivationTable for Clamp {
    const IS_TABLE: bool = false;

    fn new(_: impl FnMut(i8) -> i8) -> Self {
        Clamp
    }

    #[inline(always)]
    fn value(&self, x: i8) -> i8 {
        x
    }

    fn table(&self) -> Option<&[i8; 256]> {
        None
    }
}

impl ActivationTable for Lookup {
    const IS_TABLE: bool = true;

    fn new(mut value: impl FnMut(i8) -> i8) -> Self {
        Lookup(core::array::from_fn(|index| value((index as u8 ^ 0x80) as i8)))
    }

    #[inline(always)]
    fn value(&self, x: i8) -> i8 {
        self.0[usize::from(x as u8 ^ 0x80)]
    }

    fn table(&self) -> Option<&[i8; 256]> {
        Some(&self.0)
    }
}

/// An activation that has a form in integers. All of the library have; for one of your own write
/// `impl QuantizedActivation for MyActivation { type Table = Lookup; }`.
#[diagnostic::on_unimplemented(
    message = "the activation `{Self}` has no form in integers",
    label = "expected an activation of the library, or one with an `impl QuantizedActivation`",
    note = "`impl QuantizedActivation for {Self} {{ type Table = Lookup; }}` computes it by a table of 256 values"
)]
pub trait QuantizedActivation: Activation {
    /// [`Lookup`] for a function by a table; [`Clamp`] where the function is the identity for outputs within their range.
    type Table: ActivationTable;

    /// The scale of the outputs, if the function has a range of its own.
    const OUTPUT: Option<Scale> = None;
}

/// The scale for values from 0 to 1, and from -1 to 1, as in LiteRT.
const UNIT: Option<Scale> = Some(Scale::new(1.0 / 256.0, -128));
const SIGNED_UNIT: Option<Scale> = Some(Scale::new(1.0 / 128.0, 0));

macro_rules! activations {
    ($($activation:ident $table:ident $output:expr;)+) => {$(
        impl QuantizedActivation for $activation {
            type Table = $table;
            const OUTPUT: Option<Scale> = $output;
        }
    )+};
}
use crate::activation::{
    Elu, Gelu, HardSigmoid, Identity, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softplus, Softsign, Tanh,
};
activations! {
    Identity Clamp None;
    Relu Clamp None;
    Softmax Clamp None;
    Elu Lookup None;
    Selu Lookup None;
    Gelu Lookup None;
    Silu Lookup None;
    Softplus Lookup None;
    Sigmoid Lookup UNIT;
    HardSigmoid Lookup UNIT;
    Tanh Lookup SIGNED_UNIT;
    Softsign Lookup SIGNED_UNIT;
}

impl<const PERCENT: u32> QuantizedActivation for LeakyRelu<PERCENT> {
    type Table = Lookup;
}

/// The value of an activation at `x`.
pub(super) fn value_at<A: Activation>(x: f32) -> f32 {
    #[inline(always)]
    fn of<S: Simd, A: Activation>(simd: S, x: f32) -> f32 {
        let y: Lanes<S, f32> = A::value::<S, f32>(simd, lanes::<S, f32>(simd, x));
        y.as_slice()[0]
    }
    dispatch!(Level::baseline(), simd => of::<_, A>(simd, x))
}

/// The scales before and after an activation, from the ranges of what was observed there.
pub(super) fn scales<A: QuantizedActivation>(next: &mut dyn FnMut() -> Range) -> [Scale; 2] {
    if !A::Table::IS_TABLE {
        let Range { low, high } = next();
        let scale = Scale::of_range(low, high);
        return [scale, scale];
    }
    let sums = next();
    let outputs = next();
    let output = A::OUTPUT.unwrap_or_else(|| Scale::of_range(outputs.low, outputs.high));
    let tolerance = 0.5 * output.scale;
    let low = saturated::<A>(sums.low.min(0.0), tolerance);
    let high = saturated::<A>(sums.high.max(0.0), tolerance);
    [Scale::of_range(low, high), output]
}

/// The end of a range of inputs, nearer to zero if the function hardly varies at the end: all values beyond are within
/// `tolerance` of that at the new end. So tanh has its 256 steps where it is not 1 or -1.
fn saturated<A: Activation>(end: f32, tolerance: f32) -> f32 {
    const STEPS: usize = 256;
    let last = value_at::<A>(end);
    let at = |step: usize| end * (step as f32 / STEPS as f32);
    // From the end on, as long as the values are near the last one.
    let mut nearest = STEPS;
    while nearest > 1 && (value_at::<A>(at(nearest - 1)) - last).abs() <= tolerance {
        nearest -= 1;
    }
    at(nearest)
}

/// The table of an activation from one scale to another.
pub(super) fn table<A: QuantizedActivation>(from: Scale, to: Scale) -> A::Table {
    A::Table::new(|x| to.quantize(value_at::<A>(from.real(x))))
}

/// An activation as a layer of its own, in integers.
#[derive(Clone, Copy, PartialEq)]
pub struct QuantizedActivate<A: QuantizedActivation> {
    table: A::Table,
    /// The scale of the outputs, unless it is that of the inputs.
    output: Option<Scale>,
    /// The least output: the zero point of ReLU.
    least: i8,
    activation: PhantomData<fn() -> A>,
}

impl<A: QuantizedActivation> core::fmt::Debug for QuantizedActivate<A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QuantizedActivate").field("table", &self.table).field("output", &self.output).finish()
    }
}

impl<A: QuantizedActivation> QuantizedActivate<A> {
    /// Creates it from a table, the scale of the outputs (`None` if it is that of the inputs), and the least output: -128, or
    /// the zero point for ReLU.
    #[must_use]
    pub const fn from_parts(table: A::Table, output: Option<Scale>, least: i8) -> Self {
        QuantizedActivate { table, output, least, activation: PhantomData }
    }
}

impl<In: QuantizedShape, A: QuantizedActivation> QuantizedLayer<In> for QuantizedActivate<A> {
    type Out = In;

    fn output(&self, input: Scale) -> Scale {
        self.output.unwrap_or(input)
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        let (table, output, least) = (self.table.table(), self.output, self.least);
        emit(QuantizedOp::Apply { function: A::KIND, table, output, least });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &Integers<In>) -> Integers<In> {
        let mut y = *x;
        for y in In::integers_mut(&mut y) {
            *y = self.table.value(*y).max(self.least);
        }
        y
    }
}

macro_rules! layers {
    ($($name:ident $(<const $parameter:ident: $kind:ty>)?),+ $(,)?) => {$(
        impl<In: QuantizedShape $(, const $parameter: $kind)?> Quantize<In> for $name$(<$parameter>)? {
            type Quantized = QuantizedActivate<Self>;

            fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
                Ok(activate(input, next()))
            }
        }
    )+};
}
elementwise_activations!(layers);

/// An activation as a layer of its own, whose outputs have this range.
fn activate<A: QuantizedActivation>(input: Scale, Range { low, high }: Range) -> QuantizedActivate<A> {
    if A::Table::IS_TABLE {
        let output = A::OUTPUT.unwrap_or_else(|| Scale::of_range(low, high));
        return QuantizedActivate::from_parts(table::<A>(input, output), Some(output), i8::MIN);
    }
    // The identity or ReLU; both keep zero.
    let least = if value_at::<A>(-1.0) < 0.0 { i8::MIN } else { input.zero };
    QuantizedActivate::from_parts(A::Table::new(|x| x), None, least)
}

/// Softmax after a layer without an activation: the logits stay as they are, and the last step is in floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantizedSoftmax;

impl<const N: usize> QuantizedLayer<Features<N>> for QuantizedSoftmax {
    type Out = Features<N>;
    const IS_LAST: bool = true;

    fn output(&self, input: Scale) -> Scale {
        input
    }

    fn operations(&self, _: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Softmax);
    }

    #[inline(always)]
    fn run<S: Simd>(&self, _: S, x: &[i8; N]) -> [i8; N] {
        *x
    }

    #[inline(always)]
    fn leave<S: Simd, const B: usize>(
        &self,
        simd: S,
        input: Scale,
        x: &[i8; N],
        y: &mut Batch<Features<N>, f32, B>,
        column: usize,
    ) {
        leave::<S, Softmax, N, B>(simd, input, x, y, column);
    }
}

impl<const N: usize> Quantize<Features<N>> for Softmax {
    type Quantized = QuantizedSoftmax;

    fn quantized(&self, _: Scale, next: &mut dyn FnMut() -> Range) -> Result<QuantizedSoftmax, Error> {
        next();
        Ok(QuantizedSoftmax)
    }
}

/// Sets a column to what integers stand for, and to the values of the activation if that is not elementwise.
#[inline(always)]
pub(super) fn leave<S: Simd, A: Activation, const N: usize, const B: usize>(
    simd: S,
    scale: Scale,
    integers: &[i8; N],
    y: &mut Batch<Features<N>, f32, B>,
    column: usize,
) {
    let mut values = [integers.map(
        #[inline(always)]
        |integer| scale.real(integer),
    )];
    if !A::ELEMENTWISE {
        A::value_of_sample(Pass::<S, 1>::new(simd, 1), &mut values);
    }
    let [values] = values;
    if let Some(column) = y.data.0.get_mut(column) {
        *column = values;
    }
}
