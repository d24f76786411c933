//! Statistics, CSV, order, parts, metrics.

use tuplenet::Error;
use tuplenet::data::{MinMaxScaler, StandardScaler, balanced_class_weights, stratified_k_folds, stratified_split};
use tuplenet::metrics::{Average, ConfusionMatrix, log_loss, mean_absolute_error, mean_squared_error, r2, roc_auc};
use tuplenet::prelude::*;

#[cfg(feature = "csv")]
mod csv {
    use tuplenet::data::{Classified, Csv};

    fn read(text: &str) -> (Vec<usize>, String) {
        let csv = Csv { header: false, delimiter: b',' };
        let Classified { classes, names, .. } = csv.classified::<f32, 1>(text.as_bytes()).unwrap();
        (classes, names.join("|"))
    }

    #[test]
    fn a_class_in_quotation_marks_after_space_is_the_same_class() {
        assert_eq!(read("1, \"setosa\"\n2,setosa\n3,\t \"setosa\" \n4,\" setosa \"\n"), (vec![0; 4], "setosa".into()));
        assert_eq!(read("1, \"a, b\"\n2,\"a, b\"\n"), (vec![0, 0], "a, b".into()));
        assert_eq!(read("1, \"say \"\"a\"\", b\"\n2,c\n"), (vec![1, 0], "c|say \"a\", b".into()));
        // A mark in the middle of a value is a letter.
        assert_eq!(read("1,5\" disk\n2,5\" disk \n"), (vec![0, 0], "5\" disk".into()));
        // Not beside a delimiter that is a space itself.
        let spaced = Csv { header: false, delimiter: b' ' };
        assert_eq!(spaced.classified::<f32, 1>(&b"1 \"a b\"\n2 c\n"[..]).unwrap().names, ["a b", "c"]);
        let tabs = Csv { header: false, delimiter: b'\t' };
        assert_eq!(tabs.samples::<f32, 2>(&b" \"1\"\t \"2\"\n"[..]).unwrap(), [[1.0, 2.0]]);
    }

    #[test]
    fn white_space_of_any_kind_makes_no_other_class() {
        for space in ["\u{a0}", "\u{2009}", "\u{3000}", "\u{feff}", "\u{200b}", "\t", " "] {
            let text = format!("1,a{space}\n2,a\n3,{space}a\n4,{space}\"a\"\n{space}5{space},a\n");
            assert_eq!(read(&text), (vec![0; 5], "a".into()), "{space:?}");
        }
        assert_eq!(read("1,a\r\n2,a\r3,a\n  \n4,a"), (vec![0; 4], "a".into()));
    }

    #[test]
    fn a_number_is_the_same_class_however_it_is_written() {
        assert_eq!(read("1,1\n1,1.0\n1,+1\n1,01\n1,1e0\n1,0\n1,-0\n"), (vec![1, 1, 1, 1, 1, 0, 0], "0|1".into()));
        assert_eq!(read("1,10\n1,9\n1,9.0\n"), (vec![1, 0, 0], "9|10".into()));
        assert_eq!(read("1,1\n1,1.0\n1,x\n"), (vec![0, 0, 1], "1|x".into()));
        // These are names, and too long for a floating-point number to tell one from the other.
        assert_eq!(read("1,9007199254740993\n1,9007199254740992\n").0, [1, 0]);
        assert_eq!(read("1,inf\n1,infinity\n1,nan\n"), (vec![0, 1, 2], "inf|infinity|nan".into()));
    }
}

