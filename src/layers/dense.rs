//! [`Dense`]: a fully connected layer.

use crate::activation::{Activation, DerivativeFrom, FusedLoss, Identity, assert_varies};
use crate::init::Init;
use crate::kernel::{
    self, Columns, Rows, SMALL_SIZE, add_columns, add_transposed, dot_products, map, map_first, packed_product,
    product, product_with_column, registers, scalar, transpose,
};
use crate::model::layer::{Internal, LearningRate};
use crate::model::{
    Aligned, Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, Visit, Visitor,
    VisitorMut, Zeroed,
};
use crate::num::dispatch::call;
use crate::num::{Lanes, Real, SCALAR};
use core::marker::PhantomData;
use fearless_simd::{Simd, SimdBase};
use nalgebra::{ArrayStorage, SMatrix, SVector};
use rand::Rng;

/// Fully connected layer with `IN` inputs, `OUT` outputs and the activation `A`; its scalar type is `T`.
///
/// On x86-64 it is aligned to 64 bytes, as vector registers are, and its size is a multiple of 64 bytes.
///
/// # Shapes
///
/// `IN` features in, `OUT` features out. `weight` is `OUT` by `IN`, `bias` has `OUT` elements.
///
/// # Formula
///
/// `y = A(W x + b)`. PyTorch equivalent: `torch.nn.Linear`, followed by the activation's module.
///
/// # Examples
///
/// ```
/// use tuplenet::prelude::*;
///
/// // A network that a program's flash can hold: weights row by row, as on paper and in PyTorch.
/// static NAND: Dense<2, 1, Sigmoid> = Dense::from_rows([[-20.0, -20.0]], [30.0]);
/// assert!(NAND.predict_one(&[1.0, 1.0])[0] < 0.01);
/// assert!(NAND.predict_one(&[1.0, 0.0])[0] > 0.99);
/// ```
#[cfg_attr(target_arch = "x86_64", repr(align(64)))]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(bound = "T: Real"))]
#[doc(alias("Linear", "nn.Linear", "fully connected", "fully connected layer"))]
pub struct Dense<const IN: usize, const OUT: usize, A, T = f32> {
    /// The weights `W`, `OUT` by `IN`.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::rows"))]
    pub weight: SMatrix<T, OUT, IN>,
    /// The bias `b`, `OUT` elements.
    #[cfg_attr(feature = "serde", serde(with = "crate::num::serde::column"))]
    pub bias: SVector<T, OUT>,
    #[cfg_attr(feature = "serde", serde(skip))]
    activation: PhantomData<A>,
}

impl<const IN: usize, const OUT: usize, A, T: Real> Dense<IN, OUT, A, T> {
    /// Creates the layer from the rows of `W`, one for each output, and from `b`.
    #[must_use]
    pub const fn from_rows(weight: [[T; IN]; OUT], bias: [T; OUT]) -> Self
    where
        A: Activation,
    {
        const { Self::assert_sizes() };
        let mut columns = [[T::ZERO; OUT]; IN];
        let mut row = 0;
        while row < OUT {
            let mut column = 0;
            while column < IN {
                columns[column][row] = weight[row][column];
                column += 1;
            }
            row += 1;
        }
        Dense {
            weight: SMatrix::from_array_storage(ArrayStorage(columns)),
            bias: SMatrix::from_array_storage(ArrayStorage([bias])),
            activation: PhantomData,
        }
    }

    /// Creates the layer from the columns of `W`, one for each input, and from `b`. This is the order in memory, so
    /// that the compiler has nothing to compute for a `static`.
    #[must_use]
    pub const fn from_columns(weight: [[T; OUT]; IN], bias: [T; OUT]) -> Self
    where
        A: Activation,
    {
        Self::from_matrix(
            SMatrix::from_array_storage(ArrayStorage(weight)),
            SMatrix::from_array_storage(ArrayStorage([bias])),
        )
    }

