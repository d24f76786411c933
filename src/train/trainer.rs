//! [`Trainer`]: network, loss, optimizer and random number generator together; steps, epochs and whole training runs.

use crate::data::{Inputs, Permutation, Samples, check_data};
use crate::error::Error;
use crate::kernel::SMALL_SIZE;
use crate::loss::Targets;
use crate::model::layer::is_inlined;
use crate::model::{LastActivation, Parameter, Trainable, Visitor, Zeroed, fill, is_finite};
use crate::num::Real;
use crate::num::dispatch::{COMPILED, dispatch, dispatch_or_call, level};
use crate::num::target::{LOOPS_IN_LANES, STEPS_WITHOUT_GRADIENT};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::Workspace;
use crate::train::batch::{BatchView, MeanLoss, Sum, cause, cause_in_evaluation, check_together};
use crate::train::callbacks::{EpochReport, TrainerCallback};
use core::fmt;
use fearless_simd::Simd;
use num_traits::float::FloatCore;
use rand::Rng;

/// Options of a training run.
///
/// # Examples
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
    /// The number of epochs: passes over all samples; at least 1. By default 1. A larger one trains longer, and may
    /// overfit.
    pub epochs: usize,
    /// The number of samples per step of the optimizer, at least 1; by default 32. The last batch of an epoch has the
    /// samples that are left. A larger one takes fewer steps, each by a gradient with less noise.
    pub batch_size: usize,
    /// Whether each epoch has its own random order of samples; by default `true`. No effect where a batch holds all
    /// samples.
    pub shuffle: bool,
}

impl Default for FitOptions {
    /// One epoch, shuffled, in batches of 32.
    fn default() -> Self {
        FitOptions { epochs: 1, batch_size: 32, shuffle: true }
    }
}

/// Result of a training run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct FitReport<T> {
    /// The number of epochs that were run, including the one in which a callback stopped the training run.
    pub epochs: usize,
    /// The mean loss over the samples of the last epoch, each computed just before its step; NaN if there was no epoch.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one_or_nan"))]
    pub loss: T,
}

/// Trainer: all state of training in one value without a heap: the network, its gradient, the optimizer's state, the
/// random number generator, and a workspace for `B` samples at once.
///
/// `N` is the network, `L` the loss, `O` the optimizer, `R` the random number generator that shuffles. The micro-batch
/// `B` is how many samples are computed together: 32, or what [`with_micro_batch`](Self::with_micro_batch) is used
/// with. It does not change the batch size: any batch size works with any micro-batch.
///
/// # Examples
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
/// let report = trainer.fit(&inputs, &targets, &fit, ())?;
/// assert!(report.loss < 0.05);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("MLPClassifier", "MLPRegressor", "model.compile"))]
pub struct Trainer<N: Trainable, L, O: Optimizer<Scalar = N::Scalar>, R, const B: usize = 32> {
    /// The network that is trained.
    pub network: N,
    /// The loss that is minimized.
    pub loss: L,
    /// The optimizer that takes the steps.
    pub optimizer: O,
    /// The random number generator for the order of the samples.
    pub rng: R,
    /// The number of epochs that were run.
    pub epochs: usize,
    pub(super) gradient: N,
    pub(crate) state: OptimizerState<O, N>,
    pub(super) workspace: Workspace<N, B>,
}

/// An independent trainer, which continues with the same bits as the original.
impl<N, L: Clone, O, R: Clone, const B: usize> Clone for Trainer<N, L, O, R, B>
where
    N: Trainable + Clone,
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
    N: Trainable + PartialEq,
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
    N: Trainable + fmt::Debug,
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

/// Executor: computes the loss and the gradient of a batch for a trainer, with the trainer's memory, on one thread or
/// on several. The type parameters belong to the trait and not to its methods, so that several threads can require data
/// that all may read.
pub(crate) trait Executor<N: Trainable, L, X: ?Sized, Y: ?Sized, const B: usize> {
    /// Checks the data; returns the number of samples.
    #[inline(always)]
    fn count(inputs: &X, targets: &Y) -> Result<usize, Error>
    where
        X: Samples<N::Scalar>,
        Y: Samples<N::Scalar>,
    {
        check_data(inputs, targets)
    }

    /// Returns the mean loss of a batch and adds its gradient to `gradient`, which is zero after an error.
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
    /// an error its values are unspecified.
    fn accumulate_micro_batch<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>;

    /// Returns the mean loss of a batch, in evaluation.
    fn evaluate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
    ) -> Result<MeanLoss<N::Scalar>, Error>;
}

