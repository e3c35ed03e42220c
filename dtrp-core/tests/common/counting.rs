//! Links that the engine does not know.

use dtrp_core::engine::{Broken, Channels, Link, Unsent};
use dtrp_core::schedule::Unit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Links of another kind: they count what they carry, and pass it on. What is not taken in time is sent again, and counts once.
pub(crate) struct Counting {
    pub(crate) inner: Channels<u64, u64>,
    pub(crate) carried: Arc<AtomicUsize>,
}

impl Link<u64, u64> for Counting {
    fn send_up(&mut self, unit: Unit, activation: u64, patience: Duration) -> Result<(), Unsent<u64>> {
        self.inner.send_up(unit, activation, patience)?;
        self.carried.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn receive_up(&mut self, patience: Duration) -> Result<(Unit, u64), Broken> {
        self.inner.receive_up(patience)
    }
    fn send_down(&mut self, unit: Unit, gradient: u64, patience: Duration) -> Result<(), Unsent<u64>> {
        self.inner.send_down(unit, gradient, patience)?;
        self.carried.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
    fn receive_down(&mut self, patience: Duration) -> Result<(Unit, u64), Broken> {
        self.inner.receive_down(patience)
    }
}
