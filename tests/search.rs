//! Searches with a journal and over ranks: the table of a search without them, nothing trained twice, readable errors.
//! Here the ranks are threads; `mpi.rs` has processes.

#![cfg(feature = "cluster")]

#[path = "common/ranks.rs"]
mod ranks;

use ranks::on_ranks;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tuplenet::optimizer::AnyOptimizer;
use tuplenet::prelude::*;
use tuplenet::train::cluster::{Communicator, SingleProcess};
use tuplenet::tuning::{
    Architecture, CrossValidation, CrossValidationOptions, Hyperparameters, JournalProblem, Row, Scaling, SearchError,
    SearchOptions, SearchProgress, SearchSpace, Table, accuracy, log_uniform, networks,
};
use tuplenet::{Error, seeded};

const FOLDS: usize = 3;

/// Points in the plane, and whether they are inside a circle.
fn points(count: usize) -> (Vec<[f32; 2]>, Vec<usize>) {
    let mut rng = seeded(7);
    let mut number = || (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32 * 4.0 + 1.0;
    let inputs: Vec<[f32; 2]> = (0..count).map(|_| [number(), number()]).collect();
    let classes = inputs.iter().map(|[x, y]| usize::from((x - 3.0).hypot(y - 3.0) < 1.5)).collect();
    (inputs, classes)
}

type Networks = Vec<Architecture<f32, [usize], CrossEntropy, AnyOptimizer, Features<2>, 2>>;

fn two() -> Networks {
    networks![for hidden in [4] (Dense<2, hidden, Tanh>, Dense<hidden, 2, Softmax>); Dense<2, 2, Softmax>]
}

/// Six candidates for each network; two diverge.
fn space() -> SearchSpace<'static, AnyOptimizer> {
    let sgd: AnyOptimizer = Sgd::new(0.1).into();
    let fit = FitOptions { epochs: 12, ..FitOptions::default() };
    SearchSpace::new(Hyperparameters { fit, ..Hyperparameters::new(sgd) })
        .optimizer([sgd, Adam::new(0.01).into()])
        .l2([0.0, 0.01, 1e30])
}

const OPTIONS: CrossValidationOptions = CrossValidationOptions { folds: FOLDS, scaling: Scaling::Standard, seed: 3 };

/// A row without the time of a prediction: the parameters, the bits of the scores, and the epochs.
type Bits = (String, Vec<Result<u64, Error>>, Vec<usize>);

fn row_bits<O>(row: &Row<O>) -> Bits {
    let scores = row.folds.iter().map(|score| score.map(f64::to_bits)).collect();
    (format!("{} {:?}", row.network, row.parameters), scores, row.epochs.clone())
}

fn bits<O>(table: &Table<O>) -> Vec<Bits> {
    table.rows().iter().map(row_bits).collect()
}

/// What is left of a folder when the test ends: nothing.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tuplenet-search-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("search.journal")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The table of the grid with a journal, and how many training runs there were.
fn counted(file: &Path) -> (Result<Vec<Bits>, SearchError>, usize) {
    let (inputs, classes) = points(60);
    let count = AtomicUsize::new(0);
    let score = |classes: &[usize], outputs: &[[f32; 2]]| {
        count.fetch_add(1, Ordering::Relaxed);
        accuracy(classes, outputs)
    };
    let validation = CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, score, &OPTIONS).unwrap();
    let table = validation.grid_with(&two(), &space(), SearchOptions::new().journal(file));
    (table.map(|table| bits(&table)), count.into_inner())
}

fn plain() -> Vec<Bits> {
    let (inputs, classes) = points(60);
    let validation = CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, accuracy, &OPTIONS).unwrap();
    bits(&validation.grid(&two(), &space()).unwrap())
}

