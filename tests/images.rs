//! Networks of images: derivatives, what their layers compute, and the types that `network!` writes.

use tuplenet::inspect::gradient_check;
use tuplenet::layers::*;
use tuplenet::model::{Params, Shape, Zeroed, assert_shapes};
use tuplenet::prelude::*;

fn values<const C: usize, const H: usize, const W: usize>(rng: &mut impl Rng) -> [[[f64; W]; H]; C] {
    let mut image = [[[0.0; W]; H]; C];
    for value in image.as_flattened_mut().as_flattened_mut() {
        *value = f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
    }
    image
}

/// The derivatives by all parameters, for a network whose last layer has two outputs.
macro_rules! check {
    ($name:ident, [$c:literal, $h:literal, $w:literal], $network:ty) => {
        #[test]
        fn $name() {
            const _: () = assert_shapes::<$network>();
            let mut network = <$network>::new(&mut seeded(1));
            let rng = &mut seeded(2);
            // Two micro-batches of the check, the second with a single register's part.
            let inputs: Vec<_> = (0..11).map(|_| values::<$c, $h, $w>(rng)).collect();
            let targets: Vec<_> = (0..11).map(|i| [f64::from(i % 3), 0.5]).collect();
            let check = gradient_check(&mut network, &MeanSquaredError, &inputs, &targets).unwrap();
            assert!(check.error < 1e-7, "{check:?}");
        }
    };
}

check!(
    convolutions_and_pools,
    [2, 9, 8],
    (
        Conv2d<Image<2, 9, 8>, Image<3, 8, 7>, 2, Tanh, 1, 0, 1, f64>,
        AveragePool<Image<3, 8, 7>, Image<3, 4, 3>, 2, 2, 0, f64>,
        Conv2d<Image<3, 4, 3>, Image<5, 4, 3>, 3, Gelu, 1, 1, 1, f64>,
        MaxPool<Image<5, 4, 3>, Image<5, 3, 2>, 2, 1, 0, f64>,
        Flatten<Image<5, 3, 2>, 30, f64>,
        Dense<30, 2, Identity, f64>,
    )
);

check!(
    strides_dilation_and_groups,
    [4, 9, 10],
    (
        GroupedConv2d<Image<4, 9, 10>, Image<6, 4, 4>, 3, 2, Sigmoid, 2, 1, 2, f64>,
        DepthwiseConv2d<Image<6, 4, 4>, Image<6, 4, 4>, 3, Silu, 1, 1, 1, f64>,
        Conv2d<Image<6, 4, 4>, Image<4, 4, 4>, 1, Tanh, 1, 0, 1, f64>,
        Residual<Conv2d<Image<4, 4, 4>, Image<4, 4, 4>, 3, Tanh, 1, 1, 1, f64>>,
        GlobalAveragePool<Image<4, 4, 4>, f64>,
        Dense<4, 2, Identity, f64>,
    )
);

check!(
    encoder_and_decoder,
    [1, 8, 8],
    (
        Conv2d<Image<1, 8, 8>, Image<3, 4, 4>, 3, Tanh, 2, 1, 1, f64>,
        Flatten<Image<3, 4, 4>, 48, f64>,
        Dense<48, 8, Tanh, f64>,
        Unflatten<8, Image<2, 2, 2>, f64>,
        ConvTranspose2d<Image<2, 2, 2>, Image<3, 4, 4>, 2, Gelu, 2, 0, 1, f64>,
        Upsample<Image<3, 4, 4>, Image<3, 8, 8>, 2, f64>,
        (
            ConvTranspose2d<Image<3, 8, 8>, Image<1, 8, 8>, 3, Tanh, 1, 1, 1, f64>,
            GlobalAveragePool<Image<1, 8, 8>, f64>,
            Dense<1, 2, Identity, f64>,
        ),
    )
);

