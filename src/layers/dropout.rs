//! [`Dropout`]: some numbers are left out while training.

use crate::activation::NoActivation;
use crate::model::{
    Description, Features, InputShape, Layer, Network, Op, Params, Pass, Place, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// Leaves out each of `N` numbers, while training, with a probability of `PER_MILLE` / 1000, and divides the others by
/// the probability of staying, so that nothing is left to do in prediction, where all pass unchanged. ("Inverted" dropout;
/// N. Srivastava et al., 2014.)
///
/// Which numbers are left out follows from [`seed`](Self::seed), from the place of the sample in its batch and from the
/// place of the number in the sample, not from the size of the micro-batch. The seed is drawn when the network is made,
/// and moves on [after each batch](Params::update_buffers).
///
/// ```
/// use tuplenet::layers::Dropout;
/// use tuplenet::prelude::*;
///
/// // One hidden number in five is left out.
/// type Net = (Dense<2, 16, Tanh>, Dropout<16, 200>, Dense<16, 1, Sigmoid>);
///
/// let (inputs, targets) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [false, true, true, false]);
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.05), seeded(1));
/// trainer.fit(&inputs, &targets, &FitOptions { epochs: 1000, ..FitOptions::default() }, ())?;
/// for (input, target) in inputs.iter().zip(targets) {
///     assert_eq!(trainer.network.predict_one(input)[0] > 0.5, target);
/// }
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// The share is a whole number because a constant parameter of a type can't be a fraction: 0.5 is `Dropout<16, 500>`, and to
/// `Dropout<16, 0.5>` the compiler says "expected `u32`, found floating-point number". A share of 1000 per mille or
/// more does not compile.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = "", deny_unknown_fields))]
#[doc(alias("nn.Dropout", "inverted dropout"))]
pub struct Dropout<const N: usize, const PER_MILLE: u32, T = f32> {
    /// What the choice of this batch follows from.
    pub seed: u64,
    #[cfg_attr(feature = "serde", serde(skip))]
    numbers: PhantomData<T>,
}

impl<const N: usize, const PER_MILLE: u32, T> Dropout<N, PER_MILLE, T> {
    /// With a seed, for a network that is not made by [`Network::new`]. Give each such layer of a network another.
    pub const fn new(seed: u64) -> Self {
        const { assert!(PER_MILLE < 1000, "Dropout can't leave out everything: a share of 1000 per mille or more") };
        Dropout { seed, numbers: PhantomData }
    }
}

/// Mixes the bits of a number so that neighbours have nothing in common: the last step of S. Vigna's SplitMix64.
#[inline(always)]
pub(crate) const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

impl<const N: usize, const PER_MILLE: u32, T: Real> Dropout<N, PER_MILLE, T> {
    /// Sets each number of `to` to that of `from` divided by the probability of staying, or to zero.
    #[inline(always)]
    fn drop<S, const B: usize>(&self, pass: Pass<S, B>, from: &SMatrix<T, N, B>, to: &mut SMatrix<T, N, B>)
    where
        S: Simd,
    {
        // Of the upper half of 64 random bits, so many values mean that the number stays out.
        const RANGE: u64 = 1 << 32;
        let dropped = RANGE * u64::from(PER_MILLE) / 1000;
        let factor = T::of(1.0 / (1.0 - f64::from(PER_MILLE) / 1000.0));
        let columns = from.data.0.iter().zip(&mut to.data.0).take(pass.len()).enumerate();
        for (column, (from, to)) in columns {
            let place = ((pass.offset() + column) as u64).wrapping_mul(N as u64);
            for (number, (from, to)) in from.iter().zip(to).enumerate() {
                let index = place.wrapping_add(number as u64);
                // The numbers of SplitMix64 in turn, from the seed on.
                let bits = mixed(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.seed));
                *to = if bits >> 32 < dropped { T::ZERO } else { *from * factor };
            }
        }
    }
}

impl<const N: usize, const PER_MILLE: u32, T: Real> Zeroed for Dropout<N, PER_MILLE, T> {
    const ZEROED: Self = Self::new(0);
}

impl<const N: usize, const PER_MILLE: u32, T: Real> Params for Dropout<N, PER_MILLE, T> {
    type Scalar = T;
    const PARAMETERS: usize = 0;

    #[inline(always)]
    fn visit(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<T, OTHERS>) {}

    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        self.seed = rng.next_u64();
    }

    #[inline(always)]
    fn update_buffers(&mut self, _: &mut Self) {
        // Not the next number of the same sequence, or the choices of two batches would be the same but for a shift.
        self.seed = mixed(!self.seed);
    }
}

impl<const N: usize, const PER_MILLE: u32, T> InputShape for Dropout<N, PER_MILLE, T> {
    type In = Features<N>;
}

impl<const N: usize, const PER_MILLE: u32, T> Network for Dropout<N, PER_MILLE, T> {}

impl<const N: usize, const PER_MILLE: u32, T: Real> Layer<Features<N>> for Dropout<N, PER_MILLE, T> {
    type Out = Features<N>;
    type Cache<const B: usize> = SMatrix<T, N, B>;
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn output<const B: usize>(cache: &SMatrix<T, N, B>) -> &SMatrix<T, N, B> {
        cache
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        y.clone_from(x);
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, cache: &mut SMatrix<T, N, B>) {
        self.drop(pass, x, cache);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        _: &SMatrix<T, N, B>,
        _: &mut SMatrix<T, N, B>,
        output_gradient: &mut SMatrix<T, N, B>,
        _: &mut Self,
        input_gradient: Option<&mut SMatrix<T, N, B>>,
    ) {
        // The same choice again, so that it need not be kept.
        if let Some(input_gradient) = input_gradient {
            self.drop(pass, output_gradient, input_gradient);
        }
    }

    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        tell(Description::of::<Features<N>, Self>(place, Some(0)));
    }

    fn graph<'a>(&'a self, tell: &mut dyn FnMut(Op<'a, T>)) {
        tell(Op::Dropout { size: N, per_mille: PER_MILLE, seed: self.seed });
    }
}
