//! [`QuantizationReport`]: what quantization costs, layer by layer.

use super::layer::{Precision, Quantize, Trial};
use super::network::QuantizedNetwork;
use super::scale::{QuantizedShape, Scale};
use crate::data::{Inputs, Samples, check_data};
use crate::error::{Error, Found, Short, TargetError};
use crate::metrics::{ClassTarget, class_of};
use crate::model::network::infer_one;
use crate::model::{Batch, Features, InputShape, Model, Shape, Zeroed};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// What quantization costs at one layer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerReport {
    /// The layer's type, with full module paths.
    pub name: &'static str,
    /// The least and the largest output that its integers stand for.
    pub range: (f32, f32),
    /// The share of the outputs that are outside of it, and clipped.
    pub clipped: f64,
    /// The mean error of an output, if the layer's inputs are exact and then rounded.
    pub mean_error: f64,
    /// The largest.
    pub largest_error: f64,
    /// The mean error of the network's outputs if this layer alone is in integers.
    pub output_error: f64,
    /// The accuracy if this layer alone is in integers; `None` without classes.
    pub accuracy: Option<f64>,
}

/// What quantization costs: accuracy of both networks, and for each layer its range, the share of clipped values, the error
/// that it adds, and the accuracy if it alone is in integers. As a table, by `Display`.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::quantization::QuantizationReport;
///
/// let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Identity>)>::new(seeded(0));
/// let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let quantized = network.quantize(&inputs)?;
/// let report = QuantizationReport::of(&network, &quantized, &inputs)?;
/// assert!(report.layers().len() == 2 && report.mean_error() < 0.02);
/// println!("{report}");
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizationReport {
    layers: Vec<LayerReport>,
    mean_error: f64,
    largest_error: f64,
    accuracy: Option<[f64; 2]>,
}

impl QuantizationReport {
    /// Compares the outputs of both networks for these inputs.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`], and what [`Samples::check`] returns.
    pub fn of<N, X>(network: &N, quantized: &QuantizedNetwork<N>, inputs: &X) -> Result<Self, Error>
    where
        N: InputShape<Scalar = f32> + Quantize<<N as InputShape>::In>,
        N::In: QuantizedShape,
        X: Inputs<f32, N::In> + ?Sized,
    {
        inputs.check()?;
        if inputs.count() == 0 {
            return Err(Error::NoSamples);
        }
        Ok(Self::new(network, quantized, inputs, None))
    }

    /// The same, with accuracies.
    ///
    /// # Errors
    ///
    /// [`Error::NoSamples`], [`Error::Lengths`] if there are not as many targets as inputs, and [`Error::Target`] for a class
    /// that the network does not have.
    pub fn of_classes<N, X, Y, const OUT: usize>(
        network: &N,
        quantized: &QuantizedNetwork<N>,
        inputs: &X,
        targets: &Y,
    ) -> Result<Self, Error>
    where
        N: InputShape<Scalar = f32>
            + Quantize<<N as InputShape>::In>
            + Model<<N as InputShape>::In, f32, Out = Features<OUT>>,
        N::In: QuantizedShape,
        X: Inputs<f32, N::In> + ?Sized,
        Y: Samples<f32, Item: ClassTarget<f32, OUT>> + ?Sized,
    {
        let (count, classes) = (check_data(inputs, targets)?, OUT.max(2));
        let (mut target, mut expected) = (Zeroed::ZEROED, Vec::new());
        for sample in 0..count {
            targets.copy(sample, &mut target);
            let found = Y::Item::class(&target);
            if found >= classes {
                return Err(Error::Target { sample, problem: TargetError::Class { found, classes } });
            }
            expected.push(found);
        }
        Ok(Self::new(network, quantized, inputs, Some(&expected)))
    }