/// Executes on the calling thread only.
pub(crate) struct SingleThread;

impl<N, L, X, Y, const B: usize> Executor<N, L, X, Y, B> for SingleThread
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
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
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// Creates a trainer that has taken no step yet.
    ///
    /// The trainer is created on the stack. In a program that is not optimized it is copied: a thread needs about three
    /// times [`BYTES`](Self::BYTES) to create it and train with it, and with Adam that is twelve times the network. A
    /// test and most threads have a stack of 2 megabytes, so that from about 40,000 parameters of `f32` on
    /// (784-128-64-10 has 109,386) the trainer needs a box: `boxed`, with the feature `std`. The main thread usually
    /// has 8 megabytes, enough for 170,000. With [`assert_fits!`](crate::assert_fits) and a budget `stack` the compiler
    /// checks this.
    #[must_use]
    pub const fn new(network: N, loss: L, optimizer: O, rng: R) -> Self {
        Self::with_micro_batch(network, loss, optimizer, rng)
    }
}

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// Creates a trainer with the micro-batch of its type: `Trainer::<_, _, _, _, 1>::with_micro_batch(..)` for the
    /// least memory.
    #[must_use]
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
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// The size of a trainer in bytes: all memory of training except the call stack. It is the sum of the network, its
    /// gradient, [`STATE_BYTES`](Self::STATE_BYTES), [`Workspace::BYTES`], the loss, the optimizer and the random
    /// number generator.
    pub const BYTES: usize = size_of::<Self>();

    /// The size of the optimizer's state in bytes.
    pub const STATE_BYTES: usize = size_of::<OptimizerState<O, N>>();

    /// Initializes the trainer in place: new weights as by [`Network::new`](crate::model::Network::new), no epoch run,
    /// and a zero optimizer state. The learning rate stays as it is; a schedule begins again.
    ///
    /// On a small stack a trainer should not be passed by value. It can be stored in a `static` that begins with zeros,
    /// uses no flash, and is initialized at run time:
    ///
    /// # Examples
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
    pub fn initialize<G: Rng>(&mut self, mut rng: G) {
        fill(&mut self.network, N::Scalar::ZERO);
        self.network.initialize(&mut rng);
        fill(&mut self.gradient, N::Scalar::ZERO);
        self.state = Zeroed::ZEROED;
        self.optimizer.restart();
        self.epochs = 0;
    }
}

