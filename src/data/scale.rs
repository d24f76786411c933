//! Scaling of inputs, feature by feature or channel by channel, fitted on training data and then applied to all data.

use super::{Channels, Samples, Shaped};
use crate::data::shape::Shape;
use crate::error::{Error, check_finite};
use crate::num::Real;
use crate::num::math::square_root;
use crate::num::zeroed::Zeroed;

/// Standardization: scales each feature to zero mean and unit variance over the samples that it was fitted on. A
/// constant feature is only shifted.
///
/// Images are scaled channel by channel, over all pixels, and sequences feature by feature, over all steps.
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
///
/// // An image of one channel.
/// let images = [[[[0.0f32, 0.0], [4.0, 4.0]]], [[[0.0, 4.0], [0.0, 4.0]]]];
/// assert_eq!(StandardScaler::fit(&images)?.transform(&images[0]), [[[-1.0, -1.0], [1.0, 1.0]]]);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = "T: Real"))]
#[doc(alias("standardize", "z-score", "normalization", "fit_transform"))]
pub struct StandardScaler<T, const N: usize>(pub(crate) Line<T, N>);

/// Min-max scaling: maps the smallest value of each feature to 0 and the largest to 1, over the samples that it was
/// fitted on. A constant feature is only shifted.
///
/// Images are scaled channel by channel, over all pixels, and sequences feature by feature, over all steps.
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

    fn transform<X: Channels<T, N>>(&self, sample: &X) -> X {
        let mut scaled = *sample;
        scaled.each_value(
            #[inline(always)]
            |channel, value| {
                if let (Some(&origin), Some(&unit)) = (self.origin.get(channel), self.unit.get(channel)) {
                    *value = (*value - origin) / unit;
                }
            },
        );
        scaled
    }

    #[cfg(feature = "alloc")]
    fn transform_all<X: Channels<T, N> + Zeroed>(
        &self,
        samples: &(impl Samples<T, Item = X> + ?Sized),
    ) -> Result<alloc::vec::Vec<X>, Error> {
        samples.check()?;
        let sample = |index| {
            let mut sample = X::ZEROED;
            samples.copy(index, &mut sample);
            self.transform(&sample)
        };
        Ok((0..samples.count()).map(sample).collect())
    }

    fn inverse<X: Channels<T, N>>(&self, sample: &X) -> X {
        let mut sample = *sample;
        sample.each_value(
            #[inline(always)]
            |channel, value| {
                if let (Some(&origin), Some(&unit)) = (self.origin.get(channel), self.unit.get(channel)) {
                    *value = *value * unit + origin;
                }
            },
        );
        sample
    }
}

/// Calls `visit` with the channel and the value of every value of every sample.
fn each<T: Real, X: Channels<T, N> + Zeroed, const N: usize>(
    samples: &(impl Samples<T, Item = X> + ?Sized),
    mut visit: impl FnMut(usize, T),
) -> Result<(), Error> {
    samples.check()?;
    if samples.count() == 0 {
        return Err(Error::NoSamples);
    }
    let mut sample = X::ZEROED;
    for index in 0..samples.count() {
        samples.copy(index, &mut sample);
        check_finite(index, <X as Shaped<T>>::Shape::elements::<T>(&sample))?;
        sample.each_value(|channel, value| visit(channel, *value));
    }
    Ok(())
}

/// The smallest and the largest value of each channel.
fn range<T: Real, X: Channels<T, N> + Zeroed, const N: usize>(
    samples: &(impl Samples<T, Item = X> + ?Sized),
) -> Result<([T; N], [T; N]), Error> {
    let (mut low, mut high) = ([T::infinity(); N], [T::neg_infinity(); N]);
    each(samples, |channel, value| {
        if let (Some(low), Some(high)) = (low.get_mut(channel), high.get_mut(channel)) {
            (*low, *high) = (low.min(value), high.max(value));
        }
    })?;
    Ok((low, high))
}

impl<T: Real, const N: usize> StandardScaler<T, N> {
    /// Fits the scaler: computes mean and standard deviation (with the number of values as divisor) of each channel of
    /// `samples`, which are read twice. Sums are `f64` for every `T`.
    ///
    /// # Shapes
    ///
    /// `samples`: any number of samples of `[T; N]`, sequences of `[[T; N]; STEPS]`, or images of `[[[T; W]; H]; N]`.
    ///
    /// # Errors
    ///
    /// If there are no samples, if a value is infinite or NaN, or if a feature's range is too large for `T`.
    pub fn fit<X: Channels<T, N> + Zeroed>(samples: &(impl Samples<T, Item = X> + ?Sized)) -> Result<Self, Error> {
        let (low, high) = range(samples)?;
        // The values are scaled to between -1 and 1, so that their squares neither overflow nor underflow.
        let middle: [f64; N] = core::array::from_fn(|i| low[i].exact() / 2.0 + high[i].exact() / 2.0);
        let half: [f64; N] = core::array::from_fn(|i| high[i].exact() / 2.0 - low[i].exact() / 2.0);
        let (mut mean, mut square, mut count) = ([0.0; N], [0.0; N], [0.0; N]);
        each(samples, |i, value: T| {
            if i >= N {
                return;
            }
            let value = if half[i] > 0.0 { (value.exact() - middle[i]) / half[i] } else { 0.0 };
            // Welford's recurrence, which does not subtract large values from each other.
            let difference = value - mean[i];
            count[i] += 1.0;
            mean[i] += difference / count[i];
            square[i] += difference * (value - mean[i]);
        })?;
        let origin =
            core::array::from_fn(|i| if half[i] > 0.0 { T::of(middle[i] + half[i] * mean[i]) } else { low[i] });
        let unit = core::array::from_fn(|i| T::of(half[i] * square_root(square[i] / count[i])));
        Line::new(origin, unit, low, high).map(StandardScaler)
    }

