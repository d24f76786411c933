//! Trains the networks of `examples/firmware` on a PC and writes them as Rust source, which a program for a
//! microcontroller includes: their weights are then stored in flash. Four of them also as C, for comparison.
//!
//!     cargo run --release --features export --example flash                                      only trains
//!     cargo run --release --features export --example flash -- examples/firmware/src/networks    and writes
//!
//! A file is an expression: `static NETWORK: Net = include!("networks/iris.rs");`.

#[path = "common/csv.rs"]
mod csv;

use std::env;
use std::error::Error;
use std::fmt::Write;
use tuplenet::data::{StandardScaler, Subset, stratified_split};
use tuplenet::io::export;
use tuplenet::layers::{BatchNorm, Conv2d, Flatten, LayerNorm, MaxPool, Residual};
use tuplenet::metrics::largest_index;
use tuplenet::prelude::*;
use tuplenet::quantization::QuantizedNetwork;

type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
type Iris = (Dense<4, 16, Tanh>, Dense<16, 16, Tanh>, Dense<16, 3, Identity>);
type BatchNormed = (Dense<4, 16, Identity>, BatchNorm<16>, Relu, Dense<16, 3, Softmax>);
type LayerNormed = (Dense<4, 16, Identity>, Residual<(LayerNorm<16>, Dense<16, 16, Tanh>)>, Dense<16, 3, Softmax>);
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Identity>);
/// Convolutions, and the layer that continues to learn on the microcontroller.
type Eye = (
    Conv2d<Image<1, 8, 8>, Image<8, 6, 6>, 3, Relu>,
    Conv2d<Image<8, 6, 6>, Image<16, 4, 4>, 3, Relu>,
    MaxPool<Image<16, 4, 4>, Image<16, 2, 2>, 2>,
    Flatten<Image<16, 2, 2>, 64>,
);
type Cnn = (Eye, Dense<64, 10, Softmax>);
type Sensor = (Dense<2, 8, Tanh>, Dense<8, 1, Identity>);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args().nth(1);
    let write = |name: &str, what: &str, source: String| -> Result<(), Box<dyn Error>> {
        println!("{name}: {what}");
        if let Some(folder) = &folder {
            export::save(format!("// {what}, by the example `flash`.\n{source}"), format!("{folder}/{name}"))?;
        }
        Ok(())
    };

    let (network, error) = xor()?;
    let what = format!("2-8-1, trained on XOR to a loss of {error:.4}");
    write("xor.rs", &what, export::rust_expression(&network)?)?;

    let irises = Irises::read()?;
    let (network, accuracy, samples, in_c) = iris(&irises)?;
    let what = format!("4-16-16-3, trained on irises to a test accuracy of {accuracy:.3}");
    write("iris.rs", &what, export::rust_expression(&network)?)?;
    write("iris.c", &what, in_c)?;
    write("iris_samples.rs", "a flower of each of two kinds that the network was not trained on", samples)?;

    let (network, accuracy, in_c) = batch_norm(&irises)?;
    let what = format!("4-16-3 with batch normalization, trained on irises to a test accuracy of {accuracy:.3}");
    write("batch_norm.rs", &what, export::rust_expression(&network)?)?;
    write("batch_norm.c", &what, in_c)?;

    let (network, accuracy, in_c) = layer_norm(&irises)?;
    let what = format!("4-16-16-3 with layer normalization, trained on irises to a test accuracy of {accuracy:.3}");
    write("layer_norm.rs", &what, export::rust_expression(&network)?)?;
    write("layer_norm.c", &what, in_c)?;

    write("flowers.rs", "all irises, in tenths of a centimetre", flowers()?)?;

    let ((network, quantized), accuracy, samples, in_c) = digits()?;
    let what = format!("64-32-10, trained on digits to a test accuracy of {accuracy:.3}");
    write("digits.rs", &what, export::rust_expression(&network)?)?;
    write("digits_int8.rs", &(what.clone() + ", in integers"), export::quantized_rust_expression(&quantized)?)?;
    write("digits.c", &what, in_c)?;
    write("digits_samples.rs", "images that the network was not trained on", samples)?;

    let (network, accuracy, images) = cnn()?;
    let what = format!("a small convolutional network, trained on digits to a test accuracy of {accuracy:.3}");
    write("cnn.rs", &what, cnn_in_rust(&network))?;
    write("cnn.c", &what, cnn_in_c(&network, &images))?;
    write("cnn_samples.rs", "50 images that the network was not trained on", show_images(&images))?;

    let (network, error) = sensor()?;
    let what = format!("2-8-1, trained on a new sensor to a mean squared error of {error:.6}");
    write("sensor.rs", &what, export::rust_expression(&network)?)
}

