//! [`Quantization`]: from a network in floats to one in integers.

use super::calibrate::{Calibration, Histogram};
use super::layer::{Quantize, Range};
use super::network::{Quantized, QuantizedNetwork};
use super::report::QuantizationReport;
use super::scale::{QuantizedShape, Scale};
use crate::data::{Inputs, Samples};
use crate::error::{Error, check_finite, setting};
use crate::metrics::ClassTarget;
use crate::model::{Features, InputShape, Model, Network, Shape, Zeroed};
use alloc::vec::Vec;

/// How a network is quantized.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::quantization::{Calibration, QuantizationOptions};
///
/// let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(seeded(0));
/// let options = QuantizationOptions { calibration: Calibration::Percentile(99.9), ..QuantizationOptions::default() };
/// let quantized = network.quantize_with(&[[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]], &options)?;
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantizationOptions {
    /// How the ranges of the values between layers are chosen; those of the inputs are always what was seen.
    pub calibration: Calibration,
}

impl Default for QuantizationOptions {
    fn default() -> Self {
        QuantizationOptions { calibration: Calibration::MinMax }
    }
}

/// Post-training quantization: a method of every network of `f32`.
pub trait Quantization: Network {
    /// The network in integers of 8 bits, with ranges from the `samples`, some hundred that are like those to come: the
    /// training samples, or a part of them.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`] if there are none, [`Error::ConstantSamples`] if all are the same, [`Error::SampleNotFinite`],
    /// [`Error::WeightNotFinite`], and [`Error::LayerNotFinite`] if a layer's output is not finite.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(seeded(0));
    /// let quantized = network.quantize(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])?;
    /// let ([float], [integer]) = (network.predict_one(&[0.5, 1.0]), quantized.predict_one(&[0.5, 1.0]));
    /// assert!((float - integer).abs() < 0.02);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("convert", "TFLiteConverter"))]
    fn quantize<X>(&self, samples: &X) -> Result<QuantizedNetwork<Self>, Error>
    where
        Self: InputShape<Scalar = f32> + Quantize<<Self as InputShape>::In>,
        <Self as InputShape>::In: QuantizedShape,
        X: Inputs<f32, <Self as InputShape>::In> + ?Sized,
    {
        self.quantize_with(samples, &QuantizationOptions::default())
    }

    /// [`quantize`](Self::quantize) with options.
    ///
    /// # Errors
    ///
    /// Those of [`quantize`](Self::quantize), and [`Error::Setting`] if an option is out of its range.
    fn quantize_with<X>(&self, samples: &X, options: &QuantizationOptions) -> Result<QuantizedNetwork<Self>, Error>
    where
        Self: InputShape<Scalar = f32> + Quantize<<Self as InputShape>::In>,
        <Self as InputShape>::In: QuantizedShape,
        X: Inputs<f32, <Self as InputShape>::In> + ?Sized,
    {
        quantize(self, samples, options)
    }

    /// [`quantize_with`](Self::quantize_with), and an error if the accuracy for `inputs` and `targets` falls by more than
    /// `points`, percentage points: it names the layer to leave in `f32`.
    ///
    /// # Errors
    ///
    /// Those of [`quantize_with`](Self::quantize_with), those of [`QuantizationReport::of_classes`], and
    /// [`Error::QuantizedAccuracy`].
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::quantization::QuantizationOptions;
    ///
    /// let network = <(Dense<2, 8, Tanh>, Dense<8, 2, Softmax>)>::new(seeded(0));
    /// let (inputs, classes) = ([[0.0, 0.0], [0.2, 1.0], [1.0, 0.1]], [0usize, 1, 1]);
    /// let (quantized, report) = network.quantize_within(0.5, &inputs, (&inputs, &classes), &QuantizationOptions::default())?;
    /// assert_eq!(report.accuracy().map(|[float, integer]| float == integer), Some(true));
    /// # let _ = quantized;
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    fn quantize_within<X, V, Y, const OUT: usize>(
        &self,
        points: f64,
        samples: &X,
        (inputs, targets): (&V, &Y),
        options: &QuantizationOptions,
    ) -> Result<(QuantizedNetwork<Self>, QuantizationReport), Error>
    where
        Self: InputShape<Scalar = f32>
            + Quantize<<Self as InputShape>::In>
            + Model<<Self as InputShape>::In, f32, Out = Features<OUT>>,
        <Self as InputShape>::In: QuantizedShape,
        X: Inputs<f32, <Self as InputShape>::In> + ?Sized,
        V: Inputs<f32, <Self as InputShape>::In> + ?Sized,
        Y: Samples<f32, Item: ClassTarget<f32, OUT>> + ?Sized,
    {
        let quantized = self.quantize_with(samples, options)?;
        let report = QuantizationReport::of_classes(self, &quantized, inputs, targets)?;
        report.require(points)?;
        Ok((quantized, report))
    }
}

