//! The layers whose second derivatives are known.

use super::second_derivative::activate;
use super::{Curved, Outputs, Pair};
use crate::activation::{
    Activation, Elu, Gelu, HardSigmoid, Identity, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign,
    Tanh,
};
use crate::layers::{Dense, Dropout, Residual};
use crate::model::{Features, Model, Shape};
use crate::num::Real;
use nalgebra::SVector;

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Curved<Features<IN>, T> for Dense<IN, OUT, A, T> {
    fn curve(
        &self,
        direction: &Self,
        x: &Pair<[T; IN]>,
        product: &mut Self,
        logits: bool,
        then: impl FnOnce(&Pair<[T; OUT]>) -> Pair<[T; OUT]>,
    ) -> Pair<[T; IN]> {
        let mut z = Pair { value: self.bias.data.0[0], tangent: direction.bias.data.0[0] };
        let columns = self.weight.data.0.iter().zip(&direction.weight.data.0);
        for ((x, tangent), (w, v)) in x.value.iter().zip(&x.tangent).zip(columns.clone()) {
            let to = z.value.iter_mut().zip(&mut z.tangent);
            for ((value, to_tangent), (w, v)) in to.zip(w.iter().zip(v)) {
                *value += *w * *x;
                *to_tangent += *v * *x + *w * *tangent;
            }
        }
        let dz = if logits { then(&z) } else { activate::<A, T, OUT>(&z, then) };
        product.bias += SVector::from(dz.tangent);
        let mut dx = Pair { value: [T::ZERO; IN], tangent: [T::ZERO; IN] };
        let places = dx.value.iter_mut().zip(&mut dx.tangent).zip(x.value.iter().zip(&x.tangent));
        for (((dx, dx_tangent), (x, x_tangent)), ((w, v), to)) in places.zip(columns.zip(&mut product.weight.data.0)) {
            for (((dz, dz_tangent), (w, v)), to) in dz.value.iter().zip(&dz.tangent).zip(w.iter().zip(v)).zip(to) {
                *to += *dz_tangent * *x + *dz * *x_tangent;
                *dx += *w * *dz;
                *dx_tangent += *v * *dz + *w * *dz_tangent;
            }
        }
        dx
    }
}

macro_rules! activations {
    ($([$($generics:tt)*] $activation:ty;)+) => {$(
        impl<T: Real, const N: usize $($generics)*> Curved<Features<N>, T> for $activation {
            fn curve(
                &self,
                _: &Self,
                x: &Pair<[T; N]>,
                _: &mut Self,
                logits: bool,
                then: impl FnOnce(&Pair<[T; N]>) -> Pair<[T; N]>,
            ) -> Pair<[T; N]> {
                if logits { then(x) } else { activate::<Self, T, N>(x, then) }
            }
        }
    )+};
}
activations! {
    [] Identity;
    [] Relu;
    [, const PERCENT: u32] LeakyRelu<PERCENT>;
    [] Elu;
    [] Selu;
    [] Gelu;
    [] Silu;
    [] Sigmoid;
    [] HardSigmoid;
    [] Tanh;
    [] Softplus;
    [] Softsign;
    [] Softmax;
}

impl<T: Real, const N: usize, const PERCENT: u32> Curved<Features<N>, T> for Dropout<PERCENT> {
    fn curve(
        &self,
        _: &Self,
        x: &Pair<[T; N]>,
        _: &mut Self,
        _: bool,
        then: impl FnOnce(&Pair<[T; N]>) -> Pair<[T; N]>,
    ) -> Pair<[T; N]> {
        then(x)
    }
}

fn sum<T: Real, const N: usize>(a: &Pair<[T; N]>, b: &Pair<[T; N]>) -> Pair<[T; N]> {
    let add = |a: &[T; N], b: &[T; N]| {
        let mut sum = *a;
        sum.iter_mut().zip(b).for_each(|(a, b)| *a += *b);
        sum
    };
    Pair { value: add(&a.value, &b.value), tangent: add(&a.tangent, &b.tangent) }
}

impl<T: Real, const N: usize, L: Curved<Features<N>, T, Out = Features<N>>> Curved<Features<N>, T> for Residual<L> {
    fn curve(
        &self,
        direction: &Self,
        x: &Pair<[T; N]>,
        product: &mut Self,
        _: bool,
        then: impl FnOnce(&Pair<[T; N]>) -> Pair<[T; N]>,
    ) -> Pair<[T; N]> {
        let mut around = Pair { value: [T::ZERO; N], tangent: [T::ZERO; N] };
        let inside = self.0.curve(&direction.0, x, &mut product.0, false, |y| {
            around = then(&sum(x, y));
            around
        });
        sum(&inside, &around)
    }
}

/// Calls the layers one inside the other: each gives its outputs to the next, and gets back the gradient by them.
macro_rules! curve {
    ($this:ident $direction:ident $product:ident $x:ident $logits:ident $then:ident $i:tt) => {
        $this.$i.curve(&$direction.$i, $x, &mut $product.$i, $logits, $then)
    };
    ($this:ident $direction:ident $product:ident $x:ident $logits:ident $then:ident $i:tt $($more:tt)+) => {
        $this.$i.curve(&$direction.$i, $x, &mut $product.$i, false, |y| {
            curve!($this $direction $product y $logits $then $($more)+)
        })
    };
}

/// The shape of the outputs of the layer `L`.
type Out<L, In, T> = <L as Model<In, T>>::Out;

macro_rules! chain {
    ($first:ident $zero:tt, $($rest:ident $index:tt),+) => {
        chain!(@walk [$first $zero] [$($rest $index)+] [] $first [In] $($rest,)+);
    };
    (@walk $start:tt $rest:tt [$($order:tt)*] $before:ident [$in:ty] $layer:ident, $($more:ident,)*) => {
        chain!(@walk $start $rest [$($order)* ($layer [Out<$before, $in, T>])] $layer [Out<$before, $in, T>] $($more,)*);
    };
    (@walk [$first:ident $zero:tt] [$($rest:ident $index:tt)+] [$(($layer:ident [$in:ty]))+] $last:ident [$last_in:ty]) => {
        impl<In: Shape, T: Real, $first: Curved<In, T>, $($rest),+> Curved<In, T> for ($first, $($rest),+)
        where
            $($layer: Curved<$in, T>),+
        {
            fn curve(
                &self,
                direction: &Self,
                x: &Pair<In::Sample<T>>,
                product: &mut Self,
                logits: bool,
                then: impl FnOnce(&Outputs<Self, In, T>) -> Outputs<Self, In, T>,
            ) -> Pair<In::Sample<T>> {
                curve!(self direction product x logits then $zero $($index)+)
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
