//! Tuples of layers: the whole of backpropagation through a chain.
//!
//! `(A, B)` is a chain, so `(A, (B, C))` nests to any depth; flat tuples of up to eight layers compute the same.

use crate::model::summary::CHAIN;
use crate::model::{
    Aligned, Batch, Description, Element, Entrance, Layer, Network, Of, Params, Part, Place, Shape, Tile, Visitor,
    VisitorMut, Zeroed,
};
use crate::num::SCALAR;
use fearless_simd::Simd;
use rand::Rng;

/// What comes out of the layer `L` when `In` goes in.
type Out<L, In> = <L as Layer<In>>::Out;

/// What a chain keeps for its backward pass: the layers' traces, and room for the slopes between them.
pub struct ChainTrace<TRACES, SLOPES> {
    traces: TRACES,
    slopes: SLOPES,
}

impl<TRACES: Zeroed, SLOPES: Zeroed> Zeroed for ChainTrace<TRACES, SLOPES> {
    const ZEROED: Self = ChainTrace { traces: Zeroed::ZEROED, slopes: Zeroed::ZEROED };
}

impl<A: Zeroed> Zeroed for (A,) {
    const ZEROED: Self = (A::ZEROED,);
}

// `chain!(A 0, B 1, C 2)` first walks along the layers and notes what reaches each, and which one is before it. Then it
// writes, here for three:
//
//     impl<In, A, B, C> Layer<In> for (A, B, C)
//     where
//         A: Layer<In>,
//         B: Of<A::Scalar> + Layer<Out<A, In>>,
//         C: Of<A::Scalar> + Layer<Out<B, Out<A, In>>>,
//     {
//         fn forward(..) {
//             self.0.forward(tile, x, &mut trace.0);
//             self.1.forward(tile, A::output(&trace.0), &mut trace.1);
//             self.2.forward(tile, B::output(&trace.1), &mut trace.2);
//         }
//         fn backward(..) {
//             self.2.backward(tile, B::output(&trace.1), &mut trace.2, slope, &mut gradient.2, Some(&mut slopes.1));
//             self.1.backward(tile, A::output(&trace.0), &mut trace.1, &mut slopes.1, &mut gradient.1, Some(&mut slopes.0));
//             self.0.backward(tile, x, &mut trace.0, &mut slopes.0, &mut gradient.0, input_slope);
//         }
//     }
macro_rules! chain {
    ($first:ident $zero:tt, $($rest:ident $index:tt),+) => {
        chain!(@walk [$first $zero] [$($rest $index)+] [] [] $first $zero [In] $($rest $index,)+);
    };
    (@walk $start:tt $rest:tt [$($order:tt)*] [$($reverse:tt)*] $before:ident $b:tt [$in:ty] $layer:ident $i:tt, $($more:tt)*) => {
        chain!(@walk $start $rest
            [$($order)* ($layer $i [Out<$before, $in>] $before $b [$in])]
            [($layer $i [Out<$before, $in>] $before $b [$in]) $($reverse)*]
            $layer $i [Out<$before, $in>] $($more)*);
    };
    (@walk [$first:ident $zero:tt] [$($rest:ident $index:tt)+]
        [$(($layer:ident $i:tt [$in:ty] $before:ident $b:tt [$before_in:ty]))+]
        [$(($back:ident $k:tt [$back_in:ty] $back_before:ident $j:tt [$back_before_in:ty]))+]
        $last:ident $l:tt [$last_in:ty]) => {
        impl<$first: Zeroed, $($rest: Zeroed),+> Zeroed for ($first, $($rest),+) {
            const ZEROED: Self = ($first::ZEROED, $($rest::ZEROED),+);
        }

        impl<$first: Params, $($rest: Of<$first::Scalar>),+> Params for ($first, $($rest),+) {
            type Scalar = $first::Scalar;
            const COUNT: usize = $first::COUNT $(+ $rest::COUNT)+;
            const IS_CHAIN: bool = true;
            const TOGETHER: usize = {
                let mut most = $first::TOGETHER;
                $(
                    if $rest::TOGETHER > most {
                        most = $rest::TOGETHER;
                    }
                )+
                most
            };

            #[inline(always)]
            fn visit(&self, visitor: &mut impl Visitor<Self::Scalar>) {
                let mut module = 0;
                visitor.enter(Element { index: $zero, module });
                self.$zero.visit(visitor);
                visitor.leave();
                module += $first::MODULES;
                $(
                    visitor.enter(Element { index: $index, module });
                    self.$index.visit(visitor);
                    visitor.leave();
                    module += $rest::MODULES;
                )+
                let _ = module;
            }

            #[inline(always)]
            fn visit_mut<const OTHERS: usize>(
                &mut self,
                mut others: [&mut Self; OTHERS],
                visitor: &mut impl VisitorMut<Self::Scalar, OTHERS>,
            ) {
                let mut module = 0;
                visitor.enter(Element { index: $zero, module });
                self.$zero.visit_mut(others.each_mut().map(#[inline(always)] |other| &mut other.$zero), visitor);
                visitor.leave();
                module += $first::MODULES;
                $(
                    visitor.enter(Element { index: $index, module });
                    self.$index.visit_mut(others.each_mut().map(#[inline(always)] |other| &mut other.$index), visitor);
                    visitor.leave();
                    module += $rest::MODULES;
                )+
                let _ = module;
            }

            fn initialize<R: Rng>(&mut self, rng: &mut R) {
                self.$zero.initialize(rng);
                $(self.$index.initialize(rng);)+
            }

            #[inline(always)]
            fn after_batch(&mut self, gradient: &mut Self) {
                self.$zero.after_batch(&mut gradient.$zero);
                $(self.$index.after_batch(&mut gradient.$index);)+
            }

            #[inline(always)]
            fn after_part(&mut self, part: &mut Self) {
                self.$zero.after_part(&mut part.$zero);
                $(self.$index.after_part(&mut part.$index);)+
            }
        }

        impl<$first, $($rest),+> Network for ($first, $($rest),+) {}

        impl<$first: Entrance, $($rest),+> Entrance for ($first, $($rest),+) {
            type In = $first::In;
        }

        impl<In: Shape, $first, $($rest),+> Layer<In> for ($first, $($rest),+)
        where
            $first: Layer<In>,
            $($layer: Of<$first::Scalar> + Layer<$in>),+
        {
            type Out = Out<$last, $last_in>;
            type Trace<const TILE: usize> = ChainTrace<
                ($first::Trace<TILE>, $(<$layer as Layer<$in>>::Trace<TILE>),+),
                ($(Aligned<Batch<$in, $first::Scalar, TILE>>,)+),
            >;
            type Head = <$last as Layer<$last_in>>::Head;

            #[inline(always)]
            fn output<const TILE: usize>(trace: &Self::Trace<TILE>) -> &Batch<Self::Out, Self::Scalar, TILE> {
                <$last as Layer<$last_in>>::output::<TILE>(&trace.traces.$l)
            }

            #[inline(always)]
            fn infer<S: Simd, const TILE: usize>(
                &self,
                tile: Tile<S, TILE>,
                x: &Batch<In, Self::Scalar, TILE>,
                y: &mut Batch<Self::Out, Self::Scalar, TILE>,
            ) {
                $(
                    let mut between;
                    if SCALAR {
                        between = Aligned(self.$b.answer(tile.inner(), x));
                    } else {
                        between = Aligned::<Batch<$in, $first::Scalar, TILE>>::ZEROED;
                        self.$b.infer(tile.inner(), x, &mut between.0);
                    }
                    let x = &between.0;
                )+
                self.$l.infer(tile, x, y);
            }

            #[inline(always)]
            fn answer<S: Simd, const TILE: usize>(
                &self,
                tile: Tile<S, TILE>,
                x: &Batch<In, Self::Scalar, TILE>,
            ) -> Batch<Self::Out, Self::Scalar, TILE> {
                $(
                    let between = Aligned(self.$b.answer(tile.inner(), x));
                    let x = &between.0;
                )+
                self.$l.answer(tile, x)
            }

            #[inline(always)]
            fn forward<S: Simd, const TILE: usize>(
                &self,
                tile: Tile<S, TILE>,
                x: &Batch<In, Self::Scalar, TILE>,
                trace: &mut Self::Trace<TILE>,
            ) {
                let trace = &mut trace.traces;
                self.$zero.forward(tile.inner(), x, &mut trace.$zero);
                $(
                    let tile_here = if $i == $l { tile } else { tile.inner() };
                    self.$i.forward(tile_here, <$before as Layer<$before_in>>::output::<TILE>(&trace.$b), &mut trace.$i);
                )+
            }

            #[inline(always)]
            fn backward<S: Simd, const TILE: usize>(
                &self,
                tile: Tile<S, TILE>,
                x: &Batch<In, Self::Scalar, TILE>,
                trace: &mut Self::Trace<TILE>,
                slope: &mut Batch<Self::Out, Self::Scalar, TILE>,
                gradient: &mut Self,
                input_slope: Option<&mut Batch<In, Self::Scalar, TILE>>,
            ) {
                let ChainTrace { traces: trace, slopes } = trace;
                $(
                    let tile_here = if $k == $l { tile } else { tile.inner() };
                    self.$k.backward(
                        tile_here,
                        <$back_before as Layer<$back_before_in>>::output::<TILE>(&trace.$j),
                        &mut trace.$k,
                        slope,
                        &mut gradient.$k,
                        Some(&mut slopes.$j.0),
                    );
                    let slope = &mut slopes.$j.0;
                    // What a tile before has left there, which `Tile::used` promises to be zero.
                    if tile.used() < TILE {
                        <$back_in as Shape>::clear_from(slope, tile.used());
                    }
                )+
                self.$zero.backward(tile.inner(), x, &mut trace.$zero, slope, &mut gradient.$zero, input_slope);
            }

            #[inline(always)]
            fn descend<S: Simd, const TILE: usize>(
                &mut self,
                tile: Tile<S, TILE>,
                x: &Batch<In, Self::Scalar, TILE>,
                trace: &mut Self::Trace<TILE>,
                slope: &mut Batch<Self::Out, Self::Scalar, TILE>,
                rate: Self::Scalar,
                input_slope: Option<&mut Batch<In, Self::Scalar, TILE>>,
            ) {
                let ChainTrace { traces: trace, slopes } = trace;
                $(
                    let tile_here = if $k == $l { tile } else { tile.inner() };
                    self.$k.descend(
                        tile_here,
                        <$back_before as Layer<$back_before_in>>::output::<TILE>(&trace.$j),
                        &mut trace.$k,
                        slope,
                        rate,
                        Some(&mut slopes.$j.0),
                    );
                    let slope = &mut slopes.$j.0;
                    // What a tile before has left there, which `Tile::used` promises to be zero.
                    if tile.used() < TILE {
                        <$back_in as Shape>::clear_from(slope, tile.used());
                    }
                )+
                self.$zero.descend(tile.inner(), x, &mut trace.$zero, slope, rate, input_slope);
            }

            fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
                tell(Description::around::<In, Self>(place, CHAIN));
                $first::describe(place.inside($zero), tell);
                $(<$layer as Layer<$in>>::describe(place.inside($i), tell);)+
            }

            fn outline<'a>(&'a self, tell: &mut dyn FnMut(Part<'a, Self::Scalar>)) {
                tell(Part::ChainBegins);
                self.$zero.outline(tell);
                $(self.$i.outline(tell);)+
                tell(Part::ChainEnds);
            }
        }
    };
}

// Tuples that are no chain have the methods too, so that the compiler says why instead of that there are none.
macro_rules! no_chain {
    ($($names:ident)*) => {
        impl<$($names),*> Network for ($($names,)*) {}
    };
    (longer $($names:ident)*;) => { no_chain!($($names)*); };
    (longer $($names:ident)*; $next:ident $($more:ident)*) => {
        no_chain!($($names)*);
        no_chain!(longer $($names)* $next; $($more)*);
    };
}
no_chain!();
no_chain!(A);
no_chain!(longer A B C D E F G H I; J K L M N O P Q R S T U V W X Y Z);

chain!(A 0, B 1);
chain!(A 0, B 1, C 2);
chain!(A 0, B 1, C 2, D 3);
chain!(A 0, B 1, C 2, D 3, E 4);
chain!(A 0, B 1, C 2, D 3, E 4, F 5);
chain!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
chain!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
