//! Exported networks predict as they do here: the C is compiled and run, on this machine and on a Cortex-M4F, and
//! so is the Rust. What `onnx` writes is looked at by `io/run`, with ONNX Runtime itself.

#![cfg(all(feature = "export", feature = "std"))]

mod affine;
#[path = "common/tools.rs"]
mod tools;

use rand::Rng;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tuplenet::activation::ActivationKind;
use tuplenet::data::Inputs;
use tuplenet::io::export::{self, ExportError, Exportable};
use tuplenet::layers::*;
use tuplenet::model::{InputShape, Kind, Model, Op, Out, Parameter, Pass, Shape, Trainable, VisitorMut, Zeroed};
use tuplenet::prelude::*;
use tuplenet::simd::{Lanes, Simd};

type SampleOf<N> = <<N as InputShape>::In as Shape>::Sample<<N as InputShape>::Scalar>;

/// All values of some samples, one after the other.
fn flat<S: Shape, T: Real>(samples: &[S::Sample<T>]) -> Vec<T> {
    samples.iter().flat_map(|sample| S::elements(sample)).copied().collect()
}

/// What a network predicts here, sample by sample.
fn predictions<N: Exportable>(network: &N, samples: &[SampleOf<N>]) -> Vec<N::Scalar>
where
    [SampleOf<N>]: Inputs<N::Scalar, N::In>,
{
    let mut outputs = vec![Zeroed::ZEROED; samples.len()];
    network.predict_all(samples, &mut outputs).unwrap();
    flat::<Out<N>, N::Scalar>(&outputs)
}

/// A folder for the files of one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("export").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Random weights and statistics such as a training run may leave.
struct Stir<R>(R);

impl<R: Rng> Stir<R> {
    /// Between -1 and 1.
    fn number(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    fn sample<N: Exportable>(&mut self, scale: f64) -> SampleOf<N> {
        let mut batch = <<N::In as Shape>::Batch<N::Scalar, 1> as Zeroed>::ZEROED;
        let values = N::In::as_mut_slice(&mut batch);
        values.iter_mut().for_each(|value| *value = N::Scalar::of(self.number() * scale));
        N::In::get(&batch, 0)
    }
}

impl<R: Rng, T: Real> VisitorMut<T, 0> for Stir<R> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        let (scale, centre) = match (parameter.kind, parameter.name) {
            (Kind::Weight | Kind::Kernel { .. }, _) => (2.0 / (parameter.columns as f64).sqrt(), 0.0),
            (_, "weight") => (0.5, 1.0),
            _ => (0.5, 0.0),
        };
        values.iter_mut().for_each(|value| *value = T::of(self.number() * scale + centre));
    }
    fn buffer(&mut self, parameter: Parameter, values: &mut [T]) {
        let positive = parameter.name == "running_var";
        values.iter_mut().for_each(|value| *value = T::of(self.number() * 0.9 + f64::from(u8::from(positive))));
    }
    fn count(&mut self, _: Parameter, value: &mut u64) {
        *value = self.0.next_u64() >> 40;
    }
}

fn stirred<N: Network + Trainable>(seed: u64) -> N {
    let mut network = N::new(&mut seeded(seed));
    network.visit_mut([], &mut Stir(seeded(seed)));
    network
}

const STRICT: [&str; 10] = [
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-pedantic",
    "-Wconversion",
    "-Wdouble-promotion",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Werror",
];

/// Runs a program that must succeed; gives what it prints.
#[track_caller]
fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}

fn bytes<T: Real>(values: &[T]) -> Vec<u8> {
    let is_single = size_of::<T>() == 4;
    let of = |value: &T| match is_single {
        true => (value.exact() as f32).to_le_bytes().to_vec(),
        false => value.exact().to_le_bytes().to_vec(),
    };
    values.iter().flat_map(of).collect()
}

fn numbers<T: Real>(bytes: &[u8]) -> Vec<T> {
    let number = |bytes: &[u8]| match bytes.len() {
        4 => f64::from(f32::from_le_bytes(bytes.try_into().unwrap())),
        _ => f64::from_le_bytes(bytes.try_into().unwrap()),
    };
    bytes.chunks(size_of::<T>()).map(|bytes| T::of(number(bytes))).collect()
}

