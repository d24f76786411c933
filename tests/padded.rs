//! Sequences of unequal length, padded to the longest.

#[allow(dead_code, reason = "bits are not compared here")]
mod common;
#[path = "common/patterns.rs"]
mod patterns;

use common::numbers;
use core::array::from_fn;
use patterns::{network, number};
use tuplenet::data::{Padded, Samples, Subset, Weighted, pad};
use tuplenet::layers::{
    BatchNorm, Before, Bidirectional, Conv1d, Gru, Input, Last, Lstm, MaxOverTime, MeanOverTime, Residual, Rnn, Steps,
};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::model::{Params, Zeroed};
use tuplenet::prelude::*;

const MAX: usize = 7;
const LENGTHS: [usize; 9] = [4, 7, 1, 1, 4, 4, 4, 1, 7];

/// Sequences whose padding is not a number.
fn inputs() -> [[[f64; 2]; MAX]; 9] {
    from_fn(|sample| {
        from_fn(|step| {
            let value = |place| 1.5 * number((sample * MAX + step) * 2 + place);
            if step < LENGTHS[sample] { [value(0), value(1)] } else { [f64::NAN, f64::INFINITY] }
        })
    })
}

type Layers = (
    Steps<Dense<2, 4, Tanh, f64>>,
    Bidirectional<Gru<4, 3, Before, f64>, 6>,
    Conv1d<6, 5, 3, 2, Tanh, f64>,
    Residual<Rnn<5, 5, Tanh, f64>>,
    Sigmoid,
    Lstm<5, 4, f64>,
);

/// What is left of a target without padding.
trait Cut<const LEN: usize> {
    type To;
    fn cut(&self) -> Self::To;
}

impl<const LEN: usize> Cut<LEN> for usize {
    type To = usize;
    fn cut(&self) -> usize {
        *self
    }
}

impl<const LEN: usize> Cut<LEN> for [usize; MAX] {
    type To = [usize; LEN];
    fn cut(&self) -> [usize; LEN] {
        from_fn(|step| self[step])
    }
}

trait Flat {
    fn flat(&self) -> Vec<f64>;
}

impl<const N: usize> Flat for [f64; N] {
    fn flat(&self) -> Vec<f64> {
        self.to_vec()
    }
}

impl<const N: usize, const STEPS: usize> Flat for [[f64; N]; STEPS] {
    fn flat(&self) -> Vec<f64> {
        self.as_flattened().to_vec()
    }
}

/// What a network computes of padded sequences, and what it should be by the sequences without padding, one at a time:
/// outputs, the mean loss and its gradient.
macro_rules! same {
    ($layers:ty, $outputs:ty, $targets:expr) => {{
        type Net<const STEPS: usize> = (Input<Sequence<STEPS, 2>, f64>, ($layers, $outputs));
        let (inputs, targets) = (inputs(), $targets);
        let padded = Padded { inputs: &inputs, lengths: &LENGTHS };
        let net = network::<Net<MAX>>(0.6);
        let mut outputs = [Zeroed::ZEROED; 9];
        net.predict_all(&padded, &mut outputs).unwrap();
        let (mut expected_loss, mut expected) = (0.0, vec![0.0; <Net<MAX> as Params>::PARAMETERS]);
        macro_rules! of_length {
            ($length:literal) => {
                for sample in (0..9).filter(|&sample| LENGTHS[sample] == $length) {
                    let x: [[f64; 2]; $length] = from_fn(|step| inputs[sample][step]);
                    let net = network::<Net<$length>>(0.6);
                    let (found, right) = (outputs[sample].flat(), net.predict_one(&x).flat());
                    for (found, right) in found.iter().zip(&right) {
                        assert!((found - right).abs() < 1e-14, "{found} {right}");
                    }
                    let mut gradient = <Net<$length>>::ZEROED;
                    let target = Cut::<$length>::cut(&targets[sample]);
                    let mut workspace = Workspace::<_, 1>::new();
                    expected_loss +=
                        workspace.gradient(&net, &CrossEntropy, &[x], &[target], &mut gradient).unwrap() / 9.0;
                    for (sum, value) in expected.iter_mut().zip(numbers(&gradient)) {
                        *sum += value / 9.0;
                    }
                }
            };
        }
        of_length!(1);
        of_length!(4);
        of_length!(7);
        let mut gradient = <Net<MAX>>::ZEROED;
        let loss = Workspace::<_, 4>::new().gradient(&net, &CrossEntropy, &padded, &targets, &mut gradient).unwrap();
        assert!((loss - expected_loss).abs() < 1e-13, "{loss} {expected_loss}");
        for (found, right) in numbers(&gradient).iter().zip(&expected) {
            assert!((found - right).abs() < 1e-13, "{found} {right}");
        }
        let evaluated = Workspace::<_, 4>::new().loss(&net, &CrossEntropy, &padded, &targets).unwrap();
        assert!((evaluated - loss).abs() < 1e-14);
    }};
}

