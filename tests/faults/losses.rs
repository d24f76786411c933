//! Losses, last activations, targets.

use core::ops::ControlFlow;
use tuplenet::Error;
use tuplenet::activation::{FromInput, NoActivation};
use tuplenet::error::{Found, TargetError};
use tuplenet::layers::{BatchNorm, Dropout, LayerNorm, Residual};
use tuplenet::loss::{Distribution, Loss, Probabilities};
use tuplenet::model::{InputShape, Model, Params, Pass, Visit, Visitor, VisitorMut, Zeroed};
use tuplenet::prelude::*;
use tuplenet::simd::*;

/// A layer that changes nothing and ends with `A`.
struct Same<const N: usize, A>(core::marker::PhantomData<A>);

impl<const N: usize, A> Zeroed for Same<N, A> {
    const ZEROED: Self = Same(core::marker::PhantomData);
}

impl<const N: usize, A> Params for Same<N, A> {
    const PARAMETERS: usize = 0;
}

impl<const N: usize, A> Visit<f32> for Same<N, A> {
    fn visit(&self, _: &mut impl Visitor<f32>) {}
    fn visit_mut<const OTHERS: usize>(&mut self, _: [&mut Self; OTHERS], _: &mut impl VisitorMut<f32, OTHERS>) {}
}

impl<const N: usize, A> InputShape for Same<N, A> {
    type In = Features<N>;
    type Scalar = f32;
}

impl<const N: usize, A: Activation> Model<Features<N>, f32> for Same<N, A> {
    type Out = Features<N>;

    fn infer<S: Simd, const B: usize>(&self, _: Pass<S, B>, x: &SMatrix<f32, N, B>, y: &mut SMatrix<f32, N, B>) {
        y.clone_from(x);
    }
}

impl<const N: usize, A: Activation> Layer<Features<N>, f32> for Same<N, A> {
    type Cache<const B: usize> = ();
    type LastActivation = A;

    fn backward<S: Simd, const B: usize>(
        &self,
        _: Pass<S, B>,
        _: (&SMatrix<f32, N, B>, &SMatrix<f32, N, B>),
        (): &mut (),
        dy: &mut SMatrix<f32, N, B>,
        _: &mut Self,
        dx: Option<&mut SMatrix<f32, N, B>>,
    ) {
        if let Some(dx) = dx {
            dx.clone_from(dy);
        }
    }
}

/// The loss and the gradient of the first layer, of `$loss` after `$first` and then `$behind`.
macro_rules! loss_and_gradient {
    ($loss:expr, $first:expr, $behind:ty, $inputs:expr, $targets:expr) => {{
        let network = ($first, <$behind>::ZEROED);
        let mut gradient = Zeroed::ZEROED;
        let mut workspace = Workspace::<_, 4>::new();
        let loss = workspace.gradient(&network, &$loss, $inputs, $targets, &mut gradient).unwrap();
        assert_eq!(workspace.loss(&network, &$loss, $inputs, $targets), Ok(loss));
        (loss, gradient.0)
    }};
}

/// The same for the first layer alone.
macro_rules! alone {
    ($loss:expr, $network:expr, $inputs:expr, $targets:expr) => {{
        let mut gradient = Zeroed::ZEROED;
        let loss = Workspace::<_, 4>::new().gradient(&$network, &$loss, $inputs, $targets, &mut gradient).unwrap();
        (loss, gradient)
    }};
}

