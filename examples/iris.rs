//! Three kinds of iris from four measurements: data from a file, scaled, split, and the accuracy on flowers never seen.
//!
//!     cargo run --release --example iris

#[path = "common/csv.rs"]
mod csv;

use tuplenet::data::{StandardScaler, Subset, stratified_split};
use tuplenet::metrics::{ConfusionMatrix, largest_index};
use tuplenet::prelude::*;

/// Four measurements, eight hidden values, and the probability of each of three classes.
type Iris = (Dense<4, 8, Tanh>, Dense<8, 3, Softmax>);

const SPLITS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (flowers, classes) = csv::read::<4>("iris.csv")?;
    println!("{} flowers, 4 measurements each: setosa (0), versicolor (1), virginica (2)\n", flowers.len());

    let mut confusion = ConfusionMatrix::<3>::new();
    println!("split  train  test  loss in training  test accuracy");
    let mut sum = 0.0;
    for seed in 0..SPLITS {
        // A stratified split: four fifths for training, one fifth for testing.
        let mut indices = vec![0; flowers.len()];
        let (train, test) = stratified_split::<3, _>(&classes, &mut indices, 0.2, &mut seeded(seed))?;

        // Zero mean and unit variance, by statistics of the training samples alone: of the others we pretend to know
        // nothing.
        let scaler = StandardScaler::fit(&Subset { data: &flowers, indices: train })?;
        let scaled: Vec<[f32; 4]> = flowers.iter().map(|flower| scaler.transform(flower)).collect();

        let network = Iris::new(&mut seeded(seed));
        let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(0.01).l2(1e-3), seeded(seed));
        let inputs = Subset { data: &scaled, indices: train };
        let targets = Subset { data: &classes, indices: train };
        let outcome = trainer.fit(&inputs, &targets, &FitOptions { epochs: 100, batch_size: 16, shuffle: true }, ())?;

        let mut right = 0;
        for &flower in test {
            let predicted = largest_index(&trainer.network.predict_one(&scaled[flower]));
            confusion.record(classes[flower], predicted)?;
            right += usize::from(predicted == classes[flower]);
        }
        let accuracy = right as f64 / test.len() as f64;
        println!("{seed:5}  {:5}  {:4}  {:16.4}  {accuracy:13.3}", train.len(), test.len(), outcome.loss);
        sum += accuracy;
    }
    println!("\nall test flowers of the {SPLITS} splits:\n{confusion}\n");
    println!("test accuracy {:.3}", sum / SPLITS as f64);
    Ok(())
}
