//! Cross-validation and searches: the same values as by hand, failures that cost the others nothing, readable errors.

#![cfg(feature = "std")]

use tuplenet::data::{StandardScaler, Subset, stratified_k_folds};
use tuplenet::error::{NotFinite, TargetError};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::optimizer::schedule::{Constant, ReduceOnPlateau};
use tuplenet::optimizer::{AnyOptimizer, Momentum, StateLayout};
use tuplenet::prelude::*;
use tuplenet::train::callbacks::{Callback, EpochReport};
use tuplenet::tuning::{
    Architecture, CrossValidation, CrossValidationOptions, Hyperparameters, NoImprovement, Scaling, SearchSpace, Table,
    accuracy, log_uniform, neg_mean_squared_error, networks, r2, uniform,
};
use tuplenet::{Error, seeded};

type Small = (Dense<2, 4, Tanh>, Dense<4, 2, Softmax>);
type Tiny = Dense<2, 2, Softmax>;

/// Points in the plane, and whether they lie inside a circle.
fn points(count: usize) -> (Vec<[f32; 2]>, Vec<usize>) {
    let mut rng = seeded(7);
    let mut number = || (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32 * 4.0 + 1.0;
    let inputs: Vec<[f32; 2]> = (0..count).map(|_| [number(), number()]).collect();
    let classes = inputs.iter().map(|[x, y]| usize::from((x - 3.0).hypot(y - 3.0) < 1.5)).collect();
    (inputs, classes)
}

/// The list whose types follow from the validation that it is searched by.
fn two<Y: tuplenet::data::Samples<f32, Item = usize> + Sync + ?Sized, O>()
-> Vec<Architecture<f32, Y, CrossEntropy, O, Features<2>, 2>>
where
    O: Optimizer<Scalar = f32, Shared: Send> + Clone + Send + Sync,
    O::State: StateLayout<ForNetwork<Small>: Send, ForNetwork<Tiny>: Send>,
{
    networks![for hidden in [4] (Dense<2, hidden, Tanh>, Dense<hidden, 2, Softmax>); Dense<2, 2, Softmax>]
}

/// A candidate, its scores to the last bit, and its epochs.
type Bits = (String, Vec<Result<u64, Error>>, Vec<usize>);

fn bits<O>(table: &Table<O>) -> Vec<Bits> {
    let row = |row: &tuplenet::tuning::Row<O>| {
        let scores = row.folds.iter().map(|score| score.map(f64::to_bits)).collect();
        (format!("{} {:?}", row.network, row.parameters), scores, row.epochs.clone())
    };
    table.rows().iter().map(row).collect()
}

#[test]
fn scores_are_those_of_a_loop_by_hand() {
    let (inputs, classes) = points(61);
    let options = CrossValidationOptions { folds: 4, scaling: Scaling::Standard, seed: 9 };
    let hyperparameters = Hyperparameters {
        alpha: 0.3,
        l2: 0.01,
        fit: FitOptions { epochs: 20, batch_size: 15, shuffle: true },
        no_improvement: None,
        ..Hyperparameters::new(Adam::new(0.02))
    };
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options).unwrap();
    let scores = validation.scores::<Small, _>(&hyperparameters).unwrap();

    let mut indices = vec![0; inputs.len()];
    let mut folds = stratified_k_folds::<2, _>(&classes, &mut indices, 4, &mut seeded(9)).unwrap();
    let (mut expected, mut fold) = (Vec::new(), 0);
    while let Some((train, test)) = folds.next_fold() {
        let scaler = StandardScaler::fit(&Subset { data: &inputs, indices: train }).unwrap();
        let scaled: Vec<[f32; 2]> = inputs.iter().map(|input| scaler.transform(input)).collect();
        let mut rng = seeded(9 + fold);
        let network = Small::new(&mut rng);
        // scikit-learn's alpha is divided by the size of the batch.
        let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(0.02).l2((0.01 + 0.3 / 15.0) as f32), rng);
        let of = |indices| (Subset { data: &scaled, indices }, Subset { data: &classes, indices });
        let (x, y) = of(train);
        trainer.fit(&x, &y, &hyperparameters.fit, ()).unwrap();
        let (x, y) = of(test);
        expected.push(ConfusionMatrix::of(&trainer.network, &x, &y).unwrap().accuracy());
        fold += 1;
    }
    assert_eq!(scores.folds, expected);
    let mean = expected.iter().sum::<f64>() / 4.0;
    assert_eq!(scores.mean(), mean);
    let variance = expected.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / 4.0;
    assert!((scores.standard_deviation() - variance.sqrt()).abs() < 1e-15);
    assert!(mean > 0.6 && variance > 0.0, "a test that tells nothing: {expected:?}");
}

