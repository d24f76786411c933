//! The sum over all shards of a batch, some of which each rank has computed, in the order of the tree in `train/shards.rs`.
//!
//! A rank computes those nodes of the tree that are its own, and no larger one is ([`own_nodes`]). A node whose shards belong
//! to several ranks is added up by the rank that has its first shard, which gets the right half from the rank that has the first
//! shard of that. So a reduction takes about as many messages one after the other as the number of ranks has binary digits, and so
//! does the broadcast of its result.

use super::Communicator;
use crate::error::Error;
use crate::model::{Parameter, Trainable, Visitor, VisitorMut};
use crate::num::Real;
use crate::train::shards::{add, half_of};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use fearless_simd::Simd;

/// The shards of a rank, of `count` in all.
pub(super) fn own_shards(count: usize, rank: usize, ranks: usize) -> Range<usize> {
    count * rank / ranks..count * (rank + 1) / ranks
}

/// The rank that has a shard, of `count` in all.
fn owner(shard: usize, count: usize, ranks: usize) -> usize {
    (ranks * (shard + 1) - 1) / count
}

/// The largest nodes below `node` of which all shards are `own`.
pub(super) fn own_nodes(node: Range<usize>, own: &Range<usize>, nodes: &mut Vec<Range<usize>>) {
    if node.start >= own.end || node.end <= own.start {
        return;
    }
    if own.start <= node.start && node.end <= own.end {
        nodes.push(node);
        return;
    }
    let half = half_of(&node);
    own_nodes(node.start..half, own, nodes);
    own_nodes(half..node.end, own, nodes);
}

/// What a rank has computed of a node.
pub(super) struct Partial<'a, N: Trainable> {
    /// The first shard of the node.
    pub first: usize,
    /// The sum of their gradients; `None` in evaluation.
    pub gradient: Option<&'a mut N>,
    /// What the shards add to the mean loss.
    pub result: Result<N::Scalar, Error>,
}

/// The sum of a batch, the same on all ranks.
pub(super) struct Total<T> {
    pub result: Result<T, Error>,
    /// Whether an input was large on any rank.
    pub large: bool,
}

/// Adds up partial sums over all ranks.
pub(super) struct Reduction<'r, S, N: Trainable> {
    pub simd: S,
    pub communicator: &'r dyn Communicator,
    /// The number of shards.
    pub count: usize,
    /// Memory for a message.
    pub message: &'r mut Vec<u8>,
    /// Memory for a gradient that arrives; zero between batches.
    pub received: &'r mut Option<Box<N>>,
    /// Whether an input was large.
    pub large: bool,
}

impl<S: Simd, N: Trainable + Send> Reduction<'_, S, N> {
    /// Returns the sum over all ranks of `partials`, which are in the order of their shards. On the rank with the first shard
    /// the first of them is then the sum of all, on the others `gradient` is.
    pub(super) fn run(mut self, partials: &mut [Partial<N>], gradient: Option<&mut N>) -> Total<N::Scalar> {
        self.combine(0..self.count, partials);
        let (communicator, root) = (self.communicator, self.owner(0));
        let is_root = communicator.rank() == root;
        let mut result = Err(Error::Ranks { what: "program", rank: root });
        if is_root && let Some(first) = partials.first() {
            result = first.result;
        }
        if communicator.size() == 1 {
            return Total { result, large: self.large };
        }
        if is_root {
            let gradient = partials.first().and_then(|first| first.gradient.as_deref());
            write(self.message, result, self.large, gradient);
        }
        super::broadcast(communicator, root, self.message);
        if !is_root {
            (result, self.large) = read(self.message, gradient, root);
        }
        Total { result, large: self.large }
    }

    fn owner(&self, shard: usize) -> usize {
        owner(shard, self.count, self.communicator.size())
    }

    /// Adds up a node, if more than one rank has shards of it.
    fn combine(&mut self, node: Range<usize>, partials: &mut [Partial<N>]) {
        if self.owner(node.start) == self.owner(node.end - 1) {
            return;
        }
        let half = half_of(&node);
        self.combine(node.start..half, partials);
        self.combine(half..node.end, partials);
        let (rank, to, from) = (self.communicator.rank(), self.owner(node.start), self.owner(half));
        let index_of = |partials: &[Partial<N>], first| partials.iter().position(|partial| partial.first == first);
        if rank == to && rank == from {
            if let (Some(left), Some(right)) = (index_of(partials, node.start), index_of(partials, half)) {
                let (before, after) = partials.split_at_mut(right);
                if let (Some(left), Some(right)) = (before.get_mut(left), after.first_mut()) {
                    self.add(left, right.result, right.gradient.as_deref_mut());
                }
            }
        } else if rank == from {
            if let Some(partial) = index_of(partials, half).and_then(|right| partials.get_mut(right)) {
                write(self.message, partial.result, self.large, partial.gradient.as_deref());
                self.communicator.send(to, self.message);
                if let Some(gradient) = partial.gradient.as_deref_mut() {
                    *gradient = N::ZEROED;
                }
            }
        } else if rank == to {
            self.communicator.receive(from, self.message);
            let Some(left) = index_of(partials, node.start).and_then(|left| partials.get_mut(left)) else { return };
            let mut received = self.received.take();
            if received.is_none() && left.gradient.is_some() {
                received = Some(crate::model::boxed::boxed_on_large_stack(|| N::ZEROED));
            }
            let wanted = received.as_deref_mut().filter(|_| left.gradient.is_some());
            let (result, large) = read(self.message, wanted, from);
            self.large |= large;
            self.add(left, result, received.as_deref_mut());
            *self.received = received;
        }
    }

    /// Adds a right half to a left one. Of two errors the one on the left stays.
    fn add(&self, left: &mut Partial<N>, right: Result<N::Scalar, Error>, other: Option<&mut N>) {
        match (left.result, right) {
            (Ok(one), Ok(two)) => {
                left.result = Ok(one + two);
                if let (Some(gradient), Some(other)) = (left.gradient.as_deref_mut(), other) {
                    add(self.simd, gradient, other);
                }
            }
            (Ok(_), Err(error)) => left.result = Err(error),
            (Err(_), _) => {}
        }
    }
}