/// Writes a network in C and compiles it; returns what the program predicts for samples. Its self-test has passed then.
fn answers_of_c<N>(name: &str, network: &N, vectors: &[SampleOf<N>], samples: &[SampleOf<N>]) -> Vec<N::Scalar>
where
    N: Exportable + Clone + Send + Sync,
    [SampleOf<N>]: Inputs<N::Scalar, N::In>,
{
    let folder = folder("c");
    let [source, program] = ["c", "out"].map(|ending| folder.join(format!("{name}.{ending}")));
    fs::write(&source, export::c_source(network, "net", vectors).unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.h")), export::c_header(network, "net").unwrap()).unwrap();
    let real = if size_of::<N::Scalar>() == 4 { "float" } else { "double" };
    let harness = Path::new(env!("CARGO_MANIFEST_DIR")).join("export/harness.c");
    let mut compiler = Command::new("cc");
    compiler.args(STRICT).arg("-O2").arg("-DNET_SELF_TEST").arg(format!("-DREAL={real}"));
    compiler.arg(format!("-DNETWORK_FILE=\"{}\"", source.display())).arg(harness).arg("-o").arg(&program);
    run(&mut compiler, &[]);
    // As it stands in a program: without the self-test, and with the header in front.
    let mut compiler = Command::new("cc");
    compiler.args(STRICT).arg("-O3").arg("-include").arg(folder.join(format!("{name}.h"))).arg("-c").arg(&source);
    run(compiler.arg("-o").arg(folder.join(format!("{name}.o"))), &[]);
    let output = run(&mut Command::new(&program), &bytes(&flat::<N::In, N::Scalar>(samples)));
    let answers: Vec<N::Scalar> = numbers(&output);
    assert_eq!(answers.len(), samples.len() * Out::<N>::LEN);
    answers
}

/// How far `found` is off, in roundings of the largest number of `right`.
fn distance<T: Real>(found: &[T], right: &[T]) -> f64 {
    let largest = right.iter().fold(0.0, |largest: f64, value| largest.max(value.exact().abs()));
    let farthest = found.iter().zip(right).map(|(found, right)| (found.exact() - right.exact()).abs());
    let farthest = farthest.fold(0.0, |farthest: f64, distance| if distance <= farthest { farthest } else { distance });
    farthest / (largest * T::epsilon().exact()).max(T::min_positive_value().exact())
}

/// Random networks of a type in C answer what they answer here, up to some hundred roundings, and so few that the
/// limits in the file are kept too.
fn same_in_c<N>(name: &str)
where
    N: Exportable + Clone + Send + Sync,
    [SampleOf<N>]: Inputs<N::Scalar, N::In>,
{
    let name = &format!("{name}_{}", if size_of::<N::Scalar>() == 4 { "f32" } else { "f64" });
    for seed in 0..2 {
        let network: N = stirred(seed);
        let mut random = Stir(seeded(seed + 100));
        let samples: Vec<_> = (0..300).map(|index| random.sample::<N>([0.1, 1.0, 5.0][index % 3])).collect();
        let answers = answers_of_c(name, &network, &samples[..40], &samples);
        let mut farthest: f64 = 0.0;
        let right = predictions(&network, &samples);
        for (found, right) in answers.chunks(Out::<N>::LEN).zip(right.chunks(Out::<N>::LEN)) {
            farthest = farthest.max(distance(found, right));
        }
        println!("{name}, seed {seed}: {farthest:.0} roundings");
        assert!(farthest <= 300.0, "{name}, seed {seed}: off by {farthest} roundings");

        // The limits in the file are some hundred roundings too, and a wrong weight is found.
        let source = export::c_source(&network, "net", &samples[..40]).unwrap();
        let mut wrong = network.clone();
        wrong.visit_mut([], &mut Scale(1.01));
        let other = export::c_source(&wrong, "net", &samples[..40]).unwrap();
        if N::PARAMETERS > 0 {
            let border = "#if defined NET_SELF_TEST";
            let (weights, _) = other.split_once(border).unwrap();
            let (_, test) = source.split_once(border).unwrap();
            let path = folder("c").join(format!("{name}_wrong.c"));
            fs::write(&path, format!("{weights}{border}{test}")).unwrap();
            let program = path.with_extension("out");
            run(Command::new("cc").args(STRICT).arg("-DNET_MAIN").arg(&path).arg("-o").arg(&program), &[]);
            assert_eq!(Command::new(&program).status().unwrap().code(), Some(1), "{name}: the self-test found nothing");
        }
    }
}

/// Changes every parameter a little.
struct Scale(f64);

impl<T: Real> VisitorMut<T, 0> for Scale {
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        values.iter_mut().for_each(|value| *value = T::of(value.exact() * self.0));
    }
}

type Block<T> = (LayerNorm<16, T, 1_000_000>, Dense<16, 16, Elu, T>, Residual<Dense<16, 16, Silu, T>>, Tanh);
type Mixed<T> = (
    Dense<5, 16, Identity, T>,
    BatchNorm<16, T>,
    Gelu,
    Dropout<30>,
    Residual<Block<T>>,
    (Dense<16, 7, Softplus, T>, (Dense<7, 9, Selu, T>, LayerNorm<9, T>)),
    Residual<Residual<Dense<9, 9, LeakyRelu<5>, T>>>,
    Dense<9, 3, Softmax, T>,
);
type Plain<T> = (Dense<4, 8, Tanh, T>, Dense<8, 1, Sigmoid, T>);
type Wide<T> = (Dense<40, 150, Relu, T>, Dense<150, 3, Softsign, T>, Dense<3, 6, HardSigmoid, T>);
type First<T> = (BatchNorm<3, T>, Residual<Softmax>, Dense<3, 2, LeakyRelu, T>);
type One<T> = Dense<3, 5, Gelu, T>;
type Alone<T> = LayerNorm<6, T>;
type Nothing<T> = (Input<Features<4>, T>, Dropout<10>, Identity);
type Around<T> = Residual<Dense<4, 4, Softmax, T>>;

