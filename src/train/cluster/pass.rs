//! A batch over all ranks: which shards a rank computes, and the sum of all.

use super::reduce::{Partial, Reduction, Total, own_nodes, own_shards};
use super::{Distributed, Hash, agree, all_gather};
use crate::data::{BLOCKS, Block, Inputs, Permutation, block, check_shares};
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{LastActivation, Trainable};
use crate::num::Real;
use crate::num::random::seeded;
use crate::train::Workspace;
use crate::train::batch::{BatchView, MeanLoss, Sum, Totals};
use crate::train::executor::Executor;
use crate::train::shards::{Shard, join, leaf, reserve, shard_count, shard_length, sum};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use fearless_simd::Simd;
use num_traits::float::FloatCore;

impl<N, const B: usize> Distributed<'_, N, B>
where
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
{
    /// Returns the mean loss of a batch, and adds its gradient to `gradient`, if there is one.
    #[inline(always)]
    fn pass<S, L, X, Y>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: Option<&mut N>,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        S: Simd,
        L: Sync,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
    {
        if view.batch == 0 && gradient.is_some() {
            self.agree_on_epoch(network, view.order)?;
        }
        if X::SHARED {
            return self.pass_over_blocks(simd, workspace, network, loss, view, gradient);
        }
        let length = shard_length(N::PARAMETERS, B, view.range.len());
        let count = shard_count(view.range.len(), length, N::TOGETHER);
        if count < 2 {
            return match gradient {
                Some(gradient) => workspace.accumulate(simd, network, loss, view, gradient),
                None => workspace.evaluate(simd, network, loss, view),
            };
        }
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let leaf = leaf(simd, network, loss, &view, totals, (length, count));
        let sum = self.reduce(simd, workspace, gradient, count, &leaf)?;
        view.mean(totals, sum)
    }

    /// [`pass`](Self::pass) where each rank has some blocks of the data.
    fn pass_over_blocks<S, L, X, Y>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: Option<&mut N>,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        S: Simd,
        L: Sync,
        X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
    {
        let BatchView { inputs, targets, epoch, batch, .. } = view;
        let range = view.range.clone();
        if N::TOGETHER > 1 && (0..BLOCKS).any(|index| positions(&range, index).len() == 1) {
            return Err(Error::LoneSample { batch });
        }
        let orders = self.orders.take().filter(|(order, _)| order == view.order);
        let (order, orders) = orders.unwrap_or_else(|| (view.order.clone(), orders_of(view.order)));
        let rank = self.communicator.rank();
        let own = own_shards(BLOCKS, rank, self.communicator.size());
        // The blocks before it in the batch say which of its samples the first one of a block is.
        let before = |index: usize| (0..index).map(|index| positions(&range, index).len()).sum::<usize>();
        let data = |index: usize| {
            let samples = block(inputs.count(), index);
            (Block { data: inputs, range: samples.clone() }, Block { data: targets, range: samples })
        };

        let totals = self.weight_over_blocks(Y::WEIGHTED, range.len(), own.clone(), |index| {
            let (inputs, targets) = data(index);
            let order = orders.get(index)?;
            let range = positions(&range, index);
            BatchView { inputs: &inputs, targets: &targets, order, range, epoch, batch, training: true }.totals().ok()
        });
        let result = match totals {
            Some(weight) if Y::WEIGHTED && weight == N::Scalar::ZERO => Ok(MeanLoss::NOTHING),
            Some(weight) => {
                let leaf = |index: usize, workspace: &mut Workspace<N, B>, gradient: Option<&mut N>| {
                    let ((inputs, targets), range) = (data(index), positions(&range, index));
                    let Some(order) = orders.get(index) else { return Err(Error::NoSamples) };
                    let totals = Totals { start: range.start.wrapping_sub(before(index)), weight };
                    let view =
                        &BatchView { inputs: &inputs, targets: &targets, order, range, epoch, batch, training: true };
                    let result = simd.vectorize(
                        #[inline(always)]
                        || {
                            workspace.over_micro_batches::<S, L, Block<X>, Y, Block<Y>>(
                                simd, network, loss, view, totals, gradient,
                            )
                        },
                    );
                    result.map_err(|error| in_whole(error, targets.range.start))
                };
                let sum = self.reduce(simd, workspace, gradient, BLOCKS, &leaf);
                sum.and_then(|sum| view.mean(Totals { start: 0, weight }, sum))
            }
            None => Err(Error::Weight { epoch, batch }),
        };
        self.orders = Some((order, orders));
        result
    }

    /// The weight of all samples of a batch; `None` if there are wrong ones. `of` returns that of a block.
    fn weight_over_blocks(
        &self,
        weighted: bool,
        count: usize,
        own: Range<usize>,
        of: impl Fn(usize) -> Option<Totals<N::Scalar>>,
    ) -> Option<N::Scalar> {
        if !weighted {
            return Some(N::Scalar::from_count(count));
        }
        // An empty block has no weight; a wrong one is NaN.
        let weights = own.map(|index| of(index).map_or(f64::NAN, |totals| totals.weight.exact()));
        let message: Vec<u8> = weights.flat_map(f64::to_le_bytes).collect();
        let mut sum = Sum::ZERO;
        for message in all_gather(self.communicator, &message) {
            for weight in message.as_chunks::<8>().0 {
                sum.add(N::Scalar::of(f64::from_le_bytes(*weight)));
            }
        }
        let weight = sum.rounded();
        weight.is_finite().then_some(weight)
    }

    /// Fails unless all ranks begin an epoch with the same weights and the same order of samples.
    #[cold]
    #[inline(never)]
    fn agree_on_epoch(&self, network: &N, order: &Permutation) -> Result<(), Error> {
        if self.communicator.size() == 1 {
            return Ok(());
        }
        let (mut weights, mut samples) = (Hash::new(), Hash::new());
        network.visit(&mut weights);
        for position in 0..order.count().min(8) {
            samples.word(order.at(position) as u64);
        }
        agree(self.communicator, Ok(()), &[("weights", weights.0), ("order of samples", samples.0)])
    }

    /// Returns the sum over all shards of a batch, over all ranks, and adds up their gradients in `gradient`, which is
    /// zero before, and after an error.
    fn reduce<S, F>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        mut gradient: Option<&mut N>,
        count: usize,
        leaf: &F,
    ) -> Result<N::Scalar, Error>
    where
        S: Simd,
        F: Fn(usize, &mut Workspace<N, B>, Option<&mut N>) -> Result<N::Scalar, Error> + Sync,
    {
        let own = own_shards(count, self.communicator.rank(), self.communicator.size());
        let mut nodes = Vec::new();
        own_nodes(0..count, &own, &mut nodes);
        // Only the first shard of a batch clears what the batch before has left in the trainer's gradient; on other ranks
        // that is only filled with the sum.
        let is_first = own.start == 0 && !own.is_empty();
        let others = own.len() - usize::from(is_first);
        reserve(&mut self.shards, others);
        let mut large = false;
        let wanted = gradient.is_some();
        let mut total = {
            let mut rest = &mut self.shards[..others];
            let (mut first, spare) = if is_first {
                (Some((&mut *workspace, gradient.as_deref_mut())), None)
            } else {
                (None, gradient.as_deref_mut())
            };
            let mut work = Vec::with_capacity(nodes.len());
            for node in nodes {
                let memory = first.take().or_else(|| {
                    let Shard { workspace, gradient } = &mut **rest.split_off_first_mut()?;
                    Some((workspace, Some(gradient)))
                });
                let others = rest.split_off_mut(..node.len() - 1).unwrap_or_default();
                if let Some((workspace, gradient)) = memory {
                    work.push(Work { node, workspace, gradient, others, result: Ok(N::Scalar::ZERO) });
                }
            }
            compute(simd, leaf, &mut work, wanted);
            let mut partials = Vec::with_capacity(work.len());
            for Work { node, workspace, gradient, others, result } in work {
                large |= core::mem::take(&mut workspace.large);
                large |=
                    others.iter_mut().fold(false, |large, shard| large | core::mem::take(&mut shard.workspace.large));
                partials.push(Partial { first: node.start, gradient: gradient.filter(|_| wanted), result });
            }
            let (communicator, message, received) = (self.communicator, &mut self.message, &mut self.received);
            let reduction = Reduction { simd, communicator, count, message, received, large };
            reduction.run(&mut partials, spare)
        };
        workspace.large = total.large;
        if total.result.is_err() {
            if let Some(gradient) = gradient {
                *gradient = N::ZEROED;
            }
            for shard in &mut self.shards {
                shard.gradient = N::ZEROED;
            }
            if let Some(received) = &mut self.received {
                **received = N::ZEROED;
            }
        }
        let Total { result, .. } = &mut total;
        *result
    }
}

