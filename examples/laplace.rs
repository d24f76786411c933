//! How certain a network is: a curve through noisy points, with a band that is narrow where there are points, and wide where there
//! are none. Bayesian regularization finds the penalty, and the Laplace approximation the band.
//!
//!     cargo run --release --example laplace --features plot
//!
//! Writes `target/laplace.png`, or into the folder that is named after the command.

use tuplenet::inspect::Laplace;
use tuplenet::model::Params;
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};

type Net = (Dense<1, 10, Tanh, f64>, Dense<10, 1, Identity, f64>);
const P: usize = Net::PARAMETERS;

fn truth(x: f64) -> f64 {
    (1.5 * x).sin() + 0.3 * x
}

const NOISE: f64 = 0.15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Noise: the sum of twelve uniform samples from [0, 1), minus 6, is almost standard normal.
    let mut rng = seeded(5);
    let mut uniform = || f64::from_random_bits(rng.next_u64());
    let mut normal = || (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
    // From -3 to 3 with a gap from -0.5 to 1.
    let inputs: Vec<[f64; 1]> =
        (0..60).map(|i| f64::from(i) / 59.0 * 6.0 - 3.0).filter(|x| !(-0.5..1.0).contains(x)).map(|x| [x]).collect();
    let targets: Vec<[f64; 1]> = inputs.iter().map(|[x]| [truth(*x) + NOISE * normal()]).collect();

    let solver = LevenbergMarquardt::<P>::new().bayesian();
    let mut trainer = FullBatchTrainer::new(Net::new(seeded(1)), MeanSquaredError, solver);
    let report = trainer.fit(&inputs, &targets, 300, ())?;
    let effective = trainer.state().effective_parameters;
    println!("{} points, {} epochs: {}", inputs.len(), report.epochs, trainer.status);
    println!("of {P} parameters the points determine {effective:.1}");

    let network = &trainer.network;
    let laplace = Laplace::<f64, P>::new(network, &inputs, &targets)?;
    println!("noise: found {:.3}, added {NOISE}\n", laplace.noise().sqrt());

    println!("    x   truth  network  deviation");
    let mut curve = Vec::new();
    let mut inside = 0;
    for i in 0..=160 {
        let x = f64::from(i) / 20.0 - 4.0;
        let prediction = laplace.predict(network, &[x]);
        let ([y], [deviation]) = (prediction.mean, prediction.standard_deviation());
        curve.push([x, y, 2.0 * deviation]);
        inside += usize::from((truth(x) - y).abs() < 2.0 * deviation);
        if i % 20 == 0 {
            println!("{x:5.1} {:7.2} {y:8.2} {deviation:10.2}", truth(x));
        }
    }
    println!("\nThe truth is within two deviations at {:.0} % of the places.", inside as f64 / 1.61);

    #[cfg(feature = "plot")]
    {
        let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or("target".into()));
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("laplace.png");
        let points: Vec<[f64; 2]> = inputs.iter().zip(&targets).map(|([x], [y])| [*x, *y]).collect();
        tuplenet::plot::band(["x", "y"], ("network, ± 2 deviations", &curve), ("training points", &points), &path)?;
        println!("The curve with its band: {}", path.display());
    }
    #[cfg(not(feature = "plot"))]
    let _ = curve;
    Ok(())
}
