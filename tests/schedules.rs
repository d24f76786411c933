//! Learning rate schedules: the rates that PyTorch and scikit-learn take (`golden/schedules.py` made the values), when
//! a trainer changes them, and the range test.

#![cfg(feature = "std")]

mod common;

use common::bits;
use serde_json::Value;
use std::sync::LazyLock;
use tuplenet::Error;
use tuplenet::optimizer::schedule::*;
use tuplenet::prelude::*;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden/schedules.json")).unwrap());

fn cases(section: &str) -> &'static Vec<Value> {
    let cases = GOLDEN[section].as_array().expect(section);
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn length(case: &Value) -> usize {
    case["length"].as_u64().unwrap() as usize
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[track_caller]
fn same(what: &Value, position: usize, found: f64, right: f64) {
    let error = (found / right - 1.0).abs();
    // A rate that falls to zero gets there but for rounding.
    assert!(error <= 1e-10 || (found - right).abs() < 1e-16, "{what}, {position}: {found}, not {right}: {error:e}");
}

/// The rates of an optimizer that is called after each epoch, or each step.
fn follows(section: &str, schedule: impl Fn(&Value) -> Box<dyn Schedule>) {
    struct Boxed(Box<dyn Schedule>);
    impl Schedule for Boxed {
        fn factor(&self, position: usize) -> f64 {
            self.0.factor(position)
        }
    }
    for case in cases(section) {
        let sgd = Sgd::new(number(&case["rate"]));
        let (mut by_epoch, mut by_step) = (sgd.by_epoch(Boxed(schedule(case))), sgd.by_step(Boxed(schedule(case))));
        for (position, right) in numbers(&case["rates"]).into_iter().enumerate() {
            same(case, position, by_epoch.learning_rate(), right);
            same(case, position, by_step.learning_rate(), right);
            by_epoch.after_epoch(0.0);
            by_epoch.after_step();
            by_step.after_step();
            by_step.after_epoch(0.0);
            assert_eq!([by_epoch.position(), by_step.position()], [position + 1; 2]);
        }
    }
}

#[test]
fn step() {
    follows("step", |case| Box::new(StepDecay::new(length(case), number(&case["factor"]))));
}

#[test]
fn exponential() {
    follows("exponential", |case| Box::new(ExponentialDecay::new(number(&case["factor"]))));
}

#[test]
fn cosine() {
    follows("cosine", |case| Box::new(CosineAnnealing { length: length(case), lowest: number(&case["lowest"]) }));
}

#[test]
fn warmup() {
    follows("warmup", |case| {
        let then = CosineAnnealing::new(case["then"].as_u64().unwrap() as usize);
        Box::new(then.after_warmup(length(case), number(&case["start"])))
    });
}

#[test]
fn one_cycle() {
    follows("one_cycle", |case| {
        let [rise, first_divisor, last_divisor] = ["rise", "first", "last"].map(|key| number(&case[key]));
        Box::new(OneCycle { length: length(case), rise, first_divisor, last_divisor })
    });
}

#[test]
fn adaptive() {
    for case in cases("adaptive") {
        let patience = case["patience"].as_u64().unwrap() as usize;
        let schedule = ReduceOnPlateau { patience, tolerance: number(&case["tolerance"]), ..ReduceOnPlateau::new() };
        let mut optimizer = Sgd::new(number(&case["rate"])).by_epoch(schedule);
        for (epoch, (loss, right)) in numbers(&case["losses"]).into_iter().zip(numbers(&case["rates"])).enumerate() {
            same(case, epoch, optimizer.learning_rate(), right);
            optimizer.after_epoch(loss);
        }
    }
}

#[test]
fn ends_that_are_no_ends() {
    let at = |schedule: &dyn Schedule| [0, 1, 2, usize::MAX].map(|position| schedule.factor(position));
    assert_eq!(at(&StepDecay::new(0, 1.0)), [1.0; 4]);
    assert_eq!(at(&CosineAnnealing::new(0)), [0.0; 4]);
    assert_eq!(at(&Constant.after_warmup(0, 0.0)), [1.0; 4]);
    for length in 0..4 {
        for rise in [0.0, 0.1, 0.5, 1.0] {
            let factors = at(&OneCycle { rise, ..OneCycle::new(length) });
            assert!(factors.iter().all(|factor| (0.0..=1.0).contains(factor)), "{length} {rise} {factors:?}");
        }
    }
    // Rates that would be below zero are not divided for ever.
    let mut schedule = ReduceOnPlateau::new();
    for _ in 0..10_000 {
        schedule.after_epoch(1.0);
    }
    assert!(schedule.factor > 1e-6 / 5.0 && schedule.factor <= 1e-6);
}

type Net = (Dense<1, 4, Tanh>, Dense<4, 1, Identity>);

const INPUTS: [[f32; 1]; 7] = [[-0.9], [-0.5], [-0.3], [0.1], [0.2], [0.6], [0.8]];
const TARGETS: [[f32; 1]; 7] = [[0.8], [0.3], [0.1], [0.0], [0.1], [0.4], [0.6]];

fn trainer<O: Optimizer<Scalar = f32>>(optimizer: O) -> Trainer<Net, MeanSquaredError, O, impl Rng> {
    Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1))
}

