//! [`accuracy`] of a network's predictions.

use super::largest_index;
use crate::data::{Class, ClassIndex, Inputs, Samples, check_data};
use crate::error::{Error, TargetError, check_finite};
use crate::model::network::infer_one;
use crate::model::{Features, InputShape, Model, Zeroed};
use crate::num::Real;

/// The class that outputs stand for: the index of the largest. One output is the probability of class 1, which is predicted from one
/// half on.
pub(crate) fn class_of<T: Real>(outputs: &[T]) -> usize {
    match outputs {
        [probability] => usize::from(probability.exact() >= 0.5),
        several => largest_index(several),
    }
}

/// A target of classification for a network with `OUT` outputs of type `T`, as the losses take it: a class index, `bool`, [`Class`],
/// or probabilities `[T; OUT]`, of which the largest is the class.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a target of classification for outputs `[{T}; {OUT}]`",
    label = "expected class indices, or `[{T}; {OUT}]`"
)]
pub trait ClassTarget<T, const OUT: usize> {
    /// The index of the class.
    fn class(&self) -> usize;
}

impl<T, const OUT: usize> ClassTarget<T, OUT> for usize {
    fn class(&self) -> usize {
        *self
    }
}

impl<T, const OUT: usize> ClassTarget<T, OUT> for Class<OUT> {
    fn class(&self) -> usize {
        self.index()
    }
}

impl<T: Real, const OUT: usize> ClassTarget<T, OUT> for [T; OUT] {
    fn class(&self) -> usize {
        class_of(self)
    }
}

/// Accuracy: the fraction of the samples whose class a network predicts. The predicted class is that of the largest output; with one
/// output it is 1 if the output is at least one half. scikit-learn equivalent: `sklearn.metrics.accuracy_score`.
///
/// # Shapes
///
/// `inputs`: any number of samples; `targets`: as many class indices, or targets `[T; OUT]`.
///
/// # Errors
///
/// If there are no samples, or not as many targets as inputs, if a class is out of range, or if an output is infinite or NaN.
///
/// # Examples
///
/// ```
/// use tuplenet::metrics::accuracy;
/// use tuplenet::prelude::*;
///
/// let network = Dense::<1, 1, Sigmoid>::from_rows([[1.0]], [0.0]);
/// let inputs = [[-2.0], [-1.0], [1.0], [2.0]];
/// assert_eq!(accuracy(&network, &inputs, &[false, true, true, true])?, 0.75);
/// assert_eq!(accuracy(&network, &inputs, &[[0.0], [0.0], [1.0], [1.0]])?, 1.0);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("accuracy_score"))]
pub fn accuracy<N, X, Y, const OUT: usize>(network: &N, inputs: &X, targets: &Y) -> Result<f64, Error>
where
    N: InputShape + Model<<N as InputShape>::In, <N as InputShape>::Scalar, Out = Features<OUT>>,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Samples<N::Scalar, Item: ClassTarget<N::Scalar, OUT>> + ?Sized,
{
    let classes = OUT.max(2);
    let (mut input, mut target, mut right) = (Zeroed::ZEROED, Zeroed::ZEROED, 0usize);
    let count = check_data(inputs, targets)?;
    for sample in 0..count {
        inputs.copy(sample, &mut input);
        targets.copy(sample, &mut target);
        let found = Y::Item::class(&target);
        if found >= classes {
            return Err(Error::Target { sample, problem: TargetError::Class { found, classes } });
        }
        let outputs = infer_one::<N::In, N::Scalar, N>(network, &input, inputs.steps(sample));
        check_finite(sample, outputs.as_slice())?;
        right += usize::from(class_of(outputs.as_slice()) == found);
    }
    Ok(right as f64 / count as f64)
}
