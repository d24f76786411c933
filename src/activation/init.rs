//! Weight initialization: He, Glorot, LeCun, uniform and normal distributions, orthogonal matrices, a constant, or a rule of
//! your own.
//!
//! [`Network::new`](crate::model::Network::new) uses the initialization that suits each layer's activation. To
//! choose another:
//!
//! ```
//! use tuplenet::init::{GlorotNormal, Init};
//! use tuplenet::prelude::*;
//!
//! type Net = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
//! let network = Net::with_init(&GlorotNormal, &mut seeded(0));
//!
//! /// A rule of your own: one weight in `ONE_IN` is not zero.
//! struct Sparse<const ONE_IN: u64>;
//! impl<const ONE_IN: u64> Init for Sparse<ONE_IN> {
//!     fn fill<T: Real, R: Rng>(&self, rng: &mut R, fan_in: usize, _fan_out: usize, weights: &mut [T]) {
//!         for weight in weights {
//!             let chosen = rng.next_u64() % ONE_IN == 0;
//!             *weight = if chosen { T::of(1.0 / fan_in as f64) } else { T::ZERO };
//!         }
//!     }
//! }
//! let network = Net::with_init(&Sparse::<3>, &mut seeded(0));
//! ```
//!
//! Random weights are made from the top bits of the 64-bit outputs of the random number generator. So a portable
//! generator such as [`Xoshiro256PlusPlus`](rand::rngs::Xoshiro256PlusPlus) returns the same uniformly distributed
//! weights on every machine. Normally distributed weights are computed with a logarithm: the feature `reproducible`
//! makes their bits the same everywhere.

use crate::num::dispatch::dispatch;
use crate::num::math::{self, square_root};
use crate::num::root::{root_of_f32, root_of_f64};
use crate::num::{Real, first_lane, lanes};
use fearless_simd::{Level, Simd};
use rand::Rng;

/// A rule for the initial weights of a layer. Other parameters start with the layer's own defaults, biases with
/// zero.
#[doc(alias("initializer", "nn.init"))]
pub trait Init {
    /// Sets the weights of a layer with `fan_in` inputs and `fan_out` outputs.
    ///
    /// # Shapes
    ///
    /// `weights`: `fan_in` columns of `fan_out` weights, one column after the other.
    fn fill<T: Real, R: Rng>(&self, rng: &mut R, fan_in: usize, fan_out: usize, weights: &mut [T]);

    /// [`fill`](Self::fill) for a layer whose size the compiler knows, for rules that then need no arithmetic at
    /// run time.
    #[inline(always)]
    fn fill_layer<T: Real, R: Rng, const IN: usize, const OUT: usize>(&self, rng: &mut R, weights: &mut [T]) {
        self.fill(rng, IN, OUT, weights);
    }
}

/// A uniformly distributed value from `[-1, 1)`.
fn symmetric<T: Real, R: Rng>(rng: &mut R) -> T {
    let unit = T::from_random_bits(rng.next_u64());
    unit + unit - T::ONE
}

/// A value from the standard normal distribution, by G. Marsaglia's polar method.
fn normal<T: Real, R: Rng>(rng: &mut R) -> T {
    #[inline(always)]
    fn factor<S: Simd, T: Real>(simd: S, square: T) -> T {
        let square = lanes::<S, T>(simd, square);
        first_lane::<S, T>(T::exact_root(
            simd,
            math::ln::<S, T>(simd, square) * math::splat::<S, T>(simd, -2.0) / square,
        ))
    }
    loop {
        let (x, y) = (symmetric::<T, R>(rng), symmetric::<T, R>(rng));
        let square = x * x + y * y;
        if square > T::ZERO && square < T::ONE {
            return x * dispatch!(Level::baseline(), simd => factor(simd, square));
        }
    }
}

/// Fills `weights` with values from `[-limit, limit)`. Compiled once in a program, not once for each layer.
#[inline(never)]
fn fill_uniform<T: Real, R: Rng>(rng: &mut R, limit: T, weights: &mut [T]) {
    for weight in weights {
        *weight = symmetric::<T, R>(rng) * limit;
    }
}

#[inline(never)]
fn fill_normal<T: Real, R: Rng>(rng: &mut R, standard_deviation: T, weights: &mut [T]) {
    for weight in weights {
        *weight = normal::<T, R>(rng) * standard_deviation;
    }
}

