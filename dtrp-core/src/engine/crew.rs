//! The threads that execute workers. They live as long as the crew: starting a thread for every program would start a team
//! of OpenMP threads with each of them, which stays and disturbs the others.

use crossbeam_channel::{Sender, unbounded};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;

/// Whether a thread was given up.
static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// Whether a worker of this process has never come back from an action, so that its thread goes on for as long as the
/// process does. Such a process should end without what usually comes last (destructors of libraries, which the thread may
/// still use, or handlers that wait for a lock that it holds): with `_exit` of the system.
pub fn left_behind() -> bool {
    LEFT_BEHIND.load(Ordering::Acquire)
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads for workers, started when they are first needed. Clones share them; they end with the last of the clones.
#[derive(Clone, Default)]
pub struct Crew(Arc<Mutex<Vec<Option<Sender<Job>>>>>);

impl Crew {
    /// A crew without threads yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has thread `index` (from 0) do a job, after those that it was given before.
    pub(super) fn give(&self, index: usize, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if threads.len() <= index {
            threads.resize(index + 1, None);
        }
        let jobs = match &threads[index] {
            Some(jobs) => jobs,
            None => {
                let (jobs, given) = unbounded::<Job>();
                let body = move || given.iter().for_each(|job| job());
                Builder::new().name(format!("worker {}", index + 1)).spawn(body)?;
                threads[index].insert(jobs)
            }
        };
        // The thread does not end before its channel does: a job never panics.
        jobs.send(Box::new(job))
            .map_err(|_| io::Error::other("the thread has ended"))
    }

    /// Gives up a thread that does not come back from its job; another one takes its place.
    pub(super) fn lose(&self, index: usize) {
        LEFT_BEHIND.store(true, Ordering::Release);
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = threads.get_mut(index) {
            *thread = None;
        }
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Crew({} threads)", threads.iter().flatten().count())
    }
}
