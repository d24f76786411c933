//! Networks in integers: bit by bit against sums of 64 bits, against the networks in floats, and what is refused.

use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use tuplenet::Error;
use tuplenet::metrics::accuracy;
use tuplenet::prelude::*;
use tuplenet::quantization::{
    Calibration, Clamp, F32, Lookup, QuantizationOptions, QuantizationReport, Quantized, QuantizedDense,
    QuantizedNetwork, Scale,
};

/// Bits of a xorshift, the same on every machine.
struct Bits(u32);

impl Bits {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn byte(&mut self) -> i8 {
        (self.next() >> 13) as u8 as i8
    }

    /// From -127 to 127.
    fn weight(&mut self) -> i8 {
        self.byte().max(-127)
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// What is in a layer, as it was given.
struct Parts<const IN: usize, const OUT: usize> {
    weight: [[i8; IN]; OUT],
    bias: [i32; OUT],
    multiplier: [u16; OUT],
    shift: [u8; OUT],
    zero: i8,
}

impl<const IN: usize, const OUT: usize> Parts<IN, OUT> {
    fn random(bits: &mut Bits, shift: u8) -> Self {
        Parts {
            weight: std::array::from_fn(|_| std::array::from_fn(|_| bits.weight())),
            bias: std::array::from_fn(|_| bits.next() as i32 >> 18),
            multiplier: std::array::from_fn(|_| bits.next() as u16 | 0x8000),
            shift: [shift; OUT],
            zero: bits.byte(),
        }
    }

    fn layer(&self) -> QuantizedDense<IN, OUT, Identity> {
        let scale = Scale::new(1.0, self.zero);
        QuantizedDense::from_parts(self.weight, self.bias, self.multiplier, self.shift, Clamp, scale, scale)
    }

    /// In 64 bits: the formula, and the distance to the exact value.
    fn reference(&self, x: &[i8; IN]) -> [(i8, f64); OUT] {
        let mut headroom = 0;
        while headroom < 7 && (((IN as i64) << 15) + (1 << 22)) << (headroom + 1) <= 1 << 30 {
            headroom += 1;
        }
        std::array::from_fn(|row| {
            let products = self.weight[row].iter().zip(x).map(|(&w, &x)| i64::from(w) * i64::from(x));
            let sum = i64::from(self.bias[row]) + products.sum::<i64>();
            let product = ((sum << headroom) * i64::from(self.multiplier[row])) >> 16;
            let steps = ((product >> (self.shift[row] - 1)) + 1) >> 1;
            let factor =
                f64::from(self.multiplier[row]) / 65536.0 * f64::from(1 << headroom) / (1u64 << self.shift[row]) as f64;
            let exact = (sum as f64 * factor + f64::from(self.zero)).clamp(-128.0, 127.0);
            let found = (steps + i64::from(self.zero)).clamp(-128, 127) as i8;
            (found, f64::from(found) - exact)
        })
    }
}

fn agrees<const IN: usize, const OUT: usize>(
    parts: &Parts<IN, OUT>,
    quantized: &Quantized<Features<IN>, QuantizedDense<IN, OUT, Identity>>,
    x: &[i8; IN],
) {
    let (found, reference) = (quantized.run(x), parts.reference(x));
    for (found, (expected, distance)) in found.into_iter().zip(reference) {
        assert_eq!(found, expected, "{x:?}");
        assert!(distance.abs() < 0.51, "{x:?}: {distance} from the exact value");
    }
}

#[test]
fn every_input_of_a_small_network() {
    let mut bits = Bits(1);
    for (seed, shift) in [(1, 12), (2, 14), (3, 16)] {
        bits.0 ^= seed << 7;
        let first = Parts::<2, 6>::random(&mut bits, shift + 4);
        let last = Parts::<6, 3>::random(&mut bits, shift + 5);
        let one = Quantized::from_parts(Scale::new(1.0, 0), first.layer());
        let both = Quantized::<Features<2>, _>::from_parts(Scale::new(1.0, 0), (first.layer(), last.layer()));
        for x in 0..=u16::MAX {
            let x = x.to_le_bytes().map(|byte| byte as i8);
            agrees(&first, &one, &x);
            let hidden = first.reference(&x).map(|(y, _)| y);
            assert_eq!(both.run(&x), last.reference(&hidden).map(|(y, _)| y));
        }
    }
}

/// Sizes around those of registers, of four outputs and of 256 inputs.
#[test]
fn all_kinds_of_sizes() {
    fn check<const IN: usize, const OUT: usize>() {
        let mut bits = Bits(IN as u32 * 1000 + OUT as u32);
        let parts = Parts::<IN, OUT>::random(&mut bits, 20);
        let quantized = Quantized::from_parts(Scale::new(1.0, 0), parts.layer());
        for _ in 0..20 {
            agrees(&parts, &quantized, &std::array::from_fn(|_| bits.byte()));
        }
        for (row, weights) in parts.weight.iter().enumerate() {
            for (column, &weight) in weights.iter().enumerate() {
                assert_eq!(quantized.layers().weight(row, column), weight);
            }
        }
    }
    check::<1, 1>();
    check::<3, 4>();
    check::<15, 5>();
    check::<16, 7>();
    check::<33, 8>();
    check::<64, 10>();
    check::<255, 4>();
    check::<256, 4>();
    check::<257, 9>();
    check::<784, 6>();
}

/// The largest weights, inputs and biases at the largest number of inputs that compiles.
#[test]
fn extremes() {
    const IN: usize = 49_023;
    for weight in [-127, 127] {
        for x in [-128, 127] {
            for sign in [-1, 1] {
                let parts = Parts::<IN, 4> {
                    weight: [[weight; IN]; 4],
                    bias: [sign * ((1 << 22) + (IN as i32) * (1 << 14)); 4],
                    multiplier: [65535, 65535, 32768, 65535],
                    shift: [1, 23, 30, 30],
                    zero: -128,
                };
                let quantized = Quantized::from_parts(Scale::new(1.0, 0), parts.layer());
                let reference = parts.reference(&[x; IN]).map(|(y, _)| y);
                assert_eq!(quantized.run(&[x; IN]), reference, "{weight} {x} {sign}");
            }
        }
    }
}

/// One number over all outputs, which every machine computes, optimized or not.
#[test]
fn the_same_integers_everywhere() {
    let mut bits = Bits(7);
    let first = Parts::<19, 13>::random(&mut bits, 21);
    let last = Parts::<13, 5>::random(&mut bits, 21);
    let scale = Scale::new(1.0, last.zero);
    let table = Lookup(std::array::from_fn(|_| bits.byte()));
    let last = QuantizedDense::<13, 5, Tanh>::from_parts(
        last.weight,
        last.bias,
        last.multiplier,
        last.shift,
        table,
        scale,
        scale,
    );
    let quantized = Quantized::<Features<19>, _>::from_parts(Scale::new(1.0, 0), (first.layer(), last));
    let mut hash = 0x811c_9dc5u32;
    for _ in 0..1000 {
        for y in quantized.run(&std::array::from_fn(|_| bits.byte())) {
            hash = (hash ^ u32::from(y as u8)).wrapping_mul(0x0100_0193);
        }
    }
    assert_eq!(hash, HASH, "found {hash:#010x}");
}

const HASH: u32 = 0x7dac_7f05;

type Mixed = (Dense<5, 8, Tanh>, Residual<(Dense<8, 8, Relu>, BatchNorm<8>)>, Gelu, Dropout<20>, Dense<8, 3, Softmax>);

#[test]
fn layers_of_features_agree_with_floats() {
    let mut network = Mixed::new(seeded(0));
    network.1.0.1.running_mean.fill(0.1);
    network.1.0.1.running_variance.fill(0.5);
    let mut bits = Bits(3);
    let samples: Vec<[f32; 5]> = (0..300).map(|_| std::array::from_fn(|_| bits.unit())).collect();
    for calibration in [Calibration::MinMax, Calibration::LeastError, Calibration::Percentile(99.9)] {
        let options = QuantizationOptions { calibration };
        let quantized: QuantizedNetwork<Mixed> = network.quantize_with(&samples, &options).unwrap();
        let report = QuantizationReport::of(&network, &quantized, &samples).unwrap();
        assert!(report.mean_error() < 0.006, "{calibration:?}\n{report}");
        assert_eq!(report.layers().len(), 7, "{report}");
        // All ways of prediction are one.
        let y = quantized.predict_vec(&samples).unwrap();
        for (x, y) in samples.iter().zip(y) {
            assert_eq!(quantized.predict_one(x), y);
            let integers = x.map(|x| quantized.input().quantize(x));
            assert_eq!(quantized.class(&integers), tuplenet::metrics::largest_index(&quantized.run(&integers)));
        }
    }
}

tuplenet::network! {
    type Images = Image<2, 9, 8> =>
        Conv2d<6, 3, Relu, 1, 1>, BatchNorm, DepthwiseConv2d<3, Silu>, MaxPool<2>, GroupedConv2d<4, 2, 3, Tanh, 1, 1>,
        AveragePool<2, 2, 1>, Flatten, Dense<3, Identity>
}
tuplenet::network! {
    type Others = Image<1, 4, 6> =>
        Conv2d<5, (1, 3), LeakyRelu<10>, (1, 2), (0, 1), (1, 2)>, Dropout2d<10>, Upsample<2>, GlobalAveragePool, Dense<8, Sigmoid>,
        Unflatten<2, 2, 2>
}

#[test]
fn layers_of_images_agree_with_floats() {
    let mut bits = Bits(5);
    let network = Images::new(seeded(1));
    let samples: Vec<[[[f32; 8]; 9]; 2]> = (0..60)
        .map(|_| std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| bits.unit()))))
        .collect();
    let quantized = network.quantize(&samples).unwrap();
    let report = QuantizationReport::of(&network, &quantized, &samples).unwrap();
    let scale = quantized.output().scale;
    assert!(report.mean_error() < 2.5 * f64::from(scale), "{report}");

    let network = Others::new(seeded(2));
    let samples: Vec<[[[f32; 6]; 4]; 1]> = (0..60)
        .map(|_| std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| bits.unit()))))
        .collect();
    let quantized = network.quantize(&samples).unwrap();
    let report = QuantizationReport::of(&network, &quantized, &samples).unwrap();
    assert!(report.mean_error() < 0.006, "{report}");
}

