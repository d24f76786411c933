//! Values near the ends of the range have the same outcome on every instruction set: an approximation of a reciprocal root,
//! as AVX-512 has one, must not make NaN of what is infinite elsewhere.

use crate::activation::{Identity, Tanh};
use crate::error::Error;
use crate::layers::{BatchNorm, Dense, LayerNorm};
use crate::loss::MeanSquaredError;
use crate::model::{Network, Zeroed, fill, is_finite};
use crate::num::Real;
use crate::num::dispatch::tests::{force, levels};
use crate::num::random::seeded;
use crate::optimizer::{Adagrad, Adam, AdamW, AnyOptimizer, Optimizer, RmsProp};
use crate::train::{FitOptions, Trainer};
use num_traits::float::FloatCore;
extern crate std;
use std::fmt::Debug;
use std::string::{String, ToString};
use std::vec::Vec;

/// Fails unless `outcome` is the same on every level that this CPU has.
fn same_on_every_level<R: PartialEq + Debug>(what: &str, outcome: impl Fn() -> R) {
    let outcomes: Vec<_> = levels()
        .into_iter()
        .map(|level| {
            force(level);
            (level, outcome())
        })
        .collect();
    for (level, outcome) in &outcomes {
        assert_eq!(*outcome, outcomes[0].1, "{what} on {level:?}, not as on {:?}", outcomes[0].0);
    }
}

fn optimizers<T: Real>() -> [AnyOptimizer<T>; 4] {
    let rate = T::of(0.01);
    [Adam::new(rate).into(), AdamW::new(rate).into(), RmsProp::new(rate).into(), Adagrad::new(rate).into()]
}

/// What came of training with one huge input among others: the kind of each error, and whether the network is still as it
/// was, and finite.
fn with_one_huge_input<T: Real>(optimizer: AnyOptimizer<T>, huge: T) -> (Vec<String>, bool, bool, bool) {
    type Net<T> = (Dense<9, 17, Tanh, T>, LayerNorm<17, T>, Dense<17, 3, Identity, T>);
    let name = |result: Result<T, Error>| match result {
        Ok(_) => "Ok".to_string(),
        Err(error) => error.to_string().chars().take_while(|letter| !letter.is_ascii_digit()).collect(),
    };
    let mut trainer = Trainer::new(Net::<T>::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1));
    let good = ([[T::of(0.5); 9]; 5], [[T::of(0.25); 3]; 5]);
    trainer.step(&good.0, &good.1).unwrap();
    let before = trainer.network.clone();
    let mut bad = good.0;
    bad[3][7] = huge;
    let errors = [
        trainer.step(&bad, &good.1),
        trainer.step_one(&bad[3], &good.1[3]),
        trainer.epoch(&bad, &good.1, 2),
        trainer.fit(&bad, &good.1, &FitOptions::default(), ()).map(|report| report.loss),
    ]
    .map(name)
    .to_vec();
    let unchanged = trainer.network == before;
    let goes_on = trainer.step(&good.0, &good.1).is_ok();
    (errors, unchanged, goes_on, is_finite(&trainer.network))
}

#[test]
fn a_huge_input() {
    for exponent in [3, 8, 10, 12, 15, 18, 19, 20, 25, 30, 38] {
        let huge = 10f64.powi(exponent);
        for optimizer in optimizers::<f32>() {
            same_on_every_level(&std::format!("{optimizer}, 1e{exponent}"), || {
                with_one_huge_input(optimizer, huge as f32)
            });
        }
    }
    for exponent in [10, 100, 153, 154, 155, 200, 300] {
        for optimizer in optimizers::<f64>() {
            let huge = 10f64.powi(exponent);
            same_on_every_level(&std::format!("{optimizer}, 1e{exponent}"), || with_one_huge_input(optimizer, huge));
        }
    }
}

/// Steps by hand, with a gradient of any size: which parameters are finite afterwards, and which have changed.
#[test]
fn a_gradient_of_any_size() {
    type Net = Dense<9, 17, Identity>;
    for optimizer in optimizers::<f32>() {
        for exponent in -45..=38 {
            let size = 10f64.powi(exponent) as f32;
            same_on_every_level(&std::format!("{optimizer}, a gradient of 1e{exponent}"), || {
                let (mut network, mut state) = (Net::new(&mut seeded(0)), Zeroed::ZEROED);
                let before = network.clone();
                let mut gradient = Net::ZEROED;
                for _ in 0..3 {
                    fill(&mut gradient, size);
                    optimizer.step(&mut network, &mut gradient, &mut state);
                }
                let pairs = network.weight.iter().chain(&network.bias).zip(before.weight.iter().chain(&before.bias));
                pairs.map(|(now, before)| (FloatCore::is_finite(*now), now == before)).collect::<Vec<_>>()
            });
        }
    }
}

#[test]
fn statistics_of_any_size() {
    type Net = (BatchNorm<9>, Dense<9, 17, Identity>);
    for exponent in -45..=38 {
        let size = 10f64.powi(exponent) as f32;
        same_on_every_level(&std::format!("batch normalization of 1e{exponent}"), || {
            let optimizer = Adam::new(0.01);
            let mut trainer = Trainer::new(Net::new(&mut seeded(0)), MeanSquaredError, optimizer, seeded(1));
            let outcome = trainer.step(&[[size; 9], [-size; 9], [0.5; 9]], &[[0.5; 17]; 3]);
            let variance = trainer.network.0.running_variance;
            (outcome.is_ok(), is_finite(&trainer.network), variance.iter().all(|&v| FloatCore::is_finite(v)))
        });
    }
}
