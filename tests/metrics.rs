//! The metrics agree with scikit-learn's, on random and on degenerate predictions: `golden/metrics.py` made the values.
//! What can't be evaluated is refused with a readable error.

#![cfg(feature = "std")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use tuplenet::Error;
use tuplenet::error::TargetError;
use tuplenet::metrics::*;
use tuplenet::prelude::*;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden/metrics.json")).unwrap());

fn cases(section: &str) -> BTreeMap<&'static str, &'static Value> {
    let cases = GOLDEN[section].as_object().expect(section);
    assert!(!cases.is_empty());
    cases.iter().map(|(name, case)| (name.as_str(), case)).collect()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn classes(value: &Value) -> Vec<usize> {
    list(value).iter().map(|class| class.as_u64().expect("a class") as usize).collect()
}

fn samples<T: Real, const N: usize>(value: &Value) -> Vec<[T; N]> {
    let sample = |sample: &Value| Vec::from_iter(list(sample).iter().map(|value| T::of(number(value))));
    list(value).iter().map(|value| sample(value).try_into().expect("as many numbers")).collect()
}

fn width(value: &Value) -> usize {
    list(&list(value)[0]).len()
}

#[track_caller]
fn compare(what: &str, found: f64, right: &Value, tolerance: f64) {
    let right = number(right);
    let error = (found - right).abs() / right.abs().max(1.0);
    assert!(error <= tolerance, "{what}: {found}, not {right}: {error:e}");
}

fn compare_scores<const CLASSES: usize>(name: &str, confusion: &ConfusionMatrix<CLASSES>, case: &Value) {
    for (score, right) in case["scores"].as_object().unwrap() {
        let words: Vec<&str> = score.split(' ').collect();
        let average = || match words[words.len() - 1] {
            "macro" => Average::Macro,
            "micro" => Average::Micro,
            "weighted" => Average::Weighted,
            class => Average::Class(class.parse().unwrap()),
        };
        let found = match words[0] {
            "accuracy" => confusion.accuracy(),
            "balanced_accuracy" => confusion.balanced_accuracy(),
            "matthews" => confusion.matthews(),
            "precision" => confusion.precision(average()),
            "recall" => confusion.recall(average()),
            "f" => confusion.f_beta(words[1].parse().unwrap(), average()),
            other => panic!("{other} is not compared"),
        };
        compare(&format!("{name}, {score}"), found, right, 1e-10);
    }
}

#[test]
fn from_a_confusion_matrix() {
    fn check<const CLASSES: usize>(name: &str, case: &Value) {
        let (truth, predicted) = (classes(&case["truth"]), classes(&case["predicted"]));
        let confusion = ConfusionMatrix::<CLASSES>::from_classes(&truth, &predicted).unwrap();
        assert_eq!(confusion.total(), truth.len());
        compare_scores(name, &confusion, case);
    }
    for (name, case) in cases("confusions") {
        match case["classes"].as_u64() {
            Some(2) => check::<2>(name, case),
            Some(3) => check::<3>(name, case),
            Some(5) => check::<5>(name, case),
            other => panic!("{other:?} classes"),
        }
    }
}

#[test]
fn at_a_threshold() {
    for (name, case) in cases("thresholds") {
        let (probabilities, truth) = (samples::<f64, 1>(&case["probabilities"]), classes(&case["truth"]));
        let confusion = ConfusionMatrix::binary(&truth, &probabilities, number(&case["threshold"])).unwrap();
        compare_scores(name, &confusion, case);
    }
}

#[test]
fn nothing_counted_gives_zero() {
    let nothing = ConfusionMatrix::<3>::new();
    assert_eq!([nothing.accuracy(), nothing.balanced_accuracy(), nothing.matthews()], [0.0; 3]);
    for average in [Average::Class(0), Average::Class(7), Average::Macro, Average::Micro, Average::Weighted] {
        assert_eq!([nothing.precision(average), nothing.recall(average), nothing.f_beta(1.0, average)], [0.0; 3]);
    }
}

/// Runs `$check::<SCORES>` for the number of scores that the samples have.
macro_rules! by_width {
    ($value:expr, $check:ident($($argument:expr),*)) => {
        match width($value) {
            1 => $check::<1>($($argument),*),
            2 => $check::<2>($($argument),*),
            3 => $check::<3>($($argument),*),
            6 => $check::<6>($($argument),*),
            other => panic!("{other} numbers a sample"),
        }
    };
}

#[test]
fn areas_under_the_curve() {
    fn check<const SCORES: usize>(name: &str, case: &Value) {
        let (scores, truth) = (samples::<f64, SCORES>(&case["scores"]), classes(&case["truth"]));
        let mut places = vec![0; truth.len()];
        compare(name, roc_auc(&truth, &scores, &mut places).unwrap(), &case["auc"], 1e-10);
        // Another order of the samples.
        let (scores, truth): (Vec<_>, Vec<_>) = scores.into_iter().zip(truth).rev().unzip();
        compare(name, roc_auc(&truth, &scores, &mut places).unwrap(), &case["auc"], 1e-10);
    }
    for (name, case) in cases("areas") {
        by_width!(&case["scores"], check(name, case));
    }
}

#[test]
fn log_losses() {
    fn check<const OUT: usize>(name: &str, case: &Value) {
        let truth = classes(&case["truth"]);
        compare(name, log_loss(&truth, &samples::<f64, OUT>(&case["probabilities"])).unwrap(), &case["loss"], 1e-10);
        // Where nothing rounds to 0 or 1.
        if name.starts_with("soft") {
            let found = log_loss(&truth, &samples::<f32, OUT>(&case["probabilities"])).unwrap();
            compare(name, found, &case["loss"], 1e-6);
        }
    }
    for (name, case) in cases("log_losses") {
        by_width!(&case["probabilities"], check(name, case));
    }
}

#[test]
fn regression() {
    fn check<const OUT: usize>(name: &str, case: &Value) {
        let (predictions, targets) = (samples::<f64, OUT>(&case["predictions"]), samples::<f64, OUT>(&case["targets"]));
        let what = |metric: &str| format!("{name}, {metric}");
        let found = mean_squared_error(&targets, &predictions).unwrap();
        compare(&what("squared"), found, &case["mean_squared_error"], 1e-10);
        let found = mean_absolute_error(&targets, &predictions).unwrap();
        compare(&what("absolute"), found, &case["mean_absolute_error"], 1e-10);
        compare(&what("r2"), r2(&targets, &predictions).unwrap(), &case["r2"], 1e-10);
    }
    for (name, case) in cases("regressions") {
        by_width!(&case["targets"], check(name, case));
    }
}

/// 0.1 is no binary number, so that a mean of it by sum and quotient is another number, and scikit-learn's R2 of a
/// constant target is then whatever the rounding makes of it.
#[test]
fn a_constant_target_is_found_whatever_it_is() {
    for count in 2..100 {
        let (targets, others) = (vec![[0.1f64]; count], vec![[0.2f64]; count]);
        assert_eq!((r2(&targets, &targets), r2(&targets, &others)), (Ok(1.0), Ok(0.0)));
    }
}

#[test]
fn what_cannot_be_judged_is_named() {
    let missing = Error::Lengths { what: "predictions, one for each target", expected: 2, found: 1 };
    let too_large = |sample, found, classes| Error::Target { sample, problem: TargetError::Class { found, classes } };
    let (two, none) = ([0usize, 1], [0usize; 0]);

    assert_eq!(ConfusionMatrix::<2>::from_classes(&two, &[0u8]), Err(missing));
    assert_eq!(ConfusionMatrix::<2>::from_classes(&none, &none), Err(Error::NoSamples));
    assert_eq!(ConfusionMatrix::<2>::from_classes(&two, &[0u8, 2]), Err(too_large(1, 2, 2)));
    assert_eq!(ConfusionMatrix::<2>::from_classes(&[5u8, 0], &two), Err(too_large(0, 5, 2)));

    let not_finite = |sample, column| Error::SampleNotFinite { sample, column };
    assert_eq!(ConfusionMatrix::binary(&two, &[[0.5f32]], 0.5), Err(missing));
    assert_eq!(ConfusionMatrix::binary(&two, &[[0.5], [f32::NAN]], 0.5), Err(not_finite(1, 0)));
    assert_eq!(ConfusionMatrix::binary(&[0u8, 2], &[[0.5f32], [0.5]], 0.5), Err(too_large(1, 2, 2)));

    let places = &mut [0; 2];
    assert_eq!(roc_auc(&two, &[[0.5f32]], places), Err(missing));
    assert_eq!(roc_auc::<f32, _, 1>(&none, &[], &mut []), Err(Error::NoSamples));
    assert_eq!(roc_auc(&[0u8, 2], &[[0.5f32], [0.1]], places), Err(too_large(1, 2, 2)));
    assert_eq!(roc_auc(&two, &[[0.5f32], [f32::INFINITY]], places), Err(not_finite(1, 0)));
    assert_eq!(roc_auc(&two, &[[0.5f32, 0.5], [0.1, f32::NAN]], places), Err(not_finite(1, 1)));
    let length = Error::Lengths { what: "indices, one for each sample", expected: 2, found: 3 };
    assert_eq!(roc_auc(&two, &[[0.5f32], [0.1]], &mut [0; 3]), Err(length));
    let without = |class| Err(Error::TooFewOfClass { class, expected: 1, found: 0 });
    assert_eq!(roc_auc(&[0u8, 0], &[[0.5f32], [0.1]], places), without(1));
    assert_eq!(roc_auc(&[1u8, 1], &[[0.5f32], [0.1]], places), without(0));
    assert_eq!(roc_auc(&[0u8, 2], &[[0.5f32; 3], [0.1; 3]], places), without(1));
    assert_eq!(roc_auc(&[0u8, 0], &[[0.5f32; 3], [0.1; 3]], places), without(1));

    assert_eq!(log_loss(&two, &[[0.5f32]]), Err(missing));
    assert_eq!(log_loss(&[0u8, 2], &[[0.5f32], [0.5]]), Err(too_large(1, 2, 2)));
    for bad in [-0.1, 1.1, f32::NAN] {
        let error = Err(Error::Probability { sample: 1, column: 1 });
        assert_eq!(log_loss(&two, &[[0.5, 0.5], [0.5, bad]]), error);
    }

    let (targets, bad) = ([[1.0f32, 2.0], [3.0, 4.0]], [[1.0, 2.0], [3.0, f32::NAN]]);
    for metric in [mean_squared_error, mean_absolute_error, r2] {
        assert_eq!(metric(&targets[..], &targets[..1]), Err(missing));
        assert_eq!(metric(&targets[..0], &targets[..0]), Err(Error::NoSamples));
        assert_eq!(metric(&targets[..], &bad[..]), Err(not_finite(1, 1)));
        assert_eq!(metric(&bad[..], &targets[..]), Err(not_finite(1, 1)));
    }
    assert_eq!(r2(&targets[..1], &targets[..1]), Err(Error::TooFewSamples { expected: 2, found: 1 }));
}
