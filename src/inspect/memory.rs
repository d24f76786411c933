//! Memory of a network and its training, known at compile time: constants on types, and
//! [`assert_fits!`](crate::assert_fits).
//!
//! | constant | bytes of |
//! |---|---|
//! | [`Params::PARAMETERS`](crate::model::Params::PARAMETERS) | not bytes, but how many parameters |
//! | [`Params::BYTES`](crate::model::Params::BYTES) | the weights: what a network in a `static` uses of flash, or in RAM |
//! | [`Workspace::BYTES`](crate::train::Workspace::BYTES) | a workspace with the micro-batch of its type |
//! | [`Trainer::STATE_BYTES`](crate::train::Trainer::STATE_BYTES) | the state of the optimizer |
//! | [`FullBatchTrainer::BYTES`](crate::train::FullBatchTrainer::BYTES) | everything for training with full batches |
//! | [`Trainer::BYTES`](crate::train::Trainer::BYTES) | everything for training: network, gradient, optimizer, random number generator, workspace |
//!
//! ```
//! use tuplenet::model::Params;
//! use tuplenet::prelude::*;
//!
//! type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
//! type Learner = Trainer<Xor, MeanSquaredError, Sgd, (), 1>;
//!
//! const _: () = assert!(Xor::PARAMETERS == 33);
//! const _: () = assert!(Learner::BYTES <= 2 * Xor::BYTES + Workspace::<Xor, 1>::BYTES + 64);
//! ```
//!
//! The constants are those of the compilation target: on x86-64 each layer begins at a multiple of 64 bytes, on a
//! microcontroller there is no padding and [`BYTES`](crate::model::Params::BYTES) is four times
//! [`PARAMETERS`](crate::model::Params::PARAMETERS).
//!
//! **What they leave out** is the call stack, and the program itself. A prediction keeps the outputs of the layers
//! inside a network on the stack, and some registers with each call; training a network of up to 64 KiB also keeps a second
//! gradient there, for very large batches, except on a microcontroller. The crate in `examples/firmware` measures both: on
//! a Cortex-M4F, a step of the `Learner` above used 184 to 292 bytes of stack.

use crate::model::Trainable;
use crate::optimizer::{Adam, Sgd};
use crate::train::{FullBatchTrainer, LevenbergMarquardt, Trainer};

/// Checks memory budgets at compile time: a readable compile error if the weights of a network use more than `flash`,
/// or if training it by gradient descent, one sample at a time, uses more than `ram`. Both are in bytes, and either may
/// be left out.
///
/// ```
/// use tuplenet::assert_fits;
/// use tuplenet::prelude::*;
///
/// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// assert_fits!(Xor, flash = 256, ram = 1024);
/// ```
///
/// With less flash the message is "`Xor` uses 192 bytes of flash for its weights and may use 100", or 132 on a
/// microcontroller:
///
/// ```compile_fail,E0080
/// # use tuplenet::assert_fits;
/// # use tuplenet::prelude::*;
/// # type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// assert_fits!(Xor, flash = 100);
/// ```
///
/// [`LevenbergMarquardt`](crate::train::LevenbergMarquardt) needs a matrix of all parameters by all parameters. What its trainer
/// with the micro-batch 1 may use is `least_squares`:
///
/// ```
/// # use tuplenet::assert_fits;
/// # use tuplenet::prelude::*;
/// # type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// assert_fits!(Xor, least_squares = 8192);
/// ```
///
/// ```compile_fail,E0080
/// # use tuplenet::assert_fits;
/// # use tuplenet::prelude::*;
/// # type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// assert_fits!(Xor, least_squares = 4096);
/// ```
///
/// Another budget is the `stack` of the thread that makes a trainer with Adam and the micro-batch 32 by
/// [`Trainer::new`](crate::train::Trainer::new) and trains with it, in a program that is not optimized and copies
/// values several times. A main thread usually has 8 megabytes, a test and other threads have 2:
///
/// ```
/// # use tuplenet::assert_fits;
/// # use tuplenet::prelude::*;
/// # type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// assert_fits!(Xor, stack = 2 << 20);
/// ```
///
/// ```compile_fail,E0080
/// # use tuplenet::assert_fits;
/// # use tuplenet::prelude::*;
/// type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Softmax>);
/// assert_fits!(Mnist, stack = 2 << 20);
/// ```
///
/// What counts as `ram` is `Trainer::<Xor, (), Sgd, (), 1>::BYTES`. For another trainer write
/// `const _: () = assert!(Learner::BYTES <= 1024);`. See [`memory`](crate::inspect::memory) for what is left out: the
/// call stack.
#[macro_export]
macro_rules! assert_fits {
    (
        $network:ty $(, flash = $flash:expr)? $(, ram = $ram:expr)? $(, least_squares = $least_squares:expr)?
        $(, stack = $stack:expr)? $(,)?
    ) => {
        const _: () = {
            $($crate::inspect::memory::assert_flash::<$network>(stringify!($network), $flash);)?
            $($crate::inspect::memory::assert_ram::<$network>(stringify!($network), $ram);)?
            $(
                $crate::inspect::memory::assert_least_squares::<
                    $network,
                    { <$network as $crate::model::Params>::PARAMETERS },
                >(stringify!($network), $least_squares);
            )?
            $($crate::inspect::memory::assert_stack::<$network>(stringify!($network), $stack);)?
        };
    };
}

