//! Activations: zero-sized types with a value, a slope, and the initialization that suits them.
//!
//! An activation of your own is a type with two functions:
//!
//! ```
//! use tuplenet::activation::{Activation, FromInput};
//! use tuplenet::init::HeNormal;
//! use tuplenet::prelude::*;
//! use tuplenet::simd::*;
//!
//! /// The square of the positive part.
//! struct SquaredRelu;
//!
//! impl Activation for SquaredRelu {
//!     type Slope = FromInput;
//!     type Init = HeNormal;
//!
//!     fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
//!         let positive = x.max(Lanes::<S, T>::splat(simd, T::ZERO));
//!         positive * positive
//!     }
//!
//!     fn slope<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
//!         x.max(Lanes::<S, T>::splat(simd, T::ZERO)) * T::of(2.0)
//!     }
//! }
//!
//! let network = <(Dense<2, 8, SquaredRelu>, Dense<8, 1, Identity>)>::new(&mut seeded(0));
//! assert!(network.predict_one(&[0.5, -1.0])[0].is_finite());
//! ```

use crate::init::{GlorotUniform, HeUniform, Init, LecunNormal};
use crate::kernel::{self, Elementwise, Tile, map};
use crate::num::math::{self, at_least, at_most, mul_add, splat};
use crate::num::zeroed::Zeroed;
use crate::num::{Lanes, Real};
use fearless_simd::{Select, Simd, SimdBase};

/// A function applied to every output of a layer, on vector lanes.
///
/// [`value`](Self::value) must propagate NaN (`x.max(0)` may not: see [`at_least`]), or the trainer can't see that a
/// network has diverged. Mark both functions `#[inline(always)]` for speed.
pub trait Activation: 'static {
    /// What [`slope`](Self::slope) is computed from: [`FromOutput`] if its `x` is not used, which spares the memory of the
    /// input, else [`FromInput`].
    type Slope: SlopeFrom;

    /// The initialization of a layer that has this activation.
    type Init: Init + Default;

    /// Whether the outputs of a sample depend on each other; then [`couple`](Self::couple) and
    /// [`couple_slope`](Self::couple_slope) say how.
    const COUPLED: bool = false;

    /// Whether [`value`](Self::value) is a few instructions, so that a copy of it in each place where sums are at hand makes
    /// less of a program than a pass of its own over the outputs.
    const BRIEF: bool = false;

    /// Which loss takes this activation over, to compute the two together from the activation's input.
    const LINK: Link = Link::None;

    /// The name of the function for [export](crate::model); none for an activation of your own, which other languages do
    /// not know.
    const FUNCTION: Option<Function> = None;

    /// The function at `x`.
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T>;

    /// The derivative at `x`, where the value is `y`.
    fn slope<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T>;

    /// `slope`, by the value `y`, times the derivative: the slope by `x`.
    #[inline(always)]
    fn backward<S: Simd, T: Real>(simd: S, slope: Lanes<S, T>, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        slope * Self::slope::<S, T>(simd, x, y)
    }

    /// Turns the values of the samples in use into the output, for an activation that couples the outputs of a sample:
    /// softmax.
    #[inline(always)]
    fn couple<S: Simd, T: Real, const OUT: usize, const B: usize>(_tile: Tile<S, B>, _values: &mut [[T; OUT]; B]) {}

    /// Turns the slope by the output into the slope by the values, for an activation that couples the outputs of a sample.
    #[inline(always)]
    fn couple_slope<S: Simd, T: Real, const OUT: usize, const B: usize>(
        _tile: Tile<S, B>,
        _output: &[[T; OUT]; B],
        _slope: &mut [[T; OUT]; B],
    ) {
    }
}

impl<A: Activation> Elementwise for A {
    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        <A as Activation>::value::<S, T>(simd, x)
    }
}

/// Which loss an activation is computed together with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// None.
    None,
    /// Either cross-entropy, which takes the outputs as logits.
    Identity,
    /// Binary cross-entropy: the activation is the logistic sigmoid.
    Sigmoid,
    /// Cross-entropy: the activation is softmax.
    Softmax,
}

