//! [`Permutation`]: the order of the samples in an epoch, in constant memory.

use crate::num::dispatch::dispatch;
use crate::num::target::LOOPS_IN_LANES;
use fearless_simd::Level;
use rand::Rng;

/// The most indices that fit into a `u64` with four bits each.
const LISTED: usize = 16;

const ROUNDS: usize = 6;

/// Random permutation: an order of the indices below a count, in constant memory.
///
/// Up to 16 indices are a list in a `u64`, shuffled by exchanging its entries (R. Durstenfeld, "Algorithm 235", 1964):
/// every order is equally likely, up to one part in a million.
///
/// More indices are not listed. Each index is mixed by rounds of `x -> (a x + b) mod 2^n` and `x -> x ^ (x >> n/2)`,
/// which permute the integers below `2^n`, with `a` and `b` drawn for each round; a result that is not below the count
/// is mixed again ("cycle walking": J. Black and P. Rogaway, "Ciphers with arbitrary finite domains", 2002). There are
/// fewer such orders than orders of a list, but each sample is equally likely at each position, and each pair of
/// samples at each pair of positions.
///
/// # Examples
///
/// ```
/// use tuplenet::data::Permutation;
///
/// let order = Permutation::new(5, &mut tuplenet::seeded(1));
/// let mut seen: Vec<usize> = (0..5).map(|i| order.at(i)).collect();
/// seen.sort();
/// assert_eq!(seen, [0, 1, 2, 3, 4]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias("shuffle", "DataLoader"))]
pub struct Permutation {
    count: usize,
    order: Order,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    Identity,
    /// The index at each position, four bits each, the first position in the lowest bits.
    Listed(u64),
    Mixed(Mixing),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mixing {
    mask: u64,
    shift: u32,
    /// How many times all rounds are applied, each time with other bits of their coefficients.
    turns: u32,
    rounds: [(u64, u64); ROUNDS],
}

impl Permutation {
    /// Creates a random order of the indices below `count`.
    // Not inlined: it is called once in an epoch, and inlined it takes registers from the steps.
    #[inline(never)]
    pub fn new<R: Rng>(count: usize, mut rng: R) -> Self {
        let order = if count <= LISTED {
            Order::Listed(listed(count, &mut rng))
        } else {
            Order::Mixed(Mixing::new(count, &mut rng))
        };
        Permutation { count, order }
    }

    /// Creates the order 0, 1, 2 and so on.
    #[inline(always)]
    #[must_use]
    pub const fn identity(count: usize) -> Self {
        Permutation { count, order: Order::Identity }
    }

    /// Whether the order is 0, 1, 2 and so on.
    #[inline(always)]
    #[must_use]
    pub fn is_identity(&self) -> bool {
        matches!(self.order, Order::Identity)
    }

    /// The number of indices.
    #[inline(always)]
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The index at `position`; `position` itself if it is not below the count.
    #[inline(always)]
    #[must_use]
    pub fn at(&self, position: usize) -> usize {
        if position >= self.count {
            return position;
        }
        match &self.order {
            Order::Identity => position,
            Order::Listed(list) => entry(*list, position),
            Order::Mixed(mixing) => mixing.at(position, self.count),
        }
    }

    /// The indices at the positions from `first` on; beyond the last position their values are unspecified.
    ///
    /// A single index waits for each of its own products, and how often it is mixed again can't be predicted. Several
    /// in lanes have neither problem.
    #[inline(always)]
    pub(crate) fn from<const COUNT: usize>(&self, first: usize) -> [usize; COUNT] {
        // Up to four are one register, and lanes gain little; a step with so few samples has no register left for it.
        if COUNT <= 4 { self.several_called(first) } else { self.several_inlined(first) }
    }

    /// [`from`](Self::from), compiled in this crate for an instruction set of the CPU.
    #[inline(always)]
    pub(crate) fn compiled_from<const COUNT: usize>(&self, level: Level, first: usize) -> [usize; COUNT] {
        let mut found = [0; COUNT];
        self.fill(level, first, &mut found);
        found
    }

    #[cfg_attr(all(target_arch = "x86_64", not(feature = "specialized"), not(tuplenet_scalar)), inline(never))]
    #[cfg_attr(not(all(target_arch = "x86_64", not(feature = "specialized"), not(tuplenet_scalar))), inline)]
    fn fill(&self, level: Level, first: usize, found: &mut [usize]) {
        dispatch!(level, simd => {
            let _ = simd;
            let mut first = first;
            for found in found.chunks_mut(32) {
                for (to, index) in found.iter_mut().zip(self.several_inlined::<32>(first)) {
                    *to = index;
                }
                first += 32;
            }
        });
    }

