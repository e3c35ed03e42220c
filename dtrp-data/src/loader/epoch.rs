//! The batches of one epoch.

use super::Batch;
use super::queue::Queue;
use super::work::Work;
use crate::DataError;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// How long a thread may take for the batch that it is at when nobody wants it any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// An iterator over the batches of one epoch, from [`Loader::epoch`](super::Loader::epoch).
///
/// A batch that could not be made is an error at its place, and the batches after it still come.
/// Dropping the epoch stops its threads and waits for them: no longer than the batches take that
/// they are at, and where one of those never comes (a network drive that is gone), not for ever.
pub struct Epoch {
    work: Arc<Work>,
    next: usize,
    end: usize,
    /// Nothing if batches are made in the calling thread.
    queue: Option<Arc<Queue>>,
    threads: Vec<JoinHandle<()>>,
    scratch: Vec<u8>,
    waited: Duration,
}

impl Epoch {
    pub(super) fn start(work: Work, skip: usize, end: usize) -> Self {
        let next = skip.min(end);
        let mut epoch = Self {
            work: Arc::new(work),
            next,
            end,
            queue: None,
            threads: Vec::new(),
            scratch: Vec::new(),
            waited: Duration::ZERO,
        };
        let options = &epoch.work.options;
        let queue = Arc::new(Queue::new(next, end, options.prefetch.max(options.threads)));
        for number in 0..options.threads.min(end - next) {
            let (work, queue) = (Arc::clone(&epoch.work), Arc::clone(&queue));
            let body = move || {
                let mut scratch = Vec::new();
                while let Some(number) = queue.claim() {
                    queue.put(number, work.make(number, &mut scratch));
                }
            };
            // A system out of threads slows loading down, no more: what comes out is the same.
            if let Ok(thread) = Builder::new().name(format!("data-{number}")).spawn(body) {
                epoch.threads.push(thread);
            }
        }
        if !epoch.threads.is_empty() {
            epoch.queue = Some(queue);
        }
        epoch
    }

    /// Seconds that the caller of `next` has waited for batches so far; without threads, the
    /// seconds it took to make them.
    pub fn wait_seconds(&self) -> f64 {
        self.waited.as_secs_f64()
    }

    /// The number of the batch that comes next, counted from the start of the epoch, skipped ones
    /// included.
    pub fn position(&self) -> usize {
        self.next
    }

    /// Takes the memory of a batch that is no longer needed, like
    /// [`Loader::recycle`](super::Loader::recycle).
    pub fn recycle(&self, batch: Batch) {
        self.work.pool.put(batch);
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let start = Instant::now();
        let batch = match &self.queue {
            Some(queue) => queue.take(),
            None => self.work.make(self.next, &mut self.scratch),
        };
        self.waited += start.elapsed();
        self.next += 1;
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.stop();
        }
        let start = Instant::now();
        for thread in self.threads.drain(..) {
            while !thread.is_finished() {
                if start.elapsed() > PATIENCE {
                    // What it works on is its own; it ends with the process at the latest.
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            // Panics of data sets were caught; there is nothing else to report from here.
            let _ = thread.join();
        }
    }
}