    /// Creates the layer from `W` and `b`.
    #[must_use]
    pub const fn from_matrix(weight: SMatrix<T, OUT, IN>, bias: SVector<T, OUT>) -> Self
    where
        A: Activation,
    {
        const { Self::assert_sizes() };
        Dense { weight, bias, activation: PhantomData }
    }

    const fn assert_sizes()
    where
        A: Activation,
    {
        assert!(
            IN > 0 && OUT > 0,
            "expected a `Dense` layer with at least one input and one output, found a size of zero"
        );
        assert_varies::<A>(OUT);
    }

    pub(crate) const WEIGHT: Parameter = Parameter { name: "weight", kind: Kind::Weight, rows: OUT, columns: IN };
    pub(crate) const BIAS: Parameter = Parameter { name: "bias", kind: Kind::Bias, rows: OUT, columns: 1 };

    /// Whether, in the gradient by the weights, lanes run across the inputs instead of the outputs, because fewer
    /// lanes are idle then. Every sum is the same.
    const fn is_across_inputs<S: Simd>(columns: usize) -> bool {
        if OUT <= 4 && IN >= 2 * OUT {
            return true;
        }
        // The transpose takes the time of some samples, and a buffer on the stack.
        let across_inputs = OUT * registers::<S, T>(IN) * (columns + 2 * SMALL_SIZE) / columns;
        columns > SMALL_SIZE && IN * OUT <= 8192 && across_inputs < IN * registers::<S, T>(OUT)
    }

    /// Whether, in the forward pass, the lanes run across the inputs of one output at a time, because there are so
    /// few outputs.
    const DOT_PRODUCTS: bool = OUT <= 4 && IN > 6 * OUT;
}

