//! No input makes the library panic or lose a network: what can't be used is an `Err` that says what was expected and
//! what was found, and the network stays as it was, bit for bit.

mod common;

use common::bits;
use proptest::prelude::*;
use std::cell::Cell;
use std::ops::ControlFlow;
use tuplenet::activation::*;
use tuplenet::check::gradient_check;
use tuplenet::data::*;
use tuplenet::error::TargetError;
use tuplenet::init::Init;
use tuplenet::metrics::{ConfusionMatrix, largest_index};
use tuplenet::params::{Parameter, Params, VisitorMut, Zeroed};
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

/// Fails unless `$inputs` with `$targets` (and whatever else there is) is refused with `$error` by everything that takes
/// data, without a trace: a good step afterwards does what it does with a trainer that saw nothing bad.
macro_rules! refused {
    ($loss:expr, $inputs:expr, $targets:expr, $good:expr, $error:expr) => {{
        let (inputs, targets, error, good) = ($inputs, $targets, $error, $good);
        let new = || {
            let network = Net::new(&mut seeded(0));
            Trainer::<_, _, _, _, 4>::with_tile(network, $loss, Adam::new(0.01), seeded(1))
        };
        let (mut trainer, mut untouched) = (new(), new());
        let before = bits(&trainer.network);
        let fit = Fit { epochs: 2, batch_size: 100, shuffle: true };
        assert_eq!(trainer.step(inputs, targets), Err(error));
        assert_eq!(trainer.epoch(inputs, targets, 100), Err(error));
        assert_eq!(trainer.fit(inputs, targets, &fit, ()), Err(error));
        assert_eq!(trainer.evaluate(inputs, targets), Err(error));
        let mut gradient = Net::ZEROED;
        let mut workspace = Workspace::<Net, 3>::new();
        assert_eq!(workspace.gradient(&trainer.network, &$loss, inputs, targets, &mut gradient), Err(error));
        assert_eq!(bits(&gradient), bits(&Net::ZEROED));
        assert_eq!(workspace.loss(&trainer.network, &$loss, inputs, targets), Err(error));
        assert_eq!(gradient_check(&mut trainer.network, &$loss, inputs, targets), Err(error));
        assert_eq!(bits(&trainer.network), before);

        assert!(trainer.step(&GOOD, good).unwrap().is_finite());
        untouched.step(&GOOD, good).unwrap();
        assert_eq!(bits(&trainer.network), bits(&untouched.network));
        let message = error.to_string();
        assert!(message.contains("expected") && message.contains("found"), "{message}");
    }};
}

const NAN: f64 = f64::NAN;
const INFINITY: f64 = f64::INFINITY;

