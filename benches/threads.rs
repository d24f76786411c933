//! What several threads bring: the full-batch step of 4-32-16-4 over 10,000 samples, batch prediction, and a larger
//! network, on one, two and four threads: `cargo bench -p tuplenet-benches --bench threads`.
//!
//! Times are the best of many, because other programs can only make them longer. Each result is compared, bit by bit, with
//! that of one thread.

use rayon::ThreadPoolBuilder;
use std::time::Instant;
use tuplenet::model::{Parameter, Visit, Visitor};
use tuplenet::prelude::*;
use tuplenet::train::Parallel;

type Regression = (Dense<4, 32, Tanh>, Dense<32, 16, Tanh>, Dense<16, 4, Identity>);
type Wide = (Dense<64, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Identity>);

/// For how long each time is measured, in seconds.
const PATIENCE: f64 = 1.0;

/// The shortest of many runs, in microseconds.
fn best(mut run: impl FnMut()) -> f64 {
    let (begin, mut best) = (Instant::now(), f64::INFINITY);
    while begin.elapsed().as_secs_f64() < PATIENCE {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64() * 1e6);
    }
    best
}

fn samples<const N: usize>(count: usize, rng: &mut impl Rng) -> Vec<[f32; N]> {
    let mut number = || f32::from_random_bits(rng.next_u64()) * 2.0 - 1.0;
    (0..count).map(|_| std::array::from_fn(|_| number())).collect()
}

fn bits(network: &impl Visit<f32>) -> Vec<u32> {
    struct Bits(Vec<u32>);
    impl Visitor<f32> for Bits {
        fn slice(&mut self, _: Parameter, values: &[f32]) {
            self.0.extend(values.iter().map(|value| value.to_bits()));
        }
    }
    let mut bits = Bits(Vec::new());
    network.visit(&mut bits);
    bits.0
}

fn measure<N, const B: usize, const IN: usize, const OUT: usize>(name: &str, count: usize)
where
    N: FromTo<IN, OUT> + Clone + Send + Sync,
    N: Layer<Features<IN>, f32, Cache<B>: Send>,
{
    let mut rng = seeded(0);
    let network = N::new(&mut rng);
    let inputs = samples::<IN>(count, &mut rng);
    let targets: Vec<[f32; OUT]> = samples(count, &mut rng);
    let trainer =
        || Trainer::<_, _, _, _, B>::with_micro_batch(network.clone(), MeanSquaredError, Adam::new(1e-3), seeded(1));
    let mut outputs = vec![[0.0; OUT]; count];

    let mut alone = trainer();
    let step = best(|| assert!(alone.step(&inputs, &targets).is_ok()));
    let predict = best(|| network.predict_all(&inputs, &mut outputs).unwrap());
    println!("{name},{count},alone,{step:.1},{predict:.1},,");

    let expected = outputs.clone();
    let mut one = None;
    for threads in [1, 2, 4] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut trainer, mut parallel) = (trainer(), Parallel::new());
            for _ in 0..3 {
                parallel.step(&mut trainer, &inputs, &targets).unwrap();
            }
            let learnt = bits(&trainer.network);
            assert_eq!(one.get_or_insert(learnt.clone()), &learnt);
            let shared_step = best(|| assert!(parallel.step(&mut trainer, &inputs, &targets).is_ok()));
            outputs.fill([0.0; OUT]);
            let shared_predict = best(|| Parallel::predict_all(&network, &inputs, &mut outputs).unwrap());
            assert!(outputs == expected);
            let ratios = format!("{:.2},{:.2}", step / shared_step, predict / shared_predict);
            println!("{name},{count},{threads},{shared_step:.1},{shared_predict:.1},{ratios}");
        });
    }
}

fn main() {
    println!("network,samples,threads,step_us,predict_us,step_speedup,predict_speedup");
    measure::<Regression, 40, 4, 4>("4-32-16-4 tanh", 10_000);
    measure::<Regression, 40, 4, 4>("4-32-16-4 tanh", 1000);
    measure::<Regression, 40, 4, 4>("4-32-16-4 tanh", 32);
    measure::<Wide, 32, 64, 10>("64-128-64-10 relu", 10_000);
    measure::<Wide, 32, 64, 10>("64-128-64-10 relu", 256);
}