macro_rules! rule {
    ($(#[$doc:meta])* $name:ident, $fill:ident, $square:literal, |$fan_in:ident, $fan_out:ident| $variance:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name;

        impl Init for $name {
            fn fill<T: Real, R: Rng>(&self, rng: &mut R, fan_in: usize, fan_out: usize, weights: &mut [T]) {
                let ($fan_in, $fan_out) = (fan_in as f64, fan_out as f64);
                let _ = ($fan_in, $fan_out);
                $fill(rng, square_root(T::of($square * ($variance))), weights);
            }

            // So a microcontroller without `f64` and without a square root instruction needs neither.
            #[inline(always)]
            fn fill_layer<T: Real, R: Rng, const IN: usize, const OUT: usize>(&self, rng: &mut R, weights: &mut [T]) {
                let (root32, root64) = const {
                    let ($fan_in, $fan_out) = (IN as f64, OUT as f64);
                    let _ = ($fan_in, $fan_out);
                    let square: f64 = $square * ($variance);
                    (root_of_f32(square as f32), root_of_f64(square))
                };
                $fill(rng, if size_of::<T>() == 4 { T::of(root32 as f64) } else { T::of(root64) }, weights);
            }
        }
    };
}

rule! {
    /// He (Kaiming) initialization, uniform, for ReLU and similar activations: K. He et al., 2015.
    ///
    /// # Formula
    ///
    /// Uniform in `[-limit, limit)` with variance `2 / inputs`: `limit = sqrt(6 / inputs)`. PyTorch equivalent:
    /// `torch.nn.init.kaiming_uniform_`.
    #[doc(alias("kaiming_uniform_"))]
    HeUniform, fill_uniform, 3.0, |inputs, outputs| 2.0 / inputs
}
rule! {
    /// He (Kaiming) initialization, normal, for ReLU and similar activations: K. He et al., 2015.
    ///
    /// # Formula
    ///
    /// Normal with zero mean and variance `2 / inputs`. PyTorch equivalent: `torch.nn.init.kaiming_normal_`.
    #[doc(alias("kaiming_normal_"))]
    HeNormal, fill_normal, 1.0, |inputs, outputs| 2.0 / inputs
}
rule! {
    /// Glorot (Xavier) initialization, uniform, for tanh and sigmoid: X. Glorot and Y. Bengio, 2010.
    ///
    /// # Formula
    ///
    /// Uniform in `[-limit, limit)` with variance `2 / (inputs + outputs)`: `limit = sqrt(6 / (inputs + outputs))`.
    /// PyTorch equivalent: `torch.nn.init.xavier_uniform_`.
    #[doc(alias("xavier_uniform_"))]
    GlorotUniform, fill_uniform, 3.0, |inputs, outputs| 2.0 / (inputs + outputs)
}
rule! {
    /// Glorot (Xavier) initialization, normal, for tanh and sigmoid: X. Glorot and Y. Bengio, 2010.
    ///
    /// # Formula
    ///
    /// Normal with zero mean and variance `2 / (inputs + outputs)`. PyTorch equivalent:
    /// `torch.nn.init.xavier_normal_`.
    #[doc(alias("xavier_normal_"))]
    GlorotNormal, fill_normal, 1.0, |inputs, outputs| 2.0 / (inputs + outputs)
}
rule! {
    /// LeCun initialization, uniform: Y. LeCun et al., 1998.
    ///
    /// # Formula
    ///
    /// Uniform in `[-limit, limit)` with variance `1 / inputs`: `limit = sqrt(3 / inputs)`. Keras equivalent:
    /// `LecunUniform`.
    #[doc(alias("lecun_uniform"))]
    LecunUniform, fill_uniform, 3.0, |inputs, outputs| 1.0 / inputs
}
rule! {
    /// LeCun initialization, normal, for SELU: Y. LeCun et al., 1998.
    ///
    /// # Formula
    ///
    /// Normal with zero mean and variance `1 / inputs`. Keras equivalent: `LecunNormal`, which truncates it.
    #[doc(alias("lecun_normal"))]
    LecunNormal, fill_normal, 1.0, |inputs, outputs| 1.0 / inputs
}

/// Orthogonal initialization, by A. Saxe et al., 2013, for recurrent weights: a random matrix whose columns, or rows if there
/// are fewer of them, have length 1 and are perpendicular to each other.
///
/// # Formula
///
/// Normally distributed values, made orthonormal by the method of Gram and Schmidt. PyTorch equivalent:
/// `torch.nn.init.orthogonal_`; Keras equivalent: `Orthogonal`, its default for recurrent weights.
///
/// # Examples
///
/// ```
/// use tuplenet::init::{Init, Orthogonal};
/// use tuplenet::layers::Gru;
/// use tuplenet::prelude::*;
///
/// let mut rng = seeded(0);
/// let mut gru = Gru::<3, 16>::new(&mut rng);
/// // 16 inputs, 48 outputs.
/// Orthogonal.fill(&mut rng, 16, 48, gru.weight_hh.as_flattened_mut().as_flattened_mut());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias("orthogonal_"))]
pub struct Orthogonal;

impl Init for Orthogonal {
    fn fill<T: Real, R: Rng>(&self, rng: &mut R, fan_in: usize, fan_out: usize, weights: &mut [T]) {
        fill_normal(rng, T::ONE, weights);
        let (rows, columns) = (fan_out, fan_in);
        // The vectors that become orthonormal: columns, or rows, whose elements have distances.
        let (count, len) = if rows >= columns { (columns, rows) } else { (rows, columns) };
        let place = |vector: usize, at: usize| if rows >= columns { vector * rows + at } else { at * rows + vector };
        let value =
            |weights: &[T], vector: usize, at: usize| weights.get(place(vector, at)).copied().unwrap_or(T::ZERO);
        for vector in 0..count {
            // Twice, since rounding errors of the first time count where little is left.
            for before in (0..vector).chain(0..vector) {
                let product = |sum: T, at: usize| sum + value(weights, before, at) * value(weights, vector, at);
                let product = (0..len).fold(T::ZERO, product);
                for at in 0..len {
                    let part = product * value(weights, before, at);
                    if let Some(weight) = weights.get_mut(place(vector, at)) {
                        *weight -= part;
                    }
                }
            }
            let square =
                (0..len).fold(T::ZERO, |sum, at| sum + value(weights, vector, at) * value(weights, vector, at));
            let factor = T::ONE / square_root(square);
            for at in 0..len {
                if let Some(weight) = weights.get_mut(place(vector, at)) {
                    *weight *= factor;
                }
            }
        }
    }
}

/// All weights zero. A network with a hidden layer cannot learn from this start; a last layer can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeros;

impl Init for Zeros {
    fn fill<T: Real, R: Rng>(&self, _: &mut R, _: usize, _: usize, weights: &mut [T]) {
        weights.fill(T::ZERO);
    }
}

/// All weights equal to one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

impl Init for Constant {
    fn fill<T: Real, R: Rng>(&self, _: &mut R, _: usize, _: usize, weights: &mut [T]) {
        weights.fill(T::of(self.0));
    }
}
