//! Forward passes, losses, gradients and optimizer steps agree with what PyTorch computes: `golden/make.py` made the
//! numbers.

mod affine;

use affine::Affine;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use tuplenet::data::{ClassIndex, ClassWeighted, Sample, Samples, Weighted};
use tuplenet::layers::Dropout;
use tuplenet::loss::Loss;
use tuplenet::model::{LastActivation, Parameter, Visit, Visitor, VisitorMut, Zeroed};
use tuplenet::prelude::*;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(include_str!("golden/golden.json")).unwrap());

/// The micro-batch for losses: batches of 40 take two and a half.
const MICRO_BATCH: usize = 16;

/// All cases of a part of the file, each of which must be asked for.
struct Section {
    cases: &'static Value,
    unused: RefCell<BTreeSet<&'static str>>,
}

impl Section {
    fn new(name: &str) -> Self {
        let cases = &GOLDEN[name];
        let names = cases.as_object().expect(name).keys();
        Section { cases, unused: RefCell::new(names.map(String::as_str).collect()) }
    }

    fn case(&self, name: &str) -> Case {
        self.unused.borrow_mut().remove(name);
        let numbers = self.cases.get(name).unwrap_or_else(|| panic!("no case {name}"));
        Case { name: name.into(), numbers }
    }

    fn finish(self) {
        assert!(self.unused.borrow().is_empty(), "not compared: {:?}", self.unused);
    }
}

/// One network with its inputs and what PyTorch made of them.
struct Case {
    name: String,
    numbers: &'static Value,
}

impl Case {
    fn network<T: Real, N: Visit<T>>(&self) -> N {
        let mut network = N::ZEROED;
        network.visit_mut([], &mut Load(list(&self.numbers["parameters"]).iter()));
        network
    }

    fn samples<T: Real, const N: usize>(&self, key: &str) -> Vec<[T; N]> {
        list(&self.numbers[key]).iter().map(array).collect()
    }

    /// Compares with numbers whose scale is that of the largest.
    fn compare<T: Real>(&self, what: &str, found: &[T], right: &Value) {
        let right = flat(right);
        assert_eq!(found.len(), right.len(), "{}, {what}", self.name);
        let tolerance = match T::MANTISSA_BITS == f64::MANTISSA_BITS {
            true => 1e-10,
            // Two roundings for each product and sum: Adam's first steps divide by the root of a square that is little else.
            false if cfg!(any(feature = "reproducible", tuplenet_scalar)) => 2e-5,
            false => 1e-5,
        };
        // What is zero but for rounding has no scale.
        let scale = right.iter().fold(1e-3, |largest: f64, number| largest.max(number.abs()));
        for (index, (found, right)) in found.iter().map(number).zip(right).enumerate() {
            let error = (found - right).abs() / scale.min(right.abs().max(1.0));
            assert!(error <= tolerance, "{}, {what}, number {index}: {found}, not {right}: {error:e}", self.name);
        }
    }

    /// Compares a network, or its gradient, tensor by tensor.
    fn compare_parameters<T: Real, N: Visit<T>>(&self, what: &str, found: &N, right: &Value) {
        let mut tensors = Tensors(Vec::new());
        found.visit(&mut tensors);
        assert_eq!(tensors.0.len(), list(right).len(), "{}, {what}", self.name);
        for (index, (found, right)) in tensors.0.iter().zip(list(right)).enumerate() {
            self.compare(&format!("{what} {index}"), found, right);
        }
    }

    /// The loss and the gradient of each batch; `part` makes targets from those of a batch and the place of its first
    /// sample.
    fn check<'a, N, T, L, E, Y, const IN: usize, const OUT: usize>(
        &self,
        loss: &L,
        targets: &'a [E],
        part: impl Fn(&'a [E], usize) -> Y,
    ) where
        T: Real,
        N: FromTo<IN, OUT, T>,
        Y: Samples<T>,
        L: Loss<T, Y::Item, LastActivation<N>, OUT>,
    {
        let (network, inputs) = (self.network::<T, N>(), self.samples::<T, IN>("inputs"));
        let mut workspace = Workspace::<N, MICRO_BATCH>::new();
        for batch in list(&self.numbers["batches"]) {
            let [first, count] = ["first", "count"].map(|key| batch[key].as_u64().unwrap() as usize);
            let range = first..first + count;
            let mut gradient = N::ZEROED;
            let targets = part(&targets[range.clone()], first);
            let mean = workspace.gradient(&network, loss, &inputs[range], &targets, &mut gradient).unwrap();
            let what = format!("{count} samples from {first}");
            self.compare(&format!("loss of {what}"), &[mean], &batch["loss"]);
            self.compare_parameters(&format!("gradient of {what}, tensor"), &gradient, &batch["gradient"]);
        }
    }

