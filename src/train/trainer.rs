//! [`Trainer`]: network, loss, optimizer and generator together; steps, epochs and whole trainings.

use crate::data::{Inputs, Permutation, check_data};
use crate::error::Error;
use crate::kernel::SMALL_SIZE;
use crate::loss::Targets;
use crate::model::{Features, InputShape, LastActivation, Layer, Parameter, Params, Visitor, Zeroed, fill, is_finite};
use crate::num::dispatch::{dispatch, level};
use crate::num::{Real, SCALAR};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::Workspace;
use crate::train::batch::{BatchView, MeanLoss, Sum, cause, cause_in_evaluation, check_together};
use crate::train::callbacks::{EpochReport, TrainerCallback};
use core::fmt;
use fearless_simd::Simd;
use num_traits::float::FloatCore;
use rand::Rng;

/// How long to train, and how.
///
/// ```
/// use tuplenet::prelude::*;
///
/// let fit = FitOptions { epochs: 100, ..FitOptions::default() };
/// assert_eq!((fit.batch_size, fit.shuffle), (32, true));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("max_iter", "batch_size"))]
pub struct FitOptions {
    /// How many times every sample is shown.
    pub epochs: usize,
    /// After how many samples the optimizer takes a step; the last batch of an epoch has what is left.
    pub batch_size: usize,
    /// Whether each epoch has an order of its own. Without effect where a batch holds all samples.
    pub shuffle: bool,
}

impl Default for FitOptions {
    /// One epoch, shuffled, in batches of 32.
    fn default() -> Self {
        FitOptions { epochs: 1, batch_size: 32, shuffle: true }
    }
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct FitReport<T> {
    /// How many epochs were run, the one in which the callback stopped the training included.
    pub epochs: usize,
    /// The mean loss over the samples of the last epoch, each measured just before its step; NaN if there was none.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one_or_nan"))]
    pub loss: T,
}

/// Everything that changes while a network learns, in one value without a heap: the network, its gradient, the
/// optimizer's memory, the generator, and a workspace for `B` samples at once.
///
/// `N` is the network, `L` the loss, `O` the optimizer, `R` the generator that shuffles. The micro-batch `B` is how
/// many samples are computed together, 32 unless chosen with [`with_micro_batch`](Self::with_micro_batch); the batch
/// size is another matter, and any size goes with any micro-batch.
///
/// ```
/// use tuplenet::prelude::*;
///
/// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let targets = [[0.0], [1.0], [1.0], [0.0]];
///
/// let network = Xor::new(&mut seeded(0));
/// let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
/// let fit = FitOptions { epochs: 1000, ..FitOptions::default() };
/// let outcome = trainer.fit(&inputs, &targets, &fit, ())?;
/// assert!(outcome.loss < 0.05);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("MLPClassifier", "MLPRegressor", "model.compile"))]
pub struct Trainer<
    N: InputShape + Layer<<N as InputShape>::In>,
    L,
    O: Optimizer<Scalar = N::Scalar>,
    R,
    const B: usize = 32,
> {
    /// What is trained.
    pub network: N,
    /// What becomes smaller.
    pub loss: L,
    /// What takes the steps.
    pub optimizer: O,
    /// Where the order of the samples comes from.
    pub rng: R,
    /// How many epochs have been run.
    pub epochs: usize,
    gradient: N,
    pub(crate) state: OptimizerState<O, N>,
    workspace: Workspace<N, B>,
}

/// An independent trainer, which goes on with the same bits as the original.
impl<N, L: Clone, O, R: Clone, const B: usize> Clone for Trainer<N, L, O, R, B>
where
    N: InputShape + Layer<<N as InputShape>::In> + Clone,
    O: Optimizer<Scalar = N::Scalar> + Clone,
    O::Shared: Clone,
{
    fn clone(&self) -> Self {
        Trainer {
            network: self.network.clone(),
            loss: self.loss.clone(),
            optimizer: self.optimizer.clone(),
            rng: self.rng.clone(),
            epochs: self.epochs,
            gradient: self.gradient.clone(),
            state: self.state.clone(),
            // Written before it is read; so the caches of layers need not be `Clone`.
            workspace: Workspace::new(),
        }
    }
}

/// Whether both go on in the same way: the same network, settings, randomness and optimizer's state.
impl<N, L: PartialEq, O, R: PartialEq, const B: usize> PartialEq for Trainer<N, L, O, R, B>
where
    N: InputShape + Layer<<N as InputShape>::In> + PartialEq,
    O: Optimizer<Scalar = N::Scalar> + PartialEq,
    O::Shared: PartialEq,
{
    fn eq(&self, other: &Self) -> bool {
        self.network == other.network
            && self.loss == other.loss
            && self.optimizer == other.optimizer
            && self.rng == other.rng
            && self.epochs == other.epochs
            && self.state == other.state
    }
}

/// Without gradient, workspace and the optimizer's values for each parameter.
impl<N, L: fmt::Debug, O, R: fmt::Debug, const B: usize> fmt::Debug for Trainer<N, L, O, R, B>
where
    N: InputShape + Layer<<N as InputShape>::In> + fmt::Debug,
    O: Optimizer<Scalar = N::Scalar> + fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("network", &self.network)
            .field("loss", &self.loss)
            .field("optimizer", &self.optimizer)
            .field("rng", &self.rng)
            .field("epochs", &self.epochs)
            .finish_non_exhaustive()
    }
}

