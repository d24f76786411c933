//! [`LevenbergMarquardt`]: damped least squares.

use super::normal::{Equations, Form, Normal};
use super::rows::{AddPenalty, Rows, flatten, place, square, sum_of_squares};
use super::{Iteration, Minimize, Problem, Solver, Status};
use crate::data::{Inputs, Samples};
use crate::error::{Error, not_negative, setting};
use crate::loss::{MeanSquaredError, Targets};
use crate::model::{InputShape, LastActivation, Shape, Trainable, Zeroed};
use crate::num::Real;
use crate::num::math::square_root;
use core::marker::PhantomData;
use num_traits::float::FloatCore;

/// Levenberg-Marquardt: a least-squares method, which knows the curvature of a squared loss from the derivative of each residual.
/// For [`MeanSquaredError`] and networks of up to some hundred parameters it is the fastest there is, and the most exact.
/// (K. Levenberg, 1944; D. Marquardt, 1963; with the damping of H. B. Nielsen, 1999, by the gain ratio.)
///
/// `P` is the number of parameters of the network, `{ Net::PARAMETERS }`; any other does not compile. The solver needs a matrix
/// of `P` by `P`, 2 megabytes for 500 parameters of `f64`, and takes `P * P / 2` multiplications for each residual, a sample and
/// an output, and `P * P * P / 6` for each step. With fewer residuals than parameters the form [`Dual<R>`](super::Dual) takes
/// less. Use `f64`: the equations square the condition of the problem.
///
/// MATLAB equivalent: `trainlm`, and with [`bayesian`](Self::bayesian) `trainbr`. SciPy equivalent:
/// `scipy.optimize.least_squares(method="lm")`.
///
/// # Formula
///
/// `(A + mu I) h = g` with the gradient `g` of the loss and `A = 2 J' J / count`, the Gauss-Newton matrix; the step is `-h`. If it
/// lowers the loss, `mu` is multiplied by `max(1 / 3, 1 - (2 gain - 1)^3)`, where the gain is the ratio of the decrease to the
/// one that the equations predict; otherwise by 2, 4, 8 and so on, and the step is tried again. An epoch is a step that lowers the
/// loss. (K. Madsen, H. B. Nielsen, O. Tingleff: Methods for non-linear least squares problems, 2004, algorithm 3.16.)
///
/// # Examples
///
/// ```
/// use tuplenet::model::Params;
/// use tuplenet::prelude::*;
/// use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};
///
/// type Net = (Dense<1, 5, Tanh, f64>, Dense<5, 1, Identity, f64>);
/// let inputs: [[f64; 1]; 41] = core::array::from_fn(|i| [i as f64 / 20.0 - 1.0]);
/// let targets = inputs.map(|[x]| [(3.0 * x).sin()]);
///
/// let solver = LevenbergMarquardt::<{ Net::PARAMETERS }>::new().goal(1e-4);
/// let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), MeanSquaredError, solver);
/// let report = trainer.fit(&inputs, &targets, 100, ())?;
/// assert!(report.loss <= 1e-4, "{} epochs: {}", report.epochs, trainer.status);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// ```compile_fail,E0080
/// use tuplenet::prelude::*;
/// use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};
///
/// // The network has 16 parameters.
/// type Net = (Dense<1, 5, Tanh, f64>, Dense<5, 1, Identity, f64>);
/// let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), MeanSquaredError, LevenbergMarquardt::<15>::new());
/// trainer.fit(&[[0.0]], &[[1.0]], 1, ())?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("trainlm", "trainbr", "leastsq", "least_squares", "curve_fit", "Gauss-Newton"))]
pub struct LevenbergMarquardt<const P: usize, T = f64, F = Normal> {
    /// The training run ends when the loss, without penalty, is at most this: not NaN; by default 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub goal: T,
    /// The training run ends when no derivative of the loss with its penalty is larger in absolute value: finite and not
    /// negative; by default 1e-8. A smaller one trains longer.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub gradient_tolerance: T,
    /// The training run ends when a step is no longer than this share of the length of all parameters: finite and not negative;
    /// by default 1e-8. A smaller one trains longer.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub step_tolerance: T,
    /// The training run ends when an epoch lowers the loss by no more than this share of it: finite and not negative; by default
    /// 0, with which it is not looked at.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub loss_tolerance: T,
    /// The damping of the first step, as a share of the largest element of the diagonal of `A`: finite and above zero; by default
    /// 1e-3. A larger one begins with shorter steps.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub initial_damping: T,
    /// The factor `lambda` of the L2 penalty `lambda / 2 * sum w w` over all weights: finite and not negative; by default 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub l2: T,
    /// Whether the penalty is that of Bayesian regularization.
    pub bayesian: bool,
    #[cfg_attr(feature = "serde", serde(skip))]
    form: PhantomData<F>,
}

