//! Training with full batches: [`FullBatchTrainer`] with the solvers [`Lbfgs`] and [`LevenbergMarquardt`], for small networks and
//! data that fit into memory.
//!
//! Each epoch is one iteration of the solver over all samples. Layers compute what they do in prediction: dropout zeroes nothing,
//! and batch normalization uses its running statistics, which do not change. So the loss is a function of the parameters alone,
//! without randomness, and the same data give the same steps.

mod dual;
mod lbfgs;
mod levenberg_marquardt;
mod line_search;
pub(crate) mod normal;
pub(crate) mod rows;
mod vectors;

pub use dual::Dual;
pub use lbfgs::{Lbfgs, LbfgsState};
pub use levenberg_marquardt::{LevenbergMarquardt, LevenbergMarquardtState};
pub use normal::{Equations, Form, Normal};

use crate::data::{Inputs, Permutation, check_data};
use crate::error::Error;
use crate::loss::Targets;
use crate::model::layer::is_inlined;
use crate::model::{LastActivation, Trainable, Zeroed, fill, is_finite};
use crate::num::dispatch::dispatch_or_call;
use crate::train::batch::{BatchView, cause, cause_in_evaluation};
use crate::train::callbacks::{Callback, EpochReport, SeesNetwork, TrainerCallback};
use crate::train::{FitReport, Workspace};
use core::fmt;
use core::ops::ControlFlow;
use rand::Rng;

/// Why a solver has ended a training run, or that it has not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[doc(alias("OptimizeResult", "message", "convergence"))]
pub enum Status {
    /// The training run has not ended, or it ended with its last epoch or by a callback.
    #[default]
    Running,
    /// The largest absolute value of the gradient is at most the `gradient_tolerance`: a minimum, or a saddle point.
    SmallGradient,
    /// An epoch has lowered the loss by no more than the `loss_tolerance`.
    SmallDecrease,
    /// A step was no longer than the `step_tolerance`.
    SmallStep,
    /// The loss is at most the `goal`, by default zero.
    Goal,
    /// No step lowers the loss: what is left is within rounding errors, or the gradient and the loss do not belong together.
    NoDecrease,
}

impl Status {
    /// Whether a solver has ended the training run.
    #[must_use]
    pub fn has_ended(self) -> bool {
        self != Status::Running
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Running => "not ended by the solver",
            Status::SmallGradient => "the gradient is at most the gradient tolerance",
            Status::SmallDecrease => "the loss fell by no more than the loss tolerance",
            Status::SmallStep => "the step was no longer than the step tolerance",
            Status::Goal => "the loss has reached the goal",
            Status::NoDecrease => "no step lowers the loss further",
        })
    }
}

/// One iteration of a solver.
#[derive(Clone, Copy, Debug)]
pub struct Iteration<T> {
    /// The mean loss of the network after it, without penalties.
    pub loss: T,
    /// Whether the network has changed; if not, the status is not [`Status::Running`], and no epoch is counted.
    pub moved: bool,
    /// Why the solver ends the training run after it, if so.
    pub status: Status,
}

/// What a solver minimizes: the mean loss of a network over all samples.
pub struct Problem<'a, N: Trainable, L, X: ?Sized, Y: ?Sized, const B: usize> {
    /// The network, which the solver changes.
    pub network: &'a mut N,
    pub(super) loss: &'a L,
    pub(super) inputs: &'a X,
    pub(super) targets: &'a Y,
    pub(super) workspace: &'a mut Workspace<N, B>,
    pub(super) epoch: usize,
}

impl<N: Trainable, L, X: ?Sized, Y: ?Sized, const B: usize> fmt::Debug for Problem<'_, N, L, X, Y, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl<N, L, X, Y, const B: usize> Problem<'_, N, L, X, Y, B>
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
{
    /// The mean loss of the network as it is now; sets `gradient` to its gradient.
    ///
    /// # Errors
    ///
    /// If the loss or the gradient is infinite or NaN, or the data cannot be used.
    pub fn loss_and_gradient(&mut self, gradient: &mut N) -> Result<N::Scalar, Error> {
        fill(gradient, <N::Scalar as crate::num::Real>::ZERO);
        let Problem { network, loss, inputs, targets, workspace, epoch } = self;
        let order = &Permutation::identity(inputs.count());
        let view = BatchView::all(*inputs, *targets, order, *epoch).in_evaluation();
        let mean = dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => workspace.accumulate(simd, network, *loss, view, gradient))?;
        workspace.large = false;
        if !is_finite(gradient) {
            return Err(Error::GradientTooLarge { epoch: *epoch, batch: 0 });
        }
        mean.loss(*epoch)
    }

    /// The mean loss of the network as it is now.
    ///
    /// # Errors
    ///
    /// If the loss is infinite or NaN, or the data cannot be used.
    pub fn mean_loss(&mut self) -> Result<N::Scalar, Error> {
        let Problem { network, loss, inputs, targets, workspace, epoch } = self;
        let order = &Permutation::identity(inputs.count());
        let view = BatchView::all(*inputs, *targets, order, *epoch);
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => workspace.evaluate(simd, network, *loss, view))?
            .loss(*epoch)
    }
}

