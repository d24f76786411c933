//! [`Laplace`]: how certain the predictions of a regression network are.

use crate::data::{Inputs, Sample, Samples, check_data};
use crate::error::{Error, not_negative, setting};
use crate::loss::{MeanSquaredError, Targets};
use crate::model::jacobian::One;
use crate::model::{FromTo, InputShape, LastActivation, Layer, Shape, Zeroed, is_finite};
use crate::num::Real;
use crate::num::math::square_root;
use crate::train::Workspace;
use crate::train::full_batch::normal::{Equations, Symmetric};
use crate::train::full_batch::rows::{Rows, flatten, sum_of_squares};

/// Laplace approximation: the posterior distribution of the parameters of a regression network as a normal distribution around
/// those that were trained, with the curvature of the Gauss-Newton matrix. From it follows a variance for each prediction, which
/// is small near the training samples and grows away from them. (D. MacKay, 1992.)
///
/// The network must be at a minimum of [`MeanSquaredError`] with a small penalty, such as
/// [`LevenbergMarquardt`](crate::train::LevenbergMarquardt) finds with Bayesian regularization. `P` is its number of parameters,
/// `{ Net::PARAMETERS }`. The value has a matrix of `P` by `P`.
///
/// # Formula
///
/// With the Gauss-Newton matrix `A = 2 J' J / n + l2 I` of `n` residuals and the variance `s` of the noise, the parameters have
/// the covariance `2 s A^-1 / n`, and an output with the gradient `j` by the parameters has the variance `2 s j' A^-1 j / n`. The
/// noise has the variance `sum r r / (n - effective)`, with the effective number of parameters `P - l2 trace(A^-1)`.
///
/// # Examples
///
/// ```
/// use tuplenet::inspect::Laplace;
/// use tuplenet::model::Params;
/// use tuplenet::prelude::*;
/// use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};
///
/// type Net = (Dense<1, 8, Tanh, f64>, Dense<8, 1, Identity, f64>);
/// const P: usize = Net::PARAMETERS;
/// // There are no samples between -0.2 and 0.4.
/// let inputs: [[f64; 1]; 40] = core::array::from_fn(|i| [i as f64 / 50.0 + if i < 20 { -0.6 } else { 0.0 }]);
/// let targets: [[f64; 1]; 40] = core::array::from_fn(|i| [inputs[i][0].sin() + ((i * 7) % 11) as f64 / 100.0 - 0.05]);
///
/// let solver = LevenbergMarquardt::<P>::new().bayesian();
/// let mut trainer = FullBatchTrainer::new(Net::new(seeded(0)), MeanSquaredError, solver);
/// trainer.fit(&inputs, &targets, 200, ())?;
///
/// let laplace = Laplace::<f64, P>::new(&trainer.network, &inputs, &targets)?;
/// let (known, unknown) = (laplace.predict(&trainer.network, &[0.6]), laplace.predict(&trainer.network, &[3.0]));
/// assert!(unknown.standard_deviation()[0] > 2.0 * known.standard_deviation()[0]);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("uncertainty", "posterior", "predictive variance", "BayesianRidge"))]
pub struct Laplace<T, const P: usize> {
    matrix: Symmetric<T, P>,
    /// What the variance by the matrix is multiplied by.
    scale: T,
    noise: T,
    l2: T,
    effective: T,
}

/// A prediction with its variances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uncertain<T, const OUT: usize> {
    /// The outputs of the network.
    pub mean: [T; OUT],
    /// The variance of each output that comes from not knowing the parameters exactly: the epistemic one.
    pub variance: [T; OUT],
    /// The variance of the noise of a target, which does not become smaller with more samples: the aleatoric one.
    pub noise: T,
}

impl<T: Real, const OUT: usize> Uncertain<T, OUT> {
    /// The standard deviation of a target around each output, of both kinds together: about 95 % of the targets are within twice of
    /// it.
    #[must_use]
    pub fn standard_deviation(&self) -> [T; OUT] {
        self.variance.map(|variance| square_root(variance + self.noise))
    }
}

/// How often the penalty is estimated again, at most, and the change below which it is not.
const ESTIMATES: usize = 100;
const ENOUGH: f64 = 1e-6;

impl<T: Real, const P: usize> Laplace<T, P> {
    /// The approximation for a trained network and the samples that it was trained on. The penalty is the one under which the
    /// data are most probable.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many of `[T; OUT]`.
    ///
    /// # Errors
    ///
    /// If the samples do not fit together, a value, a weight or the loss is infinite or NaN, and [`Error::Singular`] if the data
    /// determine no such distribution.
    pub fn new<N, In, X, Y>(network: &N, inputs: &X, targets: &Y) -> Result<Self, Error>
    where
        In: Shape,
        N: InputShape<In = In, Scalar = T> + Layer<In, T>,
        X: Inputs<T, In> + ?Sized,
        Y: Targets<T, MeanSquaredError, LastActivation<N>, N::Out>
            + Samples<T, Item = <N::Out as Shape>::Sample<T>>
            + ?Sized,
    {
        Self::of(network, inputs, targets, None)
    }

