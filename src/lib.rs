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
//!     let network = Xor::new(&mut seeded(0));
//!     let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
//!     trainer.fit(&inputs, &targets, &Fit { epochs: 1000, ..Fit::default() }, ())?;
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
//! * A network is a [`Dense`](layers::Dense) layer or a tuple of [`layers`]; what it can do is in [`Network`](model::Network).
//!   A wrong size is a compile error that names the layer: [`model::check`].
//! * [`Trainer`](train::Trainer) trains; [`Workspace`](train::Workspace) has the single pieces: forward, backward,
//!   loss and gradient.
//! * [`data`] says what inputs and targets may be, and scales, splits and weights them; [`metrics`] judges predictions.
//! * [`callbacks`](train::callbacks) watches a training: history, metrics of each epoch, early stopping.
//! * [`tuning`] finds out which network to take and how to train it: cross-validation, grids, searches at random.
//! * [`schedule`](optimizer::schedule) changes the learning rate while a network learns, and helps to find the first one.
//! * [`activation`], [`loss`], [`optimizer`] and [`init`] list what there is, and each shows how to write your own. For a
//!   layer of your own see [`model::Layer`] and the example `custom_layer`.
//! * [`guide::speed`] says how to get the library's speed, and what threads, tiles and large networks take.
//! * `io::safetensors` (feature `safetensors`) takes weights from other programs, and gives them to others.
//! * `io::export` (feature `export`) writes networks as Rust source, C99 source and ONNX files.
//! * [`inspect::gradient_check`] tells whether the derivatives of what you wrote are right.
//!
//! # Features
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `std` | yes | detects the vector instructions of the CPU at run time; implies `alloc` |
//! | `alloc` | with `std` | [`History`](train::callbacks::History), [`Metric`](train::callbacks::Metric), [`tuning`], and `Vec` as data |
//! | `csv` | no | `data::Csv`, tables from comma-separated values; implies `std` |
//! | `plot` | no | `plot`: curves, decision surfaces and confusion matrices as SVG and PNG; implies `std` |
//! | `progress` | no | `train::callbacks::Progress`, a bar in the terminal with losses, rate and remaining time; implies `std` |
//! | `export` | no | `io::export`: networks as Rust source, as C99 source without a library, and as ONNX files; implies `alloc` |
//! | `rayon` | no | `train::Crew`, training and prediction on several threads, and searches on all cores; implies `std` |
//! | `serde` | no | networks, trainers and their parts as JSON, postcard and whatever [serde](https://serde.rs) has: `io::serde` |
//! | `checkpoint` | no | `train::checkpoint::Checkpoint`, trainings that go on where they were interrupted, bit for bit; implies `std` and `serde` |
//! | `reproducible` | no | no fused multiply-add: the same bits on every CPU, at some cost in speed |
//! | `safetensors` | no | `io::safetensors`: weights from PyTorch, Keras and scikit-learn, at run time and by the compiler, and back |
//!
//! Without the default features the library is `no_std`, uses no heap, and computes with the vector instructions that the
//! program is compiled for. Weights, gradients and the optimizer's memory have the network's own type, and the
//! workspace's size is fixed: [`memory`](inspect::memory) has constants for all of it, and an assertion. On a small stack keep the trainer in
//! a `static` ([`Trainer::with_tile`](train::Trainer::with_tile) is `const`), take the tile 1, and let it
//! [`learn`](train::Trainer::learn) one sample at a time. `examples/firmware` does so on microcontrollers.
//!
//! # ARCHITECTURE
//!
//! The rooms, from the inside out:
//!
//! | file | what is in it |
//! |---|---|
//! | `real.rs` | `f32` and `f64`, and what the lane code must know of each |
//! | `math.rs` | `exp`, `ln`, `tanh` and friends on vector lanes |
//! | `scalar.rs` | the few functions that are needed of a single number |
//! | `kernel/` | the loops: products of matrices, with many columns and with one, softmax, maps and sums over slices; the same without vector registers in `scalar.rs` |
//! | `shape.rs` | what flows between layers: `Features<N>` |
//! | `params.rs` | everything that has the type of a network, and the visit of its parameters |
//! | `layer.rs` | the trait `Layer`, the tile, and the words of the size error |
//! | `layers/` | one room per layer: `dense.rs`, `dropout.rs` and so on |
//! | `activation.rs` | zero-sized types: value, slope, and the initialization each wants |
//! | `init.rs` | what weights begin with |
//! | `chain.rs` | tuples of layers: all of backpropagation through a chain |
//! | `network.rs` | what users call: `new`, `predict`, `predict_one`, `predict_all`, `summary` |
//! | `summary.rs` | the table of layers, and what layers say of themselves for it |
//! | `outline.rs` | what layers compute in prediction, told to who writes them in another language |
//! | `loss.rs` | losses with their slopes, fused with the last activation where that is more exact |
//! | `data/` | samples, order, parts and folds, scaling, weights, CSV |
//! | `workspace.rs` | the memory of a training step, and forward, loss, backward in it |
//! | `optimizer/` | rules that change a network by its gradient; penalties, decay and clipping around them |
//! | `schedule/` | learning rates that change: curves, what looks at the loss, the range test |
//! | `observer/` | who is told of each epoch: history, early stopping, the progress bar |
//! | `trainer.rs` | steps, epochs, whole trainings |
//! | `state/` | what serde writes |
//! | `checkpoint/` | a training in a file, and how it goes on |
//! | `memory.rs` | what all this takes, in constants |
//! | `file.rs` | the one way in which files are written: all of it or nothing |
//! | `text.rs` | text in a fixed place, for error messages that need no heap |
//! | `roomy.rs` | boxes for what is too large for the stack |
//! | `crew.rs` | the same on several threads |
//! | `tuning/` | cross-validation, searches over recipes and network types, their table |
//! | `metrics/` | judgements: the confusion matrix and what follows from it, ROC, log loss, errors of regression |
//! | `plot/` | pictures; the font for PNG |
//! | `io/` | weights in and out: safetensors, read at run time and by the compiler |
//! | `export/` | networks in other languages: Rust, C, ONNX; the proof that source code brings along |
//! | `check.rs` | gradients against differences |
//! | `error.rs` | what only run time can know, in words |
//!
//! What was decided, and why:
//!
//! 1. *One sample is one column.* A batch of `B` samples of `N` numbers is `SMatrix<T, N, B>`: `Y = W X + b` as on paper,
//!    with the memory layout of `&[[T; N]]`.
//! 2. *A layer is generic over the shape that reaches it*, so sizes flow forward and the compiler blames the layer that
//!    does not fit. The bounds stand on methods, never on the impl that provides them, or the message would be lost.
//! 3. *A gradient is a network.* So are momenta and averages. One visit over slices of parameters serves them all.
//! 4. *Evaluation and training are different methods, not a mode.* There is no flag to forget.
//! 5. *The workspace belongs to the caller* and is used again; what each layer keeps for its backward pass is an associated
//!    type whose size is known.
//! 6. *The batch size and the tile are two things.* The first is the optimizer's and a number at run time; the second is
//!    how many columns are computed at once, fixed at compile time. Gradients add up over tiles.
//! 7. *Lanes are explicit.* The loops are generic over the instruction set, which is chosen once, at the outermost call;
//!    everything inside is inlined into it.
//! 8. *The order of summation is part of the contract*: fixed by the sizes and the tile, never by the CPU. Randomness comes
//!    from named generators alone. What is left is fused multiply-add, which the feature `reproducible` turns off.
//!
//! What follows from them and is not obvious:
//!
//! * A pass never changes a layer, in training neither: `forward` takes `&self`, so that a gradient can be computed twice and
//!   checked. What changes between batches, running statistics and the source of random numbers, changes in
//!   [`after_batch`](model::Params::after_batch); the backward pass leaves what it needs in the gradient, which has the
//!   layer's type.
//! * A [`Tile`](model::Tile) has room for `B` columns and says how many are `used`. Loops run over those alone: a last tile
//!   that is half empty costs half.
//! * A shuffled epoch has no list of indices. [`Permutation`](data::Permutation) computes the place of each sample, in
//!   constant memory, and those of a tile in lanes.
//! * The last activation is known from the network's type as [`Layer::Head`](model::Layer::Head), and it names in its
//!   [`Link`](activation::Link) the loss that takes it over. Training then stops at the logits, and loss and slope are
//!   computed from them. It is a parameter of [`Loss`](loss::Loss), so that a pair that makes no sense is no loss at all, and
//!   the bound that says so is part of the one on the targets. A layer without an activation says
//!   [`NoActivation`](activation::NoActivation), which is the identity but no logits.
//! * [`Entrance`](model::Entrance) names the shape that a network's first layer accepts, so that `Net::new` needs no hint,
//!   although layers are generic over their input.
//! * Products are summed in registers, in blocks whose distances are all constants, so that the compiler drops the checks of
//!   indices. Lanes run across outputs; where these are four or fewer, across inputs. A ragged last register begins
//!   earlier, so as to end with the last row, and is half of one where that has room for what is left.
//! * Of many columns, up to four outputs left over share 16 lanes: each sum is split into 4, 8 or 16 parts. The slope by the
//!   weights has its lanes across the inputs where fewer of them are idle then; that is the same sum.
//! * What a CPU has just stored it can load again at once only in the same pieces. So a part of a register is read in halves
//!   and quarters, never from a copy, and a small tile's columns are read as they were written.
//! * A step by a small tile that is all of a batch has a workspace and a gradient of its own, which begin and end with it. No
//!   one else sees them, so that the compiler keeps a tiny network's in registers: every column is loaded and stored in the
//!   same parts, no index is known at run time alone, and no call gets a reference.
//! * An activation of a few instructions is applied before a block's sums are written; a long one is a pass of its own, or
//!   it would be in the program dozens of times.
//! * A CPU without vector registers has loops of its own, which add in the same order. There a register of four numbers is
//!   filled with one, and of what is computed of it only the first is taken; the compiler drops the rest, as long as no loop
//!   and no call stands between. So activations, losses and optimizers are written once. There, plain gradient descent by one
//!   sample writes no gradient down: [`Layer::descend`](model::Layer::descend) changes each weight where its slope is found.
//! * Layers, traces and tiles begin at a multiple of 64 bytes on x86-64, where a load across it takes twice as long.
//! * A checkpoint sees the whole trainer, and an observer only the network; so `fit` takes a
//!   [`Follower`](train::callbacks::Follower), which every observer is. What may be large is read in place, beside the trainer, and
//!   exchanged with what the trainer has when all of it is there.
//! * The reader of files consists of `const fn`s, so that the compiler runs the same one. Such functions can't call methods of
//!   a trait; so each layer's numbers are a constant of a trait, and where the layer stands in the network is a type.
//! * A visit hands running statistics to methods that do nothing unless written: optimizers and norms do not see them.
//! * A search calls trainings of many network types through pointers to functions, one for each type: that is all that is
//!   compiled for each. What it varies besides are values: [`AnyOptimizer`](optimizer::AnyOptimizer) takes its steps slice by
//!   slice, in code that all networks share.
//! * Weights of samples come with the data ([`Weighted`](data::Weighted), [`ClassWeighted`](data::ClassWeighted)), not with
//!   the loss, so that no loss has to know of them.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

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
pub mod init;
pub mod inspect;
pub mod io;
mod kernel;
pub mod layers;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod num;
pub mod optimizer;
#[cfg(feature = "plot")]
pub mod plot;
pub mod train;
#[cfg(feature = "alloc")]
pub mod tuning;

pub use error::Error;
pub use num::random::seeded;

/// What most programs need: `use tuplenet::prelude::*;`.
pub mod prelude {
    pub use crate::activation::{
        Activation, Elu, Gelu, HardSigmoid, Identity, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softmax, Softplus,
        Softsign, Tanh,
    };
    pub use crate::layers::Dense;
    pub use crate::loss::{BinaryCrossEntropy, CrossEntropy, Huber, MeanAbsoluteError, MeanSquaredError};
    pub use crate::model::Features;
    pub use crate::model::{Layer, Network};
    pub use crate::num::Real;
    pub use crate::optimizer::{Adagrad, Adam, AdamW, Optimizer, RmsProp, Sgd};
    pub use crate::seeded;
    #[cfg(feature = "alloc")]
    pub use crate::train::callbacks::History;
    pub use crate::train::callbacks::{EarlyStopping, Epoch, Observer};
    pub use crate::train::{Fit, Outcome, Trainer, Workspace};
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
