//! [`Network`]: the methods that users call on a network.

use crate::activation::init::{GlorotUniform, Init};
use crate::data::{Inputs, Sample, Samples, micro_batch_in_place};
use crate::error::Error;
use crate::model::layer::{Internal, is_inlined};
use crate::model::stream::run;
use crate::model::{
    Aligned, Batch, Features, FromTo, Image, InputShape, Model, OneStep, Op, Out, Parameter, Pass, Sequence, Shape,
    Step, Stream, StreamOut, StreamState, Summary, Trainable, VisitorMut, Zeroed, jacobian,
};
use crate::num::Real;
use crate::num::dispatch::{dispatch, dispatch_or_call, level};
use crate::num::target::BY_VALUE;
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// The number of samples that [`Network::predict_all`] computes at once.
pub(crate) const MICRO_BATCH: usize = 32;

/// One output of the network `N`: `[T; OUT]` for features.
pub type OutputSample<N> = <Out<N> as Shape>::Sample<<N as InputShape>::Scalar>;

/// One input of the network `N`: `[T; IN]` for features.
pub type InputSample<N> = <<N as InputShape>::In as Shape>::Sample<<N as InputShape>::Scalar>;

/// A neural network whose sizes match: creation, prediction, summary. Every tuple of layers and every layer of this
/// library is a network; for a layer of your own, write `impl Network for MyLayer {}`.
///
/// The bounds are on the methods, not on the implementations, so that the compiler names the layer that does not
/// fit, instead of saying that there is no such method.
///
/// Code for any network of certain sizes takes the bound [`FromTo<IN, OUT>`](crate::model::FromTo), and holds different ones
/// behind [`dyn Predict<IN, OUT>`](crate::model::Predict):
///
/// ```
/// use tuplenet::prelude::*;
///
/// /// The larger of two outputs.
/// fn decide<N: FromTo<4, 2>>(network: &N, measurements: &[f32; 4]) -> usize {
///     let [stay, go] = network.predict_one(measurements);
///     usize::from(go > stay)
/// }
///
/// let network = <(Dense<4, 8, Tanh>, Dense<8, 2, Softmax>)>::new(&mut seeded(0));
/// assert!(decide(&network, &[0.5; 4]) < 2);
/// ```
#[doc(alias("nn.Sequential", "Sequential", "model"))]
pub trait Network: Sized {
    /// Creates a network with random weights, by the initialization that suits each layer's activation, and biases
    /// of zero.
    ///
    /// Like everything that needs randomness, it takes a random number generator by value, `seeded(0)`, or one that is used
    /// again, `&mut rng`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
    /// let network = Xor::new(&mut seeded(0));
    /// ```
    fn new<R: Rng>(mut rng: R) -> Self
    where
        Self: Trainable,
    {
        let mut network = Self::ZEROED;
        network.initialize(&mut rng);
        network
    }

    /// Creates the same network as [`new`](Self::new) in a box, for a network that is too large for the stack of
    /// the current thread. See [`Trainer::boxed`](crate::train::Trainer::boxed) for training it, and
    /// [`speed`](crate::guide::speed) for what still uses the stack.
    ///
    /// Safe Rust makes every value on a stack. This one is made on the stack of a short-lived thread; a network of
    /// less than 16 kilobytes needs no thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// // 4 megabytes of weights, twice what a thread's stack usually has.
    /// type Large = (Dense<1000, 1000, Relu>, Dense<1000, 10, Softmax>);
    /// let network = Large::boxed(&mut seeded(0));
    /// assert!(network.predict_one(&[0.5; 1000])[9] > 0.0);
    /// ```
    #[cfg(feature = "std")]
    fn boxed<R: Rng>(mut rng: R) -> alloc::boxed::Box<Self>
    where
        Self: Trainable + Send,
    {
        let mut network = crate::model::boxed::boxed_on_large_stack(|| Self::ZEROED);
        network.initialize(&mut rng);
        network
    }

    /// Creates a network with random weights by the initialization `init`. Other parameters start as in
    /// [`new`](Self::new): biases with zero.
    fn with_init<R: Rng>(init: &impl Init, mut rng: R) -> Self
    where
        Self: Trainable,
    {
        let mut network = Self::new(&mut rng);
        network.visit_mut([], &mut Initialize { init, rng: &mut rng });
        network
    }

