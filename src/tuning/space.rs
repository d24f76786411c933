//! [`SearchSpace`]: the values that a search tries.

use super::Hyperparameters;
use crate::error::Error;
use crate::num::Real;
use crate::num::float::{exp, ln};
use crate::optimizer::Optimizer;
use crate::optimizer::schedule::AnySchedule;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Display};
use rand::Rng;

/// Search space: a set of hyperparameters, and values to try for some of its fields. A list of values can be searched
/// as a grid or at random, a distribution such as [`log_uniform`] only at random.
///
/// With [`vary`](Self::vary) any field can be varied. With [`or`](Self::or) two spaces become one: for example a grid
/// of learning rates for one optimizer, and another grid for another optimizer.
///
/// # Examples
///
/// ```
/// use tuplenet::optimizer::schedule::{Constant, ReduceOnPlateau};
/// use tuplenet::prelude::*;
/// use tuplenet::tuning::{Hyperparameters, SearchSpace, log_uniform};
///
/// let grid = SearchSpace::new(Hyperparameters::new(Adam::new(1e-3f32)))
///     .alpha([1e-4, 1e-3, 1e-2])
///     .schedule([Constant.into(), ReduceOnPlateau::new().into()]);
/// assert_eq!(grid.size(), Some(6));
///
/// let anywhere = SearchSpace::new(Hyperparameters::new(Adam::new(1e-3f32)))
///     .learning_rate(log_uniform(1e-4, 1e-1))
///     .batch_size([16, 32, 64]);
/// assert_eq!(anywhere.size(), None);
/// ```
///
#[doc(alias("param_grid", "ParameterGrid"))]
pub struct SearchSpace<'a, O> {
    parts: Vec<Subspace<'a, O>>,
}

/// All combinations of the values of some fields.
struct Subspace<'a, O> {
    start: Hyperparameters<O>,
    axes: Vec<Axis<'a, O>>,
}

/// The values of one field.
struct Axis<'a, O> {
    name: &'static str,
    /// The number of values; `None` for a distribution.
    count: Option<usize>,
    problem: Option<Error>,
    set: Box<Set<'a, O>>,
}

/// What each part begins with, and what it varies: the fields' names with the number of their values.
impl<O: fmt::Debug> fmt::Debug for SearchSpace<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.parts).finish()
    }
}

impl<O: fmt::Debug> fmt::Debug for Subspace<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subspace").field("start", &self.start).field("axes", &self.axes).finish()
    }
}

impl<O> fmt::Debug for Axis<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name).field("count", &self.count).finish_non_exhaustive()
    }
}

/// Sets a field of a set of hyperparameters, and returns the value as text.
type Set<'a, O> = dyn Fn(&mut Hyperparameters<O>, Choice) -> String + Send + Sync + 'a;

/// Chooses one of the values of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// The value at this index of a list.
    Index(usize),
    /// The quantile of a distribution: the value below which this fraction is, between 0 and 1.
    Quantile(f64),
}

/// Values to try: an array, a slice or a vector, or a distribution.
pub trait Values<V> {
    /// The number of values; `None` for a distribution.
    fn count(&self) -> Option<usize>;

    /// The value of this choice; `None` if the choice does not fit [`count`](Self::count).
    fn value(&self, choice: Choice) -> Option<V>;

    /// The error in the values of the field `name`, if there is one.
    fn problem(&self, name: &'static str) -> Option<Error> {
        (self.count() == Some(0)).then_some(Error::NoValues { name })
    }
}

fn at<V: Clone>(list: &[V], choice: Choice) -> Option<V> {
    match choice {
        Choice::Index(index) => list.get(index).cloned(),
        Choice::Quantile(_) => None,
    }
}

impl<V: Clone, const COUNT: usize> Values<V> for [V; COUNT] {
    fn count(&self) -> Option<usize> {
        Some(COUNT)
    }
    fn value(&self, choice: Choice) -> Option<V> {
        at(self, choice)
    }
}

