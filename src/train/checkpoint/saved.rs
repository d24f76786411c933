//! [`Saved`]: the trainers that a checkpoint can hold.

use crate::error::Error;
use crate::model::boxed::exchange;
use crate::model::{Trainable, Zeroed};
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::Trainer;
use crate::train::full_batch::{FullBatchTrainer, Solver};

/// A trainer whose state a [`Checkpoint`](super::Checkpoint) can hold: [`Trainer`] and [`FullBatchTrainer`].
pub trait Saved {
    /// The network.
    type Network: Trainable;
    /// The optimizer or the solver, with its settings.
    type Optimizer;
    /// The random number generator.
    type Rng;
    /// The state of the optimizer.
    type State: Zeroed;

    /// The number of epochs that were run.
    fn epochs(&self) -> usize;

    /// The network.
    fn network(&self) -> &Self::Network;

    /// The network, to be changed.
    fn network_mut(&mut self) -> &mut Self::Network;

    /// The optimizer, the random number generator, and the state of the optimizer.
    fn parts(&self) -> (&Self::Optimizer, &Self::Rng, &Self::State);

    /// Checks the settings of an optimizer.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] with the first one that is out of its range.
    fn check(optimizer: &Self::Optimizer) -> Result<(), Error>;

    /// Sets the number of epochs, the optimizer and the random number generator, and exchanges network and state, which may be
    /// too large for the stack.
    fn restore(
        &mut self,
        epochs: usize,
        optimizer: Self::Optimizer,
        rng: Self::Rng,
        network: &mut Self::Network,
        state: &mut Self::State,
    );
}

impl<N: Trainable, L, O: Optimizer<Scalar = N::Scalar>, R, const B: usize> Saved for Trainer<N, L, O, R, B> {
    type Network = N;
    type Optimizer = O;
    type Rng = R;
    type State = OptimizerState<O, N>;

    fn epochs(&self) -> usize {
        self.epochs
    }

    fn network(&self) -> &N {
        &self.network
    }

    fn network_mut(&mut self) -> &mut N {
        &mut self.network
    }

    fn parts(&self) -> (&O, &R, &OptimizerState<O, N>) {
        (&self.optimizer, &self.rng, &self.state)
    }

    fn check(optimizer: &O) -> Result<(), Error> {
        optimizer.check()
    }

    fn restore(&mut self, epochs: usize, optimizer: O, rng: R, network: &mut N, state: &mut OptimizerState<O, N>) {
        (self.epochs, self.optimizer, self.rng) = (epochs, optimizer, rng);
        exchange(&mut self.network, network);
        exchange(&mut self.state, state);
    }
}

impl<N: Trainable, L, S: Solver<N>, const B: usize> Saved for FullBatchTrainer<N, L, S, B> {
    type Network = N;
    type Optimizer = S;
    type Rng = ();
    type State = S::State;

    fn epochs(&self) -> usize {
        self.epochs
    }

    fn network(&self) -> &N {
        &self.network
    }

    fn network_mut(&mut self) -> &mut N {
        &mut self.network
    }

    fn parts(&self) -> (&S, &(), &S::State) {
        (&self.solver, &(), &self.state)
    }

    fn check(solver: &S) -> Result<(), Error> {
        solver.check()
    }

    fn restore(&mut self, epochs: usize, solver: S, (): (), network: &mut N, state: &mut S::State) {
        (self.epochs, self.solver) = (epochs, solver);
        exchange(&mut self.network, network);
        exchange(&mut self.state, state);
    }
}

/// A trainer in a box.
impl<T: Saved> Saved for alloc::boxed::Box<T> {
    type Network = T::Network;
    type Optimizer = T::Optimizer;
    type Rng = T::Rng;
    type State = T::State;

    fn epochs(&self) -> usize {
        (**self).epochs()
    }

    fn network(&self) -> &T::Network {
        (**self).network()
    }

    fn network_mut(&mut self) -> &mut T::Network {
        (**self).network_mut()
    }

    fn parts(&self) -> (&T::Optimizer, &T::Rng, &T::State) {
        (**self).parts()
    }

    fn check(optimizer: &T::Optimizer) -> Result<(), Error> {
        T::check(optimizer)
    }

    fn restore(
        &mut self,
        epochs: usize,
        optimizer: T::Optimizer,
        rng: T::Rng,
        network: &mut T::Network,
        state: &mut T::State,
    ) {
        (**self).restore(epochs, optimizer, rng, network, state);
    }
}
