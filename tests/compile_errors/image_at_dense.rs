use tuplenet::prelude::*;

tuplenet::network! { type Net = Image<1, 28, 28> => Conv2d<6, 5, Relu>, MaxPool<2>, Dense<120, Relu>, Dense<10, Softmax> }

fn main() {}
