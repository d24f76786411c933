//! Random numbers from a seed.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A portable generator of random numbers: the same seed gives the same numbers on every machine.
#[doc(alias("random_state", "manual_seed"))]
pub fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}
