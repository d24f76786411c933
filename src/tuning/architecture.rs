//! [`Architecture`]: a network type as a value, and [`networks!`](crate::tuning::networks), which lists many.

use super::hyperparameters::Complete;
use super::validation::{FoldTask, Stored};
use super::{Fitted, Hyperparameters, Scalable};
use crate::data::{Samples, Subset};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::network::infer_one;
use crate::model::{Features, InputShape, LastActivation, Layer, Model, Network, Shape, Trainable};
use crate::num::Real;
use crate::num::random::seeded;
use crate::optimizer::Optimizer;
use crate::train::Trainer;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use rand::rngs::Xoshiro256PlusPlus;

/// The micro-batch: two micro-batches for the usual batch of 200, and one for smaller ones. The cost at the beginning
/// of each micro-batch, transposed weights and sums of gradients, is then small.
pub(super) const MICRO_BATCH: usize = 104;

/// The trainer of a search, with all state that changes during training.
pub(crate) type Learner<N, L, O, T> = Trainer<N, L, Complete<O, T>, Xoshiro256PlusPlus, MICRO_BATCH>;

/// Network type as a value: a search trains it without naming the type. Made by [`networks!`](super::networks).
///
/// `T`, `In` and `OUT` are the scalar type, the shape of the inputs and the number of outputs of the networks, `Y` is the type of the targets, `L` the loss and `O` the optimizer.
/// All of them are inferred from the call to which the list is passed.
pub struct Architecture<T: Real, Y: ?Sized, L, O, In: Scalable, const OUT: usize> {
    pub(crate) name: &'static str,
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) count: usize,
    pub(crate) bytes: usize,
    pub(crate) learn: TrainFn<T, Y, L, O, FoldOutput<T, OUT>, In>,
    pub(crate) predictor: TrainFn<T, Y, L, O, Predictor<T, In, OUT>, In>,
    #[cfg_attr(not(feature = "std"), allow(dead_code, reason = "there is no clock"))]
    pub(crate) predict: fn(&[In::Sample<T>], usize),
}

impl<T: Real, Y: ?Sized, L, O, In: Scalable, const OUT: usize> Clone for Architecture<T, Y, L, O, In, OUT> {
    fn clone(&self) -> Self {
        Architecture { parameters: self.parameters.clone(), ..*self }
    }
}

/// What it is called, and its sizes.
impl<T: Real, Y: ?Sized, L, O, In: Scalable, const OUT: usize> fmt::Debug for Architecture<T, Y, L, O, In, OUT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Architecture")
            .field("name", &self.name)
            .field("parameters", &self.parameters)
            .field("count", &self.count)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Trains a network for a task with hyperparameters, and returns the result.
type TrainFn<T, Y, L, O, Output, In> = fn(&FoldTask<T, Y, L, In>, &Hyperparameters<O>) -> Result<Output, Error>;

/// The result of a fold: the outputs for the test samples, and the number of epochs.
pub(crate) struct FoldOutput<T, const OUT: usize> {
    pub outputs: Vec<[T; OUT]>,
    pub epochs: usize,
}

/// Trained network of any type, scaling included: a function from an unscaled sample to its outputs.
pub type Predictor<T, In, const OUT: usize> = Box<dyn Fn(&<In as Shape>::Sample<T>) -> [T; OUT] + Send + Sync>;

