//! Checkpoints that are cut, damaged or made up: each is a readable error, without a panic, without more memory than
//! the file justifies, and the training that should go on is as it was.

#![cfg(feature = "checkpoint")]

#[path = "common/counting.rs"]
mod counting;

use counting::{BYTES, LARGEST};
use rand::rngs::Xoshiro256PlusPlus;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::prelude::*;
use tuplenet::train::checkpoint::{Checkpoint, CheckpointError, CheckpointProblem};

type Net = (Dense<2, 4, Identity>, BatchNorm<4>, Dropout<10>, Dense<4, 1, Sigmoid>);
type Watching<'a> = (&'a mut History<f32>, &'a mut EarlyStopping<Net>);
type Mine = Trainer<Net, BinaryCrossEntropy, Adam, Xoshiro256PlusPlus>;

const HEADER: usize = 24;

/// A training run after some epochs, with what watches it.
struct Training {
    trainer: Mine,
    history: History<f32>,
    stopping: EarlyStopping<Net>,
}

impl Training {
    fn new(epochs: usize) -> Self {
        let trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.05), seeded(1));
        let mut new = Training { trainer, history: History::new(), stopping: EarlyStopping::new(50) };
        let (inputs, targets) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [false, true, true, false]);
        let all = (&mut new.history, &mut new.stopping);
        new.trainer.fit(&inputs, &targets, &FitOptions { epochs, batch_size: 2, shuffle: true }, all).unwrap();
        new
    }

    fn checkpoint(&mut self, path: &Path) -> (Checkpoint<Watching<'_>>, &mut Mine) {
        (Checkpoint::new(path, (&mut self.history, &mut self.stopping)), &mut self.trainer)
    }

    fn bits(&self) -> Vec<u8> {
        postcard::to_stdvec(&(&self.trainer, &self.history, &self.stopping)).unwrap()
    }

    /// Tries to go on with these bytes as the file. Whatever they are, little memory is taken, and what is refused
    /// changes nothing.
    fn resume(&mut self, bytes: &[u8]) -> Result<bool, CheckpointProblem> {
        let folder = folder();
        let path = folder.join("file");
        fs::write(&path, bytes).unwrap();
        let before = self.bits();
        let (mut checkpoint, trainer) = self.checkpoint(&path);
        BYTES.set(0);
        LARGEST.set(0);
        let result = checkpoint.resume(trainer);
        let (sum, largest) = (BYTES.get(), LARGEST.get());
        fs::remove_dir_all(&folder).unwrap();
        // Names of types and of files, the places for the values, and the bytes.
        let values = size_of::<(Mine, EarlyStopping<Net>)>();
        assert!(sum < 2 * bytes.len() + 2 * values + 50_000, "{sum} bytes for {}", bytes.len());
        assert!(largest < 2 * bytes.len() + 2 * values + 40_000, "{largest} bytes at once for {}", bytes.len());
        if result.is_err() {
            assert!(self.bits() == before, "changed by {result:?}");
        }
        result.map_err(|CheckpointError { path: named, problem }| {
            assert_eq!(named, path);
            problem
        })
    }
}

