//! Data: scalers and folds agree with scikit-learn's (`golden/data.py` made the values), a scaler folded into a network
//! changes nothing, and bad data is named.

#![cfg(feature = "std")]

use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;
use tuplenet::Error;
use tuplenet::data::*;
use tuplenet::error::TargetError;
use tuplenet::prelude::*;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden/data.json")).unwrap());

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn counts(value: &Value) -> Vec<usize> {
    list(value).iter().map(|count| count.as_u64().unwrap() as usize).collect()
}

fn samples(value: &Value) -> Vec<[f64; 3]> {
    let sample = |sample: &Value| Vec::from_iter(list(sample).iter().map(|number| number.as_f64().unwrap()));
    list(value).iter().map(|value| sample(value).try_into().unwrap()).collect()
}

#[test]
fn scalers() {
    for case in list(&GOLDEN["scalers"]) {
        let (train, new) = (samples(&case["samples"]), samples(&case["new"]));
        let compare = |key: &str, scale: &dyn Fn(&[f64; 3]) -> [f64; 3]| {
            for (sample, right) in new.iter().zip(samples(&case[key])) {
                for (column, (found, right)) in scale(sample).iter().zip(right).enumerate() {
                    let error = (found - right).abs() / right.abs().max(1.0);
                    assert!(error <= 1e-10, "{key}, {} samples, column {column}: {found}, not {right}", train.len());
                }
            }
        };
        let (standard, min_max) = (StandardScaler::fit(&train).unwrap(), MinMaxScaler::fit(&train).unwrap());
        compare("standard", &|sample| standard.transform(sample));
        compare("standard inverse", &|sample| standard.inverse(sample));
        compare("min_max", &|sample| min_max.transform(sample));
        compare("min_max inverse", &|sample| min_max.inverse(sample));
    }
}

#[test]
fn stratified_folds() {
    for case in list(&GOLDEN["folds"]) {
        let (classes, count) = (counts(&case["classes"]), case["folds"].as_u64().unwrap() as usize);
        let mut indices = vec![0; classes.len()];
        let found = stratified_k_folds::<3, _>(&classes, &mut indices, count, &mut seeded(1));
        if let Some(missing) = (0..3).find(|class| !classes.contains(class)) {
            let error = Error::TooFewOfClass { class: missing, expected: count, found: 0 };
            assert_eq!(found.map(|_| ()), Err(error));
            continue;
        }
        let mut folds = found.unwrap();
        for right in list(&case["counts"]) {
            let (_, test) = folds.next_fold().unwrap();
            let found = [0, 1, 2].map(|class| test.iter().filter(|&&index| classes[index] == class).count());
            assert_eq!(found.to_vec(), counts(right), "{count} folds of {}", classes.len());
        }
        assert!(folds.next_fold().is_none());

        let mut folds = k_folds(&mut indices, count, &mut seeded(1)).unwrap();
        for right in counts(&case["sizes"]) {
            assert_eq!(folds.next_fold().unwrap().1.len(), right);
        }
    }
}

/// Training and test samples of all folds.
fn all(mut folds: Folds) -> Vec<[Vec<usize>; 2]> {
    let mut all = Vec::new();
    while let Some((train, test)) = folds.next_fold() {
        all.push([train.to_vec(), test.to_vec()]);
    }
    assert_eq!(all.len(), folds.count());
    all
}

