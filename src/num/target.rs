//! What the compilation target decides about code outside of the kernels. The kernels themselves have a back end without
//! vector registers.

use crate::num::SCALAR;

/// Prediction hands batches from layer to layer by value: small ones need not fill memory with zeros first.
pub(crate) const BY_VALUE: bool = SCALAR;

/// A step of plain gradient descent by one sample changes each weight where its gradient is found: most of the work would be
/// to store the gradient and to load it again.
pub(crate) const STEPS_WITHOUT_GRADIENT: bool = SCALAR;

/// A loop over many values is worth more than one that stops at the first that matters: it is vectorized.
pub(crate) const LOOPS_IN_LANES: bool = !SCALAR;

/// What seldom happens is one function for all callers, at the price of passing it what it needs.
pub(crate) const RARE_WORK_IS_SHARED: bool = SCALAR;
