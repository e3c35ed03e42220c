//! Links inside one process: bounded channels, one for each direction.

use super::link::{Broken, Link, Unsent};
use crate::schedule::Unit;
use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use std::num::NonZeroUsize;
use std::time::Duration;

/// A unit's identity and what travels under it.
type Message<T> = (Unit, T);

/// The four ends of channels that a worker holds: up and down, to send and to receive. The ends that lead out of the network
/// are absent.
#[derive(Debug)]
pub struct Channels<Up, Down> {
    send_up: Option<Sender<Message<Up>>>,
    receive_up: Option<Receiver<Message<Up>>>,
    send_down: Option<Sender<Message<Down>>>,
    receive_down: Option<Receiver<Message<Down>>>,
}

impl<Up, Down> Channels<Up, Down> {
    /// Connects `modules` workers in a row, worker 1 first. Each channel holds `capacity` messages.
    pub fn row(modules: usize, capacity: NonZeroUsize) -> Vec<Self> {
        let mut row: Vec<Self> = std::iter::repeat_with(Self::default).take(modules).collect();
        for below in 0..modules.saturating_sub(1) {
            let (send, receive) = bounded(capacity.get());
            row[below].send_up = Some(send);
            row[below + 1].receive_up = Some(receive);
            let (send, receive) = bounded(capacity.get());
            row[below + 1].send_down = Some(send);
            row[below].receive_down = Some(receive);
        }
        row
    }

    /// Ends that whoever carries messages to another process has the other sides of; `None` for those that lead out of the
    /// network.
    pub fn new(
        send_up: Option<Sender<Message<Up>>>,
        receive_up: Option<Receiver<Message<Up>>>,
        send_down: Option<Sender<Message<Down>>>,
        receive_down: Option<Receiver<Message<Down>>>,
    ) -> Self {
        Self {
            send_up,
            receive_up,
            send_down,
            receive_down,
        }
    }
}

impl<Up, Down> Default for Channels<Up, Down> {
    /// Of a worker without neighbours.
    fn default() -> Self {
        Self {
            send_up: None,
            receive_up: None,
            send_down: None,
            receive_down: None,
        }
    }
}

impl<Up: Send, Down: Send> Link<Up, Down> for Channels<Up, Down> {
    fn send_up(&mut self, unit: Unit, activation: Up, patience: Duration) -> Result<(), Unsent<Up>> {
        send(&self.send_up, (unit, activation), patience)
    }

    fn receive_up(&mut self, patience: Duration) -> Result<(Unit, Up), Broken> {
        receive(&self.receive_up, patience)
    }

    fn send_down(&mut self, unit: Unit, gradient: Down, patience: Duration) -> Result<(), Unsent<Down>> {
        send(&self.send_down, (unit, gradient), patience)
    }

    fn receive_down(&mut self, patience: Duration) -> Result<(Unit, Down), Broken> {
        receive(&self.receive_down, patience)
    }
}

fn send<T>(end: &Option<Sender<Message<T>>>, message: Message<T>, patience: Duration) -> Result<(), Unsent<T>> {
    let end = end.as_ref().ok_or(Unsent::Stopped)?;
    end.send_timeout(message, patience).map_err(|e| match e {
        SendTimeoutError::Timeout((_, message)) => Unsent::Timeout(message),
        SendTimeoutError::Disconnected(_) => Unsent::Stopped,
    })
}

fn receive<T>(end: &Option<Receiver<Message<T>>>, patience: Duration) -> Result<Message<T>, Broken> {
    let end = end.as_ref().ok_or(Broken::Stopped)?;
    end.recv_timeout(patience).map_err(|e| match e {
        RecvTimeoutError::Timeout => Broken::Timeout,
        RecvTimeoutError::Disconnected => Broken::Stopped,
    })
}
