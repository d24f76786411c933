//! [`AnyOptimizer`]: which rule is known at run time alone.

use super::{Adagrad, Adam, AdamState, AdamW, Momentum, Optimizer, RmsProp, Sgd};
use crate::error::Error;
use crate::model::params::Slice;
use crate::model::{Parameter, Params, VisitorMut, Zeroed};
use crate::num::Real;
use core::fmt;
use fearless_simd::Simd;

/// One of the optimizers, chosen at run time: by a search, or from a file of settings. It takes the memory of the greediest,
/// Adam.
///
/// ```
/// use tuplenet::optimizer::AnyOptimizer;
/// use tuplenet::prelude::*;
///
/// let inputs = [[-1.0], [1.0]];
/// for optimizer in [Sgd::new(0.1).nesterov(0.9).into(), Adam::new(0.1).into()] {
///     let optimizer: AnyOptimizer = optimizer;
///     println!("{optimizer}");
///     let mut trainer = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1));
///     let outcome = trainer.fit(&inputs, &inputs, &Fit { epochs: 200, ..Fit::default() }, ())?;
///     assert!(outcome.loss < 1e-3);
/// }
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AnyOptimizer<T = f32> {
    /// Gradient descent.
    Sgd(Sgd<T>),
    /// With momentum, Nesterov's too.
    Momentum(Momentum<T>),
    /// Adagrad.
    Adagrad(Adagrad<T>),
    /// RMSprop.
    RmsProp(RmsProp<T>),
    /// Adam.
    Adam(Adam<T>),
    /// Adam with decay.
    AdamW(AdamW<T>),
}

/// What [`AnyOptimizer`] remembers: Adam's memory, of which the other rules take what they need.
#[derive(Clone, Debug, PartialEq)]
pub struct AnyState<N, T> {
    adam: AdamState<N, T>,
}

impl<N: Zeroed, T: Real> Zeroed for AnyState<N, T> {
    const ZEROED: Self = AnyState { adam: Zeroed::ZEROED };
}

impl<T: Real> Optimizer for AnyOptimizer<T> {
    type Scalar = T;
    type State<N: Params<Scalar = T>> = AnyState<N, T>;

    fn rate(&self) -> T {
        match self {
            AnyOptimizer::Sgd(rule) => rule.rate(),
            AnyOptimizer::Momentum(rule) => rule.rate(),
            AnyOptimizer::Adagrad(rule) => rule.rate(),
            AnyOptimizer::RmsProp(rule) => rule.rate(),
            AnyOptimizer::Adam(rule) => rule.rate(),
            AnyOptimizer::AdamW(rule) => rule.rate(),
        }
    }

    fn set_rate(&mut self, rate: T) {
        match self {
            AnyOptimizer::Sgd(rule) => rule.set_rate(rate),
            AnyOptimizer::Momentum(rule) => rule.set_rate(rate),
            AnyOptimizer::Adagrad(rule) => rule.set_rate(rate),
            AnyOptimizer::RmsProp(rule) => rule.set_rate(rate),
            AnyOptimizer::Adam(rule) => rule.set_rate(rate),
            AnyOptimizer::AdamW(rule) => rule.set_rate(rate),
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            AnyOptimizer::Sgd(rule) => rule.check(),
            AnyOptimizer::Momentum(rule) => rule.check(),
            AnyOptimizer::Adagrad(rule) => rule.check(),
            AnyOptimizer::RmsProp(rule) => rule.check(),
            AnyOptimizer::Adam(rule) => rule.check(),
            AnyOptimizer::AdamW(rule) => rule.check(),
        }
    }

    fn largest_gradient(&self) -> T {
        match self {
            AnyOptimizer::Sgd(rule) => rule.largest_gradient(),
            AnyOptimizer::Momentum(rule) => rule.largest_gradient(),
            AnyOptimizer::Adagrad(rule) => rule.largest_gradient(),
            AnyOptimizer::RmsProp(rule) => rule.largest_gradient(),
            AnyOptimizer::Adam(rule) => rule.largest_gradient(),
            AnyOptimizer::AdamW(rule) => rule.largest_gradient(),
        }
    }

    #[inline(always)]
    fn update<S: Simd, N: Params<Scalar = T>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut AnyState<N, T>,
    ) {
        let AdamState { mean, square, corrections } = &mut state.adam;
        let mut each = Each { simd, rule: *self, before: *corrections, after: *corrections };
        network.visit_mut([gradient, mean, square], &mut each);
        *corrections = each.after;
    }
}

/// Applies a rule to each slice as if it were a network.
struct Each<S, T> {
    simd: S,
    rule: AnyOptimizer<T>,
    /// Adam's corrections before the step, which are the same for all slices.
    before: [T; 2],
    after: [T; 2],
}

impl<S: Simd, T: Real> VisitorMut<T, 3> for Each<S, T> {
    #[inline(always)]
    fn slice(&mut self, parameter: Parameter, values: &mut [T], [gradient, mean, square]: [&mut [T]; 3]) {
        let part = |values| Slice::new(parameter, values);
        let mut state = AdamState { mean: part(mean), square: part(square), corrections: self.before };
        update(self.simd, self.rule, &mut part(values), &mut part(gradient), &mut state);
        self.after = state.corrections;
    }
}

/// Not inlined, so that all rules are compiled once for each instruction set and not once more for every network.
#[inline(never)]
fn update<'a, S: Simd, T: Real>(
    simd: S,
    rule: AnyOptimizer<T>,
    values: &mut Slice<'a, T>,
    gradient: &mut Slice<'a, T>,
    state: &mut AdamState<Slice<'a, T>, T>,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let rule = match rule {
                AnyOptimizer::Sgd(rule) => return rule.update(simd, values, gradient, &mut ()),
                AnyOptimizer::Momentum(rule) => return rule.update(simd, values, gradient, &mut state.mean),
                AnyOptimizer::Adagrad(rule) => return rule.update(simd, values, gradient, &mut state.square),
                AnyOptimizer::RmsProp(rule) => return rule.update(simd, values, gradient, &mut state.square),
                AnyOptimizer::Adam(adam) => AdamW { adam, decay: T::ZERO },
                AnyOptimizer::AdamW(rule) => rule,
            };
            rule.update(simd, values, gradient, state);
        },
    );
}

/// The rule's name, in small letters.
impl<T> fmt::Display for AnyOptimizer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            AnyOptimizer::Sgd(_) => "sgd",
            AnyOptimizer::Momentum(Momentum { nesterov: false, .. }) => "momentum",
            AnyOptimizer::Momentum(Momentum { nesterov: true, .. }) => "nesterov",
            AnyOptimizer::Adagrad(_) => "adagrad",
            AnyOptimizer::RmsProp(_) => "rmsprop",
            AnyOptimizer::Adam(_) => "adam",
            AnyOptimizer::AdamW(_) => "adamw",
        })
    }
}

macro_rules! from {
    ($($rule:ident),+) => {$(
        impl<T> From<$rule<T>> for AnyOptimizer<T> {
            fn from(rule: $rule<T>) -> Self {
                AnyOptimizer::$rule(rule)
            }
        }
    )+};
}
from!(Sgd, Momentum, Adagrad, RmsProp, Adam, AdamW);