/// The library's activations; by name, for who writes a network in another language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the types here")]
#[non_exhaustive]
pub enum Function {
    Identity,
    Relu,
    LeakyRelu {
        /// The factor below zero, in thousandths.
        thousandths: u32,
    },
    Elu,
    Selu,
    Gelu,
    Silu,
    Sigmoid,
    HardSigmoid,
    Tanh,
    Softplus,
    Softsign,
    Softmax,
}

/// Fails to compile where outputs would be constant.
pub(crate) const fn assert_varies<A: Activation>(outputs: usize) {
    assert!(
        outputs > 1 || !matches!(A::LINK, Link::Softmax),
        "softmax of one output is always 1: take `Sigmoid` with `BinaryCrossEntropy` for yes or no, or an output for each class"
    );
}

/// What an activation's slope is computed from.
pub trait SlopeFrom: 'static {
    /// Room for the layer's output before the activation, where it is needed.
    type Room<M: Zeroed>: Zeroed;
    /// The room, if there is one.
    fn room<M: Zeroed>(room: &Self::Room<M>) -> Option<&M>;
    /// The room to write to, if there is one.
    fn room_mut<M: Zeroed>(room: &mut Self::Room<M>) -> Option<&mut M>;
}

/// The slope follows from the activation's output alone.
#[derive(Clone, Copy, Debug)]
pub struct FromOutput;

impl SlopeFrom for FromOutput {
    type Room<M: Zeroed> = ();
    #[inline(always)]
    fn room<M: Zeroed>((): &()) -> Option<&M> {
        None
    }
    #[inline(always)]
    fn room_mut<M: Zeroed>((): &mut ()) -> Option<&mut M> {
        None
    }
}

/// The slope needs the activation's input, which is kept for the backward pass.
#[derive(Clone, Copy, Debug)]
pub struct FromInput;

impl SlopeFrom for FromInput {
    type Room<M: Zeroed> = M;
    #[inline(always)]
    fn room<M: Zeroed>(room: &M) -> Option<&M> {
        Some(room)
    }
    #[inline(always)]
    fn room_mut<M: Zeroed>(room: &mut M) -> Option<&mut M> {
        Some(room)
    }
}

// For each activation: its documentation, name, what the slope is computed from, its initialization; value; slope.
macro_rules! activation {
    ($(#[$doc:meta])* $name:ident, $from:ty, $init:ty $(, link $link:expr)? $(, brief $brief:literal)?;
     |$simd:ident, $x:ident| $value:expr; |$slope_simd:ident, $slope_x:ident, $y:ident| $slope:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $name;

        impl Activation for $name {
            type Slope = $from;
            type Init = $init;
            const FUNCTION: Option<Function> = Some(Function::$name);
            $(const LINK: Link = $link;)?
            $(const BRIEF: bool = $brief;)?

            #[inline(always)]
            fn value<S: Simd, T: Real>($simd: S, $x: Lanes<S, T>) -> Lanes<S, T> {
                $value
            }

            #[inline(always)]
            fn slope<S: Simd, T: Real>($slope_simd: S, $slope_x: Lanes<S, T>, $y: Lanes<S, T>) -> Lanes<S, T> {
                $slope
            }
        }
    };
}

#[inline(always)]
fn zero<S: Simd, T: Real>(simd: S) -> Lanes<S, T> {
    splat::<S, T>(simd, 0.0)
}

/// `positive` where `x` is above zero, else `negative`; NaN where `x` is NaN.
#[inline(always)]
fn by_sign<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, positive: Lanes<S, T>, negative: Lanes<S, T>) -> Lanes<S, T> {
    x.simd_gt(zero::<S, T>(simd)).select(positive, negative)
}

