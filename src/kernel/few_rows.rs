//! Products of a matrix with two to four rows and one column: the forward pass of one sample, where lanes run across the inputs.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::{MAX_LANES, Register, lane_indices, load, load_part};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use fearless_simd::{Bytes, Select, Simd, SimdBase};

/// The most registers that the sums take: those of four rows, in registers of two lanes.
const MOST_REGISTERS: usize = MAX_LANES * 4 / 2;

/// Sets `result` to `start + left * right`, for `ROWS` rows and `DEPTH` inputs. Each element of the result is the sum of 16
/// sums, as in [`map_sum`](super::map_sum).
///
/// The matrix is read as it is stored, input by input: a register holds the weights of some inputs for all rows, and meets
/// each of these inputs as often as there are rows.
#[inline(always)]
pub(super) fn few_rows<S: Simd, T: Real, V: Register<S, T>, const ROWS: usize, const DEPTH: usize>(
    simd: S,
    left: &[T],
    right: &[T],
    start: &[T],
    result: &mut [T],
) {
    let registers = const { MAX_LANES * ROWS / V::LEN };
    let whole = const { DEPTH / MAX_LANES * MAX_LANES };
    let (left, right) = (&left[..DEPTH * ROWS], &right[..DEPTH]);
    let mut sums = [V::splat(simd, T::ZERO); MOST_REGISTERS];
    for first in (0..whole).step_by(MAX_LANES) {
        let (left, right) = (&left[first * ROWS..][..MAX_LANES * ROWS], &right[first..][..MAX_LANES]);
        for r in 0..registers {
            let inputs = repeated::<S, T, V>(simd, right, &const { Repeat::new::<S, T, V, ROWS>(0, MAX_LANES) }, r);
            sums[r] = mul_add(load(simd, &left[r * V::LEN..]), inputs, sums[r]);
        }
    }
    if const { !DEPTH.is_multiple_of(MAX_LANES) } {
        for r in 0..registers {
            let Some(left) = left.get(whole * ROWS + r * V::LEN..).filter(|left| !left.is_empty()) else { break };
            let repeat = const { Repeat::new::<S, T, V, ROWS>(DEPTH / MAX_LANES * MAX_LANES, DEPTH) };
            let inputs = repeated::<S, T, V>(simd, right, &repeat, r);
            if left.len() >= V::LEN {
                sums[r] = mul_add(load(simd, left), inputs, sums[r]);
            } else {
                // Zeros on both sides behind the last input, which may be infinite.
                let there = lane_indices::<S, T, V>(simd).simd_lt(V::splat(simd, T::from_count(left.len())));
                let inputs = there.select(inputs, V::splat(simd, T::ZERO));
                sums[r] = mul_add(load_part(simd, left), inputs, sums[r]);
            }
        }
    }
    let mut all = [T::ZERO; MAX_LANES * 4 / 2];
    for r in 0..registers / 2 {
        (sums[r] + sums[r + registers / 2]).store_slice(&mut all[r * V::LEN..][..V::LEN]);
    }
    let mut half = MAX_LANES / 4;
    while half > 0 {
        for i in 0..half * ROWS {
            all[i] += all[i + half * ROWS];
        }
        half /= 2;
    }
    for row in 0..ROWS {
        result[row] = start[row] + all[row];
    }
}

/// The inputs that meet register `r` of the weights.
#[inline(always)]
fn repeated<S: Simd, T: Real, V: Register<S, T>>(simd: S, inputs: &[T], repeat: &Repeat, r: usize) -> V {
    let values = T::repeat(simd, &inputs[repeat.first[r]..][..16 / size_of::<T>()]);
    let bytes = &repeat.bytes[r][..size_of::<Lanes<S, T>>()];
    let lanes = values.swizzle_dyn_within_blocks(<Lanes<S, T> as Bytes>::Bytes::from_slice(simd, bytes));
    V::from_slice(simd, &lanes.as_slice()[..V::LEN])
}

/// Which inputs meet the registers of the weights of up to 16 inputs.
struct Repeat {
    /// The first input that is loaded, for each register: 16 bytes of inputs, to every 16 bytes of a register, which has no
    /// more of them.
    first: [usize; MOST_REGISTERS],
    /// Which byte of these each byte of the register becomes: every input as often as there are rows.
    bytes: [[u8; 64]; MOST_REGISTERS],
}

impl Repeat {
    /// For the inputs from `begin` on; `end` is behind the last one that there is.
    const fn new<S: Simd, T: Real, V: Register<S, T>, const ROWS: usize>(begin: usize, end: usize) -> Self {
        let (size, block) = (size_of::<T>(), 16 / size_of::<T>());
        let last = end.saturating_sub(block);
        let mut repeat = Repeat { first: [0; MOST_REGISTERS], bytes: [[0; 64]; MOST_REGISTERS] };
        let mut r = 0;
        while r < MAX_LANES * ROWS / V::LEN {
            let first = begin + r * V::LEN / ROWS;
            // Not across the registers of 32 bytes in which a layer before may just have stored its outputs.
            let uncrossed = first / (2 * block) * 2 * block + block;
            let first = if first < uncrossed { first } else { uncrossed };
            let first = if first < last { first } else { last };
            repeat.first[r] = first;
            let mut byte = 0;
            while byte < V::LEN * size {
                let input = begin + (r * V::LEN + byte / size) / ROWS;
                let input = if input < end { input } else { end - 1 };
                repeat.bytes[r][byte] = ((input - first) * size + byte % size) as u8;
                byte += 1;
            }
            r += 1;
        }
        repeat
    }
}
