//! MNIST-1D (S. Greydanus, 2020): ten classes of curves, which are shifted, scaled and noisy, so that a classifier of their
//! 40 values as such fails. Convolutions find their parts wherever they are: a curve is an image of one row.
//!
//!     cargo run --release --example mnist1d

#[path = "common/mnist1d.rs"]
mod mnist1d;

use tuplenet::metrics::ConfusionMatrix;
use tuplenet::model::assert_shapes;
use tuplenet::prelude::*;

tuplenet::network! {
    /// Kernels, pools and paddings of a row are pairs.
    type Cnn = Image<1, 1, 40> =>
        Conv2d<32, (1, 5), Relu, 1, (0, 2)>, MaxPool<(1, 2)>, Conv2d<48, (1, 3), Relu, 1, (0, 1)>, MaxPool<(1, 2)>,
        Conv2d<64, (1, 3), Relu, 1, (0, 1)>, Flatten, Dropout<50>, Dense<10, Softmax>
}

const _: () = assert_shapes::<Cnn>();

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = mnist1d::read()?;
    let images = |curves: Vec<[f32; 40]>| curves.into_iter().map(|curve| [[curve]]).collect::<Vec<_>>();
    let (images, labels, test_images, test_labels) =
        (images(data.train.0), data.train.1, images(data.test.0), data.test.1);
    println!("{}\n", Cnn::summary());

    let mut trainer = Trainer::new(Cnn::new(&mut seeded(0)), CrossEntropy, Adam::new(1e-3), seeded(1));
    println!("epochs  learning rate  test accuracy");
    let mut epochs = 0;
    for (more, learning_rate) in [(10, 2e-3), (10, 1e-3), (10, 3e-4)] {
        trainer.optimizer.learning_rate = learning_rate;
        trainer.fit(&images, &labels, &FitOptions { epochs: more, batch_size: 64, shuffle: true }, ())?;
        epochs += more;
        let confusion = ConfusionMatrix::of(&trainer.network, &test_images, &test_labels)?;
        println!("{epochs:6}  {learning_rate:13}  {:13.3}", confusion.accuracy());
    }
    let confusion = ConfusionMatrix::of(&trainer.network, &test_images, &test_labels)?;
    println!("\n{confusion}\n\ntest accuracy {:.3}", confusion.accuracy());
    Ok(())
}
