//! Weights in safetensors files (in PyTorch: `state_dict`): models that PyTorch, Keras or scikit-learn has trained
//! become networks, and networks of this library become files that PyTorch reads.
//!
//! ```
//! use tuplenet::io::safetensors;
//! use tuplenet::prelude::*;
//!
//! type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
//!
//! # let path = std::env::temp_dir().join(format!("tuplenet-{}.safetensors", std::process::id()));
//! # let path = path.as_path();
//! let network = Xor::new(&mut seeded(0));
//! safetensors::save(&network, path)?;
//! let same: Xor = safetensors::load(path)?;
//! assert_eq!(network, same);
//! # std::fs::remove_file(path)?;
//! # Ok::<(), safetensors::FileError>(())
//! ```
//!
//! Files are of the format [safetensors](https://github.com/huggingface/safetensors), in PyTorch
//! `safetensors.torch.save_file(network.state_dict(), path)` and `network.load_state_dict(load_file(path))`.
//! [`Safetensors`] is for other names, for a part of a file, for 16-bit values, and for bytes and readers;
//! [`include_weights!`](crate::include_weights) makes a file a constant of the program. For Keras and scikit-learn
//! there are scripts that write such a file and the type of the network, in `examples/convert`.
//!
//! # Names
//!
//! A tuple is a `torch.nn.Sequential`, in which an activation is a module of its own:
//!
//! | layer | modules | tensors |
//! |---|---|---|
//! | [`Dense<IN, OUT, Identity>`](crate::layers::Dense) | `Linear(IN, OUT)` | `weight`, `OUT` by `IN`, and `bias` |
//! | `Dense<IN, OUT, Tanh>` | `Linear(IN, OUT)`, `Tanh()` | the same |
//! | [`Tanh`](crate::activation::Tanh) | `Tanh()` | |
//! | [`Dropout<20>`](crate::layers::Dropout) | `Dropout(0.2)` | |
//! | [`BatchNorm<N>`](crate::layers::BatchNorm) | `BatchNorm1d(N)` | `weight`, `bias`, `running_mean`, `running_var`, `num_batches_tracked` |
//! | [`LayerNorm<N>`](crate::layers::LayerNorm) | `LayerNorm(N)` | `weight`, `bias` |
//! | a tuple in a tuple | a `Sequential` in a `Sequential` | |
//! | [`Residual<L>`](crate::layers::Residual) | a `Residual` that holds `L`, see below | |
//!
//! So `(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)` has `0.weight`, `0.bias`, `2.weight` and `2.bias`. Whether the last
//! activation is in the `Sequential` or, as is usual, in the loss, makes no difference to the names. A layer that is a
//! network alone is the only one of a `Sequential`: `0.weight`. `Residual` is this class, and a single layer in it is
//! the only one of it: `3.0.weight`.
//!
//! ```python
//! class Residual(torch.nn.Sequential):
//!     def forward(self, x):
//!         return x + super().forward(x)
//! ```
//!
//! A network has no more and no less than this table says: a module without a bias must be given one of zeros, and a
//! `BatchNorm1d` with another `eps` than 0.00001 the difference in its `running_var`. The `eps` of a `LayerNorm` is in
//! our type.
//!
//! Where names are others, because there is a `Flatten` before the first layer, or a long `Sequential` became tuples in
//! a tuple, or the modules are fields of a class, [`Names::Modules`] lists them.
//!
//! # What is refused
//!
//! A file must have each tensor of the network, with its sizes, and no other, and all values must be finite; otherwise
//! the error is a [`LoadError`] that names the tensor, what was expected and what was found. The values of a
//! `BatchNorm` must also lead to a finite scale and a finite shift: a running variance below zero does not, nor does a
//! gain near the end of the range. Everything is checked before the first value changes, so that a network into which a
//! file does not fit stays as it is. A file whose bytes are wrong in any way is an error, never a panic, and memory is
//! allocated only for what is really there. A file of another format, a pickle say, is recognised where that is
//! possible.
//!
//! # What is replaced
//!
//! [`save`] writes the new file beside the old one and then gives it the old one's name: when the disk is full or the
//! program is killed, there is the old file or the new one, and it is complete. A symbolic link stays one, permissions
//! stay as they were, and a device or a pipe is written to. A second name of the same file, a hard link, keeps the old
//! contents.
//!
//! The reader is the library's own, because the same one must run in the compiler, where there is no heap. The tests
//! compare it with the `safetensors` crate.

pub mod embedded;
mod foreign;
mod format;
mod header;
mod load_error;
mod names;
mod norm;
mod precision;

pub use embedded::Raw;
pub use format::Safetensors;
pub use load_error::{LoadError, Name, Sizes};
pub use names::Names;
pub use precision::Precision;

/// Reads a network from the bytes of a safetensors file, with PyTorch's names. [`Safetensors`] has more options.
///
/// The seed of a [`Dropout`](crate::layers::Dropout) is in no file, and zero here. To train such a network further,
/// make it with [`new`](crate::model::Network::new) and [`read`](Safetensors::read) the file into it.
///
/// # Errors
///
/// As [`Safetensors::read`].
pub fn from_bytes<N: crate::model::Trainable>(bytes: &[u8]) -> Result<N, LoadError> {
    let mut network = N::ZEROED;
    Safetensors::DEFAULT.read(bytes, &mut network)?;
    Ok(network)
}

/// Returns the bytes of a safetensors file with a network, with PyTorch's names.
///
/// # Errors
///
/// As [`Safetensors::to_vec`].
#[cfg(feature = "alloc")]
pub fn to_vec<N: crate::model::Trainable>(network: &N) -> Result<alloc::vec::Vec<u8>, LoadError> {
    Safetensors::DEFAULT.to_vec(network)
}

