//! Three training runs whose every bit is known: with the feature `reproducible` they are the same on all machines. The
//! library's own tests run this file too, with each of the host's vector instructions in turn.

use tuplenet::data::MinMaxScaler;
use tuplenet::model::{Parameter, Visit, Visitor, Zeroed};
use tuplenet::optimizer::Optimizer;
use tuplenet::prelude::*;

/// A hash over the bits of many values: FNV-1a over words, <http://www.isthe.com/chongo/tech/comp/fnv/>.
#[derive(Clone, Copy)]
pub struct Bits(pub u32);

impl Bits {
    /// The hash of no values.
    pub const NONE: Bits = Bits(0x811c_9dc5);

    /// Adds a word.
    pub fn and_word(self, word: u32) -> Self {
        Bits((self.0 ^ word).wrapping_mul(0x0100_0193))
    }

    /// Adds these values.
    pub fn and(self, values: &[f32]) -> Self {
        values.iter().fold(self, |bits, value| bits.and_word(value.to_bits()))
    }

    /// Adds all parameters of a network.
    pub fn and_network(mut self, network: &impl Visit<f32>) -> Self {
        network.visit(&mut self);
        self
    }
}

impl Visitor<f32> for Bits {
    fn slice(&mut self, _: Parameter, values: &[f32]) {
        *self = self.and(values);
    }
}

/// XOR, one sample at a time.
pub fn xor() -> Result<u32, tuplenet::Error> {
    type Xor = (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>);
    let mut trainer =
        Trainer::<Xor, _, _, _, 1>::with_micro_batch(Xor::ZEROED, BinaryCrossEntropy, Sgd::new(0.5).momentum(0.5), ());
    trainer.initialize(&mut seeded(0));
    for step in 0..1000u16 {
        let (x, y) = (step & 1, step >> 1 & 1);
        trainer.step_one(&[f32::from(x), f32::from(y)], &[f32::from(x ^ y)])?;
    }
    Ok(Bits::NONE.and_network(&trainer.network).0)
}

/// Three kinds of iris, scaled, shuffled, in batches of 20 that make micro-batches of 8, 8 and 4.
pub fn iris() -> Result<u32, tuplenet::Error> {
    type Iris = (Dense<4, 8, Tanh>, Dense<8, 3, Softmax>);
    static FLOWERS: [([u8; 4], u8); 150] = include!("flowers.rs");
    let mut flowers = [[0.0; 4]; 150];
    let mut kinds = [0; 150];
    for ((flower, kind), (tenths, number)) in flowers.iter_mut().zip(&mut kinds).zip(&FLOWERS) {
        (*flower, *kind) = (tenths.map(f32::from), *number);
    }
    let scaler = MinMaxScaler::fit(&flowers)?;
    for flower in &mut flowers {
        *flower = scaler.transform(flower);
    }
    let mut trainer =
        Trainer::<Iris, _, _, _, 8>::with_micro_batch(Iris::ZEROED, CrossEntropy, Adam::new(0.02), seeded(1));
    trainer.initialize(&mut seeded(0));
    trainer.fit(&flowers, &kinds, &FitOptions { epochs: 4, batch_size: 20, shuffle: true }, ())?;
    Ok(Bits::NONE.and_network(&trainer.network).0)
}

/// Five layers of sizes that fit no register, with activations of all kinds, in micro-batches of three.
pub fn ragged() -> Result<u32, tuplenet::Error> {
    type Ragged =
        (Dense<3, 11, Relu>, Dense<11, 5, Softplus>, Dense<5, 9, LeakyRelu>, Dense<9, 2, Elu>, Dense<2, 13, Sigmoid>);
    let mut rng = seeded(2);
    let mut uniform = || (rng.next_u64() >> 40) as u32 as f32 / (1 << 24) as f32;
    let (mut inputs, mut targets) = ([[0.0; 3]; 7], [[0.0; 13]; 7]);
    inputs.iter_mut().flatten().for_each(|number| *number = uniform() - 0.5);
    targets.iter_mut().flatten().for_each(|number| *number = uniform());
    let optimizer = Adam::new(0.01).clip_norm(0.5).l2(1e-3);
    let mut trainer =
        Trainer::<Ragged, _, _, _, 3>::with_micro_batch(Ragged::ZEROED, MeanSquaredError, optimizer, seeded(3));
    trainer.initialize(&mut seeded(0));
    for _ in 0..20 {
        trainer.step(&inputs, &targets)?;
        trainer.step_one(&inputs[0], &targets[0])?;
    }
    Ok(Bits::NONE.and_network(&trainer.network).0)
}
