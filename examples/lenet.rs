//! Handwritten digits as images of 8x8 pixels: a convolutional network, its learnt kernels, and what it sees in a digit.
//!
//!     cargo run --release --example lenet

#[path = "common/csv.rs"]
mod csv;

use tuplenet::data::{Subset, stratified_split};
use tuplenet::metrics::ConfusionMatrix;
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

tuplenet::network! {
    /// LeNet-5 (Y. LeCun et al., 1998) for smaller images. Its sizes are computed.
    type LeNet = Image<1, 8, 8> =>
        Conv2d<12, 3, Relu, 1, 1>, Conv2d<16, 3, Relu, 1, 1>, MaxPool<2>, Conv2d<32, 3, Relu, 1, 1>, MaxPool<2>, Flatten,
        Dropout<30>, Dense<10, Softmax>
}

const _: () = assert_shapes::<LeNet>();

const SEEDS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (rows, labels) = csv::read::<64>("digits.csv")?;
    // Pixels are between 0 and 16.
    let images: Vec<[[[f32; 8]; 8]; 1]> = rows
        .iter()
        .map(|row| [core::array::from_fn(|y| core::array::from_fn(|x| row[8 * y + x] / 8.0 - 1.0))])
        .collect();
    println!("{}\n", LeNet::summary());

    let mut accuracies = Vec::new();
    for seed in 0..SEEDS {
        let mut indices = vec![0; images.len()];
        let (train, test) = stratified_split::<10, _>(&labels, &mut indices, 0.2, &mut seeded(seed))?;
        let (test_images, test_labels) =
            (Subset { data: &images, indices: test }, Subset { data: &labels, indices: test });
        let (images, labels) = (Subset { data: &images, indices: train }, Subset { data: &labels, indices: train });

        let network = LeNet::new(&mut seeded(seed));
        let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(2e-3), seeded(seed));
        for (epochs, learning_rate) in [(20, 2e-3), (10, 5e-4)] {
            trainer.optimizer.learning_rate = learning_rate;
            trainer.fit(&images, &labels, &FitOptions { epochs, batch_size: 32, shuffle: true }, ())?;
        }

        let confusion = ConfusionMatrix::of(&trainer.network, &test_images, &test_labels)?;
        if seed == 0 {
            println!("{confusion}\n");
            draw_kernels(&trainer.network);
            draw_maps(&trainer.network, &images.data[train[0]]);
            println!("seed  test accuracy");
        }
        println!("{seed:4}  {:.3}", confusion.accuracy());
        accuracies.push(confusion.accuracy());
    }
    println!("\ntest accuracy {:.3}", accuracies.iter().sum::<f64>() / SEEDS as f64);
    Ok(())
}

/// Two characters for a value between 0 and 1.
fn shade(value: f32) -> String {
    let shades = [' ', '░', '▒', '▓', '█'];
    [shades[((value.clamp(0.0, 1.0) * 4.99) as usize).min(4)]; 2].iter().collect()
}

/// The kernels of the first layer side by side: black is their smallest weight, white the largest.
fn draw_kernels(network: &LeNet) {
    println!("the kernels of the first layer");
    let weight = &network.0.weight;
    let all = weight.as_flattened().as_flattened().as_flattened();
    let (low, high) = all.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    for row in weight {
        for output in 0..12 {
            for [weights] in row {
                print!("{}", shade((weights[output] - low) / (high - low)));
            }
            print!("  ");
        }
        println!();
    }
    println!();
}

/// A digit, and the first layer's outputs for it.
fn draw_maps(network: &LeNet, image: &[[[f32; 8]; 8]; 1]) {
    println!("a digit, and the first five outputs of the first layer for it");
    let maps = network.0.predict_one(image);
    let high = maps.as_flattened().as_flattened().iter().fold(0.0, |high: f32, &value| high.max(value));
    for (y, row) in image[0].iter().enumerate() {
        for value in row {
            print!("{}", shade((value + 1.0) / 2.0));
        }
        for map in &maps[..5] {
            print!("  ");
            for value in map[y] {
                print!("{}", shade(value / high));
            }
        }
        println!();
    }
    println!();
}
