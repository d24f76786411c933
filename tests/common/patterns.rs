//! Values without a pattern, and networks made of them.

use tuplenet::model::{Parameter, Visit, VisitorMut};

/// Values from -1 to 1.
pub fn number(index: usize) -> f64 {
    ((index as f64 + 1.0) * 12.9898).sin()
}

/// A network with such weights and biases, as large as `scale`.
pub fn network<N: Visit<f64>>(scale: f64) -> N {
    struct Set(usize, f64);
    impl VisitorMut<f64, 0> for Set {
        fn slice(&mut self, _: Parameter, values: &mut [f64], []: [&mut [f64]; 0]) {
            for value in values {
                *value = self.1 * number(self.0);
                self.0 += 1;
            }
        }
    }
    let mut network = N::ZEROED;
    network.visit_mut([], &mut Set(400, scale));
    network
}
