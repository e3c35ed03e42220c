//! A bounded window of batches that many threads fill in any order and one takes in order.
//!
//! ```text
//!   taken        claimed
//!     │             │
//! ────▼─────────────▼──────────── batch number
//!     [done|…|done|…]   at most `capacity`; `…` is being made
//! ```

use super::Batch;
use crate::DataError;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) type Made = Result<Batch, DataError>;

pub(super) struct Queue {
    state: Mutex<State>,
    /// Signalled when a batch was taken or all is over.
    room: Condvar,
    /// Signalled when a batch was made.
    made: Condvar,
    capacity: usize,
    end: usize,
}

struct State {
    /// The next batch to take.
    taken: usize,
    /// One per batch from `taken` on that a thread has claimed.
    window: VecDeque<Option<Made>>,
    stopped: bool,
}

impl Queue {
    /// For the batches `start..end`.
    pub(super) fn new(start: usize, end: usize, capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                taken: start,
                window: VecDeque::new(),
                stopped: false,
            }),
            room: Condvar::new(),
            made: Condvar::new(),
            capacity: capacity.max(1),
            end,
        }
    }

    /// The next batch to make, as soon as there is room for it; `None` when there is no more to do.
    pub(super) fn claim(&self) -> Option<usize> {
        let mut state = lock(&self.state);
        loop {
            let next = state.taken + state.window.len();
            if state.stopped || next >= self.end {
                return None;
            }
            if state.window.len() < self.capacity {
                state.window.push_back(None);
                return Some(next);
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Puts a claimed batch at its place.
    pub(super) fn put(&self, number: usize, made: Made) {
        let mut state = lock(&self.state);
        let place = number - state.taken;
        state.window[place] = Some(made);
        if place == 0 {
            self.made.notify_one();
        }
    }

    /// The next batch, as soon as it is made. There must be one.
    pub(super) fn take(&self) -> Made {
        let mut state = lock(&self.state);
        loop {
            if let Some(made) = state.window.front_mut().and_then(Option::take) {
                state.window.pop_front();
                state.taken += 1;
                // All: at the end of the epoch every thread has to wake up and leave.
                self.room.notify_all();
                return made;
            }
            state = self.made.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Makes every thread leave once it has made what it is making.
    pub(super) fn stop(&self) {
        lock(&self.state).stopped = true;
        self.room.notify_all();
    }
}

/// Nothing panics while it holds one of these locks, and if it did the state would still be whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
