//! Curvature: products of the Hessian and of the Gauss-Newton matrix with a vector, and the Hessian by the inputs, without
//! differences.
//!
//! The product of the Hessian with a vector is the derivative of the gradient along that vector. It is computed by the rules of
//! the gradient, each differentiated once more: the R-operator of B. A. Pearlmutter, 1994, "Fast exact multiplication by the
//! Hessian". Each value of a pass is a [`Pair`] with its derivative along the vector. A layer with such a pass is [`Curved`]:
//! `Dense`, activations, `Dropout`, `Residual` and tuples of these. Why not a scalar type of dual numbers: layers compute on vector
//! lanes, which exist for `f32` and `f64` alone.

mod layers;
mod losses;
mod second_derivative;

pub use losses::Curvature;

use crate::data::{Inputs, Sample, check_data};
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{Features, FromTo, LastActivation, Layer, Model, Shape, Zeroed, fill};
use crate::num::Real;
use nalgebra::SMatrix;

/// A value and its derivative along a direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair<V> {
    /// The value.
    pub value: V,
    /// Its derivative.
    pub tangent: V,
}

/// The outputs of the layer `L` with their derivatives.
pub type Outputs<L, In, T> = Pair<<<L as Model<In, T>>::Out as Shape>::Sample<T>>;

/// A layer whose gradient can be differentiated once more.
#[diagnostic::on_unimplemented(
    message = "the second derivatives of `{Self}` are not known",
    label = "expected `Dense`, an activation, `Dropout`, `Residual`, or a tuple of two to eight of these"
)]
pub trait Curved<In: Shape, T: Real>: Layer<In, T> {
    /// Forward and backward pass of one sample with their derivatives along `direction`, in evaluation. `then` gets the outputs, and
    /// returns the gradient by them; the result is the gradient by the inputs. Adds the derivative of the gradient by the parameters
    /// to `product`. With `logits` the last activation is left out.
    fn curve(
        &self,
        direction: &Self,
        x: &Pair<In::Sample<T>>,
        product: &mut Self,
        logits: bool,
        then: impl FnOnce(&Outputs<Self, In, T>) -> Outputs<Self, In, T>,
    ) -> Pair<In::Sample<T>>;
}

/// Sets `product` to the product of the Hessian of the mean loss by the parameters with `direction`, in
/// evaluation.
///
/// # Errors
///
/// If there are no samples, or not as many targets as inputs.
///
/// # Examples
///
/// ```
/// use tuplenet::inspect::curvature::hessian_product;
/// use tuplenet::model::Zeroed;
/// use tuplenet::prelude::*;
///
/// type Net = (Dense<1, 3, Tanh, f64>, Dense<3, 1, Identity, f64>);
/// let (network, direction) = (Net::new(seeded(0)), Net::new(seeded(1)));
/// let mut product = Net::ZEROED;
/// let inputs = [[-1.0], [0.0], [1.0]];
/// hessian_product(&network, &MeanSquaredError, &inputs, &inputs, &direction, &mut product)?;
/// assert!(product != Net::ZEROED);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("hvp", "Hessian-vector product"))]
pub fn hessian_product<N, T, L, X, Y, const IN: usize, const OUT: usize>(
    network: &N,
    loss: &L,
    inputs: &X,
    targets: &Y,
    direction: &N,
    product: &mut N,
) -> Result<(), Error>
where
    T: Real,
    N: FromTo<IN, OUT, T> + Curved<Features<IN>, T>,
    L: Curvature<T, Y::Item, LastActivation<N>, OUT>,
    X: Inputs<T, Features<IN>> + ?Sized,
    Y: Targets<T, L, LastActivation<N>, Features<OUT>> + ?Sized,
{
    over_samples(network, loss, inputs, targets, direction, product, |pair| pair)
}

