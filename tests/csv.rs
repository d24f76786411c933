//! Tables from text: what is read, and that bad lines are named.

#![cfg(feature = "csv")]

use proptest::prelude::*;
use std::fmt::Write;
use tuplenet::data::*;
use tuplenet::prelude::*;

const PLAIN: Csv = Csv { header: false, delimiter: b',' };

fn error<const N: usize>(csv: Csv, text: &[u8]) -> String {
    csv.samples::<f32, N>(text).unwrap_err().to_string()
}

#[test]
fn a_table_as_people_write_it() {
    let text = "\u{feff}a, b ,\"c, d\"\r\n 1 , 2.5,-3e2\r\n\r\n\"4\",+5,.5";
    assert_eq!(Csv::default().samples::<f64, 3>(text.as_bytes()).unwrap(), [[1.0, 2.5, -300.0], [4.0, 5.0, 0.5]]);
    assert_eq!(PLAIN.samples::<f64, 1>(&b"1\n2\n"[..]).unwrap(), [[1.0], [2.0]]);
    assert_eq!(Csv { header: false, delimiter: b'\t' }.samples::<f64, 2>(&b"1\t2"[..]).unwrap(), [[1.0, 2.0]]);
}

#[test]
fn classes_in_the_order_of_words_or_of_numbers() {
    let read = |text: &str| {
        let Classified { classes, names, .. } = PLAIN.classified::<f32, 1>(text.as_bytes()).unwrap();
        (classes, names.join(" "))
    };
    assert_eq!(read("0,b\n0,a\n0,b\n0,c"), (vec![1, 0, 1, 2], "a b c".into()));
    assert_eq!(read("0,10\n0,9\n0,10"), (vec![1, 0, 1], "9 10".into()));
    assert_eq!(read("0,10\n0,9\n0,x"), (vec![0, 1, 2], "10 9 x".into()));
}

#[test]
fn iris() {
    let file = std::fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data/iris.csv")).unwrap();
    let Classified { inputs, classes, names } = Csv::default().classified::<f32, 4>(file).unwrap();
    assert_eq!((inputs.len(), names), (150, vec!["0".to_string(), "1".into(), "2".into()]));
    let mut indices = [0; 150];
    let mut folds = stratified_k_folds::<3, _>(&classes, &mut indices, 5, &mut seeded(0)).unwrap();
    assert_eq!(folds.next_fold().unwrap().1.len(), 30);
}

#[test]
fn bad_lines_are_named() {
    let header = Csv::default();
    assert_eq!(error::<2>(header, b"a,b\n1,2\n\n3\n"), "line 4: expected 2 values, found 1");
    for end in ["\n", "\r\n", "\r"] {
        let text = ["a,b", "1,2", "", "", "3,4", "", "5,6", "7,?"].join(end);
        assert_eq!(error::<2>(header, text.as_bytes()), "line 8, column 2 (b): expected a finite number, found `?`");
    }
    assert_eq!(
        error::<2>(header, b"\n\na,b\n1,2\n\n\n\n3,x"),
        "line 8, column 2 (b): expected a finite number, found `x`"
    );
    assert_eq!(error::<2>(header, b"a,b\n1,2\n3,4,5\n"), "line 3: expected 2 values, found 3");
    assert_eq!(error::<2>(header, b"a,b\n1,x\n"), "line 2, column 2 (b): expected a finite number, found `x`");
    assert_eq!(error::<2>(PLAIN, b"1,2\n,4\n"), "line 2, column 1: expected a finite number, found ``");
    for value in ["nan", "NaN", "inf", "-infinity", "1e99"] {
        let text = format!("1,2\n3,{value}\n");
        let expected = format!("line 2, column 2: expected a finite number, found `{value}`");
        assert_eq!(error::<2>(PLAIN, text.as_bytes()), expected);
    }
    assert_eq!(error::<1>(PLAIN, b"1\n\xff\n"), "line 2, column 1: expected a finite number, found `\u{fffd}`");
    // A value in quotation marks over two lines: the next one is line 4.
    assert_eq!(
        error::<2>(header, b"\"a\nb\",c\n1,2\nx,4\n"),
        "line 4, column 1 (a\nb): expected a finite number, found `x`"
    );
    // Names for other columns than there are.
    assert_eq!(error::<2>(header, b"\na\n1,2\n"), "line 2: expected 2 values, found 1");
    // No names at all: the first sample would be lost.
    let nameless =
        "expected the names of the columns, found numbers; a table without names is read with `header: false`";
    assert_eq!(error::<2>(header, b"1,2\n3,4\n"), format!("line 1: {nameless}"));
    let nameless_flower = header.classified::<f32, 1>(&b"\n5.1,setosa\n4.9,setosa\n"[..]).unwrap_err();
    assert_eq!(nameless_flower.to_string(), format!("line 2: {nameless}"));
    assert_eq!(header.samples::<f32, 2>(&b"1st,2\n3,4\n"[..]).unwrap(), [[3.0, 4.0]]);
    assert_eq!(error::<1>(header, b"a\n"), "expected at least one line of values, found none");
    assert_eq!(error::<1>(header, b""), "expected at least one line of values, found none");
    let missing = PLAIN.classified::<f32, 1>(&b"1,yes\n2, \n"[..]).unwrap_err();
    assert_eq!(missing.to_string(), "line 2, column 2: expected a class, found ``");
    // A quotation mark that is not closed swallows all lines behind it.
    let open = PLAIN.classified::<f32, 1>(&b"1,yes\n2,\"no\n3,yes\n"[..]).unwrap_err();
    let expected = "expected a class without a line break, and quotation marks that are closed";
    assert_eq!(open.to_string(), format!("line 2, column 2: {expected}, found `no…`"));
    let folder = std::fs::File::open(env!("CARGO_MANIFEST_DIR")).unwrap();
    assert!(matches!(PLAIN.samples::<f32, 1>(folder), Err(CsvError::Read(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(rows in prop::collection::vec(prop::array::uniform3(prop::num::f64::NORMAL), 1..20)) {
        let mut text = String::new();
        for [a, b, c] in &rows {
            writeln!(text, "{a:?},{b:e},{c}").unwrap();
        }
        prop_assert_eq!(PLAIN.samples::<f64, 3>(text.as_bytes()).unwrap(), rows);
    }

    #[test]
    fn nothing_panics(text: Vec<u8>, header: bool, delimiter: u8) {
        let _ = Csv { header, delimiter }.classified::<f32, 2>(&text[..]);
    }
}
