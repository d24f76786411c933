//! A stream: a recurrent network in flash predicts at each moment, and its state is 64 bytes.

#![no_std]
#![no_main]

use firmware::{Own, Weights, program, tell};
use tuplenet::layers::{Gru, Steps};
use tuplenet::model::StreamState;
use tuplenet::prelude::*;

type Net = (Gru<4, 16>, Steps<Dense<16, 2, Identity>>);

/// Its weights stand for trained ones.
static NETWORK: Net = {
    let mut weights = Weights::new(0.35);
    let gru = Gru::from_columns(weights.gates(), weights.gates(), weights.rows(), weights.rows());
    (gru, Steps(Dense::from_columns(weights.rows(), weights.row())))
};

static STATE: Own<StreamState<Net>> = Own::new(([0.0; 16], ()));

program!(streams);

/// Whether a hundred steps give what they give on other machines.
fn streams() -> bool {
    let Some(state) = STATE.take() else { return false };
    let mut y = [0.0; 2];
    for moment in 0..100 {
        let x = (moment & 7) as f32 * 0.25 - 1.0;
        y = predict(state, &[x, -x, 0.5 * x, 0.1]);
    }
    tell(y[0].to_bits() ^ y[1].to_bits().rotate_left(1));
    (y[0] - EXPECTED[0]).abs() < 1e-5 && (y[1] - EXPECTED[1]).abs() < 1e-5
}

const EXPECTED: [f32; 2] = [0.168_049_02, -0.220_801_99];

/// The next step.
#[unsafe(no_mangle)]
#[inline(never)]
fn predict(state: &mut StreamState<Net>, x: &[f32; 4]) -> [f32; 2] {
    NETWORK.step(state, x)
}
