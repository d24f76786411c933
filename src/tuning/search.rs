//! [`SearchOptions`]: searches with a journal, over the ranks of a cluster.

use super::architecture::{Architecture, Learner};
use super::journal::{Journal, JournalProblem, Record};
use super::share_out::{JobResult, share_out};
use super::space::Candidate;
use super::validation::{FoldScore, grid_candidates};
use super::{CrossValidation, Hyperparameters, Scalable, Scores, SearchSpace, Table};
use crate::activation::NoActivation;
use crate::data::Samples;
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Features, InputShape, LastActivation, Layer, Model, Network, Zeroed};
use crate::num::Real;
use crate::optimizer::Optimizer;
use crate::train::cluster::{Communicator, Hash, SingleProcess, agree, broadcast};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::any::type_name;
use core::fmt::{self, Write};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::PathBuf;

/// How a search is run: with a journal, from which it resumes, over the ranks of a cluster, with a progress bar. For
/// [`CrossValidation::grid_with`], [`random_with`](CrossValidation::random_with) and
/// [`scores_with`](CrossValidation::scores_with). Needs the feature `cluster`.
///
/// The table is the same with any number of ranks and threads, and with any number of interruptions, except for the times
/// of predictions.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::{
///     CrossValidation, CrossValidationOptions, Hyperparameters, SearchOptions, SearchSpace, accuracy, networks,
/// };
///
/// # let inputs: Vec<[f32; 2]> = (0..80).map(|i| [(i % 9) as f32, (i % 7) as f32]).collect();
/// # let classes: Vec<usize> = inputs.iter().map(|[x, y]| usize::from(x * y > 8.5)).collect();
/// let networks = networks![Dense<2, 2, Softmax>; (Dense<2, 8, Tanh>, Dense<8, 2, Softmax>)];
/// let grid = SearchSpace::new(Hyperparameters::new(Adam::new(0.01f32))).alpha([1e-4, 1e-2]);
/// let validation =
///     CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &CrossValidationOptions::default())?;
///
/// let file = std::env::temp_dir().join(format!("tuplenet-{}.journal", std::process::id()));
/// let table = validation.grid_with(&networks, &grid, SearchOptions::new().journal(&file))?;
/// // All results are there, so that nothing is trained again.
/// let again = validation.grid_with(&networks, &grid, SearchOptions::new().journal(&file))?;
/// assert_eq!(again.rows()[0].folds, table.rows()[0].folds);
/// # std::fs::remove_file(&file)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[doc(alias("n_jobs", "resume"))]
pub struct SearchOptions<'a> {
    journal: Option<PathBuf>,
    communicator: Option<&'a dyn Communicator>,
    progress: Option<Box<OnProgress<'a>>>,
}

/// Called after each training run.
type OnProgress<'a> = dyn FnMut(&SearchProgress) + 'a;

impl fmt::Debug for SearchOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchOptions")
            .field("journal", &self.journal)
            .field("ranks", &self.communicator.map_or(1, Communicator::size))
            .finish_non_exhaustive()
    }
}

/// What a search has done so far. A candidate has as many training runs as there are folds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct SearchProgress {
    /// The number of training runs that are finished, those of the journal included.
    pub finished: usize,
    /// How many of these the journal had when the search began.
    pub resumed: usize,
    /// The number of all training runs.
    pub runs: usize,
    /// The best score of a fold; NaN before the first.
    pub best: f64,
}

impl<'a> SearchOptions<'a> {
    /// No journal, one process, no progress.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A journal: a file to which each result is written as soon as there is one. A search that begins with the file of one that
    /// was interrupted trains only what is not in it.
    ///
    /// The file is that of a data set with its folds, seed, loss and score; with others it is refused. Candidates may be
    /// added and removed. What is not known of a program is the code of scores and networks: after a change
    /// there, delete the file. Failed training runs are results, too, and are not repeated.
    ///
    /// If the process is killed, no result is lost; if the machine loses power, at most those of the last second. Of many
    /// ranks only rank 0 needs the file.
    #[must_use]
    pub fn journal(self, path: impl Into<PathBuf>) -> Self {
        SearchOptions { journal: Some(path.into()), ..self }
    }

    /// Shares the training runs among all ranks: each gets the next one when it is free. All ranks call the search with the same
    /// arguments, and get the same table.
    #[must_use]
    pub fn over(self, communicator: &'a dyn Communicator) -> Self {
        SearchOptions { communicator: Some(communicator), ..self }
    }

