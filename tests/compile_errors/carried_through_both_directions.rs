use tuplenet::layers::{Bidirectional, Gru, Input, Steps};
use tuplenet::prelude::*;

type Net = (Input<Sequence<4, 1>>, Bidirectional<Gru<1, 3>, 6>, Steps<Dense<6, 1, Identity>>);

fn main() {
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let mut states = [((), [0.0; 3], ())];
    trainer.step_from(&mut states, &[[[0.5]; 4]], &[[[0.0]; 4]]).unwrap();
}
