//! Handwritten digits in integers of 8 bits: what quantization costs, layer by layer, and what it saves.
//!
//!     cargo run --release --example int8

#[path = "common/csv.rs"]
mod csv;

use tuplenet::data::{Subset, stratified_split};
use tuplenet::metrics::accuracy;
use tuplenet::prelude::*;
use tuplenet::quantization::{QuantizationReport, QuantizedNetwork};

type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);

const SEEDS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (images, labels) = csv::read::<64>("digits.csv")?;
    let images: Vec<[f32; 64]> = images.iter().map(|image| image.map(|pixel| pixel / 16.0)).collect();
    println!("bytes of the network: {} in f32, {} in int8", size_of::<Digits>(), size_of::<QuantizedNetwork<Digits>>());

    let mut accuracies = [0.0; 2];
    for seed in 0..SEEDS {
        let mut indices = vec![0; images.len()];
        let (train, test) = stratified_split::<10, _>(&labels, &mut indices, 0.2, &mut seeded(seed))?;
        let subset = |indices| (Subset { data: &images, indices }, Subset { data: &labels, indices });
        let ((train, train_labels), (test, test_labels)) = (subset(train), subset(test));
        let mut trainer = Trainer::new(Digits::new(seeded(seed)), CrossEntropy, Adam::new(2e-3), seeded(seed));
        trainer.fit(&train, &train_labels, &FitOptions { epochs: 30, ..FitOptions::default() }, ())?;
        let network = trainer.network;

        // The training images show the range of the values between the layers.
        let quantized = network.quantize(&train)?;
        if seed == 0 {
            println!("\n{}\n", QuantizationReport::of_classes(&network, &quantized, &test, &test_labels)?);
            println!("seed  float  int8");
        }
        let found = [accuracy(&network, &test, &test_labels)?, accuracy(&quantized, &test, &test_labels)?];
        println!("{seed:4}  {:.3}  {:.3}", found[0], found[1]);
        for (sum, found) in accuracies.iter_mut().zip(found) {
            *sum += found / SEEDS as f64;
        }
    }
    println!("\nfloat accuracy {:.3}\nint8 accuracy {:.3}", accuracies[0], accuracies[1]);
    Ok(())
}
