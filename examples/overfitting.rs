//! Overfitting, and three remedies: L2 regularization, dropout, early stopping.
//!
//!     cargo run --release --features plot --example overfitting -- pictures
//!
//! Two half moons that overlap, 60 training points, and a network far too large for them. The argument is the folder
//! for the pictures, which are SVG, or with a second argument `png` PNG.

use std::path::PathBuf;
use tuplenet::layers::Dropout;
use tuplenet::plot;
use tuplenet::prelude::*;
use tuplenet::train::callbacks::EarlyStopping;

type Net = (Dense<2, 64, Tanh>, Dense<64, 64, Tanh>, Dense<64, 1, Sigmoid>);
/// The same, with dropout: half of the hidden values are zeroed at random during training.
type Dropped = (Dense<2, 64, Tanh>, Dropout<50>, Dense<64, 64, Tanh>, Dropout<50>, Dense<64, 1, Sigmoid>);

const EPOCHS: usize = 1500;

/// Points on two half circles, each moved by noise, and on which.
fn moons(count: usize, seed: u64) -> (Vec<[f32; 2]>, Vec<bool>) {
    let mut rng = seeded(seed);
    let mut uniform = || f32::from_random_bits(rng.next_u64());
    let mut points = Vec::new();
    for index in 0..count {
        let (angle, other) = (uniform() * core::f32::consts::PI, index % 2 == 1);
        let (sin, cos) = angle.sin_cos();
        let [x, y] = if other { [1.0 - cos, 0.5 - sin] } else { [cos, sin] };
        // The sum of twelve uniform samples from [0, 1), minus 6, is almost standard normal (unit variance).
        let mut noise = || 0.3 * ((0..12).map(|_| uniform()).sum::<f32>() - 6.0);
        points.push(([x + noise(), y + noise()], other));
    }
    points.into_iter().unzip()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or("target/overfitting".into()));
    let ending = arguments.next().unwrap_or("svg".into());
    std::fs::create_dir_all(&folder)?;
    let picture = |name: &str| folder.join(name).with_extension(&ending);

    let (x, y) = moons(60, 1);
    let (test_x, test_y) = moons(1000, 2);
    let fit = FitOptions { epochs: EPOCHS, batch_size: 60, shuffle: true };
    println!("{:16}  epochs  training loss  validation loss  wrong of {}", "", test_x.len());

    let mut curves = Vec::new();
    macro_rules! run {
        ($name:literal, $network:ty, $l2:expr, $callback:expr, $surface:literal) => {{
            let network = <$network>::new(&mut seeded(0));
            let mut trainer = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.01).l2($l2), seeded(1));
            let mut history = History::new();
            let outcome = trainer.fit_validated(&x, &y, (&test_x, &test_y), &fit, (&mut history, $callback))?;
            // Evaluated again, since early stopping has restored other weights.
            let losses = (trainer.evaluate(&x, &y)?, trainer.evaluate(&test_x, &test_y)?);
            let mut outputs = vec![[0.0]; test_x.len()];
            trainer.network.predict_all(&test_x, &mut outputs)?;
            let wrong = outputs.iter().zip(&test_y).filter(|([output], target)| (*output >= 0.5) != **target).count();
            println!("{:16}  {:6}  {:13.4}  {:15.4}  {wrong:5}", $name, outcome.epochs, losses.0, losses.1);
            let moons = ["upper moon", "lower moon"];
            plot::decision_surface(&trainer.network, &x, &y, ["x", "y"], &moons, picture($surface))?;
            curves.push(($name, history.losses().to_vec(), history.validation_losses().to_vec()));
            losses.1
        }};
    }
    let mut stopping = EarlyStopping::new(100);
    let plain = run!("nothing", Net, 0.0, (), "surface_nothing");
    let others = [
        run!("L2 penalty", Net, 0.001, (), "surface_l2"),
        run!("dropout", Dropped, 0.0, (), "surface_dropout"),
        run!("early stopping", Net, 0.0, &mut stopping, "surface_stopped"),
    ];

    let validation: Vec<(&str, &[f32])> = curves.iter().map(|(name, _, losses)| (*name, &losses[..])).collect();
    plot::curves("validation loss", &validation, picture("validation"))?;
    let training: Vec<(&str, &[f32])> = curves.iter().map(|(name, losses, _)| (*name, &losses[..])).collect();
    plot::curves("training loss", &training, picture("training"))?;
    println!("\nthe pictures are in {}", folder.display());

    if let Some(worse) = others.iter().find(|loss| **loss >= plain) {
        return Err(format!("expected every remedy to lower the validation loss {plain}, found {worse}").into());
    }
    println!("every remedy helps");
    Ok(())
}
