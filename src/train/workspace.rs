//! [`Workspace`]: the memory of one training step, owned by the caller and reused.

use crate::activation::Activation;
use crate::data::{Inputs, Permutation, Samples, check_data, micro_batch_in_place};
use crate::error::{Error, NotFinite};
use crate::kernel::{SMALL_SIZE, is_moderate};
use crate::loss::Targets;
use crate::model::layer::{LearningRate, is_inlined};
use crate::model::{
    Aligned, Batch, LastActivation, Parameter, Pass, Shape, Trainable, Visit, VisitorMut, Zeroed, fill,
};
use crate::num::Real;
use crate::num::dispatch::{dispatch, dispatch_or_call, is_glue, level};
use crate::num::target::RARE_WORK_IS_SHARED;
use crate::train::batch::{BatchView, MeanLoss, Sum, Totals, cause, cause_in_evaluation, check_together};
use core::fmt;
use core::ops::Range;
use fearless_simd::Simd;
use num_traits::float::FloatCore;

/// Workspace: the memory that training the network `N` needs besides the network and its gradient. It has the inputs,
/// caches and gradients of a micro-batch of `B` samples. Its size is known at compile time: [`BYTES`](Self::BYTES).
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::model::Zeroed;
///
/// type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Identity>);
/// let mut network = Net::new(&mut seeded(0));
/// let (mut gradient, mut state) = (Net::ZEROED, Zeroed::ZEROED);
/// let mut workspace = Workspace::<Net, 4>::new();
///
/// // The parts of one training step, with an output gradient of your own instead of a loss.
/// let x = SMatrix::<f32, 2, 4>::repeat(0.5);
/// let y = workspace.forward(&network, &x);
/// let output_gradient = y.map(|y| y - 1.0);
/// workspace.backward(&network, &output_gradient, &mut gradient);
/// Sgd::new(0.1).step(&mut network, &mut gradient, &mut state);
/// ```
#[doc(alias("autograd", "backward"))]
pub struct Workspace<N: Trainable, const B: usize> {
    pub(super) input: Aligned<Batch<N::In, N::Scalar, B>>,
    pub(super) output: Aligned<Batch<N::Out, N::Scalar, B>>,
    pub(super) cache: N::Cache<B>,
    output_gradient: Aligned<Batch<N::Out, N::Scalar, B>>,
    /// Whether an input was so large that the square of a gradient may overflow. The code that takes the step reads and
    /// resets it.
    pub(crate) large: bool,
    /// Whether the last forward pass was over windows that continue others.
    pub(super) continues: bool,
}

impl<N: Trainable, const B: usize> Zeroed for Workspace<N, B> {
    const ZEROED: Self = Workspace {
        input: Zeroed::ZEROED,
        output: Zeroed::ZEROED,
        cache: Zeroed::ZEROED,
        output_gradient: Zeroed::ZEROED,
        large: false,
        continues: false,
    };
}

/// Batches of more micro-batches than this are added up in parts, each by itself: the sum of very many small gradients in
/// their own precision would be off by more than what rounding does to one of them.
const MOST_IN_ONE_PART: usize = 1024;

/// The size in bytes of the largest network whose gradients are added up in parts: the second gradient is on the stack.
const LARGEST_IN_PARTS: usize = 1 << 16;

/// The number of samples in a part of a batch with `count` samples, a multiple of the micro-batch: the parts are as many
/// as a part has micro-batches, or fewer.
#[inline(always)]
fn part_length(count: usize, micro_batch: usize) -> usize {
    #[cold]
    #[inline(never)]
    fn of_many(micro_batches: usize) -> usize {
        let mut length = 1;
        while length < micro_batches / length {
            length *= 2;
        }
        length
    }
    if count <= micro_batch * MOST_IN_ONE_PART { usize::MAX } else { of_many(count / micro_batch) * micro_batch }
}

