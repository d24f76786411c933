//! Random numbers from a seed.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A portable generator of random numbers: the same seed gives the same numbers on every machine.
pub fn seeded(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}
