//! Finite values from which a batch normalization follows that is not finite: it is `scale * x + shift` in prediction,
//! and both are computed from its tensors, here as the compiler can, too.

use super::load_error::{LoadError, Name};
use super::names::Path;
use crate::error::Text;
use crate::layers::EPSILON;

/// The tensors.
pub(crate) const NAMES: [&str; 4] = ["weight", "bias", "running_mean", "running_var"];

/// An error if the values of a feature do not lead to finite ones, in `f32` for a network of `f32` (`single`). They are
/// those of the tensors [`NAMES`], all finite, in row `row` of the layer whose tensors' names begin with `layer`.
pub(crate) const fn check(numbers: [f64; 4], single: bool, layer: &Path, row: usize) -> Result<(), LoadError> {
    let [weight, bias, mean, variance] = numbers;
    // A little less than the largest, since roundings are others here.
    let (largest, epsilon) = if single {
        (f32::MAX as f64 * (1.0 - 1e-6), EPSILON as f32 as f64)
    } else {
        (f64::MAX * (1.0 - 1e-6), EPSILON)
    };
    let sum = variance + epsilon;
    if sum <= 0.0 {
        return load_error("a variance above zero after 0.00001 is added", layer, 3, row);
    }
    let scale = weight / root(sum);
    if scale.is_nan() || scale.abs() > largest {
        return load_error("a number that is finite after it was divided by the deviation", layer, 0, row);
    }
    let shift = mean * scale;
    if shift.is_nan() || shift.abs() > largest || (bias - shift).abs() > largest {
        return load_error("a number that is finite after it was scaled like the inputs", layer, 2, row);
    }
    Ok(())
}

const fn load_error(expected: &'static str, layer: &Path, tensor: usize, row: usize) -> Result<(), LoadError> {
    let mut name = Text::<512>::new();
    name.push(layer.as_str());
    name.push(NAMES[tensor]);
    Err(LoadError::Normalization { tensor: Name::end_of(name.as_str()), expected, row: row as u64 })
}

/// The square root of a normal number above zero, to a few roundings.
const fn root(x: f64) -> f64 {
    // Half the exponent.
    let mut y = f64::from_bits((x.to_bits() >> 1) + (1023 << 51));
    let mut step = 0;
    while step < 5 {
        y = 0.5 * (y + x / y);
        step += 1;
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_of_the_standard_library() {
        let mut x = 1e-21;
        while x < f64::MAX / 2.0 {
            let right = crate::num::math::square_root(x);
            assert!((root(x) - right).abs() <= 4.0 * f64::EPSILON * right, "{x}");
            x *= 1.37;
        }
    }
}