    /// [`check`](Self::check) with the targets, of type `E`, as they are.
    fn plain<N, T, E, const IN: usize, const OUT: usize>(&self, loss: &impl Loss<T, E, LastActivation<N>, OUT>)
    where
        T: Real,
        E: Target + Sample<T, Item = E>,
        N: FromTo<IN, OUT, T>,
    {
        let targets: Vec<E> = self.targets();
        self.check::<N, T, _, E, Vec<E>, IN, OUT>(loss, &targets, |part, _| part.to_vec());
    }

    /// [`check`](Self::check) with weights for the samples.
    fn weighted<N, T, E, const IN: usize, const OUT: usize>(&self, loss: &impl Loss<T, E, LastActivation<N>, OUT>)
    where
        T: Real,
        E: Target + Zeroed + Sample<T, Item = E>,
        N: FromTo<IN, OUT, T>,
    {
        let (targets, weights): (Vec<E>, Vec<T>) = (self.targets(), reals(&self.numbers["weights"]));
        self.check::<N, T, _, E, Weighted<[E], T>, IN, OUT>(loss, &targets, |targets, first| Weighted {
            targets,
            weights: &weights[first..first + targets.len()],
        });
    }

    /// [`check`](Self::check) with weights for the classes.
    fn class_weighted<N, T, const IN: usize, const OUT: usize, const CLASSES: usize>(
        &self,
        loss: &impl Loss<T, usize, LastActivation<N>, OUT>,
    ) where
        T: Real,
        usize: ClassIndex<CLASSES>,
        N: FromTo<IN, OUT, T>,
    {
        let (targets, weights) = (self.targets::<usize>(), array(&self.numbers["class_weights"]));
        self.check::<N, T, _, usize, ClassWeighted<[usize], T, CLASSES>, IN, OUT>(loss, &targets, |targets, _| {
            ClassWeighted { targets, weights }
        });
    }

    /// The layers' own passes, which no loss takes over: outputs, gradient, and gradients by the inputs.
    fn passes<N, T, const IN: usize, const OUT: usize>(&self)
    where
        T: Real,
        N: FromTo<IN, OUT, T>,
    {
        const SAMPLES: usize = 5;
        let output_gradients =
            SMatrix::<T, OUT, SAMPLES>::from_column_slice(&reals::<T>(&self.numbers["output_gradients"]));
        let inputs = SMatrix::<T, IN, SAMPLES>::from_column_slice(&reals::<T>(&self.numbers["inputs"]));
        let (network, mut gradient) = (self.network::<T, N>(), N::ZEROED);
        let mut workspace = Workspace::<N, SAMPLES>::new();
        let outputs = workspace.forward(&network, &inputs);
        self.compare("outputs", outputs.as_slice(), &self.numbers["outputs"]);
        let input_gradients = workspace.backward_to_input(&network, &output_gradients, &mut gradient);
        self.compare_parameters("gradient, tensor", &gradient, &self.numbers["batches"][0]["gradient"]);
        self.compare("gradients by the inputs", input_gradients.as_slice(), &self.numbers["input_gradients"]);
    }

    fn targets<E: Target>(&self) -> Vec<E> {
        list(&self.numbers["targets"]).iter().map(E::read).collect()
    }
}

/// A target of one sample: `[T; N]` or a class index.
trait Target: Copy {
    fn read(value: &Value) -> Self;
}

impl<T: Real, const N: usize> Target for [T; N] {
    fn read(value: &Value) -> Self {
        array(value)
    }
}

