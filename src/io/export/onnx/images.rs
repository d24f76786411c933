//! Layers of images in ONNX.

use super::graph::OnnxGraph;
use super::protobuf::{whole, wholes, word};
use crate::model::{Op, Windows};
use crate::num::Real;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

impl OnnxGraph {
    pub(super) fn images<T: Real>(&mut self, index: usize, part: &Op<T>) {
        match *part {
            Op::Convolution { windows, depth, transposed, weight, bias, function } => {
                let Windows { from, to, kernel, stride, padding, dilation } = windows;
                let taps = kernel[0] * kernel[1];
                // By channel of `to` and of `from`, then by row and column: in memory it is the other way round.
                let values = (0..to[0] * depth * taps).map(|place| {
                    let (channels, tap) = (place / taps, place % taps);
                    weight[(tap * depth + channels % depth) * to[0] + channels / depth]
                });
                let weight = self.tensor(format!("weight_{index}"), &[to[0], depth, kernel[0], kernel[1]], values);
                let bias = self.tensor(format!("bias_{index}"), &[bias.len()], bias.iter().copied());
                let mut attributes = window([kernel, stride, padding]);
                attributes.extend([
                    wholes("dilations", &dilation.map(|size| size as i64)),
                    whole("group", (from[0] / depth) as i64),
                ]);
                if transposed {
                    // What the output has beyond the positions of the kernel.
                    let more = |axis: usize| {
                        let reach = dilation[axis] * (kernel[axis] - 1) + 1;
                        (from[axis + 1] + 2 * padding[axis] - (to[axis + 1] - 1) * stride[axis] - reach) as i64
                    };
                    attributes.push(wholes("output_padding", &[more(0), more(1)]));
                }
                self.then(if transposed { "ConvTranspose" } else { "Conv" }, &[&weight, &bias], attributes);
                self.activate::<T>(function);
            }
            Op::MaximumPooling { windows: Windows { kernel, stride, padding, .. } } => {
                self.then("MaxPool", &[], window([kernel, stride, padding]));
            }
            Op::MeanPooling { windows: Windows { kernel, stride, padding, .. } } => {
                let mut attributes = window([kernel, stride, padding]);
                attributes.push(whole("count_include_pad", 1));
                self.then("AveragePool", &[], attributes);
            }
            Op::MeanOfPixels { .. } => {
                self.then("GlobalAveragePool", &[], Vec::new());
                self.then("Flatten", &[], vec![whole("axis", 1)]);
            }
            Op::NearestNeighbour { factor, .. } => {
                let factors = [1.0, 1.0, factor as f32, factor as f32];
                let scales = self.tensor(format!("scales_{index}"), &[4], factors.into_iter());
                let attributes = vec![
                    word("mode", "nearest"),
                    word("coordinate_transformation_mode", "asymmetric"),
                    word("nearest_mode", "floor"),
                ];
                self.then("Resize", &["", &scales], attributes);
            }
            Op::ImageToFeatures { .. } => self.then("Flatten", &[], vec![whole("axis", 1)]),
            Op::FeaturesToImage { to } => {
                let [channels, rows, columns] = to.map(|size| size as i64);
                let sizes = self.axes(&[-1, channels, rows, columns]);
                self.then("Reshape", &[&sizes], Vec::new());
            }
            // All else is not an image.
            _ => {}
        }
    }
}

/// The attributes of a window.
fn window(sizes: [[usize; 2]; 3]) -> Vec<super::protobuf::Message> {
    let [kernel, stride, [rows, columns]] = sizes.map(|pair| pair.map(|size| size as i64));
    vec![wholes("kernel_shape", &kernel), wholes("strides", &stride), wholes("pads", &[rows, columns, rows, columns])]
}
