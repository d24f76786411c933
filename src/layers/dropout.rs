//! [`Dropout`]: inverted dropout.

use crate::activation::NoActivation;
use crate::model::layer::Internal;
use crate::model::{Batch, Layer, Model, Network, Op, Params, Pass, Shape, Visit, Visitor, VisitorMut, Zeroed};
use crate::num::Real;
use fearless_simd::Simd;
use rand::Rng;

/// Inverted dropout: in training, zeroes each activation with a probability of `PERCENT` per cent, and divides the others
/// by the probability of being kept. In prediction all activations pass unchanged. (N. Srivastava et al., 2014.)
///
/// `PERCENT` is the probability in per cent, from 0 to 99; a larger one regularizes more. It is an integer because a const
/// parameter of a type cannot be a fraction: 0.5 is `Dropout<50>`, and for `Dropout<0.5>` the compiler says "expected
/// `u32`, found floating-point number". 100 or more does not compile.
///
/// Which activations are zeroed depends on [`seed`](Self::seed), on the index of the sample in its batch and on the
/// index of the feature, not on the size of the micro-batch. The seed is drawn when the network is created, and
/// changes [after each batch](Params::update_buffers).
///
/// # Shapes
///
/// Any shape, such as `N` features; the same out.
///
/// # Formula
///
/// In training `y = 0` with probability `p = PERCENT / 100`, otherwise `y = x / (1 - p)`; in prediction `y = x`.
/// PyTorch equivalent: `torch.nn.Dropout`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::Dropout;
/// use tuplenet::prelude::*;
///
/// // One hidden activation in five is zeroed.
/// type Net = (Dense<2, 16, Tanh>, Dropout<20>, Dense<16, 1, Sigmoid>);
///
/// let (inputs, targets) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [false, true, true, false]);
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.05), seeded(1));
/// trainer.fit(&inputs, &targets, &FitOptions { epochs: 1000, ..FitOptions::default() }, ())?;
/// for (input, target) in inputs.iter().zip(targets) {
///     assert_eq!(trainer.network.predict_one(input)[0] > 0.5, target);
/// }
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("nn.Dropout", "inverted dropout"))]
pub struct Dropout<const PERCENT: u32> {
    /// The seed of the choice for the current batch.
    pub seed: u64,
}

impl<const PERCENT: u32> Dropout<PERCENT> {
    /// Creates the layer with a seed, for a network that is not made by [`Network::new`]. Give each such layer of a
    /// network a different seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        const {
            assert!(
                PERCENT < 100,
                "expected a dropout probability below 100 per cent, found 100 or more: `Dropout<50>` zeroes half of the activations"
            )
        };
        Dropout { seed }
    }
}

/// Mixes the bits of an integer so that consecutive integers have nothing in common: the last step of S. Vigna's
/// SplitMix64.
#[inline(always)]
pub(crate) const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl<const PERCENT: u32> Dropout<PERCENT> {
    /// Sets each element of `to` to that of `from` divided by the probability of being kept, or to zero.
    #[inline(always)]
    fn drop<In: Shape, T: Real, S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        from: &Batch<In, T, B>,
        to: &mut Batch<In, T, B>,
    ) {
        // An activation is zeroed if the upper half of 64 random bits is below a threshold in this range.
        const RANGE: u64 = 1 << 32;
        let dropped = RANGE * u64::from(PERCENT) / 100;
        let factor = T::of(1.0 / (1.0 - f64::from(PERCENT) / 100.0));
        let first = (pass.offset() as u64).wrapping_mul(In::LEN as u64);
        let pairs = In::as_slice(from).iter().zip(In::as_mut_slice(to)).take(In::prefix::<B>(pass.len()));
        for (index, (from, to)) in pairs.enumerate() {
            let index = first.wrapping_add(In::place::<B>(index) as u64);
            // The SplitMix64 sequence, starting from the seed.
            let bits = mixed(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.seed));
            *to = if bits >> 32 < dropped { T::ZERO } else { *from * factor };
        }
    }
}

impl<const PERCENT: u32> Zeroed for Dropout<PERCENT> {
    const ZEROED: Self = Self::new(0);
}

impl<const PERCENT: u32> Params for Dropout<PERCENT> {
    const PARAMETERS: usize = 0;

    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        self.seed = rng.next_u64();
    }

    #[inline(always)]
    fn update_buffers(&mut self, _: &mut Self) {
        // Not the next value of the same sequence, or the choices of two batches would be the same except for a
        // shift.
        self.seed = mixed(!self.seed);
    }
}

impl<T: Real, const PERCENT: u32> Visit<T> for Dropout<PERCENT> {
    #[inline(always)]
    fn visit(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<T, OTHERS>) {}
}

impl<const PERCENT: u32> Network for Dropout<PERCENT> {}

impl<In: Shape, T: Real, const PERCENT: u32> Model<In, T> for Dropout<PERCENT> {
    type Out = In;
    const MACS: Option<usize> = Some(0);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &Batch<In, T, B>, y: &mut Batch<In, T, B>) {
        y.clone_from(x);
    }
}

impl<In: Shape, T: Real, const PERCENT: u32> Layer<In, T> for Dropout<PERCENT> {
    type Cache<const B: usize> = ();
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        y: &mut Batch<In, T, B>,
        (): &mut (),
    ) {
        self.drop::<In, T, S, B>(pass, x, y);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        _: (&Batch<In, T, B>, &Batch<In, T, B>),
        (): &mut (),
        dy: &mut Batch<In, T, B>,
        _: &mut Self,
        dx: Option<&mut Batch<In, T, B>>,
    ) {
        // The same choice again, so that it need not be stored.
        if let Some(dx) = dx {
            self.drop::<In, T, S, B>(pass, dy, dx);
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>), _: Internal) {
        emit(Op::InvertedDropout { size: In::LEN, percent: PERCENT, seed: self.seed });
    }
}
