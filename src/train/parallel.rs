//! [`Crew`]: training, evaluation and prediction on several threads, with the feature `rayon`.

use crate::data::Inputs;
use crate::error::Error;
use crate::loss::Targets;
use crate::model::boxed::roomy;
use crate::model::network::{TILE, check_places, predict_all};
use crate::model::{Entrance, Features, LastActivation, Layer, Parameter, Params, VisitorMut};
use crate::num::Real;
use crate::num::dispatch::{dispatch, level};
use crate::optimizer::Optimizer;
use crate::train::batch::{Chosen, Mean, Whole};
use crate::train::callbacks::Follower;
use crate::train::trainer::Hands;
use crate::train::{Fit, Outcome, Trainer, Workspace};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use fearless_simd::Simd;
use rand::Rng;

/// The memory with which several threads train a network `N` together, `B` samples at once each. Its methods are those of
/// [`Trainer`] with the trainer as an argument. Make one and use it again: it allocates only when a batch has more parts
/// than any before.
///
/// ```
/// use tuplenet::train::Crew;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<1, 32, Tanh>, Dense<32, 1, Identity>);
/// let inputs: Vec<[f32; 1]> = (0..2000).map(|i| [i as f32 / 1000.0 - 1.0]).collect();
/// let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [x * x]).collect();
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
///
/// let mut crew = Crew::new();
/// let fit = Fit { epochs: 1000, batch_size: 2000, ..Fit::default() };
/// crew.fit(&mut trainer, &inputs, &targets, &fit, ())?;
/// assert!(crew.evaluate(&mut trainer, &inputs, &targets)? < 1e-3);
///
/// let mut outputs = vec![[0.0]; inputs.len()];
/// Crew::predict_all(&trainer.network, &inputs, &mut outputs)?;
/// assert!((outputs[500][0] - 0.25).abs() < 0.1);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// The threads are those of rayon, one for each core unless its documentation is followed: `ThreadPool::install` for a
/// pool of one's own, `RAYON_NUM_THREADS`.
///
/// A batch is divided into at most 32 parts whose length follows from the sizes of batch, tile and network, never from the
/// number of threads, and the gradients of the parts are added in an order that follows from their number: the results
/// are the same bits with any number of threads. They differ from those of the trainer alone by rounding, since its sums
/// have another order. A part is at least so much work that sharing it pays; a batch that is less than two parts, such as
/// the usual 32 samples of a small network, is computed by the calling thread and is what the trainer alone computes.
pub struct Crew<N: Entrance + Layer<<N as Entrance>::In>, const B: usize = 32> {
    /// One for each part of a batch except the first, which has the trainer's memory. Gradients are zero between batches.
    parts: Vec<Box<Part<N, B>>>,
}

struct Part<N: Entrance + Layer<<N as Entrance>::In>, const B: usize> {
    workspace: Workspace<N, B>,
    gradient: N,
}

/// Into how many parts a batch is divided at most.
const MOST_PARTS: usize = 32;

/// How many parameters times samples a part has at least: some microseconds, against a fraction of one for handing it to
/// another thread.
const LEAST_WORK: usize = 1 << 17;

/// How many of `count` samples are a part, a multiple of the tile.
fn part_length(parameters: usize, tile: usize, count: usize) -> usize {
    let samples = count.div_ceil(MOST_PARTS).max(LEAST_WORK.div_ceil(parameters.max(1)));
    samples.div_ceil(tile) * tile
}

/// How many parts a batch has. Where a layer learns from several samples together, one that would have a single sample is no part,
/// and its sample the last of the one before.
fn part_count(count: usize, length: usize, together: usize) -> usize {
    count.saturating_sub(together.min(2) - 1).max(1).div_ceil(length)
}

impl<N: Entrance + Layer<<N as Entrance>::In>, const B: usize> Default for Crew<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Entrance + Layer<<N as Entrance>::In>, const B: usize> Crew<N, B> {
    /// A crew that has no memory yet.
    pub const fn new() -> Self {
        Crew { parts: Vec::new() }
    }
}

