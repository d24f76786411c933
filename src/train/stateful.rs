//! Training on windows of long sequences in order, with the state carried from window to window.

use crate::data::{Apart, Inputs, Permutation, Samples, check_data};
use crate::error::{Error, Found};
use crate::loss::Targets;
use crate::model::layer::is_inlined;
use crate::model::{Batch, LastActivation, Pass, Stateful, Trainable, Zeroed, fill};
use crate::num::Real;
use crate::num::dispatch::dispatch_or_call;
use crate::optimizer::Optimizer;
use crate::train::batch::{BatchView, MeanLoss, Sum, cause, check_together};
use crate::train::{Trainer, Workspace};
use fearless_simd::Simd;
use num_traits::float::FloatCore;

/// The state that is carried through the network `N` from window to window: the state of its stream.
pub type Carried<N> =
    <N as Stateful<<N as crate::model::InputShape>::In, <N as crate::model::InputShape>::Scalar>>::Carried;

impl<N: Trainable, const B: usize> Workspace<N, B> {
    /// [`forward`](Self::forward) for windows that continue others: each column begins with its state, which becomes that after
    /// the window. [`backward`](Self::backward) then reaches back to the beginning of the window.
    ///
    /// # Shapes
    ///
    /// `states`: one for each column. `x`: `B` windows. Returns the outputs.
    ///
    /// # Examples
    ///
    /// Two windows compute the bits of the whole sequence:
    ///
    /// ```
    /// use tuplenet::layers::{Gru, Input, Steps};
    /// use tuplenet::prelude::*;
    ///
    /// type Net = (Input<Sequence<2, 1>>, Gru<1, 4>, Steps<Dense<4, 1, Tanh>>);
    /// let network = Net::new(&mut seeded(0));
    /// let whole = network.1.predict_one(&[[0.5], [-0.5], [0.1], [0.9]]);
    ///
    /// let mut workspace = Workspace::<Net, 1>::new();
    /// let mut states = [network.state()];
    /// for window in [[[0.5], [-0.5]], [[0.1], [0.9]]] {
    ///     workspace.forward_from(&network, &mut states, &window.map(SMatrix::<f32, 1, 1>::from));
    /// }
    /// assert_eq!(states[0].1, whole[3]);
    /// ```
    pub fn forward_from(
        &mut self,
        network: &N,
        states: &mut [Carried<N>; B],
        x: &Batch<N::In, N::Scalar, B>,
    ) -> &Batch<N::Out, N::Scalar, B>
    where
        N: Stateful<N::In, N::Scalar>,
    {
        self.input.0.clone_from(x);
        self.continues = true;
        self.set_states(states);
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => network.forward(
            Pass::new(simd, B).continuing(), &self.input.0, &mut self.output.0, &mut self.cache,
        ));
        self.get_states(states);
        &self.output.0
    }

    /// [`gradient`](Self::gradient) for windows that continue others: each sample begins with its state, which becomes that after
    /// the window. Gradients reach back to the beginning of the windows.
    ///
    /// # Shapes
    ///
    /// `states`: one for each sample. `inputs`: any number of windows; `targets`: as many.
    ///
    /// # Errors
    ///
    /// As for [`gradient`](Self::gradient), and if there are not as many states as inputs. After an error `gradient` is zero, and
    /// the states of samples in micro-batches before that with the error are those after the window.
    pub fn gradient_from<L, X, Y>(
        &mut self,
        network: &N,
        loss: &L,
        states: &mut [Carried<N>],
        inputs: &X,
        targets: &Y,
        gradient: &mut N,
    ) -> Result<N::Scalar, Error>
    where
        N: Stateful<N::In, N::Scalar>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        Y::check_loss(loss)?;
        let count = check_data(inputs, targets)?;
        check_states(states, count)?;
        let result = check_together::<N, B>(count, if X::PADDED { 1 } else { count }).and_then(|()| {
            let order = &Permutation::identity(count);
            let view = BatchView::all(inputs, targets, order, 0);
            self.accumulate_from::<L, X, Y, Y>(network, loss, states, view, gradient)
        });
        result.and_then(|mean| mean.loss(0)).map_err(
            #[cold]
            |error| cause(network, error),
        )
    }

    /// Returns the mean loss of a batch of windows, and adds its gradient to `gradient`, which is zero after an error.
    fn accumulate_from<L, X, Y, D>(
        &mut self,
        network: &N,
        loss: &L,
        states: &mut [Carried<N>],
        view: BatchView<X, D>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        N: Stateful<N::In, N::Scalar>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        D: Samples<N::Scalar, Item = Y::Item> + ?Sized,
    {
        let mean = dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => {
            self.over_windows::<_, L, X, Y, D>(simd, network, loss, states, &view, gradient)
        });
        if mean.is_err() {
            fill(gradient, N::Scalar::ZERO);
        }
        mean
    }

    #[inline(always)]
    fn over_windows<S: Simd, L, X, Y, D>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        states: &mut [Carried<N>],
        view: &BatchView<X, D>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        N: Stateful<N::In, N::Scalar>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        D: Samples<N::Scalar, Item = Y::Item> + ?Sized,
    {
        let totals = view.totals()?;
        let mut sum = Sum::ZERO;
        let mut first = 0;
        while first < view.range.end {
            let pass = Pass::<S, B>::new(simd, view.range.end - first).with_offset(first).stop_at_logits().continuing();
            let pass = Self::equally_long(pass, view, first);
            let end = first + pass.len();
            let states = states.get_mut(first..end).unwrap_or_default();
            self.set_states(states);
            let part =
                self.over_micro_batch::<S, L, X, Y, D>(pass, network, loss, view, totals, Some(&mut *gradient))?;
            if !part.is_finite() {
                return view.mean(totals, part);
            }
            self.get_states(states);
            sum.add(part);
            first = end;
        }
        if totals.is_nothing::<D>() { Ok(MeanLoss::NOTHING) } else { view.mean(totals, sum.rounded()) }
    }

    #[inline(always)]
    fn set_states(&mut self, states: &[Carried<N>])
    where
        N: Stateful<N::In, N::Scalar>,
    {
        for (column, state) in states.iter().enumerate() {
            N::set_state(&mut self.cache, column, state);
        }
    }

    #[inline(always)]
    fn get_states(&self, states: &mut [Carried<N>])
    where
        N: Stateful<N::In, N::Scalar>,
    {
        for (column, state) in states.iter_mut().enumerate() {
            N::get_state(&self.cache, column, state);
        }
    }
}

