//! [`Parallel`]: training, evaluation and prediction on several threads, with the feature `rayon`.

use crate::data::Inputs;
use crate::error::Error;
use crate::loss::Targets;
use crate::model::network::{MICRO_BATCH, check_places, predict_all};
use crate::model::{LastActivation, Shape, Trainable};
use crate::num::dispatch::{dispatch, level};
use crate::optimizer::Optimizer;
use crate::train::batch::{BatchView, MeanLoss};
use crate::train::callbacks::TrainerCallback;
use crate::train::executor::Executor;
use crate::train::shards::{Shard, join, leaf, reserve, shard_count, shard_length, sum};
use crate::train::{FitOptions, FitReport, Trainer, Workspace};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use fearless_simd::Simd;
use rand::Rng;

/// Data-parallel training: the memory with which several threads train a network `N` together, each with `B` samples at
/// once. Its methods are those of [`Trainer`] with the trainer as an argument. Create one and reuse it: it allocates
/// only if a batch has more shards than any before.
///
/// The threads are those of rayon, by default one for each core. To change that, see rayon's documentation:
/// `ThreadPool::install` for a pool of your own, `RAYON_NUM_THREADS`.
///
/// A batch is divided into at most 32 shards. Their length depends only on the sizes of batch, micro-batch and network,
/// never on the number of threads, and the gradients of the shards are added in an order that depends on their number:
/// the results are the same bits with any number of threads. They differ from those of the trainer alone by rounding,
/// since its sums have another order. A shard is large enough that sharing it is faster. A batch that is less than two
/// shards, such as the usual 32 samples of a small network, is computed by the calling thread, with the result of the
/// trainer alone.
///
/// # Examples
///
/// ```
/// use tuplenet::train::Parallel;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<1, 32, Tanh>, Dense<32, 1, Identity>);
/// let inputs: Vec<[f32; 1]> = (0..2000).map(|i| [i as f32 / 1000.0 - 1.0]).collect();
/// let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [x * x]).collect();
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
///
/// let mut parallel = Parallel::new();
/// let fit = FitOptions { epochs: 1000, batch_size: 2000, ..FitOptions::default() };
/// parallel.fit(&mut trainer, &inputs, &targets, &fit, ())?;
/// assert!(parallel.evaluate(&mut trainer, &inputs, &targets)? < 1e-3);
///
/// let mut outputs = vec![[0.0]; inputs.len()];
/// Parallel::predict_all(&trainer.network, &inputs, &mut outputs)?;
/// assert!((outputs[500][0] - 0.25).abs() < 0.1);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
#[doc(alias("DataParallel", "multithreading", "n_jobs"))]
pub struct Parallel<N: Trainable, const B: usize = 32> {
    /// One for each shard of a batch except the first, which uses the trainer's memory. Gradients are zero between
    /// batches.
    shards: Vec<Box<Shard<N, B>>>,
}

/// One that has no memory yet: what is in it matters only while a batch is computed.
impl<N: Trainable, const B: usize> Clone for Parallel<N, B> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<N: Trainable, const B: usize> fmt::Debug for Parallel<N, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parallel").field("micro_batch", &B).field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl<N: Trainable, const B: usize> Default for Parallel<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Trainable, const B: usize> Parallel<N, B> {
    /// Creates a `Parallel` without memory; it allocates when it is used.
    #[must_use]
    pub const fn new() -> Self {
        Parallel { shards: Vec::new() }
    }
}

impl<N, const B: usize> Parallel<N, B>
where
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
{
    /// [`Trainer::step`] on several threads.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::step`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::step`].
    pub fn step<L, O, R, X, Y>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
    ) -> Result<N::Scalar, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
    {
        trainer.step_with(self, inputs, targets)
    }

    /// [`Trainer::epoch`], each batch on several threads.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::epoch`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::epoch`].
    pub fn epoch<L, O, R, X, Y>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
        batch_size: usize,
    ) -> Result<N::Scalar, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
        R: Rng,
    {
        trainer.epoch_by(self, inputs, targets, batch_size)
    }

    /// [`Trainer::fit`], each batch on several threads.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::fit`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::fit`].
    pub fn fit<L, O, R, X, Y, V>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
        fit: &FitOptions,
        callback: impl TrainerCallback<N, Trainer<N, L, O, R, B>, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
        R: Rng,
    {
        trainer.run(self, inputs, targets, None::<(&X, &Y)>, fit, callback)
    }

    /// [`Trainer::fit_validated`], each batch and the validation on several threads.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::fit_validated`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::fit_validated`].
    #[doc(alias("validation_data"))]
    pub fn fit_validated<L, O, R, X, Y, VX, VY, V>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
        validation: (&VX, &VY),
        fit: &FitOptions,
        callback: impl TrainerCallback<N, Trainer<N, L, O, R, B>, V>,
    ) -> Result<FitReport<N::Scalar>, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
        VX: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
        R: Rng,
    {
        trainer.run(self, inputs, targets, Some(validation), fit, callback)
    }

    /// [`Trainer::evaluate`] on several threads.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::evaluate`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::evaluate`].
    pub fn evaluate<L, O, R, X, Y>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
    ) -> Result<N::Scalar, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
    {
        trainer.evaluate_by(self, inputs, targets)
    }
}

