//! burn with its backend `flex`, the fastest that it has for one core.

mod common;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, MseLoss, Reduction};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use common::{BATCH, Setting, Shuffle, XOR_STEPS, checksum, curve_size, peer};

type Function = fn(Tensor<2>) -> Tensor<2>;

#[derive(Module, Debug)]
struct Network {
    layers: Vec<Linear>,
}

impl Network {
    fn new(setting: &Setting, name: &str, sizes: &[usize], device: &Device) -> Self {
        let layer = |((weight, bias), size): ((Vec<f32>, Vec<f32>), &[usize])| {
            // Inputs by outputs here.
            let weight: Vec<f32> =
                (0..weight.len()).map(|place| weight[place % size[1] * size[0] + place / size[1]]).collect();
            Linear {
                weight: Param::from_data(TensorData::new(weight, [size[0], size[1]]), device),
                bias: Some(Param::from_data(TensorData::new(bias, [size[1]]), device)),
            }
        };
        Network { layers: setting.layers(name, sizes).into_iter().zip(sizes.windows(2)).map(layer).collect() }
    }

    fn forward(&self, inner: Function, mut x: Tensor<2>) -> Tensor<2> {
        let (last, layers) = self.layers.split_last().expect("layers");
        for layer in layers {
            x = inner(layer.forward(x));
        }
        last.forward(x)
    }
}

/// A network that is being trained.
struct Training {
    network: Option<Network>,
    inner: Function,
    optimizer: ModuleOptimizer,
    rate: f64,
}

impl Training {
    fn step(&mut self, x: Tensor<2>, loss: impl FnOnce(Tensor<2>) -> Tensor<1>) {
        let network = self.network.take().expect("a network");
        let gradients = loss(network.forward(self.inner, x)).backward();
        let gradients = GradientsParams::from_grads(gradients, &network);
        self.network = Some(self.optimizer.step(self.rate, network, gradients));
    }

    fn loss(&self, x: Tensor<2>, loss: impl FnOnce(Tensor<2>) -> Tensor<1>) -> f64 {
        let network = self.network.as_ref().expect("a network");
        loss(network.forward(self.inner, x)).into_scalar::<f32>().into()
    }

    /// Steps with the same data again and again.
    fn steps(
        mut self,
        setting: &Setting,
        x: Tensor<2>,
        loss: impl Fn(Tensor<2>) -> Tensor<1>,
        count: usize,
    ) -> (f64, f64) {
        for _ in 0..count {
            self.step(x.clone(), &loss);
        }
        let value = self.loss(x.clone(), &loss);
        (setting.best_time(|| self.step(x.clone(), &loss)), value)
    }
}

fn adam() -> ModuleOptimizer {
    AdamConfig::new().with_epsilon(1e-8).init()
}

fn samples(numbers: &[f32], columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(numbers.to_vec(), [numbers.len() / columns, columns]), device)
}

fn indices(places: impl Iterator<Item = i64>, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i64> = places.collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), device)
}

fn digits_epochs(setting: &Setting, device: &Device) -> (f64, f64) {
    let network = Some(Network::new(setting, "digits", &[64, 32, 10], device));
    let mut training = Training { network, inner: activation::relu, optimizer: adam(), rate: 1e-3 };
    let x = samples(&setting.numbers("digits.inputs"), 64, device);
    let t = indices(setting.bytes("digits.classes").into_iter().map(i64::from), device);
    let count = t.dims()[0];
    let loss = CrossEntropyLossConfig::new().init(device);
    let epoch = |training: &mut Training, order: &[usize]| {
        for batch in order.chunks(BATCH) {
            let batch = indices(batch.iter().map(|&place| place as i64), device);
            let t = t.clone().select(0, batch.clone());
            training.step(x.clone().select(0, batch), |y| loss.forward(y, t));
        }
    };
    epoch(&mut training, &(0..count).collect::<Vec<_>>());
    let value = training.loss(x.clone(), |y| loss.forward(y, t.clone()));
    let mut shuffle = Shuffle(1);
    (setting.best_time(|| epoch(&mut training, &shuffle.order(count))), value)
}

fn infer(setting: &Setting, name: &str, sizes: &[usize], inner: Function, count: usize, at_once: usize) -> (f64, f64) {
    let device = &Device::flex();
    let network = Network::new(setting, name, sizes, device);
    let inputs = setting.numbers(&format!("{name}.inputs"));
    let batches = inputs.chunks(at_once * sizes[0]).take(count / at_once);
    let batches: Vec<Tensor<2>> = batches.map(|batch| samples(batch, sizes[0], device)).collect();
    let predict = |x: &Tensor<2>| {
        let y = network.forward(inner, x.clone());
        if name == "digits" { activation::softmax(y, 1) } else { y }
    };
    let outputs: Vec<f32> =
        batches.iter().flat_map(|x| predict(x).into_data().try_to_vec::<f32>().expect("32-bit floats")).collect();
    let seconds = setting.best_time(|| {
        for batch in &batches {
            predict(batch);
        }
    });
    (seconds / count as f64, checksum(&outputs))
}

fn run(setting: &Setting, workload: &str) -> (f64, f64) {
    let device = &Device::flex().autodiff();
    match workload {
        "W1" => {
            let network = Some(Network::new(setting, "xor", &[2, 10, 1], device));
            let training =
                Training { network, inner: activation::relu, optimizer: SgdConfig::new().init(), rate: 0.01 };
            let x = samples(&setting.numbers("xor.inputs"), 2, device);
            let t = indices(setting.numbers("xor.targets").into_iter().map(|t| t as i64), device);
            let t = t.reshape([4, 1]);
            let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(device);
            training.steps(setting, x, |y| loss.forward(y, t.clone()), XOR_STEPS)
        }
        "W2a" => infer(setting, "small", &[4, 16, 16, 3], activation::tanh, 64, 1),
        "W2b" => infer(setting, "digits", &[64, 32, 10], activation::relu, 64, 1),
        "W2c" => infer(setting, "mnist", &[784, 128, 64, 10], activation::relu, 64, 1),
        "W3" => digits_epochs(setting, device),
        "W4" | "W4L" => {
            let network = Some(Network::new(setting, "curve", &[4, 32, 16, 4], device));
            let training = Training { network, inner: activation::tanh, optimizer: adam(), rate: 1e-3 };
            let (count, check) = curve_size(workload);
            let some = |name| samples(&setting.numbers(name)[..count * 4], 4, device);
            let (x, t) = (some("curve.inputs"), some("curve.targets"));
            training.steps(setting, x, |y| MseLoss::new().forward(y, t.clone(), Reduction::Mean), check)
        }
        "W6" => infer(setting, "digits", &[64, 32, 10], activation::relu, 1024, 1024),
        _ => panic!("no workload `{workload}`"),
    }
}

fn main() {
    peer(run);
}
