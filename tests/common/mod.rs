//! What several tests need: the parameters of a network as one list.

use tuplenet::model::{Parameter, Visit, Visitor};
use tuplenet::prelude::*;

/// All parameters, exactly.
pub fn numbers<T: Real, N: Visit<T>>(network: &N) -> Vec<f64> {
    struct Numbers(Vec<f64>);
    impl<T: Real> Visitor<T> for Numbers {
        fn slice(&mut self, _: Parameter, values: &[T]) {
            self.0.extend(values.iter().map(|value| value.to_f64().unwrap()));
        }
    }
    let mut numbers = Numbers(Vec::new());
    network.visit(&mut numbers);
    numbers.0
}

/// All parameters as bits, which tell NaN from NaN and zero from minus zero.
pub fn bits<T: Real, N: Visit<T>>(network: &N) -> Vec<u64> {
    numbers(network).into_iter().map(f64::to_bits).collect()
}
