//! Sequences: recurrent layers and what is around them. Their derivatives through time, and that a stream computes the bits of
//! the whole sequence.

use core::array::from_fn;
use tuplenet::inspect::gradient_check;
use tuplenet::layers::{
    After, Before, Dropout, Gru, Input, Last, LayerNorm, Lstm, MaxOverTime, MeanOverTime, Residual, Rnn, Steps,
};
use tuplenet::model::{Parameter, Params, Visit, VisitorMut};
use tuplenet::prelude::*;

/// Values from -1 to 1 without a pattern.
fn number(index: usize) -> f64 {
    ((index as f64 + 1.0) * 12.9898).sin()
}

/// More than the gradient check's micro-batch of 8, and not a multiple of it.
const SAMPLES: usize = 11;

fn sequences<const STEPS: usize, const N: usize, const COUNT: usize>() -> [[[f64; N]; STEPS]; COUNT] {
    from_fn(|sample| from_fn(|step| from_fn(|place| 1.5 * number((sample * STEPS + step) * N + place))))
}

/// A network with weights and biases without a pattern.
fn network<N: Visit<f64>>(scale: f64) -> N {
    struct Set(usize, f64);
    impl VisitorMut<f64, 0> for Set {
        fn slice(&mut self, _: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            for value in values {
                *value = self.1 * number(self.0);
                self.0 += 1;
            }
        }
    }
    let mut network = N::ZEROED;
    network.visit_mut([], &mut Set(400, scale));
    network
}

macro_rules! agrees {
    ($net:ty, $loss:expr, $targets:expr) => {{
        let mut network = network::<$net>(0.6);
        let check = gradient_check(&mut network, &$loss, &sequences(), &$targets).unwrap();
        assert!(check.error <= 1e-7, "{}: {check:?}", stringify!($net));
        assert!(!check.parameter.name.is_empty());
    }};
}

/// Two recurrent layers through 20 steps, whose gradient reaches the first layer through the inputs of the second.
#[test]
fn derivatives_through_time() {
    macro_rules! two {
        ($steps:literal $first:ty, $second:ty) => {
            agrees!(
                (Input<Sequence<$steps, 2>, f64>, $first, $second, Last, Dense<3, 1, Tanh, f64>),
                MeanSquaredError,
                [[0.7], [-0.4]]
            )
        };
    }
    two!(20 Rnn<2, 3, Tanh, f64>, Rnn<3, 3, Tanh, f64>);
    two!(20 Gru<2, 3, After, f64>, Gru<3, 3, After, f64>);
    two!(20 Gru<2, 3, Before, f64>, Gru<3, 3, Before, f64>);
    two!(20 Lstm<2, 3, f64>, Lstm<3, 3, f64>);
    // Sizes that fill registers and such that do not.
    two!(3 Rnn<2, 9, Softsign, f64>, Gru<9, 3, Before, f64>);
    two!(3 Gru<2, 8, After, f64>, Lstm<8, 3, f64>);
    two!(3 Lstm<2, 5, f64>, Rnn<5, 3, Sigmoid, f64>);
    two!(3 Rnn<2, 1, Tanh, f64>, Gru<1, 3, After, f64>);
}

#[test]
fn derivatives_of_layers_around_them() {
    let classes: [usize; SAMPLES] = from_fn(|sample| (sample * 7 + sample / 3) % 3);
    let per_step: [[usize; 6]; SAMPLES] = from_fn(|sample| from_fn(|step| (sample * 5 + step * step) % 3));
    let values: [[[f64; 2]; 6]; SAMPLES] = from_fn(|s| from_fn(|t| from_fn(|n| number(s * 100 + t * 10 + n))));
    type In = Input<Sequence<6, 2>, f64>;
    type Classes = Dense<4, 3, Softmax, f64>;
    agrees!((In, Rnn<2, 4, Tanh, f64>, MeanOverTime, Classes), CrossEntropy, classes);
    agrees!((In, Rnn<2, 4, Tanh, f64>, MaxOverTime, Classes), CrossEntropy, classes);
    // Targets for each step, with a loss that is fused with the last activation, and one that is not.
    agrees!((In, Gru<2, 4, After, f64>, Steps<Classes>), CrossEntropy, per_step);
    agrees!(
        (In, Gru<2, 4, After, f64>, Steps<(Dense<4, 4, Gelu, f64>, LayerNorm<4, f64>, Dense<4, 2, Tanh, f64>)>),
        MeanSquaredError,
        values
    );
    // What treats every element alike takes sequences too, and gives gradients to what is before it.
    agrees!(
        (In, Steps<Dense<2, 4, Identity, f64>>, Tanh, Dropout<20>, Residual<Gru<4, 4, Before, f64>>, Last, Classes),
        CrossEntropy,
        classes
    );
}