fn xor() -> Result<(Xor, f32), tuplenet::Error> {
    let (inputs, targets) = ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [[0.0], [1.0], [1.0], [0.0]]);
    let mut trainer = Trainer::new(Xor::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.05), seeded(1));
    let outcome = trainer.fit(&inputs, &targets, &FitOptions { epochs: 1000, ..FitOptions::default() }, ())?;
    Ok((trainer.network, outcome.loss))
}

/// Flowers, their measurements in centimetres, and the indices of the training and the test samples.
struct Irises {
    flowers: Vec<[f32; 4]>,
    kinds: Vec<usize>,
    train: Vec<usize>,
    test: Vec<usize>,
    scaler: StandardScaler<f32, 4>,
    scaled: Vec<[f32; 4]>,
}

const IRIS_FIT: FitOptions = FitOptions { epochs: 100, batch_size: 16, shuffle: true };

impl Irises {
    fn read() -> Result<Self, Box<dyn Error>> {
        let (flowers, kinds) = csv::read::<4>("iris.csv")?;
        let mut indices = vec![0; flowers.len()];
        let (train, test) = stratified_split::<3, _>(&kinds, &mut indices, 0.2, &mut seeded(0))?;
        let scaler = StandardScaler::fit(&Subset { data: &flowers, indices: train })?;
        let scaled = flowers.iter().map(|flower| scaler.transform(flower)).collect();
        let (train, test) = (train.to_vec(), test.to_vec());
        Ok(Irises { flowers, kinds, train, test, scaler, scaled })
    }

    fn inputs(&self) -> Subset<'_, Vec<[f32; 4]>> {
        Subset { data: &self.scaled, indices: &self.train }
    }

    fn targets(&self) -> Subset<'_, Vec<usize>> {
        Subset { data: &self.kinds, indices: &self.train }
    }

    fn some(&self) -> Subset<'_, Vec<[f32; 4]>> {
        Subset { data: &self.flowers, indices: &self.test[..3] }
    }

    /// The accuracy, and as source the first flower of each of two kinds.
    fn evaluate(&self, predict: impl Fn(&[f32; 4]) -> [f32; 3]) -> (f64, String) {
        let show = |flower: &[f32; 4]| format!("{flower:?}");
        evaluate(&self.flowers, &self.kinds, &self.test, show, |flower| largest_index(&predict(flower)))
    }
}

/// With logits for three kinds: the largest is the predicted class, and the microcontroller need not compute an
/// exponential. The scaling of the measurements is folded into the first layer, so that the network takes centimetres.
fn iris(irises: &Irises) -> Result<(Iris, f64, String, String), Box<dyn Error>> {
    let mut trainer = Trainer::new(Iris::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01).l2(1e-3), seeded(1));
    trainer.fit(&irises.inputs(), &irises.targets(), &IRIS_FIT, ())?;
    let (first, second, third) = trainer.network;
    let network = (irises.scaler.fold(first), second, third);
    let (accuracy, samples) = irises.evaluate(|flower| network.predict_one(flower));
    let in_c = export::c_source(&network, "iris", &irises.some())?;
    Ok((network, accuracy, samples, in_c))
}

/// As it was trained, with the statistics of its batch normalization.
fn batch_norm(irises: &Irises) -> Result<(BatchNormed, f64, String), Box<dyn Error>> {
    let mut trainer = Trainer::new(BatchNormed::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01).l2(1e-3), seeded(1));
    trainer.fit(&irises.inputs(), &irises.targets(), &IRIS_FIT, ())?;
    let (first, norm, activate, last) = trainer.network;
    let network = (irises.scaler.fold(first), norm, activate, last);
    let (accuracy, _) = irises.evaluate(|flower| network.predict_one(flower));
    let in_c = export::c_source(&network, "batch_norm", &irises.some())?;
    Ok((network, accuracy, in_c))
}

