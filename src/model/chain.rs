//! Tuples of layers: all of backpropagation through a chain.
//!
//! `(A, B)` is a chain, so `(A, (B, C))` nests to any depth; flat tuples of up to eight layers compute the same.

use crate::model::summary::CHAIN;
use crate::model::{
    Aligned, Batch, Description, Element, HasScalar, InputShape, Layer, Network, Op, Params, Pass, Place, Shape,
    Visitor, VisitorMut, Zeroed,
};
use crate::num::SCALAR;
use fearless_simd::Simd;
use rand::Rng;

/// The output shape of the layer `L` for the input shape `In`.
type Out<L, In> = <L as Layer<In>>::Out;

/// What a chain stores for its backward pass: the layers' caches, and buffers for the gradients between them.
#[derive(Clone)]
pub struct ChainCache<CACHES, GRADIENTS> {
    caches: CACHES,
    gradients: GRADIENTS,
}

impl<CACHES, GRADIENTS> core::fmt::Debug for ChainCache<CACHES, GRADIENTS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChainCache").finish_non_exhaustive()
    }
}

impl<CACHES: Zeroed, GRADIENTS: Zeroed> Zeroed for ChainCache<CACHES, GRADIENTS> {
    const ZEROED: Self = ChainCache { caches: Zeroed::ZEROED, gradients: Zeroed::ZEROED };
}

impl<A: Zeroed> Zeroed for (A,) {
    const ZEROED: Self = (A::ZEROED,);
}

