//! Scaling of inputs, feature by feature, fitted on training data and then applied to all data.

use super::Samples;
use crate::error::{Error, check_finite};
use crate::num::Real;
use crate::num::math::square_root;

/// Standardization: scales each feature to zero mean and unit variance over the samples that it was fitted on. A
/// constant feature is only shifted.
///
/// # Formula
///
/// `(x - mean) / standard deviation`. scikit-learn equivalent: `sklearn.preprocessing.StandardScaler`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::StandardScaler;
///
/// let train = [[1.0, 5.0], [3.0, 5.0]];
/// let scaler = StandardScaler::fit(&train)?;
/// assert_eq!(scaler.transform(&[3.0, 5.0]), [1.0, 0.0]);
/// assert_eq!(scaler.inverse(&[1.0, 0.0]), [3.0, 5.0]);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = "T: Real"))]
#[doc(alias("standardize", "z-score", "normalization"))]
pub struct StandardScaler<T, const N: usize>(pub(crate) Line<T, N>);

/// Min-max scaling: maps the smallest value of each feature to 0 and the largest to 1, over the samples that it was
/// fitted on. A constant feature is only shifted.
///
/// # Formula
///
/// `(x - min) / (max - min)`. scikit-learn equivalent: `sklearn.preprocessing.MinMaxScaler`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::MinMaxScaler;
///
/// let train = [[1.0, 5.0], [3.0, 7.0]];
/// let scaler = MinMaxScaler::fit(&train)?;
/// let scaled = [[2.0, 5.0], [5.0, 6.0]].map(|sample| scaler.transform(&sample));
/// assert_eq!(scaled, [[0.5, 0.0], [2.0, 0.5]]);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = "T: Real"))]
#[doc(alias("normalize"))]
pub struct MinMaxScaler<T, const N: usize>(pub(crate) Line<T, N>);

/// `(x - origin) / unit` for each feature.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub(crate) struct Line<T, const N: usize> {
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::array"))]
    pub origin: [T; N],
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::array"))]
    pub unit: [T; N],
}

impl<T: Real, const N: usize> Line<T, N> {
    /// Uses a unit of 1 where it is zero, as for a constant feature. Fails if a scaled sample would not be finite.
    fn new(origin: [T; N], unit: [T; N], low: [T; N], high: [T; N]) -> Result<Self, Error> {
        let line = Line { origin, unit: unit.map(|unit| if unit == T::ZERO { T::ONE } else { unit }) };
        let ends = line.transform(&low).into_iter().zip(line.transform(&high)).zip(line.unit);
        // Not by slice indices, which would leave a panic path on microcontrollers.
        let is_finite = |((low, high), unit): ((T, T), T)| low.is_finite() && high.is_finite() && unit.is_finite();
        match ends.into_iter().position(|ends| !is_finite(ends)) {
            Some(column) => Err(Error::RangeTooLarge { column }),
            None => Ok(line),
        }
    }

    fn transform(&self, sample: &[T; N]) -> [T; N] {
        let mut scaled = *sample;
        for ((value, &origin), &unit) in scaled.iter_mut().zip(&self.origin).zip(&self.unit) {
            *value = (*value - origin) / unit;
        }
        scaled
    }

    fn inverse(&self, sample: &[T; N]) -> [T; N] {
        let mut sample = *sample;
        for ((value, &origin), &unit) in sample.iter_mut().zip(&self.origin).zip(&self.unit) {
            *value = *value * unit + origin;
        }
        sample
    }
}

/// Calls `visit` with every sample.
fn each<T: Real, const N: usize>(
    samples: &(impl Samples<T, Item = [T; N]> + ?Sized),
    mut visit: impl FnMut(&[T; N]),
) -> Result<(), Error> {
    samples.check()?;
    if samples.count() == 0 {
        return Err(Error::NoSamples);
    }
    let mut sample = [T::ZERO; N];
    for index in 0..samples.count() {
        samples.copy(index, &mut sample);
        check_finite(index, &sample)?;
        visit(&sample);
    }
    Ok(())
}