impl<N, const B: usize, const IN: usize, const OUT: usize> Crew<N, B>
where
    N: Entrance<In = Features<IN>> + Layer<Features<IN>, Out = Features<OUT>> + Send + Sync,
    N::Trace<B>: Send,
{
    /// [`Trainer::step`], shared.
    pub fn step<L, O, R, X, Y>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
    ) -> Result<N::Scalar, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, IN> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
    {
        trainer.step_by(self, inputs, targets)
    }

    /// [`Trainer::epoch`], each batch of it shared.
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
        X: Inputs<N::Scalar, IN> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
        R: Rng,
    {
        trainer.epoch_by(self, inputs, targets, batch_size)
    }

    /// [`Trainer::fit`], each batch of it shared.
    pub fn fit<L, O, R, X, Y, V>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
        fit: &Fit,
        observer: impl Follower<N, Trainer<N, L, O, R, B>, V>,
    ) -> Result<Outcome<N::Scalar>, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, IN> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
        R: Rng,
    {
        trainer.run(self, inputs, targets, None::<(&X, &Y)>, fit, observer)
    }

    /// [`Trainer::fit_validated`], each batch and the validation shared.
    pub fn fit_validated<L, O, R, X, Y, VX, VY, V>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
        validation: (&VX, &VY),
        fit: &Fit,
        observer: impl Follower<N, Trainer<N, L, O, R, B>, V>,
    ) -> Result<Outcome<N::Scalar>, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, IN> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
        VX: Inputs<N::Scalar, IN> + Sync + ?Sized,
        VY: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
        R: Rng,
    {
        trainer.run(self, inputs, targets, Some(validation), fit, observer)
    }

    /// [`Trainer::evaluate`], shared.
    pub fn evaluate<L, O, R, X, Y>(
        &mut self,
        trainer: &mut Trainer<N, L, O, R, B>,
        inputs: &X,
        targets: &Y,
    ) -> Result<N::Scalar, Error>
    where
        L: Sync,
        O: Optimizer<Scalar = N::Scalar>,
        X: Inputs<N::Scalar, IN> + Sync + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
    {
        trainer.evaluate_by(self, inputs, targets)
    }
}

impl<N: Entrance + Layer<<N as Entrance>::In> + Sync> Crew<N> {
    /// [`Network::predict_all`](crate::model::Network::predict_all), shared: the outputs for any number of samples, into
    /// `outputs`, which must be as many. The same bits, and no memory of its own.
    pub fn predict_all<X, const IN: usize, const OUT: usize>(
        network: &N,
        inputs: &X,
        outputs: &mut [[N::Scalar; OUT]],
    ) -> Result<(), Error>
    where
        N: Layer<Features<IN>, Out = Features<OUT>>,
        X: Inputs<N::Scalar, IN> + Sync + ?Sized,
    {
        check_places(inputs, outputs)?;
        let length = part_length(N::COUNT, TILE, outputs.len());
        dispatch!(level(), simd => predict_parts(simd, network, inputs, 0, length, outputs));
        Ok(())
    }
}

/// Predicts for the samples from `first` on, as many as there are `outputs`, by halves as long as they are more than a part.
fn predict_parts<S: Simd, N, X, const IN: usize, const OUT: usize>(
    simd: S,
    network: &N,
    inputs: &X,
    first: usize,
    length: usize,
    outputs: &mut [[N::Scalar; OUT]],
) where
    X: Inputs<N::Scalar, IN> + Sync + ?Sized,
    N: Layer<Features<IN>, Out = Features<OUT>> + Sync,
{
    let parts = outputs.len().div_ceil(length);
    if parts <= 1 {
        // On a thread of rayon, which knows nothing of the instruction set.
        return simd.vectorize(
            #[inline(always)]
            || predict_all(simd, network, inputs, first, outputs),
        );
    }
    let half = parts.div_ceil(2) * length;
    let (left, right) = outputs.split_at_mut(half);
    rayon::join(
        || predict_parts(simd, network, inputs, first, length, left),
        || predict_parts(simd, network, inputs, first + half, length, right),
    );
}

impl<N, L, X, Y, const B: usize, const IN: usize, const OUT: usize> Hands<N, L, X, Y, B> for Crew<N, B>
where
    N: Entrance<In = Features<IN>> + Layer<Features<IN>, Out = Features<OUT>> + Send + Sync,
    N::Trace<B>: Send,
    L: Sync,
    X: Inputs<N::Scalar, IN> + Sync + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
{
    #[inline(always)]
    fn accumulate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        chosen: Chosen<X, Y>,
        gradient: &mut N,
    ) -> Result<Mean<N::Scalar>, Error> {
        let length = part_length(N::COUNT, B, chosen.range.len());
        if part_count(chosen.range.len(), length, N::TOGETHER) < 2 {
            return workspace.accumulate(simd, network, loss, chosen, gradient);
        }
        let whole = chosen.whole()?;
        if whole.is_nothing::<Y>() {
            return Ok(Mean::NOTHING);
        }
        let rest = self.parts(part_count(chosen.range.len(), length, N::TOGETHER) - 1);
        let shared = Shared { simd, network, loss, chosen: &chosen, whole, length };
        let result = shared.over_parts(workspace, Some(&mut *gradient), rest, chosen.range.clone());
        workspace.large |=
            rest.iter_mut().fold(false, |large, part| large | core::mem::take(&mut part.workspace.large));
        let result = match result {
            Ok(sum) => chosen.mean(whole, sum),
            Err(error) => Err(error),
        };
        if result.is_err() {
            *gradient = N::ZEROED;
            for part in rest {
                part.gradient = N::ZEROED;
            }
        }
        result
    }

    /// One tile is not shared.
    #[inline(always)]
    fn accumulate_tile<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        chosen: Chosen<X, Y>,
        gradient: &mut N,
    ) -> Result<Mean<N::Scalar>, Error> {
        workspace.accumulate_tile(simd, network, loss, &chosen, gradient)
    }

    #[inline(always)]
    fn evaluate<S: Simd>(
        &mut self,
        simd: S,
        workspace: &mut Workspace<N, B>,
        network: &N,
        loss: &L,
        chosen: Chosen<X, Y>,
    ) -> Result<Mean<N::Scalar>, Error> {
        let length = part_length(N::COUNT, B, chosen.range.len());
        if part_count(chosen.range.len(), length, N::TOGETHER) < 2 {
            return workspace.evaluate(simd, network, loss, chosen);
        }
        let whole = chosen.whole()?;
        if whole.is_nothing::<Y>() {
            return Ok(Mean::NOTHING);
        }
        let rest = self.parts(part_count(chosen.range.len(), length, N::TOGETHER) - 1);
        let shared = Shared { simd, network, loss, chosen: &chosen, whole, length };
        let sum = shared.over_parts(workspace, None, rest, chosen.range.clone())?;
        chosen.mean(whole, sum)
    }
}

