//! The parts around the network: splits, scalers, weights, initialization, metrics, callbacks.

#![cfg(feature = "std")]

mod common;

use common::{bits, numbers};
use proptest::prelude::*;
use std::ops::ControlFlow;
use tuplenet::data::*;
use tuplenet::init::*;
use tuplenet::metrics::{ConfusionMatrix, largest_index};
use tuplenet::model::{Params, is_finite};
use tuplenet::prelude::*;

fn sorted(parts: [&[usize]; 2]) -> Vec<usize> {
    let mut all = parts.concat();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_split_has_every_sample_once(count in 2usize..300, share in 0.01..0.99f64, seed: u64) {
        let expected = (count as f64 * share).ceil() as usize;
        let (mut indices, mut again) = (vec![0; count], vec![9; count]);
        let result = split(&mut indices, share, &mut seeded(seed));
        prop_assert_eq!(result, split(&mut again, share, &mut seeded(seed)));
        match result {
            Ok((train, test)) => {
                prop_assert_eq!(test.len(), expected);
                prop_assert_eq!(sorted([train, test]), Vec::from_iter(0..count));
            }
            Err(_) => prop_assert_eq!(expected, count),
        }
    }

    #[test]
    fn a_stratified_split_keeps_the_proportions(
        classes in prop::collection::vec(0u8..4, 2..300), share in 0.01..0.99f64, seed: u64,
    ) {
        let count = classes.len();
        let (mut indices, mut again) = (vec![0; count], vec![9; count]);
        let result = stratified_split::<4, _>(&classes, &mut indices, share, &mut seeded(seed));
        prop_assert_eq!(result, stratified_split::<4, _>(&classes, &mut again, share, &mut seeded(seed)));
        let Ok((train, test)) = result else { return Ok(()) };
        prop_assert_eq!(sorted([train, test]), Vec::from_iter(0..count));
        prop_assert_eq!(test.len(), (count as f64 * share).ceil() as usize);
        let of = |part: &[usize], class| part.iter().filter(|&&index| classes[index] == class).count() as f64;
        let all = |class| of(train, class) + of(test, class);
        let exact = |class| all(class) * test.len() as f64 / count as f64;
        // A class of which a sample must be left for training may leave its share of the tested ones to another.
        let limited = (0..4).any(|class| exact(class) > all(class) - 1.0);
        for class in 0..4 {
            let (found, exact) = (of(test, class), exact(class));
            prop_assert!(limited || (found - exact).abs() < 1.0, "class {}: {} instead of {}", class, found, exact);
            prop_assert!(of(train, class) >= 1.0, "class {} is not trained", class);
        }
    }

    #[test]
    fn an_order_is_a_permutation(count in 0usize..3000, seed: u64) {
        let order = Permutation::new(count, &mut seeded(seed));
        let mut seen = vec![false; count];
        (0..count).for_each(|place| seen[order.at(place)] = true);
        prop_assert!(seen.iter().all(|&seen| seen));
    }

    #[test]
    fn scalers_there_and_back(samples in prop::collection::vec(prop::array::uniform3(-1e3..1e3f64), 1..50)) {
        let standard = StandardScaler::fit(&samples).unwrap();
        let min_max = MinMaxScaler::fit(&samples).unwrap();
        let scaled: Vec<[f64; 3]> = samples.iter().map(|x| standard.transform(x)).collect();
        for (feature, sample) in (0..3).flat_map(|feature| samples.iter().map(move |sample| (feature, sample))) {
            prop_assert!((standard.inverse(&standard.transform(sample))[feature] - sample[feature]).abs() < 1e-9);
            prop_assert!((min_max.inverse(&min_max.transform(sample))[feature] - sample[feature]).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&min_max.transform(sample)[feature]));
        }
        if samples.len() > 1 {
            for feature in 0..3 {
                let (mean, variance) = moments(scaled.iter().map(|x| x[feature]));
                prop_assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{} {}", mean, variance);
            }
        }
    }
}

fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (mean, values.map(|value| (value - mean).powi(2)).sum::<f64>() / count)
}

#[test]
fn orders_differ_between_epochs() {
    let mut rng = seeded(0);
    let mut order = || {
        let order = Permutation::new(20, &mut rng);
        Vec::from_iter((0..20).map(|place| order.at(place)))
    };
    assert_ne!(order(), order());
}

