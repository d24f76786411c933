//! Scalers folded into a network's first layer.

use super::Dense;
use crate::data::{Line, MinMaxScaler, StandardScaler};
use crate::num::Real;

/// `W (x - origin) / unit + b`, as a layer for `x`.
fn folded<T: Real, A, const N: usize, const OUT: usize>(
    line: &Line<T, N>,
    mut first: Dense<N, OUT, A, T>,
) -> Dense<N, OUT, A, T> {
    for column in 0..N {
        for row in 0..OUT {
            first.weight[(row, column)] /= line.unit[column];
            first.bias[row] -= first.weight[(row, column)] * line.origin[column];
        }
    }
    first
}

impl<T: Real, const N: usize> StandardScaler<T, N> {
    /// Folds the scaler into the first layer of a network that was trained on scaled samples. The new layer takes
    /// unscaled samples.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::data::StandardScaler;
    /// use tuplenet::prelude::*;
    ///
    /// let scaler = StandardScaler::fit(&[[1000.0, 0.1], [3000.0, 0.3]])?;
    /// let (first, last) = <(Dense<2, 8, Tanh, f64>, Dense<8, 1, Identity, f64>)>::new(&mut seeded(0));
    /// let [before] = (first.clone(), last.clone()).predict_one(&scaler.transform(&[1500.0, 0.2]));
    /// let [after] = (scaler.fold(first), last).predict_one(&[1500.0, 0.2]);
    /// assert!((before - after).abs() < 1e-12);
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[must_use]
    pub fn fold<const OUT: usize, A>(&self, first: Dense<N, OUT, A, T>) -> Dense<N, OUT, A, T> {
        folded(&self.0, first)
    }
}

impl<T: Real, const N: usize> MinMaxScaler<T, N> {
    /// Folds the scaler into the first layer of a network that was trained on scaled samples. The new layer takes
    /// unscaled samples.
    ///
    /// # Examples
    ///
    /// ```
    /// use tuplenet::data::MinMaxScaler;
    /// use tuplenet::prelude::*;
    ///
    /// let scaler = MinMaxScaler::fit(&[[2.0], [6.0]])?;
    /// let network = Dense::<1, 1, Identity>::from_rows([[8.0]], [1.0]);
    /// assert_eq!(scaler.fold(network.clone()).predict_one(&[5.0]), network.predict_one(&[0.75]));
    /// # Ok::<(), tuplenet::Error>(())
    /// ```
    #[must_use]
    pub fn fold<const OUT: usize, A>(&self, first: Dense<N, OUT, A, T>) -> Dense<N, OUT, A, T> {
        folded(&self.0, first)
    }
}
