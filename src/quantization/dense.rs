//! [`QuantizedDense`]: a fully connected layer in integers.

use super::activate::{self, ActivationTable, QuantizedActivation, scales, table};
use super::channels::{Channel, channels};
use super::graph::{QuantizedOp, QuantizedSums};
use super::kernel::{Rows, arranged, outputs, weight};
use super::layer::{Quantize, QuantizedLayer, Range, infer_one};
use super::rescale::{assert_fits, assert_part, headroom};
use super::scale::Scale;
use crate::error::Error;
use crate::layers::Dense;
use crate::model::{Batch, Features};
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::SMatrix;

/// Fully connected layer in integers: [`Dense`] after [quantization](crate::quantization).
///
/// # Shapes
///
/// `[i8; IN]` in, `[i8; OUT]` out.
///
/// # Formula
///
/// `y = A(clamp(round((b + sum of w x) * factor) + zero))`, where `factor` is that of the output, `multiplier * 2^-(16 + shift -
/// headroom)`, and the bias has the products of the weights with the inputs' zero point in it. LiteRT equivalent:
/// `FULLY_CONNECTED` with weights by channel.
///
/// # Examples
///
/// ```
/// use tuplenet::quantization::{Clamp, QuantizedDense, Scale};
/// use tuplenet::prelude::*;
///
/// // The difference of two inputs, halved: 64 by 128 is a half.
/// static HALF: QuantizedDense<2, 1, Identity> = QuantizedDense::from_parts(
///     [[64, -64]], [0], [32768], [13], Clamp, Scale::new(1.0, 0), Scale::new(1.0, 0),
/// );
/// assert_eq!(HALF.factor(0), 1.0 / 128.0);
/// ```
#[derive(Clone, PartialEq)]
#[repr(align(4))]
pub struct QuantizedDense<const IN: usize, const OUT: usize, A: QuantizedActivation> {
    /// In the order of the kernel.
    weight: [[i8; IN]; OUT],
    bias: [i32; OUT],
    multiplier: [u16; OUT],
    shift: [u8; OUT],
    table: A::Table,
    sums: Scale,
    output: Scale,
    activation: PhantomData<fn() -> A>,
}

impl<const IN: usize, const OUT: usize, A: QuantizedActivation> QuantizedDense<IN, OUT, A> {
    const FITS: () = assert_fits("QuantizedDense", IN);
    const HEADROOM: u32 = headroom(IN);

    /// Creates the layer for a `static`: `weight` has a row for each output, `bias` the product with the inputs' zero point in
    /// it, `multiplier` and `shift` are those of each output's [factor](Self::factor), `sums` is the scale before the
    /// activation, `output` that after it.
    ///
    /// # Panics
    ///
    /// Does not compile, or panics, if a sum could overflow: if there are too many inputs, or a bias is above
    /// 2^22 + 2^14 `IN`, or a shift is not between 1 and 30.
    #[must_use]
    pub const fn from_parts(
        weight: [[i8; IN]; OUT],
        bias: [i32; OUT],
        multiplier: [u16; OUT],
        shift: [u8; OUT],
        table: A::Table,
        sums: Scale,
        output: Scale,
    ) -> Self {
        const { Self::FITS };
        let mut row = 0;
        while row < OUT {
            assert_part(bias[row], shift[row], IN);
            row += 1;
        }
        let mut to = [[0; IN]; OUT];
        arranged(OUT, IN, weight.as_flattened(), to.as_flattened_mut());
        QuantizedDense { weight: to, bias, multiplier, shift, table, sums, output, activation: PhantomData }
    }

    /// The weight of an output and an input.
    #[must_use]
    pub fn weight(&self, output: usize, input: usize) -> i8 {
        weight(OUT, IN, self.weight.as_flattened(), output, input)
    }

    /// The biases, in units of the sums, with the product of the weights and the inputs' zero point subtracted.
    #[must_use]
    pub fn bias(&self) -> &[i32; OUT] {
        &self.bias
    }

