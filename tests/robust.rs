//! No input makes the library panic or lose a network: what can't be used is an `Err` that says what was expected and
//! what was found, and the network stays as it was, bit for bit.

#![cfg(feature = "std")]

mod common;

use common::bits;
use fearless_simd::{Level, Simd, SimdBase, dispatch};
use proptest::prelude::*;
use std::any::type_name;
use std::cell::Cell;
use std::ops::ControlFlow;
use tuplenet::activation::NoActivation;
use tuplenet::data::*;
use tuplenet::error::{Found, NotFinite, TargetError};
use tuplenet::init::Constant;
use tuplenet::inspect::gradient_check;
use tuplenet::loss::Loss;
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::model::{Pass, Zeroed};
use tuplenet::num::Lanes;
use tuplenet::prelude::*;
use tuplenet::{Error, Error::*};

/// Everything in it twice, with `f32` and with `f64` as `T`.
macro_rules! both {
    ($($body:tt)*) => {
        mod single {
            use super::*;
            type T = f32;
            $($body)*
        }
        mod double {
            use super::*;
            type T = f64;
            $($body)*
        }
    };
}

const NAN: f64 = f64::NAN;
const INFINITY: f64 = f64::INFINITY;

both! {
    // One network, one kind of data and one micro-batch (that of `gradient_check`), because every function that takes
    // data is compiled for each of these and for every instruction set: more of them would take minutes.
    type Net = Dense<2, 3, Identity, T>;
    type Classes<'a> = Weighted<'a, [usize], T>;
    type Learner = Trainer<Net, CrossEntropy, Adam<T>, rand::rngs::Xoshiro256PlusPlus, 8>;

    // More than a micro-batch, so that the gradients of a good micro-batch are there when the last sample turns out to
    // be bad.
    const GOOD: [[T; 2]; 10] = [
        [0.5, 1.0], [-1.0, 2.0], [0.0, 0.0], [3.0, 4.0], [0.1, 0.2],
        [0.7, 0.0], [-1.5, 0.3], [1.0, 1.0], [-3.0, 0.4], [0.2, 0.1],
    ];
    const CLASSES: [usize; 10] = [0, 1, 2, 1, 0, 2, 2, 1, 0, 0];
    const SAME: [T; 10] = [1.0; 10];

    fn learner() -> Learner {
        Trainer::with_micro_batch(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1))
    }

    fn step(learner: &mut Learner, inputs: &[[T; 2]], targets: &Classes) -> Result<T, Error> {
        learner.step(inputs, targets)
    }

    fn epoch(learner: &mut Learner, inputs: &[[T; 2]], targets: &Classes, batch_size: usize) -> Result<T, Error> {
        learner.epoch(inputs, targets, batch_size)
    }

    fn evaluate(learner: &mut Learner, inputs: &[[T; 2]], targets: &Classes) -> Result<T, Error> {
        learner.evaluate(inputs, targets)
    }

    fn fit(learner: &mut Learner, inputs: &[[T; 2]], targets: &Classes, fit: &FitOptions) -> Result<FitReport<T>, Error> {
        learner.fit(inputs, targets, fit, ())
    }

    fn fit_validated(
        learner: &mut Learner,
        inputs: &[[T; 2]],
        validation: (&[[T; 2]], &Classes),
        fit: &FitOptions,
    ) -> Result<FitReport<T>, Error> {
        learner.fit_validated(inputs, &GOOD_CLASSES, validation, fit, ())
    }

    const GOOD_CLASSES: Classes<'static> = Weighted { targets: &CLASSES, weights: &SAME };

    fn with_input(value: f64) -> [[T; 2]; 10] {
        let mut inputs = GOOD;
        inputs[9][1] = value as T;
        inputs
    }

    /// Fails unless everything that takes data refuses this with `error` and without a trace: a good step afterwards
    /// does what it does with a trainer that saw nothing bad.
    fn refused(inputs: &[[T; 2]], targets: &[usize], weights: &[T], error: Error) {
        let targets = &Weighted { targets, weights };
        let mut trainer = learner();
        let before = bits(&trainer.network);
        let all = FitOptions { epochs: 2, batch_size: 100, shuffle: true };
        assert_eq!(step(&mut trainer, inputs, targets), Err(error));
        assert_eq!(epoch(&mut trainer, inputs, targets, 100), Err(error));
        assert_eq!(fit(&mut trainer, inputs, targets, &all), Err(error));
        assert_eq!(evaluate(&mut trainer, inputs, targets), Err(error));
        assert_eq!(bits(&trainer.network), before);

        let (mut gradient, mut workspace) = (Net::ZEROED, Workspace::<Net, 8>::new());
        let found = workspace.gradient(&trainer.network, &CrossEntropy, inputs, targets, &mut gradient);
        assert_eq!(found, Err(error));
        assert_eq!(bits(&gradient), bits(&Net::ZEROED));
        assert_eq!(gradient_check(&mut trainer.network, &CrossEntropy, inputs, targets), Err(error));
        assert_eq!(bits(&trainer.network), before);

        let mut untouched = learner();
        for trainer in [&mut trainer, &mut untouched] {
            assert!(step(trainer, &GOOD, &GOOD_CLASSES).unwrap().is_finite());
        }
        assert_eq!(bits(&trainer.network), bits(&untouched.network));
        assert_ne!(bits(&trainer.network), before);
        let message = error.to_string();
        assert!(message.contains("expected") && message.contains("found"), "{message}");
    }

    #[test]
    fn bad_data() {
        let targets = |expected, found| Lengths { what: "targets, one for each input", expected, found };
        let weights = |expected, found| Lengths { what: "weights, one for each target", expected, found };
        refused(&[], &[], &[], NoSamples);
        refused(&GOOD, &CLASSES[..9], &SAME[..9], targets(10, 9));
        refused(&GOOD[..3], &CLASSES, &SAME, targets(3, 10));
        refused(&GOOD, &[], &[], targets(10, 0));
        refused(&GOOD, &CLASSES, &SAME[..9], weights(10, 9));
        for value in [NAN, INFINITY, -INFINITY] {
            let found = NotFinite::of(value);
            let error = InputNotFinite { sample: 9, column: 1, found, epoch: 0, batch: 0 };
            refused(&with_input(value), &CLASSES, &SAME, error);
        }
        for found in [3, 4, usize::MAX] {
            let problem = TargetError::Class { found, classes: 3 };
            refused(&GOOD, &[0, 1, 2, 0, 1, 2, 0, 1, 2, found], &SAME, Target { sample: 9, problem });
        }
        for weight in [-0.5, NAN, INFINITY] {
            let mut weights = SAME;
            weights[9] = weight as T;
            refused(&GOOD, &CLASSES, &weights, Weight { epoch: 0, batch: 0 });
        }
        refused(&GOOD, &CLASSES, &[0.0; 10], Weight { epoch: 0, batch: 0 });
    }

    #[test]
    fn parts_of_weighted_data_are_checked() {
        let short = Weighted { targets: &CLASSES, weights: &SAME[..9] };
        let error = Err(Lengths { what: "weights, one for each target", expected: 10, found: 9 });
        assert_eq!(Samples::<T>::check(&short), error);
        assert_eq!(Samples::<T>::check(&Weighted { targets: &short, weights: &SAME }), error);
        assert_eq!(Samples::<T>::check(&ClassWeighted { targets: &short, weights: [1.0; 3] }), error);
        assert_eq!(Samples::<T>::check(&Subset { data: &short, indices: &[0, 4] }), error);
    }

    #[test]
    fn places_for_outputs() {
        let error = Lengths { what: "outputs, one for each input", expected: 10, found: 9 };
        assert_eq!(Net::ZEROED.predict_all(&GOOD, &mut [[0.0; 3]; 9]), Err(error));
    }

    /// The check of targets by each loss.
    #[test]
    fn targets_out_of_range() {
        fn check<L: Loss<T, [T; 2], Identity, 2>>(loss: L, bad: &[f64], error: fn(T) -> TargetError) {
            for &value in bad {
                let error = error(value as T);
                assert_eq!(loss.check(&[0.5, value as T]), Err(error), "{value}");
                let message = error.to_string();
                assert!(message.contains("expected") && message.contains("found"), "{message}");
            }
            assert_eq!(loss.check(&[0.0, 1.0]), Ok(()));
        }
        let not_finite = |value| TargetError::NotFinite { column: 1, found: NotFinite::of(value) };
        let probability = |value| TargetError::Probability { column: 1, found: Found::value(value) };
        check(MeanSquaredError, &[NAN, INFINITY, -INFINITY], not_finite);
        check(MeanAbsoluteError, &[NAN, INFINITY, -INFINITY], not_finite);
        check(Huber::default(), &[NAN, INFINITY, -INFINITY], not_finite);
        check(CrossEntropy, &[NAN, INFINITY, -0.1, 1.1], probability);
        check(BinaryCrossEntropy, &[NAN, INFINITY, -0.1, 1.1], probability);
        let error = TargetError::Class { found: 2, classes: 2 };
        assert_eq!(Loss::<T, usize, Identity, 1>::check(&BinaryCrossEntropy, &2), Err(error));
        assert_eq!(Loss::<T, usize, Identity, 1>::check(&BinaryCrossEntropy, &1), Ok(()));
        assert_eq!(Loss::<T, usize, Identity, 2>::check(&CrossEntropy, &2), Err(error));
    }

    #[test]
    fn batch_size_of_zero() {
        let mut trainer = learner();
        let before = bits(&trainer.network);
        let none = FitOptions { batch_size: 0, ..FitOptions::default() };
        assert_eq!(epoch(&mut trainer, &GOOD, &GOOD_CLASSES, 0), Err(BatchSize));
        assert_eq!(fit(&mut trainer, &GOOD, &GOOD_CLASSES, &none), Err(BatchSize));
        assert_eq!(fit_validated(&mut trainer, &GOOD, (&GOOD, &GOOD_CLASSES), &none), Err(BatchSize));
        assert_eq!(bits(&trainer.network), before);
        // The largest number there is does what the number of samples does.
        assert!(epoch(&mut trainer, &GOOD, &GOOD_CLASSES, usize::MAX).unwrap().is_finite());
    }

    /// The error names the batch, and the good batches before it have been learnt from.
    #[test]
    fn a_later_batch() {
        let (mut trainer, mut expected) = (learner(), learner());
        let by_two = FitOptions { epochs: 1, batch_size: 2, shuffle: false };
        let result = fit(&mut trainer, &with_input(NAN), &GOOD_CLASSES, &by_two);
        assert_eq!(result, Err(InputNotFinite { sample: 9, column: 1, found: NotFinite::Nan, epoch: 0, batch: 4 }));
        for part in [0..2, 2..4, 4..6, 6..8] {
            let targets = Weighted { targets: &CLASSES[part.clone()], weights: &SAME[part.clone()] };
            step(&mut expected, &GOOD[part], &targets).unwrap();
        }
        assert_eq!(bits(&trainer.network), bits(&expected.network));

        let zero_later = Weighted { targets: &CLASSES[..], weights: &[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0] };
        // A batch whose samples weigh nothing is passed over.
        assert!(fit(&mut trainer, &GOOD, &zero_later, &by_two).unwrap().loss.is_finite());
    }

    #[test]
    fn validation_samples_are_checked_too() {
        let (mut trainer, three) = (learner(), FitOptions { epochs: 3, ..FitOptions::default() });
        let before = bits(&trainer.network);
        let empty = Weighted { targets: &CLASSES[..0], weights: &SAME[..0] };
        assert_eq!(fit_validated(&mut trainer, &GOOD, (&[], &empty), &three), Err(NoSamples));
        let error = Lengths { what: "targets, one for each input", expected: 2, found: 10 };
        assert_eq!(fit_validated(&mut trainer, &GOOD, (&GOOD[..2], &GOOD_CLASSES), &three), Err(error));
        assert_eq!(bits(&trainer.network), before);
        let result = fit_validated(&mut trainer, &GOOD, (&with_input(NAN), &GOOD_CLASSES), &three);
        assert_eq!(result, Err(InputNotFinite { sample: 9, column: 1, found: NotFinite::Nan, epoch: 0, batch: 0 }));
    }

    /// The function at NaN, on every lane, and each loss of a NaN among the outputs, are NaN.
    #[test]
    fn nothing_hides_nan() {
        #[inline(always)]
        fn value<S: Simd, A: Activation>(simd: S) {
            let x = Lanes::<S, T>::splat(simd, NAN as T);
            assert!(A::value::<S, T>(simd, x).as_slice().iter().all(|y| y.is_nan()), "{}", type_name::<A>());
        }
        #[inline(always)]
        fn loss<S: Simd, A: Activation, L: Loss<T, [T; 3], A, 3>>(simd: S, loss: L) {
            for place in 0..3 {
                let mut outputs = [[0.5; 3]];
                outputs[0][place] = NAN as T;
                let pass = Pass::<S, 1>::new(simd, 1);
                let found = loss.evaluate::<S, 1>(pass, 1.0, &mut outputs, &[[1.0, 0.0, 0.0]]);
                assert!(found.is_nan(), "{} after {} is {found}", type_name::<L>(), type_name::<A>());
            }
        }
        #[inline(always)]
        fn all<S: Simd>(simd: S) {
            value::<S, Identity>(simd);
            value::<S, Relu>(simd);
            value::<S, LeakyRelu>(simd);
            value::<S, Elu>(simd);
            value::<S, Selu>(simd);
            value::<S, Gelu>(simd);
            value::<S, Silu>(simd);
            value::<S, Sigmoid>(simd);
            value::<S, HardSigmoid>(simd);
            value::<S, Tanh>(simd);
            value::<S, Softplus>(simd);
            value::<S, Softsign>(simd);
            loss::<S, Identity, _>(simd, MeanSquaredError);
            loss::<S, Softmax, _>(simd, MeanSquaredError);
            loss::<S, Identity, _>(simd, MeanAbsoluteError);
            loss::<S, Identity, _>(simd, Huber::default());
            loss::<S, Sigmoid, _>(simd, BinaryCrossEntropy);
            loss::<S, HardSigmoid, _>(simd, BinaryCrossEntropy);
            loss::<S, Softmax, _>(simd, CrossEntropy);
            loss::<S, NoActivation, _>(simd, BinaryCrossEntropy);
            loss::<S, NoActivation, _>(simd, CrossEntropy);
        }
        // Without vector registers the library computes in the lanes of the baseline alone.
        if cfg!(not(tuplenet_scalar)) {
            dispatch!(Level::new(), simd => all(simd));
        }
        dispatch!(Level::baseline(), simd => all(simd));
    }

    #[test]
    fn a_step_with_nan_weights_fails() {
        for place in 0..9 {
            let mut trainer = learner();
            let mut parameters = trainer.network.weight.as_mut_slice().iter_mut().chain(&mut trainer.network.bias);
            *parameters.nth(place).unwrap() = NAN as T;
            let result = step(&mut trainer, &GOOD, &GOOD_CLASSES);
            assert_eq!(result, Err(WeightNotFinite));
        }
    }

    #[test]
    fn scalers() {
        assert_eq!(StandardScaler::fit(&GOOD[..0]), Err(NoSamples));
        assert_eq!(MinMaxScaler::fit(&GOOD[..0]), Err(NoSamples));
        for value in [NAN, INFINITY, -INFINITY] {
            assert_eq!(StandardScaler::fit(&with_input(value)), Err(SampleNotFinite { sample: 9, column: 1 }));
            assert_eq!(MinMaxScaler::fit(&with_input(value)), Err(SampleNotFinite { sample: 9, column: 1 }));
        }
    }

    const ODD: [T; 8] =
        [NAN as T, INFINITY as T, -INFINITY as T, T::MAX, T::MIN, 1e30, T::MIN_POSITIVE / 2.0, -0.0];

    /// Mostly good numbers, so that good and bad batches both come up.
    fn number() -> impl Strategy<Value = T> {
        prop_oneof![200 => -2.0 as T..2.0, 1 => prop::sample::select(&ODD)]
    }

    fn finite(result: Result<T, Error>) -> bool {
        result.is_err() || result.is_ok_and(T::is_finite)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        /// Never a panic; a loss that is given is finite; after an error the network is as it was.
        #[test]
        fn anything_goes(
            inputs in prop::collection::vec(prop::array::uniform2(number()), 0..90),
            mut targets in prop::collection::vec(prop_oneof![200 => 0usize..3, 1 => 0usize..5], 90),
            weights in prop_oneof![Just(vec![1.0; 90]), prop::collection::vec(number().prop_map(T::abs), 90)],
            missing in prop_oneof![20 => Just(0usize), 1 => 0usize..3],
            batch_size in 0usize..=100,
        ) {
            targets.truncate(inputs.len().saturating_sub(missing));
            let targets = &Weighted { weights: &weights[..targets.len()], targets: &targets[..] };
            let mut trainer = learner();
            let before = bits(&trainer.network);
            let result = step(&mut trainer, &inputs, targets);
            prop_assert!(finite(result), "{:?}", result);
            if result.is_err() {
                prop_assert_eq!(bits(&trainer.network), before);
                prop_assert!(step(&mut trainer, &GOOD, &GOOD_CLASSES).is_ok());
            }
            for _ in 0..2 {
                let result = epoch(&mut trainer, &inputs, targets, batch_size);
                prop_assert!(finite(result), "{:?}", result);
                let result = evaluate(&mut trainer, &inputs, targets);
                prop_assert!(finite(result), "{:?}", result);
            }
        }
    }
}

