//! The second derivatives of the activations.

use super::Pair;
use crate::activation::{Activation, Function};
use crate::num::dispatch::dispatch;
use crate::num::float::{exp, sigmoid};
use crate::num::{Lanes, Real, lanes};
use fearless_simd::{Level, Simd, SimdBase};

/// The value, the derivative and the second derivative of an activation that is computed element by element.
pub(super) fn of<A: Activation, T: Real>(x: T) -> [T; 3] {
    #[inline(always)]
    fn first<S: Simd, A: Activation, T: Real>(simd: S, x: T) -> [T; 2] {
        let lanes_of_x = lanes::<S, T>(simd, x);
        let y: Lanes<S, T> = A::value::<S, T>(simd, lanes_of_x);
        let derivative: Lanes<S, T> = A::derivative::<S, T>(simd, lanes_of_x, y);
        [y.as_slice()[0], derivative.as_slice()[0]]
    }
    let [y, derivative] = dispatch!(Level::baseline(), simd => first::<_, A, T>(simd, x));
    [y, derivative, second::<A, T>(x, y)]
}

fn second<A: Activation, T: Real>(x: T, y: T) -> T {
    let number = T::of;
    let Some(kind) = A::KIND else { return T::nan() };
    match kind.0 {
        Function::Identity
        | Function::Relu
        | Function::LeakyRelu { .. }
        | Function::HardSigmoid
        | Function::Softmax => T::ZERO,
        Function::Elu => {
            if x < T::ZERO {
                y + T::ONE
            } else {
                T::ZERO
            }
        }
        // The scale times alpha.
        Function::Selu => {
            if x < T::ZERO {
                y + number(1.758_099_340_847_376_6)
            } else {
                T::ZERO
            }
        }
        Function::Gelu => {
            // 1 divided by the square root of 2 pi.
            let density = exp(x * x * number(-0.5)) * number(0.398_942_280_401_432_7);
            density * (number(2.0) - x * x)
        }
        Function::Silu => {
            let s = sigmoid(x);
            s * (T::ONE - s) * (number(2.0) + x * (T::ONE - s - s))
        }
        Function::Sigmoid => y * (T::ONE - y) * (T::ONE - y - y),
        Function::Tanh => number(-2.0) * y * (T::ONE - y * y),
        Function::Softplus => {
            let s = sigmoid(x);
            s * (T::ONE - s)
        }
        Function::Softsign => {
            let size = T::ONE + x.abs();
            let cube = number(2.0) / (size * size * size);
            if x < T::ZERO { cube } else { -cube }
        }
    }
}

/// Forward and backward pass of an activation, from `z` to what `then` returns for its value.
pub(super) fn activate<A: Activation, T: Real, const N: usize>(
    z: &Pair<[T; N]>,
    then: impl FnOnce(&Pair<[T; N]>) -> Pair<[T; N]>,
) -> Pair<[T; N]> {
    const { assert!(A::KIND.is_some(), "expected an activation of this library, whose second derivative is known") };
    if !A::ELEMENTWISE {
        return softmax(z, then);
    }
    let (mut y, mut derivatives) = (*z, [[T::ZERO; 2]; N]);
    for ((value, tangent), derivatives) in y.value.iter_mut().zip(&mut y.tangent).zip(&mut derivatives) {
        let [new, first, second] = of::<A, T>(*value);
        // With the tangent of `z`, which the value is differentiated along.
        *derivatives = [first, second * *tangent];
        (*value, *tangent) = (new, first * *tangent);
    }
    let mut dy = then(&y);
    for ((value, tangent), [first, second]) in dy.value.iter_mut().zip(&mut dy.tangent).zip(derivatives) {
        (*value, *tangent) = (first * *value, second * *value + first * *tangent);
    }
    dy
}

fn dot<T: Real, const N: usize>(a: &[T; N], b: &[T; N]) -> T {
    a.iter().zip(b).fold(T::ZERO, |sum, (a, b)| sum + *a * *b)
}

fn softmax<T: Real, const N: usize>(
    z: &Pair<[T; N]>,
    then: impl FnOnce(&Pair<[T; N]>) -> Pair<[T; N]>,
) -> Pair<[T; N]> {
    let largest = z.value.iter().fold(T::neg_infinity(), |largest, z| if *z > largest { *z } else { largest });
    let powers = z.value.map(|z| exp(z - largest));
    let total = powers.iter().fold(T::ZERO, |sum, power| sum + *power);
    let value = powers.map(|power| power / total);
    // The same formula turns the tangent of the input into that of the output, and the gradient back.
    let turned = |value: &[T; N], of: &[T; N]| {
        let mean = dot(value, of);
        let mut result = *of;
        result.iter_mut().zip(value).for_each(|(of, value)| *of = *value * (*of - mean));
        result
    };
    let y = Pair { value, tangent: turned(&value, &z.tangent) };
    let dy = then(&y);
    let (mean, change) = (dot(&value, &dy.value), dot(&y.tangent, &dy.value));
    let mut tangent = turned(&value, &dy.tangent);
    for (((to, y), y_tangent), dy) in tangent.iter_mut().zip(&value).zip(&y.tangent).zip(&dy.value) {
        *to += *y_tangent * (*dy - mean) - *y * change;
    }
    Pair { value: turned(&value, &dy.value), tangent }
}
