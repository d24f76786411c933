//! Everything that has the type of a network: weights, gradients, momenta, averages. One visit over slices of
//! parameters serves initialization, optimizers, counting, clipping and saving.

use crate::error::NotFinite;
use crate::num::Real;
use crate::num::zeroed::Zeroed;
use rand::Rng;

/// What a slice of parameters is for. Penalties and weight decay act on [`Weight`](Kind::Weight)s alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Multiplies an input.
    Weight,
    /// Is added, or has another meaning that a pull towards zero would spoil: a gain, a centre.
    Bias,
    /// Follows the data and not a gradient: a running mean. It is no parameter, and goes to [`Visitor::buffer`].
    Buffer,
    /// A whole number, for which `T` may have no room: how many batches there were. It goes to [`Visitor::count`].
    Count,
}

/// What a layer says of a slice of its parameters when it hands it to a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// PyTorch's name: `weight`, `bias`.
    pub name: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// The rows of the matrix that the slice holds column by column: a weight's outputs, its "fan out".
    pub rows: usize,
    /// Its columns: a weight's inputs, its "fan in".
    pub columns: usize,
}

impl Parameter {
    /// Whether it is a vector for PyTorch: what has one column and multiplies no input.
    pub const fn is_vector(&self) -> bool {
        self.columns == 1 && !matches!(self.kind, Kind::Weight)
    }
}

/// Which element of a tuple a visit goes into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its place in the tuple: `network.1` has 1.
    pub index: usize,
    /// Its place in the `torch.nn.Sequential` that the tuple is for PyTorch, where an activation is a module of its own.
    pub module: usize,
}

/// Reads the parameters of a network, slice by slice, in the order of the layers.
///
/// ```
/// use tuplenet::model::{Element, Parameter, Params, Visitor};
/// use tuplenet::prelude::*;
///
/// /// The names and sizes of all parameters.
/// #[derive(Default)]
/// struct Summary {
///     path: Vec<String>,
///     lines: Vec<String>,
/// }
///
/// impl Visitor<f32> for Summary {
///     fn slice(&mut self, parameter: Parameter, _: &[f32]) {
///         let Parameter { name, rows, columns, .. } = parameter;
///         self.lines.push(format!("{}.{name} {rows} by {columns}", self.path.join(".")));
///     }
///     fn enter(&mut self, element: Element) {
///         self.path.push(element.index.to_string());
///     }
///     fn leave(&mut self) {
///         self.path.pop();
///     }
/// }
///
/// let network = <(Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(&mut seeded(0));
/// let mut summary = Summary::default();
/// network.visit(&mut summary);
/// assert_eq!(summary.lines, ["0.weight 8 by 2", "0.bias 8 by 1", "1.weight 1 by 8", "1.bias 1 by 1"]);
/// ```
pub trait Visitor<T> {
    /// A slice of parameters, a `rows` by `columns` matrix column by column.
    fn slice(&mut self, parameter: Parameter, values: &[T]);
    /// Numbers that belong to the layer but are not learnt by gradients, a matrix as in [`slice`](Self::slice).
    /// Optimizers, norms and averages have nothing to do with them; who writes a network down has.
    #[inline(always)]
    fn buffer(&mut self, _parameter: Parameter, _values: &[T]) {}
    /// A whole number that belongs to the layer, as one writes a network down.
    #[inline(always)]
    fn count(&mut self, _parameter: Parameter, _value: u64) {}
    /// The visit goes into an element of a tuple.
    #[inline(always)]
    fn enter(&mut self, _element: Element) {}
    /// The visit leaves the element that it entered last.
    #[inline(always)]
    fn leave(&mut self) {}
}

/// Changes the parameters of a network, slice by slice, together with those of `OTHERS` more values of the same type:
/// its gradient, say, and Adam's two averages.
///
/// A trait and not a closure, because only a method can be marked `#[inline(always)]`, and what isn't inlined into the
/// dispatched call is compiled without the vector instructions.
pub trait VisitorMut<T, const OTHERS: usize> {
    /// A slice of parameters and the same slice of the others, `rows` by `columns` matrices column by column.
    fn slice(&mut self, parameter: Parameter, values: &mut [T], others: [&mut [T]; OTHERS]);
    /// See [`Visitor::buffer`].
    #[inline(always)]
    fn buffer(&mut self, _parameter: Parameter, _values: &mut [T]) {}
    /// See [`Visitor::count`].
    #[inline(always)]
    fn count(&mut self, _parameter: Parameter, _value: &mut u64) {}
    /// The visit goes into an element of a tuple.
    #[inline(always)]
    fn enter(&mut self, _element: Element) {}
    /// The visit leaves the element that it entered last.
    #[inline(always)]
    fn leave(&mut self) {}
}

/// A layer's or a network's parameters.
///
/// ```
/// use tuplenet::prelude::*;
/// use tuplenet::model::Params;
///
/// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
/// assert_eq!(Xor::PARAMETERS, 2 * 8 + 8 + 8 * 1 + 1);
/// ```
#[doc(alias("state_dict", "parameters"))]
pub trait Params: Zeroed {
    /// The type of the numbers.
    type Scalar: Real;

