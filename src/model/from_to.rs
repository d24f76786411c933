//! Networks by the sizes of their inputs and outputs: [`FromTo`] as a bound, [`Predict`] behind a `dyn`.

use crate::error::Error;
use crate::model::{Features, InputShape, Layer, Model, Network, Shape};
use crate::num::Real;

/// Any network from `IN` inputs to `OUT` outputs of scalar type `T`: the one bound of generic functions and structs
/// that predict or train. Every such network has it; there is nothing to implement.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// /// A controller that does not say which network decides, and keeps learning.
/// struct Controller<N: FromTo<4, 2>> {
///     trainer: Trainer<N, MeanSquaredError, Sgd, ()>,
/// }
///
/// impl<N: FromTo<4, 2>> Controller<N> {
///     fn decide(&self, measurements: &[f32; 4]) -> [f32; 2] {
///         self.trainer.network.predict_one(measurements)
///     }
///
///     fn learn(&mut self, measurements: &[f32; 4], best: &[f32; 2]) -> Result<f32, tuplenet::Error> {
///         self.trainer.step_one(measurements, best)
///     }
/// }
///
/// let network = <(Dense<4, 8, Tanh>, Dense<8, 2, Tanh>)>::new(&mut seeded(0));
/// let mut controller = Controller { trainer: Trainer::new(network, MeanSquaredError, Sgd::new(0.1), ()) };
/// for _ in 0..100 {
///     controller.learn(&[0.1, 0.2, 0.3, 0.4], &[0.5, -0.5])?;
/// }
/// let [left, right] = controller.decide(&[0.1, 0.2, 0.3, 0.4]);
/// assert!(left > right);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// The losses of classification do not follow every last activation, so generic code that trains with them says that this one
/// does, for class indices, `usize` (which `bool` and `u8` become):
///
/// ```
/// use tuplenet::loss::Loss;
/// use tuplenet::model::LastActivation;
/// use tuplenet::prelude::*;
///
/// fn train<N>(network: N, inputs: &[[f32; 2]], classes: &[bool]) -> Result<N, tuplenet::Error>
/// where
///     N: FromTo<2, 1>,
///     BinaryCrossEntropy: Loss<f32, usize, LastActivation<N>, 1>,
/// {
///     let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
///     trainer.fit(inputs, classes, &FitOptions { epochs: 10, ..FitOptions::default() }, ())?;
///     Ok(trainer.network)
/// }
///
/// train(<Dense<2, 1, Sigmoid>>::new(seeded(0)), &[[0.0, 1.0], [1.0, 0.0]], &[true, false])?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// For images and sequences there is [`Between`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network from {IN} inputs to {OUT} outputs of type `{T}`",
    label = "expected a network from {IN} inputs to {OUT} outputs",
    note = "the `IN` of the first layer must be {IN}, the `OUT` of the last {OUT}, and the `IN` of any other the `OUT` of the \
            layer before it; `const _: () = tuplenet::model::assert_shapes::<Net>();` says which layer does not fit"
)]
pub trait FromTo<const IN: usize, const OUT: usize, T: Real = f32>:
    Network
    + InputShape<In = Features<IN>, Scalar = T>
    + Layer<Features<IN>, T>
    + Model<Features<IN>, T, Out = Features<OUT>>
{
}

// Otherwise a wrong size would be a type mismatch of an associated type, besides the layer's error.
#[diagnostic::do_not_recommend]
impl<N, T: Real, const IN: usize, const OUT: usize> FromTo<IN, OUT, T> for N where
    N: Network
        + InputShape<In = Features<IN>, Scalar = T>
        + Layer<Features<IN>, T>
        + Model<Features<IN>, T, Out = Features<OUT>>
{
}

/// Any network from samples of shape `In` to outputs of shape `Out`: [`FromTo`] for images and sequences.
///
/// # Examples
///
/// ```
/// use tuplenet::model::Between;
/// use tuplenet::prelude::*;
///
/// fn digit<N: Between<Image<1, 8, 8>, Features<10>>>(network: &N, image: &[[[f32; 8]; 8]; 1]) -> usize {
///     tuplenet::metrics::largest_index(&network.predict_one(image))
/// }
///
/// tuplenet::network! { type Net = Image<1, 8, 8> => Conv2d<4, 3, Relu>, Flatten, Dense<10, Softmax> }
/// assert!(digit(&Net::new(seeded(0)), &[[[0.5; 8]; 8]]) < 10);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a network from `{In}` to `{Out}` of `{T}`",
    label = "expected a network from `{In}` to `{Out}`",
    note = "`const _: () = tuplenet::model::assert_shapes::<Net>();` says which layer of a network does not fit"
)]
pub trait Between<In: Shape, Out: Shape, T: Real = f32>:
    Network + InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Out>
{
}

#[diagnostic::do_not_recommend]
impl<N, T: Real, In: Shape, Out: Shape> Between<In, Out, T> for N where
    N: Network + InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Out>
{
}

/// What predicts `OUT` values from `IN`, behind a `dyn`: different networks of the same sizes in one list or field, chosen at
/// run time. Every network [`FromTo<IN, OUT, T>`](FromTo) has it, and the results are those of
/// [`predict_one`](Network::predict_one), bit for bit. A rule of your own can implement it too.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// let small = <Dense<4, 2, Tanh>>::new(&mut seeded(0));
/// let large = <(Dense<4, 16, Relu>, Dense<16, 2, Tanh>)>::new(&mut seeded(1));
///
/// // References need no heap; with one there is `Vec<Box<dyn Predict<4, 2> + Send + Sync>>`.
/// let networks: [&dyn Predict<4, 2>; 2] = [&small, &large];
/// for network in networks {
///     let mut output = [0.0; 2];
///     network.predict_into(&[0.1, 0.2, 0.3, 0.4], &mut output);
///     assert!(output.iter().all(|y| y.abs() <= 1.0));
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not predict {OUT} outputs from {IN} inputs of type `{T}`",
    label = "expected a network from {IN} inputs to {OUT} outputs",
    note = "the `IN` of the first layer must be {IN}, the `OUT` of the last {OUT}, and the `IN` of any other the `OUT` of the \
            layer before it; `const _: () = tuplenet::model::assert_shapes::<Net>();` says which layer does not fit"
)]
pub trait Predict<const IN: usize, const OUT: usize, T = f32> {
    /// Writes the outputs for one sample to `output`.
    ///
    /// # Shapes
    ///
    /// `input`: `IN` values; `output`: `OUT` values.
    fn predict_into(&self, input: &[T; IN], output: &mut [T; OUT]);

    /// Writes the outputs for any number of samples to `outputs`; by default one after the other.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples; `outputs`: as many.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] if there are not as many `outputs` as `inputs`.
    fn predict_all_into(&self, inputs: &[[T; IN]], outputs: &mut [[T; OUT]]) -> Result<(), Error> {
        let (expected, found) = (inputs.len(), outputs.len());
        if expected != found {
            return Err(Error::Lengths { what: "outputs, one for each input", expected, found });
        }
        for (input, output) in inputs.iter().zip(outputs) {
            self.predict_into(input, output);
        }
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<N: FromTo<IN, OUT, T>, T: Real, const IN: usize, const OUT: usize> Predict<IN, OUT, T> for N {
    fn predict_into(&self, input: &[T; IN], output: &mut [T; OUT]) {
        *output = self.predict_one(input);
    }

    fn predict_all_into(&self, inputs: &[[T; IN]], outputs: &mut [[T; OUT]]) -> Result<(), Error> {
        self.predict_all(inputs, outputs)
    }
}
