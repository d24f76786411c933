use tuplenet::layers::Dropout;
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

const _: () = assert_shapes::<(Dense<2, 8, Tanh>, Dropout<100>, Dense<8, 1, Sigmoid>)>();
static DROPOUT: Dropout<150> = Dropout::new(0);

fn main() {
    let _seed = DROPOUT.seed;
}