/// A target for each sequence.
#[test]
fn one_target() {
    let classes: [usize; 9] = from_fn(|sample| sample % 3);
    type Classes = Dense<4, 3, Softmax, f64>;
    same!(Layers, (Last, Classes), classes);
    same!(Steps<Dense<2, 4, Tanh, f64>>, (MeanOverTime, Classes), classes);
    same!(Steps<Dense<2, 4, Tanh, f64>>, (MaxOverTime, Classes), classes);
}

/// A target for each step; those of the padding are no classes.
#[test]
fn a_target_for_each_step() {
    let classes: [[usize; MAX]; 9] =
        from_fn(|sample| from_fn(|step| if step < LENGTHS[sample] { (sample + step * step) % 3 } else { 99 }));
    same!(Layers, Steps<Dense<4, 3, Softmax, f64>>, classes);
    // Outputs of the padding are zero.
    type Net = (Input<Sequence<MAX, 2>, f64>, (Layers, Steps<Dense<4, 3, Softmax, f64>>));
    let inputs = inputs();
    let padded = Padded { inputs: &inputs, lengths: &LENGTHS };
    let net = network::<Net>(0.6);
    let mut outputs = [[[9.0; 3]; MAX]; 9];
    net.predict_all(&padded, &mut outputs).unwrap();
    for (outputs, len) in outputs.iter().zip(LENGTHS) {
        assert!(outputs[len..].iter().all(|step| *step == [0.0; 3]));
    }
    // A wrong class where there is a step is found.
    let mut workspace = Workspace::<Net, 4>::new();
    let mut wrong = classes;
    wrong[4][3] = 3;
    let error = workspace.loss(&net, &CrossEntropy, &padded, &wrong).unwrap_err();
    assert_eq!(error.to_string(), "target of sample 4: expected a class index below 3, found 3");

    // Weighted samples, a subset in another order, and a shuffled epoch in another grouping.
    let each: [f64; 9] = from_fn(|sample| {
        let one = Subset { data: &padded, indices: &[sample] };
        workspace.loss(&net, &CrossEntropy, &one, &[classes[sample]]).unwrap()
    });
    let indices = [8, 0, 4];
    let some = Subset { data: &padded, indices: &indices };
    let targets = Weighted { targets: &indices.map(|sample| classes[sample]), weights: &[1.0, 2.0, 3.0] };
    let loss = workspace.loss(&net, &CrossEntropy, &some, &targets).unwrap();
    assert!((loss - (each[8] + 2.0 * each[0] + 3.0 * each[4]) / 6.0).abs() < 1e-14);
    let mut trainer = Trainer::new(net, CrossEntropy, Sgd::new(0.0), seeded(0));
    let mean = trainer.epoch(&padded, &classes, 4).unwrap();
    assert!((mean - each.iter().sum::<f64>() / 9.0).abs() < 1e-13);
}