    /// The layers as a printable table, with outputs, parameters, bytes and MACs.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
    /// println!("{}", Xor::summary());
    /// assert_eq!(Xor::summary().parameters(), 33);
    /// ```
    #[doc(alias("model.summary"))]
    #[must_use]
    fn summary() -> Summary<Self>
    where
        Self: Trainable,
    {
        Summary::new()
    }

    /// Predicts the outputs for the samples in the columns of `x`.
    ///
    /// # Shapes
    ///
    /// `x` is `IN` by `B`, the result `OUT` by `B`: one sample is one column.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <(Dense<2, 8, Tanh>, Dense<8, 3, Softmax>)>::new(&mut seeded(0));
    /// let y: SMatrix<f32, 3, 4> = network.predict(&SMatrix::<f32, 2, 4>::zeros());
    /// assert!((y.column(0).sum() - 1.0).abs() < 1e-6);
    /// ```
    #[must_use]
    fn predict<X, const B: usize>(&self, x: &X) -> Batch<X::Out, X::Scalar, B>
    where
        X: Columns<Self, B> + ?Sized,
    {
        dispatch_or_call!(X::IS_INLINED, simd => x.enter(simd, self))
    }

    /// Predicts the outputs for one sample.
    ///
    /// # Shapes
    ///
    /// `x` is `[T; IN]` or `SVector<T, IN>`, the result `[T; OUT]`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
    /// let [probability] = network.predict_one(&[0.5, -0.5]);
    /// assert!(0.0 < probability && probability < 1.0);
    /// ```
    #[doc(alias("forward", "__call__", "predict_proba", "no_grad"))]
    #[must_use]
    fn predict_one<X>(&self, x: &X) -> <X::Out as Shape>::Sample<X::Scalar>
    where
        X: Columns<Self, 1> + ?Sized,
    {
        X::Out::get(&self.predict(x), 0)
    }

    /// Predicts the outputs for any number of samples, into `outputs`.
    ///
    /// # Shapes
    ///
    /// `inputs`: samples of `[T; IN]`. `outputs`: as many samples of `[T; OUT]`.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] if there are not as many `outputs` as `inputs`, and what [`Samples::check`] returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
    /// let mut outputs = [[0.0]; 3];
    /// network.predict_all(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], &mut outputs)?;
    /// assert_eq!(outputs[0], [0.5]);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("predict"))]
    fn predict_all<X>(&self, inputs: &X, outputs: &mut [OutputSample<Self>]) -> Result<(), Error>
    where
        X: Inputs<<Self as InputShape>::Scalar, <Self as InputShape>::In> + ?Sized,
        Self: InputShape + Model<<Self as InputShape>::In, <Self as InputShape>::Scalar>,
    {
        check_places(inputs, outputs)?;
        dispatch_or_call!(is_inlined::<Self::In, Self::Scalar, Self>(MICRO_BATCH), simd => predict_all(simd, self, inputs, 0, outputs));
        Ok(())
    }

    /// Predicts the outputs for any number of samples, as a new vector; [`predict_all`](Self::predict_all) writes into one that is
    /// there.
    ///
    /// # Shapes
    ///
    /// `inputs`: samples of `[T; IN]`; returns as many samples of `[T; OUT]`.
    ///
    /// # Errors
    ///
    /// What [`Samples::check`] returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
    /// let outputs = network.predict_vec(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])?;
    /// assert_eq!(outputs[0], [0.5]);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[cfg(feature = "alloc")]
    #[doc(alias("predict"))]
    fn predict_vec<X>(&self, inputs: &X) -> Result<alloc::vec::Vec<OutputSample<Self>>, Error>
    where
        X: Inputs<<Self as InputShape>::Scalar, <Self as InputShape>::In> + ?Sized,
        Self: InputShape + Model<<Self as InputShape>::In, <Self as InputShape>::Scalar>,
    {
        inputs.check()?;
        let mut outputs = alloc::vec![Zeroed::ZEROED; inputs.count()];
        self.predict_all(inputs, &mut outputs)?;
        Ok(outputs)
    }

