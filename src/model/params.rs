//! Everything that has the type of a network: weights, gradients, momenta, averages. One visit over slices of
//! parameters serves initialization, optimizers, counting, clipping and saving.

use crate::error::NotFinite;
use crate::num::Real;
use crate::num::zeroed::Zeroed;
use rand::Rng;

/// The kind of a slice of parameters. Regularization and weight decay apply only to
/// [weights](Kind::is_weight).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A factor of an input.
    Weight,
    /// The kernels of a convolution, whose weights are factors of inputs too. In a column of the matrix is a factor for
    /// each output, and the columns are sorted by row and column of the kernel, and then by input channel. PyTorch has
    /// them by output channel, input channel, row and column.
    Kernel {
        /// The rows of a kernel.
        rows: usize,
        /// The columns of a kernel.
        columns: usize,
    },
    /// The taps of a convolution over time, whose weights are factors of inputs too. In a column of the matrix is a factor
    /// for each output, and the columns are sorted by input, and then by tap. PyTorch has them by output, input and tap.
    Taps {
        /// How many there are.
        taps: usize,
    },
    /// A summand, or another parameter that weight decay should not pull towards zero: a gain, a centre.
    Bias,
    /// A buffer, which follows the data and not a gradient: a running mean. It is no parameter, and is passed to
    /// [`Visitor::buffer`].
    Buffer,
    /// An integer, which may be too large for `T`: the number of batches. It is passed to [`Visitor::count`].
    Count,
}

impl Kind {
    /// Whether it is a factor of an input, to which regularization and weight decay apply.
    #[must_use]
    pub const fn is_weight(self) -> bool {
        matches!(self, Kind::Weight | Kind::Kernel { .. } | Kind::Taps { .. })
    }
}

/// The description of a slice of parameters, passed to a visitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in PyTorch: `weight`, `bias`.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The rows of the matrix that the slice holds column by column; of a weight the outputs, its "fan out".
    pub rows: usize,
    /// The columns of the matrix; of a weight the inputs, its "fan in".
    pub columns: usize,
}

impl Parameter {
    /// The index in the slice of the value that is the `index`th in PyTorch: of a matrix row by row, of kernels by output
    /// channel, input channel, row and column.
    #[must_use]
    pub const fn index_of(&self, index: usize) -> usize {
        if self.columns == 0 {
            return index;
        }
        let (row, mut column) = (index / self.columns, index % self.columns);
        if let Kind::Kernel { rows, columns } = self.kind {
            let taps = rows * columns;
            if taps > 0 {
                column = column % taps * (self.columns / taps) + column / taps;
            }
        }
        column * self.rows + row
    }

    /// Whether it is a vector in PyTorch: it has one column and is no weight.
    #[must_use]
    pub const fn is_vector(&self) -> bool {
        self.columns == 1 && !self.kind.is_weight()
    }
}

/// The element of a tuple that a visit enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// Its index in the tuple: `network.1` has 1.
    pub index: usize,
    /// Its index in the `torch.nn.Sequential` that corresponds to the tuple, where an activation is a module of its
    /// own.
    pub module: usize,
}

/// Reads the parameters of a network, slice by slice, in the order of the layers.
///
/// # Examples
///
/// ```
/// use tuplenet::model::{Element, Parameter, Visit, Visitor};
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
    /// Called with a slice of parameters, a `rows` by `columns` matrix column by column.
    fn slice(&mut self, parameter: Parameter, values: &[T]);
    /// Called with a buffer, values that belong to the layer but are not learned by gradients, as a matrix as in
    /// [`slice`](Self::slice). Optimizers, norms and averages ignore buffers; code that saves a network does not.
    #[inline(always)]
    fn buffer(&mut self, _parameter: Parameter, _values: &[T]) {}
    /// Called with an integer that belongs to the layer, for code that saves a network.
    #[inline(always)]
    fn count(&mut self, _parameter: Parameter, _value: u64) {}
    /// Called when the visit enters an element of a tuple.
    #[inline(always)]
    fn enter(&mut self, _element: Element) {}
    /// Called when the visit leaves the element that it entered last.
    #[inline(always)]
    fn leave(&mut self) {}
}

