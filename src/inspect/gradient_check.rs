//! Gradient check: compares derivatives with differences of the loss.

use crate::data::Inputs;
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{Kind, LastActivation, Parameter, Summary, Trainable, Visitor, VisitorMut};
use crate::num::Real;
use crate::train::Workspace;
use num_traits::float::FloatCore;

/// The result of [`gradient_check`]: the derivative with the largest error.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("gradcheck"))]
pub struct GradientCheck<T> {
    /// The largest difference between a derivative and its estimate, relative to the larger of the two, or to a
    /// thousandth of the largest derivative of all where both are smaller than that.
    pub error: T,
    /// The type of the layer of that derivative.
    pub layer: &'static str,
    /// The parameter of that derivative.
    pub parameter: Parameter,
    /// The index of the weight, counted over the whole network.
    pub index: usize,
    /// The derivative by backpropagation.
    pub derivative: T,
    /// The derivative by differences.
    pub estimate: T,
}

/// Gradient check: compares every derivative of the mean loss, by each parameter of the network, with central
/// differences of fourth order.
///
/// With `f64` the error is far below 1e-7 if layers, activations and loss are right and no sample is at a kink. The
/// network is unchanged in the end. The loss is that of training, where a layer may compute something else than in
/// prediction; random numbers are the same each time.
///
/// # Formula
///
/// `(8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h` with `h` = 1e-4. PyTorch equivalent:
/// `torch.autograd.gradcheck`.
///
/// # Shapes
///
/// `inputs`: samples of `[T; IN]`; `targets`: as many, as the loss takes them.
///
/// # Errors
///
/// As [`Workspace::gradient`]: if the data do not fit together, or an input, a target or the loss is not finite.
///
/// # Examples
///
/// ```
/// use tuplenet::inspect::gradient_check;
/// use tuplenet::prelude::*;
///
/// let mut network = <(Dense<2, 3, Gelu, f64>, Dense<3, 1, Identity, f64>)>::new(&mut seeded(0));
/// let check = gradient_check(&mut network, &MeanSquaredError, &[[0.5, -0.3], [1.0, 2.0]], &[[1.0], [0.0]])?;
/// assert!(check.error < 1e-7, "{check:?}");
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("gradcheck"))]
pub fn gradient_check<N, L, X, Y>(
    network: &mut N,
    loss: &L,
    inputs: &X,
    targets: &Y,
) -> Result<GradientCheck<N::Scalar>, Error>
where
    N: Trainable,
    X: Inputs<N::Scalar, N::In> + ?Sized,
    Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
{
    let mut workspace = Workspace::<N, 8>::new();
    let mut gradient = N::ZEROED;
    workspace.gradient(network, loss, inputs, targets, &mut gradient)?;

    let mut largest = Largest(N::Scalar::ZERO);
    gradient.visit(&mut largest);
    let floor = largest.0 * N::Scalar::of(1e-3);

    // The loss in training is computed together with derivatives, which are not used.
    let mut unused = N::ZEROED;
    let nothing = Parameter { name: "", kind: Kind::Weight, rows: 0, columns: 0 };
    let zero = N::Scalar::ZERO;
    let mut worst =
        GradientCheck { error: zero, layer: "", parameter: nothing, index: 0, derivative: zero, estimate: zero };
    for index in 0..N::PARAMETERS {
        let mut derivative = OneWeight { index, set: None, found: zero, parameter: nothing };
        gradient.visit_mut([], &mut derivative);
        let (derivative, parameter) = (derivative.found, derivative.parameter);

        let mut weight = OneWeight { index, set: None, found: zero, parameter };
        network.visit_mut([], &mut weight);
        let original = weight.found;
        let step = N::Scalar::of(1e-4);
        let mut loss_at = |steps: f64| {
            let set = Some(original + step * N::Scalar::of(steps));
            network.visit_mut([], &mut OneWeight { index, set, found: zero, parameter });
            // The loss in training, to which the derivatives belong: a layer may compute something else in
            // prediction.
            let loss = workspace.gradient(network, loss, inputs, targets, &mut unused);
            network.visit_mut([], &mut OneWeight { index, set: Some(original), found: zero, parameter });
            loss
        };
        let near = loss_at(1.0)? - loss_at(-1.0)?;
        let far = loss_at(2.0)? - loss_at(-2.0)?;
        let estimate = (near * N::Scalar::of(8.0) - far) / (step * N::Scalar::of(12.0));

        let magnitude = derivative.abs().max(estimate.abs()).max(floor);
        let error = (derivative - estimate).abs() / magnitude;
        // Nothing is worse than NaN.
        if magnitude > zero && (error > worst.error || error.is_nan()) {
            worst = GradientCheck { error, layer: layer_at::<N>(index), parameter, index, derivative, estimate };
        }
    }
    Ok(worst)
}

/// The type of the layer that has the weight at `index`.
fn layer_at<N: Trainable>(index: usize) -> &'static str {
    let (mut layer, mut end) = ("", 0);
    Summary::<N>::new().each(&mut |description| {
        let parameters = description.cost.map_or(0, |cost| cost.parameters);
        if end <= index && index < end + parameters {
            layer = description.name;
        }
        end += parameters;
    });
    layer
}

/// The largest absolute value.
struct Largest<T>(T);

impl<T: Real> Visitor<T> for Largest<T> {
    fn slice(&mut self, _: Parameter, values: &[T]) {
        for value in values {
            self.0 = self.0.max(value.abs());
        }
    }
}

/// Reads, and sets if asked to, the weight at `index`, which counts down on the way.
struct OneWeight<T> {
    index: usize,
    set: Option<T>,
    found: T,
    parameter: Parameter,
}

impl<T: Real> VisitorMut<T, 0> for OneWeight<T> {
    fn slice(&mut self, parameter: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
        if let Some(value) = values.get_mut(self.index) {
            (self.found, self.parameter) = (*value, parameter);
            *value = self.set.unwrap_or(*value);
        }
        self.index = self.index.wrapping_sub(values.len());
    }
}
