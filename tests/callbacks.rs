//! Early stopping, what happens when a training run diverges, and metrics of every epoch.

#![cfg(feature = "std")]

mod common;

use common::{bits, numbers};
use std::ops::ControlFlow;
use tuplenet::Error;
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::prelude::*;
use tuplenet::train::callbacks::{Best, Metric};

type Net = (Dense<1, 12, Tanh>, Dense<12, 1, Identity>);
type Line = Dense<1, 1, Identity>;

/// A few samples with so much noise that the validation loss falls and then rises.
fn noisy(count: usize, seed: u64) -> (Vec<[f32; 1]>, Vec<[f32; 1]>) {
    let mut rng = seeded(seed);
    let mut uniform = || 2.0 * f32::from_random_bits(rng.next_u64()) - 1.0;
    let point = |_| {
        let x = uniform();
        ([x], [(3.0 * x).sin() + 0.8 * uniform()])
    };
    (0..count).map(point).unzip()
}

#[test]
fn the_best_weights_come_back() {
    // Dropout and running statistics belong to what comes back, although they are no parameters.
    type Net = (Dense<1, 30, Tanh>, BatchNorm<30>, Dropout<5>, Dense<30, 1, Identity>);
    let ((inputs, targets), validation) = (noisy(12, 3), noisy(50, 4));
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.02), seeded(1));
    let mut epochs = Vec::new();
    let mut stopping = EarlyStopping::new(30);
    let all = |epoch: &EpochReport<Net>| {
        epochs.push((epoch.validation_loss.unwrap(), epoch.network.clone()));
        ControlFlow::Continue(())
    };
    let fit = FitOptions { epochs: 5000, ..FitOptions::default() };
    let validation = (&validation.0, &validation.1);
    let outcome = trainer.fit_validated(&inputs, &targets, validation, &fit, (&mut stopping, all)).unwrap();

    let lowest = epochs.iter().map(|(loss, _)| *loss).fold(f32::INFINITY, f32::min);
    let first = epochs.iter().position(|(loss, _)| *loss == lowest).unwrap();
    assert_eq!(stopping.best(), Some(Best { epoch: first, loss: f64::from(lowest) }));
    assert_eq!(outcome.epochs, first + 1 + 30);
    assert_eq!(epochs.len(), outcome.epochs);
    // Not the last ones, or nothing was shown.
    assert!(epochs[first].1 != epochs[outcome.epochs - 1].1);
    assert!(trainer.network == epochs[first].1);
    assert!(stopping.best_network() == Some(&epochs[first].1));
    assert_eq!(trainer.evaluate(validation.0, validation.1), Ok(lowest));
}

/// Tells `stopping` of losses and counts the epochs until it ends the training.
fn epochs_until_the_end(stopping: &mut EarlyStopping<Line>, losses: &[f32]) -> Option<usize> {
    let network = Line::from_rows([[1.0]], [0.0]);
    let break_at = losses.iter().enumerate().position(|(number, &loss)| {
        let epoch = EpochReport { number, loss, validation_loss: None, network: &network };
        (&mut *stopping).epoch(&epoch).is_break()
    });
    break_at.map(|index| index + 1)
}

#[test]
fn patience_and_min_delta() {
    let losses = [1.0, 0.5, 0.45, 0.6, 0.41, 0.7, 0.7, 0.7];
    for (patience, min_delta, end, epoch) in [
        (1, 0.0, Some(4), 2),
        (0, 0.0, Some(4), 2),
        (2, 0.0, Some(7), 4),
        (3, 0.0, Some(8), 4),
        (4, 0.0, None, 4),
        // 0.45 and 0.41 are the best, but not better enough to go on.
        (1, 0.1, Some(3), 2),
        (3, 0.1, Some(5), 4),
    ] {
        let mut stopping = EarlyStopping::new(patience).min_delta(min_delta);
        assert_eq!(epochs_until_the_end(&mut stopping, &losses), end, "{patience} {min_delta}");
        assert_eq!(stopping.best().map(|best| best.epoch), Some(epoch), "{patience} {min_delta}");
    }
    // What is no number is not better than anything.
    let mut stopping = EarlyStopping::new(2);
    assert_eq!(epochs_until_the_end(&mut stopping, &[f32::NAN, f32::NAN]), Some(2));
    assert_eq!(stopping.best(), None);
}

