//! The second derivatives of the losses by the outputs.

use super::Pair;
use crate::activation::{Activation, Identity, Sigmoid, Softmax};
use crate::loss::{BinaryCrossEntropy, CrossEntropy, Huber, MeanSquaredError};
use crate::num::Real;
use crate::num::float::{exp, sigmoid};

/// A loss whose gradient by the outputs can be differentiated once more, for networks with `OUT` outputs whose last activation is
/// `A`, and targets of type `Target`.
#[diagnostic::on_unimplemented(
    message = "the second derivative of `{Self}` after `{A}` is not known for targets `{Target}`",
    label = "expected `MeanSquaredError`, `Huber`, or a cross-entropy of logits or its own activation, with targets `[{T}; {OUT}]`"
)]
pub trait Curvature<T: Real, Target, A: Activation, const OUT: usize> {
    /// Whether it is computed from the values before the last activation.
    const OF_LOGITS: bool = false;

    /// The gradient of the loss of one sample by the outputs, and its derivative along their tangent.
    fn second(&self, y: &Pair<[T; OUT]>, target: &Target) -> Pair<[T; OUT]>;
}

/// The mean over the outputs of a loss, of which `formula` returns the derivative and the second derivative, for an output and a
/// target.
fn elementwise<T: Real, const OUT: usize>(
    y: &Pair<[T; OUT]>,
    target: &[T; OUT],
    formula: impl Fn(T, T) -> [T; 2],
) -> Pair<[T; OUT]> {
    let share = T::of(1.0 / OUT as f64);
    let mut dy = *y;
    for ((value, tangent), target) in dy.value.iter_mut().zip(&mut dy.tangent).zip(target) {
        let [first, second] = formula(*value, *target);
        (*value, *tangent) = (share * first, share * second * *tangent);
    }
    dy
}

impl<T: Real, A: Activation, const OUT: usize> Curvature<T, [T; OUT], A, OUT> for MeanSquaredError {
    fn second(&self, y: &Pair<[T; OUT]>, target: &[T; OUT]) -> Pair<[T; OUT]> {
        let two = T::of(2.0);
        elementwise(y, target, |y, t| [two * (y - t), two])
    }
}

impl<T: Real, A: Activation, const OUT: usize> Curvature<T, [T; OUT], A, OUT> for Huber<T> {
    fn second(&self, y: &Pair<[T; OUT]>, target: &[T; OUT]) -> Pair<[T; OUT]> {
        let delta = self.delta;
        elementwise(y, target, |y, t| {
            let error = y - t;
            if error.abs() <= delta { [error, T::ONE] } else { [delta * error.signum(), T::ZERO] }
        })
    }
}

macro_rules! binary {
    ($($activation:ty),+) => {$(
        impl<T: Real, const OUT: usize> Curvature<T, [T; OUT], $activation, OUT> for BinaryCrossEntropy {
            const OF_LOGITS: bool = true;

            fn second(&self, z: &Pair<[T; OUT]>, target: &[T; OUT]) -> Pair<[T; OUT]> {
                elementwise(z, target, |z, t| {
                    let y = sigmoid(z);
                    [y - t, y * (T::ONE - y)]
                })
            }
        }
    )+};
}
binary!(Sigmoid, Identity);

macro_rules! classes {
    ($($activation:ty),+) => {$(
        impl<T: Real, const OUT: usize> Curvature<T, [T; OUT], $activation, OUT> for CrossEntropy {
            const OF_LOGITS: bool = true;

            fn second(&self, z: &Pair<[T; OUT]>, target: &[T; OUT]) -> Pair<[T; OUT]> {
                of_classes(z, |class| target.get(class).copied().unwrap_or(T::ZERO))
            }
        }

        impl<T: Real, const OUT: usize> Curvature<T, usize, $activation, OUT> for CrossEntropy {
            const OF_LOGITS: bool = true;

            fn second(&self, z: &Pair<[T; OUT]>, target: &usize) -> Pair<[T; OUT]> {
                of_classes(z, |class| if class == *target { T::ONE } else { T::ZERO })
            }
        }
    )+};
}
classes!(Softmax, Identity);

fn of_classes<T: Real, const OUT: usize>(z: &Pair<[T; OUT]>, target: impl Fn(usize) -> T) -> Pair<[T; OUT]> {
    let largest = z.value.iter().fold(T::neg_infinity(), |largest, z| if *z > largest { *z } else { largest });
    let powers = z.value.map(|z| exp(z - largest));
    let total = powers.iter().fold(T::ZERO, |sum, power| sum + *power);
    let mut dz = Pair { value: powers.map(|power| power / total), tangent: z.tangent };
    let mean = dz.value.iter().zip(&z.tangent).fold(T::ZERO, |sum, (y, tangent)| sum + *y * *tangent);
    for (class, (value, tangent)) in dz.value.iter_mut().zip(&mut dz.tangent).enumerate() {
        (*value, *tangent) = (*value - target(class), *value * (*tangent - mean));
    }
    dz
}