impl<N: Trainable + Sync> Parallel<N> {
    /// [`Network::predict_all`](crate::model::Network::predict_all) on several threads, with the same bits and no
    /// memory of its own.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `outputs`: as many arrays `[T; OUT]`.
    ///
    /// # Errors
    ///
    /// If there are not as many outputs as inputs.
    pub fn predict_all<X>(
        network: &N,
        inputs: &X,
        outputs: &mut [<N::Out as Shape>::Sample<N::Scalar>],
    ) -> Result<(), Error>
    where
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
    {
        check_places(inputs, outputs)?;
        let length = shard_length(N::PARAMETERS, MICRO_BATCH, outputs.len());
        dispatch!(level(), simd => predict_shards(simd, network, inputs, 0, length, outputs));
        Ok(())
    }
}

/// Predicts the samples from `first` on, as many as there are `outputs`; divides them into halves while they are more
/// than a shard.
fn predict_shards<S: Simd, N, X>(
    simd: S,
    network: &N,
    inputs: &X,
    first: usize,
    length: usize,
    outputs: &mut [<N::Out as Shape>::Sample<N::Scalar>],
) where
    X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
    N: Trainable + Sync,
{
    let shards = outputs.len().div_ceil(length);
    if shards <= 1 {
        // On a thread of rayon, which does not know the instruction set.
        return simd.vectorize(
            #[inline(always)]
            || predict_all(simd, network, inputs, first, outputs),
        );
    }
    let half = shards.div_ceil(2) * length;
    let (left, right) = outputs.split_at_mut(half);
    join(
        || predict_shards(simd, network, inputs, first, length, left),
        || predict_shards(simd, network, inputs, first + half, length, right),
    );
}

impl<N, L, X, Y, const B: usize> Executor<N, L, X, Y, B> for Parallel<N, B>
where
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
    L: Sync,
    X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
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
        let length = shard_length(N::PARAMETERS, B, view.range.len());
        let count = shard_count(view.range.len(), length, N::TOGETHER);
        if count < 2 {
            return workspace.accumulate(simd, network, loss, view, gradient);
        }
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let rest = self.rest(count);
        let leaf = leaf(simd, network, loss, &view, totals, (length, count));
        let result = sum(simd, &leaf, 0..count, workspace, Some(&mut *gradient), rest);
        workspace.large |=
            rest.iter_mut().fold(false, |large, shard| large | core::mem::take(&mut shard.workspace.large));
        let result = match result {
            Ok(sum) => view.mean(totals, sum),
            Err(error) => Err(error),
        };
        if result.is_err() {
            *gradient = N::ZEROED;
            for shard in rest {
                shard.gradient = N::ZEROED;
            }
        }
        result
    }

    /// One micro-batch is not shared.
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
        let length = shard_length(N::PARAMETERS, B, view.range.len());
        let count = shard_count(view.range.len(), length, N::TOGETHER);
        if count < 2 {
            return workspace.evaluate(simd, network, loss, view);
        }
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let leaf = leaf(simd, network, loss, &view, totals, (length, count));
        let sum = sum(simd, &leaf, 0..count, workspace, None, self.rest(count))?;
        view.mean(totals, sum)
    }
}

impl<N: Trainable + Send, const B: usize> Parallel<N, B>
where
    N::Cache<B>: Send,
{
    /// The memory of `count` shards except the first.
    fn rest(&mut self, count: usize) -> &mut [Box<Shard<N, B>>] {
        reserve(&mut self.shards, count - 1);
        &mut self.shards[..count - 1]
    }
}