/// A new folder.
fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("tuplenet-damaged-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

/// The file of a training run after so many epochs.
fn file(epochs: usize) -> Vec<u8> {
    let folder = folder();
    let path = folder.join("file");
    let mut training = Training::new(epochs);
    let (mut checkpoint, trainer) = training.checkpoint(&path);
    checkpoint.save(trainer).unwrap();
    let bytes = fs::read(&path).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    bytes
}

/// The header that belongs to a file of these bytes after it: who makes it up knows the format.
fn with_header(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.split_off(HEADER);
    bytes[12..16].copy_from_slice(&crc32fast::hash(&body).to_le_bytes());
    bytes[16..24].copy_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend(body);
    bytes
}

#[test]
fn the_whole_file_is_read() {
    let mut training = Training::new(1);
    let bytes = file(30);
    assert!(training.resume(&bytes).unwrap());
    assert!(training.bits() == Training::new(30).bits());
    // What the tests below rely on: a made-up header is a right one.
    assert!(with_header(bytes.clone()) == bytes);
}

#[test]
fn cut_at_every_byte() {
    let (mut training, bytes) = (Training::new(1), file(30));
    for length in 0..bytes.len() {
        let error = training.resume(&bytes[..length]).unwrap_err();
        match (length, &error) {
            (0..8, CheckpointProblem::Magic) => {}
            (8.., CheckpointProblem::Length { found, .. }) if *found == length as u64 => {}
            _ => panic!("{length} bytes: {error:?}"),
        }
    }
    let error = training.resume(&[&bytes[..], &[0]].concat()).unwrap_err().to_string();
    let (whole, longer) = (bytes.len(), bytes.len() + 1);
    let words = format!("expected a checkpoint of {whole} bytes, found {longer}: it was cut, or something was added");
    assert_eq!(error, words);
}

#[test]
fn every_bit_flipped() {
    let (mut training, bytes) = (Training::new(1), file(3));
    for bit in 0..8 * bytes.len() {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let error = training.resume(&damaged).unwrap_err();
        match (bit / 8, &error) {
            (0..8, CheckpointProblem::Magic)
            | (8..12, CheckpointProblem::Version { expected: 1, .. })
            | (16..24, CheckpointProblem::Length { .. })
            | (12..16 | 24.., CheckpointProblem::Checksum) => {}
            _ => panic!("bit {bit}: {error:?}"),
        }
    }
}

#[test]
fn a_header_that_claims_too_much() {
    let (mut training, mut bytes) = (Training::new(1), file(3));
    bytes[16..24].copy_from_slice(&(1u64 << 60).to_le_bytes());
    let error = training.resume(&bytes).unwrap_err().to_string();
    let words = format!("expected a checkpoint of {} bytes, found {}", (1u64 << 60) + 24, bytes.len());
    assert!(error.starts_with(&words), "{error}");
    bytes[16..24].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(training.resume(&bytes), Err(CheckpointProblem::Length { .. })));
    bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
    let error = training.resume(&bytes).unwrap_err().to_string();
    assert_eq!(error, "expected a checkpoint of format version 1, found version 7");
    let error = training.resume(b"tuplenets are another thing altogether").unwrap_err();
    assert!(matches!(error, CheckpointProblem::Version { .. }), "{error}");
    let error = training.resume(b"\x7fELF and so on").unwrap_err().to_string();
    assert_eq!(error, "expected a checkpoint, found a file that is none");
}

/// Cut and damaged, with a header that says all is well: no checksum stands between these bytes and the values.
#[test]
fn made_up() {
    let (mut training, bytes) = (Training::new(1), file(30));
    let whole = training.bits().len();
    for length in HEADER..bytes.len() {
        let error = training.resume(&with_header(bytes[..length].to_vec())).unwrap_err();
        assert!(matches!(error, CheckpointProblem::Content), "{length} bytes: {error:?}");
    }
    assert_eq!(training.bits().len(), whole);

    let rounds = std::env::var("TUPLENET_ROUNDS").map_or(3000, |rounds| rounds.parse().unwrap());
    let mut rng = seeded(11);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..rounds {
        let mut damaged = bytes.clone();
        for _ in 0..1 + rng.next_u64() % 3 {
            let at = HEADER + rng.next_u64() as usize % (damaged.len() - HEADER);
            match rng.next_u64() % 5 {
                0 => damaged[at] = rng.next_u64() as u8,
                1 => damaged[at] ^= 1 << (rng.next_u64() % 8),
                // What a length begins with that is far too large.
                2 => damaged[at..].iter_mut().take(9).for_each(|byte| *byte = 0xff),
                3 => drop(damaged.drain(at..(at + 1 + rng.next_u64() as usize % 8).min(damaged.len()))),
                _ => damaged.insert(at, rng.next_u64() as u8),
            }
        }
        let mut training = Training::new(1);
        match training.resume(&with_header(damaged)) {
            // A weight is another one, and no one can tell.
            Ok(found) => {
                assert!(found && tuplenet::model::is_finite(&training.trainer.network));
                taken += 1;
            }
            Err(
                CheckpointProblem::Content
                | CheckpointProblem::NotFinite
                | CheckpointProblem::Setting(_)
                | CheckpointProblem::Type { .. },
            ) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    println!("{refused} refused, {taken} taken");
    assert!(refused > rounds / 4 && taken > rounds / 10);
}

#[test]
fn a_weight_that_is_no_number() {
    let (mut training, bytes) = (Training::new(1), file(3));
    let weight = Training::new(3).trainer.network.0.weight[0].to_le_bytes();
    let at = bytes.windows(4).position(|window| window == weight).unwrap();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut damaged = bytes.clone();
        damaged[at..at + 4].copy_from_slice(&bad.to_le_bytes());
        let error = training.resume(&with_header(damaged)).unwrap_err().to_string();
        assert_eq!(error, "expected a network with finite weights, found an infinite one or NaN");
    }
}
