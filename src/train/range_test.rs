//! [`Trainer::range_test`]: finds the first learning rate.

use crate::data::{Inputs, Permutation};
use crate::error::Error;
use crate::loss::Targets;
use crate::model::{LastActivation, Trainable};
use crate::num::Real;
use crate::num::float::{exp, ln};
use crate::optimizer::Optimizer;
use crate::train::Trainer;
use crate::train::batch::BatchView;
use crate::train::executor::SingleThread;
use core::ops::RangeInclusive;
use rand::Rng;

impl<N, L, O, R, const B: usize> Trainer<N, L, O, R, B>
where
    N: Trainable,
    O: Optimizer<Scalar = N::Scalar>,
    R: Rng,
{
    /// Learning rate range test: takes one step for each element of `curve`, each with a larger learning rate, from the
    /// lowest to the highest of `learning_rates` by a constant factor. It fills `curve` with pairs of the learning rate
    /// and the mean loss of the batch before the step. Returns the number of pairs: the test ends early when the loss
    /// is not finite any more. (L. Smith, "Cyclical learning rates for training neural networks", 2017.)
    ///
    /// A good learning rate is where the loss falls fastest, well below the one where it begins to rise. The test
    /// consumes the trainer; give it a copy of the network.
    ///
    /// # Shapes
    ///
    /// `inputs`: any number of samples of `[T; IN]`; `targets`: as many targets of the kind that the loss takes.
    ///
    /// # Errors
    ///
    /// If `learning_rates` does not begin above zero and end at a larger finite value, if the batch size is zero, and
    /// as for [`step`](Self::step), except for a loss or a gradient that is not finite after the first step.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    ///
    /// let inputs: Vec<[f32; 1]> = (0..100).map(|i| [i as f32 / 50.0 - 1.0]).collect();
    /// let targets: Vec<[f32; 1]> = inputs.iter().map(|[x]| [x * x]).collect();
    /// let network = <(Dense<1, 8, Tanh>, Dense<8, 1, Identity>)>::new(&mut seeded(0));
    ///
    /// let mut curve = [(0.0, 0.0); 60];
    /// let tester = Trainer::new(network.clone(), MeanSquaredError, Sgd::new(0.0), seeded(1));
    /// let count = tester.range_test(&inputs, &targets, 10, 1e-3..=1e4, &mut curve)?;
    /// assert!(count > 20 && count < 60);
    /// let (best, _) = curve[..count].iter().fold((0.0, f32::INFINITY), |a, b| if b.1 < a.1 { *b } else { a });
    /// assert!(0.01 < best && best < 10.0, "{best}");
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[doc(alias("LRFinder", "lr_find"))]
    pub fn range_test<X, Y>(
        mut self,
        inputs: &X,
        targets: &Y,
        batch_size: usize,
        learning_rates: RangeInclusive<N::Scalar>,
        curve: &mut [(N::Scalar, N::Scalar)],
    ) -> Result<usize, Error>
    where
        X: Inputs<N::Scalar, N::In> + ?Sized,
        Y: Targets<N::Scalar, L, LastActivation<N>, N::Out> + ?Sized,
    {
        let samples = self.check(inputs, targets, batch_size)?;
        let [low, high] = [learning_rates.start(), learning_rates.end()].map(|learning_rate| learning_rate.exact());
        if !(low > 0.0 && high > low && high.is_finite()) {
            return Err(Error::LearningRates);
        }
        let (first_log, last_log) = (ln(low), ln(high));
        let last = curve.len().saturating_sub(1);

        let mut order = Permutation::new(samples, &mut self.rng);
        let mut first = 0;
        for (step, point) in curve.iter_mut().enumerate() {
            if first >= samples {
                (order, first) = (Permutation::new(samples, &mut self.rng), 0);
            }
            let count = batch_size.min(samples - first);
            self.optimizer.set_learning_rate(match step {
                0 => *learning_rates.start(),
                step if step == last => *learning_rates.end(),
                step => N::Scalar::of(exp(first_log + (last_log - first_log) * (step as f64 / last as f64))),
            });
            // The learning rate of the step, which a schedule may change.
            let learning_rate = self.optimizer.learning_rate();
            let range = first..first + count;
            let view =
                BatchView { inputs, targets, order: &order, range, epoch: self.epochs, batch: 0, training: true };
            match self.step_by(&mut SingleThread, view) {
                Ok(loss) => *point = (learning_rate, loss),
                Err(Error::LossNotFinite { .. } | Error::WeightNotFinite | Error::GradientTooLarge { .. })
                    if step > 0 =>
                {
                    return Ok(step);
                }
                Err(error) => return Err(error),
            }
            first += count;
        }
        Ok(curve.len())
    }
}
