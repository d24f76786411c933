//! [`Residual`]: a residual (skip) connection around a layer.

use super::{ALONE, around};
use crate::activation::NoActivation;
use crate::kernel::map_first;
use crate::model::layer::{Internal, backward, forward, infer};
use crate::model::{
    Batch, Description, InputShape, Layer, Model, Network, Op, Params, Pass, Position, Shape, Stateful, Visit, Visitor,
    VisitorMut, Zeroed,
};
use crate::num::Real;
use fearless_simd::Simd;
use rand::Rng;

/// Residual (skip) connection around a layer or a tuple of layers `L` whose outputs have the shape of its inputs. (K. He et
/// al., "Deep residual learning", 2016.)
///
/// # Shapes
///
/// Any shape that `L` accepts and returns, such as `N` features.
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

around!(Residual);

impl<L: InputShape> InputShape for Residual<L> {
    type In = L::In;
    type Scalar = L::Scalar;
}

impl<L> Network for Residual<L> {}

/// What [`Residual`] stores for its backward pass: output and cache of the inner layer.
#[derive(Clone)]
pub struct ResidualCache<Y, I> {
    output: Y,
    inside: I,
}

impl<Y, I> core::fmt::Debug for ResidualCache<Y, I> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ResidualCache").finish_non_exhaustive()
    }
}

impl<Y: Zeroed, I: Zeroed> Zeroed for ResidualCache<Y, I> {
    const ZEROED: Self = ResidualCache { output: Y::ZEROED, inside: I::ZEROED };
}

/// Adds `x` to `y`.
#[inline(always)]
fn add<In: Shape, T: Real, S: Simd, const B: usize>(pass: Pass<S, B>, x: &Batch<In, T, B>, y: &mut Batch<In, T, B>) {
    map_first(
        pass.simd(),
        In::prefix::<B>(pass.len()),
        [In::as_mut_slice(y)],
        [In::as_slice(x)],
        #[inline(always)]
        |[y], [x]| [y + x],
    );
}

#[diagnostic::do_not_recommend]
impl<In: Shape, T: Real, L: Model<In, T, Out = In>> Model<In, T> for Residual<L> {
    type Out = In;
    // The inner layer is, or is called in code of its own.
    const IS_COMPILED: bool = true;

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &Batch<In, T, B>, y: &mut Batch<In, T, B>) {
        infer(&self.0, pass.hidden(), x, y);
        add::<In, T, S, B>(pass, x, y);
    }

    #[inline(always)]
    fn infer_by_value<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        _: Internal,
    ) -> Batch<In, T, B> {
        let mut y = self.0.infer_by_value(pass.hidden(), x, Internal);
        add::<In, T, S, B>(pass, x, &mut y);
        y
    }
}

#[diagnostic::do_not_recommend]
impl<In: Shape, T: Real, L: Layer<In, T> + Model<In, T, Out = In>> Layer<In, T> for Residual<L> {
    type Cache<const B: usize> = ResidualCache<Batch<In, T, B>, L::Cache<B>>;
    type LastActivation = NoActivation<Residual<()>>;

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &Batch<In, T, B>,
        y: &mut Batch<In, T, B>,
        cache: &mut Self::Cache<B>,
    ) {
        forward(&self.0, pass.hidden(), x, &mut cache.output, &mut cache.inside);
        y.clone_from(&cache.output);
        add::<In, T, S, B>(pass, x, y);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, _): (&Batch<In, T, B>, &Batch<In, T, B>),
        ResidualCache { output, inside }: &mut Self::Cache<B>,
        dy: &mut Batch<In, T, B>,
        gradient: &mut Self,
        dx: Option<&mut Batch<In, T, B>>,
    ) {
        let Some(dx) = dx else {
            return backward(&self.0, pass.hidden(), (x, output), inside, dy, &mut gradient.0, None);
        };
        // The inner layer may overwrite its gradient.
        let mut copy = dy.clone();
        backward(&self.0, pass.hidden(), (x, output), inside, &mut copy, &mut gradient.0, Some(&mut *dx));
        add::<In, T, S, B>(pass, dy, dx);
    }

    fn describe(position: Position, emit: &mut dyn FnMut(Description), _: Internal) {
        emit(Description::around::<In, T, Self>(position, "Residual"));
        L::describe(position.inside(0), emit, Internal);
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::ResidualBegins { size: In::LEN });
        self.0.operations(emit);
        emit(Op::ResidualEnds);
    }
}

#[diagnostic::do_not_recommend]
impl<In: Shape, T: Real, L> Stateful<In, T> for Residual<L>
where
    L: Stateful<In, T> + Model<In, T, Out = In>,
{
    type Carried = L::Carried;

    #[inline(always)]
    fn set_state<const B: usize>(cache: &mut <Self as Layer<In, T>>::Cache<B>, column: usize, state: &L::Carried) {
        <L as Stateful<In, T>>::set_state(&mut cache.inside, column, state);
    }

    #[inline(always)]
    fn get_state<const B: usize>(cache: &<Self as Layer<In, T>>::Cache<B>, column: usize, state: &mut L::Carried) {
        <L as Stateful<In, T>>::get_state(&cache.inside, column, state);
    }
}
