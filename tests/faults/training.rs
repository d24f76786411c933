//! Steps, epochs, whole training runs.

use std::ops::ControlFlow;
use tuplenet::Error;
use tuplenet::activation::Identity as NoActivation;
use tuplenet::data::{ClassWeighted, Weighted};
use tuplenet::layers::{BatchNorm, Residual};
use tuplenet::model::{InputShape, Layer, Model, Params, Pass, Trainable, Visit, Visitor, VisitorMut, Zeroed};
use tuplenet::optimizer::AnyOptimizer;
use tuplenet::optimizer::schedule::{
    AnySchedule, CosineAnnealing, ExponentialDecay, OneCycle, ReduceOnPlateau, Schedule, StepDecay,
};
use tuplenet::prelude::*;
use tuplenet::simd::Simd;
use tuplenet::train::callbacks::{Best, Metric};

type Line = Dense<1, 1, Identity>;

fn line(weight: f32, bias: f32) -> Line {
    Line::from_rows([[weight]], [bias])
}

fn trainer<O: Optimizer<Scalar = f32>>(network: Line, optimizer: O) -> Trainer<Line, MeanSquaredError, O, impl Rng> {
    Trainer::new(network, MeanSquaredError, optimizer, seeded(1))
}

/// The relative error.
fn error(found: f32, right: f64) -> f64 {
    (f64::from(found) / right - 1.0).abs()
}

/// As many samples as one likes, in the memory of one.
struct Same<const N: usize> {
    sample: [f32; N],
    count: usize,
    weight: f32,
}

impl<const N: usize> tuplenet::data::Samples<f32> for Same<N> {
    type Item = [f32; N];
    const WEIGHTED: bool = true;
    fn count(&self) -> usize {
        self.count
    }
    fn copy(&self, _: usize, to: &mut [f32; N]) {
        *to = self.sample;
    }
    fn weight(&self, _: usize) -> f32 {
        self.weight
    }
}

mod long_sums {
    use super::*;

    fn samples<const N: usize>(sample: [f32; N], count: usize) -> Same<N> {
        Same { sample, count, weight: 0.1 }
    }

    #[test]
    fn the_loss_of_a_million_weighted_samples() {
        let mut trainer = trainer(line(0.0, 0.3), Sgd::new(0.0));
        let loss = trainer.evaluate(&samples([0.5], 300_000), &samples([0.0], 300_000)).unwrap();
        assert!(error(loss, 0.3f32.into_squared()) < 1e-6, "{loss}");
    }

    trait IntoSquared {
        fn into_squared(self) -> f64;
    }
    impl IntoSquared for f32 {
        fn into_squared(self) -> f64 {
            f64::from(self) * f64::from(self)
        }
    }

    #[test]
    fn the_mean_loss_of_an_epoch_of_batches_of_one() {
        let mut trainer =
            Trainer::<_, _, _, _, 1>::with_micro_batch(line(0.0, 0.3), MeanSquaredError, Sgd::new(0.0), seeded(0));
        let loss = trainer.epoch(&samples([0.5], 200_000), &samples([0.0], 200_000), 1).unwrap();
        assert!(error(loss, 0.3f32.into_squared()) < 1e-6, "{loss}");
    }

    #[test]
    fn the_gradient_of_a_large_weighted_batch() {
        let network = line(0.0, 0.3);
        fn check<const B: usize>(network: &Line, count: usize) {
            let mut gradient = Line::ZEROED;
            let mut workspace = Workspace::<Line, B>::new();
            let (inputs, targets) = (samples([0.5], count), samples([0.0], count));
            workspace.gradient(network, &MeanSquaredError, &inputs, &targets, &mut gradient).unwrap();
            assert!(error(gradient.bias[0], 2.0 * f64::from(0.3f32)) < 1e-5, "{B} {count} {gradient:?}");
            assert!(error(gradient.weight[0], f64::from(0.3f32)) < 1e-5, "{B} {count} {gradient:?}");
        }
        check::<32>(&network, 300_000);
        check::<4>(&network, 100_001);
        check::<1>(&network, 32_800);
    }

    /// The running statistics of batch normalization are those of all micro-batches in turn, and not those of a part.
    #[test]
    fn the_buffers_of_a_large_batch() {
        type Net = (BatchNorm<1>, Dense<1, 1, Identity>);
        // 2,000 micro-batches with the mean 1, and three with the mean 4.
        let inputs: Vec<[f32; 1]> =
            (0..2003).flat_map(|i| if i < 2000 { [[0.0], [2.0]] } else { [[3.0], [5.0]] }).collect();
        let targets = vec![[0.5]; inputs.len()];
        let mut trainer = Trainer::<_, _, _, _, 2>::with_micro_batch(
            Net::new(&mut seeded(0)),
            MeanSquaredError,
            Sgd::new(0.1),
            seeded(1),
        );
        for step in 1..=2 {
            trainer.step(&inputs, &targets).unwrap();
            let norm = &trainer.network.0;
            assert_eq!(norm.num_batches_tracked, step * 2003);
            assert!(error(norm.running_mean[0], 4.0 - 3.0 * 0.9f64.powi(3)) < 1e-6, "{norm:?}");
            assert!(error(norm.running_variance[0], 2.0) < 1e-6, "{norm:?}");
        }
    }
}

mod one_run {
    use super::*;

    const INPUTS: [[f32; 1]; 4] = [[-1.0], [0.0], [0.5], [1.0]];
    const FIT: FitOptions = FitOptions { epochs: 40, batch_size: 2, shuffle: true };

    fn fold(target: f32) -> (Trainer<Line, MeanSquaredError, Sgd, impl Rng>, [[f32; 1]; 4]) {
        (trainer(line(0.0, 0.0), Sgd::new(0.05)), INPUTS.map(|[x]| [target * x]))
    }

    #[test]
    fn early_stopping_in_a_loop_over_folds() {
        let mut shared = EarlyStopping::new(3);
        for target in [0.0, 3.0, -2.0] {
            let ((mut trainer, targets), (mut alone, _)) = (fold(target), fold(target));
            let mut own = EarlyStopping::new(3);
            let found = trainer.fit(&INPUTS, &targets, &FIT, &mut shared).unwrap();
            assert_eq!(found, alone.fit(&INPUTS, &targets, &FIT, &mut own).unwrap());
            assert_eq!(trainer.network, alone.network);
            assert_eq!(shared.best(), own.best());
        }
    }

