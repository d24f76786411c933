//! Layers of sequences in ONNX, whose operators have the samples on the second axis, after the steps.

use super::graph::OnnxGraph;
use super::protobuf::{floats, whole, wholes, words};
use crate::activation::Function;
use crate::io::export::ExportError;
use crate::model::{Op, OverTime, RecurrentCell};
use crate::num::Real;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

impl OnnxGraph {
    pub(super) fn sequences<T: Real>(&mut self, index: usize, part: &Op<T>) -> Result<(), ExportError> {
        match *part {
            Op::Recurrent { .. } => self.recurrent(index, part)?,
            Op::CausalConvolution { inputs, outputs, taps, reach, weight, bias, function, .. } => {
                // By output, input and tap: in memory by input, tap and output.
                let values = (0..outputs * inputs * taps).map(|place| {
                    let (output, column) = (place / (inputs * taps), place % (inputs * taps));
                    weight[column * outputs + output]
                });
                let weight = self.tensor(format!("weight_{index}"), &[outputs, inputs, taps], values);
                let bias = self.tensor(format!("bias_{index}"), &[outputs], bias.iter().copied());
                let attributes = vec![
                    wholes("kernel_shape", &[taps as i64]),
                    wholes("pads", &[reach as i64, 0]),
                    wholes("dilations", &[if taps > 1 { (reach / (taps - 1)) as i64 } else { 1 }]),
                ];
                self.swap(&[0, 2, 1]);
                self.then("Conv", &[&weight, &bias], attributes);
                self.swap(&[0, 2, 1]);
                self.activate::<T>(function);
            }
            Op::DirectionsBegin { .. } => self.kept.push(self.now.clone()),
            Op::Reversed => {
                if let Some(sequence) = self.kept.pop() {
                    self.kept.push(core::mem::replace(&mut self.now, sequence));
                }
                self.reverse();
            }
            Op::DirectionsEnd { .. } => {
                self.reverse();
                if let Some(forward) = self.kept.pop() {
                    let reverse = core::mem::take(&mut self.now);
                    self.now = self.node("Concat", &[&forward, &reverse], vec![whole("axis", 2)]);
                }
            }
            Op::StepsBegin { steps, inputs } => {
                // Each step is a sample.
                let around = if self.any_steps {
                    let now = self.now.clone();
                    self.node("Shape", &[&now], vec![whole("start", 0), whole("end", 2)])
                } else {
                    self.axes(&[-1, steps as i64])
                };
                self.kept.push(around);
                let sizes = self.axes(&[-1, inputs as i64]);
                self.then("Reshape", &[&sizes], Vec::new());
            }
            Op::StepsEnd { outputs } => {
                if let Some(around) = self.kept.pop() {
                    let size = self.axes(&[outputs as i64]);
                    let sizes = self.node("Concat", &[&around, &size], vec![whole("axis", 0)]);
                    self.then("Reshape", &[&sizes], Vec::new());
                }
            }
            Op::OverTime { kind, .. } => match kind {
                OverTime::LastStep => {
                    let last = self.integers(&[], &[-1]);
                    self.then("Gather", &[&last], vec![whole("axis", 1)]);
                }
                OverTime::MeanOfSteps => self.then("ReduceMean", &[], vec![wholes("axes", &[1]), whole("keepdims", 0)]),
                OverTime::LargestOfSteps => {
                    self.then("ReduceMax", &[], vec![wholes("axes", &[1]), whole("keepdims", 0)]);
                }
            },
            // All else is not a sequence.
            _ => {}
        }
        Ok(())
    }

    /// Exchanges axes.
    fn swap(&mut self, axes: &[i64]) {
        self.then("Transpose", &[], vec![wholes("perm", axes)]);
    }

    /// The steps from the last to the first.
    fn reverse(&mut self) {
        let [starts, ends, axes, steps] = [-1, i64::MIN + 1, 1, -1].map(|value| self.axes(&[value]));
        self.then("Slice", &[&starts, &ends, &axes, &steps], Vec::new());
    }

    fn recurrent<T: Real>(&mut self, index: usize, part: &Op<T>) -> Result<(), ExportError> {
        let Op::Recurrent { inputs, units, cell, weight_ih, weight_hh, bias_ih, bias_hh, .. } = *part else {
            return Ok(());
        };
        let mut attributes = vec![whole("hidden_size", units as i64)];
        // The gates in the order of ONNX.
        let (operator, order): (_, &[usize]) = match cell {
            RecurrentCell::Elman(function) => {
                let (name, parameters): (_, &[f64]) = match function.0 {
                    Function::Tanh => ("Tanh", &[]),
                    Function::Relu => ("Relu", &[]),
                    Function::Sigmoid => ("Sigmoid", &[]),
                    Function::Softplus => ("Softplus", &[]),
                    Function::Softsign => ("Softsign", &[]),
                    Function::Elu => ("Elu", &[1.0]),
                    Function::LeakyRelu { percent } => ("LeakyRelu", &[f64::from(percent) / 100.0]),
                    Function::HardSigmoid => ("HardSigmoid", &[1.0 / 6.0, 0.5]),
                    Function::Identity => ("Affine", &[1.0, 0.0]),
                    Function::Selu | Function::Gelu | Function::Silu | Function::Softmax => {
                        let what = "an `Rnn` whose activation is none of its RNN's, such as `Tanh` or `Relu`";
                        return Err(ExportError::Format { format: "ONNX", what });
                    }
                };
                attributes.push(words("activations", &[name]));
                if let Some(alpha) = parameters.first() {
                    attributes.push(floats("activation_alpha", &[*alpha]));
                }
                if let Some(beta) = parameters.get(1) {
                    attributes.push(floats("activation_beta", &[*beta]));
                }
                ("RNN", &[0])
            }
            RecurrentCell::Gated { reset_after } => {
                attributes.push(whole("linear_before_reset", i64::from(reset_after)));
                ("GRU", &[1, 0, 2])
            }
            RecurrentCell::LongShortTerm => ("LSTM", &[0, 3, 1, 2]),
        };
        let gates = order.len();
        // Row by row, gate by gate.
        let rows = |weight: &[T], columns: usize| -> Vec<T> {
            let rows = order.iter().flat_map(|gate| gate * units..(gate + 1) * units);
            rows.flat_map(|row| (0..columns).map(move |column| column * gates * units + row))
                .map(|at| weight[at])
                .collect()
        };
        let bias: Vec<T> = [rows(bias_ih, 1), rows(bias_hh, 1)].concat();
        let weights = [("weight", rows(weight_ih, inputs), inputs), ("recurrent", rows(weight_hh, units), units)];
        let [weight, recurrent] = weights.map(|(name, values, columns)| {
            self.tensor(format!("{name}_{index}"), &[1, gates * units, columns], values.into_iter())
        });
        let bias = self.tensor(format!("bias_{index}"), &[1, 2 * gates * units], bias.into_iter());
        self.swap(&[1, 0, 2]);
        self.then(operator, &[&weight, &recurrent, &bias], attributes);
        // There is an axis for the directions, of which there is one.
        let axis = self.axes(&[1]);
        self.then("Squeeze", &[&axis], Vec::new());
        self.swap(&[1, 0, 2]);
        Ok(())
    }
}
