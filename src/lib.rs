//! Small neural networks whose every size is known to the compiler: tuples of layers, trained and run on the stack.
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
//!
//! fn main() -> Result<(), tuplenet::Error> {
//!     let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
//!     let targets = [[0.0], [1.0], [1.0], [0.0]];
//!
//!     let network = Xor::new(seeded(0));
//!     let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
//!     trainer.fit(&inputs, &targets, &FitOptions { epochs: 1000, ..FitOptions::default() }, ())?;
//!
//!     for (input, [target]) in inputs.iter().zip(targets) {
//!         let [probability] = trainer.network.predict_one(input);
//!         println!("{input:?} -> {probability:.3}");
//!         assert_eq!(probability > 0.5, target > 0.5);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Where to look
//!
//! * A network is a [`Dense`](layers::Dense) layer or a tuple of [`layers`]; what it can do is in
//!   [`Network`](model::Network). A wrong size is a compile error that names the layer: [`model::assert_shapes`].
//! * Images and sequences are [shapes](model::Shape) as features are: [`Image`](model::Image) with convolutions, whose sizes
//!   [`network!`] computes, and [`Sequence`](model::Sequence) with recurrent layers, which also predict one step after the
//!   other: [`Network::step`](model::Network::step).
//! * [`Trainer`](train::Trainer) trains; [`Workspace`](train::Workspace) has the single pieces: forward, backward,
//!   loss and gradient.
//! * [`data`] says what inputs and targets may be, and scales, splits and weights them; [`metrics`] evaluates
//!   predictions.
//! * [`callbacks`](train::callbacks) are called after each epoch: history, metrics, early stopping.
//! * [`tuning`] searches for the best network and hyperparameters: cross-validation, grid search, random search.
//! * [`schedule`](optimizer::schedule) has learning rate schedules, and the learning rate range test.
//! * [`activation`], [`loss`], [`optimizer`] and [`init`] list what there is, and each shows how to write your own. For
//!   a layer of your own see [`formula_layer!`], [`model::Layer`] and the example `custom_layer`.
//! * [`guide::speed`] says how to get the library's speed, and what threads, micro-batches and large networks cost.
//! * [`quantization`] makes networks in integers of 8 bits, for microcontrollers and small flash.
//! * `io::safetensors` (feature `safetensors`) reads weights from PyTorch, Keras and scikit-learn, and writes them.
//! * `io::export` (feature `export`) writes networks as Rust source, C99 source and ONNX files.
//! * [`inspect::gradient_check`] compares the derivatives of your own types with differences of the loss.
//!
//! # Features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `std` | yes | detects the vector instructions of the CPU at run time; implies `alloc` |
//! | `alloc` | with `std` | [`History`](train::callbacks::History), [`Metric`](train::callbacks::Metric), [`tuning`], and `Vec` as data |
//! | `csv` | no | `data::Csv`, tables from comma-separated values; implies `std` |
//! | `plot` | no | `plot`: curves, decision surfaces and confusion matrices as SVG and PNG; implies `std` |
//! | `progress` | no | `train::callbacks::Progress`, a bar in the terminal with losses, speed and remaining time; implies `std` |
//! | `export` | no | `io::export`: networks as Rust source, as C99 source without a library, and as ONNX files; implies `alloc` |
//! | `rayon` | no | `train::Parallel`, training and prediction on several threads, and searches on all cores; implies `std` |
//! | `serde` | no | networks, trainers and their parts as JSON, postcard and whatever [serde](https://serde.rs) has: `io::serde` |
//! | `checkpoint` | no | `train::checkpoint::Checkpoint`, training runs that resume where they were interrupted, bit for bit; implies `std` and `serde` |
//! | `cluster` | no | `train::cluster`, training over many processes, and searches with a journal and over processes; implies `checkpoint` |
//! | `mpi` | no | the processes of `cluster` are those of MPI, on one machine or many; implies `cluster` |
//! | `reproducible` | no | no fused multiply-add (FMA): the same bits on every CPU, at some cost in speed |
//! | `specialized` | no | on x86-64 every network is compiled whole for each instruction set: some train up to a tenth faster, and programs take several times as long to build |
//! | `safetensors` | no | `io::safetensors`: weights from PyTorch, Keras and scikit-learn, at run time and by the compiler, and back |
//!
//! Without the default features the library is `no_std`, uses no heap, and computes with the vector instructions that
//! the program is compiled for. Weights, gradients and the optimizer's state have the network's own type, and the size
//! of the workspace is fixed: [`memory`](inspect::memory) has constants for all of it, and an assertion. On a small
//! stack keep the trainer in a `static` ([`Trainer::with_micro_batch`](train::Trainer::with_micro_batch) is `const`),
//! choose a micro-batch of 1, and train with [`step_one`](train::Trainer::step_one), one sample at a time.
//! `examples/firmware` does so on microcontrollers.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![warn(clippy::missing_errors_doc, clippy::missing_panics_doc, clippy::must_use_candidate)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;
// What the tests share with programs that use the library calls it by its name.
#[cfg(test)]
extern crate self as tuplenet;

