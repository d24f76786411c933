//! What `mpirun` starts.

use super::start::FOLDER;
use rand::rngs::Xoshiro256PlusPlus;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tuplenet::Error;
use tuplenet::data::{Csv, Share, share};
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::optimizer::AnyOptimizer;
use tuplenet::prelude::*;
use tuplenet::train::callbacks::Progress;
use tuplenet::train::checkpoint::Checkpoint;
use tuplenet::train::cluster::{Communicator, Distributed, Mpi};
use tuplenet::tuning::{
    Architecture, CrossValidation, CrossValidationOptions, Hyperparameters, SearchOptions, SearchProgress, SearchSpace,
    Table, accuracy, networks,
};

type Net = (Dense<4, 32, Identity>, BatchNorm<32>, Tanh, Dropout<10>, Dense<32, 3, Softmax>);
type Learner = Trainer<Net, CrossEntropy, Adam, Xoshiro256PlusPlus>;
type Failure = Box<dyn std::error::Error>;

/// How many training runs the search has.
pub const RUNS: usize = 2 * 6 * FOLDS;
const FOLDS: usize = 3;

/// Runs one of the programs below.
pub fn run(program: &str) -> ExitCode {
    if program == "not-launched" {
        let error = Mpi::new().expect_err("there is no launcher");
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    tuplenet::train::cluster::run(|communicator| {
        let rank = communicator.rank();
        // Under another name first, so that no one reads a part of it.
        let pid = folder().join(format!("pid.{rank}"));
        fs::write(pid.with_extension(format!("{rank}.new")), format!("{}\n", std::process::id()))?;
        fs::rename(pid.with_extension(format!("{rank}.new")), pid)?;
        if let Ok(namespace) = fs::read_link("/proc/self/ns/net") {
            fs::write(folder().join(format!("namespace.{rank}")), namespace.to_string_lossy().as_bytes())?;
        }
        match program {
            "train" => train(communicator),
            "share" => train_on_shares(communicator),
            "checkpoint" => train_with_checkpoint(communicator),
            "search" => search(communicator, false, false),
            "slow-search" => search(communicator, true, false),
            "panic-in-search" => search(communicator, false, true),
            "panic" => {
                // Not in a function that all call together, so that the others wait for this one.
                assert!(rank != 1, "as it was meant");
                train(communicator)
            }
            "error" if rank == 1 => Err("an error of the program".into()),
            "error" => train(communicator),
            "width" => {
                let path = folder().join(format!("{rank}.csv"));
                fs::write(&path, if rank == 2 { "a,b\n1,2\n1,2,3\n" } else { "a,b\n1,2\n3,4\n" })?;
                Csv::default().samples::<f32, 2>(fs::File::open(path)?)?;
                train(communicator)
            }
            "other-network" if rank == 1 => {
                let (inputs, classes) = data();
                let network = <Dense<4, 3, Softmax>>::new(&mut seeded(0));
                let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(0.003), seeded(1));
                Distributed::new(communicator).step(&mut trainer, &inputs, &classes)?;
                Ok(())
            }
            "other-network" => {
                let (inputs, classes) = data();
                Distributed::new(communicator).step(&mut learner(), &inputs, &classes)?;
                Ok(())
            }
            "other-search" => {
                let (inputs, classes) = points();
                let validation =
                    CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, accuracy, &options())?;
                let space = if rank == 1 { space().alpha([0.5]) } else { space() };
                validation.grid_with(&two(), &space, SearchOptions::new().over(communicator))?;
                Ok(())
            }
            _ => Err(format!("no program `{program}`").into()),
        }
    })
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).expect("a folder").into()
}

fn learner() -> Learner {
    Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.003), seeded(1))
}

fn data() -> (Vec<[f32; 4]>, Vec<u8>) {
    let mut rng = seeded(9);
    let mut number = || f32::from_random_bits(rng.next_u64());
    let inputs = (0..2048).map(|_| std::array::from_fn(|_| number() - 0.5)).collect::<Vec<[f32; 4]>>();
    let classes = inputs.iter().map(|x| if x[0] > x[1] { 0 } else { 1 + (x[2] > 0.0) as u8 }).collect();
    (inputs, classes)
}

/// Rank 0 prints the checksum of all state, and a loss.
fn print(communicator: &dyn Communicator, trainer: &Learner, loss: f32) -> Result<(), Failure> {
    if communicator.rank() == 0 {
        let bits = crc32fast::hash(&postcard::to_stdvec(trainer)?);
        println!("bits {bits:08x} after {} epochs, loss {loss}", trainer.epochs);
    }
    Ok(())
}

fn train(communicator: &dyn Communicator) -> Result<(), Failure> {
    let (inputs, classes) = data();
    let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
    let fit = FitOptions { epochs: 4, batch_size: 1500, shuffle: true };
    let validation = (&inputs[..1000], &classes[..1000]);
    let mut progress = Progress::new(fit.epochs).over(communicator);
    distributed.fit_validated(&mut trainer, &inputs, &classes, validation, &fit, &mut progress)?;
    let loss = distributed.evaluate(&mut trainer, &inputs, &classes)?;
    print(communicator, &trainer, loss)
}