impl<V: Clone> Values<V> for &[V] {
    fn count(&self) -> Option<usize> {
        Some(self.len())
    }
    fn value(&self, choice: Choice) -> Option<V> {
        at(self, choice)
    }
}

impl<V: Clone> Values<V> for Vec<V> {
    fn count(&self) -> Option<usize> {
        Some(self.len())
    }
    fn value(&self, choice: Choice) -> Option<V> {
        at(self, choice)
    }
}

/// Uniform or log-uniform distribution. Made by [`uniform`] and [`log_uniform`]; integers are rounded to the nearest.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(alias("loguniform", "LogUniform"))]
pub struct Uniform {
    low: f64,
    high: f64,
    by_logarithm: bool,
}

/// Uniform distribution: values between `low` and `high`, all equally likely. SciPy equivalent: `scipy.stats.uniform`.
#[must_use]
pub const fn uniform(low: f64, high: f64) -> Uniform {
    Uniform { low, high, by_logarithm: false }
}

/// Log-uniform distribution: values between `low` and `high`, each order of magnitude equally likely, for learning
/// rates and penalties. SciPy equivalent: `scipy.stats.loguniform`.
#[doc(alias("loguniform"))]
#[must_use]
pub const fn log_uniform(low: f64, high: f64) -> Uniform {
    Uniform { low, high, by_logarithm: true }
}

impl Values<f64> for Uniform {
    fn count(&self) -> Option<usize> {
        None
    }

    fn value(&self, choice: Choice) -> Option<f64> {
        let Choice::Quantile(fraction) = choice else { return None };
        let Uniform { low, high, by_logarithm } = *self;
        let value =
            if by_logarithm { exp(ln(low) + fraction * (ln(high) - ln(low))) } else { low + fraction * (high - low) };
        Some(value.clamp(low, high))
    }

    fn problem(&self, name: &'static str) -> Option<Error> {
        let Uniform { low, high, by_logarithm } = *self;
        let is_valid = low < high && low.is_finite() && high.is_finite() && (low > 0.0 || !by_logarithm);
        (!is_valid).then_some(Error::Bounds { name })
    }
}

impl Values<usize> for Uniform {
    fn count(&self) -> Option<usize> {
        None
    }

    fn value(&self, choice: Choice) -> Option<usize> {
        let value: Option<f64> = self.value(choice);
        value.map(|value| (value + 0.5) as usize)
    }

    fn problem(&self, name: &'static str) -> Option<Error> {
        Values::<f64>::problem(self, name)
    }
}

/// One of the sets of hyperparameters that a search tries.
pub(crate) struct Candidate<O> {
    pub hyperparameters: Hyperparameters<O>,
    pub parameters: Vec<(&'static str, String)>,
}

impl<'a, O: Optimizer + Clone + Send + Sync> SearchSpace<'a, O> {
    /// Creates a space of this one set of hyperparameters.
    #[must_use]
    pub fn new(start: Hyperparameters<O>) -> Self {
        SearchSpace { parts: vec![Subspace { start, axes: Vec::new() }] }
    }

    /// Tries these values in combination with all others: `set` sets the field of the hyperparameters, and the table
    /// shows
    /// the value under the name `name`.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{Hyperparameters, SearchSpace};
    ///
    /// let momentum = Sgd::new(0.1f32).momentum(0.9);
    /// let space = SearchSpace::new(Hyperparameters::new(momentum)).vary(
    ///     "momentum",
    ///     [0.5, 0.9],
    ///     |hyperparameters, momentum| {
    ///         hyperparameters.optimizer.momentum = momentum;
    ///     },
    /// );
    /// assert_eq!(space.size(), Some(2));
    /// ```
    #[must_use]
    pub fn vary<V: Display>(
        mut self,
        name: &'static str,
        values: impl Values<V> + Clone + Send + Sync + 'a,
        set: impl Fn(&mut Hyperparameters<O>, V) + Clone + Send + Sync + 'a,
    ) -> Self {
        for part in &mut self.parts {
            let (values, set) = (values.clone(), set.clone());
            part.axes.push(Axis {
                name,
                count: values.count(),
                problem: values.problem(name),
                set: Box::new(move |hyperparameters, choice| {
                    let Some(value) = values.value(choice) else { return String::new() };
                    let text = short(&value.to_string());
                    set(hyperparameters, value);
                    text
                }),
            });
        }
        self
    }

