//! The common traits that the library's types have, and what a copy of a trainer and a `dyn` network compute.

use core::fmt::Debug;
use tuplenet::activation::NoActivation;
use tuplenet::data::{MinMaxScaler, Permutation, StandardScaler, Subset, Weighted};
use tuplenet::init::{Constant, GlorotUniform, Zeros};
use tuplenet::inspect::GradientCheck;
use tuplenet::layers::{BatchNorm, Dropout, LayerNorm, Residual};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::model::{InputShape, Summary};
use tuplenet::optimizer::schedule::{AnySchedule, CosineAnnealing, ReduceOnPlateau, StepDecay};
use tuplenet::optimizer::{AnyOptimizer, OptimizerState, PerParameter, Scheduled};
use tuplenet::prelude::*;

type Net = (Dense<2, 4, Relu>, BatchNorm<4>, Dropout<10>, Residual<LayerNorm<4>>, Dense<4, 1, Sigmoid>);
type Small = (Dense<4, 3, Gelu>, Tanh, Dense<3, 2, Softmax>);
type Learner = Trainer<Net, BinaryCrossEntropy, Adam, rand::rngs::Xoshiro256PlusPlus, 4>;

fn assert_shared<T: Debug + Send + Sync + 'static>() {}
fn assert_cloned<T: Clone + Debug + Send + Sync + 'static>() {}
fn assert_traits<T: Clone + Debug + PartialEq + Send + Sync + 'static>() {}
fn assert_default<T: Default>() {}
fn assert_copy<T: Copy>() {}

#[test]
fn networks_and_layers_have_the_common_traits() {
    assert_traits::<Net>();
    assert_traits::<Small>();
    assert_traits::<Dense<2, 3, Softmax, f64>>();
    assert_traits::<Features<3>>();
    assert_cloned::<<Net as Layer<<Net as InputShape>::In, f32>>::Cache<4>>();
    assert_cloned::<<Small as Layer<<Small as InputShape>::In, f32>>::Cache<4>>();
    assert_cloned::<Summary<Net>>();
    assert_copy::<Summary<Net>>();
}

#[test]
fn what_trains_has_the_common_traits() {
    assert_traits::<Learner>();
    assert_cloned::<Workspace<Net, 4>>();
    assert_default::<Workspace<Net, 4>>();
    assert_traits::<OptimizerState<Adam, Net>>();
    assert_default::<OptimizerState<Adam, Net>>();
    assert_traits::<PerParameter<Net, 2>>();
    assert_traits::<FitOptions>();
    assert_default::<FitOptions>();
    assert_traits::<FitReport<f32>>();
    assert_cloned::<EpochReport<'static, Net>>();
    assert_copy::<EpochReport<'static, Net>>();
    assert_cloned::<EarlyStopping<Net>>();
    assert_traits::<GradientCheck<f32>>();
    assert_traits::<tuplenet::Error>();
}

#[test]
fn settings_have_the_common_traits() {
    assert_traits::<Sgd>();
    assert_traits::<RmsProp>();
    assert_traits::<Adagrad>();
    assert_traits::<AdamW>();
    assert_traits::<AnyOptimizer>();
    assert_traits::<Scheduled<Adam, CosineAnnealing>>();
    assert_traits::<StepDecay>();
    assert_traits::<AnySchedule>();
    assert_traits::<ReduceOnPlateau>();
    assert_default::<(Adam, AdamW<f64>, ReduceOnPlateau)>();
    assert_traits::<(MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossEntropy, CrossEntropy)>();
    assert_default::<(MeanSquaredError, MeanAbsoluteError, Huber, BinaryCrossEntropy, CrossEntropy)>();
    assert_traits::<(Identity, Relu, LeakyRelu, Elu, Selu, Gelu, Silu, Sigmoid, Tanh, Softmax, NoActivation)>();
    assert_default::<(Identity, Relu, LeakyRelu, Elu, Selu, Gelu, Silu, Sigmoid, Tanh, Softmax, NoActivation)>();
    assert_traits::<(GlorotUniform, Constant, Zeros)>();
}

