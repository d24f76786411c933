//! [`Padded`]: sequences of unequal length, padded to the longest.

use super::Samples;
use crate::error::Error;
use crate::num::Real;

/// Sequences of unequal length, padded to `MAX` steps, and the number of steps of each. The padding has no effect, whatever its
/// values: not on outputs, [`Last`](crate::layers::Last) and means, not on a reversed sequence, not on losses and gradients.
///
/// The loss of a sequence with a target for each step is the mean over the steps that are there. Targets need no lengths:
/// those of the padding are not looked at.
///
/// Sequences of the same length that follow each other are computed together, one of another length alone; so training is
/// faster if the data are sorted by length and not shuffled, and needs no more memory if they are not.
///
/// # Shapes
///
/// `inputs`: samples of `[[T; N]; MAX]`. `lengths`: as many numbers from 1 to `MAX`.
///
/// PyTorch equivalent: `torch.nn.utils.rnn.pack_padded_sequence`; Keras equivalent: `Masking`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::{Padded, pad};
/// use tuplenet::layers::{Gru, Input, Last};
/// use tuplenet::prelude::*;
///
/// type Net = (Input<Sequence<5, 1>>, Gru<1, 4>, Last, Dense<4, 2, Softmax>);
/// let sequences: [&[[f32; 1]]; 2] = [&[[0.5], [0.1]], &[[-0.5], [0.3], [0.9], [0.2]]];
/// let inputs: [[[f32; 1]; 5]; 2] = [pad(sequences[0])?, pad(sequences[1])?];
/// let inputs = Padded { inputs: &inputs, lengths: &sequences.map(<[_]>::len) };
///
/// let mut trainer = Trainer::new(Net::new(&mut seeded(0)), CrossEntropy, Adam::new(0.01), seeded(1));
/// trainer.step(&inputs, &[0usize, 1])?;
///
/// let mut outputs = [[0.0; 2]; 2];
/// trainer.network.predict_all(&inputs, &mut outputs)?;
/// let mut state = trainer.network.state();
/// let [_, last] = [[0.5], [0.1]].map(|step| trainer.network.step(&mut state, &step));
/// assert!((outputs[0][1] - last[1]).abs() < 1e-6);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias("pack_padded_sequence", "PackedSequence", "Masking", "ragged"))]
pub struct Padded<'a, X: ?Sized> {
    /// The sequences, each padded to the same number of steps.
    pub inputs: &'a X,
    /// How many steps of each are there.
    pub lengths: &'a [usize],
}

// Not derived, which would ask for data that are `Copy`: a slice is not.
impl<X: ?Sized> Clone for Padded<'_, X> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X: ?Sized> Copy for Padded<'_, X> {}

impl<T: Real, X, const N: usize, const MAX: usize> Samples<T> for Padded<'_, X>
where
    X: Samples<T, Item = [[T; N]; MAX]> + ?Sized,
{
    type Item = [[T; N]; MAX];
    const WEIGHTED: bool = X::WEIGHTED;
    const PADDED: bool = true;

    #[inline(always)]
    fn count(&self) -> usize {
        self.inputs.count()
    }

    fn check(&self) -> Result<(), Error> {
        let (expected, found) = (self.inputs.count(), self.lengths.len());
        if expected != found {
            return Err(Error::Lengths { what: "lengths, one for each sequence", expected, found });
        }
        for (sample, &found) in self.lengths.iter().enumerate() {
            if found == 0 || found > MAX {
                return Err(Error::SequenceLength { sample, longest: MAX, found });
            }
        }
        self.inputs.check()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut [[T; N]; MAX]) {
        self.inputs.copy(index, to);
    }

    #[inline(always)]
    fn steps(&self, index: usize) -> usize {
        self.lengths.get(index).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        self.inputs.weight(index)
    }
}

/// A sequence, padded with zeros to `MAX` steps.
///
/// # Errors
///
/// [`Error::SequenceLength`] if it has no step or more than `MAX`.
///
/// # Examples
///
/// ```
/// use tuplenet::data::pad;
///
/// assert_eq!(pad::<f32, 1, 3>(&[[0.5], [0.1]])?, [[0.5], [0.1], [0.0]]);
/// assert_eq!(
///     pad::<f32, 1, 3>(&[[0.5]; 4]).unwrap_err().to_string(),
///     "sequence 0: expected between 1 and 3 steps, found 4"
/// );
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[doc(alias("pad_sequence", "pad_sequences"))]
pub fn pad<T: Real, const N: usize, const MAX: usize>(steps: &[[T; N]]) -> Result<[[T; N]; MAX], Error> {
    if steps.is_empty() || steps.len() > MAX {
        return Err(Error::SequenceLength { sample: 0, longest: MAX, found: steps.len() });
    }
    let mut padded = [[T::ZERO; N]; MAX];
    for (to, step) in padded.iter_mut().zip(steps) {
        *to = *step;
    }
    Ok(padded)
}
