//! Small neural networks whose every size is known to the compiler: tuples of layers, trained and run on the stack.
//!
//! ```
//! use tuplenet::prelude::*;
//!
//! type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
//!
//! let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
//! let targets = [[0.0], [1.0], [1.0], [0.0]];
//!
//! let network = Xor::new(&mut seeded(0));
//! let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
//! trainer.fit(&inputs, &targets, &Fit { epochs: 1000, ..Fit::default() }, ())?;
//!
//! for (input, target) in inputs.iter().zip(targets) {
//!     let [probability] = trainer.network.predict_one(input);
//!     assert_eq!(probability > 0.5, target == [1.0]);
//! }
//! # Ok::<(), tuplenet::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod activation;
mod chain;
pub mod check;
pub mod data;
mod dispatch;
pub mod error;
pub mod init;
mod kernel;
pub mod layer;
pub mod layers;
pub mod loss;
pub mod math;
pub mod metrics;
pub mod network;
pub mod observer;
pub mod optimizer;
pub mod params;
pub mod real;
pub mod shape;
pub mod trainer;
pub mod workspace;

pub use error::Error;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// What most programs need: `use tuplenet::prelude::*;`.
pub mod prelude {
    pub use crate::activation::{
        Activation, Elu, Gelu, HardSigmoid, Identity, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softmax, Softplus,
        Softsign, Tanh,
    };
    pub use crate::layer::Layer;
    pub use crate::layers::Dense;
    pub use crate::loss::{BinaryCrossEntropy, CrossEntropy, Huber, MeanAbsoluteError, MeanSquaredError};
    pub use crate::network::Network;
    #[cfg(feature = "alloc")]
    pub use crate::observer::History;
    pub use crate::observer::{Epoch, Observer};
    pub use crate::optimizer::{Adagrad, Adam, AdamW, Optimizer, RmsProp, Sgd};
    pub use crate::real::Real;
    pub use crate::seeded;
    pub use crate::shape::Features;
    pub use crate::trainer::{Fit, Outcome, Trainer};
    pub use crate::workspace::Workspace;
    pub use nalgebra::{SMatrix, SVector};
    pub use rand::{Rng, SeedableRng};
}

/// Vector lanes, for layers, activations, losses and optimizers of your own.
pub mod simd {
    pub use crate::kernel::{dot, map, map_sum, sum};
    pub use crate::real::Lanes;
    pub use fearless_simd::{Select, Simd, SimdBase, SimdFloat};
}

/// A portable generator of random numbers: the same seed gives the same numbers on every machine.
pub fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}
