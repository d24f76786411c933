//! [`Permutation`]: the order of an epoch, in constant memory.

use rand::Rng;

const ROUNDS: usize = 6;

/// A random order of the numbers below a count, without a list of them.
///
/// Each number is mixed by rounds of `x -> (a x + b) mod 2^n` and `x -> x ^ (x >> n/2)`, which permute the numbers below
/// `2^n`, with `a` and `b` drawn anew for each round; what falls outside of the count is mixed again ("cycle walking": J.
/// Black and P. Rogaway, "Ciphers with arbitrary finite domains", 2002). Fewer orders are possible than by exchanging
/// the entries of a list, but each sample is as likely to stand in each place.
///
/// ```
/// use tuplenet::data::Permutation;
///
/// let order = Permutation::new(5, &mut tuplenet::seeded(1));
/// let mut seen: Vec<usize> = (0..5).map(|i| order.at(i)).collect();
/// seen.sort();
/// assert_eq!(seen, [0, 1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Permutation {
    count: usize,
    mixing: Option<Mixing>,
}

#[derive(Clone, Debug)]
struct Mixing {
    mask: u64,
    shift: u32,
    rounds: [(u64, u64); ROUNDS],
}

impl Permutation {
    /// A random order of the numbers below `count`.
    #[inline(always)]
    pub fn new<R: Rng>(count: usize, rng: &mut R) -> Self {
        let mut rounds = [(0, 0); ROUNDS];
        for (factor, summand) in &mut rounds {
            let bits = rng.next_u64();
            *factor = (bits << 1) | 1;
            *summand = bits >> 32;
        }
        // Fewer than four bits mix badly.
        let bits = (u64::BITS - (count as u64).saturating_sub(1).leading_zeros()).max(4);
        let (mask, shift) = (u64::MAX >> (u64::BITS - bits), bits.div_ceil(2));
        Permutation { count, mixing: Some(Mixing { mask, shift, rounds }) }
    }

    /// The numbers in their order.
    #[inline(always)]
    pub const fn identity(count: usize) -> Self {
        Permutation { count, mixing: None }
    }

    /// Whether the numbers are in their order.
    #[inline(always)]
    pub fn is_identity(&self) -> bool {
        self.mixing.is_none()
    }

    /// How many numbers.
    #[inline(always)]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number at `place`; `place` itself if it is not below the count.
    #[inline(always)]
    pub fn at(&self, place: usize) -> usize {
        let Some(Mixing { mask, shift, rounds }) = &self.mixing else { return place };
        if place >= self.count {
            return place;
        }
        let mut x = place as u64;
        loop {
            for (factor, summand) in rounds {
                x = x.wrapping_mul(*factor).wrapping_add(*summand) & mask;
                x ^= x >> shift;
            }
            if x < self.count as u64 {
                return x as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn is_a_permutation_of_every_small_count() {
        let mut rng = crate::seeded(0);
        for count in 0..200 {
            let order = Permutation::new(count, &mut rng);
            let mut seen: Vec<usize> = (0..count).map(|place| order.at(place)).collect();
            seen.sort();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn identity_keeps_the_order() {
        let order = Permutation::identity(100);
        assert!((0..100).all(|place| order.at(place) == place));
    }

    /// Every number is as likely in every place, and every pair as likely to be neighbours, within five standard
    /// deviations.
    #[test]
    fn is_fair() {
        let mut rng = crate::seeded(0);
        for count in [2usize, 3, 4, 5, 7, 10, 13, 32, 33] {
            let trials = 20_000;
            let mut places = vec![vec![0; count]; count];
            let mut followers = vec![vec![0; count]; count];
            for _ in 0..trials {
                let order = Permutation::new(count, &mut rng);
                for place in 0..count {
                    places[place][order.at(place)] += 1;
                    if place > 0 {
                        followers[order.at(place - 1)][order.at(place)] += 1;
                    }
                }
            }
            let fair = |probability: f64, found: i32| {
                let expected = trials as f64 * probability;
                let deviation = (expected * (1.0 - probability)).sqrt();
                assert!((found as f64 - expected).abs() < 5.0 * deviation, "{count}: {found} for {expected}");
            };
            for a in 0..count {
                for b in 0..count {
                    fair(1.0 / count as f64, places[a][b]);
                    if a != b {
                        fair(1.0 / count as f64, followers[a][b]);
                    }
                }
            }
        }
    }
}
