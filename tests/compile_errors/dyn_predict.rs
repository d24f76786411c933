use tuplenet::prelude::*;

fn main() {
    let small = <Dense<4, 2, Sigmoid>>::new(&mut seeded(0));
    let other = <(Dense<4, 8, Tanh>, Dense<8, 1, Sigmoid>)>::new(&mut seeded(0));
    let _networks: [&dyn Predict<4, 2>; 2] = [&small, &other];
}