/// [`hessian_product`] of the Gauss-Newton matrix `J' H J`, with the Jacobian `J` of the outputs and the Hessian `H` of the loss by
/// them: what is left of the Hessian without the second derivatives of the network. It has no negative eigenvalues where the loss is
/// convex.
///
/// # Errors
///
/// As for [`hessian_product`].
#[doc(alias("GGN", "generalized Gauss-Newton", "Fisher"))]
pub fn gauss_newton_product<N, T, L, X, Y, const IN: usize, const OUT: usize>(
    network: &N,
    loss: &L,
    inputs: &X,
    targets: &Y,
    direction: &N,
    product: &mut N,
) -> Result<(), Error>
where
    T: Real,
    N: FromTo<IN, OUT, T> + Curved<Features<IN>, T>,
    L: Curvature<T, Y::Item, LastActivation<N>, OUT>,
    X: Inputs<T, Features<IN>> + ?Sized,
    Y: Targets<T, L, LastActivation<N>, Features<OUT>> + ?Sized,
{
    // Without a gradient by the outputs, the second derivatives of the network have no effect.
    over_samples(network, loss, inputs, targets, direction, product, |pair| Pair { value: [T::ZERO; OUT], ..pair })
}

fn over_samples<N, T, L, X, Y, const IN: usize, const OUT: usize>(
    network: &N,
    loss: &L,
    inputs: &X,
    targets: &Y,
    direction: &N,
    product: &mut N,
    change: impl Fn(Pair<[T; OUT]>) -> Pair<[T; OUT]>,
) -> Result<(), Error>
where
    T: Real,
    N: FromTo<IN, OUT, T> + Curved<Features<IN>, T>,
    L: Curvature<T, Y::Item, LastActivation<N>, OUT>,
    X: Inputs<T, Features<IN>> + ?Sized,
    Y: Targets<T, L, LastActivation<N>, Features<OUT>> + ?Sized,
{
    let count = check_data(inputs, targets)?;
    fill(product, T::ZERO);
    let total = (0..count).fold(T::ZERO, |sum, sample| sum + targets.weight(sample));
    if !(total > T::ZERO && total.is_finite()) {
        return Err(Error::Weight { epoch: 0, batch: 0 });
    }
    let (mut x, mut target) = ([T::ZERO; IN], Y::Item::ZEROED);
    for sample in 0..count {
        inputs.copy(sample, &mut x);
        targets.copy(sample, &mut target);
        let scale = targets.weight(sample) / total;
        let pair = Pair { value: x, tangent: [T::ZERO; IN] };
        network.curve(direction, &pair, product, L::OF_LOGITS, |y| {
            let Pair { value, tangent } = change(loss.second(y, &target));
            Pair { value: value.map(|value| value * scale), tangent: tangent.map(|tangent| tangent * scale) }
        });
    }
    Ok(())
}

/// The Hessian of the only output of a network by its inputs, at the sample `x`, in evaluation.
///
/// # Shapes
///
/// `x` is `[T; IN]` or `SVector<T, IN>`, the result `IN` by `IN`.
///
/// # Examples
///
/// ```
/// use tuplenet::inspect::curvature::hessian;
/// use tuplenet::prelude::*;
///
/// let network = <(Dense<2, 4, Tanh, f64>, Dense<4, 1, Identity, f64>)>::new(seeded(0));
/// let hessian: SMatrix<f64, 2, 2> = hessian(&network, &[0.3, -0.5]);
/// assert!((hessian[(0, 1)] - hessian[(1, 0)]).abs() < 1e-15);
/// ```
#[doc(alias("torch.func.hessian"))]
#[must_use]
pub fn hessian<N, T, const IN: usize>(network: &N, x: &impl Sample<T, Item = [T; IN]>) -> SMatrix<T, IN, IN>
where
    T: Real,
    N: FromTo<IN, 1, T> + Curved<Features<IN>, T>,
{
    let mut sample = [T::ZERO; IN];
    x.copy(&mut sample);
    let (none, mut product) = (N::ZEROED, N::ZEROED);
    let mut hessian = SMatrix::<T, IN, IN>::ZEROED;
    for (input, column) in hessian.data.0.iter_mut().enumerate() {
        let mut tangent = [T::ZERO; IN];
        if let Some(one) = tangent.get_mut(input) {
            *one = T::ONE;
        }
        let pair = Pair { value: sample, tangent };
        *column =
            network.curve(&none, &pair, &mut product, false, |_| Pair { value: [T::ONE], tangent: [T::ZERO] }).tangent;
    }
    hessian
}
