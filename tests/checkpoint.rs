//! Trainings that were interrupted go on as if they had not been: the same bits in network, optimizer, generator,
//! schedule and callbacks.

#![cfg(feature = "checkpoint")]

use rand::rngs::Xoshiro256PlusPlus;
use serde::Serialize;
use std::fs;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use tuplenet::error::Error;
use tuplenet::layers::{BatchNorm, Dropout, LayerNorm, Residual};
use tuplenet::optimizer::schedule::{CosineAnnealing, OneCycle, ReduceOnPlateau, Schedule, StepDecay};
use tuplenet::optimizer::{Optimizer, OptimizerState};
use tuplenet::prelude::*;
use tuplenet::train::callbacks::Metric;
use tuplenet::train::checkpoint::{Checkpoint, CheckpointProblem, Checkpointable, Resume};

type Block<T> = Residual<(LayerNorm<5, T>, Dense<5, 5, Relu, T>)>;
type Net<T> = ((Dense<2, 5, Identity, T>, BatchNorm<5, T>, LeakyRelu), Dropout<20>, Block<T>, Dense<5, 1, Sigmoid, T>);

/// A folder of its own for each test, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tuplenet-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("net.checkpoint")
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn data<T: Real>() -> (Vec<[T; 2]>, Vec<[T; 1]>) {
    let mut rng = seeded(7);
    let inputs: Vec<[T; 2]> = (0..70).map(|_| [0; 2].map(|_| T::from_random_bits(rng.next_u64()))).collect();
    let targets = inputs.iter().map(|x| [if x[0] > x[1] { T::ONE } else { T::ZERO }]).collect();
    (inputs, targets)
}

/// The bits of a value: what postcard writes of floats is their bytes.
fn bits(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// Fails in the epoch of that number, before its checkpoint is written: what a kill does, in one process.
fn interrupt<N: tuplenet::model::Trainable>(at: usize) -> impl Fn(&EpochReport<N>) -> ControlFlow<()> {
    move |epoch| {
        assert!(epoch.number < at, "interrupted");
        ControlFlow::Continue(())
    }
}

/// Runs `work`, which is interrupted, and keeps the message of that to itself.
fn interrupted(work: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err(), "not interrupted");
}

const EPOCHS: usize = 7;

/// A training run that is interrupted in each epoch in turn, and continues with a checkpoint every `every` epochs.
fn mark_epoch<T, O>(name: &str, optimizer: O, every: usize)
where
    T: Real,
    O: Optimizer<Scalar = T> + Clone + Checkpointable,
    OptimizerState<O, Net<T>>: Checkpointable,
    Net<T>: Checkpointable,
{
    let folder = Folder::new(name);
    let (inputs, targets) = data::<T>();
    let validation = (&inputs, &targets);
    let new = || {
        let network = Net::<T>::new(&mut seeded(3));
        Trainer::<_, _, _, _, 8>::with_micro_batch(network, BinaryCrossEntropy, optimizer.clone(), seeded(1))
    };
    let fit = |epochs| FitOptions { epochs, batch_size: 20, shuffle: true };
    let watched = |epoch: &EpochReport<Net<T>>| epoch.loss.exact() + epoch.validation_loss.unwrap().exact();
    let sum = |network: &Net<T>| network.3.bias[0].exact();
    let callbacks = || (History::new(), (EarlyStopping::new(EPOCHS).watching(watched), Metric::new("bias", sum)));

    let mut whole = new();
    let (mut history, (mut stopping, mut metric)) = callbacks();
    let all = (&mut history, (&mut stopping, &mut metric));
    let outcome = whole.fit_validated(&inputs, &targets, validation, &fit(EPOCHS), all).unwrap();
    assert_eq!(outcome.epochs, EPOCHS, "{name}: every epoch is there to be interrupted");
    let expected = (bits(&whole), bits(&history), bits(&stopping), metric.values().to_vec());

    let mut runs = 0;
    let found = loop {
        runs += 1;
        let mut trainer = new();
        let (mut history, (mut stopping, mut metric)) = callbacks();
        let all = ((&mut history, (&mut stopping, &mut metric)), interrupt(runs));
        let mut checkpoint = Checkpoint::new(folder.file(), all).every(every);
        assert_eq!(checkpoint.resume(&mut trainer).unwrap(), runs > every);
        assert_eq!(trainer.epochs, (runs - 1) / every * every);
        let left = fit(EPOCHS - trainer.epochs);
        let mut go_on =
            || trainer.fit_validated(&inputs, &targets, validation, &left, &mut checkpoint).map(drop).unwrap();
        if runs < EPOCHS {
            interrupted(go_on);
            continue;
        }
        go_on();
        break (bits(&trainer), bits(&history), bits(&stopping), metric.values().to_vec());
    };
    assert!(found == expected, "{name}");
    assert_eq!(folder.names(), ["net.checkpoint"]);
}

