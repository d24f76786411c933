//! The layers.
//!
//! | layer | |
//! |---|---|
//! | [`Dense`] | fully connected layer |
//! | [`Relu`](crate::activation::Relu), [`Tanh`](crate::activation::Tanh), ... | an activation as a layer of its own, for any shape |
//! | [`Dropout`] | inverted dropout: zeroes activations at random in training |
//! | [`Dropout2d`] | the same of whole channels of an image |
//! | [`BatchNorm`] | batch normalization: zero mean and unit variance for every feature over the batch |
//! | [`LayerNorm`] | layer normalization: zero mean and unit variance for every sample |
//! | [`Input`] | the shape of the input, before a layer that takes any |
//! | [`Conv2d`], [`RectangularConv2d`], [`GroupedConv2d`], [`DepthwiseConv2d`], [`ConvTranspose2d`] | convolutions of images |
//! | [`MaxPool`], [`AveragePool`], [`GlobalAveragePool`], [`Upsample`] | from images to smaller and larger ones |
//! | [`RectangularMaxPool`], [`RectangularAveragePool`] | the same with windows that are not square |
//! | [`Flatten`], [`Unflatten`] | from an image to features, and back |
//! | [`Residual`] | residual (skip) connection around other layers |
//! | [`Rnn`] | recurrent layer of J. Elman, with tanh or ReLU |
//! | [`Gru`] | gated recurrent unit (GRU) |
//! | [`Lstm`] | long short-term memory (LSTM) |
//! | [`Conv1d`] | causal convolution over time, with dilation |
//! | [`Bidirectional`] | a recurrent layer forward and another one backward in time |
//! | [`Last`], [`MeanOverTime`], [`MaxOverTime`] | from a sequence to features |
//! | [`Steps`] | a layer for each step of a sequence |
//!
//! # Examples
//!
//! ```
//! use tuplenet::layers::*;
//! use tuplenet::prelude::*;
//!
//! type Block = Residual<(LayerNorm<16>, Dense<16, 16, Relu>, Dropout<10>, Dense<16, 16, Identity>)>;
//! type Net = (Dense<4, 16, Identity>, BatchNorm<16>, Relu, Block, Dense<16, 3, Softmax>);
//! let network = Net::new(&mut seeded(0));
//! assert!((network.predict_one(&[0.1, 0.2, 0.3, 0.4]).iter().sum::<f32>() - 1.0).abs() < 1e-6);
//! ```

mod activate;
mod batch_norm;
mod batch_norm_image;
mod bidirectional;
mod conv1d;
mod conv2d;
mod dense;
mod dropout;
mod fold;
mod input;
mod layer_norm;
mod network_macro;
mod pool;
mod recurrent;
mod residual;
mod steps;
mod window;

use crate::model::{Element, Kind, Parameter};

pub use activate::SoftmaxCache;
#[doc(hidden)]
pub use activate::{activate, activate_backward};
pub use batch_norm::{BatchNorm, BatchNormCache};
#[cfg(feature = "safetensors")]
pub(crate) use bidirectional::reverse;
pub use bidirectional::{Bidirectional, BidirectionalCache};
pub use conv1d::{Conv1d, Conv1dCache, Ring};
pub use conv2d::{Conv2d, ConvCache, ConvTranspose2d, DepthwiseConv2d, GroupedConv2d, RectangularConv2d};
pub use dense::{Dense, DenseCache};
#[cfg(feature = "safetensors")]
pub(crate) use dropout::mixed;
pub use dropout::{Dropout, Dropout2d};
pub use input::Input;
pub use layer_norm::{LayerNorm, LayerNormCache};
pub use pool::{
    AveragePool, Flatten, GlobalAveragePool, MaxPool, RectangularAveragePool, RectangularMaxPool, Unflatten, Upsample,
};
pub use recurrent::{After, Before, Gru, Lstm, RecurrentActivation, RecurrentCache, Reset, Rnn};
pub use residual::Residual;
pub use steps::{Last, MaxOverTime, MeanOverTime, SoFar, Steps};
pub use window::{positions, spread, volume};

/// What is added to a variance before its root is taken, so that a constant feature does not divide by zero:
/// PyTorch's value.
pub(crate) const EPSILON: f64 = 1e-5;

/// The visits of a layer with the parameters `weight`, a gain, and `bias`, `N` elements each, and with buffers.
macro_rules! gain_and_bias {
    () => {
        #[inline(always)]
        fn visit(&self, visitor: &mut impl Visitor<T>) {
            visitor.slice(Self::WEIGHT, self.weight.as_slice());
            visitor.slice(Self::BIAS, self.bias.as_slice());
            self.visit_buffers(visitor);
        }

        #[inline(always)]
        fn visit_mut<const OTHERS: usize>(
            &mut self,
            mut others: [&mut Self; OTHERS],
            visitor: &mut impl VisitorMut<T, OTHERS>,
        ) {
            let weights = others.each_mut().map(
                #[inline(always)]
                |other| other.weight.as_mut_slice(),
            );
            visitor.slice(Self::WEIGHT, self.weight.as_mut_slice(), weights);
            let biases = others.map(
                #[inline(always)]
                |other| other.bias.as_mut_slice(),
            );
            visitor.slice(Self::BIAS, self.bias.as_mut_slice(), biases);
            self.visit_buffers_mut(visitor);
        }
    };
}
use gain_and_bias;