    /// The Jacobian at the sample `x`: the derivative of each output by each input, in evaluation. For the linearization of a
    /// model in control, such as an extended Kalman filter, and for sensitivities.
    ///
    /// It needs the stack for a network, which is the unused gradient by the parameters, and for a micro-batch of as many samples
    /// as there are outputs.
    ///
    /// # Shapes
    ///
    /// `x` is `[T; IN]` or `SVector<T, IN>`, the result `OUT` by `IN`.
    ///
    /// # Formula
    ///
    /// `J[(o, i)] = d y[o] / d x[i]`. PyTorch equivalent: `torch.func.jacrev`, of a model after `eval()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = Dense::<2, 3, Identity>::from_rows([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0.5; 3]);
    /// let jacobian: SMatrix<f32, 3, 2> = network.jacobian(&[0.1, 0.2]);
    /// assert_eq!(jacobian, network.weight);
    /// ```
    #[doc(alias("jacrev", "sensitivity", "linearize", "linearization"))]
    #[must_use]
    fn jacobian<T: Real, const IN: usize, const OUT: usize>(
        &self,
        x: &impl Sample<T, Item = [T; IN]>,
    ) -> SMatrix<T, OUT, IN>
    where
        Self: FromTo<IN, OUT, T>,
    {
        let mut sample = [T::ZERO; IN];
        x.copy(&mut sample);
        jacobian::by_inputs(self, sample)
    }

    /// The Jacobian by the parameters at the sample `x`, in evaluation: for each output a network whose parameters are the
    /// derivatives of that output.
    ///
    /// # Shapes
    ///
    /// `x` is `[T; IN]` or `SVector<T, IN>`, the result `[Self; OUT]`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = Dense::<2, 1, Identity>::from_rows([[1.0, 2.0]], [0.5]);
    /// let [by_parameters] = network.parameter_jacobian(&[0.1, 0.2]);
    /// assert_eq!(by_parameters, Dense::from_rows([[0.1, 0.2]], [1.0]));
    /// ```
    #[doc(alias("jacrev", "functional_call"))]
    #[must_use]
    fn parameter_jacobian<T: Real, const IN: usize, const OUT: usize>(
        &self,
        x: &impl Sample<T, Item = [T; IN]>,
    ) -> [Self; OUT]
    where
        Self: FromTo<IN, OUT, T>,
    {
        let mut sample = [T::ZERO; IN];
        x.copy(&mut sample);
        jacobian::by_parameters(self, &sample)
    }

