//! candle, on the CPU.

mod common;

use candle_core::{D, Device, Result, Tensor, Var};
use candle_nn::{AdamW, Linear, Module, Optimizer, ParamsAdamW, SGD, loss, ops};
use common::{BATCH, Setting, Shuffle, XOR_STEPS, checksum, curve_size, peer};

type Function = fn(&Tensor) -> Result<Tensor>;

struct Network {
    layers: Vec<Linear>,
    inner: Function,
}

impl Network {
    /// The network, and what an optimizer changes of it. Where it is not `trained`, nothing is recorded.
    fn new(setting: &Setting, name: &str, sizes: &[usize], inner: Function, trained: bool) -> Result<(Self, Vec<Var>)> {
        let (mut layers, mut variables) = (Vec::new(), Vec::new());
        for ((weight, bias), size) in setting.layers(name, sizes).into_iter().zip(sizes.windows(2)) {
            let weight = Tensor::from_vec(weight, (size[1], size[0]), &Device::Cpu)?;
            let bias = Tensor::from_vec(bias, size[1], &Device::Cpu)?;
            if trained {
                let (weight, bias) = (Var::from_tensor(&weight)?, Var::from_tensor(&bias)?);
                layers.push(Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone())));
                variables.extend([weight, bias]);
            } else {
                layers.push(Linear::new(weight, Some(bias)));
            }
        }
        Ok((Network { layers, inner }, variables))
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (last, inner) = self.layers.split_last().expect("layers");
        let mut x = x.clone();
        for layer in inner {
            x = (self.inner)(&layer.forward(&x)?)?;
        }
        last.forward(&x)
    }
}

fn adam(variables: Vec<Var>) -> Result<AdamW> {
    AdamW::new(variables, ParamsAdamW { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 })
}

/// Steps with the same data again and again.
fn steps(
    setting: &Setting,
    network: &Network,
    mut optimizer: impl Optimizer,
    loss: fn(&Tensor, &Tensor) -> Result<Tensor>,
    (x, t): (Tensor, Tensor),
    count: usize,
) -> Result<(f64, f64)> {
    let mut step = || optimizer.backward_step(&loss(&network.forward(&x)?, &t)?);
    for _ in 0..count {
        step()?;
    }
    let value = loss(&network.forward(&x)?, &t)?.to_scalar::<f32>()?;
    Ok((setting.best_time(|| step().expect("training goes on")), value.into()))
}

fn digits_epochs(setting: &Setting) -> Result<(f64, f64)> {
    let (network, variables) = Network::new(setting, "digits", &[64, 32, 10], Tensor::relu, true)?;
    let mut optimizer = adam(variables)?;
    let classes: Vec<u32> = setting.bytes("digits.classes").into_iter().map(u32::from).collect();
    let count = classes.len();
    let x = Tensor::from_vec(setting.numbers("digits.inputs"), (count, 64), &Device::Cpu)?;
    let t = Tensor::from_vec(classes, count, &Device::Cpu)?;
    let mut epoch = |order: Vec<usize>| -> Result<()> {
        for batch in order.chunks(BATCH) {
            let batch = Tensor::from_iter(batch.iter().map(|&place| place as u32), &Device::Cpu)?;
            let y = network.forward(&x.index_select(&batch, 0)?)?;
            optimizer.backward_step(&loss::cross_entropy(&y, &t.index_select(&batch, 0)?)?)?;
        }
        Ok(())
    };
    epoch((0..count).collect())?;
    let value = loss::cross_entropy(&network.forward(&x)?, &t)?.to_scalar::<f32>()?;
    let mut shuffle = Shuffle(1);
    Ok((setting.best_time(|| epoch(shuffle.order(count)).expect("training goes on")), value.into()))
}

fn infer(
    setting: &Setting,
    name: &str,
    sizes: &[usize],
    inner: Function,
    samples: usize,
    at_once: usize,
) -> Result<(f64, f64)> {
    let (network, _) = Network::new(setting, name, sizes, inner, false)?;
    let inputs = setting.numbers(&format!("{name}.inputs"));
    let batches = inputs.chunks(at_once * sizes[0]).take(samples / at_once);
    let batches = batches
        .map(|batch| Tensor::from_slice(batch, (at_once, sizes[0]), &Device::Cpu))
        .collect::<Result<Vec<_>>>()?;
    let predict = |x: &Tensor| {
        let y = network.forward(x)?;
        if name == "digits" { ops::softmax(&y, D::Minus1) } else { Ok(y) }
    };
    let mut outputs = Vec::new();
    for batch in &batches {
        outputs.extend(predict(batch)?.flatten_all()?.to_vec1::<f32>()?);
    }
    let seconds = setting.best_time(|| {
        for batch in &batches {
            predict(batch).expect("the sizes fit");
        }
    });
    Ok((seconds / samples as f64, checksum(&outputs)))
}

fn run(setting: &Setting, workload: &str) -> Result<(f64, f64)> {
    match workload {
        "W1" => {
            let (network, variables) = Network::new(setting, "xor", &[2, 10, 1], Tensor::relu, true)?;
            let x = Tensor::from_vec(setting.numbers("xor.inputs"), (4, 2), &Device::Cpu)?;
            let t = Tensor::from_vec(setting.numbers("xor.targets"), (4, 1), &Device::Cpu)?;
            let optimizer = SGD::new(variables, 0.01)?;
            steps(setting, &network, optimizer, loss::binary_cross_entropy_with_logit, (x, t), XOR_STEPS)
        }
        "W2a" => infer(setting, "small", &[4, 16, 16, 3], Tensor::tanh, 64, 1),
        "W2b" => infer(setting, "digits", &[64, 32, 10], Tensor::relu, 64, 1),
        "W2c" => infer(setting, "mnist", &[784, 128, 64, 10], Tensor::relu, 64, 1),
        "W3" => digits_epochs(setting),
        "W4" | "W4L" => {
            let (network, variables) = Network::new(setting, "curve", &[4, 32, 16, 4], Tensor::tanh, true)?;
            let (count, check) = curve_size(workload);
            let some = |name| Tensor::from_slice(&setting.numbers(name)[..count * 4], (count, 4), &Device::Cpu);
            let data = (some("curve.inputs")?, some("curve.targets")?);
            steps(setting, &network, adam(variables)?, loss::mse, data, check)
        }
        "W6" => infer(setting, "digits", &[64, 32, 10], Tensor::relu, 1024, 1024),
        _ => panic!("no workload `{workload}`"),
    }
}

fn main() {
    peer(|setting, workload| run(setting, workload).expect("candle runs"));
}
