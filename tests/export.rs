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
use tuplenet::io::export::{self, ExportError, Exportable};
use tuplenet::layers::*;
use tuplenet::model::{Kind, Model, Parameter, Trainable, VisitorMut};
use tuplenet::prelude::*;
use tuplenet::simd::{Lanes, Simd};

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

    fn sample<T: Real, const N: usize>(&mut self, scale: f64) -> [T; N] {
        core::array::from_fn(|_| T::of(self.number() * scale))
    }
}

impl<R: Rng, T: Real> VisitorMut<T, 0> for Stir<R> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        let (scale, centre) = match (parameter.kind, parameter.name) {
            (Kind::Weight, _) => (2.0 / (parameter.columns as f64).sqrt(), 0.0),
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
fn answers_of_c<N, const IN: usize, const OUT: usize>(
    name: &str,
    network: &N,
    vectors: &[[N::Scalar; IN]],
    samples: &[[N::Scalar; IN]],
) -> Vec<[N::Scalar; OUT]>
where
    N: Exportable<IN, OUT> + Clone + Send + Sync,
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
    let output = run(&mut Command::new(&program), &bytes(samples.as_flattened()));
    let answers: Vec<N::Scalar> = numbers(&output);
    assert_eq!(answers.len(), samples.len() * OUT);
    answers.chunks(OUT).map(|answer| answer.try_into().unwrap()).collect()
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
fn same_in_c<N, const IN: usize, const OUT: usize>(name: &str)
where
    N: Exportable<IN, OUT> + Clone + Send + Sync,
{
    let name = &format!("{name}_{}", if size_of::<N::Scalar>() == 4 { "f32" } else { "f64" });
    for seed in 0..2 {
        let network: N = stirred(seed);
        let mut random = Stir(seeded(seed + 100));
        let samples: Vec<[N::Scalar; IN]> = (0..300).map(|index| random.sample([0.1, 1.0, 5.0][index % 3])).collect();
        let answers = answers_of_c(name, &network, &samples[..40], &samples);
        let mut farthest: f64 = 0.0;
        for (sample, found) in samples.iter().zip(&answers) {
            let right: [N::Scalar; OUT] = network.predict_one(sample);
            farthest = farthest.max(distance(found, &right));
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

macro_rules! same_in_c {
    ($($test:ident: $network:ident;)+) => {
        $(
            #[test]
            fn $test() {
                same_in_c::<$network<f32>, _, _>(stringify!($network));
                same_in_c::<$network<f64>, _, _>(stringify!($network));
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
    for ([x], [found]) in samples.iter().zip(&answers) {
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
    on_board::<Mixed<f32>, 5, 3>("Mixed_f32");
    on_board::<Mixed<f64>, 5, 3>("Mixed_f64");
    on_board::<Wide<f32>, 40, 6>("Wide_f32");
    on_board::<Plain<f32>, 4, 1>("Plain_f32");
}

fn on_board<N: Exportable<IN, OUT> + Clone + Send + Sync, const IN: usize, const OUT: usize>(name: &str) {
    let (network, mut random): (N, _) = (stirred(3), Stir(seeded(4)));
    let samples: Vec<[N::Scalar; IN]> = (0..20).map(|_| random.sample(2.0)).collect();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("export");
    let source = export::c_source(&network, "net", &samples).unwrap();
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

fn in_rust<N: Exportable<IN, OUT> + Clone + Send + Sync, const IN: usize, const OUT: usize>(name: &str) -> String {
    let (mut network, mut random): (N, _) = (stirred(5), Stir(seeded(6)));
    network.visit_mut([], &mut Extremes);
    let samples: Vec<[N::Scalar; IN]> = (0..5).map(|_| random.sample(2.0)).collect();
    let source = folder("rust/src");
    fs::write(source.join(format!("{name}.rs")), export::rust_source(&network, &samples).unwrap()).unwrap();
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
        in_rust::<Mixed<f32>, 5, 3>("mixed_single"),
        in_rust::<Mixed<f64>, 5, 3>("mixed_double"),
        in_rust::<First<f32>, 3, 2>("first"),
        in_rust::<One<f64>, 3, 5>("one"),
        in_rust::<Around<f32>, 4, 4>("around"),
        in_rust::<Nothing<f32>, 4, 4>("nothing"),
        in_rust::<Wide<f32>, 40, 6>("wide"),
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
    assert!(output.contains("test result: ok. 14 passed"), "{output}");
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
        let found: Vec<[T; 5]> = answers_of_c(name, &network, &one, &one);
        assert_eq!(found[0].map(|value| value.exact() + 0.0), numbers.map(|value| value.exact() + 0.0));
        let network = Dense::<1, 2, Identity, T>::from_rows([[T::max_value()], [T::min_value()]], [T::zero(); 2]);
        let found: Vec<[T; 2]> = answers_of_c(name, &network, &[[T::zero()]], &one);
        assert_eq!(found[0], [T::max_value(), T::min_value()]);
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
fn to_onnx<N: Exportable<IN, OUT>, const IN: usize, const OUT: usize>(folder: &Path, name: &str, seed: u64) {
    let name = format!("{name}_{}", if size_of::<N::Scalar>() == 4 { "f32" } else { "f64" });
    let (network, mut random): (N, _) = (stirred(seed), Stir(seeded(seed + 1)));
    let samples: Vec<[N::Scalar; IN]> = (0..50).map(|index| random.sample([0.1, 1.0, 3.0][index % 3])).collect();
    let answers: Vec<[N::Scalar; OUT]> = samples.iter().map(|sample| network.predict_one(sample)).collect();
    fs::write(folder.join(format!("{name}.onnx")), export::onnx(&network).unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.inputs")), bytes(samples.as_flattened())).unwrap();
    fs::write(folder.join(format!("{name}.outputs")), bytes(answers.as_flattened())).unwrap();
}

macro_rules! to_onnx {
    ($folder:expr, $seed:expr, $($network:ident)+; $($function:ident)+) => {
        $(
            to_onnx::<$network<f32>, _, _>($folder, stringify!($network), $seed);
            to_onnx::<$network<f64>, _, _>($folder, stringify!($network), $seed);
        )+
        $(
            to_onnx::<Dense<4, 3, $function, f32>, _, _>($folder, stringify!($function), $seed);
            to_onnx::<Dense<4, 3, $function, f64>, _, _>($folder, stringify!($function), $seed);
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
        &folder, seed, Mixed Plain Wide First One Alone Nothing Around;
        Identity Relu LeakyRelu Elu Selu Gelu Silu Sigmoid HardSigmoid Tanh Softplus Softsign Softmax
    );
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3 * 2 * (8 + 13));
}
