//! [`Table`]: the results of a search.

use super::Hyperparameters;
use crate::error::Error;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

/// Row: one candidate, a network type with a set of hyperparameters, and its results.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<O> {
    /// The index of the network in the list that was searched.
    pub index: usize,
    /// The network's type, without the paths of modules.
    pub network: String,
    /// The varied parameters: names and values, those of the network first.
    pub parameters: Vec<(&'static str, String)>,
    /// The hyperparameters with which it was trained.
    pub hyperparameters: Hyperparameters<O>,
    /// The score of each fold, or the error of a fold that failed.
    pub folds: Vec<Result<f64, Error>>,
    /// The number of epochs in each fold; 0 where it failed.
    pub epochs: Vec<usize>,
    /// The number of parameters that the network learns.
    pub count: usize,
    /// The size of the network in bytes.
    pub bytes: usize,
    /// The time of one prediction in nanoseconds, one sample at a time; `None` without a clock, which comes with the
    /// feature `std`.
    pub nanoseconds: Option<f64>,
}

impl<O> Row<O> {
    /// The mean of the folds' scores; NaN if a fold failed.
    pub fn mean(&self) -> f64 {
        self.of_folds(|scores| scores.mean())
    }

    /// The standard deviation of the folds' scores, with their number as divisor; NaN if a fold failed.
    pub fn standard_deviation(&self) -> f64 {
        self.of_folds(|scores| scores.standard_deviation())
    }

    /// The first fold that failed, and its error.
    #[must_use]
    pub fn failure(&self) -> Option<(usize, Error)> {
        self.folds.iter().enumerate().find_map(|(fold, result)| result.err().map(|error| (fold, error)))
    }

    /// The value of the parameter `name`, as the table shows it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|parameter| parameter.0 == name).map(|parameter| &parameter.1[..])
    }

    fn of_folds(&self, what: impl Fn(&super::Scores) -> f64) -> f64 {
        let scores: Result<Vec<f64>, Error> = self.folds.iter().copied().collect();
        scores.map_or(f64::NAN, |folds| what(&super::Scores { folds }))
    }
}

/// Table: all candidates of a search, the best first. If two have the same score, the smaller network is first, and if
/// they have the same size, the one that was listed first. Candidates that failed, and those whose score is NaN, are at
/// the end.
///
/// `Display` prints it as a table; `{:.10}` prints the first ten rows.
///
/// ```text
///    hidden  activation  optimizer  alpha  schedule            score  parameters  bytes    ns
/// 1      20  Tanh        adam       0.001  adaptive  0.9733 ± 0.0094         163    704  21.9
/// 2      30  Tanh        adam       0.001  adaptive  0.9733 ± 0.0094         243   1088  22.4
/// 3      10  Relu        nesterov   0.01   constant  failed in fold 0: expected a finite loss, found ...
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("cv_results_"))]
pub struct Table<O> {
    rows: Vec<Row<O>>,
}

impl<O> Table<O> {
    pub(crate) fn new(mut rows: Vec<Row<O>>) -> Self {
        // NaN is below every other value.
        let key = |row: &Row<O>| row.mean();
        rows.sort_by(|a, b| {
            let (a_mean, b_mean) = (key(a), key(b));
            match (a_mean.is_nan(), b_mean.is_nan()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => b_mean.total_cmp(&a_mean).then(a.bytes.cmp(&b.bytes)).then(a.count.cmp(&b.count)),
            }
        });
        Table { rows }
    }

    /// All candidates, the best first.
    #[must_use]
    pub fn rows(&self) -> &[Row<O>] {
        &self.rows
    }

    /// The candidates that have a score.
    fn scored(&self) -> impl Iterator<Item = &Row<O>> {
        self.rows.iter().filter(|row| !row.mean().is_nan())
    }

    /// The candidate with the best mean score; `None` if all failed.
    #[must_use]
    pub fn best(&self) -> Option<&Row<O>> {
        self.scored().next()
    }