#[test]
fn every_optimizer_mark_epoch() {
    mark_epoch("sgd", Sgd::new(0.1f32), 1);
    mark_epoch("momentum", Sgd::new(0.1f64).momentum(0.9).l2(1e-3).by_epoch(StepDecay::new(2, 0.5)), 2);
    mark_epoch("adagrad", Adagrad::new(0.1f32).by_step(OneCycle::new(30)), 1);
    mark_epoch(
        "rmsprop",
        RmsProp::new(0.01f32).clip_norm(0.5).by_step(CosineAnnealing::new(20).after_warmup(3, 0.1)),
        3,
    );
    mark_epoch("adam", Adam::new(0.01f32).by_epoch(ReduceOnPlateau::new()), 1);
    mark_epoch("adamw", AdamW::new(0.01f64).clip_value(0.1), 1);
}

type Line = Dense<1, 1, Identity>;
type LineTrainer<O> = Trainer<Line, MeanSquaredError, O, Xoshiro256PlusPlus>;

const X: [[f32; 1]; 3] = [[1.0], [2.0], [3.0]];
const Y: [[f32; 1]; 3] = [[2.0], [4.0], [6.0]];

fn line() -> LineTrainer<Sgd> {
    Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.05), seeded(1))
}

fn fit(epochs: usize) -> FitOptions {
    FitOptions { epochs, batch_size: 2, shuffle: true }
}

#[test]
fn what_early_stopping_has_ended_stays_ended() {
    let folder = Folder::new("stopped");
    // The rate is so high that the loss rises from some epoch on.
    let new = || {
        let optimizer = Sgd::new(0.01f32).by_epoch(tuplenet::optimizer::schedule::ExponentialDecay::new(1.3));
        Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1))
    };
    let (mut whole, mut stopping) = (new(), EarlyStopping::new(4));
    let outcome = whole.fit_validated(&X, &Y, (&X, &Y), &fit(200), &mut stopping).unwrap();
    assert!(outcome.epochs < 60, "{outcome:?}");
    let best = bits(&whole);

    for run in 0..3 {
        let (mut trainer, mut stopping) = (new(), EarlyStopping::new(4));
        let mut checkpoint = Checkpoint::new(folder.file(), &mut stopping).every(1000);
        assert_eq!(checkpoint.resume(&mut trainer).unwrap(), run > 0);
        let left = fit(200 - trainer.epochs);
        let found = trainer.fit_validated(&X, &Y, (&X, &Y), &left, &mut checkpoint).unwrap();
        assert_eq!(found.epochs, if run == 0 { outcome.epochs } else { 0 });
        assert_eq!(bits(&trainer), best);

        // Another `fit` is another training, with a checkpoint and without.
        let mut again = new();
        let mut stopping_again = EarlyStopping::new(4);
        again.fit_validated(&X, &Y, (&X, &Y), &fit(200), &mut stopping_again).unwrap();
        let more = again.fit_validated(&X, &Y, (&X, &Y), &fit(3), &mut stopping_again).unwrap();
        let mut elsewhere = Checkpoint::new(folder.0.join("other"), checkpoint.callback);
        let found = trainer.fit_validated(&X, &Y, (&X, &Y), &fit(3), &mut elsewhere).unwrap();
        assert_eq!(found, more);
        assert_eq!(bits(&trainer), bits(&again));
        assert_eq!(bits(&stopping), bits(&stopping_again));
    }
}

