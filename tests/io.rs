//! Weights in and out: models of PyTorch, Keras and scikit-learn give the same outputs here, whether read at run time or by
//! the compiler, and what is written comes back.
//!
//! The models are in `io/fixtures`, made by `io/peers.py make tests/io/fixtures 1`. `io/run` makes others, gives their folder
//! in `TUPLENET_IO`, and looks at what these tests write there.

#![cfg(all(feature = "safetensors", feature = "std"))]

use rand::Rng;
use serde_json::Value;
use std::path::PathBuf;
use tuplenet::include_weights;
use tuplenet::io::safetensors::{Names, Precision, Raw, Safetensors};
use tuplenet::layers::*;
use tuplenet::model::{Kind, Parameter, Visit, Visitor, VisitorMut};
use tuplenet::prelude::*;

include!("io/fixtures/types.rs");

/// Where `io/run` has put other models.
fn other_folder() -> Option<PathBuf> {
    std::env::var_os("TUPLENET_IO").map(PathBuf::from)
}

fn folder() -> PathBuf {
    other_folder().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/io/fixtures").into())
}

fn samples<T: Real, const N: usize>(value: &Value) -> Vec<[T; N]> {
    let sample = |sample: &Value| -> [T; N] {
        let numbers: Vec<T> = sample.as_array().unwrap().iter().map(|x| T::of(x.as_f64().unwrap())).collect();
        numbers.try_into().expect("as many numbers")
    };
    value.as_array().unwrap().iter().map(sample).collect()
}

/// All numbers of a network, statistics and counts too, in bits.
struct Bits(Vec<u64>);

impl<T: Real> Visitor<T> for Bits {
    fn slice(&mut self, _: Parameter, values: &[T]) {
        self.0.extend(values.iter().map(|value| value.exact().to_bits()));
    }
    fn buffer(&mut self, parameter: Parameter, values: &[T]) {
        self.slice(parameter, values);
    }
    fn count(&mut self, _: Parameter, value: u64) {
        self.0.push(value);
    }
}

fn bits<T: Real, N: Visit<T>>(network: &N) -> Vec<u64> {
    let mut bits = Bits(Vec::new());
    network.visit(&mut bits);
    bits.0
}

/// Gives all numbers of a network other values.
struct Stir<R>(R);

impl<R: Rng> Stir<R> {
    fn stir<T: Real>(&mut self, parameter: Parameter, values: &mut [T]) {
        // What the layer of the model does not have stays the constant that stands for it.
        if values.len() > 1 && values.iter().all(|value| *value == values[0]) {
            return;
        }
        let scale = if parameter.columns > 1 { (3.0 / parameter.columns as f64).sqrt() } else { 0.5 };
        for value in values {
            let random = 2.0 * f64::from_random_bits(self.0.next_u64()) - 1.0;
            // A gain is near 1, and a variance above 0.
            let middle =
                if parameter.name == "running_var" || parameter.kind == Kind::Bias && parameter.name == "weight" {
                    1.0
                } else {
                    0.0
                };
            *value = T::of(middle + scale * random);
        }
    }
}

impl<T: Real, R: Rng> VisitorMut<T, 0> for Stir<R> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        self.stir(parameter, values);
    }
    fn buffer(&mut self, parameter: Parameter, values: &mut [T]) {
        self.stir(parameter, values);
    }
    fn count(&mut self, _: Parameter, value: &mut u64) {
        *value = self.0.next_u64() >> 40;
    }
}