#[test]
fn scalers_of_known_numbers() {
    // Mean 5 and standard deviation 2; smallest 2, largest 9.
    let samples = [[2.0f64], [4.0], [4.0], [4.0], [5.0], [5.0], [7.0], [9.0]];
    assert_eq!(StandardScaler::fit(&samples).unwrap().transform(&[9.0]), [2.0]);
    assert_eq!(MinMaxScaler::fit(&samples).unwrap().transform(&[5.5]), [0.5]);
    // Large numbers that lie close together.
    let shifted = samples.map(|[x]| [x + 1e9]);
    let [scaled] = StandardScaler::fit(&shifted).unwrap().transform(&[1e9 + 9.0]);
    assert!((scaled - 2.0).abs() < 1e-6, "{scaled}");
}

#[test]
fn class_weights() {
    // scikit-learn: compute_class_weight("balanced", classes=[0, 1, 2], y=[0, 0, 0, 1, 1, 2])
    assert_eq!(balanced_class_weights::<f64, 3>(&[0u8, 0, 0, 1, 1, 2]), [6.0 / 9.0, 1.0, 2.0]);
    assert_eq!(balanced_class_weights::<f32, 3>(&[0usize, 2]), [2.0 / 3.0, 0.0, 2.0 / 3.0]);
    assert_eq!(balanced_class_weights::<f32, 2>(&[true; 0]), [0.0, 0.0]);
    // A class that does not exist has no weight, and the others are not disturbed.
    assert_eq!(balanced_class_weights::<f32, 2>(&[0u8, 1, 7, 9]), [2.0, 2.0]);
}

#[test]
fn confusion() {
    let mut confusion = ConfusionMatrix::<3>::new();
    for (truth, predicted) in [(0, 0), (0, 0), (0, 2), (1, 1), (2, 0)] {
        confusion.record(truth, predicted).unwrap();
    }
    assert_eq!((confusion.total(), confusion.accuracy()), (5, 0.6));
    let counts = |truth| [0, 1, 2].map(|predicted| confusion.count(truth, predicted));
    assert_eq!([counts(0), counts(1), counts(2)], [[2, 0, 1], [0, 1, 0], [1, 0, 0]]);
    let expected = "true \\ predicted    0    1    2\n               0    2    .    1\n               1    .    1    .\n               2    1    .    .";
    assert_eq!(confusion.to_string(), expected);
}

#[test]
fn largest() {
    let nan = f32::NAN;
    assert_eq!(largest_index(&[1.0, 3.0, 3.0]), 1);
    assert_eq!(largest_index(&[nan, -1.0, nan, 2.0, nan]), 3);
    assert_eq!(largest_index(&[nan, f32::NEG_INFINITY]), 1);
    assert_eq!(largest_index(&[nan, nan]), 0);
    assert_eq!(largest_index::<f32>(&[]), 0);
}