fn close<const IN: usize, const OUT: usize, A>(a: (f32, Dense<IN, OUT, A>), b: (f32, Dense<IN, OUT, A>)) {
    assert!((a.0 - b.0).abs() < 1e-5, "{} and {}", a.0, b.0);
    let both = a.1.weight.iter().chain(&a.1.bias).zip(b.1.weight.iter().chain(&b.1.bias));
    for (a, b) in both {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn a_layer_without_an_activation_leaves_the_binary_cross_entropy_of_probabilities_as_it_is() {
    let dense = || Dense::<1, 1, Sigmoid>::from_rows([[2.0]], [0.0]);
    let (inputs, targets) = ([[1.0], [-0.3], [0.1]], [[1.0], [0.0], [1.0]]);
    // 0.8808 is the output, and -ln(0.8808) the loss.
    let (loss, _) = alone!(BinaryCrossEntropy, dense(), &inputs[..1], &targets[..1]);
    assert!((loss - 0.126_928).abs() < 1e-6);
    let right = || alone!(BinaryCrossEntropy, dense(), &inputs, &targets);
    close(loss_and_gradient!(BinaryCrossEntropy, dense(), Dropout<0>, &inputs, &targets), right());
    close(loss_and_gradient!(BinaryCrossEntropy, dense(), Same<1, NoActivation>, &inputs, &targets), right());
    close(loss_and_gradient!(BinaryCrossEntropy, dense(), (Dropout<0>, Dropout<0>), &inputs, &targets), right());
    let classes = [true, false, true];
    close(loss_and_gradient!(BinaryCrossEntropy, dense(), Dropout<0>, &inputs, &classes), right());
}

#[test]
fn a_layer_without_an_activation_leaves_the_cross_entropy_of_probabilities_as_it_is() {
    let dense = || Dense::<1, 3, Softmax>::from_rows([[2.0], [0.5], [-1.0]], [0.0, 0.3, 0.1]);
    let (inputs, classes) = ([[1.0], [-0.3], [0.1]], [1usize, 0, 2]);
    let distributions = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
    let right = || alone!(CrossEntropy, dense(), &inputs, &classes);
    close(loss_and_gradient!(CrossEntropy, dense(), Dropout<0>, &inputs, &classes), right());
    close(loss_and_gradient!(CrossEntropy, dense(), Dropout<0>, &inputs, &distributions), right());
    close(loss_and_gradient!(CrossEntropy, dense(), Same<3, NoActivation>, &inputs, &classes), right());
    close(loss_and_gradient!(CrossEntropy, dense(), Same<3, NoActivation>, &inputs, &distributions), right());
}

#[test]
fn only_a_network_that_says_so_ends_with_logits() {
    let inputs = [[1.0], [-0.3], [0.1]];
    // Dense and Identity say so, also where the activation stands alone or a layer of the user's names it.
    let sigmoid =
        alone!(BinaryCrossEntropy, Dense::<1, 1, Sigmoid>::from_rows([[2.0]], [0.1]), &inputs, &[1u8, 0, 1]).0;
    let logit = || Dense::<1, 1, Identity>::from_rows([[2.0]], [0.1]);
    let loss = |found: (f32, Dense<1, 1, Identity>)| assert!((found.0 - sigmoid).abs() < 1e-6);
    loss(alone!(BinaryCrossEntropy, logit(), &inputs, &[1u8, 0, 1]));
    loss(loss_and_gradient!(BinaryCrossEntropy, logit(), Identity, &inputs, &[1u8, 0, 1]));
    loss(loss_and_gradient!(BinaryCrossEntropy, logit(), Sigmoid, &inputs, &[1u8, 0, 1]));
    loss(loss_and_gradient!(BinaryCrossEntropy, logit(), Same<1, Identity>, &inputs, &[1u8, 0, 1]));

    let softmax = Dense::<1, 2, Softmax>::from_rows([[2.0], [1.0]], [0.1, 0.0]);
    let softmax = alone!(CrossEntropy, softmax, &inputs, &[1u8, 0, 1]).0;
    let logits = || Dense::<1, 2, Identity>::from_rows([[2.0], [1.0]], [0.1, 0.0]);
    let loss = |found: (f32, Dense<1, 2, Identity>)| assert!((found.0 - softmax).abs() < 1e-6);
    loss(alone!(CrossEntropy, logits(), &inputs, &[1u8, 0, 1]));
    loss(loss_and_gradient!(CrossEntropy, logits(), Identity, &inputs, &[1u8, 0, 1]));
    loss(loss_and_gradient!(CrossEntropy, logits(), Softmax, &inputs, &[1u8, 0, 1]));
    loss(loss_and_gradient!(CrossEntropy, logits(), Same<2, Identity>, &inputs, &[1u8, 0, 1]));
}

#[test]
fn normalized_outputs_are_logits_where_an_activation_says_so() {
    // With a softmax behind the normalization, or told that these are logits, the loss is the same.
    macro_rules! check {
        ($layer:ty) => {{
            let mut network = <(Dense<2, 3, Tanh>, $layer, Softmax)>::new(&mut seeded(0));
            network.0.bias = SVector::from([0.1, -0.2, 0.3]);
            let (dense, layer, _) = network.clone();
            let logits = (dense, layer, Identity);
            let (inputs, classes) = ([[0.5, -1.0], [1.0, 0.3], [-0.7, 0.1]], [0usize, 2, 1]);
            let loss = Workspace::<_, 4>::new().loss(&network, &CrossEntropy, &inputs, &classes).unwrap();
            assert!(0.5 < loss && loss < 3.0, "{loss}");
            assert_eq!(Workspace::<_, 4>::new().loss(&logits, &CrossEntropy, &inputs, &classes), Ok(loss));
        }};
    }
    check!(LayerNorm<3>);
    check!(BatchNorm<3>);
    check!(Residual<Dense<3, 3, Tanh>>);
}

#[test]
fn an_activation_of_the_users_says_that_it_gives_probabilities() {
    /// A logistic function of twice the input.
    struct Steep;
    impl Activation for Steep {
        type DerivativeFrom = FromInput;
        type Init = tuplenet::init::GlorotUniform;
        fn value<S: Simd, T: Real>(simd: S, x: Lanes<S, T>) -> Lanes<S, T> {
            tuplenet::num::math::sigmoid::<S, T>(simd, x + x)
        }
        fn derivative<S: Simd, T: Real>(_: S, _: Lanes<S, T>, y: Lanes<S, T>) -> Lanes<S, T> {
            (y - y * y) * T::of(2.0)
        }
    }
    impl Probabilities for Steep {}
    impl Distribution for Steep {}

    let (inputs, targets) = ([[1.0], [-0.3]], [[1.0], [0.0]]);
    let right = alone!(BinaryCrossEntropy, Dense::<1, 1, Sigmoid>::from_rows([[2.0]], [0.2]), &inputs, &targets).0;
    let found = alone!(BinaryCrossEntropy, Dense::<1, 1, Steep>::from_rows([[1.0]], [0.1]), &inputs, &targets).0;
    assert!((found - right).abs() < 1e-6);
    let pair = Dense::<1, 2, Steep>::from_rows([[1.0], [-1.0]], [0.1, -0.1]);
    let found = alone!(CrossEntropy, pair, &inputs, &[0u8, 1]).0;
    assert!((found - right).abs() < 1e-6);
}

#[test]
fn targets_that_are_no_distribution_are_refused() {
    macro_rules! check {
        ($t:ty) => {{
            let network = Dense::<1, 3, Softmax, $t>::new(&mut seeded(0));
            let mut trainer = Trainer::new(network.clone(), CrossEntropy, Sgd::new(0.1), seeded(1));
            let inputs: [[$t; 1]; 3] = [[0.5], [1.0], [-1.0]];
            for (bad, sum, message) in [
                ([1.0, 1.0, 0.0], 2.0, "2"),
                ([0.0, 0.0, 0.0], 0.0, "0"),
                ([1.0, 1.0, 1.0], 3.0, "3"),
                ([0.5, 0.25, 0.125], 0.875, "0.875"),
                ([0.5, 0.5, 0.0625], 1.0625, "1.0625"),
            ] {
                let targets: [[$t; 3]; 3] = [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5], bad];
                let problem = TargetError::Sum { found: Found::value::<$t>(sum) };
                let error = Error::Target { sample: 2, problem };
                assert_eq!(trainer.step(&inputs, &targets), Err(error));
                assert_eq!(trainer.evaluate(&inputs, &targets), Err(error));
                assert_eq!(trainer.step_one(&inputs[0], &bad), Err(Error::Target { sample: 0, problem }));
                let expected =
                    format!("target of sample 2: expected probabilities that add up to 1, found a sum of {message}");
                assert_eq!(error.to_string(), expected);
                assert!(trainer.network == network);
            }
            // One-hot, smoothed, and rounded to three decimals.
            for good in [[0.0, 1.0, 0.0], [0.05, 0.05, 0.9], [0.333, 0.333, 0.333], [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]] {
                assert!(trainer.step(&inputs, &[good; 3]).is_ok(), "{good:?}");
            }
        }};
    }
    check!(f32);
    check!(f64);
}

#[test]
fn a_smoothed_target_of_very_many_classes_is_a_distribution() {
    const CLASSES: usize = 20_000;
    fn check<T: Real>(smoothing: f64) {
        let mut target = [T::of(smoothing / CLASSES as f64); CLASSES];
        target[3] += T::of(1.0 - smoothing);
        assert_eq!(Loss::<T, [T; CLASSES], Softmax, CLASSES>::check(&CrossEntropy, &target), Ok(()));
        target[3] += T::of(0.05);
        assert!(Loss::<T, [T; CLASSES], Softmax, CLASSES>::check(&CrossEntropy, &target).is_err());
    }
    for smoothing in [0.1, 0.3, 0.9] {
        check::<f32>(smoothing);
        check::<f64>(smoothing);
    }
}

#[test]
fn a_function_that_returns_nothing_observes() {
    let network = <Dense<1, 1, Identity>>::new(&mut seeded(0));
    let mut trainer = Trainer::new(network, MeanSquaredError, Sgd::new(0.1), seeded(1));
    let fit = FitOptions { epochs: 5, ..FitOptions::default() };
    let mut losses = Vec::new();
    let outcome = trainer.fit(&[[1.0]], &[[2.0]], &fit, |epoch: &EpochReport<_>| losses.push(epoch.loss)).unwrap();
    assert_eq!((losses.len(), losses[4]), (5, outcome.loss));

    // Together with one that may stop.
    let mut count = 0;
    let stop =
        |epoch: &EpochReport<_>| if epoch.number == 6 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let outcome = trainer.fit(&[[1.0]], &[[2.0]], &fit, (|_: &EpochReport<_>| count += 1, stop)).unwrap();
    assert_eq!((outcome.epochs, count), (2, 2));
}