type Lenet<T> = (
    Conv2d<Image<1, 8, 8>, Image<3, 8, 8>, 3, Relu, 1, 1, 1, T>,
    MaxPool<Image<3, 8, 8>, Image<3, 4, 4>, 2, 2, 0, T>,
    BatchNorm<3, T>,
    Conv2d<Image<3, 4, 4>, Image<4, 2, 2>, 2, Gelu, 1, 0, 2, T>,
    Flatten<Image<4, 2, 2>, 16, T>,
    Dense<16, 3, Softmax, T>,
);
type Wide9 = Image<4, 9, 7>;
type Small = Image<4, 5, 4>;
type Groups<T> = (
    Input<Wide9, T>,
    LeakyRelu<5>,
    GroupedConv2d<Wide9, Image<6, 9, 7>, 3, 2, Silu, 1, 1, 1, T>,
    Residual<(Tanh, DepthwiseConv2d<Image<6, 9, 7>, Image<6, 9, 7>, 3, Identity, 1, 1, 1, T>)>,
    Dropout<20>,
    MaxPool<Image<6, 9, 7>, Image<6, 5, 4>, 3, 2, 1, T>,
    Conv2d<Image<6, 5, 4>, Small, 1, HardSigmoid, 1, 0, 1, T>,
    (AveragePool<Small, Image<4, 3, 2>, 3, 2, 1, T>, GlobalAveragePool<Image<4, 3, 2>, T>),
);
type Decoder<T> = (
    Dense<3, 8, Tanh, T>,
    Unflatten<8, Image<2, 2, 2>, T>,
    Upsample<Image<2, 2, 2>, Image<2, 4, 4>, 2, T>,
    ConvTranspose2d<Image<2, 4, 4>, Image<3, 4, 4>, 3, Elu, 1, 1, 1, T>,
    ConvTranspose2d<Image<3, 4, 4>, Image<1, 8, 8>, 3, Sigmoid, 2, 1, 1, T>,
);
type GruLast<T> = (Input<Sequence<6, 2>, T>, Gru<2, 5, After, T>, Last, Dense<5, 3, Softmax, T>);
type GruSteps<T> = (
    Input<Sequence<5, 3>, T>,
    Gru<3, 4, Before, T>,
    Dropout<10>,
    Steps<(Dense<4, 6, Gelu, T>, LayerNorm<6, T>, BatchNorm<6, T>, Dense<6, 2, Identity, T>)>,
);
type Elman<T> = (
    Input<Sequence<5, 3>, T>,
    Rnn<3, 4, Tanh, T>,
    Rnn<4, 3, Relu, T>,
    Rnn<3, 3, LeakyRelu<5>, T>,
    Rnn<3, 2, Identity, T>,
    Rnn<2, 2, HardSigmoid, T>,
    MaxOverTime,
);
type Amplifier<T> = (Lstm<1, 6, T>, Steps<Dense<6, 1, Identity, T>>);
type Both<T> = (
    Input<Sequence<4, 2>, T>,
    Residual<Bidirectional<Gru<2, 1, After, T>, 2>>,
    Bidirectional<(Lstm<2, 3, T>, Bidirectional<Conv1d<3, 2, 3, 2, Tanh, T>, 4>), 8>,
    Steps<Residual<Dense<8, 8, Sigmoid, T>>>,
    MeanOverTime,
    Dense<8, 2, Identity, T>,
);
type Waves<T> = (
    Input<Sequence<7, 2>, T>,
    Conv1d<2, 3, 1, 0, Relu, T>,
    Residual<(Conv1d<3, 4, 2, 2, Sigmoid, T>, Conv1d<4, 3, 3, 4, Tanh, T>)>,
    MeanOverTime,
    Residual<Dense<3, 3, Softplus, T>>,
);
type AnyLength<T> = (Conv1d<2, 3, 2, 1, Tanh, T>, Bidirectional<Rnn<3, 2, Tanh, T>, 4>, Steps<Dense<4, 2, Softmax, T>>);

macro_rules! same_in_c {
    ($($test:ident: $network:ident;)+) => {
        $(
            #[test]
            fn $test() {
                same_in_c::<$network<f32>>(stringify!($network));
                same_in_c::<$network<f64>>(stringify!($network));
            }
        )+
    };
}

same_in_c! {
    all_layers_in_c: Mixed;
    two_layers_in_c: Plain;
    wide_layers_in_c: Wide;
    a_norm_first_in_c: First;
    one_layer_in_c: One;
    a_norm_alone_in_c: Alone;
    nothing_in_c: Nothing;
    a_residual_in_c: Around;
    convolutions_in_c: Lenet;
    groups_and_pooling_in_c: Groups;
    a_decoder_in_c: Decoder;
    gated_units_in_c: GruLast;
    steps_in_c: GruSteps;
    recurrent_layers_in_c: Elman;
    an_amplifier_in_c: Amplifier;
    both_directions_in_c: Both;
    causal_convolutions_in_c: Waves;
    one_step_in_c: AnyLength;
}