/// Inputs that turn bad after a number of copies: a sensor that fails in the middle of a training run.
struct Failing {
    good_copies: Cell<usize>,
}

impl Samples<f32> for Failing {
    type Item = [f32; 1];
    fn count(&self) -> usize {
        5
    }
    fn copy(&self, index: usize, to: &mut [f32; 1]) {
        let left = self.good_copies.get();
        self.good_copies.set(left.saturating_sub(1));
        *to = [if left == 0 { f32::INFINITY } else { index as f32 / 5.0 }];
    }
}

#[test]
fn a_later_epoch() {
    let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    let fit = FitOptions { epochs: 10, batch_size: 2, shuffle: true };
    let mut told = Vec::new();
    for (good_epochs, extra, error) in [
        (3, 3, Err(Some((3, 1)))),
        (10, 0, Ok(10)),
        // Epochs count on over training runs.
        (1, 0, Err(Some((14, 0)))),
    ] {
        let inputs = Failing { good_copies: Cell::new(5 * good_epochs + extra) };
        let callback = |epoch: &EpochReport<_>| {
            told.push(epoch.number);
            ControlFlow::Continue(())
        };
        let result = trainer.fit(&inputs, &[[1.0]; 5], &fit, callback);
        // Which sample it was, chance decides.
        let found = result.map(|outcome| outcome.epochs).map_err(|error| match error {
            InputNotFinite { sample: 0..5, column: 0, found: NotFinite::Infinity, epoch, batch } => {
                Some((epoch, batch))
            }
            _ => None,
        });
        assert_eq!(found, error);
    }
    assert_eq!(told, Vec::from_iter(0..14));
}

