//! A hyperparameter search over the ranks of a cluster, with a journal: killed at any time, it resumes without training
//! anything twice, on any number of ranks, and ends with the same table.
//!
//!     cargo run --release --features cluster,progress --example cluster_search                  (alone)
//!     cargo build --release --features mpi,progress --example cluster_search
//!     mpirun -n 4 target/release/examples/cluster_search search.journal                          (on four ranks)

#[path = "common/csv.rs"]
mod csv;

use std::process::ExitCode;
use std::time::Instant;
use tuplenet::optimizer::AnyOptimizer;
use tuplenet::prelude::*;
use tuplenet::train::cluster::{Communicator, run};
use tuplenet::tuning::{
    CrossValidation, CrossValidationOptions, Hyperparameters, SearchOptions, SearchSpace, accuracy, networks,
};

fn search(communicator: &dyn Communicator) -> Result<(), Box<dyn std::error::Error>> {
    let (inputs, classes) = csv::read::<64>("digits.csv")?;
    let networks = networks![for hidden in [8, 16, 32] (Dense<64, hidden, Relu>, Dense<hidden, 10, Softmax>)];
    let adam: AnyOptimizer = Adam::new(0.003).into();
    let fit = FitOptions { epochs: 30, batch_size: 64, shuffle: true };
    let space = SearchSpace::new(Hyperparameters { fit, ..Hyperparameters::new(adam) })
        .optimizer([adam, Sgd::new(0.05).nesterov(0.9).into()])
        .alpha([1e-4, 1e-2]);
    let options = CrossValidationOptions { folds: 4, ..CrossValidationOptions::default() };
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options)?;

    let start = Instant::now();
    let mut how = SearchOptions::new().over(communicator).progress_bar();
    if let Some(journal) = std::env::args().nth(1) {
        how = how.journal(journal);
    }
    let table = validation.grid_with(&networks, &space, how)?;
    // Every rank has the table; one is enough to print it.
    if communicator.rank() == 0 {
        println!("{table:.5}");
        println!("{} ranks, {:.2} s", communicator.size(), start.elapsed().as_secs_f64());
        println!("best score {:.3}", table.best().ok_or("all failed")?.mean());
    }
    Ok(())
}

fn main() -> ExitCode {
    run(search)
}