#[test]
fn patience_begins_anew_with_each_training() {
    let (inputs, targets) = ([[1.0], [2.0]], [[2.0], [4.0]]);
    let mut trainer = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    // Nothing is ever better, after the first epoch.
    let mut stopping = EarlyStopping::new(3).watching(|_: &EpochReport<Line>| 1.0);
    let fit = FitOptions { epochs: 100, ..FitOptions::default() };
    let epochs = [0, 1].map(|_| trainer.fit(&inputs, &targets, &fit, &mut stopping).unwrap().epochs);
    assert_eq!(epochs, [4, 3]);
    assert_eq!(stopping.best(), Some(Best { epoch: 0, loss: 1.0 }));
}

/// How a training run ended, as a callback sees it.
#[derive(Default)]
struct Ends(Vec<Result<usize, Error>>);

impl Callback<Net> for &mut Ends {
    fn epoch(&mut self, _: &EpochReport<Net>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    fn end(&mut self, _: &mut Net, result: Result<FitReport<f32>, Error>) {
        self.0.push(result.map(|outcome| outcome.epochs));
    }
}

/// For each of many rates, at which training diverges sooner or later: the error names the epoch, callbacks learn of
/// it, and the weights of the best epoch are back, all of them finite.
#[test]
fn a_training_that_diverges_keeps_its_best_weights() {
    type Deep = (Dense<1, 12, Relu>, Dense<12, 12, Relu>, Dense<12, 1, Identity>);
    let ((inputs, targets), mut diverged, mut ruined) = (noisy(20, 3), 0, 0);
    for exponent in 0..40 {
        let learning_rate = 0.01 * 2f32.powi(exponent);
        let trainer = || Trainer::new(Deep::new(&mut seeded(0)), MeanSquaredError, Sgd::new(learning_rate), seeded(1));
        let fit = FitOptions { epochs: 30, batch_size: 7, shuffle: true };
        let mut alone = trainer();
        // The training samples again, but after the steps of the epoch.
        let validation = (&inputs, &targets);
        let result = alone.fit_validated(&inputs, &targets, validation, &fit, ());
        // Nobody keeps the best weights here, but none of them is beyond all numbers, and each step was one with a
        // loss.
        assert!(numbers(&alone.network).iter().all(|number| number.is_finite()), "rate {learning_rate}");
        ruined += usize::from(alone.evaluate(&inputs, &targets).is_err());

        let mut epochs = Vec::new();
        let all = |epoch: &EpochReport<Deep>| {
            epochs.push((epoch.validation_loss.unwrap(), epoch.network.clone()));
            ControlFlow::Continue(())
        };
        let (mut kept, mut stopping) = (trainer(), EarlyStopping::new(usize::MAX));
        assert_eq!(kept.fit_validated(&inputs, &targets, validation, &fit, (&mut stopping, all)), result);
        let Err(error) = result else { continue };
        diverged += 1;
        let (Error::LossNotFinite { epoch, .. } | Error::StepNotFinite { epoch, .. }) = error else {
            panic!("{error}")
        };
        assert_eq!(epoch, epochs.len(), "the epoch after the last good one");
        match epochs.iter().min_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((loss, best)) => {
                assert_eq!(bits(&kept.network), bits(best));
                assert_eq!(kept.evaluate(&inputs, &targets), Ok(*loss));
            }
            // In the first epoch there is nothing to go back to.
            None => assert_eq!(bits(&kept.network), bits(&alone.network)),
        }
    }
    // Both happen, or the test shows nothing: training runs that diverge, and some of them with weights that are no
    // good.
    assert!(diverged > 10 && ruined > 0, "{diverged} {ruined}");
}

