//! Classes as numbers.

use crate::error::TargetError;
use crate::num::Real;

/// A class as `CLASSES` numbers: 1 at the place of the class, 0 elsewhere. For a feature that is a category; targets may be
/// class indices as they are. It is an error if `class` is not below `CLASSES`.
///
/// ```
/// use tuplenet::data::one_hot;
///
/// assert_eq!(one_hot::<f32, 3>(1)?, [0.0, 1.0, 0.0]);
/// assert_eq!(one_hot::<f32, 3>(3).unwrap_err().to_string(), "expected a class index below 3, found 3");
/// # Ok::<(), tuplenet::error::TargetError>(())
/// ```
pub fn one_hot<T: Real, const CLASSES: usize>(class: usize) -> Result<[T; CLASSES], TargetError> {
    let mut numbers = [T::ZERO; CLASSES];
    match numbers.get_mut(class) {
        Some(number) => *number = T::ONE,
        None => return Err(TargetError::Class { found: class, classes: CLASSES }),
    }
    Ok(numbers)
}
