//! [`QuantizedOp`]: the graph of a quantized network, which exporters write in another language.

use super::scale::Scale;
use crate::activation::ActivationKind;
use crate::model::Windows;

/// The sums of a layer with weights, and what they are multiplied with.
#[derive(Clone, Copy)]
pub struct QuantizedSums<'a> {
    /// How many products there are in a sum.
    pub terms: usize,
    /// The weight of an output channel and a term; the terms of a convolution are sorted by input channel, row and column.
    pub weight: &'a dyn Fn(usize, usize) -> i8,
    /// The biases, with the products of the weights and the inputs' zero point subtracted.
    pub bias: &'a [i32],
    /// The multipliers of the factors.
    pub multiplier: &'a [u16],
    /// The shifts of the factors.
    pub shift: &'a [u8],
    /// By how many bits a sum is shifted to the left before.
    pub headroom: u32,
    /// The scales of the inputs, of the sums, and of the outputs.
    pub scales: [Scale; 3],
    /// The activation, if the library knows it.
    pub function: Option<ActivationKind>,
    /// Its table.
    pub table: Option<&'a [i8; 256]>,
}

impl QuantizedSums<'_> {
    /// What a sum of an output channel is multiplied with.
    #[must_use]
    pub fn factor(&self, channel: usize) -> f64 {
        let part = self.multiplier.get(channel).zip(self.shift.get(channel));
        part.map_or(0.0, |(&multiplier, &shift)| super::rescale::factor(multiplier, shift, self.headroom))
    }

    /// The bias without the products of the weights and the inputs' zero point.
    #[must_use]
    pub fn plain_bias(&self, channel: usize) -> i32 {
        let weights: i32 = (0..self.terms).map(|term| i32::from((self.weight)(channel, term))).sum();
        self.bias.get(channel).copied().unwrap_or(0) + weights * i32::from(self.scales[0].zero)
    }
}

/// An operation of the graph of a quantized network. A chain or a [`Residual`](crate::layers::Residual) reports its begin, then
/// the operations inside it, and then its end.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum QuantizedOp<'a> {
    /// [`QuantizedDense`](super::QuantizedDense).
    Linear(QuantizedSums<'a>),
    /// [`QuantizedConv2d`](super::QuantizedConv2d).
    Convolution {
        /// How the kernel moves over the image.
        windows: Windows,
        /// How many channels of the input belong to a channel of the output.
        depth: usize,
        /// The sums.
        sums: QuantizedSums<'a>,
    },
    /// [`QuantizedBatchNorm`](super::QuantizedBatchNorm).
    Affine {
        /// The sums, of one term each.
        sums: QuantizedSums<'a>,
        /// How many values of a sample each feature has.
        pixels: usize,
    },
    /// [`QuantizedActivate`](super::QuantizedActivate): an activation as a layer of its own.
    Apply {
        /// The activation, if the library knows it.
        function: Option<ActivationKind>,
        /// Its table.
        table: Option<&'a [i8; 256]>,
        /// The scale of the outputs, unless it is that of the inputs.
        output: Option<Scale>,
        /// The least output.
        least: i8,
    },
    /// [`QuantizedMaxPool`](super::QuantizedMaxPool).
    MaximumPooling {
        /// How the window moves over each channel.
        windows: Windows,
    },
    /// [`QuantizedAveragePool`](super::QuantizedAveragePool).
    MeanPooling {
        /// How the window moves over each channel.
        windows: Windows,
        /// The zero point, the multiplier and the shift.
        parts: (i8, u16, u8),
    },
    /// [`QuantizedGlobalAveragePool`](super::QuantizedGlobalAveragePool).
    MeanOfPixels {
        /// Channels, rows and columns.
        from: [usize; 3],
        /// The zero point, the multiplier and the shift.
        parts: (i8, u16, u8),
    },
    /// [`QuantizedUpsample`](super::QuantizedUpsample).
    NearestNeighbour {
        /// Channels, rows and columns of the input.
        from: [usize; 3],
        /// How many times as high and as wide the output is.
        factor: usize,
    },
    /// [`QuantizedReshape`](super::QuantizedReshape) with these sizes of the output.
    Reshape {
        /// The sizes of a sample.
        to: &'static [usize],
    },
    /// [`QuantizedIdentity`](super::QuantizedIdentity).
    Nothing,
    /// [`QuantizedSoftmax`](super::QuantizedSoftmax).
    Softmax,
    /// [`QuantizedF32`](super::QuantizedF32), which no exporter writes.
    Float {
        /// The type of the layer inside.
        name: &'static str,
    },
    /// Begin of a tuple.
    ChainBegins,
    /// End of the tuple that began last.
    ChainEnds,
    /// Begin of a [`QuantizedResidual`](super::QuantizedResidual).
    ResidualBegins,
    /// End of the residual that began last.
    ResidualEnds {
        /// The zero points of input and output of what is inside.
        zeros: [i8; 2],
        /// What they are multiplied with, less the zero point, for 2^10 steps of the output.
        factors: [i32; 2],
        /// The scale of the output.
        output: Scale,
    },
}