    /// What a sum is multiplied with: the scale of the inputs times that of the output's weights, by that of the outputs.
    #[must_use]
    pub fn factor(&self, output: usize) -> f64 {
        let part = self.multiplier.get(output).zip(self.shift.get(output));
        part.map_or(0.0, |(&multiplier, &shift)| super::rescale::factor(multiplier, shift, Self::HEADROOM))
    }

    /// The multipliers of the factors.
    #[must_use]
    pub fn multiplier(&self) -> &[u16; OUT] {
        &self.multiplier
    }

    /// The shifts of the factors.
    #[must_use]
    pub fn shift(&self) -> &[u8; OUT] {
        &self.shift
    }

    /// The table of the activation.
    #[must_use]
    pub fn table(&self) -> &A::Table {
        &self.table
    }

    /// The scales before and after the activation.
    #[must_use]
    pub fn scales(&self) -> [Scale; 2] {
        [self.sums, self.output]
    }
}

impl<const IN: usize, const OUT: usize, A: QuantizedActivation> core::fmt::Debug for QuantizedDense<IN, OUT, A> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QuantizedDense")
            .field("bias", &self.bias)
            .field("sums", &self.sums)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

impl<const IN: usize, const OUT: usize, A: QuantizedActivation> QuantizedLayer<Features<IN>>
    for QuantizedDense<IN, OUT, A>
{
    type Out = Features<OUT>;
    const IS_LAST: bool = !A::ELEMENTWISE;

    fn output(&self, _: Scale) -> Scale {
        self.output
    }

    fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::Linear(QuantizedSums {
            terms: IN,
            weight: &|output, input| self.weight(output, input),
            bias: &self.bias,
            multiplier: &self.multiplier,
            shift: &self.shift,
            headroom: Self::HEADROOM,
            scales: [input, self.sums, self.output],
            function: A::KIND,
            table: self.table.table(),
        }));
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, x: &[i8; IN]) -> [i8; OUT] {
        const { Self::FITS };
        let wide = x.map(i16::from);
        let rows = Rows {
            weights: self.weight.as_flattened(),
            bias: &self.bias,
            multiplier: &self.multiplier,
            shift: &self.shift,
            headroom: Self::HEADROOM,
            zero: self.sums.zero,
        };
        let mut y = [0; OUT];
        outputs(simd, rows, x, &wide, &mut y);
        if A::Table::IS_TABLE {
            y.iter_mut().for_each(|y| *y = self.table.value(*y));
        }
        y
    }

    #[inline(always)]
    fn leave<S: Simd, const B: usize>(
        &self,
        simd: S,
        _: Scale,
        x: &[i8; IN],
        y: &mut Batch<Features<OUT>, f32, B>,
        column: usize,
    ) {
        activate::leave::<S, A, OUT, B>(simd, self.output, &self.run(simd, x), y, column);
    }
}

impl<const IN: usize, const OUT: usize, A: QuantizedActivation> Quantize<Features<IN>> for Dense<IN, OUT, A> {
    type Quantized = QuantizedDense<IN, OUT, A>;

    fn observe(&self, x: &SMatrix<f32, IN, 1>, see: &mut dyn FnMut(&[f32])) -> SMatrix<f32, OUT, 1> {
        if A::Table::IS_TABLE {
            see(infer_one(self, x, true).as_slice());
        }
        let y = infer_one(self, x, !A::ELEMENTWISE);
        see(y.as_slice());
        y
    }

    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        let [mut sums, mut output] = scales::<A>(next);
        let mut weight = [[0; IN]; OUT];
        let mut parts = [Channel::NONE; OUT];
        let of = |row: usize, term: usize| self.weight.get((row, term)).copied().unwrap_or(0.0);
        let bias = |row: usize| self.bias.get(row).copied().unwrap_or(0.0);
        channels(IN, input, &mut sums, (of, bias), weight.as_flattened_mut(), &mut parts)?;
        if !A::Table::IS_TABLE {
            output = sums;
        }
        Ok(QuantizedDense::from_parts(
            weight,
            parts.map(|part| part.bias),
            parts.map(|part| part.multiplier),
            parts.map(|part| part.shift),
            table::<A>(sums, output),
            sums,
            output,
        ))
    }
}
