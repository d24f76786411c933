use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dense<8, 2, Softmax>);

fn main() {
    let network = Net::new(&mut seeded(0));
    let loss = Workspace::<Net, 1>::new().loss(&network, &BinaryCrossEntropy, &[[0.0, 1.0]], &[[1.0, 0.0]]);
    println!("{loss:?}");
}