check!(
    normalized_by_channel,
    [2, 5, 4],
    (
        Conv2d<Image<2, 5, 4>, Image<3, 5, 4>, 3, Identity, 1, 1, 1, f64>,
        BatchNorm<3, f64>,
        Tanh,
        GlobalAveragePool<Image<3, 5, 4>, f64>,
        Dense<3, 2, Identity, f64>,
    )
);

tuplenet::network! {
    type Rectangular: f64 = Image<2, 6, 9> =>
        Conv2d<4, (2, 3), Tanh, (1, 2), (1, 1), (2, 1)>, AveragePool<(2, 1)>, Conv2d<3, (1, 3), Gelu, 1, (0, 1)>,
        MaxPool<(1, 2), 1>, Flatten, Dense<2, Identity>
}
check!(rectangular_windows, [2, 6, 9], Rectangular);

tuplenet::network! {
    type Dropped: f64 = Image<2, 5, 4> =>
        Conv2d<3, 3, Tanh, 1, 1>, Dropout2d<40>, BatchNorm, Conv2d<4, 2, Tanh>, Dropout2d<20>, GlobalAveragePool,
        Dense<2, Identity>
}
check!(dropout_by_channel, [2, 5, 4], Dropped);

/// A square window written as a rectangle: the same bits. PyTorch's values of rectangles are those of `kernel::convolution`.
#[test]
fn a_square_is_a_rectangle() {
    type Square = (
        Conv2d<Image<2, 9, 8>, Image<3, 5, 4>, 3, Tanh, 2, 1, 1>,
        MaxPool<Image<3, 5, 4>, Image<3, 2, 2>, 2>,
        AveragePool<Image<3, 2, 2>, Image<3, 3, 3>, 2, 1, 1>,
    );
    tuplenet::network! {
        type Written = Image<2, 9, 8> =>
            Conv2d<3, (3, 3), Tanh, 2, (1, 1), (1, 1)>, MaxPool<(2, 2)>, AveragePool<(2, 2), (1, 1), (1, 1)>
    }
    const _: () = assert_shapes::<Written>();
    assert!(std::any::type_name::<Written>().contains("RectangularMaxPool"));
    let square =
        <(Conv2d<Image<2, 9, 8>, Image<3, 5, 4>, 3, Tanh, 2, 1>, MaxPool<Image<3, 5, 4>, Image<3, 2, 2>, 2>)>::new(
            &mut seeded(0),
        );
    let rectangle = (
        RectangularConv2d::<Image<2, 9, 8>, Image<3, 5, 4>, 3, 3, Tanh, 2, 2, 1, 1>::from_arrays(
            square.0.weight,
            square.0.bias,
        ),
        RectangularMaxPool::<Image<3, 5, 4>, Image<3, 2, 2>, 2, 2>::new(&mut seeded(0)),
    );
    let image = values::<2, 9, 8>(&mut seeded(1)).map(|channel| channel.map(|row| row.map(|value| value as f32)));
    assert_eq!(square.predict_one(&image), rectangle.predict_one(&image));
    let _: Square = (square.0, square.1, AveragePool::new(&mut seeded(0)));
}

/// The running statistics of a channel are those of all its pixels.
#[test]
fn statistics_of_a_channel() {
    type Net = (Input<Image<2, 2, 3>, f64>, BatchNorm<2, f64>, Flatten<Image<2, 2, 3>, 12, f64>);
    let rng = &mut seeded(3);
    let inputs: Vec<_> = (0..5).map(|_| values::<2, 2, 3>(rng)).collect();
    let mut network = Net::new(&mut seeded(0));
    let (mut gradient, mut workspace) = (Net::ZEROED, Workspace::<Net, 5>::new());
    workspace.gradient(&network, &MeanSquaredError, &inputs, &vec![[0.0; 12]; 5], &mut gradient).unwrap();
    network.update_buffers(&mut gradient);
    for c in 0..2 {
        let pixels: Vec<f64> = inputs.iter().flat_map(|image| image[c].as_flattened().to_vec()).collect();
        let mean = pixels.iter().sum::<f64>() / 30.0;
        let variance = pixels.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 29.0;
        assert!((network.1.running_mean[c] - 0.1 * mean).abs() < 1e-14);
        assert!((network.1.running_variance[c] - 0.9 - 0.1 * variance).abs() < 1e-14);
    }
    assert_eq!(network.1.num_batches_tracked, 1);
}

