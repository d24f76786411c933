//! Boxes for values that are too large for the stack of the current thread.

use alloc::boxed::Box;
use core::mem::size_of;

/// Values below this size are made on the caller's stack.
const SMALL: usize = 16 * 1024;

/// Returns the value that `make` makes, in a box, without needing space for it on the caller's stack.
///
/// Safe Rust cannot write a value directly into a box: the value is made on a stack and moved. A large one is made
/// on the stack of a short-lived thread.
pub(crate) fn boxed_on_large_stack<T: Send>(make: impl FnOnce() -> T + Send) -> Box<T> {
    with_large_stack(size_of::<T>(), || move_in(make))
}

/// Calls `work` on a stack that is large enough for a value of `bytes` bytes, also in an unoptimized build, which
/// makes several copies. The operating system commits a stack's memory only where it is written to. If no thread
/// can be started, `work` runs on the caller's own stack.
pub(crate) fn with_large_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    if bytes < SMALL {
        return work();
    }
    let mut work = Some(work);
    let mut done = None;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(16 * bytes + (1 << 20));
        let thread = builder.spawn_scoped(scope, || done = work.take().map(|work| work()));
        // A panic in `work` resumes in the caller.
        if let Ok(thread) = thread
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    });
    match (done, work) {
        (Some(done), _) => done,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("a thread that takes `work` calls it"),
    }
}

/// Exchanges two values piece by piece; `swap` makes a copy on the stack in an unoptimized build.
#[cfg(feature = "checkpoint")]
pub(crate) fn exchange<T>(a: &mut T, b: &mut T) {
    core::slice::from_mut(a).swap_with_slice(core::slice::from_mut(b));
}

/// A separate function, so that the caller's stack frame has no space for the value.
#[inline(never)]
fn move_in<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::new(make())
}