    /// The gradient of one output by the inputs at the sample `x`, in evaluation, for any shape of input: for an image it is the
    /// saliency map of a class.
    ///
    /// # Errors
    ///
    /// [`Error::Output`] if the network has no output with the index `output`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = Dense::<2, 3, Identity>::from_rows([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0.5; 3]);
    /// assert_eq!(network.output_gradient(&[0.1, 0.2], 1)?, [3.0, 4.0]);
    /// let error = network.output_gradient(&[0.1, 0.2], 3).unwrap_err();
    /// assert_eq!(error.to_string(), "expected the index of one of 3 outputs, found 3");
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("saliency", "attribution"))]
    fn output_gradient(&self, x: &InputSample<Self>, output: usize) -> Result<InputSample<Self>, Error>
    where
        Self: Trainable,
    {
        let count = <Out<Self> as Shape>::LEN;
        jacobian::of_output(self, x, output).ok_or(Error::Output { found: output, count })
    }

    /// The product of a vector and the Jacobian at the sample `x`, in evaluation, for any shape of input: the gradient by the
    /// inputs of a function of the outputs that has the gradient `output_gradient` by them.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = Dense::<2, 3, Identity>::from_rows([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [0.5; 3]);
    /// assert_eq!(network.vector_jacobian_product(&[0.1, 0.2], &[1.0, 1.0, 1.0]), [9.0, 12.0]);
    /// ```
    #[doc(alias("vjp", "backward", "autograd.grad"))]
    #[must_use]
    fn vector_jacobian_product(&self, x: &InputSample<Self>, output_gradient: &OutputSample<Self>) -> InputSample<Self>
    where
        Self: Trainable,
    {
        jacobian::pull_back(self, x, output_gradient)
    }

    /// The state of a stream before its first step; see [`step`](Self::step).
    #[must_use]
    fn state(&self) -> StreamState<Self>
    where
        Self: InputShape + Stream<Step<Self>, <Self as InputShape>::Scalar>,
        Self::In: OneStep,
    {
        Zeroed::ZEROED
    }

    /// Predicts the output for the next step of a sequence, and changes the state. After the last step it is the same, bit by
    /// bit, as the prediction for the whole sequence.
    ///
    /// # Shapes
    ///
    /// `x` is `[T; IN]`, the result `[T; OUT]`, for a network that takes `Sequence<STEPS, IN>`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::{Gru, Last};
    /// use tuplenet::prelude::*;
    ///
    /// let network = <(Gru<1, 8>, Last, Dense<8, 1, Identity>)>::new(&mut seeded(0));
    /// let mut state = network.state();
    /// network.step(&mut state, &[0.5]);
    /// let y = network.step(&mut state, &[-0.5]);
    /// assert_eq!(y, network.predict_one(&[[0.5], [-0.5]]));
    /// ```
    #[doc(alias("stateful", "streaming"))]
    #[must_use]
    fn step(
        &self,
        state: &mut StreamState<Self>,
        x: &<Step<Self> as Shape>::Sample<<Self as InputShape>::Scalar>,
    ) -> StreamOut<Self>
    where
        Self: InputShape + Stream<Step<Self>, <Self as InputShape>::Scalar>,
        Self::In: OneStep,
    {
        let mut y = [Zeroed::ZEROED];
        dispatch!(level(), simd => run(simd, self, state, core::slice::from_ref(x), &mut y));
        let [y] = y;
        y
    }

    /// [`step`](Self::step) for each step of a block, such as a buffer of audio: the instruction set is chosen once.
    ///
    /// # Shapes
    ///
    /// `block`: steps of `[T; IN]`. `outputs`: as many of `[T; OUT]`.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] if there are not as many `outputs` as steps; the state is unchanged then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::{Lstm, Steps};
    /// use tuplenet::prelude::*;
    ///
    /// let network = <(Lstm<1, 8>, Steps<Dense<8, 1, Identity>>)>::new(&mut seeded(0));
    /// let (mut state, mut outputs) = (network.state(), [[0.0]; 64]);
    /// network.run(&mut state, &[[0.5]; 64], &mut outputs)?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    fn run(
        &self,
        state: &mut StreamState<Self>,
        block: &[<Step<Self> as Shape>::Sample<<Self as InputShape>::Scalar>],
        outputs: &mut [StreamOut<Self>],
    ) -> Result<(), Error>
    where
        Self: InputShape + Stream<Step<Self>, <Self as InputShape>::Scalar>,
        Self::In: OneStep,
    {
        let (expected, found) = (block.len(), outputs.len());
        if expected != found {
            return Err(Error::Lengths { what: "outputs, one for each step", expected, found });
        }
        dispatch!(level(), simd => run(simd, self, state, block, outputs));
        Ok(())
    }

    /// Calls `emit` with the operations of the [graph](crate::model::Op): what the network computes in prediction, for
    /// exporters.
    fn graph<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, <Self as InputShape>::Scalar>))
    where
        Self: Trainable,
    {
        self.operations(emit);
    }
}

/// Applies an initialization to every weight of a network.
struct Initialize<'a, I, R> {
    init: &'a I,
    rng: &'a mut R,
}

/// The initial values of a field of [`parameters!`](crate::parameters).
#[doc(hidden)]
pub fn initialize<T: Real, R: Rng>(parameter: Parameter, values: &mut [T], rng: &mut R) {
    if parameter.kind.is_weight() {
        GlorotUniform.fill(rng, parameter.columns, parameter.rows, values);
    }
}

impl<T: Real, I: Init, R: Rng> VisitorMut<T, 0> for Initialize<'_, I, R> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        if parameter.kind.is_weight() {
            self.init.fill(self.rng, parameter.columns, parameter.rows, values);
        }
    }
}

