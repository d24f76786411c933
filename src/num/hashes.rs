//! What the weights of training runs come to with the feature `reproducible`, as hashes over their bits: the same on every machine.
//!
//! `TUPLENET_HASHES=write cargo test --lib --test reproducible --features reproducible` writes them anew, after a change that is
//! meant to change bits.

/// XOR, one sample at a time.
pub const XOR: u32 = 0x8c5e947a;
/// Irises in shuffled batches.
pub const IRIS: u32 = 0x692017a4;
/// Layers of sizes that fit no register.
pub const RAGGED: u32 = 0x7bfb33b9;
/// The training run of `tests/reproducible.rs`, in `f32`.
pub const TRAINED_F32: u32 = 0x6bb738f6;
/// The same in `f64`.
pub const TRAINED_F64: u32 = 0x85fb1b59;