    /// A function that is called on rank 0 at the beginning and after each training run.
    #[must_use]
    pub fn on_progress(self, progress: impl FnMut(&SearchProgress) + 'a) -> Self {
        SearchOptions { progress: Some(Box::new(progress)), ..self }
    }

    /// A progress bar on rank 0, in the last line of the terminal. Where the standard error is no terminal, as under
    /// `mpirun` and in a batch job, it writes a line every ten seconds instead.
    #[cfg(feature = "progress")]
    #[must_use]
    pub fn progress_bar(self) -> Self {
        use core::time::Duration;
        use indicatif::{ProgressBar, ProgressStyle};
        use std::time::Instant;
        const PAUSE: Duration = Duration::from_secs(10);
        let bar = ProgressBar::new(0);
        let bar = match ProgressStyle::with_template("{bar:24} {pos}/{len} training runs{msg}  {eta} left") {
            Ok(style) => bar.with_style(style.progress_chars("█▓░")),
            Err(_) => bar,
        };
        let mut written: Option<Instant> = None;
        self.on_progress(move |progress| {
            let &SearchProgress { finished, runs, best, .. } = progress;
            let message = if best.is_nan() { String::new() } else { format!("  best fold {best:.4}") };
            if bar.is_hidden() {
                if finished == runs || written.is_none_or(|written| written.elapsed() >= PAUSE) {
                    std::eprintln!("{finished}/{runs} training runs{message}");
                    written = Some(Instant::now());
                }
                return;
            }
            bar.set_length(runs as u64);
            bar.set_position(finished as u64);
            bar.set_message(message);
            if finished == runs {
                bar.abandon();
            }
        })
    }
}

/// Why a search has no table.
#[non_exhaustive]
pub enum SearchError {
    /// As for a search without options, and if ranks differ.
    Error(Error),
    /// The journal can't be used.
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: JournalProblem,
    },
    /// A training run has panicked.
    Panic {
        /// The rank on which it was.
        rank: usize,
        /// The network and the varied hyperparameters of the candidate.
        candidate: String,
        /// The fold.
        fold: usize,
        /// What the panic says.
        message: String,
    },
}

crate::error::debug_is_display!(SearchError);

impl fmt::Display for SearchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SearchError::Error(error) => error.fmt(f),
            SearchError::Journal { path, problem } => write!(f, "`{}`: {problem}", path.display()),
            SearchError::Panic { rank, candidate, fold, message } => {
                write!(f, "a panic on rank {rank} in fold {fold} of the candidate {candidate}: {message}")
            }
        }
    }
}

impl core::error::Error for SearchError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            SearchError::Error(error) => Some(error),
            SearchError::Journal { problem, .. } => Some(problem),
            SearchError::Panic { .. } => None,
        }
    }
}

impl From<Error> for SearchError {
    fn from(error: Error) -> Self {
        SearchError::Error(error)
    }
}

/// The results of all candidates in all folds, and the times of the networks.
type Results = (Vec<Result<FoldScore, Error>>, Vec<Option<f64>>);

/// What rank 0 tells the others at the end.
#[derive(Serialize, Deserialize)]
enum End {
    Finished(Vec<Result<FoldScore, Error>>, Vec<Option<f64>>),
    Failed(Error),
    Journal(String, String),
    Panic { rank: usize, candidate: String, fold: usize, message: String },
}