/// Adds the gradient of a part of a batch to the `total` of the parts before, and leaves zeros there; leaves the total in
/// `gradient` after the last part.
#[cold]
#[inline(never)]
fn add_part<T: Real, N: Visit<T>>(total: &mut Option<N>, gradient: &mut N, is_last: bool) {
    let total = total.get_or_insert(N::ZEROED);
    total.visit_mut([gradient], &mut Accumulate);
    total.merge_buffers(gradient);
    if is_last {
        core::mem::swap(total, gradient);
    }
}

/// Adds the gradient of a part of a batch, and sets it to zero there.
pub(crate) struct Accumulate;

impl<T: Real> VisitorMut<T, 1> for Accumulate {
    #[inline(always)]
    fn slice(&mut self, _: Parameter, values: &mut [T], [others]: [&mut [T]; 1]) {
        for (value, other) in values.iter_mut().zip(others) {
            *value += *other;
            *other = T::ZERO;
        }
    }
}

/// The first element of some samples that is infinite or NaN: its sample, its index in the sample, and what it is.
/// Reads the data again, so that only the pass uses the micro-batch, which may be in registers.
#[cold]
fn first_not_finite<In: Shape, T: Real, X: Inputs<T, In> + ?Sized>(
    inputs: &X,
    mut samples: impl Iterator<Item = usize>,
) -> Option<(usize, usize, NotFinite)> {
    let mut x = <In::Sample<T> as Zeroed>::ZEROED;
    samples.find_map(|sample| {
        inputs.copy(sample, &mut x);
        NotFinite::first_of(In::elements(&x)).map(|(column, found)| (sample, column, found))
    })
}

/// [`Targets::evaluate`], in code of its own for each instruction set where that of the pass is compiled once for all.
#[inline(always)]
fn evaluate<S: Simd, T: Real, L, Y, A: Activation, Out: Shape, const B: usize>(
    loss: &L,
    pass: Pass<S, B>,
    scale: T,
    outputs: &mut Batch<Out, T, B>,
    targets: &[Y::Item; B],
) -> T
where
    Y: Targets<T, L, A, Out> + ?Sized,
{
    #[inline(never)]
    fn apart<S: Simd, T: Real, L, Y, A: Activation, Out: Shape, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: T,
        outputs: &mut Batch<Out, T, B>,
        targets: &[Y::Item; B],
    ) -> T
    where
        Y: Targets<T, L, A, Out> + ?Sized,
    {
        dispatch!(level(), simd => Y::evaluate::<_, B>(loss, pass.with_simd(simd), scale, outputs, targets))
    }
    if const { is_glue::<S>() } {
        apart::<S, T, L, Y, A, Out, B>(loss, pass, scale, outputs, targets)
    } else {
        Y::evaluate::<S, B>(loss, pass, scale, outputs, targets)
    }
}

/// [`Targets::evaluate_weighted`], likewise.
#[inline(always)]
fn evaluate_weighted<S: Simd, T: Real, L, Y, A: Activation, Out: Shape, const B: usize>(
    loss: &L,
    pass: Pass<S, B>,
    scale: impl Fn(usize) -> T,
    outputs: &mut Batch<Out, T, B>,
    targets: &[Y::Item; B],
) -> T
where
    Y: Targets<T, L, A, Out> + ?Sized,
{
    #[inline(never)]
    fn apart<S: Simd, T: Real, L, Y, A: Activation, Out: Shape, const B: usize>(
        loss: &L,
        pass: Pass<S, B>,
        scale: impl Fn(usize) -> T,
        outputs: &mut Batch<Out, T, B>,
        targets: &[Y::Item; B],
    ) -> T
    where
        Y: Targets<T, L, A, Out> + ?Sized,
    {
        dispatch!(level(), simd => Y::evaluate_weighted::<_, B>(loss, pass.with_simd(simd), scale, outputs, targets))
    }
    if const { is_glue::<S>() } {
        apart::<S, T, L, Y, A, Out, B>(loss, pass, scale, outputs, targets)
    } else {
        Y::evaluate_weighted::<S, B>(loss, pass, scale, outputs, targets)
    }
}

