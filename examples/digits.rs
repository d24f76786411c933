//! Handwritten digits, 8x8 pixels each: ten classes, a report after each epoch, and a confusion matrix in the end.
//!
//!     cargo run --release --example digits

#[path = "common/csv.rs"]
mod csv;

use core::ops::ControlFlow;
use tuplenet::data::{StandardScaler, Subset, stratified_split};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::prelude::*;

/// 64 pixels, 32 hidden values, and the probability of each of ten digits.
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Softmax>);

const SEEDS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (images, labels) = csv::read::<64>("digits.csv")?;
    draw(&images[..5], &labels);

    let mut accuracies = Vec::new();
    for seed in 0..SEEDS {
        let mut indices = vec![0; images.len()];
        let (train, test) = stratified_split::<10, _>(&labels, &mut indices, 0.2, &mut seeded(seed))?;
        // Zero mean and unit variance over all pixels of the training images.
        let pixels: Vec<[f32; 1]> = train.iter().flat_map(|&index| images[index].map(|pixel| [pixel])).collect();
        let scaler = StandardScaler::fit(&pixels)?;
        let inputs: Vec<[f32; 64]> = images.iter().map(|i| i.map(|pixel| scaler.transform(&[pixel])[0])).collect();
        let test_inputs = Subset { data: &inputs, indices: test };
        let test_labels = Subset { data: &labels, indices: test };

        if seed == 0 {
            println!("\n{} training images, {} test images\n", train.len(), test.len());
            println!("epoch  loss    test accuracy");
        }
        // Called after each epoch, with the network as it is then.
        let report = |epoch: &EpochReport<Digits>| {
            if seed > 0 {
                return ControlFlow::Continue(());
            }
            match ConfusionMatrix::of(epoch.network, &test_inputs, &test_labels) {
                Ok(confusion) => {
                    println!("{:5}  {:.4}  {:.3}", epoch.number + 1, epoch.loss, confusion.accuracy());
                    ControlFlow::Continue(())
                }
                Err(_) => ControlFlow::Break(()),
            }
        };

        let network = Digits::new(&mut seeded(seed));
        let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(1e-3), seeded(seed));
        let fit = FitOptions { epochs: 30, batch_size: 32, shuffle: true };
        let (inputs, labels) = (Subset { data: &inputs, indices: train }, Subset { data: &labels, indices: train });
        trainer.fit(&inputs, &labels, &fit, report)?;

        let confusion = ConfusionMatrix::of(&trainer.network, &test_inputs, &test_labels)?;
        if seed == 0 {
            println!("\n{confusion}\n\nseed  test accuracy");
        }
        println!("{seed:4}  {:.3}", confusion.accuracy());
        accuracies.push(confusion.accuracy());
    }
    println!("\ntest accuracy {:.3}", accuracies.iter().sum::<f64>() / SEEDS as f64);
    Ok(())
}

/// Some images side by side, two characters a pixel; pixels are between 0 and 16.
fn draw(images: &[[f32; 64]], labels: &[usize]) {
    let shades = [' ', '░', '▒', '▓', '█'];
    for row in 0..8 {
        for image in images {
            let pixels = &image[row * 8..][..8];
            let line: String = pixels.iter().flat_map(|pixel| [shades[((pixel / 3.2) as usize).min(4)]; 2]).collect();
            print!("{line}");
        }
        println!();
    }
    for label in &labels[..images.len()] {
        print!("{label:^16}");
    }
    println!();
}