impl<const P: usize, T: Real, F> Default for LevenbergMarquardt<P, T, F> {
    fn default() -> Self {
        Self::with_form()
    }
}

impl<const P: usize, T: Real> LevenbergMarquardt<P, T> {
    /// Creates the solver with its defaults and the normal equations, `P` by `P`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_form()
    }
}

/// Without tolerances, for a trainer in a `static`: it must be set before training.
impl<const P: usize, T: Real, F> Zeroed for LevenbergMarquardt<P, T, F> {
    const ZEROED: Self = LevenbergMarquardt {
        goal: T::ZERO,
        gradient_tolerance: T::ZERO,
        step_tolerance: T::ZERO,
        loss_tolerance: T::ZERO,
        initial_damping: T::ZERO,
        l2: T::ZERO,
        bayesian: false,
        form: PhantomData,
    };
}

impl<const P: usize, T: Real, F> LevenbergMarquardt<P, T, F> {
    /// Creates the solver with its defaults and the equations in the form of its type, such as [`Dual`](super::Dual).
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::model::Params;
    /// use tuplenet::prelude::*;
    /// use tuplenet::train::full_batch::Dual;
    /// use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};
    ///
    /// // 121 parameters and 5 residuals.
    /// type Net = (Dense<1, 40, Tanh, f64>, Dense<40, 1, Identity, f64>);
    /// let (inputs, targets) = ([[-1.0], [-0.5], [0.0], [0.5], [1.0]], [[1.0], [0.25], [0.0], [0.25], [1.0]]);
    /// let solver = LevenbergMarquardt::<{ Net::PARAMETERS }, f64, Dual<5>>::with_form();
    /// let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), MeanSquaredError, solver.goal(1e-8));
    /// assert!(trainer.fit(&inputs, &targets, 100, ())?.loss <= 1e-8);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[must_use]
    pub fn with_form() -> Self {
        LevenbergMarquardt {
            goal: T::ZERO,
            gradient_tolerance: T::of(1e-8),
            step_tolerance: T::of(1e-8),
            loss_tolerance: T::ZERO,
            initial_damping: T::of(1e-3),
            l2: T::ZERO,
            bayesian: false,
            form: PhantomData,
        }
    }

    /// Sets the [`goal`](Self::goal).
    #[must_use]
    pub fn goal(self, goal: T) -> Self {
        LevenbergMarquardt { goal, ..self }
    }

    /// Sets the [`gradient_tolerance`](Self::gradient_tolerance).
    #[must_use]
    pub fn gradient_tolerance(self, gradient_tolerance: T) -> Self {
        LevenbergMarquardt { gradient_tolerance, ..self }
    }

    /// Sets the [`step_tolerance`](Self::step_tolerance).
    #[must_use]
    pub fn step_tolerance(self, step_tolerance: T) -> Self {
        LevenbergMarquardt { step_tolerance, ..self }
    }

    /// Sets the [`loss_tolerance`](Self::loss_tolerance).
    #[must_use]
    pub fn loss_tolerance(self, loss_tolerance: T) -> Self {
        LevenbergMarquardt { loss_tolerance, ..self }
    }

