//! [`Geometry`]: the sizes of a convolution or pooling, and which input each tap of a window reads.

use core::ops::Range;

/// The sizes of a convolution. In pairs: rows, columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The capacity of the micro-batch.
    pub batch: usize,
    /// The input's channels.
    pub channels: usize,
    /// The output's channels.
    pub outputs: usize,
    /// The input's size.
    pub size: [usize; 2],
    /// The output's size.
    pub output_size: [usize; 2],
    /// The kernel's size.
    pub kernel: [usize; 2],
    /// The distance between neighbouring positions of the kernel.
    pub stride: [usize; 2],
    /// How many zeros the image is extended by on each side.
    pub padding: [usize; 2],
    /// The distance between neighbouring taps of the kernel.
    pub dilation: [usize; 2],
    /// Into how many groups the channels are divided. An output channel depends only on the inputs of its group.
    pub groups: usize,
}

impl Geometry {
    #[inline(always)]
    pub(super) fn axes(&self) -> [Axis; 2] {
        [self.axis::<0>(), self.axis::<1>()]
    }

    #[inline(always)]
    pub(super) fn axis<const AXIS: usize>(&self) -> Axis {
        Axis {
            length: self.size[AXIS],
            outputs: self.output_size[AXIS],
            kernel: self.kernel[AXIS],
            stride: self.stride[AXIS],
            padding: self.padding[AXIS],
            dilation: self.dilation[AXIS],
        }
    }

    /// The input channels of a group, and its output channels.
    #[inline(always)]
    pub(super) fn channels_of_group(&self) -> [usize; 2] {
        if self.groups == 1 {
            return [self.channels, self.outputs];
        }
        [self.channels.checked_div(self.groups).unwrap_or(0), self.outputs.checked_div(self.groups).unwrap_or(0)]
    }

    #[inline(always)]
    pub(super) fn input_plane(&self) -> usize {
        self.size[0] * self.size[1] * self.batch
    }

    #[inline(always)]
    pub(super) fn output_plane(&self) -> usize {
        self.output_size[0] * self.output_size[1] * self.batch
    }
}

/// One of the two directions of a convolution or pooling.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    /// The number of inputs.
    pub length: usize,
    /// The number of outputs.
    pub outputs: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Axis {
    /// The input that tap `tap` reads for an output, if it is not padding.
    #[inline(always)]
    pub(super) fn input(self, output: usize, tap: usize) -> Option<usize> {
        let input = (output * self.stride + tap * self.dilation).checked_sub(self.padding)?;
        if input < self.length { Some(input) } else { None }
    }

    /// The output for which tap `tap` reads an input, if there is one.
    #[inline(always)]
    pub(super) fn output(self, input: usize, tap: usize) -> Option<usize> {
        let place = (input + self.padding).checked_sub(tap * self.dilation)?;
        let output = if self.stride == 1 {
            place
        } else if place.checked_rem(self.stride)? == 0 {
            place.checked_div(self.stride)?
        } else {
            return None;
        };
        if output < self.outputs { Some(output) } else { None }
    }

    /// The outputs for which tap `tap` reads an input and not padding.
    #[inline(always)]
    pub(super) fn outputs_of(self, tap: usize) -> Range<usize> {
        let (shift, stride) = (tap * self.dilation, self.stride.max(1));
        let first = self.padding.saturating_sub(shift).div_ceil(stride);
        let end = (self.length + self.padding).saturating_sub(shift).div_ceil(stride);
        let end = if end < self.outputs { end } else { self.outputs };
        if first < end { first..end } else { self.outputs..self.outputs }
    }
}
