//! [`BatchNorm`]: zero mean and unit variance for every feature over the batch.

use super::{Dense, EPSILON, gain_and_bias, vector};
use crate::activation::{Identity, NoActivation};
use crate::kernel::{map, scalar};
use crate::model::layer::Internal;
use crate::model::{
    Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use crate::num::math::mul_add;
use crate::num::root::{root_of_f32, root_of_f64};
use fearless_simd::Simd;
use nalgebra::{ArrayStorage, SMatrix, SVector};
use rand::Rng;

/// Batch normalization: zero mean and unit variance for each of `N` features over the batch, then a learned gain
/// and bias. (S. Ioffe and C. Szegedy, 2015.)
///
/// In training, mean and variance are those of the samples that are computed together. That is the whole batch if
/// it fits into the trainer's micro-batch, which is 32 samples unless
/// [chosen](crate::train::Trainer::with_micro_batch). A larger batch is normalized micro-batch by micro-batch, as
/// if each micro-batch were a batch ("ghost batch normalization").
///
/// A single sample has no variance to learn from. A batch of one sample, an epoch whose last batch would have one
/// sample, training on one sample after the other, and a micro-batch of one all return
/// [`Error::LoneSample`](crate::Error::LoneSample), before anything is changed. Choose a batch size that leaves no
/// single sample, or [`fold`](Self::fold) the layer into the one before it, and continue without it. If the last
/// micro-batch of a batch would have a single sample, the batch ends with two micro-batches of several samples
/// instead. With micro-batches of two, the last sample of an odd batch is normalized as in prediction.
///
/// In prediction, mean and variance are the running statistics. After each micro-batch these move by a tenth (a
/// momentum of 0.1) towards the micro-batch's mean and its variance with the number of samples less one as divisor,
/// as in PyTorch. Running statistics are buffers, not parameters: a [visit](Visit::visit) passes them to
/// [`Visitor::buffer`], which optimizers ignore.
///
/// # Shapes
///
/// `N` features in, `N` features out. Or an image with `N` channels in, and the same out: then mean and variance of a
/// channel are those of the pixels of all samples (PyTorch: `torch.nn.BatchNorm2d`). A single image is refused too,
/// although it has many pixels.
///
/// # Formula
///
/// `y = (x - mean) / sqrt(variance + 0.00001) * weight + bias`. PyTorch equivalent: `torch.nn.BatchNorm1d`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::BatchNorm;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<2, 8, Identity>, BatchNorm<8>, Relu, Dense<8, 1, Sigmoid>);
/// let (inputs, targets) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [false, true, true, false]);
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.05), seeded(1));
/// trainer.fit(&inputs, &targets, &FitOptions { epochs: 500, ..FitOptions::default() }, ())?;
///
/// // What was learned, with two layers less.
/// let (dense, norm, _, last) = trainer.network.clone();
/// let deployed: (Dense<2, 8, Relu>, Dense<8, 1, Sigmoid>) = (norm.fold(dense).with_activation(), last);
/// for (input, target) in inputs.iter().zip(targets) {
///     let ([before], [after]) = (trainer.network.predict_one(input), deployed.predict_one(input));
///     assert!((after > 0.5) == target && (before - after).abs() < 1e-5);
/// }
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(bound = "T: Real", deny_unknown_fields)
)]
#[doc(alias("BatchNorm1d", "BatchNorm2d", "BatchNormalization"))]
pub struct BatchNorm<const N: usize, T = f32> {
    /// The gains, one for each feature.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub weight: SVector<T, N>,
    /// The biases, one for each feature.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub bias: SVector<T, N>,
    /// The mean used in prediction. In a gradient: what the micro-batches of the batch add to it.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub running_mean: SVector<T, N>,
    /// The variance used in prediction. In a gradient: what the micro-batches of the batch add to it.
    #[cfg_attr(feature = "serde", serde(with = "variance"))]
    pub running_variance: SVector<T, N>,
    /// The number of micro-batches that the running statistics come from.
    pub num_batches_tracked: usize,
}

/// A variance, whose root must be a number.
#[cfg(feature = "serde")]
mod variance {
    use super::{EPSILON, Real, SVector};
    pub use crate::num::serde::column::serialize;
    use serde::Deserializer;
    use serde::de::Error as _;