    #[test]
    fn notes_of_one_trainer_are_not_those_of_the_next() {
        let (mut history, mut weight) =
            (History::new(), Metric::new("weight", |line: &Line| f64::from(line.weight[0])));
        for target in [1.0, 3.0] {
            let (mut trainer, targets) = fold(target);
            for calls in 1..=2 {
                trainer.fit(&INPUTS, &targets, &FIT, (&mut history, &mut weight)).unwrap();
                assert_eq!((history.losses().len(), weight.values().len()), (40 * calls, 40 * calls));
            }
        }
    }

    /// The best epoch of several calls is that of all, beside a callback that changes the weights in the end.
    #[test]
    fn a_trainer_that_mark_epoch_keeps_its_best_epoch() {
        let (mut trainer, targets) = fold(2.0);
        let mut worse = 0.0;
        let mut first = EarlyStopping::new(usize::MAX).watching(move |_: &EpochReport<Line>| {
            worse += 1.0;
            worse
        });
        let (mut second, mut history) = (EarlyStopping::new(usize::MAX), History::new());
        for _ in 0..3 {
            trainer.fit(&INPUTS, &targets, &FIT, ((&mut history, &mut first), &mut second)).unwrap();
        }
        assert_eq!(first.best(), Some(Best { epoch: 0, loss: 1.0 }));
        assert_eq!(history.losses().len(), 120);
        // A trainer that begins anew is another one.
        trainer.initialize(&mut seeded(3));
        trainer.fit(&INPUTS, &targets, &FIT, (&mut history, &mut first)).unwrap();
        assert_eq!((history.losses().len(), first.best().map(|best| best.loss)), (40, Some(121.0)));
    }

    #[test]
    fn a_schedule_begins_anew_with_its_trainer() {
        let mut trainer = trainer(line(1.0, 0.0), Sgd::new(0.1).by_epoch(ReduceOnPlateau::new().after_warmup(2, 0.5)));
        let before = trainer.optimizer;
        trainer.fit(&INPUTS, &INPUTS, &FIT, ()).unwrap();
        assert!(trainer.optimizer != before && trainer.optimizer.learning_rate() < 0.1);
        trainer.initialize(&mut seeded(0));
        assert_eq!(trainer.optimizer, before);
    }

    #[cfg(feature = "checkpoint")]
    #[test]
    fn a_checkpoint_mark_epoch_with_observers_that_saw_another_trainer() {
        use tuplenet::train::checkpoint::Checkpoint;
        let path = std::env::temp_dir().join(format!("tuplenet-run-{}.checkpoint", std::process::id()));
        let network = || Dense::<1, 1, Identity>::from_rows([[0.0]], [0.0]);
        let trainer = || Trainer::new(network(), MeanSquaredError, Sgd::new(0.05), seeded(1));
        let targets = INPUTS.map(|[x]| [2.0 * x]);
        let (mut whole, mut history, mut stopping) = (trainer(), History::new(), EarlyStopping::new(5));
        whole.fit(&INPUTS, &targets, &FitOptions { epochs: 20, ..FIT }, (&mut history, &mut stopping)).unwrap();

        let (mut others, mut other) = (History::new(), EarlyStopping::new(5));
        {
            let mut checkpoint = Checkpoint::new(&path, (&mut others, &mut other));
            trainer().fit(&INPUTS, &targets, &FitOptions { epochs: 7, ..FIT }, &mut checkpoint).unwrap();
        }
        trainer().fit(&INPUTS, &INPUTS, &FIT, (&mut others, &mut other)).unwrap();
        let mut resumed = trainer();
        let mut checkpoint = Checkpoint::new(&path, (&mut others, &mut other));
        assert!(checkpoint.resume(&mut resumed).unwrap());
        resumed.fit(&INPUTS, &targets, &FitOptions { epochs: 13, ..FIT }, &mut checkpoint).unwrap();
        // A training run that is complete has no epoch left.
        let mut complete = trainer();
        assert!(checkpoint.resume(&mut complete).unwrap());
        let outcome = complete.fit(&INPUTS, &targets, &FitOptions { epochs: 0, ..FIT }, &mut checkpoint).unwrap();
        assert_eq!((outcome.epochs, complete.network), (0, whole.network.clone()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(resumed.network, whole.network);
        assert_eq!((others, other.best()), (history, stopping.best()));
    }
}

/// A factor for each of `N` numbers, and a layer that believes in zeros: its backward pass adds up all columns.
#[derive(Clone, Debug, PartialEq)]
struct Trusting {
    factor: f32,
}

impl Zeroed for Trusting {
    const ZEROED: Self = Trusting { factor: 0.0 };
}

impl Params for Trusting {
    const PARAMETERS: usize = 1;
}

impl Visit<f32> for Trusting {
    fn visit(&self, visitor: &mut impl Visitor<f32>) {
        visitor.slice(Self::PARAMETER, core::slice::from_ref(&self.factor));
    }
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<f32, OTHERS>,
    ) {
        let others = others.map(|other| core::slice::from_mut(&mut other.factor));
        visitor.slice(Self::PARAMETER, core::slice::from_mut(&mut self.factor), others);
    }
}

impl Trusting {
    const PARAMETER: tuplenet::model::Parameter =
        tuplenet::model::Parameter { name: "factor", kind: tuplenet::model::Kind::Weight, rows: 1, columns: 1 };
}

impl InputShape for Trusting {
    type In = Features<1>;
    type Scalar = f32;
}

impl Model<Features<1>, f32> for Trusting {
    type Out = Features<1>;
    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &SMatrix<f32, 1, B>, y: &mut SMatrix<f32, 1, B>) {
        *y = x * self.factor;
    }
}

impl Layer<Features<1>, f32> for Trusting {
    type Cache<const B: usize> = ();
    type LastActivation = NoActivation;
    fn backward<S: Simd, const B: usize>(
        &self,
        _: Pass<S, B>,
        (x, _): (&SMatrix<f32, 1, B>, &SMatrix<f32, 1, B>),
        (): &mut (),
        dy: &mut SMatrix<f32, 1, B>,
        gradient: &mut Self,
        dx: Option<&mut SMatrix<f32, 1, B>>,
    ) {
        gradient.factor += dy.dot(x);
        if let Some(dx) = dx {
            *dx = *dy * self.factor;
        }
    }
}