/// What a rank computes of a batch: a node of the tree, and the memory for it.
struct Work<'a, N: Trainable, const B: usize> {
    node: Range<usize>,
    workspace: &'a mut Workspace<N, B>,
    gradient: Option<&'a mut N>,
    others: &'a mut [Box<Shard<N, B>>],
    result: Result<N::Scalar, Error>,
}

/// Computes nodes on the threads of this rank.
fn compute<S, N, F, const B: usize>(simd: S, leaf: &F, work: &mut [Work<N, B>], wanted: bool)
where
    S: Simd,
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
    F: Fn(usize, &mut Workspace<N, B>, Option<&mut N>) -> Result<N::Scalar, Error> + Sync,
{
    match work {
        [] => {}
        [one] => {
            let gradient = one.gradient.as_deref_mut().filter(|_| wanted);
            one.result = sum(simd, leaf, one.node.clone(), one.workspace, gradient, one.others);
        }
        _ => {
            let (left, right) = work.split_at_mut(work.len() / 2);
            join(|| compute(simd, leaf, left, wanted), || compute(simd, leaf, right, wanted));
        }
    }
}

/// The positions in a block's own order of those samples of it that a batch has. The positions of an epoch are dealt to the
/// blocks in turn.
fn positions(batch: &Range<usize>, index: usize) -> Range<usize> {
    let before = |position: usize| (position + BLOCKS - 1 - index) / BLOCKS;
    before(batch.start)..before(batch.end)
}

