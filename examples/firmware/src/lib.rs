//! What the programs need besides the network: an entry, an exit, and memory that outlives `main`. A program of
//! yours needs little of it, since it has its own entry and never exits.

#![no_std]

#[path = "../../../src/num/bits.rs"]
pub mod bits;
mod board;
pub mod cnn;
#[path = "../../../src/num/hashes.rs"]
pub mod hashes;
mod own;
mod weights;

pub use bits::Bits;
pub use board::{exit, tell, tell_decimals};
pub use own::Own;
pub use weights::Weights;

/// The program's entry calls `$run`, which returns whether all went well.
///
/// On a Cortex-M, write `#[cortex_m_rt::entry] fn main() -> ! { .. }` instead.
#[macro_export]
macro_rules! program {
    ($run:path) => {
        #[cfg(target_arch = "wasm32")]
        #[unsafe(no_mangle)]
        extern "C" fn run() -> u32 {
            u32::from($run())
        }

        #[cfg(all(target_arch = "arm", target_os = "none"))]
        #[unsafe(export_name = "main")]
        extern "C" fn main() -> ! {
            $crate::exit($run())
        }

        #[cfg(target_arch = "riscv32")]
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ! {
            $crate::exit($run())
        }
    };
}

/// The index of the largest value (argmax).
pub fn largest(numbers: &[f32]) -> usize {
    let mut found = (0, f32::NEG_INFINITY);
    for (place, &number) in numbers.iter().enumerate() {
        if number > found.1 {
            found = (place, number);
        }
    }
    found.0
}

#[cfg(not(feature = "no-panic"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(false)
}

#[cfg(feature = "no-panic")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    unsafe extern "C" {
        /// Defined nowhere: the linker fails exactly if a panic path is left.
        fn a_way_to_a_panic_is_left() -> !;
    }
    unsafe { a_way_to_a_panic_is_left() }
}
