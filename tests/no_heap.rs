//! Nothing that runs again and again allocates: a counting allocator watches.

#[path = "common/counting.rs"]
mod counting;

use counting::ALLOCATIONS;
use std::hint::black_box;
use tuplenet::data::Weighted;
use tuplenet::inspect::Laplace;
use tuplenet::layers::{BatchNorm, Dropout, LayerNorm, Residual};
use tuplenet::metrics::{ConfusionMatrix, log_loss, r2, roc_auc};
use tuplenet::model::Zeroed;
use tuplenet::optimizer::schedule::{OneCycle, ReduceOnPlateau, Schedule};
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, Lbfgs, LevenbergMarquardt};

/// How many allocations `work` makes on this thread.
fn allocations<R>(work: impl FnOnce() -> R) -> usize {
    let before = ALLOCATIONS.get();
    black_box(work());
    ALLOCATIONS.get() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(1)), 1);
}

// Each line of the list is compiled for every instruction set; a single layer says as much as many.
#[test]
fn nothing_allocates() {
    type Net = Dense<3, 2, Gelu>;
    let inputs: Vec<[f32; 3]> = (0..70).map(|i| [i as f32 / 70.0, (i % 7) as f32 / 7.0, 1.0]).collect();
    let targets: Vec<[f32; 2]> = (0..70).map(|i| [i as f32 / 70.0, 0.5]).collect();
    let weights: Vec<f32> = (0..70).map(|i| 1.0 + i as f32).collect();
    let weighted = Weighted { targets: &targets, weights: &weights };
    let fit = FitOptions { epochs: 3, batch_size: 20, shuffle: true };
    let bad = vec![[f32::NAN; 3]; 70];
    let mut outputs = vec![[0.0; 2]; 70];
    let mut workspace = Workspace::<Net, 32>::new();
    let mut gradient = Net::ZEROED;
    let network = Net::new(&mut seeded(0));
    let optimizer = AdamW::new(0.01).clip_norm(1.0).l2(1e-4);
    let mut trainer = Trainer::new(network.clone(), MeanSquaredError, optimizer, seeded(1));

    macro_rules! none {
        ($($work:expr),+ $(,)?) => { $(assert_eq!(allocations(|| $work), 0, stringify!($work));)+ };
    }
    none! {
        Net::new(&mut seeded(0)),
        network.predict(&SMatrix::<f32, 3, 33>::repeat(0.5)),
        network.predict_one(&[0.1, 0.2, 0.3]),
        network.predict_all(&inputs, &mut outputs).unwrap(),
        workspace.gradient(&network, &MeanSquaredError, &inputs, &targets, &mut gradient).unwrap(),
        trainer.step(&inputs, &targets).unwrap(),
        trainer.step(&bad, &targets).unwrap_err(),
        trainer.evaluate(&inputs, &targets).unwrap(),
        trainer.epoch(&inputs, &weighted, 7).unwrap(),
        trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &fit, ()).unwrap(),
        trainer.fit_validated(&bad, &targets, (&inputs, &targets), &fit, ()).unwrap_err(),
    }

    type Chain = (Dense<3, 4, Tanh>, Dense<4, 2, Softmax>);
    let classes: Vec<usize> = (0..70).map(|i| i / 5 % 2).collect();
    let mut trainer = Trainer::new(Chain::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    none! { trainer.fit(&inputs, &classes, &fit, ()).unwrap() }
}

#[test]
fn no_solver_allocates() {
    type Net = (Dense<2, 3, Tanh, f64>, Dense<3, 1, Identity, f64>);
    let inputs: Vec<[f64; 2]> = (0..20).map(|i| [i as f64 / 20.0, (i % 7) as f64 / 7.0]).collect();
    let targets: Vec<[f64; 1]> = inputs.iter().map(|[x, y]| [x * y]).collect();
    let network = Net::new(seeded(0));
    let mut quasi_newton = FullBatchTrainer::new(network.clone(), MeanSquaredError, Lbfgs::<f64>::new().l2(1e-4));
    let solver = LevenbergMarquardt::<13>::new().bayesian();
    let mut least_squares = FullBatchTrainer::new(network, MeanSquaredError, solver);
    assert_eq!(allocations(|| quasi_newton.fit(&inputs, &targets, 5, ()).unwrap()), 0);
    assert_eq!(allocations(|| least_squares.fit(&inputs, &targets, 5, ()).unwrap()), 0);
    let network = &least_squares.network;
    assert_eq!(allocations(|| network.jacobian(&[0.1, 0.2])), 0);
    assert_eq!(allocations(|| network.output_gradient(&[0.1, 0.2], 0).unwrap()), 0);
    let laplace = Laplace::<f64, 13>::new(network, &inputs, &targets).unwrap();
    assert_eq!(allocations(|| laplace.predict(network, &[0.1, 0.2])), 0);
}

#[test]
fn no_layer_schedule_or_metric_allocates() {
    type Block = Residual<(LayerNorm<2>, Dropout<10>)>;
    type Net = (Dense<3, 2, Identity>, BatchNorm<2>, Tanh, Block);
    let inputs: Vec<[f32; 3]> = (0..70).map(|i| [i as f32 / 70.0, (i % 7) as f32 / 7.0, 1.0]).collect();
    let targets: Vec<[f32; 2]> = (0..70).map(|i| [i as f32 / 70.0, 0.5]).collect();
    let classes: Vec<usize> = (0..70).map(|i| i % 2).collect();
    let optimizer = Sgd::new(0.01).by_step(OneCycle::new(100).after_warmup(3, 0.1)).by_epoch(ReduceOnPlateau::new());
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1));
    let fit = FitOptions { epochs: 3, batch_size: 20, shuffle: true };
    let mut places = vec![0; 70];
    let mut curve = vec![(0.0, 0.0); 5];
    let mut stopping = EarlyStopping::new(1);
    macro_rules! none {
        ($($work:expr),+ $(,)?) => { $(assert_eq!(allocations(|| $work), 0, stringify!($work));)+ };
    }
    none! {
        trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &fit, &mut stopping).unwrap(),
        ConfusionMatrix::<2>::from_classes(&classes, &classes).unwrap().matthews(),
        roc_auc(&classes, &targets, &mut places).unwrap(),
        log_loss(&classes, &targets).unwrap(),
        r2(&targets, &targets).unwrap(),
        trainer.range_test(&inputs, &targets, 20, 1e-6..=1e-4, &mut curve).unwrap(),
    }
}
