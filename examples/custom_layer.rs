//! A custom layer and a custom activation, in the middle of a network: two spirals, told apart by bumps.
//!
//!     cargo run --release --example custom_layer
//!
//! Everything a layer of this library has, a custom layer can have. This file shows each item that is needed, and
//! how to make sure that the derivatives are right.

#[path = "common/plot.rs"]
mod plot;

use tuplenet::activation::{FromInput, NoActivation};
use tuplenet::init::HeUniform;
use tuplenet::inspect::gradient_check;
use tuplenet::model::{Description, InputShape, Kind, Parameter, Params, Pass, Place, Visitor, VisitorMut, Zeroed};
use tuplenet::num::math;
use tuplenet::prelude::*;
use tuplenet::simd::*;

// ------------------------------------------------------------------------------------------------------- the
// activation

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

// ------------------------------------------------------------------------------------------------------------ the
// layer

/// `OUT` bumps in a space of `IN` dimensions: output `j` is `exp(-(steepness_j distance_j)^2)`, where the distance is
/// that of the input from the bump's centre. A radial basis function layer: D. Broomhead and D. Lowe, 1988.
#[derive(Clone)]
struct Bumps<const IN: usize, const OUT: usize, T = f32> {
    /// Where the bumps are, one in each column.
    centre: SMatrix<T, IN, OUT>,
    /// How narrow they are.
    steepness: SVector<T, OUT>,
}

/// A layer of zeros: the initial value of gradients and of the optimizer's state.
impl<const IN: usize, const OUT: usize, T: Real> Zeroed for Bumps<IN, OUT, T> {
    const ZEROED: Self = Bumps { centre: SMatrix::ZEROED, steepness: SVector::ZEROED };
}

impl<const IN: usize, const OUT: usize, T> Bumps<IN, OUT, T> {
    // Weight decay pulls a `Kind::Weight` towards zero. That makes no sense for these.
    const CENTRE: Parameter = Parameter { name: "centre", kind: Kind::Bias, rows: IN, columns: OUT };
    const STEEPNESS: Parameter = Parameter { name: "steepness", kind: Kind::Bias, rows: OUT, columns: 1 };
}

/// The parameters. Optimizers, initialization and the gradient check all go through these visits.
impl<const IN: usize, const OUT: usize, T: Real> Params for Bumps<IN, OUT, T> {
    type Scalar = T;
    const PARAMETERS: usize = IN * OUT + OUT;

    fn visit(&self, visitor: &mut impl Visitor<T>) {
        visitor.slice(Self::CENTRE, self.centre.as_slice());
        visitor.slice(Self::STEEPNESS, self.steepness.as_slice());
    }

    /// `others` are values of the same type, such as a gradient: each slice is visited along with theirs.
    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        mut others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<T, OTHERS>,
    ) {
        let centres = others.each_mut().map(|other| other.centre.as_mut_slice());
        visitor.slice(Self::CENTRE, self.centre.as_mut_slice(), centres);
        let steepnesses = others.map(|other| other.steepness.as_mut_slice());
        visitor.slice(Self::STEEPNESS, self.steepness.as_mut_slice(), steepnesses);
    }

    /// Initialization: centres anywhere between -1 and 1, all bumps equally wide.
    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        for value in self.centre.as_mut_slice() {
            *value = T::from_random_bits(rng.next_u64()) * T::of(2.0) - T::ONE;
        }
        self.steepness.fill(T::ONE);
    }
}

/// The forward pass of samples of `IN` values, and the backward pass of gradients.
impl<const IN: usize, const OUT: usize, T: Real> Layer<Features<IN>> for Bumps<IN, OUT, T> {
    type Out = Features<OUT>;
    /// The cache, what `backward` needs of `forward`: the outputs of `B` samples, one sample per column, are enough.
    type Cache<const B: usize> = SMatrix<T, OUT, B>;
    /// There is no activation behind the bumps that a loss could take over.
    type LastActivation = NoActivation;

    fn output<const B: usize>(cache: &SMatrix<T, OUT, B>) -> &SMatrix<T, OUT, B> {
        cache
    }

