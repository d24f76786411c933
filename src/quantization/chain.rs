//! Tuples of layers, in integers.

use super::graph::QuantizedOp;
use super::layer::{Quantize, QuantizedLayer, Range, Trial};
use super::scale::{Integers, QuantizedShape, Scale};
use crate::error::Error;
use crate::model::{Batch, Model};
use fearless_simd::Simd;

type Out<L, In> = <L as Model<In, f32>>::Out;
type QuantizedOut<L, In> = <L as QuantizedLayer<In>>::Out;

/// Only the last layer of a network may end in floats.
const fn assert_not_last<In: QuantizedShape, L: QuantizedLayer<In>>() {
    assert!(
        !L::IS_LAST,
        "softmax has a form in integers only as the last layer of a network: elsewhere write `F32<..>` around it"
    );
}

// As `chain!` of the model: `chain!(A 0, B 1, C 2)` notes the input shape of each layer.
macro_rules! chain {
    ($first:ident $zero:tt, $($rest:ident $index:tt),+) => {
        chain!(@walk [$first $zero] [] $first [In] [In] $zero $($rest $index,)+);
    };
    (
        @walk $start:tt [$($done:tt)*] $before:ident [$in:ty] [$quantized_in:ty] $b:tt $layer:ident $i:tt, $($more:tt)+
    ) => {
        chain!(
            @walk $start
            [$($done)* ($layer $i [Out<$before, $in>] [QuantizedOut<$before, $quantized_in>] $b)]
            $layer [Out<$before, $in>] [QuantizedOut<$before, $quantized_in>] $i $($more)+
        );
    };
    (@walk $start:tt [$($done:tt)*] $before:ident [$in:ty] [$quantized_in:ty] $b:tt $last:ident $l:tt,) => {
        chain!(
            @write $start
            [$($done)* ($last $l [Out<$before, $in>] [QuantizedOut<$before, $quantized_in>] $b)]
            $last $l [Out<$before, $in>] [QuantizedOut<$before, $quantized_in>]
            [$($done)*]
        );
    };
    (
        @write [$first:ident $zero:tt]
        [$(($layer:ident $i:tt [$in:ty] [$quantized_in:ty] $b:tt))+]
        $last:ident $l:tt [$last_in:ty] [$quantized_last_in:ty]
        [$(($middle:ident $m:tt [$middle_in:ty] [$quantized_middle_in:ty] $mb:tt))*]
    ) => {
        impl<In: QuantizedShape, $first, $($layer),+> QuantizedLayer<In> for ($first, $($layer),+)
        where
            $first: QuantizedLayer<In>,
            $($layer: QuantizedLayer<$quantized_in>),+
        {
            type Out = QuantizedOut<$last, $quantized_last_in>;
            const IS_LAST: bool = $last::IS_LAST;

            fn output(&self, input: Scale) -> Scale {
                let scale = self.$zero.output(input);
                $(let scale = self.$i.output(scale);)+
                scale
            }

            fn operations(&self, input: Scale, emit: &mut dyn FnMut(QuantizedOp)) {
                emit(QuantizedOp::ChainBegins);
                let scale = input;
                self.$zero.operations(scale, emit);
                let scale = self.$zero.output(scale);
                $(
                    self.$i.operations(scale, emit);
                    let scale = self.$i.output(scale);
                )+
                let _ = scale;
                emit(QuantizedOp::ChainEnds);
            }

            #[inline(always)]
            fn run<S: Simd>(&self, simd: S, x: &Integers<In>) -> Integers<Self::Out> {
                const {
                    assert_not_last::<In, $first>();
                    $(assert_not_last::<$quantized_middle_in, $middle>();)*
                }
                let between = self.$zero.run(simd, x);
                $(let between = self.$i.run(simd, &between);)+
                between
            }

            #[inline(always)]
            fn enter<S: Simd, const MICRO: usize>(
                &self,
                simd: S,
                input: Scale,
                x: &Batch<In, f32, MICRO>,
                column: usize,
            ) -> Integers<Self::Out> {
                const {
                    assert_not_last::<In, $first>();
                    $(assert_not_last::<$quantized_middle_in, $middle>();)*
                }
                let between = self.$zero.enter(simd, input, x, column);
                $(let between = self.$i.run(simd, &between);)+
                between
            }

            #[inline(always)]
            fn leave<S: Simd, const MICRO: usize>(
                &self,
                simd: S,
                input: Scale,
                x: &Integers<In>,
                y: &mut Batch<Self::Out, f32, MICRO>,
                column: usize,
            ) {
                const {
                    assert_not_last::<In, $first>();
                    $(assert_not_last::<$quantized_middle_in, $middle>();)*
                }
                let (between, scale) = (self.$zero.run(simd, x), self.$zero.output(input));
                $(let (between, scale) = (self.$m.run(simd, &between), self.$m.output(scale));)*
                self.$l.leave(simd, scale, &between, y, column);
            }

            #[inline(always)]
            fn predict<S: Simd, const MICRO: usize>(
                &self,
                simd: S,
                input: Scale,
                x: &Batch<In, f32, MICRO>,
                y: &mut Batch<Self::Out, f32, MICRO>,
                column: usize,
            ) {
                const {
                    assert_not_last::<In, $first>();
                    $(assert_not_last::<$quantized_middle_in, $middle>();)*
                }
                let (between, scale) = (self.$zero.enter(simd, input, x, column), self.$zero.output(input));
                $(let (between, scale) = (self.$m.run(simd, &between), self.$m.output(scale));)*
                self.$l.leave(simd, scale, &between, y, column);
            }
        }

        impl<In: QuantizedShape, $first, $($layer),+> Quantize<In> for ($first, $($layer),+)
        where
            $first: Quantize<In>,
            $($layer: Quantize<$in>),+
        {
            type Quantized = ($first::Quantized, $($layer::Quantized),+);

            fn observe(&self, x: &Batch<In, f32, 1>, see: &mut dyn FnMut(&[f32])) -> Batch<Self::Out, f32, 1> {
                let between = self.$zero.observe(x, see);
                $(let between = self.$i.observe(&between, see);)+
                between
            }

            #[allow(unused_assignments, reason = "no layer follows the last one")]
            fn quantized(&self, input: Scale, next: &mut dyn FnMut() -> Range) -> Result<Self::Quantized, Error> {
                let mut scale = input;
                Ok((
                    {
                        let layer = self.$zero.quantized(scale, next)?;
                        scale = layer.output(scale);
                        layer
                    },
                    $({
                        let layer = self.$i.quantized(scale, next)?;
                        scale = layer.output(scale);
                        layer
                    },)+
                ))
            }

            fn compare(
                &self,
                quantized: &Self::Quantized,
                input: Scale,
                x: &Batch<In, f32, 1>,
                trial: &mut dyn Trial,
            ) -> Batch<Self::Out, f32, 1> {
                let (y, scale) = (self.$zero.compare(&quantized.$zero, input, x, trial), quantized.$zero.output(input));
                $(
                    let (y, scale) = (self.$i.compare(&quantized.$i, scale, &y, trial), quantized.$i.output(scale));
                )+
                let _ = scale;
                y
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
