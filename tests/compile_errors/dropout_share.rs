use tuplenet::layers::Dropout;
use tuplenet::prelude::*;

type Net = (Dense<2, 8, Tanh>, Dropout<0.5>, Dense<8, 1, Sigmoid>);
type Sized = (Dense<2, 8, Tanh>, Dropout<8, 50>, Dense<8, 1, Sigmoid>);

fn main() {
    let _networks = (Net::new(&mut seeded(0)), Sized::new(&mut seeded(0)));
}
