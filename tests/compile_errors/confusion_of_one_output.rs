use tuplenet::metrics::ConfusionMatrix;
use tuplenet::prelude::*;

fn main() {
    let network = <Dense<2, 1, Sigmoid>>::new(&mut seeded(0));
    let _ = ConfusionMatrix::<2>::of(&network, &[[0.0, 1.0]], &[1usize]);
}
