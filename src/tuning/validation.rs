//! [`CrossValidation`]: scores of one set of hyperparameters, or of many, on samples that were not trained on.

use super::architecture::{Architecture, Learner, Predictor, train};
use super::space::{Candidate, below};
use super::table::{Row, Table};
use super::{Hyperparameters, SearchSpace};
use crate::activation::NoActivation;
use crate::data::{
    Channels, ClassIndex, MinMaxScaler, Permutation, Samples, Shaped, StandardScaler, check_data, deal, k_folds,
};
use crate::error::{Error, check_finite};
use crate::layers::Dense;
use crate::loss::Loss;
use crate::model::network::infer_one;
use crate::model::{Features, Image, InputShape, LastActivation, Layer, Model, Network, Sequence, Shape, Zeroed};
use crate::num::Real;
use crate::num::random::seeded;
use crate::optimizer::Optimizer;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// How inputs are scaled; fitted on the training samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// No scaling.
    None,
    /// To zero mean and unit variance: [`StandardScaler`].
    #[default]
    Standard,
    /// To values between 0 and 1: [`MinMaxScaler`].
    MinMax,
}

/// Scaler that was fitted on samples, or none.
#[derive(Clone, Debug, PartialEq)]
pub enum Scaler<T, const N: usize> {
    /// No scaling.
    None,
    /// Means and standard deviations.
    Standard(StandardScaler<T, N>),
    /// Smallest and largest values.
    MinMax(MinMaxScaler<T, N>),
}

impl<T: Real, const N: usize> Scaler<T, N> {
    fn fit<X: Channels<T, N> + Zeroed>(
        scaling: Scaling,
        samples: &(impl Samples<T, Item = X> + ?Sized),
    ) -> Result<Self, Error> {
        Ok(match scaling {
            Scaling::None => Scaler::None,
            Scaling::Standard => Scaler::Standard(StandardScaler::fit(samples)?),
            Scaling::MinMax => Scaler::MinMax(MinMaxScaler::fit(samples)?),
        })
    }

    /// Scales one sample.
    #[must_use]
    pub fn transform<X: Channels<T, N>>(&self, sample: &X) -> X {
        match self {
            Scaler::None => *sample,
            Scaler::Standard(scaler) => scaler.transform(sample),
            Scaler::MinMax(scaler) => scaler.transform(sample),
        }
    }

    /// Folds the scaling into the first layer of a network that was trained on scaled samples. The layer that it
    /// returns takes unscaled samples.
    #[must_use]
    pub fn fold<const OUT: usize, A>(&self, first: Dense<N, OUT, A, T>) -> Dense<N, OUT, A, T> {
        match self {
            Scaler::None => first,
            Scaler::Standard(scaler) => scaler.fold(first),
            Scaler::MinMax(scaler) => scaler.fold(first),
        }
    }
}

/// The shape of samples that a search scales: features, and the channels of sequences and images.
pub trait Scalable: Shape {
    /// Their scaler, a [`Scaler`].
    type Scaler<T: Real>: Clone + fmt::Debug + PartialEq + Send + Sync;

    /// Fits a scaler.
    ///
    /// # Errors
    ///
    /// Those of [`StandardScaler::fit`].
    fn fit_scaler<T: Real>(scaling: Scaling, samples: &[Self::Sample<T>]) -> Result<Self::Scaler<T>, Error>;

    /// Scales one sample.
    fn scale<T: Real>(scaler: &Self::Scaler<T>, sample: &Self::Sample<T>) -> Self::Sample<T>;
}

macro_rules! scalable {
    ([$($size:ident)+] $shape:ty, $sample:ty, $channels:ident) => {
        impl<$(const $size: usize),+> Scalable for $shape {
            type Scaler<T: Real> = Scaler<T, $channels>;

            fn fit_scaler<T: Real>(scaling: Scaling, samples: &[$sample]) -> Result<Scaler<T, $channels>, Error> {
                Scaler::fit(scaling, samples)
            }

            fn scale<T: Real>(scaler: &Scaler<T, $channels>, sample: &$sample) -> $sample {
                scaler.transform(sample)
            }
        }
    };
}
scalable!([N] Features<N>, [T; N], N);
scalable!([STEPS N] Sequence<STEPS, N>, [[T; N]; STEPS], N);
scalable!([C H W] Image<C, H, W>, [[[T; W]; H]; C], C);

