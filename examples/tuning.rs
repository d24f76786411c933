//! Hyperparameter search: a grid search over widths, activations, optimizers, regularization and schedules by
//! cross-validation, on flowers and on handwritten digits.
//!
//!     cargo run --release --features rayon --example tuning
//!
//! `benches/tuning/run` calls it with a folder with the folds that scikit-learn uses, and the name of a data set.

#[path = "common/csv.rs"]
mod csv;

use std::time::Instant;
use tuplenet::optimizer::AnyOptimizer;
use tuplenet::optimizer::schedule::{Constant, ReduceOnPlateau};
use tuplenet::prelude::*;
use tuplenet::tuning::{
    CrossValidation, CrossValidationOptions, Hyperparameters, Scaling, SearchSpace, Table, accuracy, networks,
};

type Failure = Box<dyn std::error::Error>;
/// The training and the test samples of each fold.
type Folds = Vec<(Vec<usize>, Vec<usize>)>;

/// The values that are tried with every network: 2 optimizers, 3 regularizations, 2 schedules.
fn space() -> SearchSpace<'static, AnyOptimizer> {
    let sgd: AnyOptimizer = Sgd::new(0.001).nesterov(0.9).into();
    let adam = Adam::new(0.001).into();
    // scikit-learn's `adaptive` waits for ten epochs.
    let adaptive = ReduceOnPlateau { patience: 10, ..ReduceOnPlateau::new() };
    SearchSpace::new(Hyperparameters::new(sgd))
        .optimizer([sgd, adam])
        .alpha([1e-4, 1e-3, 1e-2])
        .schedule([Constant.into(), adaptive.into()])
}

macro_rules! search {
    ($file:literal, $inputs:literal, $classes:literal, $folder:expr) => {{
        let (inputs, classes) = csv::read::<$inputs>(concat!($file, ".csv"))?;
        // Three widths and two activations: six types.
        let networks = networks![
            for hidden in [10, 20, 30] for activation in [Tanh, Relu]
                (Dense<$inputs, hidden, activation>, Dense<hidden, $classes, Softmax>)
        ];
        let start = Instant::now();
        let options = CrossValidationOptions { folds: 3, scaling: Scaling::Standard, seed: 0 };
        let validation = match &$folder {
            Some(folder) => {
                let folds = read_folds(&format!("{folder}/{}.folds", $file))?;
                CrossValidation::with_folds(&inputs, &classes, CrossEntropy, accuracy, folds, &options)?
            }
            None => CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options)?,
        };
        let table = validation.grid(&networks, &space())?;
        let seconds = start.elapsed().as_secs_f64();
        report($file, &table, seconds);
        if let Some(folder) = &$folder {
            std::fs::write(format!("{folder}/{}.csv", $file), table.to_csv())?;
        } else {
            // The best once more, on all samples, for use.
            let predict = validation.predictor(&networks, table.best().ok_or("all failed")?)?;
            let outputs = inputs.iter().map(|input| predict(input).map(f64::from));
            let confidence = outputs.map(|output| output.into_iter().fold(0.0, f64::max)).sum::<f64>();
            println!("trained on all samples, its mean confidence is {:.3}\n", confidence / inputs.len() as f64);
        }
    }};
}

fn main() -> Result<(), Failure> {
    let (folder, name) = (std::env::args().nth(1), std::env::args().nth(2));
    if name.as_deref().is_none_or(|name| name == "iris") {
        search!("iris", 4, 3, folder);
    }
    if name.as_deref().is_none_or(|name| name == "digits") {
        search!("digits", 64, 10, folder);
    }
    Ok(())
}

fn report(name: &str, table: &Table<AnyOptimizer>, seconds: f64) {
    println!("{name}: {} candidates, three folds, {seconds:.3} seconds\n{table:.8}", table.rows().len());
    let Some(best) = table.best() else { return println!("all failed") };
    println!("{name}: best score {:.4}", best.mean());
    println!("\nthe best of its size or smaller:");
    for row in table.pareto() {
        println!("{:6} bytes  {:.4}  {}  {:?}", row.bytes, row.mean(), row.network, row.parameters);
    }
    if let Some(row) = table.smallest_within_one_error() {
        println!(
            "small, and not worse than the best but for chance: {}, {} bytes, {:.4}",
            row.network,
            row.bytes,
            row.mean()
        );
    }
}

/// One fold per line: the test samples; all others are training samples.
fn read_folds(path: &str) -> Result<Folds, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut tests: Vec<Vec<usize>> = Vec::new();
    for line in text.lines() {
        tests.push(line.split(' ').map(str::parse).collect::<Result<_, _>>()?);
    }
    let count = tests.iter().map(Vec::len).sum();
    let train = |test: &[usize]| (0..count).filter(|sample| !test.contains(sample)).collect();
    Ok(tests.iter().map(|test| (train(test), test.clone())).collect())
}
