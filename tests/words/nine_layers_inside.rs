use tuplenet::model::check;
use tuplenet::prelude::*;

type D = Dense<2, 2, Tanh>;
const _: () = check::<(D, (D, D, D, D, D, D, D, D, D))>();

fn main() {}
