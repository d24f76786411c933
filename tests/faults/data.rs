//! Statistics, CSV, order, parts, metrics.

use tuplenet::Error;
use tuplenet::data::{stratified_k_folds, stratified_split};
use tuplenet::metrics::{Average, ConfusionMatrix, mean_absolute_error, mean_squared_error, r2, roc_auc};
use tuplenet::seeded;

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
        assert_eq!(tabs.numbers::<f32, 2>(&b" \"1\"\t \"2\"\n"[..]).unwrap(), [[1.0, 2.0]]);
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
            for beta in [0.0, 0.1, 1.0 / 3.0, 0.7, 1.0, 2.0, 1e3, f64::INFINITY] {
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
    assert_eq!(roc_auc(&scores, &best, &mut [0; 999]), Ok(1.0));
    assert_eq!(roc_auc(&scores, &worst, &mut [0; 999]), Ok(0.0));
    let nothing = ConfusionMatrix::<2>::new();
    assert_eq!((nothing.matthews(), nothing.accuracy(), nothing.f_beta(1.0, Average::Macro)), (0.0, 0.0, 0.0));
}

#[test]
fn errors_whose_squares_overflow_are_refused() {
    let (small, large) = ([[0.0f64], [1.0]], [[1e200f64], [-1e200]]);
    assert_eq!(mean_squared_error(&small, &large), Err(Error::SquaresTooLarge));
    assert_eq!(r2(&large, &small), Err(Error::SquaresTooLarge));
    assert_eq!(r2(&small, &large), Err(Error::SquaresTooLarge));
    assert_eq!(mean_absolute_error(&small, &large), Ok(1e200));
}