#[test]
fn no_part_takes_all_samples_of_a_class() {
    let mut indices = [0; 11];
    let classes = [0usize, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2];
    for seed in 0..50 {
        let alone = stratified_split::<3, _>(&classes, &mut indices, 0.3, &mut seeded(seed)).unwrap_err();
        assert_eq!(alone, Error::TooFewOfClass { class: 2, expected: 2, found: 1 });
    }
    // As the folds say of the same classes.
    let folds = stratified_k_folds::<3, _>(&classes, &mut indices, 2, &mut seeded(0)).unwrap_err();
    assert_eq!(folds, Error::TooFewOfClass { class: 2, expected: 2, found: 1 });
    let missing = stratified_split::<4, _>(&[0usize, 0, 1, 1, 2, 2, 0, 1, 2, 0, 1], &mut indices, 0.5, &mut seeded(0));
    assert_eq!(missing.unwrap_err(), Error::TooFewOfClass { class: 3, expected: 2, found: 0 });

    let rare: Vec<usize> = (0..100).map(|i| usize::from(i % 50 == 0)).collect();
    let mut indices = [0; 100];
    for (seed, test) in [0.02, 0.1, 0.5, 0.9, 0.95, 0.98].into_iter().cycle().take(60).enumerate() {
        let (train, tested) = stratified_split::<2, _>(&rare, &mut indices, test, &mut seeded(seed as u64)).unwrap();
        assert!(train.iter().any(|&index| rare[index] == 1), "{test}");
        assert_eq!((train.len() + tested.len(), tested.len()), (100, (100.0 * test + 0.5) as usize));
    }
    let few = stratified_split::<2, _>(&rare, &mut indices, 0.99, &mut seeded(0)).unwrap_err();
    assert_eq!(few.to_string(), "expected at least 2 training samples, one for each class, found 1");
}

#[test]
fn scores_are_exact_at_their_ends() {
    for counts in [[1usize, 1], [3, 7], [1234, 4567], [99_991, 3]] {
        let truth: Vec<usize> = counts.iter().enumerate().flat_map(|(class, &count)| vec![class; count]).collect();
        let wrong: Vec<usize> = truth.iter().map(|class| 1 - class).collect();
        let perfect = ConfusionMatrix::<2>::from_classes(&truth, &truth).unwrap();
        let worst = ConfusionMatrix::<2>::from_classes(&truth, &wrong).unwrap();
        assert_eq!((perfect.matthews(), worst.matthews()), (1.0, -1.0), "{counts:?}");
        for average in [Average::BINARY, Average::Class(0), Average::Macro, Average::Micro, Average::Weighted] {
            for beta in [0.0, 0.1, 1.0 / 3.0, 0.7, 1.0, 2.0, 1e3, 1e200, f64::MAX, f64::INFINITY] {
                assert_eq!(
                    (perfect.f_beta(beta, average), worst.f_beta(beta, average)),
                    (1.0, 0.0),
                    "{beta} {average:?}"
                );
            }
            assert_eq!((perfect.precision(average), perfect.recall(average)), (1.0, 1.0));
        }
        assert_eq!((perfect.balanced_accuracy(), worst.balanced_accuracy(), perfect.accuracy()), (1.0, 0.0, 1.0));
    }
    for classes in [3usize, 7] {
        let truth: Vec<usize> = (0..1000).map(|i| (i * i / 7) % classes).collect();
        let perfect = ConfusionMatrix::<7>::from_classes(&truth, &truth).unwrap();
        assert_eq!(perfect.matthews(), 1.0);
        assert_eq!(perfect.f_beta(1.0, Average::Macro), 1.0);
    }
    let scores: Vec<[f64; 1]> = (0..999).map(|i| [i as f64]).collect();
    let (best, worst): (Vec<usize>, Vec<usize>) =
        (0..999).map(|i| (usize::from(i >= 333), usize::from(i < 333))).unzip();
    assert_eq!(roc_auc(&best, &scores, &mut [0; 999]), Ok(1.0));
    assert_eq!(roc_auc(&worst, &scores, &mut [0; 999]), Ok(0.0));
    let nothing = ConfusionMatrix::<2>::new();
    assert_eq!((nothing.matthews(), nothing.accuracy(), nothing.f_beta(1.0, Average::Macro)), (0.0, 0.0, 0.0));
}

