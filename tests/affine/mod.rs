//! A last layer in plain loops. It compiles in a fraction of the time that `Dense` takes, which lets the tests of losses go
//! through many sizes and activations.

use core::marker::PhantomData;
use tuplenet::model::{InputShape, Kind, Parameter, Params, Pass, Visitor, VisitorMut, Zeroed};
use tuplenet::prelude::*;
use tuplenet::simd::Simd;

/// `W x + b`, and what activation a loss shall take over. Only for passes that stop short of it.
pub struct Affine<const IN: usize, const OUT: usize, A, T> {
    weight: SMatrix<T, OUT, IN>,
    bias: SVector<T, OUT>,
    activation: PhantomData<A>,
}

impl<const IN: usize, const OUT: usize, A, T: Real> Affine<IN, OUT, A, T> {
    const WEIGHT: Parameter = Parameter { name: "weight", kind: Kind::Weight, rows: OUT, columns: IN };
    const BIAS: Parameter = Parameter { name: "bias", kind: Kind::Bias, rows: OUT, columns: 1 };
}

impl<const IN: usize, const OUT: usize, A, T: Real> Zeroed for Affine<IN, OUT, A, T> {
    const ZEROED: Self = Affine { weight: Zeroed::ZEROED, bias: Zeroed::ZEROED, activation: PhantomData };
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Params for Affine<IN, OUT, A, T> {
    type Scalar = T;
    const PARAMETERS: usize = OUT * IN + OUT;

    fn visit(&self, visitor: &mut impl Visitor<T>) {
        visitor.slice(Self::WEIGHT, self.weight.as_slice());
        visitor.slice(Self::BIAS, self.bias.as_slice());
    }

    fn visit_mut<const OTHERS: usize>(
        &mut self,
        mut others: [&mut Self; OTHERS],
        visitor: &mut impl VisitorMut<T, OTHERS>,
    ) {
        let weights = others.each_mut().map(|other| other.weight.as_mut_slice());
        visitor.slice(Self::WEIGHT, self.weight.as_mut_slice(), weights);
        visitor.slice(Self::BIAS, self.bias.as_mut_slice(), others.map(|other| other.bias.as_mut_slice()));
    }
}

impl<const IN: usize, const OUT: usize, A, T> InputShape for Affine<IN, OUT, A, T> {
    type In = Features<IN>;
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Layer<Features<IN>> for Affine<IN, OUT, A, T> {
    type Out = Features<OUT>;
    type Cache<const B: usize> = SMatrix<T, OUT, B>;
    type LastActivation = A;

    fn output<const B: usize>(cache: &SMatrix<T, OUT, B>) -> &SMatrix<T, OUT, B> {
        cache
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        cache: &mut SMatrix<T, OUT, B>,
    ) {
        assert!(pass.stops_at_logits());
        for sample in 0..pass.len() {
            for row in 0..OUT {
                let product = |column| self.weight[(row, column)] * x[(column, sample)];
                cache[(row, sample)] = (0..IN).map(product).fold(self.bias[row], |sum, product| sum + product);
            }
        }
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        x: &SMatrix<T, IN, B>,
        _: &mut SMatrix<T, OUT, B>,
        output_gradient: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        input_gradient: Option<&mut SMatrix<T, IN, B>>,
    ) {
        assert!(pass.stops_at_logits());
        if let Some(input_gradient) = input_gradient {
            *input_gradient = self.weight.transpose() * *output_gradient;
        }
        for sample in 0..pass.len() {
            for row in 0..OUT {
                let output_gradient = output_gradient[(row, sample)];
                gradient.bias[row] += output_gradient;
                for column in 0..IN {
                    let weight = &mut gradient.weight[(row, column)];
                    *weight += output_gradient * x[(column, sample)];
                }
            }
        }
    }
}
