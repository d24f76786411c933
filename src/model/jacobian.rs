//! Jacobians: the derivatives of all outputs of a network by its inputs and by its parameters, in evaluation.
//!
//! One backward pass gives the gradient of one output. A micro-batch of as many columns as there are outputs, all with the same
//! sample and each with the gradient of another output, gives the whole matrix at once.

use crate::model::layer::is_inlined;
use crate::model::{Batch, Out, Pass, Shape, Trainable, Zeroed};
use crate::num::Real;
use crate::num::dispatch::dispatch_or_call;
use nalgebra::{ArrayStorage, SMatrix};

use super::FromTo;

/// The Jacobian by the inputs, at the sample `x`.
pub(super) fn by_inputs<T: Real, N, const IN: usize, const OUT: usize>(network: &N, x: [T; IN]) -> SMatrix<T, OUT, IN>
where
    N: FromTo<IN, OUT, T>,
{
    let x = SMatrix::<T, IN, OUT>::from_array_storage(ArrayStorage([x; OUT]));
    let (mut y, mut dy) = (SMatrix::<T, OUT, OUT>::ZEROED, SMatrix::<T, OUT, OUT>::ZEROED);
    for (output, column) in dy.data.0.iter_mut().enumerate() {
        for (_, derivative) in column.iter_mut().enumerate().filter(|(row, _)| *row == output) {
            *derivative = T::ONE;
        }
    }
    let mut dx = SMatrix::<T, IN, OUT>::ZEROED;
    let (mut cache, mut gradient) = (<N::Cache<OUT> as Zeroed>::ZEROED, N::ZEROED);
    dispatch_or_call!(is_inlined::<N::In, T, N>(OUT), simd => {
        let pass = Pass::<_, OUT>::new(simd, OUT).in_evaluation().to_inputs_alone();
        network.forward(pass, &x, &mut y, &mut cache);
        network.backward(pass, (&x, &y), &mut cache, &mut dy, &mut gradient, Some(&mut dx));
    });
    dx.transpose()
}

/// A sample with all that a backward pass needs.
pub(crate) struct One<N: Trainable> {
    x: Batch<N::In, N::Scalar, 1>,
    y: Batch<Out<N>, N::Scalar, 1>,
    cache: N::Cache<1>,
    dy: Batch<Out<N>, N::Scalar, 1>,
    dx: Batch<N::In, N::Scalar, 1>,
    steps: usize,
}

impl<N: Trainable> Zeroed for One<N> {
    const ZEROED: Self = One {
        x: Zeroed::ZEROED,
        y: Zeroed::ZEROED,
        cache: Zeroed::ZEROED,
        dy: Zeroed::ZEROED,
        dx: Zeroed::ZEROED,
        steps: usize::MAX,
    };
}

impl<N: Trainable> One<N> {
    fn new(x: &<N::In as Shape>::Sample<N::Scalar>) -> Self {
        let mut one = Self::ZEROED;
        one.set(x, usize::MAX);
        one
    }

    /// Takes another sample, of which the first `steps` are there if it is a sequence.
    pub(crate) fn set(&mut self, x: &<N::In as Shape>::Sample<N::Scalar>, steps: usize) {
        self.steps = steps;
        <N::In as Shape>::set(&mut self.x, 0, x);
        <N::In as Shape>::clear_steps_from(&mut self.x, steps);
    }

    /// The number of elements of the output: of a sequence those of the steps that are there.
    pub(crate) fn outputs(&self) -> usize {
        match *<Out<N> as Shape>::DIMENSIONS {
            [steps, width] => width * if self.steps < steps { self.steps } else { steps },
            _ => <Out<N> as Shape>::LEN,
        }
    }

    /// Forward and backward pass, with the gradient by the outputs in `dy`.
    fn pass(&mut self, network: &N, gradient: &mut N, inputs_alone: bool) {
        dispatch_or_call!(is_inlined::<N::In, N::Scalar, N>(1), simd => {
            let mut pass = Pass::<_, 1>::new(simd, 1).in_evaluation().with_steps(self.steps);
            if inputs_alone {
                pass = pass.to_inputs_alone();
            }
            let One { x, y, cache, dy, dx, .. } = self;
            network.forward(pass, x, y, cache);
            network.backward(pass, (x, y), cache, dy, gradient, if inputs_alone { Some(dx) } else { None });
        });
    }

    /// Returns the output with the index `output`, and adds its gradient by the parameters to `gradient`.
    pub(crate) fn output_gradient(&mut self, network: &N, output: usize, gradient: &mut N) -> N::Scalar {
        // The backward pass may have overwritten the gradient by the outputs.
        let dy = <Out<N> as Shape>::as_mut_slice(&mut self.dy);
        dy.fill(N::Scalar::ZERO);
        if let Some(derivative) = dy.get_mut(output) {
            *derivative = N::Scalar::ONE;
        }
        self.pass(network, gradient, false);
        <Out<N> as Shape>::as_slice(&self.y).get(output).copied().unwrap_or(N::Scalar::ZERO)
    }
}

/// The gradient by the inputs, at the sample `x`, of what has the gradient `dy` by the outputs.
pub(super) fn pull_back<N: Trainable>(
    network: &N,
    x: &<N::In as Shape>::Sample<N::Scalar>,
    dy: &<Out<N> as Shape>::Sample<N::Scalar>,
) -> <N::In as Shape>::Sample<N::Scalar> {
    let mut one = One::<N>::new(x);
    <Out<N> as Shape>::set(&mut one.dy, 0, dy);
    let mut unused = N::ZEROED;
    one.pass(network, &mut unused, true);
    <N::In as Shape>::get(&one.dx, 0)
}

/// [`pull_back`] of the output with the index `output`; `None` if there is no such output.
pub(super) fn of_output<N: Trainable>(
    network: &N,
    x: &<N::In as Shape>::Sample<N::Scalar>,
    output: usize,
) -> Option<<N::In as Shape>::Sample<N::Scalar>> {
    let mut one = One::<N>::new(x);
    *<Out<N> as Shape>::as_mut_slice(&mut one.dy).get_mut(output)? = N::Scalar::ONE;
    let mut unused = N::ZEROED;
    one.pass(network, &mut unused, true);
    Some(<N::In as Shape>::get(&one.dx, 0))
}

/// The Jacobian by the parameters, at the sample `x`: the gradient of each output.
pub(super) fn by_parameters<T: Real, N, const IN: usize, const OUT: usize>(network: &N, x: &[T; IN]) -> [N; OUT]
where
    N: FromTo<IN, OUT, T>,
{
    let mut one = One::<N>::new(x);
    let mut rows = [const { N::ZEROED }; OUT];
    for (output, row) in rows.iter_mut().enumerate() {
        one.output_gradient(network, output, row);
    }
    rows
}
