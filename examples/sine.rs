//! Levenberg-Marquardt against Adam: a network of 16 parameters learns one period of a sine to a mean squared error of 0.002, from
//! thirty starts. Draws the error over time.
//!
//!     cargo run --release --example sine --features plot
//!
//! Writes `target/sine.png`, or into the folder that is named after the command. The last line has how many starts Levenberg-Marquardt brought to the goal, and its median time.

use std::f64::consts::PI;
use std::ops::ControlFlow;
use std::time::Instant;
use tuplenet::model::Params;
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};

type Net = (Dense<1, 5, Tanh, f64>, Dense<5, 1, Identity, f64>);
type Solver = LevenbergMarquardt<{ Net::PARAMETERS }>;

const SAMPLES: usize = 41;
const SEEDS: usize = 30;
const GOAL: f64 = 0.002;

/// The time in microseconds and the loss after each epoch.
type Curve = Vec<[f64; 2]>;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let inputs: [[f64; 1]; SAMPLES] = core::array::from_fn(|i| [i as f64 / 20.0 - 1.0]);
    let targets = inputs.map(|[x]| [(PI * x).sin()]);

    let by_least_squares = |seed: usize, goal: f64| -> Result<(bool, Curve), tuplenet::Error> {
        let network = Net::new(seeded(seed as u64));
        let mut trainer = FullBatchTrainer::new(network, MeanSquaredError, Solver::new().goal(goal));
        let (mut curve, begin) = (Curve::new(), Instant::now());
        let time = |epoch: &EpochReport<_>| curve.push([begin.elapsed().as_secs_f64() * 1e6, epoch.loss]);
        let report = trainer.fit(&inputs, &targets, 200, time)?;
        Ok((report.loss <= goal, curve))
    };
    let by_adam = |seed: usize| -> Result<(bool, Curve), tuplenet::Error> {
        let network = Net::new(seeded(seed as u64));
        let mut trainer = Trainer::new(network, MeanSquaredError, Adam::new(0.02), seeded(0));
        let (mut curve, begin) = (Curve::new(), Instant::now());
        let time = |epoch: &EpochReport<_>| {
            curve.push([begin.elapsed().as_secs_f64() * 1e6, epoch.loss]);
            if epoch.loss <= GOAL { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let fit = FitOptions { epochs: 20_000, batch_size: SAMPLES, shuffle: false };
        let report = trainer.fit(&inputs, &targets, &fit, time)?;
        Ok((report.loss <= GOAL, curve))
    };

    // The first call fills caches, and finds out what the CPU has.
    by_least_squares(0, GOAL)?;
    by_adam(0)?;
    let (mut times, mut adam_times, mut reached, mut adam_reached) = (vec![], vec![], 0, 0);
    for seed in 0..SEEDS {
        let (good, curve) = by_least_squares(seed, GOAL)?;
        let (adam_good, adam_curve) = by_adam(seed)?;
        reached += usize::from(good);
        adam_reached += usize::from(adam_good);
        times.push(curve.last().map_or(0.0, |[time, _]| *time));
        adam_times.push(adam_curve.last().map_or(0.0, |[time, _]| *time));
        if seed < 5 {
            println!(
                "seed {seed}: Levenberg-Marquardt {} epochs in {:.0} us, Adam {} in {:.0} us",
                curve.len(),
                times[seed],
                adam_curve.len(),
                adam_times[seed]
            );
        }
    }

    #[cfg(feature = "plot")]
    {
        let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or("target".into()));
        std::fs::create_dir_all(&folder)?;
        let path = folder.join("sine.png");
        // Beyond the goal, to see how Levenberg-Marquardt continues. The same steps several times, since other programs can only make
        // them longer.
        let best = |run: &dyn Fn() -> Result<(bool, Curve), tuplenet::Error>| -> Result<Curve, tuplenet::Error> {
            let (_, mut best) = run()?;
            for _ in 0..50 {
                for (best, [time, _]) in best.iter_mut().zip(run()?.1) {
                    best[0] = best[0].min(time);
                }
            }
            Ok(best)
        };
        let (curve, adam_curve) = (best(&|| by_least_squares(1, 1e-7))?, best(&|| by_adam(1))?);
        let curves = [("Levenberg-Marquardt", &curve[..]), ("Adam", &adam_curve[..])];
        tuplenet::plot::log_lines(["time [µs]", "mean squared error"], &curves, &path)?;
        println!("The error over time: {}", path.display());
    }
    println!("Adam: seeds {adam_reached} of {SEEDS}, median {:.0} us", median(adam_times));
    println!("seeds {reached} of {SEEDS}, median {:.0} us", median(times));
    Ok(())
}