activation! {
    /// `x`: for outputs that may be any number. As the last activation it tells the cross-entropies that the outputs are logits.
    Identity, FromOutput, GlorotUniform, link Link::Identity, brief true;
    |_simd, x| x;
    |simd, _x, _y| splat::<S, T>(simd, 1.0)
}

/// What a layer without an activation ends with, as its [`Head`](crate::model::Layer::Head): `x`, and nothing that a loss
/// could take over. The layer's outputs are compared as they are, never taken for logits: only
/// [`Identity`] says that.
///
/// `L` names the layer in error messages, and says whether its outputs may be probabilities: those of `NoActivation`, for
/// layers of your own, may; those of `NoActivation<BatchNorm<..>>` may not, and so the cross-entropies
/// [refuse](crate::loss::Distribution) a network that ends with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoActivation<L = ()>(core::marker::PhantomData<L>);

impl<L: 'static> Activation for NoActivation<L> {
    type Slope = FromOutput;
    type Init = GlorotUniform;
    const BRIEF: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x
    }

    #[inline(always)]
    fn slope<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
        splat::<S, T>(simd, 1.0)
    }
}

/// Rectified linear unit, `max(x, 0)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu;

impl Activation for Relu {
    type Slope = FromOutput;
    type Init = HeUniform;
    const FUNCTION: Option<Function> = Some(Function::Relu);
    const BRIEF: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        at_least(x, zero::<S, T>(simd))
    }

    #[inline(always)]
    fn slope<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, y, splat::<S, T>(simd, 1.0), zero::<S, T>(simd))
    }

    #[inline(always)]
    fn backward<S: Simd, T: Real>(simd: S, slope: Lanes<S, T>, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, y, slope, zero::<S, T>(simd))
    }
}

/// `x` where it is positive, else `x` times a small factor, in thousandths: 10 (0.01, as in PyTorch) unless told.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeakyRelu<const THOUSANDTHS: u32 = 10>;

impl<const THOUSANDTHS: u32> Activation for LeakyRelu<THOUSANDTHS> {
    type Slope = FromOutput;
    type Init = HeUniform;
    const FUNCTION: Option<Function> = Some(Function::LeakyRelu { thousandths: THOUSANDTHS });
    const BRIEF: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, x, x, x * splat::<S, T>(simd, THOUSANDTHS as f64 / 1000.0))
    }

    #[inline(always)]
    fn slope<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, y, splat::<S, T>(simd, 1.0), splat::<S, T>(simd, THOUSANDTHS as f64 / 1000.0))
    }
}

activation! {
    /// Exponential linear unit, `x` where it is positive, else `exp(x) - 1`.
    Elu, FromOutput, HeUniform;
    |simd, x| by_sign::<S, T>(simd, x, x, math::exp_m1_negative::<S, T>(simd, at_most(x, zero::<S, T>(simd))));
    |simd, _x, y| at_most(y, zero::<S, T>(simd)) + splat::<S, T>(simd, 1.0)
}

/// G. Klambauer et al., "Self-normalizing neural networks", 2017.
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

activation! {
    /// Scaled exponential linear unit, which keeps mean and variance.
    Selu, FromOutput, LecunNormal;
    |simd, x| {
        let negative = math::exp_m1_negative::<S, T>(simd, at_most(x, zero::<S, T>(simd)));
        by_sign::<S, T>(simd, x, x * splat::<S, T>(simd, SELU_SCALE), negative * splat::<S, T>(simd, SELU_SCALE * SELU_ALPHA))
    };
    |simd, _x, y| by_sign::<S, T>(simd, y, splat::<S, T>(simd, SELU_SCALE), y + splat::<S, T>(simd, SELU_SCALE * SELU_ALPHA))
}

activation! {
    /// Gaussian error linear unit, `x` times the probability that a standard normal number is below `x`. Exact, not the
    /// approximation with tanh.
    Gelu, FromInput, HeUniform;
    |simd, x| x * math::normal_cdf::<S, T>(simd, x);
    |simd, x, _y| mul_add(x, math::normal_density::<S, T>(simd, x), math::normal_cdf::<S, T>(simd, x))
}

