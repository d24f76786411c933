//! [`Network`]: the methods that users call on a network.

use crate::data::{Inputs, Samples, micro_batch_in_place};
use crate::error::Error;
use crate::init::Init;
use crate::model::params::is_inlined;
use crate::model::{
    Aligned, Batch, Features, HasScalar, InputShape, Kind, Layer, Parameter, Params, Pass, Shape, Summary, VisitorMut,
    Zeroed,
};
use crate::num::dispatch::dispatch_or_call;
use crate::num::{Real, SCALAR};
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// The number of samples that [`Network::predict_all`] computes at once.
pub(crate) const MICRO_BATCH: usize = 32;

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
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
    /// let network = Xor::new(&mut seeded(0));
    /// ```
    fn new<R: Rng>(rng: &mut R) -> Self
    where
        Self: InputShape + Layer<<Self as InputShape>::In>,
    {
        let mut network = Self::ZEROED;
        network.initialize(rng);
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
    fn boxed<R: Rng>(rng: &mut R) -> alloc::boxed::Box<Self>
    where
        Self: InputShape + Layer<<Self as InputShape>::In> + Send,
    {
        let mut network = crate::model::boxed::boxed_on_large_stack(|| Self::ZEROED);
        network.initialize(rng);
        network
    }

    /// Creates a network with random weights by the initialization `init`. Other parameters start as in
    /// [`new`](Self::new): biases with zero.
    fn with_init<R: Rng>(init: &impl Init, rng: &mut R) -> Self
    where
        Self: InputShape + Layer<<Self as InputShape>::In>,
    {
        let mut network = Self::new(rng);
        network.visit_mut([], &mut Initialize { init, rng });
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
        Self: InputShape + Layer<<Self as InputShape>::In>,
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
    fn predict<X, const B: usize>(&self, x: &X) -> Batch<X::Out, <Self as Params>::Scalar, B>
    where
        Self: Params,
        X: Columns<Self, B> + ?Sized,
    {
        dispatch_or_call!(is_inlined::<Self>(B), simd => x.enter(simd, self))
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
    #[doc(alias("forward", "__call__"))]
    #[must_use]
    fn predict_one<X, const OUT: usize>(&self, x: &X) -> [<Self as Params>::Scalar; OUT]
    where
        Self: Params,
        X: Columns<Self, 1, Out = Features<OUT>> + ?Sized,
    {
        self.predict(x).data.0[0]
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
    fn predict_all<X, const IN: usize, const OUT: usize>(
        &self,
        inputs: &X,
        outputs: &mut [[<Self as Params>::Scalar; OUT]],
    ) -> Result<(), Error>
    where
        X: Inputs<<Self as Params>::Scalar, IN> + ?Sized,
        Self: Layer<Features<IN>, Out = Features<OUT>>,
    {
        check_places(inputs, outputs)?;
        dispatch_or_call!(is_inlined::<Self>(MICRO_BATCH), simd => predict_all(simd, self, inputs, 0, outputs));
        Ok(())
    }
}

/// Applies an initialization to every weight of a network.
struct Initialize<'a, I, R> {
    init: &'a I,
    rng: &'a mut R,
}

impl<T: Real, I: Init, R: Rng> VisitorMut<T, 0> for Initialize<'_, I, R> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        if parameter.kind == Kind::Weight {
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
pub trait Columns<N: Params, const B: usize> {
    /// The shape of the network's output.
    type Out: Shape;

    /// The network's output.
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<Self::Out, N::Scalar, B>;
}

impl<T: Real, N: HasScalar<T> + Layer<Features<IN>>, const IN: usize, const B: usize> Columns<N, B>
    for SMatrix<T, IN, B>
{
    type Out = N::Out;

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, B> {
        if SCALAR {
            return network.infer_by_value(Pass::<S, B>::new(simd, B), self);
        }
        let mut y = Zeroed::ZEROED;
        network.infer(Pass::<S, B>::new(simd, B), self, &mut y);
        y
    }
}

impl<T: Real, N: HasScalar<T> + Layer<Features<IN>>, const IN: usize> Columns<N, 1> for [T; IN] {
    type Out = N::Out;

    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, network: &N) -> Batch<N::Out, T, 1> {
        bytemuck::must_cast_ref::<_, SMatrix<T, IN, 1>>(self).enter(simd, network)
    }
}

// Never applies. But because it could, the compiler prints the message above for an array of samples, and not that
// an array is no scalar.
#[doc(hidden)]
impl<T: Real, N: Params, const IN: usize, const COUNT: usize> Columns<N, 1> for [[T; IN]; COUNT]
where
    [T; IN]: Real,
{
    type Out = Features<IN>;

    fn enter<S: Simd>(&self, _: S, _: &N) -> Batch<Features<IN>, N::Scalar, 1> {
        Zeroed::ZEROED
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
pub(crate) fn predict_all<S: Simd, N, X, const IN: usize, const OUT: usize>(
    simd: S,
    network: &N,
    inputs: &X,
    first: usize,
    outputs: &mut [[N::Scalar; OUT]],
) where
    X: Inputs<N::Scalar, IN> + ?Sized,
    N: Layer<Features<IN>, Out = Features<OUT>>,
{
    let mut x = Aligned::<SMatrix<N::Scalar, IN, MICRO_BATCH>>::ZEROED;
    let mut y = Aligned::<SMatrix<N::Scalar, OUT, MICRO_BATCH>>::ZEROED;
    for (pass, outputs) in outputs.chunks_mut(MICRO_BATCH).enumerate() {
        let (count, begin) = (outputs.len(), first + pass * MICRO_BATCH);
        // Whole micro-batches are read and written in place, without a copy.
        let x = match micro_batch_in_place::<_, X, MICRO_BATCH>(inputs, true, begin) {
            Some(samples) => bytemuck::must_cast_ref::<_, SMatrix<N::Scalar, IN, MICRO_BATCH>>(samples),
            None => {
                for (column, sample) in x.0.data.0.iter_mut().zip(begin..begin + count) {
                    inputs.copy(sample, column);
                }
                &x.0
            }
        };
        let whole = count == MICRO_BATCH;
        let y_in_place = match outputs.first_chunk_mut::<MICRO_BATCH>() {
            Some(outputs) => bytemuck::must_cast_mut::<_, SMatrix<N::Scalar, OUT, MICRO_BATCH>>(outputs),
            None => &mut y.0,
        };
        network.infer(Pass::<S, MICRO_BATCH>::new(simd, count), x, y_in_place);
        if !whole {
            for (output, y) in outputs.iter_mut().zip(&y.0.data.0) {
                *output = *y;
            }
        }
    }
}
