//! [`Op`]: what a layer computes in prediction, told to who writes a network down in another language.
//!
//! ```
//! use tuplenet::activation::ActivationKind;
//! use tuplenet::model::Op;
//! use tuplenet::prelude::*;
//!
//! let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(&mut seeded(0));
//! let mut functions = Vec::new();
//! network.graph(&mut |part| {
//!     if let Op::Dense { function, .. } = part {
//!         functions.push(function);
//!     }
//! });
//! assert_eq!(functions, [ActivationKind::Tanh, ActivationKind::Sigmoid]);
//! ```

use crate::activation::ActivationKind;

/// What a layer computes in prediction. A chain or a [`Residual`](crate::layers::Residual) tells that it begins, then what is
/// inside, and then that it ends. Slices hold one number for each feature, unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op<'a, T> {
    /// `y = f(W x + b)`: a [`Dense`](crate::layers::Dense) layer.
    Dense {
        /// How many numbers go in.
        inputs: usize,
        /// How many come out.
        outputs: usize,
        /// `W`, `outputs` by `inputs`, column by column.
        weight: &'a [T],
        /// `b`.
        bias: &'a [T],
        /// `f`.
        function: ActivationKind,
    },
    /// `y = f(x)`: an [`Activate`](crate::layers::Activate) layer.
    // Not `Activate`: a second public name like that of the layer makes the compiler write paths in front of both.
    Apply {
        /// How many numbers go in and come out.
        size: usize,
        /// `f`.
        function: ActivationKind,
    },
    /// `y = x`: a [`Dropout`](crate::layers::Dropout) layer.
    Dropout {
        /// How many numbers go in and come out.
        size: usize,
        /// The share that training leaves out.
        per_mille: u32,
        /// What the choice follows from.
        seed: u64,
    },
    /// `y = (x - mean) / root(variance + epsilon) * weight + bias`: a [`BatchNorm`](crate::layers::BatchNorm) layer.
    BatchNorm {
        /// The gains.
        weight: &'a [T],
        /// The biases.
        bias: &'a [T],
        /// The running means.
        mean: &'a [T],
        /// The running variances.
        variance: &'a [T],
        /// How many micro-batches the running statistics come from.
        num_batches_tracked: usize,
        /// What is added to the variance.
        epsilon: T,
    },
    /// The same with mean and variance of the sample: a [`LayerNorm`](crate::layers::LayerNorm) layer.
    LayerNorm {
        /// The gains.
        weight: &'a [T],
        /// The biases.
        bias: &'a [T],
        /// What is added to the variance, in units of 1e-9.
        epsilon_nanos: u64,
    },
    /// A tuple begins.
    ChainBegins,
    /// The tuple that began last ends.
    ChainEnds,
    /// A [`Residual`](crate::layers::Residual) begins: its input is added to what comes out of the layer inside.
    ResidualBegins {
        /// How many numbers go in and come out.
        size: usize,
    },
    /// The residual that began last ends.
    ResidualEnds,
    /// A layer that does not say what it computes, or one with such an activation.
    Unknown {
        /// The type that does not say it, with the paths of all modules.
        name: &'static str,
    },
}
