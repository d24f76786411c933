//! A curve through noisy points: a damped swing, measured badly.
//!
//!     cargo run --release --example regression

#[path = "common/plot.rs"]
mod plot;

use tuplenet::data::split;
use tuplenet::prelude::*;

/// Regression: one input, one output.
type Curve = (Dense<1, 24, Tanh>, Dense<24, 24, Tanh>, Dense<24, 1, Identity>);

/// What is to be found. The network sees some noisy points of it only.
fn truth(time: f32) -> f32 {
    (-0.4 * time).exp() * (3.0 * time).cos()
}

const LAST: f32 = 6.0;
const NOISE: f32 = 0.1;

/// Networks like inputs around zero, about as large as one.
fn scaled(time: f32) -> [f32; 1] {
    [time / LAST * 4.0 - 2.0]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Noise: the sum of twelve uniform samples from [0, 1), minus 6, is almost standard normal (unit variance).
    let mut rng = seeded(3);
    let mut uniform = || f32::from_random_bits(rng.next_u64());
    let points: Vec<(f32, f32)> = (0..150)
        .map(|_| {
            let time = uniform() * LAST;
            let noise = (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
            (time, truth(time) + NOISE * noise)
        })
        .collect();

    let mut indices = vec![0; points.len()];
    let (train, test) = split(&mut indices, 0.2, &mut seeded(0))?;
    let pick = |indices: &[usize]| -> (Vec<[f32; 1]>, Vec<[f32; 1]>) {
        indices.iter().map(|&index| (scaled(points[index].0), [points[index].1])).unzip()
    };
    let (inputs, targets) = pick(train);
    let (test_inputs, test_targets) = pick(test);

    let network = Curve::new(&mut seeded(0));
    let mut trainer = Trainer::new(network, MeanSquaredError, Adam::new(0.01), seeded(0));
    println!("{} noisy training points, {} test points\n", train.len(), test.len());
    println!("epoch  root mean square error: training  test");
    // The learning rate decreases, so that the curve settles.
    for learning_rate in [0.01, 0.003, 0.001, 0.0003] {
        trainer.optimizer.set_learning_rate(learning_rate);
        trainer.fit(&inputs, &targets, &FitOptions { epochs: 250, ..FitOptions::default() }, ())?;
        let (train_error, test_error) =
            (trainer.evaluate(&inputs, &targets)?, trainer.evaluate(&test_inputs, &test_targets)?);
        println!("{:5}  {:32.3}  {:.3}", trainer.epochs, train_error.sqrt(), test_error.sqrt());
    }

    println!("\n· training points   o test points   █ the network\n");
    let mut plot = plot::Plot::new([0.0, LAST], [-1.2, 1.2], |_, _| ' ');
    for (indices, mark) in [(train, '·'), (test, 'o')] {
        for &index in indices {
            plot.mark(points[index].0, points[index].1, mark);
        }
    }
    let curve = |time: f32| trainer.network.predict_one(&scaled(time))[0];
    for step in 0..1000 {
        let time = LAST * step as f32 / 1000.0;
        plot.mark(time, curve(time), '█');
    }
    println!("{plot}\n");

    // What no measurement shows: how far the curve is from the truth without noise.
    let squares: f32 = (0..1000).map(|step| LAST * step as f32 / 1000.0).map(|t| (curve(t) - truth(t)).powi(2)).sum();
    println!("noise of the points       {NOISE:.3}");
    println!("distance from the truth   {:.3}", (squares / 1000.0).sqrt());
    Ok(())
}