/// Who computes the loss and the gradient of a batch for a trainer, with the trainer's memory: one thread, or several. The
/// parameters stand with the trait and not with its methods, so that several threads can ask for data that all may read.
pub(crate) trait Executor<N: InputShape + Layer<<N as InputShape>::In>, L, X: ?Sized, Y: ?Sized, const B: usize> {
    /// The mean loss of a batch; adds its gradients to `gradient`, which is zero after an error.
    fn accumulate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>;

    /// [`accumulate`](Self::accumulate) for a batch that fills one micro-batch, with a `gradient` that is zero; after
    /// an error it is of no account.
    fn accumulate_micro_batch<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>;

    /// The mean loss of a batch, in evaluation.
    fn evaluate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
    ) -> Result<MeanLoss<N::Scalar>, Error>;
}

/// The thread that calls, alone.
struct SingleThread<const IN: usize, const OUT: usize>;

impl<N, L, X, Y, const B: usize, const IN: usize, const OUT: usize> Executor<N, L, X, Y, B> for SingleThread<IN, OUT>
where
    N: InputShape<In = Features<IN>> + Layer<Features<IN>, Out = Features<OUT>>,
    X: Inputs<N::Scalar, IN> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
{
    #[inline(always)]
    fn accumulate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error> {
        workspace.accumulate(simd, network, loss, view, gradient)
    }

    #[inline(always)]
    fn accumulate_micro_batch<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error> {
        workspace.accumulate_micro_batch(simd, network, loss, &view, gradient)
    }

    #[inline(always)]
    fn evaluate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
    ) -> Result<MeanLoss<N::Scalar>, Error> {
        workspace.evaluate(simd, network, loss, view)
    }
}

