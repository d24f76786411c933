//! [`Distributed`]: data-parallel training over the ranks of a cluster.

use super::callback::Agreeing;
use super::{Communicator, Hash, agree};
use crate::data::{Inputs, Permutation, Samples, check_shares};
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{LastActivation, Shape, Trainable, Zeroed};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::callbacks::TrainerCallback;
use crate::train::checkpoint::{Checkpoint, CheckpointError, Checkpointable, Resume};
use crate::train::shards::Shard;
use crate::train::{FitOptions, FitReport, Trainer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::any::type_name;
use core::fmt::{self, Write};
use rand::Rng;

/// Data-parallel training over the ranks of a cluster: the memory with which all ranks train a network `N` together. Its
/// methods are those of [`Trainer`] with the trainer as an argument. Every rank has a trainer, and all of them are in the
/// same state: each rank calls the same methods with the same arguments. PyTorch equivalent: `DistributedDataParallel`.
///
/// A batch is divided into at most 32 shards, as by `Parallel`, and a rank computes some of them, on the threads of rayon
/// with the feature `rayon`. Their gradients are added in an order that depends on the number of shards, and every rank takes
/// the same step. The results are the same bits with any number of ranks and threads, those of `Parallel` alone. A batch
/// that is less than two shards, such as the usual 32 samples of a small network, is computed by every rank, without messages.
///
/// Each rank has all data, or a [`Share`](crate::data::Share) of them: then all batches are divided into 32 shards, one for each block
/// of the data. The order of samples is another one, and so are the bits, which again do not depend on the number of ranks.
///
/// What a layer of your own leaves in a gradient for
/// [`merge_buffers`](crate::model::Params::merge_buffers) must be visited, as buffers are: that is what ranks send.
///
/// # When ranks differ
///
/// Before a training run, the ranks compare their programs, samples, options and weights, and the weights again in each
/// epoch; a difference is [`Error::Ranks`]. An error on one rank is one on all: on that rank its own, on the
/// others [`Error::RankFailed`]. Callbacks run on every rank; if one of them ends the training run on any rank, all end it
/// after that epoch. CPUs with other vector instructions compute other bits: for a cluster of different ones use the feature
/// `reproducible`.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::train::cluster::{Distributed, SingleProcess};
///
/// type Net = (Dense<1, 32, Tanh>, Dense<32, 1, Identity>);
/// let inputs: Vec<[f32; 1]> = (0..2000).map(|i| [i as f32 / 1000.0 - 1.0]).collect();
/// let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [x * x]).collect();
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
///
/// // With MPI: what `run` passes to a program.
/// let communicator = SingleProcess;
/// let mut distributed = Distributed::new(&communicator);
/// let fit = FitOptions { epochs: 300, batch_size: 2000, ..FitOptions::default() };
/// distributed.fit(&mut trainer, &inputs, &targets, &fit, ())?;
/// assert!(distributed.evaluate(&mut trainer, &inputs, &targets)? < 1e-2);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("DistributedDataParallel", "DDP", "MPI", "allreduce"))]
pub struct Distributed<'c, N: Trainable, const B: usize = 32> {
    pub(super) communicator: &'c dyn Communicator,
    /// One for each shard of this rank, except the first of a batch, which uses the trainer's memory.
    pub(super) shards: Vec<Box<Shard<N, B>>>,
    pub(super) received: Option<Box<N>>,
    pub(super) message: Vec<u8>,
    /// The order of an epoch, and what follows from it for each block of shared data.
    pub(super) orders: Option<(Permutation, Vec<Permutation>)>,
}

impl<N: Trainable, const B: usize> fmt::Debug for Distributed<'_, N, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distributed")
            .field("rank", &self.communicator.rank())
            .field("ranks", &self.communicator.size())
            .field("micro_batch", &B)
            .finish_non_exhaustive()
    }
}

impl<'c, N: Trainable, const B: usize> Distributed<'c, N, B> {
    /// Creates one without memory; it allocates when it is used.
    #[must_use]
    pub fn new(communicator: &'c dyn Communicator) -> Self {
        Distributed { communicator, shards: Vec::new(), received: None, message: Vec::new(), orders: None }
    }
}