impl<N: Entrance + Layer<<N as Entrance>::In>, const B: usize> Crew<N, B> {
    /// The first `count` parts, which are made where there are fewer.
    fn parts(&mut self, count: usize) -> &mut [Box<Part<N, B>>]
    where
        Part<N, B>: Send,
    {
        while self.parts.len() < count {
            self.parts.push(roomy(|| Part { workspace: Workspace::new(), gradient: N::ZEROED }));
        }
        &mut self.parts[..count]
    }
}

/// What all threads see of a batch.
struct Shared<'a, S, N: Params, L, X: ?Sized, Y: ?Sized> {
    simd: S,
    network: &'a N,
    loss: &'a L,
    chosen: &'a Chosen<'a, X, Y>,
    whole: Whole<N::Scalar>,
    /// How many samples are a part.
    length: usize,
}

impl<S: Simd, N, L, X, Y, const IN: usize, const OUT: usize> Shared<'_, S, N, L, X, Y>
where
    N: Entrance<In = Features<IN>> + Layer<Features<IN>, Out = Features<OUT>> + Send + Sync,
    L: Sync,
    X: Inputs<N::Scalar, IN> + Sync + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, OUT> + Sync + ?Sized,
{
    /// What the samples in `range` add to the mean loss, and their slopes in `gradient`, if asked for. Halves the range until
    /// it is one part; `rest` has the memory of all parts of it but the first. Of several errors it is the one of the
    /// first part.
    fn over_parts<const B: usize>(
        &self,
        workspace: &mut Workspace<N, B>,
        mut gradient: Option<&mut N>,
        rest: &mut [Box<Part<N, B>>],
        range: Range<usize>,
    ) -> Result<N::Scalar, Error>
    where
        N::Trace<B>: Send,
    {
        let simd = self.simd;
        let parts = rest.len() + 1;
        let (left, right) = rest.split_at_mut(parts.div_ceil(2) - 1);
        let Some((other, right)) = right.split_first_mut() else {
            let chosen = &Chosen { range, ..*self.chosen };
            // On a thread of rayon, which knows nothing of the instruction set.
            return simd.vectorize(
                #[inline(always)]
                || workspace.over_tiles(simd, self.network, self.loss, chosen, self.whole, gradient),
            );
        };
        let half = range.start + parts.div_ceil(2) * self.length;
        let (left_range, right_range) = (range.start..half, half..range.end);
        let Part { workspace: other_workspace, gradient: other_gradient } = &mut **other;
        let other_wanted = gradient.is_some().then_some(&mut *other_gradient);
        let (left, right) = rayon::join(
            || self.over_parts(workspace, gradient.as_deref_mut(), left, left_range),
            || self.over_parts(other_workspace, other_wanted, right, right_range),
        );
        let sum = left? + right?;
        if let Some(gradient) = gradient {
            simd.vectorize(
                #[inline(always)]
                || {
                    gradient.visit_mut([other_gradient], &mut Gather);
                    gradient.after_part(other_gradient);
                },
            );
        }
        Ok(sum)
    }
}

/// Adds the slopes of another part, and sets them to zero there.
struct Gather;

impl<T: Real> VisitorMut<T, 1> for Gather {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], [others]: [&mut [T]; 1]) {
        for (value, other) in values.iter_mut().zip(others) {
            *value += *other;
            *other = T::ZERO;
        }
    }
}
