//! Solvers of full batches as choices of a search: [`Architecture::lbfgs`] and [`Architecture::levenberg_marquardt`].

use super::architecture::{Architecture, FoldOutput, MICRO_BATCH, make};
use super::validation::{FoldTask, Stored};
use super::{Fitted, Hyperparameters, Scalable};
use crate::data::{Samples, Subset};
use crate::error::Error;
use crate::loss::{Loss, MeanSquaredError};
use crate::model::network::infer_one;
use crate::model::{Features, InputShape, LastActivation, Layer, Model, Network};
use crate::num::Real;
use crate::num::random::seeded;
use crate::optimizer::{Optimizer, Regularization};
use crate::train::full_batch::{Minimize, Solver};
use crate::train::{FullBatchTrainer, Lbfgs, LevenbergMarquardt};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;

/// The trainer of a search with a solver.
type FullBatchLearner<N, L, S> = FullBatchTrainer<N, L, S, MICRO_BATCH>;

/// Trains a new network by a solver, which `make_solver` makes of the penalties: that of L1, and that of L2 with scikit-learn's,
/// which is divided by the number of samples. Returns it with the number of epochs.
fn train<N, T, Y, L, S, O, In: Scalable, const OUT: usize>(
    task: &FoldTask<T, Y, L, In>,
    hyperparameters: &Hyperparameters<O>,
    make_solver: impl FnOnce(Regularization<T>) -> S,
) -> Result<(Box<N>, usize), Error>
where
    T: Real,
    N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>> + Network + Send,
    Y: Samples<T> + ?Sized,
    L: Loss<T, Y::Item, LastActivation<N>, OUT> + Clone + Send,
    S: for<'a> Minimize<N, L, Stored<'a, In::Sample<T>>, Subset<'a, Y>, MICRO_BATCH> + Send,
    FullBatchLearner<N, L, S>: Send,
{
    let Hyperparameters { l1, l2, alpha, fit, .. } = hyperparameters;
    let l2 = l2 + alpha / task.part.train.len().max(1) as f64;
    let solver = make_solver(Regularization { l1: T::of(*l1), l2: T::of(l2) });
    let network = make::<N>(&mut seeded(task.seed));
    let targets = Subset { data: task.targets, indices: &task.part.train };
    let mut trainer: Box<FullBatchLearner<N, L, S>> = boxed(network, task.loss.clone(), solver);
    let epochs = trainer.fit(&Stored(&task.part.inputs), &targets, fit.epochs, ())?.epochs;
    let mut network = make::<N>(&mut seeded(task.seed));
    core::mem::swap(&mut *network, &mut trainer.network);
    Ok((network, epochs))
}

/// A trainer in a box.
#[cfg_attr(not(feature = "std"), allow(clippy::boxed_local, reason = "with `std` the box is kept"))]
fn boxed<N, L, S>(network: Box<N>, loss: L, solver: S) -> Box<FullBatchLearner<N, L, S>>
where
    N: crate::model::Trainable + Send,
    L: Send,
    S: Solver<N> + Send,
    FullBatchLearner<N, L, S>: Send,
{
    #[cfg(feature = "std")]
    return FullBatchTrainer::boxed(network, loss, solver);
    #[cfg(not(feature = "std"))]
    Box::new(FullBatchTrainer::with_micro_batch(*network, loss, solver))
}

/// An architecture whose networks `$train` trains.
macro_rules! architecture {
    ($N:ty, $In:ty, $T:ty, $OUT:ident, $parameters:expr, $name:literal, |$regularization:ident| $solver:expr) => {{
        let mut all = $parameters.to_vec();
        all.push(("solver", $name.to_string()));
        Architecture {
            name: core::any::type_name::<$N>(),
            parameters: all,
            count: <$N>::PARAMETERS,
            bytes: size_of::<$N>(),
            learn: |task, hyperparameters| {
                let (network, epochs) =
                    train::<$N, _, _, _, _, _, $In, $OUT>(task, hyperparameters, |$regularization| $solver)?;
                let mut outputs = vec![[<$T>::ZERO; $OUT]; task.part.test_inputs.len()];
                network.predict_all(&Stored(&task.part.test_inputs), &mut outputs)?;
                Ok(FoldOutput { outputs, epochs })
            },
            predictor: |task, hyperparameters| {
                let (network, _) =
                    train::<$N, _, _, _, _, _, $In, $OUT>(task, hyperparameters, |$regularization| $solver)?;
                let fitted = Fitted { network, scaler: task.part.scaler.clone() };
                Ok(Box::new(move |sample| fitted.predict_one(sample)))
            },
            predict: |samples, count| {
                let network = make::<$N>(&mut seeded(0));
                for sample in samples.iter().cycle().take(count) {
                    let sample = core::hint::black_box(sample);
                    core::hint::black_box(infer_one::<$In, $T, $N>(&network, sample, usize::MAX));
                }
            },
        }
    }};
}

