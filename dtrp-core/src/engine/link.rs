//! What connects neighbouring workers.

use crate::schedule::Unit;
use std::time::Duration;

/// Why a message did not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The neighbour has stopped, or there is none.
    Stopped,
    /// Nothing happened within the time given.
    Timeout,
}

/// A message that was not sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsent<T> {
    /// The neighbour has stopped, or there is none.
    Stopped,
    /// There was no room for it within the time given: here it is again.
    Timeout(T),
}

/// One worker's connection with its two neighbours: activations go *up*, towards the loss, gradients *down*. Each direction
/// delivers in the order in which was sent, and the two never block each other.
///
/// A link holds as many messages as the run's [`capacity`](super::EngineOptions::capacity) says; then the sender waits. When
/// a worker stops, its link is dropped, and a neighbour that waits for it gets [`Broken::Stopped`], once what was sent before
/// has been received.
///
/// A worker that [pauses](super::Pause) receives whatever its neighbours send before they pause too, and keeps its link until
/// all have. A link needs to know nothing of it.
///
/// Inside a process a link is a [`Channels`](super::Channels).
pub trait Link<Up, Down>: Send {
    /// Sends a unit's activation to the worker above.
    ///
    /// # Errors
    ///
    /// [`Unsent`], after `patience` at the latest.
    fn send_up(&mut self, unit: Unit, activation: Up, patience: Duration) -> Result<(), Unsent<Up>>;

    /// Receives the next activation from the worker below.
    ///
    /// # Errors
    ///
    /// [`Broken`], after `patience` at the latest.
    fn receive_up(&mut self, patience: Duration) -> Result<(Unit, Up), Broken>;

    /// Sends a unit's gradient to the worker below.
    ///
    /// # Errors
    ///
    /// [`Unsent`], after `patience` at the latest.
    fn send_down(&mut self, unit: Unit, gradient: Down, patience: Duration) -> Result<(), Unsent<Down>>;

    /// Receives the next gradient from the worker above.
    ///
    /// # Errors
    ///
    /// [`Broken`], after `patience` at the latest.
    fn receive_down(&mut self, patience: Duration) -> Result<(Unit, Down), Broken>;
}
