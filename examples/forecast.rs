//! Forecast of a chaotic series: a GRU learns from windows of it, and then predicts step by step as a stream.
//!
//!     cargo run --release --example forecast

use tuplenet::layers::{Gru, Input, Steps};
use tuplenet::prelude::*;

/// The steps of a window, and how many steps ahead the network predicts.
const WINDOW: usize = 32;
const AHEAD: usize = 6;

/// The values of the series for training, and all of them.
const TRAINING: usize = 2000;
const ALL: usize = 3000;

/// A value in, and at each step a prediction out. `Input` names the number of steps for training alone; the weights are the
/// same for any number.
type Net = (Input<Sequence<WINDOW, 1>>, Gru<1, 16>, Steps<Dense<16, 1, Identity>>);

/// The equation of M. Mackey and L. Glass for the concentration of blood cells, `x' = 0.2 x(t - 17) / (1 + x(t - 17)^10) -
/// 0.1 x`, in steps of 0.1; one value in ten, around zero.
fn series() -> Vec<[f32; 1]> {
    const DELAY: usize = 170;
    let mut x = vec![1.2f64; DELAY + 1];
    while x.len() < DELAY + 10 * (ALL + 100) {
        let (now, then) = (x[x.len() - 1], x[x.len() - 1 - DELAY]);
        x.push(now + 0.1 * (0.2 * then / (1.0 + then.powi(10)) - 0.1 * now));
    }
    x.iter().skip(DELAY + 1000).step_by(10).take(ALL).map(|&x| [(x - 0.93) as f32 * 4.0]).collect()
}

fn main() -> Result<(), tuplenet::Error> {
    let series = series();

    // Windows that overlap; the target at each step is the value some steps later.
    let begins = (0..TRAINING - WINDOW - AHEAD).step_by(5);
    let window = |begin: usize| std::array::from_fn(|step| series[begin + step]);
    let inputs: Vec<[[f32; 1]; WINDOW]> = begins.clone().map(window).collect();
    let targets: Vec<[[f32; 1]; WINDOW]> = begins.map(|begin| window(begin + AHEAD)).collect();

    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(1));
    let report = |epoch: &EpochReport<Net>| {
        if epoch.number.is_multiple_of(20) {
            println!("epoch {:3}  loss {:.5}", epoch.number, epoch.loss);
        }
    };
    trainer.fit(&inputs, &targets, &FitOptions { epochs: 100, batch_size: 32, ..FitOptions::default() }, report)?;

    // The whole series as one stream, far longer than a window.
    let network = trainer.network;
    let mut predictions = vec![[0.0]; ALL];
    network.run(&mut network.state(), &series, &mut predictions)?;

    println!("\n{:>6}  {:>6}  {:>9}", "step", "truth", "predicted");
    let (mut error, mut persistence) = (0.0, 0.0);
    for now in TRAINING..ALL - AHEAD {
        let ([truth], [predicted], [last]) = (series[now + AHEAD], predictions[now], series[now]);
        error += (truth - predicted) * (truth - predicted);
        // To predict that nothing changes.
        persistence += (truth - last) * (truth - last);
        if now < TRAINING + 160 && now % 4 == 0 {
            let mut line = [' '; 50];
            let place = |value: f32| ((value + 3.0) * 9.0).clamp(0.0, 49.0) as usize;
            line[place(predicted)] = 'o';
            line[place(truth)] = '|';
            println!("{now:6}  {truth:6.3}  {predicted:9.3}  {}", line.iter().collect::<String>());
        }
    }
    println!("\nerror {:.3} of persistence", (error / persistence).sqrt());
    Ok(())
}
