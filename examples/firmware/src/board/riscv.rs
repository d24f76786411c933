//! QEMU's `virt`: what runs before `main`, a serial port, and a word of memory that switches the machine off.

use core::arch::global_asm;

global_asm!(
    ".section .start,\"ax\"",
    ".globl _start",
    "_start:",
    "la sp, _stack_start",
    "la t0, trap",
    "csrw mtvec, t0",
    "la t0, __sdata",
    "la t1, __edata",
    "la t2, __sidata",
    "1: bgeu t0, t1, 2f",
    "lw t3, 0(t2)",
    "sw t3, 0(t0)",
    "addi t0, t0, 4",
    "addi t2, t2, 4",
    "j 1b",
    "2: la t0, __sbss",
    "la t1, __ebss",
    "3: bgeu t0, t1, 4f",
    "sw zero, 0(t0)",
    "addi t0, t0, 4",
    "j 3b",
    "4: call main",
    ".align 2",
    "trap: j {trap}",
    trap = sym trap,
);

extern "C" fn trap() -> ! {
    exit(false)
}

pub fn exit(well: bool) -> ! {
    loop {
        unsafe { (0x10_0000 as *mut u32).write_volatile(if well { 0x5555 } else { 0x1_3333 }) };
    }
}

pub fn write(letter: u8) {
    unsafe { (0x1000_0000 as *mut u8).write_volatile(letter) };
}