/// A micro-batch of four with two samples, after one that was full: the same as one of two.
#[test]
fn gradients_of_unused_columns_are_zero() {
    fn compare<N>(network: N)
    where
        N: Clone + std::fmt::Debug + PartialEq + FromTo<1, 1>,
    {
        let (full, few) = ([[1.0], [2.0], [3.0], [4.0]], [[0.5], [-0.7]]);
        let (mut wide, mut narrow) = (Workspace::<N, 4>::new(), Workspace::<N, 2>::new());
        let mut gradients = [N::ZEROED, N::ZEROED];
        wide.gradient(&network, &MeanSquaredError, &full, &[[7.0]; 4], &mut gradients[0]).unwrap();
        gradients[0] = N::ZEROED;
        wide.gradient(&network, &MeanSquaredError, &few, &[[7.0]; 2], &mut gradients[0]).unwrap();
        narrow.gradient(&network, &MeanSquaredError, &few, &[[7.0]; 2], &mut gradients[1]).unwrap();
        assert_eq!(gradients[0], gradients[1]);

        // A batch of six is a full micro-batch and one that is half empty; one sample alone leaves three columns.
        let six = [[1.0], [2.0], [3.0], [4.0], [0.5], [-0.7]];
        let mut wide =
            Trainer::<_, _, _, _, 4>::with_micro_batch(network.clone(), MeanSquaredError, Momentum::default(), ());
        let mut narrow = Trainer::<_, _, _, _, 1>::with_micro_batch(network, MeanSquaredError, Momentum::default(), ());
        let losses = [wide.step(&six, &[[7.0]; 6]).unwrap(), narrow.step(&six, &[[7.0]; 6]).unwrap()];
        assert!((losses[0] - losses[1]).abs() < 1e-4, "{losses:?}");
        let losses = [wide.step_one(&[0.3], &[2.0]).unwrap(), narrow.step_one(&[0.3], &[2.0]).unwrap()];
        assert!((losses[0] - losses[1]).abs() < 1e-4, "{losses:?}");
        for _ in 0..2 {
            let losses = [wide.evaluate(&six, &[[7.0]; 6]).unwrap(), narrow.evaluate(&six, &[[7.0]; 6]).unwrap()];
            assert!((losses[0] - losses[1]).abs() < 1e-3, "{losses:?}");
        }
    }
    type Momentum = tuplenet::optimizer::Momentum;
    trait Default {
        fn default() -> Self;
    }
    impl Default for Momentum {
        fn default() -> Self {
            Sgd::new(0.01).momentum(0.5)
        }
    }
    let trusting = || Trusting { factor: 0.9 };
    let dense = |weight| Dense::<1, 1, Identity>::from_rows([[weight]], [0.1]);
    compare((trusting(), dense(0.5)));
    compare((dense(1.5), trusting(), dense(0.5), dense(-0.5)));
    compare((dense(1.5), (trusting(), dense(0.5)), dense(-0.5)));
    compare((dense(1.5), Residual((trusting(), dense(0.5))), dense(-0.5)));
    compare((dense(1.5), Residual(trusting()), Residual(dense(0.3)), trusting(), dense(-0.5)));
}

mod squares {
    use super::*;

    /// A bad sample among good ones: refused with a readable error, and the training run continues without it as if it
    /// had not been.
    #[test]
    fn one_huge_input_does_not_stop_an_optimizer() {
        let optimizers: [AnyOptimizer; 4] =
            [Adam::new(0.05).into(), AdamW::new(0.05).into(), RmsProp::new(0.05).into(), Adagrad::new(0.5).into()];
        let good = ([[1.0], [2.0]], [[2.0], [4.0]]);
        for optimizer in optimizers {
            let (mut trainer, mut untouched) = (trainer(line(1.0, 0.0), optimizer), trainer(line(1.0, 0.0), optimizer));
            for step in 0..400 {
                let losses = [&mut trainer, &mut untouched].map(|trainer| trainer.step(&good.0, &good.1).unwrap());
                assert_eq!(losses[0].to_bits(), losses[1].to_bits());
                if step == 10 {
                    let before = trainer.network.clone();
                    for refused in [
                        trainer.step(&[[1e10]], &[[0.0]]),
                        trainer.step_one(&[1e10], &[0.0]),
                        trainer.epoch(&[[1e10], [1e10]], &[[0.0], [0.0]], 1),
                    ] {
                        let message = refused.unwrap_err().to_string();
                        assert!(message.contains("square") && message.contains("found"), "{message}");
                    }
                    assert_eq!(trainer.network, before);
                }
            }
            assert!((trainer.network.predict_one(&[3.0])[0] - 6.0).abs() < 0.3, "{optimizer}: {:?}", trainer.network);
        }
    }

    /// Neither the loss nor an input is large, but a weight: the bias before it has a gradient that can't be squared.
    #[test]
    fn a_large_weight_with_a_small_loss() {
        type Net = (Dense<1, 1, Tanh>, Dense<1, 1, Identity>);
        let network: Net = (Dense::from_rows([[0.0]], [0.0]), Dense::from_rows([[1e25]], [0.0]));
        for optimizer in [AnyOptimizer::Adam(Adam::new(0.0)), RmsProp::new(0.0).into(), Adagrad::new(0.0).into()] {
            let trainer = || Trainer::new(network.clone(), MeanSquaredError, optimizer, seeded(0));
            let outcome = trainer().fit(&[[0.0]], &[[0.5]], &FitOptions { epochs: 3, ..FitOptions::default() }, ());
            assert_eq!(outcome, Err(Error::GradientTooLarge { epoch: 2, batch: 0 }), "{optimizer}");
            assert_eq!(trainer().epoch(&[[0.0]], &[[0.5]], 1), Err(Error::GradientTooLarge { epoch: 0, batch: 0 }));
        }
    }

    /// The loss is small, since the weight is zero, and the input alone is large.
    #[test]
    fn a_large_input_with_a_small_loss() {
        type Net = Dense<1, 2, Softmax>;
        let network = Net::from_rows([[0.0], [0.0]], [0.0, 0.0]);
        let mut trainer = Trainer::new(network.clone(), CrossEntropy, Adam::new(0.1), seeded(0));
        assert!(matches!(trainer.step(&[[1e20]], &[0usize]), Err(Error::GradientTooLarge { .. })));
        assert!(matches!(trainer.step_one(&[1e20], &0usize), Err(Error::GradientTooLarge { .. })));
        assert_eq!(trainer.network, network);
        // Clipped, it can be squared.
        let mut trainer = Trainer::new(network.clone(), CrossEntropy, Adam::new(0.1).clip_norm(1.0), seeded(0));
        trainer.step(&[[1e20]], &[0usize]).unwrap();
        assert!(trainer.network != network);
        // And what is not squared need not be small.
        let mut trainer = Trainer::new(network, CrossEntropy, Sgd::new(1e-19), seeded(0));
        trainer.step(&[[1e20]], &[0usize]).unwrap();
    }