impl Target for usize {
    fn read(value: &Value) -> Self {
        value.as_u64().unwrap() as usize
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// The values in lists of lists, row by row.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

fn reals<T: Real>(value: &Value) -> Vec<T> {
    flat(value).into_iter().map(T::of).collect()
}

fn array<T: Real, const N: usize>(value: &Value) -> [T; N] {
    reals(value).try_into().expect("as many numbers")
}

fn number<T: Real>(value: &T) -> f64 {
    value.to_f64().unwrap()
}

/// Sets parameters to PyTorch's, whose matrices stand row by row, ours column by column.
struct Load<'a>(std::slice::Iter<'a, Value>);

impl<T: Real> VisitorMut<T, 0> for Load<'_> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        let rows: Vec<T> = reals(self.0.next().expect("a tensor for each parameter"));
        assert_eq!(rows.len(), values.len());
        for (index, value) in rows.into_iter().enumerate() {
            values[index % parameter.columns * parameter.rows + index / parameter.columns] = value;
        }
    }
}

/// All parameters, each row by row.
struct Tensors<T>(Vec<Vec<T>>);

impl<T: Real> Visitor<T> for Tensors<T> {
    fn slice(&mut self, parameter: Parameter, values: &[T]) {
        let row = |row: usize| values[row..].iter().step_by(parameter.rows);
        self.0.push((0..parameter.rows).flat_map(row).copied().collect());
    }
}

fn activations<T: Real>(section: &Section) {
    fn both<T: Real, A: Activation>(section: &Section, name: &str) {
        section.case(name).passes::<(Dense<3, 9, A, T>, Dense<9, 4, A, T>), T, 3, 4>();
    }
    both::<T, Identity>(section, "identity");
    both::<T, Relu>(section, "relu");
    both::<T, LeakyRelu>(section, "leaky_relu");
    both::<T, LeakyRelu<20>>(section, "leaky_relu_200");
    both::<T, Elu>(section, "elu");
    both::<T, Selu>(section, "selu");
    both::<T, Gelu>(section, "gelu");
    both::<T, Silu>(section, "silu");
    both::<T, Sigmoid>(section, "sigmoid");
    both::<T, HardSigmoid>(section, "hard_sigmoid");
    both::<T, Tanh>(section, "tanh");
    both::<T, Softplus>(section, "softplus");
    both::<T, Softsign>(section, "softsign");
    section.case("softmax").passes::<(Dense<3, 9, Tanh, T>, Dense<9, 4, Softmax, T>), T, 3, 4>();
}

fn chains<T: Real>(section: &Section) {
    type A<T> = Dense<3, 17, Tanh, T>;
    type B<T> = Dense<17, 5, Softplus, T>;
    type C<T> = Dense<5, 9, Gelu, T>;
    type D<T> = Dense<9, 1, Selu, T>;
    type E<T> = Dense<1, 12, Silu, T>;
    type F<T> = Dense<12, 4, Elu, T>;
    section.case("deep").passes::<(A<T>, B<T>, C<T>, D<T>, E<T>, F<T>), T, 3, 4>();
    section.case("deep").plain::<((A<T>, (B<T>, C<T>)), (D<T>, (E<T>, F<T>))), T, [T; 4], 3, 4>(&MeanSquaredError);
}

