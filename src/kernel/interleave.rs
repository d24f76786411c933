//! Columns of a few elements, sorted by row and back: what is stored as `a0 b0 c0 a1 b1 c1 ...` comes into
//! registers `a0 a1 ...`, `b0 b1 ...` and `c0 c1 ...`.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::product::{begin, rows, set_rows, transpose_square};
use super::{MAX_LANES, load, load_part, store, store_part};
use crate::num::{Lanes, Real};
use core::marker::PhantomData;
use fearless_simd::{Bytes, Simd, SimdBase};

/// Up to so many rows are sorted by shuffles: for each row one less than there are rows. With more rows the
/// registers are transposed, a square of them at a time.
const SHUFFLED_ROWS: usize = 4;

const fn sorts(rows: usize) -> bool {
    rows <= SHUFFLED_ROWS
}

/// For each register of a result: which bytes it takes of the first two registers, and then, for each further
/// register, which bytes of the result so far and of that register.
type ByteIndices = [[[u8; BYTES]; SHUFFLED_ROWS]; SHUFFLED_ROWS];

/// The bytes of the widest register.
const BYTES: usize = 64;

/// The order of the result.
#[derive(Clone, Copy)]
enum Sorting {
    /// Each row in its own register.
    Rows,
    /// Column after column.
    Columns,
}

/// Where the elements of `SIZE` registers come from, for [`SimdBase::concat_swizzle_dyn`].
struct Order<S, T, const SIZE: usize>(PhantomData<(S, T)>);

impl<S: Simd, T: Real, const SIZE: usize> Order<S, T, SIZE> {
    const TO_ROWS: ByteIndices = Self::indices(Sorting::Rows);
    const TO_COLUMNS: ByteIndices = Self::indices(Sorting::Columns);

    const fn indices(sorting: Sorting) -> ByteIndices {
        let lanes = Lanes::<S, T>::LEN;
        let mut indices = [[[0; BYTES]; SHUFFLED_ROWS]; SHUFFLED_ROWS];
        let mut index = 0;
        while sorts(SIZE) && index < SIZE * lanes {
            let (register, lane) = (index / lanes, index % lanes);
            let from = match sorting {
                Sorting::Rows => lane * SIZE + register,
                Sorting::Columns => index % SIZE * lanes + index / SIZE,
            };
            let mut step = 1;
            while step < SIZE {
                // Positions without an element take any.
                let from = match (from / lanes, step) {
                    (0, 1) => from % lanes,
                    (source, _) if source == step => lanes + from % lanes,
                    _ => lane,
                };
                let mut byte = 0;
                while byte < size_of::<T>() {
                    indices[register][step][lane * size_of::<T>() + byte] = (from * size_of::<T>() + byte) as u8;
                    byte += 1;
                }
                step += 1;
            }
            index += 1;
        }
        indices
    }
}

#[inline(always)]
fn sorted<S: Simd, T: Real, const SIZE: usize>(
    simd: S,
    registers: &[Lanes<S, T>; SIZE],
    indices: &ByteIndices,
) -> [Lanes<S, T>; SIZE] {
    let mut result = [registers[0]; SIZE];
    for register in 0..SIZE {
        for step in 1..SIZE {
            let indices = &indices[register][step][..size_of::<Lanes<S, T>>()];
            let indices = <Lanes<S, T> as Bytes>::Bytes::from_slice(simd, indices);
            result[register] = result[register].concat_swizzle_dyn(registers[step], indices);
        }
    }
    result
}

/// The rows of up to as many columns as a register has lanes; the lanes behind the last column are unspecified.
#[inline(always)]
pub(super) fn rows_of<S: Simd, T: Real, const SIZE: usize>(simd: S, columns: &[[T; SIZE]]) -> [Lanes<S, T>; SIZE] {
    let (lanes, values) = (Lanes::<S, T>::LEN, columns.as_flattened());
    let mut result = [Lanes::<S, T>::splat(simd, T::ZERO); SIZE];
    if sorts(SIZE) {
        for register in 0..SIZE {
            let begin = register * lanes;
            if begin + lanes <= values.len() {
                result[register] = load(simd, &values[begin..]);
            } else if begin < values.len() {
                result[register] = load_part(simd, &values[begin..]);
            }
        }
        return sorted::<S, T, SIZE>(simd, &result, &Order::<S, T, SIZE>::TO_ROWS);
    }
    for first in (0..SIZE).step_by(lanes) {
        let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
        for i in 0..lanes {
            if i < columns.len() {
                square[i] = rows::<S, T, _, 1>(simd, &values[i * SIZE..], SIZE, first)[0];
            }
        }
        transpose_square::<S, T>(&mut square);
        let first = begin(lanes, SIZE, first, 0);
        for i in 0..lanes {
            if first + i < SIZE {
                result[first + i] = square[i];
            }
        }
    }
    result
}

/// The inverse of [`rows_of`].
#[inline(always)]
pub(super) fn set_columns<S: Simd, T: Real, const SIZE: usize>(
    simd: S,
    rows: &[Lanes<S, T>; SIZE],
    columns: &mut [[T; SIZE]],
) {
    let lanes = Lanes::<S, T>::LEN;
    if sorts(SIZE) {
        let (sorted, values) =
            (sorted::<S, T, SIZE>(simd, rows, &Order::<S, T, SIZE>::TO_COLUMNS), columns.as_flattened_mut());
        for register in 0..SIZE {
            let begin = register * lanes;
            if begin + lanes <= values.len() {
                store::<S, T, _>(sorted[register], &mut values[begin..]);
            } else if begin < values.len() {
                store_part::<S, T, _>(sorted[register], &mut values[begin..]);
            }
        }
        return;
    }
    for first in (0..SIZE).step_by(lanes) {
        let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
        let begin = begin(lanes, SIZE, first, 0);
        for i in 0..lanes {
            if begin + i < SIZE {
                square[i] = rows[begin + i];
            }
        }
        transpose_square::<S, T>(&mut square);
        for i in 0..lanes {
            if i < columns.len() {
                set_rows::<S, T, _, 1>(&[square[i]], &mut columns[i], first);
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::num::dispatch::tests::levels;

    fn there_and_back<S: Simd, T: Real, const SIZE: usize>(simd: S) {
        let lanes = Lanes::<S, T>::LEN;
        let mut all = [[T::ZERO; SIZE]; MAX_LANES];
        for (index, value) in all.as_flattened_mut().iter_mut().enumerate() {
            *value = T::from_count(index);
        }
        for count in 1..=lanes {
            let rows = rows_of::<S, T, SIZE>(simd, &all[..count]);
            for (row, values) in rows.iter().enumerate() {
                for column in 0..count {
                    assert_eq!(values.as_slice()[column], all[column][row], "{SIZE}, {count} of {lanes}");
                }
            }
            let mut back = [[-T::ONE; SIZE]; MAX_LANES];
            set_columns::<S, T, SIZE>(simd, &rows, &mut back[..count]);
            assert_eq!(back[..count], all[..count]);
            assert!(back[count..].as_flattened().iter().all(|&value| value == -T::ONE), "{SIZE}, {count} of {lanes}");
        }
    }

    #[test]
    fn any_columns_on_every_level() {
        macro_rules! sizes {
            ($simd:ident, $($size:literal)+) => {{$(
                there_and_back::<_, f32, $size>($simd);
                there_and_back::<_, f64, $size>($simd);
            )+}};
        }
        for level in levels() {
            fearless_simd::dispatch!(level, simd => { sizes!(simd, 1 2 3 4 5 7 8 10 16 17 33) });
        }
    }
}
