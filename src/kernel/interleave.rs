//! Columns of a few numbers, sorted by row and back: what lies in memory as `a0 b0 c0 a1 b1 c1 ...` comes to lie in registers
//! `a0 a1 ...`, `b0 b1 ...` and `c0 c1 ...`.

#![allow(clippy::needless_range_loop, reason = "what an iterator adds to a loop over registers may not be inlined")]

use super::product::{begin, rows, set_rows, transpose_square};
use super::{MAX_LANES, load, load_part, store, store_part};
use crate::num::{Lanes, Real};
use core::marker::PhantomData;
use fearless_simd::{Bytes, Simd, SimdBase};

/// Up to so many rows are sorted by shuffles, of which each row takes one less than there are rows. From more the registers
/// are transposed, a square of them at a time.
const SHUFFLED_ROWS: usize = 4;

const fn sorts(rows: usize) -> bool {
    rows <= SHUFFLED_ROWS
}

/// For each register of a result: which bytes of the first two registers it takes, and then, for each register behind those,
/// which bytes of what it has so far and of that register.
type Places = [[[u8; BYTES]; SHUFFLED_ROWS]; SHUFFLED_ROWS];

/// The bytes of the widest register.
const BYTES: usize = 64;

/// What comes to stand at a place.
#[derive(Clone, Copy)]
enum Sorting {
    /// In a register what is in its row.
    Rows,
    /// Column after column.
    Columns,
    /// Of each four numbers the first three; at the end anything.
    Threes,
}

/// Where the numbers in `SIZE` registers come from, for [`SimdBase::concat_swizzle_dyn`].
struct Order<S, T, const SIZE: usize>(PhantomData<(S, T)>);

impl<S: Simd, T: Real, const SIZE: usize> Order<S, T, SIZE> {
    const TO_ROWS: Places = Self::places(Sorting::Rows);
    const TO_COLUMNS: Places = Self::places(Sorting::Columns);
    const TO_THREES: Places = Self::places(Sorting::Threes);

    const fn places(sorting: Sorting) -> Places {
        let lanes = Lanes::<S, T>::LEN;
        let mut places = [[[0; BYTES]; SHUFFLED_ROWS]; SHUFFLED_ROWS];
        let mut place = 0;
        while sorts(SIZE) && place < SIZE * lanes {
            let (register, lane) = (place / lanes, place % lanes);
            let from = match sorting {
                Sorting::Rows => lane * SIZE + register,
                Sorting::Columns => place % SIZE * lanes + place / SIZE,
                Sorting::Threes => place / 3 * 4 + place % 3,
            };
            let mut step = 1;
            while step < SIZE {
                // Where nothing is to stand, anything may.
                let from = match (from / lanes, step) {
                    (0, 1) => from % lanes,
                    (source, _) if source == step => lanes + from % lanes,
                    _ => lane,
                };
                let mut byte = 0;
                while byte < size_of::<T>() {
                    places[register][step][lane * size_of::<T>() + byte] = (from * size_of::<T>() + byte) as u8;
                    byte += 1;
                }
                step += 1;
            }
            place += 1;
        }
        places
    }
}

#[inline(always)]
fn sorted<S: Simd, T: Real, const SIZE: usize>(
    simd: S,
    registers: &[Lanes<S, T>; SIZE],
    places: &Places,
) -> [Lanes<S, T>; SIZE] {
    let mut result = [registers[0]; SIZE];
    for register in 0..SIZE {
        for step in 1..SIZE {
            let places = &places[register][step][..size_of::<Lanes<S, T>>()];
            let places = <Lanes<S, T> as Bytes>::Bytes::from_slice(simd, places);
            result[register] = result[register].concat_swizzle_dyn(registers[step], places);
        }
    }
    result
}

