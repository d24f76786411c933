//! [`LayerNorm`]: zero mean and unit variance for every sample.

use super::{gain_and_bias, vector};
use crate::activation::NoActivation;
use crate::kernel::{map, map_sum, mean_and_squares, scalar, sum};
use crate::model::layer::Internal;
use crate::model::{
    Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::math::mul_add;
use crate::num::{Real, lanes};
use fearless_simd::Simd;
use nalgebra::{ArrayStorage, SMatrix, SVector};
use rand::Rng;

/// Layer normalization: zero mean and unit variance over the `N` features of each sample, then a learned gain and
/// bias for each feature. (J. Ba, J. Kiros, G. Hinton, 2016.) Training and prediction compute the same.
///
/// `EPSILON_NANOS` / 1,000,000,000 is added to the variance; 0.00001 by default, as in PyTorch. A larger one
/// shrinks samples of small variance. Keras's default is `LayerNorm<N, f32, 1_000_000>`. 0 does not compile: for a
/// sample with equal features it would make NaN.
///
/// # Shapes
///
/// `N` features in, `N` features out.
///
/// # Formula
///
/// `y = (x - mean) / sqrt(variance + epsilon) * weight + bias`. PyTorch equivalent: `torch.nn.LayerNorm`.
///
/// # Examples
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
#[doc(alias("LayerNormalization"))]
pub struct LayerNorm<const N: usize, T = f32, const EPSILON_NANOS: u64 = 10_000> {
    /// The gains, one for each feature.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub weight: SVector<T, N>,
    /// The biases, one for each feature.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub bias: SVector<T, N>,
}

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> LayerNorm<N, T, EPSILON_NANOS> {
    /// Creates the layer from gains and biases.
    #[must_use]
    pub const fn from_arrays(weight: [T; N], bias: [T; N]) -> Self {
        let _ = Self::EPSILON;
        LayerNorm {
            weight: SMatrix::from_array_storage(ArrayStorage([weight])),
            bias: SMatrix::from_array_storage(ArrayStorage([bias])),
        }
    }

    /// What is added to the variance.
    const EPSILON: f64 = {
        assert!(
            EPSILON_NANOS > 0,
            "expected an epsilon of `LayerNorm` above zero, its third parameter, in units of 1e-9, found 0"
        );
        EPSILON_NANOS as f64 / 1e9
    };

    pub(crate) const WEIGHT: Parameter = vector::<N>("weight", Kind::Bias);
    pub(crate) const BIAS: Parameter = vector::<N>("bias", Kind::Bias);

    #[inline(always)]
    fn visit_buffers(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn visit_buffers_mut<const OTHERS: usize>(&mut self, _: &mut impl VisitorMut<T, OTHERS>) {}

    /// The mean and the reciprocal of the standard deviation of a sample.
    #[inline(always)]
    fn moments<S: Simd>(simd: S, x: &[T; N]) -> (T, T) {
        let count = T::from_count(N);
        let (mean, squares) = mean_and_squares(simd, x);
        let reciprocal = (squares / count + T::of(Self::EPSILON)).reciprocal_root_of_variance();
        // NaN where the squares overflowed; otherwise the output of such a sample would be the bias.
        (mean, reciprocal + squares * T::ZERO)
    }

    /// Normalizes a sample with these statistics.
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

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> Zeroed for LayerNorm<N, T, EPSILON_NANOS> {
    const ZEROED: Self = {
        let _ = Self::EPSILON;
        LayerNorm { weight: SMatrix::ZEROED, bias: SMatrix::ZEROED }
    };
}

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> Params for LayerNorm<N, T, EPSILON_NANOS> {
    const PARAMETERS: usize = 2 * N;

    fn initialize<R: Rng>(&mut self, _: &mut R) {
        self.weight.fill(T::ONE);
        self.bias.fill(T::ZERO);
    }
}

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> Visit<T> for LayerNorm<N, T, EPSILON_NANOS> {
    gain_and_bias!();
}

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> InputShape for LayerNorm<N, T, EPSILON_NANOS> {
    type In = Features<N>;
    type Scalar = T;
}

impl<const N: usize, T, const EPSILON_NANOS: u64> Network for LayerNorm<N, T, EPSILON_NANOS> {}

/// What [`LayerNorm`] stores for its backward pass: the mean and the reciprocal of the standard deviation of each of the
/// `B` samples.
#[derive(Clone)]
pub struct LayerNormCache<T, const B: usize>([(T, T); B]);

impl<T, const B: usize> core::fmt::Debug for LayerNormCache<T, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LayerNormCache").finish_non_exhaustive()
    }
}

impl<T: Real, const B: usize> Zeroed for LayerNormCache<T, B> {
    const ZEROED: Self = LayerNormCache([(T::ZERO, T::ZERO); B]);
}

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> Model<Features<N>, T> for LayerNorm<N, T, EPSILON_NANOS> {
    type Out = Features<N>;
    /// The squares for the variance, and then one for each feature.
    const MACS: Option<usize> = Some(2 * N);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(pass.len()) {
            self.normalize(pass.simd(), Self::moments(pass.simd(), x), x, y);
        }
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, N, B>,
        _: Internal,
    ) -> SMatrix<T, N, B> {
        let moments = x.data.0.each_ref().map(
            #[inline(always)]
            |x| Self::moments(pass.simd(), x),
        );
        scalar::made(
            #[inline(always)]
            |column, row| {
                let (mean, reciprocal) = moments[column];
                let (weight, bias) = (scalar::at(&self.weight.data.0[0], row), scalar::at(&self.bias.data.0[0], row));
                let normalized = (scalar::at(&x.data.0[column], row) - mean) * reciprocal;
                scalar::mul_add(pass.simd(), normalized, weight, bias)
            },
        )
    }
}

