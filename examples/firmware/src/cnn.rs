//! The convolutional network of `cnn` and `cnn_train`, and images for it.

use tuplenet::layers::{Conv2d, Flatten, MaxPool};
use tuplenet::prelude::*;

/// The convolutions: 20,736 MACs and 1,248 weights.
pub type Eye = (
    Conv2d<Image<1, 8, 8>, Image<8, 6, 6>, 3, Relu>,
    Conv2d<Image<8, 6, 6>, Image<16, 4, 4>, 3, Relu>,
    MaxPool<Image<16, 4, 4>, Image<16, 2, 2>, 2>,
    Flatten<Image<16, 2, 2>, 64>,
);
/// The layer that learns.
pub type Last = Dense<64, 10, Softmax>;
/// With logits, which spare the exponentials.
pub type Cnn = (Eye, Dense<64, 10, Identity>);

/// Images of 8 by 8 pixels, each from 0 to 16, as from a camera, and their digits.
pub static SAMPLES: [([u8; 64], u8); 50] = include!("networks/cnn_samples.rs");

/// Pixels between 0 and 1.
pub fn image(pixels: &[u8; 64]) -> [[[f32; 8]; 8]; 1] {
    let mut image = [[[0.0; 8]; 8]; 1];
    for (value, &pixel) in image.as_flattened_mut().as_flattened_mut().iter_mut().zip(pixels) {
        *value = f32::from(pixel) / 16.0;
    }
    image
}
