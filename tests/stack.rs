//! Large networks are made, trained and asked on threads with little stack.

#![cfg(feature = "std")]

use tuplenet::prelude::*;

type Mnist = (Dense<784, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Softmax>);

/// Kilobytes. The network has 428, its trainer 1900. An unoptimized build gives every inlined call room of its own.
const STACK: usize = if cfg!(debug_assertions) { 1536 } else { 256 };

/// Runs `work` on a thread with so many kilobytes of stack; more than those would end the test with a signal.
fn within<R: Send>(kilobytes: usize, work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(kilobytes * 1024).spawn_scoped(scope, work).unwrap();
        thread.join().unwrap()
    })
}

#[test]
fn a_boxed_network_is_the_same() {
    let network = within(64, || <Dense<784, 128, Relu>>::boxed(&mut seeded(7)));
    assert!(*network == Dense::new(&mut seeded(7)));
    let small = within(64, || <Dense<2, 3, Relu>>::boxed(&mut seeded(7)));
    assert!(*small == Dense::new(&mut seeded(7)));
}

#[test]
fn a_boxed_trainer_is_made_with_little_stack() {
    let trainer = within(64, || {
        let network = Mnist::boxed(&mut seeded(0));
        Trainer::boxed(network, CrossEntropy, Adam::new(1e-3), seeded(1))
    });
    assert!(size_of_val(&*trainer) > 1_800_000);
    assert!(trainer.network.2 == Mnist::boxed(&mut seeded(0)).2);
}

#[test]
fn a_large_network_learns_with_little_stack() {
    let classes: Vec<u8> = (0..40).map(|sample| sample % 10).collect();
    let mut inputs = vec![[0.0; 784]; classes.len()];
    for (input, &class) in inputs.iter_mut().zip(&classes) {
        input[usize::from(class) * 70..][..100].fill(1.0);
    }
    let mut outputs = vec![[0.0; 10]; classes.len()];
    within(STACK, || {
        let network = Mnist::boxed(&mut seeded(0));
        let mut trainer = Trainer::boxed(network, CrossEntropy, Adam::new(1e-3), seeded(1));
        let before = trainer.evaluate(&inputs, &classes).unwrap();
        trainer.step(&inputs, &classes).unwrap();
        trainer.fit(&inputs, &classes, &FitOptions::default(), ()).unwrap();
        assert!(trainer.evaluate(&inputs, &classes).unwrap() < before);
        trainer.network.predict_all(&inputs, &mut outputs).unwrap();
        assert_eq!(trainer.network.predict_one(&inputs[3]).len(), 10);
    });
}

/// What `assert_fits!` takes for enough is enough, in a build that is not optimized too.
#[test]
fn a_network_that_fits_a_stack_is_trained_on_it() {
    type Fits = (Dense<64, 128, Relu>, Dense<128, 64, Relu>, Dense<64, 10, Softmax>);
    const KILOBYTES: usize = 1200;
    tuplenet::assert_fits!(Fits, stack = KILOBYTES * 1024);
    within(KILOBYTES, || {
        let mut trainer = Trainer::new(Fits::new(&mut seeded(0)), CrossEntropy, Adam::new(1e-3), seeded(1));
        let (inputs, targets) = (vec![[0.5; 64]; 40], vec![1u8; 40]);
        trainer.fit(&inputs, &targets, &FitOptions::default(), ()).unwrap();
        assert!(trainer.evaluate(&inputs, &targets).unwrap().is_finite());
    });
}
