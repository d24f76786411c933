//! [`StateValues`]: what the state of a stream consists of, so that it can be saved.

use nalgebra::SVector;

/// The values of the state of a [stream](crate::model::Stream), one after the other, to be saved and read again: see
/// [`io::serde::states`](crate::io::serde::states).
pub trait StateValues {
    /// Calls `each` with every value, which it may change. `f32` and counts are passed as `f64`, without a loss.
    fn values(&mut self, each: &mut impl FnMut(&mut f64));
}

impl StateValues for () {
    fn values(&mut self, _: &mut impl FnMut(&mut f64)) {}
}

impl StateValues for f32 {
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        let mut value = f64::from(*self);
        each(&mut value);
        *self = value as f32;
    }
}

impl StateValues for f64 {
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        each(self);
    }
}

impl StateValues for usize {
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        let mut value = *self as f64;
        each(&mut value);
        *self = value as usize;
    }
}

impl<S: StateValues, const N: usize> StateValues for [S; N] {
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        for state in self {
            state.values(each);
        }
    }
}

impl<T: StateValues, const N: usize> StateValues for SVector<T, N> {
    fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
        self.data.0.values(each);
    }
}

macro_rules! tuple {
    ($($layer:ident $index:tt)+) => {
        impl<$($layer: StateValues),+> StateValues for ($($layer,)+) {
            fn values(&mut self, each: &mut impl FnMut(&mut f64)) {
                $(self.$index.values(each);)+
            }
        }
    };
}
tuple!(A 0 B 1);
tuple!(A 0 B 1 C 2);
tuple!(A 0 B 1 C 2 D 3);
tuple!(A 0 B 1 C 2 D 3 E 4);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
tuple!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