/// [`first_not_finite`] as one function for all passes, for a microcontroller with little flash. Where a pass is in
/// registers, passing the order costs it a fifth of its time.
#[cold]
#[inline(never)]
fn first_not_finite_at<In: Shape, T: Real, X: Inputs<T, In> + ?Sized>(
    inputs: &X,
    order: &Permutation,
    positions: Range<usize>,
) -> Option<(usize, usize, NotFinite)> {
    first_not_finite::<In, T, X>(inputs, positions.map(|position| order.at(position)))
}

/// Copies the samples of a micro-batch: those from `begin` on, or those with the given indices.
#[inline(always)]
fn copy_micro_batch<T: Real, X: Samples<T> + ?Sized>(
    data: &X,
    in_order: bool,
    begin: usize,
    samples: &[usize],
    to: &mut [X::Item],
) {
    if in_order {
        // Not a slice index, which would leave a panic path.
        let len = samples.len();
        data.copy_from(begin, to.get_mut(..len).unwrap_or_default());
    } else {
        for (&sample, to) in samples.iter().zip(to) {
            data.copy(sample, to);
        }
    }
}

/// [`copy_micro_batch`] of inputs, into the batch that a network takes.
#[inline(always)]
fn copy_inputs<In: Shape, T: Real, X: Inputs<T, In> + ?Sized, const B: usize>(
    inputs: &X,
    in_order: bool,
    begin: usize,
    samples: &[usize],
    x: &mut Batch<In, T, B>,
) {
    if let Some(columns) = In::samples_mut(x) {
        return copy_micro_batch(inputs, in_order, begin, samples, columns);
    }
    let mut sample = <In::Sample<T> as Zeroed>::ZEROED;
    for (column, &index) in samples.iter().enumerate() {
        inputs.copy(if in_order { begin + column } else { index }, &mut sample);
        In::set(x, column, &sample);
    }
}

/// [`copy_inputs`] with the registers of an instruction set of the CPU, which are wider than those of glue.
#[inline(always)]
fn copy_inputs_in<S: Simd, In: Shape, T: Real, X: Inputs<T, In> + ?Sized, const B: usize>(
    inputs: &X,
    in_order: bool,
    begin: usize,
    samples: &[usize],
    x: &mut Batch<In, T, B>,
) {
    #[inline(never)]
    fn apart<In: Shape, T: Real, X: Inputs<T, In> + ?Sized, const B: usize>(
        inputs: &X,
        in_order: bool,
        begin: usize,
        samples: &[usize],
        x: &mut Batch<In, T, B>,
    ) {
        dispatch!(level(), simd => {
            let _ = simd;
            copy_inputs::<In, T, X, B>(inputs, in_order, begin, samples, x);
        });
    }
    if const { is_glue::<S>() } {
        apart::<In, T, X, B>(inputs, in_order, begin, samples, x);
    } else {
        copy_inputs::<In, T, X, B>(inputs, in_order, begin, samples, x);
    }
}

impl<N: Trainable, const B: usize> Clone for Workspace<N, B>
where
    N::Cache<B>: Clone,
{
    fn clone(&self) -> Self {
        Workspace {
            input: self.input.clone(),
            output: self.output.clone(),
            cache: self.cache.clone(),
            output_gradient: self.output_gradient.clone(),
            large: self.large,
            continues: self.continues,
        }
    }
}

/// The sizes alone.
impl<N: Trainable, const B: usize> fmt::Debug for Workspace<N, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").field("micro_batch", &B).field("bytes", &Self::BYTES).finish_non_exhaustive()
    }
}

impl<N: Trainable, const B: usize> Default for Workspace<N, B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Trainable, const B: usize> Workspace<N, B> {
    /// The size of a workspace in bytes.
    pub const BYTES: usize = size_of::<Self>();