/// One activation for numbers of all sizes.
fn same_function<A, T: Real>(name: &str)
where
    A: Layer<Features<1>, T> + Model<Features<1>, T, Out = Features<1>> + Clone + Send + Sync,
{
    let name = &format!("{name}_{}", if size_of::<T>() == 4 { "f32" } else { "f64" });
    let network = (Dense::<1, 1, Identity, T>::from_rows([[T::one()]], [T::zero()]), A::ZEROED);
    let mut samples: Vec<[T; 1]> = vec![[T::nan()], [T::infinity()], [T::neg_infinity()], [T::zero()], [-T::zero()]];
    let mut size = T::max_value();
    while size > T::zero() {
        samples.extend([[size], [-size]]);
        size *= T::of(0.43);
    }
    samples.extend((-4000..=4000).map(|step| [T::of(f64::from(step) / 37.0)]));
    let answers = answers_of_c(name, &network, &[[T::of(0.5)], [T::of(-1.5)]], &samples);
    for ([x], found) in samples.iter().zip(&answers) {
        let [right] = network.predict_one(&[*x]);
        if right.is_nan() || found.is_nan() || right.is_infinite() {
            assert!(
                right.is_nan() == found.is_nan() && (right.is_nan() || right == *found),
                "{name}({x}): {found}, not {right}"
            );
            continue;
        }
        // The tail of the normal distribution has an error that grows with the square.
        let limit = if name.starts_with("Gelu") && *x < -T::one() { 16.0 + 2.0 * x.exact() * x.exact() } else { 16.0 };
        // It is a sum that may cancel: a rounding is one of its terms.
        let coarse = cfg!(feature = "reproducible") && ["Sigmoid_f32", "Silu_f32"].contains(&name.as_str());
        let term = if name.starts_with("HardSigmoid") || coarse { T::one() } else { T::zero() };
        let found = distance(&[*found, term], &[right, term]);
        assert!(found <= limit, "{name}({x}): off by {found} roundings from {right}");
    }
}

macro_rules! functions {
    ($($name:ident)+) => {
        #[test]
        fn every_activation_in_c() {
            $(
                same_function::<$name, f32>(stringify!($name));
                same_function::<$name, f64>(stringify!($name));
            )+
        }
    };
}

// Not softmax, which is no function of one value.
functions!(Identity Relu LeakyRelu Elu Selu Gelu Silu Sigmoid HardSigmoid Tanh Softplus Softsign);

/// The same program on a Cortex-M4F, and no function in it that is not its own.
#[test]
fn on_a_microcontroller() {
    let needed = [("arm-none-eabi-gcc", "gcc-arm-none-eabi"), ("qemu-system-arm", "qemu-system-arm")];
    if !tools::are_there(&needed) {
        return;
    }
    on_board::<Mixed<f32>>("Mixed_f32");
    on_board::<Mixed<f64>>("Mixed_f64");
    on_board::<Wide<f32>>("Wide_f32");
    on_board::<Plain<f32>>("Plain_f32");
    on_board::<Lenet<f32>>("Lenet_f32");
    on_board::<GruLast<f32>>("GruLast_f32");
    on_board::<Both<f32>>("Both_f32");
}

fn on_board<N: Exportable + Clone + Send + Sync>(name: &str)
where
    [SampleOf<N>]: Inputs<N::Scalar, N::In>,
{
    let (network, mut random): (N, _) = (stirred(3), Stir(seeded(4)));
    let samples: Vec<_> = (0..20).map(|_| random.sample::<N>(2.0)).collect();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("export");
    let source = export::c_source(&network, "net", &samples[..]).unwrap();
    // The first of the test's outputs made wrong: the program must report it.
    let (start, end) = source.split_once("net_outputs[20]").unwrap();
    let wrong = format!("{start}net_outputs[20]{}", end.replacen("{\n        ", "{\n        1 + ", 1));
    for (name, source, status) in [(name.to_string(), source, 0), (format!("{name}_wrong"), wrong, 1)] {
        let path = folder("board").join(format!("{name}.c"));
        fs::write(&path, &source).unwrap();
        let program = path.with_extension("elf");
        let compiler = || {
            let mut compiler = Command::new("arm-none-eabi-gcc");
            compiler.args(["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard", "-ffreestanding"]);
            compiler
        };
        let object = path.with_extension("o");
        run(compiler().args(STRICT).arg("-Os").args(["-DNET_MAIN", "-c", "-o"]).arg(&object).arg(&path), &[]);
        let mut linker = compiler();
        linker.arg("-nostdlib").arg(tests.join("board.c")).arg(&object).arg("-T").arg(tests.join("board.ld"));
        // With the functions that compute in double precision where the unit can't, which belong to the compiler.
        run(linker.arg("-lgcc").arg("-o").arg(&program), &[]);
        let mut machine = Command::new("qemu-system-arm");
        machine.args(["-M", "mps2-an386", "-cpu", "cortex-m4", "-nographic", "-semihosting", "-kernel"]).arg(&program);
        let found = machine.stdin(Stdio::null()).status().unwrap().code();
        assert_eq!(found, Some(status), "{name}");
    }
}

