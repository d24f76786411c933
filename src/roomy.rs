//! Values that are too large for the stack of the thread that wants them.

use alloc::boxed::Box;
use core::mem::size_of;

/// Values below this size are made on the caller's stack.
const SMALL: usize = 16 * 1024;

/// The value that `make` gives, in a box, without a place for it on the caller's stack.
///
/// Safe Rust has no way to write a value where a box will be: it is made on a stack and moved. A large one is made by a
/// thread that ends at once and whose stack is large enough also for an unoptimized build, which makes several copies.
/// The operating system gives a stack memory only where it is written to. Where no thread can be had, the caller's own
/// stack must do.
pub(crate) fn roomy<T: Send>(make: impl FnOnce() -> T + Send) -> Box<T> {
    if size_of::<T>() < SMALL {
        return move_in(make);
    }
    let mut make = Some(make);
    let mut made = None;
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(16 * size_of::<T>() + (1 << 20));
        let thread = builder.spawn_scoped(scope, || made = make.take().map(move_in));
        // What panics in `make` goes on in the caller.
        if let Ok(thread) = thread
            && let Err(panic) = thread.join()
        {
            std::panic::resume_unwind(panic);
        }
    });
    match (made, make) {
        (Some(made), _) => made,
        (None, Some(make)) => move_in(make),
        (None, None) => unreachable!("who takes `make` calls it"),
    }
}

/// Apart, so that the caller's frame has no room for the value.
#[inline(never)]
fn move_in<T>(make: impl FnOnce() -> T) -> Box<T> {
    Box::new(make())
}
