use tuplenet::prelude::*;
use tuplenet::quantization::{Clamp, QuantizedDense, Scale};

type Large = QuantizedDense<49_024, 1, Relu>;

static LARGE: Large =
    Large::from_parts([[0; 49_024]], [0], [0], [1], Clamp, Scale::new(1.0, 0), Scale::new(1.0, 0));

fn main() {
    println!("{:?}", LARGE);
}