/// The gradient by the inputs.
#[test]
fn inputs_have_derivatives() {
    type Net = (
        Conv2d<Image<2, 7, 6>, Image<3, 4, 3>, 3, Tanh, 2, 1, 1, f64>,
        MaxPool<Image<3, 4, 3>, Image<3, 2, 2>, 3, 2, 1, f64>,
        ConvTranspose2d<Image<3, 2, 2>, Image<2, 4, 4>, 2, Sigmoid, 2, 0, 1, f64>,
    );
    let network = Net::new(&mut seeded(0));
    let rng = &mut seeded(1);
    let mut x = [[[[0.0; 3]; 6]; 7]; 2];
    for column in 0..3 {
        <Image<2, 7, 6>>::set(&mut x, column, &values(rng));
    }
    let mut workspace = Workspace::<Net, 3>::new();
    let y = *workspace.forward(&network, &x);
    let mut factors = y;
    for (index, factor) in factors.as_flattened_mut().as_flattened_mut().as_flattened_mut().iter_mut().enumerate() {
        *factor = (index as f64).sin();
    }
    let mut gradient = Net::ZEROED;
    let dx = workspace.backward_to_input(&network, &factors, &mut gradient);
    let total = |x: &[[[[f64; 3]; 6]; 7]; 2]| -> f64 {
        let y: [[[[f64; 3]; 4]; 4]; 2] = network.predict(x);
        let y = y.as_flattened().as_flattened().as_flattened();
        y.iter().zip(factors.as_flattened().as_flattened().as_flattened()).map(|(y, factor)| y * factor).sum()
    };
    let dx = dx.as_flattened().as_flattened().as_flattened();
    for (index, dx) in dx.iter().enumerate() {
        let at = |step: f64| {
            let mut x = x;
            x.as_flattened_mut().as_flattened_mut().as_flattened_mut()[index] += step;
            total(&x)
        };
        let difference = (8.0 * (at(1e-4) - at(-1e-4)) - (at(2e-4) - at(-2e-4))) / 12e-4;
        assert!((difference - dx).abs() < 1e-7, "{index}: {difference}, {dx}");
    }
}

tuplenet::network! {
    /// Y. LeCun et al., 1998.
    type LeNet = Image<1, 28, 28> =>
        Conv2d<6, 5, Relu>, MaxPool<2>, Conv2d<16, 5, Relu>, MaxPool<2>, Flatten, Dense<120, Relu>, Dense<84, Relu>,
        Dense<10, Softmax>
}

const WIDE: usize = 8;

tuplenet::network! {
    type Mixed = Image<3, 16, 12> =>
        Conv2d<WIDE, 3, LeakyRelu<10>, 1, 1>, DepthwiseConv2d<3, Identity, 2, 1>, Relu, GroupedConv2d<4, 3, 2, Relu>,
        Dropout<20>, AveragePool<2, 1>, Flatten, Dense<18, Tanh>, Dense<16, Tanh>, Unflatten<4, 2, 2>, Upsample<2>,
        ConvTranspose2d<{ 1 + 1 }, 4, Tanh, 2, 1>, GlobalAveragePool
}

tuplenet::network! { type OnlyDense = Features<2> => Dense<8, Tanh>, Dense<1, Sigmoid> }

