//! Training on windows of long series, with the state carried from window to window.

#[allow(dead_code, reason = "bits are not compared here")]
mod common;
#[allow(dead_code, reason = "bytes are not counted here")]
#[path = "common/counting.rs"]
mod counting;
#[path = "common/patterns.rs"]
mod patterns;

use common::numbers;
use core::array::from_fn;
use counting::ALLOCATIONS;
use patterns::{network, number};
use tuplenet::Error;
use tuplenet::data::{Samples, Windows};
use tuplenet::layers::{Before, Conv1d, Dropout, Gru, Input, LayerNorm, Lstm, Residual, Rnn, Steps};
use tuplenet::model::{Parameter, Visit, VisitorMut, Zeroed};
use tuplenet::prelude::*;

/// The layers that carry a state, some inside of others, for windows of any length.
type Layers = (
    Conv1d<2, 5, 3, 4, Tanh, f64>,
    Residual<(Lstm<5, 4, f64>, Gru<4, 5, Before, f64>)>,
    Steps<(Dense<5, 9, Identity, f64>, LayerNorm<9, f64>)>,
    Tanh,
    Rnn<9, 3, Tanh, f64>,
    Steps<Dense<3, 2, Tanh, f64>>,
);
type Net<const STEPS: usize> = (Input<Sequence<STEPS, 2>, f64>, Layers);

fn series<const STEPS: usize, const N: usize>(sample: usize) -> [[f64; N]; STEPS] {
    from_fn(|step| from_fn(|place| 1.5 * number((sample * 100 + step) * N + place)))
}

fn batch<const STEPS: usize, const N: usize, const B: usize>(
    series: [&[[f64; N]]; B],
    first: usize,
) -> [SMatrix<f64, N, B>; STEPS] {
    from_fn(|step| SMatrix::from_fn(|row, column| series[column][first + step][row]))
}

/// Two windows with the state carried compute the bits of one window of twice the length, and a stream continues with them.
#[test]
fn two_windows_are_one_of_twice_the_length() {
    let all: [[[f64; 2]; 12]; 3] = from_fn(series);
    let each = all.each_ref().map(<[_; 12]>::as_slice);
    let (whole, half) = (network::<Net<12>>(0.6), network::<Net<6>>(0.6));
    let expected = *Workspace::<_, 3>::new().forward(&whole, &batch::<12, 2, 3>(each, 0));
    let mut workspace = Workspace::<_, 3>::new();
    let mut states = from_fn(|_| half.state());
    for first in [0, 6] {
        let y = workspace.forward_from(&half, &mut states, &batch(each, first));
        for (step, y) in y.iter().enumerate() {
            assert_eq!(y.map(f64::to_bits), expected[first + step].map(f64::to_bits), "step {}", first + step);
        }
    }
    // The states are those of streams.
    for (series, state) in all.iter().zip(&states) {
        let mut stream = whole.state();
        whole.run(&mut stream, series, &mut [[0.0; 2]; 12]).unwrap();
        assert_eq!(format!("{stream:?}"), format!("{state:?}"));
    }
    // A pass that begins anew does not see them.
    let y = *workspace.forward(&half, &batch(each, 0));
    assert_eq!(y.map(|y| y.map(f64::to_bits))[..], expected.map(|y| y.map(f64::to_bits))[..6]);
}

/// Changes one parameter, the one at `index` of all, by `by`.
fn nudge<N: Visit<f64>>(network: &mut N, index: usize, by: f64) {
    struct Nudge(usize, f64);
    impl VisitorMut<f64, 0> for Nudge {
        fn slice(&mut self, _: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            if let Some(value) = values.get_mut(self.0) {
                *value += self.1;
            }
            self.0 = self.0.wrapping_sub(values.len());
        }
    }
    network.visit_mut([], &mut Nudge(index, by));
}

