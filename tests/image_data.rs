//! Everything that takes data takes images: scaling, searches, memory in constants; and what is wrong with data is an error.

use tuplenet::data::{MinMaxScaler, StandardScaler, Subset};
use tuplenet::layers::*;
use tuplenet::model::{Params, Zeroed};
use tuplenet::prelude::*;
use tuplenet::tuning::{
    CrossValidation, CrossValidationOptions, Hyperparameters, Scaling, SearchSpace, accuracy, networks,
};
use tuplenet::{Error, seeded};

tuplenet::network! {
    type Net = Image<2, 6, 6> => Conv2d<4, 3, Relu>, Dropout2d<10>, MaxPool<2>, Flatten, Dense<2, Softmax>
}

fn number(rng: &mut impl Rng) -> f32 {
    (f64::from(rng.next_u32()) / f64::from(u32::MAX)) as f32
}

type Picture = [[[f32; 6]; 6]; 2];

/// Images with a bright row or a bright column, on channels of different ranges.
fn images(count: usize) -> (Vec<Picture>, Vec<usize>) {
    let rng = &mut seeded(3);
    let mut images = vec![[[[0.0; 6]; 6]; 2]; count];
    let classes: Vec<usize> = (0..count).map(|index| index % 2).collect();
    for (image, class) in images.iter_mut().zip(&classes) {
        let line = rng.next_u32() as usize % 6;
        for (y, x) in (0..36).map(|pixel| (pixel / 6, pixel % 6)) {
            let bright = if [y, x][*class] == line { 0.7 } else { 0.0 };
            image[0][y][x] = 1000.0 + 300.0 * (bright + 0.3 * number(rng));
            image[1][y][x] = 0.01 * number(rng);
        }
    }
    (images, classes)
}

/// Scores of a search over images are those of a loop by hand, with a scaler by channel.
#[test]
fn searches_take_images() {
    let (images, classes) = images(60);
    let options = CrossValidationOptions { folds: 3, scaling: Scaling::Standard, seed: 5 };
    let hyperparameters = Hyperparameters {
        fit: FitOptions { epochs: 60, batch_size: 8, shuffle: true },
        no_improvement: None,
        ..Hyperparameters::new(Adam::new(0.02f32))
    };
    let validation = CrossValidation::stratified(&images, &classes, CrossEntropy, accuracy, &options).unwrap();
    let scores = validation.scores::<Net, _>(&hyperparameters).unwrap();
    for (fold, (train, test)) in validation.folds().enumerate() {
        let scaler = StandardScaler::fit(&Subset { data: &images, indices: train }).unwrap();
        let scaled: Vec<_> = images.iter().map(|image| scaler.transform(image)).collect();
        let mut rng = seeded(5 + fold as u64);
        let network = Net::new(&mut rng);
        let mut trainer = Trainer::<_, _, _, _, 104>::with_micro_batch(network, CrossEntropy, Adam::new(0.02), rng);
        let of = |indices| (Subset { data: &scaled, indices }, Subset { data: &classes, indices });
        let (x, y) = of(train);
        trainer.fit(&x, &y, &hyperparameters.fit, ()).unwrap();
        let right = test
            .iter()
            .filter(|&&index| {
                let [first, second] = trainer.network.predict_one(&scaled[index]);
                usize::from(second > first) == classes[index]
            })
            .count();
        assert_eq!(scores.folds[fold], right as f64 / test.len() as f64);
    }
    assert!(scores.mean() > 0.7, "{scores}");

    // A grid over architectures, and the network that it found, for unscaled images.
    let networks = networks![Net; (Flatten<Image<2, 6, 6>, 72>, Dense<72, 2, Softmax>)];
    let space = SearchSpace::new(hyperparameters).learning_rate([0.02, 0.0]);
    let table = validation.grid(&networks, &space).unwrap();
    assert_eq!(table.rows().len(), 4);
    let best = table.best().unwrap();
    let predict = validation.predictor(&networks, best).unwrap();
    let right = images.iter().zip(&classes).filter(|(image, class)| predict(image)[**class] > 0.5).count();
    assert!(right > 45, "{right}");
    let fitted = validation.fit::<Net, _>(&hyperparameters).unwrap();
    assert_eq!(fitted.predict_one(&images[0]), fitted.network.predict_one(&fitted.scaler.transform(&images[0])));
}

/// And sequences.
#[test]
fn searches_take_sequences() {
    type Recurrent = (Gru<1, 4>, Last, Dense<4, 2, Softmax>);
    let rng = &mut seeded(1);
    let sequences: Vec<[[f32; 1]; 5]> = (0..40).map(|_| [(); 5].map(|()| [number(rng)])).collect();
    let classes: Vec<usize> = sequences.iter().map(|steps| usize::from(steps[4][0] > 0.5)).collect();
    let validation =
        CrossValidation::stratified(&sequences, &classes, CrossEntropy, accuracy, &CrossValidationOptions::default());
    let hyperparameters = Hyperparameters {
        fit: FitOptions { epochs: 150, batch_size: 8, shuffle: true },
        no_improvement: None,
        ..Hyperparameters::new(Adam::new(0.03f32))
    };
    let scores = validation.unwrap().scores::<(Input<Sequence<5, 1>>, Recurrent), _>(&hyperparameters).unwrap();
    assert!(scores.mean() > 0.85, "{scores}");
}

