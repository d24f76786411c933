//! A network that PyTorch has trained, as a constant of the program: handwritten digits, and the same answers.
//!
//!     cargo run --release --features safetensors --example pytorch_to_flash
//!
//! `data/pytorch_to_flash.py` trained the network and wrote its weights and some of its answers. Here the compiler reads the
//! weights, so that they are in the program as numbers: on a microcontroller in its flash. Nothing is read, allocated or
//! computed before the first answer, and a file that does not fit the type below does not compile.

#[path = "common/csv.rs"]
mod csv;

use tuplenet::include_weights;
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::prelude::*;

/// In PyTorch Sequential(Linear(64, 32), ReLU(), BatchNorm1d(32), Dropout(0.1), Linear(32, 10)); the softmax is in its loss.
type Digits = (Dense<64, 32, Relu>, BatchNorm<32>, Dropout<32, 100>, Dense<32, 10, Softmax>);

static DIGITS: Digits = include_weights!("data/pytorch_to_flash.safetensors");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (images, labels) = csv::read::<64>("digits.csv")?;
    let answer = |image: usize| DIGITS.predict_one(&images[image].map(|pixel| pixel / 16.0));

    println!("image  label  here                there");
    let (mut largest, mut lines) = (0.0f32, 0);
    for line in include_str!("data/pytorch_to_flash.csv").lines().skip(1) {
        let mut fields = line.split(',');
        let image: usize = fields.next().ok_or("expected the number of an image")?.parse()?;
        let theirs = fields.map(str::parse).collect::<Result<Vec<f32>, _>>()?;
        let ours = answer(image);
        let best = |answer: &[f32]| (0..10).max_by(|&a, &b| answer[a].total_cmp(&answer[b])).unwrap_or(0);
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
    println!("\n{lines} answers of ten probabilities, at most {largest:.1e} off PyTorch's");
    if largest > 1e-6 {
        return Err("expected the same answers but for rounding".into());
    }

    let (mut right, mut count) = (0, 0);
    for image in (0..images.len()).step_by(5) {
        let answer = answer(image);
        right += usize::from(answer.iter().all(|&probability| probability <= answer[labels[image]]));
        count += 1;
    }
    println!("the network takes {} bytes", size_of::<Digits>());
    println!("test accuracy {:.3}", right as f32 / count as f32);
    Ok(())
}
