//! Online learning through time: a recurrent network learns from the last four steps, with the state carried, in fixed memory.

#![no_std]
#![no_main]

use firmware::{Bits, Own, program, tell};
use tuplenet::layers::{Gru, Input, Steps};
use tuplenet::model::{Params, StreamState, Zeroed};
use tuplenet::prelude::*;

const WINDOW: usize = 4;

type Net = (Input<Sequence<WINDOW, 1>>, Gru<1, 8>, Steps<Dense<8, 1, Identity>>);
type Learner = Trainer<Net, MeanSquaredError, Sgd, (), 1>;

const _: () = assert!(Learner::BYTES <= 4096);

static LEARNER: Own<Learner> = Own::new(Learner::with_micro_batch(Net::ZEROED, MeanSquaredError, Sgd::new(0.0), ()));
static STATE: Own<[StreamState<Net>; 1]> = Own::new([((), [0.0; 8], ())]);

program!(repeats);

/// Whether the network has learnt to repeat what it has seen one step before.
fn repeats() -> bool {
    let (Some(learner), Some(state)) = (LEARNER.take(), STATE.take()) else { return false };
    learner.optimizer.set_learning_rate(0.2);
    learner.network.initialize(&mut seeded(0));
    let (mut noise, mut before, mut error) = (1u32, 0.0, 1.0);
    for _ in 0..3000 {
        let (mut inputs, mut targets) = ([[0.0]; WINDOW], [[0.0]; WINDOW]);
        for (input, target) in inputs.iter_mut().zip(&mut targets) {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *target = [before];
            before = (noise >> 31) as f32 - 0.5;
            *input = [before];
        }
        error += (learn(learner, state, &inputs, &targets) - error) * 0.01;
    }
    tell(Bits::NONE.and_network(&learner.network).0);
    error < 0.02
}

/// One step; returns the mean squared error before it, or a large value if there was an error.
#[unsafe(no_mangle)]
#[inline(never)]
fn learn(
    learner: &mut Learner,
    state: &mut [StreamState<Net>; 1],
    inputs: &[[f32; 1]; WINDOW],
    targets: &[[f32; 1]; WINDOW],
) -> f32 {
    let (inputs, targets) = (core::slice::from_ref(inputs), core::slice::from_ref(targets));
    learner.step_from(state, inputs, targets).unwrap_or(f32::MAX)
}
