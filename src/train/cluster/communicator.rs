//! [`Communicator`]: messages between the processes of a cluster.

use crate::error::Error;
use alloc::vec;
use alloc::vec::Vec;

/// Communicator: carries messages between the ranks of a program, which are its processes, counted from zero. With the
/// feature `mpi` that is `Mpi`; without other processes [`SingleProcess`].
///
/// Messages from one rank to another arrive in the order in which they were sent. There are no errors: if a message
/// can't be delivered, an implementation ends the program, as MPI does.
#[doc(alias("MPI_Comm", "torch.distributed"))]
pub trait Communicator {
    /// The number of this process.
    fn rank(&self) -> usize;

    /// The number of processes.
    fn size(&self) -> usize;

    /// Sends a message. May wait until it is received.
    fn send(&self, to: usize, message: &[u8]);

    /// Waits for the next message from a rank; `message`, whose memory is used again, then has it and nothing else.
    fn receive(&self, from: usize, message: &mut Vec<u8>);

    /// The next message from any rank, with its sender; `None` if there is none yet.
    fn try_receive(&self) -> Option<(usize, Vec<u8>)>;
}

/// The only process of a program: rank 0 of 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SingleProcess;

impl Communicator for SingleProcess {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    /// There is no other rank.
    fn send(&self, _: usize, _: &[u8]) {}

    fn receive(&self, _: usize, _: &mut Vec<u8>) {}

    fn try_receive(&self) -> Option<(usize, Vec<u8>)> {
        None
    }
}

/// Gives every rank the message of the rank `root`, along a binomial tree: in as many turns as the number of ranks has
/// binary digits.
pub(crate) fn broadcast(communicator: &dyn Communicator, root: usize, message: &mut Vec<u8>) {
    let size = communicator.size();
    let rank_of = |relative: usize| (relative + root) % size;
    let relative = (communicator.rank() + size - root) % size;
    let mut distance = 1;
    while distance < size {
        if relative & distance != 0 {
            communicator.receive(rank_of(relative - distance), message);
            break;
        }
        distance <<= 1;
    }
    distance >>= 1;
    while distance > 0 {
        if relative + distance < size {
            communicator.send(rank_of(relative + distance), message);
        }
        distance >>= 1;
    }
}

/// Gives every rank the messages of all, in the order of the ranks. For short messages: all of them pass through rank 0.
pub(crate) fn all_gather(communicator: &dyn Communicator, message: &[u8]) -> Vec<Vec<u8>> {
    let size = communicator.size();
    if size == 1 {
        return vec![message.to_vec()];
    }
    let mut all = Vec::new();
    if communicator.rank() == 0 {
        let mut messages = vec![message.to_vec()];
        for rank in 1..size {
            let mut message = Vec::new();
            communicator.receive(rank, &mut message);
            messages.push(message);
        }
        for message in messages {
            all.extend((message.len() as u64).to_le_bytes());
            all.extend(message);
        }
    } else {
        communicator.send(0, message);
    }
    broadcast(communicator, 0, &mut all);
    let (mut rest, mut messages) = (&all[..], Vec::with_capacity(size));
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let (message, after) = after.split_at(after.len().min(u64::from_le_bytes(*length) as usize));
        messages.push(message.to_vec());
        rest = after;
    }
    messages
}

/// Waits for all ranks and compares: an error on every rank if one of them has failed, with its own error there, or if
/// one of the values differs from that of rank 0. `what` names the values.
pub(crate) fn agree(
    communicator: &dyn Communicator,
    result: Result<(), Error>,
    values: &[(&'static str, u64)],
) -> Result<(), Error> {
    if communicator.size() == 1 {
        return result;
    }
    let mut message = vec![u8::from(result.is_err())];
    message.extend(values.iter().flat_map(|(_, value)| value.to_le_bytes()));
    let messages = all_gather(communicator, &message);
    result?;
    for (rank, found) in messages.iter().enumerate() {
        if found.first() != Some(&0) {
            return Err(Error::RankFailed { rank });
        }
    }
    let first = messages.first().map_or(&[][..], |message| &message[..]);
    for (rank, found) in messages.iter().enumerate() {
        if found.len() != first.len() {
            return Err(Error::Ranks { what: "program", rank });
        }
        let value = |message: &[u8], index: usize| message.get(1 + 8 * index..9 + 8 * index).map(<[u8]>::to_vec);
        for (index, (what, _)) in values.iter().enumerate() {
            if value(found, index) != value(first, index) {
                return Err(Error::Ranks { what, rank });
            }
        }
    }
    Ok(())
}