/// Trained network with the scaler of its inputs, which are of shape `In`.
#[derive(Clone, Debug)]
#[doc(alias("Pipeline", "best_estimator_"))]
pub struct Fitted<N, T: Real, In: Scalable> {
    /// The network, which takes scaled samples.
    pub network: Box<N>,
    /// The scaler of the inputs.
    pub scaler: In::Scaler<T>,
}

impl<N, T: Real, In: Scalable> Fitted<N, T, In> {
    /// Predicts one unscaled sample.
    ///
    /// # Shapes
    ///
    /// `sample`: a sample of `In`, for [`Features`] `[T; IN]`; returns `[T; OUT]`.
    #[must_use]
    pub fn predict_one<const OUT: usize>(&self, sample: &In::Sample<T>) -> [T; OUT]
    where
        N: Network + Model<In, T, Out = Features<OUT>>,
    {
        Features::get(&infer_one::<In, T, N>(&self.network, &In::scale(&self.scaler, sample), usize::MAX), 0)
    }
}

/// Options of cross-validation: folds, scaling and seed.
///
/// # Examples
///
/// ```
/// use tuplenet::tuning::{CrossValidationOptions, Scaling};
///
/// let options = CrossValidationOptions { folds: 3, ..CrossValidationOptions::default() };
/// assert_eq!((options.scaling, options.seed), (Scaling::Standard, 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(alias("cv"))]
pub struct CrossValidationOptions {
    /// The number of folds, at least 2; by default 5. More folds train on more samples each, and take longer.
    pub folds: usize,
    /// How inputs are scaled, fitted in each fold on the training samples; by default [`Scaling::Standard`].
    pub scaling: Scaling,
    /// The seed of all randomness: folds, first weights, the order of the samples; by default 0.
    pub seed: u64,
}

impl Default for CrossValidationOptions {
    /// Five folds, standard scaling, seed 0.
    fn default() -> Self {
        CrossValidationOptions { folds: 5, scaling: Scaling::Standard, seed: 0 }
    }
}

/// The scaled samples of one fold.
pub(crate) struct FoldData<T: Real, In: Scalable> {
    pub scaler: In::Scaler<T>,
    /// The indices of the training samples.
    pub train: Vec<usize>,
    /// Their inputs, in the same order.
    pub inputs: Vec<In::Sample<T>>,
    /// The indices of the test samples.
    pub test: Vec<usize>,
    /// Their inputs, in the same order.
    pub test_inputs: Vec<In::Sample<T>>,
}

impl<T: Real, In: Scalable> FoldData<T, In> {
    /// Fits the scaler and scales the samples `all`.
    fn new(scaling: Scaling, all: &[In::Sample<T>], train: Vec<usize>, test: Vec<usize>) -> Result<Self, Error> {
        let of = |indices: &[usize]| indices.iter().map(|&index| all[index]).collect::<Vec<_>>();
        let (mut inputs, mut test_inputs) = (of(&train), of(&test));
        let scaler = In::fit_scaler(scaling, &inputs)?;
        for sample in inputs.iter_mut().chain(&mut test_inputs) {
            *sample = In::scale(&scaler, sample);
        }
        Ok(FoldData { scaler, train, inputs, test, test_inputs })
    }
}

/// Samples of any shape, one after the other.
pub(crate) struct Stored<'a, X>(pub &'a [X]);

impl<T: Real, X: Zeroed + Copy> Samples<T> for Stored<'_, X> {
    type Item = X;

    #[inline(always)]
    fn count(&self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut X) {
        if let Some(sample) = self.0.get(index) {
            *to = *sample;
        }
    }

    #[inline(always)]
    fn in_place(&self) -> Option<&[X]> {
        Some(self.0)
    }
}