    fn new<N, X>(network: &N, quantized: &QuantizedNetwork<N>, inputs: &X, classes: Option<&[usize]>) -> Self
    where
        N: InputShape<Scalar = f32> + Quantize<<N as InputShape>::In>,
        N::In: QuantizedShape,
        X: Inputs<f32, N::In> + ?Sized,
    {
        let (layers, input) = (quantized.layers(), quantized.input());
        let mut records = Records::default();
        let (mut float, mut integer) = (Outputs::default(), Outputs::default());
        let mut alone: Vec<Outputs> = Vec::new();
        let (mut sample, mut x) = (Zeroed::ZEROED, Zeroed::ZEROED);
        for index in 0..inputs.count() {
            inputs.copy(index, &mut sample);
            N::In::set::<f32, 1>(&mut x, 0, &sample);
            records.next = 0;
            network.compare(layers, input, &x, &mut records);
            let exact = infer_one::<N::In, f32, N>(network, &sample, usize::MAX);
            let exact = <N::Out as Shape>::as_slice(&exact);
            let class = classes.and_then(|classes| classes.get(index).copied());
            float.add(exact, exact, class);
            let y = infer_one::<N::In, f32, QuantizedNetwork<N>>(quantized, &sample, usize::MAX);
            integer.add(exact, <N::Out as Shape>::as_slice(&y), class);
            alone.resize_with(records.layers.len(), Outputs::default);
            for (which, outputs) in alone.iter_mut().enumerate() {
                let y: Batch<N::Out, f32, 1> = network.compare(layers, input, &x, &mut Only { which, next: 0 });
                outputs.add(exact, <N::Out as Shape>::as_slice(&y), class);
            }
        }
        let layers = records.layers.into_iter().zip(&alone).map(|(record, outputs)| LayerReport {
            output_error: outputs.mean_error(),
            accuracy: classes.map(|_| outputs.accuracy()),
            ..record.report()
        });
        QuantizationReport {
            layers: layers.collect(),
            mean_error: integer.mean_error(),
            largest_error: integer.largest,
            accuracy: classes.map(|_| [float.accuracy(), integer.accuracy()]),
        }
    }

    /// What it costs at each layer, in the order of the layers.
    #[must_use]
    pub fn layers(&self) -> &[LayerReport] {
        &self.layers
    }

    /// The mean difference of the outputs of both networks.
    #[must_use]
    pub fn mean_error(&self) -> f64 {
        self.mean_error
    }

    /// The largest difference of the outputs of both networks.
    #[must_use]
    pub fn largest_error(&self) -> f64 {
        self.largest_error
    }

    /// The accuracy of the network in floats and in integers; `None` without classes.
    #[must_use]
    pub fn accuracy(&self) -> Option<[f64; 2]> {
        self.accuracy
    }

    /// The layer to leave in `f32` first: the one that costs the most accuracy alone, or among equals the one that changes the
    /// outputs the most.
    #[must_use]
    pub fn worst(&self) -> Option<&LayerReport> {
        self.layers.iter().min_by(|a, b| {
            let accuracy = |layer: &LayerReport| layer.accuracy.unwrap_or(0.0);
            accuracy(a).total_cmp(&accuracy(b)).then(b.output_error.total_cmp(&a.output_error))
        })
    }

    /// Fails if the accuracy has fallen by more than so many percentage points.
    ///
    /// # Errors
    ///
    /// [`Error::QuantizedAccuracy`], which names the [worst](Self::worst) layer.
    pub fn require(&self, points: f64) -> Result<(), Error> {
        let Some([float, integer]) = self.accuracy else { return Ok(()) };
        // Not by a hair's breadth of rounding.
        if 100.0 * (float - integer) <= points + 1e-9 {
            return Ok(());
        }
        let layer = self.worst().map_or("", |layer| layer.name);
        Err(Error::QuantizedAccuracy {
            float: Found::value(float),
            quantized: Found::value(integer),
            points: Found::value(points),
            layer,
        })
    }
}

