//! [`Quantized`]: a network in integers between two scales.

use super::layer::{Quantize, QuantizedLayer};
use super::scale::{Integers, QuantizedShape, Scale};
use crate::kernel::Pass;
use crate::metrics::largest_index;
use crate::model::{Batch, Features, InputShape, Model, Network};
use crate::num::dispatch::{dispatch, level};
use core::marker::PhantomData;
use fearless_simd::Simd;

/// The type of the network `N` in integers: what [`quantize`](super::Quantization::quantize) returns, known from the type of
/// `N` alone.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::quantization::QuantizedNetwork;
///
/// type Net = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);
/// // The weights are four times smaller; bias, factor and shift of an output take 7 bytes.
/// assert!(size_of::<QuantizedNetwork<Net>>() < 2368 + 42 * 7 + 64);
/// ```
pub type QuantizedNetwork<N> = Quantized<<N as InputShape>::In, <N as Quantize<<N as InputShape>::In>>::Quantized>;

/// A network in integers, from inputs of the shape `In`: its layers `L`, and the scale of its inputs.
///
/// It predicts as other networks do ([`Network::predict_one`], [`metrics::accuracy`](crate::metrics::accuracy)), from floats and to
/// floats. [`run`](Self::run) and [`class`](Self::class) take and return integers alone, for a microcontroller that has nothing else.
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("int8", "quantized model"))]
pub struct Quantized<In, L> {
    input: Scale,
    layers: L,
    shape: PhantomData<fn() -> In>,
}

impl<In, L> Quantized<In, L> {
    /// Creates the network from the scale of its inputs and its layers, for a `static`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::quantization::{Clamp, Quantized, QuantizedDense, QuantizedNetwork, Scale};
    ///
    /// type Xor = (Dense<2, 2, Relu>, Dense<2, 1, Identity>);
    /// const BITS: Scale = Scale::new(1.0 / 255.0, -128);
    /// // Two hidden values: the sum of the inputs, and what of it is above one; the first less twice the second.
    /// static XOR: QuantizedNetwork<Xor> = Quantized::from_parts(BITS, (
    ///     QuantizedDense::from_parts(
    ///         [[127, 127], [127, 127]], [32512, 127], [33026; 2], [14, 14], Clamp, Scale::new(2.0 / 255.0, -128),
    ///         Scale::new(2.0 / 255.0, -128),
    ///     ),
    ///     QuantizedDense::from_parts(
    ///         [[64, -127]], [-8064], [65279], [13], Clamp, Scale::new(1.0 / 127.0, -128), Scale::new(1.0 / 127.0, -128),
    ///     ),
    /// ));
    /// for (x, expected) in [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)] {
    ///     assert!((XOR.predict_one(&x)[0] - expected).abs() < 0.05);
    /// }
    /// ```
    #[must_use]
    pub const fn from_parts(input: Scale, layers: L) -> Self {
        Quantized { input, layers, shape: PhantomData }
    }

    /// The scale of the inputs.
    #[must_use]
    pub const fn input(&self) -> Scale {
        self.input
    }

    /// The layers.
    #[must_use]
    pub const fn layers(&self) -> &L {
        &self.layers
    }
}

impl<In: QuantizedShape, L: QuantizedLayer<In>> Quantized<In, L> {
    /// The scale of the outputs; of a network that ends with softmax, that of the logits.
    #[must_use]
    pub fn output(&self) -> Scale {
        self.layers.output(self.input)
    }

    /// From integers to integers, on the scales [`input`](Self::input) and [`output`](Self::output): nothing is computed in
    /// floats, unless a layer is [`F32`](super::F32). Of a network that ends with softmax the outputs are the logits.
    ///
    /// # Shapes
    ///
    /// `x` is `[i8; IN]`, the result `[i8; OUT]`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(seeded(0));
    /// let quantized = network.quantize(&[[0.0, 0.0], [1.0, 0.2], [0.4, 1.0]])?;
    /// let [probability] = quantized.run(&[0.4, 1.0].map(|x| quantized.input().quantize(x)));
    /// assert_eq!([quantized.output().real(probability)], quantized.predict_one(&[0.4, 1.0]));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[inline]
    #[must_use]
    pub fn run(&self, x: &Integers<In>) -> Integers<L::Out> {
        dispatch!(level(), simd => self.layers.run(simd, x))
    }
}

impl<In: QuantizedShape, const OUT: usize, L: QuantizedLayer<In, Out = Features<OUT>>> Quantized<In, L> {
    /// The class that the network predicts, in integers alone: the index of the largest output, the first one if several are
    /// equal.
    #[inline]
    #[must_use]
    pub fn class(&self, x: &Integers<In>) -> usize {
        largest_index(&self.run(x))
    }
}

impl<In: QuantizedShape, L> InputShape for Quantized<In, L> {
    type In = In;
    type Scalar = f32;
}

impl<In, L> Network for Quantized<In, L> {}

impl<In: QuantizedShape, L: QuantizedLayer<In>> Model<In, f32> for Quantized<In, L> {
    type Out = L::Out;

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &Batch<In, f32, B>, y: &mut Batch<L::Out, f32, B>) {
        for column in 0..pass.len() {
            self.layers.predict(pass.simd(), self.input, x, y, column);
        }
    }
}
