//! Training on GPUs: on simulated ones where libtorch has none, which find races between streams; else on real ones.

#[path = "../training/hand.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the tests on the CPU")]
mod hand;
mod plugin;
mod precision;
mod resumed;
#[path = "../training/run.rs"]
#[allow(dead_code, clippy::allow_attributes, reason = "shared with the tests on the CPU")]
mod run;
mod streams;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Races and waits are counted for the whole process, so these tests take turns.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let guard = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    dtrp_simulated_gpu::reset();
    guard
}