#[test]
fn data_and_metrics_have_the_common_traits() {
    assert_traits::<StandardScaler<f32, 4>>();
    assert_traits::<MinMaxScaler<f32, 4>>();
    assert_traits::<Permutation>();
    assert_traits::<ConfusionMatrix<3>>();
    assert_default::<ConfusionMatrix<3>>();
    // Of slices, too, which are not `Copy` themselves.
    assert_cloned::<Subset<'static, [[f32; 2]]>>();
    assert_copy::<Subset<'static, [[f32; 2]]>>();
    assert_copy::<Weighted<'static, [usize], f32>>();
}

#[cfg(feature = "alloc")]
#[test]
fn what_needs_a_heap_has_the_common_traits() {
    use tuplenet::tuning::{
        Architecture, CrossValidation, CrossValidationOptions, Hyperparameters, Row, Scores, SearchSpace, Table,
    };

    assert_traits::<History<f32>>();
    assert_default::<History<f32>>();
    assert_traits::<Hyperparameters<Adam>>();
    assert_traits::<CrossValidationOptions>();
    assert_default::<CrossValidationOptions>();
    assert_traits::<Scores>();
    assert_traits::<Row<Adam>>();
    assert_traits::<Table<Adam>>();
    assert_shared::<SearchSpace<'static, Adam>>();
    assert_cloned::<Architecture<f32, [usize], CrossEntropy, Adam, Features<4>, 3>>();
    assert_shared::<CrossValidation<'static, f32, [usize], CrossEntropy, fn(), Features<4>, 3>>();
    let space = SearchSpace::new(Hyperparameters::new(Adam::new(1e-3f32))).alpha([1e-4, 1e-3]);
    assert!(format!("{space:?}").contains("alpha { count: Some(2), .. }"), "{space:?}");
}

#[cfg(feature = "rayon")]
#[test]
fn parallel_has_the_common_traits() {
    assert_cloned::<tuplenet::train::Parallel<Net, 4>>();
    assert_default::<tuplenet::train::Parallel<Net, 4>>();
}

#[cfg(feature = "csv")]
#[test]
fn tables_have_the_common_traits() {
    assert_traits::<tuplenet::data::Csv>();
    assert_default::<tuplenet::data::Csv>();
    assert_shared::<tuplenet::data::CsvError>();
}

#[cfg(feature = "progress")]
#[test]
fn progress_can_be_sent() {
    assert_shared::<tuplenet::train::callbacks::Progress>();
}

#[cfg(feature = "checkpoint")]
#[test]
fn checkpoints_can_be_sent() {
    assert_shared::<tuplenet::train::checkpoint::Checkpoint>();
    assert_shared::<tuplenet::train::checkpoint::CheckpointError>();
}

#[cfg(feature = "plot")]
#[test]
fn errors_of_plots_can_be_sent() {
    assert_shared::<tuplenet::plot::PlotError>();
}

#[cfg(feature = "export")]
#[test]
fn errors_of_export_have_the_common_traits() {
    assert_traits::<tuplenet::io::export::ExportError>();
}

#[cfg(feature = "safetensors")]
#[test]
fn weights_in_files_have_the_common_traits() {
    use tuplenet::io::safetensors::{LoadError, Safetensors};

    assert_traits::<Safetensors<'static>>();
    assert_default::<Safetensors<'static>>();
    assert_traits::<LoadError>();
    #[cfg(feature = "std")]
    assert_shared::<tuplenet::io::safetensors::FileError>();
}

const INPUTS: [[f32; 2]; 6] = [[0.0, 0.1], [0.2, 1.0], [1.0, 0.3], [1.0, 1.0], [0.5, 0.4], [0.8, 0.7]];
const TARGETS: [[f32; 1]; 6] = [[0.0], [1.0], [1.0], [0.0], [0.0], [1.0]];

fn learner() -> Learner {
    Learner::with_micro_batch(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01), seeded(1))
}