    #[test]
    fn a_norm_is_clipped_whose_squares_overflow() {
        // Milliseconds since 1970.
        let inputs: Vec<[f32; 1]> = (0..10).map(|i| [1.7e12 + 1e10 * i as f32]).collect();
        let targets: Vec<[f32; 1]> = (0..10).map(|i| [i as f32]).collect();
        let mut trainer = trainer(line(1.0, 0.0), Sgd::new(1e-3).clip_norm(1.0));
        let fit = FitOptions { epochs: 2000, batch_size: 10, ..FitOptions::default() };
        trainer.fit(&inputs, &targets, &fit, ()).unwrap();
        assert!(trainer.network.weight[0] < 0.01, "{:?}", trainer.network);

        fn clipped<T: Real>(gradient: [T; 2], limit: T) -> [f64; 2] {
            let mut network = Dense::<1, 1, Identity, T>::from_rows([[T::ZERO]], [T::ZERO]);
            let mut gradient = Dense::<1, 1, Identity, T>::from_rows([[gradient[0]]], [gradient[1]]);
            let mut state = Zeroed::ZEROED;
            Sgd::new(T::ONE).clip_norm(limit).step(&mut network, &mut gradient, &mut state);
            [-network.weight[0].exact(), -network.bias[0].exact()]
        }
        for (size, limit) in [(1e38f32, 1.0), (1e25, 2.0), (3e19, 1e10), (1e3, 1e-3), (1e-25, 1e-26), (1e-40, 1e-42)] {
            let [x, y] = clipped([0.6 * size, -0.8 * size], limit);
            let limit = f64::from(limit);
            let tolerance = if size < 1e-30 { 1e-2 } else { 1e-6 };
            let near = (x / (0.6 * limit) - 1.0).abs() < tolerance && (y / (-0.8 * limit) - 1.0).abs() < tolerance;
            assert!(near, "{size}: {x} {y}");
        }
        for (size, limit) in [(1e308f64, 1.0), (1e200, 1e180), (1e-200, 1e-201)] {
            let [x, y] = clipped([0.6 * size, -0.8 * size], limit);
            assert!(
                (x / (0.6 * limit) - 1.0).abs() < 1e-12 && (y / (-0.8 * limit) - 1.0).abs() < 1e-12,
                "{size}: {x} {y}"
            );
        }
        // Below the limit nothing changes, zero neither.
        assert_eq!(clipped([3e18f32, 0.0], 1e19), [f64::from(3e18f32), 0.0]);
        assert_eq!(clipped([1e-30f32, 0.0], 1.0), [f64::from(1e-30f32), 0.0]);
        assert_eq!(clipped([0.0f32, 0.0], 1.0), [0.0, 0.0]);
    }

    #[test]
    fn running_statistics_stay_finite() {
        type Net = (BatchNorm<1>, Dense<1, 1, Identity>);
        for huge in [1e20, 3e19, 1.2e19] {
            let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
            let before = trainer.network.clone();
            let result = trainer.step(&[[huge], [-huge]], &[[1.0], [0.0]]);
            assert!(matches!(result, Err(Error::LossNotFinite { .. })), "{huge}: {result:?}");
            assert_eq!(trainer.network, before);
            trainer.step(&[[1.0], [-1.0]], &[[1.0], [0.0]]).unwrap();
            assert!(trainer.network.0.running_variance[0].is_finite());
        }
    }

    /// A step by hand does what the formula says, on every CPU: nothing, where the mean square is infinite.
    #[test]
    fn an_infinite_square_is_the_same_on_every_cpu() {
        type Wide = Dense<16, 4, Identity>;
        let (mut network, mut state) = (Wide::new(&mut seeded(0)), Zeroed::ZEROED);
        let before = network.clone();
        let mut gradient = Wide::from_rows([[1e20; 16]; 4], [1.0; 4]);
        Adam::new(0.1).step(&mut network, &mut gradient, &mut state);
        assert_eq!(network.weight, before.weight);
        assert!(network.bias != before.bias);
    }
}

/// Values far from zero, whose sum in `f32` loses their last bits.
mod normalization_far_from_zero {
    use super::*;

    #[test]
    fn the_statistics_of_a_batch() {
        type Net = (BatchNorm<1>, Identity);
        type Pixels = Input<Image<1, 16, 16>>;
        type Images = (Pixels, BatchNorm<1>, tuplenet::layers::Flatten<Image<1, 16, 16>, 256>);
        let pixel = |odd: usize| if odd.is_multiple_of(2) { 100_000.0 } else { 100_002.0 };
        let samples: [[f32; 1]; 32] = std::array::from_fn(|i| [pixel(i)]);
        let images: Vec<[[[f32; 16]; 16]; 1]> =
            (0..32).map(|i| [std::array::from_fn(|h| std::array::from_fn(|w| pixel(i + h + w)))]).collect();
        let mut features = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.0), seeded(1));
        let mut boxed = Trainer::boxed(Images::boxed(&mut seeded(0)), MeanSquaredError, Sgd::new(0.0), seeded(1));
        for _ in 0..200 {
            features.step(&samples, &[[0.0]; 32]).unwrap();
            boxed.step(&images, &vec![[0.0; 256]; 32]).unwrap();
        }
        for (norm, count) in [(&features.network.0, 32.0), (&boxed.network.1, 32.0 * 256.0)] {
            assert!((norm.running_mean[0] - 100_001.0).abs() < 0.1, "{norm:?}");
            assert!(error(norm.running_variance[0], count / (count - 1.0)) < 1e-4, "{norm:?}");
        }
    }

    /// As in PyTorch: what does not vary is normalized to zero, wherever it is.
    #[test]
    fn constants_are_normalized_to_zero() {
        fn check<const N: usize>(value: f32) {
            let mut workspace = Workspace::<_, N>::new();
            let norm = BatchNorm::<1>::new(&mut seeded(0));
            let (inputs, targets, mut gradient) = ([[value]; N], [[0.0]; N], BatchNorm::ZEROED);
            let loss = workspace.gradient(&norm, &MeanSquaredError, &inputs, &targets, &mut gradient);
            assert_eq!(loss, Ok(0.0), "{value}");
        }
        for value in [0.1, 100.7, 1000.3, 12345.6, 100_000.3, -1_000_000.5] {
            check::<3>(value);
            check::<7>(value);
            check::<300>(value);
        }
    }
}

