use tuplenet::prelude::*;

fn main() {
    let network = <(Dense<2, 3, Tanh>, Dense<3, 1, Identity>)>::new(seeded(0));
    let jacobian: SMatrix<f32, 1, 3> = network.jacobian(&[0.0, 1.0, 2.0]);
    println!("{jacobian}");
}