activation! {
    /// `x` times its sigmoid, also called swish.
    Silu, FromInput, HeUniform;
    |simd, x| x * math::sigmoid::<S, T>(simd, x);
    |simd, x, y| {
        let sigmoid = math::sigmoid::<S, T>(simd, x);
        mul_add(y, -sigmoid + splat::<S, T>(simd, 1.0), sigmoid)
    }
}

activation! {
    /// The logistic sigmoid, `1 / (1 + exp(-x))`: for the probability of one of two classes.
    Sigmoid, FromOutput, GlorotUniform, link Link::Sigmoid;
    |simd, x| math::sigmoid::<S, T>(simd, x);
    |_simd, _x, y| mul_add(-y, y, y)
}

activation! {
    /// `x / 6 + 1 / 2`, kept between 0 and 1.
    HardSigmoid, FromOutput, GlorotUniform;
    |simd, x| {
        let line = mul_add(x, splat::<S, T>(simd, 1.0 / 6.0), splat::<S, T>(simd, 0.5));
        at_most(at_least(line, zero::<S, T>(simd)), splat::<S, T>(simd, 1.0))
    };
    |simd, _x, y| {
        let sixth = splat::<S, T>(simd, 1.0 / 6.0);
        let below = y.simd_lt(splat::<S, T>(simd, 1.0)).select(sixth, zero::<S, T>(simd));
        by_sign::<S, T>(simd, y, below, zero::<S, T>(simd))
    }
}

activation! {
    /// The hyperbolic tangent.
    Tanh, FromOutput, GlorotUniform;
    |simd, x| math::tanh::<S, T>(simd, x);
    |simd, _x, y| mul_add(-y, y, splat::<S, T>(simd, 1.0))
}

activation! {
    /// `ln(1 + exp(x))`, a smooth [`Relu`].
    Softplus, FromOutput, HeUniform;
    |simd, x| math::softplus::<S, T>(simd, x);
    |simd, _x, y| -math::exp_m1_negative::<S, T>(simd, -y)
}

activation! {
    /// `x / (1 + |x|)`.
    Softsign, FromOutput, GlorotUniform;
    |simd, x| x / (x.abs() + splat::<S, T>(simd, 1.0));
    |simd, _x, y| {
        let root = -y.abs() + splat::<S, T>(simd, 1.0);
        root * root
    }
}

/// `exp(x)` divided by the sum of those of all outputs: for the probabilities of several classes. Only as the last
/// activation of a network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softmax;

impl Activation for Softmax {
    type Slope = FromOutput;
    type Init = GlorotUniform;
    const COUPLED: bool = true;
    const BRIEF: bool = true;
    const LINK: Link = Link::Softmax;
    const FUNCTION: Option<Function> = Some(Function::Softmax);

    #[inline(always)]
    fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x
    }

    /// The slope is `y (s - sum of y s)`, where `s` is the slope by the output; [`couple_slope`](Self::couple_slope)
    /// makes the difference, and the factor `y` is left for here.
    #[inline(always)]
    fn slope<S: Simd, T: Real>(_: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        y
    }

    #[inline(always)]
    fn couple<S: Simd, T: Real, const OUT: usize, const B: usize>(tile: Tile<S, B>, values: &mut [[T; OUT]; B]) {
        kernel::softmax(tile.simd(), tile.used(), values, T::ONE);
    }

    #[inline(always)]
    fn couple_slope<S: Simd, T: Real, const OUT: usize, const B: usize>(
        tile: Tile<S, B>,
        output: &[[T; OUT]; B],
        slope: &mut [[T; OUT]; B],
    ) {
        for (slope, output) in slope.iter_mut().zip(output).take(tile.used()) {
            let mean = kernel::dot(tile.simd(), output, slope);
            map(
                tile.simd(),
                [slope],
                [],
                #[inline(always)]
                |[s], []| [s - mean],
            );
        }
    }
}
