//! Ranks: the same bits with any number of them, those of one process; the same errors, on all ranks; checkpoints that
//! move between numbers of ranks. Here the ranks are threads; `mpi.rs` has processes.

#![cfg(all(feature = "cluster", feature = "rayon"))]

mod common;
#[path = "common/ranks.rs"]
mod ranks;

use common::bits;
use ranks::on_ranks;
use std::ops::ControlFlow;
use tuplenet::Error;
use tuplenet::data::{ClassWeighted, Share, Subset, Weighted, share};
use tuplenet::error::{NotFinite, TargetError};
use tuplenet::layers::{BatchNorm, Dropout, Residual};
use tuplenet::prelude::*;
use tuplenet::train::Parallel;
use tuplenet::train::checkpoint::Checkpoint;
use tuplenet::train::cluster::{Communicator, Distributed, SingleProcess};

/// Layers that leave more than gradients in a gradient, and one that must know the place of a sample in its batch.
type Net = (
    Dense<4, 32, Identity>,
    BatchNorm<32>,
    Tanh,
    Residual<(BatchNorm<32>, Dense<32, 32, Tanh>)>,
    Dropout<10>,
    Dense<32, 3, Softmax>,
);
type Learner = Trainer<Net, CrossEntropy, Adam, rand::rngs::Xoshiro256PlusPlus, 24>;

fn learner() -> Learner {
    Trainer::with_micro_batch(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.003), seeded(1))
}

fn data(count: usize) -> (Vec<[f32; 4]>, Vec<u8>, Vec<f32>) {
    let mut rng = seeded(9);
    let mut number = || f32::from_random_bits(rng.next_u64());
    let inputs = (0..count).map(|_| std::array::from_fn(|_| number() - 0.5)).collect::<Vec<[f32; 4]>>();
    let classes = inputs.iter().map(|x| if x[0] > x[1] { 0 } else { 1 + (x[2] > 0.0) as u8 }).collect();
    let weights = (0..count).map(|i| (i % 4) as f32 / 2.0).collect();
    (inputs, classes, weights)
}

/// The numbers of ranks that are tried.
const RANKS: [usize; 6] = [1, 2, 3, 4, 7, 40];

/// All state of a trainer: what a checkpoint has.
fn state(trainer: &Learner) -> Vec<u8> {
    postcard::to_stdvec(trainer).unwrap()
}

