//! [`Lstm`]: long short-term memory.

use super::{Cell, RecurrentCache, gate, gate_derivative, recurrent, set};
use crate::activation::NoActivation;
use crate::activation::init::{Init, LecunUniform};
use crate::kernel::map;
use crate::kernel::recurrent::{add, add_outer, add_outers, product, transposed_product};
use crate::model::{
    Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, RecurrentCell, Sequence, Stateful,
    Stream, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::math::{mul_add, splat, tanh};
use crate::num::{Lanes, Real};
use core::fmt;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::{SMatrix, SVector};
use rand::Rng;

recurrent! {
    /// Long short-term memory (LSTM) with `IN` inputs and `H` units (S. Hochreiter, J. Schmidhuber, 1997; with the forget gate of
    /// F. Gers et al., 2000; no peepholes).
    ///
    /// The gates are in the order of PyTorch: input `i`, forget `f`, candidate `g`, output `o`. Keras adds 1 to the forget
    /// gate's bias at the start; here, as in PyTorch, it starts like the others.
    ///
    /// # Shapes
    ///
    /// `Sequence<STEPS, IN>` in, `Sequence<STEPS, H>` out, for every number of steps. The state before the first step is zero.
    ///
    /// # Formula
    ///
    /// With `h'` the output and `c'` the cell state of the step before:
    ///
    /// ```text
    /// i = sigmoid(W_ii x + b_ii + W_hi h' + b_hi)
    /// f = sigmoid(W_if x + b_if + W_hf h' + b_hf)
    /// g = tanh(W_ig x + b_ig + W_hg h' + b_hg)
    /// o = sigmoid(W_io x + b_io + W_ho h' + b_ho)
    /// c = f * c' + i * g
    /// h = o * tanh(c)
    /// ```
    ///
    /// PyTorch equivalent: `torch.nn.LSTM` with `batch_first=True` and one layer.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::{Lstm, Steps};
    /// use tuplenet::prelude::*;
    ///
    /// // An output for each step.
    /// type Net = (Lstm<3, 8>, Steps<Dense<8, 2, Softmax>>);
    /// let network = Net::new(&mut seeded(0));
    /// let outputs: [[f32; 2]; 5] = network.predict_one(&[[0.1, 0.2, 0.3]; 5]);
    /// assert!(outputs[4] != outputs[0]);
    /// ```
    #[doc(alias("long short-term memory", "nn.LSTM"))]
    Lstm, "Lstm", 4 gates, 5 values, |T, H| [[T; H]; 2], [], [], Some(RecurrentCell::LongShortTerm)
}

/// The gates i, f, g and o, from the sums of the products with the inputs and of those with the state.
#[inline(always)]
fn gates<S: Simd, T: Real>(simd: S, input: [Lanes<S, T>; 4], sums: [Lanes<S, T>; 4]) -> [Lanes<S, T>; 4] {
    let ([input_i, input_f, input_g, input_o], [sum_i, sum_f, sum_g, sum_o]) = (input, sums);
    [
        gate::<S, T>(simd, input_i, sum_i),
        gate::<S, T>(simd, input_f, sum_f),
        tanh::<S, T>(simd, input_g + sum_g),
        gate::<S, T>(simd, input_o, sum_o),
    ]
}

impl<const IN: usize, const H: usize, T: Real> Lstm<IN, H, T> {
    /// The sums of the products with the inputs, and of those with the state.
    #[inline(always)]
    fn products<S: Simd>(&self, simd: S, x: &[T; IN], state: &[T; H], input: &mut [[T; H]; 4], sums: &mut [[T; H]; 4]) {
        product(simd, &self.weight_ih, x, 0..4, &self.bias_ih, input);
        product(simd, &self.weight_hh, state, 0..4, &self.bias_hh, sums);
    }
}

impl<const IN: usize, const H: usize, T: Real> Cell<T, IN, H, 5> for Lstm<IN, H, T> {
    /// The output and the cell state.
    type State = [[T; H]; 2];

    #[inline(always)]
    fn output([output, _]: &[[T; H]; 2]) -> &[T; H] {
        output
    }

    // The cache: i, f, g, o, and the cell state before the step.
    #[inline(always)]
    fn step_forward<S: Simd>(
        &self,
        simd: S,
        x: &[T; IN],
        [state, cell]: &mut [[T; H]; 2],
        [i, f, g, o, before]: &mut [[T; H]; 5],
        y: &mut [T; H],
    ) {
        let (mut input, mut sums) = ([[T::ZERO; H]; 4], [[T::ZERO; H]; 4]);
        self.products(simd, x, state, &mut input, &mut sums);
        let ([input_i, input_f, input_g, input_o], [sum_i, sum_f, sum_g, sum_o]) = (&input, &sums);
        map(
            simd,
            [i, f, g, o, before, cell, y],
            [input_i, input_f, input_g, input_o, sum_i, sum_f, sum_g, sum_o],
            #[inline(always)]
            |[_, _, _, _, _, cell, _], [input_i, input_f, input_g, input_o, sum_i, sum_f, sum_g, sum_o]| {
                let [i, f, g, o] =
                    gates::<S, T>(simd, [input_i, input_f, input_g, input_o], [sum_i, sum_f, sum_g, sum_o]);
                let next = mul_add(f, cell, i * g);
                [i, f, g, o, cell, next, o * tanh::<S, T>(simd, next)]
            },
        );
        *state = *y;
    }

    #[inline(always)]
    fn step_infer<S: Simd>(&self, simd: S, x: &[T; IN], [state, cell]: &mut [[T; H]; 2], y: &mut [T; H]) {
        let (mut input, mut sums) = ([[T::ZERO; H]; 4], [[T::ZERO; H]; 4]);
        self.products(simd, x, state, &mut input, &mut sums);
        let ([input_i, input_f, input_g, input_o], [sum_i, sum_f, sum_g, sum_o]) = (&input, &sums);
        map(
            simd,
            [cell, y],
            [input_i, input_f, input_g, input_o, sum_i, sum_f, sum_g, sum_o],
            #[inline(always)]
            |[cell, _], [input_i, input_f, input_g, input_o, sum_i, sum_f, sum_g, sum_o]| {
                let [i, f, g, o] =
                    gates::<S, T>(simd, [input_i, input_f, input_g, input_o], [sum_i, sum_f, sum_g, sum_o]);
                let next = mul_add(f, cell, i * g);
                [next, o * tanh::<S, T>(simd, next)]
            },
        );
        *state = *y;
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn step_back<S: Simd, const TOGETHER: bool>(
        &self,
        simd: S,
        (x, before, _): (&[T; IN], &[T; H], &[T; H]),
        [i, f, g, o, cell]: &mut [[T; H]; 5],
        (dy, [dstate, dcell]): (&[T; H], &mut [[T; H]; 2]),
        gradient: &mut Self,
        dx: Option<&mut [T; IN]>,
    ) {
        let one = splat::<S, T>(simd, 1.0);
        let mut d = [[T::ZERO; H]; 4];
        let [di, df, dg, d_o] = &mut d;
        map(
            simd,
            [di, df, dg, d_o, dcell],
            [i, f, g, o, cell, dy, dstate],
            #[inline(always)]
            |[_, _, _, _, dcell], [i, f, g, o, cell, dy, dstate]| {
                let d = dy + dstate;
                let tanh = tanh::<S, T>(simd, mul_add(f, cell, i * g));
                let dc = mul_add(d * o, one - tanh * tanh, dcell);
                [
                    dc * g * gate_derivative::<S, T>(simd, i),
                    dc * cell * gate_derivative::<S, T>(simd, f),
                    dc * i * (one - g * g),
                    d * tanh * gate_derivative::<S, T>(simd, o),
                    dc * f,
                ]
            },
        );
        if TOGETHER {
            [*i, *f, *g, *o] = d;
        } else {
            add(simd, d.as_flattened(), gradient.bias_ih.as_flattened_mut());
            add(simd, d.as_flattened(), gradient.bias_hh.as_flattened_mut());
            add_outer(simd, &d, x, 0..4, &mut gradient.weight_ih);
            add_outer(simd, &d, before, 0..4, &mut gradient.weight_hh);
        }
        transposed_product(simd, &self.weight_hh, &d, 0..4, dstate, set);
        if let Some(dx) = dx {
            transposed_product(simd, &self.weight_ih, &d, 0..4, dx, set);
        }
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn add_gradient<S: Simd>(simd: S, x: &[[T; IN]], before: &[[T; H]], cache: &[[[T; H]; 5]], gradient: &mut Self) {
        let Lstm { weight_ih, weight_hh, bias_ih, bias_hh, .. } = gradient;
        for [d @ .., _] in cache {
            add(simd, d.as_flattened(), bias_ih.as_flattened_mut());
            add(simd, d.as_flattened(), bias_hh.as_flattened_mut());
        }
        for gate in 0..4 {
            add_outers(simd, cache.len(), |s| &cache[s][gate], |s| &x[s], gate, weight_ih);
            add_outers(simd, cache.len(), |s| &cache[s][gate], |s| &before[s], gate, weight_hh);
        }
    }
}
