//! [`Permutation`]: the order of an epoch, in constant memory.

use crate::num::SCALAR;
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
        let Some(mixing) = &self.mixing else { return place };
        if place >= self.count {
            return place;
        }
        let mut x = mixing.mix(place as u64);
        while x >= self.count as u64 {
            x = mixing.mix(x);
        }
        x as usize
    }

    /// The numbers at the places from `first` on; where there is no place any more, any number.
    ///
    /// One number alone waits for each of its own products, and how often it falls outside can't be foreseen. Lanes of many
    /// have neither trouble.
    #[inline(always)]
    pub(crate) fn from<const MANY: usize>(&self, first: usize) -> [usize; MANY] {
        let mut found = [0; MANY];
        let last = self.count.saturating_sub(1);
        for (place, number) in found.iter_mut().enumerate() {
            *number = last.min(first + place);
        }
        let Some(mixing) = &self.mixing else { return found };
        if SCALAR || mixing.mask > u64::from(u32::MAX) {
            for number in &mut found {
                *number = self.at(*number);
            }
            return found;
        }
        let (mask, last) = (mixing.mask as u32, last as u32);
        let mut numbers = [0; MANY];
        for (number, &place) in numbers.iter_mut().zip(&found) {
            *number = place as u32;
        }
        let mut is_first = true;
        loop {
            let mut mixed = numbers;
            for (factor, summand) in &mixing.rounds {
                for x in &mut mixed {
                    *x = x.wrapping_mul(*factor as u32).wrapping_add(*summand as u32) & mask;
                    *x ^= *x >> mixing.shift;
                }
            }
            let mut largest = 0;
            for (number, mixed) in numbers.iter_mut().zip(mixed) {
                *number = if is_first || *number > last { mixed } else { *number };
                largest = largest.max(*number);
            }
            if largest <= last {
                break;
            }
            is_first = false;
        }
        for (found, number) in found.iter_mut().zip(numbers) {
            *found = number as usize;
        }
        found
    }
}

impl Mixing {
    #[inline(always)]
    fn mix(&self, mut x: u64) -> u64 {
        for (factor, summand) in &self.rounds {
            x = x.wrapping_mul(*factor).wrapping_add(*summand) & self.mask;
            x ^= x >> self.shift;
        }
        x
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
    fn many_places_have_the_numbers_that_each_has() {
        let mut rng = crate::seeded(0);
        for count in [1, 7, 31, 32, 33, 100, 1198, 70_000] {
            for order in [Permutation::new(count, &mut rng), Permutation::identity(count)] {
                for first in [0, count / 2, count - 1] {
                    let numbers = order.from::<40>(first);
                    let places = (first..count).zip(numbers);
                    assert!(places.into_iter().all(|(place, number)| number == order.at(place)), "{count} {first}");
                }
            }
        }
        // More than 32 bits.
        let order = Permutation::new(1 << 40, &mut rng);
        assert_eq!(order.from::<2>(1 << 35), [order.at(1 << 35), order.at((1 << 35) + 1)]);
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
