//! Optimizers: how a gradient becomes a better network.
//!
//! In order of difficulty: [`Sgd`], [`Momentum`], [`Adagrad`], [`RmsProp`], [`Adam`], [`AdamW`]. Around any of them:
//! [`clip_norm`](Optimizer::clip_norm), [`clip_value`](Optimizer::clip_value), [`l1`](Optimizer::l1),
//! [`l2`](Optimizer::l2), [`weight_decay`](Optimizer::weight_decay). [`AnyOptimizer`] is one that is chosen at run
//! time. They act in the order in which they are written:
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! // Limits the gradient to length 1, adds the gradient of the penalty to it, and lets Adam take the step: what PyTorch does with
//! // `clip_grad_norm_` and `weight_decay`.
//! let optimizer = Adam::new(1e-3f32).clip_norm(1.0).l2(1e-4);
//! ```
//!
//! # Settings
//!
//! What makes an optimizer, a penalty, a limit, a schedule or a loss never fails and never panics, so that each can be a constant.
//! Every entry that trains, [`step`](crate::train::Trainer::step), [`step_one`](crate::train::Trainer::step_one),
//! [`epoch`](crate::train::Trainer::epoch), [`fit`](crate::train::Trainer::fit) and the others, on several threads, in a
//! search or from a checkpoint, checks all settings before anything is changed, and gives an
//! [`Error::Setting`] that says what was expected and what was found. [`Optimizer::check`] is that check.
//! [`Optimizer::step`], a step by hand, does not check, and does what the formula says. On a microcontroller `step` and
//! `step_one` do not check either: its settings stand in the program.
//!
//! An optimizer of your own is a rule for a slice of parameters:
//!
//! ```
//! use tuplenet::model::Parameter;
//! use tuplenet::optimizer::{Optimizer, States};
//! use tuplenet::prelude::*;
//! use tuplenet::simd::Simd;
//!
//! /// Steps of the same length in every direction: the sign of the momentum alone counts.
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
use crate::model::{Parameter, Params, Zeroed};
use crate::num::Real;
use crate::num::dispatch::{dispatch, level};
use fearless_simd::Simd;
use num_traits::float::FloatCore;
use schedule::Schedule;

/// Checks a learning rate.
#[inline(always)]
pub(crate) fn check_learning_rate<T: Real>(learning_rate: T) -> Result<(), Error> {
    setting(not_negative(learning_rate), "a learning rate that is finite and not negative", learning_rate)
}

/// Checks what keeps a divisor from zero.
#[inline(always)]
fn check_epsilon<T: Real>(epsilon: T) -> Result<(), Error> {
    setting(not_negative(epsilon), "an `epsilon` that is finite and not negative", epsilon)
}

/// The largest number whose square is finite, less two binary places for what is added to it.
#[inline(always)]
fn largest_to_square<T: Real>() -> T {
    T::of(if size_of::<T>() == size_of::<f32>() {
        f64::from(f32::from_bits(0x5e80_0000))
    } else {
        f64::from_bits(0x5fd0_0000_0000_0000)
    })
}

/// The values that the optimizer `O` keeps for a slice of parameters: `[&mut [T]; 2]` with [`States<2>`](States).
pub type StateSlices<'a, O> = <<O as Optimizer>::State as StateLayout>::OfSlice<'a, <O as Optimizer>::Scalar>;

/// A rule that changes a network by its gradient, slice by slice.
#[doc(alias("torch.optim"))]
pub trait Optimizer: Sized {
    /// The type of the numbers.
    type Scalar: Real;

    /// How many values it keeps for each parameter: [`States<0>`](States) to `States<3>`. They begin with zeros.
    type State: StateLayout;

    /// What it keeps for all parameters together; it begins with zeros. Most have `()`.
    type Shared: Zeroed;

    /// The learning rate.
    #[doc(alias("lr"))]
    fn learning_rate(&self) -> Self::Scalar;

    /// Changes the learning rate, for a schedule.
    #[doc(alias("lr"))]
    fn set_learning_rate(&mut self, learning_rate: Self::Scalar);

    /// Begins a step: for what changes from step to step and is the same for all parameters.
    #[inline(always)]
    fn begin_step(&self, _shared: &mut Self::Shared) {}

    /// Changes a slice of parameters by the same slice of the mean `gradient` of a batch, which it sets to zero for the next one.
    fn update<S: Simd>(
        &self,
        simd: S,
        shared: &Self::Shared,
        parameter: Parameter,
        weights: &mut [Self::Scalar],
        gradient: &mut [Self::Scalar],
        state: StateSlices<'_, Self>,
    );

    /// Changes the network or the gradient before a step: what was put around an optimizer, in the order in which it is written.
    #[inline(always)]
    fn transform<S: Simd, N: Params<Scalar = Self::Scalar>>(&self, _simd: S, _network: &mut N, _gradient: &mut N) {}