pub mod activation;
pub mod data;
pub mod error;
pub mod guide;
pub mod inspect;
pub mod io {
    //! Input and output of networks: weights in [`safetensors`](https://huggingface.co/docs/safetensors) files, the
    //! formats of serde, and export as Rust, C and ONNX. Each module needs the feature of the same name.

    #[cfg(feature = "export")]
    pub mod export;
    #[cfg(any(
        feature = "checkpoint",
        all(feature = "std", any(feature = "export", feature = "plot", feature = "safetensors"))
    ))]
    pub(crate) mod file;
    #[cfg(feature = "safetensors")]
    pub mod safetensors;
    #[cfg(feature = "serde")]
    pub mod serde;
}
mod kernel;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod num;
pub mod optimizer;
#[cfg(feature = "plot")]
pub mod plot;
pub mod quantization;
pub mod train;
#[cfg(feature = "alloc")]
pub mod tuning;

#[doc(no_inline)]
pub use activation::init;
pub use error::Error;
pub use num::random::seeded;

/// What most programs need: `use tuplenet::prelude::*;`.
pub mod prelude {
    pub use crate::activation::{
        Activation, Elu, Gelu, HardSigmoid, Identity, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softmax, Softplus,
        Softsign, Tanh,
    };
    #[cfg(feature = "alloc")]
    pub use crate::data::train_test_split;
    pub use crate::data::{MinMaxScaler, StandardScaler, Subset, split, stratified_split};
    pub use crate::layers::{
        AveragePool, BatchNorm, Bidirectional, Conv1d, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten,
        GlobalAveragePool, Gru, Input, Last, LayerNorm, Lstm, MaxOverTime, MaxPool, MeanOverTime, Residual, Rnn, Steps,
        Unflatten, Upsample,
    };
    pub use crate::loss::{BinaryCrossEntropy, CrossEntropy, Huber, MeanAbsoluteError, MeanSquaredError};
    pub use crate::metrics::{Average, ConfusionMatrix, accuracy};
    pub use crate::model::{Features, FromTo, Image, Layer, Network, Predict, Sequence};
    pub use crate::num::Real;
    pub use crate::optimizer::{Adagrad, Adam, AdamW, Optimizer, RmsProp, Sgd};
    #[cfg(feature = "alloc")]
    pub use crate::quantization::Quantization;
    pub use crate::seeded;
    #[cfg(feature = "alloc")]
    pub use crate::train::callbacks::History;
    pub use crate::train::callbacks::{Callback, EarlyStopping, EpochReport};
    pub use crate::train::{FitOptions, FitReport, Trainer, Workspace};
    pub use nalgebra::{SMatrix, SVector};
    pub use rand::{Rng, SeedableRng};
}

/// Vector lanes, for layers, activations, losses and optimizers of your own.
pub mod simd {
    pub use crate::kernel::{dot, map, map_sum, sum};
    pub use crate::num::Lanes;
    pub use fearless_simd::{Select, Simd, SimdBase, SimdFloat};
}

/// The programs of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
