use tuplenet::loss::assert_loss;
use tuplenet::prelude::*;

const _: () = assert_loss::<Dense<2, 1, Identity>, CrossEntropy, usize>();
const _: () = assert_loss::<Dense<2, 3, Relu>, CrossEntropy, usize>();

fn main() {}
