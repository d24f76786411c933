//! How much stack a thread needs at least to make, train and evaluate networks of several sizes: `cargo bench -p
//! tuplenet-benches --bench stack`. Each attempt is a process of its own, because a stack overflow ends one.

use std::process::{Command, Stdio};
use tuplenet::prelude::*;

type Small = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);
type Digits = (Dense<64, 32, Relu>, Dense<32, 10, Identity>);
type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Identity>);
type Large = (Dense<1024, 512, Relu>, Dense<512, 10, Identity>);

const WORKS: [&str; 8] = [
    "nothing",
    "Network::new",
    "Network::boxed",
    "Trainer::boxed",
    "predict_one",
    "predict_all",
    "step, B = 1",
    "step, B = 32",
];

/// Runs `work` on a thread with that much stack.
#[inline(never)]
fn within(bytes: usize, work: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(bytes).spawn_scoped(scope, work).unwrap();
        thread.join().unwrap();
    });
}

/// Each piece of work has a thread's function, and so a frame, of its own.
fn attempt<N, const IN: usize, const OUT: usize>(work: &str, bytes: usize)
where
    N: FromTo<IN, OUT> + Send + Sync,
    N: Layer<Features<IN>, f32, Cache<1>: Send, Cache<32>: Send>,
{
    let inputs = vec![[0.5; IN]; 40];
    let targets = vec![[0.5; OUT]; 40];
    let mut outputs = vec![[0.0; OUT]; 40];
    let network = N::boxed(&mut seeded(0));
    match work {
        "nothing" => within(bytes, || {}),
        "Network::new" => within(bytes, || drop(std::hint::black_box(N::new(&mut seeded(0))))),
        "Network::boxed" => within(bytes, || drop(N::boxed(&mut seeded(0)))),
        "Trainer::boxed" => {
            within(bytes, || drop(Trainer::boxed(network, MeanSquaredError, Adam::new(1e-3), seeded(1))))
        }
        "predict_one" => within(bytes, || assert!(network.predict_one(&inputs[0])[0].is_finite())),
        "predict_all" => within(bytes, || network.predict_all(&inputs, &mut outputs).unwrap()),
        "step, B = 1" => {
            let mut trainer =
                Trainer::<_, _, _, _, 1>::boxed_with_micro_batch(network, MeanSquaredError, Adam::new(1e-3), seeded(1));
            within(bytes, || assert!(trainer.step(&inputs, &targets).is_ok()));
        }
        _ => {
            let mut trainer = Trainer::boxed(network, MeanSquaredError, Adam::new(1e-3), seeded(1));
            within(bytes, || assert!(trainer.step(&inputs, &targets).is_ok()));
        }
    }
}

/// What measures one kind of work on a stack of that size.
type Measure = fn(&str, usize);

const NETWORKS: [(&str, Measure); 4] = [
    ("4-32-16-4", attempt::<Small, 4, 4>),
    ("64-32-10", attempt::<Digits, 64, 10>),
    ("784-128-64-10", attempt::<Mnist, 784, 10>),
    ("1024-512-10", attempt::<Large, 1024, 10>),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, network, work, bytes] = &arguments[..] {
        let (_, attempt) = NETWORKS.iter().find(|(name, _)| name == network).unwrap();
        return attempt(work, bytes.parse().unwrap());
    }
    let program = std::env::current_exe().unwrap();
    println!("network,{}", WORKS.map(|work| work.replace(',', "")).join(","));
    for (network, _) in NETWORKS {
        let least = WORKS.map(|work| {
            let enough = |kilobytes: usize| {
                let bytes = (kilobytes * 1024).to_string();
                let mut command = Command::new(&program);
                command.args([network, work, &bytes]).stdout(Stdio::null()).stderr(Stdio::null());
                command.status().unwrap().success()
            };
            // Stacks have whole pages of four kilobytes, and Linux gives a thread at least 16.
            let (mut low, mut high) = (12, 1 << 15);
            assert!(enough(high), "{network}, {work}");
            while high - low > 4 {
                let middle = (low + high) / 8 * 4;
                if enough(middle) { high = middle } else { low = middle }
            }
            high.to_string()
        });
        println!("{network},{}", least.join(","));
    }
}
