//! [`Share`]: the samples of a data set that one rank of many has.

use super::Samples;
use crate::error::Error;
use crate::num::Real;
use core::ops::Range;

/// How many blocks a data set is divided into that is shared among ranks, and so the largest number of ranks that have a
/// part of it.
pub const BLOCKS: usize = 32;

/// The samples of a block: contiguous, and as many as in any other or one more.
#[cfg_attr(not(feature = "cluster"), allow(dead_code, reason = "only ranks have blocks"))]
pub(crate) fn block(count: usize, index: usize) -> Range<usize> {
    let first = |index: usize| index * (count / BLOCKS) + index.min(count % BLOCKS);
    first(index)..first(index + 1)
}

/// The samples of a data set of `count` samples that `rank` of so many `ranks` has: whole blocks, of which there are
/// [`BLOCKS`], so that sums over them do not depend on the number of ranks.
///
/// # Examples
///
/// ```
/// use tuplenet::data::share;
///
/// assert_eq!(share(1000, 0, 1), 0..1000);
/// assert_eq!((share(1000, 0, 3), share(1000, 1, 3), share(1000, 2, 3)), (0..318, 318..659, 659..1000));
/// ```
#[must_use]
pub fn share(count: usize, rank: usize, ranks: usize) -> Range<usize> {
    let blocks = blocks_of(rank, ranks);
    block(count, blocks.start).start..block(count, blocks.end).start
}

/// The blocks that a rank has.
pub(crate) fn blocks_of(rank: usize, ranks: usize) -> Range<usize> {
    let (ranks, rank) = (ranks.max(1), rank.min(ranks));
    BLOCKS * rank / ranks..BLOCKS * (rank + 1).min(ranks) / ranks
}

/// A rank's share of a data set: only these samples are in its memory. Both inputs and targets of data-parallel training
/// over ranks may be shares, with the training methods of `train::cluster::Distributed`.
///
/// An epoch has each block of the data set in a random order of its own, and each batch has as many samples of each block,
/// or one more. The result is the same bits with any number of ranks. It is not that of a data set that every rank has,
/// since the order of the samples is another one. Batches should have at least a few hundred samples, 32 times what
/// fills a micro-batch better.
///
/// # Examples
///
/// ```
/// use tuplenet::data::{Share, share};
///
/// // What the second of three ranks does.
/// let range = share(100, 1, 3);
/// let inputs: Vec<[f32; 1]> = range.map(|sample| [sample as f32]).collect();
/// let inputs = Share::new::<f32>(inputs, 100, 1, 3)?;
/// assert_eq!(inputs.samples.len(), 33);
/// # Ok::<(), tuplenet::Error>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias("DistributedSampler", "shard"))]
pub struct Share<X> {
    /// The samples of this rank.
    pub samples: X,
    first: usize,
    count: usize,
}

impl<X> Share<X> {
    /// The share of `rank` in a data set of `count` samples for so many `ranks`. `samples` are those that
    /// [`share`](share()) says.
    ///
    /// # Errors
    ///
    /// If there are more or fewer samples than that.
    pub fn new<T: Real>(samples: X, count: usize, rank: usize, ranks: usize) -> Result<Self, Error>
    where
        X: Samples<T>,
    {
        let range = share(count, rank, ranks);
        let (expected, found) = (range.len(), samples.count());
        if expected != found {
            return Err(Error::Lengths { what: "samples, the share of this rank", expected, found });
        }
        Ok(Share { samples, first: range.start, count })
    }
}

impl<T: Real, X: Samples<T>> Samples<T> for Share<X> {
    type Item = X::Item;
    const WEIGHTED: bool = X::WEIGHTED;
    const PADDED: bool = X::PADDED;
    const SHARED: bool = true;

    /// The number of samples of the whole data set.
    #[inline(always)]
    fn count(&self) -> usize {
        self.count
    }

    fn check(&self) -> Result<(), Error> {
        self.samples.check()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut X::Item) {
        self.samples.copy(index.wrapping_sub(self.first), to);
    }

    #[inline(always)]
    fn steps(&self, index: usize) -> usize {
        self.samples.steps(index.wrapping_sub(self.first))
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        self.samples.weight(index.wrapping_sub(self.first))
    }
}

/// The samples from `first` on, of data that are in memory there.
#[cfg(feature = "cluster")]
pub(crate) struct Block<'a, X: ?Sized> {
    pub data: &'a X,
    pub range: Range<usize>,
}

#[cfg(feature = "cluster")]
impl<T: Real, X: Samples<T> + ?Sized> Samples<T> for Block<'_, X> {
    type Item = X::Item;
    const WEIGHTED: bool = X::WEIGHTED;
    const PADDED: bool = X::PADDED;

    #[inline(always)]
    fn count(&self) -> usize {
        self.range.len()
    }

    #[inline(always)]
    fn copy(&self, index: usize, to: &mut X::Item) {
        self.data.copy(self.range.start + index, to);
    }

    #[inline(always)]
    fn steps(&self, index: usize) -> usize {
        self.data.steps(self.range.start + index)
    }

    #[inline(always)]
    fn weight(&self, index: usize) -> T {
        self.data.weight(self.range.start + index)
    }
}
