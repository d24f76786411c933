//! [`Rnn`]: the recurrent layer of J. Elman.

use super::{Cell, RecurrentCache, recurrent, set};
use crate::activation::init::{Init, LecunUniform};
use crate::activation::{Activation, FromOutput, NoActivation, Tanh};
use crate::kernel::map;
use crate::kernel::recurrent::{add, add_outer, add_outers, product, transposed_product};
use crate::model::{
    Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, RecurrentCell, Sequence, Stateful,
    Stream, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::fmt;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::{SMatrix, SVector};
use rand::Rng;

recurrent! {
    /// Recurrent layer with `IN` inputs and `H` units (J. Elman, 1990): a fully connected layer whose inputs are those of the
    /// step and its own outputs of the step before. `A` is [`Tanh`], or [`Relu`](crate::activation::Relu) or another
    /// elementwise activation whose derivative follows from its output.
    ///
    /// # Shapes
    ///
    /// `Sequence<STEPS, IN>` in, `Sequence<STEPS, H>` out, for every number of steps. The state before the first step is zero.
    ///
    /// # Formula
    ///
    /// `h = A(W_ih x + b_ih + W_hh h' + b_hh)`, with `h'` the output of the step before. PyTorch equivalent: `torch.nn.RNN`
    /// with `batch_first=True` and one layer.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::{Last, Rnn};
    /// use tuplenet::prelude::*;
    ///
    /// type Net = (Rnn<2, 8>, Last, Dense<8, 1, Identity>);
    /// let network = Net::new(&mut seeded(0));
    /// // Sequences of any length.
    /// let [short] = network.predict_one(&[[0.1, 0.2], [0.3, 0.4]]);
    /// let [long] = network.predict_one(&[[0.1, 0.2]; 30]);
    /// assert!(short != long);
    /// ```
    #[doc(alias("SimpleRNN", "Elman", "nn.RNN", "recurrent neural network"))]
    Rnn, "Rnn", 1 gates, 1 values, |T, H| [T; H], [A: RecurrentActivation = Tanh],
    [const { assert!(A::ELEMENTWISE, "expected an elementwise activation of an `Rnn`") };],
    A::KIND.map(RecurrentCell::Elman)
}

/// An activation of an [`Rnn`]: its derivative follows from its output. There is nothing to implement.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the activation of an `Rnn`",
    note = "it is `Tanh`, `Relu` or another activation whose derivative follows from its output"
)]
pub trait RecurrentActivation: Activation<DerivativeFrom = FromOutput> {}

impl<A: Activation<DerivativeFrom = FromOutput>> RecurrentActivation for A {}

impl<const IN: usize, const H: usize, A: RecurrentActivation, T: Real> Cell<T, IN, H, 1> for Rnn<IN, H, A, T> {
    type State = [T; H];

    #[inline(always)]
    fn output(state: &[T; H]) -> &[T; H] {
        state
    }

    #[inline(always)]
    fn step_forward<S: Simd>(&self, simd: S, x: &[T; IN], state: &mut [T; H], _: &mut [[T; H]; 1], y: &mut [T; H]) {
        let (mut input, mut sums) = ([[T::ZERO; H]; 1], [[T::ZERO; H]; 1]);
        product(simd, &self.weight_ih, x, 0..1, &self.bias_ih, &mut input);
        product(simd, &self.weight_hh, state, 0..1, &self.bias_hh, &mut sums);
        let ([input], [sums]) = (&input, &sums);
        map(
            simd,
            [y],
            [input, sums],
            #[inline(always)]
            |[_], [input, sums]| [A::value::<S, T>(simd, input + sums)],
        );
        *state = *y;
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn step_back<S: Simd, const TOGETHER: bool>(
        &self,
        simd: S,
        (x, before, y): (&[T; IN], &[T; H], &[T; H]),
        d: &mut [[T; H]; 1],
        (dy, dstate): (&[T; H], &mut [T; H]),
        gradient: &mut Self,
        dx: Option<&mut [T; IN]>,
    ) {
        map(
            simd,
            [&mut d[0]],
            [dy, dstate, y],
            #[inline(always)]
            |[_], [dy, dstate, y]| [A::backward::<S, T>(simd, dy + dstate, y, y)],
        );
        if !TOGETHER {
            add(simd, &d[0], &mut gradient.bias_ih[0]);
            add(simd, &d[0], &mut gradient.bias_hh[0]);
            add_outer(simd, d, x, 0..1, &mut gradient.weight_ih);
            add_outer(simd, d, before, 0..1, &mut gradient.weight_hh);
        }
        transposed_product(simd, &self.weight_hh, d, 0..1, dstate, set);
        if let Some(dx) = dx {
            transposed_product(simd, &self.weight_ih, d, 0..1, dx, set);
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn add_gradient<S: Simd>(simd: S, x: &[[T; IN]], before: &[[T; H]], cache: &[[[T; H]; 1]], gradient: &mut Self) {
        let Rnn { weight_ih, weight_hh, bias_ih, bias_hh, .. } = gradient;
        for [d] in cache {
            add(simd, d, &mut bias_ih[0]);
            add(simd, d, &mut bias_hh[0]);
        }
        add_outers(simd, cache.len(), |s| &cache[s][0], |s| &x[s], 0, weight_ih);
        add_outers(simd, cache.len(), |s| &cache[s][0], |s| &before[s], 0, weight_hh);
    }
}