/// A model of others: `embedded` is what the compiler has read.
#[track_caller]
fn same_as_theirs<T: Real, N, const IN: usize, const OUT: usize>(name: &str, format: Safetensors, embedded: Option<&N>)
where
    N: FromTo<IN, OUT, T>,
{
    let mut network = N::ZEROED;
    format.load(folder().join(format!("{name}.safetensors")), &mut network).unwrap();
    if let (Some(embedded), None) = (embedded, other_folder()) {
        assert_eq!(bits(embedded), bits(&network), "{name}: the compiler has read other numbers");
    }

    let cases: Value = serde_json::from_str(&std::fs::read_to_string(folder().join("cases.json")).unwrap()).unwrap();
    let inputs = samples::<T, IN>(&cases[name]["inputs"]);
    let right = samples::<T, OUT>(&cases[name]["outputs"]);
    let found: Vec<_> = inputs.iter().map(|input| network.predict_one(input)).collect();
    // Keras computes products of float64 in float32.
    let limit = if size_of::<T>() == 4 || name.starts_with("keras") { 1e-6 } else { 1e-12 };
    let largest = right.as_flattened().iter().fold(0.0, |largest: f64, value| largest.max(value.exact().abs()));
    for (found, right) in found.as_flattened().iter().zip(right.as_flattened()) {
        let error = (found.exact() - right.exact()).abs() / largest;
        assert!(error <= limit, "{name}: {found}, not {right}, off by {error:e}");
    }

    // Out and in again, each way.
    let mut ours = N::new(&mut seeded(5));
    format.load(folder().join(format!("{name}.safetensors")), &mut ours).unwrap();
    ours.visit_mut([], &mut Stir(seeded(6)));
    let bytes = format.to_vec(&ours).unwrap();
    let mut copy = N::ZEROED;
    format.read(&bytes, &mut copy).unwrap();
    assert_eq!(bits(&copy), bits(&ours), "{name}");
    copy = N::ZEROED;
    format.read_from(bytes.as_slice(), &mut copy).unwrap();
    assert_eq!(bits(&copy), bits(&ours), "{name}");
    let judge = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(judge.iter().map(|(_, tensor)| tensor.data().len()).sum::<usize>() % 4, 0);

    if let Some(folder) = other_folder() {
        let folder = folder.join("ours");
        std::fs::create_dir_all(&folder).unwrap();
        format.save(&ours, folder.join(format!("{name}.safetensors"))).unwrap();
        let plain = |samples: &[&[T]]| -> Value {
            let row = |row: &[T]| row.iter().map(|x| Value::from(x.exact())).collect::<Vec<_>>();
            samples.iter().map(|sample| Value::from(row(sample))).collect::<Vec<_>>().into()
        };
        let outputs: Vec<_> = inputs.iter().map(|input| ours.predict_one(input)).collect();
        let case = serde_json::json!({
            "inputs": plain(&inputs.iter().map(|x| x.as_slice()).collect::<Vec<_>>()),
            "outputs": plain(&outputs.iter().map(|x| x.as_slice()).collect::<Vec<_>>()),
        });
        std::fs::write(folder.join(format!("{name}.json")), case.to_string()).unwrap();
    }
}

/// A test for each model: its name, its type, and how it lies in its file.
macro_rules! models {
    ($($name:ident: $network:ty $(, $format:expr)?;)+) => {
        $(
            #[test]
            fn $name() {
                const FORMAT: Safetensors<'static> = [$($format,)? Safetensors::DEFAULT][0];
                static EMBEDDED: $network =
                    include_weights!(concat!("io/fixtures/", stringify!($name), ".safetensors"), FORMAT);
                same_as_theirs(stringify!($name), FORMAT, Some(&EMBEDDED));
            }
        )+
    };
}

type Block = Residual<(LayerNorm<6>, Dense<6, 6, Gelu>)>;
type Mixed = (
    Dense<3, 6, Identity>,
    BatchNorm<6>,
    Silu,
    Dropout<20>,
    Block,
    Residual<Dense<6, 6, Identity>>,
    (Dense<6, 5, Softplus>, (Dense<5, 4, Softsign>, Dropout<0>)),
    Dense<4, 2, Identity>,
);
type Double = (
    BatchNorm<3, f64>,
    Dense<3, 9, Selu, f64>,
    Dense<9, 8, LeakyRelu<5>, f64>,
    LayerNorm<8, f64, 1_000_000>,
    Dense<8, 4, HardSigmoid, f64>,
    Dense<4, 3, Softmax, f64>,
);
type Hidden = Dense<7, 7, Elu>;
type Six = (Hidden, Hidden, Hidden, Hidden, Hidden, Hidden);
type Long = ((Dense<5, 7, Elu>, Hidden, Hidden, Hidden), Six, Dense<7, 2, Identity>);

