//! Instruction set dispatch: the best vector instructions that the CPU has, found at run time.

use crate::num::{Lanes, SCALAR};
use fearless_simd::{Level, Simd, SimdBase};

/// The best instruction set that the CPU is known to have; without the feature `std` the one that the program is
/// compiled for.
#[inline(always)]
pub(crate) fn level() -> Level {
    #[cfg(all(test, feature = "std"))]
    if let Some(level) = tests::forced() {
        return level;
    }
    if cfg!(tuplenet_scalar) { Level::baseline() } else { Level::try_detect().unwrap_or(Level::baseline()) }
}

/// `dispatch!(level, simd => call(simd, ..))` compiles the call for AVX-512, AVX2 and SSE2, and runs the best one
/// at or below the level. SSE4.2 is left out, since it has neither wider registers nor FMA,
/// and would cost a quarter of the compile time.
#[cfg(all(target_arch = "x86_64", not(tuplenet_scalar)))]
macro_rules! dispatch {
    ($level:expr, $simd:ident => $call:expr) => {{
        use fearless_simd::Simd as _;
        let level = $level;
        if let Some($simd) = level.as_avx512() {
            $simd.vectorize(
                #[inline(always)]
                || $call,
            )
        } else if let Some($simd) = level.as_avx2() {
            $simd.vectorize(
                #[inline(always)]
                || $call,
            )
        } else if let Some($simd) = level.as_sse2() {
            $simd.vectorize(
                #[inline(always)]
                || $call,
            )
        } else {
            unreachable!("every x86-64 has SSE2")
        }
    }};
}

// Without vector registers one of four lanes is used, and there is nothing to choose.
#[cfg(all(target_arch = "x86_64", tuplenet_scalar))]
macro_rules! dispatch {
    ($level:expr, $simd:ident => $call:expr) => {{
        use fearless_simd::Simd as _;
        let level: fearless_simd::Level = $level;
        let $simd = level.as_sse2().expect("the baseline of x86-64 is SSE2");
        // A function of its own, as above, which `?` leaves.
        $simd.vectorize(
            #[inline(always)]
            || $call,
        )
    }};
}

#[cfg(not(target_arch = "x86_64"))]
macro_rules! dispatch {
    ($level:expr, $simd:ident => $call:expr) => {
        fearless_simd::dispatch!($level, $simd => $call)
    };
}

pub(crate) use dispatch;

/// `dispatch_or_call!(inlined, simd => call(simd, ..))` dispatches the call if the constant `inlined` is true. Otherwise the call is
/// compiled once, as [glue](is_glue).
#[cfg(all(target_arch = "x86_64", not(tuplenet_scalar)))]
macro_rules! dispatch_or_call {
    ($inlined:expr, $simd:ident => $call:expr) => {
        if const { $inlined } {
            $crate::num::dispatch::dispatch!($crate::num::dispatch::level(), $simd => $call)
        } else {
            let Some($simd) = fearless_simd::Level::baseline().as_sse2() else {
                unreachable!("every x86-64 has SSE2")
            };
            // A function, which `?` and `return` leave.
            $crate::num::dispatch::run(
                #[inline(always)]
                || $call,
            )
        }
    };
}

#[cfg(not(all(target_arch = "x86_64", not(tuplenet_scalar))))]
macro_rules! dispatch_or_call {
    ($inlined:expr, $simd:ident => $call:expr) => {{
        // Calls are inlined here in any case.
        let _: bool = const { $inlined };
        $crate::num::dispatch::dispatch!($crate::num::dispatch::level(), $simd => $call)
    }};
}

pub(crate) use dispatch_or_call;

/// Calls `work`.
#[cfg(all(target_arch = "x86_64", not(tuplenet_scalar)))]
#[inline(always)]
pub(crate) fn run<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Whether large work is compiled once, in this crate, and called: on x86-64, where it would be compiled for three instruction sets in every
/// program, unless the feature `specialized` asks for that.
pub(crate) const COMPILED: bool = cfg!(all(target_arch = "x86_64", not(feature = "specialized"))) && !SCALAR;

/// Whether code for the instruction set `S` has no loops of its own: it is compiled once, for the narrowest registers, and calls
/// what is compiled in this crate for [`level_in`]. On a CPU that has no others, all code is of this kind.
pub(crate) const fn is_glue<S: Simd>() -> bool {
    COMPILED && Lanes::<S, f32>::LEN == 4
}

/// The instruction set of what code for `S` calls.
#[inline(always)]
pub(crate) fn level_in<S: Simd>(simd: S) -> Level {
    if const { is_glue::<S>() } { level() } else { simd.level() }
}

/// Calls `work`, in a separate function if `apart`: a compiler takes far longer for one large function than for its
/// parts.
#[inline(always)]
pub(crate) fn call<S: Simd, R>(simd: S, apart: bool, work: impl FnOnce() -> R) -> R {
    if apart { simd.vectorize(work) } else { work() }
}

#[cfg(all(test, feature = "std"))]
pub(crate) mod tests {
    use super::*;
    use core::cell::Cell;
    extern crate std;
    use std::vec::Vec;

    std::thread_local! {
        static FORCED: Cell<Option<Level>> = const { Cell::new(None) };
    }

    /// The level that a test sets for its thread.
    pub(super) fn forced() -> Option<Level> {
        FORCED.get()
    }

    /// Makes `level` the best one for this thread.
    pub(crate) fn force(level: Level) {
        FORCED.set(Some(level));
    }

    /// Every level that this CPU has and [`dispatch!`] knows.
    pub(crate) fn levels() -> Vec<Level> {
        let mut levels = std::vec![Level::baseline(), level()];
        #[cfg(all(target_arch = "x86_64", not(tuplenet_scalar)))]
        {
            levels.extend(level().as_avx512().map(Level::Avx512));
            levels.extend(level().as_avx2().map(Level::Avx2));
            levels.extend(level().as_sse2().map(Level::Sse2));
        }
        levels
    }

    #[cfg(feature = "reproducible")]
    #[test]
    fn the_same_bits_on_every_level() {
        use crate::num::{bits, pinned};
        for level in levels() {
            force(level);
            for (name, run) in [("XOR", bits::xor as fn() -> _), ("IRIS", bits::iris), ("RAGGED", bits::ragged)] {
                pinned::pinned(name, run().unwrap());
            }
        }
    }
}
