//! Three training runs whose every bit is known.

#![no_std]
#![no_main]

use firmware::bits::{iris, ragged, xor};
use firmware::{hashes, program, tell};

program!(all_right);

/// Whether the weights are the same as everywhere else.
fn all_right() -> bool {
    let mut right = true;
    for (training, expected) in [(xor as fn() -> _, hashes::XOR), (iris, hashes::IRIS), (ragged, hashes::RAGGED)] {
        let found = work(training);
        tell(found);
        right &= found == expected;
    }
    right
}

/// The hash of the weights; zero if there was an error.
#[unsafe(no_mangle)]
#[inline(never)]
fn work(training: fn() -> Result<u32, tuplenet::Error>) -> u32 {
    training().unwrap_or(0)
}
