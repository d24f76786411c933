//! dfdx, on the CPU, with sizes of layers in types; the batch size is a value at run time, as the last one of an epoch is smaller.

mod common;

use common::{BATCH, Setting, Shuffle, XOR_STEPS, checksum, curve_size, peer};
use dfdx::optim::{Adam, AdamConfig, Sgd, SgdConfig};
use dfdx::prelude::*;

type Xor = (Linear<2, 10>, ReLU, Linear<10, 1>);
type Small = (Linear<4, 16>, Tanh, Linear<16, 16>, Tanh, Linear<16, 3>);
type Digits = (Linear<64, 32>, ReLU, Linear<32, 10>);
type DigitsAnswer = (Linear<64, 32>, ReLU, Linear<32, 10>, Softmax);
type Mnist = (Linear<784, 128>, ReLU, Linear<128, 64>, ReLU, Linear<64, 10>);
type Curve = (Linear<4, 32>, Tanh, Linear<32, 16>, Tanh, Linear<16, 4>);

type Layer<const IN: usize, const OUT: usize> = dfdx::nn::modules::Linear<IN, OUT, f32, Cpu>;
type Samples<const N: usize> = Tensor<(usize, Const<N>), f32, Cpu>;

fn load<const IN: usize, const OUT: usize>(layer: &mut Layer<IN, OUT>, (weight, bias): &(Vec<f32>, Vec<f32>)) {
    layer.weight.copy_from(weight);
    layer.bias.copy_from(bias);
}

fn samples<const N: usize>(cpu: &Cpu, numbers: &[f32]) -> Samples<N> {
    cpu.tensor_from_vec(numbers.to_vec(), (numbers.len() / N, Const::<N>))
}

const ADAM: AdamConfig = AdamConfig { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weight_decay: None };

/// One step. A macro, because the bounds of a function that takes any network would be longer than the work.
macro_rules! step {
    ($network:ident, $optimizer:ident, $gradients:ident, $loss:expr, $x:expr, $t:expr) => {{
        let y = $network.forward_mut($x.traced($gradients.take().expect("gradients")));
        let mut found = $loss(y, $t).backward();
        $optimizer.update(&mut $network, &found).expect("every parameter is used");
        $network.zero_grads(&mut found);
        $gradients = Some(found);
    }};
}

fn xor_steps(setting: &Setting, cpu: &Cpu) -> (f64, f64) {
    let mut network = cpu.build_module::<Xor, f32>();
    let layers = setting.layers("xor", &[2, 10, 1]);
    load(&mut network.0, &layers[0]);
    load(&mut network.2, &layers[1]);
    let x: Samples<2> = samples(cpu, &setting.numbers("xor.inputs"));
    let t: Samples<1> = samples(cpu, &setting.numbers("xor.targets"));
    let mut optimizer = Sgd::new(&network, SgdConfig { lr: 0.01, momentum: None, weight_decay: None });
    let mut gradients = Some(network.alloc_grads());
    let loss = binary_cross_entropy_with_logits_loss::<_, f32, Cpu, OwnedTape<f32, Cpu>>;
    for _ in 0..XOR_STEPS {
        step!(network, optimizer, gradients, loss, x.clone(), t.clone());
    }
    let value = binary_cross_entropy_with_logits_loss(network.forward(x.clone()), t.clone()).array();
    let seconds = setting.best_time(|| step!(network, optimizer, gradients, loss, x.clone(), t.clone()));
    (seconds, value.into())
}

fn digits_epochs(setting: &Setting, cpu: &Cpu) -> (f64, f64) {
    let mut network = cpu.build_module::<Digits, f32>();
    let layers = setting.layers("digits", &[64, 32, 10]);
    load(&mut network.0, &layers[0]);
    load(&mut network.2, &layers[1]);
    let (inputs, classes) = (setting.numbers("digits.inputs"), setting.bytes("digits.classes"));
    let count = classes.len();
    let batch = |batch: &[usize]| -> (Samples<64>, Samples<10>) {
        let x: Vec<f32> = batch.iter().flat_map(|&place| &inputs[place * 64..][..64]).copied().collect();
        let mut t = vec![0.0; batch.len() * 10];
        for (row, &place) in t.chunks_exact_mut(10).zip(batch) {
            row[usize::from(classes[place])] = 1.0;
        }
        (cpu.tensor_from_vec(x, (batch.len(), Const)), cpu.tensor_from_vec(t, (batch.len(), Const)))
    };
    let mut optimizer = Adam::new(&network, ADAM);
    let mut gradients = Some(network.alloc_grads());
    let loss = cross_entropy_with_logits_loss::<_, f32, Cpu, OwnedTape<f32, Cpu>>;
    for places in (0..count).collect::<Vec<_>>().chunks(BATCH) {
        let (x, t) = batch(places);
        step!(network, optimizer, gradients, loss, x, t);
    }
    let (x, t) = batch(&(0..count).collect::<Vec<_>>());
    let value = cross_entropy_with_logits_loss(network.forward(x), t).array();
    let mut shuffle = Shuffle(1);
    let seconds = setting.best_time(|| {
        for places in shuffle.order(count).chunks(BATCH) {
            let (x, t) = batch(places);
            step!(network, optimizer, gradients, loss, x, t);
        }
    });
    (seconds, value.into())
}