impl<const N: usize, T: Real, const EPSILON_NANOS: u64> Layer<Features<N>, T> for LayerNorm<N, T, EPSILON_NANOS> {
    type Cache<const B: usize> = LayerNormCache<T, B>;
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, N, B>,
        y: &mut SMatrix<T, N, B>,
        cache: &mut LayerNormCache<T, B>,
    ) {
        let outputs = y.data.0.iter_mut().zip(&mut cache.0);
        for (x, (y, statistics)) in x.data.0.iter().zip(outputs).take(pass.len()) {
            *statistics = Self::moments(pass.simd(), x);
            self.normalize(pass.simd(), *statistics, x, y);
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, _): (&SMatrix<T, N, B>, &SMatrix<T, N, B>),
        cache: &mut LayerNormCache<T, B>,
        dy: &mut SMatrix<T, N, B>,
        gradient: &mut Self,
        mut dx: Option<&mut SMatrix<T, N, B>>,
    ) {
        let simd = pass.simd();
        let samples = x.data.0.iter().zip(&mut dy.data.0).zip(&cache.0).take(pass.len());
        for (sample, ((x, dy), &(mean, reciprocal))) in samples.enumerate() {
            let (mean, reciprocal) = (lanes::<S, T>(simd, mean), lanes::<S, T>(simd, reciprocal));
            // Adds to the gradients by gain and bias. From here on `dy` is the gradient by the
            // normalized features.
            map(
                simd,
                [dy, gradient.weight.as_mut_slice(), gradient.bias.as_mut_slice()],
                [x, self.weight.as_slice()],
                #[inline(always)]
                |[dy, weight_gradient, bias_gradient], [x, weight]| {
                    let normalized = (x - mean) * reciprocal;
                    [dy * weight, mul_add(dy, normalized, weight_gradient), bias_gradient + dy]
                },
            );
            let Some(dx) = &mut dx else { continue };
            let mean_product = map_sum(
                simd,
                N,
                [],
                [&*dy, x],
                #[inline(always)]
                |[], [dy, x]| ([], dy * ((x - mean) * reciprocal)),
            );
            let count = T::from_count(N);
            let (mean_gradient, mean_product) =
                (lanes::<S, T>(simd, sum(simd, &*dy) / count), lanes::<S, T>(simd, mean_product / count));
            map(
                simd,
                [&mut dx.data.0[sample]],
                [&*dy, x],
                #[inline(always)]
                |[_], [dy, x]| {
                    let normalized = (x - mean) * reciprocal;
                    [(dy - mean_gradient - normalized * mean_product) * reciprocal]
                },
            );
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        let (weight, bias) = (self.weight.as_slice(), self.bias.as_slice());
        emit(Op::LayerNormalization { weight, bias, epsilon_nanos: EPSILON_NANOS });
    }
}