    /// Scales one sample.
    #[must_use]
    pub fn transform<X: Channels<T, N>>(&self, sample: &X) -> X {
        self.0.transform(sample)
    }

    /// Scales all samples, into a new vector.
    ///
    /// # Shapes
    ///
    /// `samples`: as for [`fit`](Self::fit); the result has as many.
    ///
    /// # Errors
    ///
    /// What [`Samples::check`] returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let samples = [[1.0f32, 10.0], [3.0, 30.0]];
    /// let scaled = StandardScaler::fit(&samples)?.transform_all(&samples)?;
    /// assert_eq!(scaled[1], [1.0, 1.0]);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[cfg(feature = "alloc")]
    pub fn transform_all<X: Channels<T, N> + Zeroed>(
        &self,
        samples: &(impl Samples<T, Item = X> + ?Sized),
    ) -> Result<alloc::vec::Vec<X>, Error> {
        self.0.transform_all(samples)
    }

    /// Inverts the scaling of one sample.
    #[doc(alias("inverse_transform"))]
    #[must_use]
    pub fn inverse<X: Channels<T, N>>(&self, sample: &X) -> X {
        self.0.inverse(sample)
    }
}

impl<T: Real, const N: usize> MinMaxScaler<T, N> {
    /// Fits the scaler: computes the smallest and the largest value of each channel of `samples`.
    ///
    /// # Shapes
    ///
    /// `samples`: any number of samples of `[T; N]`, sequences of `[[T; N]; STEPS]`, or images of `[[[T; W]; H]; N]`.
    ///
    /// # Errors
    ///
    /// If there are no samples, if a value is infinite or NaN, or if a feature's range is too large for `T`.
    pub fn fit<X: Channels<T, N> + Zeroed>(samples: &(impl Samples<T, Item = X> + ?Sized)) -> Result<Self, Error> {
        let (low, high) = range(samples)?;
        Line::new(low, core::array::from_fn(|i| high[i] - low[i]), low, high).map(MinMaxScaler)
    }

    /// Scales one sample.
    #[must_use]
    pub fn transform<X: Channels<T, N>>(&self, sample: &X) -> X {
        self.0.transform(sample)
    }

    /// Scales all samples, into a new vector.
    ///
    /// # Shapes
    ///
    /// `samples`: as for [`fit`](Self::fit); the result has as many.
    ///
    /// # Errors
    ///
    /// What [`Samples::check`] returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let samples = [[1.0f32, 10.0], [3.0, 30.0]];
    /// let scaled = MinMaxScaler::fit(&samples)?.transform_all(&samples)?;
    /// assert_eq!(scaled[1], [1.0, 1.0]);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[cfg(feature = "alloc")]
    pub fn transform_all<X: Channels<T, N> + Zeroed>(
        &self,
        samples: &(impl Samples<T, Item = X> + ?Sized),
    ) -> Result<alloc::vec::Vec<X>, Error> {
        self.0.transform_all(samples)
    }

    /// Inverts the scaling of one sample.
    #[doc(alias("inverse_transform"))]
    #[must_use]
    pub fn inverse<X: Channels<T, N>>(&self, sample: &X) -> X {
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

    /// Images by channel and sequences by feature: the scaler of all pixels, or steps, as samples of their own.
    #[test]
    fn channels_are_scaled_over_pixels_and_steps() {
        let value = |index: usize| ((index * 7919) % 101) as f64 * 0.37 - 11.0;
        let images: [[[[f64; 4]; 3]; 2]; 5] = core::array::from_fn(|sample| {
            core::array::from_fn(|c| {
                core::array::from_fn(|h| {
                    core::array::from_fn(|w| value(sample * 24 + c * 12 + h * 4 + w) * (c + 1) as f64)
                })
            })
        });
        let mut pixels = [[0.0; 2]; 60];
        for (index, pixel) in pixels.iter_mut().enumerate() {
            let (sample, at) = (index / 12, index % 12);
            *pixel = core::array::from_fn(|c| images[sample][c][at / 4][at % 4]);
        }
        let (by_channel, by_feature) = (StandardScaler::fit(&images).unwrap(), StandardScaler::fit(&pixels).unwrap());
        assert_eq!(by_channel, by_feature);
        let scaled = by_channel.transform(&images[3]);
        assert_eq!([scaled[0][1][2], scaled[1][1][2]], by_feature.transform(&pixels[3 * 12 + 6]));
        let back = by_channel.inverse(&scaled);
        assert!((back[1][2][3] - images[3][1][2][3]).abs() < 1e-12);
        assert_eq!(MinMaxScaler::fit(&images).unwrap(), MinMaxScaler::fit(&pixels).unwrap());

        let sequences: [[[f64; 2]; 12]; 5] =
            core::array::from_fn(|i| core::array::from_fn(|step| pixels[12 * i + step]));
        assert_eq!(StandardScaler::fit(&sequences).unwrap(), by_feature);
        assert_eq!(by_feature.transform(&sequences[2])[7], by_feature.transform(&pixels[31]));
    }

    #[test]
    fn invalid_samples_are_reported() {
        let mut images = [[[[0.5f32; 3]; 2]; 2]; 4];
        images[2][1][0][2] = f32::INFINITY;
        assert_eq!(StandardScaler::fit(&images), Err(Error::SampleNotFinite { sample: 2, column: 8 }));
        assert_eq!(StandardScaler::<f32, 2>::fit(&[[0.0; 2]; 0]), Err(Error::NoSamples));
        let samples = [[0.0f32, 1.0], [0.0, f32::NAN]];
        assert_eq!(MinMaxScaler::fit(&samples), Err(Error::SampleNotFinite { sample: 1, column: 1 }));
    }
}
