//! Signals that ask a run to stop: the first stops training after the batches that it is at, the second ends the program at
//! once.

use crate::error::Error;
use dtrp_predictors::loader::end;
use dtrp_train::Stop;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::register;
use std::path::Path;
use std::sync::atomic::Ordering;

/// The exit code of an interrupted program.
const INTERRUPTED: i32 = 130;

/// Ctrl-C; what ends programs; a terminal that is closed; and what Slurm sends before a job's time is over, if it is asked to
/// (`sbatch --signal=USR1@60`).
const SIGNALS: [i32; 4] = [SIGINT, SIGTERM, SIGHUP, SIGUSR1];

/// Stops at Ctrl-C, and when the program is asked to terminate.
pub(crate) fn at_signals() -> Result<Stop, Error> {
    let stop = Stop::new();
    for signal in SIGNALS {
        let flag = stop.flag();
        let handler = move || {
            // The second signal finds the flag set.
            if flag.swap(true, Ordering::SeqCst) {
                end(INTERRUPTED);
            }
        };
        // SAFETY: it sets flags and ends the process, which a handler may do.
        let registered = unsafe { register(signal, handler) };
        registered.map_err(Error::file("handle signals", Path::new("the process")))?;
    }
    Ok(stop)
}