/// The last step of a training run is one that no batch comes after: an error all the same, never a network of NaN.
#[test]
fn a_last_step_that_ruins_the_network_is_found() {
    let network = Dense::<1, 1, Identity>::from_rows([[1.0]], [0.0]);
    // Gradients of a few thousands, and weights beyond the largest number.
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(3e38), seeded(1));
    let fit = FitOptions { epochs: 1, batch_size: 2, shuffle: false };
    let result = trainer.fit(&[[30.0], [50.0], [40.0]], &[[0.0]; 3], &fit, ());
    assert_eq!(result, Err(Error::StepNotFinite { epoch: 0, batch: 1 }));
    let mut trainer = Trainer::new(trainer.network, MeanSquaredError, Sgd::new(3e38), seeded(1));
    trainer.network = Dense::from_rows([[1.0]], [0.0]);
    let result = trainer.fit(&[[30.0]], &[[0.0]], &fit, ());
    assert_eq!(result, Err(Error::StepNotFinite { epoch: 0, batch: 0 }));
}

/// A loss near the largest number, with gradients beyond it: the network stays as it was.
#[test]
fn a_gradient_beyond_all_numbers_is_not_stepped_with() {
    let network = <(Dense<1, 1, Identity>, Dense<1, 1, Identity>)>::new(&mut seeded(0));
    let network = {
        let (mut first, mut last) = network;
        (first.weight[0], first.bias[0], last.weight[0], last.bias[0]) = (1e-3, 0.0, 1e18, 0.0);
        (first, last)
    };
    let mut trainer = Trainer::new(network.clone(), MeanSquaredError, Sgd::new(1.0), seeded(1));
    // The output is 1e18 and its square fits; times 1e18 and 1e3 it does not.
    let result = trainer.fit(&[[1e3f32]], &[[0.0]], &FitOptions::default(), ());
    assert_eq!(result, Err(Error::LossNotFinite { epoch: 0, batch: 0 }));
    assert_eq!(numbers(&trainer.network), numbers(&network));
    // And a training run with a loss as large, but gradients that fit, continues.
    let network = Dense::<1, 1, Identity>::from_rows([[1e8]], [0.0]);
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.4), seeded(1));
    assert!(
        trainer
            .fit(&[[1.0f32]], &[[0.0]], &FitOptions { epochs: 60, ..FitOptions::default() }, ())
            .is_ok_and(|end| end.loss < 1e4)
    );
}

#[test]
fn callbacks_see_how_a_training_ends() {
    let (inputs, targets) = noisy(10, 0);
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let (mut a, mut b) = (Ends::default(), Ends::default());
    let fit = FitOptions { epochs: 3, ..FitOptions::default() };
    trainer.fit(&inputs, &targets, &fit, (&mut a, &mut b)).unwrap();
    trainer.optimizer.set_learning_rate(f32::MAX);
    let error = trainer.fit(&inputs, &targets, &fit, (&mut a, &mut b)).unwrap_err();
    let diverged = matches!(error, Error::LossNotFinite { epoch: 3..6, .. } | Error::StepNotFinite { epoch: 3..6, .. });
    assert!(diverged, "{error}");
    // Without samples no training begins, and none ends.
    trainer.fit(&inputs[..0], &targets[..0], &fit, (&mut a, &mut b)).unwrap_err();
    assert_eq!(a.0, [Ok(3), Err(error)]);
    assert_eq!(a.0, b.0);
}

#[test]
fn a_metric_is_measured_after_each_epoch() {
    let (inputs, targets) = noisy(10, 0);
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let (mut expected, mut history) = (Vec::new(), History::new());
    let mut metric = Metric::new("at one", |network: &Net| f64::from(network.predict_one(&[1.0])[0]));
    let callback = |epoch: &EpochReport<Net>| {
        expected.push(f64::from(epoch.network.predict_one(&[1.0])[0]));
        ControlFlow::Continue(())
    };
    let fit = FitOptions { epochs: 5, ..FitOptions::default() };
    trainer.fit(&inputs, &targets, &fit, ((&mut metric, callback), &mut history)).unwrap();
    assert_eq!((metric.name(), metric.values()), ("at one", &expected[..]));
    assert_eq!(expected.len(), 5);
    assert_ne!(expected[0], expected[4]);
}