    #[inline(never)]
    fn several_called<const COUNT: usize>(&self, first: usize) -> [usize; COUNT] {
        self.several_inlined(first)
    }

    #[inline(always)]
    fn several_inlined<const COUNT: usize>(&self, first: usize) -> [usize; COUNT] {
        let mut found = [0; COUNT];
        let last = self.count.saturating_sub(1);
        for (offset, index) in found.iter_mut().enumerate() {
            *index = last.min(first + offset);
        }
        let mixing = match &self.order {
            Order::Identity => return found,
            Order::Listed(list) => return found.map(|position| entry(*list, position)),
            Order::Mixed(mixing) => mixing,
        };
        if !LOOPS_IN_LANES || mixing.mask > u64::from(u32::MAX) {
            for index in &mut found {
                *index = self.at(*index);
            }
            return found;
        }
        let (mask, last) = (mixing.mask as u32, last as u32);
        let mut indices = [0; COUNT];
        for (index, &position) in indices.iter_mut().zip(&found) {
            *index = position as u32;
        }
        let mut is_first = true;
        loop {
            let mut mixed = indices;
            for turn in 0..mixing.turns {
                for round in &mixing.rounds {
                    let (factor, summand) = coefficients(round, turn);
                    for x in &mut mixed {
                        *x = x.wrapping_mul(factor as u32).wrapping_add(summand as u32) & mask;
                        *x ^= *x >> mixing.shift;
                    }
                }
            }
            let mut largest = 0;
            for (index, mixed) in indices.iter_mut().zip(mixed) {
                *index = if is_first || *index > last { mixed } else { *index };
                largest = largest.max(*index);
            }
            if largest <= last {
                break;
            }
            is_first = false;
        }
        for (found, index) in found.iter_mut().zip(indices) {
            *found = index as usize;
        }
        found
    }
}

impl Mixing {
    #[inline(always)]
    fn new<R: Rng>(count: usize, rng: &mut R) -> Self {
        let mut rounds = [(0, 0); ROUNDS];
        for (factor, summand) in &mut rounds {
            let bits = rng.next_u64();
            (*factor, *summand) = (bits << 1, bits >> 32);
        }
        let bits = u64::BITS - (count as u64).saturating_sub(1).leading_zeros();
        // A round of few bits mixes less: fair results need about 64 bits in all rounds together.
        let turns = if bits <= 10 { 2 } else { 1 };
        Mixing { mask: u64::MAX >> (u64::BITS - bits), shift: bits.div_ceil(2), turns, rounds }
    }

    // Once in a microcontroller's program, which has little flash.
    #[cfg_attr(target_os = "none", inline(never))]
    #[cfg_attr(not(target_os = "none"), inline(always))]
    fn at(&self, position: usize, count: usize) -> usize {
        let mut x = self.mix(position as u64);
        while x >= count as u64 {
            x = self.mix(x);
        }
        x as usize
    }

