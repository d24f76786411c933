//! What stands behind the methods of [`Trainer`]: steps, epochs and training runs, by any [`Executor`].

use crate::data::{Inputs, Permutation};
use crate::error::Error;
use crate::kernel::is_in_registers;
use crate::loss::Targets;
use crate::model::layer::is_inlined;
use crate::model::{LastActivation, Trainable, is_finite};
use crate::num::Real;
use crate::num::dispatch::{COMPILED, dispatch, dispatch_or_call, level};
use crate::num::target::LOOPS_IN_LANES;
use crate::optimizer::Optimizer;
use crate::train::batch::{BatchView, MeanLoss, Sum, cause, cause_in_evaluation, check_together};
use crate::train::callbacks::{EpochReport, TrainerCallback};
use crate::train::executor::{Executor, SingleThread};
use crate::train::optimizer_step::OptimizerStep;
use crate::train::{FitOptions, FitReport, Trainer, Workspace};
use fearless_simd::Simd;
use num_traits::float::FloatCore;
use rand::Rng;

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
{
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
                let view = BatchView {
                    inputs,
                    targets,
                    order,
                    range: first..first + B,
                    epoch: self.epochs,
                    batch,
                    training: true,
                };
                let mean = self.step_in_registers(simd, executor, view)?;
                sum.add(mean.loss * mean.weight);
                weight.add(mean.weight);
                (first, batch) = (first + B, batch + 1);
            }
        }
        while first < count {
            let last = if count - first > fit.batch_size { first + fit.batch_size } else { count };
            let view =
                BatchView { inputs, targets, order, range: first..last, epoch: self.epochs, batch, training: true };
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
    const IN_REGISTERS: bool =
        LOOPS_IN_LANES && !cfg!(debug_assertions) && is_in_registers(B, size_of::<Workspace<N, B>>() + size_of::<N>());
}

/// The index of the last batch of an epoch.
fn last_batch(count: usize, batch_size: usize) -> usize {
    (count - 1).checked_div(batch_size).unwrap_or(0)
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
