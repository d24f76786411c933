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
        /// The number of features.
        size: usize,
        /// The activation `f`.
        function: ActivationKind,
    },
    /// `y = x`: an [`Input`](crate::layers::Input).
    Source {
        /// The number of features.
        size: usize,
    },
    /// `y = x`: a [`Dropout`](crate::layers::Dropout) layer.
    InvertedDropout {
        /// The number of features.
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
    /// Begin of a tuple.
    ChainBegins,
    /// End of the tuple that began last.
    ChainEnds,
    /// Begin of a [`Residual`](crate::layers::Residual): its input is added to the output of the inner layer.
    ResidualBegins {
        /// The number of features.
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