/// The loss of outputs for each step is the mean over the steps, and that of weighted samples has their weights.
#[test]
fn loss_of_sequences() {
    type Net = (Input<Sequence<6, 2>, f64>, Lstm<2, 4, f64>, Steps<Dense<4, 2, Tanh, f64>>);
    let network = network::<Net>(0.6);
    let inputs = sequences::<6, 2, 3>();
    let targets: [[[f64; 2]; 6]; 3] = from_fn(|s| from_fn(|t| from_fn(|n| number(s * 100 + t * 10 + n))));
    let each: [f64; 3] = from_fn(|sample| {
        let outputs = network.predict_one(&inputs[sample]);
        let pairs = outputs.as_flattened().iter().zip(targets[sample].as_flattened());
        pairs.map(|(y, t)| (y - t) * (y - t)).sum::<f64>() / 12.0
    });
    let mut workspace = Workspace::<Net, 2>::new();
    let loss = workspace.loss(&network, &MeanSquaredError, &inputs, &targets).unwrap();
    assert!((loss - each.iter().sum::<f64>() / 3.0).abs() < 1e-14, "{loss} {each:?}");
    let weighted = tuplenet::data::Weighted { targets: &targets, weights: &[0.5, 2.0, 1.5] };
    let loss = workspace.loss(&network, &MeanSquaredError, &inputs, &weighted).unwrap();
    let expected = (0.5 * each[0] + 2.0 * each[1] + 1.5 * each[2]) / 4.0;
    assert!((loss - expected).abs() < 1e-14, "{loss} {expected}");
}

/// A stream and the whole sequence: the same bits, for every step.
#[test]
fn streams_compute_the_bits_of_the_sequence() {
    const STEPS: usize = 23;
    macro_rules! same {
        ($net:ty, $t:ty) => {{
            let network = <$net>::new(&mut seeded(3));
            let inputs = sequences::<STEPS, 3, 1>()[0].map(|step| step.map(|value| value as $t));
            let mut all = [[0.0; 2]; STEPS];
            network.run(&mut network.state(), &inputs, &mut all).unwrap();
            let mut state = network.state();
            macro_rules! until {
                ($steps:literal) => {
                    let so_far: [[$t; 3]; $steps] = from_fn(|step| inputs[step]);
                    assert_eq!(network.predict_one(&so_far).map(<$t>::to_bits), all[$steps - 1].map(<$t>::to_bits));
                };
            }
            until!(1);
            until!(2);
            until!(17);
            until!(23);
            for (x, y) in inputs.iter().zip(&all) {
                assert_eq!(network.step(&mut state, x).map(<$t>::to_bits), y.map(<$t>::to_bits));
            }
        }};
    }
    macro_rules! both {
        ($($net:tt)+) => {
            same!(($($net)+), f32);
        };
    }
    both!(Gru<3, 16>, Last, Dense<16, 2, Identity>);
    both!(Gru<3, 16, Before>, Gru<16, 7, After>, Last, Dense<7, 2, Tanh>);
    both!(Lstm<3, 24>, Dropout<10>, Lstm<24, 5>, Last, Dense<5, 2, Softmax>);
    both!(Steps<Dense<3, 4, Relu>>, Rnn<4, 9>, MeanOverTime, Dense<9, 2, Identity>);
    both!(Rnn<3, 33, Relu>, MaxOverTime, Dense<33, 2, Identity>);
    both!(Steps<(Dense<3, 8, Identity>, LayerNorm<8>, Silu)>, Residual<Gru<8, 8>>, Last, Dense<8, 2, Identity>);
    same!((Lstm<3, 6, f64>, Gru<6, 6, Before, f64>, Last, Dense<6, 2, Identity, f64>), f64);
    same!((Rnn<3, 1, Tanh, f64>, Last, Dense<1, 2, Identity, f64>), f64);
}

