//! Sequences: recurrent layers and what is around them. Their derivatives through time, and that a stream computes the bits of
//! the whole sequence.

#[path = "common/patterns.rs"]
mod patterns;

use core::array::from_fn;
use patterns::{network, number};
use serde_json::Value;
use tuplenet::init::{Init, Orthogonal};
use tuplenet::inspect::gradient_check;
use tuplenet::layers::{
    After, Before, Bidirectional, Conv1d, Dropout, Gru, Input, Last, LayerNorm, Lstm, MaxOverTime, MeanOverTime,
    Residual, Rnn, Steps,
};
use tuplenet::model::{Parameter, Params, Visit, Visitor, VisitorMut, Zeroed};
use tuplenet::prelude::*;

/// More than the gradient check's micro-batch of 8, and not a multiple of it.
const SAMPLES: usize = 11;

fn sequences<const STEPS: usize, const N: usize, const COUNT: usize>() -> [[[f64; N]; STEPS]; COUNT] {
    from_fn(|sample| from_fn(|step| from_fn(|place| 1.5 * number((sample * STEPS + step) * N + place))))
}

/// As many sequences as there are targets.
fn as_many_as<Y, const STEPS: usize, const N: usize, const COUNT: usize>(_: &[Y; COUNT]) -> [[[f64; N]; STEPS]; COUNT] {
    sequences()
}

