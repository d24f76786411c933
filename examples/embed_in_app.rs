//! A network as a part of a larger program: it balances a pole on a cart, fifty decisions a second.
//!
//!     cargo run --release --example embed_in_app
//!     cargo run --release --example embed_in_app -- train      (how the network below was made)
//!
//! The network is a `static`: its weights are part of the program, as they would be part of a microcontroller's flash.
//! A decision allocates nothing and can't fail.

use std::time::Instant;
use tuplenet::prelude::*;

/// From four measurements to a force between -1 (left) and 1 (right).
type Policy = (Dense<4, 8, Tanh>, Dense<8, 1, Tanh>);

/// Printed by `-- train`.
#[rustfmt::skip]
static POLICY: Policy = (
    Dense::from_rows(
        [
            [-0.2977, -0.2473, -0.0342, -0.3473],
            [0.1643, 0.0571, 0.1349, 0.4173],
            [0.1509, 0.2052, 0.2782, 0.2291],
            [-0.2690, -0.2969, -0.5152, -0.0326],
            [-0.0661, 0.0910, -0.1906, 0.7586],
            [-0.0952, 0.0326, -0.3296, -0.3752],
            [0.1532, 0.1658, 0.1982, 0.2660],
            [0.1194, -0.2833, -0.3462, -0.2873],
        ],
        [0.0356, 0.0648, 0.0219, -0.0159, -0.0078, 0.0436, 0.0117, -0.0149],
    ),
    Dense::from_rows(
        [
            [-1.3033, 0.4093, 0.6024, -1.2583, 0.6687, -1.1886, 0.2649, -1.2969],
        ],
        [0.0255],
    ),
);

/// The cart and the pole, as in A. Barto, R. Sutton and C. Anderson, "Neuronlike adaptive elements that can solve
/// difficult learning control problems", 1983.
#[derive(Clone, Copy, Default)]
struct Cart {
    /// In metres, from the middle of the track.
    position: f32,
    speed: f32,
    /// Of the pole, in radians, to the right; 0 is upright.
    angle: f32,
    spin: f32,
}

impl Cart {
    const TICK: f32 = 0.02;
    const STRONGEST: f32 = 10.0;

    /// Moves on by a fiftieth of a second under a force in newtons.
    fn tick(&mut self, force: f32) {
        let (gravity, cart, pole, half_length) = (9.8, 1.0, 0.1, 0.5);
        let (sin, cos) = self.angle.sin_cos();
        let push = (force + pole * half_length * self.spin * self.spin * sin) / (cart + pole);
        let turn = (gravity * sin - cos * push) / (half_length * (4.0 / 3.0 - pole * cos * cos / (cart + pole)));
        self.speed += Self::TICK * (push - pole * half_length * turn * cos / (cart + pole));
        self.position += Self::TICK * self.speed;
        self.spin += Self::TICK * turn;
        self.angle += Self::TICK * self.spin;
    }

    /// The inputs of the network: each measurement divided by a large value of it.
    fn measurements(&self) -> [f32; 4] {
        [self.position / 2.0, self.speed / 2.0, self.angle / 0.3, self.spin / 1.5]
    }

    fn has_failed(&self) -> bool {
        self.position.abs() > 2.4 || self.angle.abs() > 0.5
    }

    /// A track of 4.8 metres with the cart and the lean of its pole.
    fn draw(&self) -> String {
        let lean = if self.angle.abs() < 0.02 {
            '|'
        } else if self.angle > 0.0 {
            '/'
        } else {
            '\\'
        };
        let column = ((self.position + 2.4) / 4.8 * 41.0).clamp(1.0, 39.0) as usize;
        let mut track = ['.'; 41];
        track[column - 1] = '[';
        track[column] = lean;
        track[column + 1] = ']';
        track.iter().collect()
    }
}

/// The larger program: here a simulation, elsewhere a robot's control loop or a game. It takes any network from four inputs to
/// one output.
struct Robot<N: FromTo<4, 1> + 'static> {
    cart: Cart,
    policy: &'static N,
    ticks: u32,
}

