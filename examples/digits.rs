//! Handwritten digits, 8x8 pixels each: ten classes, an epoch at a time, and a confusion matrix in the end.
//!
//!     cargo run --release --example digits

#[path = "common/csv.rs"]
mod csv;

use core::ops::ControlFlow;
use tuplenet::data::{StandardScaler, Subset, split};
use tuplenet::metrics::{ConfusionMatrix, largest_index};
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
        let (train, test) = split(&mut indices, 0.2, &mut seeded(seed))?;
        // Each pixel with mean 0 and deviation 1 over the images to learn from, so that faint pixels are heard too.
        let scaler = StandardScaler::fit(&Subset { data: &images, indices: train })?;
        let pick = |indices: &[usize]| -> (Vec<[f32; 64]>, Vec<usize>) {
            indices.iter().map(|&index| (scaler.transform(&images[index]), labels[index])).unzip()
        };
        let (inputs, targets) = pick(train);
        let (test_inputs, test_targets) = pick(test);

        if seed == 0 {
            println!("\n{} images to learn from, {} to test with\n", train.len(), test.len());
            println!("epoch  loss    test accuracy");
        }
        // Called after each epoch, with the network as it is then.
        let report = |epoch: &Epoch<Digits>| {
            if seed > 0 {
                return ControlFlow::Continue(());
            }
            match test_network(epoch.network, &test_inputs, &test_targets) {
                Ok(confusion) => {
                    println!("{:5}  {:.4}  {:.3}", epoch.number + 1, epoch.loss, confusion.accuracy());
                    ControlFlow::Continue(())
                }
                Err(_) => ControlFlow::Break(()),
            }
        };

        let network = Digits::new(&mut seeded(seed));
        let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(1e-3), seeded(seed));
        let fit = Fit { epochs: 30, batch_size: 32, shuffle: true };
        trainer.fit(&inputs, &targets, &fit, report)?;

        let confusion = test_network(&trainer.network, &test_inputs, &test_targets)?;
        if seed == 0 {
            println!("\n{confusion}\n\nseed  test accuracy");
        }
        println!("{seed:4}  {:.3}", confusion.accuracy());
        accuracies.push(confusion.accuracy());
    }
    println!("\ntest accuracy {:.3}", accuracies.iter().sum::<f64>() / SEEDS as f64);
    Ok(())
}

/// Which digit is taken for which, over some images.
fn test_network(
    network: &Digits,
    images: &[[f32; 64]],
    labels: &[usize],
) -> Result<ConfusionMatrix<10>, tuplenet::Error> {
    let mut outputs = vec![[0.0; 10]; images.len()];
    network.predict_all(images, &mut outputs)?;
    let mut confusion = ConfusionMatrix::new();
    for (output, &label) in outputs.iter().zip(labels) {
        confusion.record(label, largest_index(output))?;
    }
    Ok(confusion)
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