fn losses<T: Real>(section: &Section) {
    fn with_outputs<T: Real, const OUT: usize>(section: &Section) {
        let case = |name: &str| section.case(&format!("{name} {OUT}"));
        type Last<const OUT: usize, A, T> = Affine<4, OUT, A, T>;
        case("mse").plain::<Dense<4, OUT, Identity, T>, T, [T; OUT], 4, OUT>(&MeanSquaredError);
        case("mse").plain::<Last<OUT, Identity, T>, T, [T; OUT], 4, OUT>(&MeanSquaredError);
        case("mae").plain::<Last<OUT, Identity, T>, T, [T; OUT], 4, OUT>(&MeanAbsoluteError);
        case("huber").plain::<Last<OUT, Identity, T>, T, [T; OUT], 4, OUT>(&Huber::<T>::default());
        case("huber_half").plain::<Last<OUT, Identity, T>, T, [T; OUT], 4, OUT>(&Huber { delta: T::of(0.5) });
        case("bce_sigmoid").plain::<Last<OUT, Sigmoid, T>, T, [T; OUT], 4, OUT>(&BinaryCrossEntropy);
        case("bce_identity").plain::<Last<OUT, Identity, T>, T, [T; OUT], 4, OUT>(&BinaryCrossEntropy);
        case("bce_hard_sigmoid").plain::<Last<OUT, HardSigmoid, T>, T, [T; OUT], 4, OUT>(&BinaryCrossEntropy);
    }
    fn with_classes<T: Real, const OUT: usize>(section: &Section) {
        let case = |name: &str| section.case(&format!("{name} {OUT}"));
        type Last<const OUT: usize, A, T> = Affine<4, OUT, A, T>;
        // Probabilities that come from a layer without an activation are compared as they are.
        type Bare<const OUT: usize, A, T> = (Dense<4, OUT, A, T>, Dropout<0>);
        case("ce_softmax_class").plain::<Last<OUT, Softmax, T>, T, usize, 4, OUT>(&CrossEntropy);
        case("ce_softmax").plain::<Last<OUT, Softmax, T>, T, [T; OUT], 4, OUT>(&CrossEntropy);
        case("ce_identity_class").plain::<Last<OUT, Identity, T>, T, usize, 4, OUT>(&CrossEntropy);
        case("ce_identity").plain::<Last<OUT, Identity, T>, T, [T; OUT], 4, OUT>(&CrossEntropy);
        case("ce_sigmoid_class").plain::<Bare<OUT, Sigmoid, T>, T, usize, 4, OUT>(&CrossEntropy);
        case("ce_sigmoid").plain::<Bare<OUT, Sigmoid, T>, T, [T; OUT], 4, OUT>(&CrossEntropy);
    }
    with_outputs::<T, 1>(section);
    with_outputs::<T, 3>(section);
    with_outputs::<T, 10>(section);
    with_outputs::<T, 17>(section);
    with_classes::<T, 3>(section);
    with_classes::<T, 10>(section);
    with_classes::<T, 17>(section);
    let case = |name: &str| section.case(name);
    case("bce_sigmoid_class 1").plain::<Affine<4, 1, Sigmoid, T>, T, usize, 4, 1>(&BinaryCrossEntropy);
    case("bce_identity_class 1").plain::<Affine<4, 1, Identity, T>, T, usize, 4, 1>(&BinaryCrossEntropy);
}

fn weighted<T: Real>(section: &Section) {
    let case = |name: &str| section.case(name);
    case("mse 3").weighted::<Dense<4, 3, Identity, T>, T, [T; 3], 4, 3>(&MeanSquaredError);
    case("bce_sigmoid 10").weighted::<Affine<4, 10, Sigmoid, T>, T, [T; 10], 4, 10>(&BinaryCrossEntropy);
    case("ce_softmax 3").weighted::<Affine<4, 3, Softmax, T>, T, [T; 3], 4, 3>(&CrossEntropy);
    case("ce_softmax_class 10").weighted::<Affine<4, 10, Softmax, T>, T, usize, 4, 10>(&CrossEntropy);
    case("by class: ce_softmax 3").class_weighted::<Affine<4, 3, Softmax, T>, T, 4, 3, 3>(&CrossEntropy);
    case("by class: ce_identity 17").class_weighted::<Affine<4, 17, Identity, T>, T, 4, 17, 17>(&CrossEntropy);
    case("by class: bce_sigmoid 1").class_weighted::<Affine<4, 1, Sigmoid, T>, T, 4, 1, 2>(&BinaryCrossEntropy);
}

