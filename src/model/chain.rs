//! Tuples of layers: all of backpropagation through a chain.
//!
//! `(A, B)` is a chain, so `(A, (B, C))` nests to any depth; flat tuples of up to eight layers compute the same.

use crate::model::layer::{Internal, LearningRate, backward, forward, infer};
use crate::model::summary::CHAIN;
use crate::model::{
    Aligned, Batch, Description, Element, InputShape, Layer, Model, Network, Op, Params, Pass, Position, Shape, Visit,
    Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use crate::num::target::BY_VALUE;
use fearless_simd::Simd;
use rand::Rng;

/// The output shape of the layer `L` for the input shape `In`.
type Out<L, In, T> = <L as Model<In, T>>::Out;

/// What a chain stores for its backward pass: the layers' caches, and outputs and gradients between them.
#[derive(Clone)]
pub struct ChainCache<CACHES, BETWEEN> {
    pub(super) caches: CACHES,
    outputs: BETWEEN,
    gradients: BETWEEN,
}

impl<CACHES, BETWEEN> core::fmt::Debug for ChainCache<CACHES, BETWEEN> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChainCache").finish_non_exhaustive()
    }
}

impl<CACHES: Zeroed, BETWEEN: Zeroed> Zeroed for ChainCache<CACHES, BETWEEN> {
    const ZEROED: Self = ChainCache { caches: Zeroed::ZEROED, outputs: Zeroed::ZEROED, gradients: Zeroed::ZEROED };
}

impl<A: Zeroed> Zeroed for (A,) {
    const ZEROED: Self = (A::ZEROED,);
}

