//! Activation functions: zero-sized types with a value, a derivative, and the initialization that suits them.
//!
//! An activation of your own is a type that implements two functions:
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
//!     type DerivativeFrom = FromInput;
//!     type Init = HeNormal;
//!
//!     fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
//!         let positive = x.max(Lanes::<S, T>::splat(simd, T::ZERO));
//!         positive * positive
//!     }
//!
//!     fn derivative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
//!         x.max(Lanes::<S, T>::splat(simd, T::ZERO)) * T::of(2.0)
//!     }
//! }
//!
//! let network = <(Dense<2, 8, SquaredRelu>, Dense<8, 1, Identity>)>::new(&mut seeded(0));
//! assert!(network.predict_one(&[0.5, -1.0])[0].is_finite());
//! ```

pub mod init;

use crate::kernel::compiled::compiled;
use crate::kernel::{self, Elementwise, Pass, map};
use crate::num::math::{self, maximum, minimum, mul_add, splat};
use crate::num::zeroed::Zeroed;
use crate::num::{Lanes, Real, lanes};
use fearless_simd::{Level, Select, Simd, SimdBase};
use init::{GlorotUniform, HeUniform, Init, LecunNormal};

/// An activation function, applied to every output of a layer, on vector lanes.
///
/// [`value`](Self::value) must propagate NaN (`x.max(0)` may not: see [`maximum`]); otherwise the trainer cannot
/// detect that training has diverged. Mark both functions `#[inline(always)]` for speed.
#[doc(alias("activation function"))]
pub trait Activation: 'static {
    /// What [`derivative`](Self::derivative) is computed from: [`FromOutput`] if it does not use `x`, which saves
    /// the memory of the input, otherwise [`FromInput`].
    type DerivativeFrom: DerivativeFrom;

    /// The initialization of the weights of a layer with this activation.
    type Init: Init + Default;

    /// Whether each output depends only on its own input. If not, [`value_of_sample`](Self::value_of_sample) and
    /// [`backward_of_sample`](Self::backward_of_sample) compute the rest.
    const ELEMENTWISE: bool = true;

    /// Whether [`value`](Self::value) is only a few instructions. Then a copy of it wherever sums are computed
    /// makes a smaller program than a separate pass over the outputs.
    const INLINE: bool = false;

    /// The loss that is fused with this activation: the two are computed together, from the activation's input.
    const FUSED_LOSS: FusedLoss = FusedLoss::None;

    /// The name of the function for [exporters](crate::model). `None` for an activation of your own, which other
    /// languages do not know.
    const KIND: Option<ActivationKind> = None;

    /// The value at `x`.
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T>;

    /// The derivative at `x`, where the value is `y`.
    fn derivative<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T>;

    /// The gradient by the input `x`: `dy`, the gradient by the output `y`, times the derivative.
    #[inline(always)]
    fn backward<S: Simd, T: Real>(simd: S, dy: Lanes<S, T>, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        dy * Self::derivative::<S, T>(simd, x, y)
    }

    /// Turns the values of the samples in use into outputs, for an activation that is not elementwise, such as
    /// softmax.
    ///
    /// # Shapes
    ///
    /// `values`: `B` samples of `[T; OUT]`, of which the first [`pass.len()`](Pass::len) are in use.
    #[inline(always)]
    fn value_of_sample<S: Simd, T: Real, const OUT: usize, const B: usize>(
        _pass: Pass<S, B>,
        _values: &mut [[T; OUT]; B],
    ) {
    }

    /// Turns the gradient by the output into the gradient by the values, for an activation that is not elementwise.
    /// The result is then multiplied by [`derivative`](Self::derivative).
    ///
    /// # Shapes
    ///
    /// `output` and `dy`: `B` samples of `[T; OUT]`, of which the first [`pass.len()`](Pass::len) are in use.
    #[inline(always)]
    fn backward_of_sample<S: Simd, T: Real, const OUT: usize, const B: usize>(
        _pass: Pass<S, B>,
        _output: &[[T; OUT]; B],
        _dy: &mut [[T; OUT]; B],
    ) {
    }
}

