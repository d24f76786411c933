//! Ranks that are processes: this program starts itself with `mpirun`. The same bits with any number of ranks; kills at random
//! moments, after which nothing is lost and nothing is done twice; errors that name the rank; and two network namespaces that
//! are as separate as two hosts.
//!
//! It has no test harness: what `mpirun` starts must be the program itself.
//!
//!     cargo test -p tuplenet-tests --test mpi --features mpi
//!     TUPLENET_KILLS=1000 cargo test -p tuplenet-tests --test mpi --features mpi -- kill

mod mpi {
    pub mod programs;
    pub mod start;
}

use mpi::programs::{self, RUNS};
use mpi::start::{Finished, Folder, mpirun, namespaces, random};
use std::collections::HashSet;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    if let Some(program) = std::env::var_os(mpi::start::PROGRAM) {
        return programs::run(&program.into_string().expect("a name"));
    }
    let tests: [(&str, fn()); 7] = [
        ("the_bits_do_not_depend_on_the_number_of_ranks", the_bits_do_not_depend_on_the_number_of_ranks),
        ("a_search_that_is_killed_resumes", a_search_that_is_killed_resumes),
        ("a_training_run_that_is_killed_resumes", a_training_run_that_is_killed_resumes),
        ("a_rank_that_fails_ends_all", a_rank_that_fails_ends_all),
        ("programs_that_differ", programs_that_differ),
        ("launchers_of_others", launchers_of_others),
        ("two_hosts", two_hosts),
    ];
    let filter: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, test) in tests {
        if filter.is_empty() || filter.iter().any(|part| name.contains(part)) {
            let start = Instant::now();
            // A panic ends the program with a message.
            test();
            println!("test {name} ... ok, {:.1} s", start.elapsed().as_secs_f64());
        }
    }
    ExitCode::SUCCESS
}

/// What all programs print that compute the same, with so many ranks; 0 for no `mpirun`.
fn output(ranks: usize, program: &str, folder: &Folder) -> String {
    let Finished { success, output, errors } = mpirun(ranks, program, folder).finish();
    assert!(success, "{program} on {ranks} ranks: {errors}{output}");
    output
}

fn the_bits_do_not_depend_on_the_number_of_ranks() {
    for program in ["train", "share", "search"] {
        let folder = Folder::new(program);
        let alone = output(0, program, &folder);
        assert!(alone.contains("bits"), "{alone}");
        for ranks in 1..=4 {
            let Finished { success, output, errors } = mpirun(ranks, program, &Folder::new(program)).finish();
            assert!(success, "{program} on {ranks} ranks: {errors}");
            assert_eq!(output, alone, "{program} on {ranks} ranks");
            // Rank 0 alone shows how far it is.
            for (of, end) in [("train", "epoch 4/4  loss "), ("search", "36/36 training runs  best fold ")] {
                assert_eq!(errors.matches(end).count(), usize::from(program == of), "{errors}");
            }
        }
    }
}

fn kills() -> usize {
    std::env::var("TUPLENET_KILLS").map_or(50, |kills| kills.parse().expect("a number of kills"))
}

/// Kills a random rank at a random moment, and starts again with another number of ranks, until one comes to its end;
/// returns its output and the number of kills.
fn killed_until_the_end(program: &str, folder: &Folder, longest: Duration) -> (String, usize) {
    let (mut kills, mut rng) = (0, random());
    loop {
        let ranks = 1 + rng(4);
        let mut started = mpirun(ranks as usize, program, folder);
        if started.ends_within(longest * rng(1000) as u32 / 1000) {
            let Finished { success, output, errors } = started.finish();
            assert!(success, "{errors}");
            return (output, kills);
        }
        let killed = started.kill_rank(rng(ranks) as usize);
        // `mpirun` sees it, and ends the others.
        let Finished { success, output, errors } = started.finish();
        if success {
            return (output, kills);
        }
        assert!(killed, "{errors}");
        kills += 1;
    }
}

/// The time of a program on two ranks that no one disturbs.
fn time_of(program: &str) -> Duration {
    let start = Instant::now();
    output(2, program, &Folder::new("time"));
    start.elapsed()
}

/// What a search that was killed has written to its log: for each start how many training runs the journal had, how many
/// were finished at least, and which were run.
fn sessions(folder: &Folder) -> Vec<(usize, usize, Vec<String>)> {
    let mut sessions: Vec<(usize, usize, Vec<String>)> = Vec::new();
    for line in fs::read_to_string(folder.0.join("log")).expect("a log").lines() {
        let (what, value) = line.split_once(' ').expect("two words");
        let last = sessions.last_mut();
        match (what, last) {
            ("resumed", _) => sessions.push((value.parse().expect("a count"), 0, Vec::new())),
            ("finished", Some((_, finished, _))) => *finished = value.parse().expect("a count"),
            ("run", Some((_, _, runs))) => runs.push(value.to_string()),
            _ => panic!("{line}"),
        }
    }
    sessions
}