#[test]
fn errors_whose_squares_overflow_are_refused() {
    let (small, large) = ([[0.0f64], [1.0]], [[1e200f64], [-1e200]]);
    assert_eq!(mean_squared_error(&small, &large), Err(Error::SquaresTooLarge));
    assert_eq!(r2(&small, &large), Err(Error::SquaresTooLarge));
    assert_eq!(mean_absolute_error(&small, &large), Ok(1e200));
}

#[test]
fn r2_is_the_same_in_every_unit() {
    let (targets, predictions) = ([[1.0f64], [2.0], [4.0]], [[1.5f64], [2.0], [3.0]]);
    let expected = r2(&targets, &predictions).unwrap();
    for unit in [2f64.powi(-1000), 2f64.powi(-700), 2f64.powi(-500), 2f64.powi(700), 2f64.powi(1000)] {
        let scaled = |values: &[[f64; 1]; 3]| values.map(|[value]| [value * unit]);
        assert_eq!(r2(&scaled(&targets), &scaled(&predictions)), Ok(expected), "{unit:e}");
    }
    let tiny = r2(&[[1e-200f64], [2e-200]], &[[3e-200f64], [7e-200]]).unwrap();
    assert!((tiny - (1.0 - (4.0 + 25.0) / 0.5)).abs() < 1e-12, "{tiny}");
}

#[test]
fn outputs_that_are_not_finite_are_no_prediction_of_class_0() {
    let network = Dense::<1, 2, Identity>::from_rows([[f32::MAX], [1.0]], [0.0, 0.0]);
    let overflow = ConfusionMatrix::of(&network, &[[1.0f32], [10.0]], &[0usize, 0]);
    assert_eq!(overflow, Err(Error::SampleNotFinite { sample: 1, column: 0 }));
    let nan = tuplenet::tuning::accuracy(&[0usize, 0], &[[0.2f32], [f32::NAN]]);
    assert_eq!(nan, Err(Error::SampleNotFinite { sample: 1, column: 0 }));
    let nan = tuplenet::tuning::accuracy(&[0usize], &[[0.2f32, f32::NAN, 0.1]]);
    assert_eq!(nan, Err(Error::SampleNotFinite { sample: 0, column: 1 }));
    let threshold = ConfusionMatrix::binary(&[false, true], &[[0.2f32], [0.7]], f32::NAN).unwrap_err();
    assert_eq!(threshold.to_string(), "expected a threshold that is a number, found NaN");
    let third = tuplenet::tuning::accuracy(&[0usize, 2], &[[0.2f32], [0.7]]).unwrap_err();
    assert_eq!(third.to_string(), "target of sample 1: expected a class index below 2, found 2");
}

/// Mean and standard deviation of what a scaler makes of its own samples.
fn standardized(samples: &[[f32; 1]]) -> [f64; 2] {
    let scaler = StandardScaler::fit(samples).unwrap();
    let scaled: Vec<f64> = samples.iter().map(|sample| f64::from(scaler.transform(sample)[0])).collect();
    let mean = scaled.iter().sum::<f64>() / scaled.len() as f64;
    let square = scaled.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / scaled.len() as f64;
    [mean, square.sqrt()]
}