/// Changes the parameters of a network, slice by slice, together with those of `OTHERS` more values of the same
/// type, such as its gradient and Adam's two averages.
///
/// A trait and not a closure, because only a method can be marked `#[inline(always)]`. What is not inlined into the
/// dispatched call is compiled without the vector instructions.
pub trait VisitorMut<T, const OTHERS: usize> {
    /// Called with a slice of parameters and the same slice of the others, `rows` by `columns` matrices column by
    /// column.
    fn slice(&mut self, parameter: Parameter, values: &mut [T], others: [&mut [T]; OTHERS]);
    /// See [`Visitor::buffer`].
    #[inline(always)]
    fn buffer(&mut self, _parameter: Parameter, _values: &mut [T]) {}
    /// See [`Visitor::count`].
    #[inline(always)]
    fn count(&mut self, _parameter: Parameter, _value: &mut u64) {}
    /// Called when the visit enters an element of a tuple.
    #[inline(always)]
    fn enter(&mut self, _element: Element) {}
    /// Called when the visit leaves the element that it entered last.
    #[inline(always)]
    fn leave(&mut self) {}
}

/// The parameters and buffers of a layer or a network: their number, their initial values, and what changes them besides
/// an optimizer. [`Visit`] goes over the values.
///
/// # Examples
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
    /// The number of parameters.
    #[doc(alias("count_params", "numel"))]
    const PARAMETERS: usize;

    /// The number of modules in the corresponding `torch.nn.Sequential`: two for a layer with an activation, which
    /// is a module of its own there, otherwise one.
    const MODULES: usize = 1;

    /// Whether it corresponds to a `torch.nn.Sequential` of its own: a tuple.
    const IS_CHAIN: bool = false;

    /// The smallest number of samples that must be trained on together. 2 for a layer with statistics that a single
    /// sample does not have, such as [`BatchNorm`](crate::layers::BatchNorm); a layer around others has the largest
    /// of theirs.
    const TOGETHER: usize = 1;

    /// The size of parameters and other state in bytes: what a network uses of flash, or of RAM.
    const BYTES: usize = size_of::<Self>();

    /// Sets the parameters to their initial values, in place. By default it does nothing, for layers without
    /// parameters or with initial values of zero.
    fn initialize<R: Rng>(&mut self, _rng: &mut R) {}

    /// Updates the buffers of a layer after a batch, before the optimizer's step: state that does not follow a
    /// gradient, such as running statistics and random seeds. `gradient` is that of the batch; a layer may take out
    /// of it what its backward pass has left there beside gradients. Not called after a batch that failed.
    ///
    /// The trainer calls it. If you take steps yourself with a [`Workspace`](crate::train::Workspace), call it
    /// between the gradient and the optimizer's step. By default it does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::layers::Dropout;
    /// use tuplenet::model::{Params, Zeroed};
    /// use tuplenet::prelude::*;
    ///
    /// type Net = (Dense<2, 8, Tanh>, Dropout<20>, Dense<8, 1, Identity>);
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

    /// Merges what a layer's backward pass has left beside gradients in `part` into `self`, and sets it to zero in
    /// `part`. Where several threads share a batch, or a batch has very many micro-batches, `self` and `part` are the
    /// gradients of two parts of it, and the samples of `part` follow those of `self`. By default it does nothing, for
    /// layers that leave only gradients.
    #[inline(always)]
    fn merge_buffers(&mut self, _part: &mut Self) {}
}

/// A layer or a network whose parameters are of type `T`: a visit over their slices, in the order of the layers. A
/// layer without numbers of its own, such as an activation, has it for every `T`.
#[diagnostic::on_unimplemented(
    message = "scalar types do not match: `{Self}` is not a layer with the scalar type `{T}`",
    label = "expected a layer with the scalar type `{T}`",
    note = "all layers of a network have the same scalar type, the last parameter of `Dense`, which is `f32` by default"
)]
pub trait Visit<T: Real>: Params {
    /// Passes every slice of parameters to `visitor`.
    fn visit(&self, visitor: &mut impl Visitor<T>);

    /// Passes every slice of parameters to `visitor`, along with the same slices of `others`.
    fn visit_mut<const OTHERS: usize>(&mut self, others: [&mut Self; OTHERS], visitor: &mut impl VisitorMut<T, OTHERS>);
}

/// Sets every parameter to `value`, in place.
pub fn fill<T: Real, N: Visit<T>>(network: &mut N, value: T) {
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
#[must_use]
pub fn is_finite<T: Real, N: Visit<T>>(network: &N) -> bool {
    struct Finite(bool);
    impl<T: Real> Visitor<T> for Finite {
        #[inline(always)]
        fn slice(&mut self, _: Parameter, values: &[T]) {
            // On a microcontroller a loop for each slice would use too much flash.
            self.0 &= if cfg!(target_os = "none") {
                NotFinite::first_of(values).is_none()
            } else {
                values.iter().all(|v| v.is_finite())
            };
        }
    }
    let mut finite = Finite(true);
    Visit::<T>::visit(network, &mut finite);
    finite.0
}
