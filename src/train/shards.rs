//! Shards: the parts of a batch that threads and ranks share, and the order in which their gradients are added.
//!
//! The gradients of the shards are the leaves of a binary tree that depends on their number alone: each inner node adds the
//! gradient of its right half to that of its left half. Whoever computes which shards, the sums are the same bits.

use crate::data::Inputs;
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{LastActivation, Trainable};
use crate::train::Workspace;
use crate::train::batch::{BatchView, Totals};
use crate::train::workspace::Accumulate;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use fearless_simd::Simd;

#[cfg(feature = "rayon")]
pub(super) use rayon::join;

/// Without threads, one after the other.
#[cfg(not(feature = "rayon"))]
pub(super) fn join<A, B>(a: impl FnOnce() -> A, b: impl FnOnce() -> B) -> (A, B) {
    (a(), b())
}

/// The memory for a shard.
pub(super) struct Shard<N: Trainable, const B: usize> {
    pub workspace: Workspace<N, B>,
    /// Zero between batches.
    pub gradient: N,
}

/// The largest number of shards of a batch.
const MOST_SHARDS: usize = 32;

/// The least work of a shard, in parameters times samples: some microseconds, against a fraction of one for passing it
/// to another thread.
const LEAST_WORK: usize = 1 << 17;

/// The number of samples in a shard of a batch of `count` samples, a multiple of the micro-batch.
pub(super) fn shard_length(parameters: usize, micro_batch: usize, count: usize) -> usize {
    let samples = count.div_ceil(MOST_SHARDS).max(LEAST_WORK.div_ceil(parameters.max(1)));
    samples.div_ceil(micro_batch) * micro_batch
}

/// The number of shards of a batch. If a layer learns from several samples together, a shard never has a single sample:
/// that sample becomes the last one of the shard before.
pub(super) fn shard_count(count: usize, length: usize, together: usize) -> usize {
    count.saturating_sub(together.min(2) - 1).max(1).div_ceil(length)
}

/// The positions of the shard at `index` of `count` shards in a batch at these positions.
fn shard_positions(batch: &Range<usize>, length: usize, count: usize, index: usize) -> Range<usize> {
    let first = batch.start + index * length;
    let end = if index + 1 == count { batch.end } else { first + length };
    first..end
}

/// The right half of a node of the tree begins here.
pub(super) fn half_of(node: &Range<usize>) -> usize {
    node.start + node.len().div_ceil(2)
}

/// At least `count` shards; allocates those that are missing.
pub(super) fn reserve<N: Trainable + Send, const B: usize>(shards: &mut Vec<Box<Shard<N, B>>>, count: usize)
where
    N::Cache<B>: Send,
{
    while shards.len() < count {
        shards.push(crate::model::boxed::boxed_on_large_stack(|| Shard {
            workspace: Workspace::new(),
            gradient: N::ZEROED,
        }));
    }
}

/// Adds the gradient of a right half to that of the left one, and leaves zeros there.
pub(super) fn add<S: Simd, N: Trainable>(simd: S, gradient: &mut N, other: &mut N) {
    simd.vectorize(
        #[inline(always)]
        || {
            gradient.visit_mut([other], &mut Accumulate);
            gradient.merge_buffers(other);
        },
    );
}

/// Returns what the shards add to the mean loss, and adds their gradient to `gradient`, if there is one. `leaf` does so
/// for a single shard. Halves the node until it is one shard; `rest` has the memory of all shards but the first. If there
/// are several errors, returns that of the first shard.
pub(super) fn sum<S, N, F, const B: usize>(
    simd: S,
    leaf: &F,
    node: Range<usize>,
    workspace: &mut Workspace<N, B>,
    mut gradient: Option<&mut N>,
    rest: &mut [Box<Shard<N, B>>],
) -> Result<N::Scalar, Error>
where
    S: Simd,
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
    F: Fn(usize, &mut Workspace<N, B>, Option<&mut N>) -> Result<N::Scalar, Error> + Sync,
{
    let half = half_of(&node);
    let (left, right) = rest.split_at_mut(half - node.start - 1);
    let Some((other, right)) = right.split_first_mut() else {
        return leaf(node.start, workspace, gradient);
    };
    let Shard { workspace: other_workspace, gradient: other_gradient } = &mut **other;
    let other_wanted = gradient.is_some().then_some(&mut *other_gradient);
    let (left, right) = join(
        || sum(simd, leaf, node.start..half, workspace, gradient.as_deref_mut(), left),
        || sum(simd, leaf, half..node.end, other_workspace, other_wanted, right),
    );
    let sum = left? + right?;
    if let Some(gradient) = gradient {
        add(simd, gradient, other_gradient);
    }
    Ok(sum)
}

/// Computes a single shard of a batch.
#[inline(always)]
pub(super) fn leaf<'a, S, N, L, X, Y, const B: usize>(
    simd: S,
    network: &'a N,
    loss: &'a L,
    view: &'a BatchView<'a, X, Y>,
    totals: Totals<N::Scalar>,
    (length, count): (usize, usize),
) -> impl Fn(usize, &mut Workspace<N, B>, Option<&mut N>) -> Result<N::Scalar, Error> + Sync
where
    S: Simd,
    N: Trainable + Sync,
    L: Sync,
    X: Inputs<N::Scalar, N::In> + Sync + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + Sync + ?Sized,
{
    move |index, workspace, gradient| {
        let view = &BatchView { range: shard_positions(&view.range, length, count, index), ..*view };
        // On a thread of rayon, which does not know the instruction set.
        simd.vectorize(
            #[inline(always)]
            || workspace.over_micro_batches::<S, L, X, Y, Y>(simd, network, loss, view, totals, gradient),
        )
    }
}
