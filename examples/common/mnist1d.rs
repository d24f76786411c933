//! Reads MNIST-1D from `examples/data`: ten classes of curves with 40 values, written by `make_mnist1d.py` there.

use std::error::Error;
use std::fs;

/// The inputs and classes of 4,000 samples for training and of 1,000 for testing.
pub struct Mnist1d {
    pub train: (Vec<[f32; 40]>, Vec<usize>),
    pub test: (Vec<[f32; 40]>, Vec<usize>),
}

/// Reads the file. Inputs have zero mean and unit variance.
pub fn read() -> Result<Mnist1d, Box<dyn Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/mnist1d.bin");
    let bytes = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let (samples, rest) = bytes.as_chunks::<41>();
    if samples.len() != 5000 || !rest.is_empty() {
        return Err(format!("{path}: expected 5000 samples of 41 bytes, found {} bytes", bytes.len()).into());
    }
    let parse = |samples: &[[u8; 41]]| {
        samples
            .iter()
            .map(|&[class, ref values @ ..]| {
                (values.map(|value| f32::from(value.cast_signed()) / 23.0), usize::from(class))
            })
            .unzip()
    };
    let (train, test) = samples.split_at(4000);
    Ok(Mnist1d { train: parse(train), test: parse(test) })
}