/// `B` samples that the network `N` can predict. A trait of the samples and not of the network, so that the
/// compiler looks at their size first, and then names the layer that does not accept it.
#[diagnostic::on_unimplemented(
    message = "`predict` and `predict_one` do not accept `{Self}`",
    label = "expected a sample `[T; IN]`, or a matrix with a sample in each column",
    note = "for an array, a slice or a vector of samples there is `predict_all(&samples, &mut outputs)`",
    note = "the type of the values, `T`, must be that of the network"
)]
pub trait Columns<N, const B: usize> {
    /// The scalar type.
    type Scalar: Real;

    /// The shape of the network's output.
    type Out: Shape;

    /// Whether the prediction is inlined whole into the caller's code, because there is so little to do.
    #[doc(hidden)]
    const IS_INLINED: bool;

    /// The network's output.
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<Self::Out, Self::Scalar, B>;
}

impl<T: Real, N: Model<Features<IN>, T>, const IN: usize, const B: usize> Columns<N, B> for SMatrix<T, IN, B> {
    type Scalar = T;
    type Out = N::Out;
    const IS_INLINED: bool = is_inlined::<Features<IN>, T, N>(B);

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, B> {
        if BY_VALUE {
            return network.infer_by_value(Pass::<S, B>::new(simd, B), self, Internal);
        }
        let mut y = Zeroed::ZEROED;
        network.infer(Pass::<S, B>::new(simd, B), self, &mut y);
        y
    }
}

impl<T: Real, N: Model<Features<IN>, T>, const IN: usize> Columns<N, 1> for [T; IN] {
    type Scalar = T;
    type Out = N::Out;
    const IS_INLINED: bool = is_inlined::<Features<IN>, T, N>(1);

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, 1> {
        bytemuck::must_cast_ref::<_, SMatrix<T, IN, 1>>(self).enter(simd, network)
    }
}

impl<T: Real, N: Model<Image<C, H, W>, T>, const C: usize, const H: usize, const W: usize> Columns<N, 1>
    for [[[T; W]; H]; C]
{
    type Scalar = T;
    type Out = N::Out;
    const IS_INLINED: bool = is_inlined::<Image<C, H, W>, T, N>(1);

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, 1> {
        bytemuck::must_cast_ref::<_, [[[[T; 1]; W]; H]; C]>(self).enter(simd, network)
    }
}

impl<T: Real, N: Model<Image<C, H, W>, T>, const C: usize, const H: usize, const W: usize, const B: usize> Columns<N, B>
    for [[[[T; B]; W]; H]; C]
{
    type Scalar = T;
    type Out = N::Out;
    const IS_INLINED: bool = is_inlined::<Image<C, H, W>, T, N>(B);

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, B> {
        let mut y = Zeroed::ZEROED;
        network.infer(Pass::<S, B>::new(simd, B), self, &mut y);
        y
    }
}

/// One sequence: a network without an [`Input`](crate::layers::Input) predicts it whatever its number of steps.
impl<T: Real, N: Model<Sequence<STEPS, IN>, T>, const IN: usize, const STEPS: usize> Columns<N, 1>
    for [[T; IN]; STEPS]
{
    type Scalar = T;
    type Out = N::Out;
    const IS_INLINED: bool = is_inlined::<Sequence<STEPS, IN>, T, N>(1);

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, 1> {
        bytemuck::must_cast_ref::<_, [SMatrix<T, IN, 1>; STEPS]>(self).enter(simd, network)
    }
}

/// `B` sequences: a matrix for each step.
impl<T: Real, N: Model<Sequence<STEPS, IN>, T>, const IN: usize, const STEPS: usize, const B: usize> Columns<N, B>
    for [SMatrix<T, IN, B>; STEPS]
{
    type Scalar = T;
    type Out = N::Out;
    const IS_INLINED: bool = is_inlined::<Sequence<STEPS, IN>, T, N>(B);

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, B> {
        let mut y = Zeroed::ZEROED;
        network.infer(Pass::<S, B>::new(simd, B), self, &mut y);
        y
    }
}

/// Fails unless there are as many outputs as inputs.
pub(crate) fn check_places<T: Real, X: Samples<T> + ?Sized, P>(inputs: &X, outputs: &[P]) -> Result<(), Error> {
    inputs.check()?;
    let (expected, found) = (inputs.count(), outputs.len());
    if expected != found {
        return Err(Error::Lengths { what: "outputs, one for each input", expected, found });
    }
    Ok(())
}

