//! [`Input`]: the shape of a network's input.

use crate::activation::NoActivation;
use crate::model::{
    Batch, InputShape, Layer, Model, Network, Op, Params, Pass, Shape, Visit, Visitor, VisitorMut, Zeroed,
};
use crate::num::Real;
use core::marker::PhantomData;
use fearless_simd::Simd;

/// The shape and the scalar type of a network's input, for a network whose first layer would accept any: an activation, a
/// [`Dropout`](super::Dropout) of the inputs. It computes nothing.
///
/// # Shapes
///
/// `In` in, `In` out.
///
/// # Formula
///
/// `y = x`. Keras equivalent: `keras.Input`.
///
/// # Examples
///
/// ```
/// use tuplenet::layers::{Dropout, Input};
/// use tuplenet::prelude::*;
///
/// // Every fifth input is left out in training.
/// type Net = (Input<Features<4>>, Dropout<20>, Dense<4, 2, Softmax>);
/// let network = Net::new(&mut seeded(0));
/// assert!(network.predict_one(&[0.1, 0.2, 0.3, 0.4])[0] > 0.0);
/// ```
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
#[doc(alias("InputLayer"))]
pub struct Input<In, T = f32>(PhantomData<(In, T)>);

impl<In, T> Clone for Input<In, T> {
    fn clone(&self) -> Self {
        Input(PhantomData)
    }
}

impl<In, T> PartialEq for Input<In, T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<In, T> core::fmt::Debug for Input<In, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Input")
    }
}

impl<In, T> Zeroed for Input<In, T> {
    const ZEROED: Self = Input(PhantomData);
}

impl<In, T> Params for Input<In, T> {
    const PARAMETERS: usize = 0;
    // `torch.nn.Sequential` has no module for it.
    const MODULES: usize = 0;
}

impl<In, T: Real> Visit<T> for Input<In, T> {
    #[inline(always)]
    fn visit(&self, _: &mut impl Visitor<T>) {}

    #[inline(always)]
    fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<T, OTHERS>) {}
}

impl<In: Shape, T: Real> InputShape for Input<In, T> {
    type In = In;
    type Scalar = T;
}

impl<In, T> Network for Input<In, T> {}

impl<In: Shape, T: Real> Model<In, T> for Input<In, T> {
    type Out = In;
    const MACS: Option<usize> = Some(0);

    #[inline(always)]
    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &Batch<In, T, B>, y: &mut Batch<In, T, B>) {
        y.clone_from(x);
    }
}

impl<In: Shape, T: Real> Layer<In, T> for Input<In, T> {
    type Cache<const B: usize> = ();
    type LastActivation = NoActivation<Self>;

    #[inline(always)]
    fn backward<S: Simd, const B: usize>(
        &self,
        _: Pass<S, B>,
        _: (&Batch<In, T, B>, &Batch<In, T, B>),
        (): &mut (),
        dy: &mut Batch<In, T, B>,
        _: &mut Self,
        dx: Option<&mut Batch<In, T, B>>,
    ) {
        if let Some(dx) = dx {
            dx.clone_from(dy);
        }
    }

    fn operations<'a>(&'a self, emit: &mut dyn FnMut(Op<'a, T>)) {
        emit(Op::Source { dimensions: In::DIMENSIONS });
    }
}
