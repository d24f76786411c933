//! [`Lbfgs`]: limited-memory BFGS with a line search.

use super::line_search::{LineSearch, Next, Point};
use super::vectors::{add, copy, dot, largest, move_along, scale, subtract};
use super::{Iteration, Minimize, Problem, Solver, Status};
use crate::data::Inputs;
use crate::error::{Error, not_negative, setting};
use crate::loss::Targets;
use crate::model::{LastActivation, Trainable, Zeroed};
use crate::num::Real;
use crate::num::dispatch::{dispatch, level};
use crate::num::math::square_root;
use crate::optimizer::{GradientTransform, PerParameter, Regularization};
use num_traits::float::FloatCore;

/// L-BFGS: a quasi-Newton method that knows the curvature of the loss from its last `M` steps, each with a line search that
/// satisfies the strong Wolfe conditions. It minimizes every loss with every regularization, for networks of any size: it keeps
/// `2 M` networks. (J. Nocedal, 1980; D. Liu and J. Nocedal, 1989.)
///
/// Steps are those of SciPy's `L-BFGS-B` without bounds: the line search of J. Moré and D. Thuente, with a first step of the
/// length 1. The `l1` penalty has no derivative at zero, where 0 is taken; weights become small and not exactly zero.
///
/// scikit-learn equivalent: `MLPRegressor(solver="lbfgs")`, whose `tol` is [`gradient_tolerance`](Self::gradient_tolerance)
/// and whose `alpha`, divided by the number of samples, is [`l2`](Self::l2). PyTorch equivalent: `torch.optim.LBFGS` with
/// `line_search_fn="strong_wolfe"`.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::train::{FullBatchTrainer, Lbfgs};
///
/// let (inputs, targets) = ([[-1.0], [-0.5], [0.0], [0.5], [1.0]], [[1.0], [0.25], [0.0], [0.25], [1.0]]);
/// let network = <(Dense<1, 6, Tanh>, Dense<6, 1, Identity>)>::new(seeded(0));
/// let mut trainer = FullBatchTrainer::new(network, MeanSquaredError, Lbfgs::<f32>::new().l2(1e-6));
/// let mut history = History::new();
/// trainer.fit(&inputs, &targets, 200, &mut history)?;
/// assert!(history.losses().last().is_some_and(|loss| *loss < 1e-4));
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("LBFGS", "L-BFGS-B", "BFGS", "quasi-Newton"))]
pub struct Lbfgs<T, const M: usize = 10> {
    /// The training run ends when no derivative of the loss with its penalty is larger in absolute value: finite and not
    /// negative, in units of the loss by those of a parameter; by default 1e-5. A smaller one trains longer.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub gradient_tolerance: T,
    /// The training run ends when an epoch lowers the loss with its penalty by no more than this share of it, or of 1 if it is
    /// below: finite and not negative; by default 2.2e-9. A smaller one trains longer; with 0 it is not looked at.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub loss_tolerance: T,
    /// The training run ends when the loss, without penalty, is at most this: not NaN; by default 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub goal: T,
    /// The penalties; by default none.
    pub regularization: Regularization<T>,
}

impl<T: Real, const M: usize> Default for Lbfgs<T, M> {
    fn default() -> Self {
        Self::new()
    }
}

/// Without tolerances, for a trainer in a `static`.
impl<T: Real, const M: usize> Zeroed for Lbfgs<T, M> {
    const ZEROED: Self = Lbfgs {
        gradient_tolerance: T::ZERO,
        loss_tolerance: T::ZERO,
        goal: T::ZERO,
        regularization: Regularization { l1: T::ZERO, l2: T::ZERO },
    };
}

impl<T: Real, const M: usize> Lbfgs<T, M> {
    /// Creates the solver with its defaults.
    #[must_use]
    pub fn new() -> Self {
        const { assert!(M > 0, "expected an `Lbfgs` that keeps at least one step, found 0") };
        Lbfgs {
            gradient_tolerance: T::of(1e-5),
            loss_tolerance: T::of(2.2e-9),
            goal: T::ZERO,
            regularization: Regularization { l1: T::ZERO, l2: T::ZERO },
        }
    }