fn train_on_shares(communicator: &dyn Communicator) -> Result<(), Failure> {
    let (rank, ranks) = (communicator.rank(), communicator.size());
    let (inputs, classes) = data();
    let (count, own) = (inputs.len(), share(inputs.len(), rank, ranks));
    let inputs = Share::new::<f32>(inputs[own.clone()].to_vec(), count, rank, ranks)?;
    let classes = Share::new::<f32>(classes[own].to_vec(), count, rank, ranks)?;
    let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
    let fit = FitOptions { epochs: 4, batch_size: 700, shuffle: true };
    distributed.fit(&mut trainer, &inputs, &classes, &fit, ())?;
    let loss = distributed.evaluate(&mut trainer, &inputs, &classes)?;
    print(communicator, &trainer, loss)
}

fn train_with_checkpoint(communicator: &dyn Communicator) -> Result<(), Failure> {
    const EPOCHS: usize = 25;
    let (inputs, classes) = data();
    let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
    let (mut history, path) = (History::new(), folder().join("net.checkpoint"));
    let mut checkpoint = Checkpoint::new(path, &mut history);
    distributed.resume(&mut checkpoint, &mut trainer)?;
    let fit = FitOptions { epochs: EPOCHS - trainer.epochs, batch_size: 1500, shuffle: true };
    distributed.fit(&mut trainer, &inputs, &classes, &fit, &mut checkpoint)?;
    assert_eq!(history.losses().len(), EPOCHS);
    let loss = distributed.evaluate(&mut trainer, &inputs, &classes)?;
    print(communicator, &trainer, loss)
}

/// Points in the plane, and whether they are inside a circle.
fn points() -> (Vec<[f32; 2]>, Vec<usize>) {
    let mut rng = seeded(7);
    let mut number = || (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32 * 4.0 + 1.0;
    let inputs: Vec<[f32; 2]> = (0..90).map(|_| [number(), number()]).collect();
    let classes = inputs.iter().map(|[x, y]| usize::from((x - 3.0).hypot(y - 3.0) < 1.5)).collect();
    (inputs, classes)
}

fn two() -> Vec<Architecture<f32, [usize], CrossEntropy, AnyOptimizer, Features<2>, 2>> {
    networks![(Dense<2, 4, Tanh>, Dense<4, 2, Softmax>); Dense<2, 2, Softmax>]
}

fn space() -> SearchSpace<'static, AnyOptimizer> {
    let sgd: AnyOptimizer = Sgd::new(0.1).into();
    let fit = FitOptions { epochs: 20, batch_size: 16, shuffle: true };
    SearchSpace::new(Hyperparameters { fit, ..Hyperparameters::new(sgd) })
        .optimizer([sgd, Adam::new(0.01).into()])
        .l2([0.0, 0.01, 0.02])
}

fn options() -> CrossValidationOptions {
    CrossValidationOptions { folds: FOLDS, ..CrossValidationOptions::default() }
}

/// The table without the times of predictions, which are never the same.
fn text<O>(table: &Table<O>) -> String {
    let mut text = String::new();
    for row in table.rows() {
        let bits: Vec<_> = row.folds.iter().map(|score| score.map(f64::to_bits)).collect();
        writeln!(text, "{} {:?} bits {bits:?} {:?}", row.network, row.parameters, row.epochs).expect("a text");
    }
    text
}

/// A search; a slow one has a journal, and a log of what it runs.
fn search(communicator: &dyn Communicator, slow: bool, panics: bool) -> Result<(), Failure> {
    let (inputs, classes) = points();
    let log = folder().join("log");
    let score = |classes: &[usize], outputs: &[[f32; 2]]| -> Result<f64, Error> {
        if slow {
            let bits: Vec<u8> = outputs.iter().flatten().flat_map(|output| output.to_le_bytes()).collect();
            append(&log, &format!("run {:08x}\n", crc32fast::hash(&bits)));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!panics, "as it was meant");
        accuracy(classes, outputs)
    };
    let validation = CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, score, &options())?;
    let mut how = SearchOptions::new().over(communicator);
    if !slow {
        how = how.progress_bar();
    } else {
        let (mut begun, log) = (false, log.clone());
        how = how.journal(folder().join("search.journal")).on_progress(move |progress: &SearchProgress| {
            let SearchProgress { finished, resumed, .. } = *progress;
            append(&log, &if begun { format!("finished {finished}\n") } else { format!("resumed {resumed}\n") });
            begun = true;
        });
    }
    let table = validation.grid_with(&two(), &space(), how)?;
    if communicator.rank() == 0 {
        print!("{}", text(&table));
    }
    Ok(())
}

/// One write of all, so that lines of several processes do not mix.
fn append(path: &Path, line: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).expect("a file");
    file.write_all(line.as_bytes()).expect("a file that can be written");
}
