//! [`Dropout`]: inverted dropout.

use crate::activation::NoActivation;
use crate::model::{
    Description, Features, InputShape, Layer, Network, Op, Params, Pass, Place, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// Inverted dropout: in training, zeroes each of `N` activations with a probability of `PER_MILLE` / 1000, and
/// divides the others by the probability of being kept. In prediction all activations pass unchanged. (N.
/// Srivastava et al., 2014.)
///
/// `PER_MILLE` is the probability in per mille, from 0 to 999; a larger one regularizes more. It is an integer
/// because a const parameter of a type cannot be a fraction: 0.5 is `Dropout<16, 500>`, and for `Dropout<16, 0.5>`
/// the compiler says "expected `u32`, found floating-point number". 1000 or more does not compile.
///
/// Which activations are zeroed depends on [`seed`](Self::seed), on the index of the sample in its batch and on the
/// index of the feature, not on the size of the micro-batch. The seed is drawn when the network is created, and
/// changes [after each batch](Params::update_buffers).
///
/// # Shapes
///
/// `N` features in, `N` features out.
///
/// # Formula
///
/// In training `y = 0` with probability `p = PER_MILLE / 1000`, otherwise `y = x / (1 - p)`; in prediction `y = x`.
/// PyTorch equivalent: `torch.nn.Dropout`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::Dropout;
/// use tuplenet::prelude::*;
///
/// // One hidden activation in five is zeroed.
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
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = "", deny_unknown_fields))]
#[doc(alias("nn.Dropout", "inverted dropout"))]
pub struct Dropout<const N: usize, const PER_MILLE: u32, T = f32> {
    /// The seed of the choice for the current batch.
    pub seed: u64,
    #[cfg_attr(feature = "serde", serde(skip))]
    scalar: PhantomData<T>,
}

impl<const N: usize, const PER_MILLE: u32, T> Dropout<N, PER_MILLE, T> {
    /// Creates the layer with a seed, for a network that is not made by [`Network::new`]. Give each such layer of a
    /// network a different seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        const { assert!(PER_MILLE < 1000, "expected a dropout probability below 1000 per mille, found 1000 or more") };
        Dropout { seed, scalar: PhantomData }
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

impl<const N: usize, const PER_MILLE: u32, T: Real> Dropout<N, PER_MILLE, T> {
    /// Sets each element of `to` to that of `from` divided by the probability of being kept, or to zero.
    #[inline(always)]
    fn drop<S, const B: usize>(&self, pass: Pass<S, B>, from: &SMatrix<T, N, B>, to: &mut SMatrix<T, N, B>)
    where
        S: Simd,
    {
        // An activation is zeroed if the upper half of 64 random bits is below a threshold in this range.
        const RANGE: u64 = 1 << 32;
        let dropped = RANGE * u64::from(PER_MILLE) / 1000;
        let factor = T::of(1.0 / (1.0 - f64::from(PER_MILLE) / 1000.0));
        let columns = from.data.0.iter().zip(&mut to.data.0).take(pass.len()).enumerate();
        for (column, (from, to)) in columns {
            let place = ((pass.offset() + column) as u64).wrapping_mul(N as u64);
            for (number, (from, to)) in from.iter().zip(to).enumerate() {
                let index = place.wrapping_add(number as u64);
                // The SplitMix64 sequence, starting from the seed.
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
        // Not the next value of the same sequence, or the choices of two batches would be the same except for a
        // shift.
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
        // The same choice again, so that it need not be stored.
        if let Some(input_gradient) = input_gradient {
            self.drop(pass, output_gradient, input_gradient);
        }
    }

    fn describe(place: Place, emit: &mut dyn FnMut(Description)) {
        emit(Description::of::<Features<N>, Self>(place, Some(0)));
    }

    fn graph<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::Dropout { size: N, per_mille: PER_MILLE, seed: self.seed });
    }
}
