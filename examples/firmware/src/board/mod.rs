//! How a program ends, and says a number before.

#[cfg(all(target_arch = "arm", target_os = "none"))]
#[path = "cortex_m.rs"]
mod imp;
#[cfg(target_arch = "riscv32")]
#[path = "riscv.rs"]
mod imp;
#[cfg(target_arch = "wasm32")]
#[path = "wasm.rs"]
mod imp;

pub use imp::exit;

/// Says a number, in hexadecimal, to whom QEMU or Node was started by, if the feature `tell` is on.
#[inline(always)]
pub fn tell(number: u32) {
    if cfg!(feature = "tell") {
        imp::say(number);
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn digits(number: u32) -> impl Iterator<Item = u8> {
    let digit = move |place: u32| {
        let digit = (number >> (4 * place)) as u8 & 15;
        if digit < 10 { b'0' + digit } else { b'a' - 10 + digit }
    };
    (0..8).rev().map(digit).chain([b'\n'])
}
