//! What connects neighbouring workers inside one process: bounded channels, one for each direction.

use crate::schedule::Unit;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::num::NonZeroUsize;
use std::time::Duration;

/// A unit's identity and what travels under it.
pub(super) type Message<T> = (Unit, T);

/// Why a message did not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The neighbour has stopped.
    Stopped,
    /// Nothing happened within the watchdog's time.
    Timeout,
}

/// The four ends that a worker holds: up and down, to send and to receive. The ends that lead out of the network are
/// absent.
pub(super) struct Ends<Up, Down> {
    pub(super) send_up: Option<Sender<Message<Up>>>,
    pub(super) receive_up: Option<Receiver<Message<Up>>>,
    pub(super) send_down: Option<Sender<Message<Down>>>,
    pub(super) receive_down: Option<Receiver<Message<Down>>>,
}

/// Connects `modules` workers in a row.
pub(super) fn row<Up, Down>(modules: usize, capacity: NonZeroUsize) -> Vec<Ends<Up, Down>> {
    let empty = || Ends {
        send_up: None,
        receive_up: None,
        send_down: None,
        receive_down: None,
    };
    let mut ends: Vec<Ends<Up, Down>> = (0..modules).map(|_| empty()).collect();
    for below in 0..modules.saturating_sub(1) {
        let (send, receive) = bounded(capacity.get());
        ends[below].send_up = Some(send);
        ends[below + 1].receive_up = Some(receive);
        let (send, receive) = bounded(capacity.get());
        ends[below + 1].send_down = Some(send);
        ends[below].receive_down = Some(receive);
    }
    ends
}

pub(super) fn send<T>(end: &Option<Sender<Message<T>>>, message: Message<T>, timeout: Duration) -> Result<(), Broken> {
    let end = end.as_ref().ok_or(Broken::Stopped)?;
    end.send_timeout(message, timeout).map_err(|e| match e {
        SendTimeoutError::Timeout(_) => Broken::Timeout,
        SendTimeoutError::Disconnected(_) => Broken::Stopped,
    })
}

pub(super) fn receive<T>(end: &Option<Receiver<Message<T>>>, timeout: Duration) -> Result<Message<T>, Broken> {
    let end = end.as_ref().ok_or(Broken::Stopped)?;
    end.recv_timeout(timeout).map_err(|e| match e {
        RecvTimeoutError::Timeout => Broken::Timeout,
        RecvTimeoutError::Disconnected => Broken::Stopped,
    })
}