/// The outputs for the inputs from index `first` on, as many as there are `outputs`.
#[inline(always)]
pub(crate) fn predict_all<S: Simd, N, X>(
    simd: S,
    network: &N,
    inputs: &X,
    first: usize,
    outputs: &mut [<Out<N> as Shape>::Sample<N::Scalar>],
) where
    X: Inputs<N::Scalar, N::In> + ?Sized,
    N: InputShape + Model<<N as InputShape>::In, <N as InputShape>::Scalar>,
{
    let mut x = Aligned::<Batch<N::In, N::Scalar, MICRO_BATCH>>::ZEROED;
    let mut y = Aligned::<Batch<N::Out, N::Scalar, MICRO_BATCH>>::ZEROED;
    if X::PADDED {
        // One sequence after the other, each with its own number of steps.
        for (index, output) in outputs.iter_mut().enumerate() {
            let steps = inputs.steps(first + index);
            copy_samples::<N::In, _, X, MICRO_BATCH>(inputs, first + index..first + index + 1, &mut x.0);
            N::In::clear_steps_from(&mut x.0, steps);
            network.infer(Pass::<S, MICRO_BATCH>::new(simd, 1).with_steps(steps), &x.0, &mut y.0);
            *output = N::Out::get(&y.0, 0);
        }
        return;
    }
    for (pass, outputs) in outputs.chunks_mut(MICRO_BATCH).enumerate() {
        let (count, begin) = (outputs.len(), first + pass * MICRO_BATCH);
        // Whole micro-batches are read and written in place, without a copy, if memory has them as layers want them.
        let in_place = micro_batch_in_place::<_, X, MICRO_BATCH>(inputs, true, begin).and_then(
            #[inline(always)]
            |samples| N::In::in_place(samples),
        );
        let x = match in_place {
            Some(x) => x,
            None => {
                copy_samples::<N::In, _, X, MICRO_BATCH>(inputs, begin..begin + count, &mut x.0);
                &x.0
            }
        };
        let pass = Pass::<S, MICRO_BATCH>::new(simd, count);
        let in_place = outputs.first_chunk_mut::<MICRO_BATCH>().and_then(
            #[inline(always)]
            |outputs| N::Out::in_place_mut(outputs),
        );
        if let Some(y) = in_place {
            network.infer(pass, x, y);
            continue;
        }
        network.infer(pass, x, &mut y.0);
        for (column, output) in outputs.iter_mut().enumerate() {
            *output = N::Out::get(&y.0, column);
        }
    }
}

/// The outputs for one sample, as a batch; of a sequence only the first `steps` are there.
pub(crate) fn infer_one<In: Shape, T: Real, N: Model<In, T>>(
    network: &N,
    sample: &In::Sample<T>,
    steps: usize,
) -> Batch<N::Out, T, 1> {
    let (mut copy, mut y) = (<In::Batch<T, 1> as Zeroed>::ZEROED, Zeroed::ZEROED);
    let x = match In::in_place(core::array::from_ref(sample)) {
        Some(x) if steps == usize::MAX => x,
        _ => {
            In::set(&mut copy, 0, sample);
            In::clear_steps_from(&mut copy, steps);
            &copy
        }
    };
    dispatch_or_call!(is_inlined::<In, T, N>(1), simd => network.infer(Pass::<_, 1>::new(simd, 1).with_steps(steps), x, &mut y));
    y
}

/// Copies the samples with these indices into a micro-batch.
#[inline(always)]
pub(crate) fn copy_samples<In: Shape, T: Real, X: Inputs<T, In> + ?Sized, const B: usize>(
    inputs: &X,
    samples: impl Iterator<Item = usize>,
    to: &mut Batch<In, T, B>,
) {
    if let Some(columns) = In::samples_mut(to) {
        for (column, sample) in columns.iter_mut().zip(samples) {
            inputs.copy(sample, column);
        }
        return;
    }
    let mut x = <In::Sample<T> as Zeroed>::ZEROED;
    for (column, sample) in samples.enumerate() {
        inputs.copy(sample, &mut x);
        In::set(to, column, &x);
    }
}
