//! [`Trainer`]: network, loss, optimizer and random number generator together; steps, epochs and whole training runs.

use crate::data::Inputs;
use crate::error::Error;
use crate::loss::Targets;
use crate::model::layer::is_inlined;
use crate::model::{LastActivation, Trainable, Zeroed, fill};
use crate::num::Real;
use crate::num::dispatch::dispatch_or_call;
use crate::num::target::STEPS_WITHOUT_GRADIENT;
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::batch::{cause, check_together};
use crate::train::callbacks::TrainerCallback;
use crate::train::executor::SingleThread;
use crate::train::optimizer_step::{HUGE, check_gradient, take_step};
use crate::train::{FitOptions, FitReport, Workspace};
use core::fmt;
use num_traits::float::FloatCore;
use rand::Rng;

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
}