/// Sums over the outputs of a network.
#[derive(Default)]
struct Outputs {
    error: f64,
    largest: f64,
    values: usize,
    right: usize,
    samples: usize,
}

impl Outputs {
    fn add(&mut self, exact: &[f32], found: &[f32], class: Option<usize>) {
        for (exact, found) in exact.iter().zip(found) {
            let error = f64::from((exact - found).abs());
            self.error += error;
            self.largest = self.largest.max(error);
        }
        self.values += exact.len();
        self.samples += 1;
        self.right += usize::from(class == Some(class_of(found)));
    }

    fn mean_error(&self) -> f64 {
        self.error / self.values.max(1) as f64
    }

    fn accuracy(&self) -> f64 {
        self.right as f64 / self.samples.max(1) as f64
    }
}

/// Computes one layer in integers.
struct Only {
    which: usize,
    next: usize,
}

impl Trial for Only {
    fn next(&mut self) -> Precision {
        self.next += 1;
        if self.next == self.which + 1 { Precision::Integers } else { Precision::Float }
    }

    fn record(&mut self, _: &'static str, _: Scale, _: &[f32], _: &[i8]) {}
}

/// Compares all layers, each with exact inputs.
#[derive(Default)]
struct Records {
    layers: Vec<Record>,
    next: usize,
}

struct Record {
    name: &'static str,
    scale: Scale,
    clipped: usize,
    outputs: Outputs,
}

impl Record {
    fn report(&self) -> LayerReport {
        LayerReport {
            name: self.name,
            range: self.scale.range(),
            clipped: self.clipped as f64 / self.outputs.values.max(1) as f64,
            mean_error: self.outputs.mean_error(),
            largest_error: self.outputs.largest,
            output_error: 0.0,
            accuracy: None,
        }
    }
}

impl Trial for Records {
    fn next(&mut self) -> Precision {
        Precision::Both
    }

    fn record(&mut self, name: &'static str, scale: Scale, floats: &[f32], integers: &[i8]) {
        if self.next == self.layers.len() {
            self.layers.push(Record { name, scale, clipped: 0, outputs: Outputs::default() });
        }
        if let Some(layer) = self.layers.get_mut(self.next) {
            let real: Vec<f32> = integers.iter().map(|&integer| scale.real(integer)).collect();
            let (low, high) = scale.range();
            // Less than half a step beyond is rounded, and not clipped.
            let margin = 0.5 * scale.scale * 1.001;
            layer.clipped += floats.iter().filter(|&&x| x < low - margin || x > high + margin).count();
            layer.outputs.add(floats, &real, None);
        }
        self.next += 1;
    }
}

impl fmt::Display for QuantizationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![
            ["layer", "range", "clipped", "mean error", "largest error", "alone: output error", "accuracy"]
                .map(String::from),
        ];
        for layer in &self.layers {
            rows.push([
                format!("{}", Short(layer.name)),
                format!("{:.4} to {:.4}", layer.range.0, layer.range.1),
                format!("{:.2} %", 100.0 * layer.clipped),
                format!("{:.5}", layer.mean_error),
                format!("{:.5}", layer.largest_error),
                format!("{:.5}", layer.output_error),
                layer.accuracy.map_or(String::new(), |accuracy| format!("{accuracy:.4}")),
            ]);
        }
        let widths: [usize; 7] =
            core::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        for row in &rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                line += &if column == 0 { format!("{cell:width$}") } else { format!("  {cell:>width$}") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(f, "outputs: mean error {:.5}, largest {:.5}", self.mean_error, self.largest_error)?;
        if let Some([float, integer]) = self.accuracy {
            write!(f, "\naccuracy: {float:.4} in floats, {integer:.4} in integers")?;
        }
        if let Some(worst) = self.worst() {
            write!(f, "\nto leave in f32 first: {}", Short(worst.name))?;
        }
        Ok(())
    }
}