impl<T, Y, L, F, In: Scalable, const OUT: usize> CrossValidation<'_, T, Y, L, F, In, OUT>
where
    T: Real,
    Y: Samples<T, Item: Sync + fmt::Debug> + Sync + ?Sized,
    L: Loss<T, Y::Item, NoActivation, OUT> + Clone + Send + Sync + fmt::Debug,
    F: Fn(&[Y::Item], &[[T; OUT]]) -> Result<f64, Error> + Sync,
{
    /// [`grid`](Self::grid) with a journal, over ranks, or with a progress bar.
    ///
    /// # Errors
    ///
    /// As for [`grid`](Self::grid); if the journal can't be used; if a training run panics; and if ranks differ. On all
    /// ranks.
    pub fn grid_with<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        space: &SearchSpace<O>,
        options: SearchOptions,
    ) -> Result<Table<O>, SearchError>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync + fmt::Debug,
    {
        let candidates = grid_candidates(networks.len(), space)?;
        let (results, times) = self.search(networks, &candidates, options)?;
        Ok(self.rows(networks, candidates, &results, &times))
    }

    /// [`random`](Self::random) with a journal, over ranks, or with a progress bar. The candidates of a search with a
    /// larger `count` begin with those of one with a smaller, so that it can be continued.
    ///
    /// # Errors
    ///
    /// As for [`grid_with`](Self::grid_with), except for distributions.
    pub fn random_with<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        space: &SearchSpace<O>,
        count: usize,
        options: SearchOptions,
    ) -> Result<Table<O>, SearchError>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync + fmt::Debug,
    {
        let candidates = self.random_candidates(networks.len(), space, count)?;
        let (results, times) = self.search(networks, &candidates, options)?;
        Ok(self.rows(networks, candidates, &results, &times))
    }

    /// [`scores`](Self::scores) with a journal, or with the folds over ranks.
    ///
    /// # Errors
    ///
    /// As for [`scores`](Self::scores) and [`grid_with`](Self::grid_with).
    pub fn scores_with<N, O>(
        &self,
        hyperparameters: &Hyperparameters<O>,
        options: SearchOptions,
    ) -> Result<Scores, SearchError>
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
        N: Network + Send + Sync + 'static,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
        O: Optimizer<Scalar = T> + Clone + Send + Sync + fmt::Debug,
        Learner<N, L, O, T>: Send,
    {
        let networks = [Architecture::of::<N>(&[])];
        let candidates = [(0, Candidate { hyperparameters: hyperparameters.clone(), parameters: Vec::new() })];
        let mut folds = Vec::new();
        for result in self.search(&networks, &candidates, options)?.0 {
            folds.push(result?.score);
        }
        Ok(Scores { folds })
    }

    /// Returns the results of all candidates in all folds, and the times of the networks.
    fn search<O>(
        &self,
        networks: &[Architecture<T, Y, L, O, In, OUT>],
        candidates: &[(usize, Candidate<O>)],
        options: SearchOptions,
    ) -> Result<Results, SearchError>
    where
        O: Optimizer<Scalar = T> + Clone + Send + Sync + fmt::Debug,
    {
        let SearchOptions { journal: path, communicator, mut progress } = options;
        let communicator = communicator.unwrap_or(&SingleProcess);
        let search = self.fingerprint::<O>();
        let keys: Vec<u64> = candidates.iter().map(|candidate| key(networks, candidate)).collect();
        let mut all = Hash::new();
        keys.iter().for_each(|key| all.word(*key));
        let ready = self.check_candidates(networks, candidates);
        agree(communicator, ready, &[("search: program, data or options", search), ("candidates", all.0)])?;

        let folds = self.folds.len();
        let mut results: Vec<Option<Result<FoldScore, Error>>> = vec![None; candidates.len() * folds];
        let (mut journal, mut failure) = (None, None);
        if communicator.rank() == 0
            && let Some(path) = &path
        {
            match Journal::open(path, search) {
                Ok((opened, records)) => {
                    let known: HashMap<_, _> =
                        records.iter().map(|record| ((record.candidate, record.fold), record.result)).collect();
                    for (job, result) in results.iter_mut().enumerate() {
                        *result = known.get(&(keys[job / folds], job % folds)).copied();
                    }
                    journal = Some(opened);
                }
                Err(problem) => failure = Some(SearchError::Journal { path: path.clone(), problem }),
            }
        }
        let is_open = |result: &Option<_>| result.is_none() && failure.is_none();
        let jobs: Vec<usize> =
            results.iter().enumerate().filter(|(_, result)| is_open(result)).map(|(job, _)| job).collect();
        let mut state = SearchProgress {
            finished: results.len() - jobs.len(),
            resumed: results.len() - jobs.len(),
            runs: results.len(),
            best: results.iter().flatten().flatten().map(|fold| fold.score).fold(f64::NAN, f64::max),
        };
        let mut report = |state: &SearchProgress| {
            if let Some(progress) = &mut progress
                && communicator.rank() == 0
            {
                progress(state);
            }
        };
        report(&state);
        let mut finished = |job: usize, rank: usize, outcome: JobResult<Result<FoldScore, Error>>| {
            let (candidate, fold) = (job / folds, job % folds);
            match outcome {
                Ok(result) => {
                    results[job] = Some(result);
                    state.finished += 1;
                    state.best = result.map_or(state.best, |result| state.best.max(result.score));
                    let record = Record { candidate: keys[candidate], fold, result };
                    if let (Some(journal), Some(path)) = (&mut journal, &path)
                        && let Err(problem) = journal.append(&record)
                    {
                        failure.get_or_insert(SearchError::Journal { path: path.clone(), problem });
                    }
                    report(&state);
                }
                Err(message) => {
                    let candidate = describe(networks, &candidates[candidate]);
                    failure.get_or_insert(SearchError::Panic { rank, candidate, fold, message });
                }
            }
            failure.is_none()
        };
        #[cfg(feature = "rayon")]
        let threads = rayon::current_num_threads();
        #[cfg(not(feature = "rayon"))]
        let threads = 1;
        let compute = |job: usize| self.result(networks, candidates, job);
        share_out(communicator, threads, jobs, &compute, &mut finished);
        if let (Some(journal), Some(path)) = (&mut journal, &path)
            && let Err(problem) = journal.sync()
        {
            failure.get_or_insert(SearchError::Journal { path: path.clone(), problem });
        }

        let mut end = Vec::new();
        let own = if communicator.rank() == 0 {
            let own = match failure {
                None => Ok((results.into_iter().flatten().collect(), self.times(networks))),
                Some(failure) => Err(failure),
            };
            end = postcard::to_stdvec(&told(&own)).unwrap_or_default();
            Some(own)
        } else {
            None
        };
        broadcast(communicator, 0, &mut end);
        own.unwrap_or_else(|| heard(&end))
    }

    /// A hash of all that a result depends on, except the candidate and the fold.
    fn fingerprint<O>(&self) -> u64 {
        let mut hash = Hash::new();
        let mut item = Y::Item::ZEROED;
        for (index, sample) in self.inputs.iter().enumerate() {
            hash.values(In::elements::<T>(sample));
            self.targets.copy(index, &mut item);
            // Writing to a hash does not fail.
            let _ = write!(hash, "{item:?}");
            hash.word(self.targets.weight(index).exact().to_bits());
        }
        for part in &self.folds {
            for indices in [&part.train, &part.test] {
                hash.word(indices.len() as u64);
                indices.iter().for_each(|&index| hash.word(index as u64));
            }
        }
        let names =
            [type_name::<T>(), type_name::<In>(), type_name::<O>(), type_name::<F>(), env!("CARGO_PKG_VERSION")];
        let _ = write!(hash, "{names:?} {:?} {:?} {}", self.loss, self.scaling, self.seed);
        hash.0
    }
}

