//! [`Op`]: the graph of a network, which exporters write in another language.
//! ```
//! use tuplenet::activation::ActivationKind;
//! use tuplenet::model::Op;
//! use tuplenet::prelude::*;
//!
//! let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(&mut seeded(0));
//! let mut functions = Vec::new();
//! network.graph(&mut |op| {
//!     if let Op::Linear { function, .. } = op {
//!         functions.push(function);
//!     }
//! });
//! assert_eq!(functions, [ActivationKind::TANH, ActivationKind::SIGMOID]);
//! ```

use crate::activation::ActivationKind;

/// An operation of the graph: what a layer computes in prediction. A chain or a
/// [`Residual`](crate::layers::Residual) reports its begin, then the operations inside it, and then its end. Slices
/// hold one element for each feature, unless stated otherwise.
// No variant has the name of a layer: a second public name makes the compiler write paths in front of both, and error
// messages long.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op<'a, T> {
    /// `y = f(W x + b)`: a [`Dense`](crate::layers::Dense) layer.
    Linear {
        /// The number of inputs.
        inputs: usize,
        /// The number of outputs.
        outputs: usize,
        /// The weights `W`, `outputs` by `inputs`, column by column.
        weight: &'a [T],
        /// The bias `b`.
        bias: &'a [T],
        /// The activation `f`.
        function: ActivationKind,
    },
    /// `y = f(x)`: an activation as a layer of its own.
    Apply {
        /// The number of values of a sample.
        size: usize,
        /// The activation `f`.
        function: ActivationKind,
    },
    /// `y = x`: an [`Input`](crate::layers::Input).
    Source {
        /// The sizes of one sample: see [`Shape::DIMENSIONS`](crate::model::Shape::DIMENSIONS).
        dimensions: &'static [usize],
    },
    /// `y = x`: a [`Dropout`](crate::layers::Dropout) layer.
    InvertedDropout {
        /// The number of values of a sample.
        size: usize,
        /// The probability with which training zeroes an activation, in per cent.
        percent: u32,
        /// The seed of the random choice.
        seed: u64,
    },
    /// `y = (x - mean) / root(variance + epsilon) * weight + bias`: a [`BatchNorm`](crate::layers::BatchNorm) layer.
    BatchNormalization {
        /// The gains.
        weight: &'a [T],
        /// The biases.
        bias: &'a [T],
        /// The running means.
        mean: &'a [T],
        /// The running variances.
        variance: &'a [T],
        /// The number of micro-batches that the running statistics come from.
        num_batches_tracked: usize,
        /// What is added to the variance.
        epsilon: T,
        /// How many values of a sample each feature has: those of a channel of an image, otherwise one.
        pixels: usize,
    },
    /// The same with the mean and variance of the sample: a [`LayerNorm`](crate::layers::LayerNorm) layer.
    LayerNormalization {
        /// The gains.
        weight: &'a [T],
        /// The biases.
        bias: &'a [T],
        /// What is added to the variance, in units of 1e-9.
        epsilon_nanos: u64,
    },
    /// `y = f(W * x + b)`: a [`Conv2d`](crate::layers::Conv2d), a [`GroupedConv2d`](crate::layers::GroupedConv2d) or a
    /// [`ConvTranspose2d`](crate::layers::ConvTranspose2d).
    Convolution {
        /// How the kernel moves over the image. Of a transposed convolution it moves over the output, so that `from` and
        /// `to` are exchanged: `from` is the size of the output.
        windows: Windows,
        /// How many channels of `from` belong to a channel of `to`: all of them, unless there are groups.
        depth: usize,
        /// Whether it is a transposed convolution.
        transposed: bool,
        /// The weights: by row and column of the kernel, then by the channel of `from` within its group, then by the
        /// channel of `to`.
        weight: &'a [T],
        /// The bias of each channel of the output.
        bias: &'a [T],
        /// The activation `f`.
        function: ActivationKind,
    },
    /// The largest value of each window: a [`MaxPool`](crate::layers::MaxPool). Padding is never the largest.
    MaximumPooling {
        /// How the window moves over each channel.
        windows: Windows,
    },
    /// The mean of each window: an [`AveragePool`](crate::layers::AveragePool). Padding counts as zeros.
    MeanPooling {
        /// How the window moves over each channel.
        windows: Windows,
    },
    /// The mean of each channel: a [`GlobalAveragePool`](crate::layers::GlobalAveragePool).
    MeanOfPixels {
        /// Channels, rows and columns.
        from: [usize; 3],
    },
    /// Every pixel becomes `factor` by `factor` pixels: an [`Upsample`](crate::layers::Upsample).
    NearestNeighbour {
        /// Channels, rows and columns of the input.
        from: [usize; 3],
        /// How many times as high and as wide the output is.
        factor: usize,
    },
    /// From an image to features, channel by channel, row by row: a [`Flatten`](crate::layers::Flatten).
    ImageToFeatures {
        /// Channels, rows and columns.
        from: [usize; 3],
    },
    /// From features to an image: an [`Unflatten`](crate::layers::Unflatten).
    FeaturesToImage {
        /// Channels, rows and columns.
        to: [usize; 3],
    },
    /// A recurrent layer over a sequence, whose state is zero before the first step. The formulas, and the order of the
    /// gates in the weights, are those of the layer that `cell` names.
    Recurrent {
        /// The number of steps.
        steps: usize,
        /// The number of inputs of a step.
        inputs: usize,
        /// The number of units.
        units: usize,
        /// Which layer it is.
        cell: RecurrentCell,
        /// The weights by the inputs, `gates * units` by `inputs`, column by column.
        weight_ih: &'a [T],
        /// The weights by the state, `gates * units` by `units`, column by column.
        weight_hh: &'a [T],
        /// The bias beside the weights by the inputs.
        bias_ih: &'a [T],
        /// The bias beside the weights by the state.
        bias_hh: &'a [T],
    },
    /// A causal convolution over time: a [`Conv1d`](crate::layers::Conv1d).
    CausalConvolution {
        /// The number of steps.
        steps: usize,
        /// The number of inputs of a step.
        inputs: usize,
        /// The number of outputs of a step.
        outputs: usize,
        /// The number of taps.
        taps: usize,
        /// How many steps back the first tap is.
        reach: usize,
        /// The weights: by input, then by tap, the earliest first, then by output.
        weight: &'a [T],
        /// The bias.
        bias: &'a [T],
        /// The activation.
        function: ActivationKind,
    },
    /// Begin of a [`Bidirectional`](crate::layers::Bidirectional): what follows, up to [`Reversed`](Op::Reversed), is of
    /// the sequence as it is.
    DirectionsBegin {
        /// The number of steps.
        steps: usize,
        /// The number of inputs of a step.
        inputs: usize,
    },
    /// What follows is of the reversed sequence.
    Reversed,
    /// End of the [`DirectionsBegin`](Op::DirectionsBegin) that began last: of each step the outputs of both directions,
    /// one after the other.
    DirectionsEnd {
        /// The number of outputs of a step: twice that of a direction.
        outputs: usize,
    },
    /// Begin of [`Steps`](crate::layers::Steps): what follows is for each step of a sequence.
    StepsBegin {
        /// The number of steps.
        steps: usize,
        /// The number of inputs of a step.
        inputs: usize,
    },
    /// End of the [`StepsBegin`](Op::StepsBegin) that began last.
    StepsEnd {
        /// The number of outputs of a step.
        outputs: usize,
    },
    /// From a sequence to features: [`Last`](crate::layers::Last), [`MeanOverTime`](crate::layers::MeanOverTime) or
    /// [`MaxOverTime`](crate::layers::MaxOverTime).
    OverTime {
        /// The number of steps.
        steps: usize,
        /// The number of features.
        size: usize,
        /// Which of them.
        kind: OverTime,
    },
    /// Begin of a tuple.
    ChainBegins,
    /// End of the tuple that began last.
    ChainEnds,
    /// Begin of a [`Residual`](crate::layers::Residual): its input is added to the output of the inner layer.
    ResidualBegins {
        /// The number of values of a sample.
        size: usize,
    },
    /// End of the residual that began last.
    ResidualEnds,
    /// A layer that does not report its operation, or a layer with such an activation.
    Unknown {
        /// Its type, with full module paths.
        name: &'static str,
    },
}