#[test]
fn over_ranks_the_table_is_that_of_one_process() {
    let (inputs, classes) = points(60);
    let validation = CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, accuracy, &OPTIONS).unwrap();
    let sgd: AnyOptimizer = Sgd::new(0.1).into();
    let fit = FitOptions { epochs: 5, ..FitOptions::default() };
    let anywhere =
        SearchSpace::new(Hyperparameters { fit, ..Hyperparameters::new(sgd) }).learning_rate(log_uniform(1e-3, 1.0));
    let expected = bits(&validation.grid(&two(), &space()).unwrap());
    assert!(expected.iter().any(|(_, folds, _)| folds.iter().any(Result::is_err)), "no candidate has failed");
    let random = bits(&validation.random(&two(), &anywhere, 7).unwrap());
    let hyperparameters = Hyperparameters::new(Adam::new(0.01f32));
    type Tiny = Dense<2, 2, Softmax>;
    let scores = validation.scores::<Tiny, _>(&hyperparameters).unwrap();
    for ranks in [1, 2, 3, 5] {
        let found = on_ranks(ranks, |communicator| {
            let mut seen = Vec::new();
            let options = || SearchOptions::new().over(communicator);
            let progress = |progress: &SearchProgress| seen.push(progress.finished);
            let grid = validation.grid_with(&two(), &space(), options().on_progress(progress)).unwrap();
            if communicator.rank() == 0 {
                assert_eq!(seen, (0..=2 * 6 * FOLDS).collect::<Vec<_>>());
            } else {
                assert_eq!(seen, []);
            }
            let random = bits(&validation.random_with(&two(), &anywhere, 7, options()).unwrap());
            let scores = validation.scores_with::<Tiny, _>(&hyperparameters, options()).unwrap();
            let times: Vec<_> = grid.rows().iter().map(|row| row.nanoseconds.map(f64::to_bits)).collect();
            (bits(&grid), random, scores, times)
        });
        for (grid, found_random, found_scores, times) in &found {
            assert!(*grid == expected && *found_random == random && *found_scores == scores, "{ranks}");
            // All of rank 0's clock.
            assert_eq!(times, &found[0].3);
        }
    }
}

#[test]
fn a_journal_cut_anywhere_is_resumed() {
    let folder = Folder::new("cut");
    let file = folder.file();
    let expected = plain();
    let all = 2 * 6 * FOLDS;
    let failed: usize = expected.iter().flat_map(|(_, folds, _)| folds).filter(|fold| fold.is_err()).count();
    let (table, count) = counted(&file);
    assert_eq!(table.unwrap(), expected);
    // A training run that diverges has no score.
    assert_eq!(count, all - failed);
    let (table, count) = counted(&file);
    assert_eq!((table.unwrap(), count), (expected.clone(), 0));

    let whole = fs::read(&file).unwrap();
    for length in (0..whole.len()).step_by(37).chain([1, 8, 23, 24, 25, 31, 32, 33, whole.len() - 1]) {
        fs::write(&file, &whole[..length]).unwrap();
        let (table, count) = counted(&file);
        assert_eq!(table.unwrap(), expected, "{length}");
        assert!(count <= all - failed && (length > 100 || count > 0));
        // Now it is whole again, if in another order.
        assert_eq!(fs::read(&file).unwrap().len(), whole.len(), "{length}");
        // What a power failure may leave: the length of what was written, and zeros.
        let mut zeros = whole[..length].to_vec();
        zeros.resize(length + 50, 0);
        fs::write(&file, zeros).unwrap();
        match counted(&file) {
            (Ok(table), _) => assert_eq!(table, expected),
            // In the middle of a record that is then longer than what is there.
            (Err(SearchError::Journal { problem: JournalProblem::Checksum, .. }), 0) => {}
            (other, _) => panic!("{length}: {other:?}"),
        }
    }
}

#[test]
fn journals_of_others_and_damaged_ones() {
    let folder = Folder::new("other");
    let file = folder.file();
    counted(&file).0.unwrap();
    let whole = fs::read(&file).unwrap();
    let problem = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let error = counted(&file).0.unwrap_err();
        assert_eq!(fs::read(&file).unwrap(), bytes, "the file is unchanged");
        error.to_string().split_once("`: ").unwrap().1.to_string()
    };
    let with = |index: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[index] = byte;
        bytes
    };
    assert_eq!(problem(b"a letter to a friend, which is long"), "expected the journal of a search, found another file");
    let damaged = "expected a whole journal, found one with another checksum: it was damaged";
    for index in [9, 15, 21, 40, 100] {
        assert_eq!(problem(&with(index, whole[index] ^ 4)), damaged, "{index}");
    }
    let mut newer = whole[..8].to_vec();
    newer.extend(9u32.to_le_bytes());
    newer.extend(&whole[12..20]);
    newer.extend(crc32fast::hash(&newer[8..]).to_le_bytes());
    assert_eq!(problem(&newer), "expected a journal of format version 1, found version 9");

    // Another data set, and other candidates.
    fs::write(&file, &whole).unwrap();
    let (mut inputs, classes) = points(60);
    let networks = two();
    let search = |inputs: &[[f32; 2]], options: &CrossValidationOptions, space: &SearchSpace<AnyOptimizer>| {
        let validation = CrossValidation::stratified(inputs, &classes[..], CrossEntropy, accuracy, options).unwrap();
        let mut resumed = 0;
        let options = SearchOptions::new().journal(&file).on_progress(|progress| resumed = progress.resumed);
        let table = validation.grid_with(&networks, space, options);
        table.map(|table| table.rows().len()).map(|rows| (rows, resumed))
    };
    // A score of another name.
    let other = "expected the journal of this search, found that of one with other data, folds, seed, loss or score";
    let error = search(&inputs, &OPTIONS, &space()).unwrap_err().to_string();
    assert!(error.ends_with(other), "{error}");
    fs::remove_file(&file).unwrap();
    assert_eq!(search(&inputs, &OPTIONS, &space()).unwrap(), (12, 0));
    assert_eq!(search(&inputs, &OPTIONS, &space().alpha([0.0, 0.1])).unwrap(), (24, 12 * FOLDS));
    assert_eq!(search(&inputs, &OPTIONS, &space()).unwrap(), (12, 12 * FOLDS));
    let seed = CrossValidationOptions { seed: 4, ..OPTIONS };
    assert!(search(&inputs, &seed, &space()).unwrap_err().to_string().ends_with(other));
    inputs[59][1] += 1e-3;
    assert!(search(&inputs, &OPTIONS, &space()).unwrap_err().to_string().ends_with(other));

    // Two at the same time, and no folder.
    let lock = fs::OpenOptions::new().write(true).open(&file).unwrap();
    lock.lock().unwrap();
    let error = search(&inputs, &OPTIONS, &space()).unwrap_err().to_string();
    assert!(error.contains("found one that another process has open"), "{error}");
    let error = counted(&folder.0.join("none/file")).0.unwrap_err();
    assert!(matches!(error, SearchError::Journal { problem: JournalProblem::Write(_), .. }), "{error}");
}

