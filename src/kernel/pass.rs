//! [`Pass`]: what a pass over a network hands from layer to layer.

use fearless_simd::Simd;

/// The columns computed at once: room for `B` samples, the first [`len`](Self::len) of which count.
///
/// `B` is fixed at compile time and has nothing to do with the batch size of the optimizer: the gradients of a batch add
/// up over as many micro-batches as it takes.
#[derive(Clone, Copy, Debug)]
pub struct Pass<S, const B: usize> {
    simd: S,
    len: usize,
    offset: usize,
    logits: bool,
    zero: bool,
}

impl<S: Simd, const B: usize> Pass<S, B> {
    /// A pass of which the first `len` columns count; all of them if `len` is more than `B`.
    #[inline(always)]
    pub fn new(simd: S, len: usize) -> Self {
        Pass { simd, len: if len < B { len } else { B }, offset: 0, logits: false, zero: false }
    }

    /// The same pass, whose first column is at that index of the batch.
    #[inline(always)]
    pub fn with_offset(self, offset: usize) -> Self {
        Pass { offset, ..self }
    }

    /// The same pass, which stops short of the network's last activation, because the loss takes it over.
    #[inline(always)]
    pub fn stop_at_logits(self) -> Self {
        Pass { logits: true, ..self }
    }

    /// The same pass, whose gradient is zero so far.
    #[inline(always)]
    pub fn with_zero_gradient(self) -> Self {
        Pass { zero: true, ..self }
    }

    /// The same pass, for a layer that is not the last.
    #[inline(always)]
    pub fn hidden(self) -> Self {
        Pass { logits: false, ..self }
    }

    /// Proof that the CPU has the instruction set `S`.
    #[inline(always)]
    pub fn simd(self) -> S {
        self.simd
    }

    /// How many columns hold a sample, at most `B`. The others hold zeros or old samples; what a layer computes from
    /// them is not used, and the gradients that arrive there are zero, in the layers inside a network too.
    #[inline(always)]
    #[allow(clippy::len_without_is_empty, reason = "a pass without a sample is none")]
    pub fn len(self) -> usize {
        self.len
    }

    /// Which sample of the batch stands in the first column: zero in a batch's first micro-batch. A layer that draws
    /// random numbers for each sample makes them of this place, so that they do not depend on the size of the
    /// micro-batch.
    #[inline(always)]
    pub fn offset(self) -> usize {
        self.offset
    }

    /// Whether the gradient is known to be zero so far, so that `backward` may as well set it as add to it.
    #[inline(always)]
    pub fn gradient_is_zero(self) -> bool {
        self.zero
    }

    /// Whether the pass leaves out the layer's [`LastActivation`](crate::model::Layer::LastActivation): if so,
    /// `forward` gives its input instead of its output, and `backward` receives the gradient by its input.
    #[inline(always)]
    pub fn stops_at_logits(self) -> bool {
        self.logits
    }
}