/// What a network is trained on, and the samples that it predicts.
pub(crate) struct FoldTask<'a, T: Real, Y: ?Sized, L, In: Scalable> {
    pub seed: u64,
    pub loss: &'a L,
    /// The targets of all samples.
    pub targets: &'a Y,
    pub part: &'a FoldData<T, In>,
}

/// Cross-validation: every fold of the data is predicted by a network that was trained on the others, and its outputs
/// get a score, higher is better. scikit-learn equivalent: `cross_val_score`, `GridSearchCV` and `RandomizedSearchCV`.
///
/// If the targets have weights ([`Weighted`](crate::data::Weighted), [`ClassWeighted`](crate::data::ClassWeighted)),
/// these count in training and not in scores, as in scikit-learn. Micro-batches are of 104 samples, so that a
/// [`BatchNorm`](crate::layers::BatchNorm) sees batches of up to that size as a whole.
///
/// The scaled samples of all folds are kept, as many copies as there are folds. With the feature `rayon` the training
/// runs are shared among its threads; the results are the same bits with any number of them.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::{CrossValidation, CrossValidationOptions, Hyperparameters, accuracy};
///
/// let inputs: Vec<[f32; 1]> = (0..60).map(|i| [i as f32]).collect();
/// let classes: Vec<usize> = inputs.iter().map(|[x]| usize::from(*x > 24.5)).collect();
///
/// type Net = (Dense<1, 8, Tanh>, Dense<8, 2, Softmax>);
/// let validation =
///     CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &CrossValidationOptions::default())?;
/// let scores = validation.scores::<Net, _>(&Hyperparameters::new(Adam::new(0.03)))?;
/// println!("{scores}");
/// assert!(scores.mean() > 0.9);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
/// A score is a function of the outputs and the targets of a fold: one of [`accuracy`](super::accuracy),
/// [`r2`](super::r2), [`neg_mean_squared_error`](super::neg_mean_squared_error),
/// [`neg_mean_absolute_error`](super::neg_mean_absolute_error), or one of your own that uses any function of
/// [`metrics`](crate::metrics):
///
/// ```
/// use tuplenet::metrics::{ConfusionMatrix, largest_index};
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::{CrossValidation, CrossValidationOptions, Hyperparameters};
///
/// # let inputs: Vec<[f32; 1]> = (0..60).map(|i| [i as f32]).collect();
/// # let classes: Vec<usize> = inputs.iter().map(|[x]| usize::from(*x > 24.5)).collect();
/// let balanced = |classes: &[usize], outputs: &[[f32; 2]]| {
///     let predicted: Vec<usize> = outputs.iter().map(|output| largest_index(output)).collect();
///     Ok(ConfusionMatrix::<2>::from_classes(classes, &predicted)?.balanced_accuracy())
/// };
/// let validation =
///     CrossValidation::stratified(&inputs, &classes, CrossEntropy, balanced, &CrossValidationOptions::default())?;
/// assert!(validation.scores::<Dense<1, 2, Softmax>, _>(&Hyperparameters::new(Adam::new(0.1)))?.mean() > 0.8);
/// # Ok::<(), tuplenet::Error>(())
/// ```
///
#[doc(alias("cross_val_score", "cross_validate", "GridSearchCV", "RandomizedSearchCV", "KFold"))]
pub struct CrossValidation<'a, T: Real, Y: Samples<T> + ?Sized, L, F, In: Scalable, const OUT: usize> {
    pub(super) inputs: Vec<In::Sample<T>>,
    pub(super) targets: &'a Y,
    pub(super) loss: L,
    score: F,
    pub(super) scaling: Scaling,
    pub(super) seed: u64,
    pub(super) folds: Vec<FoldData<T, In>>,
    /// The targets of each fold's test samples.
    test_targets: Vec<Vec<Y::Item>>,
}

/// Settings and the counts of samples and folds, not the samples.
impl<T: Real, Y: Samples<T> + ?Sized, L: fmt::Debug, F, In: Scalable, const OUT: usize> fmt::Debug
    for CrossValidation<'_, T, Y, L, F, In, OUT>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CrossValidation")
            .field("samples", &self.inputs.len())
            .field("folds", &self.folds.len())
            .field("loss", &self.loss)
            .field("scaling", &self.scaling)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