    /// [`new`](Self::new) with the factor of the penalty `l2 / 2 * sum w w` over all parameters, such as that of the state of
    /// [`LevenbergMarquardt`](crate::train::LevenbergMarquardt).
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if `l2` is not finite or not above zero.
    pub fn with_l2<N, In, X, Y>(network: &N, inputs: &X, targets: &Y, l2: T) -> Result<Self, Error>
    where
        In: Shape,
        N: InputShape<In = In, Scalar = T> + Layer<In, T>,
        X: Inputs<T, In> + ?Sized,
        Y: Targets<T, MeanSquaredError, LastActivation<N>, N::Out>
            + Samples<T, Item = <N::Out as Shape>::Sample<T>>
            + ?Sized,
    {
        setting(not_negative(l2) && l2 > T::ZERO, "an `l2` that is finite and above zero", l2)?;
        Self::of(network, inputs, targets, Some(l2))
    }

    fn of<N, In, X, Y>(network: &N, inputs: &X, targets: &Y, l2: Option<T>) -> Result<Self, Error>
    where
        In: Shape,
        N: InputShape<In = In, Scalar = T> + Layer<In, T>,
        X: Inputs<T, In> + ?Sized,
        Y: Targets<T, MeanSquaredError, LastActivation<N>, N::Out>
            + Samples<T, Item = <N::Out as Shape>::Sample<T>>
            + ?Sized,
    {
        const {
            assert!(
                P == N::PARAMETERS,
                "expected the number of parameters of the network: `Laplace<T, {{ Net::PARAMETERS }}>`"
            );
        }
        let count = T::from_count(check_data(inputs, targets)? * <N::Out as Shape>::LEN);
        if !is_finite(network) {
            return Err(Error::WeightNotFinite);
        }
        let loss = Workspace::<N, 1>::new().loss(network, &MeanSquaredError, inputs, targets)?;
        let mut matrix = Symmetric::<T, P>::ZEROED;
        let (mut rows, mut gradient) = (Rows::<N, P>::ZEROED, [T::ZERO; P]);
        rows.accumulate(network, (inputs, targets), &mut matrix, &mut gradient);
        let squares = sum_of_squares(network, true);

        let parameters = T::from_count(P);
        let mut lambda = l2.unwrap_or(T::of(1e-6) * matrix.largest());
        let mut effective = parameters;
        for _ in 0..ESTIMATES {
            let trace = matrix.trace_of_inverse(lambda).ok_or(Error::Singular)?;
            effective = (parameters - lambda * trace).max(T::ZERO);
            if l2.is_some() {
                break;
            }
            let free = (count - effective).max(T::ONE);
            let better = T::of(2.0) * effective * loss / (squares * free);
            if !(better.is_finite() && better > T::ZERO) {
                return Err(Error::Singular);
            }
            let change = (better - lambda).abs();
            lambda = better;
            if change <= T::of(ENOUGH) * lambda {
                break;
            }
        }
        matrix.decompose(lambda, &[T::ZERO; P]).ok_or(Error::Singular)?;
        let noise = loss * count / (count - effective).max(T::ONE);
        Ok(Laplace { matrix, scale: T::of(2.0) * noise / count, noise, l2: lambda, effective })
    }

    /// The outputs for a sample, with their variances. `network` is the one that the approximation was made of.
    ///
    /// # Shapes
    ///
    /// `x` is `[T; IN]` or `SVector<T, IN>`.
    #[must_use]
    pub fn predict<N, const IN: usize, const OUT: usize>(
        &self,
        network: &N,
        x: &impl Sample<T, Item = [T; IN]>,
    ) -> Uncertain<T, OUT>
    where
        N: FromTo<IN, OUT, T>,
    {
        let (mut sample, mut row) = ([T::ZERO; IN], [T::ZERO; P]);
        x.copy(&mut sample);
        let mut one = One::<N>::ZEROED;
        one.set(&sample, usize::MAX);
        let (mut mean, mut variance) = ([T::ZERO; OUT], [T::ZERO; OUT]);
        for (output, (mean, variance)) in mean.iter_mut().zip(&mut variance).enumerate() {
            let mut gradient = N::ZEROED;
            *mean = one.output_gradient(network, output, &mut gradient);
            flatten(&gradient, &mut row);
            if self.matrix.forward(&mut row, 0).is_some() {
                *variance = self.scale * row.iter().fold(T::ZERO, |sum, value| sum + *value * *value);
            }
        }
        Uncertain { mean, variance, noise: self.noise }
    }

    /// The variance of the noise of the targets.
    #[must_use]
    pub fn noise(&self) -> T {
        self.noise
    }

    /// The factor of the penalty on all parameters.
    #[must_use]
    pub fn l2(&self) -> T {
        self.l2
    }

    /// The effective number of parameters: those that the data determine, and not the penalty.
    #[must_use]
    pub fn effective_parameters(&self) -> T {
        self.effective
    }
}
