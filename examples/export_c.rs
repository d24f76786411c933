//! Three kinds of iris: trained here, then a file in C for a program that can't be written in Rust.
//!
//!     cargo run --release --features export --example export_c [FOLDER]
//!
//! writes `iris.c` and `iris.h` to the folder, or to that of temporary files. If there is a C compiler, it makes a
//! program of `iris.c` alone, which compares its outputs with those of the network here.

#[path = "common/csv.rs"]
mod csv;

use std::path::PathBuf;
use std::process::Command;
use tuplenet::data::{StandardScaler, Subset, stratified_split};
use tuplenet::io::export;
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::metrics::largest_index;
use tuplenet::prelude::*;

/// What is trained: four measurements, and the probability of each of three classes.
type Training = (Dense<4, 16, Identity>, BatchNorm<16>, Tanh, Dropout<10>, Dense<16, 3, Softmax>);
/// The network for inference, with everything else folded.
type Iris = (Dense<4, 16, Tanh>, Dense<16, 3, Softmax>);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flowers, classes) = csv::read::<4>("iris.csv")?;
    let mut indices = vec![0; flowers.len()];
    let (train, test) = stratified_split::<3, _>(&classes, &mut indices, 0.2, &mut seeded(0))?;
    let scaler = StandardScaler::fit(&Subset { data: &flowers, indices: train })?;
    let scaled: Vec<[f32; 4]> = flowers.iter().map(|flower| scaler.transform(flower)).collect();

    let mut trainer = Trainer::new(Training::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    let (inputs, targets) = (Subset { data: &scaled, indices: train }, Subset { data: &classes, indices: train });
    trainer.fit(&inputs, &targets, &FitOptions { epochs: 100, batch_size: 20, shuffle: true }, ())?;

    // The scaling and the normalization become part of the first layer, so that C gives it centimetres as they are.
    let (first, norm, _, _, last) = trainer.network;
    let iris: Iris = (scaler.fold(norm.fold(first).with_activation()), last);
    let right = test.iter().filter(|&&flower| largest_index(&iris.predict_one(&flowers[flower])) == classes[flower]);
    let accuracy = right.count() as f64 / test.len() as f64;

    let folder = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join("tuplenet_export_c"), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    let [source, header, program, object] = ["iris.c", "iris.h", "iris", "iris.o"].map(|name| folder.join(name));
    // Ten flowers that it has never seen are the self-test.
    export::save(export::c_source(&iris, "iris", &Subset { data: &flowers, indices: &test[..10] })?, &source)?;
    export::save(export::c_header(&iris, "iris")?, &header)?;
    println!("{}\n\n{} and {}:\n", Iris::summary(), source.display(), header.display());
    for line in export::c_header(&iris, "iris")?.lines().filter(|line| line.contains("iris_predict")) {
        println!("    {line}");
    }

    let strict = ["-std=c99", "-Os", "-Wall", "-Wextra", "-pedantic", "-Werror"];
    match Command::new("cc").args(strict).arg("-DIRIS_MAIN").arg(&source).arg("-o").arg(&program).status() {
        Err(_) => println!("\nThere is no C compiler here, so the self-test has not run."),
        Ok(status) if !status.success() => return Err("the C compiler refused the file".into()),
        Ok(_) => {
            if !Command::new(&program).status()?.success() {
                return Err("the self-test has found wrong outputs".into());
            }
            println!("\nThe program in C computes the same outputs for 10 flowers as the network here.");
            Command::new("cc").args(strict).arg("-c").arg(&source).arg("-o").arg(&object).status()?;
            if let Ok(found) = Command::new("size").arg(&object).output() {
                println!("Code and weights of its object file:\n{}", String::from_utf8_lossy(&found.stdout));
            }
        }
    }
    println!("test accuracy {accuracy:.3}");
    Ok(())
}
