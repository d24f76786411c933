//! Products of a matrix with two to four rows and one column: the forward pass of one sample, where lanes run across the inputs.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::{MAX_LANES, Register, load, load_part};
use crate::num::math::mul_add;
use crate::num::{Lanes, Real};
use core::marker::PhantomData;
use fearless_simd::{Bytes, Simd, SimdBase};

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
    let (left, right) = (&left[..DEPTH * ROWS], &right[..DEPTH]);
    let mut sums = [V::splat(simd, T::ZERO); MOST_REGISTERS];
    let whole = const { DEPTH / MAX_LANES * MAX_LANES };
    for first in (0..whole).step_by(MAX_LANES) {
        let (left, right) = (&left[first * ROWS..][..MAX_LANES * ROWS], &right[first..][..MAX_LANES]);
        for r in 0..registers {
            let weights = load(simd, &left[r * V::LEN..]);
            sums[r] = mul_add(weights, Meeting::<S, T, V, ROWS>::inputs(simd, right, r), sums[r]);
        }
    }
    if const { DEPTH > DEPTH / MAX_LANES * MAX_LANES } {
        let left = &left[whole * ROWS..];
        let mut rest = [T::ZERO; MAX_LANES];
        rest[..DEPTH - whole].copy_from_slice(&right[whole..]);
        for r in 0..registers {
            let begin = r * V::LEN;
            if begin < left.len() {
                let part = &left[begin..];
                let weights = if part.len() < V::LEN { load_part(simd, part) } else { load(simd, part) };
                sums[r] = mul_add(weights, Meeting::<S, T, V, ROWS>::inputs(simd, &rest, r), sums[r]);
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

/// Which inputs meet a register of the weights of 16 inputs.
struct Meeting<S, T, V, const ROWS: usize>(PhantomData<(S, T, V)>);

impl<S: Simd, T: Real, V: Register<S, T>, const ROWS: usize> Meeting<S, T, V, ROWS> {
    /// So many inputs are loaded, to every 16 bytes of a register. A register has no more of them.
    const BLOCK: usize = 16 / size_of::<T>();

    /// The first of them, for each register.
    const FIRST: [usize; MOST_REGISTERS] = {
        let (mut first, mut r) = ([0; MOST_REGISTERS], 0);
        while r < MAX_LANES * ROWS / V::LEN {
            let begin = r * V::LEN / ROWS;
            first[r] = if begin + Self::BLOCK > MAX_LANES { MAX_LANES - Self::BLOCK } else { begin };
            r += 1;
        }
        first
    };

    /// Which bytes of the block each byte of the register becomes: every input as often as there are rows.
    const BYTES: [[u8; 64]; MOST_REGISTERS] = {
        let (mut bytes, mut r) = ([[0; 64]; MOST_REGISTERS], 0);
        while r < MAX_LANES * ROWS / V::LEN {
            let mut byte = 0;
            while byte < V::LEN * size_of::<T>() {
                let input = (r * V::LEN + byte / size_of::<T>()) / ROWS - Self::FIRST[r];
                bytes[r][byte] = (input * size_of::<T>() + byte % size_of::<T>()) as u8;
                byte += 1;
            }
            r += 1;
        }
        bytes
    };

    /// The inputs that meet register `r`.
    #[inline(always)]
    fn inputs(simd: S, inputs: &[T], r: usize) -> V {
        let values = T::repeat(simd, &inputs[Self::FIRST[r]..][..Self::BLOCK]);
        let bytes = &Self::BYTES[r][..size_of::<Lanes<S, T>>()];
        let lanes = values.swizzle_dyn_within_blocks(<Lanes<S, T> as Bytes>::Bytes::from_slice(simd, bytes));
        V::from_slice(simd, &lanes.as_slice()[..V::LEN])
    }
}