    /// Creates a workspace of zeros; it can be stored in a `static`.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(B > 0, "expected a micro-batch of at least one sample, found 0") };
        Self::ZEROED
    }

    /// Forward pass, as in training: computes the outputs and keeps in the cache what [`backward`](Self::backward)
    /// needs.
    ///
    /// # Shapes
    ///
    /// `x`: `IN` by `B`, one sample a column; returns `OUT` by `B`.
    pub fn forward(&mut self, network: &N, x: &Batch<N::In, N::Scalar, B>) -> &Batch<N::Out, N::Scalar, B> {
        self.input.0.clone_from(x);
        self.continues = false;
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => network.forward(
            Pass::new(simd, B), &self.input.0, &mut self.output.0, &mut self.cache,
        ));
        &self.output.0
    }

    /// The pass of the last forward pass.
    #[inline(always)]
    fn pass<S: Simd>(&self, simd: S) -> Pass<S, B> {
        let pass = Pass::new(simd, B);
        if self.continues { pass.continuing() } else { pass }
    }

    /// The pass over those samples from position `first` on that are as long as the first of them.
    #[inline(always)]
    pub(super) fn equally_long<S: Simd, X, Y: ?Sized>(
        pass: Pass<S, B>,
        view: &BatchView<X, Y>,
        first: usize,
    ) -> Pass<S, B>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
    {
        if !X::PADDED {
            return pass;
        }
        let steps = view.inputs.steps(view.order.at(first));
        let as_long = (first..first + pass.len()).take_while(
            #[inline(always)]
            |&position| view.inputs.steps(view.order.at(position)) == steps,
        );
        pass.with_len(as_long.count()).with_steps(steps)
    }

    /// Backward pass: adds the gradient of the parameters to `gradient`. `output_gradient` is the gradient of what is
    /// minimized, by the outputs of the last [`forward`](Self::forward). The network must be unchanged since then.
    ///
    /// # Shapes
    ///
    /// `output_gradient`: `OUT` by `B`, one sample a column.
    pub fn backward(&mut self, network: &N, output_gradient: &Batch<N::Out, N::Scalar, B>, gradient: &mut N) {
        self.output_gradient.0.clone_from(output_gradient);
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => network.backward(
            self.pass(simd), (&self.input.0, &self.output.0), &mut self.cache, &mut self.output_gradient.0, gradient,
            None,
        ));
    }

    /// Like [`backward`](Self::backward), and returns the gradient of the inputs.
    ///
    /// # Shapes
    ///
    /// `output_gradient`: `OUT` by `B`, one sample a column; returns `IN` by `B`.
    pub fn backward_to_input(
        &mut self,
        network: &N,
        output_gradient: &Batch<N::Out, N::Scalar, B>,
        gradient: &mut N,
    ) -> Batch<N::In, N::Scalar, B> {
        self.output_gradient.0.clone_from(output_gradient);
        let mut input_gradient = Zeroed::ZEROED;
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => network.backward(
            self.pass(simd), (&self.input.0, &self.output.0), &mut self.cache, &mut self.output_gradient.0, gradient,
            Some(&mut input_gradient),
        ));
        input_gradient
    }

    /// Returns the mean loss over any number of samples, in evaluation.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// As for [`Trainer::evaluate`](crate::train::Trainer::evaluate).
    pub fn loss<L, X, Y>(&mut self, network: &N, loss: &L, inputs: &X, targets: &Y) -> Result<N::Scalar, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        Y::check_loss(loss)?;
        let count = check_data(inputs, targets)?;
        let order = &Permutation::identity(count);
        let view = BatchView::all(inputs, targets, order, 0);
        let mean =
            dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => self.evaluate(simd, network, loss, view));
        mean.map_err(|error| cause_in_evaluation(network, error))?.loss(0)
    }

    /// Adds the gradient of the mean loss over any number of samples to `gradient`, and returns that loss.
    ///
    /// The gradients of more than 1,024 micro-batches are added up in parts, so that what rounding adds to them stays small.
    /// That takes a second gradient on the stack, and is done for networks of up to 64 KiB, not on microcontrollers.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// As for [`Trainer::step`](crate::train::Trainer::step), except for the optimizer's settings and the size of the
    /// gradient. After an error `gradient` is zero.
    pub fn gradient<L, X, Y>(
        &mut self,
        network: &N,
        loss: &L,
        inputs: &X,
        targets: &Y,
        gradient: &mut N,
    ) -> Result<N::Scalar, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        Y::check_loss(loss)?;
        let count = check_data(inputs, targets)?;
        let result = check_together::<N, B>(count, if X::PADDED { 1 } else { count }).and_then(|()| {
            let order = &Permutation::identity(count);
            let view = BatchView::all(inputs, targets, order, 0);
            dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => self.accumulate(simd, network, loss, view, gradient))
        });
        let result = result.and_then(|mean| mean.loss(0));
        if result.is_err() {
            fill(gradient, N::Scalar::ZERO);
        }
        result.map_err(|error| cause(network, error))
    }

    /// Sets `gradients` to the gradient of each sample's own loss, and returns the mean loss: per-sample gradients. Layers compute
    /// what they do in prediction, since in training batch normalization would make the loss of a sample depend on others.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes; `gradients`: as
    /// many networks.
    ///
    /// # Errors
    ///
    /// As for [`gradient`](Self::gradient), and [`Error::Lengths`] if there are not as many gradients as samples. After an error
    /// `gradients` are unspecified.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::model::Zeroed;
    /// use tuplenet::prelude::*;
    ///
    /// let network = Dense::<1, 1, Identity>::from_rows([[2.0]], [0.0]);
    /// let mut gradients = [const { Dense::ZEROED }; 2];
    /// let mut workspace = Workspace::<Dense<1, 1, Identity>, 1>::new();
    /// workspace.sample_gradients(&network, &MeanSquaredError, &[[1.0], [3.0]], &[[1.0], [6.0]], &mut gradients)?;
    /// assert_eq!(gradients, [Dense::from_rows([[2.0]], [2.0]), Dense::from_rows([[0.0]], [0.0])]);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("per-sample gradients", "vmap"))]
    pub fn sample_gradients<L, X, Y>(
        &mut self,
        network: &N,
        loss: &L,
        inputs: &X,
        targets: &Y,
        gradients: &mut [N],
    ) -> Result<N::Scalar, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        Y::check_loss(loss)?;
        let count = check_data(inputs, targets)?;
        if gradients.len() != count {
            return Err(Error::Lengths {
                what: "gradients, one for each sample",
                expected: count,
                found: gradients.len(),
            });
        }
        let order = &Permutation::identity(count);
        let (mut sum, mut weight) = (Sum::ZERO, Sum::ZERO);
        for (sample, gradient) in gradients.iter_mut().enumerate() {
            fill(gradient, N::Scalar::ZERO);
            let range = sample..sample + 1;
            let view = BatchView { range, ..BatchView::all(inputs, targets, order, 0).in_evaluation() };
            let mean = dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(B), simd => self.accumulate(simd, network, loss, view, gradient))
                .map_err(|error| cause(network, error))?;
            sum.add(mean.loss * mean.weight);
            weight.add(mean.weight);
        }
        self.large = false;
        MeanLoss { loss: sum.rounded() / weight.rounded(), weight: weight.rounded() }.loss(0)
    }

    /// Returns the mean loss of a batch and adds its gradient to `gradient`, which is zero after an error.
    #[inline(always)]
    pub(crate) fn accumulate<S: Simd, L, X, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let sum = self.over_micro_batches::<S, L, X, Y, Y>(simd, network, loss, &view, totals, Some(gradient));
        let mean = match sum {
            Ok(sum) => view.mean(totals, sum),
            Err(error) => Err(error),
        };
        if mean.is_err() {
            fill(gradient, N::Scalar::ZERO);
        }
        mean
    }

    /// [`accumulate`](Self::accumulate) for a batch that fills the micro-batch, with a `gradient` that is zero; after
    /// an error its values are unspecified. The compiler knows the number of columns, and that every column has a
    /// sample.
    #[inline(always)]
    pub(crate) fn accumulate_micro_batch<S: Simd, L, X, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        view: &BatchView<X, Y>,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        if X::PADDED {
            let sum = self.over_micro_batches::<S, L, X, Y, Y>(simd, network, loss, view, totals, Some(gradient))?;
            return view.mean(totals, sum);
        }
        let pass = Pass::<S, B>::new(simd, B).stop_at_logits().with_zero_gradient();
        let sum = self.over_micro_batch::<S, L, X, Y, Y>(pass, network, loss, view, totals, Some(gradient))?;
        view.mean(totals, sum)
    }

    /// Returns the mean loss of a batch, in evaluation.
    #[inline(always)]
    pub(crate) fn evaluate<S: Simd, L, X, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        view: BatchView<X, Y>,
    ) -> Result<MeanLoss<N::Scalar>, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let totals = view.totals()?;
        if totals.is_nothing::<Y>() {
            return Ok(MeanLoss::NOTHING);
        }
        let sum = self.over_micro_batches::<S, L, X, Y, Y>(simd, network, loss, &view, totals, None)?;
        view.mean(totals, sum)
    }

    /// Returns what the samples add to the mean loss of their batch, which may be infinite or NaN, and adds their
    /// gradient to `gradient`. `D` has the targets, `Y` says what they are.
    #[inline(always)]
    pub(crate) fn over_micro_batches<S: Simd, L, X, Y, D>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        view: &BatchView<X, D>,
        totals: Totals<N::Scalar>,
        mut gradient: Option<&mut N>,
    ) -> Result<N::Scalar, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        D: Samples<N::Scalar, Item = Y::Item> + ?Sized,
    {
        let BatchView { range, .. } = view;
        let mut sum = Sum::ZERO;
        let mut first = range.start;
        let mut place;
        let total: &mut [Option<N>] = if const { Self::HAS_PARTS } {
            place = [const { None }];
            &mut place
        } else {
            &mut []
        };
        let part = if const { Self::HAS_PARTS } { part_length(range.len(), B) } else { usize::MAX };
        while first < range.end {
            let end = if part < range.end - first { first + part } else { range.end };
            while first < end {
                // What a rank has of a batch may begin before the batch as a whole would: only the distance counts.
                let (offset, mut left) = (first.wrapping_sub(totals.start), range.end - first);
                if N::TOGETHER > 1 && B > 2 && left == B + 1 {
                    // Two micro-batches of several samples, instead of a full one and one with a single sample.
                    left = B - 1;
                }
                let mut pass = Pass::<S, B>::new(simd, left).with_offset(offset).stop_at_logits();
                if !view.training {
                    pass = pass.in_evaluation();
                }
                let pass = Self::equally_long(pass, view, first);
                let gradient = gradient.as_deref_mut();
                sum.add(if !X::PADDED && (B == 1 || (B <= SMALL_SIZE && left >= B)) {
                    // The same pass again, where the compiler knows that every column has a sample: it has no conditions, which
                    // otherwise take most of the time of a small network's pass.
                    let mut full = Pass::<S, B>::new(simd, B).with_offset(offset).stop_at_logits();
                    if !view.training {
                        full = full.in_evaluation();
                    }
                    self.over_micro_batch::<S, L, X, Y, D>(full, network, loss, view, totals, gradient)?
                } else {
                    self.over_micro_batch::<S, L, X, Y, D>(pass, network, loss, view, totals, gradient)?
                });
                first += pass.len();
            }
            if const { Self::HAS_PARTS }
                && part < range.len()
                && let (Some(gradient), [total]) = (gradient.as_deref_mut(), &mut *total)
            {
                add_part(total, gradient, first == range.end);
            }
        }
        Ok(sum.rounded())
    }

    /// Whether the gradient of a very large batch is added up in parts, which takes memory for a second one. A
    /// microcontroller has neither such batches nor the flash.
    const HAS_PARTS: bool = cfg!(not(target_os = "none")) && size_of::<N>() <= LARGEST_IN_PARTS;

    /// Returns the loss of a single sample, the first of `inputs`. Its gradient by the outputs stays in the workspace
    /// for [`gradient_of_one`](Self::gradient_of_one) or [`sgd_step`](Self::sgd_step). The time is bounded, and no
    /// other memory is used.
    #[inline(always)]
    pub(crate) fn output_gradient_of_one<S: Simd, L, X, Y>(
        &mut self,
        simd: S,
        network: &N,
        loss: &L,
        (inputs, targets): (&X, &Y),
        epoch: usize,
    ) -> Result<N::Scalar, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let pass = Pass::<S, B>::new(simd, 1).stop_at_logits();
        let mut pass_targets = [Y::Item::ZEROED; B];
        copy_inputs::<N::In, _, X, B>(inputs, true, 0, &[0], &mut self.input.0);
        if let [target, ..] = pass_targets.as_mut_slice() {
            targets.copy(0, target);
        }
        Y::check_targets(loss, &pass_targets[..1], usize::MAX)
            .map_err(|(sample, problem)| Error::Target { sample, problem })?;
        if !is_moderate(simd, N::In::as_slice(&self.input.0), N::In::prefix::<B>(1)) {
            if let Some((column, found)) = NotFinite::first_of(N::In::elements(&N::In::get(&self.input.0, 0))) {
                self.input = Zeroed::ZEROED;
                return Err(Error::InputNotFinite { sample: 0, column, found, epoch, batch: 0 });
            }
            self.large = true;
        }
        network.forward(pass, &self.input.0, &mut self.output.0, &mut self.cache);
        self.output_gradient.0.clone_from(&self.output.0);
        let (outputs, scale) = (&mut self.output_gradient.0, N::Scalar::ONE);
        let value = evaluate::<S, _, _, Y, _, N::Out, B>(loss, pass, scale, outputs, &pass_targets);
        N::Out::clear_from(&mut self.output_gradient.0, 1);
        if value.is_finite() { Ok(value) } else { Err(Error::LossNotFinite { epoch, batch: 0 }) }
    }

    /// Sets `gradient`, which is zero, to the gradient of a single sample.
    #[inline(always)]
    pub(crate) fn gradient_of_one<S: Simd>(&mut self, simd: S, network: &N, gradient: &mut N) {
        let pass = Pass::<S, B>::new(simd, 1).stop_at_logits().with_zero_gradient();
        let xy = (&self.input.0, &self.output.0);
        network.backward(pass, xy, &mut self.cache, &mut self.output_gradient.0, gradient, None);
    }

    /// Takes a step of plain gradient descent by the gradient of a single sample.
    #[inline(always)]
    pub(crate) fn sgd_step<S: Simd>(&mut self, simd: S, network: &mut N, learning_rate: N::Scalar) {
        let pass = Pass::<S, B>::new(simd, 1).stop_at_logits();
        let (xy, learning_rate) = ((&self.input.0, &self.output.0), LearningRate(learning_rate));
        network.sgd_step(pass, xy, &mut self.cache, &mut self.output_gradient.0, learning_rate, None);
    }

    /// [`over_micro_batches`](Self::over_micro_batches) for a single micro-batch. `D` has the targets, `Y` says what they are.
    #[inline(always)]
    pub(super) fn over_micro_batch<S: Simd, L, X, Y, D>(
        &mut self,
        pass: Pass<S, B>,
        network: &N,
        loss: &L,
        view: &BatchView<X, D>,
        totals: Totals<N::Scalar>,
        gradient: Option<&mut N>,
    ) -> Result<N::Scalar, Error>
    where
        N: Trainable,
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
        D: Samples<N::Scalar, Item = Y::Item> + ?Sized,
    {
        let BatchView { inputs, targets, order, epoch, batch, .. } = view;
        let (simd, len) = (pass.simd(), pass.len());
        let (scale, begin) = (N::Scalar::ONE / totals.weight, totals.start.wrapping_add(pass.offset()));

        let in_order = order.is_identity();
        let samples: [usize; B] = if in_order {
            [0; B]
        } else if const { is_glue::<S>() } {
            order.compiled_from(level(), begin)
        } else {
            order.from(begin)
        };
        // A whole micro-batch that is stored in order is read in place, unless it goes into registers, which only a
        // copy can.
        let in_place = in_order && len == B && !pass.gradient_is_zero() && !X::PADDED;
        let in_place_inputs = micro_batch_in_place::<_, X, B>(*inputs, in_place, begin).and_then(
            #[inline(always)]
            |samples| N::In::in_place(samples),
        );
        let x = match in_place_inputs {
            Some(x) => x,
            None => {
                copy_inputs_in::<S, N::In, _, X, B>(*inputs, in_order, begin, &samples[..len], &mut self.input.0);
                if X::PADDED {
                    N::In::clear_steps_from(&mut self.input.0, pass.steps(usize::MAX));
                }
                &self.input.0
            }
        };
        let mut copied;
        let pass_targets = match micro_batch_in_place::<_, D, B>(*targets, in_place, begin) {
            Some(targets) => targets,
            None => {
                copied = Aligned([Y::Item::ZEROED; B]);
                copy_micro_batch(*targets, in_order, begin, &samples[..len], &mut copied.0);
                &copied.0
            }
        };
        Y::check_targets(loss, &pass_targets[..len], pass.steps(usize::MAX))
            .map_err(|(column, problem)| Error::Target { sample: order.at(begin + column), problem })?;
        if !is_moderate(simd, N::In::as_slice(x), N::In::prefix::<B>(len)) {
            let positions = begin..begin + len;
            let first = if RARE_WORK_IS_SHARED {
                first_not_finite_at::<N::In, _, X>(*inputs, order, positions)
            } else {
                first_not_finite::<N::In, _, X>(*inputs, positions.map(|position| order.at(position)))
            };
            if let Some((sample, column, found)) = first {
                // The next micro-batch may be smaller, and the check reads a little beyond its end.
                self.input = Zeroed::ZEROED;
                return Err(Error::InputNotFinite { sample, column, found, epoch: *epoch, batch: *batch });
            }
            self.large = true;
        }

        if gradient.is_some() {
            network.forward(pass, x, &mut self.output.0, &mut self.cache);
            self.output_gradient.0.clone_from(&self.output.0);
        } else {
            network.infer(pass, x, &mut self.output_gradient.0);
        }
        let outputs = &mut self.output_gradient.0;
        let sum = if D::WEIGHTED {
            evaluate_weighted::<S, _, _, Y, _, N::Out, B>(
                loss,
                pass,
                #[inline(always)]
                |column| scale * targets.weight(order.at(begin + column)),
                outputs,
                pass_targets,
            )
        } else {
            evaluate::<S, _, _, Y, _, N::Out, B>(loss, pass, scale, outputs, pass_targets)
        };
        if let Some(gradient) = gradient {
            N::Out::clear_from(&mut self.output_gradient.0, len);
            network.backward(pass, (x, &self.output.0), &mut self.cache, &mut self.output_gradient.0, gradient, None);
        }
        Ok(sum)
    }
}
