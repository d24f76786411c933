//! Networks in and out of a program: weights in [`safetensors`](https://huggingface.co/docs/safetensors) files, whatever serde
//! writes, and source code in other languages. Each is there with the feature of its name.

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