fn extremes<T: Real>(section: &Section) {
    let case = |name: &str| section.case(name);
    for targets in ["sure", "unsure"] {
        let case = |name: &str| case(&format!("{name} {targets}"));
        case("bce_sigmoid").plain::<Dense<3, 3, Sigmoid, T>, T, [T; 3], 3, 3>(&BinaryCrossEntropy);
        case("bce_identity").plain::<Dense<3, 3, Identity, T>, T, [T; 3], 3, 3>(&BinaryCrossEntropy);
    }
    case("ce_softmax class").plain::<Dense<3, 3, Softmax, T>, T, usize, 3, 3>(&CrossEntropy);
    case("ce_softmax distribution").plain::<Dense<3, 3, Softmax, T>, T, [T; 3], 3, 3>(&CrossEntropy);
    case("ce_identity class").plain::<Dense<3, 3, Identity, T>, T, usize, 3, 3>(&CrossEntropy);
    case("ce_identity distribution").plain::<Dense<3, 3, Identity, T>, T, [T; 3], 3, 3>(&CrossEntropy);
}

fn optimizers<T: Real>(section: &Section) {
    /// Ten steps on the same batch, the weights after each.
    fn ten_steps<O: Optimizer>(section: &Section, name: &str, optimizer: O) {
        type Net<T> = (Dense<3, 5, Tanh, T>, Dense<5, 2, Identity, T>);
        let case = section.case(name);
        let (inputs, targets) = (case.samples::<O::Scalar, 3>("inputs"), case.samples::<O::Scalar, 2>("targets"));
        let mut network = case.network::<O::Scalar, Net<O::Scalar>>();
        let (mut gradient, mut state) = (Net::ZEROED, Zeroed::ZEROED);
        let mut workspace = Workspace::<Net<O::Scalar>, MICRO_BATCH>::new();
        let steps = list(&case.numbers["steps"]);
        assert_eq!(steps.len(), 10);
        for (number, right) in steps.iter().enumerate() {
            workspace.gradient(&network, &MeanSquaredError, &inputs, &targets, &mut gradient).unwrap();
            optimizer.step(&mut network, &mut gradient, &mut state);
            case.compare_parameters(&format!("step {number}, tensor"), &network, right);
        }
    }
    let t = T::of;
    let (sgd, adam) = (Sgd::new(t(0.1)), Adam::new(t(0.02)));
    ten_steps(section, "sgd", sgd);
    ten_steps(section, "momentum", sgd.momentum(t(0.9)));
    ten_steps(section, "nesterov", sgd.nesterov(t(0.9)));
    ten_steps(section, "rmsprop", RmsProp::new(t(0.02)));
    ten_steps(section, "adagrad", Adagrad::new(t(0.1)));
    ten_steps(section, "adam", adam);
    ten_steps(section, "adamw", AdamW::new(t(0.02)));
    ten_steps(section, "adamw 0.3", AdamW { adam, weight_decay: t(0.3) });
    ten_steps(section, "sgd l1", sgd.l1(t(0.05)));
    ten_steps(section, "sgd l2", sgd.l2(t(0.2)));
    ten_steps(section, "sgd decay", sgd.weight_decay(t(0.3)));
    ten_steps(section, "sgd clip_norm", sgd.clip_norm(t(2.0)));
    ten_steps(section, "sgd clip_value", sgd.clip_value(t(0.1)));
    ten_steps(section, "adam l1", adam.l1(t(0.05)));
    ten_steps(section, "adam l2", adam.l2(t(0.2)));
    ten_steps(section, "adam decay", adam.weight_decay(t(0.3)));
    ten_steps(section, "adam clip_norm", adam.clip_norm(t(2.0)));
    ten_steps(section, "adam clip_value", adam.clip_value(t(0.1)));
    ten_steps(section, "adam l2 clip_norm", adam.clip_norm(t(2.0)).l2(t(0.2)));
}

macro_rules! sections {
    ($($section:ident)+) => {
        $(mod $section {
            use super::Section;

            #[test]
            fn f64() {
                let section = Section::new(stringify!($section));
                super::$section::<f64>(&section);
                section.finish();
            }

            #[test]
            fn f32() {
                let section = Section::new(stringify!($section));
                super::$section::<f32>(&section);
                section.finish();
            }
        })+

        #[test]
        fn every_section_is_compared() {
            let sections: BTreeSet<&str> = GOLDEN.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(sections, BTreeSet::from([$(stringify!($section)),+]));
        }
    };
}
sections! { activations chains losses weighted extremes optimizers }
