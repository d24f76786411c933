use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value in a `static` that is handed out once and changed in place. A value of all zeros uses no flash.
///
/// The crates `static_cell` and `cortex_m::singleton!` do the same, in more code.
pub struct Own<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// Handed out once, it has one owner at any time.
unsafe impl<T: Send> Sync for Own<T> {}

impl<T> Own<T> {
    /// Not handed out yet.
    pub const fn new(value: T) -> Self {
        Own { value: UnsafeCell::new(value), taken: AtomicBool::new(false) }
    }

    /// The value, the first time. Not for interrupts: a Cortex-M0 can't read and write in one instruction.
    #[allow(clippy::mut_from_ref, reason = "the flag sees to it that there is one")]
    pub fn take(&'static self) -> Option<&'static mut T> {
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        Some(unsafe { &mut *self.value.get() })
    }
}