    pub fn deserialize<'de, T: Real, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<SVector<T, N>, D::Error> {
        let variance: SVector<T, N> = crate::num::serde::column::deserialize(deserializer)?;
        match variance.iter().find(|&&variance| variance + T::of(EPSILON) <= T::ZERO) {
            Some(found) => {
                let found = found.exact();
                Err(D::Error::custom(format_args!("expected a running variance that is not negative, found {found}")))
            }
            None => Ok(variance),
        }
    }
}

/// How far the running statistics move towards those of a micro-batch.
pub(super) const MOMENTUM: f64 = 0.1;

impl<const N: usize, T: Real> BatchNorm<N, T> {
    /// What it computes in prediction of `pixels` values of each feature.
    pub(super) fn operation(&self, pixels: usize) -> Op<'_, T> {
        Op::BatchNormalization {
            weight: self.weight.as_slice(),
            bias: self.bias.as_slice(),
            mean: self.running_mean.as_slice(),
            variance: self.running_variance.as_slice(),
            num_batches_tracked: self.num_batches_tracked,
            epsilon: T::of(EPSILON),
            pixels,
        }
    }

    /// Creates the layer from gains, biases, and the running mean and variance.
    /// [`num_batches_tracked`](Self::num_batches_tracked) is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::BatchNorm;
    /// use tuplenet::prelude::*;
    ///
    /// static NORM: BatchNorm<2> = BatchNorm::from_arrays([1.0, 2.0], [0.0, 5.0], [3.0, 4.0], [4.0, 1.0]);
    /// let [first, second] = NORM.predict_one(&[5.0, 3.0]);
    /// assert!((first - 1.0).abs() < 1e-4 && (second - 3.0).abs() < 1e-4);
    /// ```
    #[must_use]
    pub const fn from_arrays(weight: [T; N], bias: [T; N], mean: [T; N], variance: [T; N]) -> Self {
        BatchNorm {
            weight: SMatrix::from_array_storage(ArrayStorage([weight])),
            bias: SMatrix::from_array_storage(ArrayStorage([bias])),
            running_mean: SMatrix::from_array_storage(ArrayStorage([mean])),
            running_variance: SMatrix::from_array_storage(ArrayStorage([variance])),
            num_batches_tracked: 0,
        }
    }

    pub(crate) const WEIGHT: Parameter = vector::<N>("weight", Kind::Bias);
    pub(crate) const BIAS: Parameter = vector::<N>("bias", Kind::Bias);
    pub(crate) const MEAN: Parameter = vector::<N>("running_mean", Kind::Buffer);
    pub(crate) const VARIANCE: Parameter = vector::<N>("running_var", Kind::Buffer);
    pub(crate) const BATCHES_TRACKED: Parameter =
        Parameter { name: "num_batches_tracked", kind: Kind::Count, rows: 1, columns: 1 };

    #[inline(always)]
    fn visit_buffers(&self, visitor: &mut impl Visitor<T>) {
        visitor.buffer(Self::MEAN, self.running_mean.as_slice());
        visitor.buffer(Self::VARIANCE, self.running_variance.as_slice());
        visitor.count(Self::BATCHES_TRACKED, self.num_batches_tracked as u64);
    }

    #[inline(always)]
    fn visit_buffers_mut<const OTHERS: usize>(&mut self, visitor: &mut impl VisitorMut<T, OTHERS>) {
        visitor.buffer(Self::MEAN, self.running_mean.as_mut_slice());
        visitor.buffer(Self::VARIANCE, self.running_variance.as_mut_slice());
        let mut num_batches_tracked = self.num_batches_tracked as u64;
        visitor.count(Self::BATCHES_TRACKED, &mut num_batches_tracked);
        self.num_batches_tracked = usize::try_from(num_batches_tracked).unwrap_or(usize::MAX);
    }

    /// In prediction the layer computes `scale * x + shift`.
    #[inline(always)]
    fn line(&self) -> [SVector<T, N>; 2] {
        let (mut scale, mut shift) = (self.weight, self.bias);
        for i in 0..N {
            [scale[i], shift[i]] = line(scale[i], shift[i], self.running_mean[i], self.running_variance[i]);
        }
        [scale, shift]
    }

    #[inline(always)]
    fn predict<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        let [scale, shift] = self.line();
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(pass.len()) {
            map(
                pass.simd(),
                [y],
                [x, scale.as_slice(), shift.as_slice()],
                #[inline(always)]
                |[_], [x, scale, shift]| [mul_add(x, scale, shift)],
            );
        }
    }
}