impl<T, Y, L, O, In: Scalable, const OUT: usize> Architecture<T, Y, L, O, In, OUT>
where
    T: Real,
    Y: Samples<T> + Sync + ?Sized,
    L: Clone + Send + Sync,
    O: Optimizer<Scalar = T> + Clone + Send + Sync,
{
    /// The network type `N`, with the parameters by which a table tells it from others.
    #[must_use]
    pub fn of<N>(parameters: &[(&'static str, String)]) -> Self
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
        N: Network + Send + Sync + 'static,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
        Learner<N, L, O, T>: Send,
    {
        Architecture {
            name: core::any::type_name::<N>(),
            parameters: parameters.to_vec(),
            count: N::PARAMETERS,
            bytes: size_of::<N>(),
            learn: |task, hyperparameters| {
                let (network, epochs) = train::<N, _, _, _, _, In, OUT>(task, hyperparameters)?;
                let mut outputs = vec![[T::ZERO; OUT]; task.part.test_inputs.len()];
                network.predict_all(&Stored(&task.part.test_inputs), &mut outputs)?;
                Ok(FoldOutput { outputs, epochs })
            },
            predictor: |task, hyperparameters| {
                let (network, _) = train::<N, _, _, _, _, In, OUT>(task, hyperparameters)?;
                let fitted = Fitted { network, scaler: task.part.scaler.clone() };
                Ok(Box::new(move |sample| fitted.predict_one(sample)))
            },
            predict: |samples, count| {
                let network = make::<N>(&mut seeded(0));
                for sample in samples.iter().cycle().take(count) {
                    core::hint::black_box(infer_one::<In, T, N>(&network, core::hint::black_box(sample), usize::MAX));
                }
            },
        }
    }

    /// The name of the network type, without the paths of modules.
    #[must_use]
    pub fn name(&self) -> String {
        alloc::format!("{}", crate::model::summary::Short(self.name))
    }
}

/// Creates a new network in a box.
pub(crate) fn make<N: Network + Trainable + Send>(rng: &mut Xoshiro256PlusPlus) -> Box<N> {
    #[cfg(feature = "std")]
    return N::boxed(rng);
    #[cfg(not(feature = "std"))]
    Box::new(N::new(rng))
}

/// Larger trainers are not stored on the stack of a thread, which may be one of many.
const SMALL: usize = 1 << 17;

/// Trains a network of type `N`; returns it and the number of epochs.
pub(crate) fn train<N, T, Y, L, O, In: Scalable, const OUT: usize>(
    task: &FoldTask<T, Y, L, In>,
    hyperparameters: &Hyperparameters<O>,
) -> Result<(Box<N>, usize), Error>
where
    T: Real,
    N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>> + Network + Send,
    Y: Samples<T> + ?Sized,
    L: Loss<T, Y::Item, LastActivation<N>, OUT> + Clone + Send,
    O: Optimizer<Scalar = T> + Clone + Send,
    Learner<N, L, O, T>: Send,
{
    let mut rng = seeded(task.seed);
    let network = make::<N>(&mut rng);
    let optimizer = hyperparameters.complete(task.part.train.len());
    if cfg!(feature = "std") && size_of::<Learner<N, L, O, T>>() > SMALL {
        large(task, hyperparameters, network, optimizer, rng)
    } else {
        small(task, hyperparameters, network, optimizer, rng)
    }
}

type Trained<N> = Result<(Box<N>, usize), Error>;

/// Trains with the trainer on the stack. A function of its own, so that only its stack frame has the trainer.
#[inline(never)]
fn small<N, T, Y, L, O, In: Scalable, const OUT: usize>(
    task: &FoldTask<T, Y, L, In>,
    hyperparameters: &Hyperparameters<O>,
    mut network: Box<N>,
    optimizer: Complete<O, T>,
    rng: Xoshiro256PlusPlus,
) -> Trained<N>
where
    T: Real,
    N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
    Y: Samples<T> + ?Sized,
    L: Loss<T, Y::Item, LastActivation<N>, OUT> + Clone,
    O: Optimizer<Scalar = T> + Clone,
{
    let start = core::mem::replace(&mut *network, N::ZEROED);
    let mut trainer: Learner<N, L, O, T> = Trainer::with_micro_batch(start, task.loss.clone(), optimizer, rng);
    let epochs = learn(&mut trainer, task, hyperparameters)?;
    *network = trainer.network;
    Ok((network, epochs))
}

#[cfg(feature = "std")]
fn large<N, T, Y, L, O, In: Scalable, const OUT: usize>(
    task: &FoldTask<T, Y, L, In>,
    hyperparameters: &Hyperparameters<O>,
    network: Box<N>,
    optimizer: Complete<O, T>,
    rng: Xoshiro256PlusPlus,
) -> Trained<N>
where
    T: Real,
    N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>> + Network + Send,
    Y: Samples<T> + ?Sized,
    L: Loss<T, Y::Item, LastActivation<N>, OUT> + Clone + Send,
    O: Optimizer<Scalar = T> + Clone + Send,
    Learner<N, L, O, T>: Send,
{
    let mut trainer: Box<Learner<N, L, O, T>> =
        Trainer::boxed_with_micro_batch(network, task.loss.clone(), optimizer, rng);
    let epochs = learn(&mut trainer, task, hyperparameters)?;
    let mut network = crate::model::boxed::boxed_on_large_stack(|| N::ZEROED);
    core::mem::swap(&mut *network, &mut trainer.network);
    Ok((network, epochs))
}

#[cfg(not(feature = "std"))]
use small as large;

fn learn<N, T, Y, L, O, In: Scalable, const OUT: usize>(
    trainer: &mut Learner<N, L, O, T>,
    task: &FoldTask<T, Y, L, In>,
    hyperparameters: &Hyperparameters<O>,
) -> Result<usize, Error>
where
    T: Real,
    N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
    Y: Samples<T> + ?Sized,
    L: Loss<T, Y::Item, LastActivation<N>, OUT>,
    O: Optimizer<Scalar = T> + Clone,
{
    let targets = Subset { data: task.targets, indices: &task.part.train };
    Ok(trainer.fit(&Stored(&task.part.inputs), &targets, &hyperparameters.fit, hyperparameters.callback())?.epochs)
}

/// The list that [`networks!`](super::networks) fills.
#[doc(hidden)]
pub struct List<T: Real, Y: ?Sized, L, O, In: Scalable, const OUT: usize> {
    pub networks: Vec<Architecture<T, Y, L, O, In, OUT>>,
    parameters: Vec<(&'static str, String)>,
}

impl<T: Real, Y: ?Sized, L, O, In: Scalable, const OUT: usize> Default for List<T, Y, L, O, In, OUT> {
    fn default() -> Self {
        List { networks: Vec::new(), parameters: Vec::new() }
    }
}

#[doc(hidden)]
impl<T, Y, L, O, In: Scalable, const OUT: usize> List<T, Y, L, O, In, OUT>
where
    T: Real,
    Y: Samples<T> + Sync + ?Sized,
    L: Clone + Send + Sync,
    O: Optimizer<Scalar = T> + Clone + Send + Sync,
{
    pub fn enter(&mut self, name: &'static str, value: impl ToString) {
        self.parameters.push((name, value.to_string()));
    }

    pub fn leave(&mut self) {
        self.parameters.pop();
    }

    pub fn add<N>(&mut self)
    where
        N: InputShape<In = In, Scalar = T> + Layer<In, T> + Model<In, T, Out = Features<OUT>>,
        N: Network + Send + Sync + 'static,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
        Learner<N, L, O, T>: Send,
    {
        self.networks.push(Architecture::of::<N>(&self.parameters));
    }
}

/// List of network types for [`CrossValidation::grid`](crate::tuning::CrossValidation::grid) and similar methods:
/// types, and patterns of types with the values of their parameters, separated by semicolons.
///
/// A parameter is named with `for name in [..]`. For sizes its values are integers, or constant expressions in braces;
/// for everything else they are types. All combinations are listed, and the compiler generates code for each of them.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::networks;
/// # use tuplenet::tuning::Architecture;
///
/// let networks = networks![
///     for hidden in [10, 20, 30] for activation in [Tanh, Relu] (Dense<4, hidden, activation>, Dense<hidden, 3, Softmax>);
///     for hidden in [10, 20] (Dense<4, hidden, Relu>, Dense<hidden, hidden, Relu>, Dense<hidden, 3, Softmax>);
///     Dense<4, 3, Softmax>
/// ];
/// assert_eq!(networks.len(), 3 * 2 + 2 + 1);
/// # let _: Vec<Architecture<f32, [usize], CrossEntropy, Adam, Features<4>, 3>> = networks;
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __networks {
    // One pattern after the other: collects the tokens of one up to its semicolon.
    (@split $list:ident [] []) => {};
    (@split $list:ident [$($one:tt)+] []) => { $crate::__networks!(@one $list [$($one)+]); };
    (@split $list:ident [$($one:tt)+] [; $($rest:tt)*]) => {
        $crate::__networks!(@one $list [$($one)+]);
        $crate::__networks!(@split $list [] [$($rest)*]);
    };
    (@split $list:ident [$($one:tt)*] [$next:tt $($rest:tt)*]) => {
        $crate::__networks!(@split $list [$($one)* $next] [$($rest)*]);
    };

    // One parameter after the other: sizes, or types.
    (@one $list:ident [for $name:ident in [$($value:literal),+ $(,)?] $($rest:tt)+]) => {
        $crate::__networks!(@sizes $list $name [$($value)+] [$($rest)+]);
    };
    (@one $list:ident [for $name:ident in [$($value:block),+ $(,)?] $($rest:tt)+]) => {
        $crate::__networks!(@sizes $list $name [$($value)+] [$($rest)+]);
    };
    (@one $list:ident [for $name:ident in [$($value:ty),+ $(,)?] $($rest:tt)+]) => {
        $crate::__networks!(@types $list $name [$($value),+] [$($rest)+]);
    };
    (@one $list:ident [$network:ty]) => { $list.add::<$network>(); };

    // Each value has its own block, in which the parameter's name is that value.
    (@sizes $list:ident $name:ident [$($value:expr)+] $rest:tt) => {
        $({
            #[allow(non_upper_case_globals)]
            const $name: usize = $value;
            $list.enter(stringify!($name), $name);
            $crate::__networks!(@one $list $rest);
            $list.leave();
        })+
    };
    (@types $list:ident $name:ident [$($value:ty),+] $rest:tt) => {
        $({
            #[allow(non_camel_case_types)]
            type $name = $value;
            $list.enter(stringify!($name), stringify!($value));
            $crate::__networks!(@one $list $rest);
            $list.leave();
        })+
    };

    ($($list:tt)+) => {{
        let mut list = $crate::tuning::__private::List::default();
        $crate::__networks!(@split list [] [$($list)+]);
        list.networks
    }};
}