macro_rules! agrees {
    ($net:ty, $loss:expr, $targets:expr) => {{
        let mut network = network::<$net>(0.6);
        let targets = $targets;
        let check = gradient_check(&mut network, &$loss, &as_many_as(&targets), &targets).unwrap();
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
    two!(20 Rnn<2, 2, Tanh, f64>, Rnn<2, 3, Tanh, f64>);
    two!(20 Gru<2, 2, After, f64>, Gru<2, 3, After, f64>);
    two!(20 Gru<2, 2, Before, f64>, Gru<2, 3, Before, f64>);
    two!(20 Lstm<2, 2, f64>, Lstm<2, 3, f64>);
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
    both!(Conv1d<3, 8, 3, 2, Relu>, Conv1d<8, 5, 2, 7, Tanh>, Conv1d<5, 5, 1, 0>, Last, Dense<5, 2, Identity>);
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
    impl Visitor<f32> for Names {
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

#[test]
fn derivatives_of_convolutions() {
    agrees!(
        (Input<Sequence<9, 2>, f64>, Conv1d<2, 3, 3, 2, Tanh, f64>, Conv1d<3, 3, 2, 4, Softsign, f64>, MeanOverTime),
        MeanSquaredError,
        [[0.1, 0.2, -0.3], [0.5, -0.6, 0.7], [0.0, 0.1, 0.2]]
    );
}

/// Both directions: each is a layer of its own, over the sequence and over the reversed one.
#[test]
fn bidirectional() {
    type Both = Bidirectional<Gru<2, 3, After, f64>, 6>;
    let both = network::<Both>(0.6);
    let [x] = sequences::<5, 2, 1>();
    let mut reversed = x;
    reversed.reverse();
    let (forward, reverse) = (both.forward.predict_one(&x), both.reverse.predict_one(&reversed));
    for (step, y) in both.predict_one(&x).iter().enumerate() {
        assert_eq!((&y[..3], &y[3..]), (&forward[step][..], &reverse[4 - step][..]));
    }
    agrees!(
        (
            Input<Sequence<5, 2>, f64>,
            Steps<Dense<2, 2, Tanh, f64>>,
            Both,
            Bidirectional<Lstm<6, 2, f64>, 4>,
            MeanOverTime
        ),
        MeanSquaredError,
        [[0.1, 0.2, -0.3, 0.4], [0.5, -0.6, 0.7, 0.8], [0.0, 0.1, 0.2, 0.3]]
    );
    struct Names(Vec<&'static str>);
    impl Visitor<f64> for Names {
        fn slice(&mut self, parameter: Parameter, _: &[f64]) {
            self.0.push(parameter.name);
        }
    }
    let mut names = Names(Vec::new());
    both.visit(&mut names);
    assert_eq!(names.0[2..6], ["bias_ih_l0", "bias_hh_l0", "weight_ih_l0_reverse", "weight_hh_l0_reverse"]);
}

#[cfg(feature = "serde")]
#[test]
fn serde() {
    type Net = (
        Input<Sequence<4, 2>>,
        Bidirectional<Gru<2, 3, Before>, 6>,
        Rnn<6, 3, Relu>,
        Lstm<3, 4>,
        Steps<Dense<4, 1, Tanh>>,
    );
    let network = Net::new(&mut seeded(4));
    let text = serde_json::to_string(&network).unwrap();
    assert!(serde_json::from_str::<Net>(&text).unwrap() == network);
    let bytes = postcard::to_allocvec(&network).unwrap();
    assert!(postcard::from_bytes::<Net>(&bytes).unwrap() == network);
    assert!(serde_json::from_str::<Net>(&text.replacen("bias_ih", "bias", 1)).is_err());
}

/// PyTorch's names in files, and back.
#[cfg(feature = "safetensors")]
#[test]
fn safetensors() {
    type Net = (Input<Sequence<4, 2>>, Bidirectional<Gru<2, 3>, 6>, Lstm<6, 4>, Steps<Dense<4, 1, Tanh>>);
    let network = Net::new(&mut seeded(4));
    let bytes = tuplenet::io::safetensors::to_vec(&network).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("0.weight_hh_l0_reverse").unwrap().shape(), [9, 3]);
    assert_eq!(file.tensor("1.weight_ih_l0").unwrap().shape(), [16, 6]);
    assert_eq!(file.tensor("1.bias_hh_l0").unwrap().shape(), [16]);
    // Row by row.
    let values = file.tensor("1.weight_ih_l0").unwrap().data().to_vec();
    assert_eq!(values[4..8], network.2.weight_ih[1][0][0].to_le_bytes());
    assert!(tuplenet::io::safetensors::from_bytes::<Net>(&bytes).unwrap() == network);
}

#[test]
fn orthogonal_initialization() {
    fn check<const ROWS: usize, const COLUMNS: usize>() {
        let mut matrix = SMatrix::<f64, ROWS, COLUMNS>::zeros();
        Orthogonal.fill(&mut seeded(2), COLUMNS, ROWS, matrix.as_mut_slice());
        let transposed = matrix.transpose();
        for first in 0..ROWS.min(COLUMNS) {
            for second in 0..ROWS.min(COLUMNS) {
                let product = if ROWS >= COLUMNS {
                    matrix.column(first).dot(&matrix.column(second))
                } else {
                    transposed.column(first).dot(&transposed.column(second))
                };
                assert!((product - f64::from(u8::from(first == second))).abs() < 1e-14, "{first} {second}: {product}");
            }
        }
    }
    check::<12, 4>();
    check::<5, 5>();
    check::<3, 8>();
    check::<1, 4>();
}

/// Sequences are learned: which of two steps, far apart, was larger.
#[test]
fn training() {
    const STEPS: usize = 6;
    let mut rng = seeded(5);
    let inputs: Vec<[[f32; 1]; STEPS]> =
        (0..128).map(|_| from_fn(|_| [f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0])).collect();
    let targets: Vec<bool> = inputs.iter().map(|steps| steps[1][0] > steps[STEPS - 2][0]).collect();
    macro_rules! trains {
        ($recurrent:ty) => {
            type Net = (Input<Sequence<STEPS, 1>>, $recurrent, Last, Dense<6, 1, Sigmoid>);
            let mut trainer = Trainer::new(Net::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.03), seeded(1));
            let options = FitOptions { epochs: 40, batch_size: 16, ..FitOptions::default() };
            trainer.fit(&inputs, &targets, &options, ()).unwrap();
            let loss = trainer.evaluate(&inputs, &targets).unwrap();
            assert!(loss < 0.25, "{}: {loss}", stringify!($recurrent));
        };
    }
    trains!(Gru<1, 6>);
    {
        trains!(Lstm<1, 6>);
    }
}

/// PyTorch's outputs, gradients by the inputs and gradients by all parameters. `golden/sequences.py` made them.
#[test]
fn pytorch() {
    const STEPS: usize = 8;
    let golden: Value = serde_json::from_str(include_str!("golden/sequences.json")).unwrap();
    let numbers =
        |value: &Value| -> Vec<f64> { value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() };
    let close = |what: &str, found: &[f64], expected: &[f64]| {
        assert_eq!(found.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1e-3f64, |largest, value| largest.max(value.abs()));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-10 * scale, "{what}: {found}, not {expected}");
        }
    };
    /// PyTorch's matrices stand row by row, ours column by column.
    fn by_column(parameter: Parameter, rows: &[f64]) -> Vec<f64> {
        let at = |index: usize| rows[index % parameter.rows * parameter.columns + index / parameter.rows];
        (0..rows.len()).map(at).collect()
    }
    struct Load<'a>(&'a serde_json::Map<String, Value>, usize);
    impl VisitorMut<f64, 0> for Load<'_> {
        fn slice(&mut self, parameter: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            let rows: Vec<f64> =
                self.0[parameter.name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            values.copy_from_slice(&by_column(parameter, &rows));
            self.1 += 1;
        }
    }
    struct Collect(Vec<(Parameter, Vec<f64>)>);
    impl Visitor<f64> for Collect {
        fn slice(&mut self, parameter: Parameter, values: &[f64]) {
            self.0.push((parameter, values.to_vec()));
        }
    }
    let mut found = 0;
    for case in golden["cases"].as_array().unwrap() {
        macro_rules! compare {
            ($($kind:literal $units:literal $layer:ty;)+) => {$(
                if case["kind"] == $kind && case["units"] == $units {
                    type Net = (Input<Sequence<STEPS, 3>, f64>, $layer);
                    let what = |part: &str| format!("{} of {} units: {part}", $kind, $units);
                    let (mut network, mut gradient) = (Net::ZEROED, Net::ZEROED);
                    let mut load = Load(case["parameters"].as_object().unwrap(), 0);
                    network.visit_mut([], &mut load);
                    assert_eq!(load.1, case["parameters"].as_object().unwrap().len());
                    // Sample by sample, step by step; `part` of both samples.
                    let batch = |part: &str| numbers(&case[part]);
                    let x = batch("x");
                    let x: [SMatrix<f64, 3, 2>; STEPS] =
                        from_fn(|step| SMatrix::from_fn(|row, sample| x[(sample * STEPS + step) * 3 + row]));
                    let dy = batch("dy");
                    let dy: [SMatrix<f64, $units, 2>; STEPS] =
                        from_fn(|step| SMatrix::from_fn(|row, sample| dy[(sample * STEPS + step) * $units + row]));
                    let mut workspace = Workspace::<Net, 2>::new();
                    let y = workspace.forward(&network, &x).clone();
                    let dx = workspace.backward_to_input(&network, &dy, &mut gradient);
                    for step in 0..STEPS {
                        for sample in 0..2 {
                            let at = sample * STEPS + step;
                            let ys = batch("y");
                            close(&what("y"), y[step].column(sample).as_slice(), &ys[at * $units..][..$units]);
                            let dxs = batch("dx");
                            close(&what("dx"), dx[step].column(sample).as_slice(), &dxs[at * 3..][..3]);
                        }
                    }
                    let mut collect = Collect(Vec::new());
                    gradient.visit(&mut collect);
                    for (parameter, values) in collect.0 {
                        let rows = numbers(&case["gradients"][parameter.name]);
                        close(&what(parameter.name), &values, &by_column(parameter, &rows));
                    }
                    // The last state, for a stream that goes on from it.
                    let sample: [[f64; 3]; STEPS] = from_fn(|step| x[step].column(0).into());
                    let mut state = network.state();
                    network.run(&mut state, &sample, &mut [[0.0; $units]; STEPS]).unwrap();
                    if case.get("last").is_none() {
                        found += 1;
                        continue;
                    }
                    let last = numbers(&case["last"]).chunks($units).step_by(2).flatten().copied().collect::<Vec<_>>();
                    let mut parts = Vec::new();
                    state_values(&state.1, &mut parts);
                    close(&what("last state"), &parts, &last);
                    found += 1;
                }
            )+};
        }
        compare! {
            "rnn" 2 Rnn<3, 2, Tanh, f64>; "rnn" 5 Rnn<3, 5, Tanh, f64>; "rnn" 16 Rnn<3, 16, Tanh, f64>;
            "rnn_relu" 2 Rnn<3, 2, Relu, f64>; "rnn_relu" 5 Rnn<3, 5, Relu, f64>; "rnn_relu" 16 Rnn<3, 16, Relu, f64>;
            "gru" 2 Gru<3, 2, After, f64>; "gru" 5 Gru<3, 5, After, f64>; "gru" 16 Gru<3, 16, After, f64>;
            "conv3x1" 2 Conv1d<3, 2, 3, 2, Tanh, f64>; "conv2x4" 5 Conv1d<3, 5, 2, 4, Tanh, f64>;
            "conv3x2" 16 Conv1d<3, 16, 3, 4, Tanh, f64>; "conv1x1" 5 Conv1d<3, 5, 1, 0, Tanh, f64>;
            "lstm" 2 Lstm<3, 2, f64>; "lstm" 5 Lstm<3, 5, f64>; "lstm" 16 Lstm<3, 16, f64>;
        }
    }
    assert_eq!(found, 16);
}

/// The values of a state: the output, and of an LSTM the cell state behind it.
trait Values {
    fn append(&self, to: &mut Vec<f64>);
}

impl<const H: usize> Values for [f64; H] {
    fn append(&self, to: &mut Vec<f64>) {
        to.extend(self);
    }
}

impl<const H: usize> Values for [[f64; H]; 2] {
    fn append(&self, to: &mut Vec<f64>) {
        to.extend(self.as_flattened());
    }
}

impl<const IN: usize, const REACH: usize> Values for tuplenet::layers::Ring<f64, IN, REACH> {
    fn append(&self, _: &mut Vec<f64>) {}
}

fn state_values(state: &impl Values, to: &mut Vec<f64>) {
    state.append(to);
}