/// A rule by itself and as one of many: the same bits, step by step, over layers and penalties.
#[test]
fn any_optimizer_is_the_one_it_holds() {
    type Net = (Dense<2, 5, Tanh>, Dense<5, 2, Softmax>);
    let (inputs, classes) = points(20);
    fn weights(trainer: &Trainer<Net, CrossEntropy, impl Optimizer<Scalar = f32>, impl Rng>) -> Vec<u32> {
        let (a, b) = &trainer.network;
        let all = a.weight.iter().chain(&a.bias).chain(&b.weight).chain(&b.bias);
        all.map(|number| number.to_bits()).collect()
    }
    macro_rules! compare {
        ($($rule:expr),+) => {$({
            let rule = $rule;
            let mut alone = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, rule, seeded(1));
            let any: AnyOptimizer = rule.into();
            assert_eq!(any.learning_rate(), rule.learning_rate());
            let mut held = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, any, seeded(1));
            let mut before = weights(&alone);
            for step in 0..5 {
                let losses = [alone.step(&inputs, &classes).unwrap(), held.step(&inputs, &classes).unwrap()];
                assert_eq!(losses[0], losses[1]);
                assert_eq!(weights(&alone), weights(&held), "{any}, step {step}");
                assert_ne!(weights(&alone), before, "{any} does nothing");
                before = weights(&alone);
            }
        })+};
    }
    compare!(
        Sgd::new(0.1),
        Sgd::new(0.1).momentum(0.9),
        Sgd::new(0.1).nesterov(0.9),
        Adagrad::new(0.1),
        RmsProp::new(0.1),
        Adam::new(0.1),
        AdamW::new(0.1)
    );
}

#[test]
fn a_candidate_that_diverges_costs_the_others_nothing() {
    let (inputs, targets) = points(40);
    let targets: Vec<[f32; 1]> = targets.iter().zip(&inputs).map(|(&class, x)| [class as f32 + x[0]]).collect();
    let options = CrossValidationOptions { folds: 3, ..CrossValidationOptions::default() };
    let validation = CrossValidation::shuffled(&inputs, &targets, MeanSquaredError, r2, &options).unwrap();
    let networks = networks![for hidden in [3] (Dense<2, hidden, Relu>, Dense<hidden, 1, Identity>)];
    let space = |learning_rates: &[f64]| {
        SearchSpace::new(Hyperparameters::new(Sgd::new(0.1f32))).learning_rate(learning_rates.to_vec())
    };
    let with = validation.grid(&networks, &space(&[0.01, 1e6, 0.1, 1e7])).unwrap();
    let without = validation.grid(&networks, &space(&[0.01, 0.1])).unwrap();

    assert_eq!(with.rows().len(), 4);
    assert_eq!(with.failed().count(), 2);
    assert_eq!(bits(&with)[..2], bits(&without)[..]);
    let failed = &with.rows()[2];
    assert!(failed.mean().is_nan());
    assert!(matches!(failed.failure(), Some((0, Error::LossNotFinite { .. } | Error::StepNotFinite { .. }))));
    let text = with.to_string();
    assert_eq!(text.lines().filter(|line| line.contains("failed in fold 0: expected ")).count(), 2, "{text}");
    assert!(with.best().is_some() && with.smallest(-1e9).is_some() && with.pareto().len() == 1);

    let none = validation.grid(&networks, &space(&[1e6])).unwrap();
    assert!(none.best().is_none() && none.smallest(0.0).is_none() && none.pareto().is_empty());
    assert_eq!(none.smallest_within_one_error(), None);
}

