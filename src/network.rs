//! What users call on a network: [`new`](Network::new), [`predict`](Network::predict) and its kin.

use crate::data::Samples;
use crate::dispatch::{dispatch, level};
use crate::error::Error;
use crate::init::{Init, Initialize};
use crate::layer::{Entrance, Layer, Tile};
use crate::params::{Params, Zeroed};
use crate::shape::{Batch, Features};
use fearless_simd::Simd;
use nalgebra::SMatrix;
use rand::Rng;

/// How many samples [`Network::predict_all`] computes at once.
const TILE: usize = 32;

/// Everything a network can do once its sizes match. Every tuple of layers and every layer of this library is a network;
/// for a layer of your own, write `impl Network for MyLayer {}`.
///
/// The bounds stand on the methods, not on the implementations, so that the compiler names the guilty layer instead of
/// saying that there is no such method.
pub trait Network: Sized {
    /// A network with random weights, drawn as suits each layer's activation, and biases of zero.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
    /// let network = Xor::new(&mut seeded(0));
    /// ```
    fn new<R: Rng>(rng: &mut R) -> Self
    where
        Self: Entrance + Layer<<Self as Entrance>::In>,
    {
        let mut network = Self::ZEROED;
        network.initialize(rng);
        network
    }

    /// A network with random weights by the rule `init`, and biases of zero.
    fn with_init<R: Rng>(init: &impl Init, rng: &mut R) -> Self
    where
        Self: Entrance + Layer<<Self as Entrance>::In>,
    {
        let mut network = Self::new(rng);
        network.visit_mut([], &mut Initialize { init, rng });
        network
    }

    /// The outputs for the samples in the columns of `x`, which is `IN` by `B`.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <(Dense<2, 8, Tanh>, Dense<8, 3, Softmax>)>::new(&mut seeded(0));
    /// let y: SMatrix<f32, 3, 4> = network.predict(&SMatrix::<f32, 2, 4>::zeros());
    /// assert!((y.column(0).sum() - 1.0).abs() < 1e-6);
    /// ```
    fn predict<const IN: usize, const B: usize>(
        &self,
        x: &SMatrix<<Self as Params>::Scalar, IN, B>,
    ) -> Batch<<Self as Layer<Features<IN>>>::Out, <Self as Params>::Scalar, B>
    where
        Self: Layer<Features<IN>>,
    {
        let mut y = Zeroed::ZEROED;
        dispatch!(level(), simd => self.infer(Tile::<_, B>::new(simd, B), x, &mut y));
        y
    }

    /// The outputs for one sample.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
    /// let [probability] = network.predict_one(&[0.5, -0.5]);
    /// assert!(0.0 < probability && probability < 1.0);
    /// ```
    fn predict_one<const IN: usize, const OUT: usize>(
        &self,
        x: &[<Self as Params>::Scalar; IN],
    ) -> [<Self as Params>::Scalar; OUT]
    where
        Self: Layer<Features<IN>, Out = Features<OUT>>,
    {
        self.predict(&SMatrix::<_, IN, 1>::from(*x)).data.0[0]
    }

    /// The outputs for any number of samples, into `outputs`, which must be as many.
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
    /// let mut outputs = [[0.0]; 3];
    /// network.predict_all(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], &mut outputs)?;
    /// assert_eq!(outputs[0], [0.5]);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    fn predict_all<X, const IN: usize, const OUT: usize>(
        &self,
        inputs: &X,
        outputs: &mut [[<Self as Params>::Scalar; OUT]],
    ) -> Result<(), Error>
    where
        X: Samples<<Self as Params>::Scalar, Item = [<Self as Params>::Scalar; IN]> + ?Sized,
        Self: Layer<Features<IN>, Out = Features<OUT>>,
    {
        let (expected, found) = (inputs.count(), outputs.len());
        if expected != found {
            return Err(Error::Lengths { what: "places for outputs, one for each input", expected, found });
        }
        dispatch!(level(), simd => predict_all(simd, self, inputs, outputs));
        Ok(())
    }
}

#[inline(always)]
fn predict_all<S: Simd, N, X, const IN: usize, const OUT: usize>(
    simd: S,
    network: &N,
    inputs: &X,
    outputs: &mut [[N::Scalar; OUT]],
) where
    X: Samples<N::Scalar, Item = [N::Scalar; IN]> + ?Sized,
    N: Layer<Features<IN>, Out = Features<OUT>>,
{
    let mut x = SMatrix::<N::Scalar, IN, TILE>::ZEROED;
    let mut y = SMatrix::<N::Scalar, OUT, TILE>::ZEROED;
    for (tile, outputs) in outputs.chunks_mut(TILE).enumerate() {
        for (column, place) in x.data.0.iter_mut().zip(0..outputs.len()) {
            inputs.copy(tile * TILE + place, column);
        }
        network.infer(Tile::<S, TILE>::new(simd, outputs.len()), &x, &mut y);
        for (output, column) in outputs.iter_mut().zip(&y.data.0) {
            *output = *column;
        }
    }
}