#[test]
fn layers_in_floats_stay_exact() {
    type Net = (F32<Dense<3, 6, Tanh>>, Dense<6, 6, Relu>, F32<(Dense<6, 4, Elu>, Dense<4, 1, Identity>)>);
    let network = Net::new(seeded(4));
    let mut bits = Bits(9);
    // One input is a million times the others: on one scale they vanish.
    let samples: Vec<[f32; 3]> = (0..100).map(|_| [1e6 * bits.unit(), bits.unit(), bits.unit()]).collect();
    let quantized = network.quantize(&samples).unwrap();
    let report = QuantizationReport::of(&network, &quantized, &samples).unwrap();
    assert!(report.mean_error() < 0.01, "{report}");

    // A recurrent layer has no other form.
    type Stream = (F32<(tuplenet::layers::Gru<2, 5>, Last)>, Dense<5, 2, Softmax>);
    let network = (F32((tuplenet::layers::Gru::<2, 5>::new(seeded(0)), Last)), Dense::<5, 2, Softmax>::new(seeded(1)));
    let network: (Input<Sequence<7, 2>>, Stream) = (Input::new(seeded(0)), network);
    let samples: Vec<[[f32; 2]; 7]> = (0..50).map(|_| std::array::from_fn(|_| [bits.unit(), bits.unit()])).collect();
    let quantized = network.quantize(&samples).unwrap();
    for x in &samples {
        let (y, z) = (network.predict_one(x), quantized.predict_one(x));
        assert!((y[0] - z[0]).abs() < 0.01, "{y:?} {z:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the weights are, a network is quantized or refused, and every output is within its range.
    #[test]
    fn weights_of_all_sizes(seed: u64, scale in -30i32..20, bias in -30i32..20, input in -10i32..10) {
        let mut network = <(Dense<3, 4, Relu>, Dense<4, 2, Identity>)>::new(seeded(seed));
        network.0.weight *= 2f32.powi(scale);
        network.0.bias.fill(2f32.powi(bias));
        let mut rng = seeded(seed);
        let samples: Vec<[f32; 3]> = (0..50)
            .map(|_| std::array::from_fn(|_| ((rng.next_u32() >> 8) as f32 / 8388608.0 - 1.0) * 2f32.powi(input)))
            .collect();
        let quantized = network.quantize(&samples).unwrap();
        let report = QuantizationReport::of(&network, &quantized, &samples).unwrap();
        let (low, high) = quantized.output().range();
        prop_assert!(report.mean_error() <= 0.03 * f64::from(high - low), "{report}");
    }
}

#[test]
fn what_is_refused() {
    type Net = (Dense<2, 3, Tanh>, Dense<3, 1, Identity>);
    let network = Net::new(seeded(0));
    let good = [[0.0, 1.0], [1.0, 0.0]];
    let refuse = |network: &Net, samples: &[[f32; 2]]| network.quantize(samples).unwrap_err();
    assert_eq!(refuse(&network, &[]), Error::NoSamples);
    let error = refuse(&network, &[[0.5, 0.5]; 3]);
    assert_eq!(
        error.to_string(),
        "expected samples that differ, to find the ranges of values by, found 3 that are all the same"
    );
    let error = refuse(&network, &[[0.0, 1.0], [1.0, f32::NAN]]);
    assert_eq!(error, Error::SampleNotFinite { sample: 1, column: 1 });
    let error = refuse(&network, &[[f32::MAX, 1.0], [f32::MIN, 0.0]]);
    assert_eq!(error, Error::RangeTooLarge { column: 0 });
    for bad in [f32::NAN, f32::INFINITY] {
        let mut broken = network.clone();
        broken.0.weight[(1, 1)] = bad;
        assert_eq!(refuse(&broken, &good), Error::WeightNotFinite);
        let mut broken = network.clone();
        broken.1.bias[0] = bad;
        assert_eq!(refuse(&broken, &good), Error::WeightNotFinite);
    }
    let mut large = network.clone();
    large.1.weight.fill(f32::MAX);
    large.0.bias.fill(100.0);
    assert_eq!(refuse(&large, &good), Error::LayerNotFinite { sample: 0 });
    for percent in [50.0, 100.1, f32::NAN] {
        let options = QuantizationOptions { calibration: Calibration::Percentile(percent) };
        assert!(matches!(network.quantize_with(&good, &options), Err(Error::Setting { .. })));
    }
    let quantized = network.quantize(&good).unwrap();
    assert_eq!(QuantizationReport::of(&network, &quantized, &[[0.0; 2]; 0]), Err(Error::NoSamples));
    assert!(matches!(
        QuantizationReport::of_classes(&network, &quantized, &good, &[0usize, 2]),
        Err(Error::Target { sample: 1, .. })
    ));
    // Not even where the network is dead.
    let dead = (
        Dense::<2, 3, Tanh>::from_rows([[0.0; 2]; 3], [0.0; 3]),
        Dense::<3, 1, Identity>::from_rows([[0.0; 3]], [0.0]),
    );
    let quantized = dead.quantize(&good).unwrap();
    assert_eq!(quantized.predict_one(&[0.5, 0.5]), [0.0]);
}

/// In a row of the second layer, a weight that hardly matters is a thousand times the one that decides, which vanishes.
#[test]
fn the_guilty_layer_is_named() {
    type Net = (Dense<2, 2, Identity>, Dense<2, 3, Relu>, Dense<3, 2, Softmax>);
    let network: Net = (
        Dense::from_rows([[1.0, 0.0], [0.0, 1.0]], [0.0; 2]),
        Dense::from_rows([[1e3, 1.0], [-1e3, -1.0], [0.0, 0.5]], [0.0; 3]),
        Dense::from_rows([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]], [0.0; 2]),
    );
    let mut bits = Bits(11);
    let inputs: Vec<[f32; 2]> = (0..300).map(|_| [1e-5 * bits.unit(), bits.unit()]).collect();
    let classes: Vec<usize> = inputs.iter().map(|x| usize::from(x[1] < 0.0)).collect();
    assert!(accuracy(&network, &inputs, &classes).unwrap() > 0.97);
    let quantized = network.quantize(&inputs).unwrap();
    let report = QuantizationReport::of_classes(&network, &quantized, &inputs, &classes).unwrap();
    let guilty = report.worst().unwrap();
    assert_eq!(guilty.name, std::any::type_name::<Dense<2, 3, Relu>>(), "{report}");
    let error = report.require(0.5).unwrap_err().to_string();
    assert!(error.contains("leave `Dense<2, 3, Relu>`, which costs the most"), "{error}");
    assert!(network.quantize_within(0.5, &inputs, (&inputs, &classes), &QuantizationOptions::default()).is_err());
    // As it says.
    let (first, second, last) = network;
    let mended = (first, F32(second), last);
    let options = QuantizationOptions::default();
    let (_, report) = mended.quantize_within(1.5, &inputs, (&inputs, &classes), &options).unwrap();
    assert!(report.accuracy().unwrap()[1] > 0.97, "{report}");
}

#[test]
fn the_report_is_a_table() {
    let network: (Dense<1, 1, Relu>, Dense<1, 1, Identity>) =
        (Dense::from_rows([[1.0]], [0.0]), Dense::from_rows([[2.0]], [1.0]));
    let inputs = [[-1.0], [0.5], [1.0]];
    let quantized = network.quantize(&inputs).unwrap();
    let report = QuantizationReport::of(&network, &quantized, &inputs).unwrap();
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("layer") && lines[0].ends_with("accuracy"), "{text}");
    assert!(lines[1].starts_with("Dense<1, 1, Relu>") && lines[1].contains("0.0000 to 1.0000"), "{text}");
    assert!(lines[2].starts_with("Dense<1, 1, Identity>"), "{text}");
}