/// The order of each block in an epoch, as random as that of the epoch.
fn orders_of(order: &Permutation) -> Vec<Permutation> {
    let mut seed = Hash::new();
    for position in 0..order.count().min(64) {
        seed.word(order.at(position) as u64);
    }
    let of = |index: usize| {
        let count = block(order.count(), index).len();
        if order.is_identity() {
            return Permutation::identity(count);
        }
        let mut seed = Hash(seed.0);
        seed.word(index as u64);
        Permutation::new(count, seeded(seed.0))
    };
    (0..BLOCKS).map(of).collect()
}

/// An error in a block whose first sample is this one, as one in the whole data set.
fn in_whole(error: Error, first: usize) -> Error {
    match error {
        Error::Target { sample, problem } => Error::Target { sample: sample + first, problem },
        Error::InputNotFinite { sample, column, found, epoch, batch } => {
            Error::InputNotFinite { sample: sample + first, column, found, epoch, batch }
        }
        error => error,
    }
}

impl<N, L, X, Y, const B: usize> Executor<N, L, X, Y, B> for Distributed<'_, N, B>
where
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
    L: Sync,
    X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
{
    #[inline(always)]
    fn count(inputs: &X, targets: &Y) -> Result<usize, Error> {
        check_shares(inputs, targets)
    }

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
        let result = self.pass(simd, workspace, network, loss, view, Some(&mut *gradient));
        if result.is_err() {
            *gradient = N::ZEROED;
        }
        result
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
        self.pass(simd, workspace, network, loss, view, Some(gradient))
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
        self.pass(simd, workspace, network, loss, view, None)
    }
}