// `chain!(A 0, B 1, C 2)` first walks along the layers and notes the input shape and the predecessor of each. Then
// it expands, here for three, to:
//
//     impl<In, A, B, C> Layer<In> for (A, B, C)
//     where
//         A: Layer<In>,
//         B: HasScalar<A::Scalar> + Layer<Out<A, In>>,
//         C: HasScalar<A::Scalar> + Layer<Out<B, Out<A, In>>>,
//     {
//         fn forward(..) {
//             self.0.forward(pass, x, &mut cache.0);
//             self.1.forward(pass, A::output(&cache.0), &mut cache.1);
//             self.2.forward(pass, B::output(&cache.1), &mut cache.2);
//         }
//         fn backward(..) {
//             self.2.backward(pass, B::output(&cache.1), &mut cache.2, output_gradient, &mut gradient.2,
//                 Some(&mut gradients.1));
//             self.1.backward(pass, A::output(&cache.0), &mut cache.1, &mut gradients.1, &mut gradient.1,
//                 Some(&mut gradients.0));
//             self.0.backward(pass, x, &mut cache.0, &mut gradients.0, &mut gradient.0, input_gradient);
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

        impl<$first: Params, $($rest: HasScalar<$first::Scalar>),+> Params for ($first, $($rest),+) {
            type Scalar = $first::Scalar;
            const PARAMETERS: usize = $first::PARAMETERS $(+ $rest::PARAMETERS)+;
            const IS_CHAIN: bool = true;
            const IS_COMPILED: bool = $first::IS_COMPILED $(&& $rest::IS_COMPILED)+;
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

        impl<$first, $($rest),+> Network for ($first, $($rest),+) {}

        impl<$first: InputShape, $($rest),+> InputShape for ($first, $($rest),+) {
            type In = $first::In;
        }

        impl<In: Shape, $first, $($rest),+> Layer<In> for ($first, $($rest),+)
        where
            $first: Layer<In>,
            $($layer: HasScalar<$first::Scalar> + Layer<$in>),+
        {
            type Out = Out<$last, $last_in>;
            type Cache<const MICRO: usize> = ChainCache<
                ($first::Cache<MICRO>, $(<$layer as Layer<$in>>::Cache<MICRO>),+),
                ($(Aligned<Batch<$in, $first::Scalar, MICRO>>,)+),
            >;
            type LastActivation = <$last as Layer<$last_in>>::LastActivation;

            #[inline(always)]
            fn output<const MICRO: usize>(cache: &Self::Cache<MICRO>) -> &Batch<Self::Out, Self::Scalar, MICRO> {
                <$last as Layer<$last_in>>::output::<MICRO>(&cache.caches.$l)
            }

            #[inline(always)]
            fn infer<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, Self::Scalar, MICRO>,
                y: &mut Batch<Self::Out, Self::Scalar, MICRO>,
            ) {
                $(
                    let mut between;
                    if SCALAR {
                        between = Aligned(self.$b.infer_by_value(pass.hidden(), x));
                    } else {
                        between = Aligned::<Batch<$in, $first::Scalar, MICRO>>::ZEROED;
                        self.$b.infer(pass.hidden(), x, &mut between.0);
                    }
                    let x = &between.0;
                )+
                self.$l.infer(pass, x, y);
            }

            #[inline(always)]
            fn infer_by_value<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, Self::Scalar, MICRO>,
            ) -> Batch<Self::Out, Self::Scalar, MICRO> {
                $(
                    let between = Aligned(self.$b.infer_by_value(pass.hidden(), x));
                    let x = &between.0;
                )+
                self.$l.infer_by_value(pass, x)
            }

            #[inline(always)]
            fn forward<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, Self::Scalar, MICRO>,
                cache: &mut Self::Cache<MICRO>,
            ) {
                let cache = &mut cache.caches;
                self.$zero.forward(pass.hidden(), x, &mut cache.$zero);
                $(
                    let here = if $i == $l { pass } else { pass.hidden() };
                    self.$i.forward(here, <$before as Layer<$before_in>>::output::<MICRO>(&cache.$b), &mut cache.$i);
                )+
            }

            #[inline(always)]
            fn backward<S: Simd, const MICRO: usize>(
                &self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, Self::Scalar, MICRO>,
                cache: &mut Self::Cache<MICRO>,
                output_gradient: &mut Batch<Self::Out, Self::Scalar, MICRO>,
                gradient: &mut Self,
                input_gradient: Option<&mut Batch<In, Self::Scalar, MICRO>>,
            ) {
                let ChainCache { caches: cache, gradients } = cache;
                $(
                    let here = if $k == $l { pass } else { pass.hidden() };
                    self.$k.backward(
                        here,
                        <$back_before as Layer<$back_before_in>>::output::<MICRO>(&cache.$j),
                        &mut cache.$k,
                        output_gradient,
                        &mut gradient.$k,
                        Some(&mut gradients.$j.0),
                    );
                    let output_gradient = &mut gradients.$j.0;
                    // An earlier micro-batch may have left values there, and `Pass::len` promises zeros.
                    if pass.len() < MICRO {
                        <$back_in as Shape>::clear_from(output_gradient, pass.len());
                    }
                )+
                self.$zero.backward(
                    pass.hidden(),
                    x,
                    &mut cache.$zero,
                    output_gradient,
                    &mut gradient.$zero,
                    input_gradient,
                );
            }

            #[inline(always)]
            fn sgd_step<S: Simd, const MICRO: usize>(
                &mut self,
                pass: Pass<S, MICRO>,
                x: &Batch<In, Self::Scalar, MICRO>,
                cache: &mut Self::Cache<MICRO>,
                output_gradient: &mut Batch<Self::Out, Self::Scalar, MICRO>,
                learning_rate: Self::Scalar,
                input_gradient: Option<&mut Batch<In, Self::Scalar, MICRO>>,
            ) {
                let ChainCache { caches: cache, gradients } = cache;
                $(
                    let here = if $k == $l { pass } else { pass.hidden() };
                    self.$k.sgd_step(
                        here,
                        <$back_before as Layer<$back_before_in>>::output::<MICRO>(&cache.$j),
                        &mut cache.$k,
                        output_gradient,
                        learning_rate,
                        Some(&mut gradients.$j.0),
                    );
                    let output_gradient = &mut gradients.$j.0;
                    // An earlier micro-batch may have left values there, and `Pass::len` promises zeros.
                    if pass.len() < MICRO {
                        <$back_in as Shape>::clear_from(output_gradient, pass.len());
                    }
                )+
                self.$zero.sgd_step(pass.hidden(), x, &mut cache.$zero, output_gradient, learning_rate, input_gradient);
            }

            fn describe(place: Place, emit: &mut dyn FnMut(Description)) {
                emit(Description::around::<In, Self>(place, CHAIN));
                $first::describe(place.inside($zero), emit);
                $(<$layer as Layer<$in>>::describe(place.inside($i), emit);)+
            }

            fn graph<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, Self::Scalar>)) {
                emit(Op::ChainBegins);
                self.$zero.graph(emit);
                $(self.$i.graph(emit);)+
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
