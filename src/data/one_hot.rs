//! One-hot encoding of classes.

use crate::error::TargetError;
use crate::num::Real;

/// One-hot encoding: `CLASSES` values, 1 at the index of the class and 0 elsewhere. It is for features that are
/// categories; targets can be class indices as they are. scikit-learn equivalent:
/// `sklearn.preprocessing.OneHotEncoder`.
///
/// # Errors
///
/// [`TargetError::Class`] if `class` is not below `CLASSES`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::one_hot;
///
/// assert_eq!(one_hot::<f32, 3>(1)?, [0.0, 1.0, 0.0]);
/// assert_eq!(one_hot::<f32, 3>(3).unwrap_err().to_string(), "expected a class index below 3, found 3");
/// # Ok::<(), tuplenet::error::TargetError>(())
/// ```
pub fn one_hot<T: Real, const CLASSES: usize>(class: usize) -> Result<[T; CLASSES], TargetError> {
    let mut values = [T::ZERO; CLASSES];
    match values.get_mut(class) {
        Some(value) => *value = T::ONE,
        None => return Err(TargetError::Class { found: class, classes: CLASSES }),
    }
    Ok(values)
}
