//! [`Windows`]: windows of a long series, as samples.

use super::{Sample, Samples};
use crate::error::{Error, Found};
use crate::num::Real;
use crate::num::zeroed::Zeroed;

/// Windows of `STEPS` steps of a long series, without a copy: as inputs, or as targets for each step. With a stride of `STEPS`
/// they do not overlap, as [`Trainer::epoch_in_order`](crate::train::Trainer::epoch_in_order) takes them; with a smaller one
/// they do, and with a larger one there are gaps. [`Trainer::fit`](crate::train::Trainer::fit) shuffles them.
///
/// # Shapes
///
/// A series of `[T; N]`, or of a class index for each step, becomes samples of `[[T; N]; STEPS]` or `[usize; STEPS]`. What is
/// left at the end and fills no window is not used.
///
/// # Examples
///
/// The target of each step is the value two steps later:
///
/// ```
/// use tuplenet::data::{Samples, Windows};
/// use tuplenet::layers::{Gru, Input, Steps};
/// use tuplenet::prelude::*;
///
/// let series: [[f32; 1]; 100] = core::array::from_fn(|step| [(step as f32 / 5.0).sin()]);
/// let inputs = Windows::<_, 8>::new(&series[..98], 4)?;
/// let targets = Windows::<_, 8>::new(&series[2..], 4)?;
/// assert_eq!(Samples::<f32>::count(&inputs), 23);
///
/// type Net = (Input<Sequence<8, 1>>, Gru<1, 4>, Steps<Dense<4, 1, Identity>>);
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
/// trainer.fit(&inputs, &targets, &FitOptions::default(), ())?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias("sliding window", "timeseries_dataset_from_array", "stride"))]
pub struct Windows<'a, E, const STEPS: usize> {
    series: &'a [E],
    stride: usize,
}

impl<E, const STEPS: usize> Clone for Windows<'_, E, STEPS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, const STEPS: usize> Copy for Windows<'_, E, STEPS> {}

impl<'a, E, const STEPS: usize> Windows<'a, E, STEPS> {
    /// The windows of a series, of which each begins `stride` steps after the one before.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if the stride is zero, and [`Error::SeriesTooShort`] if the series is shorter than one window.
    pub fn new(series: &'a [E], stride: usize) -> Result<Self, Error> {
        const { assert!(STEPS > 0, "expected windows of at least one step, found none") };
        if stride == 0 {
            return Err(Error::Setting { expected: "a stride of at least 1", found: Found::count(0) });
        }
        if series.len() < STEPS {
            return Err(Error::SeriesTooShort { expected: STEPS, found: series.len() });
        }
        Ok(Windows { series, stride })
    }
}

impl<T: Real, E: Sample<T>, const STEPS: usize> Samples<T> for Windows<'_, E, STEPS>
where
    [E::Item; STEPS]: Zeroed,
{
    type Item = [E::Item; STEPS];

    #[inline(always)]
    fn count(&self) -> usize {
        // Neither the series is too short nor the stride zero.
        self.series.len().saturating_sub(STEPS).checked_div(self.stride).unwrap_or(0) + 1
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut [E::Item; STEPS]) {
        let steps = self.series.get(index.saturating_mul(self.stride)..).unwrap_or_default();
        if steps.len() >= STEPS {
            for (step, to) in steps.iter().zip(to) {
                step.copy(to);
            }
        }
    }
}

/// Samples of `data` that are equally far apart, the first steps of a window of each stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apart<'a, X: ?Sized> {
    pub data: &'a X,
    pub first: usize,
    pub distance: usize,
    pub count: usize,
}

impl<T: Real, X: Samples<T> + ?Sized> Samples<T> for Apart<'_, X> {
    type Item = X::Item;
    const WEIGHTED: bool = X::WEIGHTED;
    const PADDED: bool = X::PADDED;

    #[inline(always)]
    fn count(&self) -> usize {
        self.count
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut X::Item) {
        self.data.copy(self.first + index * self.distance, to);
    }

    #[inline(always)]
    fn steps(&self, index: usize) -> usize {
        self.data.steps(self.first + index * self.distance)
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        self.data.weight(self.first + index * self.distance)
    }
}
