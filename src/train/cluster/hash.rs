//! [`Hash`]: whether ranks, and searches, have the same.

use crate::model::{Parameter, Visitor};
use crate::num::Real;
use core::fmt;

/// A hash of 64 bits, of words one after the other. Not against those who want to find two texts with the same hash: only
/// against accidents.
pub(crate) struct Hash(pub u64);

impl Hash {
    pub(crate) const fn new() -> Self {
        Hash(0xcbf2_9ce4_8422_2325)
    }

    #[inline]
    pub(crate) fn word(&mut self, word: u64) {
        // The product carries low bits up, the rotation brings high ones down.
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub(crate) fn values<T: Real>(&mut self, values: &[T]) {
        // Four at once, since each word waits for the product of the one before.
        let mut lanes = [0, 1, 2, 3].map(Hash);
        let chunks = values.chunks_exact(4);
        for value in chunks.remainder() {
            self.word(value.exact().to_bits());
        }
        for chunk in chunks {
            for (lane, value) in lanes.iter_mut().zip(chunk) {
                lane.word(value.exact().to_bits());
            }
        }
        lanes.iter().for_each(|lane| self.word(lane.0));
    }
}

/// Its bytes, and where the text ends.
impl fmt::Write for Hash {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            self.word(byte.into());
        }
        self.word(1 << 8);
        Ok(())
    }
}

impl<T: Real> Visitor<T> for Hash {
    fn slice(&mut self, _: Parameter, values: &[T]) {
        self.values(values);
    }
}
