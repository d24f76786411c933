//! Layers of sequences that the compiler reads from a file.

use super::{At, Embedded, Inside, Listed, Place, Readable, gates, kernels, numbers};
use crate::layers::{
    Bidirectional, Conv1d, Gru, Last, Lstm, MaxOverTime, MeanOverTime, RecurrentActivation, Reset, Rnn, Steps, reverse,
};
use crate::model::Parameter;
use crate::num::Real;

/// A recurrent layer, and two of them in both directions.
macro_rules! recurrent {
    ($name:ident, $gates:literal, [$($kind:ident: $bound:ident)?]) => {
        impl<P: Place, const IN: usize, const H: usize, $($kind: $bound,)? T: Readable> Embedded<P>
            for $name<IN, H, $($kind,)? T>
        {
            const VALUE: Self = $name::from_columns(
                gates::<T, At<P, Self, 0>, H, $gates, IN>(),
                gates::<T, At<P, Self, 1>, H, $gates, H>(),
                gates::<T, At<P, Self, 2>, H, $gates, 1>()[0],
                gates::<T, At<P, Self, 3>, H, $gates, 1>()[0],
            );
            const TENSORS: &'static [Parameter] = &Self::PARAMETERS;
        }

        impl<P: Place, const IN: usize, const H: usize, $($kind: $bound,)? T: Readable, const OUT: usize> Embedded<P>
            for Bidirectional<$name<IN, H, $($kind,)? T>, OUT>
        {
            const VALUE: Self = Bidirectional {
                forward: $name::from_columns(
                    gates::<T, At<P, Self, 0>, H, $gates, IN>(),
                    gates::<T, At<P, Self, 1>, H, $gates, H>(),
                    gates::<T, At<P, Self, 2>, H, $gates, 1>()[0],
                    gates::<T, At<P, Self, 3>, H, $gates, 1>()[0],
                ),
                reverse: $name::from_columns(
                    gates::<T, At<P, Self, 4>, H, $gates, IN>(),
                    gates::<T, At<P, Self, 5>, H, $gates, H>(),
                    gates::<T, At<P, Self, 6>, H, $gates, 1>()[0],
                    gates::<T, At<P, Self, 7>, H, $gates, 1>()[0],
                ),
            };
            const TENSORS: &'static [Parameter] = {
                let [weight_ih, weight_hh, bias_ih, bias_hh] = $name::<IN, H, $($kind,)? T>::PARAMETERS;
                &[
                    weight_ih, weight_hh, bias_ih, bias_hh,
                    reverse(weight_ih), reverse(weight_hh), reverse(bias_ih), reverse(bias_hh),
                ]
            };
        }
    };
}

recurrent!(Rnn, 1, [A: RecurrentActivation]);
recurrent!(Gru, 3, [R: Reset]);
recurrent!(Lstm, 4, []);

/// Without the innermost but one, of which there is one.
const fn flattened<T: Real, const O: usize, const K: usize, const I: usize>(
    weights: [[[[T; O]; 1]; K]; I],
) -> [[[T; O]; K]; I] {
    let (mut result, mut input) = ([[[T::ZERO; O]; K]; I], 0);
    while input < I {
        let mut tap = 0;
        while tap < K {
            result[input][tap] = weights[input][tap][0];
            tap += 1;
        }
        input += 1;
    }
    result
}

impl<P: Place, const IN: usize, const OUT: usize, const K: usize, const REACH: usize, A, T> Embedded<P>
    for Conv1d<IN, OUT, K, REACH, A, T>
where
    A: RecurrentActivation,
    T: Readable,
{
    const VALUE: Self = Conv1d::from_columns(
        flattened(kernels::<T, At<P, Self, 0>, OUT, 1, K, IN>()),
        numbers::<T, At<P, Self, 1>, OUT, 1>().data.0[0],
    );
    const TENSORS: &'static [Parameter] = &[Self::WEIGHT, Self::BIAS];
}

macro_rules! over_time {
    ($($name:ident)+) => {$(
        impl<P: Place> Embedded<P> for $name {
            const VALUE: Self = $name;
            const TENSORS: &'static [Parameter] = &[];
        }
    )+};
}
over_time!(Last MeanOverTime MaxOverTime);

impl<P: Place, L: Embedded<Inside<P, L>>> Embedded<P> for Steps<L> {
    const VALUE: Self = Steps(L::VALUE);
    const TENSORS: &'static [Parameter] = &[];
    const LAYERS: usize = L::LAYERS;
    const NUMBERS: usize = L::NUMBERS;
    const LISTED: Listed = L::LISTED;
}