/// The weights of 60 x 50 by a rule: mean, variance and, where there is one, the limit.
#[test]
fn initialization() {
    const IN: usize = 60;
    const OUT: usize = 50;
    fn check<T: Real>(init: &impl Init, variance: f64, uniform: bool) {
        let network = <Dense<IN, OUT, Tanh, T>>::with_init(init, &mut seeded(5));
        let numbers = numbers(&network);
        let (weights, biases) = numbers.split_at(IN * OUT);
        assert!(biases.iter().all(|&bias| bias == 0.0));
        let (mean, found) = moments(weights.iter().copied());
        // Five standard deviations of the mean, and of the variance: of normal numbers, and more than enough for
        // uniform.
        let count = weights.len() as f64;
        assert!(mean.abs() < 5.0 * (variance / count).sqrt(), "{mean}");
        assert!((found / variance - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{found} for {variance}");
        let largest = weights.iter().fold(0.0, |largest: f64, weight| largest.max(weight.abs()));
        let limit = (3.0 * variance).sqrt();
        if uniform {
            assert!(largest <= limit * (1.0 + 1e-6) && largest > 0.99 * limit, "{largest} for {limit}");
        } else {
            assert!(largest > limit, "{largest} is no normal number's");
        }
    }
    macro_rules! each {
        ($($rule:ident $variance:expr, $uniform:literal;)+) => {$(
            check::<f32>(&$rule, $variance, $uniform);
            check::<f64>(&$rule, $variance, $uniform);
        )+};
    }
    each! {
        HeUniform 2.0 / IN as f64, true;
        HeNormal 2.0 / IN as f64, false;
        GlorotUniform 2.0 / (IN + OUT) as f64, true;
        GlorotNormal 2.0 / (IN + OUT) as f64, false;
        LecunUniform 1.0 / IN as f64, true;
        LecunNormal 1.0 / IN as f64, false;
    }
    let all = |init: &dyn Fn() -> Dense<2, 2, Tanh>| numbers(&init());
    assert_eq!(all(&|| Network::with_init(&Constant(0.5), &mut seeded(0))), [0.5, 0.5, 0.5, 0.5, 0.0, 0.0]);
    assert_eq!(all(&|| Network::with_init(&Zeros, &mut seeded(0))), [0.0; 6]);
}

/// Without a rule, a layer takes that of its activation.
#[test]
fn the_default_rule_follows_the_activation() {
    fn check<A: Activation>(init: &impl Init) {
        let mut weights = [0.0; 5 * 4];
        init.fill::<f64, _>(&mut seeded(1), 5, 4, &mut weights);
        let network = <Dense<5, 4, A, f64>>::new(&mut seeded(1));
        assert_eq!(network.weight.as_slice(), weights, "{}", std::any::type_name::<A>());
    }
    check::<Identity>(&GlorotUniform);
    check::<Tanh>(&GlorotUniform);
    check::<Sigmoid>(&GlorotUniform);
    check::<HardSigmoid>(&GlorotUniform);
    check::<Softsign>(&GlorotUniform);
    check::<Softmax>(&GlorotUniform);
    check::<Relu>(&HeUniform);
    check::<LeakyRelu>(&HeUniform);
    check::<Elu>(&HeUniform);
    check::<Gelu>(&HeUniform);
    check::<Silu>(&HeUniform);
    check::<Softplus>(&HeUniform);
    check::<Selu>(&LecunNormal);
}

#[test]
fn parameters_count_and_are_finite() {
    type Net = (Dense<3, 4, Tanh>, (Dense<4, 2, Relu>, Dense<2, 1, Identity>));
    let mut network = Net::new(&mut seeded(0));
    assert_eq!((Net::PARAMETERS, numbers(&network).len()), (16 + 10 + 3, 16 + 10 + 3));
    assert!(is_finite(&network));
    let before = bits(&network);
    network.1.1.bias[0] = f32::NAN;
    assert_ne!(bits(&network), before);
    assert!(!is_finite(&network));
}

type Line = Dense<1, 1, Identity>;
type Told<'a> = &'a mut dyn FnMut(&EpochReport<Line>) -> ControlFlow<()>;

/// Trains with two callbacks and validation; gives the notes and how it ended.
fn train(epochs: usize, told: Told) -> (History<f32>, FitReport<f32>) {
    let mut trainer = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let mut history = History::new();
    let fit = FitOptions { epochs, ..FitOptions::default() };
    let validation = (&[[3.0]], &[[6.0]]);
    let outcome = trainer.fit_validated(&[[1.0], [2.0]], &[[2.0], [4.0]], validation, &fit, (&mut history, told));
    assert_eq!(trainer.epochs, history.losses().len());
    (history, outcome.unwrap())
}

#[test]
fn callbacks_are_called_after_every_epoch() {
    let mut seen = Vec::new();
    let (history, outcome) = train(5, &mut |epoch| {
        // Loss of the validation sample, by the network that the callback is shown.
        let error = epoch.network.weight[0] * 3.0 + epoch.network.bias[0] - 6.0;
        assert!((epoch.validation_loss.unwrap() - error * error).abs() < 1e-5);
        seen.push((epoch.number, epoch.loss));
        ControlFlow::Continue(())
    });
    assert_eq!(outcome.epochs, 5);
    assert_eq!(outcome.loss, history.losses()[4]);
    assert_eq!(seen, Vec::from_iter((0..).zip(history.losses().iter().copied())));
    assert_eq!(history.validation_losses().len(), 5);
    assert!(history.losses()[4] < history.losses()[0]);
    assert!(history.validation_losses()[4] < history.validation_losses()[0]);
}

#[test]
fn either_observer_stops_the_training() {
    let stop =
        |epoch: &EpochReport<Line>| if epoch.number == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let (history, outcome) = train(100, &mut { stop });
    // The first callback is called after the last epoch too.
    assert_eq!((history.losses().len(), outcome.epochs), (3, 3));

    let mut trainer = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let mut told = 0;
    let count = |_: &EpochReport<Line>| {
        told += 1;
        ControlFlow::Continue(())
    };
    let fit = FitOptions { epochs: 100, ..FitOptions::default() };
    assert_eq!(trainer.fit(&[[1.0]], &[[2.0]], &fit, (stop, count)).unwrap().epochs, 3);
    assert_eq!(told, 3);
}
