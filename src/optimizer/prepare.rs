//! What is done around any optimizer before its steps: [`Prepare`], and [`Prepared`], which puts the two together.

use super::Optimizer;
use crate::error::Error;
use crate::model::Params;
use crate::num::Real;
use fearless_simd::Simd;

/// What is done to a network and its gradient before an optimizer takes its step.
pub trait Prepare<T: Real> {
    /// Changes the network or the mean `gradient` of a batch. `rate` is the optimizer's learning rate.
    fn prepare<S: Simd, N: Params<Scalar = T>>(&self, simd: S, rate: T, network: &mut N, gradient: &mut N);

    /// Whether all settings make sense: see [`Optimizer::check`].
    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// The largest absolute value of a gradient that it makes none larger than `after` of: see [`Optimizer::largest_gradient`].
    #[inline(always)]
    fn largest_gradient(&self, after: T) -> T {
        after
    }
}

/// An optimizer with a preparation before each of its steps. Made by [`Optimizer::after`], or by a method such
/// as [`Optimizer::l2`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Prepared<O, P> {
    /// What takes the step.
    pub optimizer: O,
    /// What is done before it.
    pub preparation: P,
}

impl<O: Optimizer, P: Prepare<O::Scalar>> Optimizer for Prepared<O, P> {
    type Scalar = O::Scalar;
    type State<N: Params<Scalar = O::Scalar>> = O::State<N>;

    fn rate(&self) -> O::Scalar {
        self.optimizer.rate()
    }

    fn set_rate(&mut self, rate: O::Scalar) {
        self.optimizer.set_rate(rate);
    }

    #[inline(always)]
    fn check(&self) -> Result<(), Error> {
        self.preparation.check()?;
        self.optimizer.check()
    }

    #[inline(always)]
    fn largest_gradient(&self) -> O::Scalar {
        self.preparation.largest_gradient(self.optimizer.largest_gradient())
    }

    fn restart(&mut self) {
        self.optimizer.restart();
    }

    #[inline(always)]
    fn update<S: Simd, N: Params<Scalar = O::Scalar>>(
        &self,
        simd: S,
        network: &mut N,
        gradient: &mut N,
        state: &mut O::State<N>,
    ) {
        self.preparation.prepare(simd, self.rate(), network, gradient);
        self.optimizer.update(simd, network, gradient, state);
    }

    fn after_step(&mut self) {
        self.optimizer.after_step();
    }

    fn after_epoch(&mut self, loss: O::Scalar) {
        self.optimizer.after_epoch(loss);
    }
}