impl<N: Network> Quantization for N {}

fn quantize<N, X>(network: &N, samples: &X, options: &QuantizationOptions) -> Result<QuantizedNetwork<N>, Error>
where
    N: InputShape<Scalar = f32> + Quantize<<N as InputShape>::In>,
    N::In: QuantizedShape,
    X: Inputs<f32, N::In> + ?Sized,
{
    if let Calibration::Percentile(percent) = options.calibration {
        setting(percent > 50.0 && percent <= 100.0, "a percentile above 50 and at most 100", percent)?;
    }
    let input = range_of_inputs::<N, X>(samples)?;
    let mut observers = Vec::new();
    let (mut sample, mut x) = (Zeroed::ZEROED, Zeroed::ZEROED);
    for index in 0..samples.count() {
        samples.copy(index, &mut sample);
        N::In::set::<f32, 1>(&mut x, 0, &sample);
        let (mut layer, mut bad) = (0, None);
        network.observe(&x, &mut |values| {
            if layer == observers.len() {
                observers.push(Histogram::new());
            }
            if observers.get_mut(layer).is_some_and(|observer| !observer.see_range(values)) {
                bad.get_or_insert(layer);
            }
            layer += 1;
        });
        if bad.is_some() {
            // A weight that is not finite says more.
            network.quantized(input, &mut || Range { low: -1.0, high: 1.0 })?;
            return Err(Error::LayerNotFinite { sample: index });
        }
    }
    if options.calibration != Calibration::MinMax {
        for index in 0..samples.count() {
            samples.copy(index, &mut sample);
            N::In::set::<f32, 1>(&mut x, 0, &sample);
            let mut observers = observers.iter_mut();
            network.observe(&x, &mut |values| {
                if let Some(observer) = observers.next() {
                    observer.see_histogram(values);
                }
            });
        }
    }
    let mut ranges = observers.iter().map(|observer| observer.range(options.calibration));
    let layers = network.quantized(input, &mut || ranges.next().unwrap_or(Range { low: 0.0, high: 0.0 }))?;
    Ok(Quantized::from_parts(input, layers))
}

/// The scale for all inputs, which must be finite and not all the same.
fn range_of_inputs<N, X>(samples: &X) -> Result<Scale, Error>
where
    N: InputShape<Scalar = f32, In: QuantizedShape>,
    X: Inputs<f32, N::In> + ?Sized,
{
    samples.check()?;
    let (mut sample, mut first) = (Zeroed::ZEROED, Zeroed::ZEROED);
    let (mut observer, mut differ, count) = (Histogram::new(), false, samples.count());
    if count == 0 {
        return Err(Error::NoSamples);
    }
    samples.copy(0, &mut first);
    for index in 0..count {
        samples.copy(index, &mut sample);
        let values = N::In::elements(&sample);
        check_finite(index, values)?;
        if !observer.see_range(values) {
            let column = values.iter().position(|value| value.abs() >= f32::MAX / 2.0).unwrap_or(0);
            return Err(Error::RangeTooLarge { column });
        }
        differ |= values != N::In::elements(&first);
    }
    if !differ {
        return Err(Error::ConstantSamples { found: count });
    }
    Ok(Scale::of_range(observer.low, observer.high))
}