#[cfg(feature = "std")]
impl<N, L, O, R> Trainer<N, L, O, R>
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
    Self: Send,
{
    /// Like [`new`](Self::new), in a box, for a network that is too large for the stack of its thread.
    /// [`Network::boxed`](crate::model::Network::boxed) creates such a network, and says how the box is made.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Large = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Softmax>);
    /// let mut trainer = Trainer::boxed(Large::boxed(&mut seeded(0)), CrossEntropy, Adam::new(1e-3), seeded(1));
    /// trainer.step(&vec![[0.5; 784]; 4], &[0usize, 1, 2, 3])?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[must_use]
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
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
    Self: Send,
{
    /// Like [`boxed`](Trainer::boxed), with the micro-batch of its type.
    ///
    /// # Examples
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
    #[must_use]
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

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// Takes one step of the optimizer with all samples as one batch, and returns their mean loss before the step.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// If there are no samples, not as many targets as inputs, the loss does not accept a target, a setting is out of
    /// its range, or an input, the loss or the gradient is infinite or NaN. Also if a sample's weight
    /// is negative, infinite or NaN, or all are zero, and with batch normalization if the batch or the micro-batch is a
    /// single sample. After an error the network is unchanged.
    pub fn step<X, Y>(&mut self, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        self.step_with(&mut SingleThread, inputs, targets)
    }

    /// Online learning: takes one step of the optimizer with a single sample, and returns its loss before the step. The
    /// result is that of [`step`](Self::step) with one sample. It is for a program that learns while it runs: the time
    /// is bounded, and with the micro-batch 1 of `Trainer<_, _, _, _, 1>` and such a trainer in a `static` all memory
    /// is known beforehand. The random number generator is not used: `()` will do.
    ///
    /// # Shapes
    ///
    /// `input`: one sample of `[T; IN]`; `target`: one target of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step).
    ///
    /// # Examples
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
    /// // The target is half of the sensor's value.
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
        [X]: Inputs<N::Scalar, N::In>,
        [Y]: Targets<N::Scalar, L, LastActivation<N>, N::Out>,
    {
        let sample = (core::slice::from_ref(input), core::slice::from_ref(target));
        let epoch = self.epochs;
        self.optimizer.check()?;
        <[Y]>::check_loss(&self.loss)?;
        check_together::<N, B>(1, 1)?;
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => {
            let Trainer { network, loss, workspace, gradient, optimizer, state, .. } = self;
            let loss = match workspace.output_gradient_of_one(simd, network, loss, sample, epoch) {
                Ok(loss) => loss,
                Err(error) => return Err(cause(network, error)),
            };
            match optimizer.sgd_learning_rate() {
                Some(learning_rate) if STEPS_WITHOUT_GRADIENT => {
                    workspace.sgd_step(simd, network, learning_rate);
                    optimizer.after_step();
                }
                _ => {
                    workspace.gradient_of_one(simd, network, gradient);
                    let large = core::mem::take(&mut workspace.large);
                    // Without squares a gradient that is not finite is found later, by the weights, with a smaller
                    // program.
                    if optimizer.largest_gradient() < N::Scalar::max_value() && (large || loss > N::Scalar::of(HUGE)) {
                        check_gradient(gradient, optimizer, loss, epoch, 0)?;
                    }
                    take_step(simd, network, gradient, optimizer, state);
                }
            }
            Ok(loss)
        })
    }

    /// Runs one epoch: trains on every sample once, in batches, in a random order. Returns the mean loss over the
    /// samples, each computed just before its step.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step), and if the batch size is zero or a weight is infinite or NaN. After an error the
    /// network is as the last good step left it.
    ///
    /// # Examples
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
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        R: Rng,
    {
        self.epoch_by(&mut SingleThread, inputs, targets, batch_size)
    }

    /// Trains for some epochs. `callback` is called after each epoch and may stop the training run: `()` does nothing,
    /// `&mut History::new()` records the losses, and a function `|epoch: &EpochReport<_>| ..`, which returns `()` or a
    /// `ControlFlow<()>`, does what you write; `(a, b)` is a pair of callbacks.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step), and if the batch size or the number of epochs is zero, if a weight is infinite or
    /// NaN, or if a callback returns an error. After an error the network is as the last good step left it, unless a
    /// callback changes it.
    ///
    /// A training run that diverges ends with [`Error::LossNotFinite`], which names the epoch. This happens at the
    /// first batch whose loss is infinite or NaN, or whose gradient is, where the loss is huge; no step is taken with
    /// that batch. If a step made the parameters overflow all the same, the next batch finds it, or the check after the
    /// last one. Steps before may have made the network worse and worse:
    /// [`EarlyStopping`](crate::train::callbacks::EarlyStopping) restores the weights of the best epoch, after an error
    /// too, and with a patience of `usize::MAX` does nothing else.
    pub fn fit<X, Y, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        fit: &FitOptions,
        callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        R: Rng,
    {
        self.run(&mut SingleThread, inputs, targets, None::<(&X, &Y)>, fit, callback)
    }

    /// Like [`fit`](Self::fit), and computes the loss of the validation samples after each epoch. `validation` is a
    /// pair of inputs and targets that are not trained on.
    ///
    /// # Shapes
    ///
    /// `inputs` and `targets` as for [`fit`](Self::fit); `validation` any other number of both.
    ///
    /// # Errors
    ///
    /// As for [`fit`](Self::fit), also for the validation samples.
    ///
    /// # Examples
    ///
    /// ```
    /// use core::ops::ControlFlow;
    /// use tuplenet::prelude::*;
    ///
    /// let (inputs, targets) = ([[1.0], [2.0], [3.0]], [[2.0], [4.0], [6.0]]);
    /// let validation = (&[[1.5], [2.5]], &[[3.0], [5.0]]);
    ///
    /// // Stops when the validation loss is low enough.
    /// let good_enough = |epoch: &EpochReport<_>| match epoch.validation_loss {
    ///     Some(loss) if loss < 1e-6 => ControlFlow::Break(()),
    ///     _ => ControlFlow::Continue(()),
    /// };
    /// let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    /// let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    /// let report = trainer.fit_validated(
    ///     &inputs,
    ///     &targets,
    ///     validation,
    ///     &FitOptions { epochs: 10_000, ..FitOptions::default() },
    ///     good_enough,
    /// )?;
    /// assert!(report.epochs < 10_000);
    /// assert!(trainer.evaluate(validation.0, validation.1)? < 1e-6);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("validation_data", "validation_split"))]
    pub fn fit_validated<X, Y, VX, VY, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        validation: (&VX, &VY),
        fit: &FitOptions,
        callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        VX: Inputs<N::Scalar, N::In> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        R: Rng,
    {
        self.run(&mut SingleThread, inputs, targets, Some(validation), fit, callback)
    }

    /// Returns the mean loss over any number of samples, without training.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// If there are no samples, not as many targets as inputs, the loss does not accept a target, its setting is out of
    /// its range, or an input, a weight or the loss is infinite or NaN. Also if a sample's weight is negative, or all
    /// are zero.
    pub fn evaluate<X, Y>(&mut self, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        self.evaluate_by(&mut SingleThread, inputs, targets)
    }

    /// Takes one step with the batch of a view.
    pub(crate) fn step_by<H, X, Y>(&mut self, executor: &mut H, view: BatchView<X, Y>) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: ?Sized,
        Y: ?Sized,
    {
        let epoch = view.epoch;
        let mean = if const { Self::IN_REGISTERS } && view.range.len() == B {
            dispatch!(level(), simd => self.step_in_registers(simd, executor, view))
        } else {
            dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => self.step_on(simd, executor, view))
        };
        match mean {
            Ok(mean) => mean.loss(epoch),
            Err(error) => Err(cause(&self.network, error)),
        }
    }

    /// Takes one step with all samples as one batch.
    pub(crate) fn step_with<H, X, Y>(&mut self, executor: &mut H, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let count = self.check_by::<H, X, Y>(inputs, targets, usize::MAX)?;
        let order = &Permutation::identity(count);
        self.step_by(executor, BatchView::all(inputs, targets, order, self.epochs))
    }

    /// Checks everything that a training run needs before anything is changed; returns the number of samples.
    #[inline(always)]
    pub(crate) fn check<X, Y>(&self, inputs: &X, targets: &Y, batch_size: usize) -> Result<usize, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        self.check_by::<SingleThread, X, Y>(inputs, targets, batch_size)
    }

    /// [`check`](Self::check), for data that an executor takes.
    #[inline(always)]
    pub(crate) fn check_by<H, X, Y>(&self, inputs: &X, targets: &Y, batch_size: usize) -> Result<usize, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let count = H::count(inputs, targets)?;
        self.optimizer.check()?;
        Y::check_loss(&self.loss)?;
        if batch_size == 0 {
            return Err(Error::BatchSize);
        }
        // Sequences of unequal length are computed alone.
        check_together::<N, B>(count, if X::PADDED { 1 } else { batch_size.min(count) })?;
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
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        R: Rng,
    {
        let count = self.check_by::<H, X, Y>(inputs, targets, batch_size)?;
        if !is_finite(&self.network) {
            return Err(Error::WeightNotFinite);
        }
        let fit = FitOptions { epochs: 1, batch_size, shuffle: true };
        let result = dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => self.epoch_on(simd, executor, inputs, targets, count, &fit));
        let loss = result.map_err(|error| cause_in_run(&self.network, error))?;
        self.check_state(count, batch_size)?;
        Ok(loss)
    }

    pub(crate) fn evaluate_by<H, X, Y>(&mut self, executor: &mut H, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let count = H::count(inputs, targets)?;
        Y::check_loss(&self.loss)?;
        let order = &Permutation::identity(count);
        let view = BatchView::all(inputs, targets, order, 0);
        let Trainer { network, loss, workspace, .. } = self;
        match dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => executor.evaluate(simd, workspace, network, loss, view))
        {
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
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        VX: Inputs<N::Scalar, N::In> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        R: Rng,
    {
        if let Some((inputs, targets)) = validation {
            <H as Executor<N, L, VX, VY, B>>::count(inputs, targets)?;
        }
        let count = self.check_by::<H, X, Y>(inputs, targets, fit.batch_size)?;
        if !is_finite(&self.network) {
            return Err(Error::WeightNotFinite);
        }
        if fit.epochs == 0 && !callback.may_be_complete() {
            return Err(Error::Epochs);
        }
        let begin = callback.begin(self)?;
        // One dispatch for all epochs: a dispatch costs more than a step of a small network.
        let result = dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => {
            let mut report = FitReport { epochs: 0, loss: N::Scalar::nan() };
            if begin.is_break() {
                return Ok(report);
            }
            while report.epochs < fit.epochs {
                let epoch = self.epochs;
                let loss = self.epoch_on(simd, executor, inputs, targets, count, fit)?;
                report = FitReport { epochs: report.epochs + 1, loss };
                let validation_loss = match validation {
                    Some((inputs, targets)) => {
                        let order = &Permutation::identity(inputs.count());
                        let view = BatchView::all(inputs, targets, order, epoch);
                        let mean = if const { Self::IS_RARE } {
                            self.evaluate_apart(executor, view)?
                        } else {
                            executor.evaluate(simd, &mut self.workspace, &self.network, &self.loss, view)?
                        };
                        Some(mean.loss(epoch)?)
                    }
                    None => None,
                };
                let epoch_report = EpochReport { number: epoch, loss, validation_loss, network: &self.network };
                if callback.epoch(&epoch_report, self)?.is_break() {
                    break;
                }
            }
            Ok(report)
        });
        // No batch has checked the result of the last step.
        let result = match result {
            Ok(report) if report.epochs > 0 && !is_finite(&self.network) => {
                Err(Error::StepNotFinite { epoch: self.epochs - 1, batch: last_batch(count, fit.batch_size) })
            }
            Ok(report) if report.epochs > 0 => self.check_state(count, fit.batch_size).map(|()| report),
            result => result.map_err(|error| cause_in_run(&self.network, error)),
        };
        callback.end(self, result)
    }

    /// Fails after the last epoch if the square of a gradient has overflowed: the optimizer's state then stays
    /// infinite. While the loss is small, no batch checks for that.
    fn check_state(&self, count: usize, batch_size: usize) -> Result<(), Error> {
        if !self.state.is_finite() {
            return Err(Error::GradientTooLarge { epoch: self.epochs - 1, batch: last_batch(count, batch_size) });
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
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        R: Rng,
    {
        let order = &if fit.shuffle && fit.batch_size < count {
            Permutation::new(count, &mut self.rng)
        } else {
            Permutation::identity(count)
        };
        // A schedule may have set a learning rate that is out of range.
        self.optimizer.check()?;
        let (mut sum, mut weight) = (Sum::ZERO, Sum::ZERO);
        let (mut first, mut batch) = (0, 0);
        // Two loops: a call in the first would take the registers from it.
        if const { Self::IN_REGISTERS } && fit.batch_size == B {
            while count - first >= B {
                let view = BatchView { inputs, targets, order, range: first..first + B, epoch: self.epochs, batch };
                let mean = self.step_in_registers(simd, executor, view)?;
                sum.add(mean.loss * mean.weight);
                weight.add(mean.weight);
                (first, batch) = (first + B, batch + 1);
            }
        }
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
        // Every batch was finite; only values near the largest finite one can overflow here.
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
        if const { Self::IS_RARE } {
            self.step_apart(executor, view)
        } else {
            self.step_in_memory(simd, executor, view)
        }
    }

    /// A step with a batch that fills the micro-batch, in memory that ends with it.
    #[inline(always)]
    fn step_in_registers<S: Simd, H, X, Y>(
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
        let Trainer { network, loss, optimizer, state, .. } = self;
        let step = OptimizerStep { network, optimizer, state, epoch: view.epoch, batch: view.batch };
        let (mut workspace, mut gradient) = (Workspace::<N, B>::new(), N::ZEROED);
        let mean = executor.accumulate_micro_batch(simd, &mut workspace, step.network, loss, view, &mut gradient)?;
        step.take(simd, mean, workspace.large, &mut gradient)
    }

    /// Updates the network by the gradient in the trainer's memory, that of a batch with this mean loss. `epoch` and `batch` are
    /// for error messages.
    pub(super) fn take_gradient(
        &mut self,
        mean: MeanLoss<N::Scalar>,
        (epoch, batch): (usize, usize),
    ) -> Result<MeanLoss<N::Scalar>, Error> {
        let Trainer { network, optimizer, state, workspace, gradient, .. } = self;
        let step = OptimizerStep { network, optimizer, state, epoch, batch };
        let large = core::mem::take(&mut workspace.large);
        dispatch!(level(), simd => step.take(simd, mean, large, gradient))
    }

    /// [`step_on`](Self::step_on) in the trainer's memory.
    #[inline(always)]
    fn step_in_memory<S: Simd, H, X, Y>(
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
        let step = OptimizerStep { network, optimizer, state, epoch: view.epoch, batch: view.batch };
        let mean = executor.accumulate(simd, workspace, step.network, loss, view, gradient)?;
        let large = core::mem::take(&mut workspace.large);
        step.take(simd, mean, large, gradient)
    }

    /// [`step_in_memory`](Self::step_in_memory) as a function of its own, which leaves the registers to the usual step.
    #[cold]
    #[inline(never)]
    fn step_apart<H, X, Y>(&mut self, executor: &mut H, view: BatchView<X, Y>) -> Result<MeanLoss<N::Scalar>, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: ?Sized,
        Y: ?Sized,
    {
        dispatch_or_call!(false, simd => self.step_in_memory(simd, executor, view))
    }

    /// The mean loss of a batch, in evaluation, as a function of its own.
    #[cold]
    #[inline(never)]
    fn evaluate_apart<H, X, Y>(&mut self, executor: &mut H, view: BatchView<X, Y>) -> Result<MeanLoss<N::Scalar>, Error>
    where
        H: Executor<N, L, X, Y, B>,
        X: ?Sized,
        Y: ?Sized,
    {
        let Trainer { network, loss, workspace, .. } = self;
        dispatch_or_call!(false, simd => executor.evaluate(simd, workspace, network, loss, view))
    }

    /// Whether batches that do not fill the micro-batch, and validation, are calls of what is compiled in this crate: a batch of so
    /// small a network usually fills its micro-batch, and the same pass in four variants takes the compiler a minute.
    const IS_RARE: bool = COMPILED && Self::IN_REGISTERS && N::IS_COMPILED;

    /// Whether a network and a micro-batch are so small that the memory of a step lives only during the step. The
    /// compiler keeps what no other code can see in registers.
    const IN_REGISTERS: bool = LOOPS_IN_LANES
        && !cfg!(debug_assertions)
        && B <= SMALL_SIZE
        && size_of::<Workspace<N, B>>() + size_of::<N>() <= 2048;
}

/// A step of the optimizer after a batch, with the epoch and the batch for error messages.
struct OptimizerStep<'a, N: Trainable, O: Optimizer<Scalar = N::Scalar>> {
    network: &'a mut N,
    optimizer: &'a mut O,
    state: &'a mut OptimizerState<O, N>,
    epoch: usize,
    batch: usize,
}

