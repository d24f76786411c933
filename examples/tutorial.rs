//! What a course on neural networks does after the first training loop, in its order, on real data: scale, split,
//! train, plot, test, evaluate, search a grid, regularize, drop out, normalize.
//!
//!     cargo run --release --features csv,plot,rayon --example tutorial -- pictures
//!
//! The argument is the folder for the pictures, which are SVG, or with a second argument `png` PNG.

use std::path::{Path, PathBuf};
use tuplenet::data::{Classified, Csv, StandardScaler, Subset, stratified_split};
use tuplenet::layers::{BatchNorm, Dropout};
use tuplenet::metrics::{Average, ConfusionMatrix};
use tuplenet::plot;
use tuplenet::prelude::*;
use tuplenet::train::callbacks::Metric;
use tuplenet::tuning::{CrossValidation, CrossValidationOptions, Hyperparameters, SearchSpace, accuracy, networks};

type Failure = Box<dyn std::error::Error>;

/// Four measurements of a flower, and which of three kinds it is.
type Iris = (Dense<4, 16, Tanh>, Dense<16, 3, Softmax>);
/// Two of the measurements, which can be drawn.
type Petals = (Dense<2, 16, Tanh>, Dense<16, 3, Softmax>);

/// 64 pixels of a handwritten digit, and which of ten it is. Large, for so few images: it overfits.
type Digits = (Dense<64, 64, Relu>, Dense<64, 10, Softmax>);
/// The same, with dropout: four in ten of the hidden values are zeroed at random during training.
type Dropped = (Dense<64, 64, Relu>, Dropout<40>, Dense<64, 10, Softmax>);
/// The same, with batch normalization: hidden values of zero mean and unit variance over each batch.
type Normalized = (Dense<64, 64, Identity>, BatchNorm<64>, Relu, Dense<64, 10, Softmax>);

const NAMES: [&str; 3] = ["setosa", "versicolor", "virginica"];

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or("target/tutorial".into()));
    let ending = arguments.next().unwrap_or("svg".into());
    std::fs::create_dir_all(&folder)?;
    let picture = |name: &str| folder.join(name).with_extension(&ending);

    let table: Classified<f32, 4> = read("iris.csv")?;
    let (flowers, kinds) = (table.inputs, table.classes);

    // A scaler fitted before the split would know the test samples, and the test would flatter. So the split comes
    // first.
    println!("1. Split, the classes in proportion");
    let mut indices = vec![0; flowers.len()];
    let (train, test) = stratified_split::<3, _>(&kinds, &mut indices, 0.25, &mut seeded(4))?;
    println!("   {} training flowers, {} test flowers", train.len(), test.len());

    println!("2. Scale, by statistics of the training samples");
    let scaler = StandardScaler::fit(&Subset { data: &flowers, indices: train })?;
    let scaled: Vec<[f32; 4]> = flowers.iter().map(|flower| scaler.transform(flower)).collect();
    println!("   {:?} cm becomes {:.2?}", flowers[test[0]], scaled[test[0]]);
    let (x, y) = (Subset { data: &scaled, indices: train }, Subset { data: &kinds, indices: train });
    let (test_x, test_y) = (Subset { data: &scaled, indices: test }, Subset { data: &kinds, indices: test });

    println!("3. Train\n{}", Iris::summary());
    let mut trainer = Trainer::new(Iris::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
    let mut history = History::new();
    let fit = FitOptions { epochs: 120, batch_size: 16, shuffle: true };
    trainer.fit_validated(&x, &y, (&test_x, &test_y), &fit, &mut history)?;
    println!("   loss {:.4} after {} epochs", history.losses()[119], history.losses().len());

    println!("4. Plot the losses");
    let path = picture("losses");
    plot::losses(&history, &path)?;
    println!("   {}", path.display());

    println!("5. Test, and look at the mistakes");
    let confusion = ConfusionMatrix::of(&trainer.network, &test_x, &test_y)?;
    let path = picture("confusion");
    plot::confusion(&confusion, &NAMES, &path)?;
    println!("{confusion}\n   {}", path.display());

    println!("6. Evaluate");
    println!("   accuracy {:.3}, balanced {:.3}", confusion.accuracy(), confusion.balanced_accuracy());
    for (class, name) in NAMES.iter().enumerate() {
        let of = Average::Class(class);
        let (precision, recall) = (confusion.precision(of), confusion.recall(of));
        println!("   {name:10} precision {precision:.3}  recall {recall:.3}  F1 {:.3}", confusion.f_beta(1.0, of));
    }
    println!("   Matthews correlation {:.3}", confusion.matthews());
    surface(&flowers, &kinds, &picture("surface"))?;

    println!("7. Grid search, by cross-validation with the training samples");
    let networks = networks![for hidden in [4, 16] (Dense<4, hidden, Tanh>, Dense<hidden, 3, Softmax>)];
    let start = Hyperparameters {
        fit: FitOptions { epochs: 120, batch_size: 16, shuffle: true },
        ..Hyperparameters::new(Adam::new(0.01))
    };
    let grid = SearchSpace::new(start).learning_rate([0.001, 0.003, 0.01, 0.03]).l2([0.0, 1e-3, 1e-2]);
    let options = CrossValidationOptions { folds: 5, ..CrossValidationOptions::default() };
    let raw: Vec<[f32; 4]> = train.iter().map(|&index| flowers[index]).collect();
    let classes: Vec<usize> = train.iter().map(|&index| kinds[index]).collect();
    let validation = CrossValidation::stratified(&raw, &classes, CrossEntropy, accuracy, &options)?;
    let table = validation.grid(&networks, &grid)?;
    println!("{table:.5}");
    let best = table.best().ok_or("no candidate has a score")?;
    let predict = validation.predictor(&networks, best)?;
    let mut found = ConfusionMatrix::<3>::new();
    for &index in test {
        found.record(kinds[index], tuplenet::metrics::largest_index(&predict(&flowers[index])))?;
    }
    println!("   the best one, trained on all training samples: test accuracy {:.3}", found.accuracy());

    let found = regularize(&picture("regularization"), &picture("accuracy"))?;
    println!("test accuracy {:.3}", found);
    Ok(())
}