impl<const IN: usize, const OUT: usize, T: Real> Dense<IN, OUT, Identity, T> {
    /// The same layer with the activation `A`. After a layer without one, `layer.with_activation::<Relu>()` computes what
    /// the tuple of the layer and `Relu` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let dense = Dense::<1, 2, Identity>::from_rows([[1.0], [-1.0]], [0.0, 0.0]);
    /// assert_eq!(dense.with_activation::<Relu>().predict_one(&[3.0]), [3.0, 0.0]);
    /// ```
    #[must_use]
    pub const fn with_activation<A: Activation>(self) -> Dense<IN, OUT, A, T> {
        Dense::from_matrix(self.weight, self.bias)
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Dense<IN, OUT, A, T> {
    /// Whether the activation is applied to the sums before they are stored. For a long activation with many rows
    /// that would be a lot of code; it is a pass of its own then.
    const fn is_fused(columns: usize) -> bool {
        if SCALAR {
            return Self::is_inlined(columns) || (A::INLINE && columns == 1);
        }
        (A::INLINE || columns == 1) && !Self::is_dot_products(columns)
    }

    /// How many rows of the forward pass have registers of their own, and how many form the group behind them.
    const fn row_split(columns: usize) -> (usize, usize) {
        if columns > SMALL_SIZE { kernel::row_split(OUT, IN) } else { (OUT, 0) }
    }

    /// Whether [`DOT_PRODUCTS`](Self::DOT_PRODUCTS) applies to so many columns.
    const fn is_dot_products(columns: usize) -> bool {
        Self::DOT_PRODUCTS && columns <= SMALL_SIZE
    }

    /// Whether the products are separate functions. All of a network's products in one function make one so large
    /// that the compiler takes minutes for it; those of a single sample or of a small layer take less time than a
    /// call.
    const fn is_apart(columns: usize) -> bool {
        columns > SMALL_SIZE && IN * OUT >= 64
    }

    /// `W x + b` for the columns in use, or `A(W x + b)`.
    #[inline(always)]
    fn affine<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        activated: bool,
        y: &mut SMatrix<T, OUT, B>,
    ) {
        if SCALAR {
            return self.affine_scalar(pass, x, activated, y);
        }
        let (simd, weight, bias) = (pass.simd(), self.weight.as_slice(), self.bias.as_slice());
        let (right, result) = (x.as_slice(), y.as_mut_slice());
        let columns = pass.len();
        call(
            simd,
            Self::is_apart(B),
            #[inline(always)]
            || {
                // The compiler does not know the values that a closure captures if the closure becomes a function
                // of its own.
                let activated = activated && Self::is_fused(B);
                if const { Self::is_dot_products(B) } {
                    let mut rows = [[T::ZERO; IN]; OUT];
                    transpose::<S, T, OUT, IN>(simd, weight, rows.as_flattened_mut());
                    return dot_products::<S, T, OUT, IN, B>(simd, columns, &rows, right, bias, result);
                }
                if const { B == 1 } {
                    return product_with_column::<S, T, A, OUT>(simd, weight, right, bias, activated, result);
                }
                if const { Self::row_split(B).0 > 0 } {
                    let right = Columns::<T, IN, B>(right);
                    product::<S, T, A, _, OUT, false>(
                        simd,
                        const { Self::row_split(B).0 },
                        IN,
                        columns,
                        weight,
                        right,
                        Some(bias),
                        activated,
                        result,
                    );
                }
                // Conditions on sizes are in const blocks, so that the compiler does not compile branches that are
                // never taken.
                macro_rules! group {
                    ($($size:literal)+) => {$(
                        if const { Self::row_split(B).1 == $size } {
                            packed_product::<S, T, A, OUT, IN, B, $size>(
                                simd,
                                columns,
                                weight,
                                right,
                                bias,
                                activated,
                                result,
                            );
                        }
                    )+};
                }
                group!(1 2 4);
            },
        );
    }

    /// [`affine`](Self::affine) without vector registers.
    #[inline(always)]
    fn affine_scalar<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        activated: bool,
        y: &mut SMatrix<T, OUT, B>,
    ) {
        let (simd, weight, bias) = (pass.simd(), &self.weight.data.0, &self.bias.data.0[0]);
        for (x, y) in x.data.0.iter().zip(&mut y.data.0).take(pass.len()) {
            if Self::is_dot_products(B) || Self::is_inlined(B) {
                let how = (Self::is_dot_products(B), activated);
                // Not an iterator: the compiler removes the checks of this index at all optimization levels.
                #[allow(clippy::needless_range_loop)]
                for row in 0..OUT {
                    y[row] = scalar::inlined_row::<S, T, A, OUT, IN>(simd, weight, x, bias, how, row);
                }
            } else if B == 1 {
                let activated = activated && A::INLINE;
                scalar::product_with_column::<S, T, A, OUT, IN>(simd, weight, x, bias, activated, y);
            } else {
                scalar::product_in_order(weight, x, bias, y);
                if const { Self::row_split(B).1 > 0 } {
                    let (whole, group) = Self::row_split(B);
                    for (row, y) in y.iter_mut().enumerate().skip(whole) {
                        *y = scalar::row_in_parts(weight, x, bias, row, kernel::MAX_LANES / group);
                    }
                }
            }
        }
    }

    /// Whether, without vector registers, the rows are computed one by one.
    const fn is_inlined(columns: usize) -> bool {
        columns == 1 && scalar::is_inlined(Self::DOT_PRODUCTS, OUT, IN)
    }

    /// Replaces `y` by `A(y)`.
    #[inline(always)]
    fn activate<S: Simd, const B: usize>(pass: Pass<S, B>, fused: bool, y: &mut SMatrix<T, OUT, B>) {
        if SCALAR && !fused {
            for y in y.data.0.iter_mut().take(pass.len()) {
                scalar::activate::<S, T, A>(pass.simd(), y);
            }
        } else if !fused {
            let (simd, count) = (pass.simd(), pass.len() * OUT);
            map_first(
                simd,
                count,
                [y.as_mut_slice()],
                [],
                #[inline(always)]
                |[x], []| [A::value::<S, T>(simd, x)],
            );
        }
        A::value_of_sample(pass, &mut y.data.0);
    }