impl<N, L, O, R> Trainer<N, L, O, R>
where
    N: InputShape + Layer<<N as InputShape>::In>,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// A trainer that has taken no step yet.
    ///
    /// It is made on the stack. In a program that is not optimized it is copied on the way: a thread needs about three times
    /// [`BYTES`](Self::BYTES) to make it and train with it, and with Adam that is twelve times the network. A test and most threads
    /// have 2 megabytes, so that from about 40,000 parameters of `f32` on (784-128-64-10 has 109,386) it takes a box: `boxed`, with
    /// the feature `std`. The main thread has 8 megabytes as a rule, enough for 170,000.
    /// [`assert_fits!`](crate::assert_fits) with a budget `stack` has the compiler look.
    pub const fn new(network: N, loss: L, optimizer: O, rng: R) -> Self {
        Self::with_micro_batch(network, loss, optimizer, rng)
    }
}

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: InputShape + Layer<<N as InputShape>::In>,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// A trainer that has taken no step yet, with the micro-batch that its type says:
    /// `Trainer::<_, _, _, _, 1>::with_micro_batch(..)` for the least memory.
    pub const fn with_micro_batch(network: N, loss: L, optimizer: O, rng: R) -> Self {
        Trainer {
            network,
            loss,
            optimizer,
            rng,
            epochs: 0,
            gradient: N::ZEROED,
            state: Zeroed::ZEROED,
            workspace: Workspace::new(),
        }
    }
}

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: InputShape + Layer<<N as InputShape>::In>,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// The bytes that a trainer takes: all the memory of training but the call stack. It is the sum of the network, its
    /// gradient, [`STATE_BYTES`](Self::STATE_BYTES), [`Workspace::BYTES`], the loss, the optimizer and the generator.
    pub const BYTES: usize = size_of::<Self>();

    /// The bytes of what the optimizer remembers from step to step.
    pub const STATE_BYTES: usize = size_of::<OptimizerState<O, N>>();

    /// Begins anew, in place: with the weights of [`Network::new`](crate::model::Network::new), no epoch run, and nothing
    /// remembered by the optimizer. Its rate stays as it is; that of a schedule begins anew.
    ///
    /// On a small stack a trainer should never be a value that is passed on. It can lie in a `static` that begins with zeros,
    /// takes no flash, and is initialized at run time:
    ///
    /// ```
    /// use tuplenet::model::Zeroed;
    /// use tuplenet::prelude::*;
    ///
    /// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
    /// type Learner = Trainer<Xor, MeanSquaredError, Sgd, (), 1>;
    /// static LEARNER: std::sync::Mutex<Learner> =
    ///     std::sync::Mutex::new(Learner::with_micro_batch(Xor::ZEROED, MeanSquaredError, Sgd::new(0.0), ()));
    ///
    /// let mut learner = LEARNER.lock().unwrap();
    /// learner.optimizer.set_learning_rate(0.5);
    /// learner.initialize(&mut seeded(0));
    /// assert!(learner.network != Xor::ZEROED);
    /// ```
    pub fn initialize<G: Rng>(&mut self, rng: &mut G) {
        fill(&mut self.network, N::Scalar::ZERO);
        self.network.initialize(rng);
        fill(&mut self.gradient, N::Scalar::ZERO);
        self.state = Zeroed::ZEROED;
        self.optimizer.restart();
        self.epochs = 0;
    }
}

#[cfg(feature = "std")]
impl<N, L, O, R> Trainer<N, L, O, R>
where
    N: InputShape + Layer<<N as InputShape>::In>,
    O: Optimizer<Scalar = N::Scalar>,
    Self: Send,
{
    /// Like [`new`](Self::new), in a box, for a network that is too large for the stack of its thread:
    /// [`Network::boxed`](crate::model::Network::boxed) makes one, and says how such a box is made.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Large = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Softmax>);
    /// let mut trainer = Trainer::boxed(Large::boxed(&mut seeded(0)), CrossEntropy, Adam::new(1e-3), seeded(1));
    /// trainer.step(&vec![[0.5; 784]; 4], &[0usize, 1, 2, 3])?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn boxed(network: alloc::boxed::Box<N>, loss: L, optimizer: O, rng: R) -> alloc::boxed::Box<Self>
    where
        N: Send,
        L: Send,
        O: Send,
        R: Send,
    {
        Self::boxed_with_micro_batch(network, loss, optimizer, rng)
    }
}

#[cfg(feature = "std")]
impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: InputShape + Layer<<N as InputShape>::In>,
    O: Optimizer<Scalar = N::Scalar>,
    Self: Send,
{
    /// Like [`boxed`](Trainer::boxed), with the micro-batch that its type says.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Large = (Dense<1000, 1000, Relu>, Dense<1000, 10, Softmax>);
    /// let network = Large::boxed(&mut seeded(0));
    /// let mut trainer =
    ///     Trainer::<_, _, _, _, 4>::boxed_with_micro_batch(network, CrossEntropy, Adam::new(1e-3), seeded(1));
    /// trainer.step(&vec![[0.5; 1000]; 4], &[0usize, 1, 2, 3])?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn boxed_with_micro_batch(
        network: alloc::boxed::Box<N>,
        loss: L,
        optimizer: O,
        rng: R,
    ) -> alloc::boxed::Box<Self>
    where
        N: Send,
        L: Send,
        O: Send,
        R: Send,
    {
        crate::model::boxed::boxed_on_large_stack(|| Self::with_micro_batch(*network, loss, optimizer, rng))
    }
}

