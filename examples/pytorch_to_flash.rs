//! A network that PyTorch has trained, as a constant of the program: handwritten digits, and the same predictions.
//!
//!     cargo run --release --features safetensors --example pytorch_to_flash
//!
//! `data/pytorch_to_flash.py` trained the network and wrote its weights and some of its outputs. Here the compiler
//! reads the weights, so that they are in the program as constants: on a microcontroller in its flash. Nothing is read,
//! allocated or computed before the first prediction, and a file that does not fit the type below does not compile.

#[path = "common/csv.rs"]
mod csv;

use tuplenet::include_weights;
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::prelude::*;

/// In PyTorch Sequential(Linear(64, 32), ReLU(), BatchNorm1d(32), Dropout(0.1), Linear(32, 10)); the softmax is in its
/// loss.
type Digits = (Dense<64, 32, Relu>, BatchNorm<32>, Dropout<10>, Dense<32, 10, Softmax>);

static DIGITS: Digits = include_weights!("data/pytorch_to_flash.safetensors");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (images, labels) = csv::read::<64>("digits.csv")?;
    let predict = |image: usize| DIGITS.predict_one(&images[image].map(|pixel| pixel / 16.0));

    println!("image  label  here                there");
    let (mut largest, mut lines) = (0.0f32, 0);
    for line in include_str!("data/pytorch_to_flash.csv").lines().skip(1) {
        let mut fields = line.split(',');
        let image: usize = fields.next().ok_or("expected the number of an image")?.parse()?;
        let theirs = fields.map(str::parse).collect::<Result<Vec<f32>, _>>()?;
        let ours = predict(image);
        let best = |output: &[f32]| (0..10).max_by(|&a, &b| output[a].total_cmp(&output[b])).unwrap_or(0);
        if theirs.len() != 10 || best(&ours) != best(&theirs) {
            return Err(format!("image {image}: expected {theirs:?}, found {ours:?}").into());
        }
        for (ours, theirs) in ours.iter().zip(&theirs) {
            largest = largest.max((ours - theirs).abs());
        }
        if lines % 10 == 0 {
            let digit = best(&ours);
            println!("{image:5}  {:5}  {digit} ({:.9})     {digit} ({:.9})", labels[image], ours[digit], theirs[digit]);
        }
        lines += 1;
    }
    println!("\n{lines} predictions of ten probabilities, at most {largest:.1e} off PyTorch's");
    if largest > 1e-6 {
        return Err("expected the same outputs but for rounding".into());
    }

    let (mut right, mut count) = (0, 0);
    for image in (0..images.len()).step_by(5) {
        let output = predict(image);
        right += usize::from(output.iter().all(|&probability| probability <= output[labels[image]]));
        count += 1;
    }
    println!("the network uses {} bytes", size_of::<Digits>());
    println!("test accuracy {:.3}", right as f32 / count as f32);
    Ok(())
}
