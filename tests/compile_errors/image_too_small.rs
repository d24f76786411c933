use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

tuplenet::network! {
    type Net = Image<1, 28, 11> => Conv2d<6, 5, Relu>, MaxPool<2>, Conv2d<16, 5, Relu>, Flatten, Dense<10, Softmax>
}

const _: () = assert_shapes::<Net>();

fn main() {}