// `chain!(A 0, B 1, C 2)` first walks along the layers and notes the input shape and the predecessor of each. Then
// it expands, here for three, to:
//
//     impl<In, T, A, B, C> Layer<In, T> for (A, B, C)
//     where
//         A: Layer<In, T>,
//         B: Layer<Out<A, In, T>, T>,
//         C: Layer<Out<B, Out<A, In, T>, T>, T>,
//     {
//         fn forward(..) {
//             self.0.forward(pass, x, &mut outputs.0, &mut caches.0);
//             self.1.forward(pass, &outputs.0, &mut outputs.1, &mut caches.1);
//             self.2.forward(pass, &outputs.1, y, &mut caches.2);
//         }
//         fn backward(..) {
//             self.2.backward(pass, (&outputs.1, y), &mut caches.2, dy, &mut gradient.2, Some(&mut gradients.1));
//             self.1.backward(pass, (&outputs.0, &outputs.1), &mut caches.1, &mut gradients.1, &mut gradient.1,
//                 Some(&mut gradients.0));
//             self.0.backward(pass, (x, &outputs.0), &mut caches.0, &mut gradients.0, &mut gradient.0, dx);
//         }
//     }
macro_rules! chain {
    ($first:ident $zero:tt, $($rest:ident $index:tt),+) => {
        chain!(@walk [$first $zero] [$($rest $index)+] [] [] $first $zero [In] $($rest $index,)+);
    };
    (@walk $start:tt $rest:tt [$($order:tt)*] [$($reverse:tt)*] $before:ident $b:tt [$in:ty] $layer:ident $i:tt, $($more:tt)*) => {
        chain!(@walk $start $rest
            [$($order)* ($layer $i [Out<$before, $in, T>] $before $b [$in])]
            [($layer $i [Out<$before, $in, T>] $before $b [$in]) $($reverse)*]
            $layer $i [Out<$before, $in, T>] $($more)*);
    };
    (@walk [$first:ident $zero:tt] [$($rest:ident $index:tt)+]
        [$(($layer:ident $i:tt [$in:ty] $before:ident $b:tt [$before_in:ty]))+]
        [$(($back:ident $k:tt [$back_in:ty] $back_before:ident $j:tt [$back_before_in:ty]))+]
        $last:ident $l:tt [$last_in:ty]) => {
        impl<$first: Zeroed, $($rest: Zeroed),+> Zeroed for ($first, $($rest),+) {
            const ZEROED: Self = ($first::ZEROED, $($rest::ZEROED),+);
        }

        impl<$first: Params, $($rest: Params),+> Params for ($first, $($rest),+) {
            const PARAMETERS: usize = $first::PARAMETERS $(+ $rest::PARAMETERS)+;
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

            fn initialize<R: Rng>(&mut self, rng: &mut R) {
                self.$zero.initialize(rng);
                $(self.$index.initialize(rng);)+
            }

            #[inline(always)]
            fn update_buffers(&mut self, gradient: &mut Self) {
                self.$zero.update_buffers(&mut gradient.$zero);
                $(self.$index.update_buffers(&mut gradient.$index);)+
            }

            #[inline(always)]
            fn merge_buffers(&mut self, part: &mut Self) {
                self.$zero.merge_buffers(&mut part.$zero);
                $(self.$index.merge_buffers(&mut part.$index);)+
            }
        }

        impl<T: Real, $first: Visit<T>, $($rest: Visit<T>),+> Visit<T> for ($first, $($rest),+) {
            #[inline(always)]
            fn visit(&self, visitor: &mut impl Visitor<T>) {
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
                visitor: &mut impl VisitorMut<T, OTHERS>,
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
        }

        impl<$first, $($rest),+> Network for ($first, $($rest),+) {}

        impl<$first: InputShape, $($rest),+> InputShape for ($first, $($rest),+) {
            type In = $first::In;
            type Scalar = $first::Scalar;
        }

        impl<In: Shape, T: Real, $first, $($rest),+> Model<In, T> for ($first, $($rest),+)
        where
            $first: Model<In, T>,
            $($layer: Model<$in, T>),+
        {
            type Out = Out<$last, $last_in, T>;
            // Each layer is, or is called in code of its own.
            const IS_COMPILED: bool = true;

            #[inline(always)]
            fn infer<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, T, MICRO>,
                y: &mut Batch<Self::Out, T, MICRO>,
            ) {
                $(
                    let mut between;
                    if BY_VALUE {
                        between = Aligned(self.$b.infer_by_value(pass.hidden(), x, Internal));
                    } else {
                        between = Aligned::<Batch<$in, T, MICRO>>::ZEROED;
                        infer(&self.$b, pass.hidden(), x, &mut between.0);
                    }
                    let x = &between.0;
                )+
                infer(&self.$l, pass, x, y);
            }

            #[inline(always)]
            fn infer_by_value<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, T, MICRO>,
                _: Internal,
            ) -> Batch<Self::Out, T, MICRO> {
                $(
                    let between = Aligned(self.$b.infer_by_value(pass.hidden(), x, Internal));
                    let x = &between.0;
                )+
                self.$l.infer_by_value(pass, x, Internal)
            }
        }

        impl<In: Shape, T: Real, $first, $($rest),+> Layer<In, T> for ($first, $($rest),+)
        where
            $first: Layer<In, T>,
            $($layer: Layer<$in, T>),+
        {
            type Cache<const MICRO: usize> = ChainCache<
                ($first::Cache<MICRO>, $(<$layer as Layer<$in, T>>::Cache<MICRO>),+),
                ($(Aligned<Batch<$in, T, MICRO>>,)+),
            >;
            type LastActivation = <$last as Layer<$last_in, T>>::LastActivation;

            #[inline(always)]
            fn forward<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, T, MICRO>,
                y: &mut Batch<Self::Out, T, MICRO>,
                cache: &mut Self::Cache<MICRO>,
            ) {
                let ChainCache { caches, outputs, .. } = cache;
                $(
                    forward(&self.$b, pass.hidden(), x, &mut outputs.$b.0, &mut caches.$b);
                    let x = &outputs.$b.0;
                )+
                forward(&self.$l, pass, x, y, &mut caches.$l);
            }

            #[inline(always)]
            fn backward<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                (x, y): (&Batch<In, T, MICRO>, &Batch<Self::Out, T, MICRO>),
                cache: &mut Self::Cache<MICRO>,
                dy: &mut Batch<Self::Out, T, MICRO>,
                gradient: &mut Self,
                dx: Option<&mut Batch<In, T, MICRO>>,
            ) {
                let ChainCache { caches, outputs, gradients } = cache;
                $(
                    let here = if $k == $l { pass } else { pass.hidden() };
                    let (before, before_dy) = (&outputs.$j.0, Some(&mut gradients.$j.0));
                    backward(&self.$k, here, (before, y), &mut caches.$k, dy, &mut gradient.$k, before_dy);
                    let (y, dy) = (&outputs.$j.0, &mut gradients.$j.0);
                    // An earlier micro-batch may have left values there, and `Pass::len` promises zeros.
                    if pass.len() < MICRO {
                        <$back_in as Shape>::clear_from(dy, pass.len());
                    }
                )+
                backward(&self.$zero, pass.hidden(), (x, y), &mut caches.$zero, dy, &mut gradient.$zero, dx);
            }

            #[inline(always)]
            fn sgd_step<S: Simd, const MICRO: usize>(
                &mut self,
                pass: Pass<S, MICRO>,
                (x, y): (&Batch<In, T, MICRO>, &Batch<Self::Out, T, MICRO>),
                cache: &mut Self::Cache<MICRO>,
                dy: &mut Batch<Self::Out, T, MICRO>,
                learning_rate: LearningRate<T>,
                dx: Option<&mut Batch<In, T, MICRO>>,
            ) {
                let ChainCache { caches, outputs, gradients } = cache;
                $(
                    let here = if $k == $l { pass } else { pass.hidden() };
                    let (before, before_dy) = (&outputs.$j.0, Some(&mut gradients.$j.0));
                    self.$k.sgd_step(here, (before, y), &mut caches.$k, dy, learning_rate, before_dy);
                    let (y, dy) = (&outputs.$j.0, &mut gradients.$j.0);
                    // An earlier micro-batch may have left values there, and `Pass::len` promises zeros.
                    if pass.len() < MICRO {
                        <$back_in as Shape>::clear_from(dy, pass.len());
                    }
                )+
                self.$zero.sgd_step(pass.hidden(), (x, y), &mut caches.$zero, dy, learning_rate, dx);
            }

            fn describe(position: Position, emit: &mut dyn FnMut(Description), _: Internal) {
                emit(Description::around::<In, T, Self>(position, CHAIN));
                $first::describe(position.inside($zero), emit, Internal);
                $(<$layer as Layer<$in, T>>::describe(position.inside($i), emit, Internal);)+
            }

            fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
                emit(Op::ChainBegins);
                self.$zero.operations(emit);
                $(self.$i.operations(emit);)+
                emit(Op::ChainEnds);
            }
        }
    };
}

// Tuples that are no chain have the methods too, so that the compiler explains what is wrong instead of saying that
// there is no such method.
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
