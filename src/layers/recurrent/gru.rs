//! [`Gru`]: the gated recurrent unit.

use super::{Cell, RecurrentCache, gate, gate_derivative, plus, recurrent, set};
use crate::activation::NoActivation;
use crate::activation::init::{Init, LecunUniform};
use crate::kernel::map;
use crate::kernel::recurrent::{add, add_outer, add_outers, product, transposed_product};
use crate::model::{
    Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, RecurrentCell, Sequence, Stateful,
    Stream, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use crate::num::math::{mul_add, splat, tanh};
use core::fmt;
use core::marker::PhantomData;
use fearless_simd::Simd;
use nalgebra::{SMatrix, SVector};
use rand::Rng;

/// Where the reset gate of a [`Gru`] acts: [`After`] or [`Before`] the product with the recurrent weights.
pub trait Reset: 'static {
    /// Whether it acts after it.
    const AFTER: bool;
}

/// The reset gate multiplies the product of the state and the recurrent weights, as in PyTorch, and in Keras by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias("reset_after", "linear_before_reset"))]
pub struct After;

/// The reset gate multiplies the state, as in the paper, and in Keras with `reset_after=False`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before;

impl Reset for After {
    const AFTER: bool = true;
}

impl Reset for Before {
    const AFTER: bool = false;
}

recurrent! {
    /// Gated recurrent unit (GRU) with `IN` inputs and `H` units (K. Cho et al., 2014). `R` says where the reset gate acts:
    /// [`After`] the product with the recurrent weights, as in PyTorch, or [`Before`] it, as in the paper.
    ///
    /// The gates are in the order of PyTorch: reset `r`, update `z`, candidate `n`.
    ///
    /// # Shapes
    ///
    /// `Sequence<STEPS, IN>` in, `Sequence<STEPS, H>` out, for every number of steps. The state before the first step is zero.
    ///
    /// # Formula
    ///
    /// With `h'` the output of the step before:
    ///
    /// ```text
    /// r = sigmoid(W_ir x + b_ir + W_hr h' + b_hr)
    /// z = sigmoid(W_iz x + b_iz + W_hz h' + b_hz)
    /// n = tanh(W_in x + b_in + r * (W_hn h' + b_hn))      After
    /// n = tanh(W_in x + b_in + W_hn (r * h') + b_hn)      Before
    /// h = n + z * (h' - n)
    /// ```
    ///
    /// PyTorch equivalent: `torch.nn.GRU` with `batch_first=True` and one layer.
    ///
    /// # Examples
    ///
    /// A network that counts the ones of a sequence:
    ///
    /// ```
    /// use tuplenet::layers::{Gru, Input, Last};
    /// use tuplenet::prelude::*;
    ///
    /// // `Input` says how long the sequences are that it is trained on.
    /// type Net = (Input<Sequence<6, 1>>, Gru<1, 8>, Last, Dense<8, 1, Identity>);
    /// let inputs: [[[f32; 1]; 6]; 64] = core::array::from_fn(|number| core::array::from_fn(|bit| [(number >> bit & 1) as f32]));
    /// let targets = inputs.map(|steps| [steps.iter().map(|[bit]| bit).sum::<f32>()]);
    ///
    /// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.02), seeded(1));
    /// trainer.fit(&inputs, &targets, &FitOptions { epochs: 200, ..FitOptions::default() }, ())?;
    /// let network = trainer.network;
    /// let [count] = network.predict_one(&[[1.0], [0.0], [1.0], [1.0], [0.0], [1.0]]);
    /// assert!((count - 4.0).abs() < 0.3, "{count}");
    ///
    /// // The same network, step by step, for as many steps as there are.
    /// let mut state = network.state();
    /// for bit in [1.0, 0.0, 1.0] {
    ///     let [count] = network.step(&mut state, &[bit]);
    ///     println!("{count:.2}");
    /// }
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("gated recurrent unit", "nn.GRU"))]
    Gru, "Gru", 3 gates, 4 values, |T, H| [T; H], [R: Reset = After], [],
    Some(RecurrentCell::Gated { reset_after: R::AFTER })
}

impl<const IN: usize, const H: usize, R: Reset, T: Real> Cell<T, IN, H, 4> for Gru<IN, H, R, T> {
    type State = [T; H];