#[test]
fn bad_data_and_empty_searches_are_errors_in_words() {
    let (inputs, classes) = points(12);
    let options = CrossValidationOptions { folds: 3, ..CrossValidationOptions::default() };
    let stratified = |inputs: &[[f32; 2]], classes: &[usize], options: &CrossValidationOptions| {
        let validation = CrossValidation::stratified(inputs, classes, CrossEntropy, accuracy::<f32, usize, 3>, options);
        validation.err().map(|error| error.to_string())
    };
    let three: Vec<usize> = (0..12).map(|i| i % 3).collect();
    assert_eq!(stratified(&inputs, &three, &options), None);
    let error = |words: &str| Some(words.to_string());
    assert_eq!(stratified(&inputs, &classes, &options), error("expected at least 3 samples of class 2, found 0"));
    assert_eq!(stratified(&inputs, &[1; 12], &options), error("expected at least 3 samples of class 0, found 0"));
    let five = CrossValidationOptions { folds: 5, ..options };
    assert_eq!(stratified(&inputs, &three, &five), error("expected at least 5 samples of class 0, found 4"));
    let many = CrossValidationOptions { folds: 13, ..options };
    assert_eq!(stratified(&inputs, &three, &many), error("expected at least 13 samples, found 12"));
    let one = CrossValidationOptions { folds: 1, ..options };
    assert_eq!(stratified(&inputs, &three, &one), error("expected at least 2 folds, found 1"));
    assert_eq!(stratified(&inputs[..11], &three, &options), error("expected 11 targets, one for each input, found 12"));
    assert_eq!(stratified(&[], &[], &options), error("expected at least one sample, found none"));
    let mut out = three.clone();
    out[4] = 7;
    assert_eq!(
        stratified(&inputs, &out, &options),
        error("target of sample 4: expected a class index below 3, found 7")
    );
    let mut holes = inputs.clone();
    holes[8][1] = f32::NAN;
    assert_eq!(
        stratified(&holes, &three, &options),
        error("expected finite values, found an infinite one or NaN in sample 8, column 1")
    );

    let numbers: Vec<[f32; 1]> = (0..12).map(|i| [if i == 5 { f32::INFINITY } else { i as f32 }]).collect();
    let shuffled = CrossValidation::shuffled(&inputs, &numbers, MeanSquaredError, r2, &options).map(|_| ());
    assert_eq!(
        shuffled,
        Err(Error::Target { sample: 5, problem: TargetError::NotFinite { column: 0, found: NotFinite::Infinity } })
    );
    let with_folds = |folds: Vec<(Vec<usize>, Vec<usize>)>| {
        CrossValidation::with_folds(&inputs, &classes, CrossEntropy, accuracy::<f32, usize, 2>, folds, &options)
            .map(|_| ())
    };
    assert_eq!(with_folds(vec![(vec![0, 1], vec![12])]), Err(Error::Index { found: 12, count: 12 }));
    assert_eq!(with_folds(vec![(vec![0, 1], vec![])]), Err(Error::NoSamples));
    assert_eq!(with_folds(vec![]), Err(Error::NoValues { name: "fold" }));

    let options = CrossValidationOptions { folds: 2, ..options };
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options).unwrap();
    let space = || SearchSpace::new(Hyperparameters::new(Adam::new(0.01f32)));
    let grid = |space: SearchSpace<Adam>| validation.grid(&two(), &space).unwrap_err().to_string();
    assert_eq!(grid(space().alpha([0.1]).learning_rate([])), "expected at least one learning_rate to try, found none");
    assert!(
        grid(space().learning_rate(uniform(0.1, 0.2)))
            .starts_with("expected a list of values of learning_rate for a grid")
    );
    for wrong in [log_uniform(0.0, 1.0), uniform(2.0, 1.0), uniform(f64::NAN, 1.0), log_uniform(1.0, f64::INFINITY)] {
        assert_eq!(validation.random(&two(), &space().l1(wrong), 3).unwrap_err(), Error::Bounds { name: "l1" });
    }
    assert_eq!(validation.random(&two(), &space(), 0).unwrap_err(), Error::NoValues { name: "candidate" });
    assert_eq!(validation.grid(&[], &space()).unwrap_err(), Error::NoValues { name: "network" });
    assert_eq!(validation.random(&[], &space(), 3).unwrap_err(), Error::NoValues { name: "network" });
}