#[test]
fn sizes_are_computed() {
    const _: () = assert_shapes::<LeNet>();
    const _: () = assert_shapes::<Mixed>();
    fn is_same<A: 'static, B: 'static>() -> bool {
        std::any::TypeId::of::<A>() == std::any::TypeId::of::<B>()
    }
    type Written = (
        Conv2d<Image<1, 28, 28>, Image<6, 24, 24>, 5, Relu>,
        MaxPool<Image<6, 24, 24>, Image<6, 12, 12>, 2>,
        Conv2d<Image<6, 12, 12>, Image<16, 8, 8>, 5, Relu>,
        MaxPool<Image<16, 8, 8>, Image<16, 4, 4>, 2>,
        Flatten<Image<16, 4, 4>, 256>,
        Dense<256, 120, Relu>,
        Dense<120, 84, Relu>,
        Dense<84, 10, Softmax>,
    );
    assert!(is_same::<LeNet, Written>());
    assert!(is_same::<OnlyDense, (Dense<2, 8, Tanh>, Dense<8, 1, Sigmoid>)>());
    let network = Mixed::new(&mut seeded(0));
    let [first, second] = network.predict_one(&[[[0.5; 12]; 16]; 3]);
    assert!(first.is_finite() && second.is_finite());
    println!("{}", LeNet::summary());
    println!("{}", Mixed::summary());
    assert_eq!(LeNet::summary().parameters(), 44_426);
    assert_eq!(LeNet::summary().macs(), Some(281_640));
}

/// One sample, several at once, and any number of them: the same outputs, and no samples exchanged.
#[test]
fn predictions_agree() {
    type Net = (
        Conv2d<Image<2, 6, 6>, Image<3, 6, 6>, 3, Relu, 1, 1>,
        MaxPool<Image<3, 6, 6>, Image<3, 3, 3>, 2>,
        Flatten<Image<3, 3, 3>, 27>,
        Dense<27, 4, Softmax>,
    );
    let network = Net::new(&mut seeded(0));
    let rng = &mut seeded(1);
    let images: Vec<[[[f32; 6]; 6]; 2]> = (0..45)
        .map(|_| values::<2, 6, 6>(rng).map(|channel| channel.map(|row| row.map(|value| value as f32))))
        .collect();
    let mut outputs = vec![[0.0; 4]; 45];
    network.predict_all(&images, &mut outputs).unwrap();
    for (image, output) in images.iter().zip(&outputs) {
        let one = network.predict_one(image);
        assert!(one.iter().zip(output).all(|(a, b)| (a - b).abs() < 1e-6), "{one:?}, {output:?}");
    }
}

/// PyTorch's file and PyTorch's outputs: `tests/golden/images.py`.
#[cfg(feature = "safetensors")]
mod files {
    use super::*;
    use tuplenet::io::safetensors::Safetensors;

    type Net = (
        Conv2d<Image<2, 8, 6>, Image<6, 8, 6>, 3, Relu, 1, 1>,
        BatchNorm<6>,
        MaxPool<Image<6, 8, 6>, Image<6, 4, 3>, 2>,
        GroupedConv2d<Image<6, 4, 3>, Image<4, 4, 3>, 3, 3, Tanh, 1, 1>,
        ConvTranspose2d<Image<4, 4, 3>, Image<3, 8, 6>, 2, Sigmoid, 2>,
        AveragePool<Image<3, 8, 6>, Image<3, 4, 3>, 2>,
        Flatten<Image<3, 4, 3>, 36>,
        Dense<36, 5, Softmax>,
    );

    static EMBEDDED: Net = tuplenet::include_weights!("golden/images.safetensors");