#[test]
fn more_epochs_than_before_are_as_if_there_had_been_so_many() {
    let folder = Folder::new("more");
    let (mut whole, mut history) = (line(), History::new());
    let mut keeping = EarlyStopping::new(usize::MAX);
    whole.fit(&X, &Y, &fit(9), (&mut history, &mut keeping)).unwrap();
    for epochs in [4, 4, 9] {
        let (mut trainer, mut found) = (line(), History::new());
        let mut keeping = EarlyStopping::new(usize::MAX);
        let mut checkpoint = Checkpoint::new(folder.file(), (&mut found, &mut keeping)).every(3);
        checkpoint.resume(&mut trainer).unwrap();
        trainer.fit(&X, &Y, &fit(epochs - trainer.epochs), &mut checkpoint).unwrap();
        assert_eq!(found.losses(), &history.losses()[..epochs]);
        assert_eq!(trainer.epochs, epochs);
        if epochs == 9 {
            assert_eq!(bits(&trainer), bits(&whole));
        }
    }
}

/// With a generator whose numbers have been used elsewhere, and steps by hand.
#[test]
fn by_hand() {
    let folder = Folder::new("by-hand");
    let mut trainer = line();
    trainer.epoch(&X, &Y, 2).unwrap();
    trainer.rng.next_u64();
    trainer.step(&X, &Y).unwrap();
    let mut checkpoint = Checkpoint::new(folder.file(), ());
    checkpoint.save(&trainer).unwrap();
    let mut other = line();
    assert!(checkpoint.resume(&mut other).unwrap());
    assert_eq!(bits(&other), bits(&trainer));
    assert_eq!(other.epoch(&X, &Y, 2), trainer.epoch(&X, &Y, 2));
    assert_eq!(bits(&other), bits(&trainer));
}

#[test]
fn other_types_are_refused_in_words() {
    fn words<N, L, O, R, const B: usize, W>(trainer: &mut Trainer<N, L, O, R, B>, path: &Path, callback: W) -> String
    where
        N: tuplenet::model::Trainable + Checkpointable,
        O: Optimizer<Scalar = N::Scalar> + Checkpointable,
        OptimizerState<O, N>: Checkpointable,
        R: Checkpointable,
        W: Resume<N>,
    {
        let before = bits(&(&trainer.network, &trainer.optimizer, &trainer.rng, trainer.epochs));
        let error = Checkpoint::new(path, callback).resume(trainer).unwrap_err();
        assert!(matches!(error.problem, CheckpointProblem::Type { .. }), "{error}");
        assert_eq!(error.path, path);
        assert!(before == bits(&(&trainer.network, &trainer.optimizer, &trainer.rng, trainer.epochs)));
        error.problem.to_string()
    }
    let folder = Folder::new("types");
    let file = &folder.file();
    let mut history = History::new();
    line().fit(&X, &Y, &fit(2), &mut Checkpoint::new(file, &mut history)).unwrap();
    assert_eq!(history.losses().len(), 2);

    let network = <Dense<1, 2, Identity>>::new(&mut seeded(0));
    let mut other = Trainer::new(network, MeanSquaredError, Sgd::new(0.05), seeded(1));
    assert_eq!(
        words(&mut other, file, &mut History::new()),
        "expected a checkpoint of the network `Dense<1, 2, Identity>`, found one of `Dense<1, 1, Identity>`"
    );
    let mut other = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.05), seeded(1));
    assert_eq!(
        words(&mut other, file, &mut History::new()),
        "expected a checkpoint of the optimizer `Adam`, found one of `Sgd`"
    );
    let rng = rand::rngs::Xoshiro128PlusPlus::seed_from_u64(1);
    let mut other = Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.05), rng);
    assert_eq!(
        words(&mut other, file, &mut History::new()),
        "expected a checkpoint of the random number generator `Xoshiro128PlusPlus`, found one of `Xoshiro256PlusPlus`"
    );
    assert_eq!(
        words(&mut line(), file, ()),
        "expected a checkpoint of callbacks with the state `()`, found one of `History<f32>`"
    );
    // The loss is the program's.
    let mut other = Trainer::new(Line::new(&mut seeded(0)), MeanAbsoluteError, Sgd::new(0.05), seeded(1));
    assert!(Checkpoint::new(file, &mut History::new()).resume(&mut other).unwrap());
}

