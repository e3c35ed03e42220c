//! One direction of the connection between two neighbours, at simulated times.

use super::conditions::Links;
use super::error::SimulateError;
use crate::costs::Share;

/// A first in, first out link that holds a limited number of messages.
///
/// A message takes its place in the link when it is sent and gives it back when it is received. So message i can be sent
/// only when message i − capacity has been received. One ring holds both times: a place in use holds the arrival of its
/// message, a free one the time at which it became free.
#[derive(Debug, Clone)]
pub(super) struct Link {
    places: Box<[u64]>,
    /// The place of the oldest message.
    head: usize,
    in_flight: usize,
    /// When the last transfer ends; stays 0 if transfers take no time.
    idle_from: u64,
    transfers: bool,
    transfer: [u64; 2],
    larger: u16,
    latency: u64,
    /// The sender waits for a free place.
    pub(super) sender_waits: bool,
    /// The receiver waits for a message.
    pub(super) receiver_waits: bool,
}

impl Link {
    /// A link with room for `capacity` messages, on which `bytes` travel for each batch.
    pub(super) fn new(links: &Links, capacity: usize, bytes: u64, micro_batches: u16) -> Result<Self, SimulateError> {
        let share = Share::new(bytes, micro_batches);
        let time = |bytes| links.transfer_ns(bytes).ok_or(SimulateError::Overflow);
        Ok(Self {
            places: vec![0; capacity].into_boxed_slice(),
            head: 0,
            in_flight: 0,
            idle_from: 0,
            transfers: links.bytes_per_second.is_some(),
            transfer: [time(share.each)?, time(share.each.saturating_add(1))?],
            larger: share.larger,
            latency: links.latency_ns,
            sender_waits: false,
            receiver_waits: false,
        })
    }

    /// Sends the message of a micro-batch at `now`; returns when the sender can go on, `None` if the link is full.
    ///
    /// `later` chooses the later of two times, so that who looks on sees every choice.
    pub(super) fn send(&mut self, now: u64, micro: u16, mut later: impl FnMut(u64, u64) -> u64) -> Option<u64> {
        if self.in_flight == self.places.len() {
            return None;
        }
        let mut place = self.head + self.in_flight;
        if place >= self.places.len() {
            place -= self.places.len();
        }
        let sent = later(now, self.places[place]);
        let mut arrival = sent;
        if self.transfers {
            arrival = later(sent, self.idle_from) + self.transfer[usize::from(micro <= self.larger)];
            self.idle_from = arrival;
        }
        self.places[place] = arrival + self.latency;
        self.in_flight += 1;
        Some(sent)
    }

    /// Receives the oldest message; returns when the receiver has it, `None` if there is none.
    pub(super) fn receive(&mut self, now: u64, mut later: impl FnMut(u64, u64) -> u64) -> Option<u64> {
        if self.in_flight == 0 {
            return None;
        }
        let received = later(now, self.places[self.head]);
        self.places[self.head] = received;
        self.head += 1;
        if self.head == self.places.len() {
            self.head = 0;
        }
        self.in_flight -= 1;
        Some(received)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// All times in the link, the oldest message's first.
    pub(super) fn times(&mut self) -> impl Iterator<Item = &mut u64> {
        let (wrapped, ordered) = self.places.split_at_mut(self.head);
        let used = self.transfers && !ordered.is_empty();
        let idle = used.then_some(&mut self.idle_from);
        ordered.iter_mut().chain(wrapped).chain(idle)
    }
}
