//! Optimizers: they change a network by its gradient.
//!
//! From simple to complex: [`Sgd`], [`Momentum`], [`Adagrad`], [`RmsProp`], [`Adam`], [`AdamW`]. Each of them can have
//! gradient clipping ([`clip_norm`](Optimizer::clip_norm), [`clip_value`](Optimizer::clip_value)), regularization
//! ([`l1`](Optimizer::l1), [`l2`](Optimizer::l2)) and [`weight_decay`](Optimizer::weight_decay). [`AnyOptimizer`] is an
//! optimizer that is chosen at run time. Transforms apply in the order in which they are written:
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! // Clips the gradient to norm 1, adds the gradient of the L2 penalty, and then takes a step of Adam, as PyTorch with
//! // `clip_grad_norm_` and `weight_decay`.
//! let optimizer = Adam::new(1e-3f32).clip_norm(1.0).l2(1e-4);
//! ```
//!
//! # Settings
//!
//! Constructors of optimizers, penalties, limits, schedules and losses never fail and never panic, so that each of
//! these can be a constant. Every method that trains, [`step`](crate::train::Trainer::step),
//! [`step_one`](crate::train::Trainer::step_one), [`epoch`](crate::train::Trainer::epoch),
//! [`fit`](crate::train::Trainer::fit) and the others, on several threads, in a search or from a checkpoint, checks all
//! settings before it changes anything. It returns an [`Error::Setting`] that says what was expected and what was
//! found. [`Optimizer::check`] is that check. [`Optimizer::step`], a step by hand, does not check: it computes the
//! formula. On a microcontroller it is the same: the checks take 36 to 104 bytes of flash there, 1 to 2 % of a program
//! that trains, and a program that does something with the error also holds its message.
//!
//! # Your own optimizer
//!
//! An optimizer of your own is a rule for a slice of parameters:
//!
//! ```
//! use tuplenet::model::Parameter;
//! use tuplenet::optimizer::{Optimizer, States};
//! use tuplenet::prelude::*;
//! use tuplenet::simd::Simd;
//!
//! /// Steps of the same size for every parameter: only the sign of the momentum counts.
//! struct Signum {
//!     learning_rate: f32,
//! }
//!
//! impl Optimizer for Signum {
//!     type Scalar = f32;
//!     /// The momentum.
//!     type State = States<1>;
//!     type Shared = ();
//!
//!     fn learning_rate(&self) -> f32 {
//!         self.learning_rate
//!     }
//!
//!     fn set_learning_rate(&mut self, learning_rate: f32) {
//!         self.learning_rate = learning_rate;
//!     }
//!
//!     fn update<S: Simd>(
//!         &self,
//!         _: S,
//!         (): &(),
//!         _: Parameter,
//!         weights: &mut [f32],
//!         gradient: &mut [f32],
//!         [momentum]: [&mut [f32]; 1],
//!     ) {
//!         for ((w, g), m) in weights.iter_mut().zip(gradient).zip(momentum) {
//!             *m = 0.9 * *m + *g;
//!             *w -= self.learning_rate * m.signum();
//!             *g = 0.0;
//!         }
//!     }
//! }
//!
//! type Net = Dense<1, 1, Identity>;
//! let mut trainer =
//!     Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Signum { learning_rate: 0.1 }, seeded(1));
//! trainer.step(&[[1.0]], &[[2.0]])?;
//! # Ok::<(), tuplenet::Error>(())
//! ```

// The rule of an optimizer around the optimizer `O` in its field `optimizer`: that one's.
macro_rules! rule_of_inner_optimizer {
    () => {
        type Scalar = O::Scalar;
        type State = O::State;
        type Shared = O::Shared;

        #[inline(always)]
        fn begin_step(&self, shared: &mut O::Shared) {
            self.optimizer.begin_step(shared);
        }

        #[inline(always)]
        fn update<S: fearless_simd::Simd>(
            &self,
            simd: S,
            shared: &O::Shared,
            parameter: crate::model::Parameter,
            weights: &mut [O::Scalar],
            gradient: &mut [O::Scalar],
            state: crate::optimizer::StateSlices<'_, O>,
        ) {
            self.optimizer.update(simd, shared, parameter, weights, gradient, state);
        }
    };
}

mod adagrad;
mod adam;
mod any;
mod clip;
mod gradient_transform;
mod regularization;
mod rmsprop;
pub mod schedule;
mod scheduled;
mod sgd;
mod state;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW, BiasCorrection};
pub use any::AnyOptimizer;
pub use clip::{ClipNorm, ClipValue};
pub use gradient_transform::{GradientTransform, Transformed};
pub use regularization::{AnyRegularization, Regularization, WeightDecay};
pub use rmsprop::RmsProp;
pub use scheduled::Scheduled;
use scheduled::Unit;
pub use sgd::{Momentum, Sgd};
pub use state::{OptimizerState, PerParameter, StateLayout, States};