mod batches_of_one {
    use super::*;

    type Net = (Dense<1, 4, Identity>, BatchNorm<4>, Dense<4, 1, Identity>);

    fn learner<const B: usize>() -> Trainer<Net, MeanSquaredError, Sgd, impl Rng, B> {
        Trainer::with_micro_batch(Net::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.01), seeded(1))
    }

    fn data(count: usize) -> Vec<[f32; 1]> {
        (0..count).map(|i| [(i as f32).sin()]).collect()
    }

    #[test]
    fn batch_normalization_refuses_them() {
        let (mut trainer, data) = (learner::<32>(), data(97));
        let before = trainer.network.clone();
        let lone = |batch| Err(Error::LoneSample { batch });
        assert_eq!(trainer.step(&data[..1], &data[..1]), lone(0));
        assert_eq!(trainer.step_one(&[0.5], &[0.5]), lone(0));
        assert_eq!(trainer.epoch(&data, &data, 32), lone(3));
        assert_eq!(trainer.epoch(&data, &data, 1), lone(0));
        let fit = FitOptions { epochs: 2, batch_size: 16, shuffle: true };
        assert_eq!(trainer.fit(&data, &data, &fit, ()).unwrap_err(), Error::LoneSample { batch: 6 });
        let mut gradient = Net::ZEROED;
        let mut workspace = Workspace::<Net, 8>::new();
        let result = workspace.gradient(&trainer.network, &MeanSquaredError, &data[..1], &data[..1], &mut gradient);
        assert_eq!(result, lone(0));
        assert_eq!(learner::<1>().step(&data, &data), lone(0));
        assert_eq!((trainer.network.clone(), trainer.epochs), (before.clone(), 0));
        let nested = Residual((
            Dense::<1, 1, Identity>::new(&mut seeded(0)),
            (BatchNorm::<1>::new(&mut seeded(0)), line(1.0, 0.0)),
        ));
        assert_eq!(Trainer::new(nested, MeanSquaredError, Sgd::new(0.1), ()).step(&[[1.0]], &[[1.0]]), lone(0));
        let message = Error::LoneSample { batch: 3 }.to_string();
        assert!(message.contains("expected at least 2 samples") && message.contains("batch 3"), "{message}");

        // What leaves no single sample is trained on; evaluation and prediction are of any number.
        trainer.epoch(&data, &data, 31).unwrap();
        assert!(trainer.network != before);
        trainer.evaluate(&data[..1], &data[..1]).unwrap();
    }

    /// A batch of one more than a micro-batch has two micro-batches of several samples.
    #[test]
    fn no_tile_of_a_larger_batch_is_a_single_sample() {
        let data = data(33);
        let mut trainer = learner::<32>();
        trainer.step(&data, &data).unwrap();
        assert_eq!(trainer.network.1.num_batches_tracked, 2);
    }

    #[cfg(feature = "rayon")]
    #[test]
    fn no_part_of_a_shared_batch_is_a_single_sample() {
        use tuplenet::train::Parallel;
        let (mut trainer, data) = (learner::<32>(), data(200_001));
        let mut parallel = Parallel::new();
        assert_eq!(parallel.step(&mut trainer, &data[..1], &data[..1]), Err(Error::LoneSample { batch: 0 }));
        parallel.step(&mut trainer, &data, &data).unwrap();
        assert_eq!(trainer.network.1.num_batches_tracked, 6251);
    }
}

#[test]
fn no_epoch_is_an_error() {
    let mut trainer = trainer(line(1.0, 0.0), Sgd::new(0.1));
    let none = FitOptions { epochs: 0, ..FitOptions::default() };
    assert_eq!(trainer.fit(&[[1.0]], &[[1.0]], &none, ()), Err(Error::Epochs));
    let result = trainer.fit_validated(&[[1.0]], &[[1.0]], (&[[1.0]], &[[1.0]]), &none, &mut History::new());
    assert_eq!(result.unwrap_err().to_string(), "expected at least 1 epoch, found 0");
}

mod weights_of_zero {
    use super::*;

    const INPUTS: [[f32; 1]; 6] = [[0.1], [0.2], [0.3], [0.4], [0.5], [0.6]];
    const CLASSES: [usize; 6] = [0, 0, 1, 1, 0, 1];
    type Net = Dense<1, 2, Softmax>;

    fn learner() -> Trainer<Net, CrossEntropy, Adam, impl Rng> {
        Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.1), seeded(1))
    }

    #[test]
    fn a_batch_that_weighs_nothing_is_passed_over() {
        let weighted = ClassWeighted { targets: &CLASSES, weights: [0.0, 1.0] };
        let in_order = FitOptions { epochs: 1, batch_size: 2, shuffle: false };
        let (mut trainer, mut expected) = (learner(), learner());
        let loss = trainer.fit(&INPUTS, &weighted, &in_order, ()).unwrap().loss;
        let pair = expected.step(&INPUTS[2..4], &CLASSES[2..4]).unwrap();
        let last = expected.step(&INPUTS[5..], &CLASSES[5..]).unwrap();
        assert!((loss - (2.0 * pair + last) / 3.0).abs() < 1e-6, "{loss}");
        assert!((trainer.network.weight - expected.network.weight).norm() < 1e-6);
        trainer.fit(&INPUTS, &weighted, &FitOptions { epochs: 20, batch_size: 1, shuffle: true }, ()).unwrap();
    }

    /// No step: neither momentum nor a schedule continues.
    #[test]
    fn it_is_no_step() {
        let weighted = Weighted { targets: &CLASSES, weights: &[1.0, 1.0, 0.0, 0.0, 0.0, 0.0] };
        let optimizer = Adam::new(0.1).by_step(ExponentialDecay::new(0.5));
        let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, optimizer, seeded(1));
        trainer.fit(&INPUTS, &weighted, &FitOptions { epochs: 1, batch_size: 2, shuffle: false }, ()).unwrap();
        assert_eq!(trainer.optimizer.position(), 1);
    }

    #[test]
    fn an_epoch_that_weighs_nothing_is_an_error() {
        let weighted = ClassWeighted { targets: &CLASSES, weights: [0.0, 0.0] };
        let mut trainer = learner();
        let error = Err(Error::Weight { epoch: 0, batch: 0 });
        assert_eq!(trainer.step(&INPUTS, &weighted), error);
        assert_eq!(trainer.epoch(&INPUTS, &weighted, 2), error);
        assert_eq!(trainer.evaluate(&INPUTS, &weighted), error);
        assert_eq!(trainer.step_one(&INPUTS[0], &CLASSES[0]).map(|loss| loss.is_finite()), Ok(true));
        assert!(trainer.fit(&INPUTS, &weighted, &FitOptions::default(), ()).is_err());
    }
}

