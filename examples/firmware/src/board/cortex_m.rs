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

/// What the compiler calls to fill words with zeros. The one in the compiler's own library fills any bytes and is ten times
/// as large; the linker takes this one. Volatile, or the compiler would see what it does and call it here too.
#[unsafe(no_mangle)]
unsafe extern "C" fn __aeabi_memclr4(mut to: *mut u32, bytes: usize) {
    let end = to.wrapping_byte_add(bytes);
    while to < end {
        unsafe { to.write_volatile(0) };
        to = to.wrapping_add(1);
    }
}