impl<A: Activation> Elementwise for A {
    const SHORT: bool = A::INLINE;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        <A as Activation>::value::<S, T>(simd, x)
    }

    #[inline(always)]
    fn backward<S: Simd, T: Real>(simd: S, dy: Lanes<S, T>, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        <A as Activation>::backward::<S, T>(simd, dy, x, y)
    }

    const RELU: bool = matches!(A::KIND, Some(ActivationKind(Function::Relu)));

    #[inline(always)]
    fn value_of_all<T: Real>(level: Level, values: &mut [T]) {
        match A::KIND {
            Some(kind) if const { size_of::<T>() == size_of::<f32>() } => value_by_kind(level, kind, values),
            // The value of softmax comes later.
            Some(ActivationKind(Function::Identity | Function::Softmax)) => {}
            _ => ByType::<A>::value_of_all(level, values),
        }
    }

    #[inline(always)]
    fn backward_of_all<T: Real>(level: Level, dy: &mut [T], x: &[T], y: &[T]) {
        match A::KIND {
            Some(kind) if const { size_of::<T>() == size_of::<f32>() } => backward_by_kind(level, kind, dy, x, y),
            Some(ActivationKind(Function::Identity)) => {}
            _ => ByType::<A>::backward_of_all(level, dy, x, y),
        }
    }
}

/// An activation that this crate has not compiled.
struct ByType<A>(core::marker::PhantomData<A>);

impl<A: Activation> Elementwise for ByType<A> {
    const SHORT: bool = A::INLINE;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        <A as Activation>::value::<S, T>(simd, x)
    }

    #[inline(always)]
    fn backward<S: Simd, T: Real>(simd: S, dy: Lanes<S, T>, x: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        <A as Activation>::backward::<S, T>(simd, dy, x, y)
    }
}

// For each kind of activation a function, so that a program has only those that it calls: for values, and for the gradient. The factor of the
// leaky rectified linear unit is known at run time only.
macro_rules! by_kind {
    ($($name:ident $values:ident $gradients:ident)+) => {
        mod by_kind {
            use super::*;

            compiled! {
                $(
                    $values(values: &mut [T]) = value_of of $name;
                    $gradients(dy: &mut [T], x: &[T], y: &[T]) = gradient_of of $name;
                )+
                leaky_values(factor: [T; 1], values: &mut [T]) = leaky_value_of;
                leaky_gradients(factor: [T; 1], dy: &mut [T], y: &[T]) = leaky_gradient_of;
            }
        }

        /// Replaces each value `x` by the value of an activation there.
        #[inline(always)]
        fn value_by_kind<T: Real>(level: Level, kind: ActivationKind, values: &mut [T]) {
            match kind.0 {
                $(Function::$name => by_kind::$values(level, values),)+
                Function::LeakyRelu { percent } => by_kind::leaky_values(level, [factor(percent)], values),
                // The value of softmax comes later.
                Function::Identity | Function::Softmax => {}
            }
        }

        /// Replaces each gradient by the output `y` by the gradient by the input `x`.
        #[inline(always)]
        fn backward_by_kind<T: Real>(level: Level, kind: ActivationKind, dy: &mut [T], x: &[T], y: &[T]) {
            match kind.0 {
                $(Function::$name => by_kind::$gradients(level, dy, x, y),)+
                Function::LeakyRelu { percent } => by_kind::leaky_gradients(level, [factor(percent)], dy, y),
                Function::Softmax => ByType::<Softmax>::backward_of_all(level, dy, x, y),
                Function::Identity => {}
            }
        }
    };
}
by_kind! {
    Relu relu_values relu_gradients
    Elu elu_values elu_gradients
    Selu selu_values selu_gradients
    Gelu gelu_values gelu_gradients
    Silu silu_values silu_gradients
    Sigmoid sigmoid_values sigmoid_gradients
    HardSigmoid hard_sigmoid_values hard_sigmoid_gradients
    Tanh tanh_values tanh_gradients
    Softplus softplus_values softplus_gradients
    Softsign softsign_values softsign_gradients
}