/// The smallest and the largest value of each feature.
fn range<T: Real, const N: usize>(
    samples: &(impl Samples<T, Item = [T; N]> + ?Sized),
) -> Result<([T; N], [T; N]), Error> {
    let (mut low, mut high) = ([T::infinity(); N], [T::neg_infinity(); N]);
    each(samples, |sample| {
        for i in 0..N {
            low[i] = low[i].min(sample[i]);
            high[i] = high[i].max(sample[i]);
        }
    })?;
    Ok((low, high))
}

impl<T: Real, const N: usize> StandardScaler<T, N> {
    /// Fits the scaler: computes mean and standard deviation (with the number of samples as divisor) of `samples`,
    /// which are read twice. Sums are `f64` for every `T`.
    ///
    /// # Shapes
    ///
    /// `samples`: any number of samples of `[T; N]`.
    ///
    /// # Errors
    ///
    /// If there are no samples, if a value is infinite or NaN, or if a feature's range is too large for `T`.
    pub fn fit(samples: &(impl Samples<T, Item = [T; N]> + ?Sized)) -> Result<Self, Error> {
        let (low, high) = range(samples)?;
        // The values are scaled to between -1 and 1, so that their squares neither overflow nor underflow.
        let middle: [f64; N] = core::array::from_fn(|i| low[i].exact() / 2.0 + high[i].exact() / 2.0);
        let half: [f64; N] = core::array::from_fn(|i| high[i].exact() / 2.0 - low[i].exact() / 2.0);
        let (mut mean, mut square, mut count) = ([0.0; N], [0.0; N], 0.0);
        each(samples, |sample| {
            count += 1.0;
            for i in 0..N {
                let value = if half[i] > 0.0 { (sample[i].exact() - middle[i]) / half[i] } else { 0.0 };
                // Welford's recurrence, which does not subtract large values from each other.
                let difference = value - mean[i];
                mean[i] += difference / count;
                square[i] += difference * (value - mean[i]);
            }
        })?;
        let origin =
            core::array::from_fn(|i| if half[i] > 0.0 { T::of(middle[i] + half[i] * mean[i]) } else { low[i] });
        let unit = core::array::from_fn(|i| T::of(half[i] * square_root(square[i] / count)));
        Line::new(origin, unit, low, high).map(StandardScaler)
    }

    /// Scales one sample.
    #[must_use]
    pub fn transform(&self, sample: &[T; N]) -> [T; N] {
        self.0.transform(sample)
    }

    /// Inverts the scaling of one sample.
    #[must_use]
    pub fn inverse(&self, sample: &[T; N]) -> [T; N] {
        self.0.inverse(sample)
    }
}

impl<T: Real, const N: usize> MinMaxScaler<T, N> {
    /// Fits the scaler: computes the smallest and the largest value of each feature of `samples`.
    ///
    /// # Shapes
    ///
    /// `samples`: any number of samples of `[T; N]`.
    ///
    /// # Errors
    ///
    /// If there are no samples, if a value is infinite or NaN, or if a feature's range is too large for `T`.
    pub fn fit(samples: &(impl Samples<T, Item = [T; N]> + ?Sized)) -> Result<Self, Error> {
        let (low, high) = range(samples)?;
        Line::new(low, core::array::from_fn(|i| high[i] - low[i]), low, high).map(MinMaxScaler)
    }

    /// Scales one sample.
    #[must_use]
    pub fn transform(&self, sample: &[T; N]) -> [T; N] {
        self.0.transform(sample)
    }

    /// Inverts the scaling of one sample.
    #[must_use]
    pub fn inverse(&self, sample: &[T; N]) -> [T; N] {
        self.0.inverse(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_feature_is_only_shifted() {
        let samples = [[0.1f64, 1.0], [0.1, 3.0], [0.1, 2.0]];
        assert_eq!(StandardScaler::fit(&samples).unwrap().transform(&[0.1, 2.0]), [0.0, 0.0]);
        assert_eq!(MinMaxScaler::fit(&samples).unwrap().transform(&[1.1, 2.0]), [1.0, 0.5]);
    }

    #[test]
    fn invalid_samples_are_reported() {
        assert_eq!(StandardScaler::<f32, 2>::fit(&[[0.0; 2]; 0]), Err(Error::NoSamples));
        let samples = [[0.0f32, 1.0], [0.0, f32::NAN]];
        assert_eq!(MinMaxScaler::fit(&samples), Err(Error::SampleNotFinite { sample: 1, column: 1 }));
    }
}
