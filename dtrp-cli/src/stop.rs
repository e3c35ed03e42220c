//! Ctrl-C: the first stops training at the next batch, the second ends the program at once.

use crate::error::Error;
use dtrp_train::Stop;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::Path;

/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// Stops at Ctrl-C, and when the program is asked to terminate.
pub(crate) fn at_signals() -> Result<Stop, Error> {
    let stop = Stop::new();
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset and sets it, the second finds it set and exits.
        flag::register_conditional_shutdown(signal, INTERRUPTED, stop.flag())
            .and_then(|_| flag::register(signal, stop.flag()))
            .map_err(Error::file("handle signals", Path::new("the process")))?;
    }
    Ok(stop)
}
