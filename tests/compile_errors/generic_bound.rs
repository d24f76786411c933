use tuplenet::prelude::*;

type Net = (Dense<4, 8, Tanh>, Dense<8, 1, Sigmoid>);

struct Robot<N: FromTo<4, 2>> {
    _policy: N,
}

fn decide<N: FromTo<3, 1>>(network: &N) -> [f32; 1] {
    network.predict_one(&[0.0; 3])
}

fn robot(_: Robot<Net>, network: Net) {
    decide(&network);
}

fn main() {}
