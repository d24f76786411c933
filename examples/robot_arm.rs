//! A robot arm with two joints. A network learns by Levenberg-Marquardt where the hand is for the angles of the joints, and a control
//! loop moves the hand along a path with the network's Jacobian: the angles follow from the inverse of the Jacobian, step by step.
//!
//!     cargo run --release --example robot_arm
//!
//! The arm's geometry is known here, so that the errors can be measured; the controller knows the network alone.

use std::f64::consts::PI;
use tuplenet::model::Params;
use tuplenet::prelude::*;
use tuplenet::train::{FullBatchTrainer, LevenbergMarquardt};

/// From the two angles to the position of the hand.
type Arm = (Dense<2, 16, Tanh, f64>, Dense<16, 2, Identity, f64>);

/// The lengths of the upper arm and the forearm in meters.
const LENGTHS: [f64; 2] = [0.5, 0.4];

/// Where the hand is.
fn hand([shoulder, elbow]: [f64; 2]) -> [f64; 2] {
    let both = shoulder + elbow;
    [LENGTHS[0] * shoulder.cos() + LENGTHS[1] * both.cos(), LENGTHS[0] * shoulder.sin() + LENGTHS[1] * both.sin()]
}

fn distance([a, b]: [f64; 2], [c, d]: [f64; 2]) -> f64 {
    (a - c).hypot(b - d)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What a camera has measured while the joints were moved about, to a tenth of a millimeter.
    let mut rng = seeded(1);
    let mut uniform = |low: f64, high: f64| low + (high - low) * f64::from_random_bits(rng.next_u64());
    let angles: Vec<[f64; 2]> = (0..400).map(|_| [uniform(0.0, PI / 2.0), uniform(0.3, 2.3)]).collect();
    let hands: Vec<[f64; 2]> = angles.iter().map(|angles| hand(*angles).map(|x| x + uniform(-1e-4, 1e-4))).collect();

    let solver = LevenbergMarquardt::<{ Arm::PARAMETERS }>::new().loss_tolerance(1e-4);
    let mut trainer = FullBatchTrainer::new(Arm::new(seeded(0)), MeanSquaredError, solver);
    let report = trainer.fit(&angles, &hands, 300, ())?;
    let arm = trainer.network;
    println!("{} epochs, error {:.2} mm: {}", report.epochs, 1e3 * report.loss.sqrt(), trainer.status);

    // The Jacobian against that of the geometry.
    let at = [0.8, 1.2];
    let jacobian: SMatrix<f64, 2, 2> = arm.jacobian(&at);
    let ([x, y], both) = (hand(at), at[0] + at[1]);
    let right = SMatrix::<f64, 2, 2>::new(-y, -LENGTHS[1] * both.sin(), x, LENGTHS[1] * both.cos());
    println!("Jacobian of the network {jacobian:.3}of the geometry {right:.3}");

    // The hand draws a circle. Each step moves the joints by the inverse of the Jacobian, damped as in Levenberg-Marquardt so that
    // a stretched arm does not swing around: angles += J' (J J' + damping I)^-1 (goal - hand).
    let mut angles = [0.7, 1.4];
    let (mut largest, mut steps) = (0.0f64, 0);
    println!("turn   goal            hand            error");
    for step in 0..=200 {
        let turn = f64::from(step) / 200.0;
        let goal = [0.45 + 0.12 * (2.0 * PI * turn).cos(), 0.45 + 0.12 * (2.0 * PI * turn).sin()];
        for _ in 0..if step == 0 { 20 } else { 2 } {
            let missing = SVector::from(goal) - SVector::from(arm.predict_one(&angles));
            let jacobian: SMatrix<f64, 2, 2> = arm.jacobian(&angles);
            let damped = jacobian * jacobian.transpose() + SMatrix::identity() * 1e-6;
            let Some(inverse) = damped.try_inverse() else { break };
            let change = jacobian.transpose() * inverse * missing;
            angles = [angles[0] + change[0], angles[1] + change[1]];
            steps += 1;
        }
        let error = distance(hand(angles), goal);
        largest = largest.max(error);
        if step % 25 == 0 {
            let [x, y] = hand(angles);
            println!("{turn:4.2}   ({:.3}, {:.3})  ({x:.3}, {y:.3})  {:5.2} mm", goal[0], goal[1], 1e3 * error);
        }
    }
    println!("{steps} steps of the controller, largest error {:.2} mm", 1e3 * largest);
    assert!(largest < 2e-3, "the hand left its path by {largest} m");
    Ok(())
}