impl<T, Y, L, O, In: Scalable, const OUT: usize> Architecture<T, Y, L, O, In, OUT>
where
    T: Real,
    Y: Samples<T> + Sync + ?Sized,
    L: Clone + Send + Sync,
    O: Optimizer<Scalar = T> + Clone + Send + Sync,
{
    /// The network type `N`, trained by [`Lbfgs`] instead of the optimizer of the hyperparameters. Of these it takes the penalties
    /// and the number of epochs; batch size, learning rate and schedule are those of optimizers. scikit-learn equivalent:
    /// `solver="lbfgs"`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{
    ///     Architecture, CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, accuracy, networks,
    /// };
    ///
    /// # let inputs: Vec<[f32; 2]> = (0..80).map(|i| [(i % 9) as f32, (i % 7) as f32]).collect();
    /// # let classes: Vec<usize> = inputs.iter().map(|[x, y]| usize::from(x * y > 8.5)).collect();
    /// type Net = (Dense<2, 8, Tanh>, Dense<8, 2, Softmax>);
    /// let mut networks = networks![Net];
    /// networks.push(Architecture::lbfgs::<Net>(&[]));
    ///
    /// let validation =
    ///     CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &CrossValidationOptions::default())?;
    /// let space = SearchSpace::new(Hyperparameters::new(Adam::new(0.01))).alpha([1e-4, 1e-2]);
    /// let table = validation.grid(&networks, &space)?;
    /// println!("{table}");
    /// assert!(table.rows().iter().any(|row| row.parameters[0] == ("solver", "lbfgs".to_string())));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("solver"))]
    #[must_use]
    pub fn lbfgs<N>(parameters: &[(&'static str, String)]) -> Self
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
        N: Network + Send + Sync + 'static,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
        FullBatchTrainer<N, L, Lbfgs<T>, 104>: Send,
    {
        architecture!(N, In, T, OUT, parameters, "lbfgs", |regularization| Lbfgs::<T> {
            regularization,
            ..Lbfgs::new()
        })
    }
}

impl<T, Y, O, In: Scalable, const OUT: usize> Architecture<T, Y, MeanSquaredError, O, In, OUT>
where
    T: Real,
    Y: Samples<T, Item = [T; OUT]> + Sync + ?Sized,
    O: Optimizer<Scalar = T> + Clone + Send + Sync,
{
    /// The network type `N` with `P` parameters, trained by [`LevenbergMarquardt`] instead of the optimizer of the hyperparameters.
    /// Of these it takes the L2 penalties and the number of epochs.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::model::Params;
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{Architecture, CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, r2};
    ///
    /// # let inputs: Vec<[f64; 1]> = (0..60).map(|i| [i as f64]).collect();
    /// # let targets: Vec<[f64; 1]> = inputs.iter().map(|[x]| [(0.1 * x).sin()]).collect();
    /// type Net = (Dense<1, 4, Tanh, f64>, Dense<4, 1, Identity, f64>);
    /// let networks = [Architecture::levenberg_marquardt::<Net, { Net::PARAMETERS }>(&[])];
    /// let validation =
    ///     CrossValidation::shuffled(&inputs, &targets, MeanSquaredError, r2, &CrossValidationOptions::default())?;
    /// let table = validation.grid(&networks, &SearchSpace::new(Hyperparameters::new(Adam::new(0.01))))?;
    /// assert!(table.best().is_some_and(|best| best.mean() > 0.999));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("trainlm"))]
    #[must_use]
    pub fn levenberg_marquardt<N, const P: usize>(parameters: &[(&'static str, String)]) -> Self
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
        N: Network + Send + Sync + 'static,
        FullBatchTrainer<N, MeanSquaredError, LevenbergMarquardt<P, T>, 104>: Send,
    {
        architecture!(N, In, T, OUT, parameters, "levenberg-marquardt", |regularization| {
            LevenbergMarquardt::<P, T>::new().l2(regularization.l2)
        })
    }
}