models! {
    torch_xor: (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);
    torch_one: Dense<3, 2, Identity>;
    torch_logits: (Dense<5, 17, Relu>, Dense<17, 3, Identity>);
    torch_mixed: Mixed;
    torch_double: Double;
    torch_half: (Dense<4, 9, Tanh>, BatchNorm<9>, Dense<9, 3, Identity>);
    torch_brain: (Dense<4, 9, Tanh>, BatchNorm<9>, Dense<9, 3, Identity>);
    torch_agent: (Dense<4, 12, Relu>, Dense<12, 2, Tanh>),
        Safetensors { inside: "actor", names: Names::Modules(&["fc1", "fc2"]), ..Safetensors::DEFAULT };
    torch_long: Long,
        Safetensors {
            names: Names::Modules(&["0", "2", "4", "6", "8", "10", "12", "14", "16", "18", "20"]),
            ..Safetensors::DEFAULT
        };
    torch_flatten: (Dense<4, 5, Relu>, Dense<5, 2, Identity>),
        Safetensors { names: Names::Modules(&["1", "4"]), ..Safetensors::DEFAULT };
    keras_usual: KerasUsual;
    keras_norms: KerasNorms;
    keras_double: KerasDouble;
    sklearn_classes: SklearnClasses;
    sklearn_binary: SklearnBinary;
    sklearn_regression: SklearnRegression;
}

/// Layers of sequences, made by `io/sequences.py`: what the compiler has read is what is read at run time, with names and
/// without.
#[test]
fn sequences() {
    type Net = (
        Conv1d<2, 3, 2, 3, Tanh>,
        Bidirectional<Gru<3, 2>, 4>,
        Steps<(Dense<4, 3, Relu>, LayerNorm<3>)>,
        Rnn<3, 2, Relu>,
        Lstm<2, 3>,
        Gru<3, 2, Before>,
        MeanOverTime,
        Dense<2, 1, Identity>,
    );
    static NAMED: Net = include_weights!("io/fixtures/sequences.safetensors");
    static RAW: Net = include_weights!("io/fixtures/sequences.f32", Raw(Precision::F32));
    let mut network = Net::new(&mut seeded(5));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/io/fixtures/sequences.safetensors");
    Safetensors::DEFAULT.load(path, &mut network).unwrap();
    assert_eq!(bits(&NAMED), bits(&network));
    assert_eq!(bits(&RAW), bits(&network));
    // By output, input and tap, and by gate, unit and input.
    let file = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&file).unwrap();
    let tensor = |name: &str, index: usize| {
        let bytes = file.tensor(name).unwrap().data()[4 * index..][..4].try_into().unwrap();
        f32::from_le_bytes(bytes)
    };
    assert_eq!(NAMED.0.weight[1][0][2], tensor("0.weight", (2 * 2 + 1) * 2));
    assert_eq!(NAMED.1.reverse.weight_ih[2][1][0], tensor("1.weight_ih_l0_reverse", 2 * 3 + 2));
    assert_eq!(NAMED.4.bias_hh[3][2], tensor("4.bias_hh_l0", 3 * 3 + 2));
    let again = Safetensors::DEFAULT.to_vec(&network).unwrap();
    assert_eq!(safetensors::SafeTensors::deserialize(&again).unwrap().tensor("0.weight").unwrap().shape(), [3, 2, 2]);
}

/// Numbers without names, read by the compiler, also as another type than they are stored in.
#[test]
fn raw_numbers() {
    static XOR: (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>) =
        include_weights!("io/fixtures/torch_xor.f32", Raw(Precision::F32));
    static NAMED: (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>) = include_weights!("io/fixtures/torch_xor.safetensors");
    const DOUBLE: (Dense<2, 4, Tanh, f64>, Dense<4, 1, Sigmoid, f64>) =
        include_weights!("io/fixtures/torch_xor.f32", Raw(Precision::F32));
    assert_eq!(bits(&XOR), bits(&NAMED));
    assert_eq!(bits(&XOR), bits(&DOUBLE));

    static MIXED: Mixed = include_weights!("io/fixtures/torch_mixed.f64", Raw(Precision::F64));
    let mut named: Mixed = include_weights!("io/fixtures/torch_mixed.safetensors");
    // The only thing that is not in such a file.
    assert_eq!((MIXED.1.num_batches_tracked, named.1.num_batches_tracked), (0, 5));
    named.1.num_batches_tracked = 0;
    assert_eq!(bits(&MIXED), bits(&named));
    // Each layer has another.
    assert_ne!(MIXED.3.seed, MIXED.6.1.1.seed);
}
