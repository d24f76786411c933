//! [`LayerNorm`]: every sample gets mean 0 and deviation 1.

use super::{gain_and_bias, vector};
use crate::activation::NoActivation;
use crate::kernel::{WIDEST, map, map_sum, scalar, sum};
use crate::model::{
    Description, Entrance, Features, Kind, Layer, Network, Parameter, Params, Part, Place, Tile, Visitor, VisitorMut,
    Zeroed,
};
use crate::num::math::{mul_add, square_root};
use crate::num::{Real, SCALAR, lanes};
use fearless_simd::Simd;
use nalgebra::{ArrayStorage, SMatrix, SVector};
use rand::Rng;

/// Subtracts from the `N` numbers of each sample their mean, divides by their standard deviation, and then multiplies each
/// by a gain and adds a bias, which are learnt: PyTorch's `LayerNorm`. (J. Ba, J. Kiros, G. Hinton, 2016.)
///
/// The standard deviation is the root of the mean square plus `BILLIONTHS` / 1,000,000,000, which is 0.00001 unless written:
/// PyTorch's number. Keras's is `LayerNorm<N, f32, 1_000_000>`. Training and prediction do the same. 0 does not compile: of a
/// sample whose numbers are equal it would make NaN.
///
/// ```
/// use tuplenet::layers::LayerNorm;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Tanh>, LayerNorm<8>, Dense<8, 1, Identity>);
/// let network = Net::new(&mut seeded(0));
/// assert_eq!(network.1.weight.as_slice(), [1.0; 8]);
///
/// let [low, high] = LayerNorm::<2, f64>::new(&mut seeded(0)).predict_one(&[3.0, 7.0]);
/// assert!((low + 1.0).abs() < 1e-5 && (high - 1.0).abs() < 1e-5);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
pub struct LayerNorm<const N: usize, T = f32, const BILLIONTHS: u64 = 10_000> {
    /// The gains, `N` numbers.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub weight: SVector<T, N>,
    /// The biases, `N` numbers.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub bias: SVector<T, N>,
}

impl<const N: usize, T: Real, const BILLIONTHS: u64> LayerNorm<N, T, BILLIONTHS> {
    /// From gains and biases.
    pub const fn from_arrays(weight: [T; N], bias: [T; N]) -> Self {
        let _ = Self::EPSILON;
        LayerNorm {
            weight: SMatrix::from_array_storage(ArrayStorage([weight])),
            bias: SMatrix::from_array_storage(ArrayStorage([bias])),
        }
    }

    /// What is added to the variance.
    const EPSILON: f64 = {
        assert!(BILLIONTHS > 0, "LayerNorm needs an epsilon above zero, its third parameter, in billionths");
        BILLIONTHS as f64 / 1e9
    };

    pub(crate) const WEIGHT: Parameter = vector::<N>("weight", Kind::Bias);
    pub(crate) const BIAS: Parameter = vector::<N>("bias", Kind::Bias);

    #[inline(always)]
    fn statistics(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn statistics_mut<const OTHERS: usize>(&mut self, _: &mut impl VisitorMut<T, OTHERS>) {}

    /// The sum of a sample's numbers.
    #[inline(always)]
    fn sum<S: Simd>(simd: S, numbers: &[T; N]) -> T {
        // The same sum, without room for parts of it. A sum that begins with zero is not negative zero.
        if SCALAR && N <= WIDEST { scalar::sum_in_pairs(*numbers, N) + T::ZERO } else { sum(simd, numbers) }
    }

    /// Mean and reciprocal deviation of a sample.
    #[inline(always)]
    fn moments<S: Simd>(simd: S, x: &[T; N]) -> (T, T) {
        let count = T::from_count(N);
        let mean = Self::sum(simd, x) / count;
        let squares = if SCALAR {
            let squares = scalar::made::<T, N, 1>(
                #[inline(always)]
                |_, row| {
                    let distance = scalar::at(x, row) - mean;
                    distance * distance
                },
            );
            Self::sum(simd, &squares.data.0[0])
        } else {
            map_sum(
                simd,
                N,
                [],
                [x],
                #[inline(always)]
                |[], [x]| {
                    let distance = x - mean;
                    ([], distance * distance)
                },
            )
        };
        let reciprocal = T::ONE / square_root(squares / count + T::of(Self::EPSILON));
        // NaN where the squares were too large, which would else make a bias of any sample.
        (mean, reciprocal + squares * T::ZERO)
    }

    /// A sample, with those statistics.
    #[inline(always)]
    fn normalize<S: Simd>(&self, simd: S, (mean, reciprocal): (T, T), x: &[T; N], y: &mut [T; N]) {
        let (mean, reciprocal) = (lanes::<S, T>(simd, mean), lanes::<S, T>(simd, reciprocal));
        map(
            simd,
            [y],
            [x, self.weight.as_slice(), self.bias.as_slice()],
            #[inline(always)]
            |[_], [x, weight, bias]| [mul_add((x - mean) * reciprocal, weight, bias)],
        );
    }
}

impl<const N: usize, T: Real, const BILLIONTHS: u64> Zeroed for LayerNorm<N, T, BILLIONTHS> {
    const ZEROED: Self = {
        let _ = Self::EPSILON;
        LayerNorm { weight: SMatrix::ZEROED, bias: SMatrix::ZEROED }
    };
}

impl<const N: usize, T: Real, const BILLIONTHS: u64> Params for LayerNorm<N, T, BILLIONTHS> {
    type Scalar = T;
    const COUNT: usize = 2 * N;