/// Reads a network from the safetensors file at `path`, like [`from_bytes`].
///
/// # Errors
///
/// As [`Safetensors::load`].
#[cfg(feature = "std")]
pub fn load<N: crate::model::Trainable>(path: impl AsRef<std::path::Path>) -> Result<N, FileError> {
    let mut network = N::ZEROED;
    Safetensors::DEFAULT.load(path, &mut network)?;
    Ok(network)
}

/// Writes a network to the safetensors file at `path`, with PyTorch's names, like [`Safetensors::save`].
///
/// # Errors
///
/// As [`Safetensors::save`]: the old file is then unchanged.
#[cfg(feature = "std")]
pub fn save<N: crate::model::Trainable>(network: &N, path: impl AsRef<std::path::Path>) -> Result<(), FileError> {
    Safetensors::DEFAULT.save(network, path)
}

/// Why a network could not be read from a file or written to one.
///
/// # Examples
///
/// ```
/// use tuplenet::io::safetensors;
/// use tuplenet::prelude::*;
///
/// let error = safetensors::load::<Dense<2, 1, Sigmoid>>("no such folder/xor.safetensors").unwrap_err();
/// assert!(error.to_string().starts_with("`no such folder/xor.safetensors`: "));
/// ```
#[cfg(feature = "std")]
pub struct FileError {
    /// The path of the file; none where a reader or a writer was given.
    pub path: Option<alloc::boxed::Box<std::path::Path>>,
    /// What is wrong.
    pub problem: FileProblem,
}

/// What is wrong with a file of weights.
#[cfg(feature = "std")]
#[derive(Debug)]
#[non_exhaustive]
pub enum FileProblem {
    /// The file could not be read or written.
    Io(std::io::Error),
    /// The file does not fit the network, or the network has values that may not be in a file.
    LoadError(LoadError),
}

#[cfg(feature = "std")]
mod file_error {
    use super::{FileError, FileProblem, LoadError};
    use core::fmt;

    impl FileError {
        /// The same error with the path of the file.
        pub(in crate::io::safetensors) fn at(self, path: &std::path::Path) -> Self {
            FileError { path: Some(path.into()), ..self }
        }
    }

    impl From<std::io::Error> for FileError {
        fn from(error: std::io::Error) -> Self {
            FileError { path: None, problem: FileProblem::Io(error) }
        }
    }

    impl From<LoadError> for FileError {
        fn from(load_error: LoadError) -> Self {
            FileError { path: None, problem: FileProblem::LoadError(load_error) }
        }
    }

    crate::error::debug_is_display!(FileError);

    impl fmt::Display for FileError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if let Some(path) = &self.path {
                write!(f, "`{}`: ", path.display())?;
            }
            match &self.problem {
                FileProblem::Io(error) => error.fmt(f),
                FileProblem::LoadError(load_error) => load_error.fmt(f),
            }
        }
    }

    impl core::error::Error for FileError {
        fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
            match &self.problem {
                FileProblem::Io(error) => Some(error),
                FileProblem::LoadError(load_error) => Some(load_error),
            }
        }
    }
}

/// The network in a file, as a constant that the compiler computes: no heap, no standard library, nothing to do at run
/// time.
///
/// The type of the network is inferred; the path is relative to the source file, as in `include_bytes!`. By default the
/// file is a safetensors file with PyTorch's names; a second argument sets another format, a
/// [`Safetensors`](crate::io::safetensors::Safetensors) or [`Raw`](crate::io::safetensors::Raw).
///
/// ```
/// use tuplenet::include_weights;
/// use tuplenet::io::safetensors::{Precision, Raw};
/// use tuplenet::prelude::*;
///
/// type Xor = (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);
///
/// static XOR: Xor = include_weights!("../../../examples/data/xor.safetensors");
/// assert!(XOR.predict_one(&[0.0, 1.0])[0] < 1.0);
///
/// const SAME: Xor = include_weights!("../../../examples/data/xor.f32", Raw(Precision::F32));
/// assert!(SAME == XOR);
/// ```
///
/// A tensor that is missing, has other sizes, or is unknown, or a value that is not finite, is a compile error that
/// names the tensor:
///
/// ```compile_fail,E0080
/// use tuplenet::include_weights;
/// use tuplenet::prelude::*;
///
/// static WRONG: (Dense<2, 5, Tanh>, Dense<5, 1, Sigmoid>) = include_weights!("../../../examples/data/xor.safetensors");
/// assert!(WRONG.predict_one(&[0.0, 0.0])[0] < 0.5);
/// ```
///
/// ```text
/// error[E0080]: evaluation panicked: tensor `0.weight`: expected [5, 2], found [4, 2]
/// ```
///
/// The compiler reads some 100,000 values a second. Where a single tensor has more than 900,000, it stops
/// with the lint `long_running_const_eval`, until the crate has `#![allow(long_running_const_eval)]` at its beginning.
#[macro_export]
macro_rules! include_weights {
    ($path:expr $(,)?) => {
        $crate::include_weights!($path, $crate::io::safetensors::Safetensors::DEFAULT)
    };
    ($path:expr, $format:expr $(,)?) => {{
        struct EmbeddedFile;
        impl $crate::io::safetensors::embedded::File for EmbeddedFile {
            const BYTES: &'static [u8] = ::core::include_bytes!($path);
            const FORMAT: $crate::io::safetensors::embedded::Format<'static> = ($format).format();
        }
        $crate::io::safetensors::embedded::Loaded::<_, EmbeddedFile>::VALUE
    }};
}