    /// How many numbers.
    const PARAMETERS: usize;

    /// How many modules it is in a `torch.nn.Sequential`: two for a layer with an activation, which is a module of its own
    /// there, else one.
    const MODULES: usize = 1;

    /// Whether it is a `torch.nn.Sequential` of its own: a tuple.
    const IS_CHAIN: bool = false;

    /// How many samples it must be trained on together, at least. 2 for a layer whose statistics a single sample does not have,
    /// such as [`BatchNorm`](crate::layers::BatchNorm); a layer around others has the most of them.
    const TOGETHER: usize = 1;

    /// The bytes that they take, with what else a layer remembers: a network's share of flash, or of RAM.
    const BYTES: usize = size_of::<Self>();

    /// Hands every slice of parameters to `visitor`.
    fn visit(&self, visitor: &mut impl Visitor<Self::Scalar>);

    /// Hands every slice of parameters to `visitor`, along with the same slices of `others`.
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<Self::Scalar, OTHERS>,
    );

    /// Sets the parameters to what a training begins with, in place. A layer whose parameters begin with zero, or that
    /// has none, has nothing to do.
    fn initialize<R: Rng>(&mut self, _rng: &mut R) {}

    /// Ends a batch of a training, before the optimizer's step: for what changes in a layer but does not follow a
    /// gradient, such as running statistics and random numbers. `gradient` is that of the batch; what a layer's
    /// backward pass has left there beside gradients may be taken out of it. After a batch that failed this is not
    /// called.
    ///
    /// The trainer does it; where steps are taken by hand, with a [`Workspace`](crate::train::Workspace), it belongs
    /// between the gradient and the optimizer's step. Most layers have nothing to do.
    ///
    /// ```
    /// use tuplenet::layers::Dropout;
    /// use tuplenet::model::{Params, Zeroed};
    /// use tuplenet::prelude::*;
    ///
    /// type Net = (Dense<2, 8, Tanh>, Dropout<8, 200>, Dense<8, 1, Identity>);
    /// let mut network = Net::new(&mut seeded(0));
    /// let (mut gradient, mut state) = (Net::ZEROED, Zeroed::ZEROED);
    /// let mut workspace = Workspace::<Net, 4>::new();
    /// let (inputs, targets) = ([[0.0, 1.0], [1.0, 1.0]], [[1.0], [0.0]]);
    /// for _ in 0..10 {
    ///     workspace.gradient(&network, &MeanSquaredError, &inputs, &targets, &mut gradient)?;
    ///     network.update_buffers(&mut gradient);
    ///     Sgd::new(0.1).step(&mut network, &mut gradient, &mut state);
    /// }
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[inline(always)]
    fn update_buffers(&mut self, _gradient: &mut Self) {}

    /// Takes over what a layer's backward pass has left beside gradients in `part`, which is the gradient of the
    /// samples that follow in the same batch, and sets it to zero there: where several threads share a batch, `self`
    /// and `part` are what two of them have computed. Most layers, which leave gradients alone, have nothing to do.
    #[inline(always)]
    fn merge_buffers(&mut self, _part: &mut Self) {}
}

/// Layers whose numbers are of type `T`. Every layer is, for its own type.
#[diagnostic::on_unimplemented(
    message = "number types do not match: `{Self}` is not a layer with numbers of type `{T}`",
    label = "expected a layer with numbers of type `{T}`",
    note = "all layers of a network have the same number type, the last parameter of `Dense`, which is `f32` unless written"
)]
pub trait HasScalar<T: Real>: Params<Scalar = T> {}

// Not recommended, so that the compiler says the words above and not that an associated type differs.
#[diagnostic::do_not_recommend]
impl<T: Real, N: Params<Scalar = T>> HasScalar<T> for N {}

/// Sets every parameter to `value`, in place.
pub fn fill<N: Params>(network: &mut N, value: N::Scalar) {
    struct Fill<T>(T);
    impl<T: Real> VisitorMut<T, 0> for Fill<T> {
        #[inline(always)]
        fn slice(&mut self, _: Parameter, values: &mut [T], []: [&mut [T]; 0]) {
            values.fill(self.0);
        }
    }
    network.visit_mut([], &mut Fill(value));
}

/// Whether no parameter is infinite or NaN.
pub fn is_finite<N: Params>(network: &N) -> bool {
    struct Finite(bool);
    impl<T: Real> Visitor<T> for Finite {
        #[inline(always)]
        fn slice(&mut self, _: Parameter, values: &[T]) {
            // A microcontroller has no room for a loop for each slice.
            self.0 &= if cfg!(target_os = "none") {
                NotFinite::first_of(values).is_none()
            } else {
                values.iter().all(|v| v.is_finite())
            };
        }
    }
    let mut finite = Finite(true);
    network.visit(&mut finite);
    finite.0
}