/// Fails unless there is a state for each sample.
fn check_states<ST>(states: &[ST], expected: usize) -> Result<(), Error> {
    if states.len() == expected {
        return Ok(());
    }
    Err(Error::Lengths { what: "states, one for each window", expected, found: states.len() })
}

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
{
    /// [`step`](Self::step) for windows of long sequences: each window begins with its state, which becomes that after the window.
    /// So the next step can continue all sequences: truncated backpropagation through time. Gradients reach back to the
    /// beginning of the windows.
    ///
    /// The states are those of [streams](crate::model::Network::state). All zero, they are the beginning of a sequence; a
    /// program that is interrupted saves them beside the trainer.
    ///
    /// For a program that learns while it runs: with the micro-batch 1, one state and the last steps of one sequence, time and
    /// memory are bounded.
    ///
    /// # Shapes
    ///
    /// `states`: one for each window. `inputs`: any number of windows; `targets`: as many targets of the kind that the loss
    /// takes.
    ///
    /// # Errors
    ///
    /// As for [`step`](Self::step), and if there are not as many states as windows. After an error the network is unchanged, and
    /// the states of samples in micro-batches before that with the error are those after the window.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::{Gru, Input, Steps};
    /// use tuplenet::prelude::*;
    ///
    /// // Whether there was an odd number of ones so far, in a sequence without an end.
    /// type Net = (Input<Sequence<4, 1>>, Gru<1, 8>, Steps<Dense<8, 1, Sigmoid>>);
    /// let network = Net::new(&mut seeded(0));
    /// let mut states = [network.state()];
    /// let mut trainer = Trainer::<_, _, _, _, 1>::with_micro_batch(network, BinaryCrossEntropy, Adam::new(0.02), ());
    /// let mut is_odd = false;
    /// for window in 0u32..1000 {
    ///     let bits: [bool; 4] = core::array::from_fn(|bit| (window.wrapping_mul(0x9e37_79b9) >> (20 + bit)) & 1 == 1);
    ///     let targets = bits.map(|bit| {
    ///         is_odd ^= bit;
    ///         is_odd
    ///     });
    ///     trainer.step_from(&mut states, &[bits.map(|bit| [f32::from(bit)])], &[targets])?;
    /// }
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("truncated BPTT", "TBPTT", "stateful"))]
    pub fn step_from<X, Y>(&mut self, states: &mut [Carried<N>], inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        N: Stateful<N::In, N::Scalar>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let count = self.check(inputs, targets, usize::MAX)?;
        check_states(states, count)?;
        let epoch = self.epochs;
        self.window::<X, Y, Y>(states, inputs, targets, (epoch, 0))?.loss(epoch)
    }

    /// One epoch on windows of long sequences in their order: the windows are shared equally between the states, so that each
    /// state goes through windows that follow each other, from a zero state on. Each step takes the next window of each.
    /// Returns the mean loss over the samples.
    ///
    /// # Shapes
    ///
    /// `states`: the number of sequences. `inputs`: windows that do not overlap, such as
    /// [`Windows`](crate::data::Windows), at least one for each state; `targets`: as many. Windows that are left, fewer than there
    /// are states, are not used.
    ///
    /// # Errors
    ///
    /// As for [`epoch`](Self::epoch), and if there are no states or fewer windows than states.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::data::Windows;
    /// use tuplenet::layers::{Gru, Input, Steps};
    /// use tuplenet::prelude::*;
    ///
    /// // The next value of a series is learned from windows of 10, in four parts of the series at once.
    /// let series: Vec<[f32; 1]> = (0..401).map(|step| [(step as f32 / 3.0).sin()]).collect();
    /// let inputs = Windows::<_, 10>::new(&series[..400], 10)?;
    /// let targets = Windows::<_, 10>::new(&series[1..], 10)?;
    ///
    /// type Net = (Input<Sequence<10, 1>>, Gru<1, 8>, Steps<Dense<8, 1, Identity>>);
    /// let network = Net::new(&mut seeded(0));
    /// let mut states = [network.state(); 4];
    /// let mut trainer = Trainer::new(network, MeanSquaredError, Adam::new(0.01), seeded(1));
    /// let first = trainer.epoch_in_order(&mut states, &inputs, &targets)?;
    /// for _ in 0..10 {
    ///     trainer.epoch_in_order(&mut states, &inputs, &targets)?;
    /// }
    /// assert!(trainer.epoch_in_order(&mut states, &inputs, &targets)? < first / 4.0);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn epoch_in_order<X, Y>(
        &mut self,
        states: &mut [Carried<N>],
        inputs: &X,
        targets: &Y,
    ) -> Result<N::Scalar, Error>
    where
        N: Stateful<N::In, N::Scalar>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let windows = check_data(inputs, targets)?;
        let count = states.len();
        let Some(distance) = windows.checked_div(count) else {
            let expected = "at least 1 state, one for each part of the series";
            return Err(Error::Setting { expected, found: Found::count(0) });
        };
        if distance == 0 {
            return Err(Error::TooFewSamples { expected: count, found: windows });
        }
        self.check(inputs, targets, count)?;
        for state in states.iter_mut() {
            *state = Zeroed::ZEROED;
        }
        let (mut sum, mut weight) = (Sum::ZERO, Sum::ZERO);
        for first in 0..distance {
            let inputs = Apart { data: inputs, first, distance, count };
            let targets = Apart { data: targets, first, distance, count };
            let mean = self.window::<_, Y, _>(states, &inputs, &targets, (self.epochs, first))?;
            sum.add(mean.loss * mean.weight);
            weight.add(mean.weight);
        }
        let mean = MeanLoss { loss: sum.rounded() / weight.rounded(), weight: weight.rounded() }.loss(self.epochs)?;
        self.epochs += 1;
        self.optimizer.after_epoch(mean);
        Ok(mean)
    }

    /// A step with the next window of each state. `epoch` and `batch` are for error messages.
    fn window<X, Y, D>(
        &mut self,
        states: &mut [Carried<N>],
        inputs: &X,
        targets: &D,
        (epoch, batch): (usize, usize),
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        N: Stateful<N::In, N::Scalar>,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        D: Samples<N::Scalar, Item = Y::Item> + ?Sized,
    {
        let order = &Permutation::identity(states.len());
        let view = BatchView { batch, ..BatchView::all(inputs, targets, order, epoch) };
        let Trainer { network, loss, workspace, gradient, .. } = self;
        let mean = workspace.accumulate_from::<L, X, Y, D>(network, loss, states, view, gradient);
        let mean = mean.map_err(
            #[cold]
            |error| cause(network, error),
        )?;
        self.take_gradient(mean, (epoch, batch))
    }
}