    /// The candidates that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Row<O>> {
        self.rows.iter().filter(|row| row.failure().is_some())
    }

    /// The smallest network that is good enough: of all candidates whose mean score is at least `score` the one with
    /// the fewest bytes, and of several of them the best. `None` if no candidate has such a score.
    #[must_use]
    pub fn smallest(&self, score: f64) -> Option<&Row<O>> {
        // The first of the smallest ones, which is the best.
        self.scored().filter(|row| row.mean() >= score).min_by_key(|row| row.bytes)
    }

    /// One-standard-error rule: the smallest network whose mean score is at most one standard error of the best one's
    /// below the best. `None` if all failed. L. Breiman et al., "Classification and Regression Trees", 1984.
    #[must_use]
    pub fn smallest_within_one_error(&self) -> Option<&Row<O>> {
        let best = self.best()?;
        // The standard error of a mean of k scores, from their standard deviation with k as divisor.
        let error = best.standard_deviation() / crate::num::math::square_root((best.folds.len() as f64 - 1.0).max(1.0));
        self.smallest(best.mean() - error)
    }

    /// The Pareto front of score against bytes, the smallest first: the candidates for which no other is better and at
    /// most as large, or smaller and at least as good. Of candidates with the same size and score it has the first.
    #[must_use]
    pub fn pareto(&self) -> Vec<&Row<O>> {
        let mut rows: Vec<_> = self.scored().collect();
        // A stable sort: rows of the same size stay in order, the best first.
        rows.sort_by_key(|row| row.bytes);
        let mut front: Vec<&Row<O>> = Vec::new();
        for row in rows {
            if front.last().is_none_or(|last| row.mean() > last.mean()) {
                front.push(row);
            }
        }
        front
    }

    /// Returns the whole table as comma-separated values, with a score for each fold and the sum of their epochs.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let names = self.names();
        let folds = self.rows.first().map_or(0, |row| row.folds.len());
        let mut line: Vec<String> = vec!["network".into()];
        line.extend(names.iter().map(|name| name.to_string()));
        line.extend(["mean", "standard_deviation"].map(String::from));
        line.extend((0..folds).map(|fold| format!("fold_{fold}")));
        line.extend(["epochs", "parameters", "bytes", "nanoseconds", "failure"].map(String::from));
        let mut text = csv_line(&line);
        for row in &self.rows {
            let number = |number: f64| if number.is_nan() { String::new() } else { number.to_string() };
            let mut line = vec![row.network.clone()];
            line.extend(names.iter().map(|name| row.parameter(name).unwrap_or("").into()));
            line.extend([number(row.mean()), number(row.standard_deviation())]);
            line.extend(row.folds.iter().map(|fold| fold.map_or(String::new(), number)));
            let epochs: usize = row.epochs.iter().sum();
            line.extend([epochs, row.count, row.bytes].map(|count| count.to_string()));
            line.push(row.nanoseconds.map_or(String::new(), number));
            line.push(row.failure().map_or(String::new(), |(fold, error)| format!("fold {fold}: {error}")));
            text += &csv_line(&line);
        }
        text
    }

    /// The names of all parameters, each once.
    fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for (name, _) in self.rows.iter().flat_map(|row| &row.parameters) {
            if !names.contains(name) {
                names.push(*name);
            }
        }
        names
    }

    /// Whether the parameters alone do not identify the network.
    fn needs_network(&self) -> bool {
        let mut known: Vec<(&[(&'static str, String)], usize)> = Vec::new();
        for row in &self.rows {
            match known.iter().find(|(parameters, _)| *parameters == &row.parameters[..]) {
                Some((_, index)) if *index != row.index => return true,
                Some(_) => {}
                None => known.push((&row.parameters, row.index)),
            }
        }
        // Parameters that only some networks have do not identify the others.
        let count = |row: &Row<O>| row.parameters.len();
        self.rows.windows(2).any(|rows| count(&rows[0]) != count(&rows[1]))
    }
}

fn csv_line(fields: &[String]) -> String {
    let quoted = fields.iter().map(|field| match field.contains([',', '"', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.clone(),
    });
    quoted.collect::<Vec<_>>().join(",") + "\n"
}

/// One line for each candidate, as many as the precision says.
impl<O> fmt::Display for Table<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        let network = self.needs_network();
        let shown = f.precision().unwrap_or(usize::MAX).min(self.rows.len());

        let mut heads: Vec<&str> = vec![""];
        heads.extend(network.then_some("network"));
        heads.extend(&names);
        let before = heads.len();
        heads.extend(["score", "parameters", "bytes", "ns"]);
        let mut lines: Vec<Vec<String>> = vec![heads.iter().map(|head| head.to_string()).collect()];
        let mut failures = vec![None];
        for (index, row) in self.rows[..shown].iter().enumerate() {
            let mut line = vec![(index + 1).to_string()];
            line.extend(network.then(|| row.network.clone()));
            line.extend(names.iter().map(|name| row.parameter(name).unwrap_or("").into()));
            failures.push(row.failure());
            if row.failure().is_none() {
                line.push(format!("{:.4} ± {:.4}", row.mean(), row.standard_deviation()));
                line.extend([row.count.to_string(), row.bytes.to_string()]);
                line.push(row.nanoseconds.map_or(String::new(), |time| format!("{time:.1}")));
            }
            lines.push(line);
        }
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        // Numbers are aligned right, text left.
        let is_number = |column: usize| {
            let mut cells = lines[1..].iter().filter_map(|line| line.get(column)).filter(|cell| !cell.is_empty());
            column >= before || cells.all(|cell| cell.parse::<f64>().is_ok())
        };
        let numbers: Vec<bool> = (0..heads.len()).map(is_number).collect();
        for (index, (line, failure)) in lines.iter().zip(&failures).enumerate() {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let fill = " ".repeat(widths[column] - cell.chars().count());
                text += gap;
                text += &if numbers[column] { format!("{fill}{cell}") } else { format!("{cell}{fill}") };
            }
            if let Some((fold, error)) = failure {
                text += &format!("  failed in fold {fold}: {error}");
            }
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{}", text.trim_end())?;
        }
        let (left, failed) = (self.rows.len() - shown, self.rows[shown..].iter().filter(|row| row.failure().is_some()));
        match (left, failed.count()) {
            (0, _) => Ok(()),
            (left, 0) => write!(f, "\nand {left} more"),
            (left, failed) => write!(f, "\nand {left} more, of which {failed} failed"),
        }
    }
}
