//! The guide: a course from the first neuron to a network in a program, and pages about more than one type or function.
//!
//! | page | |
//! |---|---|
//! | [`from_scratch`] | a neural network from scratch: layer, loss, gradient and step, by hand and by the call that does it |
//! | [`training`] | a table, the split, scaling, the loop, curves, the test, a search, a file with the result |
//! | [`regularization`] | overfitting, and L2, dropout, batch normalization and early stopping against it |
//! | [`images`] | convolution and pooling |
//! | [`sequences`] | recurrent networks, and networks that predict step by step |
//! | [`second_order`] | Jacobians, L-BFGS, Levenberg-Marquardt, and how certain a prediction is |
//! | [`coming_from`] | coming from PyTorch, Keras or scikit-learn: their call, ours |
//! | [`embedding`] | a network in a larger program: fields, generic functions, `dyn`, threads, files |
//! | `cluster` | many processes: searches and training on one server and on a cluster with MPI |
//! | [`microcontroller`] | no heap, no operating system, and learning there |
//! | [`your_own`] | layers, activations, losses and optimizers of your own |
//! | [`troubleshooting`] | what went wrong, and how to see it |
//! | [`speed`] | how to get this library's speed, and what it costs in memory and stack |

#[doc = include_str!("from_scratch.md")]
pub mod from_scratch {}

#[doc = include_str!("training.md")]
#[doc = include_str!("../../examples/pictures/losses.svg")]
#[doc = include_str!("training_test.md")]
pub mod training {}

#[doc = include_str!("regularization.md")]
pub mod regularization {}

#[doc = include_str!("images.md")]
pub mod images {}

#[doc = include_str!("sequences.md")]
pub mod sequences {}

#[doc = include_str!("second_order.md")]
pub mod second_order {}

#[doc = include_str!("coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("embedding.md")]
pub mod embedding {}

#[cfg(feature = "cluster")]
#[doc = include_str!("cluster.md")]
pub mod cluster {}

#[doc = include_str!("microcontroller.md")]
pub mod microcontroller {}

#[doc = include_str!("your_own.md")]
pub mod your_own {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("speed.md")]
#[doc = include_str!("speed.svg")]
#[doc = include_str!("speed_costs.md")]
pub mod speed {}
