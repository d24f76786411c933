//! A custom layer and a custom activation, in the middle of a network: two spirals, told apart by bumps.
//!
//!     cargo run --release --example custom_layer
//!
//! The layer is written twice: first by its formulas for one sample, which is all that a layer needs, and then with the
//! CPU's vector lanes, which is several times as fast. Both have the derivatives checked.

#[path = "common/plot.rs"]
mod plot;

use std::time::Instant;
use tuplenet::activation::{FromInput, NoActivation};
use tuplenet::init::HeUniform;
use tuplenet::inspect::gradient_check;
use tuplenet::model::{Formula, InputShape, Model, Pass};
use tuplenet::num::float::exp;
use tuplenet::num::math;
use tuplenet::prelude::*;
use tuplenet::simd::*;

// ------------------------------------------------------------------------------------------------------ the activation

/// `x tanh(softplus(x))`: D. Misra, "Mish: a self regularized non-monotonic activation function", 2019.
struct Mish;

impl Activation for Mish {
    /// What the derivative is computed from. `FromOutput` needs less memory, where the output is enough.
    type DerivativeFrom = FromInput;
    /// The default initialization of a layer with this activation.
    type Init = HeUniform;

    // Several values at once: `Lanes<S, T>` is a vector register of the CPU, and can be added and multiplied like a
    // float.
    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x * math::tanh::<S, T>(simd, math::softplus::<S, T>(simd, x))
    }

    #[inline(always)]
    fn derivative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, _output: Lanes<S, T>) -> Lanes<S, T> {
        let tanh = math::tanh::<S, T>(simd, math::softplus::<S, T>(simd, x));
        tanh + x * (-tanh * tanh + T::ONE) * math::sigmoid::<S, T>(simd, x)
    }
}

// ------------------------------------------------------------------------------------------------- a layer by formulas

tuplenet::parameters! {
    /// `OUT` bumps in a space of `IN` dimensions: `y = exp(-(steepness distance)^2)`, where the distance is that of the input
    /// from the bump's centre. A radial basis function layer: D. Broomhead and D. Lowe, 1988.
    #[derive(Clone)]
    struct Bumps<const IN: usize, const OUT: usize; T> {
        // Weight decay pulls a `Weight` towards zero. That makes no sense for these.
        centre: [[T; IN]; OUT] = Bias, |rng| T::from_random_bits(rng.next_u64()) * T::of(2.0) - T::ONE,
        steepness: [T; OUT] = Bias, |_rng| T::ONE,
    }
}

impl<const IN: usize, const OUT: usize, T: Real> Formula for Bumps<IN, OUT, T> {
    type Scalar = T;
    type In = Features<IN>;
    type Out = Features<OUT>;

    fn value(&self, x: &[T; IN], y: &mut [T; OUT]) {
        for (j, y) in y.iter_mut().enumerate() {
            let square = (0..IN).map(|i| (x[i] - self.centre[j][i]).powi(2)).fold(T::ZERO, |sum, term| sum + term);
            *y = exp(-self.steepness[j].powi(2) * square);
        }
    }

    // Where y = exp(-s^2 d^2), dy/dc = 2 s^2 (x - c) y, and dy/dx = -dy/dc, and dy/ds = -2 s d^2 y.
    fn derivatives(&self, (x, y): (&[T; IN], &[T; OUT]), dy: &[T; OUT], gradient: &mut Self, dx: &mut [T; IN]) {
        for (j, s) in self.steepness.into_iter().enumerate() {
            for i in 0..IN {
                let (away, common) = (x[i] - self.centre[j][i], dy[j] * y[j] * T::of(2.0) * s);
                gradient.centre[j][i] += common * s * away;
                gradient.steepness[j] -= common * away * away;
                dx[i] -= common * s * away;
            }
        }
    }
}

tuplenet::formula_layer!([const IN: usize, const OUT: usize, T: Real] Bumps<IN, OUT, T>);

// --------------------------------------------------------------------------------------------- the same layer, with lanes

