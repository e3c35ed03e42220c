//! Calls that may not come back.

use std::{panic::resume_unwind, sync::mpsc, thread, time::Duration};

/// Runs `work` on a thread of its own and waits for at most `limit`. `None` if it has not come back by then: the thread
/// goes on, with all that `work` owns, and ends with the process at the latest.
///
/// A panic of `work` goes on in the caller.
pub(crate) fn limited<R: Send + 'static>(limit: Duration, work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (send, receive) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Nobody listens any more if the limit has passed.
        let _ = send.send(work());
    });
    match receive.recv_timeout(limit) {
        Ok(result) => Some(result),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => None,
        },
    }
}
