//! [`Dense`]: a fully connected layer.

use crate::activation::init::Init;
use crate::activation::{Activation, DerivativeFrom, FusedLoss, Identity, assert_varies};
use crate::kernel::dense;
use crate::model::layer::{Internal, LearningRate};
use crate::model::{
    Aligned, Features, InputShape, Kind, Layer, Model, Network, Op, Parameter, Params, Pass, Visit, Visitor,
    VisitorMut, Zeroed,
};
use crate::num::Real;
use core::marker::PhantomData;
use fearless_simd::Simd;
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

    #[inline(always)]
    fn weights(&self) -> dense::Weights<'_, T, IN, OUT> {
        dense::Weights { weight: &self.weight.data.0, bias: &self.bias.data.0[0] }
    }
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
    const MODULES: usize = if matches!(A::FUSED_LOSS, FusedLoss::Either) { 1 } else { 2 };

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

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Dense<IN, OUT, A, T> {
    /// Turns the gradient by `y` into the gradient by `W x + b`.
    #[inline(always)]
    fn activation_gradient<S: Simd, const B: usize>(
        pass: Pass<S, B>,
        y: &SMatrix<T, OUT, B>,
        cache: &DenseCache<A, T, OUT, B>,
        dy: &mut [[T; OUT]; B],
    ) {
        if pass.stops_at_logits() {
            return;
        }
        A::backward_of_sample(pass, &y.data.0, dy);
        // If the derivative follows from the output, the sums are not used.
        let sums = A::DerivativeFrom::stored(&cache.0).unwrap_or(y);
        dense::activation_gradient::<S, T, A, OUT, B>(pass, &sums.data.0, &y.data.0, dy);
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Model<Features<IN>, T> for Dense<IN, OUT, A, T> {
    type Out = Features<OUT>;
    const MACS: Option<usize> = Some(IN * OUT);
    const IS_COMPILED: bool = true;

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, IN, B>, y: &mut SMatrix<T, OUT, B>) {
        let activated = !pass.stops_at_logits();
        dense::forward::<S, T, A, IN, OUT, B>(pass, self.weights(), &x.data.0, activated, &mut y.data.0);
        if activated {
            A::value_of_sample(pass, &mut y.data.0);
        }
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        _: Internal,
    ) -> SMatrix<T, OUT, B> {
        let activated = !pass.stops_at_logits();
        let made = dense::forward_by_value::<S, T, A, IN, OUT, B>(pass, self.weights(), &x.data.0, activated);
        if let Some(mut y) = made {
            if activated {
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
        let activated = !pass.stops_at_logits();
        let y = &mut y.data.0;
        if let Some(sums) = A::DerivativeFrom::stored_mut(&mut cache.0) {
            dense::forward::<S, T, A, IN, OUT, B>(pass, self.weights(), &x.data.0, false, &mut sums.data.0);
            y.clone_from(&sums.data.0);
            if activated {
                dense::activate::<S, T, A, OUT, B>(pass, y);
            }
        } else {
            dense::forward::<S, T, A, IN, OUT, B>(pass, self.weights(), &x.data.0, activated, y);
        }
        if activated {
            A::value_of_sample(pass, y);
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
        let dy = &mut dy.data.0;
        Self::activation_gradient(pass, y, cache, dy);
        if !pass.needs_inputs_alone() {
            let (weight, bias) = (&mut gradient.weight.data.0, &mut gradient.bias.data.0[0]);
            dense::add_gradient::<S, T, IN, OUT, B>(pass, &x.data.0, dy, weight, bias);
        }
        if let Some(dx) = dx {
            dense::input_gradient::<S, T, IN, OUT, B>(pass, &self.weight.data.0, dy, &mut dx.data.0);
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
        let dy = &mut dy.data.0;
        Self::activation_gradient(pass, y, cache, dy);
        let weights = (&mut self.weight.data.0, &mut self.bias.data.0[0]);
        let dx = dx.map(
            #[inline(always)]
            |dx| &mut dx.data.0,
        );
        dense::sgd_step(weights, &x.data.0, dy, learning_rate, dx);
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        let (weight, bias) = (self.weight.as_slice(), self.bias.as_slice());
        emit(match A::KIND {
            Some(function) => Op::Linear { inputs: IN, outputs: OUT, weight, bias, function },
            None => Op::Unknown { name: core::any::type_name::<A>() },
        });
    }
}