/// How a window moves over an image. Pairs are for rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Channels, rows and columns of the image over which it moves.
    pub from: [usize; 3],
    /// Channels, rows and columns of the image that has a pixel for each position of the window.
    pub to: [usize; 3],
    /// How many rows and columns the window has.
    pub kernel: [usize; 2],
    /// How many pixels there are between neighbouring positions.
    pub stride: [usize; 2],
    /// How many pixels are added on each side.
    pub padding: [usize; 2],
    /// The distance between neighbouring taps.
    pub dilation: [usize; 2],
}

/// Which recurrent layer an [`Op::Recurrent`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecurrentCell {
    /// [`Rnn`](crate::layers::Rnn) with this activation: one gate.
    Elman(ActivationKind),
    /// [`Gru`](crate::layers::Gru): three gates.
    Gated {
        /// Whether the reset gate acts [`After`](crate::layers::After) the product with the recurrent weights.
        reset_after: bool,
    },
    /// [`Lstm`](crate::layers::Lstm): four gates.
    LongShortTerm,
}

impl RecurrentCell {
    /// How many times as many rows as units the weights have.
    #[must_use]
    pub const fn gates(self) -> usize {
        match self {
            RecurrentCell::Elman(_) => 1,
            RecurrentCell::Gated { .. } => 3,
            RecurrentCell::LongShortTerm => 4,
        }
    }
}

/// What becomes of the steps of a sequence in an [`Op::OverTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverTime {
    /// The last step.
    LastStep,
    /// The mean of the steps.
    MeanOfSteps,
    /// The largest value of each feature.
    LargestOfSteps,
}