fn layer_norm(irises: &Irises) -> Result<(LayerNormed, f64, String), Box<dyn Error>> {
    let mut trainer = Trainer::new(LayerNormed::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01).l2(1e-3), seeded(1));
    trainer.fit(&irises.inputs(), &irises.targets(), &IRIS_FIT, ())?;
    let (first, block, last) = trainer.network;
    let network = (irises.scaler.fold(first), block, last);
    let (accuracy, _) = irises.evaluate(|flower| network.predict_one(flower));
    let in_c = export::c_source(&network, "layer_norm", &irises.some())?;
    Ok((network, accuracy, in_c))
}

fn flowers() -> Result<String, Box<dyn Error>> {
    let (flowers, kinds) = csv::read::<4>("iris.csv")?;
    let mut source = String::from("[\n");
    for (flower, kind) in flowers.iter().zip(kinds) {
        writeln!(source, "    ({:?}, {kind}),", flower.map(|size| (10.0 * size).round() as u8))?;
    }
    source.push_str("]\n");
    Ok(source)
}

/// A network, and the same in integers.
type Both = (Digits, QuantizedNetwork<Digits>);

/// From pixels between 0 and 1. What is not the networks is of the one in floats.
fn digits() -> Result<(Both, f64, String, String), Box<dyn Error>> {
    let (images, labels) = csv::read::<64>("digits.csv")?;
    let scaled: Vec<[f32; 64]> = images.iter().map(|image| image.map(|pixel| pixel / 16.0)).collect();
    let mut indices = vec![0; images.len()];
    let (train, test) = stratified_split::<10, _>(&labels, &mut indices, 0.2, &mut seeded(0))?;
    let mut trainer = Trainer::new(Digits::new(&mut seeded(0)), CrossEntropy, Adam::new(2e-3).l2(1e-4), seeded(1));
    let (inputs, targets) = (Subset { data: &scaled, indices: train }, Subset { data: &labels, indices: train });
    trainer.fit(&inputs, &targets, &FitOptions { epochs: 40, ..FitOptions::default() }, ())?;
    let network = trainer.network;
    let quantized = network.quantize(&inputs)?;
    let bytes = |image: &[f32; 64]| format!("{:?}", image.map(|pixel| pixel as u8));
    let (accuracy, samples) = evaluate(&images, &labels, test, bytes, |image| {
        largest_index(&network.predict_one(&image.map(|pixel| pixel / 16.0)))
    });
    let in_c = export::c_source(&network, "digits", &Subset { data: &scaled, indices: &test[..3] })?;
    Ok(((network, quantized), accuracy, samples, in_c))
}

/// An image of 8 by 8 pixels from 0 to 16, and its digit.
type Picture = ([f32; 64], usize);

/// From pixels between 0 and 1.
fn cnn() -> Result<(Cnn, f64, Vec<Picture>), Box<dyn Error>> {
    let (rows, labels) = csv::read::<64>("digits.csv")?;
    let images: Vec<[[[f32; 8]; 8]; 1]> = rows.iter().map(image).collect();
    let mut indices = vec![0; images.len()];
    let (train, test) = stratified_split::<10, _>(&labels, &mut indices, 0.2, &mut seeded(0))?;
    let mut trainer = Trainer::new(Cnn::new(&mut seeded(0)), CrossEntropy, Adam::new(2e-3), seeded(1));
    let (inputs, targets) = (Subset { data: &images, indices: train }, Subset { data: &labels, indices: train });
    trainer.fit(&inputs, &targets, &FitOptions { epochs: 30, ..FitOptions::default() }, ())?;
    let network = trainer.network;
    let right = test.iter().filter(|&&i| largest_index(&network.predict_one(&images[i])) == labels[i]).count();
    let some = test.iter().take(50).map(|&i| (rows[i], labels[i])).collect();
    Ok((network, right as f64 / test.len() as f64, some))
}

fn image(row: &[f32; 64]) -> [[[f32; 8]; 8]; 1] {
    [std::array::from_fn(|y| std::array::from_fn(|x| row[8 * y + x] / 16.0))]
}

fn show_images(images: &[Picture]) -> String {
    let mut source = String::from("[\n");
    for (pixels, digit) in images {
        let _ = writeln!(source, "    ({:?}, {digit}),", pixels.map(|pixel| pixel as u8));
    }
    source.push_str("]\n");
    source
}

