//! [`QuantizedResidual`]: a residual connection in integers.

use super::graph::QuantizedOp;
use super::layer::{Precision, Quantize, QuantizedLayer, Range, Trial};
use super::scale::{QuantizedShape, Scale};
use crate::error::Error;
use crate::layers::Residual;
use crate::model::{Batch, Model};
use fearless_simd::Simd;

/// Both summands are brought to a common scale of so many bits more than the output's.
const BITS: u32 = 10;

/// The sum of two integers on different scales, on a third one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedSum {
    /// The zero points of both summands.
    zeros: [i8; 2],
    /// What the integers less their zero points are multiplied with: the steps of the output, times 2^10, at most 2^20.
    factors: [i32; 2],
    output: Scale,
}

impl QuantizedSum {
    /// Creates it for a `static`: the zero points of both summands, and the factors to 2^10 steps of the output.
    ///
    /// # Panics
    ///
    /// Does not compile, or panics, if a factor is not between 0 and 2^20.
    #[must_use]
    pub const fn from_parts(zeros: [i8; 2], factors: [i32; 2], output: Scale) -> Self {
        let largest = 1 << 20;
        assert!(
            factors[0] >= 0 && factors[0] <= largest && factors[1] >= 0 && factors[1] <= largest,
            "expected factors from 0 to 2^20"
        );
        QuantizedSum { zeros, factors, output }
    }

    fn new(summands: [Scale; 2], mut output: Scale) -> Self {
        // The output's step is not far below the summands'.
        let least = summands[0].scale.max(summands[1].scale) / 512.0;
        output.scale = output.scale.max(least);
        let factor =
            |from: Scale| (f64::from(from.scale) / f64::from(output.scale) * f64::from(1 << BITS) + 0.5) as i32;
        Self::from_parts(summands.map(|from| from.zero), summands.map(factor), output)
    }

    #[inline(always)]
    fn add(&self, one: i8, other: i8) -> i8 {
        // Nine bits and twenty each.
        let [one, other] = [(one, 0), (other, 1)].map(
            #[inline(always)]
            |(x, which): (i8, usize)| (i32::from(x) - i32::from(self.zeros[which])) * self.factors[which],
        );
        let steps = (one + other + (1 << (BITS - 1))) >> BITS;
        (steps + i32::from(self.output.zero)).clamp(-128, 127) as i8
    }
}

/// [`Residual`] in integers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizedResidual<L> {
    /// The layers inside.
    pub inside: L,
    /// The sum of their outputs and inputs.
    pub sum: QuantizedSum,
}

impl<L> QuantizedResidual<L> {
    /// Creates the layer, for a network in a `static`.
    #[must_use]
    pub const fn from_parts(inside: L, sum: QuantizedSum) -> Self {
        QuantizedResidual { inside, sum }
    }
}

impl<In: QuantizedShape, L: QuantizedLayer<In, Out = In>> QuantizedLayer<In> for QuantizedResidual<L> {
    type Out = In;

    fn output(&self, _: Scale) -> Scale {
        self.sum.output
    }

    fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
        emit(QuantizedOp::ResidualBegins);
        self.inside.operations(input, emit);
        let QuantizedSum { zeros, factors, output } = self.sum;
        emit(QuantizedOp::ResidualEnds { zeros, factors, output });
    }

    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, x: &In::Integers) -> In::Integers {
        const { assert!(!L::IS_LAST, "softmax has a form in integers only as the last layer of a network") };
        let mut y = self.inside.run(simd, x);
        for (y, &x) in In::integers_mut(&mut y).iter_mut().zip(In::integers(x)) {
            *y = self.sum.add(x, *y);
        }
        y
    }
}

impl<In: QuantizedShape, L: Quantize<In> + Model<In, f32, Out = In>> Quantize<In> for Residual<L> {
    type Quantized = QuantizedResidual<L::Quantized>;

    fn observe(&self, x: &Batch<In, f32, 1>, see: &mut dyn FnMut(&[f32])) -> Batch<In, f32, 1> {
        let mut y = self.0.observe(x, see);
        add::<In>(x, &mut y);
        see(In::as_slice(&y));
        y
    }

    fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
        let inside = self.0.quantized(input, next)?;
        let Range { low, high } = next();
        let sum = QuantizedSum::new([input, inside.output(input)], Scale::of_range(low, high));
        Ok(QuantizedResidual { inside, sum })
    }

    fn compare(
        &self,
        quantized: &Self::Quantized,
        input: Scale,
        x: &Batch<In, f32, 1>,
        trial: &mut dyn Trial,
    ) -> Batch<In, f32, 1> {
        let mut y = self.0.compare(&quantized.inside, input, x, trial);
        let precision = trial.next();
        let (one, other) = (In::quantize(x, 0, input), In::quantize(&y, 0, quantized.inside.output(input)));
        let mut sum = other;
        for (sum, &one) in In::integers_mut(&mut sum).iter_mut().zip(In::integers(&one)) {
            *sum = quantized.sum.add(one, *sum);
        }
        add::<In>(x, &mut y);
        match precision {
            Precision::Float => {}
            Precision::Integers => In::dequantize(&sum, quantized.sum.output, &mut y, 0),
            Precision::Both => {
                let name = "sum of Residual";
                trial.record(name, quantized.sum.output, In::as_slice(&y), In::integers(&sum));
            }
        }
        y
    }
}

fn add<In: QuantizedShape>(x: &Batch<In, f32, 1>, y: &mut Batch<In, f32, 1>) {
    for (y, x) in In::as_mut_slice(y).iter_mut().zip(In::as_slice(x)) {
        *y += x;
    }
}