// For each scalar type, since constant evaluation needs concrete types.
macro_rules! fold {
    ($scalar:ty, $root:path) => {
        impl<const N: usize> BatchNorm<N, $scalar> {
            /// Folds this layer into the `Dense` layer before it, for a network that only predicts. The compiler
            /// can do it too: then a network that is stored in flash as it was trained needs no square root on the
            /// microcontroller.
            ///
            /// # Examples
            ///
            /// ```
            /// use tuplenet::layers::BatchNorm;
            /// use tuplenet::prelude::*;
            ///
            /// // Such as `include!("trained.rs")`, a file that the export has written.
            /// const TRAINED: (Dense<1, 2, Identity>, BatchNorm<2>, Relu, Dense<2, 1, Sigmoid>) = (
            ///     Dense::from_rows([[3.0], [-3.0]], [0.5, 0.5]),
            ///     BatchNorm::from_arrays([1.0, 2.0], [0.0, 5.0], [3.0, 4.0], [4.0, 1.0]),
            ///     Relu,
            ///     Dense::from_rows([[1.0, -1.0]], [0.0]),
            /// );
            /// static NETWORK: (Dense<1, 2, Relu>, Dense<2, 1, Sigmoid>) = {
            ///     let (dense, norm, _, last) = TRAINED;
            ///     (norm.fold(dense).with_activation(), last)
            /// };
            /// let ([before], [after]) = (TRAINED.predict_one(&[1.5]), NETWORK.predict_one(&[1.5]));
            /// assert!((before - after).abs() < 1e-6);
            /// ```
            #[must_use]
            pub const fn fold<const IN: usize>(
                &self,
                before: Dense<IN, N, Identity, $scalar>,
            ) -> Dense<IN, N, Identity, $scalar> {
                let (mut weight, [mut bias]) = (before.weight.data.0, before.bias.data.0);
                let ([weights], [biases]) = (&self.weight.data.0, &self.bias.data.0);
                let ([means], [variances]) = (&self.running_mean.data.0, &self.running_variance.data.0);
                let mut row = 0;
                while row < N {
                    let scale = weights[row] * (1.0 / $root(variances[row] + EPSILON as $scalar));
                    let shift = biases[row] - means[row] * scale;
                    let mut column = 0;
                    while column < IN {
                        weight[column][row] *= scale;
                        column += 1;
                    }
                    bias[row] = bias[row] * scale + shift;
                    row += 1;
                }
                Dense::from_columns(weight, bias)
            }
        }
    };
}

fold!(f32, root_of_f32);
fold!(f64, root_of_f64);

/// Scale and shift of a feature in prediction.
#[inline(always)]
pub(super) fn line<T: Real>(weight: T, bias: T, mean: T, variance: T) -> [T; 2] {
    let scale = weight * reciprocal(variance);
    [scale, bias - mean * scale]
}

/// Whether mean and variance are those of the samples of a pass, and not the running statistics.
#[inline(always)]
pub(super) fn is_normalized_by_batch<S: Simd, const B: usize>(pass: Pass<S, B>) -> bool {
    pass.is_training() && pass.len() >= 2
}

/// 1 / standard deviation.
#[inline(always)]
pub(super) fn reciprocal<T: Real>(variance: T) -> T {
    (variance + T::of(EPSILON)).reciprocal_root_of_variance()
}

/// Adds each column in use to `total`.
#[inline(always)]
fn add<S: Simd, T: Real, const N: usize, const B: usize>(
    pass: Pass<S, B>,
    x: &SMatrix<T, N, B>,
    total: &mut SVector<T, N>,
) {
    for x in x.data.0.iter().take(pass.len()) {
        map(
            pass.simd(),
            [total.as_mut_slice()],
            [x],
            #[inline(always)]
            |[total], [x]| [total + x],
        );
    }
}

impl<const N: usize, T: Real> Zeroed for BatchNorm<N, T> {
    const ZEROED: Self = BatchNorm {
        weight: SMatrix::ZEROED,
        bias: SMatrix::ZEROED,
        running_mean: SMatrix::ZEROED,
        running_variance: SMatrix::ZEROED,
        num_batches_tracked: 0,
    };
}

