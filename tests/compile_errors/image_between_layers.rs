use tuplenet::layers::{Conv2d, MaxPool};
use tuplenet::prelude::*;

type Wide = Image<6, 24, 24>;
type Net = (
    Conv2d<Image<1, 28, 28>, Wide, 5, Relu>,
    MaxPool<Wide, Image<6, 12, 12>, 2>,
    Conv2d<Image<6, 12, 11>, Image<16, 8, 7>, 5, Relu>,
);

fn main() {
    let _ = Net::new(&mut seeded(0));
}