/// A solver: an optimizer of full batches, which takes each step by a loss and a gradient that it can compute again.
pub trait Solver<N: Trainable>: Sized {
    /// What is kept from epoch to epoch, and in a checkpoint. It begins with zeros.
    type State: Zeroed;

    /// Memory that is written before it is read.
    type Memory: Zeroed;

    /// Checks all settings.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] with the first setting that is out of its range.
    fn check(&self) -> Result<(), Error>;
}

/// A [`Solver`] that minimizes the loss `L` of the network `N` for inputs `X` and targets `Y`, with micro-batches of `B`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not minimize `{L}` with such data",
    label = "a solver that does not fit the loss",
    note = "`LevenbergMarquardt` minimizes `MeanSquaredError` alone, with targets `[T; OUT]`; `Lbfgs` minimizes every loss"
)]
pub trait Minimize<N: Trainable, L, X: ?Sized, Y: ?Sized, const B: usize>: Solver<N> {
    /// Prepares a training run with a network, and returns its mean loss.
    ///
    /// # Errors
    ///
    /// If that loss is infinite or NaN, or the data cannot be used.
    fn begin(
        &self,
        problem: &mut Problem<N, L, X, Y, B>,
        memory: &mut Self::Memory,
        state: &mut Self::State,
    ) -> Result<N::Scalar, Error>;

    /// One iteration. After an error the network is as it was.
    ///
    /// # Errors
    ///
    /// If what is computed at the network as it was is infinite or NaN.
    fn iterate(
        &self,
        problem: &mut Problem<N, L, X, Y, B>,
        memory: &mut Self::Memory,
        state: &mut Self::State,
    ) -> Result<Iteration<N::Scalar>, Error>;
}

/// Trainer of full batches: a network, a loss and a solver, with all memory that they need, in one value without a heap. It is
/// for small networks and data that fit into memory, where a solver such as [`Lbfgs`] or [`LevenbergMarquardt`] reaches in some
/// dozen epochs what takes stochastic gradient descent thousands. For others there is [`Trainer`](crate::train::Trainer).
///
/// Each epoch is one iteration of the solver. [Callbacks](crate::train::callbacks) are those of the other trainer; the loss that
/// they see is that of the network after the epoch, without penalties. After an error the network is as the last good step left
/// it. When the solver ends the training run, [`status`](Self::status) says why.
///
/// Layers compute what they do in [prediction](self): dropout zeroes nothing, and running statistics do not change.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::train::{FullBatchTrainer, Lbfgs};
///
/// type Net = (Dense<2, 8, Tanh, f64>, Dense<8, 1, Sigmoid, f64>);
/// let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let targets = [false, true, true, false];
///
/// let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), BinaryCrossEntropy, Lbfgs::<f64>::new());
/// let report = trainer.fit(&inputs, &targets, 100, ())?;
/// println!("{} epochs: {}", report.epochs, trainer.status);
/// assert!(report.loss < 1e-3);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("lbfgs", "trainlm", "scipy.optimize", "MLPRegressor"))]
pub struct FullBatchTrainer<N: Trainable, L, S: Solver<N>, const B: usize = 32> {
    /// The network that is trained.
    pub network: N,
    /// The loss that is minimized.
    pub loss: L,
    /// The solver with its settings.
    pub solver: S,
    /// The number of epochs that were run.
    pub epochs: usize,
    /// Why the solver has ended the last training run, if it has.
    pub status: Status,
    pub(crate) state: S::State,
    memory: S::Memory,
    workspace: Workspace<N, B>,
}

