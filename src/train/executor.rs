//! [`Executor`]: on how many threads the loss and the gradient of a batch are computed.

use crate::data::{Inputs, Samples, check_data};
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{LastActivation, Trainable};
use crate::train::Workspace;
use crate::train::batch::{BatchView, MeanLoss};
use fearless_simd::Simd;

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