/// Gives some parameters values whose digits are hard.
struct Extremes;

impl<T: Real> VisitorMut<T, 0> for Extremes {
    fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        let smallest = T::min_positive_value() * T::epsilon();
        for (place, value) in values.iter_mut().zip([-T::zero(), smallest, -T::min_positive_value(), T::epsilon()]) {
            *place = value;
        }
    }
}

fn in_rust<N: Exportable + Clone + Send + Sync>(name: &str) -> String
where
    [SampleOf<N>]: Inputs<N::Scalar, N::In>,
{
    let (mut network, mut random): (N, _) = (stirred(5), Stir(seeded(6)));
    network.visit_mut([], &mut Extremes);
    let samples: Vec<_> = (0..5).map(|_| random.sample::<N>(2.0)).collect();
    let source = folder("rust/src");
    fs::write(source.join(format!("{name}.rs")), export::rust_source(&network, &samples[..]).unwrap()).unwrap();
    fs::write(source.join(format!("{name}_alone.rs")), export::rust_expression(&network).unwrap()).unwrap();
    format!(
        "mod {name} {{
    include!(\"{name}.rs\");
}}
#[test]
fn {name}_comes_back() {{
    static AGAIN: {name}::Net = include!(\"{name}_alone.rs\");
    assert!(tuplenet::io::export::rust_source(&AGAIN, &{name}::INPUTS).unwrap() == include_str!(\"{name}.rs\"));
    assert!({name}::NETWORK == AGAIN);
}}
"
    )
}

/// Networks in Rust are compiled again without a warning and come back to the bit, seeds and counts too; their
/// self-tests pass.
#[test]
fn networks_in_rust() {
    let main = [
        in_rust::<Mixed<f32>>("mixed_single"),
        in_rust::<Mixed<f64>>("mixed_double"),
        in_rust::<First<f32>>("first"),
        in_rust::<One<f64>>("one"),
        in_rust::<Around<f32>>("around"),
        in_rust::<Nothing<f32>>("nothing"),
        in_rust::<Wide<f32>>("wide"),
        in_rust::<Lenet<f32>>("lenet"),
        in_rust::<Groups<f32>>("groups"),
        in_rust::<Groups<f64>>("groups_double"),
        in_rust::<Decoder<f32>>("decoder"),
        in_rust::<GruLast<f32>>("gru_last"),
        in_rust::<GruSteps<f64>>("gru_steps"),
        in_rust::<Amplifier<f32>>("amplifier"),
        in_rust::<Both<f32>>("both"),
        in_rust::<Waves<f64>>("waves"),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let package = folder("rust");
    fs::write(package.join("src/main.rs"), format!("#![deny(warnings)]\nfn main() {{}}\n{}", main.concat())).unwrap();
    // As this package is built, so that nothing is built again; with the same versions, and without a network.
    let features = if cfg!(feature = "reproducible") { r#""export", "reproducible""# } else { r#""export""# };
    let manifest = format!(
        "[package]\nname = \"exported\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\ntuplenet = {{ path = {root:?}, features = [{features}] }}\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--manifest-path"]).arg(package.join("Cargo.toml"));
    cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap());
    let output = String::from_utf8(run(&mut cargo, &[])).unwrap();
    assert!(output.contains("test result: ok. 32 passed"), "{output}");
}

/// Numbers from both ends of the range, and zeros with both signs, are the same in C.
#[test]
fn extreme_weights() {
    fn back<T: Real>(name: &str) {
        let numbers =
            [T::min_positive_value() * T::epsilon(), T::min_positive_value(), -T::zero(), T::of(0.1), T::one()];
        let weight = numbers.map(|number| [number]);
        let network = Dense::<1, 5, Identity, T>::from_rows(weight, [-T::zero(); 5]);
        let one = [[T::one()]];
        let found: Vec<f64> =
            answers_of_c(name, &network, &one, &one).iter().map(|value| value.exact() + 0.0).collect();
        assert_eq!(found, numbers.map(|value| value.exact() + 0.0));
        let network = Dense::<1, 2, Identity, T>::from_rows([[T::max_value()], [T::min_value()]], [T::zero(); 2]);
        assert_eq!(answers_of_c(name, &network, &[[T::zero()]], &one), [T::max_value(), T::min_value()]);
    }
    back::<f32>("extreme_single");
    back::<f64>("extreme_double");
}

/// What can't be written is an error that says where and why.
#[test]
fn what_is_refused() {
    type Net = (Dense<2, 3, Tanh>, Residual<(BatchNorm<3>, Dense<3, 3, Relu>)>, Dense<3, 1, Identity>);
    let samples = [[0.5, 1.0]];
    let refused = |change: &dyn Fn(&mut Net), samples: &[[f32; 2]]| {
        let mut network: Net = stirred(1);
        change(&mut network);
        let error = export::c_source(&network, "net", samples).unwrap_err();
        assert_eq!(export::rust_source(&network, samples).as_ref(), Err(&error));
        let has_samples = matches!(error, ExportError::Samples(_) | ExportError::Sample { .. });
        assert_eq!(export::onnx(&network).err().as_ref(), (!has_samples).then_some(&error));
        error.to_string()
    };
    let says = |change: &dyn Fn(&mut Net), words: &str| assert_eq!(refused(change, &samples), words);
    says(
        &|net| net.0.weight[(2, 1)] = f32::NAN,
        "`network.0.weight`, row 2, column 1: expected a finite number, found NaN",
    );
    says(
        &|net| net.1.0.1.bias[2] = f32::NEG_INFINITY,
        "`network.1.0.1.bias`, row 2, column 0: expected a finite number, found -inf",
    );
    says(
        &|net| net.1.0.0.running_mean[1] = f32::INFINITY,
        "`network.1.0.0.running_mean`, row 1, column 0: expected a finite number, found inf",
    );
    says(
        &|net| net.1.0.0.running_variance[0] = -1.0,
        "`network.1.0.0.scale`, row 0, column 0: expected a finite number, found NaN",
    );
    says(&|net| net.2.bias[0] = f32::NAN, "`network.2.bias`, row 0, column 0: expected a finite number, found NaN");

    let nothing = |_: &mut Net| {};
    assert_eq!(refused(&nothing, &[]), "expected at least one sample, found none");
    assert_eq!(
        refused(&nothing, &[[0.0, 1.0], [0.0, f32::NAN]]),
        "sample 1, input 1: expected a finite number, found NaN"
    );
    assert_eq!(
        refused(&|net| (net.1.0.1.bias[0], net.2.weight) = (1e30, SMatrix::repeat(1e30)), &samples),
        "sample 0, output 0: expected a finite number, found inf"
    );

    let network: Net = stirred(1);
    for name in ["", "1a", "_a", "a b", "a*/", "net\0", "n\u{e9}t", "a-b", "abcdefghijklmnopqrstu", "\"\n"] {
        let error = export::c_source(&network, name, &samples).unwrap_err();
        assert_eq!(export::c_header(&network, name), Err(error.clone()));
        let words = "expected a name of at most 20 letters, digits and underscores that begins with a letter, found `";
        assert_eq!(error.to_string(), format!("{words}{}`", name.escape_debug()));
    }
    for name in ["int", "double_", "A", "abcdefghijklmnopqrst"] {
        let path = folder("c").join(format!("name_{name}.c"));
        fs::write(&path, export::c_source(&network, name, &samples).unwrap()).unwrap();
        let program = path.with_extension("out");
        let main = if name == "A" { "-DA_Main".into() } else { format!("-D{}_MAIN", name.to_uppercase()) };
        run(Command::new("cc").args(STRICT).arg(main).arg(&path).arg("-o").arg(&program), &[]);
        run(&mut Command::new(&program), &[]);
    }
}

/// Where a weight is, and what ONNX has no operator for.
#[test]
fn what_is_refused_of_sequences() {
    type Net = (
        Bidirectional<(Gru<1, 2>, Lstm<2, 2>), 4>,
        Steps<(Dense<4, 3, Tanh>, BatchNorm<3>)>,
        Residual<Conv1d<3, 3, 2, 1, Relu>>,
    );
    let says = |change: &dyn Fn(&mut Net), words: &str| {
        let mut network: Net = stirred(1);
        change(&mut network);
        assert_eq!(export::onnx(&network).unwrap_err().to_string(), words);
        assert_eq!(export::c_header(&network, "net").unwrap_err().to_string(), words);
    };
    says(
        &|net| net.0.forward.1.weight_hh[1][3][0] = f32::NAN,
        "`network.0.forward.1.weight_hh`, row 6, column 1: expected a finite number, found NaN",
    );
    says(
        &|net| net.0.reverse.0.bias_ih[2][1] = f32::INFINITY,
        "`network.0.reverse.0.bias_ih`, row 5, column 0: expected a finite number, found inf",
    );
    says(
        &|net| net.1.0.1.bias[2] = f32::NAN,
        "`network.1.0.1.bias`, row 2, column 0: expected a finite number, found NaN",
    );
    says(
        &|net| net.2.0.weight[2][1][0] = f32::NAN,
        "`network.2.0.weight`, row 0, column 5: expected a finite number, found NaN",
    );
    let selu: (Rnn<1, 2, Selu>, Last) = stirred(1);
    assert_eq!(
        export::onnx(&selu).unwrap_err().to_string(),
        "expected what ONNX can express, found an `Rnn` whose activation is none of its RNN's, such as `Tanh` or `Relu`"
    );
    assert!(export::c_source(&selu, "net", &[[[0.5f32]]]).is_ok());
}

tuplenet::parameters! {
    /// Multiplies each feature by a factor, and adds a bias.
    #[derive(Clone, Debug, PartialEq)]
    struct Line<const N: usize; T> {
        factor: [T; N] = Bias,
        bias: [T; N] = Bias,
    }
}

impl Model<Features<3>, f32> for Line<3> {
    type Out = Features<3>;
    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &SMatrix<f32, 3, B>, y: &mut SMatrix<f32, 3, B>) {
        for (x, mut y) in x.column_iter().zip(y.column_iter_mut()) {
            for i in 0..3 {
                y[i] = x[i] * self.factor[i] + self.bias[i];
            }
        }
    }
}

impl Layer<Features<3>, f32> for Line<3> {
    type Cache<const B: usize> = ();
    type LastActivation = tuplenet::activation::NoActivation<Self>;
    fn backward<S: Simd, const B: usize>(
        &self,
        _: Pass<S, B>,
        _: (&SMatrix<f32, 3, B>, &SMatrix<f32, 3, B>),
        (): &mut (),
        _: &mut SMatrix<f32, 3, B>,
        _: &mut Self,
        _: Option<&mut SMatrix<f32, 3, B>>,
    ) {
    }
    // That of a batch normalization with these statistics.
    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, f32>)) {
        emit(Op::BatchNormalization {
            weight: &self.factor,
            bias: &self.bias,
            mean: &[0.0; 3],
            variance: &[1.0; 3],
            num_batches_tracked: 0,
            epsilon: 0.0,
            pixels: 1,
        });
    }
}

