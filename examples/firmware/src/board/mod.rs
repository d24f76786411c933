//! How a program ends, and prints a value before.

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

/// Prints a value, in hexadecimal, through QEMU or Node, if the feature `tell` is on.
#[inline(always)]
pub fn tell(number: u32) {
    if cfg!(feature = "tell") {
        let digit = |place: u32| (number >> (4 * place)) as u8 & 15;
        let letter = |digit: u8| if digit < 10 { b'0' + digit } else { b'a' - 10 + digit };
        (0..8).rev().map(digit).map(letter).chain([b'\n']).for_each(imp::write);
    }
}

/// Prints a value below 10 with six decimals, and its name, if the feature `tell` is on. Not by `core::fmt`, which uses
/// 10 KB for a floating-point number.
#[inline(always)]
pub fn tell_decimals(what: &str, number: f32) {
    if cfg!(feature = "tell") {
        let millionths = (number * 1e6) as u32;
        let digit = |place: u32| b'0' + (millionths / 10u32.pow(place) % 10) as u8;
        what.bytes().chain(*b": ").for_each(imp::write);
        [digit(6), b'.'].into_iter().chain((0..6).rev().map(digit)).chain([b'\n']).for_each(imp::write);
    }
}