#[test]
fn what_cannot_be_written_ends_the_training() {
    let folder = Folder::new("read_only");
    let missing = folder.0.join("missing").join("net.checkpoint");
    let mut trainer = line();
    let error = trainer.fit(&X, &Y, &fit(5), &mut Checkpoint::new(&missing, ())).unwrap_err();
    assert!(matches!(error, Error::Checkpoint { kind: ErrorKind::NotFound, .. }), "{error}");
    assert_eq!(trainer.epochs, 0);

    // A folder stands where the file should be.
    fs::create_dir(folder.file()).unwrap();
    let error = Checkpoint::new(folder.file(), ()).save(&trainer).unwrap_err();
    assert!(matches!(error.problem, CheckpointProblem::Write(_)), "{error}");
    assert_eq!(folder.names(), ["net.checkpoint"]);
    let error = Checkpoint::new(folder.file(), ()).resume(&mut trainer).unwrap_err();
    assert!(matches!(error.problem, CheckpointProblem::Read(_) | CheckpointProblem::Magic), "{error}");

    let error = Checkpoint::new("..", ()).save(&trainer).unwrap_err();
    assert_eq!(error.to_string(), "`..`: the checkpoint could not be written: expected the path of a file");
}

#[test]
fn a_ruined_network_is_not_written() {
    let folder = Folder::new("ruined");
    let (mut trainer, mut history) = (line(), History::new());
    let mut checkpoint = Checkpoint::new(folder.file(), &mut history);
    trainer.fit(&X, &Y, &fit(3), &mut checkpoint).unwrap();
    let good = bits(&trainer);
    let file = fs::read(folder.file()).unwrap();

    trainer.optimizer.learning_rate = f32::MAX;
    let (far, whole) = ([[1e9]; 3], FitOptions { epochs: 9, batch_size: 3, shuffle: true });
    let error = trainer.fit(&X, &far, &whole, &mut checkpoint).unwrap_err();
    assert!(matches!(error, Error::LossNotFinite { epoch: 3, batch: 0 }), "{error}");
    assert!(fs::read(folder.file()).unwrap() == file);
    trainer.network.bias[0] = f32::INFINITY;
    let error = checkpoint.save(&trainer).unwrap_err();
    assert_eq!(error.problem.to_string(), "expected a network with finite weights, found an infinite one or NaN");
    assert!(checkpoint.resume(&mut trainer).unwrap());
    assert_eq!(bits(&trainer), good);
}

#[test]
fn leftovers_are_removed_but_not_what_is_being_written() {
    let folder = Folder::new("leftovers");
    let mut trainer = line();
    let mut checkpoint = Checkpoint::new(folder.file(), ());
    checkpoint.save(&trainer).unwrap();
    let others = ["net.checkpoint.1-2.newer", "net.checkpoint.mine.new", "other.checkpoint.1-2.new"];
    for name in others.iter().chain(&["net.checkpoint.1-2.new", "net.checkpoint.123-4.new"]) {
        fs::write(folder.0.join(name), "left behind").unwrap();
    }
    let writing = fs::File::create(folder.0.join("net.checkpoint.99-0.new")).unwrap();
    writing.try_lock().unwrap();
    assert!(checkpoint.resume(&mut trainer).unwrap());
    let mut names = folder.names();
    names.sort();
    let mut expected = others.to_vec();
    expected.extend(["net.checkpoint", "net.checkpoint.99-0.new"]);
    expected.sort();
    assert_eq!(names, expected);
}