tuplenet::parameters! {
    /// [`Bumps`] with lanes across the bumps: a column of centres for each input.
    #[derive(Clone)]
    struct FastBumps<const IN: usize, const OUT: usize; T> {
        centre: SMatrix<T, OUT, IN> = Bias, |rng| T::from_random_bits(rng.next_u64()) * T::of(2.0) - T::ONE,
        steepness: SVector<T, OUT> = Bias, |_rng| T::ONE,
    }
}

/// Prediction. `B` samples come at once, a column each; the first `pass.len()` are in use.
impl<const IN: usize, const OUT: usize, T: Real> Model<Features<IN>, T> for FastBumps<IN, OUT, T> {
    type Out = Features<OUT>;
    const MACS: Option<usize> = Some(IN * OUT);

    // `#[inline(always)]`: all that is inlined is compiled for the vector instructions that the CPU turns out to have.
    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, IN, B>, y: &mut SMatrix<T, OUT, B>) {
        let (simd, steepness) = (pass.simd(), self.steepness.as_slice());
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(pass.len()) {
            y.fill(T::ZERO);
            // `map` goes over slices with all lanes.
            for (centre, &x) in self.centre.data.0.iter().zip(x) {
                map(simd, [&mut y[..]], [&centre[..]], |[square], [c]| [square + (-c + x) * (-c + x)]);
            }
            map(simd, [&mut y[..]], [steepness], |[d], [s]| [math::exp_negative::<S, T>(simd, -d * s * s)]);
        }
    }
}

/// Training. `forward` would store in a cache what `backward` needs beside input and output; here that is nothing.
impl<const IN: usize, const OUT: usize, T: Real> Layer<Features<IN>, T> for FastBumps<IN, OUT, T> {
    type Cache<const B: usize> = ();
    type LastActivation = NoActivation;

    // Adds to the gradients by the parameters, since a batch may come in several micro-batches, and sets `dx`.
    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, y): (&SMatrix<T, IN, B>, &SMatrix<T, OUT, B>),
        (): &mut (),
        dy: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        mut dx: Option<&mut SMatrix<T, IN, B>>,
    ) {
        let (simd, s, ds) = (pass.simd(), self.steepness.as_slice(), gradient.steepness.as_mut_slice());
        for b in 0..pass.len() {
            let (y, dy) = (&y.data.0[b], &mut dy.data.0[b]);
            map(simd, [&mut dy[..]], [&y[..], s], |[dy], [y, s]| [dy * y * s * T::of(2.0)]);
            for i in 0..IN {
                let (x, c, dc) = (x[(i, b)], &self.centre.data.0[i], &mut gradient.centre.data.0[i]);
                let sum = map_sum(simd, OUT, [&mut dc[..], &mut *ds], [&c[..], &dy[..], s], |[dc, ds], [c, dy, s]| {
                    let (away, by_centre) = (-c + x, dy * s * (-c + x));
                    ([dc + by_centre, ds - dy * away * away], by_centre)
                });
                if let Some(dx) = &mut dx {
                    dx[(i, b)] = -sum;
                }
            }
        }
    }
}

impl<const IN: usize, const OUT: usize, T: Real> InputShape for FastBumps<IN, OUT, T> {
    type In = Features<IN>;
    type Scalar = T;
}
impl<const IN: usize, const OUT: usize, T> Network for FastBumps<IN, OUT, T> {}

// ------------------------------------------------------------------------------------------------------------- the use

/// The layer in the middle of a chain. Its sizes are checked like all others: try `Bumps<7, 24, T>`.
type Net<T = f32> = (Dense<2, 8, Mish, T>, Bumps<8, 24, T>, Dense<24, 1, Sigmoid, T>);
type FastNet<T = f32> = (Dense<2, 8, Mish, T>, FastBumps<8, 24, T>, Dense<24, 1, Sigmoid, T>);