#[test]
fn a_cloned_trainer_mark_epoch_with_the_same_bits_and_alone() {
    let fit = FitOptions { epochs: 3, batch_size: 4, shuffle: true };
    let mut trainer = learner();
    trainer.fit(&INPUTS, &TARGETS, &fit, ()).unwrap();

    let mut copy = trainer.clone();
    assert!(copy == trainer);
    copy.fit(&INPUTS, &TARGETS, &fit, ()).unwrap();
    assert!(copy != trainer && copy.network != trainer.network && trainer.epochs == 3);
    trainer.fit(&INPUTS, &TARGETS, &fit, ()).unwrap();
    assert!(copy == trainer);
    let outputs = |trainer: &Learner| INPUTS.map(|x| trainer.network.predict_one(&x)[0].to_bits());
    assert_eq!(outputs(&copy), outputs(&trainer));
}

#[test]
fn a_cloned_workspace_has_the_forward_pass() {
    use tuplenet::model::Zeroed;

    let network = Net::new(&mut seeded(0));
    let mut workspace = Workspace::<Net, 4>::new();
    let y = workspace.forward(&network, &SMatrix::from_fn(|row, column| (row + column) as f32)).clone_owned();
    let mut copy = workspace.clone();
    let (mut first, mut second) = (Net::ZEROED, Net::ZEROED);
    workspace.backward(&network, &y, &mut first);
    copy.backward(&network, &y, &mut second);
    assert!(first == second && first != Net::ZEROED);
}

#[cfg(feature = "alloc")]
#[test]
fn debug_does_not_print_workspaces() {
    let mut trainer = learner();
    trainer.step(&INPUTS, &TARGETS).unwrap();
    let text = format!("{:?}", Workspace::<Net, 4>::new());
    assert!(text.starts_with("Workspace { micro_batch: 4, bytes: "), "{text}");
    let (text, network) = (format!("{trainer:?}"), format!("{:?}", trainer.network));
    assert!(text.contains(&network) && text.len() < network.len() + 300, "{text}");
}

/// Nothing learnt: the one with the larger sum.
#[derive(Debug)]
struct Rule;

impl Predict<4, 2> for Rule {
    fn predict_into(&self, [a, b, c, d]: &[f32; 4], output: &mut [f32; 2]) {
        *output = if a + b > c + d { [1.0, 0.0] } else { [0.0, 1.0] };
    }
}

#[test]
fn different_networks_stand_behind_one_dyn() {
    let (small, large) = (
        Small::new(&mut seeded(0)),
        <(Dense<4, 19, Tanh>, Dense<19, 7, Relu>, Dense<7, 2, Softmax>)>::new(&mut seeded(1)),
    );
    let inputs: [[f32; 4]; 37] =
        core::array::from_fn(|sample| core::array::from_fn(|column| (sample * column % 11) as f32 * 0.3 - 1.0));
    let mut all = [[[0.0f32; 2]; 37]; 2];
    small.predict_all(&inputs, &mut all[0]).unwrap();
    large.predict_all(&inputs, &mut all[1]).unwrap();

    let networks: [&(dyn Predict<4, 2> + Send + Sync); 2] = [&small, &large];
    for (place, network) in networks.into_iter().enumerate() {
        let mut outputs = [[0.0; 2]; 37];
        network.predict_all_into(&inputs, &mut outputs).unwrap();
        assert_eq!(outputs, all[place]);
        for input in &inputs {
            let mut output = [0.0; 2];
            network.predict_into(input, &mut output);
            assert_eq!(output, if place == 0 { small.predict_one(input) } else { large.predict_one(input) });
        }
        assert!(network.predict_all_into(&inputs, &mut [[0.0; 2]; 3]).is_err());
    }
}

#[cfg(feature = "alloc")]
#[test]
fn a_rule_stands_beside_networks() {
    let networks: Vec<Box<dyn Predict<4, 2>>> = vec![Box::new(Rule), Box::new(Small::new(&mut seeded(0)))];
    let mut outputs = [[0.0; 2]; 2];
    networks[0].predict_all_into(&[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]], &mut outputs).unwrap();
    assert_eq!(outputs, [[1.0, 0.0], [0.0, 1.0]]);
    assert!(networks[0].predict_all_into(&[[0.0; 4]], &mut outputs).is_err());
}