    /// Sets the [`gradient_tolerance`](Self::gradient_tolerance).
    #[must_use]
    pub fn gradient_tolerance(self, gradient_tolerance: T) -> Self {
        Lbfgs { gradient_tolerance, ..self }
    }

    /// Sets the [`loss_tolerance`](Self::loss_tolerance).
    #[must_use]
    pub fn loss_tolerance(self, loss_tolerance: T) -> Self {
        Lbfgs { loss_tolerance, ..self }
    }

    /// Sets the [`goal`](Self::goal).
    #[must_use]
    pub fn goal(self, goal: T) -> Self {
        Lbfgs { goal, ..self }
    }

    /// L2 regularization: adds `lambda / 2 * sum w w` over all weights to the loss. Biases are not penalized.
    #[must_use]
    pub fn l2(self, lambda: T) -> Self {
        Lbfgs { regularization: Regularization { l2: lambda, ..self.regularization }, ..self }
    }

    /// L1 regularization: adds `lambda * sum |w|` over all weights to the loss. Biases are not penalized.
    #[must_use]
    pub fn l1(self, lambda: T) -> Self {
        Lbfgs { regularization: Regularization { l1: lambda, ..self.regularization }, ..self }
    }
}

/// State of [`Lbfgs`]: the last steps and what they changed.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(
        bound(serialize = "N: serde::Serialize", deserialize = "N: serde::Deserialize<'de> + Zeroed"),
        deny_unknown_fields
    )
)]
pub struct LbfgsState<N, const M: usize> {
    /// The changes of the parameters.
    pub steps: PerParameter<N, M>,
    /// The changes of the gradient.
    pub changes: PerParameter<N, M>,
    /// How many of them there are.
    pub count: usize,
    /// The index of the oldest one.
    pub oldest: usize,
}

impl<N: Zeroed, const M: usize> Zeroed for LbfgsState<N, M> {
    const ZEROED: Self = LbfgsState { steps: Zeroed::ZEROED, changes: Zeroed::ZEROED, count: 0, oldest: 0 };
}

/// Memory of [`Lbfgs`] for one iteration.
#[derive(Debug)]
pub struct LbfgsMemory<N, T> {
    start: N,
    direction: N,
    /// The gradient at the network as it is.
    gradient: N,
    new_gradient: N,
    /// The loss of that network, and the loss with its penalty.
    loss: T,
    objective: f64,
}

impl<N: Zeroed, T: Real> Zeroed for LbfgsMemory<N, T> {
    const ZEROED: Self = LbfgsMemory {
        start: N::ZEROED,
        direction: N::ZEROED,
        gradient: N::ZEROED,
        new_gradient: N::ZEROED,
        loss: T::ZERO,
        objective: 0.0,
    };
}

impl<N: Trainable, const M: usize> LbfgsState<N, M> {
    /// Calls `f` with the pairs from the newest to the oldest, or the other way round.
    fn each(&mut self, newest_first: bool, mut f: impl FnMut(usize, &mut N, &mut N)) {
        for position in 0..self.count.min(M) {
            let position = if newest_first { self.count.min(M) - 1 - position } else { position };
            let index = wrapped::<M>(self.oldest, position);
            if let (Some(step), Some(change)) = (self.steps.0.get_mut(index), self.changes.0.get_mut(index)) {
                f(position, step, change);
            }
        }
    }