fn read<const IN: usize>(file: &str) -> Result<Classified<f32, IN>, Failure> {
    let path = format!("{}/examples/data/{file}", env!("CARGO_MANIFEST_DIR"));
    let source = std::fs::File::open(&path).map_err(|error| format!("{path}: {error}"))?;
    Csv::default().classified(source).map_err(|error| format!("{path}: {error}").into())
}

/// The decision surface over the plane of two measurements.
fn surface(flowers: &[[f32; 4]], kinds: &[usize], path: &Path) -> Result<(), Failure> {
    let petals: Vec<[f32; 2]> = flowers.iter().map(|&[_, _, length, width]| [length, width]).collect();
    let scaler = StandardScaler::fit(&petals)?;
    let scaled: Vec<[f32; 2]> = petals.iter().map(|petal| scaler.transform(petal)).collect();
    let mut trainer = Trainer::new(Petals::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01).l2(1e-3), seeded(1));
    trainer.fit(&scaled, kinds, &FitOptions { epochs: 200, batch_size: 16, shuffle: true }, ())?;
    // Folded into the first layer, the scaling need not be drawn.
    let (first, last) = trainer.network;
    let network = (scaler.fold(first), last);
    plot::decision_surface(&network, &petals, kinds, ["petal length in cm", "petal width in cm"], &NAMES, path)?;
    println!("   {}", path.display());
    Ok(())
}

/// The same network four times, on so few images that it overfits; returns the accuracy of the last one.
///
/// Not the best accuracy: who chooses by the test samples has none left to test with.
fn regularize(losses: &Path, accuracies: &Path) -> Result<f64, Failure> {
    let table: Classified<f32, 64> = read("digits.csv")?;
    let (images, digits) =
        (table.inputs.iter().map(|image| image.map(|pixel| pixel / 16.0)).collect::<Vec<_>>(), table.classes);
    let mut indices = vec![0; images.len()];
    let (train, test) = stratified_split::<10, _>(&digits, &mut indices, 0.85, &mut seeded(0))?;
    println!("8. to 10. Regularize: {} training images, {} test images", train.len(), test.len());
    let (x, y) = (Subset { data: &images, indices: train }, Subset { data: &digits, indices: train });
    let (test_x, test_y) = (Subset { data: &images, indices: test }, Subset { data: &digits, indices: test });

    let mut runs = Vec::new();
    // A function would have to name all traits of the three networks.
    macro_rules! train {
        ($network:ty, $($name:literal: $l2:literal),+) => {
            for (name, l2) in [$(($name, $l2)),+] {
                let network = <$network>::new(&mut seeded(0));
                let mut trainer = Trainer::new(network, CrossEntropy, Adam::new(0.002).l2(l2), seeded(1));
                let mut history = History::new();
                let mut accuracy = Metric::new("accuracy", |network: &$network| {
                    ConfusionMatrix::of(network, &test_x, &test_y).map_or(f64::NAN, |confusion| confusion.accuracy())
                });
                let fit = FitOptions { epochs: 100, batch_size: 32, shuffle: true };
                trainer.fit_validated(&x, &y, (&test_x, &test_y), &fit, (&mut history, &mut accuracy))?;
                runs.push((name, history, accuracy.values().to_vec()));
            }
        };
    }
    train!(Digits, "nothing": 0.0, "L2 penalty": 0.003);
    train!(Dropped, "dropout": 0.0);
    train!(Normalized, "batch normalization": 0.0);

    let curves: Vec<_> = runs.iter().map(|(name, history, _)| (*name, history.validation_losses())).collect();
    plot::curves("validation loss", &curves, losses)?;
    let curves: Vec<_> = runs.iter().map(|(name, _, accuracies)| (*name, &accuracies[..])).collect();
    plot::curves("validation accuracy", &curves, accuracies)?;
    println!("   {}\n   {}", losses.display(), accuracies.display());
    println!("   {:20}  training loss  validation loss  accuracy", "with");
    let mut last = f64::NAN;
    for (name, history, accuracies) in &runs {
        let [training, validation] =
            [history.losses(), history.validation_losses()].map(|losses| losses.last().copied().unwrap_or(f32::NAN));
        let accuracy = accuracies.last().copied().unwrap_or(f64::NAN);
        println!("   {name:20}  {training:13.4}  {validation:15.4}  {accuracy:8.3}");
        last = accuracy;
    }
    Ok(last)
}
