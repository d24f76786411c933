//! Optimizers: how a gradient becomes a better network.
//!
//! In order of difficulty: [`Sgd`], [`Momentum`], [`Adagrad`], [`RmsProp`], [`Adam`], [`AdamW`]. Around any of them:
//! [`clip_norm`](Optimizer::clip_norm), [`clip_value`](Optimizer::clip_value), [`l1`](Optimizer::l1),
//! [`l2`](Optimizer::l2), [`decay`](Optimizer::decay). [`AnyOptimizer`] is one that is chosen at run time. What is written
//! last acts first:
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! // Limits the gradient to length 1, adds the slope of the penalty to it, and lets Adam take the step.
//! let optimizer = Adam::new(1e-3f32).l2(1e-4).clip_norm(1.0);
//! ```
//!
//! # Settings
//!
//! What makes an optimizer, a penalty, a limit, a schedule or a loss never fails and never panics, so that each can be a constant.
//! Every entry that trains, [`step`](crate::train::Trainer::step), [`learn`](crate::train::Trainer::learn),
//! [`epoch`](crate::train::Trainer::epoch), [`fit`](crate::train::Trainer::fit) and the others, on several threads, in a
//! search or from a checkpoint, checks all settings before anything is changed, and gives an
//! [`Error::Setting`] that says what was expected and what was found. [`Optimizer::check`] is that check.
//! [`Optimizer::step`], a step by hand, does not check, and does what the formula says. On a microcontroller `step` and `learn` do
//! not check either: its settings stand in the program.
//!
//! An optimizer of your own says what it remembers and what it does to a slice of parameters:
//!
//! ```
//! use tuplenet::optimizer::Optimizer;
//! use tuplenet::model::{Parameter, Params, VisitorMut};
//! use tuplenet::prelude::*;
//! use tuplenet::simd::*;
//!
//! /// Steps of the same length in every direction: the sign of the gradient alone counts.
//! struct SignSgd {
//!     rate: f32,
//! }
//!
//! impl Optimizer for SignSgd {
//!     type Scalar = f32;
//!     type State<N: Params<Scalar = f32>> = ();
//!
//!     fn rate(&self) -> f32 {
//!         self.rate
//!     }
//!
//!     fn set_rate(&mut self, rate: f32) {
//!         self.rate = rate;
//!     }
//!
//!     fn update<S: Simd, N: Params<Scalar = f32>>(&self, _: S, network: &mut N, gradient: &mut N, (): &mut ()) {
//!         struct Step(f32);
//!         impl VisitorMut<f32, 1> for Step {
//!             fn slice(&mut self, _: Parameter, values: &mut [f32], [gradient]: [&mut [f32]; 1]) {
//!                 for (value, slope) in values.iter_mut().zip(gradient) {
//!                     *value -= self.0 * slope.signum();
//!                     *slope = 0.0;
//!                 }
//!             }
//!         }
//!         network.visit_mut([gradient], &mut Step(self.rate));
//!     }
//! }
//!
//! type Net = Dense<1, 1, Identity>;
//! let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, SignSgd { rate: 0.1 }, seeded(1));
//! trainer.step(&[[1.0]], &[[2.0]])?;
//! # Ok::<(), tuplenet::Error>(())
//! ```

mod adagrad;
mod adam;
mod any;
mod clip;
mod penalty;
mod prepare;
mod rmsprop;
pub mod schedule;
mod scheduled;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamState, AdamW};
pub use any::{AnyOptimizer, AnyState};
pub use clip::{ClipNorm, ClipValue};
pub use penalty::{AnyPenalty, Decay, Penalty};
pub use prepare::{Prepare, Prepared};
pub use rmsprop::RmsProp;
pub use scheduled::Scheduled;
use scheduled::Unit;
pub use sgd::{Momentum, Sgd};

use crate::error::{Error, not_negative, setting};
use crate::model::{Params, Zeroed};
use crate::num::Real;
use crate::num::dispatch::{dispatch, level};
use fearless_simd::Simd;
use num_traits::float::FloatCore;
use schedule::Schedule;