/// Points along two spirals, in turn, with the spiral as the class.
fn spirals(count: usize, noise: f32, rng: &mut impl Rng) -> (Vec<[f32; 2]>, Vec<usize>) {
    let mut uniform = || 2.0 * f32::from_random_bits(rng.next_u64()) - 1.0;
    let point = |index: usize| {
        let along = (index / 2) as f32 / (count / 2) as f32;
        let (radius, class) = (0.1 + 0.9 * along, index % 2);
        let angle = core::f32::consts::PI * (3.0 * along + class as f32);
        ([radius * angle.cos() + noise * uniform(), radius * angle.sin() + noise * uniform()], class)
    };
    (0..count).map(point).unzip()
}

/// The gradient check: every derivative by every parameter, against differences of the loss, in f64.
fn check<N: FromTo<2, 1, f64>>(name: &str, mut network: N) -> Result<(), Box<dyn std::error::Error>>
where
    BinaryCrossEntropy: tuplenet::loss::Loss<f64, usize, tuplenet::model::LastActivation<N>, 1>,
{
    let inputs = [[0.3, -0.4], [-0.9, 0.2], [0.1, 0.8]];
    let check = gradient_check(&mut network, &BinaryCrossEntropy, &inputs, &[0usize, 1, 1])?;
    println!("{name}: gradient check of {} parameters, largest relative error {:.1e}", N::PARAMETERS, check.error);
    if check.error > 1e-7 {
        return Err(format!("expected an error below 1e-7: {check:?}").into());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    check("by formulas", Net::<f64>::new(&mut seeded(0)))?;
    check("with lanes ", FastNet::<f64>::new(&mut seeded(0)))?;

    // The same parameters, so the same outputs: the matrix of centres lies the other way round.
    let (first, bumps, last) = Net::<f32>::new(&mut seeded(0));
    let fast =
        FastBumps { centre: SMatrix::<f32, 8, 24>::from(bumps.centre).transpose(), steepness: bumps.steepness.into() };
    let (network, fast) = ((first.clone(), bumps, last.clone()), (first, fast, last));
    let (inputs, classes) = spirals(400, 0.06, &mut seeded(1));
    for input in &inputs {
        let ([slow], [fast]) = (network.predict_one(input), fast.predict_one(input));
        assert!((slow - fast).abs() < 1e-5, "{slow} and {fast}");
    }

    println!("\n{}", FastNet::<f32>::summary());
    let (test_inputs, test_classes) = spirals(400, 0.06, &mut seeded(2));
    let fit = FitOptions { epochs: 40, ..FitOptions::default() };
    let mut slow = Trainer::new(network, BinaryCrossEntropy, Adam::new(0.01), seeded(0));
    let mut trainer = Trainer::new(fast, BinaryCrossEntropy, Adam::new(0.01), seeded(0));
    println!("\nepoch  loss: training  test   time: by formulas  with lanes");
    for _ in 0..5 {
        let start = Instant::now();
        slow.fit(&inputs, &classes, &fit, ())?;
        let by_formulas = start.elapsed();
        let start = Instant::now();
        let report = trainer.fit(&inputs, &classes, &fit, ())?;
        let with_lanes = start.elapsed();
        let test_loss = trainer.evaluate(&test_inputs, &test_classes)?;
        let loss = report.loss;
        println!("{:5}  {loss:14.4}  {test_loss:.4}  {by_formulas:15.1?}  {with_lanes:10.1?}", trainer.epochs);
    }

    let network = &trainer.network;
    let predict = |x: &[f32; 2]| usize::from(network.predict_one(x)[0] > 0.5);
    let right = test_inputs.iter().zip(&test_classes).filter(|(x, class)| predict(x) == **class).count();
    println!("\nThe test points of the two spirals, and where the network predicts the second one (shaded):\n");
    let mut plot = plot::Plot::new([-1.2, 1.2], [-1.2, 1.2], |x, y| plot::shade(0.5 * network.predict_one(&[x, y])[0]));
    for ([x, y], class) in test_inputs.iter().zip(&test_classes) {
        plot.mark(*x, *y, ['o', 'x'][*class]);
    }
    println!("{plot}\n\ntest accuracy {:.3}", right as f64 / test_inputs.len() as f64);
    Ok(())
}
