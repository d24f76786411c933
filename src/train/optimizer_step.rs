//! A step of the optimizer after a batch, and what must hold of the gradient before it.

use crate::error::Error;
use crate::model::{Parameter, Trainable, Visitor, fill};
use crate::num::Real;
use crate::optimizer::{Optimizer, OptimizerState};
use crate::train::batch::MeanLoss;
use fearless_simd::Simd;
use num_traits::float::FloatCore;

/// A step of the optimizer after a batch, with the epoch and the batch for error messages.
pub(super) struct OptimizerStep<'a, N: Trainable, O: Optimizer<Scalar = N::Scalar>> {
    pub network: &'a mut N,
    pub optimizer: &'a mut O,
    pub state: &'a mut OptimizerState<O, N>,
    pub epoch: usize,
    pub batch: usize,
}

impl<N: Trainable, O: Optimizer<Scalar = N::Scalar>> OptimizerStep<'_, N, O> {
    /// Updates the network by the gradient of a batch with this mean loss, unless the step would not be finite. A batch
    /// whose samples all have the weight zero changes nothing. `large` says that an input was large.
    #[inline(always)]
    pub fn take<S: Simd>(
        self,
        simd: S,
        mean: MeanLoss<N::Scalar>,
        large: bool,
        gradient: &mut N,
    ) -> Result<MeanLoss<N::Scalar>, Error> {
        let OptimizerStep { network, optimizer, state, epoch, batch } = self;
        if mean.weight == N::Scalar::ZERO {
            return Ok(mean);
        }
        // Gradients can be infinite, or too large to be squared, where the loss is neither. Then an input or the loss
        // must be large, so that the gradients of other batches need no check.
        if large || mean.loss > N::Scalar::of(HUGE) {
            check_gradient(gradient, optimizer, mean.loss, epoch, batch)?;
        }
        take_step(simd, network, gradient, optimizer, state);
        Ok(mean)
    }
}

/// Updates a network by its gradient, which is that of a batch.
#[inline(always)]
pub(super) fn take_step<S: Simd, N: Trainable, O: Optimizer<Scalar = N::Scalar>>(
    simd: S,
    network: &mut N,
    gradient: &mut N,
    optimizer: &mut O,
    state: &mut OptimizerState<O, N>,
) {
    network.update_buffers(gradient);
    optimizer.step_with(simd, network, gradient, state);
    optimizer.after_step();
}

/// Losses above this do not occur in a training run that converges, and are far below the largest finite value.
pub(super) const HUGE: f64 = 1e12;

/// Fails unless a step by this gradient stays well within the range of finite values, and so do the squares in the
/// optimizer's state; the gradient is zero after an error. It is inlined, since a call would need the gradient in
/// memory, and it may be in registers. A microcontroller has it in memory, and little flash.
#[cfg_attr(not(any(debug_assertions, target_os = "none")), inline(always))]
#[cfg_attr(target_os = "none", cold, inline(never))]
pub(super) fn check_gradient<N: Trainable, O: Optimizer<Scalar = N::Scalar>>(
    gradient: &mut N,
    optimizer: &O,
    loss: N::Scalar,
    epoch: usize,
    batch: usize,
) -> Result<(), Error> {
    struct Largest<T>(T);
    impl<T: Real> Visitor<T> for Largest<T> {
        #[cfg_attr(target_os = "none", inline(never))]
        fn slice(&mut self, _: Parameter, values: &[T]) {
            for value in values {
                // Not `max`, which ignores NaN.
                if value.abs() > self.0 || value.is_nan() {
                    self.0 = value.abs();
                }
            }
        }
    }
    let mut largest = Largest(N::Scalar::ZERO);
    gradient.visit(&mut largest);
    let Largest(largest) = largest;
    let can_be_stepped = (largest * optimizer.learning_rate().max(N::Scalar::ONE) * N::Scalar::of(1e3)).is_finite();
    if can_be_stepped && largest <= optimizer.largest_gradient() {
        return Ok(());
    }
    fill(gradient, N::Scalar::ZERO);
    if can_be_stepped || loss <= N::Scalar::of(HUGE) {
        return Err(Error::GradientTooLarge { epoch, batch });
    }
    Err(Error::LossNotFinite { epoch, batch })
}
