//! Networks and training runs through JSON and postcard: every bit comes back, and what does not fit is refused with a
//! readable error.

#![cfg(all(feature = "serde", feature = "std"))]

use rand::rngs::Xoshiro256PlusPlus;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tuplenet::data::{MinMaxScaler, StandardScaler};
use tuplenet::layers::{BatchNorm, Dropout, LayerNorm, Residual};
use tuplenet::loss::Loss;
use tuplenet::model::{LastActivation, Zeroed};
use tuplenet::optimizer::schedule::{
    Constant, CosineAnnealing, ExponentialDecay, OneCycle, ReduceOnPlateau, Schedule, StepDecay,
};
use tuplenet::optimizer::{Optimizer, OptimizerState};
use tuplenet::prelude::*;

/// Every kind of layer, with rows and columns of one and of many numbers.
type Block<T> = Residual<(LayerNorm<5, T>, Dense<5, 1, Relu, T>, Dense<1, 5, Tanh, T>)>;
type Net<T> = ((Dense<2, 5, Identity, T>, BatchNorm<5, T>, LeakyRelu), Dropout<20>, Block<T>, Dense<5, 1, Sigmoid, T>);

fn data<T: Real>() -> (Vec<[T; 2]>, Vec<[T; 1]>) {
    let mut rng = seeded(7);
    let inputs: Vec<[T; 2]> = (0..70).map(|_| [0; 2].map(|_| T::from_random_bits(rng.next_u64()))).collect();
    let targets = inputs.iter().map(|x| [if x[0] > x[1] { T::ONE } else { T::ZERO }]).collect();
    (inputs, targets)
}