/// A trained network, whose type names the steps, is a stream all the same.
#[test]
fn the_input_of_a_stream_has_no_steps() {
    type Net = (Input<Sequence<5, 1>>, Gru<1, 4>, Last, Dense<4, 1, Identity>);
    let network = Net::new(&mut seeded(0));
    let steps = [[0.5], [0.1], [-0.3], [0.9], [0.0]];
    let mut outputs = [[0.0]; 5];
    network.run(&mut network.state(), &steps, &mut outputs).unwrap();
    assert_eq!(outputs[4], network.predict_one(&steps));
    let mut state = network.state();
    assert_eq!(
        network.run(&mut state, &steps, &mut outputs[..3]),
        Err(tuplenet::Error::Lengths { what: "outputs, one for each step", expected: 5, found: 3 })
    );
    // One network, two streams.
    let mut other = network.state();
    let first = network.step(&mut state, &steps[0]);
    let _ = network.step(&mut other, &[7.0]);
    assert_eq!(first, outputs[0]);
    assert_eq!(network.step(&mut state, &steps[1]), outputs[1]);
}

/// Any grouping of sequences into micro-batches predicts the same as one at a time.
#[test]
fn prediction_of_many() {
    type Net = (Input<Sequence<6, 2>>, Lstm<2, 9>, Gru<9, 5>, MeanOverTime);
    let network = Net::new(&mut seeded(1));
    let inputs = sequences::<6, 2, 70>().map(|steps| steps.map(|step| step.map(|value| value as f32)));
    let mut outputs = [[0.0f32; 5]; 70];
    network.predict_all(&inputs, &mut outputs).unwrap();
    for (input, output) in inputs.iter().zip(&outputs) {
        assert_eq!(network.predict_one(input), *output);
    }
    let batch: [SMatrix<f32, 2, 3>; 6] = from_fn(|step| SMatrix::from_fn(|row, column| inputs[column][step][row]));
    let y = network.predict(&batch);
    assert_eq!(y.data.0, outputs[..3]);
}

/// The layers against the formulas, written plainly.
mod plain {
    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// `start + W x` for gate `gate`.
    fn sums<const H: usize, const G: usize, const K: usize>(
        weight: &[[[f64; H]; G]; K],
        bias: &[[f64; H]; G],
        gate: usize,
        x: &[f64; K],
    ) -> [f64; H] {
        core::array::from_fn(|row| bias[gate][row] + (0..K).map(|k| weight[k][gate][row] * x[k]).sum::<f64>())
    }

    use super::*;