impl<N: FromTo<4, 1>> Robot<N> {
    /// Measures, decides, acts; returns the force.
    fn tick(&mut self) -> f32 {
        // All of the network's work, on the stack.
        let [share] = self.policy.predict_one(&self.cart.measurements());
        let force = share * Cart::STRONGEST;
        self.cart.tick(force);
        self.ticks += 1;
        force
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        None => balance(),
        Some("train") => train(),
        Some(other) => Err(format!("expected nothing or `train`, found `{other}`").into()),
    }
}

fn balance() -> Result<(), Box<dyn std::error::Error>> {
    let mut robot = Robot { cart: Cart { position: -1.5, ..Cart::default() }, policy: &POLICY, ticks: 0 };
    println!("   time  -2.4 m              0               2.4 m   pole    force");
    while robot.ticks < 750 {
        let shove = match robot.ticks {
            250 => 1.0,
            500 => -1.2,
            _ => 0.0,
        };
        robot.cart.spin += shove;
        let (seconds, drawing, angle) = (robot.ticks as f32 * Cart::TICK, robot.cart.draw(), robot.cart.angle);
        let force = robot.tick();
        if robot.cart.has_failed() {
            return Err(format!("the pole fell after {seconds:.2} seconds").into());
        }
        if robot.ticks % 25 == 1 {
            let note = if shove != 0.0 { "  a shove!" } else { "" };
            println!("{seconds:5.1} s  {drawing}  {angle:5.2}  {force:5.1} N{note}");
        }
    }
    println!("\n{} decisions, and the pole still stands", robot.ticks);
    println!("the network uses {} bytes", size_of::<Policy>());

    let count = 1_000_000;
    let start = Instant::now();
    for _ in 0..count {
        // A black box, so that the compiler does not see that the result goes unused.
        std::hint::black_box(POLICY.predict_one(std::hint::black_box(&robot.cart.measurements())));
    }
    println!("a decision takes {:.0} ns", start.elapsed().as_secs_f64() / count as f64 * 1e9);
    Ok(())
}

/// The network learns by watching a teacher, and is then printed as Rust.
fn train() -> Result<(), Box<dyn std::error::Error>> {
    // The optimal gains for small angles (linear quadratic regulator; costs 5, 1, 10 and 1 of the squares of the four
    // measurements in metres and radians, 0.5 of that of the force), with the force limited to what the motor can do.
    // In practice the teacher would be something too slow or too rare to have on board: a planner, or a human at the
    // controls.
    let teacher = |cart: &Cart| {
        let force = 3.162 * cart.position + 4.664 * cart.speed + 41.38 * cart.angle + 10.63 * cart.spin;
        (force / Cart::STRONGEST).clamp(-1.0, 1.0)
    };

    let mut rng = seeded(0);
    let mut within = |largest: f32| largest * (2.0 * f32::from_random_bits(rng.next_u64()) - 1.0);
    let (inputs, targets): (Vec<[f32; 4]>, Vec<[f32; 1]>) = (0..4000)
        .map(|_| {
            let cart = Cart { position: within(2.0), speed: within(2.0), angle: within(0.3), spin: within(1.5) };
            (cart.measurements(), [teacher(&cart)])
        })
        .unzip();

    let mut trainer = Trainer::new(Policy::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.01), seeded(0));
    for learning_rate in [0.01, 0.003, 0.001] {
        trainer.optimizer.set_learning_rate(learning_rate);
        trainer.fit(&inputs, &targets, &FitOptions { epochs: 50, ..FitOptions::default() }, ())?;
    }
    let error = trainer.evaluate(&inputs, &targets)?.sqrt();
    println!("// off the teacher by {:.2} N (root mean square)", error * Cart::STRONGEST);
    println!("#[rustfmt::skip]\nstatic POLICY: Policy = (");
    print_source(&trainer.network.0);
    print_source(&trainer.network.1);
    println!(");");
    Ok(())
}

/// A layer as the expression that makes it.
fn print_source<const IN: usize, const OUT: usize, A>(layer: &Dense<IN, OUT, A>) {
    println!("    Dense::from_rows(\n        [");
    for row in layer.weight.row_iter() {
        println!("            {:.4?},", row.iter().collect::<Vec<_>>());
    }
    println!("        ],\n        {:.4?},\n    ),", layer.bias.as_slice());
}