    #[inline(always)]
    fn mix(&self, mut x: u64) -> u64 {
        for turn in 0..self.turns {
            for round in &self.rounds {
                let (factor, summand) = coefficients(round, turn);
                x = x.wrapping_mul(factor).wrapping_add(summand) & self.mask;
                x ^= x >> self.shift;
            }
        }
        x
    }
}

/// The factor of a round, which is odd, and the summand. The second turn, which exists for 10 bits or less, uses bits
/// that the first does not use.
#[inline(always)]
fn coefficients(&(factor, summand): &(u64, u64), turn: u32) -> (u64, u64) {
    (factor >> (16 * turn) | 1, summand >> (16 * turn))
}

/// The indices below `count`, at most [`LISTED`], in a random order.
#[inline(always)]
fn listed<R: Rng>(count: usize, rng: &mut R) -> u64 {
    let mut list = 0xfedc_ba98_7654_3210;
    let mut bits = rng.next_u64();
    for left in (2..=count).rev() {
        // The part above the binary point is the drawn index, and the part below is still random (N. Brackett-Rozinsky
        // and D. Lemire, "Batched ranged random integer generation", 2024).
        let product = u128::from(bits) * left as u128;
        let drawn = (product >> u64::BITS) as usize;
        bits = product as u64;
        let different = (entry(list, drawn) ^ entry(list, left - 1)) as u64;
        list ^= different << (4 * drawn);
        list ^= different << (4 * (left - 1));
    }
    list
}

#[inline(always)]
fn entry(list: u64, position: usize) -> usize {
    (list >> (4 * position) & 15) as usize
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
            let mut seen: Vec<usize> = (0..count).map(|position| order.at(position)).collect();
            seen.sort();
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn several_positions_at_once_have_the_indices_of_single_ones() {
        let mut rng = crate::seeded(0);
        for count in [1, 7, 31, 32, 33, 100, 1198, 70_000] {
            for order in [Permutation::new(count, &mut rng), Permutation::identity(count)] {
                for first in [0, count / 2, count - 1] {
                    let indices = order.from::<40>(first);
                    let mut expected = (first..count).zip(indices);
                    assert!(expected.all(|(position, index)| index == order.at(position)), "{count} {first}");
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
        assert!((0..100).all(|position| order.at(position) == position));
    }

    /// The largest distance of a count from the expected one, in standard deviations.
    fn largest(counts: &[u32], trials: usize, probability: f64) -> f64 {
        let expected = trials as f64 * probability;
        let standard_deviation = (expected * (1.0 - probability)).sqrt();
        counts.iter().map(|&found| (f64::from(found) - expected).abs() / standard_deviation).fold(0.0, f64::max)
    }

    /// A million times, or a tenth in a build that is not optimized, where it would take minutes.
    const TRIALS: usize = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

    /// Up to seven samples every order is equally likely.
    #[test]
    fn every_order_of_few_samples_is_equally_likely() {
        let mut rng = crate::seeded(0);
        for count in 2..=7 {
            let orders: usize = (1..=count).product();
            let mut seen = vec![0; 8usize.pow(count as u32)];
            for _ in 0..TRIALS {
                let order = Permutation::new(count, &mut rng);
                seen[(0..count).fold(0, |code, position| 8 * code + order.at(position))] += 1;
            }
            let seen: Vec<u32> = seen.into_iter().filter(|&times| times > 0).collect();
            assert_eq!(seen.len(), orders);
            let z = largest(&seen, TRIALS, 1.0 / orders as f64);
            assert!(z < 5.5, "{count}: {z}");
        }
    }

    /// Every pair of samples is equally likely at every pair of positions.
    #[test]
    fn every_pair_is_equally_likely_at_every_pair_of_positions() {
        let mut rng = crate::seeded(0);
        for count in [8usize, 13, 16, 17, 20, 32, 33] {
            let mut seen = vec![0; count.pow(4)];
            for _ in 0..TRIALS {
                let order: [usize; 33] = Permutation::new(count, &mut rng).from(0);
                for (a, &first) in order[..count].iter().enumerate() {
                    for (b, &second) in order[..a].iter().enumerate() {
                        seen[((a * count + first) * count + b) * count + second] += 1;
                    }
                }
            }
            let different = |cell: &(usize, u32)| {
                let (a, first) = (cell.0 / count.pow(3), cell.0 / count.pow(2) % count);
                let (b, second) = (cell.0 / count % count, cell.0 % count);
                b < a && first != second
            };
            let seen: Vec<u32> = seen.into_iter().enumerate().filter(different).map(|(_, times)| times).collect();
            // Half a million cells.
            let z = largest(&seen, TRIALS, 1.0 / (count * (count - 1)) as f64);
            assert!(z < 6.0, "{count}: {z}");
        }
    }

    /// The difference of the indices at two positions is independent of the positions' distance, and the difference of
    /// an index and its position is independent of the position.
    #[test]
    fn every_distance_is_equally_likely_at_every_distance() {
        let mut rng = crate::seeded(0);
        for count in [50usize, 64, 65, 130] {
            let trials = TRIALS / 10;
            let mut distances = vec![0; count * count];
            let mut shifts = vec![0; count];
            for _ in 0..trials {
                let order: [usize; 130] = Permutation::new(count, &mut rng).from(0);
                for (start, first) in order[..count].iter().enumerate() {
                    shifts[(first + count - start) % count] += 1;
                    for (distance, second) in order[start..count].iter().enumerate() {
                        let apart = if second < first { second + count - first } else { second - first };
                        distances[distance * count + apart] += 1;
                    }
                }
            }
            let z = distances.chunks(count).enumerate().skip(1).fold(0.0, |z: f64, (distance, row)| {
                z.max(largest(&row[1..], trials * (count - distance), 1.0 / (count - 1) as f64))
            });
            assert!(z < 5.5, "distances of {count}: {z}");
            let z = largest(&shifts, trials * count, 1.0 / count as f64);
            assert!(z < 5.5, "shifts of {count}: {z}");
        }
    }
}
