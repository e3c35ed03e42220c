//! Calls that may not come back.

use std::{
    panic::resume_unwind,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// The longest time between two looks at the clock.
const LONGEST_TICK: Duration = Duration::from_millis(200);

static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// Whether a plug-in of this process has never come back from a call, so that a thread goes on for as long as the process
/// does, perhaps with a lock that the end of the process needs: let [`end`](super::end) end it.
pub fn left_behind() -> bool {
    LEFT_BEHIND.load(Ordering::Acquire)
}

/// Runs `work` on a thread of its own and waits for at most `limit`, not counting time in which the process is stopped.
/// `None` if it has not come back by then: the thread goes on, with all that `work` owns, and ends with the process at the
/// latest.
///
/// A panic of `work` goes on in the caller.
pub(crate) fn limited<R: Send + 'static>(limit: Duration, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (send, receive) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Nobody listens any more if the limit has passed.
        let _ = send.send(work());
    });
    let tick = (limit / 8).clamp(Duration::from_millis(1), LONGEST_TICK);
    let mut waited = Duration::ZERO;
    while waited < limit {
        let begin = Instant::now();
        match receive.recv_timeout(tick) {
            Ok(result) => return Some(result),
            // A tick that took much longer is one in which the process was stopped.
            Err(RecvTimeoutError::Timeout) => waited += begin.elapsed().min(2 * tick),
            Err(RecvTimeoutError::Disconnected) => match thread.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => return None,
            },
        }
    }
    LEFT_BEHIND.store(true, Ordering::Release);
    None
}