#[test]
fn a_trainer_tells_of_each_epoch() {
    let base = Adam::new(0.05f32);
    let mut by_hand = trainer(base);
    let mut scheduled = trainer(base.by_epoch(ExponentialDecay::new(0.9)).l2(0.0).clip_norm(1e9));
    let fit = FitOptions { epochs: 10, batch_size: 3, shuffle: true };
    scheduled.fit(&INPUTS, &TARGETS, &fit, ()).unwrap();
    for epoch in 0..10 {
        by_hand
            .optimizer
            .set_learning_rate((f64::from(0.05f32) * (0..epoch).fold(1.0, |factor, _| factor * 0.9)) as f32);
        by_hand.epoch(&INPUTS, &TARGETS, 3).unwrap();
    }
    assert_eq!(scheduled.optimizer.optimizer.optimizer.position(), 10);
    let difference = common::numbers(&scheduled.network).into_iter().zip(common::numbers(&by_hand.network));
    assert!(difference.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));

    // Another rate makes another network.
    let mut constant = trainer(base.by_epoch(Constant));
    constant.fit(&INPUTS, &TARGETS, &fit, ()).unwrap();
    assert_ne!(bits(&constant.network), bits(&scheduled.network));
    let mut plain = trainer(base);
    plain.fit(&INPUTS, &TARGETS, &fit, ()).unwrap();
    assert_eq!(bits(&constant.network), bits(&plain.network));
}

#[test]
fn a_trainer_tells_of_each_step_that_was_taken() {
    let mut trainer = trainer(Sgd::new(0.1f32).by_step(StepDecay::new(3, 0.5)));
    trainer.epoch(&INPUTS, &TARGETS, 2).unwrap();
    assert_eq!((trainer.optimizer.position(), trainer.optimizer.learning_rate()), (4, 0.05));
    trainer.step(&INPUTS, &TARGETS).unwrap();
    trainer.step(&[[f32::NAN]], &[[0.0]]).unwrap_err();
    assert_eq!(trainer.optimizer.position(), 5);
    trainer.optimizer.set_learning_rate(1.0);
    assert_eq!((trainer.optimizer.position(), trainer.optimizer.learning_rate()), (5, 0.5));
}