/// Fails unless each fold has every sample once, and each sample is tested once.
fn partition(folds: &[[Vec<usize>; 2]], count: usize) -> Result<(), TestCaseError> {
    let sorted = |mut indices: Vec<usize>| {
        indices.sort();
        indices
    };
    let everyone = Vec::from_iter(0..count);
    for fold in folds {
        prop_assert_eq!(&sorted(fold.concat()), &everyone);
    }
    prop_assert_eq!(sorted(folds.iter().flat_map(|[_, test]| test.clone()).collect()), everyone);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn folds_have_every_sample_once(count in 2usize..200, folds in 2usize..20, seed: u64) {
        let mut indices = vec![0; count];
        let found = k_folds(&mut indices, folds, &mut seeded(seed)).map(all);
        if count < folds {
            prop_assert_eq!(found, Err(Error::TooFewSamples { expected: folds, found: count }));
            return Ok(());
        }
        let found = found.unwrap();
        partition(&found, count)?;
        prop_assert!(found.iter().all(|[_, test]| test.len() == count / folds || test.len() == count.div_ceil(folds)));
        prop_assert_eq!(&found, &all(k_folds(&mut vec![9; count], folds, &mut seeded(seed)).unwrap()));
    }

    #[test]
    fn stratified_folds_have_every_sample_once_and_classes_evenly(
        classes in prop::collection::vec(0u8..3, 6..200), folds in 2usize..8, seed: u64,
    ) {
        let count = classes.len();
        let of_class = |class| classes.iter().filter(|other| **other == class).count();
        let mut indices = vec![0; count];
        let found = stratified_k_folds::<3, _>(&classes, &mut indices, folds, &mut seeded(seed)).map(all);
        if count < folds {
            prop_assert_eq!(found, Err(Error::TooFewSamples { expected: folds, found: count }));
            return Ok(());
        }
        if let Some(class) = (0..3).find(|&class| of_class(class) < folds) {
            let error = Error::TooFewOfClass { class: class.into(), expected: folds, found: of_class(class) };
            prop_assert_eq!(found, Err(error));
            return Ok(());
        }
        let found = found.unwrap();
        partition(&found, count)?;
        for [_, test] in &found {
            prop_assert!(test.len() == count / folds || test.len() == count.div_ceil(folds));
            for class in 0..3 {
                let here = test.iter().filter(|&&index| classes[index] == class).count();
                prop_assert!(here == of_class(class) / folds || here == of_class(class).div_ceil(folds));
            }
        }
        indices.fill(9);
        let again = stratified_k_folds::<3, _>(&classes, &mut indices, folds, &mut seeded(seed)).unwrap();
        prop_assert_eq!(&found, &all(again));
    }

    #[test]
    fn a_folded_scaler_predicts_the_same(
        samples in prop::collection::vec(prop::array::uniform4(-1e3..1e3f64), 2..30), seed: u64,
        constant in -1e3..1e3f64, x in prop::array::uniform4(-1e3..1e3f64),
    ) {
        // The last feature is constant.
        let samples: Vec<[f64; 4]> = samples.into_iter().map(|[a, b, c, _]| [a, b, c, constant]).collect();
        let x = [x[0], x[1], x[2], constant + x[3] / 1e3];
        type Net = (Dense<4, 6, Tanh, f64>, Dense<6, 2, Identity, f64>);
        let network = Net::new(&mut seeded(seed));
        let check = |scaled: [f64; 4], first: Dense<4, 6, Tanh, f64>| {
            let (found, right) = ((first, network.1.clone()).predict_one(&x), network.predict_one(&scaled));
            for (found, right) in found.iter().zip(right) {
                prop_assert!((found - right).abs() <= 1e-9, "{} instead of {}", found, right);
            }
            Ok(())
        };
        let (standard, min_max) = (StandardScaler::fit(&samples).unwrap(), MinMaxScaler::fit(&samples).unwrap());
        let spread = |column: usize| samples.iter().map(|sample| sample[column]).fold(0.0, |far: f64, value| {
            far.max((value - samples[0][column]).abs())
        });
        // Features that hardly vary get large weights, and their differences cancel.
        prop_assume!((0..3).all(|column| spread(column) > 1.0));
        check(standard.transform(&x), standard.fold(network.0.clone()))?;
        check(min_max.transform(&x), min_max.fold(network.0.clone()))?;
    }
}

#[test]
fn folds_are_drawn_and_mixed() {
    let classes: Vec<usize> = (0..60).map(|i| i / 30).collect();
    let folds = |seed| all(stratified_k_folds::<2, _>(&classes, &mut [0; 60], 3, &mut seeded(seed)).unwrap());
    assert_ne!(folds(1), folds(2));
    // The classes of a fold don't stand one after the other: about half of all neighbours differ.
    let (mut changes, mut pairs) = (0, 0);
    for [_, test] in (0..20).flat_map(folds) {
        changes += test.windows(2).filter(|pair| classes[pair[0]] != classes[pair[1]]).count();
        pairs += test.len() - 1;
    }
    assert!((0.4..0.6).contains(&(changes as f64 / pairs as f64)), "{changes} of {pairs}");
}

#[test]
fn what_cannot_be_divided_is_named() {
    let error = |classes: &[u8], folds| {
        let mut indices = vec![0; classes.len()];
        stratified_k_folds::<2, _>(classes, &mut indices, folds, &mut seeded(0)).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(error(&[0, 1, 1], 1), "expected at least 2 folds, found 1");
    assert_eq!(error(&[0, 1, 1], 4), "expected at least 4 samples, found 3");
    assert_eq!(error(&[], 2), "expected at least 2 samples, found 0");
    assert_eq!(error(&[0, 1, 1], 2), "expected at least 2 samples of class 0, found 1");
    assert_eq!(error(&[1, 1, 1], 2), "expected at least 2 samples of class 0, found 0");
    assert_eq!(error(&[0, 1, 2], 2), "target of sample 2: expected a class index below 2, found 2");
    let missing = stratified_k_folds::<2, _>(&[0u8, 1], &mut [0; 3], 2, &mut seeded(0)).map(|_| ()).unwrap_err();
    assert_eq!(missing.to_string(), "expected 2 indices, one for each class, found 3");
    let folds = k_folds(&mut [0; 3], 0, &mut seeded(0)).map(|_| ());
    assert_eq!(folds, Err(Error::Folds { found: 0 }));
    assert_eq!(one_hot::<f32, 2>(2), Err(TargetError::Class { found: 2, classes: 2 }));
}