impl<N, const B: usize> Distributed<'_, N, B>
where
    N: Trainable + Send + Sync,
    N::Cache<B>: Send,
{
    /// [`Trainer::step`] over all ranks.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::step`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::step`], and if a rank fails or differs from the others.
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
        let ready = trainer.check_by::<Self, X, Y>(inputs, targets, usize::MAX).map(|_| ());
        self.agree_on_data::<L, O, X, Y>(ready, &trainer.network, inputs, None)?;
        trainer.step_with(self, inputs, targets)
    }

    /// [`Trainer::epoch`], each batch over all ranks.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::epoch`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::epoch`], and if a rank fails or differs from the others.
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
        let fit = FitOptions { epochs: 1, batch_size, shuffle: true };
        let ready = trainer.check_by::<Self, X, Y>(inputs, targets, batch_size).map(|_| ());
        self.agree_on_data::<L, O, X, Y>(ready, &trainer.network, inputs, Some((&fit, trainer.epochs)))?;
        trainer.epoch_by(self, inputs, targets, batch_size)
    }

    /// [`Trainer::fit`], each batch over all ranks.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::fit`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::fit`], and if a rank fails or differs from the others.
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
        let ready = trainer.check_by::<Self, X, Y>(inputs, targets, fit.batch_size).map(|_| ());
        self.agree_on_data::<L, O, X, Y>(ready, &trainer.network, inputs, Some((fit, trainer.epochs)))?;
        let callback = Agreeing { communicator: self.communicator, callback };
        trainer.run(self, inputs, targets, None::<(&X, &Y)>, fit, callback)
    }

    /// [`Trainer::fit_validated`], each batch and the validation over all ranks.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::fit_validated`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::fit_validated`], and if a rank fails or differs from the others.
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
        let ready = trainer.check_by::<Self, X, Y>(inputs, targets, fit.batch_size).map(|_| ());
        self.agree_on_data::<L, O, X, Y>(ready, &trainer.network, inputs, Some((fit, trainer.epochs)))?;
        let ready = check_shares(validation.0, validation.1).map(|_| ());
        self.agree_on_data::<L, O, VX, VY>(ready, &trainer.network, validation.0, None)?;
        let callback = Agreeing { communicator: self.communicator, callback };
        trainer.run(self, inputs, targets, Some(validation), fit, callback)
    }

    /// [`Trainer::evaluate`] over all ranks.
    ///
    /// # Shapes
    ///
    /// Those of [`Trainer::evaluate`].
    ///
    /// # Errors
    ///
    /// As for [`Trainer::evaluate`], and if a rank fails or differs from the others.
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
        let ready = check_shares(inputs, targets).map(|_| ());
        self.agree_on_data::<L, O, X, Y>(ready, &trainer.network, inputs, None)?;
        trainer.evaluate_by(self, inputs, targets)
    }

    /// [`Checkpoint::resume`] on all ranks, whose number may be another one than when the checkpoint was written. Rank 0 reads
    /// the file, and no other rank needs it. From then on only rank 0 writes it; so call this before the training run.
    ///
    /// # Errors
    ///
    /// As for [`Checkpoint::resume`], on all ranks.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::train::checkpoint::Checkpoint;
    /// use tuplenet::train::cluster::{Distributed, SingleProcess};
    ///
    /// # let file = std::env::temp_dir().join(format!("tuplenet-ranks-{}.checkpoint", std::process::id()));
    /// # let (inputs, targets) = ([[0.0], [0.5], [1.0]], [[0.0], [0.4], [1.0]]);
    /// let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    /// let mut trainer = Trainer::new(network, MeanSquaredError, Adam::new(0.01), seeded(1));
    /// let mut distributed = Distributed::new(&SingleProcess);
    /// let mut checkpoint = Checkpoint::new(&file, ());
    /// distributed.resume(&mut checkpoint, &mut trainer)?;
    /// let fit = FitOptions { epochs: 100usize.saturating_sub(trainer.epochs), ..FitOptions::default() };
    /// distributed.fit(&mut trainer, &inputs, &targets, &fit, &mut checkpoint)?;
    /// # std::fs::remove_file(&file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resume<L, O, R, W>(
        &mut self,
        checkpoint: &mut Checkpoint<W>,
        trainer: &mut Trainer<N, L, O, R, B>,
    ) -> Result<bool, CheckpointError>
    where
        N: Checkpointable,
        O: Optimizer<Scalar = N::Scalar> + Checkpointable,
        OptimizerState<O, N>: Checkpointable,
        R: Checkpointable,
        W: Resume<N>,
    {
        checkpoint.resume_over(self.communicator, trainer)
    }

    /// Waits for all ranks, and fails unless they are about to compute the same.
    fn agree_on_data<L, O, X, Y>(
        &self,
        ready: Result<(), Error>,
        network: &N,
        inputs: &X,
        fit: Option<(&FitOptions, usize)>,
    ) -> Result<(), Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Samples<N::Scalar> + ?Sized,
    {
        if self.communicator.size() == 1 {
            return ready;
        }
        let names = [type_name::<N>(), type_name::<L>(), type_name::<O>(), type_name::<X>(), type_name::<Y>()];
        let mut program = Hash::new();
        // Writing to a hash does not fail.
        let _ = write!(program, "{names:?} {} {B}", env!("CARGO_PKG_VERSION"));
        let mut samples = Hash::new();
        // A single step is not worth reading all of them twice.
        if ready.is_ok() && !X::SHARED && fit.is_some() {
            let mut sample = <N::In as Shape>::Sample::<N::Scalar>::ZEROED;
            for index in 0..inputs.count() {
                inputs.copy(index, &mut sample);
                samples.values(N::In::elements(&sample));
            }
        }
        let mut weights = Hash::new();
        network.visit(&mut weights);
        let (batch_size, epochs, epoch) =
            fit.map_or((0, 0, 0), |(fit, epoch)| (2 * fit.batch_size + usize::from(fit.shuffle), fit.epochs, epoch));
        let values = [
            ("program", program.0),
            ("number of samples", inputs.count() as u64),
            ("inputs", samples.0),
            ("weights", weights.0),
            ("batch size and shuffling", batch_size as u64),
            ("number of epochs to run", epochs as u64),
            ("number of epochs that were run", epoch as u64),
        ];
        agree(self.communicator, ready, &values)
    }
}
