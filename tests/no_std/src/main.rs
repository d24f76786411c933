//! Proof that the library needs neither the standard library, nor a heap, nor C: a program without any of them, for
//! Linux on x86-64, that trains XOR, reads a network from a file's bytes, and exits with 0 if all four answers are right and
//! the network is the one that the compiler has read.
//!
//! A dependency that needs the standard library brings a second panic handler, and one that allocates asks for an
//! allocator: either way the program does not build. Run it with `cargo run --release` in its directory.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use tuplenet::prelude::*;

type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

/// Whether a trained network knows all four answers.
fn learns_xor() -> Result<bool, tuplenet::Error> {
    let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let targets = [[0.0], [1.0], [1.0], [0.0]];

    let network = Xor::new(&mut seeded(0));
    let mut trainer =
        Trainer::<_, _, _, _, 4>::with_micro_batch(network, BinaryCrossEntropy, Adam::new(0.05), seeded(1));
    trainer.fit(&inputs, &targets, &FitOptions { epochs: 500, ..FitOptions::default() }, ())?;

    let right = |(input, [target]): (&[f32; 2], &[f32; 1])| {
        let [probability] = trainer.network.predict_one(input);
        (probability - target).abs() < 0.2
    };
    Ok(inputs.iter().zip(&targets).all(right))
}

/// Whether a file, read while the program runs, is the network that the compiler has read.
fn reads_weights() -> Result<bool, tuplenet::io::safetensors::LoadError> {
    type Net = (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);
    static NET: Net = tuplenet::include_weights!("../../io/fixtures/torch_xor.safetensors");
    let bytes = include_bytes!("../../io/fixtures/torch_xor.safetensors");
    let same = tuplenet::io::safetensors::from_bytes::<Net>(bytes)? == NET;
    Ok(same && tuplenet::io::safetensors::from_bytes::<Net>(&bytes[1..]).is_err())
}

// The kernel enters with an aligned stack and no return address; a function expects one.
global_asm!(".globl _start", "_start:", "call {start}", "ud2", start = sym start);

extern "C" fn start() -> ! {
    exit(match (learns_xor(), reads_weights()) {
        (Ok(true), Ok(true)) => 0,
        (Ok(_), Ok(_)) => 1,
        _ => 2,
    })
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(3)
}

fn exit(code: i32) -> ! {
    // Linux's system call 60 ends the process.
    unsafe { asm!("syscall", in("eax") 60, in("edi") code, options(noreturn, nostack)) }
}

// What the compiler takes for granted where there is no C library.

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack))
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    unsafe { asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("al") byte as u8, options(nostack)) }
    to
}