/// A factor in per cent.
#[inline(always)]
fn factor<T: Real>(percent: u32) -> T {
    T::of(f64::from(percent) / 100.0)
}

#[inline(always)]
fn value_of<A: Activation, S: Simd, T: Real>(simd: S, values: &mut [T]) {
    map(
        simd,
        [values],
        [],
        #[inline(always)]
        |[x], []| [A::value::<S, T>(simd, x)],
    );
}

#[inline(always)]
fn gradient_of<A: Activation, S: Simd, T: Real>(simd: S, dy: &mut [T], x: &[T], y: &[T]) {
    map(
        simd,
        [dy],
        [x, y],
        #[inline(always)]
        |[dy], [x, y]| [<A as Activation>::backward::<S, T>(simd, dy, x, y)],
    );
}

#[inline(always)]
fn leaky_value_of<S: Simd, T: Real>(simd: S, [factor]: [T; 1], values: &mut [T]) {
    let factor = lanes::<S, T>(simd, factor);
    map(
        simd,
        [values],
        [],
        #[inline(always)]
        |[x], []| [by_sign::<S, T>(simd, x, x, x * factor)],
    );
}

#[inline(always)]
fn leaky_gradient_of<S: Simd, T: Real>(simd: S, [factor]: [T; 1], dy: &mut [T], y: &[T]) {
    let (one, factor) = (lanes::<S, T>(simd, T::ONE), lanes::<S, T>(simd, factor));
    map(
        simd,
        [dy],
        [y],
        #[inline(always)]
        |[dy], [y]| [dy * by_sign::<S, T>(simd, y, one, factor)],
    );
}

/// The loss that an activation is fused with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FusedLoss {
    /// No loss.
    None,
    /// Both cross-entropies: the outputs are logits.
    Either,
    /// Binary cross-entropy: the activation is the logistic sigmoid.
    Binary,
    /// Cross-entropy: the activation is softmax.
    Classes,
}

/// One of the library's activations as a value, for code that writes a network in another language.
// Not an enum with their names: a second public name makes the compiler write paths in front of both, and error messages long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActivationKind(pub(crate) Function);

/// What [`ActivationKind`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    Identity,
    Relu,
    LeakyRelu {
        /// The factor for negative inputs, in per cent.
        percent: u32,
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

#[allow(missing_docs, reason = "the names are those of the types here")]
impl ActivationKind {
    pub const IDENTITY: Self = ActivationKind(Function::Identity);
    pub const RELU: Self = ActivationKind(Function::Relu);
    pub const ELU: Self = ActivationKind(Function::Elu);
    pub const SELU: Self = ActivationKind(Function::Selu);
    pub const GELU: Self = ActivationKind(Function::Gelu);
    pub const SILU: Self = ActivationKind(Function::Silu);
    pub const SIGMOID: Self = ActivationKind(Function::Sigmoid);
    pub const HARD_SIGMOID: Self = ActivationKind(Function::HardSigmoid);
    pub const TANH: Self = ActivationKind(Function::Tanh);
    pub const SOFTPLUS: Self = ActivationKind(Function::Softplus);
    pub const SOFTSIGN: Self = ActivationKind(Function::Softsign);
    pub const SOFTMAX: Self = ActivationKind(Function::Softmax);

    /// [`LeakyRelu`] with the factor for negative inputs in per cent.
    #[must_use]
    pub const fn leaky_relu(percent: u32) -> Self {
        ActivationKind(Function::LeakyRelu { percent })
    }
}

/// Calls the macro `$each` with the names of the library's activations that are computed element by element, which makes
/// each of them a layer.
macro_rules! elementwise_activations {
    ($each:ident) => {
        $each! {
            Identity, Relu, LeakyRelu<const PERCENT: u32>, Elu, Selu, Gelu, Silu, Sigmoid, HardSigmoid, Tanh, Softplus,
            Softsign
        }
    };
}
pub(crate) use elementwise_activations;

/// Fails to compile for a softmax of one output, which would be constant.
pub(crate) const fn assert_varies<A: Activation>(outputs: usize) {
    assert!(
        outputs > 1 || !matches!(A::FUSED_LOSS, FusedLoss::Classes),
        "softmax of one output is always 1: take `Sigmoid` with `BinaryCrossEntropy` for binary classification, or an output for each class"
    );
}

/// What an activation's derivative is computed from.
pub trait DerivativeFrom: 'static {
    /// Storage for the activation's input, or `()` if it is not stored.
    type Stored<M: Zeroed + Clone>: Zeroed + Clone;
    /// The stored input, if it is stored.
    fn stored<M: Zeroed + Clone>(stored: &Self::Stored<M>) -> Option<&M>;
    /// Where to store the input, if it is stored.
    fn stored_mut<M: Zeroed + Clone>(stored: &mut Self::Stored<M>) -> Option<&mut M>;
}

