//! The XOR run of the tutorial behind this library: full batches, plain gradient descent, all digits of the loss.

use serde_json::Value;
use tuplenet::prelude::*;

/// The loss before the update of every thousandth iteration, computed by the tutorial's own program.
const LOSSES: [f64; 10] = [
    0.9060411745704565,
    0.528406430990051,
    0.45628637802258565,
    0.3721464705702542,
    0.2714371025032263,
    0.1847126755791574,
    0.12826228304741744,
    0.09373873854329356,
    0.0718495778805388,
    0.05729855913925554,
];

#[test]
fn losses_agree_to_twelve_digits() {
    let start: Value = serde_json::from_str(include_str!("../examples/data/xor_init.json")).unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let first = SMatrix::from_fn(|hidden, input| number(&start["W1"][input][hidden]));
    let last = SMatrix::from_fn(|_, hidden| number(&start["W2"][hidden]));
    let network: (Dense<2, 10, Relu, f64>, Dense<10, 1, Sigmoid, f64>) =
        (Dense::from_matrix(first, SVector::zeros()), Dense::from_matrix(last, SVector::zeros()));

    let inputs = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let targets = [[0.0], [1.0], [1.0], [0.0]];
    let mut trainer = Trainer::<_, _, _, _, 4>::with_micro_batch(network, BinaryCrossEntropy, Sgd::new(0.01), ());
    for iteration in 0..10_000 {
        let loss = trainer.step(&inputs, &targets).unwrap();
        if iteration % 1000 == 0 {
            let right = LOSSES[iteration / 1000];
            assert!((loss - right).abs() <= 1e-12, "iteration {iteration}: {loss}, not {right}");
        }
    }
    for (input, [target]) in inputs.iter().zip(targets) {
        assert_eq!(trainer.network.predict_one(input)[0].round(), target, "{input:?}");
    }
}
