//! The ranges of the values between layers, from samples.

use super::layer::Range;
use super::scale::Scale;
use alloc::vec;
use alloc::vec::Vec;

/// How the range of the values between two layers is chosen from those that the samples give: values beyond are clipped.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias("observer", "MinMaxObserver", "HistogramObserver", "calibration"))]
pub enum Calibration {
    /// All values that were seen are in the range. PyTorch equivalent: `MinMaxObserver`.
    MinMax,
    /// So many per cent of the values are in the range, at either end: 99.99 leaves out one in 10,000 on each side. Between 50
    /// and 100.
    Percentile(f32),
    /// The range with the least mean squared error of what is rounded and clipped. PyTorch equivalent: `HistogramObserver`.
    LeastError,
}

/// What is kept of the values at one place between two layers.
pub(super) struct Histogram {
    pub low: f32,
    pub high: f32,
    bins: Vec<u64>,
}

/// How many bins a range is divided into, 16 for each step of 8 bits.
const BINS: usize = 4096;

impl Histogram {
    pub fn new() -> Self {
        Histogram { low: 0.0, high: 0.0, bins: Vec::new() }
    }

    /// The first look: the least and the largest value. Returns whether all values are finite.
    pub fn see_range(&mut self, values: &[f32]) -> bool {
        for &value in values {
            self.low = self.low.min(value);
            self.high = self.high.max(value);
        }
        values.iter().all(|value| value.is_finite()) && (self.high - self.low).is_finite()
    }

    /// The second look: how many values there are of each size.
    pub fn see_histogram(&mut self, values: &[f32]) {
        if self.bins.is_empty() {
            self.bins = vec![0; BINS];
        }
        let width = self.width();
        for value in values {
            let bin = ((value - self.low) / width) as usize;
            if let Some(count) = self.bins.get_mut(bin.min(BINS - 1)) {
                *count += 1;
            }
        }
    }

    fn width(&self) -> f32 {
        (self.high - self.low).max(f32::MIN_POSITIVE) / BINS as f32
    }

    /// The middle of each bin that has values, and how many.
    fn filled(&self) -> impl Iterator<Item = (f32, u64)> + Clone {
        let (low, width) = (self.low, self.width());
        let bins = self.bins.iter().enumerate().filter(|&(_, &count)| count > 0);
        bins.map(move |(bin, &count)| (low + width * (bin as f32 + 0.5), count))
    }

    /// The range that the calibration chooses.
    pub fn range(&self, calibration: Calibration) -> Range {
        match calibration {
            Calibration::MinMax => Range { low: self.low, high: self.high },
            Calibration::Percentile(percent) => self.percentile(percent),
            Calibration::LeastError => self.least_error(),
        }
    }

    fn percentile(&self, percent: f32) -> Range {
        let total: u64 = self.bins.iter().sum();
        let outside = (total as f64 * (1.0 - f64::from(percent) / 100.0)) as u64;
        let end = |values: &mut dyn Iterator<Item = (f32, u64)>, last: f32| {
            let mut left = 0;
            for (value, count) in values {
                left += count;
                if left > outside {
                    return if left == count { last } else { value };
                }
            }
            last
        };
        let filled: Vec<(f32, u64)> = self.filled().collect();
        let low = end(&mut filled.iter().copied(), self.low);
        let high = end(&mut filled.iter().rev().copied(), self.high);
        Range { low, high }
    }

    /// One end after the other is drawn in, as long as the error falls.
    fn least_error(&self) -> Range {
        const STEPS: usize = 100;
        let (mut low, mut high) = (self.low, self.high);
        for _ in 0..2 {
            for which in [0, 1] {
                let mut best = (f64::INFINITY, 1.0);
                for step in (STEPS / 5..=STEPS).rev() {
                    let share = step as f32 / STEPS as f32;
                    let (low, high) = if which == 0 { (low, self.high * share) } else { (self.low * share, high) };
                    let error = self.error(Scale::of_range(low, high));
                    if error < best.0 {
                        best = (error, share);
                    }
                }
                if which == 0 {
                    high = self.high * best.1;
                } else {
                    low = self.low * best.1;
                }
            }
        }
        Range { low, high }
    }

    /// The sum of the squared differences that a scale makes.
    fn error(&self, scale: Scale) -> f64 {
        let errors = self.filled().map(|(value, count)| {
            let error = f64::from(scale.real(scale.quantize(value)) - value);
            error * error * count as f64
        });
        errors.sum()
    }
}