/// Losses and the trainer's state after steps, epochs and evaluations over batches of many sizes, by a `Distributed` or a
/// `Parallel`.
macro_rules! course {
    ($trainer:ident, $by:ident) => {{
        let (inputs, classes, weights) = data(1503);
        let targets = &Weighted { targets: &classes, weights: &weights };
        let mut losses = Vec::new();
        for _ in 0..2 {
            losses.push($by.step(&mut $trainer, &inputs, targets).unwrap());
            losses.push($by.epoch(&mut $trainer, &inputs, &classes, 401).unwrap());
            let fit = FitOptions { epochs: 2, batch_size: 300, shuffle: true };
            let validation = (&inputs[..1000], &classes[..1000]);
            let mut validated = Vec::new();
            let callback = |epoch: &EpochReport<_>| {
                validated.push(epoch.validation_loss.unwrap());
                if validated.len() == 1 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let report = $by.fit_validated(&mut $trainer, &inputs, targets, validation, &fit, callback).unwrap();
            assert_eq!(report.epochs, 2);
            losses.extend(validated);
            losses.push(report.loss);
            losses.push($by.fit(&mut $trainer, &inputs, &classes, &fit, ()).unwrap().loss);
            losses.push($by.evaluate(&mut $trainer, &inputs, targets).unwrap());
        }
        (losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>(), state(&$trainer))
    }};
}

#[test]
fn as_many_ranks_as_there_are_the_bits_are_those_of_one_process() {
    let (mut trainer, mut parallel) = (learner(), Parallel::new());
    let expected = course!(trainer, parallel);
    for ranks in RANKS {
        let found = on_ranks(ranks, |communicator| {
            let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
            course!(trainer, distributed)
        });
        for (rank, found) in found.into_iter().enumerate() {
            assert_eq!(found.0, expected.0, "losses on rank {rank} of {ranks}");
            assert!(found.1 == expected.1, "rank {rank} of {ranks}");
        }
    }
}

/// What a rank has of data that all can make.
fn share_of<E: Copy>(all: &[E], communicator: &dyn Communicator) -> Share<Vec<E>>
where
    Vec<E>: tuplenet::data::Samples<f32>,
{
    let (rank, ranks) = (communicator.rank(), communicator.size());
    Share::new::<f32>(all[share(all.len(), rank, ranks)].to_vec(), all.len(), rank, ranks).unwrap()
}

#[test]
fn shares_of_the_data_give_the_same_bits_on_any_number_of_ranks() {
    let (inputs, classes, weights) = data(1664);
    let program = |communicator: &dyn Communicator| {
        let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
        let (x, y) = (share_of(&inputs, communicator), share_of(&classes, communicator));
        let class_weighted = ClassWeighted { targets: &y, weights: [0.5, 2.0, 1.0] };
        let weighted = Weighted { targets: &y, weights: &weights };
        let fit = FitOptions { epochs: 3, batch_size: 500, shuffle: true };
        let in_order = FitOptions { shuffle: false, ..fit };
        let losses = [
            distributed.step(&mut trainer, &x, &y).unwrap(),
            distributed.epoch(&mut trainer, &x, &weighted, 555).unwrap(),
            distributed.fit_validated(&mut trainer, &x, &class_weighted, (&x, &y), &fit, ()).unwrap().loss,
            distributed.fit(&mut trainer, &x, &y, &in_order, ()).unwrap().loss,
            distributed.evaluate(&mut trainer, &x, &weighted).unwrap(),
            // Another order, and the loss of all samples is the same but for rounding.
            distributed.evaluate(&mut trainer, &inputs, &Weighted { targets: &classes, weights: &weights }).unwrap(),
        ];
        (losses.map(f32::to_bits), state(&trainer))
    };
    let expected = program(&SingleProcess);
    let [.., by_shares, whole] = expected.0.map(f32::from_bits);
    assert!((by_shares - whole).abs() < 1e-5, "{by_shares} {whole}");
    for ranks in RANKS {
        for (rank, found) in on_ranks(ranks, program).into_iter().enumerate() {
            assert!(found == expected, "rank {rank} of {ranks}");
        }
    }
}

/// A step by shares is that of the trainer alone but for rounding, and every sample of an epoch is trained on once.
#[test]
fn shares_are_all_of_the_data() {
    type Line = Dense<1, 1, Identity>;
    let line = || Trainer::new(Line::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let inputs: Vec<[f32; 1]> = (0..1000).map(|i| [i as f32 / 1000.0]).collect();
    let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [2.0 * x - 1.0]).collect();
    let mut alone = line();
    alone.step(&inputs, &targets).unwrap();
    for ranks in [1, 3] {
        for found in on_ranks(ranks, |communicator| {
            let (x, y) = (share_of(&inputs, communicator), share_of(&targets, communicator));
            let (mut trainer, mut distributed) = (line(), Distributed::new(communicator));
            distributed.step(&mut trainer, &x, &y).unwrap();
            let stepped = trainer.network.clone();
            // Without steps, the loss of an epoch is that of all samples.
            trainer.optimizer.set_learning_rate(0.0);
            let epoch = distributed.epoch(&mut trainer, &x, &y, 77).unwrap();
            (stepped, epoch, distributed.evaluate(&mut trainer, &x, &y).unwrap())
        }) {
            let (stepped, epoch, all) = found;
            assert!((bits_as_f32(&stepped)[0] - bits_as_f32(&alone.network)[0]).abs() < 1e-6);
            assert!((epoch - all).abs() < 1e-6, "{epoch} {all}");
        }
    }
}

fn bits_as_f32<N: tuplenet::model::Visit<f32>>(network: &N) -> Vec<f32> {
    bits(network).into_iter().map(|bits| f64::from_bits(bits) as f32).collect()
}

#[test]
fn errors_are_the_same_on_all_ranks_and_leave_no_trace() {
    const COUNT: usize = 3000;
    let (inputs, classes, weights) = data(COUNT);
    /// Breaks data, weights or targets.
    type Break = fn(&mut Vec<[f32; 4]>, &mut Vec<u8>, &mut Vec<f32>);
    let class = |sample, found| Error::Target { sample, problem: TargetError::Class { found, classes: 3 } };
    let input = |sample, column, found| Error::InputNotFinite { sample, column, found, epoch: 0, batch: 0 };
    let cases: [(Break, Error); 7] = [
        (|x, _, _| x[2999][3] = f32::NAN, input(2999, 3, NotFinite::Nan)),
        (|_, y, _| y[2500] = 7, class(2500, 7)),
        (|_, y, _| (y[700], y[2500]) = (8, 7), class(700, 8)),
        (|x, y, _| (x[2500][0], y[700]) = (f32::INFINITY, 7), class(700, 7)),
        (|_, _, w| w[2999] = -1.0, Error::Weight { epoch: 0, batch: 0 }),
        (|_, _, w| w.fill(0.0), Error::Weight { epoch: 0, batch: 0 }),
        (|_, y, _| y.truncate(10), Error::Lengths { what: "targets, one for each input", expected: COUNT, found: 10 }),
    ];
    for (spoil, error) in cases {
        let (mut x, mut y, mut w) = (inputs.clone(), classes.clone(), weights.clone());
        spoil(&mut x, &mut y, &mut w);
        w.truncate(y.len());
        for ranks in [1, 3] {
            let found = on_ranks(ranks, |communicator| {
                let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
                let (before, spoilt) = (state(&trainer), Weighted { targets: &y, weights: &w });
                assert_eq!(distributed.step(&mut trainer, &x, &spoilt), Err(error));
                let all = FitOptions { epochs: 2, batch_size: COUNT, shuffle: true };
                let failed = distributed.fit(&mut trainer, &x, &spoilt, &all, ());
                assert_eq!(failed.map(|report| report.epochs), Err(error));
                assert_eq!(distributed.evaluate(&mut trainer, &x, &spoilt), Err(error));
                if y.len() == COUNT {
                    let (x, spoilt) =
                        (share_of(&x, communicator), Weighted { targets: &share_of(&y, communicator), weights: &w });
                    assert_eq!(distributed.step(&mut trainer, &x, &spoilt), Err(error), "shares");
                }
                assert!(state(&trainer) == before);
                // A good step afterwards is that of one that saw nothing bad.
                let mut other = learner();
                let loss = distributed.step(&mut trainer, &inputs, &classes).unwrap();
                assert_eq!(loss, Distributed::new(communicator).step(&mut other, &inputs, &classes).unwrap());
                assert!(state(&trainer) == state(&other));
            });
            assert_eq!(found.len(), ranks);
        }
    }
}

#[test]
fn ranks_that_differ_are_an_error_on_all() {
    let (inputs, classes, _) = data(600);
    let fit = FitOptions { epochs: 2, batch_size: 600, shuffle: true };
    let differ = |what| Err::<(), _>(Error::Ranks { what, rank: 1 });
    let failed = |change: fn(usize, &mut Learner, &mut Vec<[f32; 4]>, &mut FitOptions)| {
        let results = on_ranks(3, |communicator| {
            let (mut trainer, mut inputs, mut fit) = (learner(), inputs.clone(), fit);
            if communicator.rank() == 1 {
                change(1, &mut trainer, &mut inputs, &mut fit);
            }
            Distributed::new(communicator).fit(&mut trainer, &inputs, &classes, &fit, ()).map(|_| ())
        });
        assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
        results[0]
    };
    assert_eq!(failed(|_, trainer, _, _| trainer.network = Net::new(&mut seeded(5))), differ("weights"));
    assert_eq!(failed(|_, _, inputs, _| inputs[599][3] = 9.0), differ("inputs"));
    assert_eq!(failed(|_, _, _, fit| fit.batch_size = 300), differ("batch size and shuffling"));
    assert_eq!(failed(|_, _, _, fit| fit.epochs = 3), differ("number of epochs to run"));
    assert_eq!(
        Error::Ranks { what: "weights", rank: 1 }.to_string(),
        "expected the same weights on all ranks, found another on rank 1 than on rank 0"
    );

    // One batch has all samples, so that only the order of a shuffled epoch of several shows another seed.
    let several = FitOptions { batch_size: 300, ..fit };
    let results = on_ranks(2, |communicator| {
        let mut trainer = learner();
        trainer.rng = seeded(communicator.rank() as u64);
        Distributed::new(communicator).fit(&mut trainer, &inputs, &classes, &several, ()).map(|_| ())
    });
    assert_eq!(results, [differ("order of samples"); 2]);

    // Data that are wrong on one rank, which fails with its own error.
    let results = on_ranks(2, |communicator| {
        let classes = if communicator.rank() == 1 { &classes[..7] } else { &classes };
        Distributed::new(communicator).fit(&mut learner(), &inputs, classes, &fit, ()).map(|_| ())
    });
    let own = Error::Lengths { what: "targets, one for each input", expected: 600, found: 7 };
    assert_eq!(results, [Err(Error::RankFailed { rank: 1 }), Err(own)]);
}

#[test]
fn a_callback_on_any_rank_ends_the_training_run_on_all() {
    let (inputs, classes, _) = data(600);
    let fit = FitOptions { epochs: 20, batch_size: 600, shuffle: true };
    let epochs = on_ranks(3, |communicator| {
        let rank = communicator.rank();
        let callback = |epoch: &EpochReport<_>| {
            if rank == 2 && epoch.number == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        Distributed::new(communicator).fit(&mut learner(), &inputs, &classes, &fit, callback).unwrap().epochs
    });
    assert_eq!(epochs, [5; 3]);
}

#[test]
fn shares_where_all_samples_are_needed() {
    let (inputs, classes, _) = data(100);
    let (x, y) = (share_of(&inputs, &SingleProcess), share_of(&classes, &SingleProcess));
    let mut trainer = learner();
    assert_eq!(trainer.step(&x, &y), Err(Error::Shares));
    assert_eq!(trainer.evaluate(&x, &y), Err(Error::Shares));
    assert_eq!(Parallel::new().step(&mut trainer, &x, &y), Err(Error::Shares));
    let mut distributed = Distributed::new(&SingleProcess);
    assert_eq!(distributed.step(&mut trainer, &x, &classes), Err(Error::Shares));
    let (indices, subset) = ([1, 2], &x);
    let subset = Subset { data: subset, indices: &indices };
    assert_eq!(distributed.step(&mut trainer, &subset, &classes[..2]), Err(Error::Shares));
    // 100 samples in 32 blocks: a batch of 40 has one sample of most.
    assert_eq!(distributed.epoch(&mut trainer, &x, &y, 40), Err(Error::LoneSample { batch: 0 }));
    let error = Share::new::<f32>(inputs, 101, 0, 1).unwrap_err();
    assert_eq!(error.to_string(), "expected 101 samples, the share of this rank, found 100");
}

#[test]
fn a_checkpoint_resumes_on_another_number_of_ranks() {
    let folder = std::env::temp_dir().join(format!("tuplenet-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (inputs, classes, _) = data(1000);
    let fit = |epochs| FitOptions { epochs, batch_size: 400, shuffle: true };
    let mut whole = learner();
    Parallel::new().fit(&mut whole, &inputs, &classes, &fit(12), ()).unwrap();
    let file = folder.join("net.checkpoint");
    for (ranks, epochs) in [(1, 3), (3, 5), (2, 8), (4, 12), (2, 12)] {
        let states = on_ranks(ranks, |communicator| {
            let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
            let mut history = History::new();
            // Only rank 0 has the folder.
            let path = if communicator.rank() == 0 { file.clone() } else { "/no/such/folder/file".into() };
            let mut checkpoint = Checkpoint::new(path, &mut history);
            distributed.resume(&mut checkpoint, &mut trainer).unwrap();
            let fit = fit(epochs - trainer.epochs);
            distributed.fit(&mut trainer, &inputs, &classes, &fit, &mut checkpoint).unwrap();
            assert_eq!(history.losses().len(), epochs);
            state(&trainer)
        });
        assert!(states.iter().all(|state| *state == states[0]));
        if epochs == 12 {
            assert!(states[0] == state(&whole), "{ranks}");
        }
    }
    // A file that can't be written is an error of rank 0, and ends all ranks.
    let results = on_ranks(2, |communicator| {
        let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
        let mut checkpoint = Checkpoint::new("/no/such/folder/file", ());
        assert!(!distributed.resume(&mut checkpoint, &mut trainer).unwrap());
        distributed.fit(&mut trainer, &inputs, &classes, &fit(1), &mut checkpoint).map(|_| ())
    });
    assert!(matches!(results[0], Err(Error::Checkpoint { .. })), "{results:?}");
    assert_eq!(results[1], Err(Error::RankFailed { rank: 0 }));
    // One that can't be read is one on all.
    std::fs::write(&file, b"no checkpoint").unwrap();
    for error in on_ranks(2, |communicator| {
        let (mut trainer, mut distributed) = (learner(), Distributed::new(communicator));
        distributed.resume(&mut Checkpoint::new(&file, ()), &mut trainer).unwrap_err().problem.to_string()
    }) {
        assert!(error.contains("expected a checkpoint, found a file that is none"), "{error}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A rank tells others of an error, and a journal keeps it.
#[test]
fn errors_come_through_as_they_are() {
    use tuplenet::error::Found;
    let errors = [
        Error::NoSamples,
        Error::Lengths { what: "a text of the program", expected: 3, found: 4 },
        Error::Setting { expected: "another text", found: Found::value(0.1f32) },
        Error::InputNotFinite { sample: 1, column: 2, found: NotFinite::MinusInfinity, epoch: 3, batch: 4 },
        Error::Target { sample: 7, problem: TargetError::Sum { found: Found::value(f64::NAN) } },
        Error::Ranks { what: "weights", rank: 3 },
    ];
    for error in errors {
        let bytes = postcard::to_stdvec(&error).unwrap();
        for _ in 0..2 {
            assert_eq!(postcard::from_bytes::<Error>(&bytes), Ok(error));
        }
        let damaged = &bytes[..bytes.len() - 1];
        assert!(bytes.len() == 1 || postcard::from_bytes::<Error>(damaged).is_err());
    }
    let file = std::env::temp_dir().join(format!("tuplenet-none-{}/file", std::process::id()));
    let failed = Trainer::new(<Dense<1, 1, Identity>>::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1))
        .fit(&[[1.0]], &[[1.0]], &FitOptions::default(), &mut Checkpoint::new(file, ()));
    let error = failed.unwrap_err();
    let bytes = postcard::to_stdvec(&error).unwrap();
    assert_eq!(postcard::from_bytes::<Error>(&bytes), Ok(error));
}