    /// The gradient by `x` from the gradient by `W x + b`. A separate function, because in an unoptimized build the
    /// stack frame of a function has space for the transposed weights as soon as it is entered.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn input_gradient<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        output_gradient: &SMatrix<T, OUT, B>,
        input_gradient: &mut SMatrix<T, IN, B>,
    ) {
        if SCALAR {
            return scalar::transposed_product(
                &self.weight.data.0,
                &output_gradient.data.0,
                pass.len(),
                &mut input_gradient.data.0,
            );
        }
        call(
            pass.simd(),
            Self::is_apart(B),
            #[inline(always)]
            || {
                let mut transposed = [[T::ZERO; IN]; OUT];
                transpose::<S, T, OUT, IN>(pass.simd(), self.weight.as_slice(), transposed.as_flattened_mut());
                product::<S, T, Identity, _, IN, false>(
                    pass.simd(),
                    IN,
                    OUT,
                    pass.len(),
                    transposed.as_flattened(),
                    Columns::<T, OUT, B>(output_gradient.as_slice()),
                    None,
                    false,
                    input_gradient.as_mut_slice(),
                );
            },
        );
    }

    /// Adds the gradient by `W` to that of `gradient` if `ADDED`, otherwise sets it.
    #[inline(always)]
    fn weight_gradient<S: Simd, const B: usize, const ADDED: bool>(
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        output_gradient: &SMatrix<T, OUT, B>,
        gradient: &mut Self,
    ) {
        let (simd, samples, weight) = (pass.simd(), pass.len(), gradient.weight.as_mut_slice());
        let (inputs, output_gradients) = (x.as_slice(), output_gradient.as_slice());
        if const { !Self::is_across_inputs::<S>(B) } {
            let inputs = Rows::<T, B, IN>(inputs);
            return product::<S, T, Identity, _, OUT, ADDED>(
                simd,
                OUT,
                samples,
                IN,
                output_gradients,
                inputs,
                None,
                false,
                weight,
            );
        }
        let output_gradients = Rows::<T, B, OUT>(output_gradients);
        if const { OUT == 1 } {
            return product::<S, T, Identity, _, IN, ADDED>(
                simd,
                IN,
                samples,
                OUT,
                inputs,
                output_gradients,
                None,
                false,
                weight,
            );
        }
        let mut transposed = [[T::ZERO; IN]; OUT];
        let result = transposed.as_flattened_mut();
        product::<S, T, Identity, _, IN, false>(simd, IN, samples, OUT, inputs, output_gradients, None, false, result);
        add_transposed::<S, T, IN, OUT>(simd, &transposed, weight);
    }

    /// Turns the gradient by `y` into the gradient by `W x + b`.
    #[inline(always)]
    fn deactivate<S: Simd, const B: usize>(
        pass: Pass<S, B>,
        (output, cache): (&SMatrix<T, OUT, B>, &DenseCache<A, T, OUT, B>),
        output_gradient: &mut SMatrix<T, OUT, B>,
    ) {
        let simd = pass.simd();
        A::backward_of_sample(pass, &output.data.0, &mut output_gradient.data.0);
        // If the derivative follows from the output, the sums are not used.
        let sums = A::DerivativeFrom::stored(&cache.0).unwrap_or(output);
        let len = pass.len();
        if SCALAR || B > SMALL_SIZE || OUT >= Lanes::<S, T>::LEN || len == 1 {
            map_first(
                simd,
                OUT * len,
                [output_gradient.as_mut_slice()],
                [sums.as_slice(), output.as_slice()],
                #[inline(always)]
                |[output_gradient], [sum, y]| [A::backward::<S, T>(simd, output_gradient, sum, y)],
            );
            return;
        }
        // In the same pieces in which the columns were stored.
        for ((output_gradient, sums), y) in
            output_gradient.data.0.iter_mut().zip(&sums.data.0).zip(&output.data.0).take(len)
        {
            map(
                simd,
                [output_gradient],
                [sums, y],
                #[inline(always)]
                |[output_gradient], [sum, y]| [A::backward::<S, T>(simd, output_gradient, sum, y)],
            );
        }
    }
}