/// In training a channel is zero as a whole, or none of it; the share of these is right; the choice does not depend on
/// the micro-batch.
#[test]
fn channels_are_dropped_as_a_whole() {
    type Layer = (Input<Image<50, 2, 3>>, Dropout2d<30>);
    const SAMPLES: usize = 40;
    let network = Layer::new(&mut seeded(4));
    let mut x = <Image<50, 2, 3> as tuplenet::model::Shape>::Batch::<f32, SAMPLES>::ZEROED;
    x.as_flattened_mut().as_flattened_mut().as_flattened_mut().fill(7.0);
    let mut workspace = Workspace::<Layer, SAMPLES>::new();
    let y = workspace.forward(&network, &x);
    let mut dropped = 0;
    for channel in y.iter() {
        for sample in 0..SAMPLES {
            let pixels: Vec<f32> = channel.as_flattened().iter().map(|pixel| pixel[sample]).collect();
            assert!(pixels.iter().all(|pixel| *pixel == pixels[0]), "{pixels:?}");
            assert!(pixels[0] == 0.0 || (pixels[0] - 10.0).abs() < 1e-5, "{pixels:?}");
            dropped += usize::from(pixels[0] == 0.0);
        }
    }
    // Five standard deviations of 2,000 choices.
    assert!((dropped as f64 - 600.0).abs() < 5.0 * (2000.0f64 * 0.3 * 0.7).sqrt(), "{dropped}");
    assert_eq!(network.predict_one(&[[[1.5; 3]; 2]; 50]), [[[1.5; 3]; 2]; 50]);

    let (images, classes) = images(20);
    let network = Net::new(&mut seeded(0));
    macro_rules! gradient {
        ($micro_batch:literal) => {{
            let mut gradient = Net::ZEROED;
            let mut workspace = Workspace::<Net, $micro_batch>::new();
            workspace.gradient(&network, &CrossEntropy, &images, &classes, &mut gradient).unwrap();
            gradient.0.weight
        }};
    }
    let whole = gradient!(32);
    for other in [gradient!(1), gradient!(7)] {
        let pairs = whole.as_flattened().as_flattened().as_flattened().iter();
        for (a, b) in pairs.zip(other.as_flattened().as_flattened().as_flattened()) {
            assert!((a - b).abs() < 1e-3 * a.abs().max(1.0), "{a}, {b}");
        }
    }
}

/// Weights, and what training needs, are constants; the table has a line for each layer.
#[test]
fn memory_and_summary_are_known() {
    const _: () = assert!(Net::PARAMETERS == 9 * 2 * 4 + 4 + 16 * 2 + 2);
    const _: () = assert!(Trainer::<Net, CrossEntropy, Adam, (), 1>::BYTES < 8 << 10);
    tuplenet::assert_fits!(Net, flash = 1024, ram = 4096);
    let table = Net::summary().to_string();
    for line in ["Conv2d<4, 3, Relu>", "Dropout2d<10>", "MaxPool<2>", "Image<4, 2, 2>", "Features<16>"] {
        assert!(table.contains(line) || line.contains('<'), "{table}");
    }
    assert_eq!(Net::summary().parameters(), Net::PARAMETERS);
    assert_eq!(Net::summary().macs(), Some(16 * 9 * 2 * 4 + 16 * 2));
}

/// What is wrong with images is said in words, and nothing is trained.
#[test]
fn bad_images_are_errors_in_words() {
    let (mut images, classes) = images(10);
    let network = Net::new(&mut seeded(0));
    let mut trainer = Trainer::new(network.clone(), CrossEntropy, Adam::new(0.01), seeded(1));
    images[7][1][2][3] = f32::NAN;
    let expected = "expected finite values, found an infinite one or NaN in sample 7, column 51";
    let error = trainer.fit(&images, &classes, &FitOptions::default(), ()).unwrap_err();
    assert_eq!(error.to_string(), "expected finite inputs, found NaN in sample 7, column 51 (epoch 0, batch 0)");
    assert!(trainer.network == network, "a failed run changes nothing");
    assert_eq!(StandardScaler::fit(&images).unwrap_err().to_string(), expected);
    assert_eq!(MinMaxScaler::fit(&images).unwrap_err(), Error::SampleNotFinite { sample: 7, column: 51 });
    let validation = CrossValidation::<_, _, _, _, _, 2>::stratified(
        &images,
        &classes,
        CrossEntropy,
        accuracy,
        &CrossValidationOptions::default(),
    );
    assert_eq!(validation.map(|_| ()).unwrap_err().to_string(), expected);
    let outputs = network.predict_one(&images[7]);
    assert!(outputs.iter().all(|value| value.is_nan()), "{outputs:?}");
    let mut outputs = vec![[0.0; 2]; 9];
    let error = network.predict_all(&images, &mut outputs).unwrap_err();
    assert_eq!(error.to_string(), "expected 10 outputs, one for each input, found 9");
}
