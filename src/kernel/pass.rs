//! [`Tile`]: what a pass over a network hands from layer to layer.

use fearless_simd::Simd;

/// The columns computed at once: room for `B` samples, the first [`used`](Self::used) of which count.
///
/// `B` is fixed at compile time and has nothing to do with the batch size of the optimizer: the gradients of a batch add
/// up over as many tiles as it takes.
#[derive(Clone, Copy, Debug)]
pub struct Tile<S, const B: usize> {
    simd: S,
    used: usize,
    first: usize,
    logits: bool,
    zero: bool,
}

impl<S: Simd, const B: usize> Tile<S, B> {
    /// A tile of which the first `used` columns count; all of them if `used` is more than `B`.
    #[inline(always)]
    pub fn new(simd: S, used: usize) -> Self {
        Tile { simd, used: if used < B { used } else { B }, first: 0, logits: false, zero: false }
    }

    /// The same tile, with its first column at that place of the batch.
    #[inline(always)]
    pub fn starting_at(self, first: usize) -> Self {
        Tile { first, ..self }
    }

    /// The same tile, for a pass that stops short of the network's last activation, because the loss takes it over.
    #[inline(always)]
    pub fn to_logits(self) -> Self {
        Tile { logits: true, ..self }
    }

    /// The same tile, for a pass whose gradient is zero so far.
    #[inline(always)]
    pub fn from_zero(self) -> Self {
        Tile { zero: true, ..self }
    }

    /// The same tile, for a layer that is not the last.
    #[inline(always)]
    pub fn inner(self) -> Self {
        Tile { logits: false, ..self }
    }

    /// Proof that the CPU has the instruction set `S`.
    #[inline(always)]
    pub fn simd(self) -> S {
        self.simd
    }

    /// How many columns hold a sample, at most `B`. The others hold zeros or old samples; what a layer computes from
    /// them is not used, and the slopes that arrive there are zero, in the layers inside a network too.
    #[inline(always)]
    pub fn used(self) -> usize {
        self.used
    }

    /// Which sample of the batch stands in the first column: zero in a batch's first tile. A layer that draws random
    /// numbers for each sample makes them of this place, so that they do not depend on the size of the tile.
    #[inline(always)]
    pub fn first(self) -> usize {
        self.first
    }

    /// Whether the gradient is known to be zero so far, so that `backward` may as well set it as add to it.
    #[inline(always)]
    pub fn is_from_zero(self) -> bool {
        self.zero
    }

    /// Whether the pass leaves out the layer's [`Head`](crate::model::Layer::Head): if so, `forward` gives its input instead of its
    /// output, and `backward` receives the slope of its input.
    #[inline(always)]
    pub fn is_to_logits(self) -> bool {
        self.logits
    }
}