/// The position of a layer that is not a tuple: that of the only element of a tuple.
pub(crate) const ALONE: Element = Element { index: 0, module: 0 };

/// What a layer around another, its only field, has of that one: its parameters, their visits and its buffers.
macro_rules! around {
    ($layer:ident) => {
        impl<L: Zeroed> Zeroed for $layer<L> {
            const ZEROED: Self = $layer(L::ZEROED);
        }

        impl<L: Params> Params for $layer<L> {
            const PARAMETERS: usize = L::PARAMETERS;
            const TOGETHER: usize = L::TOGETHER;

            fn initialize<R: Rng>(&mut self, rng: &mut R) {
                self.0.initialize(rng);
            }

            #[inline(always)]
            fn update_buffers(&mut self, gradient: &mut Self) {
                self.0.update_buffers(&mut gradient.0);
            }

            #[inline(always)]
            fn merge_buffers(&mut self, part: &mut Self) {
                self.0.merge_buffers(&mut part.0);
            }
        }

        impl<T: Real, L: Visit<T>> Visit<T> for $layer<L> {
            #[inline(always)]
            fn visit(&self, visitor: &mut impl Visitor<T>) {
                if L::IS_CHAIN {
                    return self.0.visit(visitor);
                }
                visitor.enter(ALONE);
                self.0.visit(visitor);
                visitor.leave();
            }

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(
                &mut self,
                others: [&mut Self; OTHERS],
                visitor: &mut impl VisitorMut<T, OTHERS>,
            ) {
                let others = others.map(
                    #[inline(always)]
                    |other| &mut other.0,
                );
                if L::IS_CHAIN {
                    return self.0.visit_mut(others, visitor);
                }
                visitor.enter(ALONE);
                self.0.visit_mut(others, visitor);
                visitor.leave();
            }
        }
    };
}
pub(crate) use around;

/// The description of a slice with one element for each of `N` features.
const fn vector<const N: usize>(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, rows: N, columns: 1 }
}

/// All instruction sets compute the same bits, without FMA (fused multiplication and addition).
#[cfg(all(test, feature = "reproducible"))]
mod tests {
    use super::*;
    use crate::model::{Layer, Model, Params, Pass, Zeroed};
    use crate::num::dispatch::{dispatch, level};
    use crate::prelude::*;
    use fearless_simd::Level;
    extern crate std;

    type Block = Residual<(LayerNorm<19, f64>, Dense<19, 19, Gelu, f64>, Dropout<30>)>;
    type Net = (Dense<3, 19, Identity, f64>, BatchNorm<19, f64>, Tanh, Block);

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        let pass = |level: Level| {
            let mut network = Net::new(&mut crate::seeded(0));
            let x = SMatrix::<f64, 3, 7>::from_fn(|row, column| ((row * 7 + column) as f64).sin());
            let (mut cache, mut gradient) = (Zeroed::ZEROED, Net::ZEROED);
            let mut output = SMatrix::<f64, 19, 7>::ZEROED;
            let (mut dy, mut dx, mut y) = (SMatrix::<f64, 19, 7>::repeat(0.3), Zeroed::ZEROED, Zeroed::ZEROED);
            dispatch!(level, simd => {
                let pass = Pass::<_, 7>::new(simd, 7);
                network.forward(pass, &x, &mut output, &mut cache);
                network.backward(pass, (&x, &output), &mut cache, &mut dy, &mut gradient, Some(&mut dx));
                network.update_buffers(&mut gradient);
                network.infer(pass, &x, &mut y);
            });
            std::format!("{gradient:?} {network:?} {dx:?} {y:?}")
        };
        assert_eq!(pass(Level::baseline()), pass(level()));
    }

    /// Plain gradient descent on one sample after the other, with a stored gradient and without.
    #[test]
    fn a_step_needs_no_gradient() {
        // Without batch normalization, which does not learn from a single sample.
        type Net = (Dense<3, 19, Identity, f64>, Tanh, Block);
        let mut network = Net::new(&mut crate::seeded(0));
        let mut workspace = Workspace::<Net, 2>::new();
        let mut trainer =
            Trainer::<_, _, _, _, 2>::with_micro_batch(network.clone(), MeanSquaredError, Sgd::new(0.1), ());
        for step in 0..10 {
            let (input, target) = ([0.1, -0.7, step as f64 / 10.0], [0.5; 19]);
            trainer.step_one(&input, &target).unwrap();
            let before = network.clone();
            dispatch!(level(), simd => {
                workspace.output_gradient_of_one(simd, &network, &MeanSquaredError, (&[input], &[target]), 0).unwrap();
                workspace.sgd_step(simd, &mut network, 0.1);
            });
            assert!(network == trainer.network && network != before, "step {step}");
        }
    }
}
