//! [`Parallel`]: training, evaluation and prediction on several threads, with the feature `rayon`.

use crate::data::Inputs;
use crate::error::Error;
use crate::loss::Targets;
use crate::model::boxed::boxed_on_large_stack;
use crate::model::network::{MICRO_BATCH, check_places, predict_all};
use crate::model::{LastActivation, Shape, Trainable};
use crate::num::dispatch::{dispatch, level};
use crate::optimizer::Optimizer;
use crate::train::batch::{BatchView, MeanLoss, Totals};
use crate::train::callbacks::TrainerCallback;
use crate::train::executor::Executor;
use crate::train::workspace::Accumulate;
use crate::train::{FitOptions, FitReport, Trainer, Workspace};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
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

struct Shard<N: Trainable, const B: usize> {
    workspace: Workspace<N, B>,
    gradient: N,
}

/// The largest number of shards of a batch.
const MOST_SHARDS: usize = 32;

/// The least work of a shard, in parameters times samples: some microseconds, against a fraction of one for passing it
/// to another thread.
const LEAST_WORK: usize = 1 << 17;

/// The number of samples in a shard of a batch of `count` samples, a multiple of the micro-batch.
fn shard_length(parameters: usize, micro_batch: usize, count: usize) -> usize {
    let samples = count.div_ceil(MOST_SHARDS).max(LEAST_WORK.div_ceil(parameters.max(1)));
    samples.div_ceil(micro_batch) * micro_batch
}

/// The number of shards of a batch. If a layer learns from several samples together, a shard never has a single sample:
/// that sample becomes the last one of the shard before.
fn shard_count(count: usize, length: usize, together: usize) -> usize {
    count.saturating_sub(together.min(2) - 1).max(1).div_ceil(length)
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
    rayon::join(
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
        if shard_count(view.range.len(), length, N::TOGETHER) < 2 {
            return workspace.accumulate(simd, network, loss, view, gradient);
        }
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let rest = self.shards(shard_count(view.range.len(), length, N::TOGETHER) - 1);
        let shared = Shared { simd, network, loss, view: &view, totals, length };
        let result = shared.over_shards(workspace, Some(&mut *gradient), rest, view.range.clone());
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
        if shard_count(view.range.len(), length, N::TOGETHER) < 2 {
            return workspace.evaluate(simd, network, loss, view);
        }
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let rest = self.shards(shard_count(view.range.len(), length, N::TOGETHER) - 1);
        let shared = Shared { simd, network, loss, view: &view, totals, length };
        let sum = shared.over_shards(workspace, None, rest, view.range.clone())?;
        view.mean(totals, sum)
    }
}

impl<N: Trainable, const B: usize> Parallel<N, B> {
    /// The first `count` shards; allocates those that are missing.
    fn shards(&mut self, count: usize) -> &mut [Box<Shard<N, B>>]
    where
        Shard<N, B>: Send,
    {
        while self.shards.len() < count {
            self.shards.push(boxed_on_large_stack(|| Shard { workspace: Workspace::new(), gradient: N::ZEROED }));
        }
        &mut self.shards[..count]
    }
}

/// What all threads share of a batch.
struct Shared<'a, S, N: Trainable, L, X: ?Sized, Y: ?Sized> {
    simd: S,
    network: &'a N,
    loss: &'a L,
    view: &'a BatchView<'a, X, Y>,
    totals: Totals<N::Scalar>,
    /// The number of samples in a shard.
    length: usize,
}

impl<S: Simd, N, L, X, Y> Shared<'_, S, N, L, X, Y>
where
    N: Trainable + Send + Sync,
    L: Sync,
    X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
{
    /// Returns what the samples in `range` add to the mean loss, and adds their gradient to `gradient`, if there is
    /// one. Halves the range until it is one shard; `rest` has the memory of all its shards but the first. If there are
    /// several errors, returns that of the first shard.
    fn over_shards<const B: usize>(
        &self,
        workspace: &mut Workspace<N, B>,
        mut gradient: Option<&mut N>,
        rest: &mut [Box<Shard<N, B>>],
        range: Range<usize>,
    ) -> Result<N::Scalar, Error>
    where
        N::Cache<B>: Send,
    {
        let simd = self.simd;
        let shards = rest.len() + 1;
        let (left, right) = rest.split_at_mut(shards.div_ceil(2) - 1);
        let Some((other, right)) = right.split_first_mut() else {
            let view = &BatchView { range, ..*self.view };
            // On a thread of rayon, which does not know the instruction set.
            return simd.vectorize(
                #[inline(always)]
                || workspace.over_micro_batches(simd, self.network, self.loss, view, self.totals, gradient),
            );
        };
        let half = range.start + shards.div_ceil(2) * self.length;
        let (left_range, right_range) = (range.start..half, half..range.end);
        let Shard { workspace: other_workspace, gradient: other_gradient } = &mut **other;
        let other_wanted = gradient.is_some().then_some(&mut *other_gradient);
        let (left, right) = rayon::join(
            || self.over_shards(workspace, gradient.as_deref_mut(), left, left_range),
            || self.over_shards(other_workspace, other_wanted, right, right_range),
        );
        let sum = left? + right?;
        if let Some(gradient) = gradient {
            simd.vectorize(
                #[inline(always)]
                || {
                    gradient.visit_mut([other_gradient], &mut Accumulate);
                    gradient.merge_buffers(other_gradient);
                },
            );
        }
        Ok(sum)
    }
}
