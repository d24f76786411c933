//! [`GradientTransform`]: changes a gradient before an optimizer's step; [`Transformed`]: an optimizer with one.

use super::Optimizer;
use crate::error::Error;
use crate::model::Visit;
use crate::num::Real;
use fearless_simd::Simd;

/// Gradient transform: changes a network or its gradient before an optimizer takes its step.
#[doc(alias("GradientTransformation"))]
pub trait GradientTransform<T: Real> {
    /// Changes the network or the mean `gradient` of a batch. `learning_rate` is the optimizer's.
    fn transform<S: Simd, N: Visit<T>>(&self, simd: S, learning_rate: T, network: &mut N, gradient: &mut N);

    /// Checks all settings: see [`Optimizer::check`].
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] with the first setting that is out of its range, NaN or infinite.
    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The largest absolute value in a gradient that the transform accepts, so that its result has no value above
    /// `after`: see [`Optimizer::largest_gradient`].
    #[inline(always)]
    fn largest_gradient(&self, after: T) -> T {
        after
    }
}

/// Optimizer with a gradient transform before each of its steps, which applies after those that the optimizer already
/// has. Made by [`Optimizer::with_transform`], or by a method such as [`Optimizer::l2`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("chain", "gradient transformation"))]
pub struct Transformed<O, P> {
    /// The optimizer that takes the step.
    pub optimizer: O,
    /// The transform that applies before it.
    pub transform: P,
}

impl<O: Optimizer, P: GradientTransform<O::Scalar>> Optimizer for Transformed<O, P> {
    rule_of_inner_optimizer!();

    fn learning_rate(&self) -> O::Scalar {
        self.optimizer.learning_rate()
    }

    fn set_learning_rate(&mut self, learning_rate: O::Scalar) {
        self.optimizer.set_learning_rate(learning_rate);
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        self.transform.check()?;
        self.optimizer.check()
    }

    #[inline(always)]
    fn largest_gradient(&self) -> O::Scalar {
        self.transform.largest_gradient(self.optimizer.largest_gradient())
    }

    fn restart(&mut self) {
        self.optimizer.restart();
    }

    #[inline(always)]
    fn transform<S: Simd, N: Visit<O::Scalar>>(&self, simd: S, network: &mut N, gradient: &mut N) {
        self.optimizer.transform(simd, network, gradient);
        self.transform.transform(simd, self.learning_rate(), network, gradient);
    }

    fn after_step(&mut self) {
        self.optimizer.after_step();
    }

    fn after_epoch(&mut self, loss: O::Scalar) {
        self.optimizer.after_epoch(loss);
    }
}
