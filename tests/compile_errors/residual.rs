use tuplenet::layers::Residual;
use tuplenet::prelude::*;

fn main() {
    <(Dense<2, 8, Tanh>, Residual<Dense<8, 4, Tanh>>)>::new(&mut seeded(0));
}
