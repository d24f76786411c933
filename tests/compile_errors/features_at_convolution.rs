use tuplenet::prelude::*;

tuplenet::network! { type Net = Features<784> => Conv2d<6, 5, Relu>, Flatten, Dense<10, Softmax> }

fn main() {}
