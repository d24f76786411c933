//! A last layer in plain loops. It compiles in a fraction of the time that `Dense` takes, which lets the tests of losses go
//! through many sizes and activations.

use core::marker::PhantomData;
use tuplenet::model::{Entrance, Kind, Parameter, Params, Tile, Visitor, VisitorMut, Zeroed};
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
    const COUNT: usize = OUT * IN + OUT;

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

impl<const IN: usize, const OUT: usize, A, T> Entrance for Affine<IN, OUT, A, T> {
    type In = Features<IN>;
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Layer<Features<IN>> for Affine<IN, OUT, A, T> {
    type Out = Features<OUT>;
    type Trace<const B: usize> = SMatrix<T, OUT, B>;
    type Head = A;

    fn output<const B: usize>(trace: &SMatrix<T, OUT, B>) -> &SMatrix<T, OUT, B> {
        trace
    }

    fn forward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        trace: &mut SMatrix<T, OUT, B>,
    ) {
        assert!(tile.is_to_logits());
        for sample in 0..tile.used() {
            for row in 0..OUT {
                let product = |column| self.weight[(row, column)] * x[(column, sample)];
                trace[(row, sample)] = (0..IN).map(product).fold(self.bias[row], |sum, product| sum + product);
            }
        }
    }

    fn backward<S: Simd, const B: usize>(
        &self,
        tile: Tile<S, B>,
        x: &SMatrix<T, IN, B>,
        _: &mut SMatrix<T, OUT, B>,
        slope: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        input_slope: Option<&mut SMatrix<T, IN, B>>,
    ) {
        assert!(tile.is_to_logits());
        if let Some(input_slope) = input_slope {
            *input_slope = self.weight.transpose() * *slope;
        }
        for sample in 0..tile.used() {
            for row in 0..OUT {
                let slope = slope[(row, sample)];
                gradient.bias[row] += slope;
                for column in 0..IN {
                    let weight = &mut gradient.weight[(row, column)];
                    *weight += slope * x[(column, sample)];
                }
            }
        }
    }
}
