//! Links to workers of other processes. A worker's ends stay channels; what passes through one is carried by a thread, so that
//! the two directions never wait for each other, and no worker for the network.

use super::carry::{Carried, CarryError, Route};
use super::control::Note;
use super::gloo::{Group, TransferError};
use super::wire::What;
use crate::engine::{Channels, Placement};
use crate::schedule::Unit;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::io;
use std::num::NonZeroUsize;
use std::thread::{Builder, JoinHandle};

/// Under which the control receives of [`control`](super::control) are posted; the others follow.
pub(super) const CONTROL: i32 = 0;

/// The threads that carry what passes between this process and others during one program.
pub(super) struct Ferries(Vec<JoinHandle<()>>);

/// Of one worker of this process.
struct Ends<Up, Down> {
    send_up: Option<Sender<(Unit, Up)>>,
    receive_up: Option<Receiver<(Unit, Up)>>,
    send_down: Option<Sender<(Unit, Down)>>,
    receive_down: Option<Receiver<(Unit, Down)>>,
}

/// Which process this is, and the program.
pub(super) struct Here<'a> {
    pub(super) group: &'a Group,
    pub(super) placement: &'a Placement,
    pub(super) rank: usize,
    pub(super) program: u64,
    pub(super) capacity: NonZeroUsize,
    pub(super) notes: &'a Sender<Note>,
}

impl Here<'_> {
    /// Links for the workers of this process, in order. Each holds `capacity` messages in each direction: one of them where it
    /// is sent and the others where it is received.
    pub(super) fn connect<Up: Carried, Down: Carried>(&self) -> io::Result<(Vec<Channels<Up, Down>>, Ferries)> {
        let ranks = self.placement.ranks();
        let mut ends: Vec<Ends<Up, Down>> = Vec::new();
        ends.resize_with(ranks.len(), || Ends {
            send_up: None,
            receive_up: None,
            send_down: None,
            receive_down: None,
        });
        let mut threads = Vec::new();
        let more = self.capacity.get() - 1;
        for (below, tag) in (0..ranks.len().saturating_sub(1)).zip((CONTROL + 1..).step_by(2)) {
            let above = below + 1;
            let (up, down) = (tag, tag + 1);
            match (ranks[below] == self.rank, ranks[above] == self.rank) {
                (true, true) => {
                    let (send, receive) = bounded(self.capacity.get());
                    (ends[below].send_up, ends[above].receive_up) = (Some(send), Some(receive));
                    let (send, receive) = bounded(self.capacity.get());
                    (ends[above].send_down, ends[below].receive_down) = (Some(send), Some(receive));
                }
                (true, false) => {
                    let (send, from) = bounded(1);
                    ends[below].send_up = Some(send);
                    threads.push(self.out(What::Up, ranks[above], up, from)?);
                    let (to, receive) = bounded(more);
                    ends[below].receive_down = Some(receive);
                    threads.push(self.arriving(What::Down, ranks[above], down, to)?);
                }
                (false, true) => {
                    let (send, from) = bounded(1);
                    ends[above].send_down = Some(send);
                    threads.push(self.out(What::Down, ranks[below], down, from)?);
                    let (to, receive) = bounded(more);
                    ends[above].receive_up = Some(receive);
                    threads.push(self.arriving(What::Up, ranks[below], up, to)?);
                }
                (false, false) => {}
            }
        }
        let own = ends.into_iter().zip(ranks).filter(|(_, rank)| **rank == self.rank);
        let links =
            own.map(|(ends, _)| Channels::new(ends.send_up, ends.receive_up, ends.send_down, ends.receive_down));
        Ok((links.collect(), Ferries(threads)))
    }

    /// Carries what a worker sends, until it drops its end.
    fn out<T: Carried>(
        &self,
        what: What,
        peer: usize,
        tag: i32,
        from: Receiver<(Unit, T)>,
    ) -> io::Result<JoinHandle<()>> {
        let (route, notes) = (self.route(what, peer, tag), self.notes.clone());
        let body = move || {
            let carry = |(unit, message): (Unit, T)| route.send(unit, &message.pack()?);
            let carried = from.iter().try_for_each(carry).and_then(|()| route.end());
            tell(carried, peer, &notes);
        };
        Builder::new().name(format!("to rank {peer}")).spawn(body)
    }

    /// Carries what comes to a worker, until nothing more does or the worker has gone.
    fn arriving<T: Carried>(
        &self,
        what: What,
        peer: usize,
        tag: i32,
        to: Sender<(Unit, T)>,
    ) -> io::Result<JoinHandle<()>> {
        let (route, notes) = (self.route(what, peer, tag), self.notes.clone());
        let carry = move || -> Result<(), CarryError> {
            let mut to = Some(to);
            while let Some((unit, parcel)) = route.receive()? {
                let message = T::unpack(parcel)?;
                // What comes after the worker has gone is taken nevertheless: another program may follow on this way.
                if to.as_ref().is_some_and(|to| to.send((unit, message)).is_err()) {
                    to = None;
                }
            }
            Ok(())
        };
        let body = move || tell(carry(), peer, &notes);
        Builder::new().name(format!("from rank {peer}")).spawn(body)
    }

    fn route(&self, what: What, peer: usize, tag: i32) -> Route {
        Route {
            group: self.group.clone(),
            what,
            program: self.program,
            own: self.rank,
            peer,
            tag,
        }
    }
}

/// Tells who looks after the run, unless it is the one who has ended the transfer.
fn tell(carried: Result<(), CarryError>, peer: usize, notes: &Sender<Note>) {
    let note = match carried {
        Ok(()) | Err(CarryError::Transfer(TransferError::Aborted)) => return,
        Err(CarryError::Transfer(TransferError::Failed(_))) => Note::Gone(peer),
        Err(other) => Note::Unreadable(peer, other.to_string()),
    };
    // Nobody listens any more where the run has ended.
    let _ = notes.send(note);
}

impl Ferries {
    /// Waits until everything is carried, or given up.
    pub(super) fn join(self) {
        for thread in self.0 {
            // A panic in it has dropped its ends, which is told by who misses them.
            let _ = thread.join();
        }
    }
}