both! {
    type Net = (Dense<2, 5, Tanh, T>, Dense<5, 3, Softmax, T>);

    const GOOD: [[T; 2]; 5] = [[0.5, 1.0], [-1.0, 2.0], [0.0, 0.0], [3.0, 4.0], [0.1, 0.2]];
    const CLASSES: [usize; 5] = [0, 1, 2, 1, 0];
    const NUMBERS: [[T; 3]; 5] = [[0.0, 0.5, 1.0]; 5];

    fn with_input(value: f64) -> [[T; 2]; 5] {
        let mut inputs = GOOD;
        inputs[4][1] = value as T;
        inputs
    }

    fn with_target(value: f64) -> [[T; 3]; 5] {
        let mut targets = NUMBERS;
        targets[3][2] = value as T;
        targets
    }

    fn target(problem: TargetError) -> Error {
        Target { sample: 3, problem }
    }

    #[test]
    fn no_samples() {
        refused!(CrossEntropy, &[[0.0; 2]; 0], &[0usize; 0], &CLASSES, NoSamples);
        refused!(MeanSquaredError, &GOOD[..0], &NUMBERS[..0], &NUMBERS, NoSamples);
    }

    #[test]
    fn lengths_that_differ() {
        let error = |expected, found| Lengths { what: "targets, one for each input", expected, found };
        refused!(CrossEntropy, &GOOD, &CLASSES[..4], &CLASSES, error(5, 4));
        refused!(CrossEntropy, &GOOD[..3], &CLASSES, &CLASSES, error(3, 5));
        refused!(MeanSquaredError, &GOOD, &NUMBERS[..0], &NUMBERS, error(5, 0));
        let weighted = Weighted { targets: &CLASSES, weights: &[1.0; 4] };
        let error = Lengths { what: "weights, one for each target", expected: 5, found: 4 };
        refused!(CrossEntropy, &GOOD, &weighted, &CLASSES, error);
        let twice = Weighted { targets: &weighted, weights: &[1.0; 5] };
        refused!(CrossEntropy, &GOOD, &twice, &CLASSES, error);
        refused!(CrossEntropy, &GOOD, &ClassWeighted { targets: &weighted, weights: [1.0; 3] }, &CLASSES, error);
        refused!(CrossEntropy, &GOOD[..2], &Subset { data: &weighted, indices: &[0, 4] }, &CLASSES, error);
        let short = Lengths { what: "places for outputs, one for each input", expected: 5, found: 4 };
        assert_eq!(Net::ZEROED.predict_all(&GOOD, &mut [[0.0; 3]; 4]), Err(short));
    }

    #[test]
    fn inputs_that_are_not_finite() {
        for value in [NAN, INFINITY, -INFINITY] {
            let error = InputNotFinite { epoch: 0, batch: 0 };
            refused!(CrossEntropy, &with_input(value), &CLASSES, &CLASSES, error);
            refused!(MeanSquaredError, &with_input(value), &NUMBERS, &NUMBERS, error);
        }
    }

    #[test]
    fn targets_out_of_range() {
        let class = target(TargetError::Class { found: 3, classes: 3 });
        refused!(CrossEntropy, &GOOD, &[0usize, 1, 2, 3, 3], &CLASSES, class);
        refused!(CrossEntropy, &GOOD, &[0u8, 1, 2, 3, 3], &CLASSES, class);
        let weighted = ClassWeighted { targets: &[0usize, 1, 2, 3, 3], weights: [1.0, 2.0, 3.0] };
        refused!(CrossEntropy, &GOOD, &weighted, &CLASSES, class);
        for value in [NAN, INFINITY, -INFINITY] {
            let error = target(TargetError::NotFinite);
            refused!(MeanSquaredError, &GOOD, &with_target(value), &NUMBERS, error);
            refused!(MeanAbsoluteError, &GOOD, &with_target(value), &NUMBERS, error);
            refused!(Huber::default(), &GOOD, &with_target(value), &NUMBERS, error);
        }
        for value in [NAN, INFINITY, -0.1, 1.1] {
            let error = target(TargetError::Probability);
            refused!(CrossEntropy, &GOOD, &with_target(value), &NUMBERS, error);
            refused!(BinaryCrossEntropy, &GOOD, &with_target(value), &NUMBERS, error);
        }
    }

    #[test]
    fn sample_weights() {
        let error = Weight { epoch: 0, batch: 0 };
        for weights in [[1.0, 1.0, 1.0, 1.0, -0.5], [9.0, 1.0, 1.0, 1.0, NAN], [INFINITY, 1.0, 1.0, 1.0, 1.0], [0.0; 5]] {
            let weights = weights.map(|weight| weight as T);
            refused!(CrossEntropy, &GOOD, &Weighted { targets: &CLASSES, weights: &weights }, &CLASSES, error);
        }
        for weight in [-1.0, NAN as T, INFINITY as T] {
            let weighted = ClassWeighted { targets: &CLASSES, weights: [1.0, weight, 1.0] };
            refused!(CrossEntropy, &GOOD, &weighted, &CLASSES, error);
        }
    }

    #[test]
    fn batch_size_of_zero() {
        let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Sgd::new(0.1), seeded(1));
        let before = bits(&trainer.network);
        let fit = Fit { batch_size: 0, ..Fit::default() };
        assert_eq!(trainer.epoch(&GOOD, &CLASSES, 0), Err(BatchSize));
        assert_eq!(trainer.fit(&GOOD, &CLASSES, &fit, ()), Err(BatchSize));
        assert_eq!(trainer.fit_validated(&GOOD, &CLASSES, (&GOOD, &CLASSES), &fit, ()), Err(BatchSize));
        assert_eq!(bits(&trainer.network), before);
        // The largest there is works as well as the number of samples.
        assert!(trainer.epoch(&GOOD, &CLASSES, usize::MAX).unwrap().is_finite());
    }

    /// The error names the batch, and the good batches before it have been learnt from.
    #[test]
    fn a_later_batch() {
        let new = || Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Sgd::new(0.1), seeded(1));
        let (mut trainer, mut expected) = (new(), new());
        let fit = Fit { epochs: 1, batch_size: 2, shuffle: false };
        let inputs = with_input(NAN);
        assert_eq!(trainer.fit(&inputs, &CLASSES, &fit, ()), Err(InputNotFinite { epoch: 0, batch: 2 }));
        expected.step(&GOOD[..2], &CLASSES[..2]).unwrap();
        expected.step(&GOOD[2..4], &CLASSES[2..4]).unwrap();
        assert_eq!(bits(&trainer.network), bits(&expected.network));
        let zero_later = Weighted { targets: &CLASSES, weights: &[1.0, 1.0, 0.0, 0.0, 1.0] };
        assert_eq!(trainer.fit(&GOOD, &zero_later, &fit, ()), Err(Weight { epoch: 0, batch: 1 }));
    }

    #[test]
    fn validation_samples_are_checked_too() {
        let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Sgd::new(0.1), seeded(1));
        let before = bits(&trainer.network);
        let fit = Fit { epochs: 3, ..Fit::default() };
        let empty = (&GOOD[..0], &CLASSES[..0]);
        assert_eq!(trainer.fit_validated(&GOOD, &CLASSES, empty, &fit, ()), Err(NoSamples));
        let error = Lengths { what: "targets, one for each input", expected: 5, found: 2 };
        assert_eq!(trainer.fit_validated(&GOOD, &CLASSES, (&GOOD, &CLASSES[..2]), &fit, ()), Err(error));
        assert_eq!(bits(&trainer.network), before);
        let bad = with_input(NAN);
        let error = InputNotFinite { epoch: 0, batch: 0 };
        assert_eq!(trainer.fit_validated(&GOOD, &CLASSES, (&bad, &CLASSES), &fit, ()), Err(error));
    }

    /// Inputs that turn bad after a number of copies: a sensor that fails in the middle of a training.
    struct Failing {
        good_copies: Cell<usize>,
    }

    impl Samples<T> for Failing {
        type Item = [T; 2];
        fn count(&self) -> usize {
            GOOD.len()
        }
        fn copy(&self, index: usize, to: &mut [T; 2]) {
            let left = self.good_copies.get();
            self.good_copies.set(left.saturating_sub(1));
            *to = if left == 0 { [0.0, INFINITY as T] } else { GOOD[index] };
        }
    }

    #[test]
    fn a_later_epoch() {
        let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Sgd::new(0.1), seeded(1));
        let inputs = Failing { good_copies: Cell::new(3 * GOOD.len() + 3) };
        let fit = Fit { epochs: 10, batch_size: 2, shuffle: true };
        let mut epochs = 0;
        let count = |_: &Epoch<_>| {
            epochs += 1;
            ControlFlow::Continue(())
        };
        assert_eq!(trainer.fit(&inputs, &CLASSES, &fit, count), Err(InputNotFinite { epoch: 3, batch: 1 }));
        assert_eq!((epochs, trainer.epochs), (3, 3));
        assert!(trainer.fit(&GOOD, &CLASSES, &fit, ()).unwrap().loss.is_finite());
        // Epochs count on over trainings.
        let inputs = Failing { good_copies: Cell::new(GOOD.len()) };
        assert_eq!(trainer.fit(&inputs, &CLASSES, &fit, ()), Err(InputNotFinite { epoch: 14, batch: 0 }));
    }

    #[test]
    fn training_that_diverges() {
        type Line = (Dense<2, 3, Identity, T>, Dense<3, 3, Identity, T>);
        let mut trainer = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(1e10), seeded(1));
        let result = trainer.fit(&GOOD, &NUMBERS, &Fit { epochs: 1000, ..Fit::default() }, ());
        assert!(matches!(result, Err(LossNotFinite { epoch: 1..100, batch: 0 })), "{result:?}");
        assert!(result.unwrap_err().to_string().contains("learning rate"));
    }

    /// Sets one parameter of a network to a value.
    struct Set(usize, T);

    impl VisitorMut<T, 0> for Set {
        fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
            if let Some(value) = values.get_mut(self.0) {
                *value = self.1;
            }
            self.0 = self.0.wrapping_sub(values.len());
        }
    }

    /// Fails if a NaN in any parameter of a network with the activation, within it or at its end, stays unnoticed.
    fn nan_surfaces<A: Activation, E: Activation, L>(loss: L)
    where
        [[T; 3]; 5]: Targets<T, L, 3>,
    {
        type Ends<A, E> = (Dense<2, 5, A, T>, Dense<5, 3, E, T>);
        for index in 0..<Ends<A, E>>::COUNT {
            let mut network = <Ends<A, E>>::new(&mut seeded(0));
            network.visit_mut([], &mut Set(index, NAN as T));
            assert!(network.predict_one(&GOOD[0]).iter().any(|y| y.is_nan()), "parameter {index}");
            let mut workspace = Workspace::<Ends<A, E>, 4>::new();
            let mut gradient = <Ends<A, E>>::ZEROED;
            let error = Err(LossNotFinite { epoch: 0, batch: 0 });
            assert_eq!(workspace.loss(&network, &loss, &GOOD, &NUMBERS), error, "parameter {index}");
            let found = workspace.gradient(&network, &loss, &GOOD, &NUMBERS, &mut gradient);
            assert_eq!(found, error, "parameter {index}");
        }
    }


    /// The activation within and at the end of a network.
    fn activation<A: Activation>() {
        nan_surfaces::<A, Identity, _>(MeanSquaredError);
        nan_surfaces::<Tanh, A, _>(MeanSquaredError);
    }

    #[test]
    fn no_activation_hides_nan() {
        activation::<Identity>();
        activation::<Relu>();
        activation::<LeakyRelu>();
        activation::<Elu>();
        activation::<Selu>();
        activation::<Gelu>();
        activation::<Silu>();
        activation::<Sigmoid>();
        activation::<HardSigmoid>();
        activation::<Tanh>();
        activation::<Softplus>();
        activation::<Softsign>();
        activation::<Softmax>();
    }

    #[test]
    fn no_loss_hides_nan() {
        nan_surfaces::<Relu, Identity, _>(MeanAbsoluteError);
        nan_surfaces::<Relu, Identity, _>(Huber::default());
        nan_surfaces::<Relu, Identity, _>(BinaryCrossEntropy);
        nan_surfaces::<Relu, Sigmoid, _>(BinaryCrossEntropy);
        nan_surfaces::<Relu, HardSigmoid, _>(BinaryCrossEntropy);
        nan_surfaces::<Relu, Identity, _>(CrossEntropy);
        nan_surfaces::<Relu, Softmax, _>(CrossEntropy);
        nan_surfaces::<Relu, Sigmoid, _>(CrossEntropy);
    }

    #[test]
    fn scalers() {
        assert_eq!(StandardScaler::fit(&GOOD[..0]), Err(NoSamples));
        assert_eq!(MinMaxScaler::fit(&GOOD[..0]), Err(NoSamples));
        for value in [NAN, INFINITY, -INFINITY] {
            assert_eq!(StandardScaler::fit(&with_input(value)), Err(SampleNotFinite { sample: 4 }));
            assert_eq!(MinMaxScaler::fit(&with_input(value)), Err(SampleNotFinite { sample: 4 }));
        }
    }

    fn number() -> impl Strategy<Value = T> {
        prop_oneof![
            20 => -2.0 as T..2.0,
            1 => prop::sample::select(vec![NAN as T, INFINITY as T, -INFINITY as T, T::MAX, T::MIN, 1e30, T::MIN_POSITIVE / 2.0, -0.0]),
        ]
    }

    /// Mostly good data, so that good and bad batches both come up.
    fn samples<const N: usize>(count: usize) -> impl Strategy<Value = Vec<[T; N]>> {
        prop_oneof![
            prop::collection::vec(prop::array::uniform(-1.0 as T..1.0), count),
            prop::collection::vec(prop::array::uniform(number()), count),
        ]
    }

    fn finite_or_error(result: Result<T, Error>) -> Result<(), TestCaseError> {
        prop_assert!(result.is_err() || result.is_ok_and(T::is_finite), "{:?}", result);
        Ok(())
    }

    /// A step, then epochs in tiles of `B`: never a panic, and a loss that is given is finite.
    fn survives<L: Copy, Y: Targets<T, L, 3>, const B: usize>(
        loss: L,
        inputs: &[[T; 2]],
        targets: &Y,
        batch_size: usize,
    ) -> Result<(), TestCaseError>
    where
        [[T; 3]; 5]: Targets<T, L, 3>,
    {
        let mut trainer = Trainer::<_, _, _, _, B>::with_tile(Net::new(&mut seeded(0)), loss, Adam::new(0.01), seeded(1));
        let before = bits(&trainer.network);
        let result = trainer.step(inputs, targets);
        finite_or_error(result)?;
        if result.is_err() {
            prop_assert_eq!(bits(&trainer.network), before);
            prop_assert!(trainer.step(&GOOD, &NUMBERS).is_ok());
        }
        finite_or_error(trainer.evaluate(inputs, targets))?;
        for _ in 0..2 {
            finite_or_error(trainer.epoch(inputs, targets, batch_size))?;
        }
        let mut outputs = vec![[0.0; 3]; inputs.len()];
        prop_assert!(trainer.network.predict_all(inputs, &mut outputs).is_ok());
        Ok(())
    }

    /// The same in a tile chosen at run time.
    fn survives_in<L: Copy, Y: Targets<T, L, 3>>(
        tile: usize,
        loss: L,
        inputs: &[[T; 2]],
        targets: &Y,
        batch_size: usize,
    ) -> Result<(), TestCaseError>
    where
        [[T; 3]; 5]: Targets<T, L, 3>,
    {
        match tile {
            0 => survives::<L, Y, 1>(loss, inputs, targets, batch_size),
            1 => survives::<L, Y, 7>(loss, inputs, targets, batch_size),
            _ => survives::<L, Y, 32>(loss, inputs, targets, batch_size),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn anything_goes_numbers(
            (inputs, targets) in (0usize..90).prop_flat_map(|count| (samples(count), samples(count))),
            weights in prop::collection::vec(number(), 0..90),
            (batch_size, tile) in (0usize..=100, 0usize..3),
        ) {
            survives_in(tile, MeanSquaredError, &inputs, &targets, batch_size)?;
            let weights: Vec<T> = (0..targets.len()).map(|i| weights.get(i).map_or(1.0, |weight| weight.abs())).collect();
            let weighted = Weighted { targets: &targets, weights: &weights };
            survives_in(tile, BinaryCrossEntropy, &inputs, &weighted, batch_size)?;
        }

        #[test]
        fn anything_goes_classes(
            (inputs, targets) in (0usize..90, 1usize..5).prop_flat_map(|(count, classes)| {
                (samples(count), prop::collection::vec(0..classes, count))
            }),
            cut in 0usize..3,
            (batch_size, tile) in (1usize..=100, 0usize..3),
        ) {
            let targets = &targets[cut.min(targets.len())..].to_vec();
            survives_in(tile, CrossEntropy, &inputs, targets, batch_size)?;
        }
    }
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
    let error = Lengths { what: "places for indices, one for each class", expected: 9, found: 10 };
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

/// A rule of initialization by which training can't begin is noticed too.
#[test]
fn bad_weights_from_the_beginning() {
    struct Broken;
    impl Init for Broken {
        fn fill<T: Real, R: Rng>(&self, _: &mut R, _: usize, _: usize, weights: &mut [T]) {
            weights.fill(T::of(NAN));
        }
    }
    let network = <Dense<2, 3, Relu>>::with_init(&Broken, &mut seeded(0));
    assert_eq!(largest_index(&network.predict_one(&[1.0, 1.0])), 0);
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    assert_eq!(trainer.step(&[[1.0, 1.0]], &[[0.0; 3]]), Err(LossNotFinite { epoch: 0, batch: 0 }));
}
