//! Whether all of a graph is known and finite.

use super::{ExportError, lines};
use crate::model::Op;
use crate::model::summary::Short;
use crate::num::Real;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// A part of the path to a layer's field.
enum Segment {
    /// The index of an element of a tuple.
    Element(usize),
    /// The name of a layer's only field, or of one of two.
    Field(&'static str),
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Element(index) => write!(f, ".{index}"),
            Segment::Field(name) => write!(f, ".{name}"),
        }
    }
}

/// Where the next layer is.
struct Path(Vec<Segment>);

impl Path {
    fn of(&self, name: &str) -> String {
        let segments: String = self.0.iter().map(|segment| segment.to_string()).collect();
        format!("network{segments}.{name}")
    }

    fn finite<T: Real>(&self, name: &str, values: &[T], rows: usize) -> Result<(), ExportError> {
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(at) => Err(ExportError::Weight {
                place: self.of(name),
                row: at % rows,
                column: at / rows,
                found: format!("{:?}", values[at]),
            }),
        }
    }

    /// The end of a layer.
    fn next(&mut self) {
        if let Some(Segment::Element(index)) = self.0.last_mut() {
            *index += 1;
        }
    }
}

/// Fails unless all operations are known.
pub(super) fn known<T>(parts: &[Op<T>]) -> Result<(), ExportError> {
    let unknown = |part: &Op<T>| if let Op::Unknown { name } = *part { Some(name) } else { None };
    match parts.iter().find_map(unknown) {
        Some(name) => Err(ExportError::Unknown { name: Short(name).to_string() }),
        None => Ok(()),
    }
}

/// Fails unless all values are finite.
pub(super) fn finite<T: Real>(parts: &[Op<T>]) -> Result<(), ExportError> {
    let mut path = Path(Vec::new());
    for part in parts {
        match *part {
            Op::Linear { outputs, weight, bias, .. } | Op::CausalConvolution { outputs, weight, bias, .. } => {
                path.finite("weight", weight, outputs)?;
                path.finite("bias", bias, outputs)?;
            }
            Op::Convolution { windows, weight, bias, .. } => {
                path.finite("weight", weight, windows.to[0])?;
                path.finite("bias", bias, bias.len())?;
            }
            Op::Recurrent { units, cell, weight_ih, weight_hh, bias_ih, bias_hh, .. } => {
                let values = [weight_ih, weight_hh, bias_ih, bias_hh];
                for (name, values) in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].into_iter().zip(values) {
                    path.finite(name, values, cell.gates() * units)?;
                }
            }
            Op::BatchNormalization { weight, bias, mean, variance, epsilon, .. } => {
                for (name, values) in
                    [("weight", weight), ("bias", bias), ("running_mean", mean), ("running_variance", variance)]
                {
                    path.finite(name, values, values.len())?;
                }
                let [scale, shift] = lines(weight, bias, mean, variance, epsilon);
                path.finite("scale", &scale, scale.len())?;
                path.finite("shift", &shift, shift.len())?;
            }
            Op::LayerNormalization { epsilon_nanos: 0, .. } => {
                return Err(ExportError::Epsilon { place: path.of("epsilon") });
            }
            Op::LayerNormalization { weight, bias, .. } => {
                path.finite("weight", weight, weight.len())?;
                path.finite("bias", bias, bias.len())?;
            }
            Op::ChainBegins => {
                path.0.push(Segment::Element(0));
                continue;
            }
            Op::ResidualBegins { .. } | Op::StepsBegin { .. } => {
                path.0.push(Segment::Field("0"));
                continue;
            }
            Op::DirectionsBegin { .. } => {
                path.0.push(Segment::Field("forward"));
                continue;
            }
            Op::Reversed => {
                path.0.pop();
                path.0.push(Segment::Field("reverse"));
                continue;
            }
            Op::ChainEnds | Op::ResidualEnds | Op::StepsEnd { .. } | Op::DirectionsEnd { .. } => {
                path.0.pop();
            }
            Op::Source { .. }
            | Op::Apply { .. }
            | Op::InvertedDropout { .. }
            | Op::MaximumPooling { .. }
            | Op::MeanPooling { .. }
            | Op::MeanOfPixels { .. }
            | Op::NearestNeighbour { .. }
            | Op::ImageToFeatures { .. }
            | Op::FeaturesToImage { .. }
            | Op::OverTime { .. }
            | Op::Unknown { .. } => {}
        }
        path.next();
    }
    Ok(())
}
