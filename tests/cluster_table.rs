//! Tables of which each rank reads its share: what one process reads, with the same errors and their lines.

#![cfg(all(feature = "cluster", feature = "csv"))]

#[path = "common/ranks.rs"]
mod ranks;

use proptest::prelude::*;
use ranks::on_ranks;
use std::fs;
use std::path::PathBuf;
use tuplenet::data::{Csv, CsvError};

/// A file that ends with the test.
struct Table(PathBuf);

impl Table {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tuplenet-{name}-{}.csv", std::process::id()));
        fs::write(&path, text).unwrap();
        Table(path)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Lines of any length, with empty ones between them, and any line ends.
    #[test]
    fn shares_are_the_table(
        lines in prop::collection::vec((any::<i32>(), 0..9u8, 0..4usize), 0..150),
        header in any::<bool>(),
        end in any::<bool>(),
        ranks in 1..6usize,
    ) {
        let mut text = String::new();
        if header {
            text += "\n\r\nwidth,class\n";
        }
        for (value, class, empty) in &lines {
            text += ["", "\n", "\r\n", "  \n\n"][*empty];
            text += &format!("{value}, {class}{}", if *class == 3 { "\r\n" } else { "\n" });
        }
        if end {
            text = text.trim_end_matches(['\r', '\n']).to_string();
        }
        let csv = Csv { header, ..Csv::default() };
        let table = Table::new("any", &text);
        let whole = csv.classified::<f64, 1>(text.as_bytes());
        let shares = on_ranks(ranks, |communicator| csv.classified_over::<f64, 1>(communicator, &table.0));
        match whole {
            Ok(whole) => {
                let (mut inputs, mut classes) = (Vec::new(), Vec::new());
                for share in shares {
                    let share = share.unwrap();
                    inputs.extend(share.inputs.samples);
                    classes.extend(share.classes.samples);
                    prop_assert_eq!(&share.names, &whole.names);
                }
                prop_assert_eq!(inputs, whole.inputs);
                prop_assert_eq!(classes, whole.classes);
            }
            Err(error) => {
                let errors: Vec<CsvError> = shares.into_iter().map(|share| share.unwrap_err()).collect();
                let is_own = |found: &CsvError| found.to_string() == error.to_string();
                prop_assert!(errors.iter().any(is_own), "{errors:?}");
                prop_assert!(errors.iter().all(|error| is_own(error) || matches!(error, CsvError::RankFailed { .. })), "{errors:?}");
            }
        }
    }
}

#[test]
fn errors_have_the_line_of_the_file() {
    let lines: Vec<String> = (0..200).map(|line| format!("{line},{}", 2 * line)).collect();
    let with = |line: usize, text: &str| {
        let mut lines = lines.clone();
        lines[line] = text.to_string();
        format!("a,b\n\n{}\n", lines.join("\n"))
    };
    for (text, line, message) in [
        (with(150, "1,high"), 150, "line 153, column 2 (b): expected a finite number, found `high`"),
        (with(7, "1,2,3"), 7, "line 10: expected 2 values, found 3"),
        (with(199, "1"), 199, "line 202: expected 2 values, found 1"),
    ] {
        let table = Table::new("errors", &text);
        assert_eq!(Csv::default().samples::<f32, 2>(text.as_bytes()).unwrap_err().to_string(), message);
        let owner = (0..3).find(|&rank| tuplenet::data::share(200, rank, 3).contains(&line)).unwrap();
        let errors =
            on_ranks(3, |communicator| Csv::default().samples_over::<f32, 2>(communicator, &table.0).unwrap_err());
        for (rank, error) in errors.iter().enumerate() {
            if rank == owner {
                assert_eq!(error.to_string(), message);
            } else {
                assert!(matches!(error, CsvError::RankFailed { rank } if *rank == owner), "{error}");
            }
        }
    }
    let errors = on_ranks(2, |communicator| {
        let path = if communicator.rank() == 1 { "/no/such/file" } else { "/dev/null" };
        Csv::default().samples_over::<f32, 2>(communicator, path).unwrap_err()
    });
    assert!(matches!(errors[0], CsvError::RankFailed { rank: 1 }), "{}", errors[0]);
    assert!(matches!(errors[1], CsvError::Read(_)), "{}", errors[1]);
    let table = Table::new("empty", "a,b\n");
    let errors = on_ranks(2, |communicator| Csv::default().samples_over::<f32, 2>(communicator, &table.0).unwrap_err());
    assert!(errors.iter().all(|error| matches!(error, CsvError::Empty)));
}