/// A pair of the convolutions and the last layer, as an expression.
fn cnn_in_rust(((first, second, ..), last): &Cnn) -> String {
    let layer = |weight: &dyn std::fmt::Debug, bias: &dyn std::fmt::Debug| {
        format!("tuplenet::layers::Conv2d::from_arrays({weight:?}, {bias:?})")
    };
    let zeroed = "tuplenet::model::Zeroed::ZEROED";
    format!(
        "(\n({}, {}, {zeroed}, {zeroed}),\ntuplenet::layers::Dense::from_columns({:?}, {:?}),\n)\n",
        layer(&first.weight, &first.bias),
        layer(&second.weight, &second.bias),
        last.weight.data.0,
        last.bias.data.0[0],
    )
}

/// The same network as plain C, with the weights in the order of PyTorch.
fn cnn_in_c(network: &Cnn, images: &[Picture]) -> String {
    fn kernels<const C: usize, const D: usize>(weight: &[[[[f32; D]; C]; 3]; 3]) -> Vec<f32> {
        let at = |index: usize| weight[index / 3 % 3][index % 3][index / 9 % C][index / 9 / C];
        (0..9 * C * D).map(at).collect()
    }
    fn table(name: &str, values: &[f32]) -> String {
        let values: Vec<String> = values.iter().map(|value| format!("{value:e}f")).collect();
        format!("static const float {name}[{}] = {{{}}};\n", values.len(), values.join(", "))
    }
    let ((first, second, ..), last) = network;
    let rows: Vec<f32> = last.weight.transpose().as_slice().to_vec();
    let mut source =
        String::from("#include <stddef.h>\n\nvoid cnn_predict(const float input[64], float output[10]);\n\n");
    for (name, values) in [
        ("first_weight", kernels(&first.weight)),
        ("first_bias", first.bias.to_vec()),
        ("second_weight", kernels(&second.weight)),
        ("second_bias", second.bias.to_vec()),
        ("last_weight", rows),
        ("last_bias", last.bias.as_slice().to_vec()),
    ] {
        source += &table(name, &values);
    }
    source += include_str!("firmware/src/networks/cnn_plain.c");
    source += "\n#ifdef CNN_MAIN\n";
    let (inputs, outputs): (Vec<_>, Vec<_>) = images
        .iter()
        .take(2)
        .map(|(row, _)| {
            let image = image(row);
            (*image.as_flattened().as_flattened().first_chunk::<64>().expect("64 pixels"), logits(network, &image))
        })
        .unzip();
    source += &table("inputs", inputs.as_flattened());
    source += &table("outputs", outputs.as_flattened());
    source += include_str!("firmware/src/networks/cnn_main.c");
    source += "#endif\n";
    source
}

/// The values before the softmax.
fn logits((eye, last): &Cnn, image: &[[[f32; 8]; 8]; 1]) -> [f32; 10] {
    Dense::<64, 10, Identity>::from_matrix(last.weight, last.bias).predict_one(&eye.predict_one(image))
}

/// A pressure sensor, read through an amplifier, whose reading depends on its temperature: the network predicts the
/// pressure. The program `drift` has the same sensor, and lets it age.
fn sensor() -> Result<(Sensor, f32), tuplenet::Error> {
    let mut rng = seeded(0);
    let mut uniform = || (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32;
    let (inputs, targets): (Vec<_>, Vec<_>) = (0..2000)
        .map(|_| {
            let (pressure, temperature) = (uniform(), uniform());
            ([pressure * (1.2 - 0.2 * pressure) * (1.0 + 0.3 * temperature), temperature], [pressure])
        })
        .unzip();
    let mut trainer = Trainer::new(Sensor::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
    let outcome = trainer.fit(&inputs, &targets, &FitOptions { epochs: 200, ..FitOptions::default() }, ())?;
    Ok((trainer.network, outcome.loss))
}

/// The accuracy, and as source the first sample of each of two classes.
fn evaluate<const N: usize>(
    inputs: &[[f32; N]],
    classes: &[usize],
    test: &[usize],
    show: impl Fn(&[f32; N]) -> String,
    predict: impl Fn(&[f32; N]) -> usize,
) -> (f64, String) {
    let right = test.iter().filter(|&&i| predict(&inputs[i]) == classes[i]).count();
    let mut samples = String::from("[\n");
    for class in 0..2 {
        if let Some(i) = test.iter().find(|&&i| classes[i] == class) {
            let _ = writeln!(samples, "    ({}, {class}),", show(&inputs[*i]));
        }
    }
    samples.push_str("]\n");
    (right as f64 / test.len() as f64, samples)
}