impl<const IN: usize, const OUT: usize, A, T: Clone> Clone for Dense<IN, OUT, A, T> {
    fn clone(&self) -> Self {
        Dense { weight: self.weight.clone(), bias: self.bias.clone(), activation: PhantomData }
    }
}

impl<const IN: usize, const OUT: usize, A, T: PartialEq> PartialEq for Dense<IN, OUT, A, T> {
    fn eq(&self, other: &Self) -> bool {
        self.weight == other.weight && self.bias == other.bias
    }
}

impl<const IN: usize, const OUT: usize, A, T: nalgebra::Scalar> core::fmt::Debug for Dense<IN, OUT, A, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Dense").field("weight", &self.weight).field("bias", &self.bias).finish()
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Zeroed for Dense<IN, OUT, A, T> {
    const ZEROED: Self = {
        assert_varies::<A>(OUT);
        Dense { weight: SMatrix::ZEROED, bias: SMatrix::ZEROED, activation: PhantomData }
    };
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Params for Dense<IN, OUT, A, T> {
    const PARAMETERS: usize = OUT * IN + OUT;
    const MODULES: usize = if matches!(A::FUSED_LOSS, FusedLoss::EitherCrossEntropy) { 1 } else { 2 };

    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        A::Init::default().fill_layer::<T, R, IN, OUT>(rng, self.weight.as_mut_slice());
        self.bias.as_mut_slice().fill(T::ZERO);
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Visit<T> for Dense<IN, OUT, A, T> {
    #[inline(always)]
    fn visit(&self, visitor: &mut impl Visitor<T>) {
        visitor.slice(Self::WEIGHT, self.weight.as_slice());
        visitor.slice(Self::BIAS, self.bias.as_slice());
    }

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        mut others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<T, OTHERS>,
    ) {
        let weights = others.each_mut().map(
            #[inline(always)]
            |other| other.weight.as_mut_slice(),
        );
        visitor.slice(Self::WEIGHT, self.weight.as_mut_slice(), weights);
        let biases = others.map(
            #[inline(always)]
            |other| other.bias.as_mut_slice(),
        );
        visitor.slice(Self::BIAS, self.bias.as_mut_slice(), biases);
    }
}

impl<const IN: usize, const OUT: usize, A, T: Real> InputShape for Dense<IN, OUT, A, T> {
    type In = Features<IN>;
    type Scalar = T;
}

impl<const IN: usize, const OUT: usize, A, T> Network for Dense<IN, OUT, A, T> {}

/// What [`Dense`] stores for its backward pass, if the derivative of its activation needs it: `W x + b`, `OUT` by `B`.
pub type DenseCache<A, T, const OUT: usize, const B: usize> =
    Aligned<<<A as Activation>::DerivativeFrom as DerivativeFrom>::Stored<SMatrix<T, OUT, B>>>;

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Model<Features<IN>, T> for Dense<IN, OUT, A, T> {
    type Out = Features<OUT>;
    const MACS: Option<usize> = Some(IN * OUT);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, IN, B>, y: &mut SMatrix<T, OUT, B>) {
        let (wanted, fused) = (!pass.stops_at_logits(), Self::is_fused(B));
        self.affine(pass, x, wanted && fused, y);
        if wanted {
            Self::activate(pass, fused, y);
        }
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        _: Internal,
    ) -> SMatrix<T, OUT, B> {
        if SCALAR
            && Self::is_inlined(B)
            && let [x] = x.data.0.as_slice()
        {
            let (simd, weight, bias) = (pass.simd(), &self.weight.data.0, &self.bias.data.0[0]);
            let how = (Self::DOT_PRODUCTS, !pass.stops_at_logits());
            let column: [T; OUT] = core::array::from_fn(
                #[inline(always)]
                |row| scalar::inlined_row::<S, T, A, OUT, IN>(simd, weight, x, bias, how, row),
            );
            // Not `[column; B]`, for which some compilers call a memory copy of 700 bytes of code when they
            // optimize for size.
            let mut y: [[T; OUT]; B] = core::array::from_fn(
                #[inline(always)]
                |_| column,
            );
            if !pass.stops_at_logits() {
                A::value_of_sample(pass, &mut y);
            }
            return SMatrix::from_array_storage(ArrayStorage(y));
        }
        let mut y = Zeroed::ZEROED;
        self.infer(pass, x, &mut y);
        y
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Layer<Features<IN>, T> for Dense<IN, OUT, A, T> {
    type Cache<const B: usize> = DenseCache<A, T, OUT, B>;
    type LastActivation = A;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        y: &mut SMatrix<T, OUT, B>,
        cache: &mut DenseCache<A, T, OUT, B>,
    ) {
        let (wanted, mut fused) = (!pass.stops_at_logits(), Self::is_fused(B));
        if let Some(sums) = A::DerivativeFrom::stored_mut(&mut cache.0) {
            fused = false;
            self.affine(pass, x, false, sums);
            y.clone_from(sums);
        } else {
            self.affine(pass, x, wanted && fused, y);
        }
        if wanted {
            Self::activate(pass, fused, y);
        }
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, y): (&SMatrix<T, IN, B>, &SMatrix<T, OUT, B>),
        cache: &mut DenseCache<A, T, OUT, B>,
        dy: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        dx: Option<&mut SMatrix<T, IN, B>>,
    ) {
        let simd = pass.simd();
        if !pass.stops_at_logits() {
            Self::deactivate(pass, (y, cache), dy);
        }

        if SCALAR {
            let (output_gradients, len) = (&dy.data.0, pass.len());
            scalar::add_outer(output_gradients, &x.data.0, len, pass.gradient_is_zero(), &mut gradient.weight.data.0);
            scalar::add_columns(output_gradients, len, pass.gradient_is_zero(), &mut gradient.bias.data.0[0]);
        } else {
            call(
                simd,
                Self::is_apart(B),
                #[inline(always)]
                || {
                    if B <= SMALL_SIZE && pass.gradient_is_zero() {
                        Self::weight_gradient::<S, B, false>(pass, x, dy, gradient);
                    } else {
                        Self::weight_gradient::<S, B, true>(pass, x, dy, gradient);
                    }
                    let samples = pass.len();
                    add_columns::<S, T, OUT>(simd, &dy.as_slice()[..samples * OUT], gradient.bias.as_mut_slice());
                },
            );
        }

        if let Some(dx) = dx {
            self.input_gradient(pass, dy, dx);
        }
    }

    #[inline(always)]
    fn sgd_step<S: Simd, const B: usize>(
        &mut self,
        pass: Pass<S, B>,
        (x, y): (&SMatrix<T, IN, B>, &SMatrix<T, OUT, B>),
        cache: &mut DenseCache<A, T, OUT, B>,
        dy: &mut SMatrix<T, OUT, B>,
        LearningRate(learning_rate): LearningRate<T>,
        dx: Option<&mut SMatrix<T, IN, B>>,
    ) {
        if !pass.stops_at_logits() {
            Self::deactivate(pass, (y, cache), dy);
        }
        if let ([dy, ..], [x, ..]) = (dy.data.0.as_slice(), x.data.0.as_slice()) {
            let dx = dx.and_then(
                #[inline(always)]
                |dx| dx.data.0.first_mut(),
            );
            scalar::sgd_step(&mut self.weight.data.0, &mut self.bias.data.0[0], x, dy, learning_rate, dx);
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>), _: Internal) {
        let (weight, bias) = (self.weight.as_slice(), self.bias.as_slice());
        emit(match A::KIND {
            Some(function) => Op::Dense { inputs: IN, outputs: OUT, weight, bias, function },
            None => Op::Unknown { name: core::any::type_name::<A>() },
        });
    }
}

