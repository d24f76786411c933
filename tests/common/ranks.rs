//! Ranks that are threads of one process: what training and searches over ranks do, without MPI.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::scope;
use tuplenet::train::cluster::Communicator;

/// One of the ranks.
struct Rank {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Receiver<Vec<u8>>>,
}

impl Communicator for Rank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, message: &[u8]) {
        self.to[to].send(message.to_vec()).expect("the other rank is there");
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) {
        *message = self.from[from].recv().expect("the other rank is there");
    }

    fn try_receive(&self) -> Option<(usize, Vec<u8>)> {
        self.from.iter().enumerate().find_map(|(rank, from)| match from.try_recv() {
            Ok(message) => Some((rank, message)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        })
    }
}

/// What a program returns on each of so many ranks.
pub fn on_ranks<R: Send>(size: usize, program: impl Fn(&dyn Communicator) -> R + Sync) -> Vec<R> {
    let mut ranks: Vec<Rank> = (0..size).map(|rank| Rank { rank, to: Vec::new(), from: Vec::new() }).collect();
    for from in 0..size {
        for to in 0..size {
            let (send, receive) = channel();
            ranks[from].to.push(send);
            ranks[to].from.push(receive);
        }
    }
    scope(|scope| {
        let start = |rank: Rank| {
            let program = &program;
            // As the main thread of a process has.
            let builder = std::thread::Builder::new().stack_size(8 << 20);
            builder.spawn_scoped(scope, move || program(&rank)).expect("a thread")
        };
        let threads: Vec<_> = ranks.into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("a rank without a panic")).collect()
    })
}