/// Whoever reads while others write finds a whole file, the one or the other.
#[test]
fn writers_do_not_disturb_each_other() {
    let folder = Folder::new("writers");
    let file = &folder.file();
    Checkpoint::new(file, ()).save(&line()).unwrap();
    std::thread::scope(|scope| {
        let writers = [0, 1].map(|seed| {
            scope.spawn(move || {
                let mut trainer = line();
                trainer.rng = seeded(seed);
                for _ in 0..100 {
                    trainer.epochs += 1;
                    Checkpoint::new(file, ()).save(&trainer).unwrap();
                }
            })
        });
        while !writers.iter().all(|writer| writer.is_finished()) {
            assert!(Checkpoint::new(file, ()).resume(&mut line()).unwrap());
        }
    });
    assert_eq!(folder.names(), ["net.checkpoint"]);
}

/// Sixteen megabytes, read by a thread whose stack has one.
#[test]
fn what_is_too_large_for_the_stack() {
    type Large = (Dense<1000, 1000, Relu>, Dense<1000, 2, Identity>);
    fn with_stack(megabytes: usize, work: impl FnOnce() + Send) {
        let stack = std::thread::Builder::new().stack_size(megabytes << 20);
        std::thread::scope(|scope| stack.spawn_scoped(scope, work).unwrap().join().unwrap());
    }
    let folder = Folder::new("large");
    let new = || {
        let network = Large::boxed(&mut seeded(0));
        Trainer::<_, _, _, _, 1>::boxed_with_micro_batch(network, MeanSquaredError, Adam::new(1e-3), seeded(1))
    };
    let (mut trainer, mut other) = (new(), new());
    // Early stopping is made on the stack, and copies the network by way of it.
    with_stack(64, || {
        let (mut stopping, mut other_stopping) = (EarlyStopping::new(5), EarlyStopping::new(5));
        let mut checkpoint = Checkpoint::new(folder.file(), &mut stopping);
        trainer.fit(&[[0.5; 1000]], &[[1.0, 2.0]], &FitOptions::default(), &mut checkpoint).unwrap();
        assert!(other.network != trainer.network);
        with_stack(1, || {
            assert!(Checkpoint::new(folder.file(), &mut other_stopping).resume(&mut other).unwrap());
        });
        assert!(other_stopping.best_network() == stopping.best_network());
    });
    assert!(other.network == trainer.network);
    assert!(bits(&*other) == bits(&*trainer));
}

#[cfg(feature = "rayon")]
#[test]
fn parallel_training_mark_epoch() {
    use tuplenet::train::Parallel;
    type Net = (Dense<1, 32, Tanh>, BatchNorm<32>, Dropout<10>, Dense<32, 1, Identity>);
    let folder = Folder::new("parallel");
    let inputs: Vec<[f32; 1]> = (0..9000).map(|i| [i as f32 / 1000.0 - 1.0]).collect();
    let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [x * x]).collect();
    let new = || {
        let optimizer = Adam::new(0.01).by_epoch(StepDecay::new(2, 0.5));
        Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1))
    };
    let fit = |epochs| FitOptions { epochs, batch_size: 8500, shuffle: true };
    let (mut whole, mut stopping) = (new(), EarlyStopping::new(5));
    Parallel::new().fit_validated(&mut whole, &inputs, &targets, (&inputs, &targets), &fit(4), &mut stopping).unwrap();

    for run in 1..=4 {
        let (mut trainer, mut stopping) = (new(), EarlyStopping::new(5));
        let mut checkpoint = Checkpoint::new(folder.file(), (&mut stopping, interrupt(run)));
        checkpoint.resume(&mut trainer).unwrap();
        assert_eq!(trainer.epochs, run - 1);
        let (mut parallel, left) = (Parallel::new(), fit(4 - trainer.epochs));
        let validation = (&inputs, &targets);
        let mut go_on = || {
            parallel
                .fit_validated(&mut trainer, &inputs, &targets, validation, &left, &mut checkpoint)
                .map(drop)
                .unwrap()
        };
        if run < 4 {
            interrupted(go_on);
        } else {
            go_on();
            assert_eq!(bits(&trainer), bits(&whole));
        }
    }
}