    /// Replaces `direction`, a gradient, by the product of the inverse Hessian with it, as far as it is known.
    fn multiply(&mut self, direction: &mut N) {
        let mut alphas = [0.0; M];
        let mut initial = None;
        self.each(true, |position, step, change| {
            let product = dot(step, change);
            initial.get_or_insert_with(|| product / dot_self(change));
            let alpha = dot(step, direction) / product;
            add(direction, N::Scalar::of(-alpha), change);
            if let Some(to) = alphas.get_mut(position) {
                *to = alpha;
            }
        });
        if let Some(initial) = initial {
            scale(direction, N::Scalar::of(initial));
        }
        self.each(false, |position, step, change| {
            let beta = dot(change, direction) / dot(step, change);
            let alpha = alphas.get(position).copied().unwrap_or(0.0);
            add(direction, N::Scalar::of(alpha - beta), step);
        });
    }

    /// The pair that is overwritten next.
    fn oldest_pair(&mut self) -> Option<(&mut N, &mut N)> {
        let index = if self.count < M { wrapped::<M>(self.oldest, self.count) } else { self.oldest };
        Some((self.steps.0.get_mut(index)?, self.changes.0.get_mut(index)?))
    }

    /// Keeps that pair.
    fn keep(&mut self) {
        if self.count < M {
            self.count += 1;
        } else {
            self.oldest = wrapped::<M>(self.oldest, 1);
        }
    }
}

/// The index `by` after another one in a ring of `M`.
fn wrapped<const M: usize>(index: usize, by: usize) -> usize {
    let sum = index + by;
    if sum >= M { sum - M } else { sum }
}

/// The square of the norm.
fn dot_self<T: Real, N: crate::model::Visit<T>>(vector: &mut N) -> f64 {
    let mut sum = 0.0;
    super::vectors::zip(vector, [], |values, []| {
        for value in values {
            sum += value.exact() * value.exact();
        }
    });
    sum
}

impl<N: Trainable, const M: usize> Solver<N> for Lbfgs<N::Scalar, M> {
    type State = LbfgsState<N, M>;
    type Memory = LbfgsMemory<N, N::Scalar>;

    fn check(&self) -> Result<(), Error> {
        let Lbfgs { gradient_tolerance, loss_tolerance, goal, regularization } = *self;
        setting(
            not_negative(gradient_tolerance),
            "a `gradient_tolerance` that is finite and not negative",
            gradient_tolerance,
        )?;
        setting(not_negative(loss_tolerance), "a `loss_tolerance` that is finite and not negative", loss_tolerance)?;
        setting(!goal.is_nan(), "a `goal` that is a value", goal)?;
        regularization.check()
    }
}

/// The loss of a network, and the loss with its penalty; sets `gradient` to the gradient of the latter.
fn evaluate<N, L, X, Y, const B: usize>(
    regularization: &Regularization<N::Scalar>,
    problem: &mut Problem<N, L, X, Y, B>,
    gradient: &mut N,
) -> Result<(N::Scalar, f64), Error>
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
{
    let loss = problem.loss_and_gradient(gradient)?;
    let Regularization { l1, l2 } = *regularization;
    let zero = N::Scalar::ZERO;
    if l1 == zero && l2 == zero {
        return Ok((loss, loss.exact()));
    }
    let network = &mut *problem.network;
    dispatch!(level(), simd => regularization.transform(simd, zero, network, gradient));
    Ok((loss, loss.exact() + regularization.value(network).exact()))
}

/// The most steps that a line search tries.
const MOST_TRIALS: usize = 20;

