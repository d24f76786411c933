//! Sequences.

use std::array::from_fn;
use tuplenet::layers::{BatchNorm, Input, Last, MaxOverTime, Steps};
use tuplenet::prelude::*;

/// The largest value is NaN if one of them is, whichever it is.
#[test]
fn nan_does_not_vanish_in_a_maximum() {
    for nan in 0..5 {
        let mut steps: [[f32; 9]; 5] = from_fn(|step| from_fn(|feature| (step * feature) as f32));
        steps[nan][3] = f32::NAN;
        let largest = MaxOverTime.predict_one(&steps);
        assert!(largest[3].is_nan(), "step {nan}: {largest:?}");
        assert_eq!(largest[8], 32.0);

        type Stream = (Steps<Dense<9, 9, Identity>>, MaxOverTime);
        let mut identity = [[0.0; 9]; 9];
        for (index, row) in identity.iter_mut().enumerate() {
            row[index] = 1.0;
        }
        let stream: Stream = (Steps(Dense::from_rows(identity, [0.0; 9])), MaxOverTime);
        let mut state = stream.state();
        let outputs = steps.map(|step| stream.step(&mut state, &step));
        assert!(outputs[4].iter().all(|value| value.is_nan()), "step {nan}: {outputs:?}");
    }
}

/// The running statistics of a batch normalization for each step are those of all steps, also where a batch has several
/// micro-batches, and where a batch before has failed.
#[test]
fn running_statistics_of_all_steps() {
    type Net = (Input<Sequence<3, 1>>, Steps<BatchNorm<1>>, Last, Dense<1, 1, Identity>);
    let sequence = |sample: usize| [[10.0 + sample as f32], [20.0 + sample as f32], [30.0 + sample as f32]];
    let (inputs, targets): ([_; 4], _) = (from_fn(sequence), [[0.0]; 4]);
    fn check<const B: usize>(inputs: &[[[f32; 1]; 3]], targets: &[[f32; 1]], means: &[f32]) {
        let mut trainer = Trainer::<Net, _, _, _, B>::with_micro_batch(
            Net::new(&mut seeded(0)),
            MeanSquaredError,
            Sgd::new(0.0),
            seeded(1),
        );
        let mut ruined = inputs.to_vec();
        ruined[3][1][0] = f32::NAN;
        trainer.step(ruined.as_slice(), targets).unwrap_err();
        let mut expected = 0.0;
        for batch in 1..=3 {
            trainer.step(inputs, targets).unwrap();
            for mean in means {
                expected += 0.1 * (mean - expected);
            }
            let norm = &trainer.network.1.0;
            assert_eq!(norm.num_batches_tracked, batch * means.len());
            assert!((norm.running_mean[0] - expected).abs() < 1e-4, "{expected} {norm:?}");
        }
    }
    check::<4>(&inputs, &targets, &[11.5, 21.5, 31.5]);
    check::<2>(&inputs, &targets, &[10.5, 20.5, 30.5, 12.5, 22.5, 32.5]);
}