    fn images() -> Vec<[[[f32; 6]; 8]; 2]> {
        let mut state = 2u32.wrapping_mul(2_654_435_761);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32
        };
        (0..3)
            .map(|_| {
                let mut image = [[[0.0; 6]; 8]; 2];
                image.as_flattened_mut().as_flattened_mut().fill_with(&mut next);
                image
            })
            .collect()
    }

    #[test]
    fn weights_of_pytorch() {
        let file = include_bytes!("golden/images.safetensors");
        let mut network = Net::new(&mut seeded(0));
        Safetensors::DEFAULT.read(file, &mut network).unwrap();
        for (image, line) in images().iter().zip(include_str!("golden/images.txt").lines()) {
            let expected: Vec<f32> = line.split(' ').map(|word| word.parse().unwrap()).collect();
            for network in [&network, &EMBEDDED] {
                let found = network.predict_one(image);
                assert!(
                    found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-6),
                    "{found:?}, {expected:?}"
                );
            }
        }
    }

    /// The file that is written has the same tensors.
    #[test]
    fn weights_for_pytorch() {
        let bytes = Safetensors::DEFAULT.to_vec(&EMBEDDED).unwrap();
        let mut copy = Net::new(&mut seeded(0));
        Safetensors::DEFAULT.read(&bytes, &mut copy).unwrap();
        assert!(copy == EMBEDDED);
        let theirs = safetensors::SafeTensors::deserialize(include_bytes!("golden/images.safetensors")).unwrap();
        let ours = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (name, tensor) in theirs.tensors() {
            let found = ours.tensor(&name).unwrap();
            assert_eq!((found.shape(), found.data()), (tensor.shape(), tensor.data()), "{name}");
        }
    }

    /// PyTorch's sizes of a rectangular kernel: outputs, inputs, rows, columns.
    #[test]
    fn weights_of_rectangles() {
        type Wide = RectangularConv2d<Image<2, 4, 6>, Image<3, 3, 4>, 2, 3, Relu>;
        let network = Wide::new(&mut seeded(0));
        let bytes = Safetensors::DEFAULT.to_vec(&network).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensor = file.tensor("0.weight").unwrap();
        assert_eq!(tensor.shape(), [3, 2, 2, 3]);
        let at = |index: usize| f32::from_le_bytes(tensor.data()[4 * index..][..4].try_into().unwrap());
        // Output 1, input 0, row 1, column 2.
        assert_eq!(at((2 * 2 + 1) * 3 + 2), network.weight[1][2][0][1]);
        let mut copy = Wide::new(&mut seeded(1));
        Safetensors::DEFAULT.read(&bytes, &mut copy).unwrap();
        assert!(copy == network);
    }

    #[test]
    fn kernels_of_another_size_are_refused() {
        type Other = (Conv2d<Image<2, 8, 6>, Image<6, 6, 4>, 5, Relu, 1, 1>, BatchNorm<6>);
        let mut network = Other::new(&mut seeded(0));
        let error = Safetensors::DEFAULT.read(include_bytes!("golden/images.safetensors"), &mut network).unwrap_err();
        assert_eq!(error.to_string(), "tensor `0.weight`: expected [6, 2, 5, 5], found [6, 2, 3, 3]");
    }
}

/// The same bits through a text format, whose fields have names, and a binary one, whose fields have an order.
#[cfg(feature = "serde")]
#[test]
fn convolutions_through_serde() {
    type Net = (
        Conv2d<Image<2, 8, 6>, Image<6, 8, 6>, 3, Relu, 1, 1>,
        BatchNorm<6>,
        MaxPool<Image<6, 8, 6>, Image<6, 4, 3>, 2>,
        GroupedConv2d<Image<6, 4, 3>, Image<4, 4, 3>, 3, 3, Tanh, 1, 1>,
        (
            ConvTranspose2d<Image<4, 4, 3>, Image<3, 8, 6>, 2, Sigmoid, 2>,
            Dropout2d<10>,
            RectangularConv2d<Image<3, 8, 6>, Image<3, 8, 6>, 1, 3, Relu, 1, 1, 0, 1>,
        ),
        Flatten<Image<3, 8, 6>, 144>,
        Dense<144, 5, Softmax>,
    );
    let network = Net::new(&mut seeded(0));
    let text = serde_json::to_string(&network).unwrap();
    assert!(serde_json::from_str::<Net>(&text).unwrap() == network);
    let bytes = postcard::to_allocvec(&network).unwrap();
    assert!(postcard::from_bytes::<Net>(&bytes).unwrap() == network);
    let error = serde_json::from_str::<Net>(&text.replacen("weight", "wait", 1)).unwrap_err().to_string();
    assert!(error.contains("unknown field `wait`"), "{error}");
}