    #[inline(always)]
    fn output(state: &[T; H]) -> &[T; H] {
        state
    }

    // The cache: r, z, n, and what the reset gate multiplies (`After`) or has multiplied (`Before`).
    #[inline(always)]
    fn step_forward<S: Simd>(
        &self,
        simd: S,
        x: &[T; IN],
        state: &mut [T; H],
        [r, z, n, q]: &mut [[T; H]; 4],
        y: &mut [T; H],
    ) {
        let (mut input, mut sums) = ([[T::ZERO; H]; 3], [[T::ZERO; H]; 3]);
        product(simd, &self.weight_ih, x, 0..3, &self.bias_ih, &mut input);
        if R::AFTER {
            product(simd, &self.weight_hh, state, 0..3, &self.bias_hh, &mut sums);
            let ([input_r, input_z, input_n], [sum_r, sum_z, sum_n]) = (&input, &sums);
            map(
                simd,
                [r, z, n, q, y],
                [input_r, input_z, input_n, sum_r, sum_z, sum_n, state],
                #[inline(always)]
                |[..], [input_r, input_z, input_n, sum_r, sum_z, sum_n, h]| {
                    let (r, z) = (gate::<S, T>(simd, input_r, sum_r), gate::<S, T>(simd, input_z, sum_z));
                    let n = tanh::<S, T>(simd, mul_add(r, sum_n, input_n));
                    [r, z, n, sum_n, mul_add(z, h - n, n)]
                },
            );
        } else {
            product(simd, &self.weight_hh, state, 0..2, &self.bias_hh, &mut sums);
            let [sum_r, sum_z, _] = &sums;
            map(
                simd,
                [r, z, q],
                [&input[0], &input[1], sum_r, sum_z, state],
                #[inline(always)]
                |[..], [input_r, input_z, sum_r, sum_z, h]| {
                    let r = gate::<S, T>(simd, input_r, sum_r);
                    [r, gate::<S, T>(simd, input_z, sum_z), r * h]
                },
            );
            product(simd, &self.weight_hh, q, 2..3, &self.bias_hh, &mut sums);
            map(
                simd,
                [n, y],
                [&input[2], &sums[2], z, state],
                #[inline(always)]
                |[..], [input, sum, z, h]| {
                    let n = tanh::<S, T>(simd, input + sum);
                    [n, mul_add(z, h - n, n)]
                },
            );
        }
        *state = *y;
    }

