//! Jobs that threads and ranks share: each gets the next one as it becomes free.
//!
//! On every rank some threads compute, and the calling thread carries the messages: MPI may want them from one thread alone.
//! Rank 0 hands out the jobs, to its own threads and to the other ranks, and computes as many itself.

use crate::train::cluster::{Communicator, panic_message};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{Scope, scope};

/// How often rank 0 looks for messages while it has nothing else to do: a small part of the shortest training run, and
/// long enough to leave the CPU to those that compute.
const POLL: Duration = Duration::from_micros(200);

/// The result of a job, or what its panic says.
pub(super) type JobResult<R> = Result<R, String>;

/// What a rank reports to rank 0.
#[derive(Serialize, Deserialize)]
enum Report<R> {
    /// One of its threads is free.
    Free,
    /// One of its threads has finished a job, and is free.
    Done(usize, JobResult<R>),
    /// None of its threads computes, and there are no more jobs.
    Left,
}

/// Computes the jobs `jobs` of rank 0 with so many threads on each rank. `finished` is called on rank 0 with each result and the rank
/// that it is from, and returns whether there should be more.
pub(super) fn share_out<R>(
    communicator: &dyn Communicator,
    threads: usize,
    jobs: Vec<usize>,
    compute: &(dyn Fn(usize) -> R + Sync),
    finished: &mut dyn FnMut(usize, usize, JobResult<R>) -> bool,
) where
    R: Send + Serialize + DeserializeOwned,
{
    scope(|scope| {
        let (give, take) = channel::<usize>();
        let (report, reports) = channel();
        // Not moved into the scope: the threads end when there is no one who gives.
        let take = Arc::new(Mutex::new(take));
        for _ in 0..threads.max(1) {
            start(scope, take.clone(), report.clone(), compute);
        }
        let threads = threads.max(1);
        if communicator.rank() == 0 {
            lead(communicator, threads, jobs, &give, &reports, finished);
        } else {
            follow(communicator, threads, &give, &reports);
        }
    });
}

/// Starts a thread that computes what it takes.
fn start<'scope, R: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    take: Arc<Mutex<Receiver<usize>>>,
    report: Sender<(usize, JobResult<R>)>,
    compute: &'scope (dyn Fn(usize) -> R + Sync),
) {
    scope.spawn(move || {
        loop {
            let job = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(job) = job else { return };
            let result = catch_unwind(AssertUnwindSafe(|| compute(job))).map_err(|panic| panic_message(&*panic));
            if report.send((job, result)).is_err() {
                return;
            }
        }
    });
}

/// Rank 0: hands out the jobs until all are finished, and all ranks have left.
fn lead<R: DeserializeOwned>(
    communicator: &dyn Communicator,
    threads: usize,
    jobs: Vec<usize>,
    give: &Sender<usize>,
    reports: &Receiver<(usize, JobResult<R>)>,
    finished: &mut dyn FnMut(usize, usize, JobResult<R>) -> bool,
) {
    let mut jobs = jobs.into_iter();
    let (mut ranks, mut computing, mut has_more) = (communicator.size() - 1, 0, true);
    for job in jobs.by_ref().take(threads) {
        computing += usize::from(give.send(job).is_ok());
    }
    while computing > 0 || ranks > 0 {
        while ranks > 0
            && let Some((rank, message)) = communicator.try_receive()
        {
            match postcard::from_bytes(&message) {
                Ok(Report::Left) => ranks -= 1,
                Ok(report) => {
                    if let Report::Done(job, result) = report {
                        has_more &= finished(job, rank, result);
                    }
                    let job = if has_more { jobs.next() } else { None };
                    communicator.send(rank, &postcard::to_stdvec(&job).unwrap_or_default());
                }
                // Not from this program, as the ranks have agreed before.
                Err(_) => {}
            }
        }
        if computing == 0 && ranks == 0 {
            break;
        }
        let report = if ranks == 0 {
            reports.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            reports.recv_timeout(POLL)
        };
        if let Ok((job, result)) = report {
            computing -= 1;
            has_more &= finished(job, 0, result);
            if has_more && let Some(job) = jobs.next() {
                computing += usize::from(give.send(job).is_ok());
            }
        }
    }
}

/// The other ranks: ask for jobs until there are none. Each report waits for its answer, so that never two ranks send to each
/// other at the same time, which MPI may not allow.
fn follow<R: Serialize>(
    communicator: &dyn Communicator,
    threads: usize,
    give: &Sender<usize>,
    reports: &Receiver<(usize, JobResult<R>)>,
) {
    let send = |report: Report<R>| {
        communicator.send(0, &postcard::to_stdvec(&report).unwrap_or_default());
    };
    let mut message = Vec::new();
    let mut computing = 0;
    let mut ask = |report: Report<R>| {
        send(report);
        communicator.receive(0, &mut message);
        let job: Option<usize> = postcard::from_bytes(&message).unwrap_or_default();
        usize::from(job.is_some_and(|job| give.send(job).is_ok()))
    };
    for _ in 0..threads {
        computing += ask(Report::Free);
    }
    while computing > 0
        && let Ok((job, result)) = reports.recv()
    {
        computing = computing - 1 + ask(Report::Done(job, result));
    }
    send(Report::Left);
}