    /// Sets the [`initial_damping`](Self::initial_damping).
    #[must_use]
    pub fn initial_damping(self, initial_damping: T) -> Self {
        LevenbergMarquardt { initial_damping, ..self }
    }
}

impl<const P: usize, T: Real> LevenbergMarquardt<P, T> {
    /// L2 regularization: adds `lambda / 2 * sum w w` over all weights to the loss. Biases are not penalized.
    #[must_use]
    pub fn l2(self, lambda: T) -> Self {
        LevenbergMarquardt { l2: lambda, bayesian: false, ..self }
    }

    /// Bayesian regularization: an L2 penalty on all parameters, whose factor follows from the data: before each step it is set
    /// to the one under which the data are most probable. The state has the effective number of parameters. It takes another
    /// `P * P * P / 6` multiplications for each step. (D. MacKay, 1992; F. D. Foresee and M. T. Hagan, 1997.) MATLAB equivalent:
    /// `trainbr`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::model::Params;
    /// use tuplenet::prelude::*;
    /// use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};
    ///
    /// type Net = (Dense<1, 20, Tanh, f64>, Dense<20, 1, Identity, f64>);
    /// let inputs: [[f64; 1]; 81] = core::array::from_fn(|i| [i as f64 / 40.0 - 1.0]);
    /// // A line, with noise from -0.1 to 0.1.
    /// let targets: [[f64; 1]; 81] = core::array::from_fn(|i| [inputs[i][0] + ((i * 37) % 21) as f64 / 100.0 - 0.1]);
    ///
    /// let solver = LevenbergMarquardt::<{ Net::PARAMETERS }>::new().bayesian();
    /// let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), MeanSquaredError, solver);
    /// trainer.fit(&inputs, &targets, 100, ())?;
    /// // Of 61 parameters the data determine few.
    /// assert!(trainer.state().effective_parameters < 10.0);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("trainbr", "evidence"))]
    #[must_use]
    pub fn bayesian(self) -> Self {
        LevenbergMarquardt { l2: T::ZERO, bayesian: true, ..self }
    }
}

/// State of [`LevenbergMarquardt`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct LevenbergMarquardtState<T> {
    /// The damping `mu` of the next step; 0 before the first one.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub damping: T,
    /// What the damping is multiplied by if the next step does not lower the loss.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub growth: T,
    /// The largest absolute value of the gradient before the last step, if rounding errors have hidden whether it lowered the loss;
    /// otherwise 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub hidden: T,
    /// The factor of the penalty of Bayesian regularization; otherwise 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub l2: T,
    /// With Bayesian regularization the effective number of parameters, those that the data determine; otherwise 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::one"))]
    pub effective_parameters: T,
}

impl<T: Real> Zeroed for LevenbergMarquardtState<T> {
    const ZEROED: Self = LevenbergMarquardtState {
        damping: T::ZERO,
        growth: T::ZERO,
        hidden: T::ZERO,
        l2: T::ZERO,
        effective_parameters: T::ZERO,
    };
}

/// Memory of [`LevenbergMarquardt`]: the equations of a step.
pub struct LevenbergMarquardtMemory<N: Trainable, E, const P: usize> {
    pub(super) equations: E,
    rows: Rows<N, P>,
    start: [N::Scalar; P],
    gradient: [N::Scalar; P],
    /// What the penalty adds to the diagonal.
    diagonal: [N::Scalar; P],
    step: [N::Scalar; P],
    loss: N::Scalar,
}

impl<N: Trainable, E, const P: usize> core::fmt::Debug for LevenbergMarquardtMemory<N, E, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LevenbergMarquardtMemory").finish_non_exhaustive()
    }
}

impl<N: Trainable, E: Zeroed, const P: usize> Zeroed for LevenbergMarquardtMemory<N, E, P> {
    const ZEROED: Self = LevenbergMarquardtMemory {
        equations: E::ZEROED,
        rows: Rows::ZEROED,
        start: [N::Scalar::ZERO; P],
        gradient: [N::Scalar::ZERO; P],
        diagonal: [N::Scalar::ZERO; P],
        step: [N::Scalar::ZERO; P],
        loss: N::Scalar::ZERO,
    };
}