#[test]
fn training_that_diverges() {
    type Line = (Dense<1, 2, Relu>, Dense<2, 1, Identity>);
    let network = Line::with_init(&Constant(1.0), &mut seeded(0));
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(1e10), seeded(1));
    let result =
        trainer.fit(&[[1.0], [2.0]], &[[1.0], [-1.0]], &FitOptions { epochs: 1000, ..FitOptions::default() }, ());
    assert!(matches!(result, Err(LossNotFinite { epoch: 1..100, batch: 0 })), "{result:?}");
    assert!(result.unwrap_err().to_string().contains("learning rate"));
}

#[test]
fn shares_that_leave_a_part_empty() {
    let mut indices = [0; 10];
    for (share, percent) in [(0.0, 0), (1.0, 100), (-0.5, -50), (1.5, 150), (0.95, 95), (NAN, 0), (INFINITY, i32::MAX)]
    {
        let error = Split { count: 10, percent };
        assert_eq!(split(&mut indices, share, &mut seeded(0)), Err(error), "{share}");
        assert_eq!(stratified_split::<2, _>(&[0usize; 10], &mut indices, share, &mut seeded(0)), Err(error), "{share}");
    }
    assert_eq!(split(&mut [], 0.5, &mut seeded(0)), Err(NoSamples));
    assert_eq!(split(&mut [0], 0.5, &mut seeded(0)), Err(Split { count: 1, percent: 50 }));
    let error = Lengths { what: "indices, one for each class", expected: 9, found: 10 };
    assert_eq!(stratified_split::<2, _>(&[0usize; 9], &mut indices, 0.5, &mut seeded(0)), Err(error));
    let error = Target { sample: 2, problem: TargetError::Class { found: 7, classes: 2 } };
    assert_eq!(stratified_split::<2, _>(&[0u8, 1, 7], &mut [0; 3], 0.5, &mut seeded(0)), Err(error));
}

#[test]
fn classes_that_do_not_exist() {
    let mut confusion = ConfusionMatrix::<3>::new();
    confusion.record(2, 1).unwrap();
    let error = |found| Err(Target { sample: 1, problem: TargetError::Class { found, classes: 3 } });
    assert_eq!(confusion.record(3, 0), error(3));
    assert_eq!(confusion.record(0, usize::MAX), error(usize::MAX));
    assert_eq!((confusion.total(), confusion.count(5, 5), confusion.accuracy()), (1, 0, 0.0));
    assert_eq!(ConfusionMatrix::<0>::new().accuracy(), 0.0);
    assert!(Class::<3>::new(3).is_none() && Class::<3>::new(2).is_some());
}
