//! Asking a run to pause, and how its workers agree on where.

use super::cuts::CutTable;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Asks a run to pause at a consistent cut of its program ([`analysis::cut_after`](crate::analysis::cut_after)). Clones share
/// what is asked. It may be asked from any thread and at any time, also before the run begins; the run looks at it at its cuts.
///
/// A run pauses between batches of its program: there is no pause at its end. A [`request`](Pause::request) that comes too late
/// for a run, because a worker has come past the cut of the last batch but one, is kept for the next run with the same handle
/// unless it is [cleared](Pause::clear); so no request is lost.
#[derive(Debug, Clone, Default)]
pub struct Pause {
    next: Arc<AtomicBool>,
    /// 0 for none.
    after: Arc<AtomicU32>,
}

impl Pause {
    /// A handle of which nobody has asked anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a pause at the next cut that no worker has come past. It is met, and forgotten, when a run returns paused,
    /// wherever that is.
    pub fn request(&self) {
        self.next.store(true, Ordering::Relaxed);
    }

    /// Whether a request has not been met yet.
    pub fn requested(&self) -> bool {
        self.next.load(Ordering::Relaxed)
    }

    /// The flag of [`request`](Pause::request), for what sets flags in signal handlers.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.next)
    }

    /// Asks for a pause at exactly the cut of this batch (numbered within the program, from 1), instead of at that of another
    /// asked for in this way before. Where a worker has come past this cut, or it is the end of the program, there is no such
    /// pause. What was asked is forgotten when the run has come to this cut or ends; a pause at an earlier one, by
    /// [`request`](Pause::request), leaves it as it is.
    pub fn after(&self, batch: u32) {
        self.after.store(batch, Ordering::Relaxed);
    }

    /// Takes back whatever was asked. A run in which a worker has paused already pauses all the same.
    pub fn clear(&self) {
        self.next.store(false, Ordering::Relaxed);
        self.after.store(0, Ordering::Relaxed);
    }

    fn asks_for(&self, batch: u32) -> bool {
        self.requested() || self.after.load(Ordering::Relaxed) == batch
    }

    /// A run has paused at the cut of this batch.
    pub(super) fn met(&self, batch: u32) {
        self.next.store(false, Ordering::Relaxed);
        let past = |after: u32| (after <= batch).then_some(0);
        let _ = self.after.fetch_update(Ordering::Relaxed, Ordering::Relaxed, past);
    }

    /// A run has ended, and with it the numbers of its batches.
    pub(super) fn ended(&self) {
        self.after.store(0, Ordering::Relaxed);
    }
}

/// Where the workers of one run agree on the cut at which they pause.
///
/// A worker that comes to a cut either pauses there or goes past it, under one lock. The first that comes to a cut for which
/// there is a pause makes it the cut of the run; no other can have come past it, and none needs anything from behind it.
pub(super) struct Gate {
    pause: Pause,
    cuts: Arc<CutTable>,
    /// The batch of the cut at which the run began.
    first: u32,
    state: Mutex<State>,
}

struct State {
    /// The highest batch whose cut a worker has gone past.
    past: u32,
    /// The batch at whose cut the run pauses.
    stop: Option<u32>,
}

impl Gate {
    pub(super) fn new(pause: Pause, cuts: Arc<CutTable>, first: u32) -> Self {
        let state = Mutex::new(State {
            past: first,
            stop: None,
        });
        Self {
            pause,
            cuts,
            first,
            state,
        }
    }

    /// The batch whose cut each worker comes to first.
    pub(super) fn first(&self) -> u32 {
        self.first + 1
    }

    /// Whether worker `index`, which has done so many actions of its list, pauses here. `next` is the batch whose cut it comes
    /// to next.
    pub(super) fn stops(&self, next: &mut u32, index: usize, done: usize) -> bool {
        while self.cuts.of(*next).is_some_and(|cut| cut[index] == done) {
            if self.comes_to(*next) {
                return true;
            }
            *next += 1;
        }
        false
    }

    fn comes_to(&self, batch: u32) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stop) = state.stop {
            return batch == stop;
        }
        if batch > state.past {
            if self.pause.asks_for(batch) {
                state.stop = Some(batch);
                return true;
            }
            state.past = batch;
        }
        false
    }

    /// The batch at whose cut the run has paused, or is about to.
    pub(super) fn stop(&self) -> Option<u32> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop
    }

    /// For each worker how many actions it has done at the cut of this batch.
    pub(super) fn cut(&self, batch: u32) -> Option<&[usize]> {
        self.cuts.of(batch)
    }
}