/// The rows of up to as many columns as a register has lanes; what stands behind the last column is of no account.
#[inline(always)]
pub(super) fn rows_of<S: Simd, T: Real, const SIZE: usize>(simd: S, columns: &[[T; SIZE]]) -> [Lanes<S, T>; SIZE] {
    let (lanes, numbers) = (Lanes::<S, T>::LEN, columns.as_flattened());
    let mut result = [Lanes::<S, T>::splat(simd, T::ZERO); SIZE];
    if sorts(SIZE) {
        for register in 0..SIZE {
            let begin = register * lanes;
            if begin + lanes <= numbers.len() {
                result[register] = load(simd, &numbers[begin..]);
            } else if begin < numbers.len() {
                result[register] = load_part(simd, &numbers[begin..]);
            }
        }
        return sorted::<S, T, SIZE>(simd, &result, &Order::<S, T, SIZE>::TO_ROWS);
    }
    for first in (0..SIZE).step_by(lanes) {
        let mut square = [Lanes::<S, T>::splat(simd, T::ZERO); MAX_LANES];
        for i in 0..lanes {
            if i < columns.len() {
                square[i] = rows::<S, T, _, SIZE, 1>(simd, &numbers[i * SIZE..], first)[0];
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

/// Undoes [`rows_of`].
#[inline(always)]
pub(super) fn set_columns<S: Simd, T: Real, const SIZE: usize>(
    simd: S,
    rows: &[Lanes<S, T>; SIZE],
    columns: &mut [[T; SIZE]],
) {
    let lanes = Lanes::<S, T>::LEN;
    if sorts(SIZE) {
        let (sorted, numbers) =
            (sorted::<S, T, SIZE>(simd, rows, &Order::<S, T, SIZE>::TO_COLUMNS), columns.as_flattened_mut());
        for register in 0..SIZE {
            let begin = register * lanes;
            if begin + lanes <= numbers.len() {
                store::<S, T, _>(sorted[register], &mut numbers[begin..]);
            } else if begin < numbers.len() {
                store_part::<S, T, _>(sorted[register], &mut numbers[begin..]);
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

/// Of each four numbers in two registers the first three, side by side: one and a half registers.
#[inline(always)]
pub(super) fn threes_of_fours<S: Simd, T: Real>(simd: S, fours: &[Lanes<S, T>; 2]) -> [Lanes<S, T>; 2] {
    sorted::<S, T, 2>(simd, fours, &Order::<S, T, 2>::TO_THREES)
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::num::dispatch::tests::levels;

    fn there_and_back<S: Simd, T: Real, const SIZE: usize>(simd: S) {
        let lanes = Lanes::<S, T>::LEN;
        let mut all = [[T::ZERO; SIZE]; MAX_LANES];
        for (place, number) in all.as_flattened_mut().iter_mut().enumerate() {
            *number = T::from_count(place);
        }
        for count in 1..=lanes {
            let rows = rows_of::<S, T, SIZE>(simd, &all[..count]);
            for (row, numbers) in rows.iter().enumerate() {
                for column in 0..count {
                    assert_eq!(numbers.as_slice()[column], all[column][row], "{SIZE}, {count} of {lanes}");
                }
            }
            let mut back = [[-T::ONE; SIZE]; MAX_LANES];
            set_columns::<S, T, SIZE>(simd, &rows, &mut back[..count]);
            assert_eq!(back[..count], all[..count]);
            assert!(back[count..].as_flattened().iter().all(|&number| number == -T::ONE), "{SIZE}, {count} of {lanes}");
        }
    }

    fn fourths_left_out<S: Simd, T: Real>(simd: S) {
        let lanes = Lanes::<S, T>::LEN;
        let fours = [0, lanes].map(|first| Lanes::<S, T>::from_fn(simd, |lane| T::from_count(first + lane)));
        let threes = threes_of_fours::<S, T>(simd, &fours);
        for place in 0..3 * lanes / 2 {
            let found = threes[place / lanes].as_slice()[place % lanes];
            assert_eq!(found, T::from_count(place / 3 * 4 + place % 3), "{place} of {lanes}");
        }
    }

    #[test]
    fn any_columns_on_every_level() {
        macro_rules! sizes {
            ($simd:ident, $($size:literal)+) => {{$(
                there_and_back::<_, f32, $size>($simd);
                there_and_back::<_, f64, $size>($simd);
            )+
            fourths_left_out::<_, f32>($simd);
            fourths_left_out::<_, f64>($simd);
            }};
        }
        for level in levels() {
            fearless_simd::dispatch!(level, simd => { sizes!(simd, 1 2 3 4 5 7 8 10 16 17 33) });
        }
    }
}