impl<N, L, O, R, const B: usize, const IN: usize, const OUT: usize> Trainer<N, L, O, R, B>
where
    N: InputShape<In = Features<IN>> + Layer<Features<IN>, Out = Features<OUT>>,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// Takes one step of the optimizer, with all samples as one batch; gives their mean loss before the step.
    ///
    /// It is an error if there are no samples, or not as many targets as inputs, if the loss does not accept a target, or
    /// if an input or the loss is infinite or NaN. After an error the network is as it was.
    pub fn step<X, Y>(&mut self, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
    {
        self.step_by(&mut SingleThread, inputs, targets)
    }

    /// Takes one step of the optimizer by a single sample; gives its loss before the step. The same as [`step`](Self::step)
    /// with one sample, for a program that learns while it runs: the time is bounded, and with the micro-batch 1 of
    /// `Trainer<_, _, _, _, 1>` and such a trainer in a `static` all memory is known beforehand. The generator is not asked:
    /// `()` will do.
    ///
    /// ```
    /// use tuplenet::model::Zeroed;
    /// use tuplenet::prelude::*;
    ///
    /// type Net = (Dense<1, 4, Tanh>, Dense<4, 1, Identity>);
    /// let mut trainer =
    ///     Trainer::<Net, _, _, _, 1>::with_micro_batch(Net::ZEROED, MeanSquaredError, Sgd::new(0.1), ());
    /// trainer.initialize(&mut seeded(0));
    ///
    /// // Half of what the sensor says.
    /// for moment in 0..1000 {
    ///     let sensor = (moment % 20) as f32 / 10.0 - 1.0;
    ///     trainer.step_one(&[sensor], &[sensor / 2.0])?;
    /// }
    /// assert!((trainer.network.predict_one(&[0.6])[0] - 0.3).abs() < 0.05);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("partial_fit", "online learning"))]
    pub fn step_one<X, Y>(&mut self, input: &X, target: &Y) -> Result<N::Scalar, Error>
    where
        [X]: Inputs<N::Scalar, IN>,
        [Y]: Targets<N::Scalar, L, LastActivation<N>, OUT>,
    {
        let sample = (core::slice::from_ref(input), core::slice::from_ref(target));
        let epoch = self.epochs;
        if SETTINGS_VARY {
            self.optimizer.check()?;
            <[Y]>::check_loss(&self.loss)?;
        }
        check_together::<N, B>(1, 1)?;
        dispatch!(level(), simd => {
            let Trainer { network, loss, workspace, gradient, optimizer, state, .. } = self;
            let loss = match workspace.output_gradient_of_one(simd, network, loss, sample, epoch) {
                Ok(loss) => loss,
                Err(error) => return Err(cause(network, error)),
            };
            match optimizer.sgd_learning_rate() {
                Some(learning_rate) if SCALAR => {
                    workspace.sgd_step(simd, network, learning_rate);
                    optimizer.after_step();
                }
                _ => {
                    workspace.gradient_of_one(simd, network, gradient);
                    let large = core::mem::take(&mut workspace.large);
                    // Where nothing is squared, a gradient that is not finite is found by its weights, with less of a program.
                    if SETTINGS_VARY && optimizer.largest_gradient() < N::Scalar::max_value() && (large || loss > N::Scalar::of(HUGE)) {
                        check_gradient(gradient, optimizer, loss, epoch, 0)?;
                    }
                    take_step(simd, network, gradient, optimizer, state);
                }
            }
            Ok(loss)
        })
    }

    /// Shows every sample once, in batches, in an order drawn from the generator; gives the mean loss over the samples,
    /// each measured just before its step. After an error the network is as the last good step left it.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// // A schedule by hand: the learning rate falls by a tenth every ten epochs.
    /// let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    /// let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    /// for epoch in 0..100 {
    ///     trainer.optimizer.set_learning_rate(0.1 * 0.9f32.powi(epoch / 10));
    ///     trainer.epoch(&[[1.0], [2.0], [3.0]], &[[2.0], [4.0], [6.0]], 2)?;
    /// }
    /// assert!((trainer.network.predict_one(&[4.0])[0] - 8.0).abs() < 0.1);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn epoch<X, Y>(&mut self, inputs: &X, targets: &Y, batch_size: usize) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        R: Rng,
    {
        self.epoch_by(&mut SingleThread, inputs, targets, batch_size)
    }

    /// Trains for some epochs. `callback` is told of each and may stop the training: `()` looks away,
    /// `&mut History::new()` takes notes, and a function `|epoch: &EpochReport<_>| ..`, which returns `()` or a
    /// `ControlFlow<()>`, does what you write; `(a, b)` are two.
    ///
    /// What is an error for [`step`](Self::step) is one here, and so is a batch size of zero. After an error the network is
    /// as the last good step left it, unless the callback puts something else there.
    ///
    /// A training that diverges ends with [`Error::LossNotFinite`], which names the epoch: at the first batch whose loss or,
    /// where the loss is huge, whose gradient is infinite or NaN, and no step is taken with it. A step that took the
    /// parameters beyond the range of numbers all the same is found by the next batch, or after the last one. Steps before
    /// may have made the network worse and worse: [`EarlyStopping`](crate::train::callbacks::EarlyStopping) puts the weights of the
    /// best epoch back, after an error too, and with a patience of `usize::MAX` does nothing else.
    pub fn fit<X, Y, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        fit: &FitOptions,
        callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        R: Rng,
    {
        self.run(&mut SingleThread, inputs, targets, None::<(&X, &Y)>, fit, callback)
    }

    /// Like [`fit`](Self::fit), and after each epoch computes the loss of samples that are not trained on, a pair of
    /// inputs and targets.
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use tuplenet::prelude::*;
    ///
    /// let (inputs, targets) = ([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]]);
    /// let validation = (&[[1.5], [2.5]], &[[3.0], [5.0]]);
    ///
    /// // Until the validation loss is good enough.
    /// let good_enough = |epoch: &EpochReport<_>| match epoch.validation_loss {
    ///     Some(loss) if loss < 1e-6 => ControlFlow::Break(()),
    ///     _ => ControlFlow::Continue(()),
    /// };
    /// let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    /// let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    /// let outcome = trainer.fit_validated(
    ///     &inputs,
    ///     &targets,
    ///     validation,
    ///     &FitOptions { epochs: 10_000, ..FitOptions::default() },
    ///     good_enough,
    /// )?;
    /// assert!(outcome.epochs < 10_000);
    /// assert!(trainer.evaluate(validation.0, validation.1)? < 1e-6);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("validation_data"))]
    pub fn fit_validated<X, Y, VX, VY, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        validation: (&VX, &VY),
        fit: &FitOptions,
        callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        VX: Inputs<N::Scalar, IN> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        R: Rng,
    {
        self.run(&mut SingleThread, inputs, targets, Some(validation), fit, callback)
    }

    /// The mean loss over any number of samples, without learning from them.
    pub fn evaluate<X, Y>(&mut self, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
    {
        self.evaluate_by(&mut SingleThread, inputs, targets)
    }

    pub(crate) fn step_by<H, X, Y>(&mut self, executor: &mut H, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
    {
        let count = self.check(inputs, targets, usize::MAX)?;
        let order = &Permutation::identity(count);
        let epoch = self.epochs;
        let view = BatchView::all(inputs, targets, order, epoch);
        match dispatch!(level(), simd => self.step_on(simd, executor, view)) {
            Ok(mean) => mean.loss(epoch),
            Err(error) => Err(cause(&self.network, error)),
        }
    }

    /// Checks all that a training run needs before anything is changed; gives the number of samples.
    #[inline(always)]
    fn check<X, Y>(&self, inputs: &X, targets: &Y, batch_size: usize) -> Result<usize, Error>
    where
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
    {
        let count = check_data(inputs, targets)?;
        if SETTINGS_VARY {
            self.optimizer.check()?;
            Y::check_loss(&self.loss)?;
        }
        if batch_size == 0 {
            return Err(Error::BatchSize);
        }
        check_together::<N, B>(count, batch_size.min(count))?;
        Ok(count)
    }

    pub(crate) fn epoch_by<H, X, Y>(
        &mut self,
        executor: &mut H,
        inputs: &X,
        targets: &Y,
        batch_size: usize,
    ) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        R: Rng,
    {
        let count = self.check(inputs, targets, batch_size)?;
        if !is_finite(&self.network) {
            return Err(Error::WeightNotFinite);
        }
        let fit = FitOptions { epochs: 1, batch_size, shuffle: true };
        let result = dispatch!(level(), simd => self.epoch_on(simd, executor, inputs, targets, count, &fit));
        let loss = result.map_err(|error| cause_in_run(&self.network, error))?;
        self.check_state(count, batch_size)?;
        Ok(loss)
    }

    pub(crate) fn evaluate_by<H, X, Y>(&mut self, executor: &mut H, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
    {
        let count = check_data(inputs, targets)?;
        Y::check_loss(&self.loss)?;
        let order = &Permutation::identity(count);
        let view = BatchView::all(inputs, targets, order, 0);
        let Trainer { network, loss, workspace, .. } = self;
        match dispatch!(level(), simd => executor.evaluate(simd, workspace, network, loss, view)) {
            Ok(mean) => mean.loss(0),
            Err(error) => Err(cause_in_evaluation(&self.network, error)),
        }
    }

    pub(crate) fn run<H, X, Y, VX, VY, V>(
        &mut self,
        executor: &mut H,
        inputs: &X,
        targets: &Y,
        validation: Option<(&VX, &VY)>,
        fit: &FitOptions,
        mut callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        H: Executor<N, L, X, Y, B> + Executor<N, L, VX, VY, B>,
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        VX: Inputs<N::Scalar, IN> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        R: Rng,
    {
        if let Some((inputs, targets)) = validation {
            check_data(inputs, targets)?;
        }
        let count = self.check(inputs, targets, fit.batch_size)?;
        if !is_finite(&self.network) {
            return Err(Error::WeightNotFinite);
        }
        if fit.epochs == 0 && !callback.may_be_complete() {
            return Err(Error::Epochs);
        }
        let begin = callback.begin(self)?;
        // One dispatch for all epochs: it costs more than a step of a small network.
        let result = dispatch!(level(), simd => {
            let mut outcome = FitReport { epochs: 0, loss: N::Scalar::nan() };
            if begin.is_break() {
                return Ok(outcome);
            }
            while outcome.epochs < fit.epochs {
                let epoch = self.epochs;
                let loss = self.epoch_on(simd, executor, inputs, targets, count, fit)?;
                outcome = FitReport { epochs: outcome.epochs + 1, loss };
                let validation_loss = match validation {
                    Some((inputs, targets)) => {
                        let order = &Permutation::identity(inputs.count());
                        let view = BatchView::all(inputs, targets, order, epoch);
                        let mean = executor.evaluate(simd, &mut self.workspace, &self.network, &self.loss, view)?;
                        Some(mean.loss(epoch)?)
                    }
                    None => None,
                };
                let report = EpochReport { number: epoch, loss, validation_loss, network: &self.network };
                if callback.epoch(&report, self)?.is_break() {
                    break;
                }
            }
            Ok(outcome)
        });
        // No batch has seen what the last step did.
        let result = match result {
            Ok(outcome) if outcome.epochs > 0 && !is_finite(&self.network) => Err(Error::StepNotFinite {
                epoch: self.epochs - 1,
                batch: (count - 1).checked_div(fit.batch_size).unwrap_or(0),
            }),
            Ok(outcome) if outcome.epochs > 0 => self.check_state(count, fit.batch_size).map(|()| outcome),
            result => result.map_err(|error| cause_in_run(&self.network, error)),
        };
        callback.end(self, result)
    }

    /// Fails if a gradient was too large to be squared, after the last epoch: what the optimizer remembers is infinite then for
    /// good. While the loss is small no batch looks for that.
    fn check_state(&self, count: usize, batch_size: usize) -> Result<(), Error> {
        if SETTINGS_VARY && !self.state.is_finite() {
            let batch = (count - 1).checked_div(batch_size).unwrap_or(0);
            return Err(Error::GradientTooLarge { epoch: self.epochs - 1, batch });
        }
        Ok(())
    }

    #[inline(always)]
    fn epoch_on<S: Simd, H, X, Y>(
        &mut self,
        simd: S,
        executor: &mut H,
        inputs: &X,
        targets: &Y,
        count: usize,
        fit: &FitOptions,
    ) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, IN> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + ?Sized,
        R: Rng,
    {
        let order = &if fit.shuffle && fit.batch_size < count {
            Permutation::new(count, &mut self.rng)
        } else {
            Permutation::identity(count)
        };
        // A schedule may have made something of the rate that makes no sense.
        if SETTINGS_VARY {
            self.optimizer.check()?;
        }
        let (mut sum, mut weight) = (Sum::ZERO, Sum::ZERO);
        let (mut first, mut batch) = (0, 0);
        while first < count {
            let last = if count - first > fit.batch_size { first + fit.batch_size } else { count };
            let view = BatchView { inputs, targets, order, range: first..last, epoch: self.epochs, batch };
            let mean = self.step_on(simd, executor, view)?;
            sum.add(mean.loss * mean.weight);
            weight.add(mean.weight);
            (first, batch) = (last, batch + 1);
        }
        let (sum, weight) = (sum.rounded(), weight.rounded());
        if weight == N::Scalar::ZERO {
            return Err(Error::Weight { epoch: self.epochs, batch: 0 });
        }
        // Every batch was finite; only numbers near the largest there is can overflow here.
        if !(sum.is_finite() && weight.is_finite()) {
            return Err(Error::LossNotFinite { epoch: self.epochs, batch: batch - 1 });
        }
        self.epochs += 1;
        self.optimizer.after_epoch(sum / weight);
        Ok(sum / weight)
    }

    #[inline(always)]
    fn step_on<S: Simd, H, X, Y>(
        &mut self,
        simd: S,
        executor: &mut H,
        view: BatchView<X, Y>,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: ?Sized,
        Y: ?Sized,
    {
        let Trainer { network, loss, optimizer, state, workspace, gradient, .. } = self;
        let (epoch, batch) = (view.epoch, view.batch);
        let step = OptimizerStep { network, optimizer, state, epoch, batch };
        if Self::IN_REGISTERS && view.range.len() == B {
            let (mut workspace, mut gradient) = (Workspace::<N, B>::new(), N::ZEROED);
            let mean =
                executor.accumulate_micro_batch(simd, &mut workspace, step.network, loss, view, &mut gradient)?;
            return step.take(simd, mean, workspace.large, &mut gradient);
        }
        let mean = executor.accumulate(simd, workspace, step.network, loss, view, gradient)?;
        let large = core::mem::take(&mut workspace.large);
        step.take(simd, mean, large, gradient)
    }

    /// Whether a network and a micro-batch are so small that a step's memory is made for it and gone with it: what no
    /// one else can see, the compiler keeps in registers.
    const IN_REGISTERS: bool =
        !SCALAR && !cfg!(debug_assertions) && B <= SMALL_SIZE && size_of::<Workspace<N, B>>() + size_of::<N>() <= 2048;
}

/// A step of the optimizer, after the batch whose place in the training it knows for the messages of errors.
struct OptimizerStep<'a, N: Params, O: Optimizer<Scalar = N::Scalar>> {
    network: &'a mut N,
    optimizer: &'a mut O,
    state: &'a mut OptimizerState<O, N>,
    epoch: usize,
    batch: usize,
}

impl<N: Params, O: Optimizer<Scalar = N::Scalar>> OptimizerStep<'_, N, O> {
    /// Changes the network by the gradient of a batch with that mean loss, unless that would ruin it. A batch whose samples all
    /// have the weight zero changes nothing. `large` says that an input was.
    #[inline(always)]
    fn take<S: Simd>(
        self,
        simd: S,
        mean: MeanLoss<N::Scalar>,
        large: bool,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error> {
        let OptimizerStep { network, optimizer, state, epoch, batch } = self;
        if mean.weight == N::Scalar::ZERO {
            return Ok(mean);
        }
        // Gradients can be infinite, or too large to be squared, where the loss is neither. One of the two must be
        // large then, so that the gradients of other batches need not be looked at.
        if large || mean.loss > N::Scalar::of(HUGE) {
            check_gradient(gradient, optimizer, mean.loss, epoch, batch)?;
        }
        take_step(simd, network, gradient, optimizer, state);
        Ok(mean)
    }
}

/// Changes a network by its gradient, which is that of a batch.
#[inline(always)]
fn take_step<S: Simd, N: Params, O: Optimizer<Scalar = N::Scalar>>(
    simd: S,
    network: &mut N,
    gradient: &mut N,
    optimizer: &mut O,
    state: &mut OptimizerState<O, N>,
) {
    network.update_buffers(gradient);
    optimizer.step_with(simd, network, gradient, state);
    optimizer.after_step();
}

/// Whether settings come from outside of the program. Those of a program for a microcontroller stand in its source, and it has no
/// room to look at them again in each step or epoch: [`Optimizer::check`] is for who sets them at run time there, and what a rate that
/// makes no sense does to loss and weights is found all the same.
const SETTINGS_VARY: bool = cfg!(not(target_os = "none"));

/// Losses above this are not those of a training that goes well, and far from the largest numbers.
const HUGE: f64 = 1e12;

/// Fails unless a step by a gradient would stay well within the range of numbers, and so would the squares that the optimizer
/// remembers; the gradient is zero then. A call would see a gradient that may be in registers; a chip has it in memory, and little
/// room for programs.
#[cfg_attr(not(any(debug_assertions, target_os = "none")), inline(always))]
#[cfg_attr(target_os = "none", cold, inline(never))]
fn check_gradient<N: Params, O: Optimizer<Scalar = N::Scalar>>(
    gradient: &mut N,
    optimizer: &O,
    loss: N::Scalar,
    epoch: usize,
    batch: usize,
) -> Result<(), Error> {
    struct Largest<T>(T);
    impl<T: Real> Visitor<T> for Largest<T> {
        #[cfg_attr(target_os = "none", inline(never))]
        fn slice(&mut self, _: Parameter, values: &[T]) {
            for value in values {
                // Not `max`, which passes over NaN.
                if value.abs() > self.0 || value.is_nan() {
                    self.0 = value.abs();
                }
            }
        }
    }
    let mut largest = Largest(N::Scalar::ZERO);
    gradient.visit(&mut largest);
    let Largest(largest) = largest;
    let can_be_stepped = (largest * optimizer.learning_rate().max(N::Scalar::ONE) * N::Scalar::of(1e3)).is_finite();
    if can_be_stepped && largest <= optimizer.largest_gradient() {
        return Ok(());
    }
    fill(gradient, N::Scalar::ZERO);
    if can_be_stepped || loss <= N::Scalar::of(HUGE) {
        return Err(Error::GradientTooLarge { epoch, batch });
    }
    Err(Error::LossNotFinite { epoch, batch })
}

/// Why a loss within a training run was not finite, or the weights after it: those were finite when it began.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
fn cause_in_run<N: Params>(network: &N, error: Error) -> Error {
    match error {
        Error::LossNotFinite { epoch, batch } if cause(network, error) == Error::WeightNotFinite => {
            Error::StepNotFinite { epoch, batch }
        }
        error => error,
    }
}

impl FitOptions {
    /// Fails if there is no epoch, or no sample in a batch.
    #[cfg(feature = "alloc")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.batch_size == 0 {
            return Err(Error::BatchSize);
        }
        if self.epochs == 0 { Err(Error::Epochs) } else { Ok(()) }
    }
}
