//! Sizes that the compiler knows and sizes that only run time knows, so that a kernel is written once for both.

/// A size: [`Const`], or a `usize` that only run time knows.
pub(crate) trait Size: Copy {
    /// The size, if the compiler knows it.
    const KNOWN: Option<usize>;

    /// The size.
    fn get(self) -> usize;
}

/// A size that the compiler knows.
#[derive(Clone, Copy)]
pub(crate) struct Const<const N: usize>;

impl<const N: usize> Size for Const<N> {
    const KNOWN: Option<usize> = Some(N);

    #[inline(always)]
    fn get(self) -> usize {
        N
    }
}

impl Size for usize {
    const KNOWN: Option<usize> = None;

    #[inline(always)]
    fn get(self) -> usize {
        self
    }
}

/// Whether a size is possible that is at least `limit`. Used in const blocks, so that the compiler does not compile
/// branches that a known size never takes.
pub(crate) const fn may_reach<N: Size>(limit: usize) -> bool {
    match N::KNOWN {
        Some(size) => size >= limit,
        None => true,
    }
}

/// Whether a size is possible that is below `limit`.
pub(crate) const fn may_be_below<N: Size>(limit: usize) -> bool {
    match N::KNOWN {
        Some(size) => size < limit,
        None => true,
    }
}

/// Whether a size is known to be at most `limit`.
pub(crate) const fn is_at_most<N: Size>(limit: usize) -> bool {
    match N::KNOWN {
        Some(size) => size <= limit,
        None => false,
    }
}

/// A matrix that is stored column by column; `rows` is the length of a column.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T, N: Size> {
    pub values: &'a [T],
    pub rows: N,
}

impl<'a, T, N: Size> Matrix<'a, T, N> {
    /// The columns, one after the other.
    #[inline(always)]
    pub fn cursor(self) -> Cursor<'a, T, N> {
        Cursor { rest: self.values, length: self.rows }
    }
}

/// Goes along a matrix, column by column. The compiler drops the checks of indices where it knows the sizes; otherwise
/// there is one comparison for each column.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a, T, N: Size> {
    rest: &'a [T],
    length: N,
}

impl<'a, T, N: Size> Cursor<'a, T, N> {
    /// Column `k`, where this is the call number `k`, with at least `least` elements: a short column may be followed by
    /// the beginning of the next one. `None` if there are not so many elements.
    #[inline(always)]
    pub fn next(&mut self, k: usize, least: usize) -> Option<&'a [T]> {
        let length = if least > self.length.get() { least } else { self.length.get() };
        if N::KNOWN.is_some() {
            return Some(&self.rest[k * self.length.get()..][..length]);
        }
        let column = self.rest.get(..length)?;
        self.rest = &self.rest[self.length.get()..];
        Some(column)
    }
}

// The body is executed for the first `$count` of 16, without a loop, where a loop would be too long for the compiler to unroll it: a
// register of an array that a loop indexes is in memory.
macro_rules! unrolled {
    ($count:expr, $i:ident => $do:expr) => {
        unrolled!(@ [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] $count, $i => $do)
    };
    (@ [$($index:literal)+] $count:expr, $i:ident => $do:expr) => {
        const { assert!($count <= 16) };
        $(
            if const { $index < $count } {
                let $i = $index;
                $do;
            }
        )+
    };
}
pub(super) use unrolled;