/// The derivative is computed from the activation's output alone.
#[derive(Clone, Copy, Debug)]
pub struct FromOutput;

impl DerivativeFrom for FromOutput {
    type Stored<M: Zeroed + Clone> = ();
    #[inline(always)]
    fn stored<M: Zeroed + Clone>((): &()) -> Option<&M> {
        None
    }
    #[inline(always)]
    fn stored_mut<M: Zeroed + Clone>((): &mut ()) -> Option<&mut M> {
        None
    }
}

/// The derivative needs the activation's input, which is stored for the backward pass.
#[derive(Clone, Copy, Debug)]
pub struct FromInput;

impl DerivativeFrom for FromInput {
    type Stored<M: Zeroed + Clone> = M;
    #[inline(always)]
    fn stored<M: Zeroed + Clone>(stored: &M) -> Option<&M> {
        Some(stored)
    }
    #[inline(always)]
    fn stored_mut<M: Zeroed + Clone>(stored: &mut M) -> Option<&mut M> {
        Some(stored)
    }
}

// For each activation: its documentation, its name, what the derivative is computed from, its initialization;
// value; derivative.
macro_rules! activation {
    ($(#[$doc:meta])* $name:ident, $from:ty, $init:ty $(, fused $fused:expr)? $(, inline $inline:literal)?;
     |$simd:ident, $x:ident| $value:expr; |$d_simd:ident, $d_x:ident, $y:ident| $derivative:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name;

        impl Activation for $name {
            type DerivativeFrom = $from;
            type Init = $init;
            const KIND: Option<ActivationKind> = Some(ActivationKind(Function::$name));
            $(const FUSED_LOSS: FusedLoss = $fused;)?
            $(const INLINE: bool = $inline;)?

            #[inline(always)]
            fn value<S: Simd, T: Real>($simd: S, $x: Lanes<S, T>) -> Lanes<S, T> {
                $value
            }

            #[inline(always)]
            fn derivative<S: Simd, T: Real>($d_simd: S, $d_x: Lanes<S, T>, $y: Lanes<S, T>) -> Lanes<S, T> {
                $derivative
            }
        }
    };
}

#[inline(always)]
fn zero<S: Simd, T: Real>(simd: S) -> Lanes<S, T> {
    splat::<S, T>(simd, 0.0)
}

/// `positive` where `x` is above zero, otherwise `negative`; NaN where `x` is NaN.
#[inline(always)]
fn by_sign<S: Simd, T: Real>(simd: S, x: Lanes<S, T>, positive: Lanes<S, T>, negative: Lanes<S, T>) -> Lanes<S, T> {
    x.simd_gt(zero::<S, T>(simd)).select(positive, negative)
}

activation! {
    /// Identity (linear output), for regression. As the last activation it says that the outputs are logits for the
    /// cross-entropy losses.
    ///
    /// # Formula
    ///
    /// `y = x`, derivative `1`. PyTorch equivalent: `torch.nn.Identity`.
    #[doc(alias("linear", "nn.Identity"))]
    Identity, FromOutput, GlorotUniform, fused FusedLoss::Either, inline true;
    |_simd, x| x;
    |simd, _x, _y| splat::<S, T>(simd, 1.0)
}

/// The [`LastActivation`](crate::model::Layer::LastActivation) of a layer without an activation: the identity,
/// which no loss is fused with. A loss compares the layer's outputs as they are and never takes them for logits;
/// only [`Identity`] declares logits.
///
/// `L` names the layer in error messages and says whether its outputs may be probabilities. Those of
/// `NoActivation`, for layers of your own, may be. Those of `NoActivation<BatchNorm<..>>` may not, so the
/// cross-entropies [reject](crate::loss::Distribution) a network that ends with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoActivation<L = ()>(core::marker::PhantomData<L>);

impl<L: 'static> Activation for NoActivation<L> {
    type DerivativeFrom = FromOutput;
    type Init = GlorotUniform;
    const INLINE: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x
    }

    #[inline(always)]
    fn derivative<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, _: Lanes<S, T>) -> Lanes<S, T> {
        splat::<S, T>(simd, 1.0)
    }
}