fn curve_steps(setting: &Setting, cpu: &Cpu, workload: &str) -> (f64, f64) {
    let mut network = cpu.build_module::<Curve, f32>();
    let layers = setting.layers("curve", &[4, 32, 16, 4]);
    load(&mut network.0, &layers[0]);
    load(&mut network.2, &layers[1]);
    load(&mut network.4, &layers[2]);
    let (count, check) = curve_size(workload);
    let x: Samples<4> = samples(cpu, &setting.numbers("curve.inputs")[..count * 4]);
    let t: Samples<4> = samples(cpu, &setting.numbers("curve.targets")[..count * 4]);
    let mut optimizer = Adam::new(&network, ADAM);
    let mut gradients = Some(network.alloc_grads());
    let loss = mse_loss::<_, f32, Cpu, OwnedTape<f32, Cpu>>;
    for _ in 0..check {
        step!(network, optimizer, gradients, loss, x.clone(), t.clone());
    }
    let value = mse_loss(network.forward(x.clone()), t.clone()).array();
    let seconds = setting.best_time(|| step!(network, optimizer, gradients, loss, x.clone(), t.clone()));
    (seconds, value.into())
}

/// One sample at a time: 64 tensors of one dimension.
fn one_sample<const IN: usize, const OUT: usize, M>(
    setting: &Setting,
    cpu: &Cpu,
    inputs: &str,
    network: &M,
) -> (f64, f64)
where
    M: Module<Tensor<Rank1<IN>, f32, Cpu>, Output = Tensor<Rank1<OUT>, f32, Cpu>>,
{
    let inputs = setting.numbers(inputs);
    let inputs: Vec<Tensor<Rank1<IN>, f32, Cpu>> =
        inputs.chunks_exact(IN).take(64).map(|sample| cpu.tensor_from_vec(sample.to_vec(), (Const,))).collect();
    let outputs: Vec<f32> = inputs.iter().flat_map(|x| network.forward(x.clone()).as_vec()).collect();
    let seconds = setting.best_time(|| {
        for x in &inputs {
            network.forward(x.clone());
        }
    });
    (seconds / inputs.len() as f64, checksum(&outputs))
}

fn run(setting: &Setting, workload: &str) -> (f64, f64) {
    let cpu = &Cpu::default();
    let digits = || {
        let mut network = cpu.build_module::<DigitsAnswer, f32>();
        let layers = setting.layers("digits", &[64, 32, 10]);
        load(&mut network.0, &layers[0]);
        load(&mut network.2, &layers[1]);
        network
    };
    match workload {
        "W1" => xor_steps(setting, cpu),
        "W2a" => {
            let mut network = cpu.build_module::<Small, f32>();
            let layers = setting.layers("small", &[4, 16, 16, 3]);
            load(&mut network.0, &layers[0]);
            load(&mut network.2, &layers[1]);
            load(&mut network.4, &layers[2]);
            one_sample::<4, 3, _>(setting, cpu, "small.inputs", &network)
        }
        "W2b" => one_sample::<64, 10, _>(setting, cpu, "digits.inputs", &digits()),
        "W2c" => {
            let mut network = cpu.build_module::<Mnist, f32>();
            let layers = setting.layers("mnist", &[784, 128, 64, 10]);
            load(&mut network.0, &layers[0]);
            load(&mut network.2, &layers[1]);
            load(&mut network.4, &layers[2]);
            one_sample::<784, 10, _>(setting, cpu, "mnist.inputs", &network)
        }
        "W3" => digits_epochs(setting, cpu),
        "W4" | "W4L" => curve_steps(setting, cpu, workload),
        "W6" => {
            let (network, inputs) = (digits(), setting.numbers("digits.inputs"));
            let x: Tensor<Rank2<1024, 64>, f32, Cpu> =
                cpu.tensor_from_vec(inputs[..1024 * 64].to_vec(), (Const, Const));
            let outputs = network.forward(x.clone()).as_vec();
            let seconds = setting.best_time(|| {
                network.forward(x.clone());
            });
            (seconds / 1024.0, checksum(&outputs))
        }
        _ => panic!("no workload `{workload}`"),
    }
}

fn main() {
    // As its own examples do.
    dfdx::flush_denormals_to_zero();
    peer(run);
}