impl<const N: usize, T: Real> Params for BatchNorm<N, T> {
    const PARAMETERS: usize = 2 * N;
    const TOGETHER: usize = 2;

    fn initialize<R: Rng>(&mut self, _: &mut R) {
        *self = Self::ZEROED;
        self.weight.fill(T::ONE);
        self.running_variance.fill(T::ONE);
    }

    #[inline(always)]
    fn update_buffers(&mut self, gradient: &mut Self) {
        for _ in 0..gradient.num_batches_tracked {
            self.running_mean *= T::of(1.0 - MOMENTUM);
            self.running_variance *= T::of(1.0 - MOMENTUM);
        }
        if gradient.num_batches_tracked > 0 {
            self.running_mean += gradient.running_mean;
            self.running_variance += gradient.running_variance;
            self.num_batches_tracked += gradient.num_batches_tracked;
            gradient.num_batches_tracked = 0;
        }
    }

    #[inline(always)]
    fn merge_buffers(&mut self, part: &mut Self) {
        for _ in 0..part.num_batches_tracked {
            self.running_mean *= T::of(1.0 - MOMENTUM);
            self.running_variance *= T::of(1.0 - MOMENTUM);
        }
        self.running_mean += part.running_mean;
        self.running_variance += part.running_variance;
        self.num_batches_tracked += part.num_batches_tracked;
        (part.running_mean, part.running_variance, part.num_batches_tracked) = (SVector::ZEROED, SVector::ZEROED, 0);
    }
}

impl<const N: usize, T: Real> Visit<T> for BatchNorm<N, T> {
    gain_and_bias!();
}

impl<const N: usize, T: Real> InputShape for BatchNorm<N, T> {
    type In = Features<N>;
    type Scalar = T;
}

impl<const N: usize, T> Network for BatchNorm<N, T> {}

/// What [`BatchNorm`] stores for its backward pass: the statistics of the micro-batch.
#[derive(Clone)]
pub struct BatchNormCache<T: Real, const N: usize> {
    pub(super) mean: SVector<T, N>,
    /// With the number of samples as divisor.
    pub(super) variance: SVector<T, N>,
    pub(super) reciprocal: SVector<T, N>,
}

impl<T: Real, const N: usize> core::fmt::Debug for BatchNormCache<T, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BatchNormCache").finish_non_exhaustive()
    }
}

impl<T: Real, const N: usize> Zeroed for BatchNormCache<T, N> {
    const ZEROED: Self =
        BatchNormCache { mean: SMatrix::ZEROED, variance: SMatrix::ZEROED, reciprocal: SMatrix::ZEROED };
}

impl<const N: usize, T: Real> Model<Features<N>, T> for BatchNorm<N, T> {
    type Out = Features<N>;
    /// In prediction, one for each feature.
    const MACS: Option<usize> = Some(N);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, N, B>, y: &mut SMatrix<T, N, B>) {
        self.predict(pass, x, y);
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, N, B>,
        _: Internal,
    ) -> SMatrix<T, N, B> {
        if B > 1 {
            let mut y = Zeroed::ZEROED;
            self.predict(pass, x, &mut y);
            return y;
        }
        // No buffer for scales and shifts, each of which is used once.
        let of = |values: &SVector<T, N>, row| scalar::at(&values.data.0[0], row);
        scalar::made(
            #[inline(always)]
            |column, row| {
                let (weight, bias) = (of(&self.weight, row), of(&self.bias, row));
                let [scale, shift] = line(weight, bias, of(&self.running_mean, row), of(&self.running_variance, row));
                scalar::mul_add(pass.simd(), scalar::at(&x.data.0[column], row), scale, shift)
            },
        )
    }
}

