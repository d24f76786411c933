//! Any bytes as a safetensors file: no panic, no hang, no memory beyond what is there, and a network into which they do not
//! fit stays as it is. What is accepted, the `safetensors` crate accepts too, with the same numbers.

#![no_main]

#[path = "../../common/counting.rs"]
mod counting;

use counting::BYTES;
use libfuzzer_sys::fuzz_target;
use safetensors::{Dtype, SafeTensors};
use tuplenet::io::safetensors::{FileError, FileProblem, Names, Safetensors};
use tuplenet::layers::BatchNorm;
use tuplenet::model::{Parameter, Visit, Visitor};
use tuplenet::prelude::*;

/// All numbers of a network in bits.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Visitor<f32> for Bits {
    fn slice(&mut self, parameter: Parameter, values: &[f32]) {
        // Row by row, as in a file.
        for row in 0..parameter.rows {
            let columns = values.iter().skip(row).step_by(parameter.rows);
            self.0.extend(columns.map(|value| u64::from(value.to_bits())));
        }
    }
    fn buffer(&mut self, parameter: Parameter, values: &[f32]) {
        self.slice(parameter, values);
    }
    fn count(&mut self, _: Parameter, value: u64) {
        self.0.push(value);
    }
}

fn bits<N: Visit<f32>>(network: &N) -> Vec<u64> {
    let mut bits = Bits::default();
    network.visit(&mut bits);
    bits.0
}

/// `names` are those of all tensors, in the order of a visit.
fn read<N: FromTo<IN, OUT> + Clone, const IN: usize, const OUT: usize>(
    format: Safetensors,
    bytes: &[u8],
    names: &[&str],
) {
    let mut network = N::ZEROED;
    tuplenet::model::fill(&mut network, 0.5);
    let before = bits(&network);
    let mut from_reader = network.clone();

    let start = BYTES.get();
    let result = format.read(bytes, &mut network);
    assert_eq!(BYTES.get(), start, "no heap is needed");
    let of_reader = format.read_from(bytes, &mut from_reader);
    assert!(BYTES.get() - start <= 6 * bytes.len() + 4096);

    assert_eq!(bits(&from_reader), bits(&network));
    match (result, of_reader) {
        (Err(load_error), Err(FileError { problem: FileProblem::LoadError(_), .. })) => {
            assert_eq!(bits(&network), before, "the network has changed");
            assert!(!load_error.to_string().is_empty());
        }
        (Ok(()), Ok(())) if format.inside.is_empty() => {
            let judge = SafeTensors::deserialize(bytes).expect("what is accepted is right");
            assert_eq!(judge.len(), names.len());
            let mut right = Vec::new();
            for name in names {
                let tensor = judge.tensor(name).expect("each tensor is there");
                let data = tensor.data();
                match tensor.dtype() {
                    Dtype::I64 => right.extend(data.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes))),
                    Dtype::F32 => {
                        right.extend(data.as_chunks().0.iter().map(|&bytes| u64::from(u32::from_le_bytes(bytes))))
                    }
                    Dtype::F64 => right.extend(
                        data.as_chunks().0.iter().map(|&bytes| u64::from((f64::from_le_bytes(bytes) as f32).to_bits())),
                    ),
                    Dtype::BF16 => {
                        right.extend(data.as_chunks().0.iter().map(|&bytes| u64::from(u16::from_le_bytes(bytes)) << 16))
                    }
                    // Tested elsewhere, number by number.
                    Dtype::F16 => return,
                    other => panic!("{other:?} was accepted"),
                }
            }
            assert_eq!(bits(&network), right);
        }
        (Ok(()), Ok(())) => {}
        (result, of_reader) => panic!("bytes and a reader differ: {result:?}, {of_reader:?}"),
    }
}

fuzz_target!(|bytes: &[u8]| {
    type Xor = (Dense<2, 4, Tanh>, Dense<4, 1, Sigmoid>);
    type Norm = (Dense<4, 9, Tanh>, BatchNorm<9>, Dense<9, 3, Identity>);
    type Actor = (Dense<4, 12, Relu>, Dense<12, 2, Tanh>);
    read::<Xor, 2, 1>(Safetensors::DEFAULT, bytes, &["0.weight", "0.bias", "2.weight", "2.bias"]);
    let norm = [
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
        "2.running_mean",
        "2.running_var",
        "2.num_batches_tracked",
        "3.weight",
        "3.bias",
    ];
    read::<Norm, 4, 3>(Safetensors::DEFAULT, bytes, &norm);
    let part = Safetensors { inside: "actor", names: Names::Modules(&["fc1", "fc2"]), ..Safetensors::DEFAULT };
    read::<Actor, 4, 2>(part, bytes, &[]);
});