#[test]
fn a_grid_has_every_combination_once_and_the_table_is_sorted() {
    let (inputs, classes) = points(40);
    let options = CrossValidationOptions { folds: 3, ..CrossValidationOptions::default() };
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options).unwrap();
    let start = Hyperparameters {
        fit: FitOptions { epochs: 15, ..FitOptions::default() },
        ..Hyperparameters::new(AnyOptimizer::from(Sgd::new(0.1)))
    };
    let grid = SearchSpace::new(start)
        .learning_rate([0.003, 0.1])
        .optimizer([Sgd::new(9.0).into(), Adam::new(9.0).into()])
        .schedule([Constant.into(), ReduceOnPlateau::new().into()]);
    let networks = two();
    let table = validation.grid(&networks, &grid).unwrap();
    assert_eq!(table.rows().len(), 16);
    let mut seen: Vec<String> = bits(&table).into_iter().map(|row| row.0).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 16);
    for rows in table.rows().windows(2) {
        assert!(rows[0].mean() >= rows[1].mean());
    }
    for row in table.rows() {
        // The rate of the grid, whatever the optimizer was made with, and in whatever order they are named.
        assert_eq!(row.hyperparameters.complete(40).learning_rate(), row.hyperparameters.learning_rate.unwrap() as f32);
        assert_eq!(row.parameter("optimizer"), Some(&row.hyperparameters.optimizer.to_string()[..]));
        assert_eq!(row.parameter("learning_rate"), Some(&row.hyperparameters.learning_rate.unwrap().to_string()[..]));
        let [count, bytes] = if row.index == 0 { [22, size_of::<Small>()] } else { [6, size_of::<Tiny>()] };
        assert_eq!((row.count, row.bytes), (count, bytes));
        assert_eq!(row.parameter("hidden"), (row.index == 0).then_some("4"));
        assert!(row.nanoseconds.is_some_and(|time| time > 0.0));
    }

    // By the definition: none is better and no larger, or smaller and no worse.
    let beats = |a: &tuplenet::tuning::Row<_>, b: &tuplenet::tuning::Row<_>| {
        (a.mean() > b.mean() && a.bytes <= b.bytes) || (a.mean() >= b.mean() && a.bytes < b.bytes)
    };
    let front = table.pareto();
    assert!(!front.is_empty());
    for row in &front {
        assert!(!table.rows().iter().any(|other| beats(other, row)));
    }
    for row in table.rows() {
        let same = |other: &&tuplenet::tuning::Row<_>| other.mean() == row.mean() && other.bytes == row.bytes;
        assert_eq!(front.iter().any(same), !table.rows().iter().any(|other| beats(other, row)));
    }
    let smallest = table.smallest(0.0).unwrap();
    assert_eq!(smallest.index, 1);
    assert_eq!(table.smallest(table.best().unwrap().mean()).unwrap().mean(), table.best().unwrap().mean());
    assert!(table.smallest(1.1).is_none());
    let within = table.smallest_within_one_error().unwrap();
    assert!(within.mean() >= table.best().unwrap().mean() - table.best().unwrap().standard_deviation());

    // Every line of the printed table has its numbers below their heads.
    let text = table.to_string();
    let lines: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
    assert_eq!(lines.len(), 17);
    let head: String = lines[0].iter().collect();
    assert_eq!(
        head.split_whitespace().collect::<Vec<_>>(),
        ["network", "hidden", "learning_rate", "optimizer", "schedule", "score", "parameters", "bytes", "ns"]
    );
    for line in &lines {
        assert_eq!(line.len(), lines[0].len(), "{text}");
    }
    let short = format!("{table:.3}");
    assert_eq!(short.lines().count(), 5);
    assert_eq!(short.lines().last(), Some("and 13 more"));
    let csv = table.to_csv();
    assert_eq!(csv.lines().count(), 17);
    let scores = "mean,standard_deviation,fold_0,fold_1,fold_2,epochs,parameters,";
    assert!(csv.starts_with(&format!("network,hidden,learning_rate,optimizer,schedule,{scores}")));
    assert!(csv.contains("\"(Dense<2, 4, Tanh>, Dense<4, 2, Softmax>)\",4,"));

    // What is used in the end is what the hyperparameters make of all samples.
    let best = table.rows().iter().find(|row| row.index == 0).unwrap();
    let predict = validation.predictor(&networks, best).unwrap();
    let fitted = validation.fit::<Small, _>(&best.hyperparameters).unwrap();
    assert_eq!(predict(&inputs[3]), fitted.predict_one(&inputs[3]));
    let (first, last) = *fitted.network.clone();
    let folded = (fitted.scaler.fold(first), last).predict_one(&inputs[3]);
    assert!((folded[0] - predict(&inputs[3])[0]).abs() < 1e-5);
}