/// A hash of a candidate.
fn key<T, Y, L, O, In: Scalable, const OUT: usize>(
    networks: &[Architecture<T, Y, L, O, In, OUT>],
    (network, choice): &(usize, Candidate<O>),
) -> u64
where
    T: Real,
    Y: Samples<T> + Sync + ?Sized,
    L: Clone + Send + Sync,
    O: Optimizer<Scalar = T> + Clone + Send + Sync + fmt::Debug,
{
    let mut hash = Hash::new();
    let name = networks.get(*network).map(Architecture::name);
    // `Debug` of floating-point numbers writes all their digits.
    let _ = write!(hash, "{name:?} {:?}", choice.hyperparameters);
    hash.0
}

/// A candidate for a message.
fn describe<T, Y, L, O, In: Scalable, const OUT: usize>(
    networks: &[Architecture<T, Y, L, O, In, OUT>],
    (network, choice): &(usize, Candidate<O>),
) -> String
where
    T: Real,
    Y: Samples<T> + Sync + ?Sized,
    L: Clone + Send + Sync,
    O: Optimizer<Scalar = T> + Clone + Send + Sync,
{
    let mut text = networks.get(*network).map(Architecture::name).unwrap_or_default();
    for (name, value) in &choice.parameters {
        text += &format!(", {name} {value}");
    }
    text
}

fn told(own: &Result<Results, SearchError>) -> End {
    match own {
        Ok((results, times)) => End::Finished(results.clone(), times.clone()),
        Err(SearchError::Error(error)) => End::Failed(*error),
        Err(SearchError::Journal { path, problem }) => End::Journal(path.to_string_lossy().into(), problem.to_string()),
        Err(SearchError::Panic { rank, candidate, fold, message }) => {
            let (candidate, message) = (candidate.clone(), message.clone());
            End::Panic { rank: *rank, candidate, fold: *fold, message }
        }
    }
}

fn heard(end: &[u8]) -> Result<Results, SearchError> {
    match postcard::from_bytes(end) {
        Ok(End::Finished(results, times)) => Ok((results, times)),
        Ok(End::Failed(error)) => Err(error.into()),
        Ok(End::Journal(path, text)) => {
            Err(SearchError::Journal { path: path.into(), problem: JournalProblem::Elsewhere(text) })
        }
        Ok(End::Panic { rank, candidate, fold, message }) => Err(SearchError::Panic { rank, candidate, fold, message }),
        Err(_) => Err(Error::Ranks { what: "program", rank: 0 }.into()),
    }
}
