//! Hyperparameter tuning: finds which network to use, and how to train it. Cross-validation, and grid and random
//! searches over optimizers, learning rates, penalties, batch sizes and schedules, and over network types. Needs the
//! feature `alloc`; the time of predictions needs `std`, and all cores `rayon`.
//!
//! Sizes are part of the types, so that the networks to try must be listed in the source: by [`networks!`]. Everything
//! else is in [`Hyperparameters`], and a [`SearchSpace`] says which of them vary:
//!
//! ```
//! use tuplenet::optimizer::AnyOptimizer;
//! use tuplenet::prelude::*;
//! use tuplenet::tuning::{
//!     CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, accuracy, networks,
//! };
//!
//! # let inputs: Vec<[f32; 2]> = (0..80).map(|i| [(i % 9) as f32, (i % 7) as f32]).collect();
//! # let classes: Vec<usize> = inputs.iter().map(|[x, y]| usize::from(x * y > 8.5)).collect();
//! let networks = networks![
//!     for hidden in [4, 8] for activation in [Tanh, Relu] (Dense<2, hidden, activation>, Dense<hidden, 2, Softmax>)
//! ];
//! let sgd: AnyOptimizer = Sgd::new(0.001).nesterov(0.9).into();
//! let grid = SearchSpace::new(Hyperparameters::new(sgd))
//!     .optimizer([sgd, Adam::new(0.001).into()])
//!     .learning_rate([0.01, 0.1]);
//!
//! let validation =
//!     CrossValidation::stratified(&inputs, &classes, CrossEntropy, accuracy, &CrossValidationOptions::default())?;
//! let table = validation.grid(&networks, &grid)?;
//! println!("{table:.5}");
//! let best = table.best().expect("one did not fail");
//! println!("the best: {} {:?}", best.network, best.parameters);
//! let small = table.smallest(best.mean() - 0.01).expect("the best is good enough");
//! println!("small and nearly as good: {} with {} bytes", small.network, small.bytes);
//! # Ok::<(), tuplenet::Error>(())
//! ```
//!
//! | scikit-learn | here |
//! |---|---|
//! | `cross_val_score` | [`CrossValidation::scores`] |
//! | `GridSearchCV` | [`CrossValidation::grid`] |
//! | `RandomizedSearchCV` | [`CrossValidation::random`] |
//! | `Pipeline` with a scaler | [`CrossValidationOptions::scaling`] |
//! | `best_score_`, `best_params_` | [`Table::best`]: [`Row::mean`], [`Row::parameters`] |
//! | `cv_results_` | [`Table::rows`], [`Table::to_csv`] |
//! | `refit`, `best_estimator_` | [`CrossValidation::predictor`], or [`CrossValidation::fit`] for the network itself |
//! | `loguniform` | [`log_uniform`] |
//! | `solver="lbfgs"` | [`Architecture::lbfgs`]; `"sgd"` and `"adam"` are optimizers |
//!
//! With the feature `cluster` a search writes a journal, from which it resumes after an interruption, and is shared among
//! the processes of a cluster: `SearchOptions`.
//!
//! Each network type takes the compiler about as long as a training run that is written in full. All optimizers are
//! compiled for it, if the optimizer is [`AnyOptimizer`](crate::optimizer::AnyOptimizer); a space of one optimizer
//! takes less.

#[cfg(feature = "std")]
extern crate std;

mod architecture;
mod hyperparameters;
#[cfg(feature = "cluster")]
mod journal;
mod score;
#[cfg(feature = "cluster")]
mod search;
#[cfg(feature = "cluster")]
mod share_out;
mod solver;
mod space;
mod table;
mod validation;

#[doc(inline)]
pub use crate::__networks as networks;
pub use architecture::{Architecture, Predictor};
pub use hyperparameters::{Hyperparameters, NoImprovement, StopWithoutImprovement};
#[cfg(feature = "cluster")]
pub use journal::JournalProblem;
pub use score::{accuracy, neg_mean_absolute_error, neg_mean_squared_error, r2};
#[cfg(feature = "cluster")]
pub use search::{SearchError, SearchOptions, SearchProgress};
pub use space::{Choice, SearchSpace, Uniform, Values, log_uniform, uniform};
pub use table::{Row, Table};
pub use validation::{CrossValidation, CrossValidationOptions, Fitted, Scalable, Scaler, Scaling, Scores};

/// What [`networks!`] expands to.
#[doc(hidden)]
pub mod __private {
    pub use super::architecture::List;
}
