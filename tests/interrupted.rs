//! A training run that is killed again and again, mostly while it writes its checkpoint: the file is always whole, and
//! what goes on from it is the training that was never killed.
//!
//! `TUPLENET_KILLS=1000 cargo test --test interrupted -- --nocapture` kills a thousand times.

#![cfg(all(feature = "checkpoint", unix))]

use rand::rngs::Xoshiro256PlusPlus;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::optimizer::Optimizer;
use tuplenet::optimizer::Scheduled;
use tuplenet::optimizer::schedule::CosineAnnealing;
use tuplenet::prelude::*;
use tuplenet::train::checkpoint::Checkpoint;

type Net = (Dense<2, 40, Identity>, BatchNorm<40>, Dropout<10>, Dense<40, 40, Tanh>, Dense<40, 1, Sigmoid>);
type Watching<'a> = (&'a mut History<f32>, &'a mut EarlyStopping<Net>);
type Mine = Trainer<Net, BinaryCrossEntropy, Scheduled<Adam, CosineAnnealing>, Xoshiro256PlusPlus>;

/// How many epochs a training run has; then it begins anew.
const EPOCHS: usize = 400;

const INPUTS: [[f32; 2]; 4] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
const TARGETS: [bool; 4] = [false, true, true, false];

struct Training {
    trainer: Mine,
    history: History<f32>,
    stopping: EarlyStopping<Net>,
}

impl Training {
    fn new() -> Self {
        let optimizer = Adam::new(0.01).by_step(CosineAnnealing::new(2 * EPOCHS));
        let trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, optimizer, seeded(1));
        Training { trainer, history: History::new(), stopping: EarlyStopping::new(EPOCHS) }
    }

    fn checkpoint(&mut self, file: &Path) -> (Checkpoint<Watching<'_>>, &mut Mine) {
        (Checkpoint::new(file, (&mut self.history, &mut self.stopping)), &mut self.trainer)
    }

    /// Trains from where the file is, or the beginning, to the end.
    fn run(&mut self, file: &Path) {
        let (mut checkpoint, trainer) = self.checkpoint(file);
        checkpoint.resume(trainer).unwrap();
        let fit = FitOptions { epochs: EPOCHS - trainer.epochs, batch_size: 2, shuffle: true };
        trainer.fit(&INPUTS, &TARGETS, &fit, &mut checkpoint).unwrap();
    }

    fn bits(&self) -> Vec<u8> {
        postcard::to_stdvec(&(&self.trainer, &self.history, &self.stopping)).unwrap()
    }
}

const FILE: &str = "TUPLENET_KILLS_FILE";

/// What is killed: this test in a process of its own, which does nothing unless it gets the path of a file.
#[test]
fn child() {
    if let Some(file) = std::env::var_os(FILE) {
        Training::new().run(Path::new(&file));
    }
}

fn spawn(file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--test-threads=1"])
        .env(FILE, file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What is left of a folder when the test ends: nothing.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bits_of(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

#[test]
fn killed_at_any_moment() {
    let kills: usize = std::env::var("TUPLENET_KILLS").map_or(40, |kills| kills.parse().unwrap());
    let folder = Folder(std::env::temp_dir().join(format!("tuplenet-kills-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    let file = &folder.0.join("net.checkpoint");

    // The training that no one disturbs, without a file.
    let mut whole = Training::new();
    let mut networks = vec![bits_of(&whole.trainer.network)];
    let note = |epoch: &EpochReport<Net>| {
        networks.push(bits_of(epoch.network));
        ControlFlow::Continue(())
    };
    let fit = FitOptions { epochs: EPOCHS, batch_size: 2, shuffle: true };
    let callbacks = ((&mut whole.history, &mut whole.stopping), note);
    whole.trainer.fit(&INPUTS, &TARGETS, &fit, callbacks).unwrap();

    let mut rng = seeded(std::process::id().into());
    let (mut killed, mut while_writing, mut trainings, mut epochs) = (0, 0, 0, 0);
    let mut last = None;
    while killed < kills || trainings == 0 {
        let mut child = spawn(file);
        // Before it has begun, or somewhere in its epochs.
        std::thread::sleep(Duration::from_micros(rng.next_u64() % 60_000));
        let ended = child.try_wait().unwrap();
        if ended.is_none() && killed < kills {
            child.kill().unwrap();
            killed += 1;
        }
        let status = child.wait().unwrap();
        let names: Vec<_> = fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        while_writing += usize::from(names.iter().any(|name| name != "net.checkpoint"));

        // What is there is whole, is not older than before, and is what the undisturbed training was then.
        assert!(file.exists() || last.is_none(), "the file is lost");
        let mut found = Training::new();
        let (mut checkpoint, trainer) = found.checkpoint(file);
        if checkpoint.resume(trainer).unwrap_or_else(|error| panic!("after {killed} kills: {error}")) {
            let epoch = found.trainer.epochs;
            assert!(last.is_none_or(|last| last <= epoch), "after {last:?} epochs {epoch}");
            assert!(bits_of(&found.trainer.network) == networks[epoch]);
            assert_eq!(found.history.losses(), &whole.history.losses()[..epoch]);
            epochs += epoch - last.unwrap_or(0);
            last = Some(epoch);
        }
        // Nor is anything left behind.
        assert!(fs::read_dir(&folder.0).unwrap().count() <= 1);

        if status.success() {
            // It goes to its end in the same way as the one that was not killed.
            let mut found = Training::new();
            found.run(file);
            assert!(found.bits() == whole.bits());
            fs::remove_file(file).unwrap();
            (last, trainings) = (None, trainings + 1);
        }
    }
    println!(
        "{killed} kills, {while_writing} while the file was written, in {epochs} epochs of {trainings} whole trainings"
    );
    assert!(while_writing > 0);
}
