//! [`AnyOptimizer`]: an optimizer that is chosen at run time.

use super::{Adagrad, Adam, AdamW, BiasCorrection, Momentum, Optimizer, RmsProp, Sgd, States};
use crate::error::Error;
use crate::model::Parameter;
use crate::num::Real;
use core::fmt;
use fearless_simd::Simd;

/// Optimizer that is chosen at run time: by a search, or from a file of settings. It uses as much memory as Adam, the
/// largest of them.
///
/// # Examples
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
///     let report = trainer.fit(&inputs, &inputs, &FitOptions { epochs: 200, ..FitOptions::default() }, ())?;
///     assert!(report.loss < 1e-3);
/// }
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias("dynamic optimizer"))]
pub enum AnyOptimizer<T = f32> {
    /// Stochastic gradient descent.
    Sgd(Sgd<T>),
    /// Gradient descent with momentum, or with Nesterov's momentum.
    Momentum(Momentum<T>),
    /// Adagrad.
    Adagrad(Adagrad<T>),
    /// RMSprop.
    RmsProp(RmsProp<T>),
    /// Adam.
    Adam(Adam<T>),
    /// Adam with decoupled weight decay.
    AdamW(AdamW<T>),
}

/// Expands to a match that evaluates `$body` for the optimizer in each variant.
macro_rules! of_rule {
    ($optimizer:expr, $rule:ident => $body:expr) => {
        match $optimizer {
            AnyOptimizer::Sgd($rule) => $body,
            AnyOptimizer::Momentum($rule) => $body,
            AnyOptimizer::Adagrad($rule) => $body,
            AnyOptimizer::RmsProp($rule) => $body,
            AnyOptimizer::Adam($rule) => $body,
            AnyOptimizer::AdamW($rule) => $body,
        }
    };
}

impl<T: Real> Optimizer for AnyOptimizer<T> {
    type Scalar = T;
    /// As many as Adam needs; the other optimizers use some of them.
    type State = States<2>;
    type Shared = BiasCorrection<T>;

    fn learning_rate(&self) -> T {
        of_rule!(self, rule => rule.learning_rate())
    }

    fn set_learning_rate(&mut self, learning_rate: T) {
        of_rule!(self, rule => rule.set_learning_rate(learning_rate));
    }

    fn check(&self) -> Result<(), Error> {
        of_rule!(self, rule => rule.check())
    }

    fn largest_gradient(&self) -> T {
        of_rule!(self, rule => rule.largest_gradient())
    }

    #[inline(always)]
    fn begin_step(&self, correction: &mut BiasCorrection<T>) {
        match self {
            AnyOptimizer::Adam(rule) => rule.begin_step(correction),
            AnyOptimizer::AdamW(rule) => rule.begin_step(correction),
            _ => {}
        }
    }

    /// Not inlined, so that all optimizers are compiled once for each instruction set, and not again for every network.
    #[inline(never)]
    fn update<S: Simd>(
        &self,
        simd: S,
        correction: &BiasCorrection<T>,
        parameter: Parameter,
        weights: &mut [T],
        gradient: &mut [T],
        [first, second]: [&mut [T]; 2],
    ) {
        // Passed on as one column: code that is not compiled for a network gains nothing from knowing its rows.
        let parameter = Parameter { rows: weights.len(), columns: 1, ..parameter };
        simd.vectorize(
            #[inline(always)]
            || {
                // Adam is AdamW without weight decay: compiled once.
                let rule = match *self {
                    AnyOptimizer::Sgd(rule) => return rule.update(simd, &(), parameter, weights, gradient, []),
                    AnyOptimizer::Momentum(rule) => {
                        return rule.update(simd, &(), parameter, weights, gradient, [first]);
                    }
                    AnyOptimizer::Adagrad(rule) => {
                        return rule.update(simd, &(), parameter, weights, gradient, [second]);
                    }
                    AnyOptimizer::RmsProp(rule) => {
                        return rule.update(simd, &(), parameter, weights, gradient, [second]);
                    }
                    AnyOptimizer::Adam(adam) => AdamW { adam, weight_decay: T::ZERO },
                    AnyOptimizer::AdamW(rule) => rule,
                };
                rule.update(simd, correction, parameter, weights, gradient, [first, second]);
            },
        );
    }
}

/// The optimizer's name, in lower case.
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
