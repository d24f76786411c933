//! Data-parallel training over the ranks of a cluster, with a checkpoint: killed at any time, it resumes on any number of ranks,
//! and ends with the same weights, bit for bit.
//!
//!     cargo run --release --features cluster --example cluster_train                             (alone)
//!     cargo build --release --features mpi --example cluster_train
//!     mpirun -n 4 target/release/examples/cluster_train curve.checkpoint                          (on four ranks)
//!
//! Each rank makes only its share of the samples.

use std::process::ExitCode;
use std::time::Instant;
use tuplenet::data::{Share, share};
use tuplenet::prelude::*;
use tuplenet::train::checkpoint::Checkpoint;
use tuplenet::train::cluster::{Communicator, Distributed, run};

type Net = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);

const SAMPLES: usize = 100_000;
const EPOCHS: usize = 40;

/// A sample by its index, so that every rank can make its own.
fn sample(index: usize) -> ([f32; 4], [f32; 4]) {
    let mut rng = seeded(index as u64);
    let x: [f32; 4] = std::array::from_fn(|_| 2.0 * f32::from_random_bits(rng.next_u64()) - 1.0);
    let [a, b, c, d] = x;
    (x, [(2.0 * a).sin() * b, c * d, (a + c).cos(), (b - d).tanh()])
}

fn train(communicator: &dyn Communicator) -> Result<(), Box<dyn std::error::Error>> {
    let (rank, ranks) = (communicator.rank(), communicator.size());
    let (inputs, targets): (Vec<_>, Vec<_>) = share(SAMPLES, rank, ranks).map(sample).unzip();
    let inputs = Share::new::<f32>(inputs, SAMPLES, rank, ranks)?;
    let targets = Share::new::<f32>(targets, SAMPLES, rank, ranks)?;

    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(3e-3), seeded(1));
    let mut distributed = Distributed::new(communicator);
    let fit = |epochs| FitOptions { epochs, batch_size: 5000, shuffle: true };
    let start = Instant::now();
    let report = match std::env::args().nth(1) {
        Some(file) => {
            let mut checkpoint = Checkpoint::new(file, ());
            if distributed.resume(&mut checkpoint, &mut trainer)? && rank == 0 {
                println!("resumes after {} epochs", trainer.epochs);
            }
            let fit = fit(EPOCHS.saturating_sub(trainer.epochs));
            distributed.fit(&mut trainer, &inputs, &targets, &fit, &mut checkpoint)?
        }
        None => distributed.fit(&mut trainer, &inputs, &targets, &fit(EPOCHS), ())?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let loss = distributed.evaluate(&mut trainer, &inputs, &targets)?;
    if rank == 0 {
        println!("{ranks} ranks, {} epochs in {seconds:.2} s", report.epochs);
        println!("loss {loss:.6}, bits {:08x}", loss.to_bits());
    }
    Ok(())
}

fn main() -> ExitCode {
    run(train)
}