impl<N: Trainable, O: Optimizer<Scalar = N::Scalar>> OptimizerStep<'_, N, O> {
    /// Updates the network by the gradient of a batch with this mean loss, unless the step would not be finite. A batch
    /// whose samples all have the weight zero changes nothing. `large` says that an input was large.
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
        // Gradients can be infinite, or too large to be squared, where the loss is neither. Then an input or the loss
        // must be large, so that the gradients of other batches need no check.
        if large || mean.loss > N::Scalar::of(HUGE) {
            check_gradient(gradient, optimizer, mean.loss, epoch, batch)?;
        }
        take_step(simd, network, gradient, optimizer, state);
        Ok(mean)
    }
}

/// Updates a network by its gradient, which is that of a batch.
#[inline(always)]
fn take_step<S: Simd, N: Trainable, O: Optimizer<Scalar = N::Scalar>>(
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

/// The index of the last batch of an epoch.
fn last_batch(count: usize, batch_size: usize) -> usize {
    (count - 1).checked_div(batch_size).unwrap_or(0)
}

/// Losses above this do not occur in a training run that converges, and are far below the largest finite value.
const HUGE: f64 = 1e12;

/// Fails unless a step by this gradient stays well within the range of finite values, and so do the squares in the
/// optimizer's state; the gradient is zero after an error. It is inlined, since a call would need the gradient in
/// memory, and it may be in registers. A microcontroller has it in memory, and little flash.
#[cfg_attr(not(any(debug_assertions, target_os = "none")), inline(always))]
#[cfg_attr(target_os = "none", cold, inline(never))]
fn check_gradient<N: Trainable, O: Optimizer<Scalar = N::Scalar>>(
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
                // Not `max`, which ignores NaN.
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

/// Why a loss within a training run was not finite, or the weights after it: they were finite when the run began.
#[cfg_attr(target_os = "none", inline(always))]
#[cfg_attr(not(target_os = "none"), cold, inline(never))]
fn cause_in_run<N: Trainable>(network: &N, error: Error) -> Error {
    match error {
        Error::LossNotFinite { epoch, batch } if cause(network, error) == Error::WeightNotFinite => {
            Error::StepNotFinite { epoch, batch }
        }
        error => error,
    }
}

impl FitOptions {
    /// Fails if the number of epochs or the batch size is zero.
    #[cfg(feature = "alloc")]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.batch_size == 0 {
            return Err(Error::BatchSize);
        }
        if self.epochs == 0 { Err(Error::Epochs) } else { Ok(()) }
    }
}