    /// Tries these optimizers, which are all of one type: [`AnyOptimizer`](crate::optimizer::AnyOptimizer), or one
    /// whose settings differ.
    #[must_use]
    pub fn optimizer(self, values: impl Values<O> + Clone + Send + Sync + 'a) -> Self
    where
        O: Display,
    {
        self.vary("optimizer", values, |hyperparameters, optimizer| hyperparameters.optimizer = optimizer)
    }

    /// Tries these learning rates.
    #[must_use]
    pub fn learning_rate(self, values: impl Values<f64> + Clone + Send + Sync + 'a) -> Self {
        self.vary("learning_rate", values, |hyperparameters, learning_rate| {
            hyperparameters.learning_rate = Some(learning_rate)
        })
    }

    /// Tries these factors of the L2 penalty as in scikit-learn, which are divided by the batch size.
    #[must_use]
    pub fn alpha(self, values: impl Values<f64> + Clone + Send + Sync + 'a) -> Self {
        self.vary("alpha", values, |hyperparameters, alpha| hyperparameters.alpha = alpha)
    }

    /// Tries these factors of the L1 penalty.
    #[must_use]
    pub fn l1(self, values: impl Values<f64> + Clone + Send + Sync + 'a) -> Self {
        self.vary("l1", values, |hyperparameters, lambda| hyperparameters.l1 = lambda)
    }

    /// Tries these factors of the L2 penalty.
    #[must_use]
    pub fn l2(self, values: impl Values<f64> + Clone + Send + Sync + 'a) -> Self {
        self.vary("l2", values, |hyperparameters, lambda| hyperparameters.l2 = lambda)
    }

    /// Tries these learning rate schedules.
    #[must_use]
    pub fn schedule(self, values: impl Values<AnySchedule> + Clone + Send + Sync + 'a) -> Self {
        self.vary("schedule", values, |hyperparameters, schedule| hyperparameters.schedule = schedule)
    }

    /// Tries these batch sizes.
    #[must_use]
    pub fn batch_size(self, values: impl Values<usize> + Clone + Send + Sync + 'a) -> Self {
        self.vary("batch", values, |hyperparameters, batch_size| hyperparameters.fit.batch_size = batch_size)
    }

    /// Tries each of these epoch counts.
    #[must_use]
    pub fn epochs(self, values: impl Values<usize> + Clone + Send + Sync + 'a) -> Self {
        self.vary("epochs", values, |hyperparameters, epochs| hyperparameters.fit.epochs = epochs)
    }

    /// Joins two spaces: the combinations of this one and those of another one.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::optimizer::AnyOptimizer;
    /// use tuplenet::prelude::*;
    /// use tuplenet::tuning::{Hyperparameters, SearchSpace};
    ///
    /// let with = |optimizer: AnyOptimizer| {
    ///     SearchSpace::new(Hyperparameters::new(optimizer.clone())).optimizer([optimizer])
    /// };
    /// let sgd = with(Sgd::new(0.1).nesterov(0.9).into()).learning_rate([0.1, 0.01]);
    /// let adam = with(Adam::new(0.1).into()).learning_rate([0.01, 0.003, 0.001]);
    /// assert_eq!(sgd.or(adam).size(), Some(5));
    /// ```
    #[must_use]
    pub fn or(mut self, mut other: Self) -> Self {
        self.parts.append(&mut other.parts);
        self
    }

    /// The number of combinations; `None` if a field has a distribution.
    #[must_use]
    pub fn size(&self) -> Option<usize> {
        self.parts.iter().map(Subspace::size).sum()
    }

    fn check(&self) -> Result<(), Error> {
        match self.parts.iter().flat_map(|part| &part.axes).find_map(|axis| axis.problem) {
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// Returns all combinations.
    pub(crate) fn grid(&self) -> Result<Vec<Candidate<O>>, Error> {
        self.check()?;
        let axes = self.parts.iter().flat_map(|part| &part.axes);
        if let Some(axis) = axes.into_iter().find(|axis| axis.count.is_none()) {
            return Err(Error::NotAList { name: axis.name });
        }
        Ok((0..self.size().unwrap_or(0)).map(|index| self.at(index)).collect())
    }

    /// The combination at the index `index` of the grid.
    pub(crate) fn at(&self, mut index: usize) -> Candidate<O> {
        let mut chosen = &self.parts[0];
        for part in &self.parts {
            chosen = part;
            let size = part.size().unwrap_or(0);
            if index < size {
                break;
            }
            index -= size;
        }
        // The last axis varies fastest.
        let mut rest = chosen.size().unwrap_or(1);
        chosen.choose(|axis| {
            rest /= axis.count.unwrap_or(1);
            let value = index / rest;
            index %= rest;
            Choice::Index(value)
        })
    }

    /// Returns a random combination.
    pub(crate) fn draw(&self, rng: &mut impl Rng) -> Result<Candidate<O>, Error> {
        self.check()?;
        let part = &self.parts[below(self.parts.len(), rng)];
        Ok(part.choose(|axis| match axis.count {
            Some(count) => Choice::Index(below(count, rng)),
            None => Choice::Quantile(f64::from_random_bits(rng.next_u64())),
        }))
    }
}

impl<O: Optimizer + Clone> Subspace<'_, O> {
    fn size(&self) -> Option<usize> {
        self.axes.iter().map(|axis| axis.count).product()
    }

    fn choose(&self, mut choice: impl FnMut(&Axis<O>) -> Choice) -> Candidate<O> {
        let mut hyperparameters = self.start.clone();
        let mut parameters = Vec::new();
        for axis in &self.axes {
            let text = (axis.set)(&mut hyperparameters, choice(axis));
            parameters.push((axis.name, text));
        }
        Candidate { hyperparameters, parameters }
    }
}

/// A random integer below `count`, uniformly distributed.
pub(crate) fn below(count: usize, rng: &mut impl Rng) -> usize {
    ((u128::from(rng.next_u64()) * count as u128) >> 64) as usize
}

/// Shortens `text` to three significant digits if it is a number with more; returns other texts unchanged.
fn short(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(0.0) => "0".into(),
        Ok(number) if (text.contains('.') || number.abs() >= 1e15) && number.is_finite() => {
            let rounded = format!("{number:.2e}");
            let (mantissa, exponent) = rounded.split_once('e').unwrap_or((&rounded, "0"));
            let exponent: i32 = exponent.parse().unwrap_or(0);
            if (-4..6).contains(&exponent) {
                let decimals = (2 - exponent).max(0) as usize;
                let text = format!("{number:.decimals$}");
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').into(),
                    false => text,
                }
            } else {
                format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
            }
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shortened() {
        for (number, right) in [
            (0.001, "0.001"),
            (1e-4, "0.0001"),
            (1.234567e-3, "0.00123"),
            (0.999999, "1"),
            (12.5, "12.5"),
            (1e30, "1e30"),
            (1e-7, "1e-7"),
            (3.14159e-9, "3.14e-9"),
            (-0.25, "-0.25"),
            (0.0, "0"),
        ] {
            assert_eq!(short(&number.to_string()), right);
        }
        assert_eq!(["200", "1e3", "adam", "a.b"].map(short), ["200", "1e3", "adam", "a.b"]);
    }
}
