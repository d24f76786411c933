//! A trained network continues to learn while the meaning of its sensor changes.
//!
//! A pressure sensor ages: its amplifier loses a fifth of its gain and gains an offset. Now and then a reference tells
//! the pressure, and the network takes a step by that one sample.

#![no_std]
#![no_main]

use firmware::{Bits, Own, program, tell, tell_decimals};
use tuplenet::model::Zeroed;
use tuplenet::prelude::*;

type Sensor = (Dense<2, 8, Tanh>, Dense<8, 1, Identity>);
type Learner = Trainer<Sensor, MeanSquaredError, Sgd, (), 1>;

/// As trained on a PC for a new sensor, in flash.
static TRAINED: Sensor = include!("../networks/sensor.rs");
/// The network that continues to learn, in RAM.
static LEARNER: Own<Learner> = Own::new(Learner::with_micro_batch(Sensor::ZEROED, MeanSquaredError, Sgd::new(0.0), ()));

program!(follows);

/// Whether the error becomes small again.
fn follows() -> bool {
    let Some(learner) = LEARNER.take() else { return false };
    learner.optimizer.set_learning_rate(0.2);
    learner.network.clone_from(&TRAINED);

    let mut world = seeded(1);
    let new = error(&learner.network, &mut world, 0.0);
    let aged = error(&learner.network, &mut world, 1.0);
    for _ in 0..5000 {
        let (reading, pressure) = sample(&mut world, 1.0);
        if !learn(learner, reading, pressure) {
            return false;
        }
    }
    let learnt = error(&learner.network, &mut world, 1.0);

    for (when, error) in [("loss when new", new), ("loss when aged", aged), ("loss after learning", learnt)] {
        tell_decimals(when, error);
        tell(error.to_bits());
    }
    tell(Bits::NONE.and_network(&learner.network).0);
    aged > 10.0 * new && learnt < aged / 10.0
}

/// One step; returns whether there was no error.
#[unsafe(no_mangle)]
#[inline(never)]
fn learn(learner: &mut Learner, reading: [f32; 2], pressure: f32) -> bool {
    learner.step_one(&reading, &[pressure]).is_ok()
}

/// The mean squared error over some samples.
#[inline(never)]
fn error(network: &Sensor, world: &mut impl Rng, age: f32) -> f32 {
    let mut sum = 0.0;
    for _ in 0..100 {
        let (reading, pressure) = sample(world, age);
        let [found] = network.predict_one(&reading);
        sum += (found - pressure) * (found - pressure);
    }
    sum / 100.0
}

/// A sample: the reading of the sensor at some pressure and temperature, and the pressure.
#[inline(never)]
fn sample(world: &mut impl Rng, age: f32) -> ([f32; 2], f32) {
    let (pressure, temperature) = (uniform(world), uniform(world));
    let voltage = pressure * (1.2 - 0.2 * pressure) * (1.0 + 0.3 * temperature);
    ([voltage * (1.0 - 0.2 * age) + 0.15 * age, temperature], pressure)
}

/// Between 0 and 1.
fn uniform(world: &mut impl Rng) -> f32 {
    (world.next_u64() >> 40) as u32 as f32 / (1u32 << 24) as f32
}
