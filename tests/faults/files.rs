//! Weights and checkpoints on disk, exports.
