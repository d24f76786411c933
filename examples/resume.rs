//! A training run that can be killed at any time: started again it resumes, and ends with the network of a training run
//! that was never interrupted, bit for bit.
//!
//!     cargo run --release --features checkpoint --example resume
//!     cargo run --release --features checkpoint --example resume -- digits.checkpoint      (another file)
//!
//! Press Ctrl-C, pull the plug, and run it again.

#[path = "common/csv.rs"]
mod csv;

use core::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;
use tuplenet::data::{Subset, stratified_split};
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::optimizer::schedule::CosineAnnealing;
use tuplenet::prelude::*;
use tuplenet::train::checkpoint::{Checkpoint, Resume};

/// Handwritten digits, with everything that changes during training beside the weights: running statistics, the seed of
/// the dropout, and below the averages of the optimizer, a schedule, and the order of the samples.
type Digits = (Dense<64, 64, Identity>, BatchNorm<64>, Relu, Dropout<20>, Dense<64, 10, Softmax>);

const EPOCHS: usize = 20;

/// Trains until there were `EPOCHS` epochs, those before an interruption included.
fn train<W: Resume<Digits>>(
    images: &[[f32; 64]],
    labels: &[usize],
    checkpoint: Option<&mut Checkpoint<W>>,
) -> Result<(Digits, f64), Box<dyn std::error::Error>> {
    let mut indices = vec![0; images.len()];
    let (train, test) = stratified_split::<10, _>(labels, &mut indices, 0.2, &mut seeded(0))?;
    let (inputs, targets) = (Subset { data: images, indices: train }, Subset { data: labels, indices: train });
    let validation = (&Subset { data: images, indices: test }, &Subset { data: labels, indices: test });

    let steps = EPOCHS * train.len().div_ceil(32);
    let optimizer = AdamW::new(3e-3).by_step(CosineAnnealing::new(steps));
    let mut trainer = Trainer::new(Digits::new(&mut seeded(0)), CrossEntropy, optimizer, seeded(1));
    let fit = |trained: usize| FitOptions { epochs: EPOCHS.saturating_sub(trained), ..FitOptions::default() };
    if let Some(checkpoint) = checkpoint {
        if checkpoint.resume(&mut trainer)? {
            println!("resumes after {} epochs", trainer.epochs);
        }
        println!("epoch  loss    validation");
        let left = fit(trainer.epochs);
        trainer.fit_validated(&inputs, &targets, validation, &left, checkpoint)?;
    } else {
        // The same training run, without a file.
        trainer.fit_validated(&inputs, &targets, validation, &fit(0), &mut EarlyStopping::new(10))?;
    }
    let accuracy = ConfusionMatrix::of(&trainer.network, validation.0, validation.1)?.accuracy();
    Ok((trainer.network, accuracy))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (images, labels) = csv::read::<64>("digits.csv")?;
    let images: Vec<[f32; 64]> = images.iter().map(|image| image.map(|pixel| pixel / 16.0)).collect();
    let file = match std::env::args_os().nth(1) {
        Some(file) => PathBuf::from(file),
        None => std::env::temp_dir().join("tuplenet-resume.checkpoint"),
    };

    println!("each epoch is saved in {}", file.display());
    let mut stopping = EarlyStopping::new(10);
    let report = |epoch: &EpochReport<Digits>| {
        println!("{:5}  {:.4}  {:.4}", epoch.number + 1, epoch.loss, epoch.validation_loss.unwrap_or(f32::NAN));
        // An epoch takes a few milliseconds; this is time to press Ctrl-C.
        std::thread::sleep(Duration::from_millis(200));
        ControlFlow::Continue(())
    };
    let mut checkpoint = Checkpoint::new(&file, (&mut stopping, report));
    let (network, accuracy) = train(&images, &labels, Some(&mut checkpoint))?;
    std::fs::remove_file(&file)?;

    let (uninterrupted, _) = train(&images, &labels, None::<&mut Checkpoint>)?;
    assert!(network == uninterrupted, "expected the network of a training run that was not interrupted");
    println!("the network is that of a training run that was not interrupted, bit for bit");
    println!("test accuracy {accuracy:.3}");
    Ok(())
}