#[test]
fn a_random_search_draws_from_what_it_is_told() {
    let (inputs, classes) = points(30);
    let options = CrossValidationOptions { folds: 2, seed: 3, ..CrossValidationOptions::default() };
    let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options).unwrap();
    let start = || Hyperparameters {
        fit: FitOptions { epochs: 1, ..FitOptions::default() },
        ..Hyperparameters::new(Adam::new(0.01))
    };
    let space = || {
        let space = SearchSpace::new(start())
            .learning_rate(log_uniform(1e-4, 1e-1))
            .batch_size(uniform(4.0, 20.0))
            .alpha([0.1, 0.2]);
        space.l1(uniform(0.0, 1.0))
    };
    let table = validation.random(&two(), &space(), 400).unwrap();
    assert_eq!(bits(&table), bits(&validation.random(&two(), &space(), 400).unwrap()), "the seed decides");
    let rows = table.rows();
    assert_eq!(rows.len(), 400);
    let share =
        |is: &dyn Fn(&tuplenet::tuning::Row<Adam>) -> bool| rows.iter().filter(|row| is(row)).count() as f64 / 400.0;
    assert!(rows.iter().all(|row| (1e-4..=1e-1).contains(&row.hyperparameters.learning_rate.unwrap())));
    assert!(rows.iter().all(|row| (4..=20).contains(&row.hyperparameters.fit.batch_size)));
    // Each by five standard deviations of a share of 400.
    for (found, right) in [
        (share(&|row| row.hyperparameters.learning_rate.unwrap() < 1e-3), 1.0 / 3.0),
        (share(&|row| row.hyperparameters.learning_rate.unwrap() < 1e-2), 2.0 / 3.0),
        (share(&|row| row.hyperparameters.fit.batch_size < 12), 0.5),
        (share(&|row| row.hyperparameters.l1 < 0.25), 0.25),
        (share(&|row| row.hyperparameters.alpha == 0.1), 0.5),
        (share(&|row| row.index == 0), 0.5),
    ] {
        assert!((found - right).abs() < 0.125, "{found} for {right}");
    }

    // Of lists none is drawn twice.
    let lists =
        || SearchSpace::new(start()).alpha([0.1, 0.2, 0.3]).or(SearchSpace::new(start()).learning_rate([0.1, 0.2]));
    let mut some: Vec<String> =
        bits(&validation.random(&two(), &lists(), 7).unwrap()).into_iter().map(|row| row.0).collect();
    some.sort();
    some.dedup();
    assert_eq!(some.len(), 7);
    let mut all = bits(&validation.random(&two(), &lists(), 99).unwrap());
    let mut grid = bits(&validation.grid(&two(), &lists()).unwrap());
    all.sort_by(|a, b| a.0.cmp(&b.0));
    grid.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all, grid);
}

