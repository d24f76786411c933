use tuplenet::layers::Conv2d;
use tuplenet::prelude::*;

type Net = Conv2d<Image<1, 4, 4>, Image<1, 4, 4>, 3, Sigmoid, 1, 1>;

fn main() {
    let images = [[[[0.0; 4]; 4]; 1]; 2];
    let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, Adam::new(0.1), seeded(1));
    let _ = trainer.step(&images, &images);
}
