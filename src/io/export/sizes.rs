//! Whether the sizes in a graph fit together: layers of a user's own say what they compute in
//! [`Layer::operations`](crate::model::Layer::operations), and may say something wrong.

use super::ExportError;
use crate::model::{Op, RecurrentCell, Windows};
use alloc::vec::Vec;

/// A layer around others.
enum Around {
    Chain,
    Residual { size: usize },
    Steps { steps: usize },
    Directions { steps: usize, size: usize, forward: Option<usize> },
}

/// Where the next operation is.
struct Sizes {
    /// The index of the operation.
    index: usize,
    /// How many values there are now.
    size: usize,
    around: Vec<Around>,
}

/// Fails unless each operation takes what comes out of the one before it, and has as many weights as it says.
pub(super) fn check<T>(parts: &[Op<T>], inputs: usize, outputs: usize) -> Result<(), ExportError> {
    let mut sizes = Sizes { index: 0, size: inputs, around: Vec::new() };
    for (index, part) in parts.iter().enumerate() {
        sizes.index = index;
        sizes.part(part)?;
    }
    sizes.same("layers that have begun and not ended", 0, sizes.around.len())?;
    sizes.same("outputs", outputs, sizes.size)
}

impl Sizes {
    fn same(&self, what: &'static str, expected: usize, found: usize) -> Result<(), ExportError> {
        if expected == found {
            return Ok(());
        }
        Err(ExportError::Operation { index: self.index, what, expected, found })
    }

    /// From so many values to so many.
    fn go(&mut self, from: usize, to: usize) -> Result<(), ExportError> {
        self.same("inputs", self.size, from)?;
        self.size = to;
        Ok(())
    }

    fn windows(&self, Windows { from, to, kernel, stride, padding, dilation }: Windows) -> Result<(), ExportError> {
        for axis in [0, 1] {
            let reach = kernel[axis].checked_sub(1).map(|taps| taps * dilation[axis] + 1);
            let positions = reach
                .and_then(|reach| (from[axis + 1] + 2 * padding[axis]).checked_sub(reach)?.checked_div(stride[axis]))
                .map_or(0, |steps| steps + 1);
            self.same("positions of the window", positions, to[axis + 1])?;
        }
        Ok(())
    }

    fn part<T>(&mut self, part: &Op<T>) -> Result<(), ExportError> {
        match *part {
            Op::Linear { inputs, outputs, weight, bias, .. } => {
                self.same("weights", inputs * outputs, weight.len())?;
                self.same("biases", outputs, bias.len())?;
                self.go(inputs, outputs)
            }
            Op::Apply { size, .. } | Op::InvertedDropout { size, .. } => self.go(size, size),
            Op::Source { dimensions } => self.go(dimensions.iter().product(), self.size),
            Op::BatchNormalization { weight, bias, mean, variance, pixels, .. } => {
                for values in [bias, mean, variance] {
                    self.same("values for each feature", weight.len(), values.len())?;
                }
                self.go(weight.len() * pixels, self.size)
            }
            Op::LayerNormalization { weight, bias, .. } => {
                self.same("biases", weight.len(), bias.len())?;
                self.go(weight.len(), self.size)
            }
            Op::Convolution { windows, depth, transposed, weight, bias, .. } => {
                let Windows { from, to, kernel, .. } = windows;
                let groups = from[0].checked_div(depth).unwrap_or(0);
                self.same("channels in groups", from[0], groups * depth)?;
                self.same("output channels in groups", 0, to[0].checked_rem(groups).unwrap_or(1))?;
                self.windows(windows)?;
                self.same("weights", kernel[0] * kernel[1] * depth * to[0], weight.len())?;
                let (input, output) = if transposed { (to, from) } else { (from, to) };
                self.same("biases", output[0], bias.len())?;
                self.go(input.iter().product(), output.iter().product())
            }
            Op::MaximumPooling { windows } | Op::MeanPooling { windows } => {
                self.windows(windows)?;
                self.same("channels", windows.from[0], windows.to[0])?;
                self.go(windows.from.iter().product(), windows.to.iter().product())
            }
            Op::MeanOfPixels { from } => self.go(from.iter().product(), from[0]),
            Op::NearestNeighbour { from, factor } => {
                let size = from.iter().product();
                self.go(size, size * factor * factor)
            }
            Op::ImageToFeatures { from: sizes } | Op::FeaturesToImage { to: sizes } => {
                self.go(sizes.iter().product(), self.size)
            }
            Op::Recurrent { .. } | Op::CausalConvolution { .. } | Op::OverTime { .. } => self.over_time(part),
            Op::Unknown { .. } => Ok(()),
            _ => self.around(part),
        }
    }

    fn over_time<T>(&mut self, part: &Op<T>) -> Result<(), ExportError> {
        match *part {
            Op::Recurrent { steps, inputs, units, cell, weight_ih, weight_hh, bias_ih, bias_hh } => {
                let rows = RecurrentCell::gates(cell) * units;
                self.same("weights by the inputs", rows * inputs, weight_ih.len())?;
                self.same("weights by the state", rows * units, weight_hh.len())?;
                for bias in [bias_ih, bias_hh] {
                    self.same("biases", rows, bias.len())?;
                }
                self.go(steps * inputs, steps * units)
            }
            Op::CausalConvolution { steps, inputs, outputs, taps, reach, weight, bias, .. } => {
                self.same("weights", inputs * outputs * taps, weight.len())?;
                self.same("biases", outputs, bias.len())?;
                let distance = reach.checked_div(taps.saturating_sub(1)).unwrap_or(0);
                self.same("steps back", distance * taps.saturating_sub(1), reach)?;
                self.go(steps * inputs, steps * outputs)
            }
            Op::OverTime { steps, size, .. } => {
                self.same("steps", steps.max(1), steps)?;
                self.go(steps * size, size)
            }
            _ => Ok(()),
        }
    }

    /// The begin or the end of a layer around others.
    fn around<T>(&mut self, part: &Op<T>) -> Result<(), ExportError> {
        match *part {
            Op::ChainBegins => self.around.push(Around::Chain),
            Op::ResidualBegins { size } => {
                self.go(size, size)?;
                self.around.push(Around::Residual { size });
            }
            Op::StepsBegin { steps, inputs } => {
                self.same("steps", steps.max(1), steps)?;
                self.go(steps * inputs, inputs)?;
                self.around.push(Around::Steps { steps });
            }
            Op::DirectionsBegin { steps, inputs } => {
                self.same("steps", steps.max(1), steps)?;
                self.go(steps * inputs, steps * inputs)?;
                self.around.push(Around::Directions { steps, size: steps * inputs, forward: None });
            }
            Op::Reversed => match self.around.last_mut() {
                Some(Around::Directions { size, forward: forward @ None, .. }) => {
                    *forward = Some(core::mem::replace(&mut self.size, *size));
                }
                _ => return self.same("begins of a layer of two directions", 1, 0),
            },
            _ => {
                return match (self.around.pop(), part) {
                    (Some(Around::Chain), Op::ChainEnds) => Ok(()),
                    (Some(Around::Residual { size }), Op::ResidualEnds) => self.go(size, size),
                    (Some(Around::Steps { steps }), Op::StepsEnd { outputs }) => self.go(*outputs, steps * outputs),
                    (Some(Around::Directions { steps, forward: Some(forward), .. }), Op::DirectionsEnd { outputs }) => {
                        self.same("outputs of both directions", 2 * forward, steps * outputs)?;
                        self.go(forward, steps * outputs)
                    }
                    _ => self.same("begins of this layer", 1, 0),
                };
            }
        }
        Ok(())
    }
}