    // `#[inline(always)]`: all that is inlined is compiled for the vector instructions that the CPU turns out to have.
    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        cache: &mut SMatrix<T, OUT, B>,
    ) {
        // Of the `B` columns, the first `pass.len()` hold samples.
        for sample in 0..pass.len() {
            for bump in 0..OUT {
                let square = self.square_distance(bump, x, sample);
                cache[(bump, sample)] = self.steepness[bump] * self.steepness[bump] * square;
            }
        }
        // A matrix is a slice, column by column; `map` goes over it with all lanes.
        let simd = pass.simd();
        let used = pass.len() * OUT;
        map(
            simd,
            [&mut cache.as_mut_slice()[..used]],
            [],
            #[inline(always)]
            |[square], []| [math::exp_negative::<S, T>(simd, -square)],
        );
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        cache: &mut SMatrix<T, OUT, B>,
        output_gradient: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        mut input_gradient: Option<&mut SMatrix<T, IN, B>>,
    ) {
        // The gradients by the parameters are added to what is there: a batch may come in several micro-batches. The
        // gradient by the input is set; for the first layer of a network it is not needed.
        if let Some(input_gradient) = &mut input_gradient {
            input_gradient.fill(T::ZERO);
        }
        for sample in 0..pass.len() {
            for bump in 0..OUT {
                // y = exp(-s^2 d^2), so that dy/ds = -2 s d^2 y, and dy/dc = 2 s^2 (x - c) y, and dy/dx = -dy/dc.
                let steepness = self.steepness[bump];
                let common = output_gradient[(bump, sample)] * cache[(bump, sample)] * T::of(2.0) * steepness;
                let square = self.square_distance(bump, x, sample);
                gradient.steepness[bump] -= common * square;
                for i in 0..IN {
                    let by_centre = common * steepness * (x[(i, sample)] - self.centre[(i, bump)]);
                    gradient.centre[(i, bump)] += by_centre;
                    if let Some(input_gradient) = &mut input_gradient {
                        input_gradient[(i, sample)] -= by_centre;
                    }
                }
            }
        }
    }

    /// For the summary: one multiply-accumulate (MAC) for each coordinate of each centre.
    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        tell(Description::of::<Features<IN>, Self>(place, Some(IN * OUT)));
    }
}

impl<const IN: usize, const OUT: usize, T: Real> Bumps<IN, OUT, T> {
    /// The square of the distance of a sample from a bump's centre.
    #[inline(always)]
    fn square_distance<const B: usize>(&self, bump: usize, x: &SMatrix<T, IN, B>, sample: usize) -> T {
        let mut sum = T::ZERO;
        for i in 0..IN {
            let away = x[(i, sample)] - self.centre[(i, bump)];
            sum += away * away;
        }
        sum
    }
}

/// With these two, the layer can also be the first of a network, or a network alone.
impl<const IN: usize, const OUT: usize, T> InputShape for Bumps<IN, OUT, T> {
    type In = Features<IN>;
}
impl<const IN: usize, const OUT: usize, T> Network for Bumps<IN, OUT, T> {}

// -------------------------------------------------------------------------------------------------------------- the
// use

/// The layer in the middle of a chain. Its sizes are checked like all others: try `Bumps<7, 24, T>`.
type Net<T = f32> = (Dense<2, 8, Mish, T>, Bumps<8, 24, T>, Dense<24, 1, Sigmoid, T>);

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // First the gradient check: every derivative by every parameter, against differences of the loss, in f64.
    let mut network = Net::<f64>::new(&mut seeded(0));
    let inputs = [[0.3, -0.4], [-0.9, 0.2], [0.1, 0.8]];
    let check = gradient_check(&mut network, &BinaryCrossEntropy, &inputs, &[0usize, 1, 1])?;
    println!("gradient check of {} parameters: largest relative error {:.1e}", Net::<f64>::PARAMETERS, check.error);
    if check.error > 1e-7 {
        return Err(format!("expected an error below 1e-7: {check:?}").into());
    }

    // Then the use.
    println!("\n{}", Net::<f32>::summary());
    let (inputs, classes) = spirals(400, 0.06, &mut seeded(1));
    let (test_inputs, test_classes) = spirals(400, 0.06, &mut seeded(2));
    let mut trainer = Trainer::new(Net::<f32>::new(&mut seeded(0)), BinaryCrossEntropy, Adam::new(0.01), seeded(0));
    println!("\nepoch  loss: training  test");
    for _ in 0..5 {
        let outcome = trainer.fit(&inputs, &classes, &FitOptions { epochs: 40, ..FitOptions::default() }, ())?;
        let test_loss = trainer.evaluate(&test_inputs, &test_classes)?;
        println!("{:5}  {:14.4}  {test_loss:.4}", trainer.epochs, outcome.loss);
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
