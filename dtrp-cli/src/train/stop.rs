//! Ctrl-C: the first stops training at the next batch, the second ends the program at once.

use crate::error::Error;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// Whether training should stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// What a source of data answers once training should stop.
    pub(super) const MESSAGE: &'static str = "interrupted";

    /// Stops at Ctrl-C, and when the program is asked to terminate.
    pub(crate) fn at_signals() -> Result<Self, Error> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset and sets it, the second finds it set and exits.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&stop.0))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.0)))
                .map_err(Error::file("handle signals", Path::new("the process")))?;
        }
        Ok(stop)
    }

    /// Whether it is time to stop.
    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