    #[inline(always)]
    fn step_infer<S: Simd>(&self, simd: S, x: &[T; IN], state: &mut [T; H], y: &mut [T; H]) {
        if !R::AFTER {
            return self.step_forward(simd, x, state, &mut [[T::ZERO; H]; 4], y);
        }
        let (mut input, mut sums) = ([[T::ZERO; H]; 3], [[T::ZERO; H]; 3]);
        product(simd, &self.weight_ih, x, 0..3, &self.bias_ih, &mut input);
        product(simd, &self.weight_hh, state, 0..3, &self.bias_hh, &mut sums);
        let ([input_r, input_z, input_n], [sum_r, sum_z, sum_n]) = (&input, &sums);
        map(
            simd,
            [y],
            [input_r, input_z, input_n, sum_r, sum_z, sum_n, state],
            #[inline(always)]
            |[_], [input_r, input_z, input_n, sum_r, sum_z, sum_n, h]| {
                let (r, z) = (gate::<S, T>(simd, input_r, sum_r), gate::<S, T>(simd, input_z, sum_z));
                let n = tanh::<S, T>(simd, mul_add(r, sum_n, input_n));
                [mul_add(z, h - n, n)]
            },
        );
        *state = *y;
    }

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn step_back<S: Simd, const TOGETHER: bool>(
        &self,
        simd: S,
        (x, before, _): (&[T; IN], &[T; H], &[T; H]),
        [r, z, n, q]: &mut [[T; H]; 4],
        (dy, dstate): (&[T; H], &mut [T; H]),
        gradient: &mut Self,
        dx: Option<&mut [T; IN]>,
    ) {
        let one = splat::<S, T>(simd, 1.0);
        // The gradients by the sums of the gates: where the inputs enter, and where the state does.
        let (mut outer, mut inner) = ([[T::ZERO; H]; 3], [[T::ZERO; H]; 3]);
        if R::AFTER {
            let ([dr, dz, dn], [inner_r, inner_z, inner_n]) = (&mut outer, &mut inner);
            map(
                simd,
                [dr, dz, dn, inner_r, inner_z, inner_n, dstate],
                [r, z, n, q, dy, before],
                #[inline(always)]
                |[_, _, _, _, _, _, dstate], [r, z, n, q, dy, before]| {
                    let d = dy + dstate;
                    let dn = d * (one - z) * (one - n * n);
                    let dz = d * (before - n) * gate_derivative::<S, T>(simd, z);
                    let dr = dn * q * gate_derivative::<S, T>(simd, r);
                    [dr, dz, dn, dr, dz, dn * r, d * z]
                },
            );
            if !TOGETHER {
                add_outer(simd, &inner, before, 0..3, &mut gradient.weight_hh);
            }
            transposed_product(simd, &self.weight_hh, &inner, 0..3, dstate, plus);
        } else {
            let ([_, dz, dn], [_, inner_z, inner_n]) = (&mut outer, &mut inner);
            map(
                simd,
                [dz, dn, inner_z, inner_n, dstate],
                [z, n, dy, before],
                #[inline(always)]
                |[_, _, _, _, dstate], [z, n, dy, before]| {
                    let d = dy + dstate;
                    let dn = d * (one - z) * (one - n * n);
                    let dz = d * (before - n) * gate_derivative::<S, T>(simd, z);
                    [dz, dn, dz, dn, d * z]
                },
            );
            // The gradient by `r * h'`.
            let mut dq = [T::ZERO; H];
            transposed_product(simd, &self.weight_hh, &inner, 2..3, &mut dq, set);
            if !TOGETHER {
                add_outer(simd, &inner, q, 2..3, &mut gradient.weight_hh);
            }
            map(
                simd,
                [&mut outer[0], &mut inner[0], dstate],
                [r, &dq, before],
                #[inline(always)]
                |[_, _, dstate], [r, dq, before]| {
                    let dr = dq * before * gate_derivative::<S, T>(simd, r);
                    [dr, dr, mul_add(dq, r, dstate)]
                },
            );
            if !TOGETHER {
                add_outer(simd, &inner, before, 0..2, &mut gradient.weight_hh);
            }
            transposed_product(simd, &self.weight_hh, &inner, 0..2, dstate, plus);
        }
        if TOGETHER {
            [*r, *z, *n] = outer;
            if R::AFTER {
                *q = inner[2];
            }
        } else {
            add(simd, outer.as_flattened(), gradient.bias_ih.as_flattened_mut());
            add(simd, inner.as_flattened(), gradient.bias_hh.as_flattened_mut());
            add_outer(simd, &outer, x, 0..3, &mut gradient.weight_ih);
        }
        if let Some(dx) = dx {
            transposed_product(simd, &self.weight_ih, &outer, 0..3, dx, set);
        }
    }

    // The cache: the gradients by the sums of the gates, and by the state's part of the candidate's (`After`), or what the reset
    // gate has multiplied (`Before`).
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn add_gradient<S: Simd>(simd: S, x: &[[T; IN]], before: &[[T; H]], cache: &[[[T; H]; 4]], gradient: &mut Self) {
        let Gru { weight_ih, weight_hh, bias_ih, bias_hh, .. } = gradient;
        for [r, z, n, q] in cache {
            for (d, bias) in [r, z, n].into_iter().zip(bias_ih.iter_mut()) {
                add(simd, d, bias);
            }
            for (d, bias) in [r, z, if R::AFTER { q } else { n }].into_iter().zip(bias_hh.iter_mut()) {
                add(simd, d, bias);
            }
        }
        for gate in 0..3 {
            add_outers(simd, cache.len(), |s| &cache[s][gate], |s| &x[s], gate, weight_ih);
        }
        for gate in 0..2 {
            add_outers(simd, cache.len(), |s| &cache[s][gate], |s| &before[s], gate, weight_hh);
        }
        if R::AFTER {
            add_outers(simd, cache.len(), |s| &cache[s][3], |s| &before[s], 2, weight_hh);
        } else {
            add_outers(simd, cache.len(), |s| &cache[s][2], |s| &cache[s][3], 2, weight_hh);
        }
    }
}