/// Rectified linear unit.
///
/// # Formula
///
/// `y = max(x, 0)`, derivative `1` where `x > 0`, otherwise `0`. PyTorch equivalent: `torch.nn.ReLU`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("ReLU"))]
pub struct Relu;

impl Activation for Relu {
    type DerivativeFrom = FromOutput;
    type Init = HeUniform;
    const KIND: Option<ActivationKind> = Some(ActivationKind::RELU);
    const INLINE: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        maximum(x, zero::<S, T>(simd))
    }

    #[inline(always)]
    fn derivative<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, y, splat::<S, T>(simd, 1.0), zero::<S, T>(simd))
    }

    #[inline(always)]
    fn backward<S: Simd, T: Real>(simd: S, dy: Lanes<S, T>, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, y, dy, zero::<S, T>(simd))
    }
}

/// Leaky rectified linear unit. `PERCENT` is the factor for negative inputs in per cent, 1 (0.01, as in
/// PyTorch) by default; a larger one lets more of the negative inputs and of their gradient through.
///
/// # Formula
///
/// `y = x` where `x > 0`, otherwise `x * PERCENT / 100`. PyTorch equivalent: `torch.nn.LeakyReLU`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("LeakyReLU", "negative_slope"))]
pub struct LeakyRelu<const PERCENT: u32 = 1>;

impl<const PERCENT: u32> Activation for LeakyRelu<PERCENT> {
    type DerivativeFrom = FromOutput;
    type Init = HeUniform;
    const KIND: Option<ActivationKind> = Some(ActivationKind::leaky_relu(PERCENT));
    const INLINE: bool = true;

    #[inline(always)]
    fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, x, x, x * splat::<S, T>(simd, f64::from(PERCENT) / 100.0))
    }

    #[inline(always)]
    fn derivative<S: Simd, T: Real>(simd: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        by_sign::<S, T>(simd, y, splat::<S, T>(simd, 1.0), splat::<S, T>(simd, f64::from(PERCENT) / 100.0))
    }
}

activation! {
    /// Exponential linear unit.
    ///
    /// # Formula
    ///
    /// `y = x` where `x > 0`, otherwise `exp(x) - 1`. PyTorch equivalent: `torch.nn.ELU`.
    #[doc(alias("ELU"))]
    Elu, FromOutput, HeUniform;
    |simd, x| by_sign::<S, T>(simd, x, x, math::exp_m1_negative::<S, T>(simd, minimum(x, zero::<S, T>(simd))));
    |simd, _x, y| minimum(y, zero::<S, T>(simd)) + splat::<S, T>(simd, 1.0)
}

