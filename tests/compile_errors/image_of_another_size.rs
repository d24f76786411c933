use tuplenet::prelude::*;

tuplenet::network! { type Net = Image<1, 8, 8> => Conv2d<6, 3, Relu>, Flatten, Dense<10, Softmax> }

fn main() {
    let network = Net::new(&mut seeded(0));
    let _ = network.predict_one(&[[[0.0; 8]; 7]; 1]);
}