fn json<V: Serialize, W: DeserializeOwned>(value: &V) -> W {
    let text = serde_json::to_string(value).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The bits of a value: what postcard writes of floats is their bytes.
fn bits(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

/// Through both formats and back, bit for bit.
fn round_trips<V: Serialize + DeserializeOwned>(value: &V) {
    let written = bits(value);
    let (read, rest) = postcard::take_from_bytes::<V>(&written).unwrap();
    assert!(rest.is_empty(), "{} bytes were not read", rest.len());
    assert_eq!(bits(&read), written);
    assert_eq!(bits(&json::<V, V>(value)), written);
}

/// A trainer that was written after three epochs and read continues as if it had not been.
fn mark_epoch<T: Real, L, O>(loss: L, optimizer: O)
where
    L: Loss<T, [T; 1], LastActivation<Net<T>>, 1> + Clone + Serialize + DeserializeOwned,
    O: Optimizer<Scalar = T> + Clone + Serialize + DeserializeOwned,
    OptimizerState<O, Net<T>>: Serialize + DeserializeOwned,
{
    let (inputs, targets) = data::<T>();
    let fit = |epochs| FitOptions { epochs, batch_size: 20, shuffle: true };
    let new = || {
        let network = Net::<T>::new(&mut seeded(3));
        Trainer::<_, _, _, _, 8>::with_micro_batch(network, loss.clone(), optimizer.clone(), seeded(1))
    };
    let (mut whole, mut part) = (new(), new());
    whole.fit(&inputs, &targets, &fit(5), ()).unwrap();
    part.fit(&inputs, &targets, &fit(3), ()).unwrap();
    round_trips(&part);
    let mut from_json: Trainer<Net<T>, L, O, Xoshiro256PlusPlus, 8> = json(&part);
    let mut from_postcard: Trainer<Net<T>, L, O, Xoshiro256PlusPlus, 8> = postcard::from_bytes(&bits(&part)).unwrap();
    assert_ne!(bits(&whole), bits(&part));
    for resumed in [&mut from_json, &mut from_postcard] {
        resumed.fit(&inputs, &targets, &fit(2), ()).unwrap();
        assert_eq!(bits(resumed), bits(&whole));
    }
}

#[test]
fn trainers_go_on() {
    mark_epoch(BinaryCrossEntropy, Sgd::new(0.1f32));
    mark_epoch(MeanSquaredError, Sgd::new(0.1f64).nesterov(0.9).by_epoch(ExponentialDecay::new(0.7)));
    mark_epoch(MeanAbsoluteError, Adagrad::new(0.1f32).by_step(OneCycle::new(20)));
    mark_epoch(
        Huber { delta: 0.3 },
        RmsProp::new(0.01f64).clip_norm(0.5).by_step(CosineAnnealing::new(20).after_warmup(3, 0.1)),
    );
    mark_epoch(BinaryCrossEntropy, Adam::new(0.01f32).clip_value(0.1).by_epoch(ReduceOnPlateau::new()));
    mark_epoch(BinaryCrossEntropy, AdamW::new(0.01f64).l1(1e-3).l2(1e-3).by_epoch(StepDecay::new(2, 0.5)));
    mark_epoch(BinaryCrossEntropy, Adam::new(0.01f32).weight_decay(0.1).by_epoch(Constant));
}

#[test]
fn whatever_bits_a_number_has_they_come_back() {
    type Wide<T> = Dense<64, 64, Identity, T>;
    let mut rng = seeded(5);
    let mut finite = move || {
        loop {
            let bits = rng.next_u64();
            if f64::from_bits(bits).is_finite() && f32::from_bits(bits as u32).is_finite() {
                return bits;
            }
        }
    };
    let (mut single, mut double) = (Wide::<f32>::ZEROED, Wide::<f64>::ZEROED);
    for _ in 0..10 {
        single.weight.iter_mut().for_each(|w| *w = f32::from_bits(finite() as u32));
        double.weight.iter_mut().for_each(|w| *w = f64::from_bits(finite()));
        // A number whose shortest decimal is another one if it is first read in double precision.
        single.bias[0] = f32::from_bits(0x15ae_43fd);
        (single.bias[1], double.bias[1]) = (-0.0, -0.0);
        round_trips(&single);
        round_trips(&double);
    }
}

#[test]
fn text_has_no_infinity_and_no_nan() {
    let line = |weight: f32| Dense::<1, 1, Identity>::from_rows([[weight]], [0.0]);
    for (weight, words) in [(f32::NAN, "found NaN"), (f32::NEG_INFINITY, "found an infinite one")] {
        let error = serde_json::to_string(&line(weight)).unwrap_err().to_string();
        assert_eq!(error, format!("expected a finite number to write as text, {words}"));
        let read: Dense<1, 1, Identity> = postcard::from_bytes(&bits(&line(weight))).unwrap();
        assert_eq!(read.weight[0].to_bits(), weight.to_bits());
    }
    let error = serde_json::from_str::<Dense<1, 1, Identity>>(r#"{"weight":[[1e39]],"bias":[0]}"#).unwrap_err();
    assert_eq!(error.to_string(), "number out of range at line 1 column 16");
    // A format that has read it in double precision.
    let value = serde_json::json!({ "weight": [[1e39]], "bias": [0] });
    let error = serde_json::from_value::<Dense<1, 1, Identity>>(value).unwrap_err();
    assert_eq!(error.to_string(), "expected a number within the range of f32, found a larger one");

    // Where none is a number as good as any.
    round_trips(&ReduceOnPlateau::new());
    assert!(serde_json::to_string(&ReduceOnPlateau::new()).unwrap().contains(r#""best":null"#));
    let outcome: FitReport<f32> = json(&FitReport { epochs: 0, loss: f32::NAN });
    assert!(outcome.epochs == 0 && outcome.loss.is_nan());
}

#[test]
fn the_rest() {
    let samples = [[1.0f32, 5.0], [3.0, 5.0]];
    round_trips(&StandardScaler::fit(&samples).unwrap());
    round_trips(&MinMaxScaler::fit(&samples.map(|sample| sample.map(f64::from))).unwrap());
    round_trips(&FitOptions::default());
    round_trips(&FitReport { epochs: 3, loss: 0.5f64 });
    round_trips(&CrossEntropy);

    let (inputs, targets) = data::<f32>();
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
    let (mut history, mut stopping) = (History::new(), EarlyStopping::new(10).min_delta(0.01));
    round_trips(&stopping);
    let fit = FitOptions { epochs: 4, ..FitOptions::default() };
    trainer.fit_validated(&inputs, &targets, (&inputs, &targets), &fit, (&mut history, &mut stopping)).unwrap();
    assert_eq!(history.losses().len(), 4);
    round_trips(&history);
    round_trips(&stopping);
    let read: EarlyStopping<Net<f32>> = json(&stopping);
    assert!(read.best_network() == stopping.best_network() && read.best() == stopping.best());
    assert_eq!((read.patience, read.min_delta), (10, 0.01));
}

/// Four megabytes, read by a thread whose stack has one.
#[test]
fn a_network_in_a_box_is_read_where_it_is() {
    type Large =
        (Dense<1000, 1000, Relu>, Residual<(Dense<1000, 1, Tanh>, Dense<1, 1000, Tanh>)>, Dense<1000, 1, Tanh>);
    let (network, mut other) = (Large::boxed(&mut seeded(0)), Large::boxed(&mut seeded(1)));
    let written = bits(&network);
    assert!(other != network);
    let read = || {
        let mut source = postcard::Deserializer::from_bytes(&written);
        Deserialize::deserialize_in_place(&mut source, &mut *other).unwrap();
        assert!(source.finalize().unwrap().is_empty());
    };
    let stack = std::thread::Builder::new().stack_size(1 << 20);
    std::thread::scope(|scope| stack.spawn_scoped(scope, read).unwrap().join().unwrap());
    assert!(other == network);
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    type Two = (Dense<2, 3, Tanh>, Dense<3, 1, Sigmoid>);
    fn words<V: DeserializeOwned>(text: &str) -> String {
        let error = serde_json::from_str::<V>(text).err().expect("what does not fit").to_string();
        error.split(" at line").next().unwrap().to_string()
    }
    let text = serde_json::to_string(&Two::new(&mut seeded(0))).unwrap();
    assert_eq!(words::<(Dense<3, 3, Tanh>, Dense<3, 1, Sigmoid>)>(&text), "invalid length 2, expected 3 numbers");
    assert_eq!(words::<(Dense<1, 3, Tanh>, Dense<3, 1, Sigmoid>)>(&text), "invalid length 2, expected 1 number");
    assert_eq!(
        words::<(Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>)>(&text),
        "invalid length 3, expected 4 rows of 2 numbers"
    );
    assert_eq!(
        words::<(Dense<2, 1, Tanh>, Dense<3, 1, Sigmoid>)>(&text),
        "invalid length 3, expected 1 row of 2 numbers"
    );
    assert_eq!(words::<(Dense<2, 3, Tanh>,)>(&text), "trailing characters");
    type Three = (Dense<2, 3, Tanh>, Dense<3, 1, Sigmoid>, Dense<1, 1, Sigmoid>);
    assert_eq!(words::<Three>(&text), "invalid length 2, expected a tuple of size 3");
    type Normed = (Dense<2, 3, Tanh>, LayerNorm<3>, Dense<3, 1, Sigmoid>);
    assert_eq!(words::<Normed>(&text), "invalid type: sequence, expected f32");
    type Dropped = (Dense<2, 3, Tanh>, Dropout<10>);
    assert_eq!(words::<Dropped>(&text), "unknown field `weight`, expected `seed`");

    let text = serde_json::to_string(&BatchNorm::<1>::new(&mut seeded(0))).unwrap();
    let negative = text.replace(r#""running_variance":[1.0]"#, r#""running_variance":[-1.0]"#);
    assert_eq!(words::<BatchNorm<1>>(&negative), "expected a running variance that is not negative, found -1");

    let line = words::<Dense<1, 1, Tanh>>;
    assert_eq!(line(r#"{"weight":[[1]]}"#), "missing field `bias`");
    assert_eq!(line(r#"{"weight":[[1]],"bias":[null]}"#), "invalid type: null, expected f32");
    assert_eq!(line(r#"{"weight":[1],"bias":[0]}"#), "invalid type: integer `1`, expected 1 number");
    assert_eq!(line(r#"{"weight":[[1]],"bias":["0"]}"#), "invalid type: string \"0\", expected f32");
    assert_eq!(line(r#"{"weight":[[1]],"bias":[0,0,0,0]}"#), "invalid length 4, expected 1 number");
    assert_eq!(line(r#"{"weight":[[1]],"bias":[0],"gain":[1]}"#), "unknown field `gain`, expected `weight` or `bias`");
    assert_eq!(words::<Adam>(r#"{"learning_rate":0.1,"beta1":0.9,"beta2":0.999}"#), "missing field `epsilon`");
}

/// Cut and damaged text and bytes: an error or another value, but no panic.
#[test]
fn damaged_input() {
    let network = Net::<f32>::new(&mut seeded(0));
    let trainer = Trainer::new(network, MeanSquaredError, Adam::new(0.01).by_epoch(ReduceOnPlateau::new()), seeded(1));
    type Mine =
        Trainer<Net<f32>, MeanSquaredError, tuplenet::optimizer::Scheduled<Adam, ReduceOnPlateau>, Xoshiro256PlusPlus>;
    let (text, bytes) = (serde_json::to_vec(&trainer).unwrap(), bits(&trainer));
    let json = |text: &[u8]| serde_json::from_slice::<Mine>(text).is_ok();
    let postcard = |bytes: &[u8]| postcard::from_bytes::<Mine>(bytes).is_ok();
    assert!(json(&text) && postcard(&bytes));
    assert!((0..text.len()).all(|length| !json(&text[..length])));
    assert!((0..bytes.len()).all(|length| !postcard(&bytes[..length])));

    let mut rng = seeded(2);
    let mut taken = [0; 2];
    for _ in 0..3000 {
        for (whole, taken) in [&text, &bytes].into_iter().zip(&mut taken) {
            let mut damaged = whole.clone();
            let at = rng.next_u64() as usize % damaged.len();
            match rng.next_u64() % 3 {
                0 => damaged[at] ^= 1 << (rng.next_u64() % 8),
                1 => damaged.insert(at, b"0-9[]{},\"e\xff"[rng.next_u64() as usize % 11]),
                _ => drop(damaged.remove(at)),
            }
            let is_text = whole[0] == b'{';
            *taken += usize::from(if is_text { json(&damaged) } else { postcard(&damaged) });
        }
    }
    // A digit or a bit of a number may be another one; a bracket or a name may not.
    assert!(taken.iter().all(|taken| (300..2900).contains(taken)), "{taken:?}");
}