/// The constants of SELU: G. Klambauer et al., "Self-normalizing neural networks", 2017.
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;

activation! {
    /// Scaled exponential linear unit, which keeps the mean and variance of activations close to zero and one.
    ///
    /// # Formula
    ///
    /// `y = 1.0507 x` where `x > 0`, otherwise `1.0507 * 1.6733 (exp(x) - 1)`. (G. Klambauer et al.,
    /// "Self-normalizing neural networks", 2017.) PyTorch equivalent: `torch.nn.SELU`.
    #[doc(alias("SELU"))]
    Selu, FromOutput, LecunNormal;
    |simd, x| {
        let negative = math::exp_m1_negative::<S, T>(simd, minimum(x, zero::<S, T>(simd)));
        by_sign::<S, T>(simd, x, x * splat::<S, T>(simd, SELU_SCALE), negative * splat::<S, T>(simd, SELU_SCALE * SELU_ALPHA))
    };
    |simd, _x, y| by_sign::<S, T>(simd, y, splat::<S, T>(simd, SELU_SCALE), y + splat::<S, T>(simd, SELU_SCALE * SELU_ALPHA))
}

activation! {
    /// Gaussian error linear unit, exact, not the approximation with tanh.
    ///
    /// # Formula
    ///
    /// `y = x P(X <= x)` for a standard normal `X`: `x / 2 (1 + erf(x / sqrt(2)))`. PyTorch equivalent:
    /// `torch.nn.GELU`.
    #[doc(alias("GELU"))]
    Gelu, FromInput, HeUniform;
    |simd, x| x * math::normal_cdf::<S, T>(simd, x);
    |simd, x, _y| mul_add(x, math::normal_density::<S, T>(simd, x), math::normal_cdf::<S, T>(simd, x))
}

activation! {
    /// Sigmoid linear unit, also called swish.
    ///
    /// # Formula
    ///
    /// `y = x / (1 + exp(-x))`. PyTorch equivalent: `torch.nn.SiLU`.
    #[doc(alias("SiLU", "swish"))]
    Silu, FromInput, HeUniform;
    |simd, x| x * math::sigmoid::<S, T>(simd, x);
    |simd, x, y| {
        let sigmoid = math::sigmoid::<S, T>(simd, x);
        mul_add(y, -sigmoid + splat::<S, T>(simd, 1.0), sigmoid)
    }
}

activation! {
    /// Logistic sigmoid, for the probability of one of two classes. Fused with
    /// [`BinaryCrossEntropy`](crate::loss::BinaryCrossEntropy) as the last activation.
    ///
    /// # Formula
    ///
    /// `y = 1 / (1 + exp(-x))`, derivative `y (1 - y)`. PyTorch equivalent: `torch.nn.Sigmoid`.
    #[doc(alias("logistic", "expit"))]
    Sigmoid, FromOutput, GlorotUniform, fused FusedLoss::Binary;
    |simd, x| math::sigmoid::<S, T>(simd, x);
    |_simd, _x, y| mul_add(-y, y, y)
}

activation! {
    /// Hard sigmoid: a piecewise linear approximation of [`Sigmoid`].
    ///
    /// # Formula
    ///
    /// `y = x / 6 + 1 / 2`, clamped to `[0, 1]`. PyTorch equivalent: `torch.nn.Hardsigmoid`.
    #[doc(alias("Hardsigmoid"))]
    HardSigmoid, FromOutput, GlorotUniform;
    |simd, x| {
        let line = mul_add(x, splat::<S, T>(simd, 1.0 / 6.0), splat::<S, T>(simd, 0.5));
        minimum(maximum(line, zero::<S, T>(simd)), splat::<S, T>(simd, 1.0))
    };
    |simd, _x, y| {
        let sixth = splat::<S, T>(simd, 1.0 / 6.0);
        let below = y.simd_lt(splat::<S, T>(simd, 1.0)).select(sixth, zero::<S, T>(simd));
        by_sign::<S, T>(simd, y, below, zero::<S, T>(simd))
    }
}