fn a_search_that_is_killed_resumes() {
    let expected = output(0, "search", &Folder::new("search"));
    let whole = time_of("slow-search");
    let (mut total, mut repeated) = (0, 0);
    while total < kills() {
        let folder = Folder::new("killed-search");
        let (found, kills) = killed_until_the_end("slow-search", &folder, whole);
        assert_eq!(found, expected, "after {kills} kills");
        total += kills;

        let sessions = sessions(&folder);
        for (index, (resumed, finished, runs)) in sessions.iter().enumerate() {
            let in_the_end = sessions.get(index + 1).map_or(RUNS, |(resumed, ..)| *resumed);
            assert!(in_the_end >= *finished, "{finished} were finished, and only {in_the_end} are in the journal");
            let distinct: HashSet<&String> = runs.iter().collect();
            assert_eq!(distinct.len(), runs.len(), "nothing is run twice");
            // Those that were not finished are all that is run again.
            let again = sessions[index + 1..].iter().flat_map(|(.., runs)| runs).filter(|run| distinct.contains(run));
            let again = again.collect::<HashSet<_>>().len();
            assert_eq!(again, runs.len() - (in_the_end - resumed), "training runs of the journal are run again");
            repeated += again;
        }
    }
    println!("    {total} kills, after which {repeated} training runs that had not come to the journal were run again");
}

fn a_training_run_that_is_killed_resumes() {
    let expected = output(0, "checkpoint", &Folder::new("checkpoint"));
    let whole = time_of("checkpoint");
    let mut total = 0;
    while total < kills() {
        let folder = Folder::new("killed-training");
        let (found, kills) = killed_until_the_end("checkpoint", &folder, whole);
        assert_eq!(found, expected, "after {kills} kills");
        total += kills;
    }
    println!("    {total} kills");
}

fn a_rank_that_fails_ends_all() {
    for (program, message) in [
        ("panic", "rank 1 of 3: a panic: as it was meant"),
        ("error", "rank 1 of 3: an error of the program"),
        ("panic-in-search", "of the candidate (Dense<2, 4, Tanh>, Dense<4, 2, Softmax>), optimizer"),
        ("width", "rank 2 of 3: line 3: expected 2 values, found 3"),
    ] {
        let folder = Folder::new(program);
        let start = Instant::now();
        let Finished { success, errors, .. } = mpirun(3, program, &folder).finish();
        assert!(!success && errors.contains(message), "{program}: {errors}");
        assert!(start.elapsed() < Duration::from_secs(30), "{program} took {:?}", start.elapsed());
    }
}

fn programs_that_differ() {
    for (program, message) in [
        ("other-network", "expected the same program on all ranks, found another on rank 1 than on rank 0"),
        ("other-search", "expected the same candidates on all ranks, found another on rank 1 than on rank 0"),
    ] {
        let Finished { success, errors, .. } = mpirun(2, program, &Folder::new(program)).finish();
        assert!(!success && errors.contains(message), "{program}: {errors}");
    }
}

fn launchers_of_others() {
    // As if another library's `mpirun` had started this.
    let finished =
        mpi::start::alone("train", &Folder::new("launcher"), &[("PMI_SIZE", "3"), ("PMI_RANK", "1")]).finish();
    let message = "expected 3 ranks, found 1: the program was started by the launcher of another MPI library";
    assert!(!finished.success && finished.errors.contains(message), "{}", finished.errors);

    let finished = mpi::start::alone("not-launched", &Folder::new("launcher"), &[]).finish();
    let message =
        "expected a program that was started by `mpirun -n 4 program` or by `srun`, found one that was started alone";
    assert!(!finished.success && finished.errors.contains(message), "{}", finished.errors);
}

fn two_hosts() {
    let Some(hosts) = namespaces() else {
        println!("    not checked: no network namespaces here");
        return;
    };
    for program in ["train", "share", "search"] {
        let alone = output(0, program, &Folder::new(program));
        let folder = Folder::new(program);
        let Finished { success, output, errors } = hosts.mpirun(program, &folder).finish();
        assert!(success, "{errors}");
        assert_eq!(output, alone, "{program}");
        let [one, two] =
            [0, 1].map(|rank| fs::read_to_string(folder.0.join(format!("namespace.{rank}"))).expect("a text"));
        assert_ne!(one, two, "both ranks are on the same host");
        println!("    {program} in {one} and {two}");
    }
}