#[test]
fn a_training_that_stops_and_mark_epoch_ends_as_one() {
    let schedule = OneCycle::new(40);
    let fit = |epochs| FitOptions { epochs, batch_size: 7, shuffle: true };
    let mut whole = trainer(Sgd::new(0.3f32).by_step(schedule));
    whole.fit(&INPUTS, &TARGETS, &fit(40), ()).unwrap();

    let mut first = trainer(Sgd::new(0.3f32).by_step(schedule));
    first.fit(&INPUTS, &TARGETS, &fit(17), ()).unwrap();
    let mut second = trainer(Sgd::new(0.3f32).by_step(schedule));
    second.network = first.network;
    second.optimizer.seek(first.optimizer.position());
    second.fit(&INPUTS, &TARGETS, &fit(23), ()).unwrap();
    assert_eq!(bits(&second.network), bits(&whole.network));
}

#[test]
fn the_loss_of_a_whole_training_divides_the_rate() {
    let mut trainer = trainer(Sgd::new(0.5f32).by_epoch(ReduceOnPlateau::new()));
    trainer.fit(&INPUTS, &TARGETS, &FitOptions { epochs: 2000, ..FitOptions::default() }, ()).unwrap();
    let ReduceOnPlateau { factor, best, .. } = *trainer.optimizer.schedule();
    assert!(factor < 0.1 && best < 0.1, "{factor} {best}");
    assert_eq!(trainer.optimizer.learning_rate(), (0.5 * factor) as f32);
}

#[test]
fn a_range_test() {
    let mut curve = [(0.0, 0.0); 50];
    let count = trainer(Sgd::new(0.0)).range_test(&INPUTS, &TARGETS, 2, 1e-4..=100.0, &mut curve).unwrap();
    let curve = &curve[..count];
    for (pair, step) in curve.windows(2).zip(0..) {
        let factor = (1e6f64).powf(1.0 / 49.0);
        assert!((f64::from(pair[1].0 / pair[0].0) / factor - 1.0).abs() < 1e-6, "step {step}");
    }
    assert!(curve[0].0 == 1e-4 && curve.iter().all(|(_, loss)| loss.is_finite()));
    let lowest = curve.iter().map(|(_, loss)| *loss).fold(f32::INFINITY, f32::min);
    assert!(lowest < 0.5 * curve[0].1 && curve.last().unwrap().1 > 10.0 * curve[0].1, "{curve:?}");

    // The rate that is taken, not the one that was asked for.
    let mut halved = [(0.0, 0.0); 3];
    let optimizer = Sgd::new(0.0).by_step(StepDecay::new(1, 0.5));
    trainer(optimizer).range_test(&INPUTS, &TARGETS, 2, 1e-3..=1e-1, &mut halved).unwrap();
    for ((learning_rate, _), right) in halved.into_iter().zip([1e-3, 0.5e-2, 0.25e-1]) {
        assert!((learning_rate / right - 1.0f32).abs() < 1e-6);
    }

    // All the way up where nothing diverges, in the order of the same generator.
    let mut flat = [(0.0, 0.0); 10];
    let count = trainer(Sgd::new(0.0)).range_test(&INPUTS, &TARGETS, 7, 1e-9..=1e-8, &mut flat).unwrap();
    assert_eq!((count, flat[9].0), (10, 1e-8));
    assert!((flat[9].1 / flat[0].1 - 1.0).abs() < 1e-5);

    let refused = |batch_size, learning_rates| {
        trainer(Sgd::new(0.0)).range_test(&INPUTS, &TARGETS, batch_size, learning_rates, &mut flat.clone())
    };
    assert_eq!(refused(0, 1e-9..=1.0), Err(Error::BatchSize));
    for learning_rates in [0.0..=1.0, 1.0..=0.5, -1.0..=1.0, f32::NAN..=1.0, 1.0..=f32::INFINITY] {
        assert_eq!(refused(1, learning_rates), Err(Error::LearningRates));
    }
    let few = trainer(Sgd::new(0.0)).range_test(&INPUTS, &TARGETS[1..], 1, 0.1..=1.0, &mut flat);
    assert_eq!(few, Err(Error::Lengths { what: "targets, one for each input", expected: 7, found: 6 }));
}
