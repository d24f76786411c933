//! A last layer in plain loops. It compiles in a fraction of the time that `Dense` takes, which lets the tests of losses go
//! through many sizes and activations.

use core::marker::PhantomData;
use tuplenet::model::{InputShape, Kind, Model, Parameter, Params, Pass, Visit, Visitor, VisitorMut, Zeroed};
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
    const PARAMETERS: usize = OUT * IN + OUT;
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Visit<T> for Affine<IN, OUT, A, T> {
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

impl<const IN: usize, const OUT: usize, A, T> Network for Affine<IN, OUT, A, T> {}

impl<const IN: usize, const OUT: usize, A, T: Real> InputShape for Affine<IN, OUT, A, T> {
    type In = Features<IN>;
    type Scalar = T;
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Model<Features<IN>, T> for Affine<IN, OUT, A, T> {
    type Out = Features<OUT>;

    fn infer<S: Simd, const B: usize>(&self, pass: Pass<S, B>, x: &SMatrix<T, IN, B>, y: &mut SMatrix<T, OUT, B>) {
        assert!(pass.stops_at_logits());
        for sample in 0..pass.len() {
            for row in 0..OUT {
                let product = |column| self.weight[(row, column)] * x[(column, sample)];
                y[(row, sample)] = (0..IN).map(product).fold(self.bias[row], |sum, product| sum + product);
            }
        }
    }
}

impl<const IN: usize, const OUT: usize, A: Activation, T: Real> Layer<Features<IN>, T> for Affine<IN, OUT, A, T> {
    type Cache<const B: usize> = ();
    type LastActivation = A;

    fn backward<S: Simd, const B: usize>(
        &self,
        pass: Pass<S, B>,
        (x, _): (&SMatrix<T, IN, B>, &SMatrix<T, OUT, B>),
        (): &mut (),
        dy: &mut SMatrix<T, OUT, B>,
        gradient: &mut Self,
        dx: Option<&mut SMatrix<T, IN, B>>,
    ) {
        assert!(pass.stops_at_logits());
        if let Some(dx) = dx {
            *dx = self.weight.transpose() * *dy;
        }
        for sample in 0..pass.len() {
            for row in 0..OUT {
                let dy = dy[(row, sample)];
                gradient.bias[row] += dy;
                for column in 0..IN {
                    gradient.weight[(row, column)] += dy * x[(column, sample)];
                }
            }
        }
    }
}
