//! [`Residual`]: a layer around which its input also goes.

use crate::activation::NoActivation;
use crate::kernel::map_first;
use crate::model::{
    Description, Element, Entrance, Features, Layer, Network, Params, Part, Place, Tile, Visitor, VisitorMut, Zeroed,
};
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// `y = x + L(x)`, for a layer or a tuple of layers `L` that gives as many numbers as it takes. (K. He et al., "Deep
/// residual learning", 2016.)
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
/// Another size does not compile:
///
/// ```compile_fail,E0277
/// use tuplenet::layers::Residual;
/// use tuplenet::prelude::*;
///
/// let network = Residual::<Dense<8, 4, Tanh>>::new(&mut seeded(0));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Residual<L>(pub L);

/// The place of a layer that is not a tuple: that of the only element of one.
const ALONE: Element = Element { index: 0, module: 0 };

impl<L: Zeroed> Zeroed for Residual<L> {
    const ZEROED: Self = Residual(L::ZEROED);
}

impl<L: Params> Params for Residual<L> {
    type Scalar = L::Scalar;
    const COUNT: usize = L::COUNT;
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
    fn after_batch(&mut self, gradient: &mut Self) {
        self.0.after_batch(&mut gradient.0);
    }

    #[inline(always)]
    fn after_part(&mut self, part: &mut Self) {
        self.0.after_part(&mut part.0);
    }
}

impl<L: Entrance> Entrance for Residual<L> {
    type In = L::In;
}

impl<L> Network for Residual<L> {}

/// What [`Residual`] keeps for its backward pass: the output, `N` by `B`, and what the layer inside keeps.
pub struct ResidualTrace<T: crate::num::Real, I, const N: usize, const B: usize> {
    output: SMatrix<T, N, B>,
    inside: I,
}

impl<T: crate::num::Real, I: Zeroed, const N: usize, const B: usize> Zeroed for ResidualTrace<T, I, N, B> {
    const ZEROED: Self = ResidualTrace { output: SMatrix::ZEROED, inside: I::ZEROED };
}

/// Adds `x` to `y`.
#[inline(always)]
fn add<S: Simd, T: crate::num::Real, const N: usize, const B: usize>(
    tile: Tile<S, B>,
    x: &SMatrix<T, N, B>,
    y: &mut SMatrix<T, N, B>,
) {
    map_first(
        tile.simd(),
        tile.used() * N,
        [y.as_mut_slice()],
        [x.as_slice()],
        #[inline(always)]
        |[y], [x]| [y + x],
    );
}

#[diagnostic::do_not_recommend]
impl<const N: usize, L: Layer<Features<N>, Out = Features<N>>> Layer<Features<N>> for Residual<L> {
    type Out = Features<N>;
    type Trace<const B: usize> = ResidualTrace<L::Scalar, L::Trace<B>, N, B>;
    type Head = NoActivation<Residual<()>>;

    #[inline(always)]
    fn output<const B: usize>(trace: &Self::Trace<B>) -> &SMatrix<L::Scalar, N, B> {
        &trace.output
    }

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
        y: &mut SMatrix<L::Scalar, N, B>,
    ) {
        self.0.infer(tile.inner(), x, y);
        add(tile, x, y);
    }

    #[inline(always)]
    fn answer<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
    ) -> SMatrix<L::Scalar, N, B> {
        let mut y = self.0.answer(tile.inner(), x);
        add(tile, x, &mut y);
        y
    }

    #[inline(always)]
    fn forward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
        trace: &mut Self::Trace<B>,
    ) {
        self.0.forward(tile.inner(), x, &mut trace.inside);
        trace.output.clone_from(L::output(&trace.inside));
        add(tile, x, &mut trace.output);
    }

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<L::Scalar, N, B>,
        trace: &mut Self::Trace<B>,
        slope: &mut SMatrix<L::Scalar, N, B>,
        gradient: &mut Self,
        input_slope: Option<&mut SMatrix<L::Scalar, N, B>>,
    ) {
        let Some(input_slope) = input_slope else {
            return self.0.backward(tile.inner(), x, &mut trace.inside, slope, &mut gradient.0, None);
        };
        // The layer inside may overwrite its slope.
        let mut inside = *slope;
        self.0.backward(tile.inner(), x, &mut trace.inside, &mut inside, &mut gradient.0, Some(&mut *input_slope));
        add(tile, slope, input_slope);
    }

    fn describe(place: Place, tell: &mut dyn FnMut(Description)) {
        tell(Description::around::<Features<N>, Self>(place, "Residual"));
        L::describe(place.inside(0), tell);
    }

    fn outline<'a>(&'a self, tell: &mut dyn FnMut(Part<'a, L::Scalar>)) {
        tell(Part::ResidualBegins { size: N });
        self.0.outline(tell);
        tell(Part::ResidualEnds);
    }
}