    #[test]
    fn formulas() {
        const STEPS: usize = 9;
        let inputs = sequences::<STEPS, 3, 1>()[0];
        let close = |y: &[f64], expected: &[f64], name: &str| {
            for (y, expected) in y.iter().zip(expected) {
                assert!((y - expected).abs() < 1e-14, "{name}: {y} {expected}");
            }
        };

        let rnn = network::<Rnn<3, 5, Relu, f64>>(0.6);
        let mut h = [0.0; 5];
        for (x, y) in inputs.iter().zip(rnn.predict_one(&inputs)) {
            let (a, u) = (sums(&rnn.weight_ih, &rnn.bias_ih, 0, x), sums(&rnn.weight_hh, &rnn.bias_hh, 0, &h));
            h = from_fn(|i| (a[i] + u[i]).max(0.0));
            close(&y, &h, "rnn");
        }

        macro_rules! gru {
            ($reset:ty) => {{
                let gru = network::<Gru<3, 5, $reset, f64>>(0.6);
                let mut h = [0.0; 5];
                for (x, y) in inputs.iter().zip(gru.predict_one(&inputs)) {
                    let a = [0, 1, 2].map(|gate| sums(&gru.weight_ih, &gru.bias_ih, gate, x));
                    let u = [0, 1, 2].map(|gate| sums(&gru.weight_hh, &gru.bias_hh, gate, &h));
                    let r: [f64; 5] = from_fn(|i| sigmoid(a[0][i] + u[0][i]));
                    let z: [f64; 5] = from_fn(|i| sigmoid(a[1][i] + u[1][i]));
                    let reset = sums(&gru.weight_hh, &gru.bias_hh, 2, &from_fn(|i| r[i] * h[i]));
                    let after = stringify!($reset) == "After";
                    let n: [f64; 5] = from_fn(|i| (a[2][i] + if after { r[i] * u[2][i] } else { reset[i] }).tanh());
                    h = from_fn(|i| (1.0 - z[i]) * n[i] + z[i] * h[i]);
                    close(&y, &h, stringify!($reset));
                }
            }};
        }
        gru!(After);
        gru!(Before);

        let lstm = network::<Lstm<3, 5, f64>>(0.6);
        let (mut h, mut c) = ([0.0; 5], [0.0; 5]);
        for (x, y) in inputs.iter().zip(lstm.predict_one(&inputs)) {
            let a = [0, 1, 2, 3].map(|gate| sums(&lstm.weight_ih, &lstm.bias_ih, gate, x));
            let u = [0, 1, 2, 3].map(|gate| sums(&lstm.weight_hh, &lstm.bias_hh, gate, &h));
            let sum = |gate: usize, i: usize| a[gate][i] + u[gate][i];
            c = from_fn(|i| sigmoid(sum(1, i)) * c[i] + sigmoid(sum(0, i)) * sum(2, i).tanh());
            h = from_fn(|i| sigmoid(sum(3, i)) * c[i].tanh());
            close(&y, &h, "lstm");
        }
    }
}

/// Names and initial values are PyTorch's.
#[test]
fn parameters() {
    struct Names(Vec<String>);
    impl tuplenet::model::Visitor<f32> for Names {
        fn slice(&mut self, parameter: Parameter, values: &[f32]) {
            let Parameter { name, rows, columns, .. } = parameter;
            assert_eq!(values.len(), rows * columns);
            let limit = 1.0 / 16f32.sqrt();
            assert!(
                values.iter().all(|value| value.abs() <= limit) && values.iter().any(|value| value.abs() > 0.8 * limit)
            );
            self.0.push(format!("{name} {rows} by {columns}"));
        }
    }
    let mut names = Names(Vec::new());
    Lstm::<3, 16>::new(&mut seeded(0)).visit(&mut names);
    assert_eq!(names.0, ["weight_ih_l0 64 by 3", "weight_hh_l0 64 by 16", "bias_ih_l0 64 by 1", "bias_hh_l0 64 by 1"]);
    assert_eq!(<Gru<3, 16>>::PARAMETERS, 3 * 16 * (3 + 16 + 2));
    assert_eq!(<(Input<Sequence<10, 3>>, Gru<3, 16>, Last)>::summary().macs(), Some(10 * 3 * 16 * 19));
    assert_eq!(<(Input<Sequence<10, 3>>, Steps<Dense<3, 2, Relu>>, Last)>::summary().macs(), Some(60));
}

/// Sequences are learned: which of two steps, far apart, was larger.
#[test]
fn training() {
    const STEPS: usize = 10;
    let mut rng = seeded(5);
    let inputs: Vec<[[f32; 1]; STEPS]> =
        (0..400).map(|_| from_fn(|_| [f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0])).collect();
    let targets: Vec<bool> = inputs.iter().map(|steps| steps[1][0] > steps[STEPS - 3][0]).collect();
    macro_rules! trains {
        ($recurrent:ty) => {
            type Net = (Input<Sequence<STEPS, 1>>, $recurrent, Last, Dense<12, 1, Sigmoid>);
            let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01), seeded(1));
            let options = FitOptions { epochs: 60, batch_size: 32, ..FitOptions::default() };
            trainer.fit(&inputs, &targets, &options, ()).unwrap();
            let loss = trainer.evaluate(&inputs, &targets).unwrap();
            assert!(loss < 0.25, "{}: {loss}", stringify!($recurrent));
        };
    }
    trains!(Gru<1, 12>);
    {
        trains!(Lstm<1, 12>);
    }
}
