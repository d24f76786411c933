//! [`Dropout`] and [`Dropout2d`]: inverted dropout, of activations and of channels.

use crate::activation::NoActivation;
use crate::model::{Batch, Image, Layer, Model, Network, Op, Params, Pass, Shape, Visit, Visitor, VisitorMut, Zeroed};
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

/// What the activations that are kept are multiplied by.
#[inline(always)]
fn factor<T: Real, const PERCENT: u32>() -> T {
    T::of(1.0 / (1.0 - f64::from(PERCENT) / 100.0))
}

/// Whether the choice at `index` of a batch is to zero.
#[inline(always)]
fn is_dropped<const PERCENT: u32>(seed: u64, index: u64) -> bool {
    // Zeroed if the upper half of 64 random bits is below a threshold in this range.
    const RANGE: u64 = 1 << 32;
    let dropped = RANGE * u64::from(PERCENT) / 100;
    // The SplitMix64 sequence, starting from the seed.
    let bits = mixed(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(seed));
    bits >> 32 < dropped
}

impl<const PERCENT: u32> Dropout<PERCENT> {
    /// Sets each element of `to` to that of `from` divided by the probability of being kept, or to zero; in evaluation, to
    /// that of `from`.
    #[inline(always)]
    fn drop<In: Shape, T: Real, S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        from: &Batch<In, T, B>,
        to: &mut Batch<In, T, B>,
    ) {
        if !pass.is_training() {
            to.clone_from(from);
            return;
        }
        let factor = factor::<T, PERCENT>();
        let first = (pass.offset() as u64).wrapping_mul(In::LEN as u64);
        let pairs = In::as_slice(from).iter().zip(In::as_mut_slice(to)).take(In::prefix::<B>(pass.len()));
        for (index, (from, to)) in pairs.enumerate() {
            let index = first.wrapping_add(In::place::<B>(index) as u64);
            *to = if is_dropped::<PERCENT>(self.seed, index) { T::ZERO } else { *from * factor };
        }
    }
}

/// Inverted dropout of whole channels: in training, zeroes each channel of each image with a probability of `PERCENT` / 100,
/// and divides the others by the probability of being kept. In prediction all pass unchanged. Neighbouring pixels are
/// alike, so that to zero single ones would take little away. (J. Tompson et al., 2015.)
///
/// `PERCENT` and [`seed`](Self::seed) are as those of [`Dropout`]; which channels are zeroed depends on the index of the
/// sample in its batch, and not on the size of the micro-batch.
///
/// # Shapes
///
/// An `Image<C, H, W>`; the same out.
///
/// # Formula
///
/// In training `y[c] = 0` with probability `p = PERCENT / 100`, otherwise `y[c] = x[c] / (1 - p)`, for each channel `c` of
/// each sample; in prediction `y = x`. PyTorch equivalent: `torch.nn.Dropout2d`.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// tuplenet::network! {
///     type Net = Image<1, 8, 8> => Conv2d<8, 3, Relu>, Dropout2d<25>, GlobalAveragePool, Dense<2, Softmax>
/// }
///
/// let network = Net::new(seeded(0));
/// let image = [[[0.5; 8]; 8]];
/// let mut trainer = Trainer::new(network.clone(), CrossEntropy, Adam::new(0.01), seeded(1));
/// trainer.step(&[image, image], &[0usize, 1])?;
/// // Nothing is zeroed in prediction.
/// assert_eq!(network.predict_one(&image), network.predict_one(&image));
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[doc(alias("nn.Dropout2d", "SpatialDropout2D", "spatial dropout"))]
pub struct Dropout2d<const PERCENT: u32> {
    /// The seed of the choice for the current batch.
    pub seed: u64,
}

impl<const PERCENT: u32> Dropout2d<PERCENT> {
    /// Creates the layer with a seed, for a network that is not made by [`Network::new`]. Give each such layer of a
    /// network a different seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Dropout2d { seed: Dropout::<PERCENT>::new(seed).seed }
    }

    /// Sets each channel of `to` to that of `from` divided by the probability of being kept, or to zero; in evaluation, to
    /// that of `from`.
    #[inline(always)]
    fn drop<T: Real, S: Simd, const C: usize, const H: usize, const W: usize, const B: usize>(
        &self,
        pass: Pass<S, B>,
        from: &Batch<Image<C, H, W>, T, B>,
        to: &mut Batch<Image<C, H, W>, T, B>,
    ) {
        if !pass.is_training() {
            to.clone_from(from);
            return;
        }
        for (channel, (from, to)) in from.iter().zip(to).enumerate() {
            let mut factors = [T::ZERO; B];
            for (sample, to) in factors.iter_mut().enumerate().take(pass.len()) {
                let sample = (pass.offset() as u64).wrapping_add(sample as u64);
                let index = sample.wrapping_mul(C as u64).wrapping_add(channel as u64);
                *to = if is_dropped::<PERCENT>(self.seed, index) { T::ZERO } else { factor::<T, PERCENT>() };
            }
            for (from, to) in from.as_flattened().iter().zip(to.as_flattened_mut()) {
                for ((from, to), factor) in from.iter().zip(to).zip(&factors) {
                    // Not by a product, which would keep what is not finite.
                    *to = if *factor == T::ZERO { T::ZERO } else { *from * *factor };
                }
            }
        }
    }
}

impl<T: Real, const PERCENT: u32, const C: usize, const H: usize, const W: usize> Model<Image<C, H, W>, T>
    for Dropout2d<PERCENT>
{
    type Out = Image<C, H, W>;
    const MACS: Option<usize> = Some(0);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        _: Pass<S, B>,
        x: &Batch<Image<C, H, W>, T, B>,
        y: &mut Batch<Image<C, H, W>, T, B>,
    ) {
        y.clone_from(x);
    }
}

impl<T: Real, const PERCENT: u32, const C: usize, const H: usize, const W: usize> Layer<Image<C, H, W>, T>
    for Dropout2d<PERCENT>
{
    type Cache<const B: usize> = ();
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<Image<C, H, W>, T, B>,
        y: &mut Batch<Image<C, H, W>, T, B>,
        (): &mut (),
    ) {
        self.drop(pass, x, y);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        _: (&Batch<Image<C, H, W>, T, B>, &Batch<Image<C, H, W>, T, B>),
        (): &mut (),
        dy: &mut Batch<Image<C, H, W>, T, B>,
        _: &mut Self,
        dx: Option<&mut Batch<Image<C, H, W>, T, B>>,
    ) {
        // The same choice again, so that it need not be stored.
        if let Some(dx) = dx {
            self.drop(pass, dy, dx);
        }
    }

    // In prediction the same as the dropout of activations.
    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::InvertedDropout { size: C * H * W, percent: PERCENT, seed: self.seed });
    }
}

macro_rules! without_parameters {
    ($layer:ident) => {
        impl<const PERCENT: u32> Zeroed for $layer<PERCENT> {
            const ZEROED: Self = Self::new(0);
        }

        impl<const PERCENT: u32> Params for $layer<PERCENT> {
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

        impl<T: Real, const PERCENT: u32> Visit<T> for $layer<PERCENT> {
            #[inline(always)]
            fn visit(&self, _: &mut impl Visitor<T>) {}

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<T, OTHERS>) {}
        }

        impl<const PERCENT: u32> Network for $layer<PERCENT> {}
    };
}
without_parameters!(Dropout);
without_parameters!(Dropout2d);

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

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::InvertedDropout { size: In::LEN, percent: PERCENT, seed: self.seed });
    }
}