impl<N, L, X, Y, const M: usize, const B: usize> Minimize<N, L, X, Y, B> for Lbfgs<N::Scalar, M>
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
{
    fn begin(
        &self,
        problem: &mut Problem<N, L, X, Y, B>,
        memory: &mut Self::Memory,
        _: &mut Self::State,
    ) -> Result<N::Scalar, Error> {
        (memory.loss, memory.objective) = evaluate(&self.regularization, problem, &mut memory.gradient)?;
        Ok(memory.loss)
    }

    fn iterate(
        &self,
        problem: &mut Problem<N, L, X, Y, B>,
        memory: &mut Self::Memory,
        state: &mut Self::State,
    ) -> Result<Iteration<N::Scalar>, Error> {
        let LbfgsMemory { start, direction, gradient, new_gradient, loss, objective } = memory;
        let ended = |status| Ok(Iteration { loss: *loss, moved: false, status });
        if *loss <= self.goal {
            return ended(Status::Goal);
        }
        if largest(gradient) <= self.gradient_tolerance {
            return ended(Status::SmallGradient);
        }
        copy(start, problem.network);
        loop {
            copy(direction, gradient);
            state.multiply(direction);
            scale(direction, -N::Scalar::ONE);
            let mut derivative = dot(gradient, direction);
            if !(derivative < 0.0 && FloatCore::is_finite(derivative)) {
                // Rounding errors have made the known curvature useless.
                state.count = 0;
                copy(direction, gradient);
                scale(direction, -N::Scalar::ONE);
                derivative = -dot_self(gradient);
            }
            let first = if state.count == 0 { 1.0 / square_root(dot_self(direction)) } else { 1.0 };
            let begin = Point { step: 0.0, loss: *objective, derivative };
            if let Some((new_loss, new_objective)) =
                search(&self.regularization, problem, (start, direction), new_gradient, begin, first)
            {
                // Otherwise the curvature along the step is not positive.
                if dot(new_gradient, direction) - derivative > f64::EPSILON * -derivative
                    && let Some((kept_step, change)) = state.oldest_pair()
                {
                    subtract(kept_step, problem.network, start);
                    subtract(change, new_gradient, gradient);
                    state.keep();
                }
                copy(gradient, new_gradient);
                let decrease = *objective - new_objective;
                let size = objective.abs().max(new_objective.abs()).max(1.0);
                (*loss, *objective) = (new_loss, new_objective);
                let status = if new_loss <= self.goal {
                    Status::Goal
                } else if largest(gradient) <= self.gradient_tolerance {
                    Status::SmallGradient
                } else if self.loss_tolerance > N::Scalar::ZERO && decrease <= self.loss_tolerance.exact() * size {
                    Status::SmallDecrease
                } else {
                    Status::Running
                };
                return Ok(Iteration { loss: new_loss, moved: true, status });
            }
            copy(problem.network, start);
            if state.count == 0 {
                return Ok(Iteration { loss: *loss, moved: false, status: Status::NoDecrease });
            }
            // Once more along the gradient.
            state.count = 0;
        }
    }
}

/// Moves the network along a direction, to where the loss with its penalty is lower; returns the loss, and the loss with its
/// penalty. `None` if it is lower nowhere.
fn search<N, L, X, Y, const B: usize>(
    regularization: &Regularization<N::Scalar>,
    problem: &mut Problem<N, L, X, Y, B>,
    (start, direction): (&mut N, &mut N),
    gradient: &mut N,
    begin: Point,
    mut first: f64,
) -> Option<(N::Scalar, f64)>
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
{
    let mut search = LineSearch::new(begin, first);
    let mut step = first;
    let mut best: Option<f64> = None;
    let mut trials = 0;
    while trials < MOST_TRIALS && FloatCore::is_finite(step) && step > 0.0 {
        trials += 1;
        move_along(problem.network, start, N::Scalar::of(step), direction);
        let Ok((loss, objective)) = evaluate(regularization, problem, gradient) else {
            // Too far: the loss is not finite there.
            first *= 0.1;
            (search, step) = (LineSearch::new(begin, first), first);
            continue;
        };
        let point = Point { step, loss: objective, derivative: dot(gradient, direction) };
        let lower = objective < begin.loss;
        if lower {
            best = Some(step);
        }
        match search.next(point) {
            Next::Try(next) => step = next,
            Next::Done if lower => return Some((loss, objective)),
            Next::Done | Next::Best(_) => break,
        }
    }
    // No step satisfies both conditions: the last one that lowered the loss will do.
    let step = best?;
    move_along(problem.network, start, N::Scalar::of(step), direction);
    evaluate(regularization, problem, gradient).ok()
}