use crate::error::{Error, not_negative, setting};
use crate::model::{Parameter, Visit, Zeroed};
use crate::num::Real;
use crate::num::dispatch::{dispatch, is_glue, level};
use fearless_simd::Simd;
use num_traits::float::FloatCore;
use schedule::Schedule;

/// Checks a learning rate.
#[inline(always)]
pub(crate) fn check_learning_rate<T: Real>(learning_rate: T) -> Result<(), Error> {
    setting(not_negative(learning_rate), "a learning rate that is finite and not negative", learning_rate)
}

/// Checks the term that keeps a divisor above zero.
#[inline(always)]
fn check_epsilon<T: Real>(epsilon: T) -> Result<(), Error> {
    setting(not_negative(epsilon), "an `epsilon` that is finite and not negative", epsilon)
}

/// The largest value whose square is finite, divided by 4 to leave a margin for what is added to the square.
#[inline(always)]
fn largest_to_square<T: Real>() -> T {
    T::of(if size_of::<T>() == size_of::<f32>() {
        f64::from(f32::from_bits(0x5e80_0000))
    } else {
        f64::from_bits(0x5fd0_0000_0000_0000)
    })
}

/// The values that the optimizer `O` keeps for a slice of parameters: `[&mut [T]; 2]` with [`States<2>`](States).
pub type StateSlices<'a, O> = <<O as Optimizer>::State as StateLayout>::ForSlice<'a, <O as Optimizer>::Scalar>;

/// Optimizer: a rule that changes a network by its gradient, slice by slice.
#[doc(alias("torch.optim"))]
pub trait Optimizer: Sized {
    /// The type of weights, gradients and settings.
    type Scalar: Real;

    /// How many values the optimizer keeps for each parameter: [`States<0>`](States) to `States<3>`. They begin with
    /// zeros.
    type State: StateLayout;

    /// The state that all parameters share; it begins with zeros. `()` for most optimizers.
    type Shared: Zeroed;

    /// The learning rate: the size of a step.
    #[doc(alias("lr"))]
    #[must_use]
    fn learning_rate(&self) -> Self::Scalar;

    /// Sets the learning rate; schedules call this.
    #[doc(alias("lr"))]
    fn set_learning_rate(&mut self, learning_rate: Self::Scalar);

    /// Called at the beginning of each step, for state that changes from step to step and is the same for all
    /// parameters.
    #[inline(always)]
    fn begin_step(&self, _shared: &mut Self::Shared) {}

    /// Updates a slice of parameters by the same slice of the mean `gradient` of a batch, and sets the gradient to zero
    /// for the next batch.
    ///
    /// # Shapes
    ///
    /// `weights`, `gradient` and each slice of `state` have the same length: that of one layer's weights or of its
    /// bias.
    fn update<S: Simd>(
        &self,
        simd: S,
        shared: &Self::Shared,
        parameter: Parameter,
        weights: &mut [Self::Scalar],
        gradient: &mut [Self::Scalar],
        state: StateSlices<'_, Self>,
    );

    /// Changes the network or the gradient before a step: the transforms around an optimizer, in the order in which
    /// they are written.
    #[inline(always)]
    fn transform<S: Simd, N: Visit<Self::Scalar>>(&self, _simd: S, _network: &mut N, _gradient: &mut N) {}