#[test]
fn statistics_are_exact_whatever_the_order_and_the_size_of_the_values() {
    let mut steps = vec![[1e5f32]; 2000];
    steps.extend([[100_002.0]; 2000]);
    let scaler = StandardScaler::fit(&steps).unwrap();
    assert_eq!(
        (scaler.transform(&[100_001.0]), scaler.transform(&[1e5]), scaler.inverse(&[1.0])),
        ([0.0], [-1.0], [100_002.0])
    );

    let pressure: Vec<[f32; 1]> = (0..100_000).map(|i| [101_225.0 + i as f32 * 0.002]).collect();
    let seconds: Vec<[f32; 1]> = (0..43_200).map(|i| [1.7e9 + i as f32 * 60.0]).collect();
    let years: Vec<[f32; 1]> = (0..50_000).map(|i| [1900.0 + (i / 500) as f32]).collect();
    let tiny: Vec<[f32; 1]> = (0..1000).map(|i| [1e-23 * i as f32]).collect();
    let tinier: Vec<[f32; 1]> = (0..1000).map(|i| [1e-41 * i as f32]).collect();
    let huge: Vec<[f32; 1]> = (0..1000).map(|i| [1e20 * (i as f32 - 300.0)]).collect();
    for (name, samples) in [
        ("pressure", pressure),
        ("seconds", seconds),
        ("years", years),
        ("tiny", tiny),
        ("tinier", tinier),
        ("huge", huge),
    ] {
        let [mean, standard_deviation] = standardized(&samples);
        assert!(
            mean.abs() < 2e-4 && (standard_deviation - 1.0).abs() < 1e-3,
            "{name}: mean {mean}, standard deviation {standard_deviation}"
        );
    }
    for size in [1e-300, 1e-160, 1.0, 1e160, 1e300] {
        let samples: Vec<[f64; 1]> = (0..100).map(|i| [size * i as f64]).collect();
        let [first] = StandardScaler::fit(&samples).unwrap().transform(&samples[0]);
        assert!((first + 1.714_816_042_438_937).abs() < 1e-12, "{size}: {first}");
    }
}

#[test]
fn a_range_that_is_too_large_is_refused_and_a_large_one_taken() {
    let wide = [[0.0, -3e38f32], [1.0, 3e38]];
    assert_eq!(MinMaxScaler::fit(&wide).map(|_| ()), Err(Error::RangeTooLarge { column: 1 }));
    assert_eq!(StandardScaler::fit(&wide).unwrap().transform(&wide[1]), [1.0, 1.0]);
    let one_sided = [[3e38f32], [-3e38], [-3e38], [-3e38]];
    assert_eq!(StandardScaler::fit(&one_sided).map(|_| ()), Err(Error::RangeTooLarge { column: 0 }));
    assert_eq!(MinMaxScaler::fit(&[[0.0f32], [3e38]]).unwrap().transform(&[3e38]), [1.0]);
    let constant = StandardScaler::fit(&[[0.1f64]; 7]).unwrap();
    assert_eq!((constant.transform(&[0.1]), constant.transform(&[1.1])), ([0.0], [1.0]));
}

#[test]
fn classes_are_counted_with_whole_numbers() {
    let classes: Vec<usize> = (0..100_000).map(|i| usize::from(i == 0)).collect();
    assert_eq!(balanced_class_weights::<f64, 2>(&classes), [100_000.0 / (2.0 * 99_999.0), 50_000.0]);
}

/// One order in the whole crate, and what a class is can't be taken for a score.
#[test]
fn the_truth_is_the_first_argument_of_every_metric() {
    let (truth, predicted) = ([[1.0], [2.0], [3.0], [4.0]], [[1.1], [2.4], [2.5], [2.9]]);
    // scikit-learn: r2_score([1, 2, 3, 4], [1.1, 2.4, 2.5, 2.9])
    assert!((r2(&truth, &predicted).unwrap() - 0.674).abs() < 1e-12);
    assert!((r2(&predicted, &truth).unwrap() - 0.674).abs() > 0.1);
    assert_eq!(mean_squared_error(&truth, &predicted), mean_squared_error(&predicted, &truth));
    let (classes, probabilities) = ([false, true, true, false], [[0.1], [0.9], [0.6], [0.7]]);
    assert_eq!(roc_auc(&classes, &probabilities, &mut [0; 4]), Ok(0.75));
    assert_eq!(ConfusionMatrix::binary(&classes, &probabilities, 0.5).map(|matrix| matrix.count(0, 1)), Ok(1));
    assert!(log_loss(&classes, &probabilities).unwrap() > 0.4);
    let matrix = ConfusionMatrix::<2>::from_classes(&classes, &[true, true, true, true]).unwrap();
    assert_eq!((matrix.count(0, 1), matrix.count(1, 0)), (2, 0));
    let truth: Vec<[f64; 1]> = truth.into();
    assert_eq!(tuplenet::tuning::r2(&truth, &predicted), r2(&truth, &predicted));
}