/// The check of flash in [`assert_fits!`](crate::assert_fits).
///
/// # Panics
///
/// If the weights use more than `budget` bytes.
pub const fn assert_flash<N: Trainable>(name: &str, budget: usize) {
    assert_at_most(name, N::BYTES, " bytes of flash for its weights", budget);
}

/// The check of RAM in [`assert_fits!`](crate::assert_fits).
///
/// # Panics
///
/// If training, one sample at a time, uses more than `budget` bytes.
pub const fn assert_ram<N: Trainable>(name: &str, budget: usize) {
    let bytes = Trainer::<N, (), Sgd<N::Scalar>, (), 1>::BYTES;
    assert_at_most(name, bytes, " bytes of RAM to be trained, one sample at a time,", budget);
}

/// The check of RAM for least squares in [`assert_fits!`](crate::assert_fits); `P` is the number of parameters.
///
/// # Panics
///
/// If training by least squares, with the micro-batch 1, uses more than `budget` bytes.
pub const fn assert_least_squares<N: Trainable, const P: usize>(name: &str, budget: usize) {
    let bytes = FullBatchTrainer::<N, (), LevenbergMarquardt<P, N::Scalar>, 1>::BYTES;
    assert_at_most(name, bytes, " bytes of RAM to be trained by least squares", budget);
}

/// The check of a thread's stack in [`assert_fits!`](crate::assert_fits).
///
/// # Panics
///
/// If training outside of a box may use more than `budget` bytes.
pub const fn assert_stack<N: Trainable>(name: &str, budget: usize) {
    // Measured, where nothing is optimized: 2.5 times a trainer of 1.9 megabytes, 2.7 times one of 330 kilobytes, and
    // 96 kilobytes for a tiny one.
    let bytes = 3 * Trainer::<N, (), Adam<N::Scalar>, (), 32>::BYTES + 128 * 1024;
    assert_at_most(name, bytes, " bytes of stack to be trained with Adam outside of a box", budget);
}

const fn assert_at_most(name: &str, found: usize, what: &str, budget: usize) {
    if found > budget {
        let words = Message::NONE.and("`").and(name).and("` uses ").and_number(found).and(what);
        let words = words.and(" and may use ").and_number(budget);
        panic!("{}", words.as_str());
    }
}

/// An error message that is formatted at compile time, truncated if it is too long.
struct Message {
    bytes: [u8; 256],
    length: usize,
}

impl Message {
    const NONE: Message = Message { bytes: [0; 256], length: 0 };

    const fn and(mut self, words: &str) -> Self {
        let (words, mut i) = (words.as_bytes(), 0);
        while i < words.len() && self.length < self.bytes.len() {
            // A name in other letters than ASCII would be cut in the middle of one.
            self.bytes[self.length] = if words[i].is_ascii() { words[i] } else { b'?' };
            self.length += 1;
            i += 1;
        }
        self
    }

    const fn and_number(mut self, number: usize) -> Self {
        if number >= 10 {
            self = self.and_number(number / 10);
        }
        if self.length < self.bytes.len() {
            self.bytes[self.length] = b'0' + (number % 10) as u8;
            self.length += 1;
        }
        self
    }

    const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.length).0) {
            Ok(words) => words,
            Err(_) => "too much memory",
        }
    }
}