impl<const N: usize, T: Real> Layer<Features<N>, T> for BatchNorm<N, T> {
    type Cache<const B: usize> = BatchNormCache<T, N>;
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, N, B>,
        y: &mut SMatrix<T, N, B>,
        cache: &mut BatchNormCache<T, N>,
    ) {
        let simd = pass.simd();
        let BatchNormCache { mean, variance, reciprocal: reciprocals } = cache;
        if !is_normalized_by_batch(pass) {
            *mean = self.running_mean;
            reciprocals.copy_from(&self.running_variance.map(reciprocal));
            return self.predict(pass, x, y);
        }
        let count = T::from_count(pass.len());
        // The distances from the first sample are summed: of values that are far from zero, a sum would lose the last bits.
        let first = x.data.0.first().copied().unwrap_or([T::ZERO; N]);
        mean.fill(T::ZERO);
        for x in x.data.0.iter().take(pass.len()) {
            map(
                simd,
                [mean.as_mut_slice()],
                [x, &first],
                #[inline(always)]
                |[total], [x, first]| [total + (x - first)],
            );
        }
        *mean /= count;
        *mean += SVector::from(first);
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(pass.len()) {
            map(
                simd,
                [y],
                [x, mean.as_slice()],
                #[inline(always)]
                |[_], [x, mean]| [(x - mean) * (x - mean)],
            );
        }
        variance.fill(T::ZERO);
        add(pass, y, variance);
        *variance /= count;
        // Where a square overflows, the deviation is NaN and so is the loss: no step is taken, and the running
        // statistics, which would stay infinite, are not changed. Four times, since the divisor of the running
        // variance is smaller.
        let four = T::of(4.0);
        reciprocals.copy_from(&variance.map(|variance| reciprocal(variance) + (variance * four) * T::ZERO));
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(pass.len()) {
            map(
                simd,
                [y],
                [x, mean.as_slice(), reciprocals.as_slice(), self.weight.as_slice(), self.bias.as_slice()],
                #[inline(always)]
                |[_], [x, mean, reciprocal, weight, bias]| [mul_add((x - mean) * reciprocal, weight, bias)],
            );
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, _): (&SMatrix<T, N, B>, &SMatrix<T, N, B>),
        BatchNormCache { mean, variance, reciprocal }: &mut BatchNormCache<T, N>,
        dy: &mut SMatrix<T, N, B>,
        gradient: &mut Self,
        dx: Option<&mut SMatrix<T, N, B>>,
    ) {
        let simd = pass.simd();
        let mut weight_gradient = SVector::<T, N>::ZEROED;
        let mut bias_gradient = SVector::<T, N>::ZEROED;
        for (x, dy) in x.data.0.iter().zip(&dy.data.0).take(pass.len()) {
            map(
                simd,
                [weight_gradient.as_mut_slice(), bias_gradient.as_mut_slice()],
                [x, dy, mean.as_slice(), reciprocal.as_slice()],
                #[inline(always)]
                |[weight_gradient, bias_gradient], [x, dy, mean, reciprocal]| {
                    [mul_add(dy, (x - mean) * reciprocal, weight_gradient), bias_gradient + dy]
                },
            );
        }
        gradient.weight += weight_gradient;
        gradient.bias += bias_gradient;

        if pass.begins_batch() {
            (gradient.running_mean, gradient.running_variance, gradient.num_batches_tracked) =
                (SVector::ZEROED, SVector::ZEROED, 0);
        }
        let samples = T::from_count(pass.len());
        // In evaluation, and for a lone sample, the running statistics were used, which do not depend on the samples.
        let together = is_normalized_by_batch(pass);
        if together {
            let unbiased = samples / (samples - T::ONE);
            let (keep, take) = (T::of(1.0 - MOMENTUM), T::of(MOMENTUM));
            for i in 0..N {
                gradient.running_mean[i] = gradient.running_mean[i] * keep + mean[i] * take;
                gradient.running_variance[i] = gradient.running_variance[i] * keep + variance[i] * unbiased * take;
            }
            gradient.num_batches_tracked += 1;
        }

        let Some(dx) = dx else { return };
        let factor = if together { T::ONE / samples } else { T::ZERO };
        weight_gradient *= factor;
        bias_gradient *= factor;
        let columns = x.data.0.iter().zip(&dy.data.0).zip(&mut dx.data.0).take(pass.len());
        for ((x, dy), dx) in columns {
            map(
                simd,
                [&mut dx[..]],
                [x, dy, mean.as_slice(), reciprocal.as_slice(), weight_gradient.as_slice(), bias_gradient.as_slice()],
                #[inline(always)]
                |[_], [x, dy, mean, reciprocal, mean_product, mean_gradient]| {
                    [(dy - mean_gradient - (x - mean) * reciprocal * mean_product) * reciprocal]
                },
            );
            map(
                simd,
                [&mut dx[..]],
                [self.weight.as_slice()],
                #[inline(always)]
                |[dy], [weight]| [dy * weight],
            );
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(self.operation(1));
    }
}
