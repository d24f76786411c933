//! [`Residual`]: a residual (skip) connection around a layer.

use crate::activation::NoActivation;
use crate::kernel::map_first;
use crate::model::{
    Description, Element, Features, InputShape, Layer, Network, Op, Params, Pass, Place, Visitor, VisitorMut, Zeroed,
};
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// Residual (skip) connection around a layer or a tuple of layers `L` with as many outputs as inputs. (K. He et
/// al., "Deep residual learning", 2016.)
///
/// # Shapes
///
/// `N` features in, `N` features out, where `L` has `N` inputs and `N` outputs.
///
/// # Formula
///
/// `y = x + L(x)`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::Residual;
/// use tuplenet::prelude::*;
///
/// type Block = Residual<(Dense<8, 8, Relu>, Dense<8, 8, Identity>)>;
/// type Net = (Dense<2, 8, Tanh>, Block, Block, Dense<8, 1, Sigmoid>);
/// let network = Net::new(&mut seeded(0));
/// assert!(network.predict_one(&[0.5, -0.5])[0].is_finite());
/// ```
///
/// Different numbers of inputs and outputs do not compile:
///
/// ```compile_fail,E0277
/// use tuplenet::layers::Residual;
/// use tuplenet::prelude::*;
///
/// let network = Residual::<Dense<8, 4, Tanh>>::new(&mut seeded(0));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[doc(alias("skip connection", "ResNet"))]
pub struct Residual<L>(pub L);

/// The position of a layer that is not a tuple: that of the only element of a tuple.
const ALONE: Element = Element { index: 0, module: 0 };

impl<L: Zeroed> Zeroed for Residual<L> {
    const ZEROED: Self = Residual(L::ZEROED);
}

impl<L: Params> Params for Residual<L> {
    type Scalar = L::Scalar;
    const PARAMETERS: usize = L::PARAMETERS;
    const TOGETHER: usize = L::TOGETHER;

    #[inline(always)]
    fn visit(&self, visitor: &mut impl Visitor<L::Scalar>) {
        if L::IS_CHAIN {
            return self.0.visit(visitor);
        }
        visitor.enter(ALONE);
        self.0.visit(visitor);
        visitor.leave();
    }

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(
        &mut self,
        others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<L::Scalar, OTHERS>,
    ) {
        let others = others.map(
            #[inline(always)]
            |other| &mut other.0,
        );
        if L::IS_CHAIN {
            return self.0.visit_mut(others, visitor);
        }
        visitor.enter(ALONE);
        self.0.visit_mut(others, visitor);
        visitor.leave();
    }

    fn initialize<R: Rng>(&mut self, rng: &mut R) {
        self.0.initialize(rng);
    }

    #[inline(always)]
    fn update_buffers(&mut self, gradient: &mut Self) {
        self.0.update_buffers(&mut gradient.0);
    }

    #[inline(always)]
    fn merge_buffers(&mut self, part: &mut Self) {
        self.0.merge_buffers(&mut part.0);
    }
}

impl<L: InputShape> InputShape for Residual<L> {
    type In = L::In;
}

impl<L> Network for Residual<L> {}

/// What [`Residual`] stores for its backward pass: the output, `N` by `B`, and the cache of the inner layer.
#[derive(Clone)]
pub struct ResidualCache<T: crate::num::Real, I, const N: usize, const B: usize> {
    output: SMatrix<T, N, B>,
    inside: I,
}

impl<T: crate::num::Real, I, const N: usize, const B: usize> core::fmt::Debug for ResidualCache<T, I, N, B> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ResidualCache").finish_non_exhaustive()
    }
}

impl<T: crate::num::Real, I: Zeroed, const N: usize, const B: usize> Zeroed for ResidualCache<T, I, N, B> {
    const ZEROED: Self = ResidualCache { output: SMatrix::ZEROED, inside: I::ZEROED };
}

/// Adds `x` to `y`.
#[inline(always)]
fn add<S: Simd, T: crate::num::Real, const N: usize, const B: usize>(
    pass: Pass<S, B>,
    x: &SMatrix<T, N, B>,
    y: &mut SMatrix<T, N, B>,
) {
    map_first(
        pass.simd(),
        pass.len() * N,
        [y.as_mut_slice()],
        [x.as_slice()],
        #[inline(always)]
        |[y], [x]| [y + x],
    );
}

#[diagnostic::do_not_recommend]
impl<const N: usize, L: Layer<Features<N>, Out = Features<N>>> Layer<Features<N>> for Residual<L> {
    type Out = Features<N>;
    type Cache<const B: usize> = ResidualCache<L::Scalar, L::Cache<B>, N, B>;
    type LastActivation = NoActivation<Residual<()>>;

    #[inline(always)]
    fn output<const B: usize>(cache: &Self::Cache<B>) -> &SMatrix<L::Scalar, N, B> {
        &cache.output
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
        y: &mut SMatrix<L::Scalar, N, B>,
    ) {
        self.0.infer(pass.hidden(), x, y);
        add(pass, x, y);
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
    ) -> SMatrix<L::Scalar, N, B> {
        let mut y = self.0.infer_by_value(pass.hidden(), x);
        add(pass, x, &mut y);
        y
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
        cache: &mut Self::Cache<B>,
    ) {
        self.0.forward(pass.hidden(), x, &mut cache.inside);
        cache.output.clone_from(L::output(&cache.inside));
        add(pass, x, &mut cache.output);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
        cache: &mut Self::Cache<B>,
        output_gradient: &mut SMatrix<L::Scalar, N, B>,
        gradient: &mut Self,
        input_gradient: Option<&mut SMatrix<L::Scalar, N, B>>,
    ) {
        let Some(input_gradient) = input_gradient else {
            return self.0.backward(pass.hidden(), x, &mut cache.inside, output_gradient, &mut gradient.0, None);
        };
        // The inner layer may overwrite its gradient.
        let mut inside = *output_gradient;
        self.0.backward(pass.hidden(), x, &mut cache.inside, &mut inside, &mut gradient.0, Some(&mut *input_gradient));
        add(pass, output_gradient, input_gradient);
    }

    fn describe(place: Place, emit: &mut dyn FnMut(Description)) {
        emit(Description::around::<Features<N>, Self>(place, "Residual"));
        L::describe(place.inside(0), emit);
    }

    fn graph<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, L::Scalar>)) {
        emit(Op::ResidualBegins { size: N });
        self.0.graph(emit);
        emit(Op::ResidualEnds);
    }
}