/// Checks a learning rate.
#[inline(always)]
pub(crate) fn check_rate<T: Real>(rate: T) -> Result<(), Error> {
    setting(not_negative(rate), "a learning rate that is finite and not negative", rate)
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

/// A rule that changes a network by its gradient.
pub trait Optimizer: Sized {
    /// The type of the numbers.
    type Scalar: Real;

    /// What is remembered from step to step for a network of type `N`; it begins with zeros.
    type State<N: Params<Scalar = Self::Scalar>>: Zeroed;

    /// The learning rate.
    fn rate(&self) -> Self::Scalar;

    /// Changes the learning rate, for a schedule.
    fn set_rate(&mut self, rate: Self::Scalar);

    /// Changes the network by the mean `gradient` of a batch, and sets `gradient` to zero for the next one.
    fn update<S: Simd, N: Params<Scalar = Self::Scalar>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut Self::State<N>,
    );

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

    /// The learning rate, if a step is plain gradient descent, `w <- w - rate * g`, and nothing else. Then a chip that learns from
    /// a single sample need not write its gradient down: see [`Layer::descend`](crate::model::Layer::descend).
    fn plain_rate(&self) -> Option<Self::Scalar> {
        None
    }

    /// [`update`](Self::update) with the best instructions that the CPU has.
    fn step<N: Params<Scalar = Self::Scalar>>(&self, network: &mut N, gradient: &mut N, state: &mut Self::State<N>) {
        dispatch!(level(), simd => self.update(simd, network, gradient, state));
    }

    /// Is told of each step that was taken, for a schedule.
    fn after_step(&mut self) {}

    /// Is told of the mean training loss of each epoch, for a schedule.
    fn after_epoch(&mut self, _loss: Self::Scalar) {}

    /// This optimizer with a learning rate that follows a schedule, which goes on after each epoch.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::Step;
    ///
    /// let mut optimizer = Sgd::new(0.1f64).by_epoch(Step::new(1, 0.5));
    /// optimizer.after_epoch(0.3);
    /// assert_eq!(optimizer.rate(), 0.05);
    /// ```
    fn by_epoch<P: Schedule>(self, schedule: P) -> Scheduled<Self, P> {
        Scheduled::new(self, schedule, Unit::Epoch)
    }

    /// This optimizer with a learning rate that follows a schedule, which goes on after each step.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::optimizer::schedule::Cosine;
    ///
    /// let mut optimizer = Sgd::new(0.1f64).by_step(Cosine { length: 2, lowest: 0.5 });
    /// optimizer.after_step();
    /// assert!((optimizer.rate() - 0.075).abs() < 1e-15);
    /// ```
    fn by_step<P: Schedule>(self, schedule: P) -> Scheduled<Self, P> {
        Scheduled::new(self, schedule, Unit::Step)
    }

    /// This optimizer, with a preparation before each of its steps.
    fn after<P: Prepare<Self::Scalar>>(self, preparation: P) -> Prepared<Self, P> {
        Prepared { optimizer: self, preparation }
    }

    /// Adds the slope of `strength / 2` times the sum of the squares of all weights: L2 regularization, what PyTorch
    /// calls `weight_decay`. Biases are left alone.
    fn l2(self, strength: Self::Scalar) -> Prepared<Self, Penalty<Self::Scalar>> {
        self.after(Penalty { l1: Self::Scalar::ZERO, l2: strength })
    }

    /// Adds the slope of `strength` times the sum of the absolute values of all weights: L1 regularization, which drives
    /// weights to zero. Biases are left alone.
    fn l1(self, strength: Self::Scalar) -> Prepared<Self, Penalty<Self::Scalar>> {
        self.after(Penalty { l1: strength, l2: Self::Scalar::ZERO })
    }

    /// Shrinks every weight by the factor `1 - rate * strength` before each step: decoupled weight decay. Biases are left
    /// alone.
    fn decay(self, strength: Self::Scalar) -> Prepared<Self, Decay<Self::Scalar>> {
        self.after(Decay { strength })
    }

    /// Scales gradients that are longer than `limit`, all parameters taken together, down to that length.
    fn clip_norm(self, limit: Self::Scalar) -> Prepared<Self, ClipNorm<Self::Scalar>> {
        self.after(ClipNorm { limit })
    }

    /// Keeps each number of the gradient between `-limit` and `limit`.
    fn clip_value(self, limit: Self::Scalar) -> Prepared<Self, ClipValue<Self::Scalar>> {
        self.after(ClipValue { limit })
    }
}
