//! Losses, last activations, targets.