/// Gradients of a window are those of the loss as a function of the weights, where the state before it is a constant.
#[test]
fn gradients_end_at_the_beginning_of_a_window() {
    let all: [[[f64; 2]; 12]; 3] = from_fn(series);
    let targets: [[[f64; 2]; 6]; 3] = from_fn(|sample| series(sample + 50));
    let mut network = network::<Net<6>>(0.6);
    let mut workspace = Workspace::<_, 2>::new();
    let mut states: [_; 3] = from_fn(|_| network.state());
    let window = |first: usize| all.map(|series| from_fn::<_, 6, _>(|step| series[first + step]));
    let mut gradient = <Net<6>>::ZEROED;
    workspace.gradient_from(&network, &MeanSquaredError, &mut states, &window(0), &targets, &mut gradient).unwrap();
    let start = states.clone();
    let mut gradient = <Net<6>>::ZEROED;
    let loss =
        workspace.gradient_from(&network, &MeanSquaredError, &mut states, &window(6), &targets, &mut gradient).unwrap();

    let by_stream = |network: &Net<6>| {
        let mut sum = 0.0;
        for ((mut state, steps), targets) in start.clone().into_iter().zip(window(6)).zip(&targets) {
            let mut outputs = [[0.0; 2]; 6];
            network.run(&mut state, &steps, &mut outputs).unwrap();
            let pairs = outputs.as_flattened().iter().zip(targets.as_flattened());
            sum += pairs.map(|(y, t)| (y - t) * (y - t)).sum::<f64>() / 36.0;
        }
        sum
    };
    assert!((loss - by_stream(&network)).abs() < 1e-14);
    let found = numbers(&gradient);
    for (index, &found) in found.iter().enumerate() {
        let difference = 1e-5;
        nudge(&mut network, index, difference);
        let above = by_stream(&network);
        nudge(&mut network, index, -2.0 * difference);
        let below = by_stream(&network);
        nudge(&mut network, index, difference);
        let expected = (above - below) / (2.0 * difference);
        assert!((found - expected).abs() < 1e-9, "parameter {index}: {found}, not {expected}");
    }
    // It is not the gradient of the window alone, nor that through both windows.
    let mut alone = <Net<6>>::ZEROED;
    workspace.gradient(&network, &MeanSquaredError, &window(6), &targets, &mut alone).unwrap();
    let distance = numbers(&alone).iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(distance > 1e-3, "{distance}");
}

type Small = (Input<Sequence<4, 1>>, Lstm<1, 5>, Dropout<0>, Steps<Dense<5, 1, Identity>>);

fn small_series(count: usize) -> Vec<[f32; 1]> {
    (0..count).map(|step| [number(step) as f32]).collect()
}

