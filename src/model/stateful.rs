//! [`Stateful`]: training on windows of a long sequence, with the state carried from window to window.

use crate::model::{ChainCache, Layer, Model, Shape, Zeroed};
use crate::num::Real;

/// A layer, or a chain of layers, that can be trained on one window of a long sequence after the other, with the state carried
/// from window to window: truncated backpropagation through time. Gradients reach back to the beginning of a window.
///
/// What is carried is the state of the [stream](crate::model::Stream): a stream can go on from where training is, and training
/// from where a stream is. Users call [`Trainer::step_from`](crate::train::Trainer::step_from) and
/// [`Trainer::epoch_in_order`](crate::train::Trainer::epoch_in_order).
///
/// # Shapes
///
/// `In` is the shape of one window.
#[diagnostic::on_unimplemented(
    message = "no state can be carried from window to window through `{Self}`",
    label = "`{Self}` needs the whole sequence",
    note = "a recurrent layer and `Conv1d` carry their state; `Bidirectional`, `MeanOverTime` and `MaxOverTime` need the steps of \
            other windows",
    note = "for a layer of your own without a state write `tuplenet::stateless!`"
)]
#[doc(alias("stateful", "truncated BPTT"))]
pub trait Stateful<In: Shape, T: Real>: Layer<In, T> {
    /// What is carried, that of the stream: `()` if that is nothing.
    type Carried: Zeroed;

    /// Sets the state from which a column of the next pass begins. By default there is none.
    #[inline(always)]
    fn set_state<const B: usize>(_cache: &mut Self::Cache<B>, _column: usize, _state: &Self::Carried) {}

    /// The state with which a column of the last pass has ended. By default there is none.
    #[inline(always)]
    fn get_state<const B: usize>(_cache: &Self::Cache<B>, _column: usize, _state: &mut Self::Carried) {}
}

// `chain!(A 0, B 1, C 2)` walks along the layers, as that in `chain.rs` does, and implements the trait for `(A, B, C)`.
macro_rules! chain {
    ($first:ident $zero:tt, $($rest:ident $index:tt),+) => {
        chain!(@walk [$first $zero $($rest $index)+] [] $first $zero [In] $($rest $index,)+);
    };
    (@walk $all:tt [$($order:tt)*] $before:ident $b:tt [$in:ty] $layer:ident $i:tt, $($more:tt)*) => {
        chain!(@walk $all
            [$($order)* ($layer $i [<$before as Model<$in, T>>::Out])]
            $layer $i [<$before as Model<$in, T>>::Out] $($more)*);
    };
    (@walk [$first:ident $zero:tt $($all:ident $index:tt)+]
        [$(($layer:ident $i:tt [$in:ty]))+]
        $last:ident $l:tt [$last_in:ty]) => {
        impl<In: Shape, T: Real, $first, $($all),+> Stateful<In, T> for ($first, $($all),+)
        where
            $first: Stateful<In, T>,
            $($layer: Stateful<$in, T>),+
        {
            type Carried = ($first::Carried, $(<$layer as Stateful<$in, T>>::Carried),+);

            #[inline(always)]
            fn set_state<const MICRO: usize>(
                cache: &mut <Self as Layer<In, T>>::Cache<MICRO>,
                column: usize,
                state: &Self::Carried,
            ) {
                let ChainCache { caches, .. } = cache;
                <$first as Stateful<In, T>>::set_state(&mut caches.$zero, column, &state.$zero);
                $(<$layer as Stateful<$in, T>>::set_state(&mut caches.$i, column, &state.$i);)+
            }

            #[inline(always)]
            fn get_state<const MICRO: usize>(
                cache: &<Self as Layer<In, T>>::Cache<MICRO>,
                column: usize,
                state: &mut Self::Carried,
            ) {
                let ChainCache { caches, .. } = cache;
                <$first as Stateful<In, T>>::get_state(&caches.$zero, column, &mut state.$zero);
                $(<$layer as Stateful<$in, T>>::get_state(&caches.$i, column, &mut state.$i);)+
            }
        }
    };
}

chain!(A 0, B 1);
chain!(A 0, B 1, C 2);
chain!(A 0, B 1, C 2, D 3);
chain!(A 0, B 1, C 2, D 3, E 4);
chain!(A 0, B 1, C 2, D 3, E 4, F 5);
chain!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
chain!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