tuplenet::parameters! {
    /// A layer that says something wrong.
    #[derive(Clone, Debug, PartialEq)]
    struct Wrong<const N: usize; T> {
        factor: [T; N] = Bias,
    }
}

impl Model<Features<4>, f32> for Wrong<4> {
    type Out = Features<4>;
    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &SMatrix<f32, 4, B>, y: &mut SMatrix<f32, 4, B>) {
        y.clone_from(x);
    }
}

impl Layer<Features<4>, f32> for Wrong<4> {
    type Cache<const B: usize> = ();
    type LastActivation = tuplenet::activation::NoActivation<Self>;
    fn backward<S: Simd, const B: usize>(
        &self,
        _: Pass<S, B>,
        _: (&SMatrix<f32, 4, B>, &SMatrix<f32, 4, B>),
        (): &mut (),
        _: &mut SMatrix<f32, 4, B>,
        _: &mut Self,
        _: Option<&mut SMatrix<f32, 4, B>>,
    ) {
    }
    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, f32>)) {
        emit(Op::LayerNormalization { weight: &self.factor[..3], bias: &self.factor[1..], epsilon_nanos: 1 });
    }
}

/// A layer of a user's own that says which operation it computes.
#[test]
fn a_layer_that_says_what_it_computes() {
    let network: (Dense<2, 3, Tanh>, Line<3>) = stirred(1);
    let samples = [[0.5, -1.0], [2.0, 0.1]];
    let answers = answers_of_c("line", &network, &samples, &samples);
    assert!(distance(&answers, &predictions(&network, &samples)) < 16.0);
    assert!(export::onnx(&network).is_ok());
    // It says that there are as many factors as features.
    let short: (Dense<2, 4, Tanh>, Wrong<4>) = stirred(1);
    let words =
        "operation 2 of the graph: expected 4 inputs, found 3; see `Layer::operations` of the layer that emits it";
    assert_eq!(export::onnx(&short).unwrap_err().to_string(), words);
    assert_eq!(export::c_header(&short, "net").unwrap_err().to_string(), words);
}