    /// Checks all settings. Every method that trains calls it first, and a loop by hand can call it before its first
    /// [`step`](Self::step).
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] with the first setting that is out of its range, NaN or infinite.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let error = Adam::new(1e-3f32).clip_norm(-1.0).check().unwrap_err();
    /// assert_eq!(error.to_string(), "expected a limit above zero for `clip_norm`, found -1");
    /// ```
    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The largest absolute value in a gradient that a step accepts. An optimizer that squares the gradient returns a
    /// value whose square is finite. Otherwise its state would become infinite and stay so.
    #[inline(always)]
    #[must_use]
    fn largest_gradient(&self) -> Self::Scalar {
        Self::Scalar::max_value()
    }

    /// Resets the schedule, for a training run from the beginning.
    fn restart(&mut self) {}

    /// The learning rate, if a step is plain gradient descent, `w <- w - learning_rate * g`, and nothing else. Then a
    /// microcontroller that learns from a single sample need not store the gradient: see
    /// [`Layer::sgd_step`](crate::model::Layer::sgd_step).
    #[must_use]
    fn sgd_learning_rate(&self) -> Option<Self::Scalar> {
        None
    }

    /// Updates a network by the mean `gradient` of a batch, and sets `gradient` to zero for the next batch.
    fn step<N: Visit<Self::Scalar>>(&self, network: &mut N, gradient: &mut N, state: &mut OptimizerState<Self, N>) {
        dispatch!(level(), simd => self.step_with(simd, network, gradient, state));
    }

    /// [`step`](Self::step) for an instruction set that the caller has chosen.
    #[inline(always)]
    fn step_with<S: Simd, N: Visit<Self::Scalar>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut OptimizerState<Self, N>,
    ) {
        if const { is_glue::<S>() } {
            dispatch!(level(), simd => self.transform(simd, network, gradient));
        } else {
            self.transform(simd, network, gradient);
        }
        state.update(simd, self, network, gradient);
    }

    /// Called after each step, for a schedule.
    fn after_step(&mut self) {}

    /// Called after each epoch with the mean training loss, for a schedule.
    fn after_epoch(&mut self, _loss: Self::Scalar) {}

    /// This optimizer with a learning rate schedule that advances after each epoch.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::StepDecay;
    ///
    /// let mut optimizer = Sgd::new(0.1f64).by_epoch(StepDecay::new(1, 0.5));
    /// optimizer.after_epoch(0.3);
    /// assert_eq!(optimizer.learning_rate(), 0.05);
    /// ```
    #[must_use]
    fn by_epoch<P: Schedule>(self, schedule: P) -> Scheduled<Self, P> {
        Scheduled::new(self, schedule, Unit::Epoch)
    }

    /// This optimizer with a learning rate schedule that advances after each step.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::CosineAnnealing;
    ///
    /// let mut optimizer = Sgd::new(0.1f64).by_step(CosineAnnealing { length: 2, lowest: 0.5 });
    /// optimizer.after_step();
    /// assert!((optimizer.learning_rate() - 0.075).abs() < 1e-15);
    /// ```
    #[must_use]
    fn by_step<P: Schedule>(self, schedule: P) -> Scheduled<Self, P> {
        Scheduled::new(self, schedule, Unit::Step)
    }

    /// This optimizer with a transform of the gradient before each of its steps.
    #[must_use]
    fn with_transform<P: GradientTransform<Self::Scalar>>(self, transform: P) -> Transformed<Self, P> {
        Transformed { optimizer: self, transform }
    }

    /// L2 regularization: adds the gradient of the penalty `lambda / 2 * sum w w` over all weights. Biases are not
    /// penalized. See [`Regularization`].
    ///
    /// PyTorch equivalent: the argument `weight_decay` of `torch.optim.SGD` and `Adam`.
    #[doc(alias("weight_decay", "ridge"))]
    #[must_use]
    fn l2(self, lambda: Self::Scalar) -> Transformed<Self, Regularization<Self::Scalar>> {
        self.with_transform(Regularization { l1: Self::Scalar::ZERO, l2: lambda })
    }

    /// L1 regularization: adds the gradient of the penalty `lambda * sum |w|` over all weights, which drives weights to
    /// zero. Biases are not penalized. See [`Regularization`].
    #[doc(alias("lasso"))]
    #[must_use]
    fn l1(self, lambda: Self::Scalar) -> Transformed<Self, Regularization<Self::Scalar>> {
        self.with_transform(Regularization { l1: lambda, l2: Self::Scalar::ZERO })
    }

    /// Decoupled weight decay: multiplies every weight by `1 - learning_rate * lambda` before each step. Biases do not
    /// decay. See [`WeightDecay`].
    #[doc(alias("decoupled weight decay"))]
    #[must_use]
    fn weight_decay(self, lambda: Self::Scalar) -> Transformed<Self, WeightDecay<Self::Scalar>> {
        self.with_transform(WeightDecay { lambda })
    }

    /// Gradient clipping by norm: scales the gradient of all parameters together down to the norm `limit` where it is
    /// longer. See [`ClipNorm`].
    ///
    /// PyTorch equivalent: `torch.nn.utils.clip_grad_norm_`.
    #[doc(alias("clip_grad_norm_"))]
    #[must_use]
    fn clip_norm(self, limit: Self::Scalar) -> Transformed<Self, ClipNorm<Self::Scalar>> {
        self.with_transform(ClipNorm { limit })
    }

    /// Gradient clipping by value: clamps each element of the gradient to the range from `-limit` to `limit`. See
    /// [`ClipValue`].
    ///
    /// PyTorch equivalent: `torch.nn.utils.clip_grad_value_`.
    #[doc(alias("clip_grad_value_"))]
    #[must_use]
    fn clip_value(self, limit: Self::Scalar) -> Transformed<Self, ClipValue<Self::Scalar>> {
        self.with_transform(ClipValue { limit })
    }
}
