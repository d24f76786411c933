//! An autoencoder of digits: a convolutional network that describes an image by eight numbers, and draws it again from them.
//!
//!     cargo run --release --example autoencoder

#[path = "common/csv.rs"]
mod csv;

use tuplenet::data::{Subset, stratified_split};
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

tuplenet::network! {
    /// From an image to eight numbers, its code.
    type Encoder = Image<1, 8, 8> => Conv2d<8, 3, Relu, 1, 1>, MaxPool<2>, Conv2d<16, 3, Relu, 2, 1>, Flatten, Dense<8, Tanh>
}

tuplenet::network! {
    /// From a code to the pixels, row by row.
    type Decoder = Features<8> =>
        Dense<64, Relu>, Unflatten<16, 2, 2>, ConvTranspose2d<8, 2, Relu, 2>, Upsample<2>, Conv2d<1, 3, Sigmoid, 1, 1>, Flatten
}

type Autoencoder = (Encoder, Decoder);

const _: () = assert_shapes::<Autoencoder>();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (rows, labels) = csv::read::<64>("digits.csv")?;
    // Pixels are between 0 and 16.
    let pixels: Vec<[f32; 64]> = rows.iter().map(|row| row.map(|pixel| pixel / 16.0)).collect();
    let images: Vec<[[[f32; 8]; 8]; 1]> =
        pixels.iter().map(|row| [core::array::from_fn(|y| core::array::from_fn(|x| row[8 * y + x]))]).collect();
    println!("{}\n", Autoencoder::summary());

    let mut indices = vec![0; images.len()];
    let (train, test) = stratified_split::<10, _>(&labels, &mut indices, 0.2, &mut seeded(0))?;
    let (train_images, train_pixels) =
        (Subset { data: &images, indices: train }, Subset { data: &pixels, indices: train });
    let (test_images, test_pixels) = (Subset { data: &images, indices: test }, Subset { data: &pixels, indices: test });

    let mut trainer = Trainer::new(Autoencoder::new(&mut seeded(0)), MeanSquaredError, Adam::new(3e-3), seeded(1));
    let fit = FitOptions { epochs: 60, batch_size: 32, shuffle: true };
    trainer.fit(&train_images, &train_pixels, &fit, ())?;

    println!("test images above, and what is drawn from their codes below\n");
    let chosen = &test[..5];
    draw(chosen.iter().map(|&index| pixels[index]).collect());
    draw(chosen.iter().map(|&index| trainer.network.predict_one(&images[index])).collect());

    // The mean over all pixels, as an image that has no code would get it.
    let mean = train.iter().flat_map(|&index| pixels[index]).sum::<f32>() / (64 * train.len()) as f32;
    let squares = |from: &dyn Fn(f32) -> f32| {
        test.iter().flat_map(|&index| pixels[index]).map(|pixel| from(pixel).powi(2)).sum::<f32>()
            / (64 * test.len()) as f32
    };
    let loss = trainer.evaluate(&test_images, &test_pixels)?;
    println!("test mean squared error {loss:.4}, of {:.4} without a code", squares(&|pixel| pixel - mean));
    println!("share of the variance that eight numbers keep {:.3}", 1.0 - loss / squares(&|pixel| pixel - mean));
    Ok(())
}

/// Some images side by side, two characters a pixel.
fn draw(images: Vec<[f32; 64]>) {
    let shades = [' ', '░', '▒', '▓', '█'];
    for row in 0..8 {
        for image in &images {
            let pixels = &image[row * 8..][..8];
            let line: String = pixels.iter().flat_map(|pixel| [shades[((pixel * 4.99) as usize).min(4)]; 2]).collect();
            print!("{line}  ");
        }
        println!();
    }
    println!();
}