/// Layers and activations of a user's own are refused by their names, unless they say what they compute.
#[test]
fn layers_of_ones_own() {
    struct Cube;
    impl Activation for Cube {
        type DerivativeFrom = tuplenet::activation::FromInput;
        type Init = tuplenet::init::HeNormal;
        fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
            x * x * x
        }
        fn derivative<S: Simd, T: Real>(_: S, x: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
            x * x * T::of(3.0)
        }
    }
    tuplenet::activation_layer!(Cube);
    struct AlsoRelu;
    impl Activation for AlsoRelu {
        type DerivativeFrom = tuplenet::activation::FromOutput;
        type Init = tuplenet::init::HeUniform;
        const KIND: Option<ActivationKind> = Some(ActivationKind::RELU);
        fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
            Relu::value::<S, T>(simd, x)
        }
        fn derivative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
            Relu::derivative::<S, T>(simd, x, y)
        }
    }
    let words = |name: &str| {
        format!(
            "expected layers of the library, and activations that are its own or say in `Activation::KIND` which of these \
             they compute, found `{name}`"
        )
    };
    let error = export::onnx(&<(Dense<2, 3, Cube>, Dense<3, 1, Identity>)>::new(&mut seeded(0))).unwrap_err();
    assert_eq!(error.to_string(), words("Cube"));
    let error = export::c_header(&<(Dense<2, 3, Identity>, Cube)>::new(&mut seeded(0)), "net").unwrap_err();
    assert_eq!(error.to_string(), words("Cube"));
    type Own = (affine::Affine<2, 3, Tanh, f32>, Dense<3, 1, Identity>);
    let error = export::rust_expression(&Own::new(&mut seeded(0))).unwrap_err();
    assert_eq!(error.to_string(), words("Affine<2, 3, Tanh, f32>"));
    assert_eq!(
        export::rust_expression(&<Dense<2, 3, AlsoRelu>>::new(&mut seeded(0))),
        export::rust_expression(&<Dense<2, 3, Relu>>::new(&mut seeded(0)))
    );
}

