//! Through the debugger, which QEMU plays: semihosting.

// The vector table and what runs before `main`.
use cortex_m_rt as _;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use cortex_m_semihosting::{nr, syscall};

#[inline(always)]
pub fn exit(well: bool) -> ! {
    loop {
        debug::exit(if well { EXIT_SUCCESS } else { EXIT_FAILURE });
    }
}

pub fn say(number: u32) {
    for digit in super::digits(number) {
        unsafe { syscall(nr::WRITEC, &digit) };
    }
}

// What the compiler calls to fill words with zeros. The one in the compiler's own library fills any bytes, and is ten times as
// large; the linker takes this one.
core::arch::global_asm!(
    ".section .text.__aeabi_memclr4,\"ax\",%progbits",
    ".globl __aeabi_memclr4",
    ".globl __aeabi_memclr8",
    ".type __aeabi_memclr4,%function",
    ".type __aeabi_memclr8,%function",
    ".thumb_func",
    "__aeabi_memclr8:",
    ".thumb_func",
    "__aeabi_memclr4:",
    "adds r1, r0, r1",
    "movs r2, #0",
    "1: cmp r0, r1",
    "bhs 2f",
    "stmia r0!, {{r2}}",
    "b 1b",
    "2: bx lr",
);
