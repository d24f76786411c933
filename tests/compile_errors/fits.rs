use tuplenet::assert_fits;
use tuplenet::prelude::*;

type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);

assert_fits!(Xor, flash = 256, ram = 1024);
assert_fits!(Xor, flash = 100);
assert_fits!(Xor, flash = 256, ram = 512);

fn main() {}