/// Without state and memory, which are several networks.
impl<N: Trainable + fmt::Debug, L: fmt::Debug, S: Solver<N> + fmt::Debug, const B: usize> fmt::Debug
    for FullBatchTrainer<N, L, S, B>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FullBatchTrainer")
            .field("network", &self.network)
            .field("loss", &self.loss)
            .field("solver", &self.solver)
            .field("epochs", &self.epochs)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl<N: Trainable, L, S: Solver<N>> FullBatchTrainer<N, L, S> {
    /// Creates a trainer that has taken no step yet, on the stack. See [`BYTES`](Self::BYTES), and `boxed` for a box.
    #[must_use]
    pub const fn new(network: N, loss: L, solver: S) -> Self {
        Self::with_micro_batch(network, loss, solver)
    }
}

impl<N: Trainable, L, S: Solver<N>, const B: usize> FullBatchTrainer<N, L, S, B> {
    /// The size of a trainer in bytes: all memory of training except the call stack.
    pub const BYTES: usize = size_of::<Self>();

    /// Creates a trainer with the micro-batch of its type: `FullBatchTrainer::<_, _, _, 1>::with_micro_batch(..)` for the least
    /// memory.
    #[must_use]
    pub const fn with_micro_batch(network: N, loss: L, solver: S) -> Self {
        FullBatchTrainer {
            network,
            loss,
            solver,
            epochs: 0,
            status: Status::Running,
            state: Zeroed::ZEROED,
            memory: Zeroed::ZEROED,
            workspace: Workspace::new(),
        }
    }

    /// Creates the same trainer in a box, without needing space for it on the caller's stack.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::model::Params;
    /// use tuplenet::prelude::*;
    /// use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};
    ///
    /// // A matrix of 641 by 641 parameters: 3 megabytes.
    /// type Net = (Dense<8, 64, Tanh, f64>, Dense<64, 1, Identity, f64>);
    /// type Solver = LevenbergMarquardt<{ Net::PARAMETERS }, f64>;
    /// type Trainer = FullBatchTrainer<Net, MeanSquaredError, Solver>;
    /// let mut trainer = Trainer::boxed(Net::boxed(seeded(0)), MeanSquaredError, Solver::new());
    /// trainer.fit(&[[0.5; 8]; 4], &[[1.0]; 4], 2, ())?;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[cfg(feature = "std")]
    #[must_use]
    pub fn boxed(network: alloc::boxed::Box<N>, loss: L, solver: S) -> alloc::boxed::Box<Self>
    where
        N: Send,
        L: Send,
        S: Send,
        Self: Send,
    {
        crate::model::boxed::boxed_on_large_stack(|| Self::with_micro_batch(*network, loss, solver))
    }

    /// The state of the solver, kept from epoch to epoch.
    #[must_use]
    pub fn state(&self) -> &S::State {
        &self.state
    }

    /// Initializes the trainer in place: new weights as by [`Network::new`](crate::model::Network::new), no epoch run, and a zero
    /// state of the solver; for a trainer in a `static`.
    pub fn initialize<G: Rng>(&mut self, mut rng: G) {
        fill(&mut self.network, <N::Scalar as crate::num::Real>::ZERO);
        self.network.initialize(&mut rng);
        (self.epochs, self.status, self.state) = (0, Status::Running, Zeroed::ZEROED);
    }

    /// Trains for at most `epochs` epochs, or until the solver ends the training run. `callback` is called after each epoch and
    /// may stop the training run, as for [`Trainer::fit`](crate::train::Trainer::fit).
    ///
    /// A training run that is continued with the same data by another call computes the same bits as one that was not stopped.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// If there are no samples or epochs, not as many targets as inputs, the loss does not accept a target, a setting is out of
    /// its range, an input, a weight, or the loss or the gradient at the first network is infinite or NaN, or a callback returns
    /// an error. After an error the network is as the last good step left it, unless a callback changes it.
    pub fn fit<X, Y, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        epochs: usize,
        callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        S: Minimize<N, L, X, Y, B>,
    {
        self.run(inputs, targets, None::<(&X, &Y)>, epochs, callback)
    }

    /// Like [`fit`](Self::fit), and computes the loss of the validation samples, a pair of inputs and targets that are not
    /// trained on, after each epoch.
    ///
    /// # Errors
    ///
    /// As for [`fit`](Self::fit), also for the validation samples.
    pub fn fit_validated<X, Y, VX, VY, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        validation: (&VX, &VY),
        epochs: usize,
        callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        VX: Inputs<N::Scalar, N::In> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        S: Minimize<N, L, X, Y, B>,
    {
        self.run(inputs, targets, Some(validation), epochs, callback)
    }

