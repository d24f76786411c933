//! What the programs need besides the network: an entry, an exit, and memory that outlives `main`. Little of it would stand
//! in a program of yours, which has its own entry and never exits.

#![no_std]

mod board;
mod own;

pub use board::{exit, tell};
pub use own::Own;

use tuplenet::params::{Params, Visitor};

/// The program's entry calls `$run`, which says whether all went well.
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

/// The place of the largest number.
pub fn largest(numbers: &[f32]) -> usize {
    let mut found = (0, f32::NEG_INFINITY);
    for (place, &number) in numbers.iter().enumerate() {
        if number > found.1 {
            found = (place, number);
        }
    }
    found.0
}

/// One number over the bits of many: the FNV-1a hash over words, <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[derive(Clone, Copy)]
pub struct Bits(pub u32);

impl Bits {
    /// Of no numbers.
    pub const NONE: Bits = Bits(0x811c_9dc5);

    /// And of these.
    pub fn and(mut self, numbers: &[f32]) -> Self {
        for number in numbers {
            self.0 = (self.0 ^ number.to_bits()).wrapping_mul(0x0100_0193);
        }
        self
    }

    /// And of all parameters of a network.
    pub fn and_network(mut self, network: &impl Params<Scalar = f32>) -> Self {
        network.visit(&mut self);
        self
    }
}

impl Visitor<f32> for Bits {
    fn slice(&mut self, _: tuplenet::params::Parameter, values: &[f32]) {
        *self = self.and(values);
    }
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
        /// Defined nowhere: the linker fails exactly if a way to a panic is left.
        fn a_way_to_a_panic_is_left() -> !;
    }
    unsafe { a_way_to_a_panic_is_left() }
}