mod settings {
    use super::*;

    /// Every entry refuses, and nothing is changed.
    fn refused<O: Optimizer<Scalar = f32>>(optimizer: O, words: &str) {
        let error = optimizer.check().unwrap_err();
        assert_eq!(error.to_string(), words);
        let mut trainer = trainer(line(1.0, 0.5), optimizer);
        let (inputs, targets) = ([[1.0], [2.0]], [[2.0], [4.0]]);
        let mut history = History::new();
        assert_eq!(trainer.step(&inputs, &targets), Err(error));
        assert_eq!(trainer.step_one(&[1.0], &[2.0]), Err(error));
        assert_eq!(trainer.epoch(&inputs, &targets, 1), Err(error));
        assert_eq!(trainer.fit(&inputs, &targets, &FitOptions::default(), &mut history), Err(error));
        let result =
            trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &FitOptions::default(), &mut history);
        assert_eq!(result, Err(error));
        #[cfg(feature = "rayon")]
        assert_eq!(tuplenet::train::Parallel::new().step(&mut trainer, &inputs, &targets), Err(error));
        assert_eq!((trainer.network.clone(), trainer.epochs, history.losses().len()), (line(1.0, 0.5), 0, 0));
    }

    #[test]
    fn of_optimizers() {
        let learning_rate =
            |found: &str| format!("expected a learning rate that is finite and not negative, found {found}");
        for (value, found) in [(-0.1f32, "-0.1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf"), (-1e-30, "-1e-30")] {
            refused(Sgd::new(value), &learning_rate(found));
            refused(Sgd::new(value).momentum(0.9), &learning_rate(found));
            refused(Adagrad::new(value), &learning_rate(found));
            refused(RmsProp::new(value), &learning_rate(found));
            refused(Adam::new(value), &learning_rate(found));
            refused(AdamW::new(value), &learning_rate(found));
            refused(AnyOptimizer::from(AdamW::new(value)), &learning_rate(found));
            refused(Sgd::new(value).l2(0.1).clip_norm(1.0), &learning_rate(found));
            refused(Sgd::new(value).by_epoch(ExponentialDecay::new(0.0)), &learning_rate(found));
        }
        refused(Sgd::new(0.1).momentum(-0.5), "expected a `momentum` between 0 and 1, found -0.5");
        refused(Sgd::new(0.1).nesterov(1.5), "expected a `momentum` between 0 and 1, found 1.5");
        refused(Adam { beta1: 1.0, ..Adam::new(0.1) }, "expected a `beta1` of at least 0 and below 1, found 1");
        refused(Adam { beta2: f32::NAN, ..Adam::new(0.1) }, "expected a `beta2` of at least 0 and below 1, found NaN");
        let epsilon = "expected an `epsilon` that is finite and not negative, found -1";
        refused(Adam { epsilon: -1.0, ..Adam::new(0.1) }, epsilon);
        refused(Adagrad { epsilon: -1.0, ..Adagrad::new(0.1) }, epsilon);
        refused(RmsProp { epsilon: -1.0, ..RmsProp::new(0.1) }, epsilon);
        let alpha = RmsProp { alpha: 1.0, ..RmsProp::new(0.1) };
        refused(alpha, "expected an `alpha` of at least 0 and below 1, found 1");
        let weight_decay = AdamW { weight_decay: -0.01, ..AdamW::new(0.1) };
        refused(weight_decay, "expected a `weight_decay` of `AdamW` that is finite and not negative, found -0.01");
        assert_eq!(Adam::new(0.0f32).check(), Ok(()));
        assert_eq!(Sgd::new(0.0f64).momentum(0.0).check(), Ok(()));
    }

    #[test]
    fn of_limits_and_penalties() {
        for (limit, found) in [(-1.0, "-1"), (0.0, "0"), (f32::NAN, "NaN")] {
            refused(
                Sgd::new(0.1).clip_norm(limit),
                &format!("expected a limit above zero for `clip_norm`, found {found}"),
            );
            refused(
                Adam::new(0.1).clip_value(limit),
                &format!("expected a limit above zero for `clip_value`, found {found}"),
            );
        }
        for (lambda, found) in [(-1.0, "-1"), (f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
            let words =
                |name: &str| format!("expected a `lambda` of `{name}` that is finite and not negative, found {found}");
            refused(Sgd::new(0.1).l1(lambda), &words("l1"));
            refused(Sgd::new(0.1).clip_norm(1.0).l2(lambda).clip_value(1.0), &words("l2"));
            refused(Sgd::new(0.1).weight_decay(lambda), &words("weight_decay"));
        }
        assert_eq!(Sgd::new(0.1f32).clip_norm(f32::INFINITY).l1(0.0).l2(0.0).weight_decay(0.0).check(), Ok(()));
    }

    #[test]
    fn of_schedules() {
        fn wrong(schedule: impl Schedule + Clone, words: &str) {
            refused(Sgd::new(0.1).by_epoch(schedule.clone()), words);
            refused(Adam::new(0.1).by_step(schedule.clone()).clip_norm(1.0), words);
            refused(Sgd::new(0.1).by_step(schedule.after_warmup(3, 0.1)), words);
        }
        wrong(StepDecay::new(0, 0.5), "expected a `length` of `StepDecay` of at least 1, found 0");
        wrong(
            StepDecay::new(2, -0.5),
            "expected a `factor` of `StepDecay` that is finite and not negative, found -0.5",
        );
        wrong(
            ExponentialDecay::new(f64::NAN),
            "expected a `factor` of `ExponentialDecay` that is finite and not negative, found NaN",
        );
        wrong(CosineAnnealing::new(0), "expected a `length` of `CosineAnnealing` of at least 1, found 0");
        let cosine = CosineAnnealing { length: 5, lowest: -1.0 };
        wrong(cosine, "expected a `lowest` factor of `CosineAnnealing` that is finite and not negative, found -1");
        wrong(OneCycle::new(0), "expected a `length` of `OneCycle` of at least 1, found 0");
        wrong(OneCycle { rise: 1.5, ..OneCycle::new(9) }, "expected a `rise` of `OneCycle` between 0 and 1, found 1.5");
        let cycle = OneCycle { first_divisor: 0.0, ..OneCycle::new(9) };
        wrong(cycle, "expected a `first_divisor` of `OneCycle` that is finite and above zero, found 0");
        let cycle = AnySchedule::from(OneCycle { last_divisor: -3.0, ..OneCycle::new(9) });
        wrong(cycle, "expected a `last_divisor` of `OneCycle` that is finite and above zero, found -3");
        let adaptive = ReduceOnPlateau { divisor: 0.5, ..ReduceOnPlateau::new() };
        wrong(
            AnySchedule::from(adaptive),
            "expected a `divisor` of `ReduceOnPlateau` that is finite and above 1, found 0.5",
        );
        let adaptive = ReduceOnPlateau { tolerance: f64::NAN, ..ReduceOnPlateau::new() };
        wrong(adaptive, "expected a `tolerance` of `ReduceOnPlateau` that is finite and not negative, found NaN");
        let warmup = Sgd::new(0.1).by_step(StepDecay::new(1, 0.5).after_warmup(3, -1.0));
        refused(warmup, "expected a `start` of the warm-up that is finite and not negative, found -1");
    }

    /// A schedule of one's own that gives no number: found with the epoch, and not as a divergence.
    #[test]
    fn of_a_schedule_in_the_middle() {
        #[derive(Clone)]
        struct Odd;
        impl Schedule for Odd {
            fn factor(&self, position: usize) -> f64 {
                if position < 3 { 1.0 } else { f64::NAN }
            }
        }
        let mut trainer = trainer(line(1.0, 0.0), Sgd::new(0.1).by_epoch(Odd));
        let mut history = History::new();
        let fit = FitOptions { epochs: 10, ..FitOptions::default() };
        let error = trainer.fit(&[[1.0], [2.0]], &[[2.0], [4.0]], &fit, &mut history).unwrap_err();
        assert_eq!(error.to_string(), "expected a learning rate that is finite and not negative, found NaN");
        assert_eq!(history.losses().len(), 3);
        assert!(trainer.network.weight[0].is_finite());
    }

    #[test]
    fn of_losses() {
        for (delta, found) in [(-1.0, "-1"), (0.0, "0"), (f32::NAN, "NaN")] {
            let words = format!("expected a `delta` of `Huber` above zero, found {found}");
            let mut trainer = Trainer::new(line(1.0, 0.0), Huber { delta }, Sgd::new(0.1), seeded(0));
            let (inputs, targets) = ([[1.0], [2.0]], [[2.0], [4.0]]);
            let error = trainer.step(&inputs, &targets).unwrap_err();
            assert_eq!(error.to_string(), words);
            assert_eq!(trainer.step_one(&[1.0], &[2.0]), Err(error));
            assert_eq!(trainer.epoch(&inputs, &targets, 2), Err(error));
            assert_eq!(trainer.fit(&inputs, &targets, &FitOptions::default(), ()), Err(error));
            assert_eq!(trainer.evaluate(&inputs, &targets), Err(error));
            let mut workspace = Workspace::<Line, 4>::new();
            assert_eq!(workspace.loss(&trainer.network, &Huber { delta }, &inputs, &targets), Err(error));
            assert_eq!(trainer.network, line(1.0, 0.0));
        }
    }

    #[test]
    fn of_observers_and_class_weights() {
        let mut trainer = trainer(line(1.0, 0.0), Sgd::new(0.1));
        for min_delta in [-1.0, f64::NAN, f64::INFINITY] {
            let mut stopping = EarlyStopping::new(3).min_delta(min_delta);
            let error = trainer.fit(&[[1.0]], &[[2.0]], &FitOptions::default(), &mut stopping).unwrap_err();
            assert!(error.to_string().starts_with("expected a `min_delta` that is finite and not negative, found"));
        }
        assert_eq!((trainer.network, trainer.epochs), (line(1.0, 0.0), 0));
        let network = <Dense<1, 2, Softmax>>::new(&mut seeded(0));
        let mut trainer = Trainer::new(network, CrossEntropy, Sgd::new(0.1), seeded(1));
        let targets = ClassWeighted { targets: &[0usize, 0, 0], weights: [1.0, -2.0] };
        let error = trainer.step(&[[1.0]; 3], &targets).unwrap_err();
        assert_eq!(error.to_string(), "expected class weights that are finite and not negative, found -2");
    }

    #[test]
    fn of_searches() {
        use tuplenet::tuning::{
            CrossValidation, CrossValidationOptions, Hyperparameters, NoImprovement, SearchSpace, networks, r2, uniform,
        };
        let inputs: Vec<[f32; 1]> = (0..30).map(|i| [i as f32]).collect();
        let validation =
            CrossValidation::shuffled(&inputs, &inputs, MeanSquaredError, r2, &CrossValidationOptions::default())
                .unwrap();
        let networks = || networks![Line];
        let space = || SearchSpace::new(Hyperparameters::new(Sgd::new(0.01f32)));
        let words = |error: Error| error.to_string();
        let learning_rate = "expected a learning rate that is finite and not negative, found -0.1";
        assert_eq!(
            words(validation.grid(&networks(), &space().learning_rate([0.01, -0.1])).unwrap_err()),
            learning_rate
        );
        assert_eq!(
            words(validation.random(&networks(), &space().learning_rate([-0.1]), 1).unwrap_err()),
            learning_rate
        );
        assert!(
            words(validation.random(&networks(), &space().learning_rate(uniform(-1.0, -0.5)), 3).unwrap_err())
                .contains("learning rate")
        );
        assert!(words(validation.grid(&networks(), &space().l1([-1.0])).unwrap_err()).contains("`l1`"));
        assert!(words(validation.grid(&networks(), &space().alpha([f64::NAN])).unwrap_err()).contains("`alpha`"));
        assert_eq!(validation.grid(&networks(), &space().epochs([0])).unwrap_err(), Error::Epochs);
        assert_eq!(validation.grid(&networks(), &space().batch_size([0])).unwrap_err(), Error::BatchSize);
        let hyperparameters = Hyperparameters {
            no_improvement: Some(NoImprovement { patience: 3, tolerance: -1.0 }),
            ..Hyperparameters::new(Sgd::new(0.01f32))
        };
        assert!(words(validation.scores::<Line, _>(&hyperparameters).unwrap_err()).contains("`tolerance`"));
        let hyperparameters = Hyperparameters { learning_rate: Some(1e300), ..Hyperparameters::new(Sgd::new(0.01f32)) };
        assert!(words(validation.scores::<Line, _>(&hyperparameters).unwrap_err()).contains("learning rate"));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn of_a_trainer_that_is_read() {
        let trainer = Trainer::new(line(1.0, 0.0), MeanSquaredError, Sgd::new(0.25).clip_norm(1.0), ());
        let text = serde_json::to_string(&trainer).unwrap();
        type Read = Trainer<
            Line,
            MeanSquaredError,
            tuplenet::optimizer::Transformed<Sgd, tuplenet::optimizer::ClipNorm<f32>>,
            (),
        >;
        assert!(serde_json::from_str::<Read>(&text).is_ok());
        let error = serde_json::from_str::<Read>(&text.replace("0.25", "-0.25")).err().unwrap();
        assert!(error.to_string().starts_with("expected a learning rate that is finite and not negative, found -0.25"));
    }
}

mod messages {
    use super::*;

    #[test]
    fn debug_is_the_sentence() {
        fn same<E: std::error::Error>(error: E) {
            assert_eq!(format!("{error:?}"), error.to_string());
            assert!(error.to_string().contains(' '), "{error}");
            assert!(error.source().is_none() || format!("{:?}", error.source().unwrap()).contains(' '));
        }
        same(Error::LossNotFinite { epoch: 0, batch: 0 });
        same(tuplenet::error::TargetError::Class { found: 3, classes: 2 });
        #[cfg(feature = "checkpoint")]
        same(tuplenet::train::checkpoint::CheckpointProblem::Checksum);
        #[cfg(feature = "csv")]
        same(tuplenet::data::CsvError::Empty);
        #[cfg(feature = "plot")]
        same(tuplenet::plot::PlotError::Nothing);
        #[cfg(feature = "export")]
        same(tuplenet::io::export::ExportError::Large { found: 3 });
        #[cfg(feature = "safetensors")]
        {
            let load_error = tuplenet::io::safetensors::LoadError::HeaderLength { found: 3 };
            same(load_error);
            same(tuplenet::io::safetensors::FileError::from(load_error));
        }
    }

    #[test]
    fn an_evaluation_that_overflows_is_no_training_that_diverged() {
        let mut trainer = trainer(line(1e30, 0.0), Sgd::new(0.1));
        let error = trainer.evaluate(&[[1e5]], &[[0.0]]).unwrap_err();
        assert_eq!(error, Error::EvaluationNotFinite);
        let words = error.to_string();
        assert!(!words.contains("diverged") && !words.contains("learning_rate") && !words.contains("epoch"), "{words}");
        let mut workspace = Workspace::<Line, 4>::new();
        assert_eq!(workspace.loss(&trainer.network, &MeanSquaredError, &[[1e5]], &[[0.0]]), Err(error));
        #[cfg(feature = "rayon")]
        assert_eq!(tuplenet::train::Parallel::new().evaluate(&mut trainer, &[[1e5]], &[[0.0]]), Err(error));
    }

    #[test]
    fn ruined_weights_are_reported_as_such() {
        let (inputs, targets) = ([[1.0], [2.0]], [[2.0], [4.0]]);
        for ruined in [f32::NAN, f32::INFINITY] {
            let mut trainer = trainer(line(ruined, 0.0), Sgd::new(0.1));
            let error = Error::WeightNotFinite;
            assert_eq!(trainer.step(&inputs, &targets), Err(error));
            assert_eq!(trainer.step_one(&[1.0], &[1.0]), Err(error));
            assert_eq!(trainer.epoch(&inputs, &targets, 1), Err(error));
            assert_eq!(trainer.fit(&inputs, &targets, &FitOptions::default(), ()), Err(error));
            assert_eq!(trainer.evaluate(&inputs, &targets), Err(error));
            let mut gradient = Line::ZEROED;
            let mut workspace = Workspace::<Line, 4>::new();
            let result = workspace.gradient(&trainer.network, &MeanSquaredError, &inputs, &targets, &mut gradient);
            assert_eq!(result, Err(error));
            assert!(error.to_string().contains("weights"), "{error}");
        }
    }

    #[test]
    fn what_is_not_finite_is_named_with_its_value() {
        let mut trainer = trainer(line(1.0, 0.0), Sgd::new(0.1));
        for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "infinity"), (f32::NEG_INFINITY, "-infinity")] {
            let inputs = [[1.0], [value]];
            let words = format!("expected finite inputs, found {name} in sample 1, column 0 (epoch 0, batch 0)");
            assert_eq!(trainer.step(&inputs, &[[0.0]; 2]).unwrap_err().to_string(), words);
            let words = format!("target of sample 1: expected finite values, found {name} in column 0");
            assert_eq!(trainer.step(&[[0.0]; 2], &inputs).unwrap_err().to_string(), words);
        }
        let network = <Dense<1, 2, Sigmoid>>::new(&mut seeded(0));
        let mut trainer = Trainer::new(network, BinaryCrossEntropy, Sgd::new(0.1), seeded(0));
        let error = trainer.step(&[[0.0]; 2], &[[0.0, 1.0], [0.5, 1.5]]).unwrap_err();
        assert_eq!(error.to_string(), "target of sample 1: expected values between 0 and 1, found 1.5 in column 1");
    }

    /// A callback learns how a training run ended also where it was the schedule's doing; one that refuses lets none
    /// begin.
    #[test]
    fn an_observer_that_refuses() {
        struct No;
        impl<N: Trainable> Callback<N> for &mut No {
            fn begin(&mut self, _: usize, _: &N) -> Result<(), Error> {
                Err(Error::NoSamples)
            }
            fn epoch(&mut self, _: &EpochReport<N>) -> ControlFlow<()> {
                panic!("no epoch")
            }
            fn end(&mut self, _: &mut N, _: Result<FitReport<N::Scalar>, Error>) {
                panic!("no end")
            }
        }
        let mut trainer = trainer(line(1.0, 0.0), Sgd::new(0.1));
        let result = trainer.fit(&[[1.0]], &[[2.0]], &FitOptions::default(), (&mut History::new(), &mut No));
        assert_eq!(result, Err(Error::NoSamples));
        assert_eq!(trainer.epochs, 0);
    }
}