    gain_and_bias!();

    fn initialize<R: Rng>(&mut self, _: &mut R) {
        self.weight.fill(T::ONE);
        self.bias.fill(T::ZERO);
    }
}

impl<const N: usize, T, const BILLIONTHS: u64> Entrance for LayerNorm<N, T, BILLIONTHS> {
    type In = Features<N>;
}

impl<const N: usize, T, const BILLIONTHS: u64> Network for LayerNorm<N, T, BILLIONTHS> {}

/// What [`LayerNorm`] keeps for its backward pass: the output, `N` by `B`, and mean and reciprocal deviation of each of the
/// `B` samples.
pub struct LayerNormTrace<T: Real, const N: usize, const B: usize> {
    output: SMatrix<T, N, B>,
    statistics: [(T, T); B],
}

impl<T: Real, const N: usize, const B: usize> Zeroed for LayerNormTrace<T, N, B> {
    const ZEROED: Self = LayerNormTrace { output: SMatrix::ZEROED, statistics: [(T::ZERO, T::ZERO); B] };
}

impl<const N: usize, T: Real, const BILLIONTHS: u64> Layer<Features<N>> for LayerNorm<N, T, BILLIONTHS> {
    type Out = Features<N>;
    type Trace<const B: usize> = LayerNormTrace<T, N, B>;
    type Head = NoActivation<Self>;

    #[inline(always)]
    fn output<const B: usize>(trace: &Self::Trace<B>) -> &SMatrix<T, N, B> {
        &trace.output
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(tile.used()) {
            self.normalize(tile.simd(), Self::moments(tile.simd(), x), x, y);
        }
    }

    #[inline(always)]
    fn answer<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, N, B>) -> SMatrix<T, N, B> {
        let moments = x.data.0.each_ref().map(
            #[inline(always)]
            |x| Self::moments(tile.simd(), x),
        );
        scalar::made(
            #[inline(always)]
            |column, row| {
                let (mean, reciprocal) = moments[column];
                let (weight, bias) = (scalar::at(&self.weight.data.0[0], row), scalar::at(&self.bias.data.0[0], row));
                let normalized = (scalar::at(&x.data.0[column], row) - mean) * reciprocal;
                scalar::mul_add(tile.simd(), normalized, weight, bias)
            },
        )
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(&self, tile: Tile<S, B>, x: &SMatrix<T, N, B>, trace: &mut Self::Trace<B>) {
        let places = trace.output.data.0.iter_mut().zip(&mut trace.statistics);
        for (x, (y, statistics)) in x.data.0.iter().zip(places).take(tile.used()) {
            *statistics = Self::moments(tile.simd(), x);
            self.normalize(tile.simd(), *statistics, x, y);
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, N, B>,
        trace: &mut Self::Trace<B>,
        slope: &mut SMatrix<T, N, B>,
        gradient: &mut Self,
        mut input_slope: Option<&mut SMatrix<T, N, B>>,
    ) {
        let simd = tile.simd();
        let samples = x.data.0.iter().zip(&mut slope.data.0).zip(&trace.statistics).take(tile.used());
        for (sample, ((x, slope), &(mean, reciprocal))) in samples.enumerate() {
            let (mean, reciprocal) = (lanes::<S, T>(simd, mean), lanes::<S, T>(simd, reciprocal));
            // From here on `slope` is that by the normalized numbers, after it has given the one by gain and bias.
            map(
                simd,
                [slope, gradient.weight.as_mut_slice(), gradient.bias.as_mut_slice()],
                [x, self.weight.as_slice()],
                #[inline(always)]
                |[slope, by_weight, by_bias], [x, weight]| {
                    let normalized = (x - mean) * reciprocal;
                    [slope * weight, mul_add(slope, normalized, by_weight), by_bias + slope]
                },
            );
            let Some(input_slope) = &mut input_slope else { continue };
            let along = map_sum(
                simd,
                N,
                [],
                [&*slope, x],
                #[inline(always)]
                |[], [slope, x]| ([], slope * ((x - mean) * reciprocal)),
            );
            let count = T::from_count(N);
            let (level, along) = (lanes::<S, T>(simd, sum(simd, &*slope) / count), lanes::<S, T>(simd, along / count));
            map(
                simd,
                [&mut input_slope.data.0[sample]],
                [&*slope, x],
                #[inline(always)]
                |[_], [slope, x]| {
                    let normalized = (x - mean) * reciprocal;
                    [(slope - level - normalized * along) * reciprocal]
                },
            );
        }
    }

    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        // The squares for the variance, and then a line for each number.
        tell(Description::of::<Features<N>, Self>(place, Some(2 * N)));
    }

    fn outline<'a>(&'a self, tell: &mut dyn FnMut(Part<'a, T>)) {
        let (weight, bias) = (self.weight.as_slice(), self.bias.as_slice());
        tell(Part::LayerNorm { weight, bias, billionths: BILLIONTHS });
    }
}
