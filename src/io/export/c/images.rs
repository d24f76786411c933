//! Layers of images in C.

use super::program::Program;
use crate::model::{Op, Windows};
use crate::num::Real;
use alloc::format;

impl Program<'_> {
    pub(super) fn images<T: Real>(&mut self, index: usize, part: &Op<T>) {
        let name = self.name;
        match *part {
            Op::Convolution { windows, depth, transposed, weight, bias, function } => {
                self.windows(index, windows);
                let taps = windows.kernel[0] * windows.kernel[1];
                // By channel of `to` and of `from`, then by row and column: in memory it is the other way round.
                let values = (0..windows.to[0] * depth * taps).map(|place| {
                    let (channels, tap) = (place / taps, place % taps);
                    weight[(tap * depth + channels % depth) * windows.to[0] + channels / depth]
                });
                self.table("weight", index, weight.len(), values);
                self.table("bias", index, bias.len(), bias.iter().copied());
                let size = if transposed { windows.from } else { windows.to }.iter().product();
                let (from, to) = self.go_to(size);
                let tables = format!("{name}_weight_{index}, {name}_bias_{index}, {from}, {to}");
                if transposed {
                    self.needs.insert("transposed");
                    self.line(&format!("{name}_transposed(&{name}_windows_{index}, {tables});"));
                } else {
                    self.needs.insert("convolution");
                    self.line(&format!("{name}_convolution(&{name}_windows_{index}, {depth}, {tables});"));
                }
                self.activate::<T>(function);
            }
            Op::MaximumPooling { windows } => self.pool(index, windows, "max_pool"),
            Op::MeanPooling { windows } => self.pool(index, windows, "average_pool"),
            Op::MeanOfPixels { from: [channels, rows, columns] } => {
                self.needs.insert("mean_of_pixels");
                let (from, to) = self.go_to(channels);
                self.line(&format!("{name}_mean_of_pixels({channels}, {}, {from}, {to});", rows * columns));
            }
            Op::NearestNeighbour { from: [channels, rows, columns], factor } => {
                self.needs.insert("upsample");
                let (from, to) = self.go_to(channels * rows * columns * factor * factor);
                self.line(&format!("{name}_upsample({}, {columns}, {factor}, {from}, {to});", channels * rows));
            }
            // All else is not an image.
            _ => {}
        }
    }

    fn pool(&mut self, index: usize, windows: Windows, function: &'static str) {
        let name = self.name;
        self.windows(index, windows);
        self.needs.insert(function);
        let (from, to) = self.go_to(windows.to.iter().product());
        self.line(&format!("{name}_{function}(&{name}_windows_{index}, {from}, {to});"));
    }

    /// The constant that says how a window moves.
    fn windows(&mut self, index: usize, windows: Windows) {
        let (name, Windows { from, to, kernel, stride, padding, dilation }) = (self.name, windows);
        let sizes = |[channels, rows, columns]: [usize; 3]| format!("{{{channels}, {rows}, {columns}}}");
        let (from, to) = (sizes(from), sizes(to));
        let [kernel, stride, padding, dilation] =
            [kernel, stride, padding, dilation].map(|[rows, columns]| format!("{{{rows}, {columns}}}"));
        self.windows += &format!(
            "static const struct {name}_windows {name}_windows_{index} = {{\n    {from}, {to}, {kernel}, {stride}, {padding}, \
             {dilation}\n}};\n\n"
        );
    }
}
