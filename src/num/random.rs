//! Random number generators from a seed.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A portable random number generator: the same seed returns the same random numbers on every machine.
#[doc(alias("random_state", "manual_seed"))]
#[must_use]
pub fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}