impl<N, const P: usize, F> Solver<N> for LevenbergMarquardt<P, N::Scalar, F>
where
    N: Trainable,
    F: Form<N::Scalar, P>,
{
    type State = LevenbergMarquardtState<N::Scalar>;
    type Memory = LevenbergMarquardtMemory<N, F::Equations, P>;

    fn check(&self) -> Result<(), Error> {
        const {
            assert!(
                P == N::PARAMETERS,
                "expected the number of parameters of the network: `LevenbergMarquardt<{{ Net::PARAMETERS }}>`"
            );
        }
        let tolerance = |value, expected| setting(not_negative(value), expected, value);
        setting(!self.goal.is_nan(), "a `goal` that is a value", self.goal)?;
        tolerance(self.gradient_tolerance, "a `gradient_tolerance` that is finite and not negative")?;
        tolerance(self.step_tolerance, "a `step_tolerance` that is finite and not negative")?;
        tolerance(self.loss_tolerance, "a `loss_tolerance` that is finite and not negative")?;
        tolerance(self.l2, "a `lambda` of `l2` that is finite and not negative")?;
        let damping = self.initial_damping;
        setting(not_negative(damping) && damping > N::Scalar::ZERO, "an `initial_damping` above zero", damping)
    }
}

/// How much larger than the largest element of the diagonal the damping may become.
const LARGEST_DAMPING: f64 = 1e12;