/// Scores of the folds.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The score of each fold.
    pub folds: Vec<f64>,
}

impl Scores {
    /// The mean of the folds' scores.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.folds.iter().sum::<f64>() / self.folds.len() as f64
    }

    /// The standard deviation of the folds' scores, with their number as divisor as in scikit-learn.
    #[must_use]
    pub fn standard_deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.folds.iter().map(|score| (score - mean) * (score - mean)).sum::<f64>();
        crate::num::math::square_root(squares / self.folds.len() as f64)
    }
}

/// Mean and standard deviation.
impl core::fmt::Display for Scores {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:.4} ± {:.4}", self.mean(), self.standard_deviation())
    }
}

impl<'a, T, Y, L, F, In: Scalable, const OUT: usize> CrossValidation<'a, T, Y, L, F, In, OUT>
where
    T: Real,
    Y: Samples<T> + Sync + ?Sized,
    // The last activation belongs to a network that is not known yet; it is used for the check of the targets.
    L: Loss<T, Y::Item, NoActivation, OUT> + Clone + Send + Sync,
    F: Fn(&[Y::Item], &[[T; OUT]]) -> Result<f64, Error> + Sync,
{
    /// Stratified folds: the classes have the same proportions in each. Targets are class indices: as many classes as
    /// the networks have outputs, or two if they have one output.
    ///
    /// # Shapes
    ///
    /// `inputs`: samples of `[T; IN]`, sequences, or images; `targets`: as many class indices.
    ///
    /// # Errors
    ///
    /// If there are fewer than two folds, if a class has fewer samples than there are folds or is out of range, if
    /// there are not as many targets as inputs, or if a value is infinite or NaN.
    pub fn stratified<X>(
        inputs: &X,
        targets: &'a Y,
        loss: L,
        score: F,
        options: &CrossValidationOptions,
    ) -> Result<Self, Error>
    where
        X: Samples<T, Item: Shaped<T, Shape = In>> + ?Sized,
        In: Shape<Sample<T> = X::Item>,
        Y::Item: ClassIndex<OUT>,
    {
        let count = check_data(inputs, targets)?;
        let class_of = |sample: usize| {
            let mut class = Y::Item::ZEROED;
            targets.copy(sample, &mut class);
            class.index()
        };
        let (mut counts, mut ranks) = (vec![0; OUT.max(2)], vec![None; OUT.max(2)]);
        let mut indices = vec![0; count];
        let mut folds = Vec::new();
        let mut dealt =
            deal(class_of, &mut counts, &mut ranks, &mut indices, options.folds, &mut seeded(options.seed))?;
        while let Some((train, test)) = dealt.next_fold() {
            folds.push((train.to_vec(), test.to_vec()));
        }
        Self::with_folds(inputs, targets, loss, score, folds, options)
    }

    /// Shuffled folds, for regression and binary or multi-label classification.
    ///
    /// # Shapes
    ///
    /// `inputs`: samples of `[T; IN]`, sequences, or images; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// If there are fewer than two folds or fewer samples than folds, if there are not as many targets as inputs, if
    /// the loss does not accept a target, or if a value is infinite or NaN.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{CrossValidation, CrossValidationOptions, Hyperparameters, r2};
    ///
    /// let inputs: Vec<[f32; 1]> = (0..60).map(|i| [i as f32]).collect();
    /// let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [2.0 - 0.1 * x]).collect();
    /// let validation =
    ///     CrossValidation::shuffled(&inputs, &targets, MeanSquaredError, r2, &CrossValidationOptions::default())?;
    /// let hyperparameters = Hyperparameters {
    ///     fit: FitOptions { epochs: 500, ..FitOptions::default() },
    ///     no_improvement: None,
    ///     ..Hyperparameters::new(Adam::new(0.03))
    /// };
    /// let scores = validation.scores::<Dense<1, 1, Identity>, _>(&hyperparameters)?;
    /// assert!(scores.mean() > 0.99);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn shuffled<X>(
        inputs: &X,
        targets: &'a Y,
        loss: L,
        score: F,
        options: &CrossValidationOptions,
    ) -> Result<Self, Error>
    where
        X: Samples<T, Item: Shaped<T, Shape = In>> + ?Sized,
        In: Shape<Sample<T> = X::Item>,
    {
        let mut indices = vec![0; check_data(inputs, targets)?];
        let mut folds = Vec::new();
        let mut dealt = k_folds(&mut indices, options.folds, &mut seeded(options.seed))?;
        while let Some((train, test)) = dealt.next_fold() {
            folds.push((train.to_vec(), test.to_vec()));
        }
        Self::with_folds(inputs, targets, loss, score, folds, options)
    }

    /// Folds of your own, each with the indices of training and test samples: by time, by group, or a single split. The
    /// number of folds in `options` is ignored.
    ///
    /// # Shapes
    ///
    /// `inputs`: samples of `[T; IN]`, sequences, or images; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// If there is no fold, if one has no training or no test samples or an index out of range, if there are not as
    /// many targets as inputs, if the loss does not accept a target, or if a value is infinite or NaN.
    pub fn with_folds<X>(
        inputs: &X,
        targets: &'a Y,
        loss: L,
        score: F,
        folds: Vec<(Vec<usize>, Vec<usize>)>,
        options: &CrossValidationOptions,
    ) -> Result<Self, Error>
    where
        X: Samples<T, Item: Shaped<T, Shape = In>> + ?Sized,
        In: Shape<Sample<T> = X::Item>,
    {
        let count = check_data(inputs, targets)?;
        let mut all = vec![In::Sample::<T>::ZEROED; count];
        inputs.copy_from(0, &mut all);
        let mut items = vec![Y::Item::ZEROED; count];
        targets.copy_from(0, &mut items);
        for (sample, values) in all.iter().enumerate() {
            check_finite(sample, In::elements::<T>(values))?;
        }
        loss.check_all(&items).map_err(|(sample, problem)| Error::Target { sample, problem })?;
        if folds.is_empty() {
            return Err(Error::NoValues { name: "fold" });
        }
        let (mut test_targets, mut parts) = (Vec::new(), Vec::new());
        for (train, test) in folds {
            if train.is_empty() || test.is_empty() {
                return Err(Error::NoSamples);
            }
            if let Some(&found) = train.iter().chain(&test).find(|&&index| index >= count) {
                return Err(Error::Index { found, count });
            }
            test_targets.push(test.iter().map(|&index| items[index]).collect());
            parts.push(FoldData::new(options.scaling, &all, train, test)?);
        }
        let CrossValidationOptions { scaling, seed, .. } = *options;
        Ok(CrossValidation { inputs: all, targets, loss, score, scaling, seed, folds: parts, test_targets })
    }

    /// The indices of the training and the test samples of each fold.
    pub fn folds(&self) -> impl Iterator<Item = (&[usize], &[usize])> {
        self.folds.iter().map(|part| (&part.train[..], &part.test[..]))
    }

    /// Returns the scores of one network type with one set of hyperparameters, one for each fold.
    ///
    /// # Errors
    ///
    /// If a hyperparameter is out of its range, or training or scoring fails in any fold, for example because the
    /// training run has diverged.
    #[doc(alias("cross_val_score"))]
    pub fn scores<N, O>(&self, hyperparameters: &Hyperparameters<O>) -> Result<Scores, Error>
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
        N: Network + Send + Sync + 'static,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
        Learner<N, L, O, T>: Send,
        Y::Item: Sync,
    {
        let networks = [Architecture::of::<N>(&[])];
        let candidates = [(0, Candidate { hyperparameters: hyperparameters.clone(), parameters: Vec::new() })];
        let mut folds = Vec::new();
        for result in self.results(&networks, &candidates) {
            folds.push(result?.score);
        }
        Ok(Scores { folds })
    }

    /// Grid search: tries all networks with all combinations of a grid.
    ///
    /// A candidate whose training run diverges or fails otherwise is in the table with its error; it does not affect
    /// the others.
    ///
    /// # Errors
    ///
    /// If there is nothing to try, if a field of the grid has a distribution, or if a hyperparameter is out of its
    /// range.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::optimizer::AnyOptimizer;
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{
    ///     CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, accuracy, networks,
    /// };
    ///
    /// # let inputs: Vec<[f32; 2]> = (0..80).map(|i| [(i % 9) as f32, (i % 7) as f32]).collect();
    /// # let classes: Vec<usize> = inputs.iter().map(|[x, y]| usize::from(x * y > 8.5)).collect();
    /// let networks = networks![for hidden in [4, 8] for activation in [Tanh, Relu]
    /// (Dense<2, hidden, activation>, Dense<hidden, 2, Softmax>)];
    /// let adam: AnyOptimizer = Adam::new(0.01).into();
    /// let grid = SearchSpace::new(Hyperparameters::new(adam))
    ///     .optimizer([adam, Sgd::new(0.1).nesterov(0.9).into()])
    ///     .alpha([1e-4, 1e-2]);
    ///
    /// let options = CrossValidationOptions { folds: 3, ..CrossValidationOptions::default() };
    /// let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options)?;
    /// let table = validation.grid(&networks, &grid)?;
    /// println!("{table}");
    ///
    /// let best = table.best().expect("one did not fail");
    /// assert!(best.mean() > 0.9);
    /// // Trains again, on all samples.
    /// let predict = validation.predictor(&networks, best)?;
    /// println!("{:?}", predict(&[3.0, 4.0]));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("GridSearchCV"))]
    pub fn grid<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        space: &SearchSpace<O>,
    ) -> Result<Table<O>, Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
        Y::Item: Sync,
    {
        self.table(networks, grid_candidates(networks.len(), space)?)
    }

    /// Random search: tries `count` random combinations of networks and hyperparameters. If all values are lists, each
    /// combination is tried at most once, and all of them if there are not more than `count`.
    ///
    /// # Errors
    ///
    /// As for [`grid`](Self::grid), except for distributions.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{
    ///     CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, log_uniform, networks, r2,
    /// };
    ///
    /// # let inputs: Vec<[f32; 1]> = (0..60).map(|i| [i as f32]).collect();
    /// # let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [2.0 - 0.1 * x]).collect();
    /// let networks = networks![Dense<1, 1, Identity>; (Dense<1, 4, Tanh>, Dense<4, 1, Identity>)];
    /// let space = SearchSpace::new(Hyperparameters::new(Adam::new(0.01)))
    ///     .learning_rate(log_uniform(1e-4, 1.0))
    ///     .batch_size(log_uniform(8.0, 64.0));
    /// let validation =
    ///     CrossValidation::shuffled(&inputs, &targets, MeanSquaredError, r2, &CrossValidationOptions::default())?;
    /// let table = validation.random(&networks, &space, 10)?;
    /// assert_eq!(table.rows().len(), 10);
    /// assert!(table.best().is_some_and(|best| best.mean() > 0.9));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("RandomizedSearchCV"))]
    pub fn random<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        space: &SearchSpace<O>,
        count: usize,
    ) -> Result<Table<O>, Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
        Y::Item: Sync,
    {
        self.table(networks, self.random_candidates(networks.len(), space, count)?)
    }

    /// Trains a network with a set of hyperparameters on all samples, with their scaling, for use.
    ///
    /// # Errors
    ///
    /// If a hyperparameter is out of its range, or training fails.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tuplenet::prelude::*;
    /// # use tuplenet::tuning::{CrossValidation, CrossValidationOptions, Hyperparameters, r2};
    /// # let inputs: Vec<[f32; 1]> = (0..60).map(|i| [i as f32]).collect();
    /// # let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [2.0 - 0.1 * x]).collect();
    /// let validation =
    ///     CrossValidation::shuffled(&inputs, &targets, MeanSquaredError, r2, &CrossValidationOptions::default())?;
    /// let hyperparameters = Hyperparameters {
    ///     fit: FitOptions { epochs: 500, ..FitOptions::default() },
    ///     no_improvement: None,
    ///     ..Hyperparameters::new(Adam::new(0.03))
    /// };
    /// let fitted = validation.fit::<Dense<1, 1, Identity>, _>(&hyperparameters)?;
    /// assert!((fitted.predict_one(&[10.0])[0] - 1.0).abs() < 0.05);
    /// // A network for unscaled samples, without a scaler.
    /// let network = fitted.scaler.fold(*fitted.network);
    /// assert!((network.predict_one(&[10.0])[0] - 1.0).abs() < 0.05);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    pub fn fit<N, O>(&self, hyperparameters: &Hyperparameters<O>) -> Result<Fitted<N, T, In>, Error>
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>> + Network + Send,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
        O: Optimizer<Scalar = T> + Clone + Send,
        Learner<N, L, O, T>: Send,
    {
        let part = self.all_samples()?;
        let (network, _) = train::<N, _, _, _, _, In, OUT>(&self.task(&part, 0), hyperparameters)?;
        Ok(Fitted { network, scaler: part.scaler })
    }

    /// Refit: trains the network of a row with its hyperparameters on all samples. `networks` is the list that was
    /// searched. scikit-learn equivalent: `refit`.
    ///
    /// # Errors
    ///
    /// If the list has no such network, or training fails.
    #[doc(alias("refit", "best_estimator_"))]
    pub fn predictor<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        row: &Row<O>,
    ) -> Result<Predictor<T, In, OUT>, Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
    {
        match networks.get(row.index) {
            Some(network) => (network.predictor)(&self.task(&self.all_samples()?, 0), &row.hyperparameters),
            None => Err(Error::Index { found: row.index, count: networks.len() }),
        }
    }

    /// The data of all samples, for training.
    fn all_samples(&self) -> Result<FoldData<T, In>, Error> {
        FoldData::new(self.scaling, &self.inputs, (0..self.inputs.len()).collect(), Vec::new())
    }

    fn task<'b>(&'b self, part: &'b FoldData<T, In>, fold: usize) -> FoldTask<'b, T, Y, L, In> {
        // The same seed for all candidates, which then differ by what is tried and not by chance.
        let seed = self.seed.wrapping_add(fold as u64);
        FoldTask { seed, loss: &self.loss, targets: self.targets, part }
    }

    /// Candidates of a random search: an index of a network, and hyperparameters.
    pub(super) fn random_candidates<O>(
        &self,
        networks: usize,
        space: &SearchSpace<O>,
        count: usize,
    ) -> Result<Vec<(usize, Candidate<O>)>, Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
    {
        if networks == 0 {
            return Err(Error::NoValues { name: "network" });
        }
        let mut rng = seeded(self.seed);
        let mut candidates = Vec::new();
        if let Some(size) = space.size() {
            // Reports the error in the values.
            space.grid()?;
            let order = Permutation::new(size * networks, &mut rng);
            for position in 0..order.count().min(count) {
                let candidate = order.at(position);
                candidates.push((candidate / size, space.at(candidate % size)));
            }
        } else {
            for _ in 0..count {
                candidates.push((below(networks, &mut rng), space.draw(&mut rng)?));
            }
        }
        Ok(candidates)
    }

    /// Returns the result of a job: all folds of the first candidate are the first jobs, then come those of the next.
    pub(super) fn result<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        candidates: &[(usize, Candidate<O>)],
        job: usize,
    ) -> Result<FoldScore, Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
    {
        let folds = self.folds.len();
        let ((network, choice), fold) = (&candidates[job / folds], job % folds);
        let task = self.task(&self.folds[fold], fold);
        let output = (networks[*network].learn)(&task, &choice.hyperparameters)?;
        let score = (self.score)(&self.test_targets[fold], &output.outputs)?;
        Ok(FoldScore { score, epochs: output.epochs })
    }

    /// Returns the results of all jobs.
    fn results<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        candidates: &[(usize, Candidate<O>)],
    ) -> Vec<Result<FoldScore, Error>>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
        Y::Item: Sync,
    {
        let result = |job: usize| self.result(networks, candidates, job);
        let jobs = 0..candidates.len() * self.folds.len();
        #[cfg(feature = "rayon")]
        return {
            use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
            jobs.into_par_iter().with_max_len(1).map(result).collect()
        };
        #[cfg(not(feature = "rayon"))]
        jobs.map(result).collect()
    }

    fn table<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        candidates: Vec<(usize, Candidate<O>)>,
    ) -> Result<Table<O>, Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
        Y::Item: Sync,
    {
        self.check_candidates(networks, &candidates)?;
        let results = self.results(networks, &candidates);
        // After the training runs, so that they do not disturb the clock.
        let times = self.times(networks);
        Ok(self.rows(networks, candidates, &results, &times))
    }

    /// Fails unless there is something to try, and all hyperparameters are in their range.
    pub(super) fn check_candidates<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        candidates: &[(usize, Candidate<O>)],
    ) -> Result<(), Error>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
    {
        if networks.is_empty() || candidates.is_empty() {
            return Err(Error::NoValues { name: if networks.is_empty() { "network" } else { "candidate" } });
        }
        let samples = self.folds.iter().map(|part| part.train.len()).min().unwrap_or(0);
        for (_, choice) in candidates {
            choice.hyperparameters.check(samples)?;
        }
        self.loss.check_settings()
    }

    /// The table of the results of all jobs, and of the times of the networks.
    pub(super) fn rows<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        candidates: Vec<(usize, Candidate<O>)>,
        results: &[Result<FoldScore, Error>],
        times: &[Option<f64>],
    ) -> Table<O>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync,
    {
        let mut rows = Vec::new();
        for ((index, choice), results) in candidates.into_iter().zip(results.chunks(self.folds.len())) {
            let network = &networks[index];
            let mut parameters = network.parameters.clone();
            parameters.extend(choice.parameters);
            rows.push(Row {
                index,
                network: network.name(),
                parameters,
                hyperparameters: choice.hyperparameters,
                folds: results.iter().map(|result| result.map(|fold| fold.score)).collect(),
                epochs: results.iter().map(|result| result.map_or(0, |fold| fold.epochs)).collect(),
                count: network.count,
                bytes: network.bytes,
                nanoseconds: times.get(index).copied().flatten(),
            });
        }
        Table::new(rows)
    }

    /// The time of one prediction of each network.
    pub(super) fn times<O>(&self, networks: &[Architecture<T, Y, L, O, In, OUT>]) -> Vec<Option<f64>> {
        networks.iter().map(|network| self.time(network)).collect()
    }

    /// The time of one prediction in nanoseconds: the best of some rounds. The rounds are short, since no training runs
    /// at the same time, and long enough for the clock.
    #[cfg(feature = "std")]
    fn time<O>(&self, network: &Architecture<T, Y, L, O, In, OUT>) -> Option<f64> {
        use std::time::{Duration, Instant};
        const ROUND: Duration = Duration::from_micros(10);
        let samples = &self.folds[0].test_inputs;
        let mut count = 1;
        let mut best = f64::INFINITY;
        let mut rounds = 0;
        while rounds < 5 {
            let start = Instant::now();
            (network.predict)(samples, count);
            let taken = start.elapsed();
            if taken < ROUND && count < 1 << 20 {
                count *= 2;
                continue;
            }
            best = best.min(taken.as_nanos() as f64 / count as f64);
            rounds += 1;
        }
        Some(best)
    }

    #[cfg(not(feature = "std"))]
    fn time<O>(&self, _: &Architecture<T, Y, L, O, In, OUT>) -> Option<f64> {
        None
    }
}

/// All candidates of a grid: an index of a network, and hyperparameters.
pub(super) fn grid_candidates<O>(networks: usize, space: &SearchSpace<O>) -> Result<Vec<(usize, Candidate<O>)>, Error>
where
    O: Optimizer + Clone + Send + Sync,
{
    let mut candidates = Vec::new();
    for network in 0..networks {
        candidates.extend(space.grid()?.into_iter().map(|choice| (network, choice)));
    }
    Ok(candidates)
}

/// The result of a candidate in one fold.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "cluster", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct FoldScore {
    pub score: f64,
    pub epochs: usize,
}