#[test]
fn an_error_on_one_rank_is_one_on_all() {
    let folder = Folder::new("errors");
    let (inputs, classes) = points(60);
    let validation = CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, accuracy, &OPTIONS).unwrap();
    // Only rank 0 opens the journal.
    let errors = on_ranks(3, |communicator| {
        let options = SearchOptions::new().over(communicator).journal(folder.0.join("none/file"));
        validation.grid_with(&two(), &space(), options).unwrap_err().to_string()
    });
    assert!(errors[0].contains("the journal could not be written"), "{errors:?}");
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");

    // Another grid on rank 1.
    let errors = on_ranks(3, |communicator| {
        let space = if communicator.rank() == 1 { space().alpha([0.3]) } else { space() };
        validation.grid_with(&two(), &space, SearchOptions::new().over(communicator)).unwrap_err().to_string()
    });
    let differ = "expected the same candidates on all ranks, found another on rank 1 than on rank 0";
    assert_eq!(errors, [differ; 3]);

    // Nothing to try.
    let errors = on_ranks(2, |communicator| {
        validation
            .grid_with(&Networks::new(), &space(), SearchOptions::new().over(communicator))
            .unwrap_err()
            .to_string()
    });
    assert!(errors[0].contains("expected at least one network to try, found none"), "{errors:?}");
}

#[test]
fn a_panic_names_rank_candidate_and_fold_and_loses_nothing() {
    let folder = Folder::new("panic");
    let (inputs, classes) = points(60);
    let hook = std::panic::take_hook();
    // The panics are meant to be.
    std::panic::set_hook(Box::new(|_| {}));
    for ranks in [1, 3] {
        let file = folder.0.join(format!("{ranks}.journal"));
        let bad = AtomicUsize::new(0);
        let score = |classes: &[usize], outputs: &[[f32; 2]]| {
            // The candidates are handed out in their order, so this is one of the first.
            assert!(bad.fetch_add(1, Ordering::Relaxed) != 4, "the fifth score is one too many");
            accuracy(classes, outputs)
        };
        let search = |communicator: &dyn Communicator| {
            let validation =
                CrossValidation::stratified(&inputs[..], &classes[..], CrossEntropy, score, &OPTIONS).unwrap();
            let mut seen = Vec::new();
            let options = SearchOptions::new().over(communicator).journal(&file);
            let options = options.on_progress(|progress: &SearchProgress| seen.push(progress.finished));
            let table = validation.grid_with(&two(), &space(), options);
            (table.map(|table| bits(&table)), seen)
        };
        let mut finished = 0;
        for (rank, (result, seen)) in on_ranks(ranks, search).into_iter().enumerate() {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("a panic on rank ") && error.contains(" in fold "), "{error}");
            assert!(error.contains(" of the candidate (Dense<2, 4, Tanh>"), "{error}");
            assert!(error.ends_with(": the fifth score is one too many"), "{error}");
            if rank == 0 {
                finished = seen.last().copied().unwrap_or(0);
            }
        }
        assert!((4..36).contains(&finished), "{finished}");
        // What was finished is there.
        let (table, seen) = search(&SingleProcess);
        assert_eq!((table.unwrap(), seen[0]), (plain(), finished));
    }
    std::panic::set_hook(hook);
}