/// An epoch in order is its steps, whatever the micro-batch holds, and an ordinary step does not see what was carried.
#[test]
fn epochs_in_order() {
    let series = small_series(104);
    let inputs = Windows::<_, 4>::new(&series[..103], 4).unwrap();
    let targets = Windows::<_, 4>::new(&series[1..], 4).unwrap();
    assert_eq!((Samples::<f32>::count(&inputs), Samples::<f32>::count(&targets)), (25, 25));

    let start = Small::new(&mut seeded(0));
    let mut trainer = Trainer::new(start.clone(), MeanSquaredError, Adam::new(0.01), seeded(1));
    let mut states = [start.state(); 3];
    // They are set to zero first.
    states[1].1[0][0] = 7.0;
    let loss = trainer.epoch_in_order(&mut states, &inputs, &targets).unwrap();
    assert_eq!(trainer.epochs, 1);

    // 25 windows are 8 for each of three states, and one that is left.
    let mut by_hand = Trainer::new(start.clone(), MeanSquaredError, Adam::new(0.01), seeded(1));
    let mut other_states = [start.state(); 3];
    let mut sum = 0.0;
    for step in 0..8 {
        let window = |shift: usize| -> [[[f32; 1]; 4]; 3] {
            from_fn(|stream| from_fn(|at| series[4 * (8 * stream + step) + at + shift]))
        };
        sum += by_hand.step_from(&mut other_states, &window(0), &window(1)).unwrap();
    }
    assert_eq!(by_hand.network, trainer.network);
    assert_eq!(other_states, states);
    assert!((loss - sum / 8.0).abs() < 1e-6);
    let smaller = Trainer::<_, _, _, _, 2>::with_micro_batch(start.clone(), MeanSquaredError, Adam::new(0.01), ());
    let mut smaller = smaller;
    let close = smaller.epoch_in_order(&mut [start.state(); 3], &inputs, &targets).unwrap();
    assert!((close - loss).abs() < 1e-6, "{close} {loss}");

    let mut fresh = Trainer::new(trainer.network.clone(), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let mut used = Trainer::new(trainer.network.clone(), MeanSquaredError, Sgd::new(0.1), seeded(1));
    used.step_from(&mut states, &[[[0.5]; 4]; 3], &[[[0.1]; 4]; 3]).unwrap();
    used.network = fresh.network.clone();
    let data = (&[[[0.3]; 4]; 5], &[[[0.2]; 4]; 5]);
    assert_eq!(fresh.step(data.0, data.1), used.step(data.0, data.1));
    assert_eq!(fresh.network, used.network);
}

/// What only run time knows is an error, and changes nothing.
#[test]
fn refused() {
    let series = small_series(20);
    let error = |result: Result<Windows<'_, [f32; 1], 4>, Error>| result.unwrap_err().to_string();
    assert_eq!(error(Windows::new(&series, 0)), "expected a stride of at least 1, found 0");
    let expected = "expected a series of at least the 4 steps of a window, found 3";
    assert_eq!(error(Windows::new(&series[..3], 1)), expected);
    assert_eq!(Samples::<f32>::count(&Windows::<_, 4>::new(&series[..4], 1).unwrap()), 1);
    assert_eq!(Samples::<f32>::count(&Windows::<_, 4>::new(&series[..5], 1).unwrap()), 2);

    let windows = Windows::<_, 4>::new(&series, 4).unwrap();
    let network = Small::new(&mut seeded(0));
    let mut trainer = Trainer::new(network.clone(), MeanSquaredError, Sgd::new(0.1), seeded(1));
    let mut states = [network.state(); 6];
    let found = |result: Result<f32, Error>| result.unwrap_err().to_string();
    assert_eq!(
        found(trainer.step_from(&mut states[..2], &windows, &windows)),
        "expected 5 states, one for each window, found 2"
    );
    let few = found(trainer.epoch_in_order(&mut states, &windows, &windows));
    assert_eq!(few, "expected at least 6 samples, found 5");
    let none = found(trainer.epoch_in_order(&mut [], &windows, &windows));
    assert_eq!(none, "expected at least 1 state, one for each part of the series, found 0");
    let nan = [[[0.5], [f32::NAN], [0.1], [0.2]]];
    let bad = found(trainer.step_from(&mut states[..1], &nan, &[[[0.0]; 4]]));
    assert_eq!(bad, "expected finite inputs, found NaN in sample 0, column 1 (epoch 0, batch 0)");
    assert_eq!(trainer.network, network);
    assert_eq!(states, [network.state(); 6]);
}

/// Sliding windows that `fit` shuffles.
#[test]
fn windows_of_a_long_series() {
    let series = small_series(10);
    let windows = Windows::<_, 4>::new(&series, 3).unwrap();
    let mut window = [[0.0f32]; 4];
    windows.copy(1, &mut window);
    assert_eq!(window[..], series[3..7]);
    windows.copy(2, &mut window);
    assert_eq!(window[..], series[6..10]);
    // There is no other.
    windows.copy(3, &mut window);
    assert_eq!(window[..], series[6..10]);
    let classes = [0u8, 1, 2, 1, 0];
    let classes = Windows::<_, 2>::new(&classes, 2).unwrap();
    let mut pair = [7; 2];
    Samples::<f32>::copy(&classes, 1, &mut pair);
    assert_eq!(pair, [2, 1]);
}

/// A step over the last steps alone, for a program that learns while it runs: what is kept beyond the window is the state.
#[test]
fn online_learning_needs_the_state() {
    // The target is the first value of every sixteen, a window is four: only what is carried knows it.
    type Net = (Input<Sequence<4, 2>>, Gru<2, 12>, Steps<Dense<12, 1, Identity>>);
    let loss = |carries: bool, windows: usize| {
        let network = Net::new(&mut seeded(0));
        let mut states = [network.state()];
        let mut trainer = Trainer::<_, _, _, _, 1>::with_micro_batch(network, MeanSquaredError, Adam::new(0.01), ());
        let (mut kept, mut sum) = (0.0, 0.0);
        let before = ALLOCATIONS.get();
        for window in 0..windows {
            if !carries {
                states = [trainer.network.state()];
            }
            let input: [[f32; 2]; 4] = from_fn(|step| {
                let starts = (4 * window + step) % 16 == 0;
                [number(4 * window + step).signum() as f32, f32::from(u8::from(starts))]
            });
            let target = input.map(|[value, starts]| {
                kept = if starts == 1.0 { value } else { kept };
                [kept]
            });
            let loss = trainer.step_from(&mut states, &[input], &[target]).unwrap();
            sum += if window + 1000 >= windows { loss / 1000.0 } else { 0.0 };
        }
        assert_eq!(ALLOCATIONS.get(), before, "a step took memory from the heap");
        sum
    };
    let (with, without) = (loss(true, 6000), loss(false, 1500));
    assert!(with < 0.05 && without > 0.4, "{with} {without}");
}

#[cfg(feature = "serde")]
mod saved {
    use super::*;
    use serde::{Deserialize, Serialize};
    use tuplenet::layers::MeanOverTime;
    use tuplenet::model::StreamState;

    type Wide =
        (Input<Sequence<4, 1>>, (Conv1d<1, 3, 2, 2, Tanh>, Rnn<3, 34>), Lstm<34, 2>, Steps<Dense<2, 1, Identity>>);

    #[derive(Serialize, Deserialize)]
    struct Run {
        trainer: Trainer<Wide, MeanSquaredError, Adam, (), 1>,
        #[serde(with = "tuplenet::io::serde::states")]
        states: [StreamState<Wide>; 2],
        next: usize,
    }

    impl Run {
        fn go_on(&mut self, series: &[[f32; 1]], until: usize) {
            while self.next < until {
                let window = |shift: usize| -> [[[f32; 1]; 4]; 2] {
                    from_fn(|stream| from_fn(|at| series[100 * stream + 4 * self.next + at + shift]))
                };
                let (inputs, targets) = (window(0), window(1));
                self.trainer.step_from(&mut self.states, &inputs, &targets).unwrap();
                self.next += 1;
            }
        }
    }

    /// A run that is saved in the middle of an epoch continues with the same bits.
    #[test]
    fn in_the_middle() {
        // In a build that is not optimized, two formats and the trainers that are read take more than a test's two megabytes.
        let thread = std::thread::Builder::new().stack_size(16 << 20).spawn(saved_and_read).unwrap();
        thread.join().unwrap();
    }

    fn saved_and_read() {
        let series = small_series(200);
        let start = Wide::new(&mut seeded(0));
        let mut run = Run {
            states: from_fn(|_| start.state()),
            trainer: Trainer::with_micro_batch(start, MeanSquaredError, Adam::new(0.01), ()),
            next: 0,
        };
        run.go_on(&series, 9);
        let (json, bytes) = (serde_json::to_string(&run).unwrap(), postcard::to_stdvec(&run).unwrap());
        run.go_on(&series, 20);
        for mut again in [serde_json::from_str::<Run>(&json).unwrap(), postcard::from_bytes(&bytes).unwrap()] {
            again.go_on(&series, 20);
            assert!(again.trainer == run.trainer && again.states == run.states);
        }
        let first = json.find("\"states\":[").unwrap() + 10;
        let second = first + json[first..].find(',').unwrap() + 1;
        for text in [[&json[..first], &json[second..]].concat(), [&json[..first], "0.0,", &json[first..]].concat()] {
            let error = serde_json::from_str::<Run>(&text).err().unwrap().to_string();
            assert!(error.contains("expected as many values as the states have"), "{error}");
        }
    }

    /// Every kind of state, counts too.
    #[test]
    fn every_state() {
        type Net = (Steps<Dense<1, 2, Tanh>>, (Conv1d<2, 2, 2, 3>, Rnn<2, 2>), MeanOverTime);
        #[derive(Serialize, Deserialize)]
        struct One(#[serde(with = "tuplenet::io::serde::states")] StreamState<Net>);
        let network = Net::new(&mut seeded(3));
        let mut state = network.state();
        for step in 0..5 {
            let _ = network.step(&mut state, &[number(step) as f32]);
        }
        let text = serde_json::to_string(&One(state.clone())).unwrap();
        let One(mut again) = serde_json::from_str(&text).unwrap();
        assert_eq!(again, state);
        for step in 5..9 {
            let x = [number(step) as f32];
            assert_eq!(network.step(&mut again, &x), network.step(&mut state, &x));
        }
    }
}