#[test]
fn metrics_see_what_is_there() {
    type Net = (Input<Sequence<MAX, 2>, f64>, (Layers, (Last, Dense<4, 3, Softmax, f64>)));
    let inputs = inputs();
    let padded = Padded { inputs: &inputs, lengths: &LENGTHS };
    let mut net = network::<Net>(2.0);
    net.1.1.1 = Dense::new(&mut seeded(0));
    let mut outputs = [[0.0; 3]; 9];
    net.predict_all(&padded, &mut outputs).unwrap();
    let largest = |y: &[f64; 3]| (0..3).max_by(|&a, &b| y[a].total_cmp(&y[b])).unwrap();
    let predicted = outputs.each_ref().map(largest);
    let confusion = ConfusionMatrix::<3>::of(&net, &padded, &predicted).unwrap();
    assert_eq!(confusion.accuracy(), 1.0);
}

#[test]
fn bad_lengths_are_refused() {
    type Net = (Input<Sequence<3, 1>>, Gru<1, 2>, Last);
    let net = Net::new(&mut seeded(0));
    let inputs = [[[0.5]; 3]; 2];
    let found = |lengths: &[usize]| {
        let padded = Padded { inputs: &inputs, lengths };
        let error = net.predict_all(&padded, &mut [[0.0; 2]; 2]).unwrap_err();
        let mut trainer = Trainer::new(net.clone(), MeanSquaredError, Sgd::new(0.1), seeded(1));
        assert_eq!(trainer.step(&padded, &[[0.0; 2]; 2]), Err(error));
        assert_eq!(trainer.network, net);
        error.to_string()
    };
    assert_eq!(found(&[1, 0]), "sequence 1: expected between 1 and 3 steps, found 0");
    assert_eq!(found(&[4, 1]), "sequence 0: expected between 1 and 3 steps, found 4");
    assert_eq!(found(&[1]), "expected 2 lengths, one for each sequence, found 1");
    assert_eq!(pad::<f32, 1, 3>(&[]).unwrap_err().to_string(), "sequence 0: expected between 1 and 3 steps, found 0");
    assert!(Samples::<f32>::check(&Padded { inputs: &inputs, lengths: &[3, 1] }).is_ok());

    // Batch normalization needs several samples together, and these are computed one at a time.
    type Normal = (Input<Sequence<3, 1>>, Gru<1, 2>, Last, BatchNorm<2>);
    let mut trainer = Trainer::new(Normal::new(&mut seeded(0)), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let error = trainer.step(&Padded { inputs: &inputs, lengths: &[3, 1] }, &[[0.0; 2]; 2]).unwrap_err();
    assert!(matches!(error, tuplenet::Error::LoneSample { .. }), "{error}");
}

/// Windows of unequal length with the state carried, such as a stream whose last window is short.
#[test]
fn the_last_window_is_short() {
    type Net = (Input<Sequence<4, 1>, f64>, (Conv1d<1, 2, 2, 3, Tanh, f64>, Lstm<2, 3, f64>), Last);
    let net = network::<Net>(0.6);
    let steps: [[f64; 1]; 6] = from_fn(|step| [number(step)]);
    let mut workspace = Workspace::<_, 2>::new();
    let mut states = [net.state()];
    let mut gradient = Net::ZEROED;
    for (first, len) in [(0, 4), (4, 2)] {
        let window: [[[f64; 1]; 4]; 1] = [from_fn(|step| steps.get(first + step).copied().unwrap_or([f64::NAN]))];
        let padded = Padded { inputs: &window, lengths: &[len] };
        workspace.gradient_from(&net, &MeanSquaredError, &mut states, &padded, &[[0.0; 3]], &mut gradient).unwrap();
    }
    let mut stream = net.state();
    net.run(&mut stream, &steps, &mut [[0.0; 3]; 6]).unwrap();
    assert_eq!(states[0].1.1, stream.1.1);
    // The ring of the convolution begins anywhere: it computes the same.
    let mut state = states[0].clone();
    for step in 6..12 {
        assert_eq!(net.step(&mut state, &[number(step)]), net.step(&mut stream, &[number(step)]));
    }
}