/// The fields of a message of protobuf: their numbers, and what is in them, a number's bytes as they stand there.
fn fields(mut bytes: &[u8]) -> Vec<(u64, &[u8])> {
    fn varint<'a>(bytes: &mut &'a [u8]) -> (u64, &'a [u8]) {
        let length = bytes.iter().position(|byte| *byte < 128).expect("the end of a number") + 1;
        let (number, rest) = bytes.split_at(length);
        *bytes = rest;
        (number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 127)), number)
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (key, _) = varint(&mut bytes);
        let value = match key & 7 {
            0 => varint(&mut bytes).1,
            2 => {
                let (length, _) = varint(&mut bytes);
                bytes.split_off(..length as usize).expect("as many bytes")
            }
            5 => bytes.split_off(..4).expect("four bytes"),
            kind => panic!("a field of kind {kind}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// All of one field.
fn all<'a>(message: &[(u64, &'a [u8])], field: u64) -> Vec<&'a [u8]> {
    message.iter().filter(|(number, _)| *number == field).map(|(_, value)| *value).collect()
}

#[test]
fn operators_and_weights_in_onnx() {
    let network: Mixed<f32> = stirred(1);
    let bytes = export::onnx(&network).unwrap();
    let graph = fields(all(&fields(&bytes), 7)[0]);
    let nodes: Vec<_> = all(&graph, 1).into_iter().map(fields).collect();
    let operators: Vec<&str> = nodes.iter().map(|node| std::str::from_utf8(all(node, 4)[0]).unwrap()).collect();
    let expected = "Gemm BatchNormalization Mul Erf Add Mul Mul LayerNormalization Gemm Elu Gemm Sigmoid Mul Add Tanh Add Gemm Softplus \
                    Gemm Selu LayerNormalization Gemm LeakyRelu Add Add Gemm Softmax";
    assert_eq!(operators, expected.split(' ').collect::<Vec<_>>());
    assert_eq!(all(nodes.last().unwrap(), 2), [b"output"]);

    // The first weight, row by row.
    let tensors: Vec<_> = all(&graph, 5).into_iter().map(fields).collect();
    assert_eq!((all(&tensors[0], 1), all(&tensors[0], 8)), (vec![&[16][..], &[5]], vec![&b"weight_1"[..]]));
    let rows: Vec<f32> = numbers(all(&tensors[0], 9)[0]);
    assert_eq!(rows, network.0.weight.transpose().as_slice());
}

/// Writes networks, samples and outputs to where `io/run` has asked for them, to be looked at by ONNX Runtime.
fn to_onnx<N: Exportable>(folder: &Path, name: &str, seed: u64)
where
    [SampleOf<N>]: Inputs<N::Scalar, N::In>,
{
    let name = format!("{name}_{}", if size_of::<N::Scalar>() == 4 { "f32" } else { "f64" });
    let (network, mut random): (N, _) = (stirred(seed), Stir(seeded(seed + 1)));
    let samples: Vec<_> = (0..50).map(|index| random.sample::<N>([0.1, 1.0, 3.0][index % 3])).collect();
    let answers = predictions(&network, &samples);
    fs::write(folder.join(format!("{name}.onnx")), export::onnx(&network).unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.inputs")), bytes(&flat::<N::In, N::Scalar>(&samples))).unwrap();
    fs::write(folder.join(format!("{name}.outputs")), bytes(&answers)).unwrap();
}

macro_rules! to_onnx {
    ($folder:expr, $seed:expr, $($network:ident)+; $($function:ident)+) => {
        $(
            to_onnx::<$network<f32>>($folder, stringify!($network), $seed);
            to_onnx::<$network<f64>>($folder, stringify!($network), $seed);
        )+
        $(
            to_onnx::<Dense<4, 3, $function, f32>>($folder, stringify!($function), $seed);
            to_onnx::<Dense<4, 3, $function, f64>>($folder, stringify!($function), $seed);
        )+
    };
}

#[test]
fn files_for_onnx_runtime() {
    let asked = std::env::var_os("TUPLENET_IO").map(PathBuf::from);
    let folder = asked.unwrap_or_else(|| folder("models")).join("onnx");
    fs::create_dir_all(&folder).unwrap();
    let seed = std::env::var("TUPLENET_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    to_onnx!(
        &folder, seed, Mixed Plain Wide First One Alone Nothing Around Lenet Groups Decoder GruLast GruSteps Elman
        Amplifier Both Waves AnyLength;
        Identity Relu LeakyRelu Elu Selu Gelu Silu Sigmoid HardSigmoid Tanh Softplus Softsign Softmax
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3 * 2 * (18 + 13));
}