/// scikit-learn's rule, written out for given losses.
#[test]
fn a_training_that_stalls_ends() {
    let network = Tiny::new(&mut seeded(0));
    let epochs = |hyperparameters: &Hyperparameters<Sgd>, losses: &dyn Fn(usize) -> f32| {
        let mut callback = hyperparameters.callback();
        (0..1000).find(|&number| {
            let epoch = EpochReport { number, loss: losses(number), validation_loss: None, network: &network };
            Callback::<Tiny>::epoch(&mut callback, &epoch).is_break()
        })
    };
    let hyperparameters = |schedule| Hyperparameters { schedule, ..Hyperparameters::new(Sgd::new(0.001)) };
    let falls = |number: usize| 100.0 - number as f32;
    let stalls = |number: usize| 10.0 - (number.min(20) as f32) * 0.1;
    assert_eq!(epochs(&hyperparameters(Constant.into()), &falls), None);
    // Epoch 20 is the last better one, and the eleventh after it is one too many.
    assert_eq!(epochs(&hyperparameters(Constant.into()), &stalls), Some(31));
    // From 0.001 it takes five divisions by 5 to come below 1e-6, and then once more eleven epochs.
    let adaptive = ReduceOnPlateau { patience: 10, ..ReduceOnPlateau::new() };
    assert_eq!(epochs(&hyperparameters(adaptive.into()), &stalls), Some(31 + 5 * 11));
    let never = Hyperparameters { no_improvement: None, ..hyperparameters(Constant.into()) };
    assert_eq!(epochs(&never, &stalls), None);
    let soon = Hyperparameters {
        no_improvement: Some(NoImprovement { patience: 2, tolerance: 0.5 }),
        ..hyperparameters(Constant.into())
    };
    assert_eq!(epochs(&soon, &stalls), Some(3));
}

#[test]
fn other_scores_and_number_types() {
    let inputs: Vec<[f64; 1]> = (0..50).map(|i| [i as f64]).collect();
    let targets: Vec<[f64; 1]> = inputs.iter().map(|[x]| [1.0 - 0.2 * x]).collect();
    let options = CrossValidationOptions { folds: 5, scaling: Scaling::MinMax, seed: 0 };
    let validation =
        CrossValidation::shuffled(&inputs, &targets, MeanSquaredError, neg_mean_squared_error, &options).unwrap();
    let hyperparameters = Hyperparameters {
        learning_rate: Some(0.3),
        ..Hyperparameters::new(Momentum { learning_rate: 0.1, momentum: 0.9, nesterov: true })
    };
    let scores = validation.scores::<Dense<1, 1, Identity, f64>, _>(&hyperparameters).unwrap();
    // The targets' own variance is above 8.
    assert!(scores.folds.iter().all(|score| (-1.0..=0.0).contains(score)), "{scores}");

    // One output for yes or no.
    let answers: Vec<bool> = inputs.iter().map(|[x]| *x > 20.0).collect();
    let validation = CrossValidation::stratified(&inputs, &answers, BinaryCrossEntropy, accuracy, &options).unwrap();
    let scores = validation.scores::<Dense<1, 1, Sigmoid, f64>, _>(&Hyperparameters::new(Adam::new(0.3))).unwrap();
    assert!(scores.mean() > 0.9, "{scores}");
    let all =
        CrossValidation::stratified(&inputs, &[true; 50], BinaryCrossEntropy, accuracy::<f64, usize, 1>, &options);
    assert_eq!(all.map(|_| ()), Err(Error::TooFewOfClass { class: 0, expected: 5, found: 0 }));
}

/// The same bits with any number of threads.
#[cfg(feature = "rayon")]
#[test]
fn threads_change_nothing() {
    let (inputs, classes) = points(50);
    let options = CrossValidationOptions { folds: 3, ..CrossValidationOptions::default() };
    let start = Hyperparameters {
        fit: FitOptions { epochs: 12, batch_size: 7, shuffle: true },
        ..Hyperparameters::new(Adam::new(0.01))
    };
    let search = || {
        let validation = CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &options).unwrap();
        let table = validation
            .grid(&two(), &SearchSpace::new(start).alpha([0.0, 0.1]).learning_rate([0.003, 0.03, 0.3, 1e30]))
            .unwrap();
        let drawn =
            validation.random(&two(), &SearchSpace::new(start).learning_rate(log_uniform(1e-3, 1.0)), 9).unwrap();
        (bits(&table), bits(&drawn))
    };
    let with = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(search);
    let one = with(1);
    for threads in [2, 3, 8] {
        assert_eq!(with(threads), one, "{threads} threads");
    }
}