activation! {
    /// Hyperbolic tangent.
    ///
    /// # Formula
    ///
    /// `y = tanh(x)`, derivative `1 - y y`. PyTorch equivalent: `torch.nn.Tanh`.
    #[doc(alias("hyperbolic tangent"))]
    Tanh, FromOutput, GlorotUniform;
    |simd, x| math::tanh::<S, T>(simd, x);
    |simd, _x, y| mul_add(-y, y, splat::<S, T>(simd, 1.0))
}

activation! {
    /// Softplus, a smooth [`Relu`].
    ///
    /// # Formula
    ///
    /// `y = ln(1 + exp(x))`. PyTorch equivalent: `torch.nn.Softplus`.
    #[doc(alias("SoftPlus"))]
    Softplus, FromOutput, HeUniform;
    |simd, x| math::softplus::<S, T>(simd, x);
    |simd, _x, y| -math::exp_m1_negative::<S, T>(simd, -y)
}

activation! {
    /// Softsign.
    ///
    /// # Formula
    ///
    /// `y = x / (1 + |x|)`. PyTorch equivalent: `torch.nn.Softsign`.
    #[doc(alias("SoftSign"))]
    Softsign, FromOutput, GlorotUniform;
    |simd, x| x / (x.abs() + splat::<S, T>(simd, 1.0));
    |simd, _x, y| {
        let root = -y.abs() + splat::<S, T>(simd, 1.0);
        root * root
    }
}

/// Softmax, for the probabilities of several classes. Use it only as the last activation of a network, where it is
/// fused with [`CrossEntropy`](crate::loss::CrossEntropy).
///
/// # Formula
///
/// `y_i = exp(x_i) / (sum of exp(x_j) over all outputs j)`. PyTorch equivalent: `torch.nn.Softmax`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias("LogSoftmax"))]
pub struct Softmax;

impl Activation for Softmax {
    type DerivativeFrom = FromOutput;
    type Init = GlorotUniform;
    const ELEMENTWISE: bool = false;
    const INLINE: bool = true;
    const FUSED_LOSS: FusedLoss = FusedLoss::Classes;
    const KIND: Option<ActivationKind> = Some(ActivationKind::SOFTMAX);

    #[inline(always)]
    fn value<S: Simd, T: Real>(_: S, x: Lanes<S, T>) -> Lanes<S, T> {
        x
    }

    /// The gradient by the input is `y (dy - sum of y dy)`. [`backward_of_sample`](Self::backward_of_sample)
    /// computes the difference; this is the factor `y`.
    #[inline(always)]
    fn derivative<S: Simd, T: Real>(_: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
        y
    }

    #[inline(always)]
    fn value_of_sample<S: Simd, T: Real, const OUT: usize, const B: usize>(
        pass: Pass<S, B>,
        values: &mut [[T; OUT]; B],
    ) {
        kernel::softmax(pass.simd(), pass.len(), values, T::ONE);
    }

    #[inline(always)]
    fn backward_of_sample<S: Simd, T: Real, const OUT: usize, const B: usize>(
        pass: Pass<S, B>,
        output: &[[T; OUT]; B],
        dy: &mut [[T; OUT]; B],
    ) {
        for (dy, output) in dy.iter_mut().zip(output).take(pass.len()) {
            let mean = kernel::dot(pass.simd(), output, dy);
            map(
                pass.simd(),
                [dy],
                [],
                #[inline(always)]
                |[s], []| [s - mean],
            );
        }
    }
}