    /// Whether all settings make sense; an [`Error::Setting`] with the first that does not. Whoever trains asks first, and a loop
    /// by hand can ask before its first [`step`](Self::step):
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

    /// The largest absolute value of a gradient that a step can be taken with. One that squares it says how large it may be for
    /// a square that is finite: else what it remembers would be infinite for good.
    #[inline(always)]
    fn largest_gradient(&self) -> Self::Scalar {
        Self::Scalar::max_value()
    }

    /// Forgets how far a schedule has come, for a training run from the beginning.
    fn restart(&mut self) {}

    /// The learning rate, if a step is plain gradient descent, `w <- w - learning_rate * g`, and nothing else. Then a
    /// chip that learns from a single sample need not write its gradient down: see
    /// [`Layer::sgd_step`](crate::model::Layer::sgd_step).
    fn sgd_learning_rate(&self) -> Option<Self::Scalar> {
        None
    }

    /// Changes a network by the mean `gradient` of a batch, and sets `gradient` to zero for the next one.
    fn step<N: Params<Scalar = Self::Scalar>>(
        &self,
        network: &mut N,
        gradient: &mut N,
        state: &mut OptimizerState<Self, N>,
    ) {
        dispatch!(level(), simd => self.step_with(simd, network, gradient, state));
    }

    /// [`step`](Self::step) with an instruction set that is known.
    #[inline(always)]
    fn step_with<S: Simd, N: Params<Scalar = Self::Scalar>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut OptimizerState<Self, N>,
    ) {
        self.transform(simd, network, gradient);
        state.update(simd, self, network, gradient);
    }

    /// Is told of each step that was taken, for a schedule.
    fn after_step(&mut self) {}

    /// Is told of the mean training loss of each epoch, for a schedule.
    fn after_epoch(&mut self, _loss: Self::Scalar) {}

    /// This optimizer with a learning rate that follows a schedule, which goes on after each epoch.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::StepDecay;
    ///
    /// let mut optimizer = Sgd::new(0.1f64).by_epoch(StepDecay::new(1, 0.5));
    /// optimizer.after_epoch(0.3);
    /// assert_eq!(optimizer.learning_rate(), 0.05);
    /// ```
    fn by_epoch<P: Schedule>(self, schedule: P) -> Scheduled<Self, P> {
        Scheduled::new(self, schedule, Unit::Epoch)
    }

    /// This optimizer with a learning rate that follows a schedule, which goes on after each step.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::CosineAnnealing;
    ///
    /// let mut optimizer = Sgd::new(0.1f64).by_step(CosineAnnealing { length: 2, lowest: 0.5 });
    /// optimizer.after_step();
    /// assert!((optimizer.learning_rate() - 0.075).abs() < 1e-15);
    /// ```
    fn by_step<P: Schedule>(self, schedule: P) -> Scheduled<Self, P> {
        Scheduled::new(self, schedule, Unit::Step)
    }

    /// This optimizer, with a transform before each of its steps.
    fn with_transform<P: GradientTransform<Self::Scalar>>(self, transform: P) -> Transformed<Self, P> {
        Transformed { optimizer: self, transform }
    }

    /// Adds the gradient of `lambda / 2` times the sum of the squares of all weights: L2 regularization, what PyTorch
    /// calls `weight_decay`. Biases are left alone.
    #[doc(alias("weight_decay", "ridge"))]
    fn l2(self, lambda: Self::Scalar) -> Transformed<Self, Regularization<Self::Scalar>> {
        self.with_transform(Regularization { l1: Self::Scalar::ZERO, l2: lambda })
    }

    /// Adds the gradient of `lambda` times the sum of the absolute values of all weights: L1 regularization, which
    /// drives weights to zero. Biases are left alone.
    #[doc(alias("lasso"))]
    fn l1(self, lambda: Self::Scalar) -> Transformed<Self, Regularization<Self::Scalar>> {
        self.with_transform(Regularization { l1: lambda, l2: Self::Scalar::ZERO })
    }

    /// Shrinks every weight by the factor `1 - learning_rate * lambda` before each step: decoupled weight decay. Biases
    /// are left alone.
    #[doc(alias("decoupled weight decay"))]
    fn weight_decay(self, lambda: Self::Scalar) -> Transformed<Self, WeightDecay<Self::Scalar>> {
        self.with_transform(WeightDecay { lambda })
    }

    /// Scales gradients that are longer than `limit`, all parameters taken together, down to that length.
    #[doc(alias("clip_grad_norm_"))]
    fn clip_norm(self, limit: Self::Scalar) -> Transformed<Self, ClipNorm<Self::Scalar>> {
        self.with_transform(ClipNorm { limit })
    }

    /// Keeps each number of the gradient between `-limit` and `limit`.
    #[doc(alias("clip_grad_value_"))]
    fn clip_value(self, limit: Self::Scalar) -> Transformed<Self, ClipValue<Self::Scalar>> {
        self.with_transform(ClipValue { limit })
    }
}