    /// Returns the mean loss over any number of samples, without training.
    ///
    /// # Errors
    ///
    /// As for [`Trainer::evaluate`](crate::train::Trainer::evaluate).
    pub fn evaluate<X, Y>(&mut self, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        self.workspace.loss(&self.network, &self.loss, inputs, targets)
    }

    fn run<X, Y, VX, VY, V>(
        &mut self,
        inputs: &X,
        targets: &Y,
        validation: Option<(&VX, &VY)>,
        epochs: usize,
        mut callback: impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        VX: Inputs<N::Scalar, N::In> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        S: Minimize<N, L, X, Y, B>,
    {
        if let Some((inputs, targets)) = validation {
            check_data(inputs, targets)?;
        }
        check_data(inputs, targets)?;
        self.solver.check()?;
        Y::check_loss(&self.loss)?;
        if !is_finite(&self.network) {
            return Err(Error::WeightNotFinite);
        }
        if epochs == 0 && !callback.may_be_complete() {
            return Err(Error::Epochs);
        }
        let begin = callback.begin(self)?;
        let result = if begin.is_break() || epochs == 0 {
            self.evaluate(inputs, targets).map(|loss| FitReport { epochs: 0, loss })
        } else {
            self.epochs_on((inputs, targets), validation, epochs, &mut callback)
        };
        let result = result.map_err(|error| cause(&self.network, error));
        callback.end(self, result)
    }

    fn epochs_on<X, Y, VX, VY, V>(
        &mut self,
        (inputs, targets): (&X, &Y),
        validation: Option<(&VX, &VY)>,
        epochs: usize,
        callback: &mut impl TrainerCallback<N, Self, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        VX: Inputs<N::Scalar, N::In> + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        S: Minimize<N, L, X, Y, B>,
    {
        self.status = Status::Running;
        let FullBatchTrainer { network, loss, solver, state, memory, workspace, epochs: epoch, .. } = self;
        let mut problem = Problem { network, loss, inputs, targets, workspace, epoch: *epoch };
        let mut report = FitReport { epochs: 0, loss: solver.begin(&mut problem, memory, state)? };
        while report.epochs < epochs && !self.status.has_ended() {
            let FullBatchTrainer { network, loss, solver, state, memory, workspace, epochs: epoch, .. } = self;
            let number = *epoch;
            let mut problem = Problem { network, loss, inputs, targets, workspace, epoch: number };
            let iteration = solver.iterate(&mut problem, memory, state)?;
            self.status = iteration.status;
            report.loss = iteration.loss;
            if !iteration.moved {
                break;
            }
            self.epochs += 1;
            report.epochs += 1;
            let validation_loss = match validation {
                Some((inputs, targets)) => {
                    Some(self.evaluate(inputs, targets).map_err(|error| cause_in_evaluation(&self.network, error))?)
                }
                None => None,
            };
            let epoch = EpochReport { number, loss: report.loss, validation_loss, network: &self.network };
            if callback.epoch(&epoch, self)?.is_break() {
                break;
            }
        }
        Ok(report)
    }
}

impl<N, L, S, const B: usize, W> TrainerCallback<N, FullBatchTrainer<N, L, S, B>, SeesNetwork> for W
where
    N: Trainable,
    S: Solver<N>,
    W: Callback<N>,
{
    fn begin(&mut self, trainer: &FullBatchTrainer<N, L, S, B>) -> Result<ControlFlow<()>, Error> {
        Callback::begin(self, trainer.epochs, &trainer.network)?;
        Ok(ControlFlow::Continue(()))
    }

    fn epoch(&mut self, epoch: &EpochReport<N>, _: &FullBatchTrainer<N, L, S, B>) -> Result<ControlFlow<()>, Error> {
        Ok(Callback::epoch(self, epoch))
    }

    fn end(
        &mut self,
        trainer: &mut FullBatchTrainer<N, L, S, B>,
        result: Result<FitReport<N::Scalar>, Error>,
    ) -> Result<FitReport<N::Scalar>, Error> {
        Callback::end(self, &mut trainer.network, result);
        Callback::left(self, trainer.epochs, &trainer.network);
        result
    }
}