/// Compares the loops for CPUs without vector registers with those for vector registers.
#[cfg(all(test, feature = "reproducible"))]
mod tests {
    use super::*;
    use crate::num::dispatch::{dispatch, level};
    use crate::prelude::seeded;

    /// Forward and backward through a layer with random weights, some of them zero, in a micro-batch of which `len`
    /// columns are in use.
    #[inline(always)]
    fn compare<S: Simd, const IN: usize, const OUT: usize, const B: usize>(simd: S, len: usize) {
        let mut rng = seeded((IN * 10_000 + OUT * 100 + B) as u64);
        let mut random = || {
            let bits = rng.next_u64();
            if bits.is_multiple_of(7) { 0.0 } else { f32::from_random_bits(bits) - 0.5 }
        };
        let mut layer = Dense::<IN, OUT, Identity>::ZEROED;
        layer.weight.iter_mut().chain(&mut layer.bias).for_each(|value| *value = random());
        let x = SMatrix::<f32, IN, B>::from_fn(|_, _| random());
        let mut output_gradient = SMatrix::<f32, OUT, B>::from_fn(|_, _| random());
        // The trainer promises that columns without a sample are zero.
        output_gradient.columns_range_mut(len..).fill(0.0);
        let pass = Pass::<S, B>::new(simd, len);

        let (mut lanes, mut expected) = (SMatrix::<f32, OUT, B>::ZEROED, SMatrix::<f32, OUT, B>::ZEROED);
        layer.affine(pass, &x, false, &mut lanes);
        layer.affine_scalar(pass, &x, false, &mut expected);
        let same = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
        let count = len * OUT;
        assert!(same(&lanes.as_slice()[..count], &expected.as_slice()[..count]), "{IN} to {OUT}, {len} of {B}");

        let (mut gradient, mut input_gradient) = (layer.clone(), SMatrix::<f32, IN, B>::ZEROED);
        // The identity's derivative needs no output.
        let (xy, mut cache) = ((&x, &lanes), Zeroed::ZEROED);
        layer.backward(pass, xy, &mut cache, &mut output_gradient, &mut gradient, Some(&mut input_gradient));
        let (mut weight, mut bias) = (layer.weight.data.0, layer.bias.data.0[0]);
        let mut expected = SMatrix::<f32, IN, B>::ZEROED;
        scalar::add_outer(&output_gradient.data.0, &x.data.0, len, false, &mut weight);
        scalar::add_columns(&output_gradient.data.0, len, false, &mut bias);
        scalar::transposed_product(&layer.weight.data.0, &output_gradient.data.0, len, &mut expected.data.0);
        let count = len * IN;
        assert!(same(gradient.weight.as_slice(), weight.as_flattened()), "{IN} to {OUT}, {len} of {B}: weights");
        assert!(same(gradient.bias.as_slice(), &bias), "{IN} to {OUT}, {len} of {B}: biases");
        assert!(
            same(&input_gradient.as_slice()[..count], &expected.as_slice()[..count]),
            "{IN} to {OUT}, {len} of {B}: inputs"
        );
    }

    #[test]
    fn scalar_loops_add_up_as_lanes_do() {
        macro_rules! sizes {
            ($($in:literal $out:literal),+) => {$(
                dispatch!(level(), simd => {
                    compare::<_, $in, $out, 1>(simd, 1);
                    compare::<_, $in, $out, 3>(simd, 3);
                    compare::<_, $in, $out, 9>(simd, 7);
                });
            )+};
        }
        sizes!(1 1, 2 1, 7 1, 8 1, 17 1, 40 1, 5 2, 13 2, 14 2, 33 3, 16 3, 3 4, 25 4, 2 8, 3 8, 4 8, 5 8, 4 16, 16 16);
        sizes!(9 5, 12 7, 32 10, 64 32, 2 33, 7 33, 9 40, 3 64, 1 65, 5 65, 12 70, 24 9, 35 17, 30 20);
    }
}
