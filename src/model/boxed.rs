//! Values that are too large for the stack of the thread that wants them.

use alloc::boxed::Box;
use core::mem::size_of;

/// Values below this size are made on the caller's stack.
const SMALL: usize = 16 * 1024;

/// The value that `make` gives, in a box, without a place for it on the caller's stack.
///
/// Safe Rust has no way to write a value where a box will be: it is made on a stack and moved. A large one is made by a
/// thread that ends at once.
pub(crate) fn boxed_on_large_stack<T: Send>(make: impl FnOnce() -> T + Send) -> Box<T> {
    with_large_stack(size_of::<T>(), || move_in(make))
}

/// Does `work` on a stack that has room for a value of so many bytes, also in an unoptimized build, which makes several
/// copies. The operating system gives a stack memory only where it is written to. Where no thread can be had, the caller's
/// own stack must do.
pub(crate) fn with_large_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    if bytes < SMALL {
        return work();
    }
    let mut work = Some(work);
    let mut done = None;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(16 * bytes + (1 << 20));
        let thread = builder.spawn_scoped(scope, || done = work.take().map(|work| work()));
        // What panics in `work` goes on in the caller.
        if let Ok(thread) = thread
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    });
    match (done, work) {
        (Some(done), _) => done,
        (None, Some(work)) => work(),
        (None, None) => unreachable!("who takes `work` does it"),
    }
}

/// Exchanges two values piece by piece; `swap` makes a copy on the stack in an unoptimized build.
#[cfg(feature = "checkpoint")]
pub(crate) fn exchange<T>(a: &mut T, b: &mut T) {
    core::slice::from_mut(a).swap_with_slice(core::slice::from_mut(b));
}

/// Apart, so that the caller's frame has no room for the value.
#[inline(never)]
fn move_in<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::new(make())
}