/// A sum as a message: whether an input was large, the loss or an error, and the gradient.
fn write<N: Trainable>(message: &mut Vec<u8>, result: Result<N::Scalar, Error>, large: bool, gradient: Option<&N>) {
    message.clear();
    message.push(u8::from(large));
    match result {
        Ok(loss) => {
            message.push(0);
            message.extend(loss.exact().to_le_bytes());
            if let Some(gradient) = gradient {
                gradient.visit(&mut Written(message));
            }
        }
        Err(error) => {
            message.push(1);
            message.extend(postcard::to_stdvec(&error).unwrap_or_default());
        }
    }
}

/// Reads a message that `from` has sent, and its gradient into `gradient`.
fn read<N: Trainable>(message: &[u8], gradient: Option<&mut N>, from: usize) -> (Result<N::Scalar, Error>, bool) {
    let other = Err(Error::Ranks { what: "program", rank: from });
    match message {
        [large, 0, rest @ ..] => {
            let Some((loss, rest)) = rest.split_first_chunk::<8>() else { return (other, false) };
            let mut source = Read { rest, is_whole: true };
            if let Some(gradient) = gradient {
                gradient.visit_mut([], &mut source);
            }
            let is_all = source.is_whole && source.rest.is_empty();
            (if is_all { Ok(N::Scalar::of(f64::from_le_bytes(*loss))) } else { other }, *large != 0)
        }
        [large, 1, error @ ..] => (postcard::from_bytes(error).map_or(other, Err), *large != 0),
        _ => (other, false),
    }
}

/// Appends the values of a gradient to a message: all that is visited, buffers and counts as well.
struct Written<'a>(&'a mut Vec<u8>);

impl<T: Real> Visitor<T> for Written<'_> {
    fn slice(&mut self, _: Parameter, values: &[T]) {
        self.0.extend_from_slice(bytemuck::cast_slice(values));
    }

    fn buffer(&mut self, parameter: Parameter, values: &[T]) {
        self.slice(parameter, values);
    }

    fn count(&mut self, _: Parameter, value: u64) {
        self.0.extend_from_slice(&value.to_ne_bytes());
    }
}

/// Sets the values of a gradient to those of a message.
struct Read<'a> {
    rest: &'a [u8],
    is_whole: bool,
}

impl Read<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        match self.rest.split_at_checked(bytes.len()) {
            Some((found, rest)) => {
                bytes.copy_from_slice(found);
                self.rest = rest;
            }
            None => self.is_whole = false,
        }
    }
}

impl<T: Real> VisitorMut<T, 0> for Read<'_> {
    fn slice(&mut self, _: Parameter, values: &mut [T], _: [&mut [T]; 0]) {
        self.fill(bytemuck::cast_slice_mut(values));
    }

    fn buffer(&mut self, _: Parameter, values: &mut [T]) {
        self.fill(bytemuck::cast_slice_mut(values));
    }

    fn count(&mut self, _: Parameter, value: &mut u64) {
        let mut bytes = value.to_ne_bytes();
        self.fill(&mut bytes);
        *value = u64::from_ne_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn each_shard_has_one_owner_and_nodes_cover_them() {
        for count in 1..=40 {
            for ranks in 1..=45 {
                let mut covered = Vec::new();
                for rank in 0..ranks {
                    let own = own_shards(count, rank, ranks);
                    assert!(own.clone().all(|shard| owner(shard, count, ranks) == rank), "{count} {ranks}");
                    let mut nodes = Vec::new();
                    own_nodes(0..count, &own, &mut nodes);
                    assert!(nodes.len() <= 10);
                    covered.extend(nodes.into_iter().flatten());
                }
                assert_eq!(covered, (0..count).collect::<Vec<_>>());
            }
        }
    }
}