impl<N, X, Y, F, const P: usize, const B: usize> Minimize<N, MeanSquaredError, X, Y, B>
    for LevenbergMarquardt<P, N::Scalar, F>
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, MeanSquaredError, LastActivation<N>, N::Out>
        + Samples<N::Scalar, Item = <N::Out as Shape>::Sample<N::Scalar>>
        + ?Sized,
    F: Form<N::Scalar, P>,
{
    fn begin(
        &self,
        problem: &mut Problem<N, MeanSquaredError, X, Y, B>,
        memory: &mut Self::Memory,
        _: &mut Self::State,
    ) -> Result<N::Scalar, Error> {
        let found = problem.inputs.count().saturating_mul(<N::Out as Shape>::LEN);
        if found > F::RESIDUALS {
            return Err(Error::Lengths {
                what: "residuals at most, samples times outputs",
                expected: F::RESIDUALS,
                found,
            });
        }
        memory.loss = problem.mean_loss()?;
        Ok(memory.loss)
    }

    fn iterate(
        &self,
        problem: &mut Problem<N, MeanSquaredError, X, Y, B>,
        memory: &mut Self::Memory,
        state: &mut Self::State,
    ) -> Result<Iteration<N::Scalar>, Error> {
        type Scalar<N> = <N as InputShape>::Scalar;
        let LevenbergMarquardtMemory { equations, rows, start, gradient, diagonal, step, loss } = memory;
        let ended = |loss, status| Ok(Iteration { loss, moved: false, status });
        if *loss <= self.goal {
            return ended(*loss, Status::Goal);
        }
        rows.accumulate(problem.network, (problem.inputs, problem.targets), equations, gradient);
        let lambda = if self.bayesian {
            let residuals = Scalar::<N>::from_count(problem.inputs.count() * <N::Out as Shape>::LEN);
            state.estimate::<P>(equations, *loss, sum_of_squares(problem.network, true), residuals)
        } else {
            self.l2
        };
        let (gradients, diagonals) = (gradient.iter_mut(), diagonal.iter_mut());
        let all = self.bayesian;
        problem.network.visit(&mut AddPenalty { lambda, all, gradient: gradients, diagonal: diagonals });
        let half = Scalar::<N>::of(0.5);
        let objective = |loss, network: &N| loss + half * lambda * sum_of_squares(network, all);
        let before = objective(*loss, problem.network);

        let steepest = gradient.iter().fold(Scalar::<N>::ZERO, |largest, value| {
            if value.abs() > largest || value.is_nan() { value.abs() } else { largest }
        });
        let largest = equations.largest() + lambda;
        if !(steepest.is_finite() && largest.is_finite()) {
            return Err(Error::GradientTooLarge { epoch: problem.epoch, batch: 0 });
        }
        if steepest <= self.gradient_tolerance {
            return ended(*loss, Status::SmallGradient);
        }
        if state.hidden > Scalar::<N>::ZERO && steepest >= state.hidden {
            state.hidden = Scalar::<N>::ZERO;
            return ended(*loss, Status::NoDecrease);
        }
        if state.damping == Scalar::<N>::ZERO {
            (state.damping, state.growth) = (self.initial_damping * largest, Scalar::<N>::of(2.0));
        }
        flatten(problem.network, start);
        let long = square_root(square(start)) + self.step_tolerance;
        while state.damping <= Scalar::<N>::of(LARGEST_DAMPING) * largest {
            if equations.solve(state.damping, diagonal, gradient, step) {
                let length = square_root(square(step));
                if length <= self.step_tolerance * long {
                    return ended(*loss, Status::SmallStep);
                }
                place(problem.network, start, -Scalar::<N>::ONE, step);
                let predicted = step
                    .iter()
                    .zip(gradient.iter())
                    .fold(Scalar::<N>::ZERO, |sum, (h, g)| sum + *h * (state.damping * *h + *g));
                let predicted = half * predicted;
                // Near the minimum rounding errors hide the decrease: then the gradient must become smaller.
                let rounding = Scalar::<N>::of(64.0) * Scalar::<N>::epsilon() * before;
                let is_hidden = predicted <= rounding;
                // A loss that is not finite is no lower one.
                let new = problem.mean_loss().map(|loss| (loss, objective(loss, problem.network)));
                if let Ok((new_loss, after)) = new
                    && (after < before || is_hidden && after - before <= rounding)
                {
                    let gain = (before - after) / predicted;
                    let twice = gain + gain - Scalar::<N>::ONE;
                    let factor = Scalar::<N>::ONE - twice * twice * twice;
                    let third = Scalar::<N>::of(1.0 / 3.0);
                    state.damping *= if factor > third && !is_hidden { factor } else { third };
                    state.growth = Scalar::<N>::of(2.0);
                    state.hidden = if is_hidden { steepest } else { Scalar::<N>::ZERO };
                    *loss = new_loss;
                    let decrease = before - after;
                    let status = if new_loss <= self.goal {
                        Status::Goal
                    } else if self.loss_tolerance > Scalar::<N>::ZERO && decrease <= self.loss_tolerance * before {
                        Status::SmallDecrease
                    } else {
                        Status::Running
                    };
                    return Ok(Iteration { loss: new_loss, moved: true, status });
                }
                place(problem.network, start, Scalar::<N>::ZERO, start);
            }
            state.damping *= state.growth;
            state.growth += state.growth;
        }
        // The next training run begins with another damping.
        state.damping = Scalar::<N>::ZERO;
        ended(*loss, Status::NoDecrease)
    }
}

impl<T: Real> LevenbergMarquardtState<T> {
    /// The factor of the penalty under which the data are most probable, for the loss and the sum of the squares of all
    /// parameters.
    fn estimate<const P: usize>(
        &mut self,
        equations: &mut impl Equations<T, P>,
        loss: T,
        squares: T,
        residuals: T,
    ) -> T {
        let count = T::from_count(P);
        let known = if self.l2 > T::ZERO { equations.trace_of_inverse(self.l2) } else { None };
        let effective = known.map_or(count, |trace| count - self.l2 * trace);
        self.effective_parameters = effective.max(T::ZERO).min(count);
        let squares = if squares > T::ZERO { squares } else { T::ONE };
        let free = residuals - self.effective_parameters;
        let noise = if free > T::ZERO { T::of(2.0) * loss / free } else { T::ONE / residuals };
        self.l2 = self.effective_parameters / squares * noise;
        self.l2
    }
}
