//! Nine speakers are told apart by how they say two vowels: sequences of unequal length, and a layer in each direction of time.
//!
//!     cargo run --release --example speakers

use std::error::Error;
use tuplenet::data::{Padded, pad};
use tuplenet::layers::{Bidirectional, Dropout, Gru, Input, MeanOverTime};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::prelude::*;

/// The steps of the longest sequence, the values of each step, and the speakers.
const LONGEST: usize = 29;
const VALUES: usize = 12;
const SPEAKERS: usize = 9;

type Net = (
    Input<Sequence<LONGEST, VALUES>>,
    Bidirectional<Gru<VALUES, 20>, 40>,
    MeanOverTime,
    Dropout<40>,
    Dense<40, SPEAKERS, Softmax>,
);

/// Sequences, padded to the longest, with the number of steps of each, and their speakers.
#[derive(Default)]
struct Recordings {
    inputs: Vec<[[f32; VALUES]; LONGEST]>,
    lengths: Vec<usize>,
    speakers: Vec<usize>,
}

impl Recordings {
    fn padded(&self) -> Padded<'_, Vec<[[f32; VALUES]; LONGEST]>> {
        Padded { inputs: &self.inputs, lengths: &self.lengths }
    }
}

/// The recordings for training, 30 of each speaker, and those for testing.
fn read() -> Result<[Recordings; 2], Box<dyn Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/japanese_vowels.bin");
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let (mut recordings, mut rest, mut count) = ([Recordings::default(), Recordings::default()], &bytes[..], 0);
    // For each sequence the speaker, the number of steps, and the values in units of 1 / 48.
    while let [speaker, length, after @ ..] = rest {
        let length = usize::from(*length);
        let (values, after) = after.split_at_checked(length * VALUES).ok_or("the file ends within a sequence")?;
        let (steps, _) = values.as_chunks::<VALUES>();
        let steps: Vec<_> = steps.iter().map(|step| step.map(|value| f32::from(value.cast_signed()) / 48.0)).collect();
        let part = &mut recordings[usize::from(count >= 30 * SPEAKERS)];
        part.inputs.push(pad(&steps)?);
        part.lengths.push(length);
        part.speakers.push(usize::from(*speaker));
        (rest, count) = (after, count + 1);
    }
    Ok(recordings)
}

fn main() -> Result<(), Box<dyn Error>> {
    let [train, test] = read()?;
    println!("{}\n", Net::summary());

    // Sequences of unequal length are computed one at a time, so that a micro-batch of one is enough.
    let network = Net::new(&mut seeded(0));
    let mut trainer = Trainer::<_, _, _, _, 1>::with_micro_batch(network, CrossEntropy, Adam::new(5e-3), seeded(1));
    for (epochs, learning_rate) in [(40, 5e-3), (20, 1e-3)] {
        trainer.optimizer.learning_rate = learning_rate;
        let fit = FitOptions { epochs, batch_size: 16, shuffle: true };
        let report = trainer.fit(&train.padded(), &train.speakers, &fit, ())?;
        println!("{:3} epochs  loss {:.4}", trainer.epochs, report.loss);
    }

    let confusion = ConfusionMatrix::<SPEAKERS>::of(&trainer.network, &test.padded(), &test.speakers)?;
    println!("\n{confusion}\n\ntest accuracy {:.3}", confusion.accuracy());
    Ok(())
}
